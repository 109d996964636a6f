//! The login while countersign-hostd is away: it stays, and nothing new runs.

use super::notice;
use super::session::{Session, State, Stop};
use crate::away::{Return, TRY_US, Way};
use crate::login::{Login, kept};
use countersign_api::front::FrontMessage;
use countersign_core::{Exit, SubmissionId};
use countersign_sys as sys;
use std::io;

/// What is said of a line that is entered meanwhile.
pub(super) const AWAY: &str =
    "countersign-hostd is away; nothing ran; lines are taken again once it is back; ^D ends the login";
/// … of one that waited.
const WAITED: &str =
    "countersign-hostd was lost before this line could run; nothing ran; lines are taken again once it is back";
const LOST: &str = "countersign-hostd is away; lines are taken again once it is back; ^D ends the login";
const BACK: &str = "countersign-hostd is back; lines are taken again";
/// How long a login that is over waits for the host, so that its end can be
/// told, in µs.
const LINGER_US: u64 = 10_000_000;

impl Session {
    pub(super) fn is_away(&self) -> bool {
        self.login.way.as_ref().is_some_and(Return::is_away)
    }

    /// The host is lost: what waits does not run, what runs goes on.
    pub(super) fn lost_host(&mut self) -> io::Result<()> {
        let Some(way) = &mut self.login.way else { return self.host_gone("countersign-hostd is gone") };
        // What ends anyway is told at its end.
        if self.stop.is_some() {
            return Ok(());
        }
        way.lost(sys::boottime_us()?);
        if let Err(error) = self.login.recorder.marker("countersign-hostd is lost") {
            return self.stop(Stop::Recorder(error));
        }
        match &self.state {
            State::Pending(_) => self.not_run(WAITED),
            State::Editing => {
                let shown = self.editor.notice(&format!("countersign: {LOST}"));
                self.show(shown.as_bytes())
            }
            State::Starting | State::Committing { .. } | State::Running(_) | State::Replaced(_) | State::Over => Ok(()),
        }
    }

    /// Says at a new prompt that the host is away, where it is.
    pub(super) fn say_away(&mut self) -> io::Result<()> {
        if self.is_away() { self.show(notice::line(LOST, self.login.outer.size().columns).as_bytes()) } else { Ok(()) }
    }

    /// Goes on on the way back.
    pub(super) fn return_to_host(&mut self) -> io::Result<()> {
        let running = self.running();
        let now_us = sys::boottime_us()?;
        let Login { way: Some(way), link, .. } = &mut self.login else { return Ok(()) };
        match way.turn(link, running, now_us) {
            Way::Waiting => Ok(()),
            Way::Closed(why, exit) => self.stop(Stop::Said(why, exit)),
            Way::Back(told) => self.came_back(running, told),
        }
    }

    fn came_back(&mut self, running: Option<SubmissionId>, told: Option<SubmissionId>) -> io::Result<()> {
        self.login.recorder.untell(self.login.link.taken());
        if let Err(error) = self.login.recorder.marker("countersign-hostd is back") {
            return self.stop(Stop::Recorder(error));
        }
        match self.login.way.as_mut().and_then(Return::take_untold) {
            Some(finished) if told == Some(finished.id) => self.tell(finished)?,
            // It was kept, and only the answer was lost.
            Some(_) if told.is_none() => {}
            None if told == running => {}
            Some(_) | None => {
                let text = "what runs here is not what the ledger says; the login is ended".to_owned();
                return self.stop(Stop::Said(text, Exit::Unavailable.code()));
            }
        }
        if matches!(self.state, State::Editing) && !self.is_away() {
            let shown = self.editor.notice(&format!("countersign: {BACK}"));
            self.show(shown.as_bytes())?;
        }
        Ok(())
    }

    /// The line that runs.
    pub(super) fn running(&self) -> Option<SubmissionId> {
        match &self.state {
            State::Committing { id, .. } | State::Running(id) | State::Replaced(Some(id)) => Some(*id),
            State::Starting | State::Editing | State::Pending(_) | State::Replaced(None) | State::Over => None,
        }
    }

    /// A host that does not come back ends a login that has nothing to do, or
    /// whose line can write no more.
    pub(super) fn waited_enough(&self, now_us: u64) -> bool {
        let idle = matches!(self.state, State::Starting | State::Editing);
        let overdue = self.login.way.as_ref().is_some_and(|way| way.is_overdue(now_us));
        self.stop.is_none() && overdue && (idle || self.is_full())
    }

    /// Whether nothing more may be written for now.
    pub(super) fn is_full(&self) -> bool {
        let heard = self.login.link.is_open() || self.is_away();
        heard && self.login.recorder.is_beyond(self.login.link.reach())
    }

    /// The login is over and the host is away: waits for a while, so that it
    /// can be told. What cannot be told the next daemon closes as `recovered`.
    pub(super) fn linger(&mut self) -> io::Result<()> {
        let now_us = sys::boottime_us()?;
        let until_us = now_us.saturating_add(LINGER_US);
        let Login { way: Some(way), link, recorder, .. } = &mut self.login else { return Ok(()) };
        if !link.is_open() {
            way.lost(now_us);
        }
        if way.is_overdue(now_us) {
            return Ok(());
        }
        while way.is_away() && sys::boottime_us()? < until_us {
            match way.turn(link, None, sys::boottime_us()?) {
                Way::Closed(..) => return Ok(()),
                Way::Waiting if link.is_open() => {
                    let ready = sys::poll(&link.wanted(), Some(wait_ms()))?;
                    let [read, write] = <[sys::Ready; 2]>::try_from(ready).unwrap_or_default();
                    link.turn(read, write);
                }
                Way::Waiting => sys::sleep_ms(u64::from(wait_ms())),
                Way::Back(told) => {
                    recorder.untell(link.taken());
                    let Some(finished) = way.take_untold().filter(|finished| told == Some(finished.id)) else {
                        continue;
                    };
                    link.send(&FrontMessage::Finished(finished.clone()));
                    if !kept(link).map_err(io::Error::other)? && !link.is_open() {
                        way.keep(finished);
                        way.lost(sys::boottime_us()?);
                    }
                }
            }
        }
        Ok(())
    }
}

fn wait_ms() -> u32 {
    u32::try_from(TRY_US / 1000).unwrap_or(u32::MAX)
}
