//! Ed25519 signatures, checked by all cores beside the one that reads.
//!
//! Every signature is checked by itself, with ring; what `--signatures
//! checkpoint` leaves out is what a cosigned root covers, and nothing else.

use super::checks::Check;
use super::report::Findings;
use crate::Namespace;
use crate::commit::sha256;
use crate::sshsig::verify_bytes;
use countersign_core::Digest;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, available_parallelism};

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
    pub sig: [u8; 64],
    /// What it means where it does not verify.
    pub check: Check,
    pub text: &'static str,
}

/// What is signed. It is hashed only where its signature is checked.
#[derive(Debug, Clone)]
pub(super) enum Signed {
    /// Its bytes.
    Text(Box<[u8]>),
    /// Its SHA-256.
    Digest([u8; 32]),
}

impl Signed {
    fn digest(&self) -> [u8; 32] {
        match self {
            Self::Text(text) => sha256(text).0,
            Self::Digest(digest) => *digest,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Digest(_) => 0,
        }
    }
}

impl Job {
    fn holds(&self) -> bool {
        verify_bytes(self.namespace, &self.public, &self.signed.digest(), &self.sig).is_ok()
    }
}

/// What a worker has found in a batch: how many it checked, and the bad ones.
type Checked = (u64, Vec<Job>);

fn check(batch: Vec<Job>) -> Checked {
    let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
    (count, batch.into_iter().filter(|job| !job.holds()).collect())
}

fn work(jobs: &Mutex<Receiver<Vec<Job>>>, tell: &Sender<Checked>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return };
        if tell.send(check(batch)).is_err() {
            return;
        }
    }
}

/// Hands signatures to the workers.
pub(super) struct Queue {
    mode: Signatures,
    /// Not handed over yet, in order of seq.
    waiting: VecDeque<Job>,
    /// Bytes of text in `waiting`.
    text: usize,
    workers: SyncSender<Vec<Job>>,
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
        let (workers, jobs) = sync_channel::<Vec<Job>>(cores.saturating_mul(WAITING));
        let (tell, results) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..cores {
            let (jobs, tell) = (Arc::clone(&jobs), tell.clone());
            scope.spawn(move || work(&jobs, &tell));
        }
        Self { mode, waiting: VecDeque::new(), text: 0, workers, results, own: Vec::new(), handed: 0, covered: 0 }
    }

    /// Adds a signature.
    pub fn push(&mut self, mut job: Job) {
        if self.text.saturating_add(job.signed.bytes()) > KEPT_TEXT {
            job.signed = Signed::Digest(job.signed.digest());
        }
        self.text = self.text.saturating_add(job.signed.bytes());
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
        while self.waiting.front().is_some_and(|job| job.seq < size) {
            let covered = self.waiting.pop_front();
            self.text = self.text.saturating_sub(covered.map_or(0, |job| job.signed.bytes()));
            self.covered = self.covered.saturating_add(1);
        }
    }

    fn hand_over(&mut self) {
        let batch: Vec<Job> = self.waiting.drain(..BATCH.min(self.waiting.len())).collect();
        self.text = batch.iter().fold(self.text, |text, job| text.saturating_sub(job.signed.bytes()));
        self.handed = self.handed.saturating_add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
        if let Err(unsent) = self.workers.send(batch) {
            self.own.push(check(unsent.0));
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
