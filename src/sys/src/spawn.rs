//! Starting a program as another user, on given descriptors.

use crate::identity::{Uids, set_uids};
use crate::inherited::Inherited;
use crate::process::{Forked, fork, parent_death_signal};
use crate::{descriptors, signals, terminal};
use nix::errno::Errno;
use std::convert::Infallible;
use std::ffi::CString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

/// Which standard descriptor becomes the controlling terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controlling {
    /// None.
    None,
    /// Standard input.
    Input,
    /// Standard output.
    Output,
}

/// A program to start.
#[derive(Debug)]
pub struct Program<'a> {
    /// Absolute path.
    pub file: CString,
    /// Arguments, with the name first.
    pub arguments: Vec<CString>,
    /// Environment, as `NAME=value`.
    pub environment: Vec<CString>,
    /// Standard input, output and error.
    pub stdio: [OwnedFd; 3],
    /// All three user ids, for good; `None` leaves them as they are.
    pub uid: Option<u32>,
    /// Further descriptors, moved up ([`descriptors::move_up`]), each with the
    /// number that the program has it under (3 to 99).
    pub further: Vec<(OwnedFd, i32)>,
    /// What becomes the controlling terminal.
    pub terminal: Controlling,
    /// Limits and umask that it gets back.
    pub inherited: &'a Inherited,
}

/// Starts a program in a session of its own, in this process's working
/// directory, with default signals and no other descriptors. It dies with this
/// process. Returns once the program runs; the error is that of the step that
/// failed, `execve` included. The process must have one thread.
pub fn spawn(program: Program<'_>) -> io::Result<i32> {
    let (report, tell) = descriptors::pipe()?;
    let parent = nix::unistd::getpid().as_raw();
    match fork()? {
        Forked::Child => {
            drop(report);
            let Err(error) = become_program(&program, parent);
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            // If even this fails, the end of the pipe without a number says "started"; the exit code is then 127.
            let told = std::fs::File::from(tell).write_all(&number.to_ne_bytes());
            std::process::exit(if told.is_ok() { 126 } else { 127 })
        }
        Forked::Parent(pid) => {
            drop(tell);
            drop(program);
            let mut number = Vec::new();
            std::fs::File::from(report).read_to_end(&mut number)?;
            match <[u8; 4]>::try_from(number) {
                Ok(bytes) => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(bytes))),
                Err(_) => Ok(pid),
            }
        }
    }
}

fn become_program(program: &Program<'_>, parent: i32) -> io::Result<Infallible> {
    nix::unistd::setsid()?;
    let [input, output, error] = &program.stdio;
    nix::unistd::dup2_stdin(input)?;
    nix::unistd::dup2_stdout(output)?;
    nix::unistd::dup2_stderr(error)?;
    match program.terminal {
        Controlling::None => {}
        Controlling::Input => terminal::make_controlling(io::stdin().as_fd())?,
        Controlling::Output => terminal::make_controlling(io::stdout().as_fd())?,
    }
    program.inherited.restore()?;
    if let Some(uid) = program.uid {
        set_uids(Uids { real: uid, effective: uid, saved: uid })?;
    }
    parent_death_signal(parent)?;
    signals::reset()?;
    descriptors::close_from_3_on_exec()?;
    for (fd, number) in &program.further {
        descriptors::keep_as(fd, *number)?;
    }
    nix::unistd::execve(&program.file, &program.arguments, &program.environment).map_err(Errno::into)
}
