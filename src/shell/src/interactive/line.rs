//! A line that is held: asked about, answered, committed or refused.

use super::away::AWAY;
use super::notice;
use super::session::{Pending, Session, State, Stop};
use crate::editor::PASTE_MARKS_OFF;
use crate::held::{Answer, Approved, Held};
use crate::inspected::Inspected;
use crate::lines::{Asked, Asking, HOST_US, TAKE_US};
use crate::link::Heard;
use crate::login::{DRIFTED, refusal_line};
use crate::place::NOWHERE;
use countersign_api::front::{HostMessage, NotReleased};
use countersign_core::{Exit, Nonce, Outcome};
use countersign_sys::{self as sys, Ready};
use std::io;

/// `$?` after a line that did not run, and BEL.
pub(super) const NOT_RUN: u8 = 126;
const BELL: &[u8] = b"\x07";
/// Said of `set -o vi` and its like, by which bash would give up the text that it is evaluating and read its terminal.
const NOT_BASHS: &str =
    "countersign edits the lines of this login, and bash does not: a mode for that changes nothing; nothing ran";

impl Session {
    pub(super) fn submit(&mut self, command: String) -> io::Result<()> {
        if self.stop.is_some() {
            return Ok(());
        }
        if self.is_away() {
            return self.not_run(AWAY);
        }
        if sets_an_editing_mode(&command) {
            return self.not_run(NOT_BASHS);
        }
        let Asked { nonce, place } = match self.login.ask(command.as_bytes(), self.told.report(&self.baseline))? {
            Asking::Asked(asked) => asked,
            Asking::Ended(report) => return self.ended(report),
            Asking::Unrecorded(error) => return self.stop(Stop::Recorder(error)),
            Asking::Nowhere => return self.not_run(NOWHERE),
        };
        if let Some(way) = &mut self.login.way {
            way.submitted(command.as_bytes());
        }
        let held = Held::new(command.into_bytes(), nonce);
        let until_us = sys::boottime_us()?.saturating_add(8 * HOST_US);
        let inspected = Inspected::default();
        let pending = Pending { held, asked: None, until_us, cancelled: false, place, inspected };
        self.state = State::Pending(Box::new(pending));
        Ok(())
    }

    pub(super) fn heard_host(&mut self, [read, write]: [Ready; 2]) -> io::Result<()> {
        self.login.link.turn(read, write);
        loop {
            if self.is_away() {
                return self.return_to_host();
            }
            let message = match self.login.link.hear() {
                Heard::Nothing => return Ok(()),
                Heard::Lost => return self.lost_host(),
                Heard::Garbage => return self.host_gone("countersign-hostd sent something unknown"),
                Heard::Message(message) => message,
            };
            match std::mem::replace(&mut self.state, State::Over) {
                State::Pending(pending) => self.answer(*pending, message)?,
                other @ (State::Starting
                | State::Editing
                | State::Committing { .. }
                | State::Running(_)
                | State::Replaced(_)
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
        self.stop(Stop::Said(format!("{what}; nothing more can run here; log in again"), Exit::Unavailable.code()))
    }

    pub(super) fn answer(&mut self, pending: Pending, message: HostMessage) -> io::Result<()> {
        if let HostMessage::Inspect { nonce, paths } = message {
            return self.inspect(pending, nonce, paths);
        }
        let Pending { held, mut asked, mut until_us, cancelled, place, inspected } = pending;
        self.state = State::Editing;
        if let HostMessage::Pending { id, asked: names, deadline_us, .. } = &message {
            asked = Some((*id, names.clone()));
            until_us = deadline_us.saturating_add(HOST_US);
        }
        match held.hear(message) {
            Answer::Waiting(held) => {
                self.state = State::Pending(Box::new(Pending { held, asked, until_us, cancelled, place, inspected }));
                self.show_waiting()
            }
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
                    return self.not_run(&refusal_line(Outcome::Error, id, "-", DRIFTED, Exit::Refused));
                }
                self.approved(approved, cancelled)
            }
            Answer::Mismatch(id) => {
                self.not_released(id, NotReleased::Mismatch)?;
                self.not_run("the release is not for this command; nothing ran")
            }
            Answer::Refused(refusal) => {
                let by = refusal.by.map_or_else(|| "-".to_owned(), |by| by.to_string());
                if let Err(error) = self.login.recorder.marker(&format!("decided: {} by {by}", refusal.outcome)) {
                    return self.stop(Stop::Recorder(error));
                }
                let exit = if refusal.exit == Exit::Unavailable.code() { Exit::Unavailable } else { Exit::Refused };
                self.not_run(&refusal_line(refusal.outcome, refusal.id, &by, &refusal.reason, exit))
            }
            Answer::Fatal(reason, exit) => self.stop(Stop::Said(reason, exit)),
            Answer::Unexpected | Answer::WantsProgram(_) => self.host_gone("countersign-hostd answered out of turn"),
        }
    }

    /// Looks at the files that the line would run, as the host asks.
    fn inspect(&mut self, mut pending: Pending, nonce: Nonce, paths: Vec<String>) -> io::Result<()> {
        let (nonces, cancelled) = ((pending.held.nonce(), nonce), pending.cancelled);
        let Some(ended) = self.login.inspect(&mut pending.inspected, nonces, paths, cancelled)? else {
            return self.host_gone("countersign-hostd answered out of turn");
        };
        self.state = State::Pending(Box::new(pending));
        ended.map_or(Ok(()), |report| self.ended(report))
    }

    /// Commits an approved line to the driver: recorded first, sent once.
    pub(super) fn approved(&mut self, approved: Approved, cancelled: bool) -> io::Result<()> {
        let (id, by) = (approved.id(), approved.by().clone());
        if let Err(error) = self.login.recorder.marker(&format!("decided: released by {by}")) {
            self.not_released(id, NotReleased::Recorder)?;
            return self.stop(Stop::Recorder(error));
        }
        self.show(notice::waited(self.plain || self.shown_left_s.is_none()).as_bytes())?;
        self.shown_left_s = None;
        if cancelled {
            self.not_released(id, NotReleased::Hangup)?;
            return self.not_run("given up before it could run");
        }
        match approved.release(sys::boottime_us()?) {
            Ok(line) => {
                self.marked = false;
                if !self.plain {
                    self.show(PASTE_MARKS_OFF.as_bytes())?;
                }
                self.wires.run(self.status, &line)?;
                let until_us = sys::boottime_us()?.saturating_add(TAKE_US);
                self.state = State::Committing { id, until_us };
                Ok(())
            }
            Err(why) => {
                self.not_released(id, why)?;
                self.not_run(&format!("the answer of {by} came too late; nothing ran"))
            }
        }
    }

    /// Drops what was typed ahead; whether there was any.
    pub(super) fn drop_ahead(&mut self) -> io::Result<bool> {
        self.editor.flush_unread();
        let ahead = self.editor.take_dropped();
        let ahead = self.login.outer.drop_typed()? || ahead;
        // The rest of what is dropped may still be on its way, cut off in the middle of a line.
        self.dropping_us = if ahead { Some(sys::boottime_us()?) } else { None };
        Ok(ahead)
    }

    /// A line did not run: say so, drop what was typed ahead of it, ring.
    pub(super) fn not_run(&mut self, why: &str) -> io::Result<()> {
        let dropped = if self.drop_ahead()? { "; what was typed after it was dropped" } else { "" };
        let why = notice::line(&format!("{why}{dropped}"), self.login.outer.size().columns);
        let text = format!("{}{why}", notice::waited(self.plain || self.shown_left_s.is_none()));
        self.shown_left_s = None;
        self.show(text.as_bytes())?;
        self.show(BELL)?;
        self.status = NOT_RUN;
        self.edit()
    }

    pub(super) fn show_waiting(&mut self) -> io::Result<()> {
        let State::Pending(pending) = &self.state else { return Ok(()) };
        let Pending { asked: Some((id, names)), until_us, cancelled: false, .. } = pending.as_ref() else {
            return Ok(());
        };
        let left_us = until_us.saturating_sub(HOST_US).saturating_sub(sys::boottime_us()?);
        let left_s = left_us.div_ceil(1_000_000);
        if self.shown_left_s == Some(left_s) || self.plain && self.shown_left_s.is_some() {
            return Ok(());
        }
        let text = notice::waiting(*id, names, left_s, self.plain, self.login.outer.size().columns);
        self.shown_left_s = Some(left_s);
        self.show(text.as_bytes())
    }
}

/// Whether a line does nothing but choose how bash would edit lines.
fn sets_an_editing_mode(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    matches!(words.as_slice(), ["set", "-o" | "+o", "vi" | "emacs"])
}
