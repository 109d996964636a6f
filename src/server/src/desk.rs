//! The desk: where submissions are asked about, wait, and are decided once.
//!
//! Every decision is signed and stored in one transaction with the check that
//! there is none yet, so the first one wins whatever happens at the same time.

use crate::app::{App, now_ms};
use crate::facts::{Fact, Submitted};
use crate::in_force::{self, InForce, Looked, place_of};
use crate::ingest::{self, End, Fits, Kept, Received};
use crate::own_ledger::Act;
use crate::refusal::{BAD_TOKEN, Refusal};
use crate::store::commands::{self, Arrival, Asking, Known, LoginOf};
use crate::store::facts::never_opened;
use crate::store::reviews::{self, Demand};
use crate::store::{
    Decision, FactError, HostCaller, StoreError, Submission, Tx, past, person_of, reviewer_names, reviewers, rules,
    submissions,
};
use countersign_analysis::Analysis;
use countersign_analysis::anomaly::History;
use countersign_api::rules::HostRule;
use countersign_api::service::{Conflict, ReviewReply, ReviewRequest, SignedDecision, SignedReview, Step, SubmitReply};
use countersign_core::{Choice, DecidedBy, LoginId, Name, SubmissionId, counted};
use countersign_ledger::{Kind, Statement};
use countersign_policy::Ruling;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How many submissions of one agent on one host may wait at a time.
const MAX_WAITING: u64 = 8;
/// No submission waits longer than this, whatever it asks for.
const MAX_WAIT_MS: u64 = 24 * 60 * 60 * 1000;
/// Longest comment, in characters.
const MAX_COMMENT_CHARS: usize = 2000;

/// A host asks about a command: keeps its entries, and decides at once where a rule speaks.
pub async fn submit(
    app: &App,
    host: &HostCaller,
    (id, rule): (SubmissionId, Option<HostRule>),
    received: &[Received],
) -> Result<SubmitReply, Refusal> {
    let wrong = || Refusal::BadRequest("the last line must be the command_submitted of this id".to_owned());
    let (last, before) = received.split_last().ok_or_else(wrong)?;
    let arrival = match (&last.fact, &last.found, last.entry.sess) {
        (Some(Fact::Submitted(facts)), Some(found), Some(sess)) if facts.id == id => {
            Arrival { entry: &last.entry, line: &last.line, login: sess.id, facts, risk: &found.risk, now_ms: now_ms() }
        }
        _ => return Err(wrong()),
    };
    let mut tx = app.store.write().await?;
    let mut gone = false;
    if !before.is_empty() {
        match ingest::keep(app, &mut tx, host, before, arrival.now_ms).await? {
            Kept::All { erased, .. } => gone = erased,
            Kept::Fork(conflict) => return forked(tx, conflict).await,
        }
    }
    let known = commands::known(&mut tx, &arrival, arrival.now_ms).await?;
    let end = End::after(known.head);
    let (answer, next_seq) = match ingest::fits(&mut tx, host, last, end, arrival.now_ms).await? {
        Fits::Next => {
            let next_seq = last.entry.seq.saturating_add(1);
            (answer_new(app, &mut tx, (&arrival, known), (last, rule)).await?, next_seq)
        }
        Fits::Held => (answer_held(app, &mut tx, id, (last, rule), arrival.now_ms).await?, end.next_seq),
        Fits::Fork(conflict) => return forked(tx, conflict).await,
    };
    tx.commit().await?;
    if gone {
        app.erased().await;
    }
    let (asked, decision) = match answer {
        Answer::Decided(signed) => {
            app.ring();
            (Vec::new(), Some(signed))
        }
        Answer::Waits(asked) => {
            app.asked.notify_one();
            (asked, None)
        }
        Answer::Over => (Vec::new(), None),
        Answer::TooMany(agent) => {
            return Err(Refusal::TooMany(format!(
                "{MAX_WAITING} commands of {agent} wait on this host already; wait for answers first"
            )));
        }
    };
    Ok(SubmitReply { next_seq, asked, decision })
}

/// The evidence is kept, then it is refused.
async fn forked(tx: Tx, conflict: Conflict) -> Result<SubmitReply, Refusal> {
    tx.commit().await?;
    Err(Refusal::Ledger(conflict))
}

/// What a host that asks is told.
enum Answer {
    Decided(SignedDecision),
    /// It waits for one of these.
    Waits(Vec<Name>),
    /// The host itself has ended it.
    Over,
    /// Too many of this agent wait.
    TooMany(String),
}

/// Keeps a command that comes as an entry only, nobody is asked about: what was
/// found of it is in the record all the same.
pub async fn unasked(
    app: &App,
    tx: &mut Tx,
    new: &Received,
    (login, facts): (LoginId, &Submitted),
    now_ms: i64,
) -> Result<(), Refusal> {
    let Some(found) = &new.found else { return Err(Refusal::Internal) };
    let arrival = Arrival { entry: &new.entry, line: &new.line, login, facts, risk: &found.risk, now_ms };
    let known = commands::known(tx, &arrival, arrival.at_ms()).await?;
    let login = fresh(&arrival, known.login, known.taken)?;
    let submission = arrival.submission(&login);
    let looked = look(&app.policy(), &submission, found, &known.past, submission.at_ms);
    Ok(commands::keep(tx, &arrival, &login, &looked.kept(), None).await?)
}

/// The login of a command that is not held yet.
fn fresh(arrival: &Arrival<'_>, login: Option<LoginOf>, taken: bool) -> Result<LoginOf, FactError> {
    let login = login.ok_or_else(|| never_opened(arrival.login))?;
    if taken {
        return Err(FactError::Contradicts(format!("submission {} was made before", arrival.facts.id)));
    }
    Ok(login)
}

/// Looks at a submission with what is known of its agent. `at_ms`: when it works.
fn look<'a>(policy: &InForce, submission: &Submission, found: &'a Analysis, past: &History, at_ms: i64) -> Looked<'a> {
    let place = place_of(&submission.cwd, &submission.shell);
    let line = (submission.command.as_str(), submission.agent.as_str(), submission.host);
    policy.look(line, &place, found, past, at_ms)
}

/// Answers what comes with the question itself. All that is kept of it is
/// written at once, when the answer is known.
async fn answer_new(
    app: &App,
    tx: &mut Tx,
    (arrival, known): (&Arrival<'_>, Known),
    (received, rule): (&Received, Option<HostRule>),
) -> Result<Answer, Refusal> {
    let Some(found) = &received.found else { return Err(Refusal::Internal) };
    let login = fresh(arrival, known.login, known.taken)?;
    let (submission, now, policy) = (arrival.submission(&login), arrival.now_ms, app.policy());
    let looked = look(&policy, &submission, found, &known.past, now);
    let judged = judge(app, tx, (&submission, &looked), (received, rule), &known.uses, now).await?;
    commands::keep(tx, arrival, &login, &looked.kept(), judged.as_ref()).await?;
    Ok(judged.map_or(Answer::TooMany(submission.agent), told))
}

/// Answers what is held already: what it was answered before, or now.
async fn answer_held(
    app: &App,
    tx: &mut Tx,
    id: SubmissionId,
    (received, rule): (&Received, Option<HostRule>),
    now: i64,
) -> Result<Answer, Refusal> {
    let (Some(submission), Some(found)) = (submissions::submission(tx, id).await?, &received.found) else {
        tracing::error!(%id, "a kept submission is not held");
        return Err(Refusal::Internal);
    };
    if let Some(held) = submissions::decision_in(tx, id).await? {
        return Ok(Answer::Decided(held.signed));
    }
    if submission.outcome.is_some() {
        return Ok(Answer::Over);
    }
    if let Some(deadline) = submission.deadline_ms {
        if now < deadline {
            return Ok(Answer::Waits(reviewer_names(tx).await?));
        }
        return Ok(Answer::Decided(time_out(app, tx, &submission, now).await?.signed));
    }
    let policy = app.policy();
    let known = past::past(tx, &submission, &found.risk, now).await?;
    let looked = look(&policy, &submission, found, &known, now);
    past::keep_found(tx, &submission, &looked.kept()).await?;
    let uses = rules::uses(tx).await?;
    let Some(asking) = judge(app, tx, (&submission, &looked), (received, rule), &uses, now).await? else {
        return Ok(Answer::TooMany(submission.agent));
    };
    rules::count_uses(tx, &asking.used).await?;
    submissions::ask(tx, id, now, &asking).await?;
    if let Some(decision) = &asking.decision {
        submissions::decide(tx, id, decision, now).await?;
    }
    Ok(told(asking))
}

fn told(asking: Asking) -> Answer {
    match asking.decision {
        Some(decision) => Answer::Decided(decision.signed),
        None => Answer::Waits(asking.names),
    }
}

/// What the rules say of a command, or whom they ask; `None` where too many of
/// its agent wait. Nothing is kept yet.
async fn judge(
    app: &App,
    tx: &mut Tx,
    (submission, looked): (&Submission, &Looked<'_>),
    (received, rule): (&Received, Option<HostRule>),
    uses: &HashMap<u64, u64>,
    now: i64,
) -> Result<Option<Asking>, Refusal> {
    let wait = i64::try_from(submission.wait_ms.min(MAX_WAIT_MS)).unwrap_or(0);
    let policy = app.policy();
    let verdict = policy.judge(submission, looked, uses, now);
    let mut asking = Asking {
        deadline_ms: now.saturating_add(wait),
        people: 0,
        steps: in_force::steps(&verdict),
        names: Vec::new(),
        used: Vec::new(),
        decision: None,
    };
    let demand = Demand::in_entry(&received.entry);
    let mut made_under = policy.digest;
    let (by, choice) = match (&verdict.ruling, demand) {
        (Ruling::Pass(passed), None) => {
            asking.used = passed.used().to_vec();
            (passed.by().clone(), Choice::Approve)
        }
        (Ruling::Block { rule }, _) => (DecidedBy::DenyRule(*rule), Choice::Deny),
        // Its administrators let it run, and nothing here wants a person: signed for the host, which has
        // found so, and for whoever verifies it, who finds out whether it was.
        (Ruling::Ask { .. } | Ruling::Pass(_), Some(_)) if !verdict.person && rule.is_some() => {
            let HostRule { rule, policy } = rule.ok_or(Refusal::Internal)?;
            let found = format!("the host says that rule {rule} of its administrators' document lets it run");
            asking.steps.push(Step { step: "authority".to_owned(), found });
            made_under = policy;
            (DecidedBy::WhitelistRule(rule), Choice::Approve)
        }
        // The host takes no rule of ours: people must sign.
        (Ruling::Ask { .. } | Ruling::Pass(_), demand) => {
            let people = match &verdict.ruling {
                Ruling::Ask { people } => *people,
                Ruling::Pass(_) | Ruling::Block { .. } => 1,
            };
            if submissions::waiting(tx, submission.host, &submission.agent, now).await? >= MAX_WAITING {
                return Ok(None);
            }
            asking.people = reachable(tx, &policy, submission, people, &mut asking.steps).await?;
            if let Some(demand) = demand {
                asking.people = asking.people.max(demand.people);
                let found = format!("the host takes only what {} of its reviewers sign themselves", asking.people);
                asking.steps.push(Step { step: "authority".to_owned(), found });
            }
            asking.names = reviewer_names(tx).await?;
            return Ok(Some(asking));
        }
    };
    asking.decision = Some(app.sign(submission, by, choice, None, made_under)?);
    Ok(Some(asking))
}

/// How many people can be asked for. What the target's class demands stands;
/// what the risk alone demands is at most everybody there is.
async fn reachable(
    tx: &mut Tx,
    policy: &InForce,
    submission: &Submission,
    people: u8,
    steps: &mut Vec<Step>,
) -> Result<u8, Refusal> {
    let (_, class) = policy.policy.target(submission.host);
    let demanded = policy.policy.settings().classes.of(class).people;
    let there = u8::try_from(rules::people(tx).await?).unwrap_or(u8::MAX);
    let asked = people.min(there.max(demanded)).max(1);
    if asked < people {
        let verb = if there == 1 { "is" } else { "are" };
        let reviewers = counted(u64::from(there), "reviewer");
        let found = format!("only {reviewers} {verb} enrolled, so {asked} must approve");
        steps.push(Step { step: "people".to_owned(), found });
    }
    Ok(asked)
}

/// A reviewer decides.
pub async fn review(
    app: &App,
    reviewer: &Name,
    id: SubmissionId,
    request: ReviewRequest,
) -> Result<ReviewReply, Refusal> {
    let comment = request.comment.filter(|text| !text.trim().is_empty());
    if comment.as_ref().is_some_and(|text| text.chars().count() > MAX_COMMENT_CHARS) {
        return Err(Refusal::BadRequest(format!("the comment is over {MAX_COMMENT_CHARS} characters; shorten it")));
    }
    let now = now_ms();
    let mut tx = app.store.write().await?;
    // Removed since the token was looked at.
    if !reviewers::is_one(&mut tx, reviewer).await? {
        return Err(Refusal::Unauthorized(BAD_TOKEN));
    }
    let Some(submission) = submissions::submission(&mut tx, id).await? else {
        return Err(Refusal::NotFound("no such submission"));
    };
    if submission.entry != request.entry {
        return Err(Refusal::Conflict("that is not the entry of this submission; look at it again".to_owned()));
    }
    if let Some(held) = submissions::decision_in(&mut tx, id).await? {
        return Err(Refusal::Conflict(already(&held, &submission)));
    }
    if let Some(outcome) = submission.outcome {
        return Err(Refusal::Conflict(format!("too late: the host has ended it ({outcome}); nothing will run")));
    }
    let Some(deadline) = submission.deadline_ms else {
        return Err(Refusal::Conflict(
            "the host has not asked about this command; there is nothing to decide".to_owned(),
        ));
    };
    if now >= deadline {
        let held = time_out(app, &mut tx, &submission, now).await?;
        tx.commit().await?;
        app.ring();
        return Err(Refusal::Conflict(already(&held, &submission)));
    }
    let demand = reviews::demanded(&mut tx, id).await?;
    if demand.is_some() && request.signed.is_none() && request.decision == Choice::Approve {
        return Err(Refusal::BadRequest(
            "this host takes only approvals that the reviewer signs; use `countersign approve --key FILE`".to_owned(),
        ));
    }
    if let (Some(signed), Some(demand)) = (&request.signed, demand) {
        if !is_about(signed, reviewer, request.decision, &submission, demand) {
            return Err(Refusal::BadRequest("what you have signed is not this decision; look at it again".to_owned()));
        }
        reviews::add_review(&mut tx, id, reviewer, signed, now).await?;
    }
    let by = DecidedBy::Person(reviewer.clone());
    let Some(outcome) = by.outcome(request.decision) else { return Err(Refusal::Internal) };
    let mut approvals = Vec::new();
    let mut comment = comment;
    if request.decision == Choice::Approve && submission.people > 1 {
        approvals = one_of_several(app, &mut tx, &submission, reviewer, comment.as_deref(), now).await?;
        if approvals.len() < usize::from(submission.people) {
            tx.commit().await?;
            return Ok(ReviewReply { id, outcome: None, by, people: submission.people, approvals });
        }
        comment = Some(with_others(&approvals, reviewer, comment));
    }
    let mut decision = app.sign(&submission, by.clone(), request.decision, comment, app.policy().digest)?;
    decision.signed.reviews = reviews::reviews(&mut tx, id).await?;
    submissions::decide(&mut tx, id, &decision, now).await?;
    tx.commit().await?;
    app.ring();
    Ok(ReviewReply { id, outcome: Some(outcome), by, people: submission.people, approvals })
}

/// Keeps one of several approvals; who has approved by now. The same person counts once.
async fn one_of_several(
    app: &App,
    tx: &mut Tx,
    submission: &Submission,
    reviewer: &Name,
    comment: Option<&str>,
    now: i64,
) -> Result<Vec<Name>, Refusal> {
    if !submissions::approve(tx, submission.id, reviewer, comment, now).await? {
        let whose = person_of(tx, reviewer).await?.unwrap_or_else(|| reviewer.clone());
        let text = format!("{whose} has approved it already; {} different people must", submission.people);
        return Err(Refusal::Conflict(text));
    }
    let act = Act::new(Kind::AdminAct, "approved_as_one_of_several", Some(reviewer)).about(submission.id);
    app.ledger.record(tx, &act).await?;
    Ok(submissions::approvals(tx, submission.id).await?)
}

/// The last approver's comment, with the names of those who approved before.
fn with_others(approvals: &[Name], last: &Name, comment: Option<String>) -> String {
    let others: Vec<&str> = approvals.iter().filter(|name| *name != last).map(Name::as_str).collect();
    let text = format!("approved by {} too", others.join(", "));
    comment.map_or_else(|| text.clone(), |comment| format!("{comment} ({text})"))
}

/// Whether a reviewer has signed this decision. The signature itself is for
/// the host to check: the keys are in its administrators' document.
fn is_about(signed: &SignedReview, reviewer: &Name, decision: Choice, submission: &Submission, demand: Demand) -> bool {
    Statement::parse(&signed.statement).is_ok_and(|said| {
        said.by == DecidedBy::Person(reviewer.clone())
            && said.decision == decision
            && said.entry == submission.entry
            && said.host == submission.host
            && said.nonce == submission.nonce
            && said.policy == demand.authority
    })
}

/// Who was there first.
fn already(held: &Decision, submission: &Submission) -> String {
    let word = match held.choice {
        Choice::Approve => "approved",
        Choice::Deny => "denied",
    };
    match &held.by {
        DecidedBy::Timeout => {
            format!("too late: nobody answered within {} ms and it was denied by timeout", submission.wait_ms)
        }
        by @ (DecidedBy::Person(_)
        | DecidedBy::WhitelistRule(_)
        | DecidedBy::DenyRule(_)
        | DecidedBy::Grant(_)
        | DecidedBy::Threshold(_)) => {
            format!("{by} has {word} it already; the first decision counts")
        }
    }
}

/// Waits for a decision; `None` where there is none within `wait`.
pub async fn wait_for_decision(
    app: &App,
    id: SubmissionId,
    wait: Duration,
) -> Result<Option<SignedDecision>, StoreError> {
    let until = Instant::now() + wait;
    let mut bell = app.listen();
    loop {
        bell.mark_unchanged();
        if let Some(held) = app.store.decision(id).await? {
            return Ok(Some(held.signed));
        }
        if app.is_stopping() || !matches!(tokio::time::timeout_at(until, bell.changed()).await, Ok(Ok(()))) {
            return Ok(None);
        }
    }
}

async fn time_out(app: &App, tx: &mut Tx, submission: &Submission, now: i64) -> Result<Decision, Refusal> {
    let decision = app.sign(submission, DecidedBy::Timeout, Choice::Deny, None, app.policy().digest)?;
    submissions::decide(tx, submission.id, &decision, now).await?;
    Ok(decision)
}

/// Denies everything whose time is up.
async fn time_out_overdue(app: &App) -> Result<(), Refusal> {
    let now = now_ms();
    let mut tx = app.store.write().await?;
    let overdue = submissions::overdue(&mut tx, now).await?;
    for submission in &overdue {
        time_out(app, &mut tx, submission, now).await?;
    }
    tx.commit().await?;
    if !overdue.is_empty() {
        app.ring();
    }
    Ok(())
}

/// Watches deadlines for ever. A failure is logged and tried again: the host
/// keeps its own deadline, so nothing runs meanwhile.
pub async fn watch_deadlines(app: &App) {
    const IDLE: Duration = Duration::from_secs(60);
    const AFTER_FAILURE: Duration = Duration::from_secs(1);
    loop {
        let asked = app.asked.notified();
        let pause = match app.store.next_deadline().await {
            Ok(None) => IDLE,
            Ok(Some(deadline)) => match u64::try_from(deadline.saturating_sub(now_ms())) {
                Ok(left) if left > 0 => Duration::from_millis(left).min(IDLE),
                // Less than nothing left, or nothing: it is overdue.
                Ok(_) | Err(_) => match time_out_overdue(app).await {
                    Ok(()) => continue,
                    Err(_) => AFTER_FAILURE,
                },
            },
            Err(error) => {
                tracing::error!(%error, "watch deadlines");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = asked => {}
        }
    }
}
