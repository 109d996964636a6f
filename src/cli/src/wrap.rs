//! Breaking lines ourselves, so that what an agent wrote never begins a line.

/// A line that has less room than this begins under the last column instead.
const MIN_ROOM: usize = 20;
/// Where lines go that have too little room.
const NARROW_INDENT: usize = 4;

/// `text`, which holds no control character, for a terminal of `columns` whose
/// cursor stands at `indent`: cut into lines that begin there. `None`: as it is.
pub fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let narrow = columns < indent.saturating_add(MIN_ROOM);
    let indent = if narrow { NARROW_INDENT } else { indent };
    let room = columns.saturating_sub(indent).max(2);
    let next = format!("\n{:indent$}", "");
    let mut out = if narrow { next.clone() } else { String::new() };
    let mut used = 0;
    for c in text.chars() {
        // Some are wider than one column and some terminals disagree: two is the most.
        let width = if c.is_ascii() { 1 } else { 2 };
        if used + width > room {
            out.push_str(&next);
            used = 0;
        }
        out.push(c);
        used += width;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_where_the_text_began() {
        assert_eq!(wrapped("abcdef", 4, None), "abcdef");
        assert_eq!(wrapped("abcdef", 4, Some(80)), "abcdef");
        assert_eq!(
            wrapped(&"x".repeat(50), 4, Some(24)).lines().nth(1),
            Some(format!("    {}", "x".repeat(20)).as_str())
        );
        assert_eq!(wrapped(&"✓".repeat(11), 0, Some(20)), format!("{}\n✓", "✓".repeat(10)));
        assert_eq!(wrapped("abcdefgh", 30, Some(10)), "\n    abcdef\n    gh");
        assert_eq!(wrapped("ab", 30, Some(1)), "\n    ab");
    }
}
