//! What is kept of hosts that signed two histories.

use super::{Store, StoreError, bigint, number};

/// Two lines that one host signed for one place.
#[derive(Debug, Clone)]
pub struct Fork {
    /// The host's id.
    pub host: String,
    /// The place.
    pub seq: u64,
    /// What the host sent although this service holds something else.
    pub other: String,
}

impl Store {
    /// All of them, by host and place.
    pub async fn forks(&self) -> Result<Vec<Fork>, StoreError> {
        let rows: Vec<(String, i64, String)> =
            sqlx::query_as("SELECT host, seq, other_line FROM forks ORDER BY host, seq, other_leaf")
                .fetch_all(&self.reader)
                .await?;
        rows.into_iter().map(|(host, seq, other)| Ok(Fork { host, seq: number("seq", seq)?, other })).collect()
    }

    /// Lines of a host that this service holds, from `from` up to and with `to`, at most `most`.
    pub async fn held_lines(&self, host: &str, from: u64, to: u64, most: u32) -> Result<Vec<String>, StoreError> {
        let query = "SELECT line FROM entries WHERE host = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq LIMIT $4";
        let lines = sqlx::query_scalar(query).bind(host).bind(bigint(from)).bind(bigint(to)).bind(i64::from(most));
        Ok(lines.fetch_all(&self.reader).await?)
    }
}
