//! The connection to countersign-hostd. Nothing here blocks: messages to the
//! host queue up, messages from it are taken as they come.

use countersign_api::frame::{self, Decoder};
use countersign_api::front::{FrontMessage, HostMessage, SPOOL_AHEAD};
use countersign_sys::{self as sys, Ready, Wanted};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How often a full queue of the listener is tried again, every 10 ms.
const CONNECT_TRIES: u32 = 500;

/// A connection to the host.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    decoder: Decoder,
    queue: Vec<u8>,
    fds: Vec<OwnedFd>,
    open: bool,
    taken: u64,
    ahead: u64,
}

/// What was heard of the host.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(HostMessage),
    /// Nothing yet.
    Nothing,
    /// The host is gone.
    Lost,
    /// Bytes that are not a message of this protocol.
    Garbage,
}

impl Link {
    /// Connects to a listener of `host_uid`: whoever else listens there would
    /// decide what runs. Never waits for a stuck listener longer than some
    /// seconds.
    pub fn connect(path: &Path, host_uid: u32) -> io::Result<Self> {
        for _ in 0..CONNECT_TRIES {
            match Self::try_connect(path, host_uid) {
                Err(error) if is_busy(&error) => sys::sleep_ms(10),
                done => return done,
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// The same, once, without waiting.
    pub fn try_connect(path: &Path, host_uid: u32) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let address = UnixAddr::new(path)?;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(socket.as_raw_fd(), &address)?;
        let listener = sys::peer(socket.as_fd())?.uid;
        if listener != host_uid {
            let text = format!("uid {listener} listens there, not uid {host_uid} (`host_user`)");
            return Err(io::Error::other(text));
        }
        let (decoder, queue, fds) = (Decoder::default(), Vec::new(), Vec::new());
        Ok(Self { socket, decoder, queue, fds, open: true, taken: 0, ahead: SPOOL_AHEAD })
    }

    /// Goes on with another connection of the same login.
    pub fn replace(&mut self, next: Self) {
        *self = Self { taken: self.taken, ..next };
    }

    /// The host has taken so much of the spool.
    pub fn is_at(&mut self, taken: u64) {
        self.taken = taken;
    }

    /// Hangs up.
    pub fn shut(&mut self) {
        self.lost();
    }

    /// Queues a message and sends what can be sent.
    pub fn send(&mut self, message: &FrontMessage) {
        match frame::encode(message) {
            Ok(bytes) if self.open => self.queue.extend_from_slice(&bytes),
            Ok(_) => {}
            // Our own message over the limit: the host could not follow from here on.
            Err(_) => self.open = false,
        }
        self.push();
    }

    /// Whether the host can still be reached.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// How much of the spool the host has taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Up to where the spool may be written for now.
    pub fn reach(&self) -> u64 {
        self.taken.saturating_add(self.ahead())
    }

    /// How far ahead of the host the spool may be, in bytes.
    pub fn ahead(&self) -> u64 {
        self.ahead
    }

    /// Takes the descriptor that came with the last message.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        if self.fds.len() == 1 { self.fds.pop() } else { None }
    }

    /// What to wait for.
    pub fn wanted(&self) -> [(BorrowedFd<'_>, Wanted); 2] {
        let write = if self.queue.is_empty() { Wanted::Hangup } else { Wanted::Write };
        [(self.socket.as_fd(), Wanted::Read), (self.socket.as_fd(), write)]
    }

    /// Moves bytes after a wait.
    pub fn turn(&mut self, read: Ready, write: Ready) {
        if write.writable {
            self.push();
        }
        if read.readable || read.hangup {
            self.pull();
        }
    }

    /// The next message that has come, but for how far the host is with the
    /// spool, which may come at any time.
    pub fn hear(&mut self) -> Heard {
        loop {
            match self.decoder.next_message() {
                Ok(Some(HostMessage::Taken { bytes, ahead })) => {
                    self.taken = self.taken.max(bytes);
                    self.ahead = ahead.min(SPOOL_AHEAD);
                }
                Ok(Some(message)) => {
                    if let HostMessage::Welcome { ahead, .. } | HostMessage::Resumed { ahead, .. } = &message {
                        self.ahead = (*ahead).min(SPOOL_AHEAD);
                    }
                    return Heard::Message(message);
                }
                Ok(None) if self.open => return Heard::Nothing,
                Ok(None) => return Heard::Lost,
                Err(_) => {
                    self.open = false;
                    return Heard::Garbage;
                }
            }
        }
    }

    fn push(&mut self) {
        while self.open && !self.queue.is_empty() {
            match sys::send_now(self.socket.as_fd(), &self.queue) {
                Ok(n) => drop(self.queue.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.hung_up(),
            }
        }
    }

    /// What the host said before it hung up still counts: why, above all.
    fn hung_up(&mut self) {
        let mut buffer = [0; 16 * 1024];
        while let Ok((n @ 1.., fds)) = sys::recv_with_fds(self.socket.as_fd(), &mut buffer) {
            self.decoder.push(buffer.get(..n).unwrap_or_default());
            self.fds.extend(fds);
        }
        self.lost();
    }

    fn pull(&mut self) {
        let mut buffer = [0; 16 * 1024];
        match sys::recv_with_fds(self.socket.as_fd(), &mut buffer) {
            Ok((0, _)) => self.lost(),
            Ok((n, fds)) => {
                self.decoder.push(buffer.get(..n).unwrap_or_default());
                self.fds.extend(fds);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.lost(),
        }
    }

    fn lost(&mut self) {
        self.open = false;
        self.queue.clear();
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_api::front::CancelWhy;
    use countersign_core::Nonce;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    /// It hangs up while more is on its way to it: the next send fails, and why is still heard.
    #[test]
    fn the_last_word_of_a_host_that_hangs_up_is_heard() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let mut link = Link::connect(&path, sys::uids().unwrap().real).unwrap();
        let (mut host, _) = listener.accept().unwrap();
        let message = FrontMessage::Cancel { nonce: Nonce([1; 16]), why: CancelWhy::Hangup };
        link.send(&message);
        link.send(&message);
        host.read_exact(&mut [0]).unwrap();
        let fatal = HostMessage::Fatal { reason: "full".to_owned(), exit: 69 };
        host.write_all(&frame::encode(&fatal).unwrap()).unwrap();
        drop(host);
        link.send(&message);
        assert!(!link.is_open());
        assert!(matches!(link.hear(), Heard::Message(HostMessage::Fatal { reason, .. }) if reason == "full"));
        assert!(matches!(link.hear(), Heard::Lost));
    }
}
