//! What people found of commands later.

use super::{Store, StoreError, Tx, bigint, number, parsed};
use countersign_api::triage::Triaged;
use countersign_core::{Name, SubmissionId};

/// A verdict as the table has it.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    seq: i64,
    verdict: String,
    reviewer: String,
    note: String,
    at_ms: i64,
}

/// The columns of the last verdict beside a command's row; nothing where there is none.
#[derive(Debug, sqlx::FromRow)]
pub struct LastVerdict {
    triage_seq: Option<i64>,
    verdict: Option<String>,
    triaged_by: Option<String>,
    note: Option<String>,
    triaged_at_ms: Option<i64>,
}

impl LastVerdict {
    /// What it says.
    pub fn read(self) -> Result<Option<Triaged>, StoreError> {
        let (Some(seq), Some(verdict), Some(reviewer), Some(note), Some(at_ms)) =
            (self.triage_seq, self.verdict, self.triaged_by, self.note, self.triaged_at_ms)
        else {
            return Ok(None);
        };
        Row { seq, verdict, reviewer, note, at_ms }.read().map(Some)
    }
}

impl Row {
    fn read(self) -> Result<Triaged, StoreError> {
        Ok(Triaged {
            verdict: parsed("verdict", &self.verdict)?,
            by: parsed("reviewer's name", &self.reviewer)?,
            at_ms: self.at_ms,
            note: self.note,
            seq: number("seq", self.seq)?,
        })
    }
}

impl Store {
    /// Every verdict on a command, oldest first.
    pub async fn verdicts(&self, id: SubmissionId) -> Result<Vec<Triaged>, StoreError> {
        let rows: Vec<Row> =
            sqlx::query_as("SELECT seq, verdict, reviewer, note, at_ms FROM triage WHERE submission = $1 ORDER BY seq")
                .bind(id.to_string())
                .fetch_all(&self.reader)
                .await?;
        rows.into_iter().map(Row::read).collect()
    }
}

/// Keeps a verdict beside those before; it is the one that counts.
pub async fn keep(tx: &mut Tx, id: SubmissionId, found: &Triaged) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO triage (seq, submission, verdict, reviewer, note, at_ms) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(bigint(found.seq))
        .bind(id.to_string())
        .bind(found.verdict.as_str())
        .bind(found.by.as_str())
        .bind(&found.note)
        .bind(found.at_ms)
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE submissions SET triage = $1 WHERE id = $2")
        .bind(found.verdict.as_str())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whether the person of this name has decided a command, alone or with others, by whatever name.
pub async fn took_part(tx: &mut Tx, id: SubmissionId, by: &Name) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM reviewers me JOIN reviewers r ON r.person = me.person WHERE me.name = $2 \
         AND r.name IN (SELECT reviewer FROM approvals WHERE submission = $1 \
         UNION ALL SELECT decided_by FROM decisions WHERE submission = $1 \
         UNION ALL SELECT decided_by FROM submissions WHERE id = $1))",
    )
    .bind(id.to_string())
    .bind(by.as_str())
    .fetch_one(&mut **tx)
    .await?;
    Ok(found != 0)
}
