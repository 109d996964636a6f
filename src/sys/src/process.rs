//! Forking, reaping and ending processes.

use crate::descriptors::{Wanted, poll};
use crate::identity::{Uids, set_uids};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{ForkResult, Pid};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How long, and how often at least, [`end_tree`] kills what it finds: each round
/// finds what was forked during the one before.
const KILL: Duration = Duration::from_millis(500);
const KILL_ROUNDS: usize = 4;
/// After so many rounds with nothing but what another user started it is over.
const QUIET_ROUNDS: usize = 5;
/// So many processes are looked at in one walk.
const WALKED: usize = 1024;
/// So many are reaped before something else is done: where children end faster
/// than they are reaped, there is always one more.
pub const REAPED_AT_ONCE: usize = 256;
/// Where [`end_tree`] has reaped so many in one round, and for so long, and there are more, it is a flood. Time alone
/// says nothing: on a busy machine this process may have stood still.
const FLOOD: usize = 2_000;
const REAPING: Duration = Duration::from_millis(50);
/// How long [`end_user`] tries to fork where there is no number left for a process.
const FORKING: Duration = Duration::from_secs(3);
/// How long [`end_user`] waits for its child.
const USER_MS: u64 = 200;
/// The kernel's mark of a process that was forked and has executed nothing
/// since (`PF_FORKNOEXEC`), and its field in `/proc/PID/stat` after the name.
const FORKED_ONLY: u64 = 0x40;
const FLAGS_FIELD: usize = 6;

/// Which side of a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The parent, with the child's id.
    Parent(i32),
    /// The child.
    Child,
}

/// Forks. Refused where the process has more than one thread, since the child
/// would inherit locks that nobody releases.
pub fn fork() -> io::Result<Forked> {
    if std::fs::read_dir("/proc/self/task").map(Iterator::count).unwrap_or(1) > 1 {
        return Err(io::Error::other("fork in a process with several threads"));
    }
    // SAFETY: the process has one thread, as counted above, so the child may do anything.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent(child.as_raw())),
        ForkResult::Child => Ok(Forked::Child),
    }
}

/// No other process of the same user may trace or read this one.
pub fn dumpable_off() -> io::Result<()> {
    nix::sys::prctl::set_dumpable(false)?;
    Ok(())
}

/// Orphans below this process become its children.
pub fn subreaper() -> io::Result<()> {
    nix::sys::prctl::set_child_subreaper(true)?;
    Ok(())
}

/// The kernel kills this process when its parent ends. A change of uid undoes
/// it. Fails where the parent is already gone.
pub fn parent_death_signal(parent: i32) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Some(Signal::SIGKILL))?;
    if nix::unistd::getppid().as_raw() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
}

/// Collects one child that has ended; `None` where none has.
pub fn reap() -> io::Result<Option<(i32, ExitStatus)>> {
    let mut status = 0;
    // SAFETY: the pointer is to a local integer that outlives the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    match Errno::result(pid) {
        Ok(0) | Err(Errno::ECHILD | Errno::EINTR) => Ok(None),
        Ok(pid) => Ok(Some((pid, ExitStatus::from_raw(status)))),
        Err(error) => Err(error.into()),
    }
}

/// Whether a signal has stopped a child that was not looked at since.
pub fn was_stopped(pid: i32) -> io::Result<bool> {
    match waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG) {
        Ok(state) => Ok(matches!(state, WaitStatus::Stopped(..))),
        Err(Errno::ECHILD | Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits for one child to end.
pub fn wait(pid: i32) -> io::Result<()> {
    nix::sys::wait::waitpid(Pid::from_raw(pid), None)?;
    Ok(())
}

/// Sends SIGKILL to one child that was not reaped yet.
pub fn kill_child(pid: i32) -> io::Result<()> {
    Ok(kill(Pid::from_raw(pid), Signal::SIGKILL)?)
}

/// Kills one child, stopped or not, and reaps it; whether it had executed a
/// program since it was forked. Where the kernel does not tell, it had. Only a
/// wait inside the kernel that no signal interrupts takes longer than
/// `within_ms`; the child is then left to be reaped.
pub fn end_child(pid: i32, within_ms: u64) -> io::Result<(bool, ExitStatus)> {
    // It may have ended by itself; what counts is that it is there to be reaped.
    let (Ok(()) | Err(_)) = kill_child(pid);
    if ends_within(pid, within_ms)? {
        // Nothing about it changes any more.
        let executed = !forked_only(pid);
        return reap_child(pid).map(|status| (executed, status));
    }
    // It does not get back from the kernel; when it does, the signal comes first.
    Ok((true, ExitStatus::from_raw(libc::SIGKILL)))
}

/// Waits until one child has ended and leaves it to be reaped; false where it
/// takes longer.
fn ends_within(pid: i32, within_ms: u64) -> io::Result<bool> {
    let until = Instant::now() + Duration::from_millis(within_ms);
    // Its number stays its own until it is reaped.
    let mut handle = pidfd(pid).ok();
    loop {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        match waitid(Id::Pid(Pid::from_raw(pid)), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) if left == 0 => return Ok(false),
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => match handle.take() {
                Some(ended) => {
                    let ready = poll(&[(ended.as_fd(), Wanted::Read)], u32::try_from(left).ok());
                    // Where it has ended and is not ours to reap yet (somebody traces it), and where nobody says
                    // anything, it is looked for.
                    handle = ready.is_ok_and(|ready| ready.iter().all(|one| !one.readable)).then_some(ended);
                }
                None => crate::sleep_ms(1),
            },
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A descriptor that can be read when the process has ended.
fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes numbers only.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn forked_only(pid: i32) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let flags = text.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(FLAGS_FIELD));
    flags.and_then(|word| word.parse::<u64>().ok()).is_some_and(|flags| flags & FORKED_ONLY != 0)
}

fn reap_child(pid: i32) -> io::Result<ExitStatus> {
    let mut status = 0;
    // SAFETY: the pointer is to a local integer that outlives the call.
    let done = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    Errno::result(done)?;
    Ok(ExitStatus::from_raw(status))
}

/// The children of a process, from `/proc/PID/task/*/children`. Empty where it
/// is gone.
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|w| w.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// Everything below a process, nearest first; in a flood of processes only a part.
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut found = children(pid);
    found.truncate(WALKED);
    let mut known: BTreeSet<i32> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(at) = found.get(next).copied().filter(|_| next < WALKED) {
        found.extend(children(at).into_iter().filter(|child| known.insert(*child)));
        next += 1;
    }
    found
}

/// Sends a signal to everything below this process.
pub fn signal_tree(name: Signal) {
    for pid in descendants(nix::unistd::getpid().as_raw()) {
        // It may have ended, and what another user started is not ours to signal.
        let (Ok(()) | Err(_)) = kill(Pid::from_raw(pid), name);
    }
}

/// Whether this process has no child, ended or not. What a child leaves behind
/// becomes a child of a subreaper before that one is gone.
fn is_childless() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    waitid(Id::All, flags) == Err(Errno::ECHILD)
}

/// Kills and reaps everything below this process, which must be a subreaper;
/// hands each one to `ended`. Gives up on what it may not signal. False where
/// something forks faster than it is found, or is behind too many others.
pub fn end_tree(mut ended: impl FnMut(i32, ExitStatus)) -> bool {
    let until = Instant::now() + KILL;
    let mut known = BTreeSet::new();
    let mut quiet = 0;
    for round in 1.. {
        // First of all: what has ended would be looked at, too.
        let (reaping, mut reaped, mut flood) = (Instant::now(), 0usize, false);
        while !flood && let Ok(Some((pid, status))) = reap() {
            ended(pid, status);
            reaped += 1;
            flood = reaped >= FLOOD && reaping.elapsed() > REAPING;
        }
        let found = descendants(nix::unistd::getpid().as_raw());
        let others = |pid: &&i32| kill(Pid::from_raw(**pid), Signal::SIGKILL) == Err(Errno::EPERM);
        // The list of children is read while they come and go, and may miss some or all of them; whether
        // there is any child at all the kernel tells for sure.
        quiet = if found.iter().filter(others).count() == found.len() { quiet + 1 } else { 0 };
        // Behind so many there may be more, and nothing is known of those.
        let whole = !found.is_empty() && found.len() < WALKED;
        let over = is_childless() || (quiet >= QUIET_ROUNDS && whole);
        let fresh = found.iter().filter(|pid| known.insert(**pid)).count() > 0;
        if flood {
            // To look at so many one by one, round for round, takes longer than they live.
            return false;
        }
        if over || (round >= KILL_ROUNDS && Instant::now() >= until) {
            // What was killed before and is still there waits inside the kernel.
            return over || (!fresh && whole);
        }
        crate::sleep_ms(2);
    }
    false
}

/// Kills every process of a user at once. A child becomes that user for good
/// and says so to the kernel, which lets no fork of theirs through meanwhile.
/// The process must have one thread. What forks all the time may have used up
/// the numbers of processes: then what has ended is reaped, and handed to `ended`.
pub fn end_user(uid: u32, mut ended: impl FnMut(i32, ExitStatus)) -> io::Result<()> {
    let begun = Instant::now();
    let forked = loop {
        match fork() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && begun.elapsed() < FORKING => {
                for _ in 0..REAPED_AT_ONCE {
                    let Ok(Some((pid, status))) = reap() else { break };
                    ended(pid, status);
                }
            }
            forked => break forked?,
        }
    };
    match forked {
        Forked::Child => {
            let done = set_uids(Uids { real: uid, effective: uid, saved: uid })
                .and_then(|()| Ok(kill(Pid::from_raw(-1), Signal::SIGKILL)?));
            std::process::exit(i32::from(done.is_err()))
        }
        Forked::Parent(pid) => {
            // Ended or not, nobody waits for it any longer.
            let (Ok(_) | Err(_)) = ends_within(pid, USER_MS);
            end_child(pid, USER_MS).map(|_| ())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_fork_beside_other_threads() {
        let other = std::thread::spawn(|| crate::sleep_ms(200));
        assert!(fork().is_err());
        other.join().unwrap();
    }

    #[test]
    fn a_stopped_child_is_killed_and_reaped() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
        let (executed, status) = end_child(pid, 5000).unwrap();
        assert!(executed);
        assert_eq!(status.signal(), Some(9));
        assert!(child.wait().is_err(), "it was reaped already");
    }

    #[test]
    fn a_child_that_is_stopped_is_seen_once() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(!was_stopped(pid).unwrap());
        kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
        let seen = (0..2000).any(|_| {
            was_stopped(pid).unwrap() || {
                crate::sleep_ms(1);
                false
            }
        });
        assert!(seen && !was_stopped(pid).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!was_stopped(pid).unwrap(), "it is no child any more");
    }

    #[test]
    fn an_end_is_waited_for_and_left_to_be_reaped() {
        let mut reading = std::process::Command::new("sh");
        let mut child = reading.args(["-c", "read _"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(!ends_within(pid, 20).unwrap(), "it still reads");
        drop(child.stdin.take());
        assert!(ends_within(pid, 10_000).unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(1), "it is still there to be reaped");
        assert_eq!(ends_within(pid, 10_000).unwrap_err().raw_os_error(), Some(nix::libc::ECHILD));
    }

    #[test]
    fn finds_descendants() {
        let mut shell = std::process::Command::new("sh").args(["-c", "sleep 30 & sleep 30 & wait"]).spawn().unwrap();
        let pid = i32::try_from(shell.id()).unwrap();
        let mut found = Vec::new();
        for _ in 0..200 {
            found = descendants(pid);
            if found.len() == 2 {
                break;
            }
            crate::sleep_ms(10);
        }
        assert_eq!(found.len(), 2);
        found.into_iter().for_each(|p| kill(Pid::from_raw(p), Signal::SIGKILL).unwrap());
        shell.wait().unwrap();
        assert!(children(pid).is_empty());
    }
}
