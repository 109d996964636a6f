//! Commands that look: the queue, the audit, sessions.

use crate::args::{Audit, Sessions, Show, Where};
use crate::choose::choose;
use crate::client::Client;
use crate::failure::Failure;
use crate::link::Link;
use crate::rows;
use crate::screen::{self, note, show, show_json};
use crate::words::{now_ms, since};
use countersign_api::service::{AuditQuery, AuditRow, PendingSubmission};
use serde::Serialize;

/// How many rows of the audit are looked through for an id.
const ROWS: u32 = 1000;

/// `countersign pending`
pub async fn pending(at: &Where, json: bool) -> Result<(), Failure> {
    let link = Link::open(at).await?;
    let rows = waiting(link.client()).await;
    link.close().await;
    let (rows, programs) = rows?;
    if rows.is_empty() && !json {
        note("nothing waits");
        return Ok(());
    }
    if json { show_json(&rows) } else { show(&rows::queue(&rows, &programs, screen::columns())) }
}

/// What waits, and the programs that came on standard input with it.
async fn waiting(client: &Client) -> Result<(Vec<PendingSubmission>, Vec<Option<String>>), Failure> {
    let rows = client.pending().await?;
    let mut programs = Vec::new();
    for row in &rows {
        programs.push(match row.program {
            Some(_) => Some(client.program(row.id).await?),
            None => None,
        });
    }
    Ok((rows, programs))
}

/// `countersign audit`: the last rows, oldest first.
pub async fn audit(args: &Audit, json: bool) -> Result<(), Failure> {
    let query = AuditQuery {
        limit: Some(args.limit),
        agent: args.agent.clone(),
        session: args.session.clone(),
        decision: args.decision,
        text: args.text.clone(),
        since_ms: args.since.as_deref().map(|text| since(text, now_ms())).transpose()?,
    };
    let link = Link::open(&args.at).await?;
    let rows = link.client().audit(&query).await;
    link.close().await;
    list(rows?, json, rows::audit, "no command matches")
}

/// `countersign sessions`: the last ones, oldest first.
pub async fn sessions(args: &Sessions, json: bool) -> Result<(), Failure> {
    let link = Link::open(&args.at).await?;
    let rows = link.client().sessions(args.limit).await;
    link.close().await;
    list(rows?, json, rows::session, "no session yet")
}

/// `countersign show`
pub async fn one(args: &Show, json: bool) -> Result<(), Failure> {
    let link = Link::open(&args.at).await?;
    let found = found(link.client(), &args.id).await;
    link.close().await;
    let (row, program) = found?;
    if json {
        return show_json(&row);
    }
    show(&(rows::full(&row) + &program.as_deref().map(rows::program).unwrap_or_default()))
}

/// The row of an id, and the program on its standard input.
async fn found(client: &Client, id: &str) -> Result<(AuditRow, Option<String>), Failure> {
    let rows = client.audit(&AuditQuery { limit: Some(ROWS), ..AuditQuery::default() }).await?;
    let what = format!("command among the last {ROWS}");
    let row: &AuditRow = choose(&rows, |row: &AuditRow| row.id.to_string(), id, &what)?;
    let program = match row.program {
        Some(_) => Some(client.program(row.id).await?),
        None => None,
    };
    Ok((row.clone(), program))
}

/// Prints what came newest first with the newest last, where people look.
fn list<T: Serialize>(mut rows: Vec<T>, json: bool, text: fn(&T) -> String, none: &str) -> Result<(), Failure> {
    rows.reverse();
    if json {
        return show_json(&rows);
    }
    if rows.is_empty() {
        note(none);
        return Ok(());
    }
    show(&rows.iter().map(text).collect::<String>())
}
