//! Rules, their uses, and the policies they made.

use super::audit::keep_review;
use super::{Store, StoreError, Tx, bigint, number, parsed};
use countersign_api::rules::{Rule, RuleReview};
use countersign_core::{Class, Digest, HostId, Name};
use countersign_policy::Body;
use std::collections::HashMap;

/// One text of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRow {
    /// Its number; 0 is the settings.
    pub id: u64,
    /// Which text of it, from 1.
    pub revision: u64,
    /// `standing`, `grant` or `settings`.
    pub kind: String,
    /// As written, JSON.
    pub body: String,
    /// `proposed`, `active`, `replaced` or `ended`.
    pub state: String,
    /// Who wrote it.
    pub author: Name,
    /// When.
    pub authored_at_ms: i64,
    /// Who put it in force.
    pub approver: Option<Name>,
    /// When.
    pub approved_at_ms: Option<i64>,
    /// When it was last looked at.
    pub last_reviewed_at_ms: i64,
    /// By whom.
    pub last_reviewed_by: Name,
    /// Who wants it to end.
    pub end_asked_by: Option<Name>,
    /// When it ended or was replaced.
    pub ended_at_ms: Option<i64>,
    /// By whom.
    pub ended_by: Option<Name>,
}

impl RuleRow {
    /// It as it is shown, as far as its text alone says.
    pub fn brief(&self) -> Result<Rule, StoreError> {
        let unreadable = |_| StoreError::Unreadable { what: "rule" };
        let value: serde_json::Value = serde_json::from_str(&self.body).map_err(unreadable)?;
        let settings = self.kind == "settings";
        let body: Body =
            if settings { Body::default() } else { serde_json::from_value(value.clone()).map_err(unreadable)? };
        Ok(Rule {
            id: self.id,
            revision: self.revision,
            kind: self.kind.clone(),
            state: self.state.clone(),
            effect: body.effect.as_str().to_owned(),
            line: if settings { "settings".to_owned() } else { body.describe() },
            shell: body.shell().to_owned(),
            on_terminal: body.on_terminal,
            body: value,
            added_by: self.author.clone(),
            added_at_ms: self.authored_at_ms,
            approved_by: self.approver.clone(),
            approved_at_ms: self.approved_at_ms,
            last_reviewed_at_ms: self.last_reviewed_at_ms,
            last_reviewed_by: self.last_reviewed_by.clone(),
            expires_at_ms: None,
            uses: body.uses,
            used: 0,
            end_asked_by: self.end_asked_by.clone(),
            ended_at_ms: self.ended_at_ms,
            ended_by: self.ended_by.clone(),
            advice: Vec::new(),
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct Columns {
    id: i64,
    revision: i64,
    kind: String,
    body: String,
    state: String,
    author: String,
    authored_at_ms: i64,
    approver: Option<String>,
    approved_at_ms: Option<i64>,
    last_reviewed_at_ms: i64,
    last_reviewed_by: String,
    end_asked_by: Option<String>,
    ended_at_ms: Option<i64>,
    ended_by: Option<String>,
}

/// Reads [`Columns`]; all who do share the list of them.
macro_rules! texts {
    ($which:literal) => {
        concat!(
            "SELECT id, revision, kind, body, state, author, authored_at_ms, approver, approved_at_ms, \
             last_reviewed_at_ms, last_reviewed_by, end_asked_by, ended_at_ms, ended_by FROM rules WHERE ",
            $which
        )
    };
}
pub(super) use texts;

const LIVE: &str = texts!("state IN ('proposed', 'active') ORDER BY id, revision");
const ALL_OF_ONE: &str = texts!("id = $1 ORDER BY revision DESC");

impl Columns {
    pub(super) fn read(self) -> Result<RuleRow, StoreError> {
        let name = |text: Option<String>| text.map(|text| parsed("reviewer's name", &text)).transpose();
        Ok(RuleRow {
            id: number("rule number", self.id)?,
            revision: number("revision", self.revision)?,
            kind: self.kind,
            body: self.body,
            state: self.state,
            author: parsed("reviewer's name", &self.author)?,
            authored_at_ms: self.authored_at_ms,
            approver: name(self.approver)?,
            approved_at_ms: self.approved_at_ms,
            last_reviewed_at_ms: self.last_reviewed_at_ms,
            last_reviewed_by: parsed("reviewer's name", &self.last_reviewed_by)?,
            end_asked_by: name(self.end_asked_by)?,
            ended_at_ms: self.ended_at_ms,
            ended_by: name(self.ended_by)?,
        })
    }
}

impl Store {
    /// The text of a policy that was in force.
    pub async fn policy_text(&self, digest: Digest) -> Result<Option<String>, StoreError> {
        let text = sqlx::query_scalar("SELECT text FROM policies WHERE digest = $1").bind(digest.to_string());
        Ok(text.fetch_optional(&self.reader).await?)
    }

    /// Rules that are proposed or in force, by number.
    pub async fn rules(&self) -> Result<Vec<RuleRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(LIVE).fetch_all(&self.reader).await?;
        rows.into_iter().map(Columns::read).collect()
    }

    /// Every text that a rule ever had, the newest first; none where there is no such rule.
    pub async fn rule_texts(&self, id: u64) -> Result<Vec<RuleRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(ALL_OF_ONE).bind(bigint(id)).fetch_all(&self.reader).await?;
        rows.into_iter().map(Columns::read).collect()
    }

    /// Who looked at the texts of a rule while they were in force, the newest first.
    pub async fn rule_reviews(&self, id: u64) -> Result<Vec<RuleReview>, StoreError> {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT revision, at_ms, reviewer FROM rule_reviews WHERE rule = $1 ORDER BY at_ms DESC, revision DESC",
        )
        .bind(bigint(id))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(revision, at_ms, by)| {
                Ok(RuleReview { revision: number("revision", revision)?, at_ms, by: parsed("reviewer's name", &by)? })
            })
            .collect()
    }

    /// How often rules were used, by number.
    pub async fn rule_uses(&self) -> Result<HashMap<u64, u64>, StoreError> {
        let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT id, uses FROM rule_uses").fetch_all(&self.reader).await?;
        read_uses(rows)
    }
}

pub(super) fn read_uses(rows: Vec<(i64, i64)>) -> Result<HashMap<u64, u64>, StoreError> {
    rows.into_iter().map(|(id, uses)| Ok((number("rule number", id)?, number("uses", uses)?))).collect()
}

/// Rules that are proposed or in force, by number, as this transaction sees them.
pub async fn live(tx: &mut Tx) -> Result<Vec<RuleRow>, StoreError> {
    let rows: Vec<Columns> = sqlx::query_as(LIVE).fetch_all(&mut **tx).await?;
    rows.into_iter().map(Columns::read).collect()
}

/// How often rules were used.
pub async fn uses(tx: &mut Tx) -> Result<HashMap<u64, u64>, StoreError> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT id, uses FROM rule_uses").fetch_all(&mut **tx).await?;
    read_uses(rows)
}

/// Counts one more use of each of these rules.
pub async fn count_uses(tx: &mut Tx, rules: &[u64]) -> Result<(), StoreError> {
    for id in rules {
        sqlx::query("INSERT INTO rule_uses (id, uses) VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET uses = uses + 1")
            .bind(bigint(*id))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// The next free number.
pub async fn next_id(tx: &mut Tx) -> Result<u64, StoreError> {
    let id: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) + 1 FROM rules").fetch_one(&mut **tx).await?;
    number("rule number", id)
}

/// A new text of a rule: its number, kind and body. Returns its revision.
pub async fn add(tx: &mut Tx, (id, kind, body): (u64, &str, &str), by: &Name, now_ms: i64) -> Result<u64, StoreError> {
    let revision: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(revision), 0) + 1 FROM rules WHERE id = $1")
        .bind(bigint(id))
        .fetch_one(&mut **tx)
        .await?;
    sqlx::query(
        "INSERT INTO rules (id, revision, kind, body, state, author, authored_at_ms, last_reviewed_at_ms, \
         last_reviewed_by) VALUES ($1, $2, $3, $4, 'proposed', $5, $6, $6, $5)",
    )
    .bind(bigint(id))
    .bind(revision)
    .bind(kind)
    .bind(body)
    .bind(by.as_str())
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    number("revision", revision)
}

/// Puts the proposed text of a rule in force; the one before is replaced.
pub async fn activate(tx: &mut Tx, id: u64, by: &Name, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE rules SET state = 'replaced', ended_at_ms = $1, ended_by = $2 WHERE id = $3 AND state = 'active'",
    )
    .bind(now_ms)
    .bind(by.as_str())
    .bind(bigint(id))
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "UPDATE rules SET state = 'active', approver = $1, approved_at_ms = $2, last_reviewed_by = $1, \
         last_reviewed_at_ms = $2 WHERE id = $3 AND state = 'proposed'",
    )
    .bind(by.as_str())
    .bind(now_ms)
    .bind(bigint(id))
    .execute(&mut **tx)
    .await?;
    keep_review(tx, id, by.as_str(), now_ms).await
}

/// Notes that somebody looked at a rule in force.
pub async fn reviewed(tx: &mut Tx, id: u64, by: &Name, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE rules SET last_reviewed_at_ms = $1, last_reviewed_by = $2 WHERE id = $3 AND state = 'active'")
        .bind(now_ms)
        .bind(by.as_str())
        .bind(bigint(id))
        .execute(&mut **tx)
        .await?;
    keep_review(tx, id, by.as_str(), now_ms).await
}

/// Notes who wants a rule to end.
pub async fn ask_end(tx: &mut Tx, id: u64, by: &Name) -> Result<(), StoreError> {
    sqlx::query("UPDATE rules SET end_asked_by = $1 WHERE id = $2 AND state = 'active'")
        .bind(by.as_str())
        .bind(bigint(id))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends the text of a rule that is in this state.
pub async fn end(tx: &mut Tx, id: u64, state: &str, by: Option<&Name>, now_ms: i64) -> Result<u64, StoreError> {
    let ended =
        sqlx::query("UPDATE rules SET state = 'ended', ended_at_ms = $1, ended_by = $2 WHERE id = $3 AND state = $4")
            .bind(now_ms)
            .bind(by.map(Name::as_str))
            .bind(bigint(id))
            .bind(state)
            .execute(&mut **tx)
            .await?;
    Ok(ended.rows_affected())
}

/// Keeps the text of a policy.
pub async fn keep_policy(tx: &mut Tx, digest: Digest, text: &str, now_ms: i64) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO policies (digest, text, since_ms) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING")
        .bind(digest.to_string())
        .bind(text)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Every enrolled host with its name and class.
pub async fn targets(tx: &mut Tx) -> Result<Vec<(HostId, Name, Class)>, StoreError> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT id, name, class FROM hosts ORDER BY id").fetch_all(&mut **tx).await?;
    rows.into_iter()
        .map(|(id, name, class)| Ok((parsed("host id", &id)?, parsed("host name", &name)?, parsed("class", &class)?)))
        .collect()
}

/// How many people there are to approve rules.
pub async fn people(tx: &mut Tx) -> Result<u64, StoreError> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(DISTINCT person) FROM reviewers WHERE builtin = 0 AND removed_at_ms IS NULL")
            .fetch_one(&mut **tx)
            .await?;
    number("count", count)
}
