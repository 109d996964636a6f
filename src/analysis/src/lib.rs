//! A command line to facts. For now: how its bytes are cut into segments that
//! may or may not be shown, and whether it may be asked about at all. The
//! syntax tree, risk, anomalies and redaction come to this room later; the
//! seam is [`hold`], which `countersign-hostd` calls once per submission.
#![forbid(unsafe_code)]

pub mod facts;
mod held;
mod launch;
mod line;
mod meaning;
pub mod programs;
pub mod redact;
mod shell;
mod stdin_program;

pub use held::{Held, NotAsked, Segment, hold};
pub use line::parse;
pub use stdin_program::reads_program_from_stdin;
