//! What hosts ask.

use super::{Asked, Body, MAX_POLL, Pieces};
use crate::app::{App, now_ms, to_the_end};
use crate::auth::{Host, Ledger};
use crate::checkpoints;
use crate::desk;
use crate::ingest::{self, Kept, Received};
use crate::refusal::Refusal;
use crate::store::Sender;
use axum::Json;
use axum::extract::{Path, State};
use countersign_api::service::{
    CheckpointReply, CheckpointRequest, DecisionReply, EntriesReply, EntriesRequest, HostState, RecordingReply,
    SubmitReply, SubmitRequest,
};
use countersign_core::{LoginId, SubmissionId};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Up to so many lines are checked without leaving the request's own thread.
const FEW_LINES: usize = 16;
/// And so many bytes.
const FEW_BYTES: usize = 64 * 1024;

/// `GET /api/host`
pub async fn state(State(app): State<Arc<App>>, Host(host): Host) -> Result<Json<HostState>, Refusal> {
    Ok(Json(HostState { next_seq: app.store.next_seq(host.id).await? }))
}

/// `POST /api/entries`
pub async fn entries(
    State(app): State<Arc<App>>,
    Ledger(sender): Ledger,
    Body(request): Body<EntriesRequest>,
) -> Result<Json<EntriesReply>, Refusal> {
    to_the_end(async move {
        let received = read(&app, &sender, request.lines).await?;
        let mut tx = app.store.write().await?;
        let kept = ingest::keep(&app, &mut tx, &sender.host, &received, now_ms()).await?;
        tx.commit().await?;
        match kept {
            Kept::All { next_seq, erased } => {
                if erased {
                    app.erased().await;
                }
                Ok(Json(EntriesReply { next_seq }))
            }
            Kept::Fork(conflict) => Err(Refusal::Ledger(conflict)),
        }
    })
    .await
}

/// `POST /api/checkpoints`
pub async fn checkpoint(
    State(app): State<Arc<App>>,
    Host(host): Host,
    Body(request): Body<CheckpointRequest>,
) -> Result<Json<CheckpointReply>, Refusal> {
    to_the_end(async move { checkpoints::cosign(&app, &host, &request).await.map(Json) }).await
}

/// `POST /api/submissions`
pub async fn submit(
    State(app): State<Arc<App>>,
    Ledger(sender): Ledger,
    Body(request): Body<SubmitRequest>,
) -> Result<Json<SubmitReply>, Refusal> {
    to_the_end(async move {
        let received = read(&app, &sender, request.lines).await?;
        desk::submit(&app, &sender.host, (request.id, request.rule), &received).await.map(Json)
    })
    .await
}

/// How long a host is ready to wait for its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    wait_ms: Option<u64>,
}

/// `GET /api/submissions/{id}/decision?wait_ms=N`
pub async fn decision(
    State(app): State<Arc<App>>,
    Host(host): Host,
    Path(id): Path<String>,
    Asked(asked): Asked<Wait>,
) -> Result<Json<DecisionReply>, Refusal> {
    const UNKNOWN: Refusal = Refusal::NotFound("no such submission of this host");
    let id: SubmissionId = id.parse().map_err(|_| UNKNOWN)?;
    if app.store.submission_host(id).await? != Some(host.id) {
        return Err(UNKNOWN);
    }
    // Beyond that nobody waits: the host asks again.
    let place = app.waits.try_acquire();
    let most = if place.is_ok() { MAX_POLL } else { Duration::ZERO };
    let wait = Duration::from_millis(asked.wait_ms.unwrap_or(0)).min(most);
    Ok(Json(DecisionReply { decision: desk::wait_for_decision(&app, id, wait).await? }))
}

/// Where the bytes belong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offset {
    offset: u64,
}

/// `POST /api/recordings/{login}?offset=N`
pub async fn recording(
    State(app): State<Arc<App>>,
    Host(host): Host,
    Path(login): Path<String>,
    Asked(asked): Asked<Offset>,
    Pieces(pieces): Pieces,
) -> Result<Json<RecordingReply>, Refusal> {
    let login: LoginId = login.parse().map_err(|_| Refusal::NotFound("no such login on this host"))?;
    to_the_end(async move { app.recordings.append(&app.store, &host, login, asked.offset, pieces).await.map(Json) })
        .await
}

/// Reads lines; many of them where no request waits for the thread.
async fn read(app: &App, sender: &Sender, lines: Vec<String>) -> Result<Vec<Received>, Refusal> {
    let keys = ingest::keys_for(&app.store, sender, &lines).await?;
    let host = &sender.host;
    let known = app.policy().known_hosts(host.id);
    if lines.len() <= FEW_LINES && lines.iter().map(String::len).sum::<usize>() <= FEW_BYTES {
        return ingest::read_lines(host, keys, &known, lines);
    }
    let host = host.clone();
    tokio::task::spawn_blocking(move || ingest::read_lines(&host, keys, &known, lines)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "read lines");
        Err(Refusal::Internal)
    })
}
