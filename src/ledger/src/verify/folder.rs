//! Folders and files that somebody else may have laid out: each is opened
//! below the folder that holds it, no link is followed, and what was opened is
//! looked at, not its name.

use nix::dir::Dir;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder, opened.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    fd: Arc<OwnedFd>,
    /// Where it was found, for messages.
    pub path: PathBuf,
}

/// What a path that somebody names is: links to it are theirs, and followed.
#[derive(Debug)]
pub(crate) enum Named {
    /// A folder.
    Folder(Folder),
    /// The whole of a regular file.
    File(Blob),
    /// Neither.
    Other,
}

/// A run of bytes in a file.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    /// The file, for messages and to compare.
    pub path: PathBuf,
    /// Where it starts.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    from: From,
}

/// How a file is got at.
#[derive(Debug, Clone)]
enum From {
    /// It is open.
    Open(Arc<File>),
    /// By its name in this folder: there may be more files than can be open.
    Folder(Arc<OwnedFd>),
}

/// Opens what is there, does not wait for who writes a FIFO, and takes no terminal.
const HOW: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// Opens a path that somebody names.
pub(crate) fn named(path: &Path) -> io::Result<Named> {
    let file = OpenOptions::new().read(true).custom_flags(HOW.bits()).open(path)?;
    let (meta, path) = (file.metadata()?, path.to_owned());
    if meta.is_dir() {
        return Ok(Named::Folder(Folder { fd: Arc::new(file.into()), path }));
    }
    if !meta.is_file() {
        return Ok(Named::Other);
    }
    Ok(Named::File(Blob { path, offset: 0, length: meta.len(), from: From::Open(Arc::new(file)) }))
}

impl Folder {
    /// A folder in it; one that is not there is an error of the kind `NotFound`.
    pub fn within(&self, name: &str) -> io::Result<Self> {
        let how = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        let fd = openat(&self.fd, name, how, Mode::empty()).map_err(|error| {
            let other = [nix::Error::ELOOP, nix::Error::ENOTDIR].contains(&error);
            if other { no("not a folder") } else { error.into() }
        })?;
        Ok(Self { fd: Arc::new(fd), path: self.path.join(name) })
    }

    /// The whole of a regular file in it; a link or folder is an error.
    pub fn file(&self, name: &str) -> io::Result<Blob> {
        let length = open(&self.fd, Path::new(name))?.metadata()?.len();
        Ok(Blob { path: self.path.join(name), offset: 0, length, from: From::Folder(Arc::clone(&self.fd)) })
    }

    /// The names of what is in it, in no order.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut dir =
            Dir::openat(&self.fd, ".", OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY, Mode::empty())?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// Opens a regular file in a folder.
fn open(folder: &OwnedFd, name: &Path) -> io::Result<File> {
    let fd = openat(folder, name, HOW | OFlag::O_NOFOLLOW, Mode::empty()).map_err(|error| {
        let other = [nix::Error::ELOOP, nix::Error::ENXIO].contains(&error);
        if other { no("not a regular file") } else { error.into() }
    })?;
    let file = File::from(fd);
    if file.metadata()?.is_file() { Ok(file) } else { Err(no("not a regular file")) }
}

fn no(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl Blob {
    /// A part of the same file.
    pub fn part(&self, offset: u64, length: u64) -> Self {
        Self { offset, length, ..self.clone() }
    }

    /// Reads `length` bytes from `offset` on, both within the blob.
    pub fn range(&self, offset: u64, length: u64) -> io::Result<impl Read + use<>> {
        Ok(At { file: self.open()?, at: self.offset.saturating_add(offset) }.take(length))
    }

    /// The whole file, for a reader that goes back and forth.
    pub fn seekable(&self) -> io::Result<impl Read + Seek + use<>> {
        Ok(At { file: self.open()?, at: 0 })
    }

    fn open(&self) -> io::Result<Arc<File>> {
        match &self.from {
            From::Open(file) => Ok(Arc::clone(file)),
            From::Folder(folder) => {
                let name = self.path.file_name().ok_or_else(|| no("a file without a name"))?;
                open(folder, Path::new(name)).map(Arc::new)
            }
        }
    }
}

/// Reads from a place on, wherever others of the same file are.
struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at = self.at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| no("a place before the beginning"))?;
        Ok(self.at)
    }
}
