//! The side of the client: standard descriptors, its terminal, its signals,
//! and whether it is still there.

use crate::outlet::Outlet;
use countersign_sys::signals::{Name, Signals};
use countersign_sys::terminal::{self, Size};
use countersign_sys::{self as sys, Ready, Wanted};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most bytes of input that wait for a command to be decided on.
const MAX_TYPED: usize = 64 * 1024;
/// Bytes of one read.
const READ: usize = 4096;
/// Most reads of what is dropped.
const DROPS: usize = 16;
/// ^C.
const INTERRUPT: u8 = 3;

/// The client's side.
#[derive(Debug)]
pub struct Outer {
    /// Standard input.
    pub input: OwnedFd,
    /// Standard output.
    pub output: OwnedFd,
    /// Standard error.
    pub error: OwnedFd,
    /// Whether all three are a terminal.
    pub tty: bool,
    /// Whether input and output are one terminal.
    one: bool,
    /// The terminal, opened once more, by whom it belongs to: what a command
    /// writes is shown there without waiting. Where that may not be (`su` on
    /// another's terminal), each write looks for room first.
    pub screen: Option<OwnedFd>,
    /// The pipes that a command without a terminal writes to in place of
    /// `output` and `error`: read end, write end. They belong to the agent, so
    /// that a command may open them by name (`/dev/stderr`).
    pub pipes: Option<[(OwnedFd, OwnedFd); 2]>,
    /// The same for the standard input of a script's commands: what these read
    /// from, what we read from, write end.
    pub feed: Option<(OwnedFd, OwnedFd, OwnedFd)>,
    signals: Signals,
    typed: Vec<u8>,
    typing: bool,
    /// What is read goes through here; most of it is never touched.
    buffer: Vec<u8>,
}

/// What the client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It is gone.
    Hangup,
    /// ^C, or SIGINT, SIGTERM, SIGQUIT.
    Interrupt,
    /// Its terminal has another size.
    Resized,
}

impl Outer {
    /// Takes the standard descriptors and the signals over.
    pub fn take() -> io::Result<Self> {
        let [input, output, error] = [sys::duplicate(0)?, sys::duplicate(1)?, sys::duplicate(2)?];
        let tty = [&input, &output, &error].into_iter().all(terminal::is_terminal);
        let one = tty && terminal::is_same(input.as_fd(), output.as_fd())?;
        let wanted = [Name::SIGHUP, Name::SIGINT, Name::SIGTERM, Name::SIGQUIT, Name::SIGWINCH];
        let signals = Signals::take_over(&wanted)?;
        Ok(Self {
            input,
            output,
            error,
            tty,
            one,
            screen: None,
            pipes: None,
            feed: None,
            signals,
            typed: Vec::new(),
            typing: tty,
            buffer: vec![0; READ],
        })
    }

    /// The size of its terminal; nothing where it has none.
    pub fn size(&self) -> Size {
        terminal::size(self.input.as_fd()).unwrap_or(Size { columns: 0, rows: 0 })
    }

    /// Where standard output is shown.
    pub fn outlet(&self) -> io::Result<Outlet> {
        match &self.screen {
            Some(screen) => Ok(Outlet::own(screen.try_clone()?)),
            None => Ok(Outlet::new(self.output.try_clone()?)),
        }
    }

    /// What to wait for. End of input is never a hang-up: `ssh -n` has it at
    /// once.
    pub fn wanted(&self) -> [(BorrowedFd<'_>, Wanted); 3] {
        let read = self.typing && self.typed.len() < MAX_TYPED;
        // Without a terminal, input belongs to the command; its descriptor is not even polled.
        let input = match (self.tty, read) {
            (true, true) => (self.input.as_fd(), Wanted::Read),
            (true, false) => (self.input.as_fd(), Wanted::Hangup),
            (false, _) => (self.output.as_fd(), Wanted::Hangup),
        };
        let output = if self.one && self.tty { input.0 } else { self.output.as_fd() };
        [(self.signals.as_fd(), Wanted::Read), (output, Wanted::Hangup), input]
    }

    /// Looks at what a wait brought. `pending`: ^C is a sign, not input.
    pub fn turn(&mut self, ready: [Ready; 3], pending: bool) -> io::Result<Vec<Sign>> {
        let [signals, output, input] = ready;
        let mut signs = Vec::new();
        if signals.readable {
            while let Some(name) = self.signals.next()? {
                signs.push(sign(name));
            }
        }
        if output.hangup || (self.tty && input.hangup) {
            signs.push(Sign::Hangup);
        }
        if self.tty && input.readable && self.typing && self.read_input(pending)? {
            signs.push(Sign::Interrupt);
        }
        Ok(signs)
    }

    /// Input for the command, to be taken.
    pub fn typed_mut(&mut self) -> &mut Vec<u8> {
        &mut self.typed
    }

    /// Input for the command that waits.
    pub fn typed(&self) -> &[u8] {
        &self.typed
    }

    /// Drops what was typed, read here or not; whether there was anything but
    /// line ends.
    pub fn drop_typed(&mut self) -> io::Result<bool> {
        let mut dropped = std::mem::take(&mut self.typed);
        // As much as a terminal holds, and no more: somebody may type for ever.
        for _ in 0..DROPS {
            let ready = sys::poll(&[(self.input.as_fd(), Wanted::Read)], Some(0))?;
            if !self.typing || !ready.first().is_some_and(|input| input.readable) {
                break;
            }
            self.read_input(false)?;
            dropped.append(&mut self.typed);
        }
        // A terminal that is gone holds nothing.
        let (Ok(()) | Err(_)) = terminal::drop_typed(self.input.as_fd());
        Ok(dropped.iter().any(|byte| !matches!(byte, b'\r' | b'\n')))
    }

    /// Reads input; whether ^C was in it where that is a sign.
    fn read_input(&mut self, pending: bool) -> io::Result<bool> {
        let room = MAX_TYPED.saturating_sub(self.typed.len()).min(READ);
        let n = match nix::unistd::read(&self.input, self.buffer.get_mut(..room).unwrap_or_default()) {
            Ok(n) => n,
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => return Ok(false),
            Err(nix::errno::Errno::EIO) => 0,
            Err(error) => return Err(error.into()),
        };
        let bytes = self.buffer.get(..n).unwrap_or_default();
        self.typing = n > 0;
        if pending && bytes.contains(&INTERRUPT) {
            self.typed.clear();
            return Ok(true);
        }
        self.typed.extend_from_slice(bytes);
        Ok(false)
    }
}

fn sign(name: Name) -> Sign {
    if name == Name::SIGWINCH {
        Sign::Resized
    } else if name == Name::SIGHUP {
        Sign::Hangup
    } else {
        Sign::Interrupt
    }
}
