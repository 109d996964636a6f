//! Bytes on their way out, shown only once they are recorded.

use countersign_sys as sys;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A queue before a descriptor that others share, so that it stays in
/// blocking mode and is written without blocking.
#[derive(Debug)]
pub struct Outlet {
    fd: OwnedFd,
    queue: Vec<u8>,
    /// How many bytes of the queue are recorded.
    cleared: usize,
    open: bool,
}

impl Outlet {
    /// A queue before a descriptor.
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd, queue: Vec::new(), cleared: 0, open: true }
    }

    /// The descriptor.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Adds bytes that must not be shown yet.
    pub fn add(&mut self, bytes: &[u8]) {
        if self.open {
            self.queue.extend_from_slice(bytes);
        }
    }

    /// Clears the next `count` bytes: they are recorded.
    pub fn clear(&mut self, count: usize) {
        self.cleared = (self.cleared + count).min(self.queue.len());
    }

    /// Whether cleared bytes wait to be written.
    pub fn is_waiting(&self) -> bool {
        self.cleared > 0
    }

    /// Whether anybody can still read what is written.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Forgets what waits and takes nothing more.
    pub fn shut(&mut self) {
        self.open = false;
        self.queue.clear();
        self.cleared = 0;
    }

    /// Writes what the descriptor takes now. Shuts when nobody reads there.
    pub fn push(&mut self) {
        while self.cleared > 0 {
            let ready = self.queue.get(..self.cleared).unwrap_or_default();
            match sys::write_now(self.fd.as_fd(), ready) {
                Ok(n) => {
                    self.queue.drain(..n);
                    self.cleared -= n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.shut(),
            }
        }
    }
}
