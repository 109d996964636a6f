//! Exact-line whitelist rules.

use super::{Store, StoreError, Tx, bigint, is_duplicate, number, parsed};
use countersign_api::service::{NewRule, Rule};
use countersign_core::Name;

type Row = (i64, String, String, i64, String, i64, i64, String);

impl Store {
    /// Every rule, by number.
    pub async fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, line, shell, on_terminal, added_by, added_at_ms, last_reviewed_at_ms, last_reviewed_by \
             FROM rules ORDER BY id",
        )
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter().map(rule).collect()
    }
}

/// Adds a rule under the next number; `None` where the line is there already for this shell.
pub async fn add_rule(tx: &mut Tx, asked: &NewRule, by: &Name, now_ms: i64) -> Result<Option<Rule>, StoreError> {
    let id: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) + 1 FROM rules").fetch_one(&mut **tx).await?;
    let new = Rule {
        id: number("rule number", id)?,
        line: asked.line.clone(),
        shell: asked.shell.clone(),
        on_terminal: asked.on_terminal,
        added_by: by.clone(),
        added_at_ms: now_ms,
        last_reviewed_at_ms: now_ms,
        last_reviewed_by: by.clone(),
    };
    let added = sqlx::query(
        "INSERT INTO rules (id, line, added_by, added_at_ms, last_reviewed_at_ms, last_reviewed_by, shell, on_terminal) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(bigint(new.id))
    .bind(&asked.line)
    .bind(by.as_str())
    .bind(now_ms)
    .bind(now_ms)
    .bind(by.as_str())
    .bind(&asked.shell)
    .bind(i64::from(asked.on_terminal))
    .execute(&mut **tx)
    .await;
    match added {
        Ok(_) => Ok(Some(new)),
        Err(e) if is_duplicate(&e) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn rule(row: Row) -> Result<Rule, StoreError> {
    let (id, line, shell, on_terminal, added_by, added_at_ms, last_reviewed_at_ms, reviewed_by) = row;
    Ok(Rule {
        id: number("rule number", id)?,
        line,
        shell,
        on_terminal: on_terminal == 1,
        added_by: parsed("reviewer's name", &added_by)?,
        added_at_ms,
        last_reviewed_at_ms,
        last_reviewed_by: parsed("reviewer's name", &reviewed_by)?,
    })
}
