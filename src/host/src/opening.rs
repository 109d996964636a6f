//! The beginning of a login. A login of one command is let in before the ledger
//! tells of it, and its beginning becomes durable together with the command: one
//! wait for the disk in place of two (ADR 48). Until then there is nothing of it
//! but a spool, which the next start of the daemon drops.

use crate::book::WriteError;
use crate::daemon::Host;
use crate::recordings::keep::KeepError;
use crate::recordings::tape::{Recording, TapeError};
use countersign_ledger::{Draft, Written};
use std::sync::Arc;
use std::time::Duration;

/// How long a login waits for its command before the ledger tells of it alone.
pub(crate) const ALONE_AFTER: Duration = Duration::from_millis(50);

/// What of a login's beginning is still to be done.
#[derive(Default)]
pub(crate) struct Opening {
    /// Its `session_opened`, until the ledger has it.
    ahead: Option<Draft>,
    /// Its recording, which is made after that: one that no entry names would
    /// look like one too many.
    recording: Option<Arc<Recording>>,
}

impl Opening {
    /// A login that the ledger does not have yet.
    pub(crate) fn ahead(draft: Draft) -> Self {
        Self { ahead: Some(draft), recording: None }
    }

    /// Whether the ledger does not have it yet.
    pub(crate) fn is_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// This will be its recording.
    pub(crate) fn records_in(&mut self, recording: Arc<Recording>) {
        self.recording = Some(recording);
    }

    /// Writes entries of the login: its beginning first, where that is missing,
    /// all with one fsync. After an error it is missing still.
    pub(crate) async fn write(&mut self, host: &Host, entries: Vec<Draft>) -> Result<Vec<Written>, WriteError> {
        if self.ahead.is_none() && entries.is_empty() {
            return Ok(Vec::new());
        }
        let count = entries.len();
        let drafts = self.ahead.iter().cloned().chain(entries).collect();
        let mut written = host.book.write(drafts).await?;
        self.ahead = None;
        Ok(written.split_off(written.len().saturating_sub(count)))
    }

    /// Makes the recording of a login that the ledger has, on another thread: a
    /// new file takes about as long as an fsync. Nothing of the login may be
    /// written to it, and nothing run, before this has ended.
    pub(crate) fn begin_recording(&mut self) -> impl Future<Output = Result<(), TapeError>> + use<> {
        let making = self.recording.take().map(|it| tokio::task::spawn_blocking(move || it.file().map(drop)));
        async move {
            match making {
                Some(making) => making.await.unwrap_or_else(|why| Err(TapeError::not_made(why.into()))),
                None => Ok(()),
            }
        }
    }

    /// Does all of it now.
    pub(crate) async fn settle(&mut self, host: &Host) -> Result<(), KeepError> {
        self.write(host, Vec::new()).await?;
        Ok(self.begin_recording().await?)
    }
}
