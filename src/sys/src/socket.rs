//! Unix sockets: descriptors in messages, the peer's identity, sending that
//! never blocks.

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixCredentials, getsockopt,
    recv, recvmsg, send, sendmsg, setsockopt, socketpair, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Most descriptors that one message may carry.
pub const MAX_FDS: usize = 8;

/// Who is at the other end of a Unix socket, as the kernel recorded it when
/// the connection was made (`SO_PEERCRED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Effective uid.
    pub uid: u32,
    /// Effective gid.
    pub gid: u32,
    /// Process id.
    pub pid: i32,
}

/// The peer of a connected Unix socket.
pub fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    let who = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(Peer { uid: who.uid(), gid: who.gid(), pid: who.pid() })
}

/// Two connected sockets that keep message boundaries, closed on exec.
pub fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends bytes and, with the first of them, descriptors (`SCM_RIGHTS`).
/// Returns how many bytes went; on a stream the descriptors travel with the
/// first byte, so that the rest is sent without them. Never raises SIGPIPE;
/// fails with `WouldBlock` on a non-blocking socket that is full.
pub fn send_with_fd(fd: BorrowedFd<'_>, bytes: &[u8], pass: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let raw: Vec<RawFd> = pass.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    retry(|| sendmsg::<()>(fd.as_raw_fd(), &[IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None))
}

/// Sends nothing more: the other end reads the end, while what it says still
/// arrives here.
pub fn finish_sending(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(nix::sys::socket::shutdown(fd.as_raw_fd(), nix::sys::socket::Shutdown::Write)?)
}

/// Receives bytes into `buffer` and whatever descriptors came with them,
/// closed on exec. Zero bytes is the end. Bytes or descriptors that do not fit
/// are an error, since what was cut off is lost.
pub fn recv_with_fds(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; MAX_FDS]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<()>(fd.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(nix::errno::Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut fds = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            for number in numbers {
                // SAFETY: the kernel has just installed this descriptor for us, so nobody else owns it.
                fds.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    if message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut off"));
    }
    Ok((message.bytes, fds))
}

/// Receives one message of a SOCK_SEQPACKET, of at most `most` bytes, with its
/// descriptors. Takes memory for what there is, not for what there may be.
pub fn recv_message(fd: BorrowedFd<'_>, most: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let ask = MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC;
    let length = loop {
        match recv(fd.as_raw_fd(), &mut [], ask) {
            Err(nix::errno::Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut bytes = vec![0; length.min(most)];
    let (n, fds) = recv_with_fds(fd, &mut bytes)?;
    bytes.truncate(n);
    Ok((bytes, fds))
}

/// Has the kernel say of everything that arrives at this socket from now on
/// which process sent it.
pub fn know_senders(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(setsockopt(&fd, sockopt::PassCred, &true)?)
}

/// Receives bytes of one process, and its id, where [`know_senders`] was asked
/// for. Descriptors that come with them are closed by the kernel, and then
/// nobody is named.
pub fn recv_from_process(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<i32>)> {
    let mut space = nix::cmsg_space!(UnixCredentials);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(fd.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let named = |control| if let ControlMessageOwned::ScmCredentials(who) = control { Some(who.pid()) } else { None };
    // What came with descriptors is nobody's: there is no room for both.
    let sender = message.cmsgs().ok().and_then(|mut all| all.find_map(named));
    Ok((message.bytes, sender))
}

/// Sends what the socket takes at once; `WouldBlock` where it takes nothing.
/// Works on sockets that are in blocking mode, and leaves their mode alone.
pub fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    retry(|| send(fd.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL))
}

/// Whether something that was sent waits to be read at the other end (`SIOCOUTQ`, unix(7)).
pub fn waits_unread(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut waiting = 0;
    // SAFETY: the pointer is to a local integer that outlives the call.
    unsafe { ioctls::outgoing(fd.as_raw_fd(), &raw mut waiting) }?;
    Ok(waiting > 0)
}

mod ioctls {
    nix::ioctl_read_bad!(outgoing, libc::TIOCOUTQ, libc::c_int);
}

fn retry(mut call: impl FnMut() -> nix::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(nix::errno::Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_usable() {
        let (left, right) = UnixStream::pair().unwrap();
        left.set_nonblocking(true).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        assert_eq!(send_with_fd(left.as_fd(), b"hello", &[writer.as_fd()]).unwrap(), 5);
        drop(writer);
        let mut buffer = [0; 64];
        let (n, mut fds) = recv_with_fds(right.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..n], fds.len()), (&b"hello"[..], 1));
        let mut file = std::fs::File::from(fds.pop().unwrap());
        file.write_all(b"through").unwrap();
        drop(file);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    }

    #[test]
    fn a_message_takes_the_room_it_needs() {
        let (left, right) = seqpacket_pair().unwrap();
        let (_reader, writer) = std::io::pipe().unwrap();
        send_with_fd(left.as_fd(), b"hello", &[writer.as_fd()]).unwrap();
        send_now(left.as_fd(), b"too long").unwrap();
        send_now(left.as_fd(), &[7; 20_000]).unwrap();
        drop(left);
        let (bytes, fds) = recv_message(right.as_fd(), 5).unwrap();
        assert_eq!((bytes.as_slice(), bytes.capacity(), fds.len()), (&b"hello"[..], 5, 1));
        assert_eq!(recv_message(right.as_fd(), 7).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(recv_message(right.as_fd(), 1 << 20).unwrap().0, [7; 20_000]);
        assert!(recv_message(right.as_fd(), 9).unwrap().0.is_empty(), "the end");
    }

    #[test]
    fn the_peer_is_this_process() {
        let (left, _right) = UnixStream::pair().unwrap();
        let who = peer(left.as_fd()).unwrap();
        assert_eq!(who.pid, i32::try_from(std::process::id()).unwrap());
    }

    #[test]
    fn the_sender_is_the_process_that_wrote() {
        let (left, right) = UnixStream::pair().unwrap();
        know_senders(right.as_fd()).unwrap();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "printf two"]).stdout(OwnedFd::from(left.try_clone().unwrap()));
        let mut child = shell.spawn().unwrap();
        child.wait().unwrap();
        drop(shell);
        (&left).write_all(b"one").unwrap();
        let mut buffer = [0; 64];
        // What two processes sent is not handed out together.
        let (n, who) = recv_from_process(right.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..n], who), (&b"two"[..], i32::try_from(child.id()).ok()));
        let (n, who) = recv_from_process(right.as_fd(), &mut buffer).unwrap();
        assert_eq!((&buffer[..n], who), (&b"one"[..], i32::try_from(std::process::id()).ok()));
        // Descriptors are no part of it.
        let (_reader, writer) = std::io::pipe().unwrap();
        send_with_fd(left.as_fd(), b"x", &[writer.as_fd()]).unwrap();
        assert_eq!(recv_from_process(right.as_fd(), &mut buffer).unwrap(), (1, None));
        drop(left);
        assert_eq!(recv_from_process(right.as_fd(), &mut buffer).unwrap().0, 0);
    }

    #[test]
    fn a_cut_message_is_an_error() {
        let (left, right) = seqpacket_pair().unwrap();
        send_with_fd(left.as_fd(), &[1; 100], &[]).unwrap();
        let mut buffer = [0; 10];
        assert!(recv_with_fds(right.as_fd(), &mut buffer).is_err());
    }

    #[test]
    fn what_was_not_read_waits() {
        let (left, mut right) = UnixStream::pair().unwrap();
        assert!(!waits_unread(left.as_fd()).unwrap());
        send_now(left.as_fd(), b"ab").unwrap();
        right.read_exact(&mut [0]).unwrap();
        assert!(waits_unread(left.as_fd()).unwrap());
        right.read_exact(&mut [0]).unwrap();
        assert!(!waits_unread(left.as_fd()).unwrap());
    }

    #[test]
    fn sending_never_blocks() {
        let (left, _right) = UnixStream::pair().unwrap();
        let full = (0..10_000).find_map(|_| send_now(left.as_fd(), &[0; 65536]).err());
        assert_eq!(full.map(|e| e.kind()), Some(io::ErrorKind::WouldBlock));
    }
}
