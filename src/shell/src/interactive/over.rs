//! How lines and the login end.

use super::session::{Session, State, Stop};
use crate::end::{Ending, Failure, Status};
use crate::lines::{STOPPED, not_released};
use crate::login::{describe, kept};
use crate::spawner::orders::{MAX_HISTORY, Order, Report};
use countersign_api::front::{CancelWhy, CloseWhy, CommandEnd, Finished, FrontMessage, NotReleased};
use countersign_core::{Exit, SubmissionId};
use std::io;

/// Most reads of output that is left when the shell has ended.
const LAST_READS: usize = 16;

impl Session {
    pub(super) fn heard_spawner(&mut self) -> io::Result<()> {
        let report = self.login.spawner_report()?;
        self.ended(report)
    }

    /// The shell has ended: read what is left, then over.
    pub(super) fn ended(&mut self, report: Report) -> io::Result<()> {
        if matches!(report, Report::Stopped) {
            return self.stopped();
        }
        let Some(end) = report.end() else { return Ok(()) };
        self.end = Some(end.clone());
        // More than the kernel holds is from something that goes on writing.
        for _ in 0..LAST_READS {
            let Some(bytes) = self.wires.read()? else { break };
            let (shown, _) = self.mark.push(&bytes);
            self.show(&shown)?;
        }
        let rest = self.mark.rest();
        self.show(&rest)?;
        if let Some(id) = self.running() {
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

    pub(super) fn tell(&mut self, finished: Finished) -> io::Result<()> {
        if self.is_away() {
            if let Some(way) = &mut self.login.way {
                way.keep(finished);
            }
            return Ok(());
        }
        self.login.send_finished(finished.clone());
        if kept(&mut self.login.link).map_err(io::Error::other)? {
            return Ok(());
        }
        match &mut self.login.way {
            Some(way) if !self.login.link.is_open() => {
                way.keep(finished);
                self.lost_host()
            }
            Some(_) | None if self.stop.is_some() => Ok(()),
            Some(_) | None => self.host_gone("countersign-hostd did not keep the end of that line"),
        }
    }

    /// Nothing more is shown or run here, and everything that was started ends.
    pub(super) fn stop(&mut self, why: Stop) -> io::Result<()> {
        if self.stop.is_some() {
            return Ok(());
        }
        let cancelled = if matches!(why, Stop::Interrupt) { CancelWhy::Interrupt } else { CancelWhy::Hangup };
        let order = if matches!(why, Stop::Hangup | Stop::Interrupt) { Order::Hangup } else { Order::Kill };
        self.stop = Some(why);
        if let State::Pending(pending) = &mut self.state {
            // The release may be under way already.
            pending.cancelled = true;
            let nonce = pending.held.nonce();
            self.login.link.send(&FrontMessage::Cancel { nonce, why: cancelled });
        }
        self.outlet.shut();
        self.login.spawner.end(&order)
    }

    /// Leaves the lines for the agent's next login.
    fn keep_history(&self) {
        let all = self.editor.history().to_text();
        let from = all.len().saturating_sub(MAX_HISTORY);
        let newest =
            all.get(from..).or_else(|| all.split_at_checked(from + 1).map(|(_, rest)| rest)).unwrap_or_default();
        let whole = if from == 0 { newest } else { newest.split_once('\n').map_or("", |(_, rest)| rest) };
        // A convenience: a home that cannot be written is no reason to fail.
        let (Ok(_) | Err(_)) = self.login.spawner.history(&self.history_file, Some(whole.to_owned()));
    }

    pub(super) fn finish(mut self) -> Result<Ending, Failure> {
        let why = match &self.stop {
            None | Some(Stop::Said(..)) => CloseWhy::Exit,
            Some(Stop::Hangup) => CloseWhy::Hangup,
            Some(Stop::Interrupt) => CloseWhy::Interrupt,
            Some(Stop::Recorder(_)) => CloseWhy::DiskFull,
        };
        self.keep_history();
        self.linger().map_err(|e| Failure::system("cannot wait for countersign-hostd", &e))?;
        self.login.close(why, None)?;
        let status = self.end.clone().map_or(Status::Code(Exit::Internal.code()), |end| describe(&end).1);
        let away = self.is_away();
        Ok(match self.stop {
            None if away => Ending::saying("countersign-hostd is away: it records the end of this login later", status),
            None | Some(Stop::Hangup | Stop::Interrupt) => Ending::silent(status),
            Some(Stop::Recorder(error)) => {
                Ending::saying(format!("{error}; the login was ended"), Status::Code(Exit::Unavailable.code()))
            }
            Some(Stop::Said(text, exit)) => Ending::saying(text, Status::Code(exit)),
        })
    }
}
