//! A part of a host's ledger as an auditor takes it away: lines of a session,
//! or from a seq on, what those cannot be judged without, and tree hashes in
//! the place of all else.

use super::{Store, StoreError, bigint, number, parsed};
use countersign_core::{Digest, HostId};
use countersign_ledger::{Gaps, GapsMaker, Kind, Line, Value};
use sqlx::Row as _;
use std::collections::BTreeSet;

/// Entries that are looked for at a time.
const BATCH: i64 = 500;
/// Leaf hashes that are read at a time.
const LEAVES: i64 = 5_000;
/// Leaf hashes that are read for one page: a longer run is left out in pieces.
const MOST_LEAVES: u64 = 500_000;

/// Which part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartOf {
    /// The logins of this work session.
    Session(String),
    /// Everything from this seq on, and the logins that were open there.
    Since(u64),
}

/// Entries in order, and what stands between them.
struct Page {
    text: String,
    next: u64,
    leaves: u64,
}

impl Store {
    /// The first entry of a host that was written at this time or later.
    pub async fn first_since(&self, host: HostId, at_us: i64) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT seq FROM entries WHERE host = $1 AND at_us >= $2 ORDER BY seq LIMIT 1";
        let seq: Option<i64> =
            sqlx::query_scalar(sql).bind(host.to_string()).bind(at_us).fetch_optional(&self.reader).await?;
        seq.map(|seq| number("seq", seq)).transpose()
    }

    /// What comes from `from` on, about `bytes` of it; nothing where the part has ended. Each line is
    /// an entry, or a `proof.json` with one gap, for what is left out before the next.
    pub async fn part_from(&self, host: HostId, part: &PartOf, from: u64, bytes: usize) -> Result<String, StoreError> {
        if matches!(part, PartOf::Since(since) if from >= *since) {
            return self.lines_from(host, from, bytes).await;
        }
        let (chosen, end) = self.plan(host, part).await?;
        let mut page = Page { text: String::new(), next: from, leaves: 0 };
        while page.text.len() < bytes && page.leaves < MOST_LEAVES && page.next < end {
            let found = self.batch(host, part, page.next, end, &chosen).await?;
            if found.is_empty() {
                // Before what comes whole, something stands for all that is left out.
                if matches!(part, PartOf::Since(_)) {
                    self.leave_out(host, end, &mut page).await?;
                }
                break;
            }
            for seq in found {
                self.leave_out(host, seq, &mut page).await?;
                if page.next < seq || page.text.len() >= bytes {
                    break;
                }
                let line: String = sqlx::query_scalar("SELECT line FROM entries WHERE host = $1 AND seq = $2")
                    .bind(host.to_string())
                    .bind(bigint(seq))
                    .fetch_one(&self.reader)
                    .await?;
                page.text.push_str(&line);
                page.text.push('\n');
                page.next = seq.saturating_add(1);
            }
        }
        Ok(page.text)
    }

    /// The next entries of the part, before `end`.
    async fn batch(
        &self,
        host: HostId,
        part: &PartOf,
        from: u64,
        end: u64,
        chosen: &BTreeSet<u64>,
    ) -> Result<Vec<u64>, StoreError> {
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.in_every_part());
        let kinds = kinds.map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(",");
        let logins = match part {
            PartOf::Session(_) => "SELECT id FROM logins WHERE session = $5 AND host = $1",
            PartOf::Since(_) => {
                "SELECT l.id FROM logins l WHERE l.host = $1 AND (l.closed_at_ms IS NULL \
                 OR (SELECT MAX(m.seq) FROM entries m WHERE m.login = l.id) >= $5)"
            }
        };
        let sql = format!(
            "SELECT seq FROM entries WHERE host = $1 AND login IS NULL AND kind IN ({kinds}) AND seq >= $2 AND seq < $3 \
             UNION SELECT seq FROM entries WHERE login IN ({logins}) AND seq >= $2 AND seq < $3 ORDER BY 1 LIMIT $4"
        );
        let asked = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(host.to_string())
            .bind(bigint(from))
            .bind(bigint(end))
            .bind(BATCH);
        let asked = match part {
            PartOf::Session(name) => asked.bind(name.clone()),
            PartOf::Since(since) => asked.bind(bigint(*since)),
        };
        let rows = asked.fetch_all(&self.reader).await?;
        let mut found = BTreeSet::<u64>::new();
        for row in &rows {
            found.insert(number("seq", row.try_get(0)?)?);
        }
        let full = i64::try_from(rows.len()) == Ok(BATCH);
        let last = found.last().copied().filter(|_| full).map_or(end, |last| last.saturating_add(1));
        found.extend(chosen.range(from..last.max(from)).copied());
        Ok(found.into_iter().collect())
    }

    /// Puts tree hashes in the place of the entries before `to`, or of the first of them.
    async fn leave_out(&self, host: HostId, to: u64, page: &mut Page) -> Result<(), StoreError> {
        let to = to.min(page.next.saturating_add(MOST_LEAVES.saturating_sub(page.leaves).max(1)));
        if page.next >= to {
            return Ok(());
        }
        let mut maker = GapsMaker::default();
        while page.next < to {
            let sql = "SELECT leaf FROM entries WHERE host = $1 AND seq >= $2 AND seq < $3 ORDER BY seq LIMIT $4";
            let leaves: Vec<String> = sqlx::query_scalar(sql)
                .bind(host.to_string())
                .bind(bigint(page.next))
                .bind(bigint(to))
                .bind(LEAVES)
                .fetch_all(&self.reader)
                .await?;
            if leaves.is_empty() {
                return Err(StoreError::Unreadable { what: "entry" });
            }
            for leaf in &leaves {
                let leaf: Digest = parsed("leaf hash", leaf)?;
                maker.leave_out(page.next, leaf);
                page.next = page.next.saturating_add(1);
                page.leaves = page.leaves.saturating_add(1);
            }
        }
        let gaps: Gaps = maker.finish();
        page.text.push_str(&gaps.encode().map_err(|_| StoreError::Unreadable { what: "gap" })?);
        Ok(())
    }

    /// Entries that are needed besides, for what they say of others: what was declared gone, the
    /// checkpoint before and after that, and the one over the last entry. And where the part ends.
    async fn plan(&self, host: HostId, part: &PartOf) -> Result<(BTreeSet<u64>, u64), StoreError> {
        let removals = self.removals(host).await?;
        let (mut chosen, mut end) = (BTreeSet::new(), 0);
        for removal in &removals {
            let sql =
                "SELECT MAX(seq) FROM entries WHERE host = $1 AND login IS NULL AND kind = 'checkpoint' AND seq < $2";
            let before: Option<i64> =
                sqlx::query_scalar(sql).bind(host.to_string()).bind(bigint(*removal)).fetch_one(&self.reader).await?;
            chosen.insert(*removal);
            chosen.extend(before.map(|seq| number::<u64>("seq", seq)).transpose()?);
        }
        let mut covered = removals;
        if let PartOf::Session(session) = part {
            let sql = "SELECT MAX(seq) FROM entries WHERE login IN \
                       (SELECT id FROM logins WHERE session = $1 AND host = $2)";
            let asked = sqlx::query_scalar(sql).bind(session).bind(host.to_string());
            let last: Option<i64> = asked.fetch_one(&self.reader).await?;
            covered.push(last.map_or(Ok(0), |seq| number("seq", seq))?);
        }
        for seq in covered {
            match self.covering(host, seq).await? {
                Some(checkpoint) => {
                    chosen.insert(checkpoint);
                    end = end.max(checkpoint.saturating_add(1));
                }
                None => end = end.max(self.next_seq(host).await?),
            }
        }
        Ok(match part {
            PartOf::Session(_) => (chosen, end),
            PartOf::Since(since) => (chosen, *since),
        })
    }

    /// Entries that declare something gone.
    async fn removals(&self, host: HostId) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT seq FROM entries WHERE host = $1 AND login IS NULL AND kind IN ('erasure', 'redaction') ORDER BY seq";
        let rows: Vec<i64> = sqlx::query_scalar(sql).bind(host.to_string()).fetch_all(&self.reader).await?;
        rows.into_iter().map(|seq| number("seq", seq)).collect()
    }

    /// The first checkpoint over this entry.
    async fn covering(&self, host: HostId, seq: u64) -> Result<Option<u64>, StoreError> {
        let mut from = seq;
        loop {
            let sql = "SELECT seq, line FROM entries WHERE host = $1 AND login IS NULL AND kind = 'checkpoint' AND seq > $2 \
                       ORDER BY seq LIMIT 16";
            let rows: Vec<(i64, String)> =
                sqlx::query_as(sql).bind(host.to_string()).bind(bigint(from)).fetch_all(&self.reader).await?;
            let Some((last, _)) = rows.last() else { return Ok(None) };
            from = number("seq", *last)?;
            for (at, line) in &rows {
                let line = Line::parse(line.as_bytes()).map_err(|_| StoreError::Unreadable { what: "entry" })?;
                let body = line.body().map_err(|_| StoreError::Unreadable { what: "entry" })?;
                if body.get("size").and_then(Value::as_int).is_some_and(|size| size > seq) {
                    return number("seq", *at).map(Some);
                }
            }
        }
    }
}
