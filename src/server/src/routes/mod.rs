//! Routes and what they read. `countersign_api::service` has the table.

mod enroll;
mod fitting;
mod host;
mod ledgers;
mod reviewer;
mod rules;

use crate::app::App;
use crate::refusal::Refusal;
use axum::Router;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Longest request body.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Longest body of whoever is not known yet.
pub const MAX_ENROLL_BYTES: usize = 16 * 1024;
/// Longest wait for a decision in one request.
pub const MAX_POLL: Duration = Duration::from_secs(30);
/// Longest request, its body and the longest wait included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

const TORN: &str = "the body could not be read to its end";

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/enroll", post(enroll::enroll).layer(DefaultBodyLimit::max(MAX_ENROLL_BYTES)))
        .route("/api/host", get(host::state))
        .route("/api/entries", post(host::entries))
        .route("/api/checkpoints", post(host::checkpoint))
        .route("/api/submissions", get(reviewer::pending).post(host::submit))
        .route("/api/submissions/{id}/entry", get(reviewer::entry))
        .route("/api/submissions/{id}/decision", get(host::decision).post(reviewer::decide))
        .route("/api/submissions/{id}/program", get(reviewer::program))
        .route("/api/recordings/{login}", get(reviewer::recording).post(host::recording))
        .route("/api/audit", get(reviewer::audit))
        .route("/api/audit/{id}", get(reviewer::record))
        .route("/api/audit/{id}/triage", post(reviewer::triage))
        .route("/api/sessions", get(reviewer::sessions))
        .route("/api/ledgers", get(ledgers::find))
        .route("/api/ledgers/{host}/entries", get(ledgers::entries))
        .route("/api/ledgers/{host}/part", get(ledgers::part))
        .route("/api/rules", get(rules::list).post(rules::add))
        .route("/api/rules/import", post(rules::import))
        .route("/api/rules/export", get(rules::export))
        .route("/api/rules/test", post(rules::test))
        .route("/api/rules/suggestions", get(rules::suggest))
        .route("/api/rules/{id}", get(rules::history))
        .route("/api/rules/{id}/{act}", post(rules::act))
        .route("/api/grants", post(rules::grant))
        .route("/api/policies/{digest}", get(rules::policy))
        .route("/api/trust", get(reviewer::trust))
        .route("/healthz", get(async || "ok"))
        .fallback(async || Refusal::NotFound("no such route"))
        .method_not_allowed_fallback(async || Refusal::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(bounded))
        .with_state(app)
}

/// No request for ever, no answer in a cache.
async fn bounded(request: Request, next: Next) -> Response {
    let mut response = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request))
        .await
        .unwrap_or_else(|_| Refusal::TookTooLong.into_response());
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A JSON body; the content type is not asked for.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        let Raw(bytes) = Raw::from_request(request, app).await?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Refusal::BadRequest(format!("the body is not what this route takes: {error}")))
    }
}

/// A body as it is, within the limit.
struct Raw(Bytes);

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Refusal;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        Bytes::from_request(request, app).await.map(Self).map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Refusal::TooLarge
            } else {
                Refusal::BadRequest(TORN.to_owned())
            }
        })
    }
}

/// A long body in the pieces in which it came, so that nothing of it is copied;
/// within the limit.
struct Pieces(Vec<Bytes>);

impl FromRequest<Arc<App>> for Pieces {
    type Rejection = Refusal;
    async fn from_request(request: Request, _app: &Arc<App>) -> Result<Self, Refusal> {
        pieces(request.into_body()).await.map(Self)
    }
}

async fn pieces(mut body: axum::body::Body) -> Result<Vec<Bytes>, Refusal> {
    let (mut pieces, mut length) = (Vec::new(), 0usize);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| Refusal::BadRequest(TORN.to_owned()))?;
        let Ok(piece) = frame.into_data() else { continue };
        length = length.saturating_add(piece.len());
        if length > MAX_BODY_BYTES {
            return Err(Refusal::TooLarge);
        }
        pieces.push(piece);
    }
    Ok(pieces)
}

/// What stands behind the question mark.
struct Asked<T>(T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Asked<T> {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        Query::from_request_parts(parts, app)
            .await
            .map(|Query(asked)| Self(asked))
            .map_err(|error: QueryRejection| Refusal::BadRequest(error.body_text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_body_is_taken_up_to_the_limit() {
        let most = pieces(vec![b'x'; MAX_BODY_BYTES].into()).await.unwrap();
        assert_eq!(most.iter().map(Bytes::len).sum::<usize>(), MAX_BODY_BYTES);
        assert!(matches!(pieces(vec![b'x'; MAX_BODY_BYTES + 1].into()).await, Err(Refusal::TooLarge)));
    }
}
