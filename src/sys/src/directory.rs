//! Where a process is.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The working directory of a process, as the kernel names it. An error where
/// it has no name: its path is longer than `PATH_MAX`, or its file system was
/// unmounted under it, and what the kernel then calls its path begins at the
/// root of that file system (`/srv/app` may be a directory of anybody's).
///
/// Asks no file system anything: one in user space could take its time, or lie.
pub fn working_directory(pid: i32) -> io::Result<PathBuf> {
    let place = open_directory(Path::new(&format!("/proc/{pid}/cwd")))?;
    // Read first: what is still mounted afterwards was so when this was read.
    let path = std::fs::read_link(format!("/proc/self/fd/{}", place.as_raw_fd()))?;
    let mount = mount_of(place.as_fd())?;
    let root = open_directory(Path::new("/"))?;
    if mount != mount_of(root.as_fd())? && !is_mounted(mount)? {
        return Err(Errno::ESTALE.into());
    }
    Ok(path)
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(open(path, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// The kernel's number of the mount that an open file is on.
fn mount_of(file: BorrowedFd<'_>) -> io::Result<u64> {
    const NOTHING_ELSE: libc::c_uint = 0;
    const ITSELF: &CStr = c"";
    let mut found = MaybeUninit::<libc::statx>::zeroed();
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    // SAFETY: descriptor and text live through the call, and `found` has room for what the kernel writes.
    let done = unsafe { libc::statx(file.as_raw_fd(), ITSELF.as_ptr(), flags, NOTHING_ELSE, found.as_mut_ptr()) };
    Errno::result(done)?;
    // SAFETY: all bits zero are a value of this type, and the kernel has written over them.
    let found = unsafe { found.assume_init() };
    // The mount is told unasked, since Linux 5.8.
    if found.stx_mask & libc::STATX_MNT_ID == 0 { Err(Errno::ENOSYS.into()) } else { Ok(found.stx_mnt_id) }
}

/// Whether a mount has a place below our root.
fn is_mounted(mount: u64) -> io::Result<bool> {
    for line in BufReader::new(File::open("/proc/self/mountinfo")?).split(b'\n') {
        let line = line?;
        let number = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        if std::str::from_utf8(number).is_ok_and(|number| number.parse() == Ok(mount)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    fn sleeper(script: &str) -> Child {
        let mut command = Command::new("/bin/bash");
        command.args(["-c", &format!("{script}\necho there; read -r")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "there\n");
        child
    }

    fn seen(mut child: Child) -> io::Result<PathBuf> {
        let seen = working_directory(i32::try_from(child.id()).unwrap());
        drop(child.stdin.take());
        child.wait().unwrap();
        seen
    }

    #[test]
    fn a_place_has_its_path() {
        let place = std::env::temp_dir().join(format!("place-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let place = place.canonicalize().unwrap();
        assert_eq!(seen(sleeper(&format!("cd '{}'", place.display()))).unwrap(), place);
        // On another mount than the root's.
        assert_eq!(seen(sleeper("cd /proc/self")).unwrap().parent(), Some(Path::new("/proc")));
        let gone = seen(sleeper(&format!("cd '{0}'; rmdir '{0}'", place.display()))).unwrap();
        assert_eq!(gone, Path::new(&format!("{} (deleted)", place.display())));
        assert!(working_directory(i32::MAX).is_err());
    }

    #[test]
    fn one_that_is_too_deep_has_none() {
        let place = std::env::temp_dir().join(format!("deep-{}", std::process::id()));
        std::fs::create_dir(&place).unwrap();
        let name = "d".repeat(200);
        let script = format!("cd '{}'; for n in {{1..25}}; do mkdir {name}; cd {name}; done", place.display());
        assert_eq!(seen(sleeper(&script)).unwrap_err().raw_os_error(), Some(libc::ENAMETOOLONG));
        assert!(Command::new("rm").arg("-rf").arg(&place).status().unwrap().success());
    }
}
