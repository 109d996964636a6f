//! File descriptors: what was inherited, waiting for several, writing that
//! never blocks.

use crate::socket;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// Most bytes of one write to a pipe or terminal that `poll` called writable:
/// a pipe then has room for a page.
const WRITE_PIECE: usize = 4096;

/// Closes every descriptor from 3 on. Must be the first act of a process,
/// before it opened anything: whatever is open then was inherited.
pub fn close_from_3() -> io::Result<()> {
    // SAFETY: at the start of a process nothing in it owns a descriptor above 2.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    Errno::result(done)?;
    Ok(())
}

/// Marks every descriptor from 3 on to be closed when a program is executed.
pub fn close_from_3_on_exec() -> io::Result<()> {
    let flags = libc::c_int::try_from(libc::CLOSE_RANGE_CLOEXEC).map_err(io::Error::other)?;
    // SAFETY: this only sets a flag on descriptors and closes none of them.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, flags) };
    Errno::result(done)?;
    Ok(())
}

/// Opens `/dev/null` for each of 0, 1 and 2 that is closed, so that nothing
/// opened later gets one of these numbers.
pub fn ensure_standard() -> io::Result<()> {
    loop {
        let null = open("/dev/null", OFlag::O_RDWR, Mode::empty())?;
        if null.as_raw_fd() > 2 {
            return Ok(());
        }
        // Stays open for the life of the process, as 0, 1 or 2.
        let _number = null.into_raw_fd();
    }
}

/// Lets go of standard input, output and error: all three become `/dev/null`.
pub fn standard_to_null() -> io::Result<()> {
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

/// A second descriptor for the same open file, closed on exec.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes no pointer, and a number that is not open is an error.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    let copy = Errno::result(copy)?;
    // SAFETY: fcntl has just made this descriptor, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The lowest number that [`keep_as`] may not hand out: sources are moved here
/// first, so that none is overwritten.
const ABOVE: libc::c_int = 100;

/// Keeps an open file, moved up by [`move_up`], under `number` (3 to 99) in the
/// program that this process becomes. For use just before `execve`.
pub fn keep_as(fd: &OwnedFd, number: RawFd) -> io::Result<()> {
    if !(3..ABOVE).contains(&number) || fd.as_raw_fd() < ABOVE {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: dup2 takes numbers only; the target belongs to nobody in a process that is about to become another program.
    let done = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    Errno::result(done)?;
    Ok(())
}

/// Moves an open file to a number from 100 on, out of the way of [`keep_as`].
pub fn move_up(fd: OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes no pointer.
    let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, ABOVE) };
    let copy = Errno::result(copy)?;
    // SAFETY: fcntl has just made this descriptor, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A file in memory that holds these bytes and can never be changed, closed on
/// exec. `name` is for people who look into `/proc`.
pub fn sealed_memory(name: &std::ffi::CStr, bytes: &[u8]) -> io::Result<OwnedFd> {
    use nix::fcntl::SealFlag;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = std::fs::File::from(fd);
    io::Write::write_all(&mut file, bytes)?;
    io::Seek::rewind(&mut file)?;
    let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(OwnedFd::from(file))
}

/// A file in memory that is filled once and can never be changed after that.
/// Others may have it open for reading before.
#[derive(Debug)]
pub struct FilledOnce(Option<std::fs::File>);

impl FilledOnce {
    /// An empty one, and a descriptor to read it by. Nobody but its owner can
    /// open it for writing, by whatever name.
    pub fn new(name: &std::ffi::CStr) -> io::Result<(Self, OwnedFd)> {
        use nix::sys::memfd::{MFdFlags, memfd_create};
        let fd = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        nix::sys::stat::fchmod(&fd, Mode::S_IRUSR | Mode::S_IRGRP | Mode::S_IROTH)?;
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let reader = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok((Self(Some(std::fs::File::from(fd))), reader))
    }

    /// Fills and seals it, and looks at what is in it then.
    pub fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        use nix::fcntl::SealFlag;
        let mut file = self.0.take().ok_or(io::ErrorKind::AlreadyExists)?;
        io::Write::write_all(&mut file, bytes)?;
        let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        io::Seek::rewind(&mut file)?;
        let mut found = Vec::new();
        io::Read::read_to_end(&mut file, &mut found)?;
        if found == bytes { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

/// A pipe, closed on exec: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC)?)
}

/// The same, with a read end more that never blocks: an open file of its own,
/// so that whoever has the other one cannot change that. (read end, own read
/// end, write end)
pub fn pipe_read_twice() -> io::Result<(OwnedFd, OwnedFd, OwnedFd)> {
    let (read, write) = pipe()?;
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let own = open(format!("/proc/self/fd/{}", read.as_raw_fd()).as_str(), flags, Mode::empty())?;
    Ok((read, own, write))
}

/// The same, but each write of at most 4096 bytes is a packet: one read gives
/// one of them, whatever is in it (pipe(2), O_DIRECT).
pub fn packets() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT)?)
}

/// Makes an open file non-blocking, for everybody who shares it.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// About how many descriptors a running command needs.
const USUAL: usize = 12;

/// What to wait for on a descriptor. Hang-up and errors are always reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Only that the other end is gone.
    Hangup,
    /// Something to read.
    Read,
    /// Room to write.
    Write,
}

/// What became of one descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// Something to read.
    pub readable: bool,
    /// Room to write.
    pub writable: bool,
    /// POLLERR or POLLHUP: the other end is gone.
    pub hangup: bool,
}

/// Waits until one of the descriptors is ready or the time is over; answers in
/// the same order, each what was wanted of it. `None` waits for ever. A signal
/// that interrupts is answered as "nothing is ready". A descriptor that is wanted
/// twice is asked once: a terminal's answer is dear.
pub fn poll(wanted: &[(BorrowedFd<'_>, Wanted)], timeout_ms: Option<u32>) -> io::Result<Vec<Ready>> {
    let list = wait(wanted.iter().copied(), timeout_ms)?;
    Ok(wanted.iter().map(|(fd, want)| ready(&list, *fd, *want)).collect())
}

/// As [`poll`]; each answer has the key of what was wanted.
pub fn poll_by<K: Copy>(
    wanted: &[(K, (BorrowedFd<'_>, Wanted))],
    timeout_ms: Option<u32>,
) -> io::Result<Vec<(K, Ready)>> {
    let list = wait(wanted.iter().map(|(_, want)| *want), timeout_ms)?;
    Ok(wanted.iter().map(|(key, (fd, want))| (*key, ready(&list, *fd, *want))).collect())
}

fn wait<'fd>(
    wanted: impl Iterator<Item = (BorrowedFd<'fd>, Wanted)>,
    timeout_ms: Option<u32>,
) -> io::Result<Vec<PollFd<'fd>>> {
    let mut list: Vec<PollFd<'fd>> = Vec::with_capacity(USUAL);
    for (fd, want) in wanted {
        match list.iter_mut().find(|known| known.as_fd().as_raw_fd() == fd.as_raw_fd()) {
            Some(known) => known.set_events(known.events() | events(want)),
            None => list.push(PollFd::new(fd, events(want))),
        }
    }
    let timeout = match timeout_ms {
        None => PollTimeout::NONE,
        Some(ms) => PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX),
    };
    match nix::poll::poll(&mut list, timeout) {
        // Where a signal interrupts, nothing was ready.
        Ok(_) | Err(Errno::EINTR) => Ok(list),
        Err(error) => Err(error.into()),
    }
}

/// Sleeps.
pub fn sleep_ms(ms: u64) {
    std::thread::sleep(std::time::Duration::from_millis(ms));
}

/// Whether this is a socket.
pub fn is_socket(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT == SFlag::S_IFSOCK)
}

/// Writes what fits now, without blocking and without SIGPIPE's help: on a
/// socket by `send`, on anything else at most 4 KiB where `poll` says there
/// is room. `WouldBlock` where nothing fits. The file's own mode is left as it
/// is, since others share it.
pub fn write_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    if is_socket(fd)? { socket::send_now(fd, bytes) } else { write_piece(fd, bytes) }
}

/// As [`write_now`], where it is known that this is not a socket.
pub fn write_piece(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut room = [PollFd::new(fd, PollFlags::POLLOUT)];
    let count = match nix::poll::poll(&mut room, PollTimeout::ZERO) {
        Err(Errno::EINTR) => 0,
        other => other?,
    };
    if count == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let piece = bytes.get(..WRITE_PIECE).unwrap_or(bytes);
    match nix::unistd::write(fd, piece) {
        Err(Errno::EINTR) => Err(io::ErrorKind::WouldBlock.into()),
        other => Ok(other?),
    }
}

/// Writes what fits now to a descriptor that is in non-blocking mode and nobody
/// else's. `WouldBlock` where nothing fits.
pub fn write_own(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match nix::unistd::write(fd, bytes) {
        Err(Errno::EINTR) => Err(io::ErrorKind::WouldBlock.into()),
        other => Ok(other?),
    }
}

/// Reads what is there now: for a descriptor that `poll` called readable, whose
/// mode others share and which is therefore left in blocking mode.
pub fn read_now(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let read = if is_socket(fd)? {
        nix::sys::socket::recv(fd.as_raw_fd(), buffer, nix::sys::socket::MsgFlags::MSG_DONTWAIT)
    } else {
        nix::unistd::read(fd, buffer)
    };
    match read {
        Err(Errno::EINTR) => Err(io::ErrorKind::WouldBlock.into()),
        other => Ok(other?),
    }
}

/// Whether nothing that matters can be written through a descriptor: it was
/// opened for reading only and is no terminal, or it is `/dev/null`.
pub fn is_for_reading_only(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mode = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?) & OFlag::O_ACCMODE;
    let found = fstat(fd)?;
    let device = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR;
    let null = device && found.st_rdev == nix::sys::stat::makedev(1, 3);
    Ok(null || mode == OFlag::O_RDONLY && !is_terminal(fd))
}

fn events(want: Wanted) -> PollFlags {
    match want {
        Wanted::Hangup => PollFlags::empty(),
        Wanted::Read => PollFlags::POLLIN,
        Wanted::Write => PollFlags::POLLOUT,
    }
}

fn ready(list: &[PollFd<'_>], fd: BorrowedFd<'_>, want: Wanted) -> Ready {
    let asked = list.iter().find(|known| known.as_fd().as_raw_fd() == fd.as_raw_fd());
    let seen = asked.and_then(PollFd::revents).unwrap_or(PollFlags::POLLERR);
    Ready {
        readable: want == Wanted::Read && seen.contains(PollFlags::POLLIN),
        writable: want == Wanted::Write && seen.contains(PollFlags::POLLOUT),
        hangup: seen.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL),
    }
}

/// Whether a descriptor is a terminal.
pub fn is_terminal(fd: impl AsFd) -> bool {
    nix::unistd::isatty(fd).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_filled_once_and_read_by_others() {
        let (mut file, reader) = FilledOnce::new(c"test").unwrap();
        file.fill(b"text").unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut std::fs::File::from(reader.try_clone().unwrap()), &mut text).unwrap();
        assert_eq!(text, "text");
        assert!(file.fill(b"more").is_err());
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let written =
            std::fs::File::options().write(true).open(path).and_then(|mut f| io::Write::write_all(&mut f, b"x"));
        assert!(written.is_err(), "even root cannot write through a seal");
    }

    #[test]
    fn a_full_pipe_does_not_block() {
        let (_reader, writer) = pipe().unwrap();
        let full = (0..1000).find_map(|_| write_now(writer.as_fd(), &[0; 65536]).err());
        assert_eq!(full.map(|e| e.kind()), Some(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn the_own_end_of_a_pipe_never_blocks() {
        let (theirs, own, write) = pipe_read_twice().unwrap();
        fcntl(&theirs, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        assert_eq!(nix::unistd::read(&own, &mut [0; 8]), Err(Errno::EAGAIN));
        nix::unistd::write(&write, b"x").unwrap();
        assert_eq!(nix::unistd::read(&own, &mut [0; 8]), Ok(1));
        drop(write);
        assert_eq!(nix::unistd::read(&own, &mut [0; 8]), Ok(0));
    }

    #[test]
    fn one_descriptor_is_answered_as_often_as_it_is_wanted() {
        let (one, other) = nix::sys::socket::socketpair(
            nix::sys::socket::AddressFamily::Unix,
            nix::sys::socket::SockType::Stream,
            None,
            nix::sys::socket::SockFlag::empty(),
        )
        .unwrap();
        let fd = one.as_fd();
        let ask = || poll(&[(fd, Wanted::Read), (fd, Wanted::Hangup), (fd, Wanted::Write)], Some(0)).unwrap();
        let nothing = Ready::default();
        assert_eq!(ask(), [nothing, nothing, Ready { writable: true, ..nothing }]);
        nix::unistd::write(&other, b"x").unwrap();
        assert_eq!(ask(), [Ready { readable: true, ..nothing }, nothing, Ready { writable: true, ..nothing }]);
        drop(other);
        assert!(ask().iter().all(|state| state.hangup));
    }

    #[test]
    fn sees_that_the_reader_is_gone() {
        let (reader, writer) = pipe().unwrap();
        let before = poll(&[(writer.as_fd(), Wanted::Hangup)], Some(0)).unwrap();
        assert_eq!(before, [Ready::default()]);
        drop(reader);
        let after = poll(&[(writer.as_fd(), Wanted::Hangup)], Some(0)).unwrap();
        assert!(after[0].hangup);
    }

    #[test]
    fn knows_what_can_be_written() {
        let (reader, writer) = pipe().unwrap();
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let terminal = nix::pty::openpty(None, None).unwrap();
        let null = std::fs::File::options().read(true).write(true).open("/dev/null").unwrap();
        assert!(is_for_reading_only(reader.as_fd()).unwrap() && is_for_reading_only(null.as_fd()).unwrap());
        for fd in [writer.as_fd(), socket.as_fd(), terminal.slave.as_fd()] {
            assert!(!is_for_reading_only(fd).unwrap());
        }
        assert_eq!(read_now(socket.as_fd(), &mut [0; 8]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_duplicate_is_independent_of_the_original() {
        let (reader, writer) = pipe().unwrap();
        let copy = duplicate(writer.as_raw_fd()).unwrap();
        drop(writer);
        assert_eq!(write_now(copy.as_fd(), b"x").unwrap(), 1);
        drop(reader);
        assert!(duplicate(9999).is_err());
    }
}
