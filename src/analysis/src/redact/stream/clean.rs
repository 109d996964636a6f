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
        if is_plain(raw)
            && let Ok(text) = std::str::from_utf8(raw)
        {
            return Self { text: Cow::Borrowed(text), places: None };
        }
        let (text, places) = (String::with_capacity(raw.len()), Vec::with_capacity(raw.len()));
        let mut made = Placed { text, places, offset: 0 };
        let mut at = 0;
        for chunk in raw.utf8_chunks() {
            made.offset = at;
            walk(chunk.valid(), &mut made);
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

/// Whether raw bytes are what a person would read of them, if they are text.
pub(super) fn is_plain(raw: &[u8]) -> bool {
    memchr::memchr3(b'\x1b', b'\r', b'\x08', raw).is_none()
}

/// Appends what a person would read of a line. Whether it can be read by
/// itself: every escape sequence in it ends before the line does.
pub(super) fn strip(line: &[u8], text: &mut Vec<u8>) -> bool {
    if is_plain(line) {
        text.extend_from_slice(line);
        return true;
    }
    if let Ok(line) = std::str::from_utf8(line) {
        return walk(line, text);
    }
    line.utf8_chunks().fold(true, |whole, chunk| {
        let ended = walk(chunk.valid(), text);
        text.extend_from_slice(chunk.invalid());
        whole && ended
    })
}

/// What takes the pieces that a person would read.
trait Reader {
    fn text(&mut self, text: &str, at: usize);
    fn row(&mut self, at: usize);
    fn is_after_space(&self) -> bool;
    fn unspace(&mut self);
}

impl Reader for Vec<u8> {
    fn text(&mut self, text: &str, _at: usize) {
        self.extend_from_slice(text.as_bytes());
    }

    fn row(&mut self, _at: usize) {
        self.push(b'\n');
    }

    fn is_after_space(&self) -> bool {
        self.ends_with(b" ")
    }

    fn unspace(&mut self) {
        self.pop();
    }
}

/// Text with its places in bytes of which a part begins at `offset`.
struct Placed {
    text: String,
    places: Vec<(usize, usize)>,
    offset: usize,
}

impl Placed {
    fn push(&mut self, c: char, start: usize, end: usize) {
        self.text.push(c);
        self.places.extend(std::iter::repeat_n((start, end), c.len_utf8()));
    }
}

impl Reader for Placed {
    fn text(&mut self, text: &str, at: usize) {
        for (i, c) in text.char_indices() {
            let start = self.offset + at + i;
            self.push(c, start, start + c.len_utf8());
        }
    }

    fn row(&mut self, at: usize) {
        self.push('\n', self.offset + at, self.offset + at + 1);
    }

    fn is_after_space(&self) -> bool {
        self.text.ends_with(' ')
    }

    fn unspace(&mut self) {
        self.text.pop();
        self.places.pop();
    }
}

/// Gives what a person would read, and says whether every escape sequence ends
/// in its own line.
fn walk(raw: &str, reader: &mut impl Reader) -> bool {
    let bytes = raw.as_bytes();
    let (mut at, mut whole) = (0, true);
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let mark = memchr::memchr3(b'\x1b', b'\r', b'\x08', rest).map_or(bytes.len(), |n| at + n);
        if mark > at {
            reader.text(raw.get(at..mark).unwrap_or_default(), at);
        }
        let after = bytes.get(mark + 1).copied();
        at = mark + 1;
        match bytes.get(mark) {
            Some(b'\x1b') => {
                let (length, ended) = escape(bytes.get(mark..).unwrap_or_default());
                let within = bytes.get(mark..mark + length).unwrap_or_default();
                whole &= ended && memchr::memchr(b'\n', within).is_none();
                at = (mark + length..bytes.len()).find(|end| raw.is_char_boundary(*end)).unwrap_or(bytes.len());
            }
            Some(b'\r') if after == Some(b'\n') => {}
            // A shell's editor goes on to the next row with a space and this.
            Some(b'\r') if after != Some(b' ') && reader.is_after_space() => reader.unspace(),
            Some(b'\r') => reader.row(mark),
            Some(_) | None => {}
        }
    }
    whole
}

/// Length of the escape sequence at the start (ECMA-48), at least 1, and
/// whether its end is there.
pub(super) fn escape(bytes: &[u8]) -> (usize, bool) {
    let until = |from: usize, ends: fn(u8) -> bool| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take(4096).position(|b| ends(*b)).map_or((bytes.len(), false), |n| (from + n + 1, true))
    };
    match bytes.get(1) {
        Some(b'[') => until(2, |b| (0x40..=0x7e).contains(&b)),
        Some(b']' | b'P' | b'_' | b'^' | b'X') => {
            let (end, ended) = until(2, |b| matches!(b, 0x07 | 0x1b | b'\n'));
            let long = bytes.get(end - 1) == Some(&0x1b) && bytes.get(end) == Some(&b'\\');
            (end + usize::from(long), ended)
        }
        Some(0x20..=0x2f) => until(2, |b| (0x30..=0x7e).contains(&b)),
        Some(0x30..=0x7e) => (2, true),
        Some(_) => (1, true),
        None => (1, false),
    }
}
