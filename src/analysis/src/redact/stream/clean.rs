//! What a person would read of raw output: no escape sequences, no bytes that
//! are no text; every byte knows where it stands.

use std::borrow::Cow;

/// Text and the place of each of its bytes.
#[derive(Debug)]
pub(super) struct Clean<'a> {
    pub(super) text: Cow<'a, str>,
    /// Start and end in the raw bytes of each byte; `None` where they are the same.
    places: Option<Vec<(usize, usize)>>,
}

impl<'a> Clean<'a> {
    pub(super) fn of(raw: &'a [u8]) -> Self {
        if memchr::memchr3(b'\x1b', b'\r', b'\x08', raw).is_none()
            && let Ok(text) = std::str::from_utf8(raw)
        {
            return Self { text: Cow::Borrowed(text), places: None };
        }
        let mut made = Maker { text: String::with_capacity(raw.len()), places: Vec::with_capacity(raw.len()) };
        let mut at = 0;
        for chunk in raw.utf8_chunks() {
            made.take(chunk.valid(), at);
            at += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                made.push('\u{fffd}', at, at + chunk.invalid().len());
                at += chunk.invalid().len();
            }
        }
        Self { text: Cow::Owned(made.text), places: Some(made.places) }
    }

    /// Where `start..end` of the text stands in the raw bytes.
    pub(super) fn place(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        match &self.places {
            None => Some((start, end)),
            Some(places) => Some((places.get(start)?.0, places.get(end.checked_sub(1)?)?.1)),
        }
    }

    /// The lines of `from..to` as one.
    pub(super) fn joined(&self, from: usize, to: usize) -> Clean<'static> {
        let mut text = String::with_capacity(to - from);
        let mut places = Vec::with_capacity(to - from);
        for (i, c) in self.text.get(from..to).unwrap_or_default().char_indices() {
            if c != '\n' {
                text.push(c);
                let place = self.place(from + i, from + i + c.len_utf8()).unwrap_or_default();
                places.extend(std::iter::repeat_n(place, c.len_utf8()));
            }
        }
        Clean { text: Cow::Owned(text), places: Some(places) }
    }
}

struct Maker {
    text: String,
    places: Vec<(usize, usize)>,
}

impl Maker {
    fn push(&mut self, c: char, start: usize, end: usize) {
        self.text.push(c);
        self.places.extend(std::iter::repeat_n((start, end), c.len_utf8()));
    }

    fn take(&mut self, text: &str, offset: usize) {
        let mut skip = 0;
        for (i, c) in text.char_indices() {
            if i < skip {
                continue;
            }
            let rest = text.get(i..).unwrap_or_default();
            match c {
                '\x1b' => skip = i + escape(rest.as_bytes()),
                '\r' if rest.starts_with("\r\n") => {}
                // A shell's editor goes on to the next row with a space and this.
                '\r' if self.text.ends_with(' ') && !rest.starts_with("\r ") => {
                    self.text.pop();
                    self.places.pop();
                }
                '\r' => self.push('\n', offset + i, offset + i + 1),
                '\x08' => {}
                c => self.push(c, offset + i, offset + i + c.len_utf8()),
            }
        }
    }
}

/// Length of the escape sequence at the start (ECMA-48); at least 1.
fn escape(bytes: &[u8]) -> usize {
    let until = |from: usize, ends: fn(u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take(4096).position(|b| ends(*b)).map_or(bytes.len(), |n| from + n + 1)
    };
    match bytes.get(1) {
        Some(b'[') => until(2, |b| (0x40..=0x7e).contains(&b)),
        Some(b']' | b'P' | b'_' | b'^' | b'X') => {
            let end = until(2, |b| matches!(b, 0x07 | 0x1b | b'\n'));
            if bytes.get(end - 1) == Some(&0x1b) && bytes.get(end) == Some(&b'\\') { end + 1 } else { end }
        }
        Some(0x20..=0x2f) => until(2, |b| (0x30..=0x7e).contains(&b)),
        Some(0x30..=0x7e) => 2,
        Some(_) | None => 1,
    }
}
