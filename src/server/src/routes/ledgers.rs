//! What an auditor's tools fetch to make a bundle of.

use super::Asked;
use super::reviewer::note_access;
use crate::app::App;
use crate::auth::Reviewer;
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::PartOf;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use countersign_api::ledgers::{EntriesFrom, LedgerOf, LedgerQuery, PAGE_BYTES, PartFrom};
use countersign_core::HostId;
use countersign_ledger::Kind;
use std::sync::Arc;

/// Longest name that is looked for, in bytes.
const MAX_NAME: usize = 256;

/// `GET /api/ledgers?session=NAME` or `?host=NAME`
pub async fn find(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Asked(query): Asked<LedgerQuery>,
) -> Result<Json<LedgerOf>, Refusal> {
    if query.session.as_ref().is_some_and(|session| session.len() > MAX_NAME) {
        return Err(Refusal::BadRequest(format!("the name of a session has at most {MAX_NAME} bytes")));
    }
    let (mut found, what) = match (&query.session, &query.host) {
        (Some(session), None) if query.since_us.is_none() => {
            (app.store.ledger_of_session(session).await?, session.clone())
        }
        (None, Some(host)) => (app.store.ledger_of_host(host).await?, host.to_string()),
        (Some(_), _) | (None, None) => {
            let text = "name a session or a host, one of both; a time only with a host";
            return Err(Refusal::BadRequest(text.to_owned()));
        }
    };
    if let (Some(ledger), Some(at_us)) = (&mut found, query.since_us) {
        ledger.since = app.store.first_since(ledger.host, at_us).await?;
    }
    note_access(&app, Act::new(Kind::Access, "ledger", Some(&name)).about(what)).await?;
    found.map(Json).ok_or(Refusal::NotFound("no session and no host of that name is known here"))
}

/// `GET /api/ledgers/{host}/entries?from=SEQ`
pub async fn entries(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(host): Path<String>,
    Asked(EntriesFrom { from }): Asked<EntriesFrom>,
) -> Result<Response, Refusal> {
    let host: HostId = host.parse().map_err(|_| Refusal::NotFound("no such host"))?;
    note_access(&app, Act::new(Kind::Access, "entries", Some(&name)).about(host)).await?;
    let text = app.store.lines_from(host, from, PAGE_BYTES).await?;
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}

/// `GET /api/ledgers/{host}/part?session=NAME` or `?since=SEQ`, and `&from=SEQ`
pub async fn part(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(host): Path<String>,
    Asked(PartFrom { session, since, from }): Asked<PartFrom>,
) -> Result<Response, Refusal> {
    let host: HostId = host.parse().map_err(|_| Refusal::NotFound("no such host"))?;
    let part = match (session, since) {
        (Some(session), None) if session.len() <= MAX_NAME => PartOf::Session(session),
        (None, Some(since)) => PartOf::Since(since),
        (Some(_), _) | (None, None) => {
            let text = format!("name a session, of at most {MAX_NAME} bytes, or a seq, one of both");
            return Err(Refusal::BadRequest(text));
        }
    };
    note_access(&app, Act::new(Kind::Access, "part", Some(&name)).about(host)).await?;
    let text = app.store.part_from(host, &part, from, PAGE_BYTES).await?;
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}
