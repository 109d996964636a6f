//! The audit: one row a command, in the host's own words where it has spoken.
//!
//! Asked in two steps: [`question`] finds out which commands, by indexes that
//! are in the order of the answer; then their rows are read, each by its key.

mod history;
mod question;
mod record;
mod rules;
#[cfg(test)]
mod tests;

pub use history::Decided;
pub use question::{last_position_of, position_of};
pub use record::Found;
pub use rules::keep_review;

use super::about::AboutRow;
use super::submissions::{flags, names, program_facts, read_steps, risk};
use super::triage::LastVerdict;
use super::{Store, StoreError, number, parsed};
use countersign_api::service::{AuditQuery, AuditRow, Safety};
use countersign_core::{Outcome, SubmissionId};
use countersign_ledger::{Entry, Value};
use question::{Anchor, Asked, Search};
use std::collections::{BTreeMap, HashMap};

/// Rows where the question names no limit.
const DEFAULT_ROWS: u32 = 50;

/// Rows by their positions, a JSON list.
const ROWS: &str = "SELECT s.position, s.id, s.agent, s.host, h.name AS host_name, s.login, s.session, s.number, \
    s.command, s.cwd, s.shell, s.tty, s.locale, s.flags, s.transfer, s.program_bytes, s.program_digest, \
    s.submitted_at_ms, s.outcome_at_ms, s.outcome, s.decided_by, s.latency_ms, s.reason, s.why, s.started_at_ms, \
    s.finished_at_ms, s.exit_code, s.signal, s.seq, s.leaf, d.choice, d.decided_at_ms AS signed_at_ms, s.steps, \
    s.score, s.found, s.anomalies, \
    (SELECT group_concat(a.reviewer, ' ') FROM approvals a WHERE a.submission = s.id) AS approvals, \
    (SELECT group_concat(w.reviewer, ' ') FROM submission_shown w WHERE w.submission = s.id) AS shown_to, s.asked, \
    s.context, l.claimed, l.claimed_error, l.identity, e.line, \
    t.seq AS triage_seq, t.verdict, t.reviewer AS triaged_by, t.note, t.at_ms AS triaged_at_ms \
    FROM json_each($1) p CROSS JOIN submissions s ON s.position = p.value CROSS JOIN hosts h ON h.id = s.host \
    CROSS JOIN logins l ON l.id = s.login LEFT JOIN decisions d ON d.submission = s.id \
    LEFT JOIN entries e ON e.host = s.host AND e.seq = s.seq \
    LEFT JOIN triage t ON t.seq = (SELECT MAX(seq) FROM triage WHERE submission = s.id)";

/// What was asked for cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The question makes no sense; why.
    #[error("{0}")]
    Question(String),
}

impl From<sqlx::Error> for AuditError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    id: String,
    agent: String,
    host: String,
    host_name: String,
    login: String,
    session: String,
    number: i64,
    command: String,
    cwd: String,
    shell: String,
    tty: i64,
    locale: String,
    flags: String,
    transfer: Option<String>,
    program_bytes: Option<i64>,
    program_digest: Option<String>,
    submitted_at_ms: i64,
    outcome_at_ms: Option<i64>,
    outcome: Option<String>,
    decided_by: Option<String>,
    latency_ms: Option<i64>,
    reason: Option<String>,
    why: Option<String>,
    started_at_ms: Option<i64>,
    finished_at_ms: Option<i64>,
    exit_code: Option<i64>,
    signal: Option<i64>,
    seq: i64,
    leaf: String,
    choice: Option<String>,
    signed_at_ms: Option<i64>,
    steps: String,
    score: Option<i64>,
    found: String,
    anomalies: String,
    approvals: Option<String>,
    shown_to: Option<String>,
    asked: String,
    line: Option<String>,
    #[sqlx(flatten)]
    about: AboutRow,
    #[sqlx(flatten)]
    triage: LastVerdict,
}

impl Store {
    /// Rows that fit every filter given, newest first.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, AuditError> {
        if query.text.is_some() || query.prefix.is_some() {
            self.index_texts().await?;
        }
        let Some(asked) = self.asked(query).await? else { return Ok(Vec::new()) };
        let limit = i64::from(query.limit.unwrap_or(DEFAULT_ROWS));
        let positions: Vec<i64> = asked.statement(limit).build_query_scalar().fetch_all(&self.reader).await?;
        Ok(self.audit_rows(&positions).await?)
    }

    /// The question with the names in it looked up; `None` where nothing can fit.
    async fn asked<'a>(&self, query: &'a AuditQuery) -> Result<Option<Asked<'a>>, AuditError> {
        let (text, prefix) = (Search::anywhere(query.text.as_deref())?, Search::beginning(query.prefix.as_deref())?);
        let hosts: Option<Vec<String>> = match &query.target {
            Some(name) => {
                let ids = sqlx::query_scalar("SELECT id FROM hosts WHERE name = $1").bind(name.as_str());
                Some(ids.fetch_all(&self.reader).await?)
            }
            None => None,
        };
        let before = match query.before {
            Some(id) => Some(self.anchor(id, query.session.as_deref()).await?),
            None => None,
        };
        if hosts.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        Asked::new(query, [text, prefix], hosts.unwrap_or_default(), before).map(Some)
    }

    async fn anchor(&self, id: SubmissionId, session: Option<&str>) -> Result<Anchor, AuditError> {
        let row: Option<(i64, i64, String)> =
            sqlx::query_as("SELECT position, number, session FROM submissions WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.reader)
                .await?;
        match row {
            Some((position, number, of)) if session.is_none_or(|session| session == of) => {
                Ok(Anchor { position, number })
            }
            Some(_) => Err(AuditError::Question(format!("`before`: {id} is not of this session"))),
            None => Err(AuditError::Question(format!("`before`: there is no command {id}"))),
        }
    }

    /// The rows at these positions, in this order.
    async fn audit_rows(&self, positions: &[i64]) -> Result<Vec<AuditRow>, StoreError> {
        let json = serde_json::to_string(positions).map_err(|_| StoreError::Unreadable { what: "list" })?;
        let rows: Vec<Row> = sqlx::query_as(ROWS).bind(json).fetch_all(&self.reader).await?;
        let rules = self.rules_then(rows.iter().filter_map(|row| row.decided_by.as_deref())).await?;
        let mut read: HashMap<i64, AuditRow> = HashMap::new();
        for row in rows {
            let (position, at_ms) = (row.position, row.signed_at_ms.or(row.outcome_at_ms));
            let rule = rules.of(row.decided_by.as_deref(), at_ms)?;
            read.insert(position, AuditRow { rule, ..row.read()? });
        }
        Ok(positions.iter().filter_map(|position| read.remove(position)).collect())
    }
}

impl Row {
    fn read(self) -> Result<AuditRow, StoreError> {
        let outcome: Option<Outcome> = self.outcome.map(|o| parsed("outcome", &o)).transpose()?;
        let approved = self.choice.as_deref() == Some("approve");
        let ran_by_host = outcome.is_some_and(Outcome::lets_run);
        // The host says it may run and this service never said so.
        let tampered = ran_by_host && !approved;
        let mut anomalies = flags(&self.flags, &self.anomalies);
        if tampered && !anomalies.iter().any(|flag| flag == "gate_tamper") {
            anomalies.push("gate_tamper".to_owned());
        }
        let late = outcome == Some(Outcome::TimedOut)
            || (outcome == Some(Outcome::Error) && self.why.as_deref() == Some("reply_late"));
        Ok(AuditRow {
            id: parsed("submission id", &self.id)?,
            agent: self.agent,
            host: parsed("host id", &self.host)?,
            host_name: parsed("host name", &self.host_name)?,
            login: parsed("login id", &self.login)?,
            session: self.session,
            number: number("number", self.number)?,
            command: self.command,
            cwd: self.cwd,
            shell: self.shell,
            tty: self.tty != 0,
            locale: self.locale.lines().map(str::to_owned).collect(),
            transfer: self.transfer,
            program: program_facts(self.program_bytes, self.program_digest)?,
            submitted_at_ms: self.submitted_at_ms,
            decided_at_ms: self.outcome_at_ms,
            outcome,
            decided_by: self.decided_by.map(|by| parsed("decider", &by)).transpose()?,
            review_latency_ms: self.latency_ms.map(|ms| number("latency", ms)).transpose()?,
            reason: self.reason.or(self.why),
            rule: None,
            late_approval: approved && late,
            risk: risk(self.score, &self.found)?,
            anomalies,
            steps: read_steps(&self.steps)?,
            approvals: names(self.approvals.as_deref())?,
            triage: self.triage.read()?,
            shown_to: (!self.asked.is_empty()).then(|| names(self.shown_to.as_deref())).transpose()?,
            safety: safety(self.line.as_deref()),
            exit_code: self.exit_code.map(|code| number("exit code", code)).transpose()?,
            signal: self.signal.map(|signal| number("signal", signal)).transpose()?,
            started_at_ms: self.started_at_ms,
            finished_at_ms: self.finished_at_ms,
            about: Box::new(self.about.read()),
            seq: number("seq", self.seq)?,
            entry: parsed("leaf hash", &self.leaf)?,
        })
    }
}

/// What the host's entry says of secrets and personal data; nothing where its line is not held any more.
fn safety(line: Option<&str>) -> Safety {
    let Some(entry) = line.and_then(|line| Entry::parse(line.as_bytes()).ok()) else { return Safety::default() };
    let counts = |name: &str| -> BTreeMap<String, u64> {
        let members = entry.body.get(name).and_then(Value::as_object);
        members.into_iter().flatten().filter_map(|(kind, count)| Some((kind.clone(), count.as_int()?))).collect()
    };
    Safety { redacted: counts("redactions"), personal: counts("personal"), expansions: counts("expansions") }
}
