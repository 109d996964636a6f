//! A login that sends its commands on standard input (`ssh host < file`): bash
//! runs them one after the other, each held like any other, in one shell.
//!
//! | state | standard input | leaves on |
//! |---|---|---|
//! | `Starting` | waits | the driver's first "ready" → `Reading` |
//! | `Reading` | read up to the end of one complete command | that command → `Pending`; its end → the shell exits |
//! | `Pending` | waits | released → `Committing`; anything else → the login is over |
//! | `Committing` | waits | the driver took the command → `Running`; 2 s without that → over |
//! | `Running` | the command's, where a person let it run; else it has none | "ready" → `Reading`; private socket closed → `Replaced` |
//! | `Replaced` (`exec prog`) | the program's | the program exits → over |
//!
//! What a command did not read of its input is taken back, so that the next
//! command begins where bash would have begun to read. A command that does not
//! run ends the login: what follows it was written to come after it.

pub mod driver;
mod line;
mod over;
mod session;
pub mod source;

pub use session::run;
