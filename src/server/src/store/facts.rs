//! Facts of entries into the tables that questions are asked of, in one go with
//! the entry itself.
//!
//! Each query is a way to the database's own thread and back, which takes longer
//! than most of them: so one of several statements keeps an entry and its fact
//! (ADR 31). Where the fact does not fit, nothing of it may be committed.

use super::entries::{New, with_entry};
use super::{StoreError, Tx, bigint, sessions};
use crate::facts::{Decided, Fact};
use countersign_api::context::Identity;
use countersign_core::{DecidedBy, LoginId};

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

/// Something happened in the session of the login.
macro_rules! touch {
    () => {
        "UPDATE sessions SET last_at_ms = $9 WHERE last_at_ms < $9 \
         AND name = (SELECT session FROM logins WHERE id = $5 AND host = $1)"
    };
}

const STARTED: &str = with_entry!(
    "UPDATE submissions SET started_at_ms = $9 WHERE id = $10 AND host = $1 AND login = $5 \
     AND started_at_ms IS NULL RETURNING 1",
    // From now on its agent has run these programs and talked to these hosts.
    "INSERT INTO agent_firsts (host, agent, what, name, at_ms, submission) \
     SELECT s.host, s.agent, 'program', j.value, $9, s.id FROM submissions s, json_each(s.programs) j \
     WHERE s.id = $10 AND s.host = $1 UNION ALL \
     SELECT s.host, s.agent, 'host', j.value, $9, s.id FROM submissions s, json_each(s.reached) j \
     WHERE s.id = $10 AND s.host = $1 ON CONFLICT DO NOTHING",
    touch!()
);

const FINISHED: &str = with_entry!(
    "UPDATE submissions SET finished_at_ms = $9, finish = $11, exit_code = $12, signal = $13 \
     WHERE id = $10 AND host = $1 AND login = $5 AND finished_at_ms IS NULL RETURNING 1",
    touch!()
);

const DECIDED: &str = with_entry!(
    "UPDATE submissions SET outcome = $11, outcome_at_ms = $9, decided_by = $12, latency_ms = $13, reason = $14, \
     why = $15, denied = MAX(denied, $11 IN ('denied', 'blocked')) \
     WHERE id = $10 AND host = $1 AND login = $5 AND leaf = $16 AND outcome IS NULL RETURNING 1",
    // The host let it run, and this service has not approved it.
    "INSERT INTO submission_flags (flag, position) SELECT 'gate_tamper', position FROM submissions WHERE id = $10 \
     AND $17 AND NOT EXISTS (SELECT 1 FROM decisions WHERE submission = $10 AND choice = 'approve') \
     ON CONFLICT DO NOTHING",
    "INSERT INTO submission_reviewers (reviewer, position) SELECT $18, position FROM submissions WHERE id = $10 \
     AND $18 IS NOT NULL ON CONFLICT DO NOTHING",
    touch!()
);

const CHUNK: &str = with_entry!(
    "INSERT INTO recordings (login, host, announced, held, verified) SELECT id, host, 0, 0, 0 FROM logins \
     WHERE id = $5 AND host = $1 ON CONFLICT DO NOTHING",
    "INSERT INTO recording_chunks (login, number, start_byte, length, digest) SELECT login, $10, $11, $12, $13 \
     FROM recordings WHERE login = $5 AND host = $1 AND announced = $11 \
     AND (SELECT COUNT(*) FROM recording_chunks WHERE login = $5) = $10 RETURNING 1",
    "UPDATE recordings SET announced = $14 WHERE login = $5 AND host = $1 AND announced = $11",
    touch!()
);

const CLOSED: &str = with_entry!(
    "UPDATE logins SET closed_at_ms = $9, close_why = $10, refused = $11, recording_bytes = $12 \
     WHERE id = $5 AND host = $1 AND closed_at_ms IS NULL RETURNING 1",
    touch!()
);

const OPENED: &str = with_entry!(
    "INSERT INTO sessions (name, agent, host, source, number, opened_at_ms, last_at_ms) \
     SELECT $10, $11, $1, $12, $13, $9, $9 WHERE $19",
    "INSERT INTO logins (id, host, session, agent, kind, tty, opened_at_ms, claimed, claimed_error, identity) \
     VALUES ($5, $1, $10, $11, $14, $15, $9, $16, $17, $18)",
    touch!()
);

/// Keeps an entry of a login and what it says. A command is kept by
/// [`commands::keep`](super::commands::keep).
pub async fn keep(tx: &mut Tx, new: &New<'_>, login: LoginId, fact: &Fact) -> Result<(), FactError> {
    match fact {
        Fact::SessionOpened { .. } => open_login(tx, new, login, fact).await,
        Fact::Submitted(facts) => Err(contradicts("command_submitted", &facts.id.to_string())),
        Fact::Decided(facts) => decided(tx, new, facts).await,
        Fact::Started { id } => {
            let rows = new.bind(STARTED).bind(id.to_string()).fetch_all(&mut **tx).await?;
            once(rows.len(), "exec_started", &id.to_string())
        }
        Fact::Finished { id, end, code, signal } => {
            let query = new.bind(FINISHED).bind(id.to_string()).bind(end.clone());
            let query = query.bind(code.map(i64::from)).bind(signal.map(i64::from));
            once(query.fetch_all(&mut **tx).await?.len(), "exec_finished", &id.to_string())
        }
        Fact::Chunk { number, start, length, digest } => {
            let query = new.bind(CHUNK).bind(bigint(*number)).bind(bigint(*start)).bind(bigint(*length));
            let query = query.bind(digest.to_string()).bind(bigint(start.saturating_add(*length)));
            if query.fetch_all(&mut **tx).await?.len() == 1 {
                return Ok(());
            }
            known_login(tx, new, login).await?;
            Err(FactError::Contradicts(format!(
                "recording chunk {number} of login {login} does not follow the chunk before it"
            )))
        }
        Fact::SessionClosed { why, refused, recording_bytes } => {
            let query = new.bind(CLOSED).bind(why.clone()).bind(refused.clone()).bind(bigint(*recording_bytes));
            once(query.fetch_all(&mut **tx).await?.len(), "session_closed", &login.to_string())
        }
    }
}

async fn open_login(tx: &mut Tx, new: &New<'_>, login: LoginId, opened: &Fact) -> Result<(), FactError> {
    let Fact::SessionOpened { agent, kind, tty, source_ip, nested, claimed, claimed_error, identity } = opened else {
        return Ok(());
    };
    // A verified identity tells sessions apart better than an address.
    let source = identity.as_deref().and_then(credential_of).unwrap_or_else(|| source_ip.clone());
    let logins = (login, *nested);
    let Some(session) = sessions::session_for(tx, logins, new.entry.host, agent, &source, new.at_ms()).await? else {
        return Err(FactError::Contradicts(format!("login {login} was opened before")));
    };
    new.bind(OPENED)
        .bind(session.name)
        .bind(agent.clone())
        .bind(source)
        .bind(session.number)
        .bind(kind.clone())
        .bind(i64::from(*tty))
        .bind(claimed.clone())
        .bind(claimed_error.clone())
        .bind(identity.clone())
        .bind(i64::from(session.begins))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// User and credential of a verified identity, as one word for both.
fn credential_of(identity: &str) -> Option<String> {
    let identity: Identity = serde_json::from_str(identity).ok()?;
    Some(format!("verified {} {}", identity.user, identity.credential.unwrap_or_default()))
}

async fn decided(tx: &mut Tx, new: &New<'_>, facts: &Decided) -> Result<(), FactError> {
    let person = match &facts.by {
        Some(DecidedBy::Person(name)) => Some(name.to_string()),
        Some(_) | None => None,
    };
    let query = new
        .bind(DECIDED)
        .bind(facts.id.to_string())
        .bind(facts.outcome.as_str())
        .bind(facts.by.as_ref().map(ToString::to_string))
        .bind(bigint(facts.latency_ms))
        .bind(facts.comment.clone())
        .bind(facts.why.clone())
        .bind(facts.of.to_string())
        .bind(i64::from(facts.outcome.lets_run()))
        .bind(person);
    once(query.fetch_all(&mut **tx).await?.len(), "decided", &facts.id.to_string())
}

async fn known_login(tx: &mut Tx, new: &New<'_>, login: LoginId) -> Result<(), FactError> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM logins WHERE id = $1 AND host = $2")
        .bind(login.to_string())
        .bind(new.entry.host.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    known.map(drop).ok_or_else(|| never_opened(login))
}

/// The entry's login is not one of its host.
pub fn never_opened(login: LoginId) -> FactError {
    FactError::Contradicts(format!("login {login} was never opened on this host"))
}

fn once(rows: usize, what: &str, id: &str) -> Result<(), FactError> {
    if rows == 1 { Ok(()) } else { Err(contradicts(what, id)) }
}

fn contradicts(what: &str, id: &str) -> FactError {
    FactError::Contradicts(format!(
        "a {what} entry for {id}, which this login does not have in a state that fits, or has had it before"
    ))
}
