//! `countersign audit triage`.

use crate::args::Triage;
use crate::client::Client;
use crate::failure::Failure;
use crate::link::Link;
use crate::look::may_be_id;
use crate::rows;
use crate::screen::{complain, note, show, show_json};
use countersign_api::audit::AuditRow;
use countersign_api::triage::TriageRequest;
use serde_json::json;

/// Says what commands were; shows each as a whole first.
pub async fn run(args: &Triage, json: bool) -> Result<(), Failure> {
    if args.note.trim().is_empty() {
        return Err(Failure::Usage("`--note` is empty; say why, the record keeps it".into()));
    }
    args.ids.iter().try_for_each(|id| may_be_id(id))?;
    let link = Link::open(&args.at).await?;
    let done = all(link.client(), args, json).await;
    link.close().await;
    done
}

/// All or, where one id names nothing, none.
async fn all(client: &Client, args: &Triage, json: bool) -> Result<(), Failure> {
    let mut rows: Vec<AuditRow> = Vec::new();
    for id in &args.ids {
        let row = client.record(id).await?.row;
        if !rows.iter().any(|known| known.id == row.id) {
            rows.push(row);
        }
    }
    let request = TriageRequest { verdict: args.verdict, note: args.note.clone() };
    let mut replies = Vec::new();
    let mut failed = None;
    for row in rows {
        if json {
            note(rows::audit(&row).trim_end());
        } else {
            show(&rows::audit(&row))?;
        }
        match client.triage(row.id, &request).await {
            Ok(found) if json => replies.push(json!({"id": row.id, "triage": found})),
            Ok(found) => show(&format!("→ {}\n", rows::triaged(&found)))?,
            // The others are still triaged; the first failure is what we end with.
            Err(failure) if failed.is_none() => failed = Some(failure),
            Err(failure) => complain(&failure),
        }
    }
    if json {
        show_json(&replies)?;
    }
    failed.map_or(Ok(()), Err)
}
