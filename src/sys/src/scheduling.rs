//! How the scheduler treats this process.

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::io;

/// The shortest slice that Linux gives, in ns.
const SHORT_NS: u64 = 100_000;

/// What the kernel takes for its ordinary slices.
const USUAL: u64 = 0;

/// Makes this process one that the scheduler treats like any other: ordinary
/// policy and slices, every processor. False where it was made an idle one and
/// may not change that.
pub fn reset_scheduling() -> io::Result<bool> {
    let mut all = CpuSet::new();
    (0..CpuSet::count()).try_for_each(|cpu| all.set(cpu))?;
    // Where a system keeps processes on some processors it will not be told otherwise.
    let (Ok(()) | Err(_)) = sched_setaffinity(Pid::from_raw(0), &all);
    let ordinary = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a local structure that the call only reads.
    let changed = unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const ordinary) };
    // That leaves slices as they are.
    let (Ok(()) | Err(_)) = usual_slices();
    Ok(changed == 0)
}

/// Gives this thread, and what it starts from now on, the slices of everybody.
pub fn usual_slices() -> io::Result<()> {
    slices(USUAL)
}

/// Asks for short slices for this thread and what it starts from now on: it gets
/// its turn sooner and for less time, and no more of a processor than before
/// (sched_setattr(2), EEVDF). For what is waited for and does little at a time.
/// Linux before 6.12 takes no notice. Nothing but speed depends on it.
pub fn short_slices() -> io::Result<()> {
    slices(SHORT_NS)
}

fn slices(ns: u64) -> io::Result<()> {
    let mut now = attributes()?;
    if now.sched_policy != libc::SCHED_OTHER.unsigned_abs() {
        return Err(Errno::EINVAL.into());
    }
    now.sched_runtime = ns;
    // SAFETY: the pointer is to a local structure of the size that it says, which the call only reads.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const now, 0) };
    Ok(Errno::result(done).map(|_| ())?)
}

fn attributes() -> io::Result<libc::sched_attr> {
    const SIZE: usize = size_of::<libc::sched_attr>();
    // SAFETY: all bits zero are a value of this type.
    let mut found: libc::sched_attr = unsafe { std::mem::zeroed() };
    // SAFETY: `found` has room for the size that is given.
    let done = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut found, SIZE, 0) };
    Errno::result(done)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread of its own for each test: what is asked for is that thread's.
    fn alone(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    #[test]
    fn short_slices_change_nothing_else() {
        alone(|| {
            let before = attributes().unwrap();
            short_slices().unwrap();
            let after = attributes().unwrap();
            assert_eq!((after.sched_policy, after.sched_nice), (before.sched_policy, before.sched_nice));
            // 0 where this kernel does not tell slices, the slice before where it does not change them.
            assert!([0, SHORT_NS, before.sched_runtime].contains(&after.sched_runtime), "{}", after.sched_runtime);
            let inherited = std::thread::spawn(|| attributes().unwrap().sched_runtime).join().unwrap();
            assert_eq!(inherited, after.sched_runtime);
            usual_slices().unwrap();
            assert_eq!(attributes().unwrap().sched_runtime, before.sched_runtime);
        });
    }

    #[test]
    fn another_policy_stays() {
        alone(|| {
            let batch = libc::sched_param { sched_priority: 0 };
            // SAFETY: the pointer is to a local structure that the call only reads.
            assert_eq!(unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const batch) }, 0);
            assert!(short_slices().is_err());
            assert_eq!(attributes().unwrap().sched_policy, libc::SCHED_BATCH.unsigned_abs());
        });
    }
}
