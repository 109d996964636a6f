//! The ledger as the daemon's tasks use it: append and wait until durable.
//! Every durable line goes to the outbox in order.

use crate::shipper::Outbox;
use countersign_ledger::{Committer, Draft, JournalError, Kind, RandomError, SignedHead, Written};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;

/// Why an entry was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The journal refused it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There was no randomness for its salts.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The journal's thread is gone.
    #[error("the journal has stopped")]
    Gone,
}

impl WriteError {
    /// Whether the journal itself is sound and only this entry was refused: no
    /// room, too large, or not fitting its login.
    pub(crate) fn spares_the_journal(&self) -> bool {
        matches!(
            self,
            Self::Journal(JournalError::NoSpace { .. } | JournalError::Draft { .. } | JournalError::Login { .. })
        )
    }

    /// Whether room on the disk is all that is missing.
    pub(crate) fn is_no_space(&self) -> bool {
        matches!(self, Self::Journal(JournalError::NoSpace { .. }))
    }
}

/// The host's ledger.
pub(crate) struct Book {
    committer: Arc<Committer>,
    outbox: Arc<Outbox>,
    told: Arc<AtomicU64>,
}

impl Book {
    pub(crate) fn new(committer: Arc<Committer>, outbox: Arc<Outbox>) -> Self {
        let told = Arc::new(AtomicU64::new(committer.next_seq()));
        Self { committer, outbox, told }
    }

    /// Appends drafts with one fsync; returns when they are durable, or with
    /// an error and none of them to be relied on.
    pub(crate) async fn write(&self, drafts: Vec<Draft>) -> Result<Vec<Written>, WriteError> {
        let (tell, told) = oneshot::channel();
        let outbox = self.outbox.clone();
        let tells = drafts.iter().any(|draft| !matches!(draft.kind, Kind::Heartbeat | Kind::Checkpoint));
        let last_told = self.told.clone();
        let done = Box::new(move |result: Result<Vec<Written>, JournalError>| {
            if let Ok(written) = &result {
                outbox.add(written);
                if let Some(last) = written.last().filter(|_| tells) {
                    last_told.fetch_max(last.seq.saturating_add(1), Ordering::AcqRel);
                }
            }
            // The task that asked may be gone; the lines are durable all the same.
            tell.send(result).ok();
        });
        self.committer.append(drafts, done);
        Ok(told.await.map_err(|_| WriteError::Gone)??)
    }

    /// The `seq` after the last durable entry.
    pub(crate) fn next_seq(&self) -> u64 {
        self.committer.next_seq()
    }

    /// The `seq` after the last entry that tells more than that the daemon
    /// lives.
    pub(crate) fn told(&self) -> u64 {
        self.told.load(Ordering::Acquire)
    }

    /// Signs the checkpoint of everything that is durable.
    pub(crate) async fn head(&self) -> Result<SignedHead, WriteError> {
        let (tell, told) = oneshot::channel();
        // The task that asked may be gone; nothing was written.
        self.committer.head(Box::new(move |head| drop(tell.send(head))));
        Ok(told.await.map_err(|_| WriteError::Gone)??)
    }

    /// Appends one draft.
    pub(crate) async fn write_one(&self, draft: Draft) -> Result<Written, WriteError> {
        self.write(vec![draft]).await?.pop().ok_or(WriteError::Gone)
    }
}
