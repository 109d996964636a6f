//! Commands that look: the queue, the audit, sessions.

use crate::args::{Audit, AuditCommand, Sessions, Show, Where};
use crate::choose::MIN_PREFIX;
use crate::client::Client;
use crate::export::{csv, ocsf};
use crate::failure::Failure;
use crate::link::Link;
use crate::rows;
use crate::screen::{self, json as json_text, note, show, show_json, show_raw};
use crate::triage;
use crate::words::{moment, now_ms};
use countersign_api::audit::MAX_ROWS;
use countersign_api::service::{AuditQuery, AuditRecord, AuditRow, PendingSubmission};
use serde::Serialize;

/// Rows that are shown where nobody says how many.
const DEFAULT_ROWS: u32 = 50;

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
    if let Some(AuditCommand::Triage(args)) = &args.what {
        return triage::run(args, json).await;
    }
    if json && (args.csv || args.ocsf) {
        return Err(Failure::Usage("give one of --json, --csv and --ocsf".into()));
    }
    let query = question(args)?;
    let wanted = if args.all { u32::MAX } else { args.limit.unwrap_or(DEFAULT_ROWS) };
    let link = Link::open(&args.at).await?;
    let rows = pages(link.client(), query, wanted).await;
    link.close().await;
    let rows = rows?;
    if args.limit.is_none() && u32::try_from(rows.len()) == Ok(wanted) {
        note(&format!("these are the newest {wanted}; there may be more: -n N, or --all"));
    }
    if args.csv {
        return show_raw(&csv::table(rows.iter().rev()));
    }
    if args.ocsf {
        let lines = rows.iter().rev().map(|row| json_text(&ocsf::event(row)).map(|line| line + "\n"));
        return show_raw(&lines.collect::<Result<String, _>>()?);
    }
    list(rows, json, rows::audit, "no command matches")
}

fn question(args: &Audit) -> Result<AuditQuery, Failure> {
    let now = now_ms();
    let moment = |flag: &str, text: &Option<String>| text.as_deref().map(|text| moment(flag, text, now)).transpose();
    Ok(AuditQuery {
        limit: None,
        agent: args.agent.clone(),
        session: args.session.clone(),
        decision: args.decision,
        text: args.text.clone(),
        prefix: args.prefix.clone(),
        since_ms: moment("--since", &args.since)?,
        until_ms: moment("--until", &args.until)?,
        risk: args.risk,
        anomaly: Some(args.anomalies.join(",")).filter(|flags| !flags.is_empty()),
        rule: args.rule.clone(),
        reviewer: args.reviewer.clone(),
        user: args.user.clone(),
        target: args.target.clone(),
        triage: args.triage,
        before: args.before,
    })
}

/// At most `wanted` rows, newest first, asked for page by page: each page
/// begins after the last row of the one before, so that none is lost or twice.
async fn pages(client: &Client, mut query: AuditQuery, wanted: u32) -> Result<Vec<AuditRow>, Failure> {
    let mut rows: Vec<AuditRow> = Vec::new();
    loop {
        let missing = wanted.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let page = missing.min(MAX_ROWS);
        query.limit = Some(page);
        let found = client.audit(&query).await?;
        let full = u32::try_from(found.len()) == Ok(page);
        rows.extend(found);
        query.before = rows.last().map(|row| row.id);
        if !full || missing == page {
            return Ok(rows);
        }
    }
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
    may_be_id(&args.id)?;
    let link = Link::open(&args.at).await?;
    let found = found(link.client(), &args.id).await;
    link.close().await;
    let (record, program) = found?;
    if json {
        return show_json(&record);
    }
    let text = rows::record(&record, screen::columns());
    show(&(text + &program.as_deref().map(rows::program).unwrap_or_default()))
}

/// Only what can begin an id goes to the service.
pub fn may_be_id(text: &str) -> Result<(), Failure> {
    if text.chars().count() < MIN_PREFIX || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Failure::Usage(format!(
            "`{text}` is no id; give it, or at least {MIN_PREFIX} characters of its beginning"
        )));
    }
    Ok(())
}

/// The record of an id, and the program on its standard input.
async fn found(client: &Client, id: &str) -> Result<(AuditRecord, Option<String>), Failure> {
    let record = client.record(id).await?;
    let program = match record.row.program {
        Some(_) => Some(client.program(record.row.id).await?),
        None => None,
    };
    Ok((record, program))
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
