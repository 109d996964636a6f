//! How a command of ours fails: one text that says what to do, one exit code.

/// A failure with its text. The text may hold what a service or a child
/// program said: it is made visible where it is printed, never before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The service refused what was asked (exit 1).
    #[error("{0}")]
    Refused(String),
    /// Wrong flags, or an id that names nothing or too much (exit 64).
    #[error("{0}")]
    Usage(String),
    /// A file is not what it should be (exit 65).
    #[error("{0}")]
    BadFile(String),
    /// What was named does not exist (exit 66).
    #[error("{0}")]
    NotFound(String),
    /// The service, or a program of ours, cannot be reached or started (exit 69).
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours (exit 70).
    #[error("{0}")]
    Internal(String),
    /// The machine refused to read or write (exit 74).
    #[error("{0}")]
    Io(String),
    /// A configuration file or a directory is missing or unsafe (exit 78).
    #[error("{0}")]
    Config(String),
    /// The reader of our output has gone; nobody is left to tell (exit 0).
    #[error("nobody reads the output")]
    Unread,
    /// A signal ended us (exit 128 + its number).
    #[error("ended by signal {0}")]
    Signal(u8),
}

impl Failure {
    /// The number for `exit(2)`, as `countersign --help` lists them.
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => 1,
            Self::Usage(_) => 64,
            Self::BadFile(_) => 65,
            Self::NotFound(_) => 66,
            Self::Unavailable(_) => 69,
            Self::Internal(_) => 70,
            Self::Io(_) => 74,
            Self::Config(_) => 78,
            Self::Unread => 0,
            Self::Signal(number) => number.saturating_add(128),
        }
    }

    /// A failed read or write: `verb` and `what` as in `cannot {verb} {what}: …`.
    pub fn io(verb: &str, what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        Self::Io(format!("cannot {verb} {what}: {error}"))
    }
}
