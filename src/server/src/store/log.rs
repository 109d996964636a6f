//! Trees over hosts' entries, and the service's log of their checkpoints.

use super::{StoreError, Tx, bigint, number, parsed};
use countersign_core::{Digest, HostId};
use countersign_ledger::tlog::{Frontier, Node, fold_nodes};

/// The tree over a host's entries, up to what was cosigned.
pub async fn host_tree(tx: &mut Tx, host: HostId) -> Result<Frontier, StoreError> {
    let row: Option<(i64, String)> = sqlx::query_as("SELECT size, peaks FROM host_trees WHERE host = $1")
        .bind(host.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let Some((size, peaks)) = row else { return Ok(Frontier::default()) };
    let peaks: Result<Vec<Digest>, _> = peaks.split_whitespace().map(|peak| parsed("tree", peak)).collect();
    Frontier::from_peaks(number("tree", size)?, peaks?).ok_or(StoreError::Unreadable { what: "tree" })
}

/// Keeps it.
pub async fn keep_host_tree(tx: &mut Tx, host: HostId, tree: &Frontier) -> Result<(), StoreError> {
    let peaks: Vec<_> = tree.peaks().iter().map(Digest::to_string).collect();
    let sql = "INSERT INTO host_trees (host, size, peaks) VALUES ($1, $2, $3) \
               ON CONFLICT (host) DO UPDATE SET size = excluded.size, peaks = excluded.peaks";
    sqlx::query(sql).bind(host.to_string()).bind(bigint(tree.size())).bind(peaks.join(" ")).execute(&mut **tx).await?;
    Ok(())
}

/// Entries of a host from `from` on, before `to`, at most `most`: their leaf
/// hashes, and the lines of those that are `decided`.
pub async fn leaves(
    tx: &mut Tx,
    host: HostId,
    from: u64,
    to: u64,
    most: u32,
) -> Result<Vec<(Digest, Option<String>)>, StoreError> {
    let sql = "SELECT leaf, CASE kind WHEN 'decided' THEN line END FROM entries \
               WHERE host = $1 AND seq >= $2 AND seq < $3 ORDER BY seq LIMIT $4";
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(sql)
        .bind(host.to_string())
        .bind(bigint(from))
        .bind(bigint(to))
        .bind(i64::from(most))
        .fetch_all(&mut **tx)
        .await?;
    rows.into_iter().map(|(leaf, line)| Ok((parsed("leaf hash", &leaf)?, line))).collect()
}

/// Where the checkpoint of this size stands in the service's log.
pub async fn checkpoint(tx: &mut Tx, host: HostId, size: u64) -> Result<Option<u64>, StoreError> {
    let index: Option<i64> = sqlx::query_scalar("SELECT log_index FROM checkpoints WHERE host = $1 AND size = $2")
        .bind(host.to_string())
        .bind(bigint(size))
        .fetch_optional(&mut **tx)
        .await?;
    index.map(|index| number("log index", index)).transpose()
}

/// A checkpoint that becomes a leaf of the log.
#[derive(Debug)]
pub struct NewCheckpoint<'a> {
    /// Whose.
    pub host: HostId,
    /// Leaves of its tree.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// The note that the host signed.
    pub note: &'a str,
    /// Seconds since 1970.
    pub time: u64,
    /// Its hash as a leaf of the log.
    pub leaf: Digest,
}

/// How many leaves the service's log has.
pub async fn log_size(tx: &mut Tx) -> Result<u64, StoreError> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(idx) FROM log_nodes WHERE level = 0").fetch_one(&mut **tx).await?;
    last.map_or(Ok(0), |idx| number("log index", idx.saturating_add(1)))
}

/// Adds a checkpoint to the log and yields its index.
pub async fn add_checkpoint(tx: &mut Tx, new: &NewCheckpoint<'_>) -> Result<u64, StoreError> {
    let index = log_size(tx).await?;
    let mut peaks = Vec::new();
    for node in peaks_of(index) {
        peaks.push(log_node(tx, node).await?);
    }
    let mut log = Frontier::from_peaks(index, peaks).ok_or(StoreError::Unreadable { what: "log" })?;
    let mut complete = Vec::new();
    log.push_with(new.leaf, |level, idx, hash| complete.push((level, idx, hash)));
    for (level, idx, hash) in complete {
        sqlx::query("INSERT INTO log_nodes (level, idx, hash) VALUES ($1, $2, $3)")
            .bind(i64::from(level))
            .bind(bigint(idx))
            .bind(hash.to_string())
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query("INSERT INTO checkpoints (log_index, host, size, root, note, time) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(bigint(index))
        .bind(new.host.to_string())
        .bind(bigint(new.size))
        .bind(new.root.to_string())
        .bind(new.note)
        .bind(bigint(new.time))
        .execute(&mut **tx)
        .await?;
    Ok(index)
}

/// The hashes that a list of nodes for each hash asks for.
pub async fn hashes(tx: &mut Tx, lists: Vec<Vec<Node>>) -> Result<Vec<Digest>, StoreError> {
    let mut proof = Vec::with_capacity(lists.len());
    for list in lists {
        let mut parts = Vec::with_capacity(list.len());
        for node in list {
            parts.push(log_node(tx, node).await?);
        }
        proof.push(fold_nodes(&parts).ok_or(StoreError::Unreadable { what: "log" })?);
    }
    Ok(proof)
}

/// The root of the log.
pub async fn log_root(tx: &mut Tx, size: u64) -> Result<Digest, StoreError> {
    let mut peaks = Vec::new();
    for node in peaks_of(size) {
        peaks.push(log_node(tx, node).await?);
    }
    Ok(Frontier::from_peaks(size, peaks).ok_or(StoreError::Unreadable { what: "log" })?.root())
}

async fn log_node(tx: &mut Tx, (level, idx): Node) -> Result<Digest, StoreError> {
    let hash: Option<String> = sqlx::query_scalar("SELECT hash FROM log_nodes WHERE level = $1 AND idx = $2")
        .bind(i64::from(level))
        .bind(bigint(idx))
        .fetch_optional(&mut **tx)
        .await?;
    parsed("log", &hash.ok_or(StoreError::Unreadable { what: "log" })?)
}

/// The complete subtrees of a tree of this size, largest first.
fn peaks_of(size: u64) -> Vec<Node> {
    let mut start = 0u64;
    (0..64u32)
        .rev()
        .filter(|level| size >> level & 1 == 1)
        .map(|level| {
            let node = (level, start >> level);
            start = start.saturating_add(1 << level);
            node
        })
        .collect()
}
