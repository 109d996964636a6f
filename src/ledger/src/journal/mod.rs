//! The journal: entries on disk, durable before anyone is told.

mod chain;
mod committer;
mod disk;
mod error;
mod follow;
mod pruned;
mod read;
mod recorded;
mod recover;
mod removed;

#[cfg(test)]
mod tests;

pub use committer::{Committer, Done, HeadDone};
pub use error::JournalError;
pub use follow::follow;
pub use pruned::{Pruning, finish_pruning, for_each_line, plan_pruning};
pub use read::{read_lines, segments};
pub use recorded::RecordedHour;
pub use removed::finish_removals;

use crate::tlog::{Checkpoint, KeyKind, Note, NoteKey, ServiceStamp};
use crate::{Kind, Openings, Value};
use countersign_core::{Digest, LoginId, SubmissionId};
use std::collections::BTreeSet;

/// An entry to be written; the journal adds numbers, chains, times and the
/// signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it records.
    pub kind: Kind,
    /// The login it belongs to, for the kinds that belong to one.
    pub login: Option<LoginId>,
    /// What it says: an object.
    pub body: Value,
    /// The openings of the commitments in the body.
    pub vals: Openings,
}

/// An entry that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its number.
    pub seq: u64,
    /// L: its hash.
    pub leaf: Digest,
    /// Its line without the newline.
    pub line: String,
    /// CLOCK_BOOTTIME in µs as written.
    pub mono_us: u64,
    /// Wall clock in µs since 1970 as written.
    pub at_us: i64,
}

/// What opening a journal found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The `seq` of the next entry.
    pub next_seq: u64,
    /// A torn last line that was cut.
    pub torn: Option<Torn>,
    /// Logins that were not closed, in order of their ids.
    pub open_logins: Vec<OpenLogin>,
    /// What the last `checkpoint` entry holds.
    pub stamp: Option<ServiceStamp>,
    /// Logins whose recording an entry declares gone.
    pub erased_recordings: Vec<LoginId>,
    /// Where entries were pruned: the logins that are still there.
    pub left_logins: Option<BTreeSet<LoginId>>,
    /// Whether a `gap` is there.
    pub gap: bool,
    /// Whether any login is.
    pub logins: bool,
    /// What was recorded of each account in the last day of the journal, the
    /// oldest hour first.
    pub recorded: Vec<RecordedHour>,
}

/// A checkpoint of a journal, signed by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The tree over everything that is durable.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub key: Digest,
    /// The signature on its text, 64 bytes.
    pub sig: [u8; 64],
}

impl SignedHead {
    /// The signed note.
    pub fn note(&self) -> Note {
        let key = NoteKey { name: self.checkpoint.origin.clone(), kind: KeyKind::Ed25519, public: self.key };
        Note { text: self.checkpoint.text(), signatures: vec![key.signature(self.sig.to_vec())] }
    }
}

/// A torn last line: what a crash left of an entry that nobody was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Where its bytes are kept.
    pub kept: std::path::PathBuf,
    /// How many.
    pub bytes: u64,
    /// Their SHA-256.
    pub digest: Digest,
}

/// A place in the spool of a front, as `recording_chunk` states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpoolPlace {
    /// Where a record begins.
    pub bytes: u64,
    /// Bytes of that record's data that are behind this place.
    pub within: u64,
    /// Time of the recording there, in µs since it began.
    pub at_us: u64,
}

/// A login without `session_closed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLogin {
    /// The login.
    pub id: LoginId,
    /// The account's uid, what kind of login it is and whether it has a
    /// terminal, as `session_opened` says.
    pub opened: Option<(u32, String, bool)>,
    /// What shows that a front is the login's own: `session_opened.resume`, or
    /// the key of the last `session_resumed`.
    pub resume: Option<Digest>,
    /// Sum of its recording's chunks in bytes.
    pub recording_bytes: u64,
    /// Chunks so far: the index of the next.
    pub chunks: u64,
    /// Up to where the last chunk stands for the front's spool.
    pub spool: SpoolPlace,
    /// A command that started and has no end: its id and L(`exec_started`).
    pub unfinished: Option<(SubmissionId, Digest)>,
    /// A command without decision: its id and L(`command_submitted`).
    pub undecided: Option<(SubmissionId, Digest)>,
}

/// What the journal keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Free bytes of the file system below which no command is taken; 32 MiB.
    pub reserve_bytes: u64,
    /// Length in bytes at which a new file begins; 64 MiB.
    pub segment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reserve_bytes: 32 * 1024 * 1024, segment_bytes: 64 * 1024 * 1024 }
    }
}
