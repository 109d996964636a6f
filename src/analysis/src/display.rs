//! What a line could show that it is not: characters that nobody sees, that
//! reorder others or look like others, and texts that drive a terminal.

mod escapes;
mod letters;
#[cfg(test)]
mod tests;
mod turned;

use crate::facts::{CommandLine, Span};
use countersign_core::visible;
use serde::Serialize;

/// What is shown wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trick {
    /// A control character.
    Control,
    /// Reorders the text around it, or is shown in another order itself.
    Bidirectional,
    /// Shows nothing.
    Invisible,
    /// Looks like a space and is none.
    Blank,
    /// A letter or sign that looks like another one among Latin letters.
    Homoglyph,
    /// What is written to the terminal moves its cursor, renames it or hides text.
    TerminalEscape,
    /// Marks that strike out, cover or pile up on the character before them.
    Combining,
    /// Has no meaning of its own: each font shows something else.
    PrivateUse,
    /// So many blanks or empty lines that what follows may be out of sight.
    Padding,
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
/// From so many blanks on, what follows may be out of sight.
const WIDE: usize = 80;
/// From so many empty lines on.
const HIGH: usize = 12;

/// All such places in `text`, whose facts are `line`.
pub fn tricks(text: &str, line: &CommandLine) -> Vec<Shown> {
    let mut found = Vec::new();
    let ascii = text.is_ascii();
    if !ascii || text.bytes().any(|byte| !byte.is_ascii_graphic() && !b" \t\n".contains(&byte)) {
        characters(text, &mut found);
    }
    padding(text, &mut found);
    if !ascii {
        letters::look_alikes(text, line, &mut found);
        letters::marks(text, line, &mut found);
        turned::words(text, line, &mut found);
    }
    escapes::written(line, &mut found);
    found.sort_by_key(|shown| (shown.start, shown.kind));
    found.dedup();
    found.truncate(MOST);
    found
}

/// Characters that show nothing, something else, or change what others show.
fn characters(text: &str, found: &mut Vec<Shown>) {
    let mut before = None;
    for (at, c) in text.char_indices() {
        if !c.is_ascii_graphic() && !matches!(c, ' ' | '\t' | '\n') {
            let end = at + c.len_utf8();
            let rest = text.get(end..).unwrap_or_default();
            if let Some(kind) =
                kind(c).filter(|_| !letters::belongs(c, before, rest, text.get(..at).unwrap_or_default()))
            {
                found.push(Shown { kind, start: at, end, shown: marked(c) });
                if found.len() == MOST {
                    return;
                }
            }
        }
        before = Some(c);
    }
}

fn kind(c: char) -> Option<Trick> {
    if matches!(u32::from(c), 0xE000..=0xF8FF | 0xF0000..=0x10FFFF) {
        return Some(Trick::PrivateUse);
    }
    let shown = visible(c.encode_utf8(&mut [0; 4]));
    let hides = shown.starts_with('⟨') && shown.chars().count() > 1;
    hides.then(|| match u32::from(c) {
        _ if c.is_control() => Trick::Control,
        0x061C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069 => Trick::Bidirectional,
        _ if c.is_whitespace() || c == '\u{2800}' => Trick::Blank,
        _ => Trick::Invisible,
    })
}

/// Runs of blanks with something behind them.
fn padding(text: &str, found: &mut Vec<Shown>) {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
    // No blank beside another: nothing is pushed out of sight.
    if !text.as_bytes().windows(2).any(|pair| pair.iter().all(blank)) {
        return;
    }
    let (mut start, mut width, mut lines) = (0, 0usize, 0usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b' ' => width += 1,
            b'\t' => width += 8,
            b'\n' => (lines, width) = (lines + 1, 0),
            _ => {
                if width >= WIDE || lines > HIGH {
                    let what = if lines > HIGH { format!("{lines} empty lines") } else { format!("{width} blanks") };
                    found.push(Shown { kind: Trick::Padding, start, end: at, shown: format!("⟨{what}⟩") });
                    if found.len() >= 2 * MOST {
                        return;
                    }
                }
                (start, width, lines) = (at + 1, 0, 0);
            }
        }
    }
}

fn marked(c: char) -> String {
    if c.is_ascii() && !c.is_control() { c.to_string() } else { format!("⟨U+{:04X}⟩", u32::from(c)) }
}

fn spoof(kind: Trick, span: Span, text: &str) -> Shown {
    let shown = visible(&text.chars().take(80).collect::<String>());
    Shown { kind, start: span.start, end: span.end, shown }
}
