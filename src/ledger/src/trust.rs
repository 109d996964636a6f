//! The trust file: the keys an auditor brings along.

use crate::authority::{Admins, BadAuthority};
use crate::openssh::SshKey;
use crate::utc;
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
    /// `cs-trust1`.
    pub fmt: String,
    /// Hosts.
    pub hosts: Vec<TrustedHost>,
    /// Services.
    pub services: Vec<TrustedService>,
    /// Public keys of the administrators, as lines of OpenSSH. With them every
    /// command that ran must have been approved under a document they signed.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub admins: Option<Vec<String>>,
    /// How many of them must have signed a document; 1 where it is not there.
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    pub admins_needed: Option<usize>,
    /// Reviewers' keys that count no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<RevokedKey>,
}

/// What is written down is there: a `null` would demand nothing, where somebody
/// meant to.
fn there<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A reviewer's key that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedKey {
    /// Its fingerprint, `SHA256:` and 43 characters.
    pub key: String,
    /// From when on, `2026-11-20T12:34:56Z`.
    pub at: String,
}

impl RevokedKey {
    /// From when on, in µs since 1970; `None` where `at` is no time.
    pub fn at_us(&self) -> Option<i64> {
        let seconds = self.at.strip_suffix('Z').filter(|rest| rest.len() == 19);
        match seconds {
            Some(seconds) => utc::parse(&format!("{seconds}.000000Z")),
            None => utc::parse(&self.at),
        }
    }
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
        let (fmt, admins, admins_needed, revoked) = (FORMAT.to_owned(), None, None, Vec::new());
        Self { fmt, hosts, services, admins, admins_needed, revoked }.checked()
    }

    /// Reads its JSON.
    pub fn parse(json: &[u8]) -> Result<Self, TrustError> {
        let bad = |error: serde_json::Error| TrustError::Content(error.to_string());
        let file: Self = serde_json::from_slice(json).map_err(bad)?;
        // Derived readers also take the members of an object as a list without names.
        let written: serde_json::Value = serde_json::from_slice(json).map_err(bad)?;
        let listed = |name: &str| written.get(name).and_then(serde_json::Value::as_array).into_iter().flatten();
        let mut objects = ["hosts", "services", "revoked"].into_iter().flat_map(listed).chain([&written]);
        if !objects.all(serde_json::Value::is_object) {
            return Err(TrustError::Content("it, or what it lists, is a list and must be an object".to_owned()));
        }
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

    /// The administrators; `None` where the file names none.
    pub fn admins(&self) -> Result<Option<Admins>, BadAuthority> {
        let Some(lines) = &self.admins else { return Ok(None) };
        // One key an item: a list is not a way to bring in comments or lines.
        if let Some(line) = lines.iter().find(|line| line.parse::<SshKey>().is_err() || line.contains('\n')) {
            return Err(BadAuthority::Content(format!("admins: {line:?} is not the line of a .pub file")));
        }
        Admins::parse(&lines.join("\n"), self.admins_needed.unwrap_or(1)).map(Some)
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
        // A ledger of this id would be judged as the service's own, and by the host's key.
        let own: BTreeSet<String> = services.iter().map(ToString::to_string).collect();
        if let Some(both) = hosts.iter().find(|host| own.contains(&host.to_string())) {
            return bad(format!("the id {both} stands twice: as a host's and as a service's"));
        }
        let all = self.hosts.iter().map(|h| h.key).chain(self.services.iter().map(|s| s.key));
        if let Some(twice) = all.into_iter().find(|key| !keys.insert(*key)) {
            return bad(format!("the key {twice} stands twice"));
        }
        self.admins().map_err(|why| TrustError::Content(why.to_string()))?;
        if self.admins.is_none() && self.admins_needed.is_some() {
            return bad("admins_needed without admins".to_owned());
        }
        let mut revoked = BTreeSet::new();
        for one in &self.revoked {
            let digits = one.key.strip_prefix("SHA256:").filter(|rest| rest.len() == 43);
            if digits.is_none() || !revoked.insert(&one.key) {
                return bad(format!(
                    "revoked: {:?} is no fingerprint, as ssh-keygen -l prints them, or stands twice",
                    one.key
                ));
            }
            if one.at_us().is_none() {
                return bad(format!("revoked: {:?} is no time; write it as 2026-11-20T12:34:56Z", one.at));
            }
        }
        Ok(self)
    }
}
