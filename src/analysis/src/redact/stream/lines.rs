//! What a person would read of several lines, as [`super::clean`] reads one.

use super::clean::{escape, is_plain, strip};
use std::borrow::Cow;

/// What a person would read of several lines, and where each begins.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    pub(super) text: Cow<'a, [u8]>,
    /// Where each line begins in the text and in the raw bytes; empty where that is the same.
    places: Vec<(usize, usize)>,
}

impl<'a> Lines<'a> {
    /// The bytes themselves.
    pub(super) fn raw(bytes: &'a [u8]) -> Self {
        Self { text: Cow::Borrowed(bytes), places: Vec::new() }
    }

    /// `None` where the lines cannot be read one by one.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        if is_plain(bytes) {
            return Some(Self::raw(bytes));
        }
        if std::str::from_utf8(bytes).is_ok() { Self::together(bytes) } else { Self::apart(bytes) }
    }

    /// The same for any bytes.
    pub(super) fn apart(bytes: &[u8]) -> Option<Self> {
        let (mut text, mut places, mut at) = (Vec::with_capacity(bytes.len()), Vec::new(), 0);
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let line = memchr::memchr(b'\n', rest).and_then(|end| rest.get(..=end)).unwrap_or(rest);
            places.push((text.len(), at));
            if !strip(line, &mut text) {
                return None;
            }
            at += line.len();
        }
        Some(Self { text: Cow::Owned(text), places })
    }

    /// The same for UTF-8, in one pass: eight bytes are copied and looked at
    /// together, and what is behind the first control is taken back.
    fn together(bytes: &[u8]) -> Option<Self> {
        let (mut text, mut places, mut at) = (Vec::with_capacity(bytes.len()), vec![(0, 0)], 0);
        while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            text.extend_from_slice(word);
            let odd = controls(u64::from_le_bytes(*word));
            if odd == 0 {
                at += 8;
                continue;
            }
            let plain = odd.trailing_zeros() as usize / 8;
            text.truncate(text.len() - (8 - plain));
            at = control(bytes, at + plain, &mut text, &mut places)?;
        }
        while at < bytes.len() {
            at = control(bytes, at, &mut text, &mut places)?;
        }
        Some(Self { text: Cow::Owned(text), places })
    }

    /// Where the line begins, in the raw bytes, that holds this byte of the text.
    pub(super) fn begin(&self, at: usize) -> usize {
        if self.places.is_empty() {
            return memchr::memrchr(b'\n', self.text.get(..at).unwrap_or_default()).map_or(0, |n| n + 1);
        }
        let line = self.places.partition_point(|(start, _)| *start <= at);
        line.checked_sub(1).and_then(|line| self.places.get(line)).map_or(0, |(_, raw)| *raw)
    }

    /// Where the line that begins at this raw byte begins in the text.
    pub(super) fn place(&self, raw: usize) -> usize {
        if self.places.is_empty() {
            return raw;
        }
        let line = self.places.partition_point(|(_, start)| *start < raw);
        self.places.get(line).map_or(self.text.len(), |(start, _)| *start)
    }
}

/// Sets the highest bit of the first byte below 0x20, and of none before it.
fn controls(word: u64) -> u64 {
    word.wrapping_sub(u64::from_ne_bytes([0x20; 8])) & !word & u64::from_ne_bytes([0x80; 8])
}

/// Reads the byte at `at`, with what follows where it begins an escape
/// sequence. Gives where to go on; `None` where that sequence does not end in
/// its own line.
fn control(bytes: &[u8], at: usize, text: &mut Vec<u8>, places: &mut Vec<(usize, usize)>) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let (byte, after) = rest.split_first()?;
    match byte {
        b'\x1b' => {
            let (length, ended) = escape(rest);
            let within = rest.get(..length)?;
            return (ended && !within.contains(&b'\n')).then_some(at + length);
        }
        b'\n' => {
            text.push(b'\n');
            if !after.is_empty() {
                places.push((text.len(), at + 1));
            }
        }
        b'\r' if after.first() == Some(&b'\n') => {}
        // A shell's editor goes on to the next row with a space and this.
        b'\r' if after.first() != Some(&b' ') && text.ends_with(b" ") => drop(text.pop()),
        b'\r' => text.push(b'\n'),
        0x08 => {}
        byte => text.push(*byte),
    }
    Some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of which any text is made that could be read in two ways.
    const PIECES: [&str; 24] = [
        "a",
        "plain text ",
        " ",
        "\n",
        "\r\n",
        "\r",
        " \r",
        "\r ",
        "\x08",
        "\t",
        "\x01",
        "\u{e9}",
        "\u{1f600}",
        "\x1b[31m",
        "\x1b[0;1",
        "\x1b]0;title\x07",
        "\x1b]0;title\x1b\\",
        "\x1b]0;",
        "\x1b(B",
        "\x1b ",
        "\x1bM",
        "\x1b",
        "\x1b\u{e9}",
        "m\x1b[",
    ];

    #[test]
    fn text_is_read_in_one_pass_as_line_by_line() {
        let mut state = 7u64;
        let (mut read, mut unread) = (0, 0);
        for round in 0..200_000 {
            let mut text = String::new();
            for _ in 0..round % 14 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(PIECES[usize::try_from(state >> 33).unwrap() % PIECES.len()]);
            }
            let bytes = text.as_bytes();
            let (one, other) = (Lines::together(bytes), Lines::apart(bytes));
            let Some((one, other)) = one.as_ref().zip(other.as_ref()) else {
                assert!(one.is_none() && other.is_none(), "{text:?}");
                unread += 1;
                continue;
            };
            assert_eq!(one.text, other.text, "{text:?}");
            for at in 0..=bytes.len() {
                assert_eq!((one.begin(at), one.place(at)), (other.begin(at), other.place(at)), "{at} of {text:?}");
            }
            read += 1;
        }
        assert!(read > 10_000 && unread > 10_000, "{read} {unread}");
    }
}
