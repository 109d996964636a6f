//! `countersign attend-child PARENT PROGRAM …`: becomes PROGRAM, which then ends
//! when its parent does, even when that is killed. Not for people.

use crate::failure::Failure;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The word that asks for it.
pub const WORD: &str = "attend-child";

/// Becomes the program; returns only where that fails.
pub fn become_program(mut arguments: impl Iterator<Item = OsString>) -> Failure {
    let parent = arguments.next().and_then(|text| text.to_str()?.parse::<i32>().ok());
    let (Some(parent), Some(program)) = (parent, arguments.next()) else {
        return Failure::Usage(format!("`{WORD}` is for countersign itself"));
    };
    if let Err(error) = nix::sys::prctl::set_pdeathsig(Some(Signal::SIGTERM)) {
        return Failure::Internal(format!("cannot tie a child to its parent: {error}"));
    }
    if nix::unistd::getppid().as_raw() != parent {
        return Failure::Unavailable("the parent has gone".into());
    }
    let error = Command::new(&program).args(arguments).exec();
    Failure::io("start", program.to_string_lossy(), &error)
}
