//! Every way to say no, with its status and a text that says what to do.
//! What went wrong inside goes to the log, not to the caller.

use crate::store::{AuditError, FactError, StoreError};
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use countersign_api::service::{Conflict, ErrorBody, RecordingReply};
use countersign_ledger::{RandomError, SignError};

/// A request that is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 400: not what this route takes.
    BadRequest(String),
    /// 401: no token, or none that is known.
    Unauthorized(&'static str),
    /// 403: a known token that may not do this.
    Forbidden(&'static str),
    /// 404: nothing of this name, or not the caller's.
    NotFound(&'static str),
    /// 405: not with this method.
    MethodNotAllowed,
    /// 408: it took too long.
    TookTooLong,
    /// 409: somebody or something was there first.
    Conflict(String),
    /// 409: the lines do not fit what is held.
    Ledger(Conflict),
    /// 409: the recording is held up to another byte.
    Recording(RecordingReply),
    /// 413: the body is over the limit.
    TooLarge,
    /// 413: more than is kept of one login or host.
    OverQuota(String),
    /// 422: the bytes are not the announced ones.
    NotAsAnnounced(String),
    /// 429: too much at once.
    TooMany(String),
    /// 507: what is free is needed for ledgers and decisions.
    NoRoom(String),
    /// 500: a defect or a full disk here; the log says which.
    Internal,
}

/// What a caller without a good token is told; no word on why.
pub const BAD_TOKEN: &str = "the token is missing or not known; send `Authorization: Bearer <token>`";

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let say = |status: StatusCode, error: String| (status, Json(ErrorBody { error })).into_response();
        match self {
            Self::BadRequest(text) => say(StatusCode::BAD_REQUEST, text),
            Self::Unauthorized(text) => {
                let how = [(WWW_AUTHENTICATE, "Bearer")];
                (how, say(StatusCode::UNAUTHORIZED, text.to_owned())).into_response()
            }
            Self::Forbidden(text) => say(StatusCode::FORBIDDEN, text.to_owned()),
            Self::NotFound(text) => say(StatusCode::NOT_FOUND, text.to_owned()),
            Self::MethodNotAllowed => {
                say(StatusCode::METHOD_NOT_ALLOWED, "this route does not take this method".to_owned())
            }
            Self::TookTooLong => {
                say(StatusCode::REQUEST_TIMEOUT, "the request took too long; send it again".to_owned())
            }
            Self::Conflict(text) => say(StatusCode::CONFLICT, text),
            Self::Ledger(conflict) => (StatusCode::CONFLICT, Json(conflict)).into_response(),
            Self::Recording(held) => (StatusCode::CONFLICT, Json(held)).into_response(),
            Self::TooLarge => say(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body is over the limit ({} MiB, {} KiB to enrol); send less at once",
                    crate::routes::MAX_BODY_BYTES / 1024 / 1024,
                    crate::routes::MAX_ENROLL_BYTES / 1024
                ),
            ),
            Self::OverQuota(text) => say(StatusCode::PAYLOAD_TOO_LARGE, text),
            Self::NoRoom(text) => say(StatusCode::INSUFFICIENT_STORAGE, text),
            Self::NotAsAnnounced(text) => say(StatusCode::UNPROCESSABLE_ENTITY, text),
            Self::TooMany(text) => say(StatusCode::TOO_MANY_REQUESTS, text),
            Self::Internal => say(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the service could not do this; its log says why. Nothing was approved".to_owned(),
            ),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "store");
        Self::Internal
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<FactError> for Refusal {
    fn from(error: FactError) -> Self {
        match error {
            FactError::Store(error) => error.into(),
            FactError::Contradicts(text) => Self::BadRequest(text),
        }
    }
}

impl From<AuditError> for Refusal {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Store(error) => error.into(),
            AuditError::Question(text) => Self::BadRequest(text),
        }
    }
}

impl From<SignError> for Refusal {
    fn from(error: SignError) -> Self {
        tracing::error!(%error, "sign");
        Self::Internal
    }
}

impl From<RandomError> for Refusal {
    fn from(error: RandomError) -> Self {
        tracing::error!(%error, "random bytes");
        Self::Internal
    }
}
