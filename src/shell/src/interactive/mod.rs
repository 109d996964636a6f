//! An interactive login: the front owns the line, and bash never reads a
//! command from the terminal.
//!
//! | state | terminal input goes to | leaves on |
//! |---|---|---|
//! | `Starting` | queue | the driver's first "ready" and its mark → `Editing` |
//! | `Editing` | our editor | a complete command → `Pending`; ^D → the shell exits |
//! | `Pending` | queue; ^C cancels | released → `Committing`; else the queue is flushed → `Editing` |
//! | `Committing` | queue | the driver took the line → `Running`; 2 s without that → over |
//! | `Running` | inner terminal, raw | "ready" and its mark → `Editing`; private socket closed → `Replaced` |
//! | `Replaced` (`exec prog`) | inner terminal, raw | the program exits → over |
//!
//! A shell that a signal has stopped, or that reads its newlines and never says
//! "ready", is over in any state.
//!
//! While countersign-hostd is away (`away.rs`) the state stays as it is, but a
//! line that waited is refused, and so is every new one.
//!
//! Text that was not approved is never written to anything a shell parses, and
//! raw input is forwarded in `Running` and `Replaced` only.

mod away;
pub mod driver;
mod line;
pub mod mark;
mod notice;
mod over;
pub mod private;
mod prompt;
mod session;
pub mod told;
mod wires;

pub use session::run;
