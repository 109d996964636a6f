//! A host becomes known, once a token.

use super::Body;
use crate::app::{App, now_ms, to_the_end};
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::{self, HostCaller, TokenState};
use crate::token;
use axum::Json;
use axum::extract::State;
use countersign_api::service::{EnrollReply, EnrollRequest};
use countersign_ledger::{Kind, Namespace, verify_signature};
use std::sync::Arc;

const BAD_TOKEN: &str = "the enrolment token is not good: unknown, used before or over 24 hours old; ask for another \
    (`countersign-server enroll-token`)";

/// `POST /api/enroll`
pub async fn enroll(
    State(app): State<Arc<App>>,
    Body(request): Body<EnrollRequest>,
) -> Result<Json<EnrollReply>, Refusal> {
    // Whoever has no token costs a look and no more: not the one writer, not a signature check.
    let enroll_hash = token::hash(&request.token);
    if !app.store.enroll_token_known(&enroll_hash, now_ms()).await? {
        return Err(Refusal::Unauthorized(BAD_TOKEN));
    }
    let proof = verify_signature(Namespace::Enroll, &request.key, request.token.as_bytes(), &request.proof);
    let host_token = token::new_host_token()?;
    to_the_end(async move {
        let now = now_ms();
        let mut tx = app.store.write().await?;
        let host_name = match store::enroll_token(&mut tx, &enroll_hash, now).await? {
            TokenState::Good { host_name } => host_name,
            TokenState::Unknown | TokenState::Used | TokenState::Expired => {
                return Err(Refusal::Unauthorized(BAD_TOKEN));
            }
        };
        if proof.is_err() {
            return Err(Refusal::BadRequest("the proof is not the key's signature over the token".to_owned()));
        }
        if host_name != request.name.as_str() {
            let text = format!("the token was made for the host name {host_name}; enrol under that name");
            return Err(Refusal::Conflict(text));
        }
        let host = HostCaller { id: request.host, name: request.name, key: request.key };
        if !store::enroll(&mut tx, &host, &token::hash(&host_token), &enroll_hash, now).await? {
            let text = "this host id, name or key is enrolled already; use a new one";
            return Err(Refusal::Conflict(text.to_owned()));
        }
        let act = Act::new(Kind::AdminAct, "host_enrolled", None).about(host.id);
        app.ledger.record(&mut tx, &act).await?;
        tx.commit().await?;
        tracing::info!(host = %host.name, id = %host.id, "enrolled");
        Ok(Json(EnrollReply { service: app.service, service_key: app.public_key, host_token }))
    })
    .await
}
