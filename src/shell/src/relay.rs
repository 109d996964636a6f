//! While a command runs: its output is recorded, then shown; input reaches its
//! terminal; the client and the host are watched.

use crate::feed::{Feed, Input};
use crate::link::{Heard, Link};
use crate::outer::{Outer, Sign};
use crate::outlet::Outlet;
use crate::pty::{AT_ONCE, PIECE, Pty};
use crate::recorder::{Recorder, RecordingFailed};
use crate::spawner::orders::{KILLED, Order, Report, Spawner, Unstarted};
use crate::transfer_log::TransferLog;
use countersign_api::front::{CommandEnd, Files};
use countersign_api::recording::Stream;
use countersign_core::Exit;
use countersign_sys::{self as sys, Ready, Wanted};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most bytes that are read of a pipe at once, and become one record.
const READ: usize = countersign_api::spool::MAX_DATA;
/// About how many descriptors there are to wait for.
const MOST_WAITED_FOR: usize = 12;
/// A terminal that was quiet for so long after its command's end is drained.
const QUIET_US: u64 = 100_000;
/// What a pipe holds, in pages (pipe(7)); a packet takes one of them.
const PIPE_PAGES: usize = 16;

/// Why a running command was ended.
#[derive(Debug)]
pub enum Stop {
    /// The client is gone.
    Hangup,
    /// A signal asked the front to end.
    Interrupt,
    /// The recording cannot go on.
    Recorder(RecordingFailed),
    /// The spawner is gone: its child is dead, but nobody is left who could end
    /// what that child had started.
    Spawner,
    /// The host ended the login.
    Host {
        /// What it said.
        reason: String,
        /// The exit code it asked for.
        exit: u8,
    },
}

/// One output of the command and where it is shown.
struct Source {
    fd: Option<OwnedFd>,
    stream: Stream,
    outlet: Outlet,
}

/// A command that runs.
pub struct Relay<'a> {
    link: &'a mut Link,
    recorder: &'a mut Recorder,
    outer: &'a mut Outer,
    pty: Option<&'a mut Pty>,
    spawner: &'a Spawner,
    /// Where what runs may write, where the kernel lets it write nowhere else.
    below: Option<String>,
    sources: Vec<Source>,
    buffer: Vec<u8>,
    feed: Option<Feed>,
    log: Option<TransferLog>,
    end: Option<CommandEnd>,
    stop: Option<Stop>,
    /// When output was last read or could not be read, in µs.
    active_us: u64,
}

/// What a descriptor in a wait belongs to.
#[derive(Clone, Copy)]
enum Key {
    LinkRead,
    LinkWrite,
    Outer(usize),
    Spawner,
    Read(usize),
    Show(usize),
    Feed,
    Log,
    Type,
}

/// How a command without a terminal is connected to its client.
#[derive(Debug)]
pub enum Wiring {
    /// On the client's own three descriptors: a transfer.
    Direct,
    /// The same, but its standard error is a log that is ours: sftp.
    Logged,
    /// Its output is relayed; its input is the client's.
    Relayed,
    /// Its output is relayed; its input is empty. A rule or a grant lets a line
    /// run, not what somebody pipes into it.
    Unfed,
    /// Its output is relayed; its input is this file, which was held with it
    /// and cannot change.
    Program(OwnedFd),
}

/// How a command that ran ended.
pub struct Ended {
    /// Its end.
    pub end: CommandEnd,
    /// Why it was ended, where it was.
    pub stop: Option<Stop>,
    /// What an sftp session did.
    pub files: Option<Files>,
}

impl<'a> Relay<'a> {
    /// Starts the command on its descriptors; the inner error says why it does
    /// not run.
    pub fn start(
        wiring: Wiring,
        order: &Order,
        link: &'a mut Link,
        recorder: &'a mut Recorder,
        outer: &'a mut Outer,
        mut pty: Option<&'a mut Pty>,
        spawner: &'a Spawner,
    ) -> io::Result<Result<Self, Unstarted>> {
        let (mut sources, mut feed, mut log) = (Vec::new(), None, None);
        let at_once = if pty.is_some() { AT_ONCE } else { READ };
        // Nothing may fail after the order: what fails here was not started.
        let active_us = sys::boottime_us()?;
        let started = if let Some(pty) = &mut pty {
            let slave = pty.slave.take().ok_or(io::ErrorKind::NotConnected)?;
            let outlet = outer.outlet()?;
            sources.push(Source { fd: Some(pty.master.try_clone()?), stream: Stream::Stdout, outlet });
            spawner.spawn(order, &[slave.as_fd(), slave.as_fd(), slave.as_fd()])
        } else if let Wiring::Direct = wiring {
            spawner.spawn(order, &[outer.input.as_fd(), outer.output.as_fd(), outer.error.as_fd()])
        } else if let Wiring::Logged = wiring {
            let (ours, theirs) = TransferLog::new()?;
            log = Some(ours);
            spawner.spawn(order, &[outer.input.as_fd(), outer.output.as_fd(), theirs.as_fd()])
        } else {
            let pipes = outer.pipes.take().ok_or(io::ErrorKind::NotConnected)?;
            let [(stdout, stdout_write), (stderr, stderr_write)] = pipes;
            for (fd, stream, to) in [(stdout, Stream::Stdout, &outer.output), (stderr, Stream::Stderr, &outer.error)] {
                sys::set_nonblocking(fd.as_fd())?;
                sources.push(Source { fd: Some(fd), stream, outlet: Outlet::new(to.try_clone()?) });
            }
            let null = std::fs::File::open("/dev/null")?;
            let [out, err] = [stdout_write.as_fd(), stderr_write.as_fd()];
            let spawn = |input: BorrowedFd<'_>| spawner.spawn(order, &[input, out, err]);
            match Input::choose(&outer.input, wiring)? {
                Input::Empty => spawn(null.as_fd()),
                Input::Own => spawn(outer.input.as_fd()),
                Input::Program(file) => spawn(file.as_fd()),
                Input::Fed(started, theirs) => {
                    feed = Some(started);
                    spawn(theirs.as_fd())
                }
            }
        };
        Ok(started.map(|below| Self {
            below,
            link,
            recorder,
            outer,
            pty,
            spawner,
            sources,
            buffer: vec![0; at_once],
            feed,
            log,
            end: None,
            stop: None,
            active_us,
        }))
    }

    /// Relays until the command has ended and all it wrote is shown, or until
    /// there is a reason to end it.
    pub fn run(mut self) -> io::Result<Ended> {
        if let Some(below) = self.below.take()
            && let Err(error) = self.recorder.marker(&format!("writes below {below} and nowhere else"))
        {
            self.stop(Stop::Recorder(error));
        }
        loop {
            if let Some(end) = self.done()? {
                self.hear_log_out()?;
                let files = self.log.as_ref().and_then(TransferLog::files);
                return Ok(Ended { end, stop: self.stop, files });
            }
            let ready = sys::poll_by(&self.wanted(), self.timeout_ms())?;
            let mut outer = [Ready::default(); 3];
            let mut link = [Ready::default(); 2];
            for (key, state) in ready {
                match key {
                    Key::LinkRead => link[0] = state,
                    Key::LinkWrite => link[1] = state,
                    Key::Outer(i) => outer.iter_mut().skip(i).take(1).for_each(|slot| *slot = state),
                    Key::Spawner if state.readable || state.hangup => self.heard_spawner()?,
                    Key::Read(i) if state.readable || state.hangup => self.read(i)?,
                    Key::Show(i) if state.writable || state.hangup => self.show(i),
                    Key::Type if state.writable => self.type_in(),
                    Key::Feed => self.feed.iter_mut().for_each(|feed| feed.turn(state)),
                    Key::Log if state.readable || state.hangup => self.read_log()?,
                    Key::Log | Key::Spawner | Key::Read(_) | Key::Show(_) | Key::Type => {}
                }
            }
            self.heard_outer(outer)?;
            // Mostly there is room, and then nothing is waited for.
            if self.end.is_none() && !self.outer.typed().is_empty() {
                self.type_in();
            }
            self.heard_host(link);
            if let Some(due) = self.recorder.due(self.link.ahead()) {
                self.link.send(&due);
            }
        }
    }

    fn wanted(&self) -> Vec<(Key, (BorrowedFd<'_>, Wanted))> {
        let mut list = Vec::with_capacity(MOST_WAITED_FOR);
        if self.link.is_open() {
            let [read, write] = self.link.wanted();
            list.extend([(Key::LinkRead, read), (Key::LinkWrite, write)]);
        }
        if self.end.is_none() {
            list.push((Key::Spawner, (self.spawner.fd(), Wanted::Read)));
        }
        if self.stop.is_none() {
            list.extend(self.outer.wanted().into_iter().enumerate().map(|(i, want)| (Key::Outer(i), want)));
        }
        let unrecorded = matches!(self.stop, Some(Stop::Recorder(_)));
        for (i, source) in self.sources.iter().enumerate() {
            if source.outlet.is_waiting() {
                list.push((Key::Show(i), (source.outlet.fd().as_fd(), Wanted::Write)));
            } else if let (Some(fd), false, false) = (&source.fd, self.is_ahead(), unrecorded) {
                list.push((Key::Read(i), (fd.as_fd(), Wanted::Read)));
            }
        }
        if let (Some(fd), false, false) = (self.log.as_ref().and_then(TransferLog::fd), self.is_ahead(), unrecorded) {
            list.push((Key::Log, (fd.as_fd(), Wanted::Read)));
        }
        if let (Some(want), None, None) = (self.feed.as_ref().and_then(Feed::wanted), &self.end, &self.stop) {
            list.push((Key::Feed, want));
        }
        if let (Some(pty), false, None) = (&self.pty, self.outer.typed().is_empty(), &self.end) {
            list.push((Key::Type, (pty.master.as_fd(), Wanted::Write)));
        }
        list
    }

    /// Whether the host must catch up before more is read. Where it has ended
    /// the login, or is gone, nobody will: what runs is killed over its output.
    fn is_ahead(&self) -> bool {
        let host = self.link.is_open() || matches!(self.stop, Some(Stop::Host { .. }));
        host && self.recorder.is_beyond(self.link.reach())
    }

    fn timeout_ms(&self) -> Option<u32> {
        let quiet = (self.end.is_some() && self.pty.is_some()).then_some(QUIET_US / 1000);
        let told = self.recorder.due_ms().map(u64::from);
        let least = [quiet, told].into_iter().flatten().min();
        least.map(|ms| u32::try_from(ms.max(1)).unwrap_or(u32::MAX))
    }

    /// The end, once nothing more is to come.
    fn done(&mut self) -> io::Result<Option<CommandEnd>> {
        let Some(end) = self.end.clone() else { return Ok(None) };
        if self.stop.is_some() {
            return Ok(Some(end));
        }
        let now_us = sys::boottime_us()?;
        // While nothing may be read, nothing is quiet.
        if self.is_ahead() || self.sources.iter().any(|source| source.outlet.is_waiting()) {
            self.active_us = now_us;
            return Ok(None);
        }
        // Something left behind may hold the terminal open for ever; pipes are waited for, as ssh does.
        if self.pty.is_some() && now_us.saturating_sub(self.active_us) >= QUIET_US {
            if self.is_readable()? {
                // It was this process that was held up.
                self.active_us = now_us;
                return Ok(None);
            }
            self.sources.iter_mut().for_each(|source| source.fd = None);
        }
        let logged = self.log.as_ref().is_none_or(|log| log.fd().is_none());
        let over = logged && self.sources.iter().all(|source| source.fd.is_none());
        Ok(over.then_some(end))
    }

    /// Whether there is output to be read.
    fn is_readable(&self) -> io::Result<bool> {
        let wanted: Vec<_> =
            self.sources.iter().filter_map(|one| one.fd.as_ref()).map(|fd| (fd.as_fd(), Wanted::Read)).collect();
        Ok(sys::poll(&wanted, Some(0))?.iter().any(|state| state.readable))
    }

    /// Reads what is there, records it as one record, and shows it.
    fn read(&mut self, i: usize) -> io::Result<()> {
        let Some(source) = self.sources.get_mut(i) else { return Ok(()) };
        let Some(fd) = &source.fd else { return Ok(()) };
        let mut ended = false;
        let mut filled = 0;
        while let Some(room) = self.buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match nix::unistd::read(fd, room) {
                Ok(0) | Err(Errno::EIO) => {
                    ended = true;
                    break;
                }
                // There was no more.
                Ok(n) if n < PIECE => {
                    filled += n;
                    break;
                }
                Ok(n) => filled += n,
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(error) => return Err(error.into()),
            }
        }
        if ended {
            source.fd = None;
        }
        let bytes = self.buffer.get(..filled).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        match self.recorder.output(source.stream, bytes) {
            Ok(()) => {
                self.active_us = self.recorder.last_us();
                source.outlet.show(bytes);
                self.look_out(i);
            }
            Err(error) => self.stop(Stop::Recorder(error)),
        }
        Ok(())
    }

    fn read_log(&mut self) -> io::Result<()> {
        let Some(log) = &mut self.log else { return Ok(()) };
        if let Err(error) = log.read(self.recorder)? {
            self.stop(Stop::Recorder(error));
        }
        Ok(())
    }

    /// What a command that was ended had still said: a pipe holds so many
    /// messages.
    fn hear_log_out(&mut self) -> io::Result<()> {
        for _ in 0..=PIPE_PAGES {
            if !matches!(self.stop, Some(Stop::Recorder(_))) {
                self.read_log()?;
            }
        }
        Ok(())
    }

    fn show(&mut self, i: usize) {
        let Some(source) = self.sources.get_mut(i) else { return };
        source.outlet.push();
        self.look_out(i);
    }

    /// A client that reads no more is gone.
    fn look_out(&mut self, i: usize) {
        let gone = self.sources.get(i).is_some_and(|s| s.stream == Stream::Stdout && !s.outlet.is_open());
        if gone && self.stop.is_none() {
            self.stop(Stop::Hangup);
        }
    }

    fn type_in(&mut self) {
        let Some(pty) = &self.pty else { return };
        let typed = self.outer.typed_mut();
        match nix::unistd::write(&pty.master, typed) {
            Ok(n) => drop(typed.drain(..n)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // Nobody reads there any more; the end of the command is on its way.
            Err(_) => typed.clear(),
        }
    }

    fn heard_spawner(&mut self) -> io::Result<()> {
        self.active_us = sys::boottime_us()?;
        // An error, or anything else than an end, counts as a spawner that is gone: the kernel has killed its child with it.
        let end = self.spawner.report().ok().flatten().and_then(Report::end);
        self.end = Some(end.unwrap_or_else(|| {
            self.spawner.put_down();
            self.stop.get_or_insert(Stop::Spawner);
            CommandEnd::Signaled(KILLED)
        }));
        Ok(())
    }

    fn heard_outer(&mut self, ready: [Ready; 3]) -> io::Result<()> {
        for sign in self.outer.turn(ready, false)? {
            match (sign, &self.pty, self.stop.is_none()) {
                (Sign::Resized, Some(pty), true) => {
                    let size = self.outer.size();
                    pty.resize(size)?;
                    if let Err(error) = self.recorder.resize(size.columns, size.rows) {
                        self.stop(Stop::Recorder(error));
                    }
                }
                (Sign::Hangup, _, true) => self.stop(Stop::Hangup),
                (Sign::Interrupt, _, true) => self.stop(Stop::Interrupt),
                (Sign::Resized, _, _) | (Sign::Hangup | Sign::Interrupt, _, false) => {}
            }
        }
        Ok(())
    }

    /// The host may go while a command runs; it may not say anything but that
    /// the login must end.
    fn heard_host(&mut self, [read, write]: [Ready; 2]) {
        self.link.turn(read, write);
        let said = match self.link.hear() {
            Heard::Nothing | Heard::Lost => return,
            Heard::Message(message) => message.fatal(),
            Heard::Garbage => None,
        };
        let (reason, exit) = said.unwrap_or_else(|| {
            let reason = "countersign-hostd answered out of turn".to_owned();
            (reason, Exit::Unavailable.code())
        });
        if self.stop.is_none() {
            self.stop(Stop::Host { reason, exit });
        }
    }

    /// Nothing more is shown, and everything the command started is ended: at
    /// once where it can no longer be recorded. Its pipes stay open until then,
    /// so that a line does not go on after a part of it got SIGPIPE.
    fn stop(&mut self, why: Stop) {
        let order = match why {
            Stop::Hangup | Stop::Interrupt => Order::Hangup,
            Stop::Recorder(_) | Stop::Spawner | Stop::Host { .. } => Order::Kill,
        };
        self.stop = Some(why);
        self.sources.iter_mut().for_each(|source| source.outlet.shut());
        if self.spawner.end(&order).is_err() && self.end.is_none() {
            self.end = Some(CommandEnd::Signaled(KILLED));
        }
    }
}
