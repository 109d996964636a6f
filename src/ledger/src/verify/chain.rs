//! The host's chain: `seq` without gaps, `prev` without breaks, one host.

use super::checks::Check;
use super::report::Findings;
use crate::Line;
use countersign_core::{Digest, HostId};

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It follows what was read before, or what is missing after it.
    Next,
    /// It repeats, forks or falls behind; what it says is not followed.
    Elsewhere,
}

/// The chain so far.
#[derive(Debug, Default)]
pub(super) struct Chain {
    host: Option<HostId>,
    /// As the first entry writes it: an id has one spelling.
    host_text: String,
    next: u64,
    prev: Option<Digest>,
    /// The entry before was left out as declared, so its hash may not be known.
    apart: bool,
    seen: Seen,
    /// Lines since the last entry that could not be read or trusted.
    unread: u64,
    holes: u64,
}

impl Chain {
    /// How many runs of entries are missing so far.
    pub fn holes(&self) -> u64 {
        self.holes
    }

    /// The seq that comes next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The host that writes this chain.
    pub fn host(&self) -> Option<HostId> {
        self.host
    }

    /// The entries up to `seq` are left out; `prev` is the last one's hash, where that is known.
    pub fn leave_out(&mut self, seq: u64, prev: Option<Digest>) {
        self.next = seq;
        self.prev = prev;
        self.apart = prev.is_none();
    }

    /// Whether the entry of this seq that was read has this hash; `None` where none was.
    pub fn is(&self, seq: u64, leaf: Digest) -> Option<bool> {
        self.seen.find(seq).map(|mark| mark == Seen::mark(leaf))
    }

    /// A line that is no entry stood here.
    pub fn unreadable(&mut self) {
        self.unread = self.unread.saturating_add(1);
    }

    /// Finds the place of an entry with the leaf hash `leaf`. An entry whose
    /// signature is not valid cannot move the chain to another place.
    pub fn place(&mut self, line: &Line<'_>, leaf: Digest, signed: bool, findings: &mut Findings) -> Place {
        let seq = Some(line.seq);
        if self.host.is_none() {
            self.host = line.host.parse().ok();
            line.host.clone_into(&mut self.host_text);
        } else if line.host != self.host_text {
            findings.add(Check::ChainHost, seq, None, "names another host than the first entry");
        }
        if line.seq < self.next {
            self.behind(line.seq, leaf, signed, findings);
            return Place::Elsewhere;
        }
        if line.seq > self.next {
            if !signed {
                self.unreadable();
                return Place::Elsewhere;
            }
            self.hole(line.seq, findings);
        } else if !self.apart && line.prev != self.prev.unwrap_or(Digest::ZERO) {
            findings.add(Check::ChainPrev, seq, None, "prev is not the leaf hash of the entry before");
        }
        self.unread = 0;
        self.apart = false;
        self.next = line.seq.saturating_add(1);
        self.prev = Some(leaf);
        self.seen.push(line.seq, leaf);
        Place::Next
    }

    fn hole(&mut self, seq: u64, findings: &mut Findings) {
        self.holes = self.holes.saturating_add(1);
        let missing = seq - self.next;
        if missing > self.unread {
            let text = match missing {
                1 => format!("1 entry is missing: seq {}", self.next),
                _ => format!("{missing} entries are missing: seq {} to {}", self.next, seq - 1),
            };
            findings.add(Check::ChainSeq, Some(seq), None, text);
        }
    }

    fn behind(&self, seq: u64, leaf: Digest, signed: bool, findings: &mut Findings) {
        match self.seen.find(seq) {
            Some(mark) if mark == Seen::mark(leaf) => {
                findings.add(Check::ChainRepeat, Some(seq), None, "stands in the journal twice");
            }
            Some(_) if signed => {
                findings.add(Check::ForkSeq, Some(seq), None, "another entry with a valid signature has the same seq");
            }
            Some(_) | None => {
                findings.add(Check::ChainOrder, Some(seq), None, format!("stands after seq {}", self.next - 1));
            }
        }
    }
}

/// Eight bytes of each leaf hash, to tell a repetition from a fork: 8 MB for a
/// million entries. It decides between two failures, never between one and none.
#[derive(Debug, Default)]
struct Seen {
    /// First seq of a run without gaps, and its marks.
    runs: Vec<(u64, Vec<u64>)>,
}

impl Seen {
    fn mark(leaf: Digest) -> u64 {
        leaf.0.iter().take(8).fold(0, |mark, byte| (mark << 8) | u64::from(*byte))
    }

    fn push(&mut self, seq: u64, leaf: Digest) {
        let mark = Self::mark(leaf);
        match self.runs.last_mut() {
            Some((first, marks)) if u64::try_from(marks.len()).is_ok_and(|n| first.saturating_add(n) == seq) => {
                marks.push(mark);
            }
            Some(_) | None => self.runs.push((seq, vec![mark])),
        }
    }

    fn find(&self, seq: u64) -> Option<u64> {
        let after = self.runs.partition_point(|(first, _)| *first <= seq);
        let (first, marks) = self.runs.get(after.checked_sub(1)?)?;
        marks.get(usize::try_from(seq - first).ok()?).copied()
    }
}
