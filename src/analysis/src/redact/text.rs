//! Text whose every byte knows where it stands in the line it came from, so
//! that what is found behind quotes and escapes can be cut out of the exact
//! bytes.

use std::borrow::Cow;

/// Stands in decoded text for an expansion: what the shell puts there is not
/// known, so nothing that holds it may be hidden.
pub(super) const UNKNOWN: char = '\0';

/// Text and its place in the line.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    /// The text as the program gets it; [`UNKNOWN`] for each expansion.
    pub(super) s: Cow<'a, str>,
    places: Places,
    /// Offsets of bytes that the shell may expand by file names or braces.
    pub(super) globs: Vec<usize>,
    /// A quote in it is never closed.
    pub(super) unfinished: bool,
}

#[derive(Debug, Clone)]
enum Places {
    /// Byte i stands at this offset plus i.
    From(usize),
    /// Start and end of what each byte came from.
    Each(Vec<(u32, u32)>),
}

impl<'a> Text<'a> {
    /// A line itself.
    pub(super) fn line(line: &'a str) -> Self {
        Self::piece(line, 0)
    }

    /// A piece of a line that stands as it is at an offset.
    pub(super) fn piece(s: &'a str, at: usize) -> Self {
        Self { s: Cow::Borrowed(s), places: Places::From(at), globs: Vec::new(), unfinished: false }
    }

    /// Where `start..end` of the text stands in the line; `None` for nothing.
    pub(super) fn place(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        if start >= end {
            return None;
        }
        match &self.places {
            Places::From(at) => Some((at + start, at + end)),
            Places::Each(each) => {
                let first = each.get(start)?.0;
                let last = each.get(end - 1)?.1;
                Some((usize::try_from(first).ok()?, usize::try_from(last).ok()?))
            }
        }
    }

    /// Where the byte at `at` stands in the line, if all of the text stands there as it is.
    fn stands_at(&self, at: usize) -> Option<usize> {
        match &self.places {
            Places::From(from) => Some(from + at),
            Places::Each(_) => None,
        }
    }

    /// The same, independent of the line.
    pub(super) fn into_owned(self) -> Text<'static> {
        let Self { s, places, globs, unfinished } = self;
        Text { s: Cow::Owned(s.into_owned()), places, globs, unfinished }
    }

    /// Whether a glob or brace stands in `start..end`.
    pub(super) fn has_glob(&self, start: usize, end: usize) -> bool {
        self.globs.iter().any(|g| (start..end).contains(g))
    }

    /// `start..end` of the text, or nothing where that is no piece of it.
    pub(super) fn get(&self, start: usize, end: usize) -> &str {
        self.s.get(start..end).unwrap_or_default()
    }

    /// A part of the text as a text of its own.
    pub(super) fn part(&self, start: usize, end: usize) -> Text<'_> {
        let places = match &self.places {
            Places::From(at) => Places::From(at + start),
            Places::Each(each) => Places::Each(each.get(start..end).unwrap_or_default().to_vec()),
        };
        let globs = self.globs.iter().filter(|g| (start..end).contains(*g)).map(|g| g - start).collect();
        Text { s: Cow::Borrowed(self.get(start, end)), places, globs, unfinished: self.unfinished }
    }
}

/// Puts a decoded text together.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    s: String,
    /// Where it begins, and where what it was read from ends so far.
    from: u32,
    to: u32,
    /// What each byte came from, once the text does not stand in the line as it is.
    each: Vec<(u32, u32)>,
    globs: Vec<usize>,
    /// Whether any quote stood in it: an empty word is one only if quoted.
    pub(super) quoted: bool,
    /// A quote in it is never closed.
    pub(super) unfinished: bool,
    spread: bool,
}

impl Decoder {
    /// Adds a character that came from `start..end` of `source`.
    pub(super) fn push(&mut self, c: char, source: &Text<'_>, start: usize, end: usize) {
        let Some((from, to)) = source.place(start, end) else { return };
        let (from, to) = (u32::try_from(from).unwrap_or(u32::MAX), u32::try_from(to).unwrap_or(u32::MAX));
        let length = u32::try_from(c.len_utf8()).unwrap_or(1);
        if self.s.is_empty() {
            self.from = from;
        } else if !self.spread && self.to != from {
            self.spread_out();
        }
        if !self.spread && to.saturating_sub(from) != length {
            self.spread_out();
        }
        self.to = to;
        self.s.push(c);
        if self.spread {
            self.each.extend((0..length).map(|_| (from, to)));
        }
    }

    /// Adds `start..end` of `source` as it stands there.
    pub(super) fn push_run(&mut self, source: &Text<'_>, start: usize, end: usize) {
        let joined = source.stands_at(start).and_then(|at| u32::try_from(at).ok());
        let length = u32::try_from(end.saturating_sub(start)).ok();
        let run = source.get(start, end);
        match (joined, length) {
            (Some(at), Some(length)) if !self.spread && (self.s.is_empty() || self.to == at) => {
                if self.s.is_empty() {
                    self.from = at;
                }
                self.to = at.saturating_add(length);
                self.s.push_str(run);
            }
            _ => run.char_indices().for_each(|(i, c)| self.push(c, source, start + i, start + i + c.len_utf8())),
        }
    }

    /// From here on each byte is told where it came from.
    fn spread_out(&mut self) {
        self.spread = true;
        let mut at = self.from;
        for c in self.s.chars() {
            let length = u32::try_from(c.len_utf8()).unwrap_or(1);
            self.each.extend((0..length).map(|_| (at, at.saturating_add(length))));
            at = at.saturating_add(length);
        }
    }

    /// Adds a character that the shell may expand by file names or braces.
    pub(super) fn push_glob(&mut self, c: char, source: &Text<'_>, start: usize, end: usize) {
        self.globs.push(self.s.len());
        self.push(c, source, start, end);
    }

    /// What was put in so far.
    pub(super) fn so_far(&self) -> &str {
        &self.s
    }

    /// The text.
    pub(super) fn finish(self) -> Text<'static> {
        let places = if self.spread || self.s.is_empty() {
            Places::Each(self.each)
        } else {
            Places::From(usize::try_from(self.from).unwrap_or(usize::MAX))
        };
        Text { s: Cow::Owned(self.s), places, globs: self.globs, unfinished: self.unfinished }
    }
}
