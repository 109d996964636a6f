//! What an interactive login and a script have in common: one line after the
//! other is held, asked about, and told of when it has ended.

use crate::inspected::Inspected;
use crate::login::{Login, describe};
use crate::place::Place;
use crate::recorder::RecordingFailed;
use crate::spawner::orders::{KILLED, Report};
use countersign_api::context::{ShellReport, Surroundings};
use countersign_api::front::{CommandEnd, Finished, FrontMessage, MAX_SENT_COMMAND, NotReleased, Submit};
use countersign_core::{Nonce, SubmissionId, b64_encode};
use countersign_ledger::random_bytes;
use std::io;

/// How long the driver may take to take a released line, in µs.
pub const TAKE_US: u64 = 2_000_000;
/// What is said of a shell that was stopped.
pub const STOPPED: &str = "a signal has stopped the shell; the login is ended";
/// How long the host may take to answer what needs no person, also beyond the
/// deadline of an answer, in µs.
pub const HOST_US: u64 = 15_000_000;

/// A line that the host was asked about.
pub struct Asked {
    /// The front's word for it.
    pub nonce: Nonce,
    /// Where it would run.
    pub place: Place,
}

/// What became of asking.
pub enum Asking {
    /// The host has it.
    Asked(Asked),
    /// The shell has ended meanwhile.
    Ended(Report),
    /// It could not be recorded, and nobody was asked.
    Unrecorded(RecordingFailed),
    /// Where it would run is not known, and nobody was asked.
    Nowhere,
}

impl Login {
    /// Looks around, records a line and asks the host about it. `shell` is what
    /// the shell tells of itself; its limits the kernel tells, too.
    pub fn ask(&mut self, command: &[u8], mut shell: ShellReport) -> io::Result<Asking> {
        let nonce = Nonce(random_bytes::<16>().map_err(io::Error::other)?);
        let (seen, ended) = self.spawner.look(true, &[])?;
        if let Some(report) = ended {
            return Ok(Asking::Ended(report));
        }
        let limits = seen.limits.changed.iter().map(|name| format!("limit: {name}"));
        let untold: Vec<String> = limits.filter(|limit| !shell.settings.contains(limit)).collect();
        shell.settings.extend(untold);
        let place = Place::of(&seen, command, &shell);
        let done = if place.is_some() { "submitted" } else { "refused, the working directory is not known" };
        if let Err(error) = self.recorder.marker(&format!("{done}: {}", String::from_utf8_lossy(command))) {
            return Ok(Asking::Unrecorded(error));
        }
        let Some(place) = place else { return Ok(Asking::Nowhere) };
        self.recorder.begin_command();
        self.link.send(&FrontMessage::Submit(Submit {
            nonce,
            command: b64_encode(command.get(..MAX_SENT_COMMAND).unwrap_or(command)),
            total_bytes: u64::try_from(command.len()).unwrap_or(u64::MAX),
            cwd: b64_encode(place.path()),
            environment: self.environment.clone(),
            inner_shell: "bash".to_owned(),
            surroundings: Surroundings { branch: seen.branch, shell: Some(shell) },
        }));
        Ok(Asking::Asked(Asked { nonce, place }))
    }

    /// Looks at the files that a line would run, as the host asks, and tells it
    /// where it still wants to know. `None` where it asks out of turn; else the
    /// end of the shell, where that came meanwhile.
    pub fn inspect(
        &mut self,
        inspected: &mut Inspected,
        (own, nonce): (Nonce, Nonce),
        paths: Vec<String>,
        cancelled: bool,
    ) -> io::Result<Option<Option<Report>>> {
        let Some((answer, ended)) = inspected.answer(&self.spawner, own, nonce, paths)? else { return Ok(None) };
        if !cancelled {
            self.link.send(&answer);
        }
        Ok(Some(ended))
    }

    /// What the spawner reports. Where it is gone, the kernel has killed its
    /// child with it.
    pub fn spawner_report(&self) -> io::Result<Report> {
        Ok(self.spawner.report()?.unwrap_or_else(|| {
            self.spawner.put_down();
            Report::Signaled { signal: KILLED }
        }))
    }

    /// The end of a line, recorded; and why that failed, where it did.
    pub fn line_ended(&mut self, id: SubmissionId, end: CommandEnd) -> (Finished, Option<RecordingFailed>) {
        let (words, _) = describe(&end);
        let failed = self.recorder.marker(&format!("finished: {words}")).err();
        let (stdout_bytes, stderr_bytes) = self.recorder.since_command();
        (Finished { id, end, stdout_bytes, stderr_bytes, files: None }, failed)
    }
}

/// What the host is told of a line that was released and does not run.
pub fn not_released(id: SubmissionId, why: NotReleased) -> Finished {
    Finished { id, end: CommandEnd::NotReleased(why), stdout_bytes: 0, stderr_bytes: 0, files: None }
}
