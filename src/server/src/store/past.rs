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
///
/// One statement: each is a way to another thread and back, for every line.
/// A line that a person denied or a rule blocked is a denial: that nobody was
/// there is nobody's.
pub async fn past(tx: &mut Tx, submission: &Submission, risk: &Risk, now_ms: i64) -> Result<History, StoreError> {
    let programs: BTreeSet<&str> = risk.programs.iter().map(String::as_str).collect();
    let hosts: BTreeSet<&str> = risk.hosts.iter().map(|reached| reached.host.as_str()).collect();
    let (scores, lately, denied, programs, hosts): (String, i64, String, String, String) = sqlx::query_as(PAST)
        .bind(submission.host.to_string())
        .bind(&submission.agent)
        .bind(bigint(submission.seq))
        .bind(submission.at_ms)
        .bind(&submission.session)
        .bind(bigint(submission.number))
        .bind(SCORES)
        .bind(submission.at_ms.saturating_sub(MINUTE_MS))
        .bind(submission.at_ms.saturating_sub(WAITED_MS))
        .bind(submission.at_ms.saturating_sub(DENIAL_MS))
        .bind(now_ms.saturating_sub(DENIAL_MS))
        .bind(DENIALS)
        .bind(json(&programs)?)
        .bind(json(&hosts)?)
        .fetch_one(&mut **tx)
        .await?;
    Ok(History {
        scores: list("score", &scores)?,
        lately: number("count", lately)?,
        denied: list("command", &denied)?,
        programs: Some(list("program", &programs)?),
        hosts: Some(list("host", &hosts)?),
    })
}

const PAST: &str = "SELECT \
    (SELECT json_group_array(score) FROM (SELECT score FROM submissions WHERE session = $5 AND number < $6 \
     AND score IS NOT NULL ORDER BY number DESC LIMIT $7)), \
    (SELECT COUNT(*) FROM submissions WHERE host = $1 AND agent = $2 AND submitted_at_ms > $8 \
     AND submitted_at_ms <= $4 AND seq < $3), \
    (SELECT json_group_array(command) FROM (SELECT s.command FROM submissions s \
     LEFT JOIN decisions d ON d.submission = s.id \
     WHERE s.host = $1 AND s.agent = $2 AND s.submitted_at_ms > $9 AND s.submitted_at_ms <= $4 AND s.seq < $3 \
     AND ((d.choice = 'deny' AND d.decided_by <> 'timeout') OR s.outcome IN ('denied', 'blocked')) \
     AND (s.submitted_at_ms > $10 OR d.decided_at_ms > $11) ORDER BY s.submitted_at_ms DESC LIMIT $12)), \
    (SELECT json_group_array(name) FROM agent_firsts WHERE host = $1 AND agent = $2 AND what = 'program' \
     AND name IN (SELECT value FROM json_each($13))), \
    (SELECT json_group_array(name) FROM agent_firsts WHERE host = $1 AND agent = $2 AND what = 'host' \
     AND name IN (SELECT value FROM json_each($14)))";

fn list<T: serde::de::DeserializeOwned>(what: &'static str, json: &str) -> Result<T, StoreError> {
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

/// It runs: from now on its agent has run these programs and talked to these hosts.
pub async fn done(tx: &mut Tx, host: HostId, id: SubmissionId, at_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO agent_firsts (host, agent, what, name, at_ms, submission) \
         SELECT s.host, s.agent, 'program', j.value, $1, s.id FROM submissions s, json_each(s.programs) j \
         WHERE s.id = $2 AND s.host = $3 UNION ALL \
         SELECT s.host, s.agent, 'host', j.value, $1, s.id FROM submissions s, json_each(s.reached) j \
         WHERE s.id = $2 AND s.host = $3 ON CONFLICT DO NOTHING",
    )
    .bind(at_ms)
    .bind(id.to_string())
    .bind(host.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Unreadable { what: "list" })
}
