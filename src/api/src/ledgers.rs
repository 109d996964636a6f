//! What an auditor fetches from the service to make a bundle of.
//!
//! | route | answer |
//! |---|---|
//! | `GET /api/ledgers?session=NAME` or `?host=NAME` | [`LedgerOf`] |
//! | `GET /api/ledgers/{host}/part?session=NAME` or `?since=SEQ`, and `&from=SEQ` | the same of a part: those logins, or those open at `since` and everything from there on, with what they cannot be judged without; for what is left out before the next of them, lines in the form of `proof.json` |
//! | `GET /api/ledgers/{host}/entries?from=SEQ` | whole lines from that seq on, in order, each with its newline, about [`PAGE_BYTES`]; nothing where there is none |
//!
//! Reviewers may ask; each request is an `access` in the service's own ledger.

use countersign_core::{HostId, LoginId, Name};
use serde::{Deserialize, Serialize};

/// After so many bytes of lines an answer ends.
pub const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Whose ledger is asked for: exactly one of both.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerQuery {
    /// A work session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Name>,
    /// With a host: a time, µs since 1970, whose first entry is looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_us: Option<i64>,
}

/// Where a session, or a host's history, stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerOf {
    /// The host.
    pub host: HostId,
    /// Its name.
    pub host_name: Name,
    /// How many entries are held of it.
    pub entries: u64,
    /// Logins that have a recording or an entry: those of the session, or all, oldest first.
    pub logins: Vec<LoginId>,
    /// The first entry written at the time asked for or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// Which part, and where to go on: exactly one of `session` and `since`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartFrom {
    /// A work session of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The first seq of all that comes whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The first seq that is not known yet.
    #[serde(default)]
    pub from: u64,
}

/// Where to go on.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntriesFrom {
    /// The first seq.
    pub from: u64,
}
