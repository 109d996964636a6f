//! Making recorded text safe to look at.

use std::borrow::Cow;

/// Recorded text as a terminal may show it: every control character, format
/// character (bidirectional marks, zero width, tags), line separator and white
/// space other than a plain space becomes a visible mark, so that nothing
/// recorded can move the cursor, hide text or reorder it. Newline becomes `⏎`,
/// tab `⇥`, others `⟨U+XXXX⟩`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('⏎'),
            '\t' => shown.push('⇥'),
            c if c.is_control() || hidden(c) || blank(c) => {
                shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// The same, where in addition nothing passes for our marks for line ends and
/// tabs: `cat <<E⏎; rm x` is one line, and runs `rm`. What is already
/// [`visible`] has such marks of ours, and is not given to this.
pub fn legible(text: &str) -> String {
    visible(&text.replace('⏎', "⟨U+23CE⟩").replace('⇥', "⟨U+21E5⟩"))
}

/// Characters that show nothing or change the order of others: Unicode general
/// category Cf, the line and paragraph separators, variation selectors, the
/// Hangul and Khmer fillers, the null notehead, and the interlinear and tag blocks.
fn hidden(c: char) -> bool {
    matches!(u32::from(c),
        0x00AD | 0x034F | 0x061C | 0x0600..=0x0605 | 0x06DD | 0x070F | 0x0890 | 0x0891 | 0x08E2 | 0x115F | 0x1160
        | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164
        | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x110BD | 0x110CD | 0x13430..=0x1343F
        | 0x1BCA0..=0x1BCA3 | 0x1D159 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

/// What looks like a space and is none to a shell: category Zs without U+0020,
/// and the braille pattern without dots.
fn blank(c: char) -> bool {
    matches!(u32::from(c), 0x00A0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x2800 | 0x3000)
}

/// How a mark for redacted text begins.
const MARK: &str = "‹redacted";

/// What stands for redacted text of a kind: `‹redacted aws_access_key›`.
pub fn mark(kind: &str) -> String {
    format!("{MARK} {kind}›")
}

/// Text in which nothing passes for such a mark.
pub fn unmarked(text: &str) -> Cow<'_, str> {
    if text.contains(MARK) { text.replace(MARK, "⟨U+2039⟩redacted").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_recorded_drives_a_terminal() {
        assert_eq!(visible("a\x1b[2Kb\r"), "a⟨U+001B⟩[2Kb⟨U+000D⟩");
        assert_eq!(visible("x\u{202e}y\u{200b}z\u{9b}"), "x⟨U+202E⟩y⟨U+200B⟩z⟨U+009B⟩");
        assert_eq!(visible("echo ✓\n\té"), "echo ✓⏎⇥é");
    }

    #[test]
    fn what_looks_like_a_line_end_or_a_tab_is_none() {
        assert_eq!(legible("a⏎b⇥c\n\td\u{202e}"), "a⟨U+23CE⟩b⟨U+21E5⟩c⏎⇥d⟨U+202E⟩");
    }

    #[test]
    fn nothing_passes_for_a_mark() {
        assert_eq!(mark("password"), "‹redacted password›");
        assert_eq!(unmarked("x ‹redacted password›"), "x ⟨U+2039⟩redacted password›");
        assert_eq!(unmarked("‹a›"), "‹a›");
    }

    #[test]
    fn every_format_character_is_marked() {
        let ranges = [
            0xAD..=0xAD,
            0x600..=0x605,
            0x61C..=0x61C,
            0x6DD..=0x6DD,
            0x70F..=0x70F,
            0x890..=0x891,
            0x8E2..=0x8E2,
            0x180E..=0x180E,
            0x200B..=0x200F,
            0x202A..=0x202E,
            0x2060..=0x2064,
            0x2066..=0x206F,
            0xFEFF..=0xFEFF,
            0xFFF9..=0xFFFB,
            0x110BD..=0x110BD,
            0x110CD..=0x110CD,
            0x1D159..=0x1D159,
            0x13430..=0x1343F,
            0x1BCA0..=0x1BCA3,
            0x1D173..=0x1D17A,
            0xE0001..=0xE0001,
            0xE0020..=0xE007F,
        ];
        for code in ranges.into_iter().flatten() {
            let c = char::from_u32(code).unwrap();
            assert_eq!(visible(&format!("a{c}b")), format!("a⟨U+{code:04X}⟩b"));
        }
    }

    #[test]
    fn only_a_space_looks_like_a_space() {
        assert_eq!(visible("rm -rf /tmp"), "rm -rf /tmp");
        for c in (0..=0x10FFFF).filter_map(char::from_u32).filter(|c| c.is_whitespace() || *c == '\u{2800}') {
            assert!(c == ' ' || visible(&c.to_string()) != c.to_string(), "U+{:04X}", u32::from(c));
        }
        assert_eq!(visible("rm\u{a0}-rf\u{3000}/\u{2800}x"), "rm⟨U+00A0⟩-rf⟨U+3000⟩/⟨U+2800⟩x");
    }
}
