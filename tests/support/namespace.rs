//! A private view of the file system for one test: an `/etc` of its own with accounts of its own, empty `/run`,
//! `/srv` and `/var/log`. Nothing of it reaches the machine, and it is gone with the last process in it,
//! so a killed test leaves only processes; the next one ends those.

use std::fs;
use std::io::ErrorKind::NotFound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::run::{LIMIT, eventually, run};
use crate::scratch::Scratch;
use crate::skips::skipped;

/// Names the owner of a namespace, inside it.
const OWNER_FILE: &str = "etc/countersign-test-owner";

/// Whether this test may make namespaces and accounts. Without root it fails, unless a person has set
/// `COUNTERSIGN_TESTS_NO_ROOT=1`; then it says so and remembers the name for tests/check.sh.
pub fn may_enter() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        std::env::var_os("COUNTERSIGN_TESTS_NO_ROOT").is_some_and(|value| value == "1"),
        "{test} needs root: it makes a mount namespace, accounts and a setuid program. Run tests/check.sh, which uses sudo, or set COUNTERSIGN_TESTS_NO_ROOT=1 to do without this test"
    );
    skipped("needs root, and COUNTERSIGN_TESTS_NO_ROOT is set");
    false
}

/// The namespace that this thread has entered. Every process in it is killed when dropped.
pub struct Namespace {
    id: PathBuf,
}

impl Namespace {
    /// Moves this thread, and what it starts from now on, into a new one.
    pub fn enter() -> Self {
        end_stale();
        unshare(CloneFlags::CLONE_NEWNS).expect("a new mount namespace");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).expect("private /");
        copy_over("/etc");
        // Where the product is installed, its own files are none of this test's.
        for dir in ["/etc/countersign", "/etc/ssh/authorized_keys.d"] {
            fs::remove_dir_all(dir)
                .or_else(|error| if error.kind() == NotFound { Ok(()) } else { Err(error) })
                .expect(dir);
        }
        for dir in ["/run", "/srv", "/var/log"] {
            cover(Path::new(dir), "mode=755");
        }
        for dir in ["/run/sshd", "/run/lock"] {
            fs::create_dir(dir).expect("directory in /run");
        }
        let own = std::process::id();
        fs::write(Path::new("/").join(OWNER_FILE), format!("{own} {}", started(own).expect("this process")))
            .expect("owner file");
        Self { id: mount_namespace("thread-self").expect("own namespace") }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let own = std::process::id();
        eventually("the test's processes to end", LIMIT, || {
            let left: Vec<_> = processes()
                .filter(|pid| *pid != own && mount_namespace(&pid.to_string()).is_some_and(|id| id == self.id))
                .collect();
            left.iter().for_each(|pid| end(*pid));
            left.is_empty().then_some(())
        });
    }
}

/// Mounts an empty tmpfs over a directory, e.g. with `size=4m,mode=700`.
pub fn cover(dir: &Path, options: &str) {
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some(options))
        .unwrap_or_else(|error| panic!("tmpfs on {}: {error}", dir.display()));
}

/// Replaces a directory by a copy of itself.
fn copy_over(dir: &str) {
    let scratch = Scratch::new();
    cover(scratch.path(), "mode=755");
    run(Command::new("cp").arg("-a").arg(format!("{dir}/.")).arg(scratch.path())).expect(0);
    // Moved, not bound: the scratch directory is emptied when it is dropped.
    mount(Some(scratch.path()), dir, None::<&str>, MsFlags::MS_MOVE, None::<&str>).expect("the copy in place");
}

/// Ends what tests that are no more have left in their namespaces.
fn end_stale() {
    for pid in processes() {
        let owner = Path::new("/proc").join(pid.to_string()).join("root").join(OWNER_FILE);
        let Ok(owner) = fs::read_to_string(owner) else { continue };
        let Some((owner, start)) = owner.split_once(' ') else { continue };
        let alive = owner.parse().ok().and_then(started).is_some_and(|now| now == start);
        if !alive {
            end(pid);
        }
    }
}

fn end(pid: u32) {
    // It may have ended by itself.
    kill(Pid::from_raw(i32::try_from(pid).expect("a pid")), Signal::SIGKILL).ok();
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn mount_namespace(process: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/mnt")).ok()
}

/// When a process was started, in clock ticks: with its id, its name for ever.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// Owner and mode of a file, e.g. `0:0 644`.
pub fn owner_and_mode(path: &Path) -> String {
    let data = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    format!("{}:{} {:o}", data.uid(), data.gid(), data.mode() & 0o7777)
}
