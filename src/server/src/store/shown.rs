//! To whom a command was shown while it waited.

use super::{Store, StoreError, Tx};
use countersign_core::{Name, SubmissionId};

impl Store {
    /// Those of these that a reviewer was not shown yet.
    pub async fn not_shown(
        &self,
        ids: impl Iterator<Item = SubmissionId>,
        to: &Name,
    ) -> Result<Vec<String>, StoreError> {
        let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
        if ids.is_empty() {
            return Ok(ids);
        }
        let json = serde_json::to_string(&ids).map_err(|_| StoreError::Unreadable { what: "list" })?;
        let new = sqlx::query_scalar(
            "SELECT i.value FROM json_each($1) i WHERE NOT EXISTS \
             (SELECT 1 FROM submission_shown w WHERE w.submission = i.value AND w.reviewer = $2)",
        );
        Ok(new.bind(json).bind(to.as_str()).fetch_all(&self.reader).await?)
    }
}

/// Keeps when a submission was first shown to a reviewer; `false` where that is known already.
pub async fn keep(tx: &mut Tx, id: &str, to: &Name, now_ms: i64) -> Result<bool, StoreError> {
    let kept = sqlx::query(
        "INSERT INTO submission_shown (submission, reviewer, at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    );
    let kept = kept.bind(id).bind(to.as_str()).bind(now_ms).execute(&mut **tx).await?;
    Ok(kept.rows_affected() > 0)
}
