//! Ed25519 signatures, checked by all cores beside the one that reads.
//!
//! Every signature is checked by itself, with ring; what `--signatures
//! checkpoint` leaves out is what a cosigned root covers, and nothing else.

use super::checks::Check;
use super::report::Findings;
use crate::Namespace;
use crate::commit::{sha256, sha256_of};
use crate::sshsig::verify_digest;
use countersign_core::Digest;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, available_parallelism};

/// Signatures handed over at a time.
const BATCH: usize = 256;
/// Batches that may wait for each worker.
const WAITING: usize = 8;
/// Signatures kept back for a checkpoint to cover, in `checkpoint` mode.
const KEPT_BACK: usize = 100_000;

/// Bytes of text kept back with them; of more only the digest is kept.
const KEPT_TEXT: usize = 16 * 1024 * 1024;

/// Which signatures are checked: `--signatures`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signatures {
    /// Of what no cosigned checkpoint covers, and of the checkpoints.
    Checkpoint,
    /// All.
    #[default]
    Strict,
}

/// The text names no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown mode; want checkpoint or strict (each by itself on all cores; there is no batch mode, docs/adr says why)"
)]
pub struct BadMode;

impl std::str::FromStr for Signatures {
    type Err = BadMode;
    fn from_str(text: &str) -> Result<Self, BadMode> {
        match text {
            "checkpoint" => Ok(Self::Checkpoint),
            "strict" => Ok(Self::Strict),
            _ => Err(BadMode),
        }
    }
}

/// One signature to be checked.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub seq: u64,
    pub namespace: Namespace,
    pub public: Digest,
    pub signed: Signed,
    pub sig: Sig,
    /// What it means where it does not verify.
    pub check: Check,
    pub text: &'static str,
}

/// The 86 characters of a signature. They are decoded only where it is checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sig([u8; 86]);

impl Sig {
    /// What is of another length becomes one that never verifies.
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().try_into().unwrap_or([0; 86]))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What is signed. It is hashed only where its signature is checked.
#[derive(Debug, Clone)]
pub(super) enum Signed {
    /// A text that the queue keeps; see [`Queue::keep`].
    Text(Kept),
    /// Its SHA-256.
    Digest([u8; 32]),
}

/// Where a text begins among all that were kept, and its length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    from: u64,
    length: usize,
}

impl Signed {
    fn kept(&self) -> Option<Kept> {
        match self {
            Self::Text(kept) => Some(*kept),
            Self::Digest(_) => None,
        }
    }
}

/// Texts one after the other: one allocation for many.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Bytes that stood before these and are gone.
    gone: u64,
}

impl Texts {
    fn add(&mut self, parts: [&[u8]; 2]) -> Kept {
        let from = self.end();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        let length = parts.iter().map(|part| part.len()).sum();
        Kept { from, length }
    }

    fn end(&self) -> u64 {
        self.gone.saturating_add(u64::try_from(self.bytes.len()).unwrap_or(u64::MAX))
    }

    fn at(&self, from: u64) -> usize {
        usize::try_from(from.saturating_sub(self.gone)).unwrap_or(usize::MAX).min(self.bytes.len())
    }

    fn text(&self, kept: Kept) -> Option<&[u8]> {
        let from = self.at(kept.from);
        self.bytes.get(from..from.saturating_add(kept.length))
    }

    /// Forgets what stands before `from`, once that is the larger part.
    fn forget(&mut self, from: u64) {
        let old = self.at(from);
        if old > self.bytes.len() / 2 {
            self.bytes.drain(..old);
            self.gone = from;
        }
    }
}

/// Signatures that one worker checks, and their texts.
struct Batch {
    jobs: Vec<Job>,
    texts: Texts,
}

impl Batch {
    fn holds(&self, job: &Job) -> bool {
        let digest = match job.signed {
            Signed::Text(kept) => match self.texts.text(kept) {
                Some(text) => sha256(text).0,
                None => return false,
            },
            Signed::Digest(digest) => digest,
        };
        verify_digest(job.namespace, &job.public, digest, job.sig.text()).is_ok()
    }
}

/// What a worker has found in a batch: how many it checked, and the bad ones.
type Checked = (u64, Vec<Job>);

fn check(batch: &Batch) -> Checked {
    let count = u64::try_from(batch.jobs.len()).unwrap_or(u64::MAX);
    (count, batch.jobs.iter().filter(|job| !batch.holds(job)).cloned().collect())
}

fn work(jobs: &Mutex<Receiver<Batch>>, tell: &Sender<Checked>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return };
        if tell.send(check(&batch)).is_err() {
            return;
        }
    }
}

/// Hands signatures to the workers.
pub(super) struct Queue {
    mode: Signatures,
    /// Not handed over yet, in order of seq.
    waiting: VecDeque<Job>,
    /// What they sign.
    texts: Texts,
    workers: SyncSender<Batch>,
    results: Receiver<Checked>,
    /// What no worker took.
    own: Vec<Checked>,
    handed: u64,
    covered: u64,
}

impl Queue {
    /// Starts the workers. They end when the queue is gone.
    pub fn start<'scope>(scope: &'scope Scope<'scope, '_>, mode: Signatures) -> Self {
        let cores = available_parallelism().map_or(1, std::num::NonZero::get);
        let (workers, jobs) = sync_channel::<Batch>(cores.saturating_mul(WAITING));
        let (tell, results) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..cores {
            let (jobs, tell) = (Arc::clone(&jobs), tell.clone());
            // Where no thread is to be had there is nobody to receive, and the sender checks by itself.
            if Builder::new().spawn_scoped(scope, move || work(&jobs, &tell)).is_err() {
                break;
            }
        }
        let (waiting, texts) = (VecDeque::new(), Texts::default());
        Self { mode, waiting, texts, workers, results, own: Vec::new(), handed: 0, covered: 0 }
    }

    /// Keeps a text, for the signature that is added next.
    pub fn keep(&mut self, text: [&[u8]; 2]) -> Signed {
        let length: usize = text.iter().map(|part| part.len()).sum();
        if self.texts.bytes.len().saturating_add(length) > KEPT_TEXT {
            return Signed::Digest(sha256_of(&text).0);
        }
        Signed::Text(self.texts.add(text))
    }

    /// Adds a signature.
    pub fn push(&mut self, job: Job) {
        self.waiting.push_back(job);
        let keep = match self.mode {
            Signatures::Strict => BATCH,
            Signatures::Checkpoint => KEPT_BACK,
        };
        if self.waiting.len() > keep {
            self.hand_over();
        }
    }

    /// A cosigned root covers everything below `size`.
    pub fn cover(&mut self, size: u64) {
        if self.mode == Signatures::Strict {
            return;
        }
        let covered = self.waiting.iter().take_while(|job| job.seq < size).count();
        self.waiting.drain(..covered);
        self.covered = self.covered.saturating_add(u64::try_from(covered).unwrap_or(u64::MAX));
        self.forget();
    }

    /// Forgets the texts that nothing in `waiting` is about. Both are in the same order.
    fn forget(&mut self) {
        let first = self.waiting.iter().find_map(|job| job.signed.kept());
        self.texts.forget(first.map_or(self.texts.end(), |kept| kept.from));
    }

    fn hand_over(&mut self) {
        let jobs: Vec<Job> = self.waiting.drain(..BATCH.min(self.waiting.len())).collect();
        self.handed = self.handed.saturating_add(u64::try_from(jobs.len()).unwrap_or(u64::MAX));
        let mut texts = Texts::default();
        if let Some(first) = jobs.iter().find_map(|job| job.signed.kept())
            && let Some(last) = jobs.iter().rev().find_map(|job| job.signed.kept())
        {
            let range = self.texts.at(first.from)..self.texts.at(last.from).saturating_add(last.length);
            texts = Texts { bytes: self.texts.bytes.get(range).unwrap_or_default().to_vec(), gone: first.from };
        }
        self.forget();
        if let Err(unsent) = self.workers.send(Batch { jobs, texts }) {
            self.own.push(check(&unsent.0));
        }
    }

    /// Waits for all of them and says which do not verify. Yields how many
    /// were checked, and how many a checkpoint covers.
    pub fn finish(mut self, findings: &mut Findings) -> (u64, u64) {
        while !self.waiting.is_empty() {
            self.hand_over();
        }
        drop(self.workers);
        let (mut checked, mut bad) = (0u64, Vec::new());
        for (count, failed) in self.own.into_iter().chain(self.results.iter()) {
            checked = checked.saturating_add(count);
            bad.extend(failed);
        }
        bad.sort_by_key(|job| job.seq);
        for job in bad {
            findings.add(job.check, Some(job.seq), None, job.text);
        }
        if checked != self.handed {
            findings.add(Check::SigEntry, None, None, "some signatures could not be checked: a defect of this program");
        }
        (checked, self.covered)
    }
}
