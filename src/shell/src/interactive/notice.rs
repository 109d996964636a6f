//! What the front itself says on the terminal, in one voice.

use crate::rows::in_rows;
use countersign_core::{SubmissionId, legible};

/// The line that is shown while a command waits; rewritten in place where the
/// terminal can do that, and so no longer than a row of `columns` (0: not known).
pub fn waiting(id: SubmissionId, asked: &[String], left_s: u64, plain: bool, columns: u16) -> String {
    let text = |who: &str| format!("countersign: held {} · {who} · {left_s} s left · ^C gives up", short(id));
    let who = match asked {
        [] => "nobody is there to ask yet".to_owned(),
        some => format!("asking {}", legible(&some.join(", "))),
    };
    if plain {
        return format!("{}\r\n", text(&who));
    }
    let room = if columns == 0 { usize::MAX } else { usize::from(columns).saturating_sub(1) };
    let fits = |text: &String| text.chars().count() <= room;
    let counted = || text(&format!("asking {}", asked.len()));
    let whole = Some(text(&who)).filter(fits).or_else(|| Some(counted()).filter(fits));
    let short = || format!("held · {left_s} s · ^C gives up").chars().take(room).collect();
    format!("\r\x1b[K{}", whole.unwrap_or_else(short))
}

/// Ends the waiting line.
pub fn waited(plain: bool) -> &'static str {
    if plain { "" } else { "\r\x1b[K" }
}

/// A line of its own, for a terminal of `columns` (0: not known).
pub fn line(text: &str, columns: u16) -> String {
    format!("{}\r\n", in_rows(&format!("countersign: {}", legible(text)), columns, "\r\n"))
}

/// The beginning of an id that people type.
fn short(id: SubmissionId) -> String {
    id.to_string().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rewritten_in_place_fits_into_its_row() {
        let asked = ["ops-lead".to_owned(), "database-administrators".to_owned()];
        let id = SubmissionId::from_random([7; 16]);
        let at = |columns| waiting(id, &asked, 60, false, columns);
        assert!(at(0).contains("database") && at(200).contains("database"));
        assert!(at(80).contains("asking 2 ·") && at(80).contains("^C gives up"));
        assert!(at(40).contains("^C gives up"));
        for columns in 1..200 {
            let text = at(columns);
            let shown = text.strip_prefix("\r\x1b[K").unwrap();
            assert!(shown.chars().count() < usize::from(columns), "{columns}: {shown}");
        }
        assert!(waiting(id, &asked, 60, true, 40).ends_with("gives up\r\n"), "a dumb terminal gets whole lines");
    }
}
