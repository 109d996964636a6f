//! A command of a script: held, answered, committed. One that does not run
//! ends the login.

use super::driver::Input;
use super::session::{Pending, Session, State, Stop};
use crate::held::{Answer, Approved, Held, Refusal};
use crate::inspected::Inspected;
use crate::lines::{Asked, Asking, HOST_US, TAKE_US};
use crate::link::Heard;
use crate::login::{DRIFTED, refusal_line};
use crate::place::{NOWHERE, Place};
use crate::program::{self, Capture};
use countersign_api::front::{FrontMessage, HostMessage, NotReleased};
use countersign_core::{DecidedBy, Exit, Nonce, Outcome};
use countersign_sys::{self as sys, Ready};
use std::io;

impl Session {
    pub(super) fn submit(&mut self, command: Vec<u8>) -> io::Result<()> {
        let Asked { nonce, place } = match self.login.ask(&command, self.told.report(&self.baseline))? {
            Asking::Asked(asked) => asked,
            Asking::Ended(report) => return self.ended(report),
            Asking::Unrecorded(error) => return self.stop(Stop::Recorder(error)),
            Asking::Nowhere => return self.not_run(format!("refused: {NOWHERE}"), Exit::Refused.code()),
        };
        let until_us = sys::boottime_us()?.saturating_add(8 * HOST_US);
        let (held, inspected) = (Held::new(command, nonce), Inspected::default());
        self.state = State::Pending(Box::new(Pending { held, until_us, cancelled: false, place, inspected }));
        Ok(())
    }

    pub(super) fn heard_host(&mut self, [read, write]: [Ready; 2]) -> io::Result<()> {
        self.login.link.turn(read, write);
        loop {
            let message = match self.login.link.hear() {
                Heard::Nothing => return Ok(()),
                // A command that runs may end; it is noticed after it.
                Heard::Lost
                    if self.stop.is_some() || matches!(self.state, State::Running { .. } | State::Replaced { .. }) =>
                {
                    return Ok(());
                }
                Heard::Lost => return self.host_gone("countersign-hostd is gone"),
                Heard::Garbage => return self.host_gone("countersign-hostd sent something unknown"),
                Heard::Message(message) => message,
            };
            match std::mem::replace(&mut self.state, State::Over) {
                State::Pending(pending) => self.answer(*pending, message)?,
                other @ (State::Starting
                | State::Reading
                | State::Committing { .. }
                | State::Running { .. }
                | State::Replaced { .. }
                | State::Leaving
                | State::Over) => {
                    self.state = other;
                    return match message.fatal() {
                        Some((reason, exit)) => self.stop(Stop::Said(reason, exit)),
                        None => self.host_gone("countersign-hostd answered out of turn"),
                    };
                }
            }
        }
    }

    pub(super) fn host_gone(&mut self, what: &str) -> io::Result<()> {
        self.stop(Stop::Said(format!("{what}; nothing more ran"), Exit::Unavailable.code()))
    }

    fn answer(&mut self, pending: Pending, message: HostMessage) -> io::Result<()> {
        if let HostMessage::Inspect { nonce, paths } = message {
            return self.inspect(pending, nonce, paths);
        }
        let Pending { held, mut until_us, cancelled, place, inspected } = pending;
        // From here on nothing more is read, unless this command runs.
        self.state = State::Leaving;
        if let HostMessage::Pending { deadline_us, .. } = &message {
            until_us = deadline_us.saturating_add(HOST_US);
        }
        match held.hear(message) {
            Answer::Waiting(held) => {
                self.state = State::Pending(Box::new(Pending { held, until_us, cancelled, place, inspected }));
                Ok(())
            }
            Answer::WantsProgram(held) => self.program(held, place, inspected),
            Answer::Approved(approved) => {
                let id = approved.id();
                // An end is told beside the answer that it overtook.
                let (holds, ended) = inspected.still_holds_in(&self.login.spawner, &place)?;
                if let Some(report) = ended {
                    self.not_released(id, NotReleased::Hangup)?;
                    return self.ended(report);
                }
                if !holds {
                    self.not_released(id, NotReleased::Drifted)?;
                    return self
                        .not_run(refusal_line(Outcome::Error, id, "-", DRIFTED, Exit::Refused), Exit::Refused.code());
                }
                self.approved(approved, cancelled)
            }
            Answer::Mismatch(id) => {
                self.not_released(id, NotReleased::Mismatch)?;
                let reason = "the release is not for this command; nothing ran";
                let line = refusal_line(Outcome::Error, id, "-", reason, Exit::Unavailable);
                self.not_run(line, Exit::Unavailable.code())
            }
            Answer::Refused(refusal) => self.refused(&refusal),
            Answer::Fatal(reason, exit) => self.stop(Stop::Said(reason, exit)),
            Answer::Unexpected => self.host_gone("countersign-hostd answered out of turn"),
        }
    }

    /// The command takes all that follows it for its program: that is read to
    /// its end and held with it.
    fn program(&mut self, held: Held, place: Place, inspected: Inspected) -> io::Result<()> {
        let (begun, ended) = self.source.take_all();
        let read = program::capture(&mut self.login.link, &mut self.login.outer, begun, ended);
        let until_us = sys::boottime_us()?.saturating_add(8 * HOST_US);
        match read.map_err(io::Error::other)? {
            Capture::Read(bytes, end) => {
                self.source.end();
                self.login.link.send(&FrontMessage::Program(program::message(held.nonce(), &bytes, end)));
                let held = held.with_program(bytes);
                self.state = State::Pending(Box::new(Pending { held, until_us, cancelled: false, place, inspected }));
                Ok(())
            }
            Capture::Cancelled(why) => {
                self.state = State::Pending(Box::new(Pending { held, until_us, cancelled: false, place, inspected }));
                self.stop(Stop::by(why))
            }
        }
    }

    /// Looks at the files that the command would run, as the host asks.
    fn inspect(&mut self, mut pending: Pending, nonce: Nonce, paths: Vec<String>) -> io::Result<()> {
        let (nonces, cancelled) = ((pending.held.nonce(), nonce), pending.cancelled);
        let Some(ended) = self.login.inspect(&mut pending.inspected, nonces, paths, cancelled)? else {
            return self.host_gone("countersign-hostd answered out of turn");
        };
        self.state = State::Pending(Box::new(pending));
        ended.map_or(Ok(()), |report| self.ended(report))
    }

    /// Commits an approved command to the driver: recorded first, sent once.
    fn approved(&mut self, approved: Approved, cancelled: bool) -> io::Result<()> {
        let (id, by) = (approved.id(), approved.by().clone());
        if let Err(error) = self.login.recorder.marker(&format!("decided: released by {by}")) {
            self.not_released(id, NotReleased::Recorder)?;
            return self.stop(Stop::Recorder(error));
        }
        if cancelled || self.stop.is_some() {
            return self.not_released(id, NotReleased::Hangup);
        }
        let input = match (approved.program(), &by) {
            (Some(bytes), _) => {
                self.program.fill(bytes)?;
                Input::Program
            }
            // A rule or a grant lets a line run, not what somebody feeds it.
            (None, DecidedBy::WhitelistRule(_) | DecidedBy::Grant(_) | DecidedBy::Threshold(_)) => Input::Empty,
            (None, DecidedBy::Person(_) | DecidedBy::DenyRule(_) | DecidedBy::Timeout) => Input::Fed,
        };
        match approved.release(sys::boottime_us()?) {
            Ok(command) => {
                self.wires.run(input.letter(), self.status, &command)?;
                let until_us = sys::boottime_us()?.saturating_add(TAKE_US);
                self.state = State::Committing { id, fed: input == Input::Fed, until_us };
                Ok(())
            }
            Err(why) => {
                self.not_released(id, why)?;
                let reason = format!("the answer of {by} came too late; nothing ran");
                let line = refusal_line(Outcome::TimedOut, id, "-", &reason, Exit::Refused);
                self.not_run(line, Exit::Refused.code())
            }
        }
    }

    fn refused(&mut self, refusal: &Refusal) -> io::Result<()> {
        let by = refusal.by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        if let Err(error) = self.login.recorder.marker(&format!("decided: {} by {by}", refusal.outcome)) {
            return self.stop(Stop::Recorder(error));
        }
        let exit = if refusal.exit == Exit::Unavailable.code() { Exit::Unavailable } else { Exit::Refused };
        self.not_run(refusal_line(refusal.outcome, refusal.id, &by, &refusal.reason, exit), exit.code())
    }

    /// A command did not run, and so nothing after it may.
    fn not_run(&mut self, line: String, exit: u8) -> io::Result<()> {
        self.stop(Stop::NotRun(line, exit))
    }
}
