//! A process that only computes: it keeps one descriptor and its memory, and
//! the kernel kills it at any other system call.

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the system calls of this architecture are not known here");

/// System calls from here on belong to another table (x32).
const OTHER_TABLE: u32 = 0x4000_0000;

/// Where the fields of `struct seccomp_data` are.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const THIRD_ARGUMENT_AT: u32 = 32;

/// What a computing process needs: its descriptor, memory, randomness, an end.
const ALLOWED: [libc::c_long; 13] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigreturn,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What else could be had of this kernel and these limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// Landlock forbids the file system and the network as well.
    pub landlock: bool,
    /// Its memory is never written to a swap device.
    pub memory: bool,
}

/// Locks this process in for good: `keep` becomes its only descriptor, nobody
/// of the same user can trace it or read its memory, it leaves no core, and
/// any system call beyond computing and reading and writing kills it. The
/// process must have one thread. On an error it must end.
pub fn lock_in(keep: OwnedFd) -> io::Result<(File, Locked)> {
    if std::fs::read_dir("/proc/self/task")?.count() > 1 {
        return Err(io::Error::other("this process has several threads and cannot be locked in"));
    }
    crate::dumpable_off()?;
    // What is not dumpable leaves no core either, where this may not be set.
    let (Ok(()) | Err(_)) = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    nix::sys::prctl::set_no_new_privs()?;
    nix::unistd::dup2_stdin(&keep)?;
    drop(keep);
    let landlock = landlock()?;
    // SAFETY: close_range takes no pointer, and no descriptor from 1 on is used after it.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0) })?;
    let memory = lock_memory();
    forbid()?;
    // SAFETY: descriptor 0 was made above and nothing else in this process owns it.
    let kept = unsafe { File::from_raw_fd(0) };
    Ok((kept, Locked { landlock, memory }))
}

/// Whether all memory of the process stays in memory. Needs a limit that allows it.
fn lock_memory() -> bool {
    let raised =
        getrlimit(Resource::RLIMIT_MEMLOCK).and_then(|(_, most)| setrlimit(Resource::RLIMIT_MEMLOCK, most, most));
    raised.is_ok() && mlockall(MlockAllFlags::MCL_CURRENT).is_ok()
}

#[repr(C)]
struct Ruleset {
    files: u64,
    network: u64,
    scopes: u64,
}

/// Rights that each version of landlock knows, and the length of its ruleset.
fn ruleset(version: libc::c_long) -> (Ruleset, usize) {
    let files = match version {
        1 => (1 << 13) - 1,
        2 => (1 << 14) - 1,
        3 | 4 => (1 << 15) - 1,
        _ => (1 << 16) - 1,
    };
    let (network, scopes) = (if version >= 4 { 0b11 } else { 0 }, if version >= 6 { 0b11 } else { 0 });
    let length = match version {
        1..=3 => 8,
        4 | 5 => 16,
        _ => 24,
    };
    (Ruleset { files, network, scopes }, length)
}

/// Forbids the file system, TCP and what else landlock can; `false` where the kernel has none.
fn landlock() -> io::Result<bool> {
    // SAFETY: with a null pointer, length 0 and flag 1 the call only tells its version.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0usize, 1u32) };
    match Errno::result(version) {
        Ok(_) => {}
        Err(Errno::ENOSYS | Errno::EOPNOTSUPP) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let (rules, length) = ruleset(version);
    // SAFETY: the pointer is to a local of at least this length that outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const rules, length, 0u32) };
    let made = i32::try_from(Errno::result(made)?).map_err(io::Error::other)?;
    // SAFETY: the descriptor was just made by the kernel and nothing else owns it.
    let made = unsafe { OwnedFd::from_raw_fd(made) };
    let number = std::os::fd::AsRawFd::as_raw_fd(&made);
    // SAFETY: the call takes the number of an open descriptor and no pointer.
    Errno::result(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, number, 0u32) })?;
    Ok(true)
}

fn step(code: u32, k: u32, yes: u8, no: u8) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt: yes, jf: no, k }
}

/// The filter: other tables and executable memory are forbidden, [`ALLOWED`] is not.
fn filter() -> io::Result<Vec<libc::sock_filter>> {
    let load = |at| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0);
    let give = |what| step(libc::BPF_RET | libc::BPF_K, what, 0, 0);
    let (kill, allow) = (libc::SECCOMP_RET_KILL_PROCESS, libc::SECCOMP_RET_ALLOW);
    let equal = |k, yes, no| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k, yes, no);
    let number = |call: libc::c_long| u32::try_from(call).map_err(io::Error::other);
    let execute = u32::try_from(libc::PROT_EXEC).map_err(io::Error::other)?;
    let mut steps = vec![load(ARCHITECTURE_AT), equal(ARCHITECTURE, 1, 0), give(kill), load(NUMBER_AT)];
    steps.extend([step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, OTHER_TABLE, 0, 1), give(kill)]);
    for call in ALLOWED {
        steps.extend([equal(number(call)?, 0, 1), give(allow)]);
    }
    steps.extend([equal(number(libc::SYS_mmap)?, 1, 0), give(kill), load(THIRD_ARGUMENT_AT)]);
    steps.extend([step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, execute, 0, 1), give(kill), give(allow)]);
    Ok(steps)
}

fn forbid() -> io::Result<()> {
    let mut steps = filter()?;
    let program =
        libc::sock_fprog { len: u16::try_from(steps.len()).map_err(io::Error::other)?, filter: steps.as_mut_ptr() };
    // SAFETY: the program and its steps are locals that outlive the call, and the kernel copies them.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0u32, &raw const program) };
    Errno::result(done)?;
    Ok(())
}
