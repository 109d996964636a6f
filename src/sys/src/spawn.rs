//! Starting a program as another user, on given descriptors.
//!
//! Once the child has changed its user, that user can stop it, or slow it down,
//! before it executes the program. So it says that it lives, waits for leave,
//! and looks at the deadline itself; a child that does not get through in time
//! is killed and reaped, and the kernel says whether it ever executed anything.

use crate::apart::apart;
use crate::identity::{Uids, set_uids};
use crate::inherited::Inherited;
use crate::process::{Forked, end_child, fork, parent_death_signal};
use crate::{clock, descriptors, signals, terminal};
use nix::errno::Errno;
use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// What a child says when it is ready to execute the program; an error number
/// has four bytes.
const ALIVE: [u8; 1] = [b'A'];
/// How long a killed child may take to end, in ms.
const END_MS: u64 = 5000;
/// What it hears when it may.
const GO: [u8; 1] = [b'G'];

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
    /// Whether it is kept from the memory of the user's other processes, where
    /// the kernel can.
    pub apart: bool,
    /// Where it may write, where it is kept apart and that is said: nowhere but
    /// below this directory, a path without links.
    pub below: Option<PathBuf>,
    /// Limits and umask that it gets back.
    pub inherited: &'a Inherited,
}

/// How long a start may take and what gives it up.
#[derive(Debug, Clone, Copy)]
pub struct Leave<'a> {
    /// The start is given up when there is something to read here, or when the
    /// other end is gone.
    pub watch: BorrowedFd<'a>,
    /// When the program must run at the latest, CLOCK_BOOTTIME in µs.
    pub deadline_us: Option<u64>,
    /// How long the start may take in any case, in µs.
    pub within_us: u64,
}

/// A program that was executed.
#[derive(Debug)]
pub struct Started {
    /// Its process id.
    pub pid: i32,
    /// Its end, where the start was given up just after it: it was killed and
    /// is reaped.
    pub ended: Option<ExitStatus>,
}

/// Starts a program in a session of its own, in this process's working
/// directory, with default signals and no other descriptors. It dies with this
/// process. An error means that nothing was executed and nothing will be: the
/// child is dead and reaped. It is that of the step that failed, or ETIME
/// (the deadline), ETIMEDOUT (it did not get through), ECANCELED (`watch`).
/// The process must have one thread.
pub fn spawn(program: Program<'_>, leave: Leave<'_>) -> io::Result<Started> {
    let (report, tell) = descriptors::pipe()?;
    let (hear, go) = descriptors::pipe()?;
    let parent = nix::unistd::getpid().as_raw();
    match fork()? {
        Forked::Child => {
            drop(report);
            drop(go);
            let (mut tell, mut hear) = (File::from(tell), File::from(hear));
            let Err(error) = become_program(&program, parent, leave.deadline_us, &mut tell, &mut hear);
            let number = error.raw_os_error().unwrap_or(libc::EINVAL);
            let told = tell.write_all(&number.to_ne_bytes());
            std::process::exit(if told.is_ok() { 126 } else { 127 })
        }
        Forked::Parent(pid) => {
            drop(tell);
            drop(hear);
            drop(program);
            supervise(pid, File::from(report), File::from(go), leave)
        }
    }
}

/// Sees a child through to its program, or to its end.
fn supervise(pid: i32, mut report: File, mut go: File, leave: Leave<'_>) -> io::Result<Started> {
    let patience_us = clock::boottime_us()?.saturating_add(leave.within_us);
    let mut sent = false;
    let error = match ready(&mut report, leave, patience_us) {
        Err(error) => error,
        Ok(()) => {
            sent = true;
            // Where this fails the child is gone, and its end says so.
            let (Ok(()) | Err(_)) = go.write_all(&GO);
            match listen(&mut report, leave, patience_us) {
                // The program runs, or a signal was faster: then it ends as one that ran.
                Ok(said) if said.is_empty() => return Ok(Started { pid, ended: None }),
                Ok(said) => number(&said),
                Err(error) => error,
            }
        }
    };
    // Where the kernel does not hand it back it has at least got the signal, which comes before anything else.
    let (executed, status) = end_child(pid, END_MS).unwrap_or((true, ExitStatus::from_raw(libc::SIGKILL)));
    if sent && executed { Ok(Started { pid, ended: Some(status) }) } else { Err(error) }
}

/// Waits until the child waits for leave and nothing speaks against it.
fn ready(report: &mut File, leave: Leave<'_>, patience_us: u64) -> io::Result<()> {
    let said = listen(report, leave, patience_us)?;
    if said == ALIVE { in_time(leave.deadline_us) } else { Err(number(&said)) }
}

/// What the child says next; nothing where its end of the pipe is closed.
fn listen(report: &mut File, leave: Leave<'_>, patience_us: u64) -> io::Result<Vec<u8>> {
    let until_us = leave.deadline_us.map_or(patience_us, |deadline| deadline.min(patience_us));
    loop {
        let left_ms = until_us.saturating_sub(clock::boottime_us()?) / 1000;
        if left_ms == 0 {
            let late = if until_us == patience_us { Errno::ETIMEDOUT } else { Errno::ETIME };
            return Err(late.into());
        }
        let wanted = [(report.as_fd(), descriptors::Wanted::Read), (leave.watch, descriptors::Wanted::Read)];
        let states = descriptors::poll(&wanted, Some(u32::try_from(left_ms).unwrap_or(u32::MAX)))?;
        let [said, watched] = <[descriptors::Ready; 2]>::try_from(states).unwrap_or_default();
        if watched.readable || watched.hangup {
            return Err(Errno::ECANCELED.into());
        }
        if said.readable || said.hangup {
            let mut buffer = [0; 8];
            let n = report.read(&mut buffer)?;
            return Ok(buffer.get(..n).unwrap_or_default().to_vec());
        }
    }
}

/// The error that a child told, or that it ended without a word.
fn number(said: &[u8]) -> io::Error {
    match <[u8; 4]>::try_from(said) {
        Ok(bytes) => io::Error::from_raw_os_error(i32::from_ne_bytes(bytes)),
        Err(_) => Errno::ECHILD.into(),
    }
}

fn in_time(deadline_us: Option<u64>) -> io::Result<()> {
    match deadline_us {
        Some(deadline) if clock::boottime_us()? >= deadline => Err(Errno::ETIME.into()),
        Some(_) | None => Ok(()),
    }
}

fn become_program(
    program: &Program<'_>,
    parent: i32,
    deadline_us: Option<u64>,
    tell: &mut File,
    hear: &mut File,
) -> io::Result<Infallible> {
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
    let is_apart = program.apart && apart(program.below.as_deref())?;
    if program.below.is_some() && !is_apart {
        // It was said that it can write nowhere else.
        return Err(Errno::EOPNOTSUPP.into());
    }
    // From here on nothing is left to do but to be allowed to.
    tell.write_all(&ALIVE)?;
    let mut leave = [0; 1];
    hear.read_exact(&mut leave)?;
    if leave != GO {
        return Err(Errno::EPROTO.into());
    }
    in_time(deadline_us)?;
    nix::unistd::execve(&program.file, &program.arguments, &program.environment).map_err(Errno::into)
}
