//! The words of the domain: identifiers, digests, outcomes, limits and how
//! recorded text is made safe to look at.
//!
//! This crate must never do I/O, read a clock or hold `unsafe` code: every
//! function here could run inside a fuzz target.
#![forbid(unsafe_code)]

mod class;
mod command;
mod counted;
mod digest;
mod digits;
mod display;
mod exit;
mod flag;
mod id;
mod name;
mod outcome;
mod program;
mod time;
mod transfer;

pub use class::{BadClass, Class};
pub use command::{CommandText, MAX_COMMAND_BYTES, NotText};
pub use counted::counted;
pub use digest::{BadEncoding, Digest, Nonce, Salt, b64_decode, b64_encode, b64_fixed, b64_is_fixed};
pub use display::{legible, mark, unmarked, visible};
pub use exit::Exit;
pub use flag::{Flag, UnknownFlag};
pub use id::{BadId, HostId, LoginId, ServiceId, SubmissionId};
pub use name::{BadName, Name};
pub use outcome::{BadDecider, Choice, DecidedBy, Outcome};
pub use program::{MAX_PROGRAM_BYTES, NotProgram, program_text};
pub use time::{format_utc_micros, parse_utc_micros};
pub use transfer::{SFTP_SERVERS, Transfer, UnknownTransfer, asks_for_sftp, is_unclear_rsync, sftp_line};
