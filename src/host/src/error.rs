//! What ends the daemon or an enrolment.

use countersign_core::Exit;
use std::io::Write as _;
use std::process::ExitCode;

/// A failure that a person must read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// A configuration file, state directory or key is not as it must be.
    #[error("{0}")]
    Config(String),
    /// The service or the ledger is not available.
    #[error("{0}")]
    Unavailable(String),
}

impl HostError {
    /// A configuration failure: what was tried, where, and what happened.
    pub(crate) fn config(verb: &str, path: &std::path::Path, why: impl std::fmt::Display) -> Self {
        Self::Config(format!("cannot {verb} {}: {why}", path.display()))
    }

    /// Prints the failure once and names the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let exit = match self {
            Self::Config(_) => Exit::Config,
            Self::Unavailable(_) => Exit::Unavailable,
        };
        let line = format!("countersign-hostd: {self}\n");
        // Nothing is left to tell where standard error itself is gone.
        std::io::stderr().write_all(line.as_bytes()).ok();
        ExitCode::from(exit.code())
    }
}
