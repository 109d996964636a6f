//! `countersign approve` and `deny`.

use crate::args::{Approve, Deny, Where};
use crate::choose::choose;
use crate::client::Client;
use crate::failure::Failure;
use crate::link::Link;
use crate::rows::card;
use crate::screen::{columns, note, show, show_json};
use crate::style::{self, paint};
use countersign_api::rules::NewGrant;
use countersign_api::service::{PendingSubmission, ReviewReply, ReviewRequest};
use countersign_core::{Choice, visible};
use countersign_policy::Body;

/// Lets submissions run; first shows each as a whole.
pub async fn approve(args: &Approve, json: bool) -> Result<(), Failure> {
    let grant = args.grant.map(|minutes| Granted { minutes, pattern: args.pattern.as_deref(), uses: args.uses });
    run(&args.at, &args.ids, (Choice::Approve, grant), args.comment.as_deref(), json).await
}

/// Refuses submissions.
pub async fn deny(args: &Deny, json: bool) -> Result<(), Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::Usage("`--reason` is empty; say why, the record keeps it".into()));
    }
    run(&args.at, &args.ids, (Choice::Deny, None), Some(&args.reason), json).await
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

async fn run(
    at: &Where,
    ids: &[String],
    choice: (Choice, Option<Granted<'_>>),
    comment: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    let link = Link::to_decide(at).await?;
    let decided = all(link.client(), ids, choice, comment, json).await;
    link.close().await;
    decided
}

/// Decides all or, where one id names nothing, none.
async fn all(
    client: &Client,
    ids: &[String],
    (choice, grant): (Choice, Option<Granted<'_>>),
    comment: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    let pending = client.pending().await?;
    let mut rows: Vec<&PendingSubmission> = Vec::new();
    for id in ids {
        let row = choose(&pending, |row| row.id.to_string(), id, "submission that waits")?;
        if !rows.iter().any(|known| known.id == row.id) {
            rows.push(row);
        }
    }
    let mut replies = Vec::new();
    let mut failed = None;
    for row in rows {
        let card = card(row, if json { None } else { columns() });
        if json {
            note(card.trim_end())
        } else {
            show(&card)?
        }
        // First the grant: where it is refused, the line is not approved either.
        if let Some(grant) = grant {
            let given = client.grant(&grant.rule(row)?).await?;
            note(&format!("grant {}: {}", given.id, visible(&given.line)));
        }
        let review = ReviewRequest { decision: choice, entry: row.entry, comment: comment.map(str::to_owned) };
        match client.decide(row.id, &review).await {
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

fn done(reply: &ReviewReply) -> String {
    let by = visible(&reply.by.to_string());
    let Some(outcome) = reply.outcome else {
        return format!("approved by {} of {}, waits for more  {}\n", reply.approvals.len(), reply.people, reply.id);
    };
    let (symbol, word) = outcome.label();
    let label = paint(style::of(Some(outcome)), &format!("{symbol} {word}"));
    format!("{label}  {} by {by}\n", reply.id)
}
