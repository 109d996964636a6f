//! How commands and the script end.

use super::session::{Session, State, Stop};
use crate::end::{Ending, Failure, Status};
use crate::login::{describe, kept};
use crate::spawner::orders::{Order, Report};
use countersign_api::front::{CancelWhy, CloseWhy, CommandEnd, Finished, FrontMessage, NotReleased};
use countersign_core::{Exit, SubmissionId};
use std::io;

impl Session {
    pub(super) fn heard_spawner(&mut self) -> io::Result<()> {
        match self.login.spawner.report()? {
            Some(report) => self.ended(report),
            // The spawner is gone, and the kernel has killed its child with it.
            None => {
                self.login.spawner.put_down();
                self.ended(Report::Signaled { signal: 9 })
            }
        }
    }

    /// The shell has ended: what it wrote is read, and what ran is told.
    pub(super) fn ended(&mut self, report: Report) -> io::Result<()> {
        self.end = Some(match report {
            Report::Exited { code } => CommandEnd::Exited(code),
            Report::Signaled { signal } => CommandEnd::Signaled(signal),
            Report::Spawned
            | Report::Failed { .. }
            | Report::Here { .. }
            | Report::Seen(_)
            | Report::Names { .. }
            | Report::History { .. } => return Ok(()),
        });
        if !matches!(self.stop, Some(Stop::Recorder(_))) {
            self.read_all()?;
        }
        let running = match &self.state {
            State::Committing { id, .. } | State::Running { id, .. } | State::Replaced { id, .. } => Some(*id),
            State::Starting | State::Reading | State::Pending(_) | State::Leaving | State::Over => None,
        };
        if let (Some(id), Some(end)) = (running, self.end.clone()) {
            self.finished(id, end)?;
        }
        self.state = State::Over;
        Ok(())
    }

    pub(super) fn not_released(&mut self, id: SubmissionId, why: NotReleased) -> io::Result<()> {
        self.tell(Finished { id, end: CommandEnd::NotReleased(why), stdout_bytes: 0, stderr_bytes: 0, files: None })
    }

    pub(super) fn finished(&mut self, id: SubmissionId, end: CommandEnd) -> io::Result<()> {
        let (words, _) = describe(&end);
        if let Err(error) = self.login.recorder.marker(&format!("finished: {words}")) {
            self.stop(Stop::Recorder(error))?;
        }
        let (stdout_bytes, stderr_bytes) = self.login.recorder.since_command();
        self.tell(Finished { id, end, stdout_bytes, stderr_bytes, files: None })
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
        let status = match self.end {
            Some(CommandEnd::Exited(code)) => Status::Code(code),
            Some(CommandEnd::Signaled(signal)) => Status::Signal(signal),
            Some(CommandEnd::NotStarted(_) | CommandEnd::NotReleased(_)) | None => Status::Code(Exit::Internal.code()),
        };
        Ok(match self.stop {
            None | Some(Stop::Hangup | Stop::Interrupt) => Ending::silent(status),
            Some(Stop::Recorder(error)) => {
                Ending::saying(format!("{error}; the login was ended"), Status::Code(Exit::Unavailable.code()))
            }
            Some(Stop::NotRun(text, exit) | Stop::Said(text, exit)) => Ending::saying(text, Status::Code(exit)),
        })
    }
}
