//! What waits, and what this service signed.

use super::about::AboutRow;
use super::commands::Asking;
use super::reviews::Demand;
use super::{Store, StoreError, Tx, number, parsed};
use countersign_analysis::risk::Level;
use countersign_api::service::{Found, PendingSubmission, ProgramFacts, Risk, SignedDecision, Step};
use countersign_core::{Choice, DecidedBy, Digest, HostId, Name, Nonce, Outcome, SubmissionId};

/// A submission as far as deciding needs it.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its id.
    pub id: SubmissionId,
    /// Its host.
    pub host: HostId,
    /// `seq` of its entry.
    pub seq: u64,
    /// When the host wrote it, ms since 1970.
    pub at_ms: i64,
    /// Which command of its work session it is.
    pub number: u64,
    /// Leaf hash of its `command_submitted`.
    pub entry: Digest,
    /// Who submitted it.
    pub agent: String,
    /// Its work session.
    pub session: String,
    /// Where it would run.
    pub cwd: String,
    /// How many people must approve it, once it was asked about.
    pub people: u8,
    /// The command as shown.
    pub command: String,
    /// Whether `command` is the exact and whole text.
    pub wholly_visible: bool,
    /// The inner shell.
    pub shell: String,
    /// Whether its login has a terminal.
    pub tty: bool,
    /// Whether only a person may let it run.
    pub needs_person: bool,
    /// Whether the host knew every program it starts.
    pub words_known: bool,
    /// What makes it answerable once.
    pub nonce: Nonce,
    /// How long an answer counts, in ms.
    pub wait_ms: u64,
    /// Until when it waits, ms since 1970; `None` where nobody was asked.
    pub deadline_ms: Option<i64>,
    /// What the host says became of it.
    pub outcome: Option<Outcome>,
}

/// What this service signed.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Yes or no.
    pub choice: Choice,
    /// Who said so.
    pub by: DecidedBy,
    /// The statement, its signature, the comment.
    pub signed: SignedDecision,
}

#[derive(sqlx::FromRow)]
struct SubmissionRow {
    id: String,
    host: String,
    seq: i64,
    submitted_at_ms: i64,
    number: i64,
    leaf: String,
    agent: String,
    session: String,
    cwd: String,
    people: i64,
    command: String,
    wholly_visible: i64,
    shell: String,
    tty: i64,
    needs_person: i64,
    words_known: i64,
    nonce: String,
    wait_ms: i64,
    deadline_ms: Option<i64>,
    outcome: Option<String>,
}

impl SubmissionRow {
    fn read(self) -> Result<Submission, StoreError> {
        Ok(Submission {
            id: parsed("submission id", &self.id)?,
            host: parsed("host id", &self.host)?,
            seq: number("seq", self.seq)?,
            at_ms: self.submitted_at_ms,
            number: number("number", self.number)?,
            entry: parsed("leaf hash", &self.leaf)?,
            agent: self.agent,
            session: self.session,
            cwd: self.cwd,
            people: number("number of people", self.people)?,
            command: self.command,
            wholly_visible: self.wholly_visible == 1,
            shell: self.shell,
            tty: self.tty != 0,
            needs_person: self.needs_person != 0,
            words_known: self.words_known == 1,
            nonce: parsed("nonce", &self.nonce)?,
            wait_ms: number("wait", self.wait_ms)?,
            deadline_ms: self.deadline_ms,
            outcome: self.outcome.map(|o| parsed("outcome", &o)).transpose()?,
        })
    }
}

const SUBMISSION: &str = "id, host, seq, submitted_at_ms, number, leaf, agent, session, cwd, \
    people, command, wholly_visible, shell, tty, needs_person, words_known, nonce, wait_ms, deadline_ms, outcome";

/// The submission of this id.
pub async fn submission(tx: &mut Tx, id: SubmissionId) -> Result<Option<Submission>, StoreError> {
    let row: Option<SubmissionRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {SUBMISSION} FROM submissions WHERE id = $1")))
            .bind(id.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    row.map(SubmissionRow::read).transpose()
}

/// Submissions that wait and whose time is up.
pub async fn overdue(tx: &mut Tx, now_ms: i64) -> Result<Vec<Submission>, StoreError> {
    let rows: Vec<SubmissionRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {SUBMISSION} FROM submissions WHERE outcome IS NULL AND deadline_ms IS NOT NULL AND deadline_ms <= $1 \
         AND NOT EXISTS (SELECT 1 FROM decisions WHERE submission = submissions.id) ORDER BY deadline_ms"
    )))
    .bind(now_ms)
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(SubmissionRow::read).collect()
}

/// How many of an agent's submissions wait on a host.
pub async fn waiting(tx: &mut Tx, host: HostId, agent: &str, now_ms: i64) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM submissions WHERE host = $1 AND agent = $2 AND outcome IS NULL AND deadline_ms > $3 \
         AND NOT EXISTS (SELECT 1 FROM decisions WHERE submission = submissions.id)",
    )
    .bind(host.to_string())
    .bind(agent)
    .bind(now_ms)
    .fetch_one(&mut **tx)
    .await?;
    number("count", count)
}

/// The host asks: from now on it waits, or is decided.
pub async fn ask(tx: &mut Tx, id: SubmissionId, now_ms: i64, asking: &Asking) -> Result<(), StoreError> {
    let steps = serde_json::to_string(&asking.steps).map_err(|_| StoreError::Unreadable { what: "verdict" })?;
    let asked: Vec<&str> = asking.names.iter().map(Name::as_str).collect();
    sqlx::query(
        "UPDATE submissions SET asked_at_ms = $1, deadline_ms = $2, people = $4, steps = $5, asked = $6 \
         WHERE id = $3 AND asked_at_ms IS NULL",
    )
    .bind(now_ms)
    .bind(asking.deadline_ms)
    .bind(id.to_string())
    .bind(i64::from(asking.people))
    .bind(steps)
    .bind(asked.join(" "))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

type DecisionRow = (String, String, String, String, Option<String>, String);

fn decision((choice, by, statement, sig, comment, reviews): DecisionRow) -> Result<Decision, StoreError> {
    let choice = match choice.as_str() {
        "approve" => Choice::Approve,
        "deny" => Choice::Deny,
        _ => return Err(StoreError::Unreadable { what: "decision" }),
    };
    let reviews = serde_json::from_str(&reviews).map_err(|_| StoreError::Unreadable { what: "review" })?;
    let signed = SignedDecision { statement, sig, comment, reviews };
    Ok(Decision { choice, by: parsed("decider", &by)?, signed })
}

const DECISION: &str =
    "SELECT choice, decided_by, statement, sig, comment, reviews FROM decisions WHERE submission = $1";

/// The decision on a submission, within a write.
pub async fn decision_in(tx: &mut Tx, id: SubmissionId) -> Result<Option<Decision>, StoreError> {
    let row: Option<DecisionRow> = sqlx::query_as(DECISION).bind(id.to_string()).fetch_optional(&mut **tx).await?;
    row.map(decision).transpose()
}

/// Whether it is a denial: that nobody answered in time is nobody's.
pub fn is_denial(decision: &Decision) -> bool {
    decision.choice == Choice::Deny && decision.by != DecidedBy::Timeout
}

/// Keeps a decision. The caller has seen that there is none yet; the table refuses a second.
pub async fn decide(tx: &mut Tx, id: SubmissionId, decision: &Decision, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO decisions (submission, choice, decided_by, statement, sig, comment, decided_at_ms, reviews) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(decision.choice.as_str())
    .bind(decision.by.to_string())
    .bind(&decision.signed.statement)
    .bind(&decision.signed.sig)
    .bind(&decision.signed.comment)
    .bind(now_ms)
    .bind(serde_json::to_string(&decision.signed.reviews).map_err(|_| StoreError::Unreadable { what: "review" })?)
    .execute(&mut **tx)
    .await?;
    if is_denial(decision) {
        let sql = "UPDATE submissions SET denied = 1 WHERE id = $1";
        sqlx::query(sql).bind(id.to_string()).execute(&mut **tx).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct PendingRow {
    id: String,
    leaf: String,
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
    deadline_ms: i64,
    score: Option<i64>,
    found: String,
    anomalies: String,
    people: i64,
    steps: String,
    approvals: Option<String>,
    line: String,
    #[sqlx(flatten)]
    about: AboutRow,
}

impl PendingRow {
    fn read(self, now_ms: i64) -> Result<PendingSubmission, StoreError> {
        Ok(PendingSubmission {
            id: parsed("submission id", &self.id)?,
            entry: parsed("leaf hash", &self.leaf)?,
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
            flags: self.flags.lines().map(str::to_owned).collect(),
            transfer: self.transfer,
            program: program_facts(self.program_bytes, self.program_digest)?,
            submitted_at_ms: self.submitted_at_ms,
            left_ms: number("time left", self.deadline_ms.saturating_sub(now_ms))?,
            about: Box::new(self.about.read()),
            authority: Demand::of(&self.line).map(|demand| demand.authority),
            risk: risk(self.score, &self.found)?,
            anomalies: flags(&self.flags, &self.anomalies),
            people: number("number of people", self.people)?,
            approvals: names(self.approvals.as_deref())?,
            steps: read_steps(&self.steps)?,
        })
    }
}

/// A stored score, and what was found besides it, as the API has it.
pub(super) fn risk(score: Option<i64>, found: &str) -> Result<Option<Risk>, StoreError> {
    let of = |score| -> Result<Risk, StoreError> {
        let score: u8 = number("score", score)?;
        let found = if found.is_empty() {
            Found::default()
        } else {
            serde_json::from_str(found).map_err(|_| StoreError::Unreadable { what: "risk" })?
        };
        Ok(Risk { score, level: Level::of(score).as_str().to_owned(), found })
    };
    score.map(of).transpose()
}

/// Anomaly flags, the host's marks among them, each once.
pub(super) fn flags(of_host: &str, stored: &str) -> Vec<String> {
    let mut flags: Vec<String> = Vec::new();
    for flag in stored.split_whitespace().chain(of_host.lines()) {
        if !flags.iter().any(|known| known == flag) {
            flags.push(flag.to_owned());
        }
    }
    flags
}

/// Names of reviewers, a blank between each two: a name holds none.
pub(super) fn names(text: Option<&str>) -> Result<Vec<Name>, StoreError> {
    text.unwrap_or("").split_whitespace().map(|name| parsed("reviewer's name", name)).collect()
}

/// The steps of a verdict as they are stored.
pub(super) fn read_steps(json: &str) -> Result<Vec<Step>, StoreError> {
    serde_json::from_str(json).map_err(|_| StoreError::Unreadable { what: "verdict" })
}

/// Keeps the approval of one of several people; `false` where this person has approved already, by whatever name.
pub async fn approve(
    tx: &mut Tx,
    id: SubmissionId,
    by: &Name,
    comment: Option<&str>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let kept = sqlx::query(
        "INSERT INTO approvals (submission, reviewer, comment, at_ms) SELECT $1, me.name, $3, $4 FROM reviewers me \
         WHERE me.name = $2 AND me.removed_at_ms IS NULL AND NOT EXISTS (SELECT 1 FROM approvals a JOIN reviewers r ON r.name = a.reviewer \
         WHERE a.submission = $1 AND r.person = me.person AND r.removed_at_ms IS NULL)",
    )
    .bind(id.to_string())
    .bind(by.as_str())
    .bind(comment)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    decided_by_person(tx, id, by).await?;
    Ok(kept.rows_affected() == 1)
}

/// A person took part in deciding it, so that it is found by the name.
pub async fn decided_by_person(tx: &mut Tx, id: SubmissionId, by: &Name) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO submission_reviewers (reviewer, position) SELECT $1, position FROM submissions WHERE id = $2 \
         ON CONFLICT DO NOTHING",
    )
    .bind(by.as_str())
    .bind(id.to_string())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Who has approved a submission, in order; not those who are reviewers no more.
pub async fn approvals(tx: &mut Tx, id: SubmissionId) -> Result<Vec<Name>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT a.reviewer FROM approvals a JOIN reviewers r ON r.name = a.reviewer \
             WHERE a.submission = $1 AND r.removed_at_ms IS NULL ORDER BY a.at_ms, a.reviewer",
    )
    .bind(id.to_string())
    .fetch_all(&mut **tx)
    .await?;
    names.iter().map(|name| parsed("reviewer's name", name)).collect()
}

/// What is known of a program on standard input.
pub(super) fn program_facts(bytes: Option<i64>, digest: Option<String>) -> Result<Option<ProgramFacts>, StoreError> {
    let (Some(bytes), Some(digest)) = (bytes, digest) else { return Ok(None) };
    Ok(Some(ProgramFacts { bytes: number("program length", bytes)?, digest: parsed("program digest", &digest)? }))
}

impl Store {
    /// The program on a submission's standard input; `None` where there is none.
    pub async fn program(&self, id: SubmissionId) -> Result<Option<String>, StoreError> {
        let text: Option<Option<String>> = sqlx::query_scalar("SELECT program FROM submissions WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        Ok(text.flatten())
    }

    /// The queue, oldest first.
    pub async fn pending(&self, now_ms: i64) -> Result<Vec<PendingSubmission>, StoreError> {
        let rows: Vec<PendingRow> = sqlx::query_as(
            "SELECT s.id, s.leaf, s.agent, s.host, h.name AS host_name, s.login, s.session, s.number, s.command, \
             s.cwd, s.shell, s.tty, s.locale, s.flags, s.transfer, s.program_bytes, s.program_digest, \
             s.submitted_at_ms, s.deadline_ms, s.score, s.found, s.anomalies, s.people, s.steps, \
             (SELECT group_concat(a.reviewer, ' ') FROM approvals a JOIN reviewers r ON r.name = a.reviewer \
             WHERE a.submission = s.id AND r.removed_at_ms IS NULL) AS approvals, e.line, s.context, l.claimed, l.claimed_error, l.identity \
             FROM submissions s JOIN hosts h ON h.id = s.host JOIN logins l ON l.id = s.login JOIN entries e ON e.host = s.host AND e.seq = s.seq \
             WHERE s.outcome IS NULL AND s.deadline_ms IS NOT NULL AND s.deadline_ms > $1 \
             AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.submission = s.id) \
             ORDER BY s.asked_at_ms, s.seq",
        )
        .bind(now_ms)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(|row| row.read(now_ms)).collect()
    }

    /// When the next waiting submission's time is up.
    pub async fn next_deadline(&self) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT MIN(deadline_ms) FROM submissions WHERE outcome IS NULL AND deadline_ms IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM decisions WHERE submission = submissions.id)",
        )
        .fetch_one(&self.reader)
        .await?)
    }

    /// The host of a submission.
    pub async fn submission_host(&self, id: SubmissionId) -> Result<Option<HostId>, StoreError> {
        let host: Option<String> = sqlx::query_scalar("SELECT host FROM submissions WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        host.map(|host| parsed("host id", &host)).transpose()
    }

    /// The decision on a submission.
    pub async fn decision(&self, id: SubmissionId) -> Result<Option<Decision>, StoreError> {
        let row: Option<DecisionRow> =
            sqlx::query_as(DECISION).bind(id.to_string()).fetch_optional(&self.reader).await?;
        row.map(decision).transpose()
    }
}
