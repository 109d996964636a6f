//! Facts of entries into the tables that questions are asked of. Runs in the
//! transaction that keeps the entry itself.

use super::recordings::{self, Chunk};
use super::submissions::{self, NewSubmission};
use super::{StoreError, Tx, bigint, past, sessions};
use crate::facts::{Decided, Fact, Submitted};
use countersign_api::context::Identity;
use countersign_core::{DecidedBy, Digest, HostId, LoginId};

/// A fact does not fit what is known.
#[derive(Debug, thiserror::Error)]
pub enum FactError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The entry contradicts the ledger before it.
    #[error("{0}")]
    Contradicts(String),
}

impl From<sqlx::Error> for FactError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The host that wrote it.
    pub host: HostId,
    /// Its login.
    pub login: LoginId,
    /// Its number.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: Digest,
    /// When, ms since 1970.
    pub at_ms: i64,
}

/// Keeps a fact.
pub async fn index(tx: &mut Tx, place: Place, fact: &Fact) -> Result<(), FactError> {
    match fact {
        Fact::SessionOpened { .. } => open_login(tx, place, fact).await,
        Fact::Submitted(facts) => submit(tx, place, facts).await,
        Fact::Decided(facts) => decided(tx, place, facts).await,
        Fact::Started { id } => {
            let sql = "UPDATE submissions SET started_at_ms = $1 WHERE id = $2 AND host = $3 AND login = $4 \
                 AND started_at_ms IS NULL";
            let done = sqlx::query(sql)
                .bind(place.at_ms)
                .bind(id.to_string())
                .bind(place.host.to_string())
                .bind(place.login.to_string())
                .execute(&mut **tx)
                .await?;
            once(done.rows_affected(), "exec_started", &id.to_string())?;
            past::done(tx, place.host, *id, place.at_ms).await?;
            touch(tx, place).await
        }
        Fact::Finished { id, end, code, signal } => {
            let sql = "UPDATE submissions SET finished_at_ms = $1, finish = $2, exit_code = $3, signal = $4 \
                 WHERE id = $5 AND host = $6 AND login = $7 AND finished_at_ms IS NULL";
            let done = sqlx::query(sql)
                .bind(place.at_ms)
                .bind(end)
                .bind(code.map(i64::from))
                .bind(signal.map(i64::from))
                .bind(id.to_string())
                .bind(place.host.to_string())
                .bind(place.login.to_string())
                .execute(&mut **tx)
                .await?;
            once(done.rows_affected(), "exec_finished", &id.to_string())?;
            touch(tx, place).await
        }
        Fact::Chunk { number, start, length, digest } => {
            known_login(tx, place).await?;
            let chunk = Chunk { start: *start, length: *length, digest: *digest };
            if !recordings::announce(tx, place.host, place.login, *number, &chunk).await? {
                return Err(FactError::Contradicts(format!(
                    "recording chunk {number} of login {} does not follow the chunk before it",
                    place.login
                )));
            }
            touch(tx, place).await
        }
        Fact::SessionClosed { why, refused, recording_bytes } => {
            let sql = "UPDATE logins SET closed_at_ms = $1, close_why = $2, refused = $3, recording_bytes = $4 \
                 WHERE id = $5 AND host = $6 AND closed_at_ms IS NULL";
            let done = sqlx::query(sql)
                .bind(place.at_ms)
                .bind(why)
                .bind(refused)
                .bind(bigint(*recording_bytes))
                .bind(place.login.to_string())
                .bind(place.host.to_string())
                .execute(&mut **tx)
                .await?;
            once(done.rows_affected(), "session_closed", &place.login.to_string())?;
            touch(tx, place).await
        }
    }
}

async fn open_login(tx: &mut Tx, place: Place, opened: &Fact) -> Result<(), FactError> {
    let Fact::SessionOpened { agent, kind, tty, source_ip, claimed, claimed_error, identity } = opened else {
        return Ok(());
    };
    let taken: Option<i64> = sqlx::query_scalar("SELECT 1 FROM logins WHERE id = $1")
        .bind(place.login.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if taken.is_some() {
        return Err(FactError::Contradicts(format!("login {} was opened before", place.login)));
    }
    // A verified identity tells sessions apart better than an address.
    let source = identity.as_deref().and_then(credential_of).unwrap_or_else(|| source_ip.clone());
    let session = sessions::session_for(tx, place.host, agent, &source, place.at_ms).await?;
    let sql = "INSERT INTO logins (id, host, session, agent, kind, tty, opened_at_ms, claimed, claimed_error, identity) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    sqlx::query(sql)
        .bind(place.login.to_string())
        .bind(place.host.to_string())
        .bind(&session)
        .bind(agent)
        .bind(kind)
        .bind(i64::from(*tty))
        .bind(place.at_ms)
        .bind(claimed)
        .bind(claimed_error)
        .bind(identity)
        .execute(&mut **tx)
        .await?;
    Ok(sessions::touch(tx, &session, place.at_ms).await?)
}

/// User and credential of a verified identity, as one word for both.
fn credential_of(identity: &str) -> Option<String> {
    let identity: Identity = serde_json::from_str(identity).ok()?;
    Some(format!("verified {} {}", identity.user, identity.credential.unwrap_or_default()))
}

async fn submit(tx: &mut Tx, place: Place, facts: &Submitted) -> Result<(), FactError> {
    let (session, agent) = known_login(tx, place).await?;
    let login = place.login.to_string();
    let new = NewSubmission {
        seq: place.seq,
        leaf: place.leaf,
        login: &login,
        session: &session,
        agent: &agent,
        at_ms: place.at_ms,
    };
    if !submissions::add(tx, place.host, &new, facts).await? {
        return Err(FactError::Contradicts(format!("submission {} was made before", facts.id)));
    }
    let marks: Vec<&str> = facts.flags.lines().collect();
    past::flag_it(tx, &marks, facts.id).await?;
    Ok(sessions::touch(tx, &session, place.at_ms).await?)
}

async fn decided(tx: &mut Tx, place: Place, facts: &Decided) -> Result<(), FactError> {
    let done = sqlx::query(
        "UPDATE submissions SET outcome = $1, outcome_at_ms = $2, decided_by = $3, latency_ms = $4, reason = $5, \
         why = $6 WHERE id = $7 AND host = $8 AND login = $9 AND leaf = $10 AND outcome IS NULL",
    )
    .bind(facts.outcome.as_str())
    .bind(place.at_ms)
    .bind(facts.by.as_ref().map(ToString::to_string))
    .bind(bigint(facts.latency_ms))
    .bind(&facts.comment)
    .bind(&facts.why)
    .bind(facts.id.to_string())
    .bind(place.host.to_string())
    .bind(place.login.to_string())
    .bind(facts.of.to_string())
    .execute(&mut **tx)
    .await?;
    once(done.rows_affected(), "decided", &facts.id.to_string())?;
    if facts.outcome.lets_run() && !approved_here(tx, facts).await? {
        past::flag_it(tx, &["gate_tamper"], facts.id).await?;
    }
    if let Some(DecidedBy::Person(name)) = &facts.by {
        submissions::decided_by_person(tx, facts.id, name).await?;
    }
    touch(tx, place).await
}

/// Whether this service has approved what the host let run.
async fn approved_here(tx: &mut Tx, facts: &Decided) -> Result<bool, FactError> {
    let approved: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM decisions WHERE submission = $1 AND choice = 'approve'")
            .bind(facts.id.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    Ok(approved.is_some())
}

/// The work session and agent of the entry's login.
async fn known_login(tx: &mut Tx, place: Place) -> Result<(String, String), FactError> {
    let known: Option<(String, String)> =
        sqlx::query_as("SELECT session, agent FROM logins WHERE id = $1 AND host = $2")
            .bind(place.login.to_string())
            .bind(place.host.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    known.ok_or_else(|| FactError::Contradicts(format!("login {} was never opened on this host", place.login)))
}

async fn touch(tx: &mut Tx, place: Place) -> Result<(), FactError> {
    Ok(sessions::touch_of(tx, (place.host, place.login), place.at_ms).await?)
}

fn once(rows: u64, what: &str, id: &str) -> Result<(), FactError> {
    if rows == 1 {
        return Ok(());
    }
    Err(FactError::Contradicts(format!(
        "a {what} entry for {id}, which this login does not have in a state that fits, or has had it before"
    )))
}
