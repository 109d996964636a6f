//! What the front may ask of the spawner, and what it hears back. One packet
//! is one message.

use crate::inner::InnerShell;
use countersign_api::frame;
use countersign_sys::{self as sys, Wanted};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Largest order in bytes: a command of 128 KiB in base64 and its environment.
pub const MAX_ORDER: usize = 256 * 1024;
/// How long a program may take to start.
const SPAWN_MS: u32 = 30_000;
/// How long the end of everything may take.
const END_MS: u32 = 5_000;

/// From front to spawner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Start this line, once. Comes with three descriptors.
    Spawn {
        /// The shell that parses it.
        shell: InnerShell,
        /// Its bytes, base64url.
        command: String,
        /// Its environment.
        environment: Vec<(String, String)>,
        /// Whether standard input becomes its controlling terminal.
        terminal: bool,
    },
    /// Hang up on everything that was started, then kill what stays.
    Hangup,
    /// Kill everything that was started.
    Kill,
}

/// From spawner to front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    /// The program runs.
    Spawned,
    /// It could not be started.
    Failed {
        /// The error number.
        errno: u16,
    },
    /// It exited.
    Exited {
        /// Its code.
        code: u8,
    },
    /// A signal ended it.
    Signaled {
        /// The signal.
        signal: u8,
    },
}

/// The front's end.
#[derive(Debug)]
pub struct Spawner {
    socket: Option<OwnedFd>,
    pid: i32,
}

impl Spawner {
    /// Holds the front's end of the socket pair.
    pub fn new(socket: OwnedFd, pid: i32) -> Self {
        Self { socket: Some(socket), pid }
    }

    /// Starts a line; `Err` carries the error number.
    pub fn spawn(&self, order: &Order, stdio: [BorrowedFd<'_>; 3]) -> Result<(), u16> {
        let number = |e: io::Error| e.raw_os_error().and_then(|n| u16::try_from(n).ok()).unwrap_or(u16::MAX);
        self.send(order, &stdio).map_err(number)?;
        let ready = sys::poll(&[(self.fd().map_err(number)?, Wanted::Read)], Some(SPAWN_MS)).map_err(number)?;
        let heard = ready.first().is_some_and(|r| r.readable);
        match if heard { self.report().map_err(number)? } else { None } {
            Some(Report::Spawned) => Ok(()),
            Some(Report::Failed { errno }) => Err(errno),
            Some(Report::Exited { .. } | Report::Signaled { .. }) | None => Err(u16::MAX),
        }
    }

    /// Ends everything that was started, by `Hangup` or `Kill`.
    pub fn end(&self, order: &Order) -> io::Result<()> {
        self.send(order, &[])
    }

    /// Reads a report; `None` when the spawner is gone.
    pub fn report(&self) -> io::Result<Option<Report>> {
        let mut buffer = [0; 4096];
        let (n, _) = sys::recv_with_fds(self.fd()?, &mut buffer)?;
        let mut decoder = frame::Decoder::default();
        decoder.push(buffer.get(..n).unwrap_or_default());
        decoder.next_message().map_err(io::Error::other)
    }

    /// To wait for a report.
    pub fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn send(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = frame::encode(order).map_err(io::Error::other)?;
        sys::send_with_fd(self.fd()?, &bytes, fds).map(|_| ())
    }
}

impl Drop for Spawner {
    /// Hangs up, and waits until the spawner has ended what is left.
    fn drop(&mut self) {
        self.socket = None;
        for _ in 0..END_MS / 5 {
            match sys::reap() {
                Ok(Some((pid, _))) if pid == self.pid => return,
                Ok(Some(_)) => {}
                Ok(None) if !sys::children(nix::unistd::getpid().as_raw()).contains(&self.pid) => return,
                Ok(None) => sys::sleep_ms(1),
                Err(_) => return,
            }
        }
    }
}
