//! What a line could show that it is not: characters that nobody sees, that
//! reorder others or look like others, and texts that drive a terminal.

use crate::facts::{CommandLine, Span};
use countersign_core::visible;
use serde::Serialize;

/// What is shown wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trick {
    /// A control character.
    Control,
    /// Reorders the text around it.
    Bidirectional,
    /// Shows nothing.
    Invisible,
    /// Looks like a space and is none.
    Blank,
    /// A letter of another script, or a styled one, among Latin letters.
    Homoglyph,
    /// What is written to the terminal moves its cursor, renames it or hides text.
    TerminalEscape,
}

/// One such place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What it is.
    pub kind: Trick,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The same, made visible.
    pub shown: String,
}

/// Most places that are listed.
const MOST: usize = 64;

/// All such places in `text`, whose facts are `line`.
pub fn tricks(text: &str, line: &CommandLine) -> Vec<Shown> {
    let mut found: Vec<Shown> = text.char_indices().filter_map(|(at, c)| hidden(at, c)).take(MOST).collect();
    found.extend(homoglyphs(text));
    found.extend(escapes(line));
    found.sort_by_key(|shown| (shown.start, shown.kind));
    found.truncate(MOST);
    found
}

fn hidden(at: usize, c: char) -> Option<Shown> {
    if c.is_ascii_graphic() || matches!(c, ' ' | '\t' | '\n') {
        return None;
    }
    let shown = visible(c.encode_utf8(&mut [0; 4]));
    let marked = shown.starts_with('⟨') && shown.chars().count() > 1;
    let kind = match u32::from(c) {
        _ if !marked => return None,
        _ if c.is_control() => Trick::Control,
        0x061C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069 => Trick::Bidirectional,
        _ if c.is_whitespace() || c == '\u{2800}' => Trick::Blank,
        _ => Trick::Invisible,
    };
    Some(Shown { kind, start: at, end: at + c.len_utf8(), shown })
}

/// Words that mix Latin letters with letters that look like some.
fn homoglyphs(text: &str) -> Vec<Shown> {
    let mut found = Vec::new();
    let mut at = 0;
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let start = at + text.get(at..).and_then(|rest| rest.find(word)).unwrap_or(0);
        at = start + word.len();
        let latin = word.chars().any(|c| c.is_ascii_alphabetic());
        let other = word.chars().any(looks_latin);
        if word.chars().any(styled) || (latin && other) {
            found.push(Shown { kind: Trick::Homoglyph, start, end: at, shown: marked(word) });
        }
    }
    found
}

/// Letters of Greek, Cyrillic, Armenian and Cherokee.
fn looks_latin(c: char) -> bool {
    matches!(u32::from(c), 0x0370..=0x03FF | 0x0400..=0x052F | 0x0531..=0x058F | 0x13A0..=0x13FF)
}

/// Full-width and mathematical forms of Latin letters and digits, and small capitals.
fn styled(c: char) -> bool {
    matches!(u32::from(c), 0xFF10..=0xFF5A | 0x1D400..=0x1D7FF | 0x1D00..=0x1D2B)
}

fn marked(word: &str) -> String {
    let mark = |c: char| if c.is_ascii() { c.to_string() } else { format!("⟨U+{:04X}⟩", u32::from(c)) };
    word.chars().map(mark).collect()
}

/// Texts that `echo` and `printf` would write, with escapes other than colours.
fn escapes(line: &CommandLine) -> Vec<Shown> {
    let writers = line
        .commands
        .iter()
        .filter(|command| matches!(command.program_name(), Some("echo" | "printf" | "cat" | "tput")));
    let words = writers.flat_map(|command| command.arguments());
    words.filter(|word| drives(&word.text)).map(|word| spoof(word.span, &word.text)).collect()
}

fn spoof(span: Span, text: &str) -> Shown {
    let shown = visible(&text.chars().take(80).collect::<String>());
    Shown { kind: Trick::TerminalEscape, start: span.start, end: span.end, shown }
}

/// Whether a text has an escape sequence that is no colour (`ESC [ … m`).
fn drives(text: &str) -> bool {
    let plain = text
        .replace("\\e", "\u{1b}")
        .replace("\\E", "\u{1b}")
        .replace("\\033", "\u{1b}")
        .replace("\\x1b", "\u{1b}")
        .replace("\\x1B", "\u{1b}")
        .replace("\\u001b", "\u{1b}");
    plain.split('\u{1b}').skip(1).any(|after| {
        let Some(sequence) = after.strip_prefix('[') else { return !after.is_empty() };
        let body = sequence.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ';' | '?' | ':' | '>'));
        !body.starts_with('m') && !body.is_empty() && !body.starts_with(['%', '$'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Place;

    fn kinds(text: &str) -> Vec<Trick> {
        tricks(text, &crate::parse(text, &Place::default())).into_iter().map(|shown| shown.kind).collect()
    }

    #[test]
    fn tricks_are_found_and_honest_text_is_left() {
        for (text, kind) in [
            ("rm \u{202e}fdp.x", Trick::Bidirectional),
            ("ls\u{200b} x", Trick::Invisible),
            ("rm\u{a0}-rf x", Trick::Blank),
            ("ls \u{1b}[2K", Trick::Control),
            ("curl https://pаypal.example", Trick::Homoglyph),
            ("ｒm x", Trick::Homoglyph),
            ("printf '\\033[2J\\033[1;1H'", Trick::TerminalEscape),
            ("echo -e '\\e]0;title\\a'", Trick::TerminalEscape),
        ] {
            assert!(kinds(text).contains(&kind), "{text}: {:?}", kinds(text));
        }
        for text in
            ["echo ✓ héllo", "git commit -m 'Привет, мир'", "printf '\\033[31mred\\033[0m'", "ls\t-l\nls", "echo 你好"]
        {
            assert_eq!(kinds(text), [], "{text}");
        }
    }

    #[test]
    fn spans_are_bytes() {
        let text = "é\u{202e}x";
        let found = tricks(text, &CommandLine::default());
        assert_eq!((found[0].start, found[0].end, found[0].shown.as_str()), (2, 5, "⟨U+202E⟩"));
    }
}
