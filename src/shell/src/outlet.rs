//! Bytes on their way out, once they are recorded.

use countersign_sys as sys;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A queue before a descriptor that is written without blocking.
#[derive(Debug)]
pub struct Outlet {
    fd: OwnedFd,
    way: Way,
    queue: Vec<u8>,
    /// How much of the queue is written.
    written: usize,
    open: bool,
}

/// How a descriptor is written without blocking; what it is does not change.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// It never blocks, and nobody else has it.
    Own,
    /// A socket, which can be told so with each write.
    Socket,
    /// Others share it, so that it stays in blocking mode: where there is room.
    Shared,
}

impl Outlet {
    /// A queue before a descriptor that others share.
    pub fn new(fd: OwnedFd) -> Self {
        let socket = sys::descriptors::is_socket(fd.as_fd()).unwrap_or(false);
        Self::by(fd, if socket { Way::Socket } else { Way::Shared })
    }

    /// A queue before a descriptor that is in non-blocking mode and nobody else's.
    pub fn own(fd: OwnedFd) -> Self {
        Self::by(fd, Way::Own)
    }

    fn by(fd: OwnedFd, way: Way) -> Self {
        Self { fd, way, queue: Vec::new(), written: 0, open: true }
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
            let wrote = match self.way {
                Way::Own => sys::descriptors::write_own(fd, rest),
                Way::Socket => sys::send_now(fd, rest),
                Way::Shared => sys::descriptors::write_piece(fd, rest),
            };
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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

    fn raw_terminal() -> nix::pty::OpenptyResult {
        let pair = nix::pty::openpty(None, None).unwrap();
        let mut raw = tcgetattr(&pair.slave).unwrap();
        cfmakeraw(&mut raw);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &raw).unwrap();
        pair
    }

    /// What a terminal with this outlet shows, in whatever way it is written to.
    fn all_is_shown(make: impl FnOnce(OwnedFd) -> Outlet) {
        let pair = raw_terminal();
        let mut outlet = make(pair.slave);
        let sent: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[0]).collect();
        let wanted = sent.len();
        let reader = std::thread::spawn(move || {
            let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
            while shown.len() < wanted {
                let n = nix::unistd::read(&pair.master, &mut piece).unwrap();
                shown.extend_from_slice(&piece[..n]);
            }
            shown
        });
        let (first, second) = sent.split_at(wanted / 2);
        outlet.show(first);
        outlet.show(second);
        while outlet.is_waiting() {
            sys::poll(&[(outlet.fd().as_fd(), sys::Wanted::Write)], None).unwrap();
            outlet.push();
        }
        assert!(outlet.is_open());
        assert!(reader.join().unwrap() == sent);
        outlet.show(b"x");
        assert!(!outlet.is_open(), "nobody reads there any more");
    }

    /// As where a client stops reading in the middle.
    #[test]
    fn a_full_terminal_of_our_own_is_not_waited_for() {
        let pair = raw_terminal();
        let mut outlet = Outlet::own(sys::terminal::open_again(pair.slave.as_fd()).unwrap());
        (0..100).for_each(|i| outlet.show(&vec![b'x'; 1 + i * 97]));
        assert!(outlet.is_waiting() && outlet.is_open());
    }

    #[test]
    fn a_terminal_shows_everything_in_order() {
        all_is_shown(Outlet::new);
        all_is_shown(|fd| Outlet::own(sys::terminal::open_again(fd.as_fd()).unwrap()));
    }
}
