//! Signals as something to wait for, never as handlers.

use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

pub use nix::sys::signal::Signal as Name;

/// The kernel's numbers of real-time signals.
const FIRST_REAL_TIME: libc::c_int = 32;
const LAST_SIGNAL: libc::c_int = 64;

/// Signals that arrive by reading instead of interrupting.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Forgets inherited dispositions and mask, ignores SIGPIPE and SIGXFSZ
    /// (the call then fails instead), SIGTSTP, SIGTTIN and SIGTTOU, and blocks `wanted`, which then arrive here.
    pub fn take_over(wanted: &[Signal]) -> io::Result<Self> {
        reset_dispositions()?;
        for unwanted in [Signal::SIGPIPE, Signal::SIGXFSZ, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
            set(unwanted, SigHandler::SigIgn)?;
        }
        let mut mask = SigSet::empty();
        wanted.iter().for_each(|name| mask.add(*name));
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
        Ok(Self(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal that is waiting, if any.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        let Some(info) = self.0.read_signal()? else { return Ok(None) };
        let number = i32::try_from(info.ssi_signo).map_err(io::Error::other)?;
        Ok(Some(Signal::try_from(number)?))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Every signal does what it does by default, and none is blocked.
pub fn reset() -> io::Result<()> {
    reset_dispositions()?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// Ends this process by a signal, as a program that it stands for was ended.
/// Returns where the signal does not end a process.
pub fn end_by(number: i32) -> io::Result<()> {
    reset()?;
    // SAFETY: raise takes a number only; its default action was restored above.
    let done = unsafe { libc::raise(number) };
    nix::errno::Errno::result(done)?;
    Ok(())
}

fn reset_dispositions() -> io::Result<()> {
    for name in Signal::iterator() {
        if name != Signal::SIGKILL && name != Signal::SIGSTOP {
            set(name, SigHandler::SigDfl)?;
        }
    }
    (FIRST_REAL_TIME..=LAST_SIGNAL).try_for_each(unignore)
}

/// Undoes that a real-time signal is ignored, which is all that `execve` hands
/// down. By the bare system call: the C library keeps two of them to itself.
fn unignore(number: libc::c_int) -> io::Result<()> {
    // The kernel's structure: handler, flags, restorer, mask.
    let mut before = [0_u64; 4];
    let default = [0_u64; 4];
    let none = std::ptr::null::<u64>();
    // SAFETY: the kernel writes its 32 bytes into a local array of that size.
    let asked = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, none, before.as_mut_ptr(), size_of::<u64>()) };
    nix::errno::Errno::result(asked)?;
    if before.first().copied() == u64::try_from(libc::SIG_IGN).ok() {
        let set = default.as_ptr();
        // SAFETY: the kernel reads 32 bytes of a local array; the action is its default, not a function.
        let done = unsafe { libc::syscall(libc::SYS_rt_sigaction, number, set, none, size_of::<u64>()) };
        nix::errno::Errno::result(done)?;
    }
    Ok(())
}

fn set(name: Signal, action: SigHandler) -> io::Result<()> {
    // SAFETY: the action is a constant of the kernel, not a function that could run at a bad moment.
    unsafe { signal(name, action) }?;
    Ok(())
}
