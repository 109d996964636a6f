//! What can go wrong with a journal.

use crate::SealError;
use std::path::PathBuf;
use std::sync::Arc;

/// A journal that cannot be opened, read or written. The text says what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The file system refused. For a write or sync it is final: the journal
    /// takes nothing more until it is opened anew.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// `open`, `read`, `write`, `sync` and the like.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// Another process has it.
    #[error("{path} is locked: another countersign-hostd writes this journal; stop it first")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file in the directory is not a journal's, or one is missing.
    #[error("the journal {path} cannot be used: {why}; run `countersign verify` on it and restore what is missing")]
    Layout {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// An entry is damaged, and not merely the torn last line of a crash.
    #[error(
        "{path} line {line} (seq {seq}) is damaged: {why}; nothing was changed. Run `countersign verify` on it to see how far it is sound, and restore the file"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The `seq` that belongs there.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// The checkpoint was not signed; the journal goes on.
    #[error("the checkpoint of the journal was not signed: {0}")]
    Head(crate::SignError),
    /// Below the reserve: no new logins and commands. Entries that end what runs are still taken.
    #[error(
        "only {free_bytes} bytes are free where the ledger is and {reserve_bytes} are kept in reserve; free some space"
    )]
    NoSpace {
        /// Free bytes.
        free_bytes: u64,
        /// The reserve.
        reserve_bytes: u64,
    },
    /// This draft cannot be written; the journal goes on without it.
    #[error("the {kind} entry cannot be written: {source}")]
    Draft {
        /// The draft's kind.
        kind: crate::Kind,
        /// Why.
        source: SealError,
    },
    /// The signer is lost; the journal takes nothing more.
    #[error("the ledger cannot be signed: {0}; restart countersign-hostd")]
    Signer(#[from] crate::SignError),
    /// The draft does not fit its login: none named, one named where none
    /// belongs, not open, or open already.
    #[error("the {kind} entry does not fit its login: {why}")]
    Login {
        /// The draft's kind.
        kind: crate::Kind,
        /// What is wrong.
        why: &'static str,
    },
    /// An earlier write or sync failed; nothing is taken any more.
    #[error(
        "the ledger stopped after an error and takes nothing more ({0}); restart countersign-hostd once that is solved"
    )]
    Stopped(Arc<str>),
}
