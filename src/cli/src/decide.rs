//! `countersign approve` and `deny`.

use crate::args::{Approve, Deny, Where};
use crate::choose::choose;
use crate::client::Client;
use crate::failure::Failure;
use crate::link::Link;
use crate::rows::card;
use crate::screen::{columns, note, show, show_json};
use crate::style::{self, paint};
use countersign_api::service::{PendingSubmission, ReviewReply, ReviewRequest};
use countersign_core::{Choice, visible};

/// Lets submissions run; first shows each as a whole.
pub async fn approve(args: &Approve, json: bool) -> Result<(), Failure> {
    run(&args.at, &args.ids, Choice::Approve, args.comment.as_deref(), json).await
}

/// Refuses submissions.
pub async fn deny(args: &Deny, json: bool) -> Result<(), Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::Usage("`--reason` is empty; say why, the record keeps it".into()));
    }
    run(&args.at, &args.ids, Choice::Deny, Some(&args.reason), json).await
}

async fn run(at: &Where, ids: &[String], choice: Choice, comment: Option<&str>, json: bool) -> Result<(), Failure> {
    let link = Link::to_decide(at).await?;
    let decided = all(link.client(), ids, choice, comment, json).await;
    link.close().await;
    decided
}

/// Decides all or, where one id names nothing, none.
async fn all(
    client: &Client,
    ids: &[String],
    choice: Choice,
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
    let (symbol, word) = reply.outcome.label();
    let label = paint(style::of(Some(reply.outcome)), &format!("{symbol} {word}"));
    format!("{label}  {} by {}\n", reply.id, visible(&reply.by.to_string()))
}
