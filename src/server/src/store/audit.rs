//! The audit: one row a command, in the host's own words where it has spoken.

use super::about::AboutRow;
use super::submissions::{flags, names, program_facts, read_steps, risk};
use super::{RuleRow, Store, StoreError, number, parsed};
use countersign_api::service::{AuditQuery, AuditRow, Rule};
use countersign_core::Outcome;
use sqlx::{QueryBuilder, Sqlite};

/// Rows where the question names no limit.
const DEFAULT_ROWS: u32 = 50;

const SELECT: &str = "SELECT s.id, s.agent, s.host, h.name AS host_name, s.login, s.session, s.number, s.command, \
    s.cwd, s.shell, s.tty, s.locale, s.flags, s.transfer, s.program_bytes, s.program_digest, s.submitted_at_ms, s.outcome_at_ms, s.outcome, s.decided_by, s.latency_ms, s.reason, s.why, \
    s.started_at_ms, s.finished_at_ms, s.exit_code, s.signal, s.seq, s.leaf, d.choice, \
    s.steps, s.score, s.found, s.anomalies, (SELECT group_concat(a.reviewer, ' ') FROM approvals a WHERE a.submission = s.id) AS approvals, \
    s.context, l.claimed, l.claimed_error, l.identity, \
    r.id AS rule_id, r.revision AS rule_revision, r.kind AS rule_kind, r.body AS rule_body, r.state AS rule_state, \
    r.author AS rule_author, r.authored_at_ms, r.approver AS rule_approver, r.approved_at_ms, \
    r.last_reviewed_at_ms, r.last_reviewed_by \
    FROM submissions s JOIN hosts h ON h.id = s.host JOIN logins l ON l.id = s.login LEFT JOIN decisions d ON d.submission = s.id \
    LEFT JOIN rules r ON s.decided_by IN ('whitelist_rule:' || r.id, 'deny_rule:' || r.id, 'grant:' || r.id) \
    AND r.revision = (SELECT MAX(revision) FROM rules WHERE id = r.id AND approved_at_ms <= s.outcome_at_ms) WHERE 1 = 1";

#[derive(sqlx::FromRow)]
struct Row {
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
    steps: String,
    score: Option<i64>,
    found: String,
    anomalies: String,
    approvals: Option<String>,
    #[sqlx(flatten)]
    about: AboutRow,
    #[sqlx(flatten)]
    rule: RuleColumns,
}

#[derive(sqlx::FromRow)]
struct RuleColumns {
    rule_id: Option<i64>,
    rule_revision: Option<i64>,
    rule_kind: Option<String>,
    rule_body: Option<String>,
    rule_state: Option<String>,
    rule_author: Option<String>,
    authored_at_ms: Option<i64>,
    rule_approver: Option<String>,
    approved_at_ms: Option<i64>,
    last_reviewed_at_ms: Option<i64>,
    last_reviewed_by: Option<String>,
}

impl Store {
    /// Rows that match every filter given, newest first.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        let mut sql: QueryBuilder<Sqlite> = QueryBuilder::new(SELECT);
        if let Some(agent) = &query.agent {
            sql.push(" AND s.agent = ").push_bind(agent.clone());
        }
        if let Some(session) = &query.session {
            sql.push(" AND s.session = ").push_bind(session.clone());
        }
        if let Some(outcome) = query.decision {
            sql.push(" AND s.outcome = ").push_bind(outcome.as_str());
        }
        if let Some(text) = &query.text {
            let pattern = like_pattern(text);
            sql.push(" AND (s.command LIKE ").push_bind(pattern.clone()).push(" ESCAPE '\\'");
            sql.push(" OR l.claimed LIKE ").push_bind(pattern).push(" ESCAPE '\\')");
        }
        if let Some(since_ms) = query.since_ms {
            sql.push(" AND s.submitted_at_ms >= ").push_bind(since_ms);
        }
        sql.push(" ORDER BY s.submitted_at_ms DESC, s.host, s.seq DESC LIMIT ")
            .push_bind(i64::from(query.limit.unwrap_or(DEFAULT_ROWS)));
        let rows: Vec<Row> = sql.build_query_as().fetch_all(&self.reader).await?;
        rows.into_iter().map(Row::read).collect()
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
            rule: self.rule.read()?,
            late_approval: approved && late,
            risk: risk(self.score, &self.found)?,
            anomalies,
            steps: read_steps(&self.steps)?,
            approvals: names(self.approvals.as_deref())?,
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

impl RuleColumns {
    fn read(self) -> Result<Option<Rule>, StoreError> {
        let (Some(id), Some(body), Some(author), Some(reviewed_by)) =
            (self.rule_id, self.rule_body, self.rule_author, self.last_reviewed_by)
        else {
            return Ok(None);
        };
        let row = RuleRow {
            id: number("rule number", id)?,
            revision: number("revision", self.rule_revision.unwrap_or(1))?,
            kind: self.rule_kind.unwrap_or_default(),
            body,
            state: self.rule_state.unwrap_or_default(),
            author: parsed("reviewer's name", &author)?,
            authored_at_ms: self.authored_at_ms.unwrap_or(0),
            approver: self.rule_approver.map(|name| parsed("reviewer's name", &name)).transpose()?,
            approved_at_ms: self.approved_at_ms,
            last_reviewed_at_ms: self.last_reviewed_at_ms.unwrap_or(0),
            last_reviewed_by: parsed("reviewer's name", &reviewed_by)?,
            end_asked_by: None,
        };
        row.brief().map(Some)
    }
}

/// A LIKE pattern for "holds this text"; the text's own wildcards mean themselves.
fn like_pattern(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_the_text_mean_themselves() {
        assert_eq!(like_pattern("a%b_c\\"), "%a\\%b\\_c\\\\%");
    }
}
