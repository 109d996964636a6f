//! Heads of a host's ledger that the auditor knows from before or from
//! elsewhere: they show whether its end was cut off, or another one put there.

use crate::scan;
use crate::tlog::{Checkpoint, Note, Origin};
use crate::value::Value;
use countersign_core::{Digest, HostId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest file of a known head, in bytes.
const MAX_HEAD_BYTES: u64 = 64 * 1024;

/// A head that the auditor knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownHead {
    /// The leaf hash of an entry.
    Leaf {
        /// Whose.
        host: HostId,
        /// Which entry.
        seq: u64,
        /// Its leaf hash.
        leaf: Digest,
    },
    /// The root over the first entries.
    Tree {
        /// Whose.
        host: HostId,
        /// How many.
        size: u64,
        /// The root.
        root: Digest,
    },
}

/// A file that holds no known head.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BadHead {
    /// The file system refused.
    #[error("cannot read the known head {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// Something else.
    #[error(
        "not a known head: it is a checkpoint note of a host, or the `up_to` of an earlier `verify --json` as one line `{{\"fmt\":\"cs-head1\",\"host\":…,\"leaf\":…,\"seq\":…}}`"
    )]
    Content,
}

impl KnownHead {
    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, BadHead> {
        use std::io::Read as _;
        let io = |error| BadHead::Io { path: path.to_owned(), source: Arc::new(error) };
        let mut bytes = Vec::new();
        std::fs::File::open(path).map_err(io)?.take(MAX_HEAD_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        Self::parse(&bytes)
    }

    /// Reads a checkpoint note (its signatures are not looked at: the auditor
    /// vouches for the file), its bare text, or a `cs-head1` line.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadHead> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_HEAD_BYTES {
            return Err(BadHead::Content);
        }
        if bytes.first() == Some(&b'{') {
            return Self::line(bytes.strip_suffix(b"\n").unwrap_or(bytes)).ok_or(BadHead::Content);
        }
        let text = match Note::parse(bytes) {
            Ok(note) => note.text,
            Err(_) => std::str::from_utf8(bytes).map_err(|_| BadHead::Content)?.to_owned(),
        };
        let checkpoint = Checkpoint::parse(&text).map_err(|_| BadHead::Content)?;
        match Origin::parse(&checkpoint.origin) {
            Some(Origin::Host(host)) => Ok(Self::Tree { host, size: checkpoint.size, root: checkpoint.root }),
            Some(Origin::Service(_)) | None => Err(BadHead::Content),
        }
    }

    fn line(bytes: &[u8]) -> Option<Self> {
        let value = scan::document(bytes).ok()?;
        if !value.as_object()?.keys().map(String::as_str).eq(["fmt", "host", "leaf", "seq"]) {
            return None;
        }
        if value.get("fmt").and_then(Value::as_text) != Some("cs-head1") {
            return None;
        }
        let seq = value.get("seq").and_then(Value::as_int)?;
        Some(Self::Leaf { host: value.member("host")?, seq, leaf: value.member("leaf")? })
    }

    /// Whose ledger.
    pub fn host(&self) -> HostId {
        match self {
            Self::Leaf { host, .. } | Self::Tree { host, .. } => *host,
        }
    }

    /// The last entry it speaks of; `None` for a tree without entries.
    pub fn last_seq(&self) -> Option<u64> {
        match self {
            Self::Leaf { seq, .. } => Some(*seq),
            Self::Tree { size, .. } => size.checked_sub(1),
        }
    }
}
