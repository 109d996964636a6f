//! Walking to a file without being led astray: each step is opened relative to
//! the one before, and a link counts only in a directory that is root's alone.

use crate::doctor::facts::{Document, Kind, Known, Node, Walk, weak};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

/// Links that are followed at most.
const MAX_LINKS: usize = 40;
/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Walks to `path`.
pub fn walk(path: &Path) -> Known<Walk> {
    open(path).map(|(walk, _)| walk)
}

/// Walks to a file and reads it, where it is a regular file of at most 1 MiB.
pub fn read(path: &Path) -> Known<Document> {
    let (walk, last) = open(path)?;
    let regular = walk.target().is_some_and(|node| node.kind == Kind::File);
    let Some(last) = last.filter(|_| regular) else { return Ok(Document { walk, text: None }) };
    let text = text_of(&last).map_err(|e| cannot("read", path, &e))?;
    Ok(Document { walk, text: Some(text) })
}

/// Reads a file of the system: root's like everything above it. `None` where there is none.
pub fn system_file(path: &Path) -> Known<Option<String>> {
    let document = read(path)?;
    match weak(&document.walk.nodes, &[]) {
        Some(why) if document.walk.there => Err(format!("{} is not to be trusted: {why}", path.display())),
        Some(_) | None => Ok(document.text),
    }
}

/// Names in a directory, to be judged by the caller; none where it does not exist.
pub fn names_in(path: &Path) -> Known<Vec<OsString>> {
    let (walk, last) = open(path)?;
    let Some(fd) = last.filter(|_| walk.target().is_some_and(|node| node.kind == Kind::Directory)) else {
        return Ok(Vec::new());
    };
    let entries = std::fs::read_dir(again(&fd)).map_err(|e| cannot("list", path, &e))?;
    let mut names: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    Ok(names)
}

/// The text of a walked regular file, bounded. What is read is what was looked at.
fn text_of(fd: &OwnedFd) -> std::io::Result<String> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(again(fd))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn again(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {verb} {}: {error}", path.display())
}

/// The steps taken so far, each open.
struct Steps {
    open: Vec<(OwnedFd, Node)>,
    links: usize,
}

/// Walks, and keeps the last step open.
fn open(path: &Path) -> Known<(Walk, Option<OwnedFd>)> {
    let mut left: VecDeque<OsString> = names(path).into();
    if !path.is_absolute() {
        return Err(format!("{} is not an absolute path", path.display()));
    }
    let mut steps = Steps { open: vec![root()?], links: 0 };
    let mut there = true;
    while let Some(name) = left.pop_front() {
        if name == ".." {
            if steps.open.len() > 1 {
                steps.open.pop();
            }
            continue;
        }
        match steps.enter(&name)? {
            Step::Into => {}
            Step::Link(target) => {
                if target.is_absolute() {
                    steps.open.truncate(1);
                }
                names(&target).into_iter().rev().for_each(|name| left.push_front(name));
            }
            Step::Missing => {
                there = false;
                break;
            }
            Step::Refused => {
                there = left.is_empty();
                break;
            }
        }
    }
    let (mut fds, nodes): (Vec<_>, Vec<_>) = steps.open.into_iter().unzip();
    Ok((Walk { nodes, there }, fds.pop()))
}

enum Step {
    Into,
    Link(PathBuf),
    Missing,
    /// A link in a directory that is not root's alone: it stays the last node.
    Refused,
}

impl Steps {
    fn enter(&mut self, name: &OsString) -> Known<Step> {
        let Some((here, above)) = self.open.last() else { return Ok(Step::Missing) };
        let path = above.path.join(name);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = match openat(here, name.as_os_str(), flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Step::Missing),
            Err(errno) => return Err(cannot("look at", &path, &errno.into())),
        };
        let node = node(path, &fd)?;
        if node.kind != Kind::Link {
            self.open.push((fd, node));
            return Ok(Step::Into);
        }
        let above: Vec<Node> = self.open.iter().map(|(_, node)| node.clone()).collect();
        if weak(&above, &[]).is_some() || self.links >= MAX_LINKS {
            self.open.push((fd, node));
            return Ok(Step::Refused);
        }
        self.links += 1;
        let target = readlinkat(&fd, "").map_err(|errno| cannot("read", &node.path, &errno.into()))?;
        Ok(Step::Link(target.into()))
    }
}

fn root() -> Known<(OwnedFd, Node)> {
    let path = PathBuf::from("/");
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = nix::fcntl::open(&path, flags, Mode::empty()).map_err(|errno| cannot("open", &path, &errno.into()))?;
    let node = node(path, &fd)?;
    Ok((fd, node))
}

fn names(path: &Path) -> Vec<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn node(path: PathBuf, fd: &OwnedFd) -> Known<Node> {
    let found: FileStat = fstat(fd).map_err(|errno| cannot("look at", &path, &errno.into()))?;
    let form = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT;
    let kind = if form == SFlag::S_IFREG {
        Kind::File
    } else if form == SFlag::S_IFDIR {
        Kind::Directory
    } else if form == SFlag::S_IFLNK {
        Kind::Link
    } else {
        Kind::Other
    };
    let (uid, gid, mode) = (found.st_uid, found.st_gid, found.st_mode & 0o7777);
    Ok(Node { path, kind, uid, gid, mode, file: (found.st_dev, found.st_ino) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn follows_links_only_where_root_alone_can_make_them() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/etc/passwd", &link).unwrap();
        let found = walk(&link).unwrap();
        assert_eq!(found.target().unwrap().kind, Kind::Link, "/tmp is everybody's");
        assert_eq!(read(&link).unwrap().text, None);
        symlink("/etc", dir.path().join("dir")).unwrap();
        assert!(walk(&dir.path().join("dir/passwd")).unwrap().target().is_none());
    }

    #[test]
    fn says_what_is_there_and_what_is_not() {
        assert_eq!(walk(Path::new("/etc/passwd")).unwrap().target().unwrap().uid, 0);
        let missing = walk(Path::new("/etc/no-such/file")).unwrap();
        assert!(!missing.there && missing.nodes.last().unwrap().path == Path::new("/etc"));
        assert_eq!(walk(Path::new("/etc/../etc/passwd")).unwrap(), walk(Path::new("/etc/passwd")).unwrap());
        assert!(walk(Path::new("etc")).is_err());
        assert!(walk(Path::new("/etc/passwd/x")).unwrap().target().is_none());
    }

    #[test]
    fn a_fifo_does_not_hold_us_up() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR).unwrap();
        assert_eq!(read(&fifo).unwrap().text, None);
        assert!(system_file(&fifo).is_err());
    }
}
