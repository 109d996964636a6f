//! Records of a spool to lines of a recording. No files and no clock: the same
//! spool gives the same lines, however it is cut into pieces.
//!
//! A chunk of a recording ends only where a new converter could go on from the
//! spool alone, so that a crash costs nothing that the spool still holds:
//! where nothing is held back, or what is held is all that came since.

use super::redaction::Redaction;
use countersign_analysis::redact::{Counts, Known};
use countersign_api::recording::{Encoder, Stream};
use countersign_api::spool::{self, BadSpool, HEAD, What};
use countersign_ledger::SpoolPlace;
use std::collections::VecDeque;

/// Held back for longer than so many bytes of lines, a piece is let go as it
/// is: memory is bounded, whatever a front writes.
const MAX_HELD_LINES: usize = 512 * 1024;

/// Why a spool cannot be turned from some record on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Not what a front writes.
    #[error(transparent)]
    Spool(#[from] BadSpool),
    /// Not what fits into a recording.
    #[error(transparent)]
    Line(#[from] serde_json::Error),
}

/// Turns records into lines.
pub(crate) struct Converter {
    encoder: Encoder,
    redaction: Box<dyn Redaction>,
    /// Where the next record begins in the spool.
    next: u64,
    /// Bytes of the next record's data that an earlier converter has turned.
    skip: usize,
    /// Where the last record began that gave lines, by the stream it was not of.
    others: [Option<u64>; 2],
    tails: [Tail; 2],
    /// Lines that are in no chunk yet.
    lines: Vec<u8>,
    /// Raw output bytes fed since the last chunk.
    raw: u64,
    /// What redaction took out since the last chunk.
    counts: Counts,
    safe: Safe,
}

/// A piece that can become a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Whole lines.
    pub(crate) lines: &'a [u8],
    /// Raw output bytes they stand for.
    pub(crate) raw: u64,
    /// Where the spool goes on.
    pub(crate) place: SpoolPlace,
}

/// The last place where a new converter could go on.
#[derive(Debug, Clone, Copy, Default)]
struct Safe {
    lines: usize,
    raw: u64,
    place: SpoolPlace,
}

/// The records whose bytes may still be held back, oldest first.
#[derive(Debug, Default)]
struct Tail {
    records: VecDeque<Part>,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    record: u64,
    skipped: usize,
    length: usize,
}

impl Converter {
    /// A converter for a spool from this place on.
    pub(crate) fn new(tty: bool, redaction: Box<dyn Redaction>, place: SpoolPlace) -> Self {
        let fresh = place == SpoolPlace::default();
        let encoder = if fresh { Encoder::new(tty) } else { Encoder::resume(tty, place.at_us) };
        Self {
            encoder,
            redaction,
            next: place.bytes,
            skip: usize::try_from(place.within).unwrap_or(usize::MAX),
            others: [None, None],
            tails: [Tail::default(), Tail::default()],
            lines: Vec::new(),
            raw: 0,
            counts: Counts::default(),
            safe: Safe { lines: 0, raw: 0, place },
        }
    }

    /// Learns secrets that the output may repeat.
    pub(crate) fn learn(&mut self, known: &Known) {
        self.redaction.learn(known);
    }

    /// What redaction took out of all that was fed since the last chunk.
    pub(crate) fn counts(&mut self) -> &Counts {
        let more = self.redaction.take_counts();
        self.counts.add(&more);
        &self.counts
    }

    /// Puts a line before all others: the header.
    pub(crate) fn begin(&mut self, header: &[u8]) {
        self.lines.extend_from_slice(header);
        self.safe.lines = self.lines.len();
    }

    /// Where the next record begins in the spool.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many bytes of lines wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lines.len()
    }

    /// Whether output was read that is in no line yet.
    pub(crate) fn holds_back(&self) -> bool {
        self.tails.iter().any(|tail| tail.first().is_some())
    }

    /// Turns the whole records of `bytes`, which stand in the spool from
    /// [`Converter::next`] on, up to zeros. Returns how many bytes those were.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Unreadable> {
        let mut used = 0;
        while let Some((record, length)) = written(bytes.get(used..).unwrap_or_default())? {
            self.record(record.at_us, record.what, length)?;
            used += length;
        }
        if self.lines.len() - self.safe.lines > MAX_HELD_LINES {
            self.let_go()?;
        }
        Ok(used)
    }

    /// Gives what is held back, as it is.
    pub(crate) fn let_go(&mut self) -> Result<(), Unreadable> {
        self.flush()?;
        self.now_safe();
        Ok(())
    }

    /// What can become a chunk now.
    pub(crate) fn piece(&self) -> Piece<'_> {
        let Safe { lines, raw, place } = self.safe;
        Piece { lines: self.lines.get(..lines).unwrap_or_default(), raw, place }
    }

    /// That piece is a chunk.
    pub(crate) fn kept(&mut self) {
        let Safe { lines, raw, .. } = self.safe;
        self.lines.drain(..lines.min(self.lines.len()));
        self.raw -= raw;
        (self.safe.lines, self.safe.raw) = (0, 0);
        self.counts = Counts::default();
        // While output floods the memory is used again.
        if lines <= MAX_HELD_LINES {
            self.lines.shrink_to(MAX_HELD_LINES);
        }
    }

    fn record(&mut self, at_us: u64, what: What<'_>, length: usize) -> Result<(), Unreadable> {
        let (begins, skip) = (self.next, std::mem::take(&mut self.skip));
        match what {
            What::Output(stream, data) => {
                let data = data.get(skip..).ok_or(BadSpool::Length(length - HEAD))?;
                let clear = self.redaction.push(stream, data);
                self.encoder.output(at_us, stream, &clear, &mut self.lines)?;
                let (own, other) = if stream == Stream::Stdout { (0, 1) } else { (1, 0) };
                if let Some(tail) = self.tails.get_mut(own) {
                    tail.records.push_back(Part { record: begins, skipped: skip, length: data.len() });
                    tail.bytes += data.len();
                }
                if let Some(last) = self.others.get_mut(other) {
                    *last = Some(begins);
                }
                self.raw += u64::try_from(data.len()).unwrap_or(u64::MAX);
            }
            What::Resize(columns, rows) => {
                self.encoder.resize(at_us, columns, rows, &mut self.lines)?;
                self.others = [Some(begins); 2];
            }
            What::Marker(label) => {
                self.flush()?;
                let label = self.redaction.marker(label);
                self.encoder.marker(at_us, &label, &mut self.lines)?;
                self.others = [Some(begins); 2];
            }
        }
        self.next += u64::try_from(length).unwrap_or(u64::MAX);
        self.look_for_safety();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Unreadable> {
        let at_us = self.encoder.last_us();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = self.redaction.finish(stream);
            self.encoder.output(at_us, stream, &rest, &mut self.lines)?;
        }
        self.encoder.flush(at_us, &mut self.lines)?;
        Ok(())
    }

    /// Whether a new converter could go on after this record, and where.
    fn look_for_safety(&mut self) {
        let held = |stream| self.redaction.held(stream) + self.encoder.held(stream);
        let [out, err] = [held(Stream::Stdout), held(Stream::Stderr)];
        let [out_tail, err_tail] = &mut self.tails;
        out_tail.keep(out);
        err_tail.keep(err);
        let [out_other, err_other] = self.others;
        let (first, held, other) = match (out_tail.first(), err_tail.first()) {
            (None, None) => return self.now_safe(),
            (Some(first), None) => (first, out, out_other),
            (None, Some(first)) => (first, err, err_other),
            (Some(_), Some(_)) => return,
        };
        if other.is_some_and(|other| other > first.bytes) {
            return;
        }
        let raw = self.raw.saturating_sub(u64::try_from(held).unwrap_or(u64::MAX));
        self.safe = Safe { lines: self.lines.len(), raw, place: SpoolPlace { at_us: self.encoder.last_us(), ..first } };
    }

    fn now_safe(&mut self) {
        self.tails.iter_mut().for_each(|tail| tail.keep(0));
        let place = SpoolPlace { bytes: self.next, within: 0, at_us: self.encoder.last_us() };
        self.safe = Safe { lines: self.lines.len(), raw: self.raw, place };
    }
}

impl Tail {
    /// Forgets all but the last `held` bytes.
    fn keep(&mut self, held: usize) {
        while let Some(part) = self.records.front().filter(|part| self.bytes.saturating_sub(part.length) >= held) {
            self.bytes = self.bytes.saturating_sub(part.length);
            self.records.pop_front();
        }
        if let Some(part) = self.records.front_mut() {
            let gone = self.bytes.saturating_sub(held);
            part.skipped += gone;
            part.length -= gone.min(part.length);
            self.bytes -= gone;
        }
    }

    /// Where the first byte that is held stands.
    fn first(&self) -> Option<SpoolPlace> {
        let part = self.records.front()?;
        Some(SpoolPlace { bytes: part.record, within: u64::try_from(part.skipped).unwrap_or(u64::MAX), at_us: 0 })
    }
}

/// The next record, if it is there: zeros are what nobody has written yet.
fn written(bytes: &[u8]) -> Result<Option<(spool::Record<'_>, usize)>, BadSpool> {
    if bytes.first() == Some(&0) { Ok(None) } else { spool::take(bytes) }
}

#[cfg(test)]
mod tests;
