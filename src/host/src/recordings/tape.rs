//! The two files of a login: the spool that its front appends to, and the
//! recording that is made of it here.
//!
//! A chunk goes through three steps, and a crash between any two of them loses
//! nothing: its lines are durable in the recording ([`Tape::turn`]), its entry
//! is durable in the ledger, its piece of the spool is dropped ([`Tape::kept`]).
//! The ledger says what counts: what stands in the recording beyond its last
//! chunk is written anew from the spool.
//!
//! A front reserves room ahead of what it writes ([`countersign_api::spool`]):
//! behind its last record a spool may hold zeros.
//!
//! The spool's descriptor carries a shared `flock`, which lives as long as any
//! front holds it: a login is only closed when nobody can write to its spool.

use super::convert::{Converter, Unreadable};
use super::redaction::for_recordings;
use super::spool::{Spool, spool_path};
use countersign_analysis::redact::{Kinds, Known};
use countersign_api::front::Hello;
use countersign_api::recording::{Header, Origin};
use countersign_api::spool;
use countersign_core::{Digest, HostId, LoginId};
use countersign_ledger::{OpenLogin, SpoolPlace, sha256};
use countersign_sys as sys;
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Bytes of one read of a spool: more than its longest record.
const READ: usize = 256 * 1024;
/// A chunk ends when its lines are so many bytes, or the spool has no more. A
/// front in full flood tells of half as many raw bytes at once.
const CHUNK_LINES: usize = 2 * 1024 * 1024;
/// A spool is dropped in pieces of at least so many bytes, and at its end.
const DROP: i64 = 64 * 1024;
/// Most reads of zeros: more than may wait in a spool.
const MAX_ZEROS: usize = 128;
/// Longest header that is read back.
const MAX_HEADER: u64 = 64 * 1024;
/// How often a spool that a front still holds is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A chunk of a recording: these bytes of it are durable and will not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// 0, 1, 2 …
    pub(crate) index: u64,
    /// Where it starts in the recording.
    pub(crate) offset: u64,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// SHA-256 of these bytes.
    pub(crate) digest: Digest,
    /// Raw output bytes (before encoding) that it stands for.
    pub(crate) raw_bytes: u64,
    /// Where the spool goes on.
    pub(crate) place: SpoolPlace,
    /// What redaction took out on the way.
    pub(crate) redacted: Kinds,
}

/// Why a spool cannot be turned into a recording.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TapeError {
    /// The front wrote what no front writes; nothing of it counts from there on.
    #[error("the spool cannot be read from byte {at} on: {why}")]
    Bad {
        /// Where the bad record begins.
        at: u64,
        /// What is wrong with it.
        why: Unreadable,
    },
    /// The spool is shorter than its front says, or than it was.
    #[error("the spool ends at byte {0}, within a record or before what the front told of")]
    Short(u64),
    /// A file cannot be read or written.
    #[error("cannot {what}: {why}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        why: io::Error,
    },
}

impl TapeError {
    /// There is no recording.
    pub(crate) fn not_made(why: io::Error) -> Self {
        Self::Io { what: "make a recording", why }
    }

    /// Whether the front is at fault.
    pub(crate) fn is_fronts(&self) -> bool {
        match self {
            Self::Bad { .. } | Self::Short(_) => true,
            Self::Io { .. } => false,
        }
    }
}

/// The recording of a login: its header, until the ledger has the login, then a file.
pub(crate) struct Recording {
    path: PathBuf,
    header: Vec<u8>,
    file: OnceLock<File>,
}

impl Recording {
    /// The file, which is made where it is not there yet.
    pub(crate) fn file(&self) -> Result<&File, TapeError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        // One that could not be written the last time is begun anew.
        let made = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&self.path);
        let made = made.map_err(TapeError::not_made)?;
        made.write_all_at(&self.header, 0).map_err(io_error("write a recording"))?;
        Ok(self.file.get_or_init(|| made))
    }
}

/// A login's spool and recording.
pub(crate) struct Tape {
    spool: File,
    spool_path: PathBuf,
    recording: Arc<Recording>,
    converter: Converter,
    /// Bytes and number of the chunks in the ledger.
    recorded: u64,
    chunks: u64,
    /// Up to where the spool is dropped.
    dropped: u64,
}

/// The recording of a login.
pub(crate) fn recording_path(state: &Path, login: LoginId) -> PathBuf {
    state.join("recordings").join(format!("{login}.cast"))
}

impl Tape {
    /// The tape of a login that begins; the second value is what the front is
    /// handed. The recording is made when the ledger has the login.
    pub(crate) fn create(state: &Path, spool: Spool, host: HostId, hello: &Hello) -> Result<(Self, File), TapeError> {
        let Spool { login, path: spool_path, file: spool, theirs } = spool;
        let redaction = for_recordings();
        let terminal = hello.terminal.as_ref();
        let origin = Origin {
            login,
            host,
            agent: hello.agent.clone(),
            tty: terminal.is_some(),
            redaction: redaction.name().to_owned(),
        };
        let size = terminal.map(|t| (t.columns, t.rows));
        let header = sys::realtime_us()
            .and_then(|now_us| Ok(Header::new(origin, now_us / 1_000_000, size, terminal.map(|t| t.term.as_str()))?))
            .and_then(|header| Ok(header.to_line()?))
            .map_err(io_error("make the header of a recording"))?;
        let mut converter = Converter::new(terminal.is_some(), redaction, SpoolPlace::default());
        converter.begin(&header);
        let recording = Recording { path: recording_path(state, login), header, file: OnceLock::new() };
        let recording = Arc::new(recording);
        Ok((Self { spool, spool_path, recording, converter, recorded: 0, chunks: 0, dropped: 0 }, theirs))
    }

    /// Opens what an earlier run of the daemon left; `None` where there is
    /// nothing that could be gone on with.
    pub(crate) fn resume(state: &Path, login: &OpenLogin) -> Result<Option<Self>, TapeError> {
        let spool_path = spool_path(state, login.id);
        let spool = match open(&spool_path) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(io_error("open a spool")(why)),
        };
        let recording = match open(&recording_path(state, login.id)) {
            Ok(file) => file,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(io_error("open a recording")(why)),
        };
        let Some((line, header)) = header(&recording).map_err(io_error("read a recording"))? else { return Ok(None) };
        let mut converter = Converter::new(header.countersign.tty, for_recordings(), login.spool);
        if login.chunks == 0 {
            converter.begin(&line);
        }
        let (recorded, chunks) = (login.recording_bytes, login.chunks);
        let path = recording_path(state, login.id);
        let recording = Arc::new(Recording { path, header: line, file: OnceLock::from(recording) });
        Ok(Some(Self { spool, spool_path, recording, converter, recorded, chunks, dropped: 0 }))
    }

    /// Where its chunks go.
    pub(crate) fn recording(&self) -> Arc<Recording> {
        Arc::clone(&self.recording)
    }

    /// Whether its recording was made.
    pub(crate) fn is_made(&self) -> bool {
        self.recording.file.get().is_some()
    }

    /// Learns secrets that the output may repeat.
    pub(crate) fn learn(&mut self, known: &Known) {
        self.converter.learn(known);
    }

    /// Bytes of the recording that the ledger has.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded
    }

    /// Up to where the spool was read.
    pub(crate) fn taken(&self) -> u64 {
        self.converter.next()
    }

    /// Reads on in the spool, up to `upto` at most, and makes the next chunk
    /// durable in the recording. `None` where nothing new could be told. Until
    /// [`Tape::kept`] it is the same chunk, or a longer one, that every call gives.
    pub(crate) fn turn(&mut self, upto: u64) -> Result<Option<Chunk>, TapeError> {
        let mut buffer = vec![0; READ];
        while self.converter.waiting() < CHUNK_LINES {
            let at = self.converter.next();
            let least = usize::try_from(upto.saturating_sub(at)).map_or(READ, |left| left.min(READ));
            let room = buffer.get_mut(..least).unwrap_or_default();
            let count = read_at(&self.spool, room, at).map_err(io_error("read a spool"))?;
            let bytes = buffer.get(..count).unwrap_or_default();
            let used = match self.converter.feed(bytes) {
                Ok(used) => used,
                // What stands before it is told first.
                Err(_) if self.converter.next() > at => break,
                Err(why) => return Err(TapeError::Bad { at, why }),
            };
            if used == 0 {
                break;
            }
        }
        self.write()
    }

    /// As [`Tape::turn`] for all that the front has written, and nothing is held
    /// back at the end. Only while it writes nothing.
    pub(crate) fn turn_all(&mut self) -> Result<Option<Chunk>, TapeError> {
        loop {
            let before = self.converter.next();
            if let Some(chunk) = self.turn(u64::MAX)? {
                return Ok(Some(chunk));
            }
            if self.converter.next() == before {
                return self.let_go();
            }
        }
    }

    /// What is held back, as a chunk.
    pub(crate) fn let_go(&mut self) -> Result<Option<Chunk>, TapeError> {
        let at = self.converter.next();
        self.converter.let_go().map_err(|why| TapeError::Bad { at, why })?;
        self.write()
    }

    /// Whether nothing is left but a torn record, or zeros: those that its front
    /// reserved, or that a file system leaves after a power cut. A front that was
    /// killed while it wrote through memory leaves a record without its kind.
    pub(crate) fn ends_well(&self) -> bool {
        let (begin, mut buffer) = (self.converter.next(), vec![0; READ]);
        let mut head = [0; spool::HEAD];
        match read_at(&self.spool, &mut head, begin) {
            Ok(1..) if head.first() != Some(&0) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
        let mut at = begin + len(spool::without_kind(&head));
        for _ in 0..MAX_ZEROS {
            match read_at(&self.spool, &mut buffer, at) {
                Ok(0) => return true,
                Ok(count) if buffer.iter().take(count).all(|byte| *byte == 0) => at += len(count),
                Ok(_) | Err(_) => return false,
            }
        }
        false
    }

    /// Whether the chunk that was last given is all there is so far.
    pub(crate) fn is_at_end(&self) -> bool {
        let told = self.converter.piece().lines.len() == self.converter.waiting() && !self.converter.holds_back();
        told && self.is_over()
    }

    /// Whether no record begins where the last one ends.
    fn is_over(&self) -> bool {
        let mut mark = [0];
        read_at(&self.spool, &mut mark, self.converter.next()).is_ok() && mark == [0]
    }

    fn write(&mut self) -> Result<Option<Chunk>, TapeError> {
        let redacted = self.converter.counts().redacted.clone();
        let piece = self.converter.piece();
        if piece.lines.is_empty() {
            return Ok(None);
        }
        let recording = self.recording.file()?;
        recording.write_all_at(piece.lines, self.recorded).map_err(io_error("write a recording"))?;
        recording.sync_data().map_err(io_error("write a recording"))?;
        Ok(Some(Chunk {
            index: self.chunks,
            offset: self.recorded,
            length: len(piece.lines.len()),
            digest: sha256(piece.lines),
            raw_bytes: piece.raw,
            place: piece.place,
            redacted,
        }))
    }

    /// The ledger has that chunk: its piece of the spool is dropped.
    pub(crate) fn kept(&mut self, chunk: &Chunk) {
        self.recorded = self.recorded.saturating_add(chunk.length);
        self.chunks += 1;
        self.converter.kept();
        let (from, upto) = (self.dropped, chunk.place.bytes);
        let range = i64::try_from(from).ok().zip(i64::try_from(upto.saturating_sub(from)).ok());
        let Some((from, length)) = range.filter(|(_, length)| *length >= DROP) else { return };
        let mode = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        match fallocate(&self.spool, mode, from, length) {
            Ok(()) => self.dropped = upto,
            // It goes with the whole spool, at the end of the login.
            Err(why) => tracing::debug!("a piece of a spool stays until its login ends: {why}"),
        }
    }

    /// Waits until no front can write to the spool.
    pub(crate) async fn alone(&self) -> io::Result<()> {
        loop {
            match self.spool.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
                Err(TryLockError::Error(why)) => return Err(why),
            }
        }
    }

    /// Cuts the recording to this length, where it is longer: an earlier run
    /// of the daemon may have written lines that came into no chunk.
    pub(crate) fn settle(&self, length: u64) -> Result<(), TapeError> {
        let recording = self.recording.file()?;
        let settled = recording.metadata().and_then(|found| {
            if found.len() <= length {
                return Ok(());
            }
            recording.set_len(length)?;
            recording.sync_data()
        });
        settled.map_err(io_error("cut a recording"))
    }

    /// Drops the spool: the login is closed in the ledger.
    pub(crate) fn close(self) {
        if let Err(why) = std::fs::remove_file(&self.spool_path) {
            tracing::error!("cannot remove {}: {why}", self.spool_path.display());
        }
    }
}

/// Cuts the recording of a login that has no tape any more, where it has one.
pub(crate) fn cut(state: &Path, login: LoginId, length: u64) -> io::Result<()> {
    match OpenOptions::new().write(true).open(recording_path(state, login)) {
        Ok(file) if file.metadata()?.len() > length => file.set_len(length).and_then(|()| file.sync_data()),
        Ok(_) => Ok(()),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(why),
    }
}

/// The spool is opened for writing too, for dropping pieces needs that.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// The first line of a recording; `None` where it is not whole or none of ours.
fn header(recording: &File) -> io::Result<Option<(Vec<u8>, Header)>> {
    let mut line = Vec::new();
    BufReader::new(recording.take(MAX_HEADER)).read_until(b'\n', &mut line)?;
    let header = line.strip_suffix(b"\n").and_then(|text| serde_json::from_slice(text).ok());
    Ok(header.map(|header| (line, header)))
}

/// Fills the buffer as far as the file goes.
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + len(count)) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(count)
}

pub(super) fn io_error(what: &'static str) -> impl Fn(io::Error) -> TapeError {
    move |why| TapeError::Io { what, why }
}

fn len(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
