//! Terminals: raw mode, size, exclusive use, control.

use nix::sys::termios::{SetArg, SpecialCharacterIndices, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::descriptors::{self, Wanted};

pub use crate::descriptors::is_terminal;

mod ioctls {
    nix::ioctl_none_bad!(exclusive_on, libc::TIOCEXCL);
    nix::ioctl_none_bad!(exclusive_off, libc::TIOCNXCL);
    nix::ioctl_write_int_bad!(set_controlling, libc::TIOCSCTTY);
    nix::ioctl_read_bad!(get_size, libc::TIOCGWINSZ, libc::winsize);
    nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, libc::winsize);
    nix::ioctl_write_int_bad!(open_peer, libc::TIOCGPTPEER);
}

/// Most reads until a mark must have come back, and how long each waits, in ms.
const MARK_READS: u32 = 64;
const MARK_READ_MS: u32 = 100;

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// The size of a terminal.
pub fn size(fd: BorrowedFd<'_>) -> io::Result<Size> {
    let mut found = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointer is to a local structure of the type that TIOCGWINSZ fills.
    unsafe { ioctls::get_size(fd.as_raw_fd(), &raw mut found) }?;
    Ok(Size { columns: found.ws_col, rows: found.ws_row })
}

/// Sets the size of a terminal; its foreground processes get SIGWINCH.
pub fn set_size(fd: BorrowedFd<'_>, size: Size) -> io::Result<()> {
    let want = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the pointer is to a local structure of the type that TIOCSWINSZ reads.
    unsafe { ioctls::set_size(fd.as_raw_fd(), &raw const want) }?;
    Ok(())
}

/// Makes a terminal the controlling one of this session, which has none.
pub fn make_controlling(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes a number only.
    unsafe { ioctls::set_controlling(fd.as_raw_fd(), 0) }?;
    Ok(())
}

/// A pseudo-terminal's name, e.g. `/dev/pts/3`.
pub fn name(fd: impl AsFd) -> io::Result<PathBuf> {
    Ok(nix::unistd::ttyname(fd)?)
}

/// The process that leads a terminal's session.
pub fn session(fd: BorrowedFd<'_>) -> io::Result<i32> {
    Ok(nix::sys::termios::tcgetsid(fd)?.as_raw())
}

/// Drops what was typed into a terminal and has not been read.
pub fn drop_typed(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(nix::sys::termios::tcflush(fd, nix::sys::termios::FlushArg::TCIFLUSH)?)
}

/// Opens a terminal by name without making it the controlling one.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    use nix::fcntl::OFlag;
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    Ok(nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty())?)
}

/// Opens a terminal once more, for writing that never blocks; nobody else has
/// this one. An error where the effective uid may not, or somebody has it to
/// himself.
pub fn open_again(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    use nix::fcntl::OFlag;
    let flags = OFlag::O_WRONLY | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let again = nix::fcntl::open(path.as_str(), flags, nix::sys::stat::Mode::empty())?;
    if is_same(fd, again.as_fd())? { Ok(again) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Whether two descriptors are of one terminal.
pub fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<bool> {
    let [one, other] = [nix::sys::stat::fstat(one)?, nix::sys::stat::fstat(other)?];
    Ok((one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev))
}

/// Opens the slave of a pseudo-terminal whose master this is, for reading that
/// never blocks, whatever modes others give it; nobody else has this one.
pub fn peer(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: TIOCGPTPEER takes a number only.
    let fd = unsafe { ioctls::open_peer(master.as_raw_fd(), flags) }?;
    // SAFETY: the kernel has just made this descriptor, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives one terminal the modes of another (echo, control characters, speed).
pub fn copy_modes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    tcsetattr(to, SetArg::TCSANOW, &tcgetattr(from)?)?;
    Ok(())
}

/// What was typed into a pseudo-terminal and not read by anybody: taken back
/// through its slave, up to a mark that is written into its master. The slave's
/// modes are as before when this returns. `mark` must be unguessable, and `slave`
/// one of [`peer`]: programs on it may change its modes meanwhile.
pub fn take_back(master: BorrowedFd<'_>, slave: BorrowedFd<'_>, mark: &[u8]) -> io::Result<Vec<u8>> {
    let before = tcgetattr(slave)?;
    let mut raw = before.clone();
    cfmakeraw(&mut raw);
    for (index, value) in [(SpecialCharacterIndices::VMIN, 0), (SpecialCharacterIndices::VTIME, 0)] {
        if let Some(slot) = raw.control_chars.get_mut(index as usize) {
            *slot = value;
        }
    }
    tcsetattr(slave, SetArg::TCSANOW, &raw)?;
    let taken = read_to_mark(master, slave, mark);
    tcsetattr(slave, SetArg::TCSANOW, &before)?;
    taken
}

fn read_to_mark(master: BorrowedFd<'_>, slave: BorrowedFd<'_>, mark: &[u8]) -> io::Result<Vec<u8>> {
    let mut taken = Vec::new();
    let mut unsent = mark;
    let mut buffer = [0; 4096];
    for _ in 0..MARK_READS {
        if !unsent.is_empty() {
            match nix::unistd::write(master, unsent) {
                Ok(n) => unsent = unsent.get(n..).unwrap_or_default(),
                Err(nix::errno::Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        descriptors::poll(&[(slave, Wanted::Read)], Some(MARK_READ_MS))?;
        let n = match nix::unistd::read(slave, &mut buffer) {
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => 0,
            other => other?,
        };
        taken.extend_from_slice(buffer.get(..n).unwrap_or_default());
        if let Some(at) = taken.windows(mark.len()).position(|window| window == mark) {
            taken.truncate(at);
            return Ok(taken);
        }
    }
    Err(io::Error::other("a mark did not come back through the terminal"))
}

/// The terminals among standard input, output and error, which other programs
/// of the user can no longer open (TIOCEXCL) until this is dropped.
#[derive(Debug)]
pub struct Exclusive(Vec<i32>);

impl Exclusive {
    /// Takes them. For the first act of a process: it needs nothing, and what
    /// was opened before stays open to whoever has it.
    pub fn take() -> Self {
        // SAFETY: TIOCEXCL takes no argument, and a number that is no terminal is an error.
        Self((0..3).filter(|number| unsafe { ioctls::exclusive_on(*number) }.is_ok()).collect())
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        for number in &self.0 {
            // SAFETY: TIOCNXCL takes no argument; a terminal that is gone needs nothing.
            let (Ok(_) | Err(_)) = unsafe { ioctls::exclusive_off(*number) };
        }
    }
}

/// A terminal that is raw and ours alone until this is dropped.
#[derive(Debug)]
pub struct Raw {
    fd: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Keeps other programs of the user from opening the terminal (TIOCEXCL),
    /// then makes it raw. TCSADRAIN, since TCSAFLUSH would lose early input.
    pub fn enter(fd: OwnedFd) -> io::Result<Self> {
        // SAFETY: TIOCEXCL takes no argument.
        unsafe { ioctls::exclusive_on(fd.as_raw_fd()) }?;
        let before = tcgetattr(&fd)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&fd, SetArg::TCSADRAIN, &raw)?;
        Ok(Self { fd, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone cannot be restored, and need not be.
        let restored = tcsetattr(&self.fd, SetArg::TCSADRAIN, &self.before);
        // SAFETY: TIOCNXCL takes no argument.
        let released = unsafe { ioctls::exclusive_off(self.fd.as_raw_fd()) };
        let (Ok(()) | Err(_), Ok(_) | Err(_)) = (restored, released);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_raw_mode_come_back() {
        let pair = nix::pty::openpty(None, None).unwrap();
        let fd = pair.slave.as_fd();
        set_size(fd, Size { columns: 132, rows: 43 }).unwrap();
        assert_eq!(size(fd).unwrap(), Size { columns: 132, rows: 43 });
        let before = tcgetattr(fd).unwrap();
        let raw = Raw::enter(pair.slave.try_clone().unwrap()).unwrap();
        assert_ne!(tcgetattr(fd).unwrap(), before);
        drop(raw);
        assert_eq!(tcgetattr(fd).unwrap(), before);
        assert!(open(&name(fd).unwrap()).is_ok());
        assert!(is_terminal(fd));
    }

    #[test]
    fn what_was_typed_comes_back_and_modes_of_others_block_nothing() {
        let pair = nix::pty::openpty(None, None).unwrap();
        let own = peer(pair.master.as_fd()).unwrap();
        nix::unistd::write(&pair.master, b"typed ahead").unwrap();
        assert_eq!(take_back(pair.master.as_fd(), own.as_fd(), b"\0mark\0").unwrap(), b"typed ahead");
        // Where it waits for the end of a line, as after what a program does on its own descriptor.
        assert!(tcgetattr(&pair.slave).unwrap().local_flags.contains(nix::sys::termios::LocalFlags::ICANON));
        nix::unistd::write(&pair.master, b"no end").unwrap();
        assert_eq!(nix::unistd::read(&own, &mut [0; 8]), Err(nix::errno::Errno::EAGAIN));
    }

    #[test]
    fn a_terminal_that_is_opened_again_never_blocks() {
        let pair = nix::pty::openpty(None, None).unwrap();
        let again = open_again(pair.slave.as_fd()).unwrap();
        let full = (0..1000).find_map(|_| descriptors::write_own(again.as_fd(), &[b'x'; 4096]).err());
        assert_eq!(full.map(|e| e.kind()), Some(io::ErrorKind::WouldBlock));
        // The others' way of writing to it is what it was.
        let flags = nix::fcntl::fcntl(&pair.slave, nix::fcntl::FcntlArg::F_GETFL).unwrap();
        assert_eq!(flags & libc::O_NONBLOCK, 0);
        assert!(is_same(again.as_fd(), pair.slave.as_fd()).unwrap());
        let other = nix::pty::openpty(None, None).unwrap();
        assert!(!is_same(again.as_fd(), other.slave.as_fd()).unwrap());
    }
}
