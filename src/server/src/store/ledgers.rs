//! Ledgers of hosts as an auditor takes them away.

use super::{Store, StoreError, bigint, number, parsed};
use countersign_api::ledgers::LedgerOf;
use countersign_core::{HostId, Name};

/// Lines that are read at a time.
const LINES: i64 = 1000;

impl Store {
    /// The host of a work session and that session's logins.
    pub async fn ledger_of_session(&self, session: &str) -> Result<Option<LedgerOf>, StoreError> {
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT h.id, h.name FROM sessions s JOIN hosts h ON h.id = s.host WHERE s.name = $1")
                .bind(session)
                .fetch_optional(&self.reader)
                .await?;
        let Some(row) = row else { return Ok(None) };
        let logins: Vec<String> =
            sqlx::query_scalar("SELECT id FROM logins WHERE session = $1 ORDER BY opened_at_ms, id")
                .bind(session)
                .fetch_all(&self.reader)
                .await?;
        self.ledger(row, logins).await.map(Some)
    }

    /// A host and all its logins.
    pub async fn ledger_of_host(&self, host: &Name) -> Result<Option<LedgerOf>, StoreError> {
        let row: Option<(String, String)> = sqlx::query_as("SELECT id, name FROM hosts WHERE name = $1")
            .bind(host.as_str())
            .fetch_optional(&self.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let logins: Vec<String> = sqlx::query_scalar("SELECT id FROM logins WHERE host = $1 ORDER BY opened_at_ms, id")
            .bind(&row.0)
            .fetch_all(&self.reader)
            .await?;
        self.ledger(row, logins).await.map(Some)
    }

    async fn ledger(&self, (host, name): (String, String), logins: Vec<String>) -> Result<LedgerOf, StoreError> {
        let host: HostId = parsed("host id", &host)?;
        Ok(LedgerOf {
            host,
            host_name: parsed("host name", &name)?,
            entries: self.next_seq(host).await?,
            logins: logins.iter().map(|id| parsed("login id", id)).collect::<Result<_, _>>()?,
            since: None,
        })
    }

    /// Lines of a host from a seq on, each with its newline, until they are
    /// `bytes` long or there are no more.
    pub async fn lines_from(&self, host: HostId, from: u64, bytes: usize) -> Result<String, StoreError> {
        let (mut text, mut next) = (String::new(), from);
        while text.len() < bytes {
            let rows: Vec<(i64, String)> =
                sqlx::query_as("SELECT seq, line FROM entries WHERE host = $1 AND seq >= $2 ORDER BY seq LIMIT $3")
                    .bind(host.to_string())
                    .bind(bigint(next))
                    .bind(LINES)
                    .fetch_all(&self.reader)
                    .await?;
            let Some((last, _)) = rows.last() else { break };
            next = number("seq", last.saturating_add(1))?;
            for (seq, line) in &rows {
                if text.len() >= bytes {
                    next = number("seq", *seq)?;
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
        }
        Ok(text)
    }
}
