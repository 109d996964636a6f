//! What an agent did before, as far as anomaly flags need it, and what was
//! found of a command.

use super::submissions::Submission;
use super::{StoreError, Tx, bigint, number};
use countersign_analysis::anomaly::{DENIAL_MS, History, MINUTE_MS};
use countersign_analysis::risk::Risk;
use countersign_core::{HostId, SubmissionId};
use sqlx::Sqlite;
use sqlx::sqlite::SqliteArguments;
use std::collections::BTreeSet;

/// A line denied within [`DENIAL_MS`] was submitted at most so long ago.
const WAITED_MS: i64 = 60 * 60 * 1000;

/// Whose past it is.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The host.
    pub host: HostId,
    /// The agent.
    pub agent: &'a str,
    /// The work session.
    pub session: &'a str,
}

/// Before what.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// `seq` of the entry.
    pub seq: u64,
    /// When its host wrote it, ms since 1970.
    pub at_ms: i64,
    /// Its number in the work session.
    pub number: u64,
    /// The service's time, ms since 1970.
    pub now_ms: i64,
}

/// The columns of [`PastRow`], of the agent and work session that these
/// expressions name. They take the arguments 1 to 12, as [`bind`] gives them.
///
/// 50 scores are what is usual in a session, 200 denials are compared with, and
/// fewer than 20 lines a minute are too many. The numbers stand in the text:
/// SQLite compiles a statement anew whenever the argument of a `LIMIT` is bound.
///
/// A line that a person denied or a rule blocked is a denial: that nobody was
/// there is nobody's.
macro_rules! columns {
    ($agent:literal, $session:literal) => {
        concat!(
            "(SELECT json_group_array(score) FROM (SELECT score FROM submissions WHERE session = ",
            $session,
            " AND number < $6 AND score IS NOT NULL ORDER BY number DESC LIMIT 50)) AS scores, \
             (SELECT COUNT(*) FROM (SELECT 1 FROM submissions WHERE host = $1 AND agent = ",
            $agent,
            " AND submitted_at_ms > $7 AND submitted_at_ms <= $4 AND seq < $3 LIMIT 20)) AS lately, \
             (SELECT json_group_array(command) FROM (SELECT s.command FROM submissions s INDEXED BY submissions_denied \
             LEFT JOIN decisions d ON d.submission = s.id \
             WHERE s.denied = 1 AND s.host = $1 AND s.agent = ",
            $agent,
            " AND s.submitted_at_ms > $8 AND s.submitted_at_ms <= $4 AND s.seq < $3 \
             AND (s.submitted_at_ms > $9 OR d.decided_at_ms > $10) ORDER BY s.submitted_at_ms DESC LIMIT 200)) AS denied, \
             (SELECT json_group_array(name) FROM agent_firsts WHERE host = $1 AND agent = ",
            $agent,
            " AND what = 'program' AND name IN (SELECT value FROM json_each($11))) AS programs, \
             (SELECT json_group_array(name) FROM agent_firsts WHERE host = $1 AND agent = ",
            $agent,
            " AND what = 'host' AND name IN (SELECT value FROM json_each($12))) AS hosts"
        )
    };
}
pub(super) use columns;

type Asking<O> = sqlx::query::QueryAs<'static, Sqlite, O, SqliteArguments>;

/// Gives a query with [`columns`] its arguments 1 to 12. Times are compared by
/// the host's own clock, so that a clock that is wrong changes nothing.
pub fn bind<O>(query: Asking<O>, who: Who<'_>, at: Place, risk: &Risk) -> Result<Asking<O>, StoreError> {
    let programs: BTreeSet<&str> = risk.programs.iter().map(String::as_str).collect();
    let hosts: BTreeSet<&str> = risk.hosts.iter().map(|reached| reached.host.as_str()).collect();
    Ok(query
        .bind(who.host.to_string())
        .bind(who.agent.to_owned())
        .bind(bigint(at.seq))
        .bind(at.at_ms)
        .bind(who.session.to_owned())
        .bind(bigint(at.number))
        .bind(at.at_ms.saturating_sub(MINUTE_MS))
        .bind(at.at_ms.saturating_sub(WAITED_MS))
        .bind(at.at_ms.saturating_sub(DENIAL_MS))
        .bind(at.now_ms.saturating_sub(DENIAL_MS))
        .bind(json(&programs)?)
        .bind(json(&hosts)?))
}

/// The past as it is read.
#[derive(Debug, sqlx::FromRow)]
pub struct PastRow {
    scores: String,
    lately: i64,
    denied: String,
    programs: String,
    hosts: String,
}

impl PastRow {
    /// What it says.
    pub fn read(&self) -> Result<History, StoreError> {
        Ok(History {
            scores: list("score", &self.scores)?,
            lately: number("count", self.lately)?,
            denied: list("command", &self.denied)?,
            programs: Some(list("program", &self.programs)?),
            hosts: Some(list("host", &self.hosts)?),
        })
    }
}

/// What is known of the agent of a submission that is held, before it.
pub async fn past(tx: &mut Tx, submission: &Submission, risk: &Risk, now_ms: i64) -> Result<History, StoreError> {
    let Submission { host, agent, session, seq, at_ms, number, .. } = submission;
    let place = Place { seq: *seq, at_ms: *at_ms, number: *number, now_ms };
    let query = sqlx::query_as(concat!("SELECT ", columns!("$2", "$5")));
    let row: PastRow = bind(query, Who { host: *host, agent, session }, place, risk)?.fetch_one(&mut **tx).await?;
    row.read()
}

/// Reads a column that holds a list.
pub fn list<T: serde::de::DeserializeOwned>(what: &'static str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::Unreadable { what })
}

/// What was found of a command.
#[derive(Debug)]
pub struct Found<'a> {
    /// Its score.
    pub score: u8,
    /// Its flags.
    pub anomalies: &'a [String],
    /// The rest, JSON.
    pub found: String,
    /// What it runs.
    pub programs: &'a [String],
    /// What it talks to.
    pub reached: &'a [String],
}

/// Keeps it.
pub async fn keep_found(tx: &mut Tx, submission: &Submission, found: &Found<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE submissions SET score = $1, anomalies = $2, found = $3, programs = $4, reached = $5 WHERE id = $6",
    )
    .bind(i64::from(found.score))
    .bind(found.anomalies.join(" "))
    .bind(&found.found)
    .bind(json(found.programs)?)
    .bind(json(found.reached)?)
    .bind(submission.id.to_string())
    .execute(&mut **tx)
    .await?;
    flag_it(tx, found.anomalies, submission.id).await
}

/// More flags of a command, so that it is found by them.
pub async fn flag_it<T: serde::Serialize>(tx: &mut Tx, flags: &[T], id: SubmissionId) -> Result<(), StoreError> {
    if flags.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO submission_flags (flag, position) SELECT j.value, s.position FROM json_each($1) j \
         CROSS JOIN submissions s WHERE s.id = $2 ON CONFLICT DO NOTHING",
    )
    .bind(json(flags)?)
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A column that holds a list.
pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Unreadable { what: "list" })
}
