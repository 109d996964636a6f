//! The rules that decided, as they were then.

use super::super::rules::{Columns, texts};
use super::super::{RuleRow, Store, StoreError, bigint, number, parsed};
use countersign_api::service::Rule;
use countersign_core::DecidedBy;
use std::collections::{BTreeSet, HashMap};

/// Texts of rules and their reviews, by number.
pub struct RulesThen {
    texts: HashMap<u64, Vec<RuleRow>>,
    /// `(revision, when, by whom)`, oldest first.
    reviews: HashMap<u64, Vec<(u64, i64, String)>>,
}

impl Store {
    /// What is needed to say which rules these deciders were.
    pub(super) async fn rules_then<'a>(
        &self,
        deciders: impl Iterator<Item = &'a str>,
    ) -> Result<RulesThen, StoreError> {
        let ids: BTreeSet<u64> = deciders.filter_map(rule_of).collect();
        let json = serde_json::to_string(&ids).map_err(|_| StoreError::Unreadable { what: "list" })?;
        let mut then = RulesThen { texts: HashMap::new(), reviews: HashMap::new() };
        if ids.is_empty() {
            return Ok(then);
        }
        let rows: Vec<Columns> =
            sqlx::query_as(texts!("id IN (SELECT value FROM json_each($1)) ORDER BY id, revision"))
                .bind(&json)
                .fetch_all(&self.reader)
                .await?;
        for row in rows {
            let row = row.read()?;
            then.texts.entry(row.id).or_default().push(row);
        }
        let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
            "SELECT rule, revision, at_ms, reviewer FROM rule_reviews \
             WHERE rule IN (SELECT value FROM json_each($1)) ORDER BY rule, revision, at_ms",
        )
        .bind(&json)
        .fetch_all(&self.reader)
        .await?;
        for (rule, revision, at_ms, reviewer) in rows {
            let review = (number("revision", revision)?, at_ms, reviewer);
            then.reviews.entry(number("rule number", rule)?).or_default().push(review);
        }
        Ok(then)
    }
}

impl RulesThen {
    /// The text that was in force then, with its last review before that.
    pub fn of(&self, decider: Option<&str>, at_ms: Option<i64>) -> Result<Option<Rule>, StoreError> {
        let Some(id) = decider.and_then(rule_of) else { return Ok(None) };
        let at_ms = at_ms.unwrap_or(i64::MAX);
        let texts = self.texts.get(&id).map(Vec::as_slice).unwrap_or_default();
        let was = |row: &&RuleRow| row.approved_at_ms.is_some_and(|since| since <= at_ms);
        let Some(row) = texts.iter().rev().find(was) else { return Ok(None) };
        let mut rule = row.brief()?;
        let reviews = self.reviews.get(&id).map(Vec::as_slice).unwrap_or_default();
        let last = reviews.iter().rev().find(|(revision, at, _)| *revision == row.revision && *at <= at_ms);
        if let Some((_, at, by)) = last {
            (rule.last_reviewed_at_ms, rule.last_reviewed_by) = (*at, parsed("reviewer's name", by)?);
        }
        Ok(Some(rule))
    }
}

fn rule_of(decider: &str) -> Option<u64> {
    match decider.parse().ok()? {
        DecidedBy::WhitelistRule(id) | DecidedBy::DenyRule(id) | DecidedBy::Grant(id) => Some(id),
        DecidedBy::Person(_) | DecidedBy::Threshold(_) | DecidedBy::Timeout => None,
    }
}

/// Keeps that somebody looked at the text of a rule that is in force.
pub async fn keep_review(tx: &mut super::super::Tx, id: u64, by: &str, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rule_reviews (rule, revision, at_ms, reviewer) \
         SELECT id, revision, $1, $2 FROM rules WHERE id = $3 AND state = 'active'",
    )
    .bind(now_ms)
    .bind(by)
    .bind(bigint(id))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
