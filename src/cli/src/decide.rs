//! `countersign approve` and `deny`.

use crate::args::{Approve, Deny, Where};
use crate::choose::choose;
use crate::client::Client;
use crate::failure::Failure;
use crate::link::Link;
use crate::look::may_be_id;
use crate::rows::{answered, card, program};
use crate::screen::{columns, note, show, show_json};
use crate::signing::Recorded;
use crate::style::{self, paint};
use countersign_api::rules::NewGrant;
use countersign_api::service::{PendingSubmission, ReviewReply, ReviewRequest, SignedReview};
use countersign_core::{Choice, legible};
use countersign_policy::Body;
use std::path::Path;

/// Lets submissions run; first shows each as a whole.
pub async fn approve(args: &Approve, json: bool) -> Result<(), Failure> {
    let grant = args.grant.map(|minutes| Granted { minutes, pattern: args.pattern.as_deref(), uses: args.uses });
    let said = Said { choice: Choice::Approve, comment: args.comment.as_deref(), key: args.key.as_deref(), grant };
    run(&args.at, &args.ids, said, json).await
}

/// Refuses submissions.
pub async fn deny(args: &Deny, json: bool) -> Result<(), Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::Usage("`--reason` is empty; say why, the record keeps it".into()));
    }
    let said = Said { choice: Choice::Deny, comment: Some(&args.reason), key: args.key.as_deref(), grant: None };
    run(&args.at, &args.ids, said, json).await
}

/// What a reviewer says.
#[derive(Clone, Copy)]
struct Said<'a> {
    choice: Choice,
    comment: Option<&'a str>,
    key: Option<&'a Path>,
    grant: Option<Granted<'a>>,
}

/// What is let pass from now on, for a while.
#[derive(Clone, Copy)]
struct Granted<'a> {
    minutes: u32,
    pattern: Option<&'a str>,
    uses: u64,
}

impl Granted<'_> {
    /// The grant for a submission: its own line where there is no pattern, for its agent, target and session.
    fn rule(&self, row: &PendingSubmission) -> Result<NewGrant, Failure> {
        let body = Body {
            exact: self.pattern.is_none().then(|| row.command.clone()),
            patterns: self.pattern.iter().map(|pattern| (*pattern).to_owned()).collect(),
            agents: vec![row.agent.clone()],
            targets: vec![row.host_name.to_string()],
            session: Some(row.session.clone()),
            shell: Some(row.shell.clone()),
            on_terminal: row.tty,
            uses: Some(self.uses),
            ..Body::default()
        };
        let body =
            serde_json::to_value(&body).map_err(|e| Failure::Internal(format!("cannot write the grant: {e}")))?;
        Ok(NewGrant { body, minutes: self.minutes })
    }
}

async fn run(at: &Where, ids: &[String], said: Said<'_>, json: bool) -> Result<(), Failure> {
    let link = Link::to_decide(at).await?;
    let decided = all(link.client(), ids, said, json).await;
    link.close().await;
    decided
}

/// Decides all or, where one id names nothing, none.
async fn all(client: &Client, ids: &[String], said: Said<'_>, json: bool) -> Result<(), Failure> {
    let pending = client.pending().await?;
    let mut rows: Vec<&PendingSubmission> = Vec::new();
    for id in ids {
        let row = match choose(&pending, |row| row.id.to_string(), id, "submission that waits") {
            Err(Failure::NotFound(text)) => return Err(gone(client, id).await.unwrap_or(Failure::NotFound(text))),
            chosen => chosen?,
        };
        if !rows.iter().any(|known| known.id == row.id) {
            rows.push(row);
        }
    }
    let mut replies = Vec::new();
    let mut failed = None;
    for row in rows {
        match one(client, row, said, json).await {
            Ok(reply) if json => replies.push(reply),
            Ok(reply) => show(&done(&reply))?,
            // The others are still decided; the first failure is what we end with.
            Err(failure) if failed.is_none() => failed = Some(failure),
            Err(failure) => crate::screen::complain(&failure),
        }
    }
    if json {
        show_json(&replies)?;
    }
    failed.map_or(Ok(()), Err)
}

/// What became of a submission that waits no more: whoever comes too late is told by whom it was answered.
async fn gone(client: &Client, id: &str) -> Option<Failure> {
    may_be_id(id).ok()?;
    let row = client.record(id).await.ok()?.row;
    let how = match row.outcome {
        Some(outcome) => format!("{}, {}", outcome.label().1.to_lowercase(), answered(&row)),
        // It was answered a moment ago.
        None => "its host has not said yet how it was answered".to_owned(),
    };
    Some(Failure::Refused(format!(
        "{} waits no more: {how}; nothing was changed; countersign show {id} has the rest",
        row.id
    )))
}

/// Shows a submission as its host recorded it, signs where that is demanded, and decides.
async fn one(client: &Client, row: &PendingSubmission, said: Said<'_>, json: bool) -> Result<ReviewReply, Failure> {
    let recorded = match row.authority {
        Some(_) => Some(Recorded::read(row, &client.entry(row.id).await?.line)?),
        None => None,
    };
    let mut shown = row.clone();
    if let Some(recorded) = &recorded {
        (shown.command, shown.cwd) = (recorded.command.clone(), recorded.cwd.clone());
        (shown.flags, shown.transfer) = (recorded.flags.clone(), recorded.transfer.clone());
    }
    let on_stdin = match &recorded {
        Some(recorded) => recorded.program.clone(),
        None if row.program.is_some() => Some(client.program(row.id).await?),
        None => None,
    };
    let mut card = card(&shown, if json { None } else { columns() });
    card.extend(on_stdin.as_deref().map(program));
    if json {
        note(card.trim_end());
    } else {
        show(&card)?;
    }
    // First the grant: where it is refused, the line is not approved either.
    if let Some(grant) = said.grant {
        let given = client.grant(&grant.rule(&shown)?).await?;
        note(&format!("grant {}: {}", given.id, legible(&given.line)));
    }
    let signed = recorded.map(|recorded| sign(client, &recorded, said)).transpose()?.flatten();
    let comment = said.comment.map(str::to_owned);
    client.decide(row.id, &ReviewRequest { decision: said.choice, entry: row.entry, comment, signed }).await
}

fn sign(client: &Client, recorded: &Recorded, said: Said<'_>) -> Result<Option<SignedReview>, Failure> {
    let reviewer = client.reviewer();
    let file = reviewer.path.display();
    let key = said.key.or(reviewer.sign_with.as_deref()).ok_or_else(|| {
        Failure::Config(format!(
            "this host takes only decisions that you sign yourself; say with which SSH key: --key FILE, or sign_with = \"FILE\" in {file}"
        ))
    })?;
    let name = reviewer.name.as_ref().ok_or_else(|| {
        Failure::Config(format!(
            "`name` is missing in {file}; put your name there as the administrators' document has it"
        ))
    })?;
    let people = match recorded.people {
        1 => String::new(),
        people => format!("; {people} people must sign"),
    };
    note(&format!(
        "signing as {name} with {}: {} {}{people}",
        key.display(),
        said.choice.as_str(),
        legible(&recorded.command)
    ));
    recorded.sign(name, said.choice, key)
}

fn done(reply: &ReviewReply) -> String {
    let by = legible(&reply.by.to_string());
    let Some(outcome) = reply.outcome else {
        return format!("approved by {} of {}, waits for more  {}\n", reply.approvals.len(), reply.people, reply.id);
    };
    let (symbol, word) = outcome.label();
    let label = paint(style::of(Some(outcome)), &format!("{symbol} {word}"));
    format!("{label}  {} by {by}\n", reply.id)
}
