//! What reviewers and their tools ask.

use super::fitting::{MOST, fitting};
use super::{Asked, Body};
use crate::app::{App, now_ms, to_the_end};
use crate::auth::Reviewer;
use crate::desk;
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::{FoundRecord, shown};
use crate::{triage, trust};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use countersign_api::audit::MAX_ROWS;
use countersign_api::service::{
    AuditQuery, AuditRecord, AuditRow, PendingSubmission, ProgramReply, ReviewReply, ReviewRequest, SessionRow,
    SubmissionEntry,
};
use countersign_api::triage::{TriageRequest, Triaged};
use countersign_core::{LoginId, SubmissionId};
use countersign_ledger::{Kind, TrustFile};
use serde::Deserialize;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

/// Fewest characters that name a command.
const MIN_PREFIX: usize = 4;
/// Characters of a whole id.
const MAX_ID: usize = 26;
const DEFAULT_SESSIONS: u32 = 20;

/// `GET /api/submissions`
pub async fn pending(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
) -> Result<Json<Vec<PendingSubmission>>, Refusal> {
    let rows = app.store.pending(now_ms()).await?;
    let size = |row: &PendingSubmission| serde_json::to_vec(row).map_or(usize::MAX, |bytes| bytes.len());
    let fits = fitting(rows.iter().map(|row| ((row.host, row.agent.clone()), size(row))), MOST);
    // The others are told of when there is room for them.
    let rows: Vec<_> = rows.into_iter().zip(fits).filter_map(|(row, fits)| fits.then_some(row)).collect();
    // A timeout shall say whether anybody had seen it. Those who wait ask again and again: the first look counts.
    let new = app.store.not_shown(rows.iter().map(|row| row.id), &name).await?;
    if !new.is_empty() {
        let mut tx = app.store.write().await?;
        for id in &new {
            if shown::keep(&mut tx, id, &name, now_ms()).await? {
                app.ledger.record(&mut tx, &Act::new(Kind::Access, "shown", Some(&name)).about(id)).await?;
            }
        }
        tx.commit().await?;
    }
    Ok(Json(rows))
}

/// `GET /api/submissions/{id}/entry`
pub async fn entry(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(id): Path<String>,
) -> Result<Json<SubmissionEntry>, Refusal> {
    let unknown = || Refusal::NotFound("no such submission");
    let id: SubmissionId = id.parse().map_err(|_| unknown())?;
    let line = app.store.submission_line(id).await?.ok_or_else(unknown)?;
    note_access(&app, Act::new(Kind::Access, "entry", Some(&name)).about(id)).await?;
    Ok(Json(SubmissionEntry { line }))
}

/// `GET /api/submissions/{id}/program`
pub async fn program(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(id): Path<String>,
) -> Result<Json<ProgramReply>, Refusal> {
    let id: SubmissionId = id.parse().map_err(|_| Refusal::NotFound("no such submission"))?;
    let text = app.store.program(id).await?.ok_or(Refusal::NotFound("no program on standard input"))?;
    note_access(&app, Act::new(Kind::Access, "program", Some(&name)).about(id)).await?;
    Ok(Json(ProgramReply { text }))
}

/// `POST /api/submissions/{id}/decision`
pub async fn decide(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(id): Path<String>,
    Body(request): Body<ReviewRequest>,
) -> Result<Json<ReviewReply>, Refusal> {
    let id: SubmissionId = id.parse().map_err(|_| Refusal::NotFound("no such submission"))?;
    to_the_end(async move { desk::review(&app, &name, id, request).await.map(Json) }).await
}

/// `GET /api/audit`
pub async fn audit(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Asked(query): Asked<AuditQuery>,
) -> Result<Json<Vec<AuditRow>>, Refusal> {
    check_limit(query.limit)?;
    let asked = serde_json::to_string(&query).map_err(|_| Refusal::Internal)?;
    note_access(&app, Act::new(Kind::Access, "audit", Some(&name)).detail(asked)).await?;
    Ok(Json(app.store.audit(&query).await?))
}

/// `GET /api/audit/{id}`: an id, or 4 or more characters of its beginning.
pub async fn record(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(id): Path<String>,
) -> Result<Json<AuditRecord>, Refusal> {
    const NONE: Refusal = Refusal::NotFound("no command has an id that begins so");
    let prefix = id.to_ascii_lowercase();
    if prefix.len() < MIN_PREFIX {
        return Err(Refusal::BadRequest(format!("that is too short for an id; give at least {MIN_PREFIX} characters")));
    }
    if prefix.len() > MAX_ID || !prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(NONE);
    }
    match app.store.audit_record(&prefix).await? {
        FoundRecord::Nothing => Err(NONE),
        FoundRecord::Several(ids) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            Err(Refusal::Conflict(format!("that could be {}; give more characters", ids.join(" or "))))
        }
        FoundRecord::One(record) => {
            note_access(&app, Act::new(Kind::Access, "command", Some(&name)).about(record.row.id)).await?;
            Ok(Json(*record))
        }
    }
}

/// `POST /api/audit/{id}/triage`
pub async fn triage(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(id): Path<String>,
    Body(request): Body<TriageRequest>,
) -> Result<Json<Triaged>, Refusal> {
    let id: SubmissionId = id.parse().map_err(|_| Refusal::NotFound("no such command"))?;
    to_the_end(async move { triage::triage(&app, &name, id, request).await.map(Json) }).await
}

/// Records in the service's own ledger that somebody reads; on an error nothing is shown.
pub(super) async fn note_access(app: &App, act: Act<'_>) -> Result<(), Refusal> {
    let mut tx = app.store.write().await?;
    app.ledger.record(&mut tx, &act).await?;
    Ok(tx.commit().await?)
}

/// How many sessions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    limit: Option<u32>,
}

/// `GET /api/sessions`
pub async fn sessions(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Asked(Limit { limit }): Asked<Limit>,
) -> Result<Json<Vec<SessionRow>>, Refusal> {
    check_limit(limit)?;
    note_access(&app, Act::new(Kind::Access, "sessions", Some(&name))).await?;
    Ok(Json(app.store.sessions(limit.unwrap_or(DEFAULT_SESSIONS)).await?))
}

fn check_limit(limit: Option<u32>) -> Result<(), Refusal> {
    match limit {
        None | Some(1..=MAX_ROWS) => Ok(()),
        Some(_) => Err(Refusal::BadRequest(format!("limit must be 1 to {MAX_ROWS}"))),
    }
}

/// `GET /api/recordings/{login}`
pub async fn recording(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path(login): Path<String>,
) -> Result<Response, Refusal> {
    const NONE: Refusal = Refusal::NotFound("no recording of this login is held");
    let login: LoginId = login.parse().map_err(|_| NONE)?;
    let recording = app.store.recording(login).await?.ok_or(NONE)?;
    let (path, length) = app.recordings.shown(&recording);
    if length == 0 {
        return Err(NONE);
    }
    let file = tokio::fs::File::open(&path).await.map_err(|error| {
        tracing::error!(%error, path = %path.display(), "recording");
        Refusal::Internal
    })?;
    note_access(&app, Act::new(Kind::Access, "recording", Some(&name)).about(login)).await?;
    let body = axum::body::Body::from_stream(ReaderStream::new(file.take(length)));
    let headers = [(CONTENT_TYPE, "application/x-asciicast".to_owned()), (CONTENT_LENGTH, length.to_string())];
    Ok((headers, body).into_response())
}

/// `GET /api/trust`
pub async fn trust(State(app): State<Arc<App>>, Reviewer(_): Reviewer) -> Result<Json<TrustFile>, Refusal> {
    trust::trust_file(&app.store, app.service, app.public_key).await.map(Json).map_err(|error| {
        tracing::error!(%error, "trust");
        Refusal::Internal
    })
}
