//! Looks at the files around a line with the agent's rights, in the short-lived
//! child that [`countersign_sys::errand`] makes. Runs nothing, follows no link at
//! the end of a path and nowhere a magic one of `/proc` (which leads each process
//! somewhere else), waits for no FIFO, reads no more than it says.

use super::orders::{Asked, Seen};
use super::repository::branch;
use countersign_api::context::{FileSeen, MAX_SCRIPT, SCRIPT_EXCERPT, Unread};
use countersign_core::b64_encode;
use countersign_ledger::sha256;
use countersign_sys as sys;
use countersign_sys::files::Unwritten;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FUSE_SUPER_MAGIC, PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{AccessFlags, faccessat};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// So many bytes of files that are not shown are read, of all files of a line together, to tell a changed one: who has
/// one in memory, and has written to it there, writes on and the kernel sets no time of change.
const MOST_COMPARED: u64 = 16 * 1024 * 1024;

/// How far apart the times of two changes are at least, in ms, if they are told apart: a tick of the kernel's clock is
/// no longer.
const TICK_MS: u64 = 20;

/// Looks at what is asked for; relative paths start at `base`, where this process
/// is afterwards.
pub fn look(base: &Path, asked: &Asked) -> Seen {
    // For `/proc/self/cwd`, which is to lead where it leads the line. Where that fails, nothing is found at `base` either.
    let (Ok(()) | Err(_)) = std::env::set_current_dir(base);
    Seen {
        branch: asked.branch.then(|| branch(base)).flatten(),
        files: files(base, &asked.paths),
        // The spawner says the rest itself.
        ..Seen::default()
    }
}

/// What the files at these paths are.
fn files(base: &Path, paths: &[String]) -> Vec<FileSeen> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let base = nix::fcntl::open(base, flags, Mode::empty());
    let mut left = MOST_COMPARED;
    let file = |path: &String| match &base {
        // It is there, and what it is cannot be told.
        Ok(base) => read(base.as_fd(), path, &mut left).unwrap_or_else(|_| unread(Unread::NoAnswer, String::new())),
        Err(errno) => unread(why(&io::Error::from(*errno)), String::new()),
    };
    paths.iter().map(file).collect()
}

fn why(error: &io::Error) -> Unread {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENOTDIR) => Unread::Missing,
        Some(Errno::ELOOP) => Unread::Link,
        Some(Errno::EACCES | Errno::EPERM) => Unread::Forbidden,
        Some(Errno::ENXIO) => Unread::NotRegular,
        Some(_) | None => Unread::Failed,
    }
}

fn unread(why: Unread, stamp: String) -> FileSeen {
    FileSeen::Unread { why, stamp }
}

fn read(base: BorrowedFd<'_>, path: &str, left: &mut u64) -> io::Result<FileSeen> {
    // Looked at first: opening a device may do something.
    let place = match open_at(base, path, OFlag::O_PATH | OFlag::O_NOFOLLOW) {
        Ok(place) => place,
        Err(error) => {
            let why = why(&error);
            let told = if why == Unread::Link { behind(base, path, left)? } else { Some(String::new()) };
            return Ok(told.map_or_else(|| unread(Unread::NoAnswer, String::new()), |told| unread(why, told)));
        }
    };
    let found = place.metadata()?;
    if found.file_type().is_symlink() {
        let link = |behind| unread(Unread::Link, format!("{} {behind}", stamp(&found)));
        let told = behind(base, path, left)?;
        return Ok(told.map_or_else(|| unread(Unread::NoAnswer, stamp(&found)), link));
    }
    if !found.is_file() {
        return Ok(unread(Unread::NotRegular, stamp(&found)));
    }
    let open = match reopen(&place) {
        Ok(open) => open,
        Err(_) if may_be_written(&place, &found) => return Ok(unread(Unread::NoAnswer, stamp(&found))),
        // A program of others that may only be executed: it is told from another all the same.
        Err(error) => return Ok(unread(why(&error), stamp(&found))),
    };
    if is_foreign(&open)? {
        return Ok(unread(Unread::Foreign, stamp(&found)));
    }
    let mut bytes = Vec::new();
    if found.len() <= MAX_SCRIPT {
        open.take(MAX_SCRIPT + 1).read_to_end(&mut bytes)?;
    }
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if found.len() > MAX_SCRIPT || size > MAX_SCRIPT {
        let told = told_apart(&place, left)?;
        return Ok(told.map_or_else(|| unread(Unread::NoAnswer, stamp(&found)), |told| unread(Unread::TooLarge, told)));
    }
    let excerpt = b64_encode(bytes.get(..SCRIPT_EXCERPT).unwrap_or(&bytes));
    Ok(FileSeen::Read { size, digest: sha256(&bytes), excerpt })
}

/// What tells what is behind a link, also one of `/proc` that leads each process elsewhere: this one is where the
/// line will be. Nothing, where that is no file; [`told_apart`] says the rest.
fn behind(base: BorrowedFd<'_>, path: &str, left: &mut u64) -> io::Result<Option<String>> {
    if let Ok(behind) = open_at(base, path, OFlag::O_PATH) {
        return told_apart(&behind, left);
    }
    // Of descriptors (`/dev/stdin`) it has others than the line: only a file is one that a path may lead to.
    match nix::fcntl::open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map(File::from) {
        Ok(behind) if behind.metadata()?.is_file() => told_apart(&behind, left),
        Ok(_) | Err(_) => Ok(Some(String::new())),
    }
}

/// What tells a file that is not shown from another or a changed one; `None`
/// where that cannot be told.
fn told_apart(place: &File, left: &mut u64) -> io::Result<Option<String>> {
    let found = place.metadata()?;
    let stamp = stamp(&found);
    if !found.is_file() {
        return Ok(Some(stamp));
    }
    let Ok(open) = reopen(place) else { return Ok(Some(stamp).filter(|_| !may_be_written(place, &found))) };
    // What it holds is said to be unknown there.
    if is_foreign(&open)? {
        return Ok(Some(stamp));
    }
    if found.len() > *left {
        return told_by_time(place, &open);
    }
    *left -= found.len();
    let mut bytes = Vec::new();
    open.take(found.len().saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(format!("{stamp} {}", sha256(&bytes))))
}

/// As [`told_apart`], of a file that is too long to be read: by its time of
/// change, which tells where nobody has it open for writing already.
fn told_by_time(place: &File, open: &File) -> io::Result<Option<String>> {
    let found = open.metadata()?;
    match Unwritten::hold(open) {
        Ok(None) => Ok(None),
        Ok(Some(held)) => {
            let found = open.metadata()?;
            // One that is changed again within a tick of the clock would have the same time.
            sys::sleep_ms(TICK_MS);
            drop(held);
            Ok(Some(stamp(&found)))
        }
        // Of another's, to whom it is left.
        Err(error) if error.raw_os_error() == Some(nix::libc::EACCES) => {
            Ok(Some(stamp(&found)).filter(|_| !may_be_written(place, &found)))
        }
        Err(_) => Ok(Some(stamp(&found))),
    }
}

/// Opens a regular file that was looked at. One that is leased is not waited for.
fn reopen(place: &File) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let name = format!("/proc/self/fd/{}", place.as_raw_fd());
    Ok(File::from(nix::fcntl::open(name.as_str(), flags, Mode::empty())?))
}

/// Whether what is read there need not be what the line reads.
fn is_foreign(open: &File) -> io::Result<bool> {
    Ok([FUSE_SUPER_MAGIC, PROC_SUPER_MAGIC].contains(&fstatfs(open)?.filesystem_type()))
}

/// Whether the agent may have this file open for writing, whatever its mode says now.
fn may_be_written(place: &File, found: &Metadata) -> bool {
    let own = nix::unistd::geteuid().as_raw() == found.uid();
    own || faccessat(place, c"", AccessFlags::W_OK, AtFlags::AT_EMPTY_PATH).is_ok()
}

/// Opens a path from a directory on. `ELOOP` where a magic link is on the way.
fn open_at(base: BorrowedFd<'_>, path: &str, flags: OFlag) -> io::Result<File> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    Ok(File::from(openat2(base, path, how)?))
}

/// The kernel alone sets the time of change.
fn stamp(found: &Metadata) -> String {
    format!("{}:{}:{}:{}.{}", found.dev(), found.ino(), found.len(), found.ctime(), found.ctime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn file(path: &Path) -> FileSeen {
        files(Path::new("/"), &[path.to_str().unwrap().to_owned()]).remove(0)
    }

    fn why(path: &Path) -> Unread {
        match file(path) {
            FileSeen::Unread { why, .. } => why,
            FileSeen::Read { .. } => panic!("{} was read", path.display()),
        }
    }

    #[test]
    fn regular_files_are_read_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::write(at("x.sh"), "echo hi\n").unwrap();
        let FileSeen::Read { size, digest, excerpt } = file(&at("x.sh")) else { panic!("not read") };
        assert_eq!((size, digest, excerpt), (8, sha256(b"echo hi\n"), b64_encode(b"echo hi\n")));
        std::fs::write(at("long"), vec![b'x'; usize::try_from(MAX_SCRIPT).unwrap()]).unwrap();
        assert!(matches!(file(&at("long")), FileSeen::Read { size: MAX_SCRIPT, .. }));
        std::fs::write(at("longer"), vec![b'x'; usize::try_from(MAX_SCRIPT).unwrap() + 1]).unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        symlink("x.sh", at("link")).unwrap();
        symlink("round", at("round")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (name, want) in [
            ("longer", Unread::TooLarge),
            ("fifo", Unread::NotRegular),
            ("socket", Unread::NotRegular),
            (".", Unread::NotRegular),
            ("link", Unread::Link),
            ("round", Unread::Link),
            ("none", Unread::Missing),
            ("x.sh/none", Unread::Missing),
        ] {
            assert_eq!(why(&at(name)), want, "{name}");
        }
        assert_eq!(why(Path::new("/dev/zero")), Unread::NotRegular);
    }

    #[test]
    fn what_shows_each_reader_something_else_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("x.sh"), "echo hi\n").unwrap();
        symlink("/proc/self/cwd", place.path().join("here")).unwrap();
        symlink(".", place.path().join("same")).unwrap();
        let from = |path: &str| files(place.path(), &[path.to_owned()]).remove(0);
        assert!(matches!(from("x.sh"), FileSeen::Read { .. }));
        assert!(matches!(from("same/x.sh"), FileSeen::Read { .. }), "a plain link leads everybody to one place");
        assert_eq!(from("here/x.sh"), unread(Unread::Link, String::new()));
        assert_eq!(why(Path::new("/proc/self/root/etc/passwd")), Unread::Link);
        assert_eq!(why(Path::new("/proc/self/environ")), Unread::Foreign);
        let gone = files(&place.path().join("gone"), &["x.sh".to_owned(), "y.sh".to_owned()]);
        assert_eq!(gone, vec![unread(Unread::Missing, String::new()); 2]);
    }

    #[test]
    fn what_is_not_read_is_told_apart_all_the_same() {
        let place = tempfile::tempdir().unwrap();
        let (link, target) = (place.path().join("link"), place.path().join("target"));
        std::fs::write(&target, "one").unwrap();
        symlink("target", &link).unwrap();
        let before = file(&link);
        assert_eq!(before, file(&link));
        std::fs::write(&target, "other").unwrap();
        assert_ne!(before, file(&link), "what it leads to has changed");
    }
}
