//! Between the front (`countersign-sh`) and `countersign-hostd`.
//!
//! One connection is one login. The order is fixed, and the host ends the
//! connection on anything else (`src/host/src/login.rs` has the table):
//!
//! ```text
//! front                        host
//! Hello                     →
//!                           ←  Welcome   + the spool's descriptor (SCM_RIGHTS)
//! Submit                    →
//!                           ←  WantProgram         (only where the line reads a program from standard input)
//! Program                   →
//!                           ←  Inspect             (only where it would run script files)
//! Inspected                 →
//!                           ←  Pending             (not where a rule decided at once)
//! Cancel (any time before the answer) →
//!                           ←  Released | Refused
//! (after Released the front starts the command, then)
//! Spooled*                  →
//!                           ←  Taken*              (any time; answers nothing else)
//! Finished                  →                        (the host takes all that is in the spool)
//!                           ←  Taken, Kept
//! Close                     →
//!                           ←  Kept                then both hang up
//! (Ended stands for Finished and Close)
//! ```
//! `Fatal` may come from the host at any time: the login ends, nothing more runs.
//!
//! A front whose host was lost connects again and begins with `Resume` in place
//! of `Hello`; the host answers `Resumed` in place of `Welcome`, or `Fatal`.

use crate::context::{Claim, FileSeen, Surroundings};
use countersign_core::{DecidedBy, Digest, HostId, LoginId, Nonce, Outcome, Salt, SubmissionId};
use serde::{Deserialize, Serialize};

/// The protocol both sides must speak.
pub const PROTOCOL: u32 = 1;

/// Longest texts of a [`Hello`], in bytes: a client's `TERM`, its connection.
pub const MAX_WORD: usize = 256;

/// Longest prefix of an over-long command that a front sends, in bytes.
pub const MAX_SENT_COMMAND: usize = 256 * 1024;

/// How many bytes of the spool may wait to be taken at most, where there is a
/// host. Where its disk is nearly full it says that fewer may.
pub const SPOOL_AHEAD: u64 = 16 * 1024 * 1024;

/// From front to host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum FrontMessage {
    /// First message: who logs in and how.
    Hello(Hello),
    /// First message of a further connection: the host was lost, and this is
    /// the front of that login.
    Resume(Resume),
    /// One command line to be held.
    Submit(Submit),
    /// The program that the submitted line would read from its standard input.
    Program(Program),
    /// What the files of [`HostMessage::Inspect`] are.
    Inspected {
        /// The front's own nonce of the submission.
        nonce: Nonce,
        /// In the same order.
        files: Vec<FileSeen>,
    },
    /// The agent gave up (hang-up, ^C) before an answer came.
    Cancel {
        /// The front's own nonce of the submission.
        nonce: Nonce,
        /// `hangup` or `interrupt`.
        why: CancelWhy,
    },
    /// So many bytes stand in the spool: it is time to turn them into a chunk
    /// of the recording.
    Spooled {
        /// Length of the spool, whole records.
        bytes: u64,
    },
    /// The released command has ended, or could not be started.
    Finished(Finished),
    /// The login is over.
    Close(Close),
    /// The login is over with the end of its only command: both at once, and
    /// one `Kept` for both.
    Ended {
        /// The end of the command.
        finished: Finished,
        /// The end of the login.
        close: Close,
    },
}

/// The first message of a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The agent's account name, from the password database.
    pub agent: String,
    /// The agent's uid.
    pub uid: u32,
    /// What kind of login this is.
    pub kind: LoginKind,
    /// Its terminal, if it has one.
    pub terminal: Option<Terminal>,
    /// `SSH_CONNECTION` as sshd set it: claimed, not verified.
    pub ssh_connection: Option<String>,
    /// The `COUNTERSIGN_*` variables of its environment: what the agent states of itself.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// End of the front's chain of secrets (`countersign_ledger::ResumeChain`),
    /// where the login may outlive a restart of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Digest>,
}

/// Most bytes of earlier lines that a front tells when it comes back.
pub const MAX_RESUME_LINES: usize = 64 * 1024;

/// A front that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The login.
    pub login: LoginId,
    /// The next secret of its chain.
    pub key: Digest,
    /// The released line that it runs, or whose end it could not tell.
    pub running: Option<SubmissionId>,
    /// The newest lines that it submitted, base64url, at most
    /// [`MAX_RESUME_LINES`]: the output to come may repeat secrets of theirs.
    pub lines: Vec<String>,
}

/// What a login asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginKind {
    /// `ssh host CMD`, with or without a terminal.
    Exec,
    /// `scp`, `sftp`, `rsync`, `git`: runs on the inherited descriptors,
    /// nothing is copied.
    Transfer,
    /// A login without a command, on a terminal.
    Interactive,
    /// A login without a command, without a terminal (`ssh host < file`).
    Stdin,
}

impl LoginKind {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Transfer => "transfer",
            Self::Interactive => "interactive",
            Self::Stdin => "stdin",
        }
    }
}

/// A terminal's kind and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// `TERM`.
    pub term: String,
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// One command line to be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// Chosen by the front; every answer repeats it.
    pub nonce: Nonce,
    /// The exact bytes, base64url; only the first [`MAX_SENT_COMMAND`] of them
    /// where `total_bytes` says there are more.
    pub command: String,
    /// Length of the whole command in bytes.
    pub total_bytes: u64,
    /// Working directory the command would start in, base64url of its bytes.
    pub cwd: String,
    /// The environment it would get.
    pub environment: Vec<(String, String)>,
    /// `bash -c` and the like: the program that would parse the line.
    pub inner_shell: String,
    /// What is around it.
    #[serde(default)]
    pub surroundings: Surroundings,
}

/// A program that a line reads from standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The front's nonce of the submission.
    pub nonce: Nonce,
    /// Its exact bytes, base64url; where `end` is not [`ProgramEnd::Whole`], at
    /// most the first [`MAX_SENT_EXCERPT`] of them.
    pub bytes: String,
    /// How many bytes came.
    pub total_bytes: u64,
    /// Whether that is all.
    pub end: ProgramEnd,
}

/// Longest beginning of a program that is sent where it is not whole, in bytes.
pub const MAX_SENT_EXCERPT: usize = 4096;

/// How the reading of a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ProgramEnd {
    /// At its end.
    Whole,
    /// It is longer than what may be held.
    TooLong,
    /// Its end did not come in so many seconds.
    TooSlow(u64),
}

/// Why a submission is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelWhy {
    /// The client hung up.
    Hangup,
    /// ^C or a signal.
    Interrupt,
}

/// How a released command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// The submission.
    pub id: SubmissionId,
    /// How it ended.
    pub end: CommandEnd,
    /// Bytes it wrote to standard output (or to the terminal).
    pub stdout_bytes: u64,
    /// Bytes it wrote to standard error, where that is separate.
    pub stderr_bytes: u64,
    /// What an sftp session did, as its server said.
    #[serde(default)]
    pub files: Option<Files>,
}

/// What an sftp server said it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Files it opened.
    pub opened: u64,
    /// Bytes that were read from them.
    pub read_bytes: u64,
    /// Bytes that were written to them.
    pub written_bytes: u64,
}

/// The end of a released command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CommandEnd {
    /// It exited with this code, 0 to 255.
    Exited(u8),
    /// A signal of this number ended it.
    Signaled(u8),
    /// It was not started: the error number of `fork`, `execve` or the like.
    NotStarted(u16),
    /// It was released too late, or for other bytes than the front holds, and
    /// was not started.
    NotReleased(NotReleased),
}

/// Why a front did not use a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotReleased {
    /// The deadline had passed when the release arrived.
    Late,
    /// Its commitments are not those of the front's own buffer, or its id or
    /// nonce is not this submission's.
    Mismatch,
    /// The client was gone.
    Hangup,
    /// The recording could not be written.
    Recorder,
    /// A file that it would run, the directory it would run in, or a limit of
    /// the shell is no longer what it was when the line was submitted.
    Drifted,
    /// The host was lost before the front could hear of the release. Said by
    /// the host alone.
    HostLost,
}

/// The last message of a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Why the login ended.
    pub why: CloseWhy,
    /// What was asked for, where `why` is [`CloseWhy::Refused`].
    pub refused: Option<RefusedLogin>,
    /// Length of the spool in bytes: all whole records.
    pub spool_bytes: u64,
}

/// A kind of login that this host does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedLogin {
    /// sftp, where the host's configuration says `sftp = "refuse"`.
    SftpRefused,
}

impl RefusedLogin {
    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SftpRefused => "sftp_refused",
        }
    }
}

/// Why a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseWhy {
    /// Its command or shell ended, or nothing was left to run.
    Exit,
    /// The client hung up.
    Hangup,
    /// A signal (SIGINT, SIGTERM, SIGQUIT) asked the front to end.
    Interrupt,
    /// The recording could not be written.
    DiskFull,
    /// Not a kind of login that may run.
    Refused,
}

/// From host to front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum HostMessage {
    /// The login stands in the ledger. Carries the descriptor of the spool,
    /// opened for append.
    Welcome {
        /// The login.
        login: LoginId,
        /// The host.
        host: HostId,
        /// How far its front may be ahead in the spool, as in `Taken`.
        ahead: u64,
    },
    /// The login goes on.
    Resumed {
        /// Bytes of the spool that stand in the recording.
        taken: u64,
        /// How far the front may be ahead of that, as in `Taken`.
        ahead: u64,
        /// What the ledger says still runs. Where the front named a line and
        /// this is none, its end is recorded already.
        running: Option<SubmissionId>,
    },
    /// The line reads a program from its standard input: it is wanted with it.
    WantProgram {
        /// The front's nonce.
        nonce: Nonce,
    },
    /// Say what these files are, with the agent's rights, before the line is
    /// asked about; and make sure of it again before it runs.
    Inspect {
        /// The front's nonce.
        nonce: Nonce,
        /// At most eight paths; a relative one starts at the line's working directory.
        paths: Vec<String>,
    },
    /// The submission stands in the ledger and the service was asked.
    Pending {
        /// The submission.
        id: SubmissionId,
        /// The front's nonce.
        nonce: Nonce,
        /// Names of those who are asked.
        asked: Vec<String>,
        /// Until when an answer counts, CLOCK_BOOTTIME in µs.
        deadline_us: u64,
    },
    /// Run it, once, if everything here matches the front's own buffer.
    Released(Release),
    /// Do not run it.
    Refused {
        /// The submission.
        id: SubmissionId,
        /// The front's nonce.
        nonce: Nonce,
        /// `denied`, `blocked`, `timed_out`, `cancelled` or `error`.
        outcome: Outcome,
        /// Who decided, where somebody did.
        by: Option<DecidedBy>,
        /// A reviewer's reason, or what went wrong and what to do.
        reason: String,
        /// What the front exits with: 126, or 69 where service or ledger was
        /// not available.
        exit: u8,
    },
    /// The spool up to here stands in the recording. A front that is further
    /// ahead than it may be shows nothing more until it hears this.
    Taken {
        /// Bytes of the spool.
        bytes: u64,
        /// How far ahead it may be from now on, at most [`SPOOL_AHEAD`].
        ahead: u64,
    },
    /// The last `Finished`, or `Close`, is durable.
    Kept,
    /// The login cannot go on. Nothing more runs.
    Fatal {
        /// What went wrong and what to do.
        reason: String,
        /// What the front exits with.
        exit: u8,
    },
}

impl HostMessage {
    /// Why the login cannot go on, and what the front exits with; `None` where
    /// it says something else.
    pub fn fatal(self) -> Option<(String, u8)> {
        match self {
            Self::Fatal { reason, exit } => Some((reason, exit)),
            Self::Welcome { .. }
            | Self::Resumed { .. }
            | Self::WantProgram { .. }
            | Self::Inspect { .. }
            | Self::Pending { .. }
            | Self::Released(_)
            | Self::Refused { .. }
            | Self::Taken { .. }
            | Self::Kept => None,
        }
    }
}

/// The permission to run one command line, as the host states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The submission.
    pub id: SubmissionId,
    /// The front's nonce.
    pub nonce: Nonce,
    /// Who let it run.
    pub by: DecidedBy,
    /// Until when it may start, CLOCK_BOOTTIME in µs.
    pub deadline_us: u64,
    /// The commitments in `command_submitted`, with what opens them, in order;
    /// their lengths add up to the whole command.
    pub segments: Vec<ReleasedSegment>,
    /// The same for the program on its standard input; empty where it has none.
    #[serde(default)]
    pub program: Vec<ReleasedSegment>,
}

/// One segment of a released command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedSegment {
    /// Its length in bytes.
    pub length: u64,
    /// The salt of its commitment.
    pub salt: Salt,
    /// Its commitment.
    pub commitment: Digest,
}
