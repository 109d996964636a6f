//! What the front holds of the shell: the private socket, the socket that is
//! the shell's standard input, and the inner terminal. Moves bytes, decides
//! nothing.

use super::driver;
use super::private::{Heard, Private, pair, random_word};
use crate::pty::{AT_ONCE, PIECE, Pty};
use crate::spawner::orders::{Order, Spawner, Unstarted};
use countersign_sys::{self as sys, Wanted};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The ends on this side.
pub struct Wires {
    /// The inner terminal.
    pub pty: Pty,
    /// The word of the mark on the inner terminal.
    pub word: String,
    /// To take back what no program read.
    back: OwnedFd,
    private: Private,
    input: OwnedFd,
}

impl Wires {
    /// Starts the shell on the inner terminal. The inner error says why it
    /// does not run.
    pub fn start(
        mut pty: Pty,
        environment: Vec<(String, String)>,
        spawner: &Spawner,
    ) -> io::Result<Result<Self, Unstarted>> {
        let slave = pty.slave.take().ok_or(io::ErrorKind::NotConnected)?;
        let (private, theirs) = Private::new()?;
        let (input, their_input) = pair()?;
        sys::set_nonblocking(input.as_fd())?;
        // `stty olcuc` makes capital letters of all others, of the mark's too.
        let word = random_word()?.to_ascii_uppercase();
        let start_file = driver::start_file(&word)?;
        let order = Order::Shell { environment };
        let fds = [slave.as_fd(), their_input.as_fd(), theirs.as_fd(), start_file.as_fd()];
        let back = sys::terminal::peer(pty.master.as_fd())?;
        let started = spawner.spawn(&order, &fds);
        Ok(started.map(|_| Self { pty, word, back, private, input }))
    }

    /// The private socket, while it is open, and what to wait for on it.
    pub fn wanted(&self) -> Vec<(BorrowedFd<'_>, Wanted)> {
        self.private.wanted()
    }

    /// The shell's standard input: to wait for its end.
    pub fn input(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    /// Queues an order for the driver and sends what can be sent.
    pub fn order(&mut self, bytes: &[u8]) {
        self.private.order(bytes);
    }

    /// Queues a line for the driver to run.
    pub fn run(&mut self, status: u8, line: &[u8]) -> io::Result<()> {
        self.private.run(driver::LINE, status, line)
    }

    /// Sends what waits.
    pub fn push(&mut self) {
        self.private.push();
    }

    /// Reads what the driver says.
    pub fn hear(&mut self) -> Heard {
        self.private.hear()
    }

    /// Lets bash begin its next cycle: the one newline on its standard input.
    /// Lines that were interrupted have left theirs; where no more fit, there
    /// is one.
    pub fn next_cycle(&self) -> io::Result<()> {
        match sys::send_now(self.input.as_fd(), b"\n") {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// What was typed into the inner terminal and read by no program.
    pub fn take_back(&self) -> io::Result<Vec<u8>> {
        let mark = format!("\0CS{}\0", random_word()?);
        sys::terminal::take_back(self.pty.master.as_fd(), self.back.as_fd(), mark.as_bytes())
    }

    /// Reads output of the inner terminal; `None` where there is none now.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut read = Vec::new();
        let mut piece = [0; PIECE];
        while read.len() + PIECE <= AT_ONCE {
            match nix::unistd::read(&self.pty.master, &mut piece) {
                Ok(n) => {
                    read.extend_from_slice(piece.get(..n).unwrap_or_default());
                    if n < PIECE {
                        break;
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok((!read.is_empty()).then_some(read))
    }
}
