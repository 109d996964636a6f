//! A process that other processes of its user need not fear: it may neither
//! trace them nor reach their memory, not by `/proc/PID/mem` either.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// landlock(7): what a domain of ours takes away is the making of block devices,
/// which is root's anyhow; that it is a domain is what counts. Links and renames
/// from one directory to another would go with it unless they are given back.
const MAKE_BLOCK: u64 = 1 << 11;
const REFER: u64 = 1 << 13;
/// The first version in which they can be.
const LEAST_VERSION: libc::c_long = 2;
const ASK_VERSION: libc::c_uint = 1;
const PATH_BENEATH: libc::c_int = 1;

/// Sets this process apart from those outside, for good; it gets no more rights
/// by executing a program either. False where the kernel has nothing to do so.
pub fn apart() -> io::Result<bool> {
    let none = std::ptr::null::<u64>();
    // SAFETY: asked for its version the kernel reads nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, ASK_VERSION) };
    match Errno::result(version) {
        Ok(version) if version >= LEAST_VERSION => {}
        Ok(_) | Err(Errno::ENOSYS | Errno::EOPNOTSUPP) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let handled = MAKE_BLOCK | REFER;
    let attribute = &raw const handled;
    // SAFETY: the attribute is one word, of which the size is told, and outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attribute, size_of::<u64>(), 0) };
    let number = RawFd::try_from(Errno::result(made)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, so nobody else owns it.
    let rules = unsafe { OwnedFd::from_raw_fd(number) };
    let root = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    // Packed: a word, then a descriptor.
    let mut rule = [0u8; 12];
    let bytes = handled.to_ne_bytes().into_iter().chain(root.as_raw_fd().to_ne_bytes());
    rule.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    // SAFETY: the rule has the bytes that this kind of rule has, and outlives the call.
    let added =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), PATH_BENEATH, rule.as_ptr(), 0) };
    Errno::result(added)?;
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: this takes numbers only.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    Errno::result(done)?;
    Ok(true)
}
