//! A process that other processes of its user need not fear: it may neither
//! trace them nor reach their memory, not by `/proc/PID/mem` either.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// landlock(7): what a domain of ours takes away is the making of block devices,
/// which is root's anyhow; that it is a domain is what counts. Links and renames
/// from one directory to another would go with it unless they are given back.
const MAKE_BLOCK: u64 = 1 << 11;
const REFER: u64 = 1 << 13;
/// Writing to files, removing and making what is in directories.
const WRITE_FILE: u64 = 1 << 1;
const WRITES: u64 = WRITE_FILE | 0b1_0111_1111_0000;
const TRUNCATE: u64 = 1 << 14;
/// The first version in which they can be given back, and that which knows of cutting files.
const LEAST_VERSION: libc::c_long = 2;
const TRUNCATE_VERSION: libc::c_long = 3;
const ASK_VERSION: libc::c_uint = 1;
const PATH_BENEATH: libc::c_int = 1;

/// Whether the kernel can set a process apart.
pub fn is_possible() -> bool {
    version().is_ok_and(|version| version >= LEAST_VERSION)
}

/// Sets this process apart from those outside, for good; it gets no more rights
/// by executing a program either. `below`: it may write nowhere but in this
/// directory and what is in it, a path without links. False where the kernel has
/// nothing to do so.
pub fn apart(below: Option<&Path>) -> io::Result<bool> {
    let version = match version() {
        Ok(version) if version >= LEAST_VERSION => version,
        Ok(_) | Err(Errno::ENOSYS | Errno::EOPNOTSUPP) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let truncate = if version >= TRUNCATE_VERSION { TRUNCATE } else { 0 };
    let base = MAKE_BLOCK | REFER;
    let handled = if below.is_some() { base | WRITES | truncate } else { base };
    let attribute = &raw const handled;
    // SAFETY: the attribute is one word, of which the size is told, and outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attribute, size_of::<u64>(), 0) };
    let number = RawFd::try_from(Errno::result(made)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, so nobody else owns it.
    let rules = unsafe { OwnedFd::from_raw_fd(number) };
    allow(&rules, base, &open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?)?;
    if let Some(below) = below {
        allow(&rules, handled, &without_links(below)?)?;
        allow(&rules, WRITE_FILE | truncate, &open("/dev/null", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?)?;
    }
    nix::sys::prctl::set_no_new_privs()?;
    // SAFETY: this takes numbers only.
    let done = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    Errno::result(done)?;
    Ok(true)
}

/// A directory by a path that was found to have no links, and has none now.
fn without_links(directory: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC);
    Ok(openat2(AT_FDCWD, directory, how.resolve(ResolveFlag::RESOLVE_NO_SYMLINKS))?)
}

fn version() -> nix::Result<libc::c_long> {
    let none = std::ptr::null::<u64>();
    // SAFETY: asked for its version the kernel reads nothing.
    Errno::result(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, ASK_VERSION) })
}

/// Gives rights back at a place and below it.
fn allow(rules: &OwnedFd, rights: u64, place: &OwnedFd) -> io::Result<()> {
    // Packed: a word, then a descriptor.
    let mut rule = [0u8; 12];
    let bytes = rights.to_ne_bytes().into_iter().chain(place.as_raw_fd().to_ne_bytes());
    rule.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    // SAFETY: the rule has the bytes that this kind of rule has, and outlives the call.
    let added =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), PATH_BENEATH, rule.as_ptr(), 0) };
    Errno::result(added)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_became_a_link_is_not_opened() {
        let place = std::env::temp_dir().join(format!("below-{}", std::process::id()));
        std::fs::create_dir_all(place.join("real/in")).unwrap();
        let root = std::fs::canonicalize(&place).unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        assert!(without_links(&root.join("real/in")).is_ok());
        for name in ["link", "link/in", "none"] {
            assert!(without_links(&root.join(name)).is_err(), "{name}");
        }
        std::fs::remove_dir_all(place).unwrap();
    }
}
