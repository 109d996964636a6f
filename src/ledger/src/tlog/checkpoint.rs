//! Tree heads as text, <https://c2sp.org/tlog-checkpoint>.

use super::note::is_key_name;
use crate::line::MAX_LINE_BYTES;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::{Digest, HostId, ServiceId};
use std::fmt;

/// A tree head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// Not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checkpoint is three lines: origin, size, and the root in base64")]
pub struct BadCheckpoint;

impl Checkpoint {
    /// The note text: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Reads a note text. Extension lines, which we never write, are refused:
    /// nobody here would know what they say.
    pub fn parse(text: &str) -> Result<Self, BadCheckpoint> {
        let body = text.strip_suffix('\n').filter(|body| body.len() < MAX_LINE_BYTES).ok_or(BadCheckpoint)?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(BadCheckpoint);
        };
        let number: u64 = size.parse().map_err(|_| BadCheckpoint)?;
        let root: [u8; 32] = STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(BadCheckpoint)?;
        if number.to_string() != size || !is_key_name(origin) {
            return Err(BadCheckpoint);
        }
        Ok(Self { origin: origin.to_owned(), size: number, root: Digest(root) })
    }
}

/// Whose log it is: the origins of Countersign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A host's ledger.
    Host(HostId),
    /// The log of a service, whose leaves are checkpoints of hosts.
    Service(ServiceId),
}

impl Origin {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("countersign/")?;
        if let Some(host) = rest.strip_prefix("host/") {
            return host.parse().ok().filter(|id: &HostId| id.to_string() == host).map(Self::Host);
        }
        let service = rest.strip_prefix("service/")?;
        service.parse().ok().filter(|id: &ServiceId| id.to_string() == service).map(Self::Service)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => write!(f, "countersign/host/{host}"),
            Self::Service(service) => write!(f, "countersign/service/{service}"),
        }
    }
}
