//! What the front holds of the shell: the private socket, the socket that is
//! the shell's standard input, and the inner terminal. Moves bytes, decides
//! nothing.

use super::driver::{self, Listener, NotSaid, Said};
use crate::pty::Pty;
use crate::spawner::orders::{Order, Spawner, Unstarted};
use countersign_core::b64_encode;
use countersign_ledger::random_bytes;
use countersign_sys::{self as sys, Wanted};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most bytes of one read.
const READ: usize = 16 * 1024;

/// The ends on this side.
pub struct Wires {
    /// The inner terminal.
    pub pty: Pty,
    /// The word of the mark on the inner terminal.
    pub word: String,
    slave: OwnedFd,
    private: Option<OwnedFd>,
    input: OwnedFd,
    listener: Listener,
    orders: Vec<u8>,
}

/// What was heard on the private socket.
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

impl Wires {
    /// Starts the shell on the inner terminal. The inner error says why it
    /// does not run.
    pub fn start(
        mut pty: Pty,
        environment: Vec<(String, String)>,
        spawner: &Spawner,
    ) -> io::Result<Result<Self, Unstarted>> {
        let slave = pty.slave.take().ok_or(io::ErrorKind::NotConnected)?;
        let (private, theirs) = pair()?;
        let (input, their_input) = pair()?;
        sys::set_nonblocking(private.as_fd())?;
        sys::set_nonblocking(input.as_fd())?;
        let word = random_word()?;
        let start_file = driver::start_file(&word)?;
        let order = Order::Shell { environment };
        let fds = [slave.as_fd(), their_input.as_fd(), theirs.as_fd(), start_file.as_fd()];
        let started = spawner.spawn(&order, &fds);
        let listener = Listener::default();
        Ok(started.map(|()| Self { pty, word, slave, private: Some(private), input, listener, orders: Vec::new() }))
    }

    /// The private socket, while it is open, and what to wait for on it.
    pub fn wanted(&self) -> Vec<(BorrowedFd<'_>, Wanted)> {
        let Some(private) = &self.private else { return Vec::new() };
        let write = if self.orders.is_empty() { Wanted::Hangup } else { Wanted::Write };
        vec![(private.as_fd(), Wanted::Read), (private.as_fd(), write)]
    }

    /// The shell's standard input: to wait for its end.
    pub fn input(&self) -> BorrowedFd<'_> {
        self.input.as_fd()
    }

    /// Whether what leads the inner terminal's session is the shell as we
    /// started it: not ended, and not replaced by `exec`.
    pub fn is_driven(&self) -> bool {
        let leader = sys::terminal::session(self.pty.master.as_fd());
        let found = leader.and_then(|pid| std::fs::read(format!("/proc/{pid}/cmdline")));
        let ours = driver::arguments().iter().flat_map(|word| word.to_bytes_with_nul().to_vec()).collect::<Vec<u8>>();
        found.is_ok_and(|found| found == ours)
    }

    /// Queues an order for the driver and sends what can be sent.
    pub fn order(&mut self, bytes: &[u8]) {
        self.orders.extend_from_slice(bytes);
        self.push();
    }

    /// Sends what waits.
    pub fn push(&mut self) {
        let Some(private) = &self.private else { return };
        while !self.orders.is_empty() {
            match sys::send_now(private.as_fd(), &self.orders) {
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
            Ok(Some(said)) => return Heard::Said(said),
            Ok(None) => {}
            Err(NotSaid) => return Heard::Nonsense,
        }
        let Some(private) = &self.private else { return Heard::Nothing };
        let mut buffer = [0; READ];
        match nix::unistd::read(private, &mut buffer) {
            Ok(0) => {
                self.private = None;
                Heard::Closed
            }
            Ok(n) => match self.listener.push(buffer.get(..n).unwrap_or_default()) {
                Ok(()) => self.hear(),
                Err(NotSaid) => Heard::Nonsense,
            },
            Err(Errno::EAGAIN | Errno::EINTR) => Heard::Nothing,
            Err(_) => {
                self.private = None;
                Heard::Closed
            }
        }
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
        sys::terminal::take_back(self.pty.master.as_fd(), self.slave.as_fd(), mark.as_bytes())
    }

    /// Reads output of the inner terminal; `None` where there is none now.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 2 * READ];
        match nix::unistd::read(&self.pty.master, &mut buffer) {
            Ok(0) | Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO) => Ok(None),
            Ok(n) => {
                buffer.truncate(n);
                Ok(Some(buffer))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?)
}

fn random_word() -> io::Result<String> {
    let bytes = random_bytes::<16>().map_err(io::Error::other)?;
    Ok(b64_encode(&bytes).replace(['-', '_'], "x"))
}
