//! What the journal's writer asks of the file system: a seam, so that tests
//! can make each call fail.

use super::JournalError;
use nix::sys::statvfs::statvfs;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment file that is appended to.
pub(super) trait Segment: Send {
    /// Writes all bytes at the end.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was written is durable (fdatasync).
    fn sync_data(&mut self) -> io::Result<()>;
}

/// The directory of a journal.
pub(super) trait Disk: Send {
    /// Makes the segment that begins with this `seq`; its name is durable.
    fn create(&mut self, first_seq: u64) -> io::Result<Box<dyn Segment>>;
    /// Opens it again at its end.
    fn reopen(&mut self, first_seq: u64) -> io::Result<Box<dyn Segment>>;
    /// Bytes free to this user.
    fn free_bytes(&mut self) -> io::Result<u64>;
}

/// The name of the segment that begins with this `seq`.
pub(super) fn segment_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("{first_seq:016}.jsonl"))
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// An error of the file system with what was tried.
pub(super) fn io_error(verb: &'static str, path: &Path, error: io::Error) -> JournalError {
    JournalError::Io { verb, path: path.to_owned(), source: Arc::new(error) }
}

/// The real one.
pub(super) struct RealDisk {
    pub(super) dir: PathBuf,
}

impl Disk for RealDisk {
    fn create(&mut self, first_seq: u64) -> io::Result<Box<dyn Segment>> {
        let path = segment_path(&self.dir, first_seq);
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        file.sync_all()?;
        sync_dir(&self.dir)?;
        Ok(Box::new(RealSegment(file)))
    }

    fn reopen(&mut self, first_seq: u64) -> io::Result<Box<dyn Segment>> {
        let file = OpenOptions::new().append(true).open(segment_path(&self.dir, first_seq))?;
        Ok(Box::new(RealSegment(file)))
    }

    fn free_bytes(&mut self) -> io::Result<u64> {
        let stat = statvfs(&self.dir)?;
        Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
    }
}

struct RealSegment(File);

impl Segment for RealSegment {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}
