//! How `countersign-sh` ends: what is said, and which status.

use crate::rows::in_rows;
use countersign_core::{Exit, legible};
use countersign_sys as sys;
use std::os::fd::AsFd;
use std::process::ExitCode;

/// How long a last line may wait for a reader of standard error.
const SAY_MS: u64 = 1000;

/// The status to end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// An exit code.
    Code(u8),
    /// The signal that ended the command.
    Signal(u8),
}

/// The end of this program: at most one line, then the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    line: Option<String>,
    status: Status,
    started: bool,
}

/// Why a login cannot begin or go on. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, text: text.into() }
    }

    /// A system call that should not have failed.
    pub fn system(what: &str, error: &std::io::Error) -> Self {
        Self::new(Exit::Internal, format!("{what}: {error}"))
    }
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self::saying(failure.text, Status::Code(failure.exit.code()))
    }
}

impl Ending {
    /// Ends without a word.
    pub fn silent(status: Status) -> Self {
        Self { line: None, status, started: false }
    }

    /// Ends with one line on standard error.
    pub fn saying(text: impl Into<String>, status: Status) -> Self {
        Self { line: Some(text.into()), status, started: false }
    }

    /// The same end, of a command that ran: what its client was sent is its.
    pub fn after_start(self) -> Self {
        Self { started: true, ..self }
    }

    /// Why nothing was started, where there is something to say of it.
    pub fn unstarted(&self) -> Option<&str> {
        self.line.as_deref().filter(|_| !self.started)
    }

    /// Says the line and gives the exit code, or ends this process by the
    /// signal that ended the command.
    pub fn finish(self) -> ExitCode {
        if let Some(line) = &self.line {
            say(line, "\n");
        }
        match self.status {
            Status::Code(code) => ExitCode::from(code),
            Status::Signal(number) => {
                // Where the signal does not end a process, the shells' convention is left.
                let (Ok(()) | Err(_)) = sys::signals::end_by(i32::from(number));
                ExitCode::from(128u8.saturating_add(number))
            }
        }
    }
}

/// Writes one line to standard error, on a terminal in rows that end at spaces, for at most a second: nobody may be
/// reading. `end`: what ends a row, `\r\n` on a terminal that is raw.
pub(crate) fn say(text: &str, end: &str) {
    let columns = sys::terminal::size(std::io::stderr().as_fd()).map_or(0, |size| size.columns);
    let line = format!("{}{end}", in_rows(&format!("countersign: {}", legible(text)), columns, end));
    let mut rest = line.as_bytes();
    for _ in 0..SAY_MS / 10 {
        match sys::write_now(std::io::stderr().as_fd(), rest) {
            Ok(n) => rest = rest.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => sys::sleep_ms(10),
            Err(_) => return,
        }
        if rest.is_empty() {
            return;
        }
    }
}
