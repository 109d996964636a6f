//! Work sessions: logins of one agent, one host and one source address less
//! than 30 minutes apart, named `<agent>-NN`. A login within a login belongs to
//! the session of that one, whatever address it claims.

use super::{Store, StoreError, Tx, number, parsed};
use countersign_api::service::SessionRow;
use countersign_core::{HostId, LoginId, Outcome};
use std::collections::HashMap;

/// Logins further apart than this are another session.
const APART_MS: i64 = 30 * 60 * 1000;

/// The session that a login belongs to.
#[derive(Debug)]
pub struct SessionOf {
    /// Its name.
    pub name: String,
    /// Whether it begins with this login.
    pub begins: bool,
    /// Which one of its agent it is, where it begins.
    pub number: i64,
}

/// The session that a new login belongs to: the last, or the next where that is
/// too old. `None` where there is a login of this id already.
pub async fn session_for(
    tx: &mut Tx,
    (login, outer): (LoginId, Option<LoginId>),
    host: HostId,
    agent: &str,
    source: &str,
    at_ms: i64,
) -> Result<Option<SessionOf>, StoreError> {
    let (taken, known, next): (bool, Option<String>, i64) = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM logins WHERE id = $5), \
         COALESCE((SELECT session FROM logins WHERE id = $6 AND host = $2 AND agent = $1), \
         (SELECT name FROM sessions WHERE agent = $1 AND host = $2 AND source = $3 AND (last_at_ms > $4 \
         OR EXISTS (SELECT 1 FROM logins WHERE session = sessions.name AND closed_at_ms IS NULL)) \
         ORDER BY number DESC LIMIT 1)), \
         (SELECT COALESCE(MAX(number), 0) + 1 FROM sessions WHERE agent = $1)",
    )
    .bind(agent)
    .bind(host.to_string())
    .bind(source)
    .bind(at_ms.saturating_sub(APART_MS))
    .bind(login.to_string())
    .bind(outer.map(|outer| outer.to_string()))
    .fetch_one(&mut **tx)
    .await?;
    let begins = known.is_none();
    let name = known.unwrap_or_else(|| format!("{agent}-{next:02}"));
    Ok((!taken).then_some(SessionOf { name, begins, number: next }))
}

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    agent: String,
    host_name: String,
    opened_at_ms: i64,
    last_at_ms: i64,
}

/// The newest sessions, as a condition for the queries on their parts.
const NEWEST: &str = "(SELECT name FROM sessions ORDER BY opened_at_ms DESC, name DESC LIMIT $1)";

impl Store {
    /// Work sessions, newest first.
    pub async fn sessions(&self, limit: u32) -> Result<Vec<SessionRow>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT s.name, s.agent, h.name AS host_name, s.opened_at_ms, s.last_at_ms \
             FROM sessions s JOIN hosts h ON h.id = s.host ORDER BY s.opened_at_ms DESC, s.name DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        let mut logins = self.session_logins(limit).await?;
        let mut counts = self.session_counts(limit).await?;
        rows.into_iter()
            .map(|row| {
                let (logins, open) = logins.remove(&row.name).unwrap_or_default();
                let (commands, outcomes) = counts.remove(&row.name).unwrap_or_default();
                Ok(SessionRow {
                    name: row.name,
                    agent: row.agent,
                    host_name: parsed("host name", &row.host_name)?,
                    started_at_ms: row.opened_at_ms,
                    ended_at_ms: row.last_at_ms,
                    open,
                    commands,
                    outcomes,
                    logins,
                })
            })
            .collect()
    }

    async fn session_logins(&self, limit: u32) -> Result<HashMap<String, (Vec<LoginId>, bool)>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT session, id, closed_at_ms FROM logins WHERE session IN {NEWEST} ORDER BY opened_at_ms, id"
        ));
        let rows: Vec<(String, String, Option<i64>)> =
            sqlx::query_as(sql).bind(i64::from(limit)).fetch_all(&self.reader).await?;
        let mut by_session: HashMap<String, (Vec<LoginId>, bool)> = HashMap::new();
        for (session, id, closed_at_ms) in rows {
            let (logins, open) = by_session.entry(session).or_default();
            logins.push(parsed("login id", &id)?);
            *open |= closed_at_ms.is_none();
        }
        Ok(by_session)
    }

    async fn session_counts(&self, limit: u32) -> Result<HashMap<String, (u64, Vec<(Outcome, u64)>)>, StoreError> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT session, outcome, COUNT(*) FROM submissions WHERE session IN {NEWEST} GROUP BY session, outcome"
        ));
        let rows: Vec<(String, Option<String>, i64)> =
            sqlx::query_as(sql).bind(i64::from(limit)).fetch_all(&self.reader).await?;
        let mut by_session: HashMap<String, (u64, Vec<(Outcome, u64)>)> = HashMap::new();
        for (session, outcome, count) in rows {
            let count: u64 = number("count", count)?;
            let (commands, outcomes) = by_session.entry(session).or_default();
            *commands += count;
            if let Some(outcome) = outcome {
                outcomes.push((parsed("outcome", &outcome)?, count));
            }
        }
        for (_, outcomes) in by_session.values_mut() {
            outcomes.sort();
        }
        Ok(by_session)
    }
}
