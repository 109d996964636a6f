//! Which branch is checked out around a directory. git itself is never asked: its
//! configuration can name programs to run.
//!
//! Mostly that can be told without waiting for anything that the agent chose, by
//! the spawner itself, whose files are opened with the agent's rights. A child
//! ([`countersign_sys::errand`]) costs half a millisecond at each line.

use countersign_sys::directory::is_on_disk_or_in_memory;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How far above the working directory a `.git` is looked for.
const MAX_UP: usize = 32;
/// Longest `HEAD` or `.git` file, in bytes.
const MAX_HEAD: u64 = 4096;
/// Longest name of a branch that is told, in bytes.
const MAX_BRANCH: usize = 255;

/// The branch at or above a directory, where the kernel remembers the way and no
/// server or program can be asked: `None` where only [`branch`] can tell, which
/// may wait for ever. Says what that says.
pub fn branch_at_once(directory: &Path) -> Option<Option<String>> {
    if !directory.is_absolute() {
        return None;
    }
    for above in directory.ancestors().take(MAX_UP) {
        match openat2(AT_FDCWD, &above.join(".git"), remembered(OFlag::O_PATH, ResolveFlag::empty())) {
            Ok(git) if is_on_disk_or_in_memory(git.as_fd()) => {
                let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
                let head = openat2(git.as_fd(), "HEAD", remembered(flags, ResolveFlag::RESOLVE_NO_XDEV)).ok()?;
                return Some(text(head.into()).as_deref().and_then(named));
            }
            // None here, and nobody was asked.
            Err(Errno::ENOENT) => {}
            Ok(_) | Err(_) => return None,
        }
    }
    Some(None)
}

/// Opens what the kernel remembers the way to, without a link anywhere
/// (`RESOLVE_CACHED`, openat2(2), since Linux 5.12): fails where it would have to
/// ask a disk or a server for a name.
fn remembered(flags: OFlag, further: ResolveFlag) -> OpenHow {
    let cached = ResolveFlag::from_bits_retain(nix::libc::RESOLVE_CACHED);
    let resolve = cached | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS | further;
    OpenHow::new().flags(flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).resolve(resolve)
}

/// The branch that is checked out at or above a directory, or its commit.
pub fn branch(base: &Path) -> Option<String> {
    let mut directory = base.to_owned();
    let mut before = None;
    for _ in 0..MAX_UP {
        let here = std::fs::metadata(&directory).ok()?;
        let identity = (here.dev(), here.ino());
        if before == Some(identity) {
            return None;
        }
        before = Some(identity);
        let git = directory.join(".git");
        match std::fs::symlink_metadata(&git) {
            Ok(found) if found.is_dir() => return head(&git),
            // A worktree or a submodule: the file says where its HEAD is.
            Ok(found) if found.is_file() => {
                let text = small(&git)?;
                let named = PathBuf::from(text.strip_prefix("gitdir:")?.trim());
                return head(&directory.join(named));
            }
            // A link, or something stranger: not followed.
            Ok(_) => return None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => directory.push(".."),
            Err(_) => return None,
        }
    }
    None
}

fn head(git: &Path) -> Option<String> {
    named(&small(&git.join("HEAD"))?)
}

/// What a `HEAD` names.
pub fn named(text: &str) -> Option<String> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let name = match line.strip_prefix("ref:") {
        Some(named) => named.trim().strip_prefix("refs/heads/")?,
        None if matches!(line.len(), 40 | 64) && line.bytes().all(|b| b.is_ascii_hexdigit()) => line,
        None => return None,
    };
    let plain = !name.is_empty() && name.len() <= MAX_BRANCH && !name.chars().any(char::is_control);
    plain.then(|| name.to_owned())
}

/// A short regular file as text.
fn small(path: &Path) -> Option<String> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    text(OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?)
}

/// The text of a short regular file.
fn text(open: File) -> Option<String> {
    let found = open.metadata().ok()?;
    if !found.is_file() || found.len() > MAX_HEAD {
        return None;
    }
    let mut text = String::new();
    open.take(MAX_HEAD).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// The branch, which both must tell that tell one.
    fn same(place: &Path) -> Option<String> {
        let found = branch(place);
        let at_once = branch_at_once(place);
        assert!(at_once.is_none() || at_once == Some(found.clone()), "{at_once:?} and {found:?}");
        found
    }

    #[test]
    fn no_repository_is_told_from_memory() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let remembered = |place: &Path| {
            assert_eq!(branch(place), None);
            branch_at_once(place) == Some(None)
        };
        assert!(remembered(&deep), "{deep:?}");
        assert!(!remembered(Path::new("a")), "relative to what?");
        assert!(remembered(&place.path().join("gone")), "there is none in what is not there");
        // Whatever it is, the closer look tells.
        symlink("/etc", place.path().join(".git")).unwrap();
        assert!(!remembered(&deep));
        assert!(!remembered(place.path()));
    }

    #[test]
    fn a_branch_is_told_from_memory() {
        // In memory whatever the rest of this machine is on. Of what is not there tmpfs remembers nothing.
        let place = tempfile::tempdir_in("/dev/shm").unwrap();
        let (here, git) = (place.path(), place.path().join(".git"));
        std::fs::create_dir(&git).unwrap();
        for (text, told) in [
            ("ref: refs/heads/main\n", Some("main")),
            ("ref: refs/heads/feature/x", Some("feature/x")),
            ("root:x:0:0\n", None),
            ("ref: refs/heads/a\x1b[2J\n", None),
        ] {
            std::fs::write(git.join("HEAD"), text).unwrap();
            assert_eq!(branch_at_once(here), Some(told.map(str::to_owned)), "{text:?}");
            assert_eq!(same(here).as_deref(), told);
        }
        // A link is not followed, and a FIFO not waited for: the closer look says so.
        std::fs::rename(git.join("HEAD"), git.join("else")).unwrap();
        symlink("else", git.join("HEAD")).unwrap();
        assert_eq!(branch_at_once(here), None);
        std::fs::remove_file(git.join("HEAD")).unwrap();
        nix::unistd::mkfifo(&git.join("HEAD"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(branch_at_once(here), Some(None));
        std::fs::remove_dir_all(&git).unwrap();
        // A worktree's file.
        std::fs::write(&git, "gitdir: elsewhere\n").unwrap();
        assert_eq!(branch_at_once(here), None);
    }

    #[test]
    fn nobody_is_asked_for_a_branch() {
        // Stands for every file system that may take its time: there is no HEAD in it.
        let place = tempfile::tempdir_in("/dev/shm").unwrap();
        symlink("/proc/self", place.path().join(".git")).unwrap();
        assert_eq!(branch_at_once(place.path()), None);
    }

    #[test]
    fn finds_the_branch() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::create_dir_all(at("repo/.git/worktrees/w")).unwrap();
        std::fs::create_dir_all(at("repo/deep/er")).unwrap();
        std::fs::create_dir_all(at("w")).unwrap();
        std::fs::write(at("repo/.git/HEAD"), "ref: refs/heads/feature/x\n").unwrap();
        std::fs::write(at("repo/.git/worktrees/w/HEAD"), "0123456789012345678901234567890123456789\n").unwrap();
        std::fs::write(at("w/.git"), "gitdir: ../repo/.git/worktrees/w\n").unwrap();
        let branch = |place: &Path| same(place);
        assert_eq!(branch(&at("repo")).as_deref(), Some("feature/x"));
        assert_eq!(branch(&at("repo/deep/er")).as_deref(), Some("feature/x"));
        assert_eq!(branch(&at("w")).unwrap().len(), 40);
        assert_eq!(branch(&at("none")), None);
    }

    #[test]
    fn a_hostile_git_says_nothing() {
        let place = tempfile::tempdir().unwrap();
        let with = |name: &str, make: &dyn Fn(&Path)| {
            let at = place.path().join(name);
            std::fs::create_dir(&at).unwrap();
            make(&at.join(".git"));
            assert_eq!(same(&at), None, "{name}");
        };
        with("loop", &|git| symlink(".git", git).unwrap());
        with("link", &|git| symlink("/etc", git).unwrap());
        with("fifo", &|git| nix::unistd::mkfifo(git, nix::sys::stat::Mode::S_IRWXU).unwrap());
        with("secret", &|git| std::fs::write(git, "gitdir: /etc/passwd").unwrap());
        with("empty", &|git| std::fs::create_dir(git).unwrap());
        let head = |text: &'static str| {
            move |git: &Path| {
                std::fs::create_dir(git).unwrap();
                std::fs::write(git.join("HEAD"), text).unwrap();
            }
        };
        with("text", &head("root:x:0:0\n"));
        with("two", &head("ref: refs/heads/a\nb\n"));
        with("control", &head("ref: refs/heads/a\x1b[2J\n"));
        with("long", &|git| {
            std::fs::create_dir(git).unwrap();
            std::fs::write(git.join("HEAD"), format!("ref: refs/heads/{}\n", "x".repeat(5000))).unwrap();
        });
        with("link to a head", &|git| {
            std::fs::create_dir(git).unwrap();
            symlink("/etc/passwd", git.join("HEAD")).unwrap();
        });
    }
}
