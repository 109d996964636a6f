//! Hosts, reviewers and one-time tokens. Tokens are known by their hash only.

use super::{Store, StoreError, Tx, entries, is_duplicate, number, parsed, past};
use countersign_core::{Class, Digest, HostId, Name};
use countersign_ledger::Epoch;

/// A host that showed its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCaller {
    /// Its id.
    pub id: HostId,
    /// Its name.
    pub name: Name,
    /// Its identity key.
    pub key: Digest,
    /// The host that has lost its key and whose place it took.
    pub replaces: Option<HostId>,
}

/// A host that sends lines.
#[derive(Debug, Clone)]
pub struct Sender {
    /// Which.
    pub host: HostCaller,
    /// The next `seq` wanted of it.
    pub next_seq: u64,
    /// Epochs of its key that sign what comes next.
    pub epochs: Vec<Epoch>,
}

/// What became of a one-time token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// Good for this host name.
    Good {
        /// The name it was made for.
        host_name: String,
        /// The class that the host gets.
        class: String,
        /// The host that has lost its key, whose place it takes.
        lost: Option<HostId>,
    },
    /// Never made.
    Unknown,
    /// Used before.
    Used,
    /// Too old.
    Expired,
}

impl Store {
    /// The host with this token.
    pub async fn host_by_token(&self, token_hash: &str) -> Result<Option<HostCaller>, StoreError> {
        let row: Option<HostRow> =
            sqlx::query_as("SELECT id, name, public_key, replaces FROM hosts WHERE token_hash = $1")
                .bind(token_hash)
                .fetch_optional(&self.reader)
                .await?;
        row.map(host_caller).transpose()
    }

    /// The host with this token, and what its next lines are read with: one query for all of it.
    pub async fn sender_by_token(&self, token_hash: &str) -> Result<Option<Sender>, StoreError> {
        let row: Option<SenderRow> = sqlx::query_as(
            "SELECT id, name, public_key, replaces, (SELECT MAX(seq) FROM entries WHERE host = h.id), \
             (SELECT json_group_array(json_array(first_seq, public_key, by_identity)) FROM host_epochs \
             WHERE host = h.id AND first_seq >= (SELECT COALESCE(MAX(first_seq), 0) FROM host_epochs \
             WHERE host = h.id AND first_seq <= (SELECT MAX(seq) FROM entries WHERE host = h.id))) \
             FROM hosts h WHERE token_hash = $1",
        )
        .bind(token_hash)
        .fetch_optional(&self.reader)
        .await?;
        let Some((id, name, key, replaces, last, epochs)) = row else { return Ok(None) };
        let mut epochs = entries::epochs(past::list("epoch", &epochs)?)?;
        epochs.sort_by_key(|epoch| epoch.first_seq);
        Ok(Some(Sender {
            host: host_caller((id, name, key, replaces))?,
            next_seq: last.map_or(Ok(0), |seq| number("seq", seq.saturating_add(1)))?,
            epochs,
        }))
    }

    /// Every enrolled host, in order of enrolment.
    pub async fn hosts(&self) -> Result<Vec<HostCaller>, StoreError> {
        let rows: Vec<HostRow> =
            sqlx::query_as("SELECT id, name, public_key, replaces FROM hosts ORDER BY enrolled_at_ms, id")
                .fetch_all(&self.reader)
                .await?;
        rows.into_iter().map(host_caller).collect()
    }

    /// The host that is enrolled under this name.
    pub async fn host_named(&self, name: &Name) -> Result<Option<HostId>, StoreError> {
        let found: Option<String> = sqlx::query_scalar("SELECT id FROM hosts WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(&self.reader)
            .await?;
        found.map(|id| parsed("host id", &id)).transpose()
    }

    /// The reviewer with this token.
    pub async fn reviewer_by_token(&self, token_hash: &str) -> Result<Option<Name>, StoreError> {
        let row: Option<String> =
            sqlx::query_scalar("SELECT name FROM reviewers WHERE token_hash = $1 AND removed_at_ms IS NULL")
                .bind(token_hash)
                .fetch_optional(&self.reader)
                .await?;
        row.map(|name| parsed("reviewer's name", &name)).transpose()
    }

    /// Whether there is a one-time token of this hash that is good now. Using it looks again.
    pub async fn enroll_token_known(&self, token_hash: &str, now_ms: i64) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM enroll_tokens WHERE token_hash = $1 AND used_at_ms IS NULL AND expires_at_ms > $2",
        )
        .bind(token_hash)
        .bind(now_ms)
        .fetch_optional(&self.reader)
        .await?;
        Ok(found.is_some())
    }
}

/// Adds a reviewer, a name of `person`; `false` where the name is taken.
pub async fn add_reviewer(
    tx: &mut Tx,
    (name, person): (&Name, &Name),
    token_hash: &str,
    builtin: bool,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let added = sqlx::query(
        "INSERT INTO reviewers (name, person, token_hash, builtin, added_at_ms) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(name.as_str())
    .bind(person.as_str())
    .bind(token_hash)
    .bind(i64::from(builtin))
    .bind(now_ms)
    .execute(&mut **tx)
    .await;
    match added {
        Ok(_) => Ok(true),
        Err(e) if is_duplicate(&e) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Keeps a one-time token's hash.
pub async fn add_enroll_token(
    tx: &mut Tx,
    token_hash: &str,
    (host_name, class, lost): (&Name, Class, Option<HostId>),
    now_ms: i64,
    expires_at_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO enroll_tokens (token_hash, host_name, created_at_ms, expires_at_ms, class, lost) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token_hash)
    .bind(host_name.as_str())
    .bind(now_ms)
    .bind(expires_at_ms)
    .bind(class.as_str())
    .bind(lost.map(|lost| lost.to_string()))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whose name it is; `None` where no reviewer has it.
pub async fn person_of(tx: &mut Tx, name: &Name) -> Result<Option<Name>, StoreError> {
    let person: Option<String> = sqlx::query_scalar("SELECT person FROM reviewers WHERE name = $1")
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    person.map(|person| parsed("person", &person)).transpose()
}

/// Names of all reviewers.
pub async fn reviewer_names(tx: &mut Tx) -> Result<Vec<Name>, StoreError> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM reviewers WHERE builtin = 0 AND removed_at_ms IS NULL ORDER BY name")
            .fetch_all(&mut **tx)
            .await?;
    names.iter().map(|name| parsed("reviewer's name", name)).collect()
}

/// Looks at a one-time token.
pub async fn enroll_token(tx: &mut Tx, token_hash: &str, now_ms: i64) -> Result<TokenState, StoreError> {
    let sql = "SELECT host_name, expires_at_ms, used_at_ms, class, lost FROM enroll_tokens WHERE token_hash = $1";
    let row: Option<TokenRow> = sqlx::query_as(sql).bind(token_hash).fetch_optional(&mut **tx).await?;
    Ok(match row {
        None => TokenState::Unknown,
        Some((_, _, Some(_), ..)) => TokenState::Used,
        Some((_, expires_at_ms, None, ..)) if expires_at_ms <= now_ms => TokenState::Expired,
        Some((host_name, _, None, class, lost)) => {
            let lost = lost.map(|lost| parsed("host id", &lost)).transpose()?;
            TokenState::Good { host_name, class, lost }
        }
    })
}

/// Ends a host that has lost its key: its name is free for the one that takes
/// its place, and its token is nobody's any more. `false` where somebody has
/// taken its place already.
pub async fn retire(tx: &mut Tx, lost: HostId, name: &Name) -> Result<bool, StoreError> {
    // As long as a name may be, whatever it was.
    let kept: String = name.as_str().chars().take(29).collect();
    let done = sqlx::query(
        "UPDATE hosts SET name = $1, token_hash = $2 WHERE id = $3 AND name = $4 \
         AND NOT EXISTS (SELECT 1 FROM hosts WHERE replaces = $3)",
    )
    .bind(format!("{kept}.former-{lost}"))
    .bind(format!("lost {lost}"))
    .bind(lost.to_string())
    .bind(name.as_str())
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Enrols a host and uses its token up; `false` where id, name or key is taken.
pub async fn enroll(
    tx: &mut Tx,
    (host, class): (&HostCaller, &str),
    host_token_hash: &str,
    enroll_token_hash: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let added = sqlx::query(
        "INSERT INTO hosts (id, name, public_key, token_hash, enrolled_at_ms, class, replaces) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(host.id.to_string())
    .bind(host.name.as_str())
    .bind(host.key.to_string())
    .bind(host_token_hash)
    .bind(now_ms)
    .bind(class)
    .bind(host.replaces.map(|lost| lost.to_string()))
    .execute(&mut **tx)
    .await;
    match added {
        Ok(_) => {}
        Err(e) if is_duplicate(&e) => return Ok(false),
        Err(e) => return Err(e.into()),
    }
    let used = sqlx::query(
        "UPDATE enroll_tokens SET used_at_ms = $1, used_by = $2 WHERE token_hash = $3 AND used_at_ms IS NULL",
    )
    .bind(now_ms)
    .bind(host.id.to_string())
    .bind(enroll_token_hash)
    .execute(&mut **tx)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Name, when it ends, when it was used, class, and the host that lost its key.
type TokenRow = (String, i64, Option<i64>, String, Option<String>);

/// Columns of a host, the last `seq` held of it, and epochs of its key, a JSON list.
type SenderRow = (String, String, String, Option<String>, Option<i64>, String);

/// Id, name, key, and whose place it took.
type HostRow = (String, String, String, Option<String>);

fn host_caller((id, name, key, replaces): HostRow) -> Result<HostCaller, StoreError> {
    Ok(HostCaller {
        id: parsed("host id", &id)?,
        name: parsed("host name", &name)?,
        key: parsed("host key", &key)?,
        replaces: replaces.map(|lost| parsed("host id", &lost)).transpose()?,
    })
}
