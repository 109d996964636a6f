//! Reviewers come and go: who there is, another token, an end.

use super::{Store, StoreError, Tx, parsed};
use countersign_core::Name;

/// A reviewer, or one who was.
#[derive(Debug, sqlx::FromRow)]
pub struct Enrolled {
    /// The name.
    pub name: String,
    /// Whose name it is.
    pub person: String,
    /// When it was added, ms since 1970.
    pub added_at_ms: i64,
    /// When it was removed, ms since 1970.
    pub removed_at_ms: Option<i64>,
}

impl Store {
    /// Every reviewer there is or was, in order of their coming.
    pub async fn reviewers(&self) -> Result<Vec<Enrolled>, StoreError> {
        let sql = "SELECT name, person, added_at_ms, removed_at_ms FROM reviewers ORDER BY added_at_ms, name";
        Ok(sqlx::query_as(sql).fetch_all(&self.reader).await?)
    }
}

/// Whether this name is a reviewer's now.
pub async fn is_one(tx: &mut Tx, name: &Name) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM reviewers WHERE name = $1 AND removed_at_ms IS NULL)";
    let found: i64 = sqlx::query_scalar(sql).bind(name.as_str()).fetch_one(&mut **tx).await?;
    Ok(found != 0)
}

/// Another token in the place of the one before; `false` where there is no such reviewer.
pub async fn rotate(tx: &mut Tx, name: &Name, token_hash: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE reviewers SET token_hash = $1 WHERE name = $2 AND removed_at_ms IS NULL";
    let done = sqlx::query(sql).bind(token_hash).bind(name.as_str()).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a reviewer: the token is nobody's any more, and what the name has agreed
/// to that is not decided yet does not count. `false` where there is none.
pub async fn remove(tx: &mut Tx, name: &Name, now_ms: i64) -> Result<bool, StoreError> {
    let sql = "UPDATE reviewers SET token_hash = $1, removed_at_ms = $2 WHERE name = $3 AND removed_at_ms IS NULL";
    let none = format!("removed {name}");
    let done = sqlx::query(sql).bind(none).bind(now_ms).bind(name.as_str()).execute(&mut **tx).await?;
    let sql = "UPDATE rules SET end_asked_by = NULL WHERE end_asked_by = $1 AND state = 'active'";
    sqlx::query(sql).bind(name.as_str()).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Other names that the person of this one still has.
pub async fn other_names(tx: &mut Tx, name: &Name) -> Result<Vec<Name>, StoreError> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT r.name FROM reviewers me JOIN reviewers r ON r.person = me.person \
         WHERE me.name = $1 AND r.name <> $1 AND r.removed_at_ms IS NULL ORDER BY r.name",
    )
    .bind(name.as_str())
    .fetch_all(&mut **tx)
    .await?;
    names.iter().map(|name| parsed("reviewer's name", name)).collect()
}
