//! One login: says hello to the host, holds the command, runs it once if it
//! is released, and tells how it ended.

use crate::away::Return;
use crate::end::{Ending, Failure, Status};
use crate::held::{Answer, Approved, Held, Refusal};
use crate::inspected::Inspected;
use crate::lines::HOST_US;
use crate::link::{Heard, Link};
use crate::outer::{Outer, Sign};
use crate::program::{self, Capture};
use crate::pty::Pty;
use crate::recorder::{Recorder, RecordingFailed};
use crate::relay::{Ended, Relay, Stop, Wiring};
use crate::settings::Settings;
use crate::spawner::orders::{NO_NUMBER, Order, Spawner, Unstarted};
use countersign_api::context::Surroundings;
use countersign_api::front::{
    CancelWhy, Close, CloseWhy, CommandEnd, Files, Finished, FrontMessage, Hello, HostMessage, LoginKind,
    MAX_SENT_COMMAND, NotReleased, RefusedLogin, Submit,
};
use countersign_core::{DecidedBy, Exit, Nonce, Outcome, SubmissionId, Transfer, b64_encode};
use countersign_ledger::{ResumeChain, random_bytes};
use countersign_sys as sys;
use std::os::unix::ffi::OsStrExt;

/// How long it may take to put a submission into the ledger and ask, in µs.
const ASK_US: u64 = 120_000_000;

/// What everybody wants to know first.
const NOTHING_RAN: &str = "nothing ran";
/// What to do, where the reason says it already.
const AGAIN: &str = "submit it again";
/// What to do where nobody said no.
const LOOK: &str = "try again later, or have the operator of this host run: countersign doctor";
/// What is said of a line whose files changed.
pub(crate) const DRIFTED: &str = "what it would run was changed after it was submitted; nothing ran; submit it again, so that the new content is seen";

/// A login with its connection, its recording and its client.
pub struct Login {
    pub(crate) link: Link,
    pub(crate) recorder: Recorder,
    pub(crate) outer: Outer,
    pub(crate) pty: Option<Pty>,
    pub(crate) spawner: Spawner,
    inner: crate::inner::InnerShell,
    pub(crate) environment: Vec<(String, String)>,
    inspected: Inspected,
    /// What is around its only line.
    branch: Option<String>,
    /// Where it may outlive a restart of the host.
    pub(crate) way: Option<Return>,
    /// Whether its client is still to be told that it waits.
    pub(crate) tells: bool,
}

/// What is said of a login that this host does not allow.
fn advice(refused: RefusedLogin) -> &'static str {
    match refused {
        RefusedLogin::SftpRefused => {
            "refused: this host does not allow sftp (`sftp = \"refuse\"`); use: scp -O, or send a command"
        }
    }
}

/// What happened while waiting.
enum Event {
    Host(HostMessage),
    Client(Sign),
    Lost(&'static str),
}

impl Login {
    /// Connects to the host, is welcomed and begins the recording.
    pub fn open(
        settings: &Settings,
        environment: Vec<(String, String)>,
        hello: Hello,
        spawner: Spawner,
        mut outer: Outer,
        mut pty: Option<Pty>,
        chain: Option<ResumeChain>,
    ) -> Result<Self, Failure> {
        let mut link = Link::connect(&settings.socket, settings.host_uid).map_err(|e| {
            let socket = settings.socket.display();
            unavailable(&format!("cannot reach countersign-hostd at {socket}: {e}"))
        })?;
        let has_one_line = matches!(hello.kind, LoginKind::Exec | LoginKind::Transfer);
        link.send(&FrontMessage::Hello(hello));
        let until_us = now_us()? + HOST_US;
        let id = match wait(&mut link, Some((&mut outer, pty.as_mut())), until_us)? {
            Event::Host(HostMessage::Welcome { login, .. }) => login,
            Event::Host(HostMessage::Fatal { reason, exit }) => return Err(fatal(&reason, exit)),
            Event::Host(_) => return Err(unavailable("countersign-hostd answered out of turn")),
            Event::Client(_) => return Err(unavailable("the client hung up")),
            Event::Lost(why) => return Err(unavailable(why)),
        };
        let file = link.take_descriptor().ok_or_else(|| unavailable("countersign-hostd gave no spool"))?;
        let failed = |why| Failure::system("cannot look around", &why);
        let branch = if has_one_line { spawner.branch().map_err(failed)? } else { None };
        match Recorder::begin(file) {
            Ok(recorder) => {
                let inspected = Inspected::default();
                let way = chain.map(|chain| {
                    Return::new(settings.socket.clone(), settings.host_uid, id, chain, settings.host_away_us)
                });
                let (inner, tells) = (settings.inner, settings.notice.is_for(pty.is_some()));
                Ok(Self { link, recorder, outer, pty, spawner, inner, environment, inspected, branch, way, tells })
            }
            Err(error) => {
                let close = Close { why: CloseWhy::DiskFull, refused: None, spool_bytes: 0 };
                link.send(&FrontMessage::Close(close));
                kept(&mut link)?;
                Err(unavailable(&error.to_string()))
            }
        }
    }

    /// `TERM` as the command gets it.
    pub(crate) fn term(&self) -> &str {
        self.environment.iter().find(|(name, _)| name == "TERM").map_or("", |(_, value)| value)
    }

    /// Refuses a kind of login that this host does not allow, on the record.
    pub fn refuse(mut self, refused: RefusedLogin) -> Result<Ending, Failure> {
        self.close(CloseWhy::Refused, Some(refused))?;
        Ok(Ending::saying(advice(refused), Status::Code(Exit::Refused.code())))
    }

    /// Holds a command and runs it if it is released.
    pub fn submit(mut self, kind: LoginKind, command: Vec<u8>) -> Result<Ending, Failure> {
        let nonce = random_bytes::<16>().map_err(|_| Failure::new(Exit::Internal, "no randomness; nothing ran"))?;
        let cwd = self.inspected.stands().map_err(|e| Failure::system("cannot tell the working directory", &e))?;
        if let Err(error) = self.recorder.marker(&format!("submitted: {}", String::from_utf8_lossy(&command))) {
            return self.cannot_record(None, &error);
        }
        self.link.send(&FrontMessage::Submit(Submit {
            nonce: Nonce(nonce),
            command: b64_encode(command.get(..MAX_SENT_COMMAND).unwrap_or(&command)),
            total_bytes: u64::try_from(command.len()).unwrap_or(u64::MAX),
            cwd: b64_encode(cwd.as_os_str().as_bytes()),
            environment: self.environment.clone(),
            inner_shell: self.inner.as_str().to_owned(),
            surroundings: Surroundings { branch: self.branch.take(), shell: None },
        }));
        let (answer, cancelled) = self.answer(Held::new(command, Nonce(nonce)))?;
        match answer {
            Answer::Approved(approved) => self.approved(kind, approved, cancelled),
            Answer::Mismatch(id) => {
                let reason = "the release is not for this command; nothing ran";
                self.not_released(id, NotReleased::Mismatch, Outcome::Error, reason, Exit::Unavailable)
            }
            Answer::Refused(refusal) => self.refused(refusal, cancelled),
            Answer::Fatal(reason, exit) => Err(fatal(&reason, exit)),
            Answer::Unexpected | Answer::Waiting(_) | Answer::WantsProgram(_) => {
                Err(unavailable("countersign-hostd answered out of turn"))
            }
        }
    }

    /// Waits for the answer; a client that hangs up or interrupts cancels.
    fn answer(&mut self, mut held: Held) -> Result<(Answer, Option<CancelWhy>), Failure> {
        let asked_us = now_us()?;
        let mut cancelled = None;
        let mut until_us = asked_us + ASK_US;
        loop {
            let client = if cancelled.is_none() { Some((&mut self.outer, self.pty.as_mut())) } else { None };
            match wait(&mut self.link, client, until_us)? {
                Event::Host(HostMessage::Inspect { nonce, paths }) => {
                    let failed = |e| Failure::system("cannot look at the files of this command", &e);
                    let own = held.nonce();
                    let Some((answer, _)) = self.inspected.answer(&self.spawner, own, nonce, paths).map_err(failed)?
                    else {
                        return Ok((Answer::Unexpected, cancelled));
                    };
                    if cancelled.is_none() {
                        self.link.send(&answer);
                    }
                }
                Event::Host(message) => match held.hear(self.told(message)) {
                    Answer::Waiting(still) => {
                        held = still;
                        if let (Some(deadline_us), None) = (held.deadline_us(), cancelled) {
                            until_us = deadline_us.saturating_add(HOST_US);
                        }
                    }
                    Answer::WantsProgram(still) => {
                        held = match program::capture(&mut self.link, &mut self.outer, Vec::new(), false)? {
                            Capture::Read(bytes, end) => {
                                let message = program::message(still.nonce(), &bytes, end);
                                self.link.send(&FrontMessage::Program(message));
                                still.with_program(bytes)
                            }
                            Capture::Cancelled(why) => {
                                self.link.send(&FrontMessage::Cancel { nonce: still.nonce(), why });
                                cancelled = Some(why);
                                still
                            }
                        };
                        until_us = now_us()? + if cancelled.is_some() { HOST_US } else { ASK_US };
                    }
                    answer @ (Answer::Approved(_)
                    | Answer::Mismatch(_)
                    | Answer::Refused(_)
                    | Answer::Fatal(..)
                    | Answer::Unexpected) => return Ok((answer, cancelled)),
                },
                Event::Client(sign) => {
                    let why = if sign == Sign::Hangup { CancelWhy::Hangup } else { CancelWhy::Interrupt };
                    self.link.send(&FrontMessage::Cancel { nonce: held.nonce(), why });
                    cancelled = Some(why);
                    until_us = now_us()? + HOST_US;
                }
                Event::Lost(why) => return Err(unavailable(why)),
            }
        }
    }

    fn approved(
        mut self,
        kind: LoginKind,
        approved: Approved,
        cancelled: Option<CancelWhy>,
    ) -> Result<Ending, Failure> {
        let (id, by) = (approved.id(), approved.by().clone());
        if let Err(error) = self.recorder.marker(&format!("decided: released by {by}")) {
            return self.cannot_record(Some(id), &error);
        }
        if cancelled.is_some() || self.client_gone()? {
            let reason = "the client was gone before it could run";
            return self.not_released(id, NotReleased::Hangup, Outcome::Cancelled, reason, Exit::Refused);
        }
        let holds = self.inspected.still_holds(&self.spawner);
        if !holds.map_err(|e| Failure::system("cannot look at the files of this command", &e))? {
            return self.not_released(id, NotReleased::Drifted, Outcome::Error, DRIFTED, Exit::Refused);
        }
        let deadline_us = approved.deadline_us();
        let sealed = approved.program().map(|bytes| sys::descriptors::sealed_memory(c"countersign-program", bytes));
        let sealed = sealed.transpose().map_err(|e| Failure::system("cannot hold the program", &e))?;
        let sftp = Transfer::of(approved.command()).is_some_and(Transfer::is_sftp);
        let wiring = match (kind, sealed, &by) {
            (LoginKind::Transfer, _, _) if sftp => Wiring::Logged,
            (LoginKind::Transfer, _, _) => Wiring::Direct,
            (_, Some(program), _) => Wiring::Program(program),
            (_, None, DecidedBy::WhitelistRule(_) | DecidedBy::Grant(_) | DecidedBy::Threshold(_)) => Wiring::Unfed,
            (_, None, DecidedBy::Person(_) | DecidedBy::DenyRule(_) | DecidedBy::Timeout) => Wiring::Relayed,
        };
        match approved.release(now_us()?) {
            Ok(command) => self.run(wiring, id, &command, deadline_us),
            Err(why) => {
                let reason = format!("the answer of {by} came too late; nothing ran");
                self.not_released(id, why, Outcome::TimedOut, &reason, Exit::Refused)
            }
        }
    }

    /// Starts the released bytes, relays until they end, and tells the host.
    fn run(mut self, wiring: Wiring, id: SubmissionId, command: &[u8], deadline_us: u64) -> Result<Ending, Failure> {
        let order = Order::Spawn {
            shell: self.inner,
            command: b64_encode(command),
            environment: std::mem::take(&mut self.environment),
            terminal: self.pty.is_some(),
            deadline_us,
        };
        let relay = Relay::start(
            wiring,
            &order,
            &mut self.link,
            &mut self.recorder,
            &mut self.outer,
            self.pty.as_mut(),
            &self.spawner,
        );
        let ended = match relay {
            Ok(Ok(relay)) => match relay.run() {
                Ok(ended) => ended,
                Err(error) => return Ok(Ending::from(Failure::system("the command was ended", &error)).after_start()),
            },
            Ok(Err(unstarted)) => return self.unstarted(id, unstarted),
            // Something failed before the order was given.
            Err(error) => return self.unstarted(id, Unstarted::Never(number(&error))),
        };
        Ok(self.finish(id, ended).unwrap_or_else(Ending::from).after_start())
    }

    /// Records that a released line does not run, and says why.
    fn unstarted(mut self, id: SubmissionId, unstarted: Unstarted) -> Result<Ending, Failure> {
        let (words, status) = describe(&unstarted.end());
        let recorded = self.recorder.marker(&format!("finished: {words}"));
        let why = if recorded.is_ok() { CloseWhy::Exit } else { CloseWhy::DiskFull };
        let told = self.tell_finished(id, unstarted.end(), None)? && self.close(why, None)?;
        let lost = if told { "" } else { "; countersign-hostd is gone: that could not be recorded" };
        Ok(Ending::saying(format!("the command could not be started: {unstarted}{lost}"), status))
    }

    fn finish(mut self, id: SubmissionId, ended: Ended) -> Result<Ending, Failure> {
        let Ended { end, mut stop, files } = ended;
        let (words, status) = describe(&end);
        if stop.as_ref().is_none_or(|stop| !matches!(stop, Stop::Recorder(_))) {
            let recorded = self.recorder.marker(&format!("finished: {words}"));
            if let Err(error) = recorded {
                stop = Some(Stop::Recorder(error));
            }
        }
        let why = match &stop {
            None | Some(Stop::Host { .. } | Stop::Spawner) => CloseWhy::Exit,
            Some(Stop::Hangup) => CloseWhy::Hangup,
            Some(Stop::Interrupt) => CloseWhy::Interrupt,
            Some(Stop::Recorder(_)) => CloseWhy::DiskFull,
        };
        let told = self.tell_ended(id, end.clone(), files, why)?;
        Ok(match (stop, end) {
            (Some(Stop::Recorder(error)), _) => {
                Ending::saying(format!("{error}; the command was ended"), Status::Code(Exit::Unavailable.code()))
            }
            (Some(Stop::Host { reason, exit }), _) => {
                Ending::saying(format!("{reason}; the command was ended"), Status::Code(exit))
            }
            (Some(Stop::Spawner), _) => Ending::saying(
                "the program that started the command was lost; the command was killed, but what it had started may still run",
                status,
            ),
            (None | Some(Stop::Hangup | Stop::Interrupt), _) if !told => {
                Ending::saying("countersign-hostd is gone: the command's end could not be recorded", status)
            }
            (None | Some(Stop::Hangup | Stop::Interrupt), _) => Ending::silent(status),
        })
    }

    fn refused(mut self, refusal: Refusal, cancelled: Option<CancelWhy>) -> Result<Ending, Failure> {
        let by = refusal.by.map_or_else(|| "-".to_owned(), |by| by.to_string());
        let recorded = self.recorder.marker(&format!("decided: {} by {by}", refusal.outcome));
        let why = match (&recorded, cancelled) {
            (Err(_), _) => CloseWhy::DiskFull,
            (Ok(()), Some(CancelWhy::Hangup)) => CloseWhy::Hangup,
            (Ok(()), Some(CancelWhy::Interrupt) | None) => CloseWhy::Exit,
        };
        self.close(why, None)?;
        let exit = if refusal.exit == Exit::Unavailable.code() { Exit::Unavailable } else { Exit::Refused };
        let line = refusal_line(refusal.outcome, refusal.id, &by, &refusal.reason, exit);
        Ok(Ending::saying(line, Status::Code(exit.code())))
    }

    fn not_released(
        mut self,
        id: SubmissionId,
        why: NotReleased,
        outcome: Outcome,
        reason: &str,
        exit: Exit,
    ) -> Result<Ending, Failure> {
        let close = if why == NotReleased::Hangup { CloseWhy::Hangup } else { CloseWhy::Exit };
        let told = self.tell_finished(id, CommandEnd::NotReleased(why), None)? && self.close(close, None)?;
        let exit = if told { exit } else { Exit::Unavailable };
        Ok(Ending::saying(refusal_line(outcome, id, "-", reason, exit), Status::Code(exit.code())))
    }

    fn cannot_record(mut self, released: Option<SubmissionId>, error: &RecordingFailed) -> Result<Ending, Failure> {
        if let Some(id) = released {
            self.tell_finished(id, CommandEnd::NotReleased(NotReleased::Recorder), None)?;
        }
        self.close(CloseWhy::DiskFull, None)?;
        Err(unavailable(&error.to_string()))
    }

    /// Whether the host has kept how the command ended.
    fn tell_finished(&mut self, id: SubmissionId, end: CommandEnd, files: Option<Files>) -> Result<bool, Failure> {
        let (stdout_bytes, stderr_bytes) = self.recorder.totals();
        self.send_finished(Finished { id, end, stdout_bytes, stderr_bytes, files });
        kept(&mut self.link)
    }

    /// Whether the host has kept how the command ended and the login with it.
    fn tell_ended(
        &mut self,
        id: SubmissionId,
        end: CommandEnd,
        files: Option<Files>,
        why: CloseWhy,
    ) -> Result<bool, Failure> {
        let (stdout_bytes, stderr_bytes) = self.recorder.totals();
        let finished = Finished { id, end, stdout_bytes, stderr_bytes, files };
        let close = Close { why, refused: None, spool_bytes: self.recorder.length() };
        self.link.send(&FrontMessage::Ended { finished, close });
        // While the host writes it down.
        self.spawner.finish();
        kept(&mut self.link)
    }

    /// Whether the host has kept that the login is over.
    pub(crate) fn close(&mut self, why: CloseWhy, refused: Option<RefusedLogin>) -> Result<bool, Failure> {
        let close = Close { why, refused, spool_bytes: self.recorder.length() };
        self.link.send(&FrontMessage::Close(close));
        kept(&mut self.link)
    }

    /// Says how a command ended: with that the host takes all that is in the
    /// spool, and need not be told of it.
    pub(crate) fn send_finished(&mut self, finished: Finished) {
        self.recorder.told();
        self.link.send(&FrontMessage::Finished(finished));
    }

    fn client_gone(&mut self) -> Result<bool, Failure> {
        let failed = |e| Failure::system("cannot watch the client", &e);
        let wanted = self.outer.wanted();
        let ready = sys::poll(&wanted, Some(0)).map_err(failed)?;
        let ready = <[sys::Ready; 3]>::try_from(ready).unwrap_or_default();
        let signs = self.outer.turn(ready, true).map_err(failed)?;
        Ok(signs.iter().any(|sign| *sign != Sign::Resized))
    }
}

/// Waits for the host, and for the client where it still matters.
fn wait(link: &mut Link, mut client: Option<(&mut Outer, Option<&mut Pty>)>, until_us: u64) -> Result<Event, Failure> {
    let failed = |e: std::io::Error| Failure::system("cannot wait", &e);
    loop {
        match link.hear() {
            Heard::Message(message) => return Ok(Event::Host(message)),
            Heard::Lost => return Ok(Event::Lost("countersign-hostd hung up")),
            Heard::Garbage => return Ok(Event::Lost("countersign-hostd sent something unknown")),
            Heard::Nothing => {}
        }
        let left_us = until_us.saturating_sub(now_us()?);
        if left_us == 0 {
            return Ok(Event::Lost("countersign-hostd does not answer"));
        }
        let mut wanted = link.wanted().to_vec();
        if let Some((outer, _)) = &client {
            wanted.extend(outer.wanted());
        }
        let timeout = u32::try_from(left_us.div_ceil(1000)).unwrap_or(u32::MAX);
        let mut ready = sys::poll(&wanted, Some(timeout)).map_err(failed)?.into_iter();
        let mut next = || ready.next().unwrap_or_default();
        link.turn(next(), next());
        let Some((outer, pty)) = &mut client else { continue };
        for sign in outer.turn([next(), next(), next()], true).map_err(failed)? {
            match (sign, pty.as_mut()) {
                (Sign::Resized, Some(pty)) => pty.resize(outer.size()).map_err(failed)?,
                (Sign::Resized, None) => {}
                (Sign::Hangup | Sign::Interrupt, _) => return Ok(Event::Client(sign)),
            }
        }
    }
}

/// Waits until the host has made the last message durable; false when it is
/// gone or says otherwise.
pub(crate) fn kept(link: &mut Link) -> Result<bool, Failure> {
    let until_us = now_us()? + HOST_US;
    Ok(match wait(link, None, until_us)? {
        Event::Host(HostMessage::Kept) => true,
        Event::Host(_) | Event::Client(_) | Event::Lost(_) => false,
    })
}

fn number(error: &std::io::Error) -> u16 {
    error.raw_os_error().and_then(|number| u16::try_from(number).ok()).unwrap_or(NO_NUMBER)
}

pub(crate) fn describe(end: &CommandEnd) -> (String, Status) {
    match end {
        CommandEnd::Exited(code) => (format!("exit {code}"), Status::Code(*code)),
        CommandEnd::Signaled(signal) => (format!("signal {signal}"), Status::Signal(*signal)),
        CommandEnd::NotStarted(errno) => (format!("not started, errno {errno}"), Status::Code(Exit::Refused.code())),
        CommandEnd::NotReleased(_) => ("not released".to_owned(), Status::Code(Exit::Refused.code())),
    }
}

/// What is said of a line that did not run. Where nobody said no, whoever reads it may not know what that means
/// for the line, nor what to do.
pub(crate) fn refusal_line(outcome: Outcome, id: SubmissionId, by: &str, reason: &str, exit: Exit) -> String {
    let said = format!("{outcome} id={id} by={by} reason=\"{}\"", reason.replace('"', "'"));
    match (outcome, exit) {
        (Outcome::Error, Exit::Unavailable) => advised(&said),
        _ => said,
    }
}

pub(crate) fn unavailable(what: &str) -> Failure {
    Failure::new(Exit::Unavailable, advised(what))
}

/// With what is not said yet.
fn advised(said: &str) -> String {
    let ran = if said.contains(NOTHING_RAN) { String::new() } else { format!("; {NOTHING_RAN}") };
    let look = if said.contains(AGAIN) { String::new() } else { format!("; {LOOK}") };
    format!("{said}{ran}{look}")
}

fn fatal(reason: &str, exit: u8) -> Failure {
    if exit == Exit::Refused.code() { Failure::new(Exit::Refused, reason) } else { unavailable(reason) }
}

pub(crate) fn now_us() -> Result<u64, Failure> {
    sys::boottime_us().map_err(|e| Failure::system("cannot read the clock", &e))
}
