//! Bytes on their way out, once they are recorded.

use countersign_sys as sys;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A queue before a descriptor that others share, so that it stays in
/// blocking mode and is written without blocking.
#[derive(Debug)]
pub struct Outlet {
    fd: OwnedFd,
    /// A socket is written to in another way; what it is does not change.
    socket: bool,
    queue: Vec<u8>,
    /// How much of the queue is written.
    written: usize,
    open: bool,
}

impl Outlet {
    /// A queue before a descriptor.
    pub fn new(fd: OwnedFd) -> Self {
        let socket = sys::descriptors::is_socket(fd.as_fd()).unwrap_or(false);
        Self { fd, socket, queue: Vec::new(), written: 0, open: true }
    }

    /// The descriptor.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Shows bytes that are recorded; what the descriptor does not take now is
    /// queued.
    pub fn show(&mut self, recorded: &[u8]) {
        if self.queue.is_empty() {
            let taken = self.write(recorded);
            self.keep(recorded.get(taken..).unwrap_or_default());
        } else {
            self.keep(recorded);
            self.push();
        }
    }

    /// Whether bytes wait to be written.
    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether anybody can still read what is written.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Forgets what waits and takes nothing more.
    pub fn shut(&mut self) {
        self.open = false;
        self.queue.clear();
        self.written = 0;
    }

    /// Writes what the descriptor takes now. Shuts when nobody reads there.
    pub fn push(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        self.written += self.write(queue.get(self.written..).unwrap_or_default());
        if self.open && self.written < queue.len() {
            self.queue = queue;
        } else {
            self.written = 0;
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        if self.open {
            self.queue.extend_from_slice(rest);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| self.open && !rest.is_empty()) {
            let fd = self.fd.as_fd();
            let wrote = if self.socket { sys::send_now(fd, rest) } else { sys::descriptors::write_piece(fd, rest) };
            match wrote {
                Ok(n) => taken += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.shut();
                    break;
                }
            }
        }
        taken
    }
}
