//! All SQL of the service. Nothing outside this folder names the database.
//!
//! One writer connection and a few readers: SQLite has one writer anyway, and
//! so two writes of this process never meet as `SQLITE_BUSY`. A write is
//! acknowledged after `COMMIT` returned with `synchronous=FULL`.

mod about;
mod audit;
pub mod commands;
pub mod entries;
pub mod facts;
mod forks;
mod ledgers;
pub mod log;
pub mod own;
mod parts;
pub mod past;
mod people;
mod recordings;
pub mod removals;
pub mod reviewers;
pub mod reviews;
pub mod rules;
mod sessions;
pub mod shown;
pub mod submissions;
mod texts;
pub mod triage;

pub use audit::{AuditError, Decided, Found as FoundRecord};
pub use facts::FactError;
pub use forks::Fork;
pub use parts::PartOf;
pub use people::{
    HostCaller, Sender, TokenState, add_enroll_token, add_reviewer, enroll, enroll_token, person_of, retire,
    reviewer_names,
};
pub use recordings::{Appending, Chunk, Recording};
pub use rules::RuleRow;
pub use submissions::{Decision, Submission};

use countersign_core::ServiceId;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Readers beside the one writer.
const READERS: u32 = 4;
/// How long a statement waits for another process (an admin subcommand).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// WAL pages at which a writer moves them into the database itself, in the middle
/// of somebody's request. [`Store::tidy`] does it before that, beside the requests.
const CHECKPOINT_AT_PAGES: &str = "16000";
/// How often [`Store::tidy`] does.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or is not reachable.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// Its tables could not be brought to this version.
    #[error("the database's tables: {0}; it may have been written by a newer countersign-server")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A value in it is not what this service writes.
    #[error("the database holds a {what} that this service cannot read")]
    Unreadable {
        /// Which column.
        what: &'static str,
    },
}

/// A transaction; nothing is kept unless it is committed.
pub type Tx = sqlx::Transaction<'static, sqlx::Sqlite>;

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Opens the database file and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", CHECKPOINT_AT_PAGES)
            .pragma("recursive_triggers", "ON")
            // What a statement may have to take back is no file of its own.
            .pragma("temp_store", "MEMORY")
            // What is erased is overwritten, not only unlinked.
            .pragma("secure_delete", "ON")
            .pragma("trusted_schema", "OFF");
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(BUSY_TIMEOUT)
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        sqlx::migrate!("./migrations").run(&writer).await?;
        let reader = pool(READERS).connect_with(options).await?;
        Ok(Self { writer, reader })
    }

    /// Begins a write.
    pub async fn write(&self) -> Result<Tx, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// What is held now, for what reads more than one thing of it; what is written meanwhile is not seen.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(self.reader.begin().await?)
    }

    /// The service's id; `fresh` becomes it where there is none yet.
    pub async fn service_id(&self, fresh: ServiceId, now_ms: i64) -> Result<ServiceId, StoreError> {
        let mut tx = self.write().await?;
        let known: Option<String> = sqlx::query_scalar("SELECT id FROM service").fetch_optional(&mut *tx).await?;
        if let Some(id) = known {
            return parsed("service id", &id);
        }
        sqlx::query("INSERT INTO service (id, created_at_ms) VALUES ($1, $2)")
            .bind(fresh.to_string())
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(fresh)
    }

    /// Does, for ever, what no request has to wait for: indexes what commands say,
    /// and moves what was committed from the WAL into the database. What is
    /// committed is durable before that; only the WAL's length depends on it.
    pub async fn tidy(&self) {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            if let Err(error) = self.index_texts().await {
                tracing::warn!(%error, "index of what commands say");
            }
            if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.reader).await {
                tracing::warn!(%error, "checkpoint of the database");
            }
        }
    }

    /// Ends all connections in order.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Reads a text column back into its type.
fn parsed<T: FromStr>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable { what })
}

/// Reads a number column back into its type.
fn number<T: TryFrom<i64>>(what: &'static str, value: i64) -> Result<T, StoreError> {
    T::try_from(value).map_err(|_| StoreError::Unreadable { what })
}

/// Writes a number that the ledger limits to 2⁵³−1.
fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Whether a statement failed on a UNIQUE or PRIMARY KEY constraint.
fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}
