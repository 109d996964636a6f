//! A command line to facts. [`parse`] finds every simple command that would
//! run, [`analyze`] adds risk, anomalies, display tricks and secrets, and
//! [`hold`], which `countersign-hostd` calls once per submission, says how its
//! bytes are cut and whether anybody may be asked about it at all.
//!
//! No I/O, no clock: the same line gets the same answer everywhere.
#![forbid(unsafe_code)]

mod analyze;
pub mod anomaly;
mod builtins;
mod consequences;
pub mod display;
mod escapes;
pub mod facts;
mod held;
pub mod hosts;
mod launch;
mod line;
mod meaning;
pub mod paths;
pub mod programs;
pub mod redact;
pub mod risk;
mod shell;
mod starts;
mod stdin_program;
mod words;

pub use analyze::{Analysis, VERSION, analyze};
pub use builtins::is_builtin;
pub use consequences::consequences;
pub use held::{Held, HeldProgram, Nested, NotAsked, Place, Segment, hold};
pub use line::parse;
pub use starts::{MAX_SCRIPTS, Script, Search, Starts, acts, first_words, only_shows, starts};
pub use stdin_program::reads_program_from_stdin;
