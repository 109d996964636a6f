//! The index of what commands say. A command is kept without it, because its
//! host waits; here it catches up.

use super::{Store, StoreError};

/// The first 32 commands, in the way of no request for long. The number stands in
/// the text: with a bound `LIMIT` SQLite compiles the statements anew (ADR 31).
const INDEX: &str = "INSERT INTO submission_text (rowid, command, claimed) SELECT s.position, s.command, l.claimed \
    FROM (SELECT position FROM texts_to_index ORDER BY position LIMIT 32) t \
    CROSS JOIN submissions s ON s.position = t.position CROSS JOIN logins l ON l.id = s.login; \
    INSERT INTO submission_words (rowid, command, claimed) SELECT s.position, s.command, l.claimed \
    FROM (SELECT position FROM texts_to_index ORDER BY position LIMIT 32) t \
    CROSS JOIN submissions s ON s.position = t.position CROSS JOIN logins l ON l.id = s.login; \
    DELETE FROM texts_to_index WHERE position IN (SELECT position FROM texts_to_index ORDER BY position LIMIT 32)";

impl Store {
    /// Indexes the text of every command that is kept by now: who searches after
    /// this finds them.
    pub async fn index_texts(&self) -> Result<(), StoreError> {
        while self.has_texts_to_index().await? {
            let mut tx = self.write().await?;
            sqlx::query(INDEX).execute(&mut *tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn has_texts_to_index(&self) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM texts_to_index)").fetch_one(&self.reader).await?)
    }
}
