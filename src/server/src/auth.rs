//! Who is calling: a host or a reviewer, by bearer token.

use crate::app::App;
use crate::refusal::{BAD_TOKEN, Refusal};
use crate::store::{HostCaller, Sender};
use crate::token;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use countersign_core::Name;
use std::sync::Arc;

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 256;

/// A request of an enrolled host.
#[derive(Debug)]
pub struct Host(pub HostCaller);

/// A request of an enrolled host that sends lines of its ledger.
#[derive(Debug)]
pub struct Ledger(pub Sender);

/// A request of a named reviewer.
#[derive(Debug)]
pub struct Reviewer(pub Name);

impl FromRequestParts<Arc<App>> for Host {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let hash = token_hash(parts)?;
        match app.store.host_by_token(&hash).await? {
            Some(host) => Ok(Self(host)),
            None => Err(no_host(app, &hash).await?),
        }
    }
}

impl FromRequestParts<Arc<App>> for Ledger {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let hash = token_hash(parts)?;
        match app.store.sender_by_token(&hash).await? {
            Some(sender) => Ok(Self(sender)),
            None => Err(no_host(app, &hash).await?),
        }
    }
}

async fn no_host(app: &App, hash: &str) -> Result<Refusal, Refusal> {
    Ok(match app.store.reviewer_by_token(hash).await? {
        Some(_) => Refusal::Forbidden("only an enrolled host may do this; this is a reviewer's token"),
        None => Refusal::Unauthorized(BAD_TOKEN),
    })
}

impl FromRequestParts<Arc<App>> for Reviewer {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let hash = token_hash(parts)?;
        if let Some(name) = app.store.reviewer_by_token(&hash).await? {
            return Ok(Self(name));
        }
        match app.store.host_by_token(&hash).await? {
            Some(_) => Err(Refusal::Forbidden("only a reviewer may do this; this is a host's token")),
            None => Err(Refusal::Unauthorized(BAD_TOKEN)),
        }
    }
}

fn token_hash(parts: &Parts) -> Result<String, Refusal> {
    let bad = Refusal::Unauthorized(BAD_TOKEN);
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return Err(bad) };
    let text = header.to_str().unwrap_or_default();
    let Some((scheme, token)) = text.split_once(' ') else { return Err(bad) };
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > MAX_TOKEN_BYTES {
        return Err(bad);
    }
    Ok(token::hash(token))
}
