//! What the front may ask of the spawner, and what it hears back. One packet
//! is one message.

use crate::inner::InnerShell;
use countersign_api::frame;
use countersign_sys::{self as sys, Wanted};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Largest order in bytes: a command of 128 KiB in base64 and its environment.
pub const MAX_ORDER: usize = 256 * 1024;
/// How long a program may take to start.
const SPAWN_MS: u32 = 30_000;
/// How long the end of everything may take.
const END: Duration = Duration::from_secs(5);

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
    socket: OwnedFd,
    pid: i32,
}

impl Spawner {
    /// Holds the front's end of the socket pair.
    pub fn new(socket: OwnedFd, pid: i32) -> Self {
        Self { socket, pid }
    }

    /// Starts a line; `Err` carries the error number.
    pub fn spawn(&self, order: &Order, stdio: [BorrowedFd<'_>; 3]) -> Result<(), u16> {
        let number = |e: io::Error| e.raw_os_error().and_then(|n| u16::try_from(n).ok()).unwrap_or(u16::MAX);
        self.send(order, &stdio).map_err(number)?;
        let ready = sys::poll(&[(self.fd(), Wanted::Read)], Some(SPAWN_MS)).map_err(number)?;
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
        let (n, _) = sys::recv_with_fds(self.fd(), &mut buffer)?;
        let mut decoder = frame::Decoder::default();
        decoder.push(buffer.get(..n).unwrap_or_default());
        decoder.next_message().map_err(io::Error::other)
    }

    /// To wait for a report.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn send(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = frame::encode(order).map_err(io::Error::other)?;
        sys::send_with_fd(self.fd(), &bytes, fds).map(|_| ())
    }
}

impl Drop for Spawner {
    /// Says that nothing more comes, and waits until the spawner has ended
    /// what is left and is gone.
    fn drop(&mut self) {
        let until = sys::finish_sending(self.socket.as_fd()).map(|()| Instant::now() + END);
        while until.as_ref().is_ok_and(|until| Instant::now() < *until) {
            let ready = sys::poll(&[(self.socket.as_fd(), Wanted::Read)], Some(100)).unwrap_or_default();
            // What it still reports is of no interest now; an error or nothing read is its end.
            if ready.first().is_some_and(|r| r.readable || r.hangup) && !matches!(self.report(), Ok(Some(_))) {
                // Its socket closes while it exits, so this takes no time; it leaves no zombie behind.
                let (Ok(()) | Err(_)) = sys::process::wait(self.pid);
                return;
            }
        }
    }
}
