//! The one writer. Everything queued while the last fdatasync ran is encoded,
//! signed, written with one write and made durable with one fdatasync.

use super::chain::Chain;
use super::disk::{Disk, RealDisk, Segment, io_error, segment_path, sync_dir};
use super::read::Reader;
use super::recover::{Found, recover};
use super::{Draft, JournalError, Limits, Recovered, SignedHead, Written};
use crate::tlog::{Checkpoint, NoteText, Origin};
use crate::{Clock, Kind, Now, SignError, Signer, key_id};
use countersign_core::HostId;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Bytes after which a batch takes no further call.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Called when all entries of an append are durable, or none is. Runs on the
/// committer's thread: it must be quick and must not wait for the committer.
pub type Done = Box<dyn FnOnce(Result<Vec<Written>, JournalError>) + Send>;

/// Called with the signed checkpoint of what is durable; see [`Done`].
pub type HeadDone = Box<dyn FnOnce(Result<SignedHead, JournalError>) + Send>;

enum Job {
    Append { drafts: Vec<Draft>, done: Done },
    Head(HeadDone),
}

/// The journal, open for writing. One per directory; shared by reference.
/// Dropping it writes what is queued and frees the lock.
pub struct Committer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    durable: Arc<AtomicU64>,
    reader: Mutex<Reader>,
}

impl std::fmt::Debug for Committer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Committer(next {})", self.next_seq())
    }
}

impl Committer {
    /// Opens the journal in `dir` (made where missing), checks all of it, cuts
    /// a torn last line and openings that are declared gone, and starts the
    /// writer.
    pub fn open(
        dir: &Path,
        host: HostId,
        signer: Box<dyn Signer>,
        clock: Box<dyn Clock>,
        limits: Limits,
    ) -> Result<(Self, Recovered), JournalError> {
        Self::open_on(Box::new(RealDisk { dir: dir.to_owned() }), dir, host, signer, clock, limits)
    }

    pub(super) fn open_on(
        mut disk: Box<dyn Disk>,
        dir: &Path,
        host: HostId,
        signer: Box<dyn Signer>,
        clock: Box<dyn Clock>,
        limits: Limits,
    ) -> Result<(Self, Recovered), JournalError> {
        make_dir(dir).map_err(|error| io_error("create", dir, error))?;
        let lock = lock(dir)?;
        let found = recover(dir, Chain::new(host, clock.boot()), signer.identity())?;
        let next_seq = found.chain.next_seq;
        let segment = match found.last {
            Some((first, length)) => {
                let path = segment_path(dir, first);
                let file = disk.reopen(first).map_err(|error| io_error("open", &path, error))?;
                Some(OpenSegment { file, path, length })
            }
            None => None,
        };
        let durable = Arc::new(AtomicU64::new(next_seq));
        let (jobs, queue) = channel();
        let mut writer = Writer {
            disk,
            dir: dir.to_owned(),
            segment,
            chain: found.chain,
            signer,
            clock,
            limits,
            stopped: None,
            rotated: Vec::new(),
            durable: Arc::clone(&durable),
            _lock: lock,
        };
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || writer.run(&queue));
        let thread = thread.map_err(|error| io_error("start the writer of", dir, error))?;
        let reader = Mutex::new(Reader::new(dir.to_owned()));
        let committer = Self { jobs: Some(jobs), thread: Some(thread), durable, reader };
        let Found { torn, open_logins, stamp, erased_recordings, left_logins, gap, logins, recorded, .. } = found;
        Ok((
            committer,
            Recovered { next_seq, torn, open_logins, stamp, erased_recordings, left_logins, gap, logins, recorded },
        ))
    }

    /// Queues entries: all of them become durable with one fdatasync, in this
    /// order and with nothing between, or none does. Never blocks.
    pub fn append(&self, drafts: Vec<Draft>, done: Done) {
        self.queue(Job::Append { drafts, done });
    }

    /// Signs the checkpoint of everything that is durable when its turn comes.
    pub fn head(&self, done: HeadDone) {
        self.queue(Job::Head(done));
    }

    fn queue(&self, job: Job) {
        let refused = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        match refused {
            Some(Job::Append { done, .. }) => done(Err(gone())),
            Some(Job::Head(done)) => done(Err(gone())),
            None => {}
        }
    }

    /// Appends and waits until it is durable.
    pub fn append_wait(&self, drafts: Vec<Draft>) -> Result<Vec<Written>, JournalError> {
        let (answer, result) = channel();
        // The receiver outlives the call; nobody else could miss the answer.
        self.append(drafts, Box::new(move |written| drop(answer.send(written))));
        result.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// The `seq` after the last durable entry.
    pub fn next_seq(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Durable lines from `from_seq` on, without newlines: at most `max_lines`
    /// and `max_bytes`, but one in any case where there is one.
    pub fn read_lines(&self, from_seq: u64, max_lines: usize, max_bytes: usize) -> Result<Vec<String>, JournalError> {
        let end = self.next_seq();
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.read(from_seq, end, max_lines, max_bytes)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        // A callback may hold the last reference: the thread cannot wait for itself.
        if thread.thread().id() != std::thread::current().id() {
            drop(thread.join());
        }
    }
}

fn gone() -> JournalError {
    JournalError::Stopped("its writer is gone".into())
}

fn make_dir(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    dir.parent().filter(|p| !p.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

pub(super) fn lock(dir: &Path) -> Result<Flock<File>, JournalError> {
    let path = dir.join("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| io_error("open", &path, error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
        if errno == nix::errno::Errno::EWOULDBLOCK {
            JournalError::Locked { path }
        } else {
            io_error("lock", &path, errno.into())
        }
    })
}

struct OpenSegment {
    file: Box<dyn Segment>,
    path: PathBuf,
    length: u64,
}

/// Calls that are committed together.
#[derive(Default)]
struct Batch {
    /// Lines that are signed.
    out: String,
    /// The entries of these calls that are signed, and before them changes of
    /// key that no caller was told of yet.
    written: Vec<Written>,
    /// Who waits, and where in `written` the entries of each end.
    waiting: Vec<(Done, usize)>,
}

struct Writer {
    disk: Box<dyn Disk>,
    dir: PathBuf,
    segment: Option<OpenSegment>,
    chain: Chain,
    signer: Box<dyn Signer>,
    clock: Box<dyn Clock>,
    limits: Limits,
    stopped: Option<Arc<str>>,
    /// Changes of key that no caller was told of yet.
    rotated: Vec<Written>,
    durable: Arc<AtomicU64>,
    _lock: Flock<File>,
}

impl Writer {
    fn run(&mut self, queue: &Receiver<Job>) {
        let mut left = None;
        while let Some(job) = left.take().or_else(|| queue.recv().ok()) {
            match job {
                Job::Append { drafts, done } => left = self.batch(drafts, done, queue),
                Job::Head(done) => {
                    let head = self.signed_head();
                    drop(catch_unwind(AssertUnwindSafe(|| done(head))));
                }
            }
        }
    }

    /// The chain is what is durable whenever no batch is under way.
    fn signed_head(&mut self) -> Result<SignedHead, JournalError> {
        if let Some(why) = &self.stopped {
            return Err(JournalError::Stopped(Arc::clone(why)));
        }
        let origin = Origin::Host(self.chain.host).to_string();
        let checkpoint = Checkpoint { origin, size: self.chain.tree.size(), root: self.chain.tree.root() };
        let no_text = || SignError::Failed("not a checkpoint of ours".to_owned());
        let text = NoteText::checkpoint(&checkpoint).ok_or_else(no_text);
        let sig = text.and_then(|text| self.signer.sign_note(&text)).map_err(JournalError::Head)?;
        Ok(SignedHead { checkpoint, key: self.signer.public_key(), sig })
    }

    /// Commits a call and those that are queued behind it; what is no append
    /// comes back.
    fn batch(&mut self, drafts: Vec<Draft>, done: Done, queue: &Receiver<Job>) -> Option<Job> {
        let first_seq = self.chain.next_seq;
        let mut batch = Batch { written: std::mem::take(&mut self.rotated), ..Batch::default() };
        let (mut next, mut left) = (Some((drafts, done)), None);
        while let Some((drafts, done)) = next {
            let taken = self.take(&drafts, &mut batch);
            let (count, bytes) = self.chain.waiting();
            match taken {
                Ok(()) => batch.waiting.push((done, batch.written.len() + count)),
                Err(error) => answer(done, Err(error)),
            }
            next = match if batch.out.len() + bytes < MAX_BATCH_BYTES { queue.try_recv().ok() } else { None } {
                Some(Job::Append { drafts, done }) => Some((drafts, done)),
                other => {
                    left = other;
                    None
                }
            };
        }
        let ended = self.end(first_seq, &mut batch);
        let mut from = 0;
        let mut written = batch.written.into_iter();
        for (done, upto) in batch.waiting {
            let result = ended.clone().map(|()| written.by_ref().take(upto - from).collect());
            from = upto;
            answer(done, result);
        }
        self.rotated = written.collect();
        left
    }

    /// Signs, writes and syncs a batch. After an error nothing more is taken.
    fn end(&mut self, first_seq: u64, batch: &mut Batch) -> Result<(), JournalError> {
        if let Some(why) = &self.stopped {
            return Err(JournalError::Stopped(Arc::clone(why)));
        }
        let ended = self.sign(batch).and_then(|()| {
            // Every call was refused.
            if batch.out.is_empty() { Ok(()) } else { self.commit(first_seq, batch.out.as_bytes()) }
        });
        match &ended {
            Ok(()) => self.durable.store(self.chain.next_seq, Ordering::Release),
            Err(error) => self.stopped = Some(error.to_string().into()),
        }
        ended
    }

    /// Takes one call into the batch, or none of it. The key is changed before
    /// where that is due; that stands even where the call is refused.
    fn take(&mut self, drafts: &[Draft], batch: &mut Batch) -> Result<(), JournalError> {
        if let Some(why) = &self.stopped {
            return Err(JournalError::Stopped(Arc::clone(why)));
        }
        if drafts.iter().any(|d| matches!(d.kind, Kind::CommandSubmitted | Kind::SessionOpened)) {
            self.check_space()?;
        }
        let now = self.clock.now();
        if self.signer.rotates() && self.chain.rotation_is_due(drafts, now) {
            // Without its signer the journal writes nothing more.
            self.rotate(now, batch).inspect_err(|error| self.stopped = Some(error.to_string().into()))?;
        }
        self.chain.extend(drafts, now, &key_id(&self.signer.public_key()))
    }

    /// Changes the key. What was taken before it is signed by the key before.
    fn rotate(&mut self, now: Now, batch: &mut Batch) -> Result<(), JournalError> {
        self.sign(batch)?;
        batch.written.extend(self.chain.rotate(now, self.signer.as_mut(), &mut batch.out)?);
        Ok(())
    }

    fn sign(&mut self, batch: &mut Batch) -> Result<(), JournalError> {
        batch.written.extend(self.chain.sign(self.signer.as_mut(), &mut batch.out)?);
        Ok(())
    }

    fn check_space(&mut self) -> Result<(), JournalError> {
        let free_bytes =
            self.disk.free_bytes().map_err(|error| io_error("ask for the free space of", &self.dir, error))?;
        let reserve_bytes = self.limits.reserve_bytes;
        if free_bytes < reserve_bytes { Err(JournalError::NoSpace { free_bytes, reserve_bytes }) } else { Ok(()) }
    }

    /// Writes and syncs. After an error the file is never touched again: what
    /// the kernel dropped of it cannot be known.
    fn commit(&mut self, first_seq: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let segment = match self.segment.take().filter(|s| s.length < self.limits.segment_bytes) {
            Some(segment) => self.segment.insert(segment),
            None => {
                let path = segment_path(&self.dir, first_seq);
                let file = self.disk.create(first_seq).map_err(|error| io_error("create", &path, error))?;
                self.segment.insert(OpenSegment { file, path, length: 0 })
            }
        };
        segment.file.write_all(bytes).map_err(|error| io_error("write", &segment.path, error))?;
        segment.file.sync_data().map_err(|error| io_error("sync", &segment.path, error))?;
        segment.length = segment.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// A callback that panics must not take the ledger with it.
fn answer(done: Done, result: Result<Vec<Written>, JournalError>) {
    drop(catch_unwind(AssertUnwindSafe(|| done(result))));
}
