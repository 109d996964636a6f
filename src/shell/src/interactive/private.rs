//! The private socket between front and driver.

use super::driver::{GO, Listener, NotSaid, Said, run};
use countersign_core::b64_encode;
use countersign_ledger::random_bytes;
use countersign_sys::{self as sys, Wanted};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most bytes of one read.
const READ: usize = 16 * 1024;

/// The front's end.
pub struct Private {
    socket: Option<OwnedFd>,
    listener: Listener,
    orders: Vec<u8>,
    /// The process that spoke first, before any line: the shell itself. Jobs
    /// that it forks have copies of its end, and nothing to say.
    speaker: Option<i32>,
    /// The word of the line that was sent and that it has not taken yet.
    sent: Option<String>,
}

/// What was heard on it.
pub enum Heard {
    /// A message.
    Said(Said),
    /// Nothing yet.
    Nothing,
    /// It was closed.
    Closed,
    /// Something the driver does not say.
    Nonsense,
}

impl Private {
    /// A new one, and the driver's end.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = pair()?;
        sys::set_nonblocking(ours.as_fd())?;
        sys::know_senders(ours.as_fd())?;
        Ok((
            Self { socket: Some(ours), listener: Listener::default(), orders: Vec::new(), speaker: None, sent: None },
            theirs,
        ))
    }

    /// While it is open, what to wait for on it.
    pub fn wanted(&self) -> Vec<(BorrowedFd<'_>, Wanted)> {
        let Some(socket) = &self.socket else { return Vec::new() };
        let write = if self.orders.is_empty() { Wanted::Hangup } else { Wanted::Write };
        vec![(socket.as_fd(), Wanted::Read), (socket.as_fd(), write)]
    }

    /// Queues an order for the driver and sends what can be sent.
    pub fn order(&mut self, bytes: &[u8]) {
        self.orders.extend_from_slice(bytes);
        self.push();
    }

    /// Queues a line to run. What the shell has read of it when a signal breaks
    /// it off is lost, and it would take the rest for a line: so it says which
    /// one it took, by a word that no text of a line can hold, and waits.
    pub fn run(&mut self, letter: char, status: u8, line: &[u8]) -> io::Result<()> {
        let word = random_word()?;
        self.order(&run(letter, &word, status, line));
        self.sent = Some(word);
        Ok(())
    }

    /// It may run the line that was sent, and no other.
    fn taken(&mut self, word: String) -> Heard {
        if self.sent.take().as_ref() != Some(&word) {
            return Heard::Nonsense;
        }
        self.order(GO);
        Heard::Said(Said::Taken(word))
    }

    /// Sends what waits.
    pub fn push(&mut self) {
        let Some(socket) = &self.socket else { return };
        while !self.orders.is_empty() {
            match sys::send_now(socket.as_fd(), &self.orders) {
                Ok(n) => drop(self.orders.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Its end shows when it is read.
                Err(_) => self.orders.clear(),
            }
        }
    }

    /// Reads what the driver says.
    pub fn hear(&mut self) -> Heard {
        match self.listener.next() {
            Ok(Some(Said::Taken(word))) => return self.taken(word),
            Ok(Some(said)) => return Heard::Said(said),
            Ok(None) => {}
            Err(NotSaid) => return Heard::Nonsense,
        }
        let Some(socket) = &self.socket else { return Heard::Nothing };
        let mut buffer = [0; READ];
        match sys::recv_from_process(socket.as_fd(), &mut buffer) {
            Ok((0, _)) => {
                self.socket = None;
                Heard::Closed
            }
            Ok((_, from)) if from.is_none() || self.speaker.is_some_and(|known| Some(known) != from) => Heard::Nonsense,
            Ok((n, from)) => {
                self.speaker = from;
                match self.listener.push(buffer.get(..n).unwrap_or_default()) {
                    Ok(()) => self.hear(),
                    Err(NotSaid) => Heard::Nonsense,
                }
            }
            Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Heard::Nothing,
            Err(_) => {
                self.socket = None;
                Heard::Closed
            }
        }
    }
}

/// A pair of connected sockets, closed on exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Letters and digits that nobody can guess.
pub fn random_word() -> io::Result<String> {
    let bytes = random_bytes::<16>().map_err(io::Error::other)?;
    Ok(b64_encode(&bytes).replace(['-', '_'], "x"))
}
