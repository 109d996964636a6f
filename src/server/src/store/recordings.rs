//! Which bytes of which recording are announced, held and checked.

use super::{Store, StoreError, Tx, bigint, number, parsed};
use countersign_core::{Digest, HostId, LoginId};

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its login.
    pub login: LoginId,
    /// Its host.
    pub host: HostId,
    /// End of the last announced chunk.
    pub announced: u64,
    /// Bytes on disk.
    pub held: u64,
    /// Bytes in whole chunks whose digest was checked.
    pub verified: u64,
    /// It was erased: no byte of it is taken any more.
    pub erased: bool,
}

/// An announced piece of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// SHA-256 of them.
    pub digest: Digest,
}

impl Store {
    /// The recording of a login, `None` where no chunk was announced.
    pub async fn recording(&self, login: LoginId) -> Result<Option<Recording>, StoreError> {
        let row: Option<(String, i64, i64, i64, bool)> = sqlx::query_as(
            "SELECT host, announced, held, verified, erased_at_ms IS NOT NULL FROM recordings WHERE login = $1",
        )
        .bind(login.to_string())
        .fetch_optional(&self.reader)
        .await?;
        row.map(|(host, announced, held, verified, erased)| {
            Ok(Recording {
                login,
                host: parsed("host id", &host)?,
                announced: number("length", announced)?,
                held: number("length", held)?,
                verified: number("length", verified)?,
                erased,
            })
        })
        .transpose()
    }

    /// Bytes held of all recordings of a host.
    pub async fn held_of_host(&self, host: HostId) -> Result<u64, StoreError> {
        let held: i64 = sqlx::query_scalar("SELECT COALESCE(SUM(held), 0) FROM recordings WHERE host = $1")
            .bind(host.to_string())
            .fetch_one(&self.reader)
            .await?;
        number("length", held)
    }

    /// Whose login it is, whether or not it has a recording.
    pub async fn login_host(&self, login: LoginId) -> Result<Option<HostId>, StoreError> {
        let host: Option<String> = sqlx::query_scalar("SELECT host FROM logins WHERE id = $1")
            .bind(login.to_string())
            .fetch_optional(&self.reader)
            .await?;
        host.map(|host| parsed("host id", &host)).transpose()
    }

    /// Chunks that begin at or after `from` and before `until`, in order.
    pub async fn chunks(&self, login: LoginId, from: u64, until: u64) -> Result<Vec<Chunk>, StoreError> {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT start_byte, length, digest FROM recording_chunks \
             WHERE login = $1 AND start_byte >= $2 AND start_byte < $3 ORDER BY number",
        )
        .bind(login.to_string())
        .bind(bigint(from))
        .bind(bigint(until))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(start, length, digest)| {
                Ok(Chunk {
                    start: number("offset", start)?,
                    length: number("length", length)?,
                    digest: parsed("digest", &digest)?,
                })
            })
            .collect()
    }

    /// Remembers what is on disk, after it is durable there.
    pub async fn set_recording(&self, login: LoginId, held: u64, verified: u64) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE recordings SET held = $1, verified = $2 WHERE login = $3 AND erased_at_ms IS NULL")
            .bind(bigint(held))
            .bind(bigint(verified))
            .bind(login.to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

/// Announces a chunk; `false` where it does not follow the one before.
pub async fn announce(
    tx: &mut Tx,
    host: HostId,
    login: LoginId,
    chunk_number: u64,
    chunk: &Chunk,
) -> Result<bool, StoreError> {
    let known: Option<(i64, i64)> = sqlx::query_as(
        "SELECT announced, (SELECT COUNT(*) FROM recording_chunks WHERE login = $1) FROM recordings WHERE login = $1",
    )
    .bind(login.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let (announced, chunks): (u64, u64) = match known {
        Some((announced, chunks)) => (number("length", announced)?, number("count", chunks)?),
        None => (0, 0),
    };
    if (chunks, announced) != (chunk_number, chunk.start) {
        return Ok(false);
    }
    let end = bigint(announced.saturating_add(chunk.length));
    sqlx::query(
        "INSERT INTO recordings (login, host, announced, held, verified) VALUES ($1, $2, $3, 0, 0) \
         ON CONFLICT (login) DO UPDATE SET announced = $3",
    )
    .bind(login.to_string())
    .bind(host.to_string())
    .bind(end)
    .execute(&mut **tx)
    .await?;
    sqlx::query("INSERT INTO recording_chunks (login, number, start_byte, length, digest) VALUES ($1, $2, $3, $4, $5)")
        .bind(login.to_string())
        .bind(bigint(chunk_number))
        .bind(bigint(chunk.start))
        .bind(bigint(chunk.length))
        .bind(chunk.digest.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(true)
}
