//! Redaction of what programs print, piece by piece as it comes.
//!
//! Bytes without a secret pass unchanged. What comes out depends on the bytes
//! alone, never on how they were cut: an unfinished line is held back, and with
//! it the lines of a private key or of a token that a terminal has wrapped.
//! What is held back is the only state, so that a reader can go on after a
//! crash from the raw bytes of [`Stream::held`].

mod clean;
mod group;
mod known;
mod lines;
mod signs;

use super::scrub::Counts;
use clean::Clean;
use countersign_core::mark;
pub use known::Known;
use lines::Lines;
use signs::{RAW, READ, Signs};
use std::borrow::Cow;

/// A line is looked at in pieces of at most so many bytes, and no more than
/// that is held back.
pub const MAX_HELD: usize = 32 * 1024;
/// How much of an over-long line stays behind for the next piece.
const OVERLAP: usize = 8 * 1024;

/// Redacts one stream of output.
#[derive(Debug, Default)]
pub struct Stream {
    held: Vec<u8>,
    known: Known,
    counts: Counts,
}

/// A cut in raw bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    start: usize,
    end: usize,
    kind: &'static str,
}

impl Stream {
    /// Takes bytes, gives those that may be stored.
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.held.is_empty() {
            let used = self.ready(bytes);
            let (take, rest) = bytes.split_at(used);
            let out = self.clean(take);
            self.held.extend_from_slice(rest);
            return out;
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(bytes);
        self.held = whole.split_off(self.ready(&whole));
        let without = match self.clean(&whole) {
            Cow::Owned(without) => Some(without),
            Cow::Borrowed(_) => None,
        };
        Cow::Owned(without.unwrap_or(whole))
    }

    /// How many of the last bytes are held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Gives what is held back.
    pub fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.held);
        self.clean(&rest).into_owned()
    }

    /// Learns the secrets of a command whose output may repeat them.
    pub fn learn(&mut self, known: &Known) {
        self.known.learn(known);
    }

    /// What was found since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// How many leading bytes can be judged: whole groups of lines, and pieces
    /// of over-long ones.
    fn ready(&self, bytes: &[u8]) -> usize {
        let Some(last) = memchr::memrchr(b'\n', bytes) else {
            return self.overlong(bytes, 0);
        };
        let lines = bytes.get(..=last).unwrap_or_default();
        let open = group::open_from(lines);
        self.overlong(bytes, open)
    }

    /// Bytes from `from` on wait, unless they are too many.
    fn overlong(&self, bytes: &[u8], from: usize) -> usize {
        let mut from = from;
        while bytes.len() - from >= MAX_HELD {
            let piece = bytes.get(from..from + MAX_HELD).unwrap_or_default();
            let cuts = self.cuts(piece);
            let mut at = MAX_HELD - OVERLAP;
            for cut in &cuts {
                if cut.end <= at || at <= cut.start {
                    continue;
                }
                at = if cut.start > 0 && cut.end == piece.len() { cut.start } else { cut.end };
            }
            from += at.max(1);
        }
        from
    }

    /// Whole groups without their secrets.
    fn clean<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let cuts = self.cuts(bytes);
        if cuts.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        for cut in cuts {
            *self.counts.redacted.entry(cut.kind).or_default() += 1;
            out.extend_from_slice(bytes.get(at..cut.start).unwrap_or_default());
            out.extend_from_slice(mark(cut.kind).as_bytes());
            at = cut.end;
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// What is to be cut out of bytes that begin and end with a group, in order.
    fn cuts(&self, bytes: &[u8]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let suspects = match Lines::of(bytes) {
            Some(lines) => self.suspects(bytes, &lines, &READ),
            None => self.suspects(bytes, &Lines::raw(bytes), &RAW),
        };
        for (start, end) in suspects {
            let piece = bytes.get(start..end).unwrap_or_default();
            if !self.is_suspect(piece) {
                continue;
            }
            let clean = Clean::of(piece);
            self.search(&clean, start, &mut cuts);
            for (from, to) in group::wraps(&clean.text) {
                let joined = clean.joined(from, to);
                let mut found = Vec::new();
                self.search(&joined, start, &mut found);
                // Only what goes over an end of a line: the rest is known.
                let plain = cuts.clone();
                cuts.extend(found.into_iter().filter(|cut| is_wrapped(bytes, cut, &plain)));
            }
        }
        cuts.sort_by_key(|cut| (cut.start, std::cmp::Reverse(cut.end)));
        let mut joined: Vec<Cut> = Vec::with_capacity(cuts.len());
        for cut in cuts {
            match joined.last_mut() {
                Some(last) if cut.start < last.end => last.end = last.end.max(cut.end),
                Some(_) | None => joined.push(cut),
            }
        }
        joined
    }

    fn search(&self, clean: &Clean<'_>, offset: usize, cuts: &mut Vec<Cut>) {
        let mut add = |start: usize, end: usize, kind: &'static str| {
            if let Some((start, end)) = clean.place(start, end) {
                cuts.push(Cut { start: start + offset, end: end + offset, kind });
            }
        };
        for finding in super::find_text(&clean.text).iter().filter(|f| f.is_cut()) {
            add(finding.start, finding.end, finding.kind);
        }
        for (start, end) in group::keys(&clean.text) {
            add(start, end, "private_key");
        }
        if let Some(known) = self.known.automaton() {
            for hit in known.find_iter(&*clean.text) {
                add(hit.start(), hit.end(), "command_secret");
            }
        }
    }

    /// Whether a person would read anything there that a secret has: colours
    /// alone are no reason to look closer. In doubt it is.
    fn is_suspect(&self, piece: &[u8]) -> bool {
        let Some(lines) = Lines::of(piece) else { return true };
        let sign = READ.first(&lines.text).is_some();
        let known = self.known.automaton().is_some_and(|known| known.is_match(&*lines.text));
        sign || known || super::personal::first_long_number(&lines.text).is_some()
    }

    /// Groups of lines that need a closer look, in order.
    fn suspects(&self, bytes: &[u8], lines: &Lines<'_>, signs: &Signs) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        // Each is looked for anew only behind its last place: a search that finds nothing reads to the end.
        let (mut sign, mut known, mut number) = (Next::Unknown, Next::Unknown, Next::Unknown);
        while at < lines.text.len() {
            let rest = lines.text.get(at..).unwrap_or_default();
            let sign = sign.from(at, || signs.first(rest));
            let known =
                known.from(at, || self.known.automaton().and_then(|known| known.find(rest)).map(|hit| hit.start()));
            let number = number.from(at, || super::personal::first_long_number(rest));
            let Some(first) = [sign, known, number].into_iter().flatten().min() else { break };
            let start = lines.begin(first);
            let end = group::end_from(bytes, start);
            match ranges.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                Some(_) | None => ranges.push((start, end)),
            }
            at = lines.place(end).max(first + 1);
        }
        ranges
    }
}

/// Where a search has its next hit.
#[derive(Clone, Copy)]
enum Next {
    Unknown,
    At(usize),
    Nowhere,
}

impl Next {
    /// The first hit from `at` on, which `search` gives counted from there.
    fn from(&mut self, at: usize, search: impl FnOnce() -> Option<usize>) -> Option<usize> {
        match *self {
            Self::At(place) if place >= at => return Some(place),
            Self::Nowhere => return None,
            Self::At(_) | Self::Unknown => {}
        }
        let place = search().map(|found| at + found);
        *self = place.map_or(Self::Nowhere, Self::At);
        place
    }
}

/// Columns of a terminal that nobody has resized.
const COLUMNS: usize = 80;

/// Whether a cut goes over the end of a row: nothing shorter was found in its
/// first row, or that row is as wide as a terminal.
fn is_wrapped(bytes: &[u8], cut: &Cut, plain: &[Cut]) -> bool {
    let Some(end) = bytes.get(cut.start..cut.end).and_then(|raw| memchr::memchr2(b'\n', b'\r', raw)) else {
        return false;
    };
    let row = memchr::memrchr(b'\n', bytes.get(..cut.start).unwrap_or_default()).map_or(0, |n| n + 1);
    let wide = cut.start + end - row >= COLUMNS;
    wide || !plain.iter().any(|other| other.start == cut.start)
}

#[cfg(test)]
mod tests;
