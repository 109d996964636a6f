//! Making recorded text safe to look at.

/// Recorded text as a terminal may show it: every control character, format
/// character (bidirectional marks, zero width, tags) and line separator becomes
/// a visible mark, so that nothing recorded can move the cursor, hide text or
/// reorder it. Newline becomes `⏎`, tab `⇥`, others `⟨U+XXXX⟩`.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('⏎'),
            '\t' => shown.push('⇥'),
            c if c.is_control() || hidden(c) => shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that show nothing or change the order of others: Unicode general
/// category Cf, the line and paragraph separators, variation selectors, the
/// Hangul and Khmer fillers, and the interlinear and tag blocks.
fn hidden(c: char) -> bool {
    matches!(u32::from(c),
        0x00AD | 0x034F | 0x061C | 0x0600..=0x0605 | 0x06DD | 0x070F | 0x115F | 0x1160 | 0x17B4 | 0x17B5
        | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F
        | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB | 0x110BD | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
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
}
