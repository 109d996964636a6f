//! `countersign-sh`: the login shell of an agent. It decides nothing, holds no
//! key and trusts no environment variable; `docs/ARCHITECTURE.md` walks
//! through it.
#![forbid(unsafe_code)]

mod away;
mod complete;
mod editor;
mod end;
mod environment;
mod feed;
mod front;
mod held;
mod inner;
mod inspected;
mod interactive;
mod lines;
mod link;
mod login;
mod outer;
mod outlet;
mod place;
mod program;
mod pty;
#[doc(hidden)]
pub mod readers;
mod recorder;
mod relay;
mod request;
mod rows;
mod script;
mod settings;
mod spawner;
mod spool;
mod start;
mod transfer_log;
mod unserved;
mod waits;

/// Runs the login shell, the spawner or the errand that this process was
/// started as, and returns its exit code.
pub fn run() -> std::process::ExitCode {
    front::run()
}
