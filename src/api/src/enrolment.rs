//! A host becomes known to a service.

use countersign_core::{Digest, HostId, Name, ServiceId};
use serde::{Deserialize, Serialize};

/// A host asks to be known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollRequest {
    /// The one-time token.
    pub token: String,
    /// The id the host has chosen.
    pub host: HostId,
    /// What people call it.
    pub name: Name,
    /// Its identity key: Ed25519 public key, 32 bytes base64url.
    pub key: Digest,
    /// Ed25519 SSHSIG (namespace `enroll.v1@countersign`) over the token's bytes, 64 bytes
    /// base64url: the host holds the key.
    pub proof: String,
    /// Whose place it takes, where that host has lost its identity key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<FormerHost>,
}

/// A host that has lost its identity key, and how far its ledger is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerHost {
    /// Its id.
    pub host: HostId,
    /// `seq` and L of the last entry that is known.
    pub last: Option<(u64, Digest)>,
}

/// What an enrolled host keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollReply {
    /// The service.
    pub service: ServiceId,
    /// The service's decision key: Ed25519 public key, 32 bytes base64url. Pinned from now on.
    pub service_key: Digest,
    /// The host's bearer token.
    pub host_token: String,
    /// The host whose place it takes, with the last entry that is held of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<FormerHost>,
}
