//! Checkpoints: the service cosigns the tree over this host's entries, and the
//! host keeps what it gave back in a `checkpoint` entry.
//!
//! Nothing of the service is believed: both its signatures, the place of the
//! checkpoint in its log, and that this log continues the one it showed last,
//! are checked before anything is written. A service that shows two logs is
//! treated as one that holds another history: nothing new runs.

use crate::book::WriteError;
use crate::daemon::Host;
use crate::drafts;
use crate::service::ServiceError;
use countersign_api::service::{CheckpointReply, CheckpointRequest};
use countersign_core::{Digest, b64_decode};
use countersign_ledger::tlog::{BadStamp, ServiceStamp};
use countersign_ledger::{SignedHead, key_id};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Entries after which a checkpoint is due.
const EVERY_ENTRIES: u64 = 1024;
/// Quiet time after the last new entry after which one is due.
const QUIET: Duration = Duration::from_secs(60);
/// Wait after the end of a login, so that logins that end together share one.
const AFTER_LOGIN: Duration = Duration::from_secs(1);
/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_secs(1);
/// Pause after a failure.
const LATER: Duration = Duration::from_secs(30);

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCheckpoint {
    /// The service gave none.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The journal failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What the service gave is not good.
    #[error("what the service gave back for a checkpoint is not good: {0}")]
    Bad(#[from] BadStamp),
    /// The service lacks entries that are on their way.
    #[error("the service does not hold all entries yet")]
    Behind,
}

/// What was cosigned last, and what asks for more.
pub(crate) struct Checkpoints {
    /// Held while one is made.
    making: tokio::sync::Mutex<Option<(u64, Digest)>>,
    due: Mutex<Due>,
    ended: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Due {
    /// Entries that are cosigned, and those that only tell of it.
    covered: u64,
    /// Seq of the next entry when it was looked last, and when that changed.
    seen: u64,
    since: Instant,
}

impl Checkpoints {
    /// Goes on after what the journal holds.
    pub(crate) fn after(stamp: Option<ServiceStamp>, next_seq: u64) -> Self {
        let covered = stamp.as_ref().map_or(0, |stamp| stamp.size);
        Self {
            making: tokio::sync::Mutex::new(stamp.map(|stamp| (stamp.log_size, stamp.log_root))),
            due: Mutex::new(Due { covered, seen: next_seq, since: Instant::now() }),
            ended: Notify::new(),
        }
    }

    /// A login has ended.
    pub(crate) fn login_ended(&self) {
        self.ended.notify_one();
    }

    /// Makes checkpoints when they are due, until the daemon stops. One that is
    /// being made then is made to its end: were it broken off, its entry might be
    /// written all the same, and the last one not continue it.
    pub(crate) async fn run(&self, host: &Host) {
        loop {
            let due = async {
                tokio::select! {
                    () = self.ended.notified() => {
                        tokio::time::sleep(AFTER_LOGIN).await;
                        true
                    }
                    () = tokio::time::sleep(LOOK) => false,
                }
            };
            let ended = tokio::select! {
                () = host.stopping() => return,
                ended = due => ended,
            };
            if !ended && !self.is_due(host.book.told()) {
                continue;
            }
            match self.make(host).await {
                Ok(()) => {}
                Err(NoCheckpoint::Behind) => {
                    host.shipper.outbox().poke();
                    self.ended.notify_one();
                }
                Err(why) => {
                    tracing::warn!("no checkpoint, will try again: {why}");
                    tokio::select! {
                        () = host.stopping() => return,
                        () = tokio::time::sleep(LATER) => {}
                    }
                }
            }
        }
    }

    /// Makes one for everything there is, before the daemon stops; after the one
    /// that [`Self::run`] is making.
    pub(crate) async fn last(&self, host: &Host) -> Result<(), NoCheckpoint> {
        drop(self.making.lock().await);
        let covered = self.due.lock().unwrap_or_else(PoisonError::into_inner).covered;
        if covered >= host.book.next_seq() {
            return Ok(());
        }
        host.shipper.drain().await?;
        self.make(host).await
    }

    /// Heartbeats alone need none.
    fn is_due(&self, next_seq: u64) -> bool {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if next_seq != due.seen {
            (due.seen, due.since) = (next_seq, Instant::now());
        }
        let new = next_seq.saturating_sub(due.covered);
        new >= EVERY_ENTRIES || (new > 0 && due.since.elapsed() >= QUIET)
    }

    async fn make(&self, host: &Host) -> Result<(), NoCheckpoint> {
        let mut shown = self.making.lock().await;
        let head = host.book.head().await?;
        if host.shipper.acknowledged().await < head.checkpoint.size {
            return Err(NoCheckpoint::Behind);
        }
        let request = CheckpointRequest { note: head.note().encode(), log_size: shown.map_or(0, |(size, _)| size) };
        let reply = host.shipper.service().checkpoint(&request).await;
        let reply = reply.map_err(|why| host.shipper.note_fork(why))?;
        let stamp = checked(host, &head, reply, *shown).inspect_err(|why| {
            if *why == BadStamp::Fork {
                tracing::error!("the approval service shows two logs; nothing new runs");
                host.shipper.set_forked();
            }
        })?;
        let written = host.book.write_one(drafts::checkpoint(&stamp)).await?;
        host.shipper.outbox().poke();
        *shown = Some((stamp.log_size, stamp.log_root));
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        // The entry that tells of it needs no checkpoint of its own.
        due.covered = if written.seq == stamp.size { written.seq.saturating_add(1) } else { stamp.size };
        Ok(())
    }
}

/// Makes the entry of an answer that holds in every part.
fn checked(
    host: &Host,
    head: &SignedHead,
    reply: CheckpointReply,
    shown: Option<(u64, Digest)>,
) -> Result<ServiceStamp, BadStamp> {
    let identity = &host.identity;
    if reply.service != identity.service {
        return Err(BadStamp::Member("service"));
    }
    let stamp = ServiceStamp {
        size: head.checkpoint.size,
        root: head.checkpoint.root,
        note_key: key_id(&head.key),
        note_sig: head.sig,
        service: reply.service,
        time: reply.time,
        cosig: signature(&reply.cosig, "cosig")?,
        log_size: reply.log_size,
        log_root: reply.log_root,
        log_sig: signature(&reply.log_sig, "log_sig")?,
        log_index: reply.log_index,
        log_proof: reply.log_proof,
        log_consistency: reply.log_consistency,
    };
    // What was read back from JSON must be what an entry can hold.
    let stamp = ServiceStamp::from_value(&stamp.to_value())?;
    stamp.check_service(identity.host, &identity.service_key, shown)?;
    Ok(stamp)
}

fn signature(text: &str, name: &'static str) -> Result<[u8; 64], BadStamp> {
    b64_decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(BadStamp::Member(name))
}
