//! Sends durable lines upstream, in order, until the service has acknowledged
//! them. A `command_submitted` is held back from the ordinary stream until its
//! submission has been asked, so that asking is what brings it to the service.

use crate::recordings::uploads::Uploads;
use crate::service::{Service, ServiceError};
use countersign_api::rules::HostRule;
use countersign_api::service::{SubmitReply, SubmitRequest};
use countersign_core::SubmissionId;
use countersign_ledger::{Committer, Written};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most lines and bytes of one request.
const BATCH_LINES: usize = 512;
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of lines kept in memory while the service is away; older lines are
/// read back from the journal.
const KEPT_BYTES: usize = 8 * 1024 * 1024;
/// How often a wanted seq may be corrected within one request.
const CORRECTIONS: u32 = 3;
/// How long the ordinary stream waits for more lines: what a command leaves behind
/// comes in four pieces within a few ms, and each request is a commit at the
/// service. A submission waits for nothing and takes along what is there.
const TOGETHER: Duration = Duration::from_millis(10);
/// How long chunks of recordings wait for more of them, where nothing else is
/// waiting: a flood of output brings many a second.
const OUTPUT_TOGETHER: Duration = Duration::from_millis(250);
/// Pauses between tries while the service is away.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Durable lines that the service has not acknowledged.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<(u64, String)>,
    bytes: usize,
    /// `seq` after the last durable line.
    end: u64,
    /// Submissions that are about to be asked.
    held: BTreeSet<u64>,
    /// Something else than chunks of recordings has come since it was last sent.
    prompt: bool,
}

impl Waiting {
    fn drop_first(&mut self) {
        match self.lines.pop_front() {
            Some((_, line)) => self.bytes = self.bytes.saturating_sub(line.len()),
            None => self.bytes = 0,
        }
    }
}

impl Outbox {
    /// An outbox for a journal that ends before `end`.
    pub(crate) fn starting_at(end: u64) -> Self {
        Self { waiting: Mutex::new(Waiting { end, ..Waiting::default() }), wake: Notify::new() }
    }

    /// Takes durable lines. Called in `seq` order.
    pub(crate) fn add(&self, written: &[Written]) {
        let mut waiting = self.lock();
        for line in written {
            waiting.bytes += line.line.len();
            waiting.lines.push_back((line.seq, line.line.clone()));
            waiting.end = line.seq + 1;
            if line.line.contains(r#""kind":"command_submitted""#) {
                waiting.held.insert(line.seq);
            }
            waiting.prompt |= !line.line.contains(r#""kind":"recording_chunk""#);
        }
        while waiting.bytes > KEPT_BYTES {
            waiting.drop_first();
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Lets a `command_submitted` go with the ordinary stream.
    fn unhold(&self, seq: u64) {
        let mut waiting = self.lock();
        waiting.held.remove(&seq);
        waiting.prompt = true;
        drop(waiting);
        self.wake.notify_one();
    }

    pub(crate) fn poke(&self) {
        self.lock().prompt = true;
        self.wake.notify_one();
    }

    /// Waits until there is something to send, and for what may go with it:
    /// `longest` where that is nothing but chunks of recordings.
    async fn filled(&self, longest: Duration) {
        self.wake.notified().await;
        tokio::time::sleep(TOGETHER).await;
        let end = tokio::time::Instant::now() + longest;
        while !self.lock().prompt {
            if tokio::time::timeout_at(end, self.wake.notified()).await.is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the ordinary stream must stop: the first held seq, or the end.
    fn open_end(&self) -> u64 {
        let waiting = self.lock();
        waiting.held.first().copied().unwrap_or(waiting.end).min(waiting.end)
    }

    fn forget_before(&self, next: u64) {
        let mut waiting = self.lock();
        while waiting.lines.front().is_some_and(|(seq, _)| *seq < next) {
            waiting.drop_first();
        }
    }

    /// Lines `from .. to`, as many as are in memory and fit one request;
    /// `None` where the first of them is no longer in memory.
    fn batch(&self, from: u64, to: u64) -> Option<Vec<String>> {
        let waiting = self.lock();
        let first = waiting.lines.front()?.0;
        let skip = usize::try_from(from.checked_sub(first)?).ok()?;
        let mut bytes = 0;
        let lines: Vec<String> = waiting
            .lines
            .iter()
            .skip(skip)
            .take_while(|(seq, line)| {
                bytes += line.len();
                *seq < to && bytes <= BATCH_BYTES
            })
            .take(BATCH_LINES)
            .map(|(_, line)| line.clone())
            .collect();
        (!lines.is_empty()).then_some(lines)
    }
}

/// The one sender to the service.
pub(crate) struct Shipper {
    service: Service,
    journal: Arc<Committer>,
    outbox: Arc<Outbox>,
    uploads: Uploads,
    /// The seq that the service wants next, once known. Whoever holds the lock
    /// sends.
    next: tokio::sync::Mutex<Option<u64>>,
    /// The service holds another history.
    forked: AtomicBool,
    /// The seq after the last entry when the journal was opened.
    opened_at: u64,
}

impl Shipper {
    pub(crate) fn new(service: Service, journal: Arc<Committer>, outbox: Arc<Outbox>, uploads: Uploads) -> Self {
        let opened_at = journal.next_seq();
        let next = tokio::sync::Mutex::new(None);
        Self { service, journal, outbox, uploads, next, forked: AtomicBool::new(false), opened_at }
    }

    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    /// Holds the `command_submitted` of this `seq` back until it was asked about,
    /// or nobody will.
    pub(crate) fn hold(&self, seq: u64) -> Held<'_> {
        Held { outbox: &self.outbox, seq }
    }

    /// Asks about the submission whose `command_submitted` is held, bringing the
    /// service up to date first. Dropped before it began, it lets go of it, too.
    pub(crate) async fn submit(
        &self,
        held: Held<'_>,
        id: SubmissionId,
        rule: Option<HostRule>,
    ) -> Result<SubmitReply, ServiceError> {
        let seq = held.seq;
        let mut next = self.next.lock().await;
        let mut corrections = 0;
        loop {
            let from = self.wanted(&mut next).await?.min(seq);
            let lines = self.lines(from, seq + 1).await?;
            let complete = u64::try_from(lines.len()).is_ok_and(|n| from + n == seq + 1);
            let sent = if complete {
                self.service.submit(&SubmitRequest { id, lines, rule }).await.map(Some)
            } else {
                self.service.entries(lines).await.map(|reply| {
                    *next = Some(reply.next_seq);
                    None
                })
            };
            match sent {
                Ok(Some(reply)) => {
                    *next = Some(reply.next_seq);
                    self.outbox.forget_before(reply.next_seq);
                    return Ok(reply);
                }
                Ok(None) => {}
                Err(ServiceError::Conflict(conflict)) if !conflict.fork && corrections < CORRECTIONS => {
                    corrections += 1;
                    *next = Some(conflict.next_seq);
                }
                Err(other) => return Err(self.note_fork(other)),
            }
        }
    }

    /// Sends what is waiting, for ever.
    pub(crate) async fn run(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.drain().await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.outbox.filled(OUTPUT_TOGETHER).await;
                }
                Err(why) => {
                    tracing::warn!("cannot ship the ledger, will try again: {why}");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Sends everything that is not held back, and recordings. Between batches a
    /// submission may go first, and between pieces of recordings what the ledger
    /// has since.
    pub(crate) async fn drain(&self) -> Result<(), ServiceError> {
        while self.round().await? {}
        Ok(())
    }

    /// Everything that is not held back, then some of the recordings; whether there is more of those.
    async fn round(&self) -> Result<bool, ServiceError> {
        let mut corrections = 0;
        self.outbox.lock().prompt = false;
        let acknowledged = loop {
            let mut next = self.next.lock().await;
            let from = self.wanted(&mut next).await?;
            let to = self.outbox.open_end();
            if from >= to {
                break from;
            }
            match self.service.entries(self.lines(from, to).await?).await {
                Ok(reply) => {
                    *next = Some(reply.next_seq);
                    self.outbox.forget_before(reply.next_seq);
                }
                Err(ServiceError::Conflict(conflict)) if !conflict.fork && corrections < CORRECTIONS => {
                    corrections += 1;
                    *next = Some(conflict.next_seq);
                }
                Err(other) => return Err(self.note_fork(other)),
            }
        };
        self.uploads.send(&self.service, acknowledged).await
    }

    /// How far the service has acknowledged, as far as is known.
    pub(crate) async fn acknowledged(&self) -> u64 {
        self.next.lock().await.unwrap_or(0)
    }

    /// Notes that the service has shown two histories: of this host, or of its own log.
    pub(crate) fn set_forked(&self) {
        self.forked.store(true, Ordering::Release);
    }

    /// Whether the service has shown that it holds another history.
    pub(crate) fn forked(&self) -> bool {
        self.forked.load(Ordering::Acquire)
    }

    pub(crate) fn note_fork(&self, error: ServiceError) -> ServiceError {
        if matches!(&error, ServiceError::Conflict(conflict) if conflict.fork) {
            self.forked.store(true, Ordering::Release);
        }
        error
    }

    async fn wanted(&self, next: &mut Option<u64>) -> Result<u64, ServiceError> {
        if let Some(known) = *next {
            return Ok(known);
        }
        // A service that holds more than this journal did when it was opened has
        // it from another history of this host, which was set back. What was
        // written since is sent all the same: the service keeps both as evidence.
        let told = self.service.state().await?.next_seq.min(self.opened_at);
        *next = Some(told);
        Ok(told)
    }

    async fn lines(&self, from: u64, to: u64) -> Result<Vec<String>, ServiceError> {
        if let Some(lines) = self.outbox.batch(from, to) {
            return Ok(lines);
        }
        let most = usize::try_from(to.saturating_sub(from)).unwrap_or(BATCH_LINES).min(BATCH_LINES);
        let journal = self.journal.clone();
        let read = tokio::task::spawn_blocking(move || journal.read_lines(from, most, BATCH_BYTES)).await;
        let unreadable = |why: String| ServiceError::Local(format!("cannot read the journal back: {why}"));
        let lines = read.map_err(|why| unreadable(why.to_string()))?.map_err(|why| unreadable(why.to_string()))?;
        if lines.is_empty() {
            return Err(ServiceError::Malformed(format!(
                "it wants entry {from}, which this host never wrote, or has pruned"
            )));
        }
        Ok(lines)
    }
}

/// Lets the line go when asking is over, however it ended. What stays held keeps
/// all that comes after it from the service.
pub(crate) struct Held<'a> {
    outbox: &'a Outbox,
    seq: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.outbox.unhold(self.seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::Digest;

    fn line(seq: u64, kind: &str) -> Written {
        Written { seq, leaf: Digest::ZERO, line: format!(r#"{{"kind":"{kind}"}}"#), mono_us: 0, at_us: 0 }
    }

    #[tokio::test]
    async fn chunks_wait_for_more_and_nothing_waits_behind_them() {
        let outbox = Outbox::starting_at(0);
        let hour = Duration::from_secs(3600);
        let ways: [&dyn Fn(); 3] =
            [&|| outbox.add(&[line(1, "exec_finished")]), &|| outbox.poke(), &|| outbox.unhold(0)];
        for other in ways {
            outbox.lock().prompt = false;
            outbox.add(&[line(0, "recording_chunk")]);
            let mut filled = std::pin::pin!(outbox.filled(hour));
            assert!(tokio::time::timeout(TOGETHER * 3, &mut filled).await.is_err(), "more chunks may come");
            outbox.add(&[line(0, "recording_chunk")]);
            assert!(tokio::time::timeout(TOGETHER * 3, &mut filled).await.is_err(), "more chunks may come");
            other();
            filled.await;
        }
        // They do not wait for ever.
        outbox.lock().prompt = false;
        outbox.add(&[line(0, "recording_chunk")]);
        outbox.filled(Duration::ZERO).await;
    }
}
