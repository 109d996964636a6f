//! What reviewers' tools ask about rules, and the policy texts that hosts keep.

use super::{Asked, Body};
use crate::app::{App, now_ms, to_the_end};
use crate::auth::{Host, Reviewer};
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::rule_desk;
use crate::suggestions;
use axum::Json;
use axum::extract::{Path, State};
use countersign_api::rules::{
    NewGrant, NewRule, PolicyText, Rule, RuleAct, RuleHistory, RuleTest, RuleVerdict, RulesFile, Suggestions, WhichText,
};
use countersign_core::{Digest, HostId, Name};
use countersign_ledger::Kind;
use std::sync::Arc;

/// `GET /api/rules`
pub async fn list(State(app): State<Arc<App>>, Reviewer(_): Reviewer) -> Result<Json<Vec<Rule>>, Refusal> {
    let uses = app.store.rule_uses().await?;
    let rows = app.store.rules().await?;
    Ok(Json(rows.iter().map(|row| rule_desk::shown(row, &uses)).collect::<Result<_, _>>()?))
}

/// `GET /api/rules/{id}`: every text that the rule ever had.
pub async fn history(
    State(app): State<Arc<App>>,
    Reviewer(_): Reviewer,
    Path(id): Path<u64>,
) -> Result<Json<RuleHistory>, Refusal> {
    rule_desk::history(&app, id).await.map(Json)
}

/// `POST /api/rules`
pub async fn add(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Body(new): Body<NewRule>,
) -> Result<Json<Rule>, Refusal> {
    to_the_end(async move { rule_desk::add(&app, &name, new).await.map(Json) }).await
}

/// `POST /api/grants`
pub async fn grant(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Body(new): Body<NewGrant>,
) -> Result<Json<Rule>, Refusal> {
    to_the_end(async move { rule_desk::grant(&app, &name, new).await.map(Json) }).await
}

/// `POST /api/rules/import`
pub async fn import(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Body(file): Body<RulesFile>,
) -> Result<Json<Vec<Rule>>, Refusal> {
    to_the_end(async move { rule_desk::import(&app, &name, &file.toml).await.map(Json) }).await
}

/// `GET /api/rules/export`
pub async fn export(State(app): State<Arc<App>>, Reviewer(_): Reviewer) -> Result<Json<RulesFile>, Refusal> {
    rule_desk::export(&app).await.map(|toml| Json(RulesFile { toml }))
}

/// `POST /api/rules/{id}/{act}`; with `approve`, `?revision=` says which text was looked at.
pub async fn act(
    State(app): State<Arc<App>>,
    Reviewer(name): Reviewer,
    Path((id, act)): Path<(u64, RuleAct)>,
    Asked(text): Asked<WhichText>,
) -> Result<Json<Rule>, Refusal> {
    to_the_end(async move { rule_desk::act(&app, &name, (id, text.revision), act).await.map(Json) }).await
}

/// `POST /api/rules/test`
pub async fn test(
    State(app): State<Arc<App>>,
    Reviewer(_): Reviewer,
    Body(test): Body<RuleTest>,
) -> Result<Json<RuleVerdict>, Refusal> {
    let host = match &test.target {
        None => HostId::from_random([0; 16]),
        Some(name) => host_named(&app, name).await?,
    };
    Ok(Json(app.policy().test(&test, host, &app.store.rule_uses().await?, now_ms())))
}

async fn host_named(app: &App, name: &str) -> Result<HostId, Refusal> {
    const NONE: Refusal = Refusal::NotFound("no target of this name is enrolled");
    let name: Name = name.parse().map_err(|_| NONE)?;
    app.store.hosts().await?.into_iter().find(|host| host.name == name).map(|host| host.id).ok_or(NONE)
}

/// `GET /api/rules/suggestions`
pub async fn suggest(State(app): State<Arc<App>>, Reviewer(name): Reviewer) -> Result<Json<Suggestions>, Refusal> {
    let mut tx = app.store.write().await?;
    app.ledger.record(&mut tx, &Act::new(Kind::Access, "suggestions", Some(&name))).await?;
    tx.commit().await?;
    suggestions::of_history(&app.store).await.map(Json)
}

/// `GET /api/policies/{digest}`
pub async fn policy(
    State(app): State<Arc<App>>,
    Host(_): Host,
    Path(digest): Path<String>,
) -> Result<Json<PolicyText>, Refusal> {
    const NONE: Refusal = Refusal::NotFound("no policy of this digest was ever in force");
    let digest: Digest = digest.parse().map_err(|_| NONE)?;
    let text = app.store.policy_text(digest).await?.ok_or(NONE)?;
    Ok(Json(PolicyText { text }))
}
