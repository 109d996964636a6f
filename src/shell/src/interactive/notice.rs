//! What the front itself says on the terminal, in one voice.

use countersign_core::{SubmissionId, visible};

/// The line that is shown while a command waits; rewritten in place where the
/// terminal can do that.
pub fn waiting(id: SubmissionId, asked: &[String], left_s: u64, plain: bool) -> String {
    let who = match asked {
        [] => "nobody is there to ask yet".to_owned(),
        some => format!("asking {}", visible(&some.join(", "))),
    };
    let text = format!("countersign: held {} · {who} · {left_s} s left · ^C gives up", short(id));
    if plain { format!("{text}\r\n") } else { format!("\r\x1b[K{text}") }
}

/// Ends the waiting line.
pub fn waited(plain: bool) -> &'static str {
    if plain { "" } else { "\r\x1b[K" }
}

/// A line of its own.
pub fn line(text: &str) -> String {
    format!("countersign: {}\r\n", visible(text))
}

/// The beginning of an id that people type.
fn short(id: SubmissionId) -> String {
    id.to_string().chars().take(8).collect()
}
