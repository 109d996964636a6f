//! The signals that ask us to end, as something to wait for.

use crate::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, taken over while this lives.
pub struct Stops {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// One of the signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C.
    Interrupt,
    /// A polite end.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

impl Stop {
    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Signal(stop.number())
    }
}

impl Stops {
    /// Takes the signals over.
    pub fn take_over() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(|e| Failure::Internal(format!("cannot listen for signals: {e}")));
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.hangup.recv() => Stop::Hangup,
        }
    }
}
