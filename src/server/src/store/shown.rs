//! To whom a command was shown while it waited.

use super::{Store, StoreError};
use countersign_core::{Name, SubmissionId};

impl Store {
    /// Keeps when these were first shown to a reviewer. Writes only where one of them is new to that person.
    pub async fn note_shown(
        &self,
        ids: impl Iterator<Item = SubmissionId>,
        to: &Name,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let known: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM json_each($1) i JOIN submission_shown w ON w.submission = i.value AND w.reviewer = $2",
        )
        .bind(json(&ids)?)
        .bind(to.as_str())
        .fetch_one(&self.reader)
        .await?;
        if usize::try_from(known) == Ok(ids.len()) {
            return Ok(());
        }
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO submission_shown (submission, reviewer, at_ms) SELECT value, $1, $2 FROM json_each($3) \
             WHERE true ON CONFLICT DO NOTHING",
        )
        .bind(to.as_str())
        .bind(now_ms)
        .bind(json(&ids)?)
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }
}

fn json(ids: &[String]) -> Result<String, StoreError> {
    serde_json::to_string(ids).map_err(|_| StoreError::Unreadable { what: "list" })
}
