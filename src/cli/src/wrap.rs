//! Breaking lines ourselves: what an agent wrote never begins a row of the terminal. Every further row of a
//! line begins with [`MARK`], and no line of ours does: long text cannot pass for another line (`verified user …`).
//! Rows end at spaces, and within a word only where no row has room for it. Nothing is left out at a break: the
//! rows without their marks are the text.

use std::borrow::Cow;

/// What begins each further row of a line.
const MARK: &str = "↪ ";
/// Its columns, at most.
const MARK_COLUMNS: usize = 3;
/// How a line end within a text is shown.
const LINE_END: char = '⏎';
/// A line that has less room than this begins under the last column instead.
const MIN_ROOM: usize = 20;
/// Where lines go that have too little room.
const NARROW_INDENT: usize = 4;
/// Least columns between a mark and the end of its row.
const LEAST_ROOM: usize = 2;

/// `text`, which holds no control character, for a terminal of `columns` whose
/// cursor stands at `indent`: cut into rows that begin there, also after each
/// [`LINE_END`]. `None`: as it is.
pub fn wrapped(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let narrow = columns < indent.saturating_add(MIN_ROOM);
    let indent = if narrow { NARROW_INDENT } else { indent };
    let margin = format!("\n{:indent$}", "");
    let mut out = if narrow { margin.clone() } else { String::new() };
    let mut row = Row::new(columns.saturating_sub(indent));
    let mut ended = false;
    for (at, c) in text.char_indices() {
        if ended {
            row = row.full();
        }
        if !row.takes(c, text.get(at..).unwrap_or_default()) {
            out.push_str(&margin);
            out.push_str(MARK);
        }
        out.push(c);
        ended = c == LINE_END;
    }
    out
}

/// Lines of ours, with our styles in them, for a terminal of `columns`: what is longer than it is cut into rows
/// here, which begin where the line's last column does. `None`: as they are.
pub fn folded(text: &str, columns: Option<usize>) -> Cow<'_, str> {
    let Some(columns) = columns.filter(|columns| text.lines().any(|line| line.len() > *columns)) else {
        return Cow::Borrowed(text);
    };
    let text = &moved_left(text, columns);
    let mut out = String::with_capacity(text.len());
    let mut indent = hanging(text, columns);
    let (mut row, mut in_style) = (Row::after(columns, indent), false);
    for (at, c) in text.char_indices() {
        match c {
            '\n' => {
                indent = hanging(text.get(at + 1..).unwrap_or_default(), columns);
                row = Row::after(columns, indent);
            }
            // A style ends with its first letter.
            '\x1b' => in_style = true,
            c if in_style => in_style = !c.is_ascii_alphabetic(),
            c if !row.takes(c, text.get(at..).unwrap_or_default()) => {
                out.push_str(&format!("\n{:indent$}{MARK}", ""));
            }
            _ => {}
        }
        out.push(c);
    }
    Cow::Owned(out)
}

/// Lines that begin in the right half of the terminal begin near its left edge: there is room to read them.
fn moved_left(text: &str, columns: usize) -> String {
    let line = |line: &str| {
        let rest = line.trim_start_matches(' ');
        match line.len() - rest.len() > columns / 2 {
            true => format!("{:NARROW_INDENT$}{rest}", ""),
            false => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Where the last column of a line begins: what has two blanks before it, or all blanks, in the left half of the
/// terminal. At the left edge where that leaves little room.
fn hanging(text: &str, columns: usize) -> usize {
    if columns / 2 < MIN_ROOM {
        return 0;
    }
    let (mut at, mut blanks, mut found, mut in_style) = (0, 0, 0, false);
    for c in text.chars().take_while(|c| *c != '\n') {
        match c {
            '\x1b' => in_style = true,
            c if in_style => in_style = !c.is_ascii_alphabetic(),
            _ if at > columns / 2 => break,
            ' ' => (at, blanks) = (at + 1, blanks + 1),
            c => {
                if blanks > 1 || blanks == at {
                    found = at;
                }
                (at, blanks) = (at + width(c), 0);
            }
        }
    }
    found
}

/// A row that is being filled.
struct Row {
    room: usize,
    next: usize,
    in_word: bool,
}

impl Row {
    fn new(columns: usize) -> Self {
        Self::after(columns, 0)
    }

    /// The same, whose further rows begin at `indent`.
    fn after(columns: usize, indent: usize) -> Self {
        let next = columns.saturating_sub(indent + MARK_COLUMNS).max(LEAST_ROOM);
        Self { room: columns.max(LEAST_ROOM), next, in_word: false }
    }

    /// The same, of which nothing is left.
    fn full(self) -> Self {
        Self { room: 0, in_word: false, ..self }
    }

    /// Whether the character, with which `rest` begins, stands in this row; else it is the first of the next.
    fn takes(&mut self, c: char, rest: &str) -> bool {
        let needed = if self.in_word || is_end(c) { width(c) } else { self.word(rest) };
        let fits = needed <= self.room;
        self.room = if fits { self.room } else { self.next } - width(c);
        self.in_word = !is_end(c);
        fits
    }

    /// Columns of the word at the beginning of `rest`, with the space after it; of its first character alone
    /// where no row has room for it.
    fn word(&self, rest: &str) -> usize {
        let (mut columns, mut in_style) = (0, false);
        for c in rest.chars().take_while(|c| *c != '\n') {
            match c {
                '\x1b' => in_style = true,
                c if in_style => in_style = !c.is_ascii_alphabetic(),
                c => columns += width(c),
            }
            if columns > self.next {
                return rest.chars().next().map_or(0, width);
            }
            if is_end(c) {
                break;
            }
        }
        columns
    }
}

/// Whether a row may end after it.
fn is_end(c: char) -> bool {
    c == ' ' || c == LINE_END
}

/// Some are wider than one column and some terminals disagree: two is the most.
fn width(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_where_the_text_began_and_are_marked() {
        assert_eq!(wrapped("abcdef", 4, None), "abcdef");
        assert_eq!(wrapped("abcdef", 4, Some(80)), "abcdef");
        let rows = wrapped(&"x".repeat(50), 4, Some(24));
        assert_eq!(rows.lines().nth(1), Some(format!("    ↪ {}", "x".repeat(17)).as_str()));
        assert_eq!(wrapped(&"✓".repeat(11), 0, Some(20)), format!("{}\n↪ ✓", "✓".repeat(10)));
        assert_eq!(wrapped("abcdefgh", 30, Some(10)), "\n    abcdef\n    ↪ gh");
        assert_eq!(wrapped("ab", 30, Some(1)), "\n    ab");
    }

    #[test]
    fn rows_end_at_spaces_and_words_are_cut_only_where_no_row_has_room_for_them() {
        let reason = "this line deletes the cache of another team";
        assert_eq!(
            folded(reason, Some(20)),
            "this line deletes \n↪ the cache of \n↪ another team",
            "also where a word would just fit and the space after it would not"
        );
        assert_eq!(wrapped(reason, 4, Some(24)), "this line deletes \n    ↪ the cache of \n    ↪ another team");
        assert_eq!(folded("ab cdefghijk lm", Some(8)), "ab cdefg\n↪ hijk \n↪ lm", "a word wider than a row");
        assert_eq!(folded("日本 日本語 日本", Some(11)), "日本 \n↪ 日本語 \n↪ 日本", "two columns each");
        assert_eq!(
            folded("\x1b[1mabcd\x1b[0m cd\x1b[1mef\x1b[0m gh", Some(9)),
            "\x1b[1mabcd\x1b[0m \n↪ cd\x1b[1mef\x1b[0m \n↪ gh"
        );
        assert_eq!(folded("a            b", Some(8)), "a       \n↪      \n↪ b", "what is blank counts");
    }

    #[test]
    fn lines_within_a_text_have_rows_of_their_own() {
        let text = "cat <<EOF⏎a  b⏎⏎EOF";
        assert_eq!(wrapped(text, 2, Some(80)), "cat <<EOF⏎\n  ↪ a  b⏎\n  ↪ ⏎\n  ↪ EOF");
        assert_eq!(wrapped(text, 2, None), text);
        assert_eq!(wrapped("a⏎", 2, Some(80)), "a⏎", "nothing follows");
        assert_eq!(wrapped("12345678901234 a⏎b", 0, Some(20)), "12345678901234 a⏎\n↪ b");
        assert_eq!(folded(text, Some(80)), text, "a list has a row for it");
    }

    #[test]
    fn further_rows_begin_where_the_last_column_does() {
        let row = "10:02 UTC  \x1b[1mDENIED\x1b[0m   curl -s https://downloads.example/x";
        let under = " ".repeat(20);
        assert_eq!(
            folded(row, Some(44)),
            format!("10:02 UTC  \x1b[1mDENIED\x1b[0m   curl -s https://download\n{under}↪ s.example/x")
        );
        let row = "    approved by two persons, and one of them was late";
        assert_eq!(folded(row, Some(40)), "    approved by two persons, and one of \n    ↪ them was late");
        // Further to the right there would be no room.
        let row = "aaaa bbbb cccc dddd eeee  ffff gggg hhhh";
        assert_eq!(folded(row, Some(38)), "aaaa bbbb cccc dddd eeee  ffff gggg \n↪ hhhh");
        assert_eq!(folded(&format!("{row} {row}"), Some(40)).matches("\n↪ ").count(), 2);
    }

    #[test]
    fn what_begins_far_to_the_right_of_a_narrow_terminal_is_moved_left() {
        let rows = format!("2026-11-20 14:47 UTC  a command that is long\n{:25}reviewer ops-lead\n{:25}x\n", "", "");
        let shown = folded(&rows, Some(40)).into_owned();
        assert!(shown.ends_with("\n    reviewer ops-lead\n    x\n"), "{shown}");
        assert!(folded(&rows, Some(60)) == rows, "here there is room");
        assert!(folded(&rows.replace("is long", &"x ".repeat(20)), Some(60)).contains(&format!("\n{:25}reviewer", "")));
    }

    #[test]
    fn the_rows_without_their_marks_are_the_text() {
        for text in
            ["a  b   ccccccccccccccccccccccccc d", " lead é日 x  ", "xxxxxxxxxxxxxxxxxxxxxxxx yyyyyyyyyyyyyyyy  "]
        {
            for columns in 5..40 {
                let rows = folded(text, Some(columns)).into_owned();
                let mut joined = String::new();
                for (number, row) in rows.lines().enumerate() {
                    joined.push_str(if number == 0 {
                        row
                    } else {
                        row.trim_start_matches(' ').strip_prefix(MARK).unwrap()
                    });
                }
                assert_eq!(joined, text, "{columns}");
                assert!(rows.lines().all(|row| row.chars().map(width).sum::<usize>() <= columns), "{columns}: {rows}");
            }
        }
    }

    #[test]
    fn lines_that_are_too_long_are_cut_and_their_styles_count_for_nothing() {
        assert_eq!(folded("abcdef\nxy", None), "abcdef\nxy");
        assert_eq!(folded("abcdef\nxy", Some(6)), "abcdef\nxy");
        assert_eq!(folded("\x1b[1mabcdef\x1b[0m\nx\n", Some(6)), "\x1b[1mabcdef\x1b[0m\nx\n");
        assert_eq!(folded("\x1b[1mabcdefghi\x1b[0m\nabcdefg\n", Some(6)), "\x1b[1mabcdef\n↪ ghi\x1b[0m\nabcdef\n↪ g\n");
        assert_eq!(folded("ab\n", Some(1)), "ab\n");
        for columns in 1..40 {
            let text = format!("{}é{}", "verified ".repeat(20), "✓".repeat(30));
            for row in folded(&text, Some(columns)).lines().skip(1) {
                assert!(row.starts_with(MARK), "{columns}: {row}");
            }
        }
    }
}
