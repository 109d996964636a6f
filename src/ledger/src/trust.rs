//! The trust file: the keys an auditor brings along.

use countersign_core::{Digest, HostId, Name, ServiceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest trust file that is read, in bytes.
const MAX_TRUST_BYTES: u64 = 4 * 1024 * 1024;
const FORMAT: &str = "cs-trust1";

/// Hosts and services with their keys (`docs/LEDGER.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    fmt: String,
    /// Hosts.
    pub hosts: Vec<TrustedHost>,
    /// Services.
    pub services: Vec<TrustedService>,
}

/// A host and its identity key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedHost {
    /// Its id.
    pub host: HostId,
    /// Ed25519 public key.
    pub key: Digest,
    /// Its name.
    pub name: Name,
}

/// A service and its decision key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedService {
    /// Ed25519 public key.
    pub key: Digest,
    /// Its id.
    pub service: ServiceId,
}

/// A trust file that cannot be used. The text says what to do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrustError {
    /// The file system refused.
    #[error("cannot read the trust file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// Over 4 MiB.
    #[error("the trust file {path} is over 4 MiB; `countersign-server trust` prints a proper one")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Not a trust file.
    #[error("not a trust file: {0}; `countersign-server trust` prints a proper one")]
    Content(String),
}

impl TrustFile {
    /// A trust file of these keys; refuses an id or key that stands twice.
    pub fn new(hosts: Vec<TrustedHost>, services: Vec<TrustedService>) -> Result<Self, TrustError> {
        Self { fmt: FORMAT.to_owned(), hosts, services }.checked()
    }

    /// Reads its JSON.
    pub fn parse(json: &[u8]) -> Result<Self, TrustError> {
        let file: Self = serde_json::from_slice(json).map_err(|error| TrustError::Content(error.to_string()))?;
        file.checked()
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let io = |error| TrustError::Io { path: path.to_owned(), source: Arc::new(error) };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(io)?;
        file.take(MAX_TRUST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_TRUST_BYTES {
            return Err(TrustError::TooLong { path: path.to_owned() });
        }
        Self::parse(&bytes)
    }

    /// Its JSON, one line.
    pub fn to_json(&self) -> Result<String, TrustError> {
        serde_json::to_string(self).map_err(|error| TrustError::Content(error.to_string()))
    }

    /// The identity key of a host.
    pub fn host_key(&self, host: &HostId) -> Option<&Digest> {
        self.hosts.iter().find(|h| h.host == *host).map(|h| &h.key)
    }

    /// The decision key of a service.
    pub fn service_key(&self, service: &ServiceId) -> Option<&Digest> {
        self.services.iter().find(|s| s.service == *service).map(|s| &s.key)
    }

    fn checked(self) -> Result<Self, TrustError> {
        let bad = |why: String| Err(TrustError::Content(why));
        if self.fmt != FORMAT {
            return bad(format!("fmt is {:?} and must be {FORMAT:?}", self.fmt));
        }
        let (mut hosts, mut services, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        if let Some(twice) = self.hosts.iter().find(|h| !hosts.insert(h.host)) {
            return bad(format!("the host {} stands twice", twice.host));
        }
        if let Some(twice) = self.services.iter().find(|s| !services.insert(s.service)) {
            return bad(format!("the service {} stands twice", twice.service));
        }
        let all = self.hosts.iter().map(|h| h.key).chain(self.services.iter().map(|s| s.key));
        if let Some(twice) = all.into_iter().find(|key| !keys.insert(*key)) {
            return bad(format!("the key {twice} stands twice"));
        }
        Ok(self)
    }
}
