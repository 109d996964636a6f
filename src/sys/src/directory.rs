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
    if mount != mount_of(root.as_fd())? && file_system(mount)?.is_none() {
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

/// Whether a file is on a file system behind which no server and no program
/// stands, that could take its time to answer. `false` where there is no telling.
pub fn is_on_disk_or_in_memory(file: BorrowedFd<'_>) -> bool {
    const HERE: [&[u8]; 7] = [b"ext2", b"ext3", b"ext4", b"xfs", b"btrfs", b"f2fs", b"tmpfs"];
    let kind = mount_of(file).and_then(file_system);
    kind.is_ok_and(|kind| kind.is_some_and(|kind| HERE.contains(&kind.as_slice())))
}

/// What is mounted there, as in mountinfo (proc_pid_mountinfo(5)); `None` where
/// the mount has no place below our root.
fn file_system(mount: u64) -> io::Result<Option<Vec<u8>>> {
    for line in BufReader::new(File::open("/proc/self/mountinfo")?).split(b'\n') {
        let line = line?;
        let mut words = line.split(|byte| *byte == b' ');
        let number = words.next().unwrap_or_default();
        if std::str::from_utf8(number).is_ok_and(|number| number.parse() == Ok(mount)) {
            // Six words at least stand before the dash, and none of them is one.
            let kind = words.skip_while(|word| *word != b"-").nth(1);
            return Ok(Some(kind.unwrap_or_default().to_vec()));
        }
    }
    Ok(None)
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
    fn a_file_system_is_told_by_its_mount() {
        let open = |path: &str| open_directory(Path::new(path)).unwrap();
        assert!(is_on_disk_or_in_memory(open("/dev/shm").as_fd()));
        for other in ["/proc", "/sys", "/proc/self/fd"] {
            assert!(!is_on_disk_or_in_memory(open(other).as_fd()), "{other}");
        }
        let kind = |path: &str| file_system(mount_of(open(path).as_fd()).unwrap()).unwrap();
        assert_eq!(kind("/dev/shm").as_deref(), Some(b"tmpfs".as_slice()));
        assert_eq!(kind("/proc/self").as_deref(), Some(b"proc".as_slice()));
        assert_eq!(file_system(u64::MAX).unwrap(), None);
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
