//! What an agent did before, as far as anomaly flags need it, and what was
//! found of a command.

use super::submissions::Submission;
use super::{StoreError, Tx, bigint, number};
use countersign_analysis::anomaly::{DENIAL_MS, History, MINUTE_MS};
use countersign_analysis::risk::Risk;
use countersign_core::{HostId, SubmissionId};
use std::collections::BTreeSet;

/// Scores of a session that make what is usual in it.
const SCORES: i64 = 50;
/// Denials that a line is compared with.
const DENIALS: i64 = 200;
/// A line denied within [`DENIAL_MS`] was submitted at most so long ago.
const WAITED_MS: i64 = 60 * 60 * 1000;

/// What is known of the agent of a submission before it. Times are compared by
/// the host's own clock, so that a clock that is wrong changes nothing.
pub async fn past(tx: &mut Tx, submission: &Submission, risk: &Risk, now_ms: i64) -> Result<History, StoreError> {
    let programs = BTreeSet::from_iter(risk.programs.iter().cloned());
    let hosts = BTreeSet::from_iter(risk.hosts.iter().map(|reached| reached.host.clone()));
    Ok(History {
        scores: scores(tx, submission).await?,
        lately: lately(tx, submission).await?,
        denied: denied(tx, submission, now_ms).await?,
        programs: Some(done_before(tx, submission, "program", &programs).await?),
        hosts: Some(done_before(tx, submission, "host", &hosts).await?),
    })
}

async fn scores(tx: &mut Tx, submission: &Submission) -> Result<Vec<u8>, StoreError> {
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT score FROM submissions WHERE session = $1 AND number < $2 AND score IS NOT NULL \
         ORDER BY number DESC LIMIT $3",
    )
    .bind(&submission.session)
    .bind(bigint(submission.number))
    .bind(SCORES)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(|score| number("score", score)).collect()
}

async fn lately(tx: &mut Tx, submission: &Submission) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM submissions WHERE host = $1 AND agent = $2 AND submitted_at_ms > $3 \
         AND submitted_at_ms <= $4 AND seq < $5",
    )
    .bind(submission.host.to_string())
    .bind(&submission.agent)
    .bind(submission.at_ms.saturating_sub(MINUTE_MS))
    .bind(submission.at_ms)
    .bind(bigint(submission.seq))
    .fetch_one(&mut **tx)
    .await?;
    number("count", count)
}

/// Lines that a person denied or a rule blocked: that nobody was there is no denial of anybody's.
async fn denied(tx: &mut Tx, submission: &Submission, now_ms: i64) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT s.command FROM submissions s LEFT JOIN decisions d ON d.submission = s.id \
         WHERE s.host = $1 AND s.agent = $2 AND s.submitted_at_ms > $3 AND s.submitted_at_ms <= $4 AND s.seq < $5 \
         AND ((d.choice = 'deny' AND d.decided_by <> 'timeout') OR s.outcome IN ('denied', 'blocked')) \
         AND (s.submitted_at_ms > $6 OR d.decided_at_ms > $7) ORDER BY s.submitted_at_ms DESC LIMIT $8",
    )
    .bind(submission.host.to_string())
    .bind(&submission.agent)
    .bind(submission.at_ms.saturating_sub(WAITED_MS))
    .bind(submission.at_ms)
    .bind(bigint(submission.seq))
    .bind(submission.at_ms.saturating_sub(DENIAL_MS))
    .bind(now_ms.saturating_sub(DENIAL_MS))
    .bind(DENIALS)
    .fetch_all(&mut **tx)
    .await?)
}

async fn done_before(
    tx: &mut Tx,
    submission: &Submission,
    what: &str,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, StoreError> {
    if names.is_empty() {
        return Ok(BTreeSet::new());
    }
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM agent_firsts WHERE host = $1 AND agent = $2 AND what = $3 \
         AND name IN (SELECT value FROM json_each($4))",
    )
    .bind(submission.host.to_string())
    .bind(&submission.agent)
    .bind(what)
    .bind(json(names)?)
    .fetch_all(&mut **tx)
    .await?;
    Ok(names.into_iter().collect())
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
    for flag in found.anomalies {
        flag_it(tx, flag, submission.at_ms, submission.id).await?;
    }
    Ok(())
}

/// One more flag of a command, so that it is found by it.
pub async fn flag_it(tx: &mut Tx, flag: &str, at_ms: i64, id: SubmissionId) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO submission_flags (flag, submitted_at_ms, submission) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(flag)
    .bind(at_ms)
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// It runs: from now on its agent has run these programs and talked to these hosts.
pub async fn done(tx: &mut Tx, host: HostId, id: SubmissionId, at_ms: i64) -> Result<(), StoreError> {
    for (what, column) in [("program", "programs"), ("host", "reached")] {
        let sql = sqlx::AssertSqlSafe(format!(
            "INSERT INTO agent_firsts (host, agent, what, name, at_ms, submission) \
             SELECT s.host, s.agent, $1, j.value, $2, s.id FROM submissions s, json_each(s.{column}) j \
             WHERE s.id = $3 AND s.host = $4 ON CONFLICT DO NOTHING"
        ));
        sqlx::query(sql).bind(what).bind(at_ms).bind(id.to_string()).bind(host.to_string()).execute(&mut **tx).await?;
    }
    Ok(())
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Unreadable { what: "list" })
}
