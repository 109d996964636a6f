//! Exit codes of the gate (docs/OPERATIONS.md lists them).

/// How the gate itself ends when no command's status can be passed on.
/// The numbers follow `sysexits(3)` and, for 126, POSIX sh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Wrong flags or input (`EX_USAGE`).
    Usage,
    /// Service or ledger not available; nothing ran (`EX_UNAVAILABLE`).
    Unavailable,
    /// A defect of ours; nothing ran (`EX_SOFTWARE`).
    Internal,
    /// A configuration file is missing, not ours or not readable (`EX_CONFIG`).
    Config,
    /// Denied, timed out, blocked, cancelled or not a kind that may run.
    Refused,
}

impl Exit {
    /// The number for `exit(2)`.
    pub fn code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Config => 78,
            Self::Refused => 126,
        }
    }
}
