//! The service's own ledger: what was administered, changed and read here, in
//! the format of the hosts' ledgers, signed with the service's key.
//!
//! An entry is written in the transaction of what it records: both are kept or
//! neither is. So nothing happens that cannot be recorded, and the
//! administrative subcommands write it beside a service that runs.

use crate::refusal::Refusal;
use crate::store::{StoreError, Tx, own};
use countersign_core::{Digest, HostId, Name, Salt, ServiceId};
use countersign_ledger::{
    Clock as _, ClockError, Draft, JournalError, Kind, Line, Openings, RandomError, Signer, SystemClock, Value,
    Written, body, follow, random_bytes,
};
use std::sync::{Arc, Mutex, PoisonError};

/// What this program calls itself in the ledger.
const SOFTWARE: &str = concat!("countersign ", env!("CARGO_PKG_VERSION"));
/// The name of every service in its own `host_enrolled`.
const NAME: &str = "service";

/// The key that the service signs with, shared with the decisions.
pub type SharedSigner = Arc<Mutex<Box<dyn Signer>>>;

/// Why an entry was not made. What it was to record must not happen.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The entry cannot be made.
    #[error("the service's own ledger: {0}")]
    Ledger(#[from] JournalError),
    /// No clock.
    #[error("the service's own ledger: {0}")]
    Clock(#[from] ClockError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// What is stored is no entry.
    #[error("the service's own ledger holds a line that is no entry")]
    Unreadable,
}

impl From<NotRecorded> for Refusal {
    fn from(error: NotRecorded) -> Self {
        tracing::error!(%error, "nothing was done, since it could not be recorded");
        Self::Internal
    }
}

/// What somebody did.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// The kind of entry, one of [`Kind::of_service`].
    pub kind: Kind,
    /// What was done, one word: `added`, `recording`.
    pub act: &'static str,
    /// Who did it; `None` for whoever has the service's state directory.
    pub by: Option<&'a Name>,
    /// An id, a name or a rule's number; no private text, no quotes.
    pub about: Option<String>,
    /// Any text that explains it. A commitment in the entry, its opening beside it.
    pub detail: Option<String>,
    /// The digest of the policy in force after it, where it changed.
    pub policy: Option<Digest>,
}

impl<'a> Act<'a> {
    /// An act without anything more to say.
    pub fn new(kind: Kind, act: &'static str, by: Option<&'a Name>) -> Self {
        Self { kind, act, by, about: None, detail: None, policy: None }
    }

    /// With what it is about.
    pub fn about(mut self, about: impl ToString) -> Self {
        self.about = Some(about.to_string());
        self
    }

    /// With a text that explains it.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With the digest of the policy in force after it.
    pub fn policy(mut self, policy: Digest) -> Self {
        self.policy = Some(policy);
        self
    }

    fn draft(&self) -> Result<Draft, RandomError> {
        let mut vals = Openings::new();
        let mut members = vec![("act", Value::from(self.act))];
        if let Some(by) = self.by {
            members.push(("by", by.as_str().into()));
        }
        if let Some(about) = &self.about {
            members.push(("about", about.as_str().into()));
        }
        if let Some(detail) = &self.detail {
            members.push(("detail", vals.insert("detail", Salt(random_bytes()?), detail.clone().into_bytes()).into()));
        }
        if let Some(policy) = self.policy {
            members.push(("policy", policy.into()));
        }
        Ok(Draft { kind: self.kind, login: None, body: body(members), vals })
    }
}

/// The service's own ledger.
#[derive(Clone)]
pub struct OwnLedger {
    service: ServiceId,
    signer: SharedSigner,
}

impl std::fmt::Debug for OwnLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnLedger({})", self.service)
    }
}

impl OwnLedger {
    /// The ledger of this service, signed with this key.
    pub fn new(service: ServiceId, signer: SharedSigner) -> Self {
        Self { service, signer }
    }

    /// Records what somebody does in the transaction that does it; the `seq` of
    /// the entry. On an error the transaction must not be committed.
    pub async fn record(&self, tx: &mut Tx, act: &Act<'_>) -> Result<u64, NotRecorded> {
        let draft = act.draft()?;
        self.keep(tx, draft).await
    }

    /// Records that the service starts serving.
    pub async fn started(&self, tx: &mut Tx) -> Result<(), NotRecorded> {
        self.keep(tx, host_started()).await.map(|_| ())
    }

    /// Records that it stopped in order.
    pub async fn stopped(&self, tx: &mut Tx) -> Result<(), NotRecorded> {
        self.keep(tx, plain(Kind::HostStopped, body([("why", "signal".into())]))).await.map(|_| ())
    }

    /// Writes a draft, and what must come before it: who this is at the very
    /// beginning, and a start where the machine was booted since.
    async fn keep(&self, tx: &mut Tx, draft: Draft) -> Result<u64, NotRecorded> {
        let last = own::last_line(tx).await?;
        let written = self.lines(last.as_deref(), draft)?;
        for entry in &written {
            let line = Line::parse(entry.line.as_bytes()).map_err(|_| NotRecorded::Unreadable)?;
            own::keep_line(tx, line.kind, entry).await?;
        }
        written.last().map(|entry| entry.seq).ok_or(NotRecorded::Unreadable)
    }

    fn lines(&self, last: Option<&str>, draft: Draft) -> Result<Vec<Written>, NotRecorded> {
        let mut clock = SystemClock::new()?;
        let mut signer = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        let host: HostId = self.service.to_string().parse().map_err(|_| NotRecorded::Unreadable)?;
        let mut drafts = Vec::new();
        let same_boot = match last {
            None => {
                drafts.push(self.enrolled(signer.public_key()));
                false
            }
            Some(last) => {
                Line::parse(last.as_bytes()).map_err(|_| NotRecorded::Unreadable)?.boot == clock.boot().as_str()
            }
        };
        if !same_boot && draft.kind != Kind::HostStarted {
            drafts.push(host_started());
        }
        drafts.push(draft);
        Ok(follow(last, host, &drafts, &mut clock, signer.as_mut())?)
    }

    fn enrolled(&self, key: Digest) -> Draft {
        let members = [
            ("key", key.into()),
            ("name", NAME.into()),
            ("service", self.service.to_string().into()),
            ("service_key", key.into()),
            ("signer", "own_uid".into()),
            ("software", SOFTWARE.into()),
        ];
        plain(Kind::HostEnrolled, body(members))
    }
}

fn host_started() -> Draft {
    plain(Kind::HostStarted, body([("signer", "own_uid".into()), ("software", SOFTWARE.into())]))
}

fn plain(kind: Kind, body: Value) -> Draft {
    Draft { kind, login: None, body, vals: Openings::new() }
}
