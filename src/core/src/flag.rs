//! Marks on a held command that whoever decides must know of.

use std::fmt;

/// A mark on a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// Opens a program whose later input nobody reviews: a shell, an editor,
    /// a pager, a remote login.
    InteractiveEscape,
    /// Runs a program that is not in the line: one that comes on standard
    /// input, or that a configuration of the account names.
    OpaqueCode,
}

impl Flag {
    /// Every mark.
    pub const ALL: [Self; 2] = [Self::InteractiveEscape, Self::OpaqueCode];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InteractiveEscape => "interactive_escape",
            Self::OpaqueCode => "opaque_code",
        }
    }

    /// Whether only a person may let such a command run: no rule and no grant
    /// can have seen what it will do.
    pub fn needs_person(self) -> bool {
        match self {
            Self::InteractiveEscape | Self::OpaqueCode => true,
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown flag")]
pub struct UnknownFlag;

impl std::str::FromStr for Flag {
    type Err = UnknownFlag;
    fn from_str(text: &str) -> Result<Self, UnknownFlag> {
        Self::ALL.into_iter().find(|flag| flag.as_str() == text).ok_or(UnknownFlag)
    }
}
