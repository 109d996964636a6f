//! The hosts' ledgers, byte for byte.

use super::{Store, StoreError, Tx, bigint, number, parsed};
use countersign_core::{Digest, HostId, LoginId};
use countersign_ledger::{Entry, Epoch};
use sqlx::Sqlite;
use sqlx::sqlite::SqliteArguments;

/// An entry that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its leaf hash.
    pub leaf: Digest,
    /// Its line as it came.
    pub line: String,
}

impl Store {
    /// The next `seq` wanted of a host.
    pub async fn next_seq(&self, host: HostId) -> Result<u64, StoreError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT MAX(seq) FROM entries WHERE host = $1")
            .bind(host.to_string())
            .fetch_one(&self.reader)
            .await?;
        last.map_or(Ok(0), |seq| number("seq", seq.saturating_add(1)))
    }
}

impl Store {
    /// The epochs of a host's key that sign `from` and what comes after.
    pub async fn epochs(&self, host: HostId, from: u64) -> Result<Vec<Epoch>, StoreError> {
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(
            "SELECT first_seq, public_key, by_identity FROM host_epochs WHERE host = $1 AND first_seq >= \
             (SELECT COALESCE(MAX(first_seq), 0) FROM host_epochs WHERE host = $1 AND first_seq <= $2) \
             ORDER BY first_seq",
        )
        .bind(host.to_string())
        .bind(bigint(from))
        .fetch_all(&self.reader)
        .await?;
        epochs(rows)
    }
}

/// Epochs as they are stored: first `seq`, key, and whether the identity key certified it.
pub(super) fn epochs(rows: Vec<(i64, String, i64)>) -> Result<Vec<Epoch>, StoreError> {
    rows.into_iter()
        .map(|(first, key, by_identity)| {
            Ok(Epoch::known(number("seq", first)?, parsed("key", &key)?, by_identity == 1))
        })
        .collect()
}

/// Keeps the epoch that a `key_rotated` begins.
pub async fn keep_epoch(tx: &mut Tx, host: HostId, epoch: &Epoch) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO host_epochs (host, first_seq, public_key, by_identity) VALUES ($1, $2, $3, $4)")
        .bind(host.to_string())
        .bind(bigint(epoch.first_seq))
        .bind(epoch.key.to_string())
        .bind(i64::from(epoch.by_identity))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The last entry held of a host: its `seq` and leaf hash.
pub async fn head(tx: &mut Tx, host: HostId) -> Result<Option<(u64, Digest)>, StoreError> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT seq, leaf FROM entries WHERE host = $1 ORDER BY seq DESC LIMIT 1")
            .bind(host.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    row.map(|(seq, leaf)| Ok((number("seq", seq)?, parsed("leaf hash", &leaf)?))).transpose()
}

/// The entry held under a `seq`.
pub async fn held(tx: &mut Tx, host: HostId, seq: u64) -> Result<Option<Held>, StoreError> {
    let row: Option<(String, String)> = sqlx::query_as("SELECT leaf, line FROM entries WHERE host = $1 AND seq = $2")
        .bind(host.to_string())
        .bind(bigint(seq))
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|(leaf, line)| Ok(Held { leaf: parsed("leaf hash", &leaf)?, line })).transpose()
}

/// Whether an entry of this kind is held of a host.
pub async fn has_kind(tx: &mut Tx, host: HostId, kind: &str) -> Result<bool, StoreError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM entries WHERE host = $1 AND kind = $2 LIMIT 1")
        .bind(host.to_string())
        .bind(kind)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(found.is_some())
}

/// An entry that is not held yet, as it came.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// What it says.
    pub entry: &'a Entry,
    /// Its login.
    pub login: Option<LoginId>,
    /// Its line.
    pub line: &'a str,
    /// When it came, ms since 1970.
    pub now_ms: i64,
}

/// The statement that keeps an entry, and those that keep what it says: they
/// share their arguments, of which [`New::bind`] gives the first nine.
macro_rules! with_entry {
    ($($sql:expr),*) => {
        concat!(
            "INSERT INTO entries (host, seq, leaf, kind, login, at_us, line, received_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            $(, "; ", $sql)*
        )
    };
}
pub(super) use with_entry;

impl New<'_> {
    /// When its host wrote it, ms since 1970.
    pub fn at_ms(&self) -> i64 {
        self.entry.at_us.div_euclid(1000)
    }

    /// Statements that keep it, with their arguments 1 to 9; the ninth is [`New::at_ms`].
    pub(super) fn bind(&self, keep: &'static str) -> Query {
        sqlx::query(keep)
            .bind(self.entry.host.to_string())
            .bind(bigint(self.entry.seq))
            .bind(self.entry.leaf.to_string())
            .bind(self.entry.kind_text.clone())
            .bind(self.login.map(|id| id.to_string()))
            .bind(self.entry.at_us)
            .bind(self.line.to_owned())
            .bind(self.now_ms)
            .bind(self.at_ms())
    }
}

/// A statement, or several that share their arguments.
pub(super) type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// Keeps an entry of which no table keeps more. The caller has checked signature and chain.
pub async fn keep(tx: &mut Tx, new: &New<'_>) -> Result<(), StoreError> {
    new.bind(with_entry!()).execute(&mut **tx).await?;
    Ok(())
}

/// Keeps both lines of a fork; once for each other line.
pub async fn keep_fork(
    tx: &mut Tx,
    entry: &Entry,
    held_line: &str,
    other_line: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM forks WHERE host = $1 AND seq = $2 AND other_leaf = $3")
        .bind(entry.host.to_string())
        .bind(bigint(entry.seq))
        .bind(entry.leaf.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if known.is_some() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO forks (host, seq, held_line, other_leaf, other_line, seen_at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(entry.host.to_string())
    .bind(bigint(entry.seq))
    .bind(held_line)
    .bind(entry.leaf.to_string())
    .bind(other_line)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
