//! Files that only the right people can have written.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The capabilities that a program file gives whoever runs it, a bit each
/// (capabilities(7)); none where it has none.
pub fn capabilities(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // vfs_cap_data (linux/capability.h): magic, then permitted and inheritable words by turns, little-endian.
    let mut data = [0u8; 24];
    // SAFETY: the name ends with NUL, and the kernel writes at most as many bytes as it is told.
    let length = unsafe {
        libc::lgetxattr(path.as_ptr(), c"security.capability".as_ptr(), data.as_mut_ptr().cast(), data.len())
    };
    match Errno::result(length) {
        Ok(_) => Ok(permitted(&data)),
        Err(Errno::ENODATA | Errno::ENOTSUP) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

fn permitted(data: &[u8; 24]) -> u64 {
    let [_, _, _, _, a, b, c, d, _, _, _, _, e, f, g, h, ..] = *data;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Why a file is not to be believed. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// Not an absolute path without `..`.
    #[error("{0}: want an absolute path without '..'")]
    Path(PathBuf),
    /// Cannot be opened.
    #[error("cannot open {path}: {source}")]
    Open {
        /// What was opened.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A symbolic link, or not a regular file, or not a directory on the way.
    #[error("{0} is a symbolic link or not a regular file; put the file itself there")]
    Kind(PathBuf),
    /// Owned by somebody else.
    #[error("{path} belongs to uid {uid}; run: chown root {path}")]
    Owner {
        /// The file or a directory above it.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others may write it.
    #[error("{path} can be written by others (mode {mode:04o}); run: chmod go-w {path}")]
    Writable {
        /// The file or a directory above it.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Opens a file for reading that, with every directory above it, belongs to
/// root (or to `also`, where given) and cannot be written by group or others.
/// Links are not followed anywhere; what is checked is what is open.
pub fn open_trusted(path: &Path, also: Option<u32>) -> Result<File, Untrusted> {
    let (here, last) = walk(path, also)?;
    let at = path;
    // O_NONBLOCK: a FIFO in this place must not hold us up before it is refused.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = openat(&here, last.as_path(), flags, Mode::empty()).map_err(|e| opening(at, e))?;
    check(&file, at, SFlag::S_IFREG, also)?;
    Ok(File::from(file))
}

/// Most symbolic links on the way to one file.
const MAX_LINKS: usize = 32;

/// Finds what a path leads to, through symbolic links, where all of it is
/// root's: every directory and link on the way, and the regular file at its
/// end, belong to root, and no group and nobody else can write them.
pub fn trusted_target(path: &Path) -> Result<PathBuf, Untrusted> {
    follow(path, SFlag::S_IFREG)
}

/// As [`trusted_target`], for a directory.
pub fn trusted_directory(path: &Path) -> Result<PathBuf, Untrusted> {
    follow(path, SFlag::S_IFDIR)
}

fn follow(path: &Path, want: SFlag) -> Result<PathBuf, Untrusted> {
    let reversed = |path: &Path| -> Vec<PathBuf> {
        let names = path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
        names.map(|part| PathBuf::from(part.as_os_str())).rev().collect()
    };
    if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(Untrusted::Path(path.to_owned()));
    }
    let (mut left, mut links) = (reversed(path), 0);
    let mut at = PathBuf::from("/");
    let mut above = vec![directory(None, &at)?];
    let root = || Untrusted::Kind(path.to_owned());
    check(above.last().ok_or_else(root)?, &at, SFlag::S_IFDIR, None)?;
    while let Some(name) = left.pop() {
        // Only a link's own text can hold `..`; what is above was checked on the way down.
        if name.as_os_str() == ".." {
            if above.len() > 1 {
                above.pop();
                at.pop();
            }
            continue;
        }
        let here = above.last().ok_or_else(root)?;
        at.push(&name);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let found = openat(here, name.as_path(), flags, Mode::empty()).map_err(|e| opening(&at, e))?;
        let kind = fstat(&found).map_err(|e| opening(&at, e))?.st_mode;
        if SFlag::from_bits_truncate(kind) & SFlag::S_IFMT == SFlag::S_IFLNK {
            links += 1;
            // Whoever could have put the link there could write to the directory, which was checked.
            let target = nix::fcntl::readlinkat(here, name.as_path()).map_err(|e| opening(&at, e))?;
            if links > MAX_LINKS {
                return Err(Untrusted::Kind(path.to_owned()));
            }
            let target = PathBuf::from(target);
            left.extend(reversed(&target));
            at.pop();
            if target.is_absolute() {
                above.truncate(1);
                at = PathBuf::from("/");
            }
            continue;
        }
        let last = left.is_empty();
        check(&found, &at, if last { want } else { SFlag::S_IFDIR }, None)?;
        above.push(found);
    }
    if want == SFlag::S_IFREG && at == Path::new("/") { Err(root()) } else { Ok(at) }
}

/// Checks every directory above a path as [`open_trusted`] does: nobody else
/// can have put something in its place.
pub fn trust_place(path: &Path, also: Option<u32>) -> Result<(), Untrusted> {
    walk(path, also).map(|_| ())
}

/// The directory that holds `path`, each one on the way checked, and the last
/// name.
fn walk(path: &Path, also: Option<u32>) -> Result<(OwnedFd, PathBuf), Untrusted> {
    let mut names = parts(path)?;
    let mut at = PathBuf::from("/");
    let mut here = directory(None, &at)?;
    check(&here, &at, SFlag::S_IFDIR, also)?;
    let Some(last) = names.pop() else { return Err(Untrusted::Kind(path.to_owned())) };
    for name in &names {
        at.push(name);
        here = directory(Some((&here, name)), &at)?;
        check(&here, &at, SFlag::S_IFDIR, also)?;
    }
    Ok((here, last))
}

/// A file that nobody can begin to write to while this lives: who tries waits,
/// and the kernel ends this process (SIGIO).
#[derive(Debug)]
pub struct Unwritten<'a>(&'a File);

impl<'a> Unwritten<'a> {
    /// Holds a file that is open for reading and that this user owns, by a lease (fcntl(2)). `None` where it is open
    /// for writing, also in memory only. An error where nobody can tell: on some file systems, and of others' files.
    pub fn hold(file: &'a File) -> io::Result<Option<Self>> {
        match lease(file, libc::F_RDLCK) {
            Ok(()) => Ok(Some(Self(file))),
            Err(Errno::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Unwritten<'_> {
    fn drop(&mut self) {
        // It ends with the file, too.
        let (Ok(()) | Err(_)) = lease(self.0, libc::F_UNLCK);
    }
}

fn lease(file: &File, kind: libc::c_int) -> nix::Result<()> {
    // SAFETY: F_SETLEASE takes numbers only.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) };
    Errno::result(done).map(drop)
}

/// Bytes that an unprivileged process could still write on the file system
/// that holds `path`.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let system = nix::sys::statvfs::statvfs(path)?;
    Ok(system.blocks_available().saturating_mul(system.fragment_size()))
}

/// Files that an unprivileged process could still make there; `None` where the
/// file system does not count them.
pub fn free_inodes(path: &Path) -> io::Result<Option<u64>> {
    let system = nix::sys::statvfs::statvfs(path)?;
    Ok((system.files() > 0).then(|| system.files_available()))
}

/// Free bytes as above, of the file system of an open file.
pub fn free_bytes_of(file: impl AsFd) -> io::Result<u64> {
    let system = nix::sys::statvfs::fstatvfs(file)?;
    Ok(system.blocks_available().saturating_mul(system.fragment_size()))
}

fn parts(path: &Path) -> Result<Vec<PathBuf>, Untrusted> {
    let mut names = Vec::new();
    for (i, part) in path.components().enumerate() {
        match part {
            Component::RootDir if i == 0 => {}
            Component::Normal(name) if i > 0 => names.push(PathBuf::from(name)),
            Component::RootDir
            | Component::Normal(_)
            | Component::CurDir
            | Component::ParentDir
            | Component::Prefix(_) => {
                return Err(Untrusted::Path(path.to_owned()));
            }
        }
    }
    Ok(names)
}

fn directory(below: Option<(&OwnedFd, &PathBuf)>, at: &Path) -> Result<OwnedFd, Untrusted> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = match below {
        None => open(at, flags, Mode::empty()),
        Some((parent, name)) => openat(parent, name.as_path(), flags, Mode::empty()),
    };
    opened.map_err(|e| opening(at, e))
}

fn opening(path: &Path, errno: nix::errno::Errno) -> Untrusted {
    let link = errno == nix::errno::Errno::ELOOP || errno == nix::errno::Errno::ENOTDIR;
    if link {
        Untrusted::Kind(path.to_owned())
    } else {
        Untrusted::Open { path: path.to_owned(), source: errno.into() }
    }
}

fn check(fd: impl AsFd, path: &Path, want: SFlag, also: Option<u32>) -> Result<(), Untrusted> {
    let found: FileStat = fstat(fd).map_err(|e| Untrusted::Open { path: path.to_owned(), source: e.into() })?;
    if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != want {
        return Err(Untrusted::Kind(path.to_owned()));
    }
    if found.st_uid != 0 && Some(found.st_uid) != also {
        return Err(Untrusted::Owner { path: path.to_owned(), uid: found.st_uid });
    }
    if found.st_mode & 0o022 != 0 {
        return Err(Untrusted::Writable { path: path.to_owned(), mode: found.st_mode & 0o7777 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn believes_only_files_nobody_else_can_write() {
        assert!(open_trusted(Path::new("/etc/passwd"), None).is_ok());
        assert!(matches!(open_trusted(Path::new("etc/passwd"), None), Err(Untrusted::Path(_))));
        assert!(matches!(open_trusted(Path::new("/etc/../etc/passwd"), None), Err(Untrusted::Path(_))));
        assert!(matches!(open_trusted(Path::new("/etc/no-such-file"), None), Err(Untrusted::Open { .. })));
        assert!(matches!(open_trusted(Path::new("/etc"), None), Err(Untrusted::Kind(_))));
        assert!(open_trusted(Path::new("/proc/self/exe"), None).is_err());
    }

    #[test]
    fn who_has_a_file_open_for_writing_is_seen() {
        let path = std::env::temp_dir().join(format!("unwritten-{}", std::process::id()));
        std::fs::write(&path, "x").unwrap();
        let open = File::open(&path).unwrap();
        let writer = File::options().write(true).open(&path).unwrap();
        assert!(Unwritten::hold(&open).unwrap().is_none());
        drop(writer);
        // Whoever began to write while it lives would have to wait, and the kernel would end this process.
        drop(Unwritten::hold(&open).unwrap().unwrap());
        drop(File::options().write(true).open(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_directory_that_others_write_spoils_the_file() {
        let file = std::env::temp_dir().join(format!("trusted-{}", std::process::id()));
        std::fs::write(&file, "x").unwrap();
        assert!(matches!(open_trusted(&file, Some(crate::uids().unwrap().real)), Err(Untrusted::Writable { .. })));
        assert!(matches!(trust_place(&file, None), Err(Untrusted::Writable { .. })));
        std::fs::remove_file(&file).unwrap();
        assert!(trust_place(Path::new("/etc/no-such-file"), None).is_ok());
    }

    #[test]
    fn follows_links_only_where_all_is_roots() {
        assert_eq!(trusted_target(Path::new("/etc/passwd")).unwrap(), Path::new("/etc/passwd"));
        let shell = trusted_target(Path::new("/bin/sh")).unwrap();
        assert_eq!(shell, std::fs::canonicalize("/bin/sh").unwrap());
        assert!(trusted_directory(Path::new("/bin")).is_ok() && trusted_directory(Path::new("/")).is_ok());
        for bad in ["/bin", "/", "bin/sh", "/bin/../bin/sh", "/bin/no-such-program", "/dev/null"] {
            assert!(trusted_target(Path::new(bad)).is_err(), "{bad}");
        }
        assert!(trusted_directory(Path::new("/tmp")).is_err(), "others write there");
        let place = std::env::temp_dir().join(format!("links-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        for (name, to) in [("ls", "/bin/ls"), ("round", "round"), ("self", ".")] {
            std::os::unix::fs::symlink(to, place.join(name)).unwrap();
            assert!(trusted_target(&place.join(name)).is_err(), "{name}");
        }
        std::fs::remove_dir_all(&place).unwrap();
    }

    #[test]
    fn counts_free_bytes() {
        assert!(free_bytes(Path::new("/")).unwrap() > 0);
        assert_ne!(free_inodes(Path::new("/")).unwrap(), Some(0));
        assert!(free_inodes(Path::new("/no/such/place")).is_err());
    }
}
