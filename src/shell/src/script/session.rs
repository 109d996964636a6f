//! The rim of a script: waits, moves bytes, and walks through the states of
//! [`super`].

use super::source::{Next, Source};
use crate::end::{Ending, Failure};
use crate::held::Held;
use crate::inspected::Inspected;
use crate::interactive::driver::{Said, exit};
use crate::interactive::private::{Heard, Private};
use crate::interactive::told::{Set, Told};
use crate::login::{Login, unavailable};
use crate::outer::Sign;
use crate::outlet::Outlet;
use crate::place::Place;
use crate::recorder::RecordingFailed;
use crate::spawner::orders::Order;
use countersign_api::front::{CancelWhy, CloseWhy, CommandEnd};
use countersign_api::recording::Stream;
use countersign_core::{Exit, SubmissionId};
use countersign_sys::descriptors::FilledOnce;
use countersign_sys::{self as sys, Ready, Wanted};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How often it is looked whether a command has read all of its input, in ms.
const LOOK_MS: u32 = 20;
/// Bytes of one read.
const READ: usize = 32 * 1024;

/// Where the login stands.
pub(super) enum State {
    Starting,
    Reading,
    Pending(Box<Pending>),
    Committing {
        id: SubmissionId,
        fed: bool,
        until_us: u64,
    },
    Running {
        id: SubmissionId,
        fed: bool,
    },
    Replaced {
        id: SubmissionId,
        fed: bool,
    },
    /// Nothing more is read; the shell is on its way out.
    Leaving,
    Over,
}

/// A command that waits.
pub(super) struct Pending {
    pub(super) held: Held,
    pub(super) until_us: u64,
    pub(super) cancelled: bool,
    /// Where it would run, and what it would run there.
    pub(super) place: Place,
    pub(super) inspected: Inspected,
}

/// Why the login ends before its script does.
pub(super) enum Stop {
    Hangup,
    Interrupt,
    Recorder(RecordingFailed),
    /// A command did not run: what is said of it, and the exit code.
    NotRun(String, u8),
    /// Something failed.
    Said(String, u8),
}

impl Stop {
    pub(super) fn by(why: CancelWhy) -> Self {
        match why {
            CancelWhy::Hangup => Self::Hangup,
            CancelWhy::Interrupt => Self::Interrupt,
        }
    }
}

/// One output of the shell and where it is shown.
pub(super) struct Output {
    fd: Option<OwnedFd>,
    stream: Stream,
    pub(super) outlet: Outlet,
}

pub(super) struct Session {
    pub(super) login: Login,
    pub(super) source: Source,
    pub(super) outputs: [Output; 2],
    pub(super) wires: Private,
    pub(super) program: FilledOnce,
    pub(super) state: State,
    /// `$?` for the next command.
    pub(super) status: u8,
    /// What the shell last told of itself, and what it exported at first.
    pub(super) told: Told,
    pub(super) baseline: Set,
    pub(super) stop: Option<Stop>,
    pub(super) end: Option<CommandEnd>,
}

/// Runs a script to its end.
pub fn run(mut login: Login) -> Result<Ending, Failure> {
    let failed = |e: io::Error| Failure::system("cannot start the shell", &e);
    let (Some([stdout, stderr]), Some(feed)) = (login.outer.pipes.take(), login.outer.feed.take()) else {
        return Err(unavailable("a script needs pipes for its commands"));
    };
    let source = Source::new(login.outer.input.try_clone().map_err(failed)?, feed).map_err(failed)?;
    let (wires, theirs) = Private::new().map_err(failed)?;
    let (program, program_file) = FilledOnce::new(c"countersign-program").map_err(failed)?;
    let output = |fd: OwnedFd, stream, to: &OwnedFd| -> io::Result<Output> {
        sys::set_nonblocking(fd.as_fd())?;
        Ok(Output { fd: Some(fd), stream, outlet: Outlet::new(to.try_clone()?) })
    };
    let outputs = [
        output(stdout.0, Stream::Stdout, &login.outer.output).map_err(failed)?,
        output(stderr.0, Stream::Stderr, &login.outer.error).map_err(failed)?,
    ];
    let order = Order::Script { environment: login.environment.clone() };
    let fds = [stdout.1.as_fd(), stderr.1.as_fd(), source.pipe(), theirs.as_fd(), program_file.as_fd()];
    if let Err(unstarted) = login.spawner.spawn(&order, &fds) {
        login.close(CloseWhy::Exit, None)?;
        return Err(Failure::new(Exit::Internal, format!("bash could not be started: {unstarted}")));
    }
    drop((stdout.1, stderr.1, theirs, program_file));
    let state = State::Starting;
    Session {
        login,
        source,
        outputs,
        wires,
        program,
        state,
        status: 0,
        told: Told::default(),
        baseline: Set::default(),
        stop: None,
        end: None,
    }
    .serve()
}

/// What a descriptor in a wait belongs to.
#[derive(Clone, Copy)]
enum Key {
    Link(usize),
    Outer(usize),
    Spawner,
    Private,
    Source,
    Feed,
    Read(usize),
    Show(usize),
}

impl Session {
    fn serve(mut self) -> Result<Ending, Failure> {
        let failed = |e: io::Error| Failure::system("the login failed", &e);
        while !self.is_over() {
            if let Err(error) = self.turn() {
                // Whatever failed, nothing more may run here.
                self.login.spawner.end(&Order::Kill).map_err(failed)?;
                return Err(failed(error));
            }
        }
        self.finish()
    }

    /// The shell has ended, and all that was written is shown; or there is a
    /// reason not to wait for that.
    fn is_over(&self) -> bool {
        let waits = self.outputs.iter().any(|output| output.outlet.is_waiting());
        match (&self.state, &self.stop) {
            (State::Over, Some(Stop::Hangup | Stop::Interrupt | Stop::Recorder(_) | Stop::Said(..))) => true,
            (State::Over, Some(Stop::NotRun(..))) => !waits,
            // What was left behind may still write, and is waited for, as ssh does.
            (State::Over, None) => !waits && self.outputs.iter().all(|output| output.fd.is_none()),
            (_, _) => false,
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        let ready = sys::poll_by(&self.wanted(), Some(self.timeout_ms()?))?;
        let (mut link, mut outer) = ([Ready::default(); 2], [Ready::default(); 3]);
        let (mut spawner, mut source) = (false, false);
        for (key, state) in ready {
            let moved = state.readable || state.hangup;
            match key {
                Key::Link(i) => link.iter_mut().skip(i).take(1).for_each(|slot| *slot = state),
                Key::Outer(i) => outer.iter_mut().skip(i).take(1).for_each(|slot| *slot = state),
                Key::Spawner => spawner = moved,
                Key::Private if moved || state.writable => self.wires.push(),
                Key::Source => source = moved,
                Key::Read(i) if moved => drop(self.read(i)?),
                Key::Show(i) if state.writable || state.hangup => self.show(i)?,
                Key::Private | Key::Feed | Key::Read(_) | Key::Show(_) => {}
            }
        }
        if source {
            self.source.read()?;
        }
        self.heard_driver()?;
        self.heard_client(outer)?;
        self.heard_host(link)?;
        // Its end may have been told beside an answer since.
        if spawner && self.end.is_none() {
            self.heard_spawner()?;
        }
        self.on_time()?;
        match self.state {
            State::Reading if self.stop.is_none() => self.next()?,
            _ if self.is_fed() => self.source.feed()?,
            State::Starting
            | State::Reading
            | State::Pending(_)
            | State::Committing { .. }
            | State::Running { .. }
            | State::Replaced { .. }
            | State::Leaving
            | State::Over => {}
        }
        // While a command is held the host takes nothing but its cancellation.
        if let (false, Some(due)) =
            (matches!(self.state, State::Pending(_)), self.login.recorder.due(self.login.link.ahead()))
        {
            self.login.link.send(&due);
        }
        Ok(())
    }

    fn wanted(&self) -> Vec<(Key, (BorrowedFd<'_>, Wanted))> {
        let mut list = Vec::new();
        if self.login.link.is_open() {
            list.extend(self.login.link.wanted().into_iter().enumerate().map(|(i, want)| (Key::Link(i), want)));
        }
        if self.stop.is_none() {
            list.extend(self.login.outer.wanted().into_iter().enumerate().map(|(i, want)| (Key::Outer(i), want)));
        }
        if self.end.is_none() {
            list.push((Key::Spawner, (self.login.spawner.fd(), Wanted::Read)));
        }
        list.extend(self.wires.wanted().into_iter().map(|want| (Key::Private, want)));
        if self.stop.is_none() && matches!(self.state, State::Reading) {
            list.push((Key::Source, self.source.more()));
        } else if self.stop.is_none() && self.is_fed() {
            match self.source.wanted() {
                Some((fd, Wanted::Read)) => list.push((Key::Source, (fd, Wanted::Read))),
                Some(want) => list.push((Key::Feed, want)),
                None => {}
            }
        }
        // As in the relay: nobody catches up any more where the host has ended it.
        let host = self.login.link.is_open() || matches!(self.stop, Some(Stop::Said(..)));
        let ahead = host && self.login.recorder.is_beyond(self.login.link.reach());
        let unrecorded = matches!(self.stop, Some(Stop::Recorder(_)));
        for (i, output) in self.outputs.iter().enumerate() {
            if output.outlet.is_waiting() {
                list.push((Key::Show(i), (output.outlet.fd().as_fd(), Wanted::Write)));
            } else if let (Some(fd), false, false) = (&output.fd, ahead, unrecorded) {
                list.push((Key::Read(i), (fd.as_fd(), Wanted::Read)));
            }
        }
        list
    }

    /// Whether what runs reads what follows it.
    fn is_fed(&self) -> bool {
        matches!(self.state, State::Running { fed: true, .. } | State::Replaced { fed: true, .. })
    }

    fn timeout_ms(&self) -> io::Result<u32> {
        let due_us = match &self.state {
            State::Committing { until_us, .. } => until_us.saturating_sub(sys::boottime_us()?),
            _ if self.is_fed() && self.source.is_ending() => u64::from(LOOK_MS) * 1000,
            State::Starting
            | State::Reading
            | State::Pending(_)
            | State::Running { .. }
            | State::Replaced { .. }
            | State::Leaving
            | State::Over => 1_000_000,
        };
        Ok(u32::try_from(due_us.div_ceil(1000)).unwrap_or(1000).max(1))
    }

    /// The next command of the script, or its end.
    fn next(&mut self) -> io::Result<()> {
        match self.source.next() {
            Next::Command(command) => self.submit(command),
            Next::More => Ok(()),
            Next::End => {
                self.state = State::Leaving;
                self.wires.order(&exit(self.status));
                Ok(())
            }
        }
    }

    fn heard_driver(&mut self) -> io::Result<()> {
        loop {
            match (self.wires.hear(), &self.state) {
                (Heard::Nothing, _) => return Ok(()),
                (Heard::Said(Said::Taken(_)), State::Committing { id, fed, .. }) => {
                    self.state = State::Running { id: *id, fed: *fed };
                }
                (Heard::Said(Said::Ready { told, .. }), State::Starting) => {
                    self.baseline = told.set().clone();
                    self.told = *told;
                    self.state = State::Reading;
                }
                (Heard::Said(Said::Ready { status, told, .. }), State::Running { id, fed }) => {
                    let (id, fed) = (*id, *fed);
                    self.told = *told;
                    self.read_all()?;
                    if fed {
                        self.source.take_back()?;
                    }
                    self.status = status;
                    self.state = State::Reading;
                    self.finished(id, CommandEnd::Exited(status))?;
                }
                (Heard::Closed, State::Running { id, fed }) => self.state = State::Replaced { id: *id, fed: *fed },
                (Heard::Closed, State::Over | State::Leaving | State::Replaced { .. }) => return Ok(()),
                (Heard::Closed, _) if self.end.is_some() || self.stop.is_some() => return Ok(()),
                (Heard::Closed, State::Starting | State::Reading | State::Pending(_) | State::Committing { .. }) => {
                    let text = "the shell let go of its gate; the login is ended".to_owned();
                    return self.stop(Stop::Said(text, Exit::Refused.code()));
                }
                (Heard::Said(_) | Heard::Nonsense, _) => {
                    let text = "the shell said something unknown; the login is ended".to_owned();
                    return self.stop(Stop::Said(text, Exit::Internal.code()));
                }
            }
        }
    }

    /// Reads what there is of both outputs.
    pub(super) fn read_all(&mut self) -> io::Result<()> {
        for i in 0..self.outputs.len() {
            while self.read(i)? {}
        }
        Ok(())
    }

    /// Reads output, records it, then shows it; whether there was any.
    fn read(&mut self, i: usize) -> io::Result<bool> {
        let Some(output) = self.outputs.get_mut(i) else { return Ok(false) };
        let Some(fd) = &output.fd else { return Ok(false) };
        let mut buffer = [0; READ];
        let bytes = match nix::unistd::read(fd, &mut buffer) {
            Ok(0) => {
                output.fd = None;
                return Ok(false);
            }
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        match self.login.recorder.output(output.stream, bytes) {
            Ok(()) => output.outlet.show(bytes),
            Err(error) => self.stop(Stop::Recorder(error))?,
        }
        self.look_out(i)?;
        Ok(true)
    }

    fn show(&mut self, i: usize) -> io::Result<()> {
        if let Some(output) = self.outputs.get_mut(i) {
            output.outlet.push();
        }
        self.look_out(i)
    }

    /// A client that reads no more is gone.
    fn look_out(&mut self, i: usize) -> io::Result<()> {
        let gone = self.outputs.get(i).is_some_and(|o| o.stream == Stream::Stdout && !o.outlet.is_open());
        if gone && self.stop.is_none() { self.stop(Stop::Hangup) } else { Ok(()) }
    }

    fn heard_client(&mut self, ready: [Ready; 3]) -> io::Result<()> {
        if self.stop.is_some() {
            return Ok(());
        }
        for sign in self.login.outer.turn(ready, true)? {
            match sign {
                Sign::Resized => {}
                Sign::Hangup => return self.stop(Stop::Hangup),
                Sign::Interrupt => return self.stop(Stop::Interrupt),
            }
        }
        Ok(())
    }

    fn on_time(&mut self) -> io::Result<()> {
        let now_us = sys::boottime_us()?;
        match &self.state {
            State::Committing { until_us, .. } if now_us >= *until_us => self.stop(Stop::Said(
                "the shell did not take the command; the login is ended".to_owned(),
                Exit::Internal.code(),
            )),
            State::Pending(pending) if now_us >= pending.until_us => {
                self.host_gone("countersign-hostd does not answer")
            }
            State::Starting
            | State::Reading
            | State::Pending(_)
            | State::Committing { .. }
            | State::Running { .. }
            | State::Replaced { .. }
            | State::Leaving
            | State::Over => Ok(()),
        }
    }
}
