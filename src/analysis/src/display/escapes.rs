//! Texts that drive the terminal they are written to: what `echo` and
//! `printf` would write, and control characters that quotes make (`$'\e[2K'`).

use super::{Shown, Trick, letters, spoof};
use crate::facts::CommandLine;
use std::borrow::Cow;

/// Programs that write their words to the terminal, escapes decoded or not.
const WRITERS: [&str; 6] = ["echo", "printf", "cat", "tput", "print", "logger"];

/// Adds the words whose text would do so.
pub(super) fn written(line: &CommandLine, found: &mut Vec<Shown>) {
    for command in &line.commands {
        let writes = command.program_name().is_some_and(|name| WRITERS.contains(&name));
        let assigned = command.assignments.iter().flat_map(|assignment| &assignment.values);
        let targets = command.redirections.iter().map(|redirection| &redirection.target);
        for (index, word) in command.words.iter().chain(assigned).chain(targets).enumerate() {
            if word.text.bytes().all(|byte| tame(byte) && !(writes && byte == b'\\')) {
                continue;
            }
            let text = if writes && index > 0 { decoded(&word.text) } else { Cow::Borrowed(word.text.as_str()) };
            if drives(&text) || overwrites(&text) {
                found.push(spoof(Trick::TerminalEscape, word.span, &text));
            } else if let Some(kind) = made(&text, &word.text, word.span.end - word.span.start) {
                found.push(spoof(kind, word.span, &text));
            }
        }
    }
}

/// A byte that moves the cursor nowhere else than text does.
fn tame(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\n')
}

/// Whether a text has an escape sequence that is no colour (`ESC [ … m`).
fn drives(text: &str) -> bool {
    if text.contains(['\u{9b}', '\u{9d}', '\u{90}', '\u{9f}', '\u{98}', '\u{9e}']) {
        return true;
    }
    text.split('\u{1b}').skip(1).any(|after| {
        let Some(sequence) = after.strip_prefix('[') else { return !after.is_empty() };
        let body = sequence.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ';' | '?' | ':' | '>'));
        if let Some(shown) = body.strip_prefix('m') {
            return conceals(sequence.get(..sequence.len() - shown.len() - 1).unwrap_or_default());
        }
        !body.is_empty() && !body.starts_with(['%', '$'])
    })
}

/// The "colour" that shows nothing.
fn conceals(parameters: &str) -> bool {
    parameters.split(';').next_back() == Some("8") && !parameters.contains("38;") && !parameters.contains("48;")
}

/// A carriage return or backspace between two visible texts: the second is
/// written over the first. In one pass: a line may be made of these.
fn overwrites(text: &str) -> bool {
    // Whether this row shows something, and whether the cursor was then moved back.
    let (mut shown, mut back) = (false, false);
    for c in text.chars() {
        match c {
            '\n' => (shown, back) = (false, false),
            '\r' | '\u{8}' => {
                back |= shown;
                shown |= c == '\u{8}';
            }
            ' ' => {}
            _ if back => return true,
            _ => shown |= !c.is_whitespace(),
        }
    }
    false
}

/// Characters that reorder or hide text and are not in the line itself: quotes or `printf` make them.
fn made(text: &str, source: &str, length: usize) -> Option<Trick> {
    // Nothing was decoded: what there is has been seen in the line.
    if text.is_ascii() || length == text.len() && text == source {
        return None;
    }
    let mut before = None;
    text.char_indices().find_map(|(at, c)| {
        let rest = text.get(at + c.len_utf8()..).unwrap_or_default();
        let belongs = letters::belongs(c, before.replace(c), rest, text.get(..at).unwrap_or_default());
        if belongs { None } else { hiding(c) }
    })
}

fn hiding(c: char) -> Option<Trick> {
    match u32::from(c) {
        0x061C | 0x200E | 0x200F | 0x202A..=0x202E | 0x2066..=0x2069 => Some(Trick::Bidirectional),
        0x00AD | 0x200B | 0x2060..=0x2064 | 0xFEFF | 0xE0000..=0xE007F => Some(Trick::Invisible),
        _ => None,
    }
}

/// The escapes of `echo -e` and `printf` decoded, as far as they write one character.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let after = rest.get(at + 1..).unwrap_or_default();
        let (c, taken) = escape(after);
        out.push(c);
        rest = after.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out.into()
}

/// The character that an escape writes, and how many bytes after the backslash say it.
fn escape(after: &str) -> (char, usize) {
    let digits = |skip: usize, most: usize, radix: u32| {
        let run: String = after.chars().skip(skip).take(most).take_while(|c| c.is_digit(radix)).collect();
        let value = u32::from_str_radix(&run, radix).ok().and_then(char::from_u32);
        value.map_or(('\\', 0), |c| (c, skip + run.len()))
    };
    match after.chars().next() {
        Some('e' | 'E') => ('\u{1b}', 1),
        Some('r') => ('\r', 1),
        Some('b') => ('\u{8}', 1),
        Some('n') => ('\n', 1),
        Some('t') => ('\t', 1),
        Some('a') => ('\u{7}', 1),
        Some('\\') => ('\\', 1),
        Some('0') => digits(0, 4, 8),
        Some('1'..='7') => digits(0, 3, 8),
        Some('x') => digits(1, 2, 16),
        Some('u') => digits(1, 4, 16),
        Some('U') => digits(1, 8, 16),
        Some(_) | None => ('\\', 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is meant, one return at a time.
    fn one_by_one(text: &str) -> bool {
        text.char_indices().filter(|(_, c)| matches!(c, '\r' | '\u{8}')).any(|(at, _)| {
            let row = text[..at].rsplit('\n').next().unwrap_or_default();
            let after = text[at + 1..].trim_start_matches(['\r', '\u{8}', ' ']);
            !row.trim().is_empty() && !after.is_empty() && !after.starts_with('\n')
        })
    }

    #[test]
    fn one_pass_finds_what_looking_at_each_return_finds() {
        let letters = ['a', ' ', '\t', '\n', '\r', '\u{8}'];
        let mut over = 0;
        for number in 0..letters.len().pow(6) {
            let text: String = (0..6).map(|place| letters[number / letters.len().pow(place) % letters.len()]).collect();
            assert_eq!(overwrites(&text), one_by_one(&text), "{text:?}");
            over += usize::from(overwrites(&text));
        }
        assert!(over > 1000 && over < 40_000, "{over}");
    }
}
