//! A host becomes known, once a token.

use super::Body;
use crate::app::{App, now_ms, to_the_end};
use crate::in_force::InForce;
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::{self, HostCaller, TokenState, Tx, entries};
use crate::token;
use axum::Json;
use axum::extract::State;
use countersign_api::service::{EnrollReply, EnrollRequest, FormerHost};
use countersign_core::HostId;
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
        // The policy names its targets.
        let _one_at_a_time = app.rules_change.lock().await;
        let mut tx = app.store.write().await?;
        let (host_name, class, lost) = match store::enroll_token(&mut tx, &enroll_hash, now).await? {
            TokenState::Good { host_name, class, lost } => (host_name, class, lost),
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
        // Ids are of one kind: a host with ours could sign a ledger that passes for this service's own.
        if request.host.to_string() == app.service.to_string() {
            return Err(Refusal::Conflict("this id is the service's own; use a new one".to_owned()));
        }
        let former = take_place(&app, &mut tx, lost, &request).await?;
        let host = HostCaller { id: request.host, name: request.name, key: request.key, replaces: lost };
        if !store::enroll(&mut tx, (&host, &class), &token::hash(&host_token), &enroll_hash, now).await? {
            let text = "this host id, name or key is enrolled already; use a new one";
            return Err(Refusal::Conflict(text.to_owned()));
        }
        let in_force = InForce::load_and_keep(&mut tx, &app.base_settings, now).await?;
        let act = Act::new(Kind::AdminAct, "host_enrolled", None).about(host.id).policy(in_force.digest);
        app.ledger.record(&mut tx, &act).await?;
        tx.commit().await?;
        app.set_policy(in_force);
        tracing::info!(host = %host.name, id = %host.id, "enrolled");
        Ok(Json(EnrollReply { service: app.service, service_key: app.public_key, host_token, former }))
    })
    .await
}

/// Both must say that a key was lost: the token, which this service's operator
/// made for that, and the host. Yields what is held of the one that lost it.
async fn take_place(
    app: &App,
    tx: &mut Tx,
    lost: Option<HostId>,
    request: &EnrollRequest,
) -> Result<Option<FormerHost>, Refusal> {
    let told = request.former.map(|former| former.host);
    let Some(lost) = lost.filter(|_| told == lost) else {
        if lost.is_none() && told.is_none() {
            return Ok(None);
        }
        let text = "token and host do not say the same of a lost identity key: the token of `countersign-server \
            enroll-token --lost HOST` goes with `countersign-hostd enroll --former DIR`";
        return Err(Refusal::Conflict(text.to_owned()));
    };
    if !store::retire(tx, lost, &request.name).await? {
        let text = format!("{lost} is not enrolled as {}, or another host has taken its place", request.name);
        return Err(Refusal::Conflict(text));
    }
    let act = Act::new(Kind::AdminAct, "host_key_lost", None).about(lost);
    app.ledger.record(tx, &act.detail(format!("{} takes its place", request.host))).await?;
    tracing::warn!(host = %request.name, %lost, id = %request.host, "a host has lost its key and is enrolled anew");
    Ok(Some(FormerHost { host: lost, last: entries::head(tx, lost).await? }))
}
