//! The rim of an interactive login: waits, moves bytes, and walks through the
//! states of [`super`].

use super::mark::Mark;
use super::told::{Set, Told};
use super::wires::Wires;
use crate::away::TRY_US;
use crate::complete::{Completeness, is_complete};
use crate::editor::{Editor, History, Terminal};
use crate::end::{Ending, Failure};
use crate::held::Held;
use crate::inspected::Inspected;
use crate::lines::HOST_US;
use crate::login::{Login, unavailable};
use crate::outer::Sign;
use crate::outlet::Outlet;
use crate::place::Place;
use crate::recorder::RecordingFailed;
use crate::spawner::orders::Order;
use countersign_api::front::{CancelWhy, CloseWhy, CommandEnd, FrontMessage};
use countersign_api::recording::Stream;
use countersign_core::{Exit, SubmissionId};
use countersign_sys::{self as sys, Ready, Wanted};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Input that is dropped ends with so long a pause, in µs.
const PAUSE_US: u64 = 250_000;
/// How often it is looked whether the shell comes back to its gate, once it has left its line, in µs.
const LOOK_US: u64 = 50_000;
/// ^C.
const INTERRUPT: u8 = 3;
/// Where the lines of earlier logins are kept, in the agent's home.
const HISTORY_FILE: &str = ".countersign_history";

/// Where the login stands.
pub(super) enum State {
    Starting,
    Editing,
    Pending(Box<Pending>),
    Committing { id: SubmissionId, until_us: u64 },
    Running(SubmissionId),
    Replaced(Option<SubmissionId>),
    Over,
}

/// A line that waits.
pub(super) struct Pending {
    pub(super) held: Held,
    pub(super) asked: Option<(SubmissionId, Vec<String>)>,
    pub(super) until_us: u64,
    pub(super) cancelled: bool,
    /// Where it would run, and what it would run there.
    pub(super) place: Place,
    pub(super) inspected: Inspected,
}

/// Why the login ends before its shell does.
pub(super) enum Stop {
    Hangup,
    Interrupt,
    Recorder(RecordingFailed),
    Said(String, u8),
}

pub(super) struct Session {
    pub(super) login: Login,
    pub(super) wires: Wires,
    pub(super) mark: Mark,
    pub(super) editor: Editor,
    pub(super) history_file: String,
    pub(super) outlet: Outlet,
    pub(super) state: State,
    pub(super) ready: Option<(u8, String)>,
    /// Whether a newline waits for the shell, and how many it has read since it was last ready.
    pub(super) unread: bool,
    pub(super) newlines: u8,
    /// What the shell last told of itself, and what it exported at its first prompt.
    pub(super) told: Told,
    pub(super) baseline: Set,
    /// Whether the login may end although jobs are stopped: that was said, or they were looked at, just before.
    pub(super) leaves: bool,
    pub(super) marked: bool,
    pub(super) prompt: String,
    /// `$?` for the next line.
    pub(super) status: u8,
    pub(super) plain: bool,
    pub(super) shown_left_s: Option<u64>,
    /// When something was last typed at the prompt, in µs.
    pub(super) typed_us: u64,
    /// While input is dropped, when the last of it came, in µs.
    pub(super) dropping_us: Option<u64>,
    pub(super) stop: Option<Stop>,
    pub(super) end: Option<CommandEnd>,
}

/// Runs an interactive login to its end.
pub fn run(mut login: Login) -> Result<Ending, Failure> {
    let failed = |e: io::Error| Failure::system("cannot start the shell", &e);
    let pty = login.pty.take().ok_or_else(|| unavailable("an interactive login needs a terminal"))?;
    let environment = login.environment.clone();
    let wires = match Wires::start(pty, environment, &login.spawner).map_err(failed)? {
        Ok(wires) => wires,
        Err(unstarted) => {
            login.close(CloseWhy::Exit, None)?;
            return Err(Failure::new(Exit::Internal, format!("bash could not be started: {unstarted}")));
        }
    };
    let size = login.outer.size();
    let terminal = Terminal::from_term(login.term());
    let plain = terminal == Terminal::Dumb;
    let home = login.environment.iter().find(|(name, _)| name == "HOME").map_or("", |(_, value)| value);
    let history_file = format!("{home}/{HISTORY_FILE}");
    let (history, ended) = login.spawner.history(&history_file, None).map_err(failed)?;
    let outlet = login.outer.outlet().map_err(failed)?;
    let mut session = Session {
        mark: Mark::new(&wires.word),
        editor: Editor::new(terminal, size.columns, size.rows, History::from_text(&history), needs_more),
        history_file,
        outlet,
        state: State::Starting,
        ready: None,
        unread: true,
        newlines: 0,
        told: Told::default(),
        baseline: Set::default(),
        leaves: false,
        marked: false,
        prompt: String::new(),
        status: 0,
        plain,
        shown_left_s: None,
        typed_us: 0,
        dropping_us: None,
        stop: None,
        end: None,
        wires,
        login,
    };
    ended.map_or(Ok(()), |report| session.ended(report)).map_err(failed)?;
    session.serve()
}

/// What a descriptor in a wait belongs to.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Link(usize),
    Outer(usize),
    Spawner,
    Terminal,
    Type,
    Show,
    Private,
    Input,
}

fn needs_more(text: &str) -> bool {
    matches!(is_complete(text), Completeness::NeedsMore(_))
}

impl Session {
    pub(super) fn serve(mut self) -> Result<Ending, Failure> {
        let failed = |e: io::Error| Failure::system("the login failed", &e);
        while !matches!(self.state, State::Over) {
            if let Err(error) = self.turn() {
                // Whatever failed, nothing more may run here.
                self.login.spawner.end(&Order::Kill).map_err(failed)?;
                return Err(Failure::system("the login failed", &error));
            }
        }
        self.finish()
    }

    pub(super) fn turn(&mut self) -> io::Result<()> {
        let ready = sys::poll_by(&self.wanted(), Some(self.timeout_ms()?))?;
        let (mut link, mut outer) = ([Ready::default(); 2], [Ready::default(); 3]);
        let (mut spawner, mut let_go) = (false, false);
        for (key, state) in ready {
            let moved = state.readable || state.hangup;
            match key {
                Key::Link(i) => link.iter_mut().skip(i).take(1).for_each(|slot| *slot = state),
                Key::Outer(i) => outer.iter_mut().skip(i).take(1).for_each(|slot| *slot = state),
                Key::Spawner => spawner = moved,
                Key::Terminal if moved => self.heard_terminal()?,
                Key::Type if state.writable => self.type_in(),
                Key::Show if state.writable || state.hangup => self.outlet.push(),
                Key::Private if moved || state.writable => self.wires.push(),
                Key::Input => let_go = state.hangup,
                Key::Terminal | Key::Type | Key::Show | Key::Private => {}
            }
        }
        self.heard_driver()?;
        if let_go && self.stop.is_none() && self.is_driven()? {
            self.let_go()?;
        }
        self.heard_client(outer)?;
        if self.forwards() {
            self.type_in();
        }
        self.heard_host(link)?;
        // Its end may have been told beside an answer since.
        if spawner && self.end.is_none() {
            self.heard_spawner()?;
        }
        self.on_time()?;
        // While a line is held the host takes nothing but its cancellation.
        let silent = self.is_away() || matches!(self.state, State::Pending(_));
        if let Some(due) = if silent { None } else { self.login.recorder.due(self.login.link.ahead()) } {
            self.login.link.send(&due);
        }
        if !self.outlet.is_open() && self.stop.is_none() {
            self.stop(Stop::Hangup)?;
        }
        Ok(())
    }

    pub(super) fn wanted(&self) -> Vec<(Key, (BorrowedFd<'_>, Wanted))> {
        let mut list = Vec::new();
        if self.login.link.is_open() {
            list.extend(self.login.link.wanted().into_iter().enumerate().map(|(i, want)| (Key::Link(i), want)));
        }
        if self.stop.is_none() {
            list.extend(self.login.outer.wanted().into_iter().enumerate().map(|(i, want)| (Key::Outer(i), want)));
        }
        list.push((Key::Spawner, (self.login.spawner.fd(), Wanted::Read)));
        list.extend(self.wires.wanted().into_iter().map(|want| (Key::Private, want)));
        if self.stop.is_none() && !matches!(self.state, State::Replaced(_) | State::Over) {
            list.push((Key::Input, (self.wires.input(), Wanted::Hangup)));
        }
        if self.outlet.is_waiting() {
            list.push((Key::Show, (self.outlet.fd().as_fd(), Wanted::Write)));
        } else if !self.is_full() {
            list.push((Key::Terminal, (self.wires.pty.master.as_fd(), Wanted::Read)));
        }
        if self.forwards() && !self.login.outer.typed().is_empty() {
            list.push((Key::Type, (self.wires.pty.master.as_fd(), Wanted::Write)));
        }
        list
    }

    /// Whether terminal input goes to the program that runs.
    pub(super) fn forwards(&self) -> bool {
        matches!(self.state, State::Running(_) | State::Replaced(_))
    }

    pub(super) fn timeout_ms(&self) -> io::Result<u32> {
        let now_us = sys::boottime_us()?;
        let due = match &self.state {
            State::Committing { until_us, .. } => until_us.saturating_sub(now_us),
            State::Pending(_) => 250_000,
            State::Running(_) if !self.unread => LOOK_US,
            State::Starting | State::Editing | State::Running(_) | State::Replaced(_) | State::Over => 1_000_000,
        };
        let due = if self.is_away() { due.min(TRY_US) } else { due };
        let due = if self.dropping_us.is_some() { due.min(PAUSE_US) } else { due };
        let due = if self.editor.unfinished() { due.min(self.editor.patience_us()) } else { due };
        Ok(u32::try_from(due.div_ceil(1000)).unwrap_or(1000).max(1))
    }

    /// Output of the inner terminal, recorded and then shown.
    pub(super) fn heard_terminal(&mut self) -> io::Result<()> {
        if let Some(bytes) = self.wires.read()? {
            let (shown, marked) = self.mark.push(&bytes);
            self.marked |= marked;
            self.show(&shown)?;
        }
        Ok(())
    }

    /// Records bytes, then shows them. A failed write ends the login.
    pub(super) fn show(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() || self.stop.is_some() {
            return Ok(());
        }
        match self.login.recorder.output(Stream::Stdout, bytes) {
            Ok(()) => {
                self.outlet.show(bytes);
                Ok(())
            }
            Err(error) => self.stop(Stop::Recorder(error)),
        }
    }

    pub(super) fn type_in(&mut self) {
        let typed = self.login.outer.typed_mut();
        if typed.is_empty() {
            return;
        }
        match nix::unistd::write(&self.wires.pty.master, typed) {
            Ok(n) => drop(typed.drain(..n)),
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
            // Nobody reads there any more; the end of the shell is on its way.
            Err(_) => typed.clear(),
        }
    }

    pub(super) fn heard_client(&mut self, ready: [Ready; 3]) -> io::Result<()> {
        if self.stop.is_some() {
            return Ok(());
        }
        for sign in self.login.outer.turn(ready, false)? {
            match sign {
                Sign::Resized => {
                    let size = self.login.outer.size();
                    self.wires.pty.resize(size)?;
                    let shown = self.editor.resize(size.columns, size.rows);
                    if let Err(error) = self.login.recorder.resize(size.columns, size.rows) {
                        return self.stop(Stop::Recorder(error));
                    }
                    if matches!(self.state, State::Editing) && self.dropping_us.is_none() {
                        self.show(shown.as_bytes())?;
                    }
                }
                Sign::Hangup => return self.stop(Stop::Hangup),
                Sign::Interrupt => return self.stop(Stop::Interrupt),
            }
        }
        self.drop_rest()?;
        if self.forwards() {
            // A key that is pressed goes on at once; what finds no room waits for it.
            self.type_in();
            return Ok(());
        }
        let typed = std::mem::take(self.login.outer.typed_mut());
        match &mut self.state {
            State::Editing if typed.is_empty() => Ok(()),
            State::Editing => {
                self.typed_us = sys::boottime_us()?;
                self.feed(&typed)
            }
            State::Pending(_) => {
                self.wait_typed(&typed)?;
                self.give_up_waiting()
            }
            State::Starting | State::Committing { .. } => self.wait_typed(&typed),
            State::Running(_) | State::Replaced(_) | State::Over => Ok(()),
        }
    }

    /// ^C while a line waits.
    fn give_up_waiting(&mut self) -> io::Result<()> {
        let State::Pending(pending) = &mut self.state else { return Ok(()) };
        if self.editor.take_interrupt() && !pending.cancelled {
            pending.cancelled = true;
            pending.until_us = sys::boottime_us()?.saturating_add(HOST_US);
            let nonce = pending.held.nonce();
            self.login.link.send(&FrontMessage::Cancel { nonce, why: CancelWhy::Interrupt });
        }
        Ok(())
    }

    /// What came of a text whose beginning was dropped is dropped too: until
    /// there is a pause, or ^C, which begins a new line.
    fn drop_rest(&mut self) -> io::Result<()> {
        let Some(last_us) = self.dropping_us else { return Ok(()) };
        let typed = self.login.outer.typed_mut();
        let now_us = sys::boottime_us()?;
        if let Some(at) = typed.iter().rposition(|byte| *byte == INTERRUPT) {
            typed.drain(..at);
        } else if !typed.is_empty() {
            self.editor.drop_bytes(&std::mem::take(typed));
            self.dropping_us = Some(now_us);
            return Ok(());
        } else if now_us.saturating_sub(last_us) < PAUSE_US {
            return Ok(());
        }
        // Looked for, and there was none: a front that was held up itself takes that for no pause.
        self.dropping_us = None;
        if matches!(self.state, State::Editing) { self.edit() } else { Ok(()) }
    }

    pub(super) fn on_time(&mut self) -> io::Result<()> {
        let now_us = sys::boottime_us()?;
        if self.waited_enough(now_us) {
            return self.host_gone("countersign-hostd has been away for too long");
        }
        match &self.state {
            State::Committing { until_us, .. } if now_us >= *until_us => self.stop(Stop::Said(
                "the shell did not take the line; the login is ended".to_owned(),
                Exit::Internal.code(),
            )),
            State::Pending(pending) if now_us >= pending.until_us => {
                self.host_gone("countersign-hostd does not answer")
            }
            State::Pending(_) => self.show_waiting(),
            State::Running(_) if self.ready.is_none() => self.look_for_gate(),
            State::Editing if self.dropping_us.is_some() => Ok(()),
            State::Editing
                if self.editor.unfinished() && now_us.saturating_sub(self.typed_us) >= self.editor.patience_us() =>
            {
                let step = self.editor.give_up();
                self.acted(step)
            }
            State::Starting
            | State::Editing
            | State::Committing { .. }
            | State::Running(_)
            | State::Replaced(_)
            | State::Over => Ok(()),
        }
    }
}
