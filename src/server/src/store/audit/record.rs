//! The whole record of one command, found by the beginning of its id.

use super::super::submissions::names;
use super::super::{Store, StoreError, bigint, number, parsed};
use countersign_api::audit::{AuditRecord, Preceding, ProofEntry, RecordingPlace};
use countersign_api::context::Identity;
use countersign_api::service::AuditRow;
use countersign_core::SubmissionId;
use countersign_ledger::{Entry, Kind, Statement, Value};

/// Commands before it that are shown.
const PRECEDING: i64 = 5;
/// Entries of its login that are looked through for those about it. A login runs one command at a time.
const ENTRIES: i64 = 2000;

/// What the beginning of an id names.
#[derive(Debug)]
pub enum Found {
    /// This command.
    One(Box<AuditRecord>),
    /// None.
    Nothing,
    /// More than one; two of them.
    Several(Vec<SubmissionId>),
}

#[derive(sqlx::FromRow)]
struct Rest {
    login_kind: String,
    identity: Option<String>,
    source: String,
    class: String,
    statement: Option<String>,
    asked: String,
    finish: Option<String>,
    held: Option<i64>,
    cosigned: Option<i64>,
}

const REST: &str = "SELECT l.kind AS login_kind, l.identity, e.source, h.class, d.statement, s.asked, s.finish, r.held, \
    (SELECT MAX(size) FROM checkpoints c WHERE c.host = s.host) AS cosigned \
    FROM submissions s JOIN logins l ON l.id = s.login JOIN hosts h ON h.id = s.host \
    JOIN sessions e ON e.name = s.session LEFT JOIN decisions d ON d.submission = s.id \
    LEFT JOIN recordings r ON r.login = s.login WHERE s.id = $1";

impl Store {
    /// The command whose id begins so; `prefix` is lower case letters and digits.
    pub async fn audit_record(&self, prefix: &str) -> Result<Found, StoreError> {
        // `{` follows `z`, the last character of an id.
        let found: Vec<(String, i64)> =
            sqlx::query_as("SELECT id, position FROM submissions WHERE id >= $1 AND id < $2 ORDER BY id LIMIT 2")
                .bind(prefix)
                .bind(format!("{prefix}{{"))
                .fetch_all(&self.reader)
                .await?;
        let position = match found.as_slice() {
            [] => return Ok(Found::Nothing),
            [(_, position)] => *position,
            several => {
                let ids = several.iter().map(|(id, _)| parsed("submission id", id)).collect::<Result<_, _>>()?;
                return Ok(Found::Several(ids));
            }
        };
        let Some(row) = self.audit_rows(&[position]).await?.pop() else { return Ok(Found::Nothing) };
        Ok(Found::One(Box::new(self.whole(row).await?)))
    }

    async fn whole(&self, row: AuditRow) -> Result<AuditRecord, StoreError> {
        let rest: Rest = sqlx::query_as(REST).bind(row.id.to_string()).fetch_one(&self.reader).await?;
        let entries = self.entries_about(&row).await?;
        let finished = entries.iter().find(|entry| entry.kind == Some(Kind::ExecFinished));
        let member = |name: &str| finished.and_then(|entry| entry.body.get(name));
        let offset = match entries.iter().find(|entry| entry.kind == Some(Kind::ExecStarted)) {
            Some(started) => Some(self.recorded_before(&row, started.seq).await?),
            None => None,
        };
        let held = rest.held.map(|held| number("length", held)).transpose()?;
        let identity: Option<Identity> = rest.identity.and_then(|text| serde_json::from_str(&text).ok());
        let source = match identity {
            Some(identity) => identity.source,
            // The session keeps the claimed address where nobody was verified.
            None => rest.source,
        };
        Ok(AuditRecord {
            login_kind: rest.login_kind,
            source,
            target_class: rest.class,
            policy: rest.statement.and_then(|text| Statement::parse(&text).ok()).map(|statement| statement.policy),
            asked: names(Some(&rest.asked))?,
            end: rest.finish,
            end_why: member("why").and_then(Value::as_text).map(str::to_owned),
            stdout_bytes: member("stdout_bytes").and_then(Value::as_int),
            stderr_bytes: member("stderr_bytes").and_then(Value::as_int),
            recording: held.map(|held| RecordingPlace { login: row.login, offset, held }),
            preceding: self.preceding(&row).await?,
            verdicts: self.verdicts(row.id).await?,
            proof: entries.into_iter().map(proof).collect(),
            cosigned_below: rest.cosigned.map(|size| number("size", size)).transpose()?,
            row,
        })
    }

    /// The host's entries about a command, in order.
    async fn entries_about(&self, row: &AuditRow) -> Result<Vec<Entry>, StoreError> {
        let lines: Vec<String> = sqlx::query_scalar(
            "SELECT line FROM entries WHERE login = $1 AND seq >= $2 \
             AND kind IN ('command_submitted', 'decided', 'exec_started', 'exec_finished') ORDER BY seq LIMIT $3",
        )
        .bind(row.login.to_string())
        .bind(bigint(row.seq))
        .bind(ENTRIES)
        .fetch_all(&self.reader)
        .await?;
        let entries = lines.iter().filter_map(|line| Entry::parse(line.as_bytes()).ok());
        Ok(entries.filter(|entry| entry.body.member("id") == Some(row.id)).collect())
    }

    /// Bytes of the recording that were announced before an entry.
    async fn recorded_before(&self, row: &AuditRow, seq: u64) -> Result<u64, StoreError> {
        let line: Option<String> = sqlx::query_scalar(
            "SELECT line FROM entries WHERE login = $1 AND seq < $2 AND kind = 'recording_chunk' \
             ORDER BY seq DESC LIMIT 1",
        )
        .bind(row.login.to_string())
        .bind(bigint(seq))
        .fetch_optional(&self.reader)
        .await?;
        let last = line.and_then(|line| Entry::parse(line.as_bytes()).ok());
        let int =
            |name: &str| last.as_ref().and_then(|entry| entry.body.get(name)).and_then(Value::as_int).unwrap_or(0);
        Ok(int("offset").saturating_add(int("length")))
    }

    async fn preceding(&self, row: &AuditRow) -> Result<Vec<Preceding>, StoreError> {
        let mut rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
            "SELECT number, command, outcome FROM submissions WHERE session = $1 AND number < $2 \
             ORDER BY number DESC LIMIT $3",
        )
        .bind(&row.session)
        .bind(bigint(row.number))
        .bind(PRECEDING)
        .fetch_all(&self.reader)
        .await?;
        rows.reverse();
        rows.into_iter()
            .map(|(number_in, command, outcome)| {
                let outcome = outcome.map(|outcome| parsed("outcome", &outcome)).transpose()?;
                Ok(Preceding { number: number("number", number_in)?, command, outcome })
            })
            .collect()
    }
}

fn proof(entry: Entry) -> ProofEntry {
    let Entry { kind_text: kind, seq, leaf, prev, key, sig, .. } = entry;
    ProofEntry { kind, seq, leaf, prev, key, sig }
}
