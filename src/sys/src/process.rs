//! Forking, reaping and ending processes.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Rounds of [`end_tree`]: each finds what was forked during the one before.
const KILL_ROUNDS: usize = 500;

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

/// Waits for one child to end.
pub fn wait(pid: i32) -> io::Result<()> {
    nix::sys::wait::waitpid(Pid::from_raw(pid), None)?;
    Ok(())
}

/// The children of a process, from `/proc/PID/task/*/children`. Empty where it
/// is gone.
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|w| w.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// Everything below a process, nearest first.
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(at) = found.get(next).copied() {
        for child in children(at) {
            if !found.contains(&child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

/// Sends a signal to everything below this process; how many took it.
pub fn signal_tree(name: Signal) -> usize {
    let all = descendants(nix::unistd::getpid().as_raw());
    all.into_iter().filter(|pid| kill(Pid::from_raw(*pid), name).is_ok()).count()
}

/// Kills and reaps everything below this process, which must be a subreaper;
/// hands each one to `ended`. Gives up on what it may not signal.
pub fn end_tree(mut ended: impl FnMut(i32, ExitStatus)) {
    for _ in 0..KILL_ROUNDS {
        let killed = signal_tree(Signal::SIGKILL);
        while let Ok(Some((pid, status))) = reap() {
            ended(pid, status);
        }
        if killed == 0 {
            return;
        }
        crate::sleep_ms(2);
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
