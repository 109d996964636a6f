//! What surrounds a command line: what the front gathers with the agent's
//! rights, what the host makes of it, what a reviewer is shown.
//!
//! Three grades of trust, never mixed: what the host or the kernel saw; what
//! the agent's shell reports of itself; what the agent claims.

use countersign_core::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest file that is digested, in bytes; a longer one is a fact of its own.
pub const MAX_SCRIPT: u64 = 256 * 1024;
/// Bytes of a script that are shown.
pub const SCRIPT_EXCERPT: usize = 4096;
/// Longest list of names that a shell's report may hold; a longer one is cut and not complete.
pub const MAX_NAMES: usize = 256;
/// Longest claim in bytes.
pub const MAX_CLAIM: usize = 16 * 1024;
/// Most claims of a login.
pub const MAX_CLAIMS: usize = 24;

/// What a front tells of the place where a line would run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surroundings {
    /// The branch in `.git/HEAD` at or above the working directory, or the
    /// commit where none is checked out. Read with the agent's rights.
    pub branch: Option<String>,
    /// What an interactive shell reports of itself.
    pub shell: Option<ShellReport>,
}

/// What an interactive shell reports of itself. It runs the agent's commands:
/// one that was tampered with reports what it likes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellReport {
    /// `PATH`.
    pub path: String,
    /// Names of aliases.
    pub aliases: Vec<String>,
    /// Names of functions, those of the driver left out.
    pub functions: Vec<String>,
    /// Remembered places of programs: name and path.
    pub hashed: Vec<(String, String)>,
    /// Exported variables that are not as they were at login.
    pub changed: Vec<String>,
    /// Options of the shell, and variables that it alone goes by, that are not
    /// as they were at login.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// Whether all of it was heard and fits.
    pub complete: bool,
}

/// What a file that a line would run was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FileSeen {
    /// A regular file, read whole.
    Read {
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of it.
        digest: Digest,
        /// Its first [`SCRIPT_EXCERPT`] bytes; what is not UTF-8 is replaced.
        excerpt: String,
    },
    /// Not read.
    Unread {
        /// Why.
        why: Unread,
        /// What tells this file from another or a changed one, where there is
        /// one: device, inode, size, time of change.
        stamp: String,
    },
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// There is none.
    Missing,
    /// A symbolic link.
    Link,
    /// A directory, FIFO, device or socket.
    NotRegular,
    /// Longer than [`MAX_SCRIPT`].
    TooLarge,
    /// The agent may not read it.
    Forbidden,
    /// The line makes its place up while it runs.
    Unresolved,
    /// Its file system did not answer, or there was no time.
    NoAnswer,
    /// On a file system of a program's making (FUSE) or of processes (`/proc`):
    /// what one process reads there another need not.
    Foreign,
    /// Reading failed in another way.
    Failed,
}

impl Unread {
    /// In words.
    pub fn as_words(self) -> &'static str {
        match self {
            Self::Missing => "there is no such file",
            Self::Link => "a symbolic link, not followed",
            Self::NotRegular => "not a regular file",
            Self::TooLarge => "too large to be read",
            Self::Forbidden => "the agent may not read it",
            Self::Unresolved => "which file it is shows only when the line runs",
            Self::NoAnswer => "not read in time",
            Self::Foreign => "on a file system that may show each reader something else (FUSE, /proc)",
            Self::Failed => "cannot be read",
        }
    }
}

/// The context of one command as it is recorded (`context` of
/// `command_submitted`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// As in [`Surroundings`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What each first word of the line is; `None` where the host cannot tell all of them.
    #[serde(default)]
    pub words: Option<Vec<Word>>,
    /// Files it would run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<Script>,
    /// Whether there are more of them than are listed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_scripts: bool,
    /// As the shell reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<ShellReport>,
}

/// A first word of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The word.
    pub word: String,
    /// What it is.
    pub is: Resolution,
    /// The program file, where it is `system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why it is `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a word resolves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A builtin of the inner shell.
    Builtin,
    /// A program of root's on the configured PATH that nobody else can change.
    System,
    /// Anything else.
    Other,
}

/// A file that a line would run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Where, as the host makes it out of the line.
    pub path: String,
    /// What it was when the line was submitted.
    pub file: FileSeen,
    /// Whether it differs from what was last approved at this path since the
    /// daemon started; `None` where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

/// Who is behind a login, as sshd verified it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The initiating user: the certificate's key id, else the key's fingerprint.
    pub user: String,
    /// How it authenticated, e.g. `publickey`.
    pub method: String,
    /// Fingerprint of the key, `SHA256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Fingerprint of the authority that certified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Principals of the certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Serial number of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The address it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

/// A `COUNTERSIGN_*` variable of the login's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its value; `None` where it is longer than [`MAX_CLAIM`] or not UTF-8.
    pub value: Option<String>,
}

/// What the agent states of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// Member (`task`, `trigger` …) and what it says.
    #[serde(flatten)]
    pub members: BTreeMap<String, String>,
}

/// Everything known around a command, for who looks at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Context of the command.
    #[serde(default)]
    pub context: Context,
    /// What the agent states of itself: unverified.
    #[serde(default)]
    pub claimed: Claimed,
    /// What was wrong with what it stated, where something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_error: Option<String>,
    /// Who is behind the login, where sshd verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}
