//! What reviewers have signed themselves, and what they are shown to sign.

use super::{Store, StoreError, Tx};
use countersign_api::service::SignedReview;
use countersign_core::{Digest, Name, SubmissionId};
use countersign_ledger::{Entry, Value};

/// What a host demands of an approval besides this service's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The administrators' document under which reviewers sign.
    pub authority: Digest,
    /// How many distinct people must.
    pub people: u8,
}

impl Demand {
    /// What a `command_submitted` demands.
    pub fn of(line: &str) -> Option<Self> {
        Self::in_entry(&Entry::parse(line.as_bytes()).ok()?)
    }

    /// The same of one that was read.
    pub fn in_entry(entry: &Entry) -> Option<Self> {
        let authority = entry.body.member("authority")?;
        let people = entry.body.get("people").and_then(Value::as_int).and_then(|people| u8::try_from(people).ok());
        // More than can be counted is more than can be reached: the host will say so.
        Some(Self { authority, people: people.unwrap_or(u8::MAX) })
    }
}

const LINE: &str =
    "SELECT e.line FROM submissions s JOIN entries e ON e.host = s.host AND e.seq = s.seq WHERE s.id = $1";

/// What the host of a submission demands; `None` where this service's word is enough for it.
pub async fn demanded(tx: &mut Tx, id: SubmissionId) -> Result<Option<Demand>, StoreError> {
    let line: Option<String> = sqlx::query_scalar(LINE).bind(id.to_string()).fetch_optional(&mut **tx).await?;
    Ok(line.as_deref().and_then(Demand::of))
}

impl Store {
    /// The line of the `command_submitted` of a submission, as its host wrote it.
    pub async fn submission_line(&self, id: SubmissionId) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar(LINE).bind(id.to_string()).fetch_optional(&self.reader).await?)
    }
}

/// Keeps a review; a person's second one of the same submission takes the place of the first.
pub async fn add_review(
    tx: &mut Tx,
    id: SubmissionId,
    reviewer: &Name,
    review: &SignedReview,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO reviews (submission, reviewer, statement, sig, received_at_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (submission, reviewer) DO UPDATE SET statement = $3, sig = $4, received_at_ms = $5",
    )
    .bind(id.to_string())
    .bind(reviewer.as_str())
    .bind(&review.statement)
    .bind(&review.sig)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The reviews of a submission, oldest first; not of those who are reviewers no more.
pub async fn reviews(tx: &mut Tx, id: SubmissionId) -> Result<Vec<SignedReview>, StoreError> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT v.statement, v.sig FROM reviews v JOIN reviewers r ON r.name = v.reviewer \
             WHERE v.submission = $1 AND r.removed_at_ms IS NULL ORDER BY v.received_at_ms, v.reviewer",
    )
    .bind(id.to_string())
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|(statement, sig)| SignedReview { statement, sig }).collect())
}
