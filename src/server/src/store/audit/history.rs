//! What was decided, as far as suggestions need it.

use super::super::submissions::flags;
use super::super::{Store, StoreError, number, parsed};
use countersign_api::triage::Verdict;
use countersign_core::{DecidedBy, Outcome, SubmissionId};

/// A command with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Its id.
    pub id: SubmissionId,
    /// Its text as it may be shown.
    pub command: String,
    /// The inner shell.
    pub shell: String,
    /// The host's own outcome.
    pub outcome: Option<Outcome>,
    /// Who decided.
    pub decided_by: Option<DecidedBy>,
    /// Its score.
    pub score: Option<u8>,
    /// Its flags.
    pub anomalies: Vec<String>,
    /// The last verdict of those who looked at it later.
    pub triage: Option<Verdict>,
}

type Columns = (String, String, String, Option<String>, Option<String>, Option<i64>, String, String, Option<String>);

impl Store {
    /// The newest commands, newest first.
    pub async fn history(&self, limit: u32) -> Result<Vec<Decided>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, command, shell, outcome, decided_by, score, flags, anomalies, triage FROM submissions \
             ORDER BY position DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(id, command, shell, outcome, decided_by, score, of_host, anomalies, triage)| {
                Ok(Decided {
                    id: parsed("submission id", &id)?,
                    command,
                    shell,
                    outcome: outcome.map(|outcome| parsed("outcome", &outcome)).transpose()?,
                    decided_by: decided_by.map(|by| parsed("decider", &by)).transpose()?,
                    score: score.map(|score| number("score", score)).transpose()?,
                    anomalies: flags(&of_host, &anomalies),
                    triage: triage.map(|verdict| parsed("verdict", &verdict)).transpose()?,
                })
            })
            .collect()
    }
}
