//! The service's own ledger.

use super::{Store, StoreError, Tx, bigint};
use countersign_ledger::Written;

impl Store {
    /// Lines of the service's own ledger from `from` on, at most `most`.
    pub async fn own_lines(&self, from: u64, most: u32) -> Result<Vec<String>, StoreError> {
        let lines = sqlx::query_scalar("SELECT line FROM own_entries WHERE seq >= $1 ORDER BY seq LIMIT $2")
            .bind(bigint(from))
            .bind(i64::from(most))
            .fetch_all(&self.reader)
            .await?;
        Ok(lines)
    }
}

/// The last line, as this transaction sees it.
pub async fn last_line(tx: &mut Tx) -> Result<Option<String>, StoreError> {
    let line = sqlx::query_scalar("SELECT line FROM own_entries ORDER BY seq DESC LIMIT 1");
    Ok(line.fetch_optional(&mut **tx).await?)
}

/// Keeps a line; durable with the transaction.
pub async fn keep_line(tx: &mut Tx, kind: &str, written: &Written) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO own_entries (seq, leaf, kind, line) VALUES ($1, $2, $3, $4)")
        .bind(bigint(written.seq))
        .bind(written.leaf.to_string())
        .bind(kind)
        .bind(&written.line)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
