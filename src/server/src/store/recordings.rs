//! Which bytes of which recording are announced, held and checked.

use super::{Store, StoreError, bigint, number, parsed, past};
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

/// What new bytes of a recording are held against.
#[derive(Debug)]
pub struct Appending {
    /// The recording before them.
    pub recording: Recording,
    /// Bytes held of the host's other recordings.
    pub others: u64,
    /// Its chunks that are not checked yet and begin before the end of the bytes, in order.
    pub chunks: Vec<Chunk>,
}

/// Host, announced, held, verified, and whether it was erased.
type Row = (String, i64, i64, i64, bool);

fn read(login: LoginId, (host, announced, held, verified, erased): Row) -> Result<Recording, StoreError> {
    Ok(Recording {
        login,
        host: parsed("host id", &host)?,
        announced: number("length", announced)?,
        held: number("length", held)?,
        verified: number("length", verified)?,
        erased,
    })
}

impl Store {
    /// The recording of a login, `None` where no chunk was announced.
    pub async fn recording(&self, login: LoginId) -> Result<Option<Recording>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT host, announced, held, verified, erased_at_ms IS NOT NULL FROM recordings WHERE login = $1",
        )
        .bind(login.to_string())
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| read(login, row)).transpose()
    }

    /// Whose login it is, whether or not it has a recording.
    pub async fn login_host(&self, login: LoginId) -> Result<Option<HostId>, StoreError> {
        let host: Option<String> = sqlx::query_scalar("SELECT host FROM logins WHERE id = $1")
            .bind(login.to_string())
            .fetch_optional(&self.reader)
            .await?;
        host.map(|host| parsed("host id", &host)).transpose()
    }

    /// What bytes that end at `end` are held against; `None` where no chunk was announced.
    pub async fn appending(&self, login: LoginId, end: u64) -> Result<Option<Appending>, StoreError> {
        let row: Option<(String, i64, i64, i64, bool, i64, String)> = sqlx::query_as(
            "SELECT host, announced, held, verified, erased_at_ms IS NOT NULL, \
             (SELECT COALESCE(SUM(held), 0) FROM recordings WHERE host = r.host AND login <> $1), \
             (SELECT json_group_array(json_array(start_byte, length, digest)) FROM (SELECT * FROM recording_chunks \
             WHERE login = $1 AND start_byte >= r.verified AND start_byte < $2 ORDER BY number)) \
             FROM recordings r WHERE login = $1",
        )
        .bind(login.to_string())
        .bind(bigint(end))
        .fetch_optional(&self.reader)
        .await?;
        let Some((host, announced, held, verified, erased, others, chunks)) = row else { return Ok(None) };
        let chunks: Vec<(i64, i64, String)> = past::list("chunk", &chunks)?;
        let chunk = |(start, length, digest): (i64, i64, String)| {
            Ok(Chunk {
                start: number("offset", start)?,
                length: number("length", length)?,
                digest: parsed("digest", &digest)?,
            })
        };
        Ok(Some(Appending {
            recording: read(login, (host, announced, held, verified, erased))?,
            others: number("length", others)?,
            chunks: chunks.into_iter().map(chunk).collect::<Result<_, StoreError>>()?,
        }))
    }

    /// Remembers what is on disk, after it is durable there.
    pub async fn set_recording(&self, login: LoginId, held: u64, verified: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE recordings SET held = $1, verified = $2 WHERE login = $3 AND erased_at_ms IS NULL")
            .bind(bigint(held))
            .bind(bigint(verified))
            .bind(login.to_string())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
