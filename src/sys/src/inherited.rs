//! What a program inherits and must not rely on: limits, umask, environment.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;
use std::io;

/// Limits that could make a recorder fail. The one on processes is counted for a
/// user: that of this program, which others run too.
const RAISED: [Resource; 4] =
    [Resource::RLIMIT_FSIZE, Resource::RLIMIT_NOFILE, Resource::RLIMIT_CPU, Resource::RLIMIT_NPROC];

/// Limits and umask as they were inherited: for a program that is started in
/// the caller's name.
#[derive(Debug, Clone)]
pub struct Inherited {
    limits: Vec<(Resource, u64, u64)>,
    umask: Mode,
}

impl Inherited {
    /// Replaces what was inherited: file size, descriptors, CPU time and processes
    /// up to the hard limits, no core files, umask 077.
    pub fn replace() -> io::Result<Self> {
        let mut limits = Vec::new();
        for which in RAISED {
            let (soft, hard) = getrlimit(which)?;
            setrlimit(which, hard, hard)?;
            limits.push((which, soft, hard));
        }
        let (soft, hard) = getrlimit(Resource::RLIMIT_CORE)?;
        setrlimit(Resource::RLIMIT_CORE, 0, hard)?;
        limits.push((Resource::RLIMIT_CORE, soft, hard));
        Ok(Self { limits, umask: umask(Mode::from_bits_truncate(0o077)) })
    }

    /// How large a file this process may write, in bytes.
    pub fn largest_file(&self) -> u64 {
        let hard = self.limits.iter().find(|(which, _, _)| *which == Resource::RLIMIT_FSIZE).map(|(_, _, hard)| *hard);
        hard.unwrap_or(u64::MAX)
    }

    /// The limits of a program that gets them back, as the kernel writes them
    /// (`/proc/PID/limits`). Nobody else could have changed these. Empty where one
    /// of them is that no file can be opened.
    pub fn limits(&self) -> io::Result<String> {
        self.restore()?;
        let text = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        Self::replace()?;
        Ok(text)
    }

    /// Puts back what was inherited, in a forked child.
    pub fn restore(&self) -> io::Result<()> {
        for (which, soft, hard) in &self.limits {
            setrlimit(*which, *soft, *hard)?;
        }
        umask(self.umask);
        Ok(())
    }
}

/// How late a wait may end, in ns, as the kernel has it in the beginning. Another
/// value is handed down, through `execve` too: with a long one no wait ends by its time.
const TIMER_SLACK_NS: libc::c_ulong = 50_000;

/// Makes this process one that the scheduler treats like any other: ordinary
/// policy, every processor, waits that end in time. False where it was made an
/// idle one and may not change that.
pub fn reset_scheduling() -> io::Result<bool> {
    let mut all = CpuSet::new();
    (0..CpuSet::count()).try_for_each(|cpu| all.set(cpu))?;
    // Where a system keeps processes on some processors it will not be told otherwise.
    let (Ok(()) | Err(_)) = sched_setaffinity(Pid::from_raw(0), &all);
    // SAFETY: this takes numbers only.
    let set = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK_NS) };
    nix::errno::Errno::result(set)?;
    let ordinary = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a local structure that the call only reads.
    let changed = unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const ordinary) };
    Ok(changed == 0)
}

/// Stops the timers that survive `execve`: an `alarm` of the caller would end
/// this process at a moment of the caller's choice.
pub fn stop_timers() -> io::Result<()> {
    let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let none = libc::itimerval { it_interval: zero, it_value: zero };
    for which in [libc::ITIMER_REAL, libc::ITIMER_VIRTUAL, libc::ITIMER_PROF] {
        // SAFETY: the first pointer is to a local structure that the call only reads; the second may be null.
        let done = unsafe { libc::setitimer(which, &raw const none, std::ptr::null_mut()) };
        nix::errno::Errno::result(done)?;
    }
    Ok(())
}

/// Empties the environment of this process. Must be called while it has one
/// thread.
pub fn clear_environment() -> io::Result<()> {
    // SAFETY: called while the process has one thread, so nobody reads the environment meanwhile.
    let done = unsafe { nix::env::clearenv() };
    done.map_err(|e| io::Error::other(e.to_string()))
}
