//! What we say ourselves, in rows that end at spaces.

use unicode_width::UnicodeWidthStr as _;

/// `text`, which holds no control character, for a terminal of `columns` (0: not known), with `end` between its rows.
/// A word that no row has room for is the terminal's to break.
pub fn in_rows(text: &str, columns: u16, end: &str) -> String {
    let room = if columns == 0 { usize::MAX } else { usize::from(columns) };
    let (mut said, mut used) = (String::new(), 0);
    for word in text.split(' ') {
        let width = word.width();
        if used > 0 && used + 1 + width > room {
            said.push_str(end);
            used = 0;
        } else if used > 0 {
            said.push(' ');
            used += 1;
        }
        said.push_str(word);
        used += width;
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_at_spaces() {
        let text = "denied id=7 by=ops-lead reason=\"not on this host; 日本語 also\"";
        assert_eq!(in_rows(text, 40, "\n"), "denied id=7 by=ops-lead reason=\"not on\nthis host; 日本語 also\"");
        assert_eq!(in_rows("日本語 日本語", 12, "\n"), "日本語\n日本語", "two columns each");
        assert_eq!(in_rows("a  b", 0, "\n"), "a  b", "as it is where the width is not known");
        assert_eq!(in_rows("0123456789012345 b", 14, "\n"), "0123456789012345\nb");
        for columns in 1..90 {
            assert_eq!(in_rows(text, columns, "\n").replace('\n', " "), text, "{columns}");
        }
    }
}
