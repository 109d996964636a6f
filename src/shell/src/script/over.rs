//! How commands and the script end.

use super::session::{Session, State, Stop};
use crate::end::{Ending, Failure, Status};
use crate::lines::{STOPPED, not_released};
use crate::login::{describe, kept};
use crate::spawner::orders::{Order, Report};
use countersign_api::front::{CancelWhy, CloseWhy, CommandEnd, Finished, FrontMessage, NotReleased};
use countersign_core::{Exit, SubmissionId};
use std::io;

impl Session {
    pub(super) fn heard_spawner(&mut self) -> io::Result<()> {
        let report = self.login.spawner_report()?;
        self.ended(report)
    }

    /// The shell has ended: what it wrote is read, and what ran is told.
    pub(super) fn ended(&mut self, report: Report) -> io::Result<()> {
        if matches!(report, Report::Stopped) {
            return self.stopped();
        }
        let Some(end) = report.end() else { return Ok(()) };
        self.end = Some(end.clone());
        if !matches!(self.stop, Some(Stop::Recorder(_))) {
            self.read_all()?;
        }
        let running = match &self.state {
            State::Committing { id, .. } | State::Running { id, .. } | State::Replaced { id, .. } => Some(*id),
            State::Starting | State::Reading | State::Pending(_) | State::Leaving | State::Over => None,
        };
        if let Some(id) = running {
            self.finished(id, end)?;
        }
        self.state = State::Over;
        Ok(())
    }

    /// Nobody but a program of the agent's stops the shell, and it would neither
    /// end nor take anything more. What it runs is ended with it.
    fn stopped(&mut self) -> io::Result<()> {
        if let Err(error) = self.login.recorder.marker(STOPPED) {
            return self.stop(Stop::Recorder(error));
        }
        self.stop(Stop::Said(STOPPED.to_owned(), Exit::Internal.code()))
    }

    pub(super) fn not_released(&mut self, id: SubmissionId, why: NotReleased) -> io::Result<()> {
        self.tell(not_released(id, why))
    }

    pub(super) fn finished(&mut self, id: SubmissionId, end: CommandEnd) -> io::Result<()> {
        let (finished, failed) = self.login.line_ended(id, end);
        if let Some(error) = failed {
            self.stop(Stop::Recorder(error))?;
        }
        self.tell(finished)
    }

    fn tell(&mut self, finished: Finished) -> io::Result<()> {
        self.login.send_finished(finished);
        let told = kept(&mut self.login.link).map_err(io::Error::other)?;
        if told || self.stop.is_some() {
            Ok(())
        } else {
            self.host_gone("countersign-hostd did not keep the end of that command")
        }
    }

    /// Nothing more runs here, and everything that was started ends. What ran
    /// before a command that was refused is still shown.
    pub(super) fn stop(&mut self, why: Stop) -> io::Result<()> {
        if self.stop.is_some() {
            return Ok(());
        }
        let cancelled = if matches!(why, Stop::Interrupt) { CancelWhy::Interrupt } else { CancelWhy::Hangup };
        let order = if matches!(why, Stop::Hangup | Stop::Interrupt) { Order::Hangup } else { Order::Kill };
        if !matches!(why, Stop::NotRun(..)) {
            self.outputs.iter_mut().for_each(|output| output.outlet.shut());
        }
        self.stop = Some(why);
        if let State::Pending(pending) = &mut self.state {
            // The release may be under way already.
            pending.cancelled = true;
            let nonce = pending.held.nonce();
            self.login.link.send(&FrontMessage::Cancel { nonce, why: cancelled });
        }
        if self.end.is_some() {
            return Ok(());
        }
        self.login.spawner.end(&order)
    }

    pub(super) fn finish(mut self) -> Result<Ending, Failure> {
        let why = match &self.stop {
            None | Some(Stop::Said(..) | Stop::NotRun(..)) => CloseWhy::Exit,
            Some(Stop::Hangup) => CloseWhy::Hangup,
            Some(Stop::Interrupt) => CloseWhy::Interrupt,
            Some(Stop::Recorder(_)) => CloseWhy::DiskFull,
        };
        self.login.close(why, None)?;
        let status = self.end.map_or(Status::Code(Exit::Internal.code()), |end| describe(&end).1);
        Ok(match self.stop {
            None | Some(Stop::Hangup | Stop::Interrupt) => Ending::silent(status),
            Some(Stop::Recorder(error)) => {
                Ending::saying(format!("{error}; the login was ended"), Status::Code(Exit::Unavailable.code()))
            }
            Some(Stop::NotRun(text, exit) | Stop::Said(text, exit)) => Ending::saying(text, Status::Code(exit)),
        })
    }
}
