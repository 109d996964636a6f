//! A client's standard input on its way to a command. The command never gets
//! the client's descriptor where it could be written to: it may be the same
//! open file as standard output, and what is written there is not recorded.

use crate::relay::Wiring;
use countersign_sys::{self as sys, Ready, Wanted};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most bytes that wait for the command.
const MAX_WAITING: usize = 16 * 1024;

/// Where a command's standard input comes from.
#[derive(Debug)]
pub enum Input {
    /// Nowhere: it is empty.
    Empty,
    /// The client's own descriptor, which can only be read.
    Own,
    /// A file that was held with the command.
    Program(OwnedFd),
    /// A pipe that is fed from the client.
    Fed(Feed, OwnedFd),
}

/// The client's descriptor, a pipe, and what is between them.
#[derive(Debug)]
pub struct Feed {
    from: OwnedFd,
    to: Option<OwnedFd>,
    waiting: Vec<u8>,
    ended: bool,
}

impl Input {
    /// Decides: nothing of the client's for a line that no person looked at,
    /// its own descriptor where that is harmless, else a pipe.
    pub fn choose(client: &OwnedFd, wiring: Wiring) -> io::Result<Self> {
        match wiring {
            Wiring::Unfed => return Ok(Self::Empty),
            Wiring::Program(file) => return Ok(Self::Program(file)),
            Wiring::Relayed | Wiring::Direct | Wiring::Logged => {}
        }
        if sys::descriptors::is_for_reading_only(client.as_fd())? {
            return Ok(Self::Own);
        }
        let (theirs, ours) = sys::pipe()?;
        sys::set_nonblocking(ours.as_fd())?;
        let feed = Feed { from: client.try_clone()?, to: Some(ours), waiting: Vec::new(), ended: false };
        Ok(Self::Fed(feed, theirs))
    }
}

impl Feed {
    /// What to wait for, while there is anything to move.
    pub fn wanted(&self) -> Option<(BorrowedFd<'_>, Wanted)> {
        let to = self.to.as_ref()?;
        if self.waiting.is_empty() {
            Some((self.from.as_fd(), Wanted::Read))
        } else {
            Some((to.as_fd(), Wanted::Write))
        }
    }

    /// Moves bytes after a wait. Never blocks; the end of input is passed on,
    /// and so is that nobody reads.
    pub fn turn(&mut self, ready: Ready) {
        if self.waiting.is_empty() && (ready.readable || ready.hangup) {
            self.read();
        }
        let Some(to) = &self.to else { return };
        while !self.waiting.is_empty() {
            match sys::write_now(to.as_fd(), &self.waiting) {
                Ok(n) => drop(self.waiting.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.to = None,
            }
        }
        if self.ended {
            self.to = None;
        }
    }

    fn read(&mut self) {
        let mut buffer = [0; MAX_WAITING];
        match sys::descriptors::read_now(self.from.as_fd(), &mut buffer) {
            Ok(0) => self.ended = true,
            Ok(n) => self.waiting.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A terminal that is gone, a connection that was reset: no more input.
            Err(_) => self.ended = true,
        }
    }
}
