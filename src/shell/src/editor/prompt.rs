//! The prompt as the shell printed it.
//!
//! The agent writes it, so only colours (SGR) and window titles pass; nothing
//! that moves the cursor or makes the terminal answer.

/// Longest prompt, in bytes; the rest is cut.
const MAX_PROMPT_BYTES: usize = 4096;

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Char(char),
    NewLine,
    /// Takes no room on the screen.
    Escape(String),
}

/// Reads a prompt. `\x01` and `\x02` (readline's marks) are dropped.
pub(super) fn parse(prompt: &str, colours: bool) -> Vec<Piece> {
    let cut = prompt.get(..prompt.floor_char_boundary(MAX_PROMPT_BYTES)).unwrap_or_default();
    let mut pieces = Vec::new();
    let mut rest = cut;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '\n' => {
                pieces.push(Piece::NewLine);
                after
            }
            '\x1b' => {
                let (escape, after) = sequence(rest);
                if colours && passes(escape) {
                    pieces.push(Piece::Escape(escape.to_owned()));
                }
                after
            }
            c if c.is_control() => after,
            c => {
                pieces.push(Piece::Char(c));
                after
            }
        };
    }
    pieces
}

/// Splits off the escape sequence that `text` begins with.
fn sequence(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let body = bytes.get(2..).unwrap_or_default();
    let length = match bytes.get(1) {
        Some(b'[') => body.iter().position(|b| (0x40..=0x7e).contains(b)).map(|at| at + 3),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => body.iter().enumerate().find_map(|(at, b)| match b {
            0x07 => Some(at + 3),
            0x1b => Some(at + 4),
            _ => None,
        }),
        Some(b) if b.is_ascii() => Some(2),
        Some(_) | None => Some(1),
    };
    let mut length = length.unwrap_or(text.len()).min(text.len());
    while !text.is_char_boundary(length) {
        length += 1;
    }
    text.split_at(length)
}

/// Colours, and titles of plain text.
fn passes(escape: &str) -> bool {
    if let Some(colour) = escape.strip_prefix("\x1b[").and_then(|e| e.strip_suffix('m')) {
        return colour.bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':');
    }
    let title = ["\x1b]0;", "\x1b]1;", "\x1b]2;"].iter().find_map(|start| escape.strip_prefix(start));
    let title = title.and_then(|t| t.strip_suffix('\x07').or_else(|| t.strip_suffix("\x1b\\")));
    title.is_some_and(|t| countersign_core::legible(t) == t)
}
