//! One held line: submitted durably, asked about, decided durably, released
//! while the decision still holds.

use crate::around::{self, Around};
use crate::authority::{Document, NoAuthority};
use crate::book::WriteError;
use crate::clock::boottime_us;
use crate::connection::Connection;
use crate::daemon::Host;
use crate::drafts::{self, Decided, Released};
use crate::no_ruling::{NoRuling, STOPPING, failed, given_up, no_answer, stopping};
use crate::opening::Opening;
use crate::own_rules::{Line, Own};
use crate::policies::NoPolicy;
use crate::program::with_program;
use crate::quotas::Place;
use crate::recordings::keep::KeepError;
use crate::recordings::tape::TapeError;
use crate::returning::Card;
use crate::ruling::{Asked, Permit, Ruling, Said, WORDS_NOT_KNOWN, judge};
use crate::sent::Sent;
use crate::service::ServiceError;
use crate::shipper::Held as Waiting;
use countersign_analysis::{Held, NotAsked};
use countersign_api::front::{CommandEnd, Finished, HostMessage, NotReleased, Release, Submit};
use countersign_api::service::SignedDecision;
use countersign_core::{DecidedBy, Digest, Exit, LoginId, Outcome, SubmissionId, Transfer};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for an answer in one request.
const ONE_WAIT_MS: u64 = 25_000;
/// Said where a rule of the service refuses a line.
const BLOCKED: &str = "a rule that your reviewers wrote refuses it; nobody was asked";
/// Pause before a broken wait is taken up again.
const AGAIN: Duration = Duration::from_millis(250);
/// Pause before one that the service had no place for is.
const LATER: Duration = Duration::from_secs(1);

/// What became of a submission.
pub(crate) enum Fate {
    /// It was released; its `exec_started` has this leaf hash.
    /// `rewires`: its shell may tell what it likes of itself from now on.
    Running { id: SubmissionId, of: Digest, rewires: bool },
    /// It was refused and the front told so.
    Refused,
    /// The front broke off or broke the protocol; the login is over.
    FrontGone,
}

/// Whose line it is.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) login: LoginId,
    pub(crate) agent: &'a str,
    /// Whether its standard input is a terminal.
    pub(crate) terminal: bool,
    /// Whether it is a transfer, and so runs where nothing is recorded.
    pub(crate) transfer: bool,
    /// Whether its lines share one shell.
    pub(crate) keeps_shell: bool,
    /// Whether an earlier line may have put code into that shell.
    pub(crate) rewired: bool,
    pub(crate) place: &'a Place,
    /// Where its front may come back after this daemon.
    pub(crate) card: Option<&'a Card>,
}

/// A line that stands in the ledger.
struct Submission<'a> {
    host: &'a Host,
    login: LoginId,
    id: SubmissionId,
    /// Until it is asked about, or nobody will be.
    held: Option<Waiting<'a>>,
    asked: Asked,
    released: Released,
    submit: &'a Submit,
    around: Around,
    uid: u32,
    cwd: &'a Path,
    card: Option<&'a Card>,
}

/// Holds one line from its arrival to its end or release.
pub(crate) async fn run(
    host: &Host,
    connection: &mut Connection,
    (asking, opening): (Asking<'_>, &mut Opening),
    submit: &Submit,
    sent: Sent,
) -> Result<Fate, WriteError> {
    let Sent { bytes, mut held, transfer, cwd } = sent;
    if asking.transfer && transfer.is_none() {
        connection.fatal("this front calls a transfer what is none; the login is ended").await;
        return Ok(Fate::FrontGone);
    }
    let mut gone = None;
    // What the front is to read may take a while.
    if held.wants_program || held.starts.as_ref().is_some_and(|starts| !starts.scripts.is_empty()) {
        match opening.settle(host).await {
            Ok(()) => {}
            Err(KeepError::Ledger(why)) => return Err(why),
            Err(why) => {
                connection.fatal(&format!("the recording cannot be made on this host: {why}")).await;
                return Ok(Fate::FrontGone);
            }
        }
    }
    if held.wants_program {
        let Some(read) = with_program(connection, submit, held).await else {
            connection.fatal("the program on standard input cannot be read; the login is ended").await;
            return Ok(Fate::FrontGone);
        };
        (held, gone) = read;
    }
    let transfer = transfer.filter(|_| asking.transfer);
    let (authority, unusable) = match host.authorities.in_force(&host.book).await {
        Ok(authority) => (authority, None),
        Err(NoAuthority::Unusable(why)) => (None, Some(why)),
        Err(NoAuthority::Ledger(why)) => return Err(why),
    };
    let starts = held.starts.take().filter(|_| held.not_asked.is_none() && gone.is_none());
    let (around, stopped) = around::look(connection, &asking, &host.approvals, submit, (&bytes, &cwd, starts)).await;
    let gone = gone.or(stopped);
    let recorded = record(host, (asking, opening), submit, &cwd, (&held, around, transfer), authority).await;
    let mut submission = match recorded {
        Ok(submission) => submission,
        Err(why) if why.is_no_space() => {
            connection
                .fatal("there is no room left for the ledger on this host; nothing was asked and nothing ran")
                .await;
            return Ok(Fate::FrontGone);
        }
        Err(why) if why.spares_the_journal() => {
            connection.fatal(&format!("this command cannot be recorded, so it is not asked about: {why}")).await;
            return Ok(Fate::FrontGone);
        }
        Err(other) => return Err(other),
    };
    let recording = opening.begin_recording();
    let unasked = match (gone, &held.not_asked, unusable, &submission.asked.own) {
        (Some(gone), ..) => Unasked::GivenUp(gone),
        (None, Some(why), ..) => Unasked::NotHeld(why),
        (None, None, Some(why), _) => Unasked::Unusable(why),
        (None, None, None, Own::Refuses(rule)) => Unasked::Blocked(*rule),
        (None, None, None, _) => {
            let (ruling, recording) = tokio::join!(submission.ruling(connection), recording);
            return match recording {
                Ok(()) => follow(host, connection, submission, ruling).await,
                Err(why) => submission.unrecorded(connection, &why).await,
            };
        }
    };
    drop(submission.held.take());
    match (recording.await, unasked) {
        (Err(why), _) => submission.unrecorded(connection, &why).await,
        (Ok(()), Unasked::GivenUp(gone)) => submission.given_up(connection, gone).await,
        (Ok(()), Unasked::NotHeld(why)) => submission.not_asked(connection, why).await,
        (Ok(()), Unasked::Unusable(why)) => {
            let reason = format!("who may approve on this host cannot be told, so nothing runs: {why}");
            submission.failed(connection, "authority_unusable", &reason).await
        }
        (Ok(()), Unasked::Blocked(rule)) => submission.blocked(connection, rule).await,
    }
}

/// Why nobody is asked about a line that stands in the ledger.
enum Unasked<'a> {
    GivenUp(NoRuling),
    NotHeld(&'a NotAsked),
    /// The administrators' document.
    Unusable(String),
    /// By this rule of theirs.
    Blocked(u64),
}

/// Does what the ruling on a line that was asked about says.
async fn follow(
    host: &Host,
    connection: &mut Connection,
    submission: Submission<'_>,
    ruling: Result<Ruling, NoRuling>,
) -> Result<Fate, WriteError> {
    match ruling {
        Ok(Ruling::Run(_)) if host.is_stopping() => submission.failed(connection, "host_stopping", STOPPING).await,
        Ok(Ruling::Run(permit)) => match host.policies.keep_of(host, &permit.said, &submission.asked.own).await {
            Ok(()) => submission.release(connection, *permit).await,
            Err(NoPolicy::Unknown(why)) => {
                let reason = format!("the rules that let this run cannot be recorded, so it does not: {why}");
                submission.failed(connection, "policy_unknown", &reason).await
            }
            Err(NoPolicy::Ledger(why)) => Err(why),
        },
        Ok(Ruling::No { said, outcome }) => {
            host.policies.keep_of_refusal(host, &said).await?;
            submission.no(connection, outcome, &said, None).await
        }
        Ok(Ruling::Late(said)) => submission.no(connection, Outcome::TimedOut, &said, Some("reply_late")).await,
        Ok(Ruling::Invalid(WORDS_NOT_KNOWN)) => {
            let reason = "a rule spoke for a line of which it is not known that it starts only builtins and programs of root's; \
                          no rule can; tell the operator of the approval service";
            submission.failed(connection, WORDS_NOT_KNOWN, reason).await
        }
        Ok(Ruling::Invalid(why)) => {
            let reason = format!(
                "the approval service's answer is not a decision about this command ({why}); tell its operator"
            );
            submission.failed(connection, why, &reason).await
        }
        Err(gone) => submission.given_up(connection, gone).await,
    }
}

/// Refuses a line beyond the agent's quota, unasked and unwritten; it is
/// counted in the agent's next entry.
pub(crate) async fn turn_away(
    connection: &mut Connection,
    submit: &Submit,
    reason: String,
) -> Result<Fate, WriteError> {
    let refused = HostMessage::Refused {
        id: drafts::random_id(SubmissionId::from_random)?,
        nonce: submit.nonce,
        outcome: Outcome::Error,
        by: None,
        reason,
        exit: Exit::Refused.code(),
    };
    Ok(if connection.send(&refused).await.is_ok() { Fate::Refused } else { Fate::FrontGone })
}

/// Writes `command_submitted`; durable when this returns.
async fn record<'a>(
    host: &'a Host,
    (Asking { login, agent, terminal, place, card, .. }, opening): (Asking<'a>, &mut Opening),
    submit: &'a Submit,
    cwd: &'a [u8],
    (held, around, transfer): (&Held, Around, Option<Transfer>),
    authority: Option<Arc<Document>>,
) -> Result<Submission<'a>, WriteError> {
    let id = drafts::random_id(SubmissionId::from_random)?;
    let nonce = countersign_core::Nonce(countersign_ledger::random_bytes()?);
    let wait_ms = host.settings.wait_ms;
    let (draft, released) = drafts::command_submitted(
        login,
        (id, nonce),
        submit,
        cwd,
        (held, &around, transfer),
        (wait_ms, place.turned_away()),
        authority.as_ref().map(|document| &document.authority),
    )?;
    let written = opening.write(host, vec![draft]).await?.pop().ok_or(WriteError::Gone)?;
    let waiting = Some(host.shipper.hold(written.seq));
    let rules = authority.as_ref().and_then(|document| document.rules.as_ref());
    let line = Line {
        host: host.identity.host,
        held,
        shell: &submit.inner_shell,
        terminal,
        agent,
        cwd,
        words_known: around.words_known,
        at_ms: written.at_us.div_euclid(1000),
    };
    let asked = Asked {
        // It is taken apart once more: beside the other logins.
        own: rules.map(|rules| tokio::task::block_in_place(|| rules.say(&line))).unwrap_or_default(),
        host: host.identity.host,
        entry: written.leaf,
        nonce,
        submitted_mono_us: written.mono_us,
        wait_ms,
        authority,
        needs_person: held.flags.iter().any(|flag| flag.needs_person()),
        words_known: around.words_known,
    };
    let (uid, cwd) = (place.uid(), Path::new(OsStr::from_bytes(cwd)));
    Ok(Submission { host, login, id, held: waiting, asked, released, submit, around, uid, cwd, card })
}

impl Submission<'_> {
    /// Asks, and waits for a ruling, for the front to give up, or for the
    /// deadline, whichever comes first.
    async fn ruling(&mut self, connection: &mut Connection) -> Result<Ruling, NoRuling> {
        let held = self.held.take().ok_or_else(stopping)?;
        let left = self.asked.deadline_us().saturating_sub(boottime_us());
        let deadline = tokio::time::sleep(Duration::from_micros(left));
        tokio::pin!(deadline);
        let reply = tokio::select! {
            reply = self.host.shipper.submit(held, self.id, self.asked.own.rule()) => reply.map_err(failed)?,
            gone = given_up(connection, self.submit) => return Err(gone),
            () = self.host.stopping() => return Err(stopping()),
            () = &mut deadline => return Err(NoRuling::TimedOut),
        };
        if let Some(decision) = reply.decision {
            return Ok(self.judge(&decision));
        }
        let pending = HostMessage::Pending {
            id: self.id,
            nonce: self.submit.nonce,
            asked: reply.asked.iter().map(ToString::to_string).collect(),
            deadline_us: self.asked.deadline_us(),
        };
        connection.send(&pending).await.map_err(|_| NoRuling::FrontGone)?;
        tokio::select! {
            decision = self.wait() => decision.map(|decision| self.judge(&decision)),
            gone = given_up(connection, self.submit) => Err(gone),
            () = self.host.stopping() => Err(stopping()),
            () = &mut deadline => Err(NoRuling::TimedOut),
        }
    }

    fn judge(&self, decision: &SignedDecision) -> Ruling {
        judge(&self.asked, &self.host.identity.service_key, decision, boottime_us())
    }

    /// Waits for an answer. A connection that breaks is taken up again: the
    /// deadline bounds it.
    async fn wait(&self) -> Result<SignedDecision, NoRuling> {
        loop {
            let asked = Instant::now();
            match self.host.shipper.service().decision(self.id, ONE_WAIT_MS).await {
                Ok(reply) => {
                    if let Some(decision) = reply.decision {
                        return Ok(decision);
                    }
                    // The service lets only so many wait.
                    if asked.elapsed() < Duration::from_millis(ONE_WAIT_MS / 2) {
                        tokio::time::sleep(LATER).await;
                    }
                }
                Err(ServiceError::Unreachable(why)) => {
                    tracing::warn!("waiting for a decision on {}: {why}", self.id);
                    tokio::time::sleep(AGAIN).await;
                }
                Err(other) => return Err(failed(other)),
            }
        }
    }

    /// Writes `decided` and `exec_started` in one go, checks the deadline once
    /// more, and tells the front to run.
    async fn release(&self, connection: &mut Connection, permit: Permit) -> Result<Fate, WriteError> {
        if let (true, Some(Err(why))) = (self.around.rewires, self.card.map(Card::rewire)) {
            return self.failed(connection, "host_failed", &format!("what the host must remember of it: {why}")).await;
        }
        let decided = drafts::decided(self.login, self.facts(permit.outcome(), Some(&permit.said), None))?;
        let started = drafts::exec_started(self.login, self.id);
        let written = self.host.book.write(vec![decided, started]).await?;
        let of = written.last().map(|w| w.leaf).ok_or(WriteError::Gone)?;
        if !permit.holds(boottime_us()) {
            self.never_started(of, NotReleased::Late).await?;
            let reason = "the decision came, but the ledger was not written in time; submit it again";
            return self.refuse(connection, Outcome::TimedOut, None, reason, Exit::Refused).await;
        }
        let deadline_us = permit.deadline_us();
        let by = permit.used();
        let release = Release {
            id: self.id,
            nonce: self.submit.nonce,
            by,
            deadline_us,
            segments: self.released.command.clone(),
            program: self.released.program.clone(),
        };
        if connection.send(&HostMessage::Released(release)).await.is_err() {
            self.never_started(of, NotReleased::Hangup).await?;
            return Ok(Fate::FrontGone);
        }
        self.host.approvals.remember(self.uid, self.cwd, &self.around.context.scripts);
        Ok(Fate::Running { id: self.id, of, rewires: self.around.rewires })
    }

    async fn never_started(&self, of: Digest, why: NotReleased) -> Result<(), WriteError> {
        let end = CommandEnd::NotReleased(why);
        let finished = Finished { id: self.id, end, stdout_bytes: 0, stderr_bytes: 0, files: None };
        self.host.book.write_one(drafts::exec_finished(self.login, of, &finished)).await.map(|_| ())
    }

    async fn no(
        &self,
        connection: &mut Connection,
        outcome: Outcome,
        said: &Said,
        why: Option<&'static str>,
    ) -> Result<Fate, WriteError> {
        let written = drafts::decided(self.login, self.facts(outcome, Some(said), why))?;
        self.host.book.write_one(written).await?;
        let reason = match (&said.comment, outcome) {
            (Some(comment), _) => comment.clone(),
            (None, Outcome::TimedOut) => no_answer(self.asked.wait_ms),
            (None, Outcome::Blocked) => BLOCKED.to_owned(),
            (None, _) => "no reason was given".to_owned(),
        };
        self.refuse(connection, outcome, Some(said.by.clone()), &reason, Exit::Refused).await
    }

    /// There is no ruling: nobody was asked to the end, or nobody answered.
    async fn given_up(&self, connection: &mut Connection, why: NoRuling) -> Result<Fate, WriteError> {
        match why {
            NoRuling::Failed { why, reason } => self.failed(connection, why, &reason).await,
            NoRuling::TimedOut => self.timed_out(connection).await,
            NoRuling::Cancelled(why) => self.cancelled(connection, why).await,
            NoRuling::FrontGone => {
                self.decide(Outcome::Cancelled, None, Some("front_gone")).await?;
                Ok(Fate::FrontGone)
            }
        }
    }

    async fn timed_out(&self, connection: &mut Connection) -> Result<Fate, WriteError> {
        self.decide(Outcome::TimedOut, Some(&DecidedBy::Timeout), Some("deadline")).await?;
        let reason = no_answer(self.asked.wait_ms);
        self.refuse(connection, Outcome::TimedOut, Some(DecidedBy::Timeout), &reason, Exit::Refused).await
    }

    async fn cancelled(&self, connection: &mut Connection, why: &'static str) -> Result<Fate, WriteError> {
        self.decide(Outcome::Cancelled, None, Some(why)).await?;
        self.refuse(connection, Outcome::Cancelled, None, "cancelled before anyone decided", Exit::Refused).await
    }

    async fn failed(&self, connection: &mut Connection, why: &'static str, reason: &str) -> Result<Fate, WriteError> {
        self.decide(Outcome::Error, None, Some(why)).await?;
        self.refuse(connection, Outcome::Error, None, reason, Exit::Unavailable).await
    }

    async fn unrecorded(&self, connection: &mut Connection, why: &TapeError) -> Result<Fate, WriteError> {
        self.failed(connection, "host_failed", &format!("the recording cannot be made on this host: {why}")).await
    }

    async fn blocked(&self, connection: &mut Connection, rule: u64) -> Result<Fate, WriteError> {
        let by = DecidedBy::DenyRule(rule);
        self.decide(Outcome::Blocked, Some(&by), Some("authority_denies")).await?;
        let reason = "the document of this host's administrators refuses it, whoever approves";
        self.refuse(connection, Outcome::Blocked, Some(by), reason, Exit::Refused).await
    }

    async fn not_asked(&self, connection: &mut Connection, why: &NotAsked) -> Result<Fate, WriteError> {
        self.decide(Outcome::Error, None, Some(why.code())).await?;
        self.refuse(connection, Outcome::Error, None, &why.advice(), Exit::Refused).await
    }

    /// Writes a `decided` without a statement: nothing ran.
    async fn decide(
        &self,
        outcome: Outcome,
        by: Option<&DecidedBy>,
        why: Option<&'static str>,
    ) -> Result<(), WriteError> {
        let facts = Decided { by, ..self.facts(outcome, None, why) };
        self.host.book.write_one(drafts::decided(self.login, facts)?).await.map(|_| ())
    }

    fn facts<'s>(&self, outcome: Outcome, said: Option<&'s Said>, why: Option<&'s str>) -> Decided<'s> {
        Decided {
            id: self.id,
            of: self.asked.entry,
            outcome,
            latency_ms: boottime_us().saturating_sub(self.asked.submitted_mono_us) / 1000,
            by: said.map(|s| &s.by),
            comment: said.and_then(|s| s.comment.as_deref()),
            statement: said.map(|s| (s.statement.clone(), s.sig.as_str())),
            reviews: said.map(|s| s.reviews.as_slice()).unwrap_or_default(),
            why,
        }
    }

    async fn refuse(
        &self,
        connection: &mut Connection,
        outcome: Outcome,
        by: Option<DecidedBy>,
        reason: &str,
        exit: Exit,
    ) -> Result<Fate, WriteError> {
        let refused = HostMessage::Refused {
            id: self.id,
            nonce: self.submit.nonce,
            outcome,
            by,
            reason: reason.to_owned(),
            exit: exit.code(),
        };
        Ok(if connection.send(&refused).await.is_ok() { Fate::Refused } else { Fate::FrontGone })
    }
}
