//! The desk: where submissions are asked about, wait, and are decided once.
//!
//! Every decision is signed and stored in one transaction with the check that
//! there is none yet, so the first one wins whatever happens at the same time.

use crate::app::{App, now_ms};
use crate::facts::Fact;
use crate::in_force::{self, InForce, Looked, place_of};
use crate::ingest::{self, Kept, Received};
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::reviews::{self, Demand};
use crate::store::{
    Decision, HostCaller, StoreError, Submission, Tx, past, person_of, reviewer_names, rules, submissions,
};
use countersign_analysis::Analysis;
use countersign_api::rules::HostRule;
use countersign_api::service::{ReviewReply, ReviewRequest, SignedDecision, SignedReview, Step, SubmitReply};
use countersign_core::{Choice, DecidedBy, Name, SubmissionId};
use countersign_ledger::{Kind, Statement};
use countersign_policy::Ruling;
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
    match received.last().and_then(|last| last.fact.as_ref()) {
        Some(Fact::Submitted(facts)) if facts.id == id => {}
        _ => return Err(Refusal::BadRequest("the last line must be the command_submitted of this id".to_owned())),
    }
    let now = now_ms();
    let mut tx = app.store.write().await?;
    let (next_seq, erased) = match ingest::keep(app, &mut tx, host, received, now).await? {
        Kept::All { next_seq, erased } => (next_seq, erased),
        Kept::Fork(conflict) => {
            tx.commit().await?;
            return Err(Refusal::Ledger(conflict));
        }
    };
    let Some(submission) = submissions::submission(&mut tx, id).await? else {
        tracing::error!(%id, "a kept submission is not held");
        return Err(Refusal::Internal);
    };
    let before = received.split_last().map(|(_, before)| before).unwrap_or_default();
    look_at_unasked(app, &mut tx, before).await?;
    let Some(last) = received.last() else { return Err(Refusal::Internal) };
    let answer = answer_now(app, &mut tx, &submission, (last, rule), now).await?;
    let asked = if matches!(answer, Answer::Waits) { reviewer_names(&mut tx).await? } else { Vec::new() };
    tx.commit().await?;
    if erased {
        app.erased().await;
    }
    let decision = match answer {
        Answer::Decided(signed) => {
            app.ring();
            Some(signed)
        }
        Answer::Waits => {
            app.asked.notify_one();
            None
        }
        Answer::Over => None,
        Answer::TooMany => {
            return Err(Refusal::TooMany(format!(
                "{MAX_WAITING} commands of {} wait on this host already; wait for answers first",
                submission.agent
            )));
        }
    };
    Ok(SubmitReply { next_seq, asked, decision })
}

/// What a host that asks is told.
enum Answer {
    Decided(SignedDecision),
    Waits,
    /// The host itself has ended it.
    Over,
    TooMany,
}

/// Commands that came as entries only, nobody asked about: what was found of
/// them is in the record all the same.
pub async fn look_at_unasked(app: &App, tx: &mut Tx, received: &[Received]) -> Result<(), Refusal> {
    for new in received {
        let (Some(Fact::Submitted(facts)), Some(found)) = (&new.fact, &new.found) else { continue };
        // It is not held where the host's ledger has forked.
        let Some(submission) = submissions::submission(tx, facts.id).await? else { continue };
        if submission.entry == new.entry.leaf && !submission.scored {
            look(&app.policy(), tx, &submission, found, (submission.at_ms, submission.at_ms)).await?;
        }
    }
    Ok(())
}

/// Looks at a submission with what is known of its agent, and keeps what was
/// found. `at_ms`: when it works; `now_ms`: the service's time.
async fn look<'a>(
    policy: &InForce,
    tx: &mut Tx,
    submission: &Submission,
    found: &'a Analysis,
    (at_ms, now_ms): (i64, i64),
) -> Result<Looked<'a>, Refusal> {
    let known = past::past(tx, submission, &found.risk, now_ms).await?;
    let place = place_of(&submission.cwd, &submission.shell);
    let line = (submission.command.as_str(), submission.agent.as_str(), submission.host);
    let looked = policy.look(line, &place, found, &known, at_ms);
    past::keep_found(tx, submission, &looked.kept()).await?;
    Ok(looked)
}

async fn answer_now(
    app: &App,
    tx: &mut Tx,
    submission: &Submission,
    (received, rule): (&Received, Option<HostRule>),
    now: i64,
) -> Result<Answer, Refusal> {
    let id = submission.id;
    let Some(found) = &received.found else { return Err(Refusal::Internal) };
    if let Some(held) = submissions::decision_in(tx, id).await? {
        return Ok(Answer::Decided(held.signed));
    }
    if submission.outcome.is_some() {
        return Ok(Answer::Over);
    }
    if let Some(deadline) = submission.deadline_ms {
        if now < deadline {
            return Ok(Answer::Waits);
        }
        return Ok(Answer::Decided(time_out(app, tx, submission, now).await?.signed));
    }
    let wait = i64::try_from(submission.wait_ms.min(MAX_WAIT_MS)).unwrap_or(0);
    let deadline = now.saturating_add(wait);
    let policy = app.policy();
    let looked = look(&policy, tx, submission, found, (now, now)).await?;
    let verdict = policy.judge(submission, &looked, &rules::uses(tx).await?, now);
    let mut steps = in_force::steps(&verdict);
    let demand = Demand::of(&received.line);
    let mut made_under = policy.digest;
    let (by, choice) = match (&verdict.ruling, demand) {
        (Ruling::Pass(passed), None) => {
            rules::count_uses(tx, passed.used()).await?;
            (passed.by().clone(), Choice::Approve)
        }
        (Ruling::Block { rule }, _) => (DecidedBy::DenyRule(*rule), Choice::Deny),
        // Its administrators let it run, and nothing here wants a person: signed for the host, which has
        // found so, and for whoever verifies it, who finds out whether it was.
        (Ruling::Ask { .. } | Ruling::Pass(_), Some(_)) if !verdict.person && rule.is_some() => {
            let HostRule { rule, policy } = rule.ok_or(Refusal::Internal)?;
            let found = format!("the host says that rule {rule} of its administrators' document lets it run");
            steps.push(Step { step: "authority".to_owned(), found });
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
                return Ok(Answer::TooMany);
            }
            let mut people = reachable(tx, &policy, submission, people, &mut steps).await?;
            if let Some(demand) = demand {
                people = people.max(demand.people);
                let found = format!("the host takes only what {people} of its reviewers sign themselves");
                steps.push(Step { step: "authority".to_owned(), found });
            }
            let asked = reviewer_names(tx).await?;
            submissions::ask(tx, id, now, deadline, (people, &steps, &asked)).await?;
            return Ok(Answer::Waits);
        }
    };
    let decision = app.sign(submission, by, choice, None, made_under)?;
    submissions::ask(tx, id, now, deadline, (0, &steps, &[])).await?;
    submissions::decide(tx, id, &decision, now).await?;
    Ok(Answer::Decided(decision.signed))
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
        let found = format!("only {there} reviewers are enrolled, so {asked} must approve");
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
