//! The life of each login and of each command in it:
//! submitted → decided → started → finished, each bound to the one before by its hash.

use super::again::{self, Claim, Kept, Rules};
use super::checks::{Check, Code};
use super::decision::{self, Asked, Deadline, Unchecked, Vouching};
use super::event::Event;
use super::ids::{ById, IdSet};
use super::recordings::{ChunkSaid, Reader, Recording};
use super::removals::Ending;
use super::report::{Counts, Findings};
use super::resumed::{self, Front};
use super::signatures::{Job, Queue, Sig};
use crate::view::{Node, View};
use crate::{Kind, Namespace};
use countersign_core::{Digest, LoginId, Outcome, SubmissionId, counted};

/// What a step may use and change.
pub(super) struct Context<'a, 'r> {
    pub vouching: Vouching<'a>,
    pub rules: &'a mut Rules<'r>,
    pub queue: &'a mut Queue,
    pub reader: &'a mut Reader<'r>,
    pub counts: &'a mut Counts,
    pub findings: &'a mut Findings,
    /// Runs of entries that are missing so far.
    pub holes: u64,
}

/// How a host ends a login that was open when it was lost: what is left of its
/// recording is kept first, and may hold what no front writes.
pub(crate) const ORPHANS_END: &[&str] = &["recovered", "bad_recording"];

/// In place of the seq of an end.
const OPEN: u64 = u64::MAX;

/// All logins so far.
#[derive(Debug, Default)]
pub(super) struct Logins {
    open: ById<LoginId, Login>,
    /// Every login, and the seq of its end: [`OPEN`] while there is none.
    known: ById<LoginId, u64>,
    submissions: IdSet<SubmissionId>,
    /// How often the host has started.
    starts: u64,
    /// L of the last `host_started`.
    started: Option<Digest>,
}

#[derive(Debug, Default)]
pub(super) struct Login {
    next_n: u64,
    prev: Option<Digest>,
    holes: u64,
    /// Entries of it are missing.
    gapped: bool,
    /// How often the host had started when it was opened, or taken up again last.
    starts: u64,
    /// It was open when the host started again.
    pub(super) orphaned: bool,
    pub(super) front: Front,
    agent: Option<String>,
    terminal: bool,
    pub(super) commands: ById<SubmissionId, Command>,
    recording: Recording,
}

#[derive(Debug)]
pub(super) struct Command {
    asked: Asked,
    /// What was submitted, where rules are evaluated again, until it is decided.
    kept: Option<Box<Kept>>,
    pub(super) stage: Stage,
    /// How often the host had started when it was submitted.
    starts: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Waiting,
    Refused,
    /// `late`: it was decided after it had expired.
    LetRun {
        decided: Digest,
        deadline: Option<Deadline>,
        late: bool,
    },
    /// `late`: it was decided or started after it had expired.
    Started {
        exec: Digest,
        decided: bool,
        late: bool,
    },
    Finished,
}

/// One login and everything a step needs: findings know that entries of the
/// login are missing, so that what follows from that is not called forged.
struct Step<'s, 'a, 'r> {
    event: &'s Event<'s>,
    login: &'s mut Login,
    /// How often the host has started.
    starts: u64,
    cx: &'s mut Context<'a, 'r>,
}

impl Logins {
    /// Follows one entry of a login.
    pub fn step(&mut self, event: &Event<'_>, cx: &mut Context<'_, '_>) {
        let login = match self.open.get_mut(&event.login) {
            Some(login) => {
                if event.kind == Some(Kind::SessionOpened) {
                    let text = "session_opened in a login that is open";
                    cx.findings.add(Check::SessOrder, Some(event.seq), None, text);
                }
                login
            }
            None => {
                if !self.admit(event, cx) {
                    return;
                }
                let Some(login) = self.open.get_mut(&event.login) else { return };
                login
            }
        };
        login.orphaned = login.starts != self.starts;
        let mut step = Step { event, login, starts: self.starts, cx };
        step.chain();
        step.after_restart();
        let Some(body) = event.body else {
            if event.kind == Some(Kind::SessionClosed) {
                self.end(event);
            }
            return;
        };
        match event.kind {
            Some(Kind::SessionOpened) => {
                step.login.front.opened(event, body);
                step.login.agent = event.opened.and_then(|opened| opened.one("agent")).map(again::text);
                step.login.terminal = body.get("tty").and_then(View::as_bool) == Some(true);
            }
            Some(Kind::SessionResumed) => step.resumed(body, self.started),
            Some(Kind::CommandSubmitted) => {
                let id = step.submitted(body);
                if id.is_some_and(|id| !self.submissions.insert(id)) {
                    step.flaw(Check::SubmissionRepeat, "the submission's id was used before");
                }
            }
            Some(Kind::Decided) => step.decided(body),
            Some(Kind::ExecStarted) => step.exec_started(body),
            Some(Kind::ExecFinished) => step.exec_finished(body),
            Some(Kind::RecordingChunk) => step.chunk(body),
            Some(Kind::SessionClosed) => {
                step.closed(body);
                self.end(event);
            }
            Some(_) | None => {}
        }
    }

    /// Opens a login, or says why the entry has no place in one that is not open.
    fn admit(&mut self, event: &Event<'_>, cx: &mut Context<'_, '_>) -> bool {
        let opens = event.kind == Some(Kind::SessionOpened);
        let seq = Some(event.seq);
        if self.known.contains_key(&event.login) {
            cx.findings.add(Check::SessOrder, seq, None, "an entry of a login after its session_closed");
            return false;
        }
        self.known.insert(event.login, OPEN);
        cx.counts.logins = cx.counts.logins.saturating_add(1);
        let mut login = Login { holes: cx.holes, starts: self.starts, ..Login::default() };
        if !opens {
            if cx.holes > 0 && event.n > 0 {
                let text = "the beginning of the login is missing";
                cx.findings.add(Check::SessGap, seq, None, text);
                login.lose_track(event);
            } else {
                cx.findings.add(Check::SessOrder, seq, None, "a login does not begin with session_opened");
            }
        }
        self.open.insert(event.login, login);
        true
    }

    /// The host started again: what is open can only be closed, or be taken up
    /// again by its front.
    pub fn host_started(&mut self, leaf: Digest) {
        self.starts = self.starts.saturating_add(1);
        self.started = Some(leaf);
    }

    /// Whether an entry of this login was there.
    pub fn is_known(&self, login: LoginId) -> bool {
        self.known.contains_key(&login)
    }

    /// Whether and where this login has ended.
    pub fn ending(&self, login: LoginId) -> Ending {
        match self.known.get(&login) {
            None => Ending::Unknown,
            Some(&OPEN) => Ending::Open,
            Some(seq) => Ending::At(*seq),
        }
    }

    fn end(&mut self, event: &Event<'_>) {
        self.open.remove(&event.login);
        self.known.insert(event.login, event.seq);
    }

    /// Says what is left at the end.
    pub fn finish(&mut self, cx: &mut Context<'_, '_>) {
        let mut open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_by_key(|(id, _)| *id);
        for (id, login) in open {
            cx.counts.logins_open = cx.counts.logins_open.saturating_add(1);
            cx.findings.add(Check::SessOpen, None, None, format!("the login {id} is open"));
            login.unfinished(None, cx);
        }
        cx.reader.none_extra(&|login| self.is_known(login), cx.findings);
    }
}

impl Login {
    fn lose_track(&mut self, event: &Event<'_>) {
        self.gapped = true;
        self.next_n = event.n;
        self.prev = Some(event.prev);
        self.recording.lose_track();
    }

    /// Says which commands have not come to an end.
    fn unfinished(&self, seq: Option<u64>, cx: &mut Context<'_, '_>) {
        let mut commands: Vec<_> = self.commands.iter().collect();
        commands.sort_by_key(|(id, _)| **id);
        for (id, command) in commands {
            match command.stage {
                Stage::Waiting => {
                    cx.counts.undecided = cx.counts.undecided.saturating_add(1);
                    cx.findings.add(Check::SubmissionUndecided, seq, None, format!("{id} was never decided"));
                }
                Stage::Started { late, .. } => {
                    cx.findings.add(Check::RunUnfinished, seq, None, format!("{id} was started and has no end"));
                    if late {
                        cx.findings.add(Check::DecisionLate, seq, None, format!("{id} was started too late"));
                    }
                }
                Stage::LetRun { late: true, .. } => {
                    cx.findings.add(Check::DecisionLate, seq, None, format!("{id} was let run too late"));
                }
                Stage::Refused | Stage::LetRun { .. } | Stage::Finished => {}
            }
        }
    }
}

/// Whether an `exec_finished` says that nothing ran, and not beside it how that
/// ended. Output proves nothing: what runs in the background goes on meanwhile.
fn never_ran(finished: &View<'_>) -> bool {
    let ended = ["code", "signal"].iter().any(|name| finished.get(name).is_some());
    finished.get("end").and_then(View::as_text) == Some("not_released") && !ended
}

impl Step<'_, '_, '_> {
    /// Adds a finding. Where entries of the login are missing, an entry that
    /// does not fit counts as a consequence of that.
    fn flaw(&mut self, check: Check, text: impl Into<String>) {
        self.cx.findings.add(self.blamed(check), Some(self.event.seq), None, text);
    }

    fn blamed(&self, check: Check) -> Check {
        let explained = self.login.gapped && check.code() == Code::Invalid;
        if explained { Check::SessGap } else { check }
    }

    fn chain(&mut self) {
        let (n, prev) = (self.event.n, self.event.prev);
        let expected = self.login.next_n;
        if n > expected && self.cx.holes > self.login.holes {
            let are = if n - expected == 1 { "is" } else { "are" };
            let text = format!("{} of the login {are} missing", counted(n - expected, "entry"));
            self.cx.findings.add(Check::SessGap, Some(self.event.seq), None, text);
            self.login.lose_track(self.event);
        } else if n != expected {
            self.flaw(Check::SessChain, format!("sess.n is {n} and must be {expected}"));
        } else if prev != self.login.prev.unwrap_or(Digest::ZERO) {
            self.flaw(Check::SessChain, "sess.prev is not the login's entry before");
        }
        self.login.next_n = n.saturating_add(1);
        self.login.prev = Some(self.event.leaf);
        self.login.holes = self.cx.holes;
    }

    fn after_restart(&mut self) {
        if self.login.orphaned && self.event.kind == Some(Kind::CommandSubmitted) {
            self.flaw(Check::SessAfterRestart, "goes on although the host has started again");
        }
    }

    fn resumed(&mut self, body: &View<'_>, started: Option<Digest>) {
        for fault in resumed::faults(self.login, self.event, body, started) {
            // The host's start, or what closed a command, may be among the missing entries.
            self.flaw(if self.cx.holes > 0 { Check::SessGap } else { Check::SessResumed }, fault);
        }
        self.login.starts = self.starts;
    }

    /// What was submitted before the host started again is not let run or
    /// started after.
    fn is_stale(&self, id: &SubmissionId) -> bool {
        self.login.orphaned || self.login.commands.get(id).is_some_and(|command| command.starts != self.starts)
    }

    fn submitted(&mut self, body: &View<'_>) -> Option<SubmissionId> {
        self.cx.counts.commands = self.cx.counts.commands.saturating_add(1);
        let id = body.member("id")?;
        let asked = Asked {
            leaf: self.event.leaf,
            nonce: body.member("nonce")?,
            wait_ms: body.get("wait_ms").and_then(View::as_int)?,
            mono: self.event.at.mono,
            boot: self.event.at.boot,
            whole: self.event.whole && !decision::is_excerpt(body),
            needs_person: decision::needs_person(body),
            under: self.cx.vouching.authorities.submitted(*body),
            words_known: body.get("words").and_then(View::as_text) == Some("known"),
        };
        let keep = self.cx.rules.wants_commands();
        let kept = keep.then(|| Box::new(Kept::of(body, self.event.opened, self.event.at_us)));
        self.login.commands.insert(id, Command { asked, kept, stage: Stage::Waiting, starts: self.starts });
        Some(id)
    }

    fn decided(&mut self, body: &View<'_>) {
        let outcome: Option<Outcome> = body.member("outcome");
        let (Some(id), Some(outcome)) = (body.member::<SubmissionId>("id"), outcome) else { return };
        let total = self.cx.counts.outcomes.entry(outcome).or_default();
        *total = total.saturating_add(1);
        if outcome.lets_run() && self.is_stale(&id) {
            self.flaw(Check::SessAfterRestart, "lets a command run although the host has started again");
        }
        let Some(command) = self.login.commands.get(&id) else {
            return self.flaw(Check::DecidedOf, format!("decides {id}, which was not submitted in this login"));
        };
        match command.stage {
            Stage::Waiting => {}
            Stage::Started { exec, decided: false, late } => {
                self.flaw(Check::RunWithoutDecision, format!("{id} was decided after it had started"));
                return self.stage(id, Stage::Started { exec, decided: true, late });
            }
            Stage::Started { .. } | Stage::Refused | Stage::LetRun { .. } | Stage::Finished => {
                return self.flaw(Check::DecidedOf, format!("decides {id} a second time"));
            }
        }
        let asked = command.asked.clone();
        if self.event.of(body) != Some(asked.leaf) {
            self.flaw(Check::DecidedOf, "of is not the leaf hash of the command_submitted");
        }
        let (by, at) = (self.cx.vouching, self.event.at);
        let (stage, ruled, check) = if outcome.lets_run() {
            let (deadline, ruled) = decision::lets_run(*body, &asked, self.event.at_us, by);
            let late = deadline.is_some_and(|deadline| !deadline.holds(at));
            (Stage::LetRun { decided: self.event.leaf, deadline, late }, ruled, Check::DecisionSignature)
        } else {
            let ruled = decision::refusal(*body, &asked, by.host, by.services);
            (Stage::Refused, ruled, Check::RefusalStatement)
        };
        for (check, text) in ruled.faults {
            self.flaw(check, text);
        }
        self.again(id, outcome, body);
        if let Some(Unchecked { public, text, sig }) = ruled.unchecked {
            let (seq, check, sig) = (self.event.seq, self.blamed(check), Sig::new(sig));
            let signed = self.cx.queue.keep([text, b""]);
            let text = "the statement's signature is not valid";
            self.cx.queue.push(Job { seq, namespace: Namespace::Decision, public, signed, sig, check, text });
        }
        self.stage(id, stage);
    }

    /// Decides again what a rule is said to have decided.
    fn again(&mut self, id: SubmissionId, outcome: Outcome, body: &View<'_>) {
        let command = self.login.commands.get_mut(&id);
        let document = command.as_ref().and_then(|command| command.asked.under.document());
        let kept = command.and_then(|command| command.kept.take());
        if !matches!(outcome, Outcome::Whitelisted | Outcome::Blocked) {
            return;
        }
        let Some(by) = again::by_rule(body) else { return };
        let claim = Claim {
            host: self.cx.vouching.host,
            kept: kept.as_deref(),
            terminal: self.login.terminal,
            agent: self.login.agent.as_deref(),
            decided_us: self.event.at_us,
            outcome,
            by: &by,
            policy: body.get("statement").and_then(|statement| statement.member("policy")),
            document,
        };
        if let Some((check, text)) = self.cx.rules.again(&claim, self.cx.counts) {
            self.flaw(check, text);
        }
    }

    fn exec_started(&mut self, body: &View<'_>) {
        self.cx.counts.started = self.cx.counts.started.saturating_add(1);
        let Some(id) = body.member::<SubmissionId>("id") else { return };
        if self.is_stale(&id) {
            self.flaw(Check::SessAfterRestart, "starts a command although the host has started again");
        }
        let stage = self.login.commands.get(&id).map(|command| command.stage);
        let (mut decided, mut overdue) = (true, false);
        match stage {
            Some(Stage::LetRun { decided, deadline, late }) => {
                if self.event.of(body) != Some(decided) {
                    self.flaw(Check::RunWithoutDecision, "of is not the leaf hash of the decided entry");
                }
                overdue = late || deadline.is_some_and(|deadline| !deadline.holds(self.event.at));
            }
            Some(Stage::Started { .. } | Stage::Finished) => {
                return self.flaw(Check::RunTwice, format!("{id} was started before"));
            }
            Some(Stage::Waiting) => {
                decided = false;
                self.flaw(Check::RunWithoutDecision, format!("{id} was not decided"));
            }
            Some(Stage::Refused) => self.flaw(Check::RunWithoutDecision, format!("{id} was refused")),
            None => {
                return self.flaw(Check::RunWithoutDecision, format!("{id} was not submitted in this login"));
            }
        }
        self.stage(id, Stage::Started { exec: self.event.leaf, decided, late: overdue });
    }

    fn exec_finished(&mut self, body: &View<'_>) {
        let Some(id) = body.member::<SubmissionId>("id") else { return };
        let stage = self.login.commands.get(&id).map(|command| command.stage);
        match stage {
            Some(Stage::Started { exec, late, .. }) => {
                if self.event.of(body) != Some(exec) {
                    self.flaw(Check::FinishOf, "of is not the leaf hash of the exec_started");
                }
                // The host looks at the clock once more after its last fsync.
                if late && !never_ran(body) {
                    self.flaw(Check::DecisionLate, format!("{id} ran after the decision had expired"));
                }
                self.stage(id, Stage::Finished);
            }
            Some(Stage::Finished) => self.flaw(Check::FinishOf, format!("{id} finished before")),
            Some(Stage::Waiting | Stage::Refused | Stage::LetRun { .. }) | None => {
                self.flaw(Check::FinishOf, format!("{id} was not started"));
            }
        }
    }

    fn stage(&mut self, id: SubmissionId, stage: Stage) {
        if let Some(command) = self.login.commands.get_mut(&id) {
            command.stage = stage;
        }
    }

    fn chunk(&mut self, body: &View<'_>) {
        let int = |name| body.get(name).and_then(View::as_int);
        let (Some(index), Some(offset), Some(length)) = (int("index"), int("offset"), int("length")) else { return };
        let Some(digest) = body.member("digest") else { return };
        let said = ChunkSaid { index, offset, length, digest };
        let (login, seq) = (self.event.login, self.event.seq);
        self.cx.reader.chunk(login, &mut self.login.recording, said, seq, self.cx.findings);
    }

    fn closed(&mut self, body: &View<'_>) {
        let why = body.get("why").and_then(View::as_text).unwrap_or_default();
        let recovered = why == "recovered";
        if self.login.orphaned && !ORPHANS_END.contains(&why) {
            self.flaw(Check::SessAfterRestart, format!("closed as {why} although the host has started again"));
        }
        let counts = &mut *self.cx.counts;
        if recovered {
            counts.logins_recovered = counts.logins_recovered.saturating_add(1);
            self.flaw(Check::SessRecovered, format!("the login {} was closed on recovery", self.event.login));
        } else {
            counts.logins_closed = counts.logins_closed.saturating_add(1);
        }
        if why == "bad_recording" {
            let text = format!("the front of the login {} wrote what cannot be read", self.event.login);
            self.cx.findings.add(Check::RecordingBad, Some(self.event.seq), None, text);
        }
        self.login.unfinished(Some(self.event.seq), self.cx);
        let said = body.get("recording_bytes").and_then(View::as_int).unwrap_or(0);
        let (login, seq) = (self.event.login, self.event.seq);
        self.cx.reader.closed(login, &mut self.login.recording, said, seq, self.cx.findings);
    }
}
