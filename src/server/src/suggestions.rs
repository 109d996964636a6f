//! What history says about rules.

use crate::refusal::Refusal;
use crate::store::{Decided, Store};
use countersign_api::rules::{SuggestedRule, Suggestions};
use countersign_core::{DecidedBy, Outcome};
use countersign_policy::{Past, suggest};

/// Newest commands that are looked at.
const LINES: u32 = 20_000;
/// Most findings of each kind.
const FINDINGS: usize = 20;
/// A score from which a line that passed by rule is worth a look: medium.
const RISKY: u8 = 25;

/// Candidates, and what looks odd about the rules in force.
pub async fn of_history(store: &Store) -> Result<Suggestions, Refusal> {
    let rows = store.history(LINES).await?;
    let found = tokio::task::spawn_blocking(move || look(&rows)).await;
    found.map_err(|error| {
        tracing::error!(%error, "suggestions");
        Refusal::Internal
    })
}

fn look(rows: &[Decided]) -> Suggestions {
    let by_person = |row: &&Decided| matches!(row.decided_by, Some(DecidedBy::Person(_)));
    let decided = |row: &Decided| matches!(row.outcome, Some(Outcome::Approved | Outcome::Denied));
    let history: Vec<Past> = rows
        .iter()
        .filter(by_person)
        .filter(|row| decided(row))
        .map(|row| Past {
            line: row.command.clone(),
            shell: row.shell.clone(),
            approved: row.outcome == Some(Outcome::Approved),
        })
        .collect();
    let suggestions = suggest(&history)
        .into_iter()
        .filter_map(|found| {
            Some(SuggestedRule {
                body: serde_json::to_value(&found.body).ok()?,
                passes: found.passes,
                approved: found.approved,
                different: found.different,
                denied: found.denied,
                lines: found.lines,
                advice: found.advice,
            })
        })
        .collect();
    let risky = rows.iter().filter(|row| row.outcome == Some(Outcome::Whitelisted)).filter_map(|row| {
        let score = row.score.filter(|score| *score >= RISKY)?;
        Some((row.decided_by.as_ref()?.to_string(), row.command.clone(), score))
    });
    let anomalous = rows.iter().filter(by_person).filter(|row| row.outcome == Some(Outcome::Approved));
    let anomalous = anomalous.filter(|row| !row.anomalies.is_empty());
    Suggestions {
        looked_at: u64::try_from(rows.len()).unwrap_or(u64::MAX),
        suggestions,
        risky_but_passed: risky.take(FINDINGS).collect(),
        anomalous_but_approved: anomalous
            .take(FINDINGS)
            .map(|row| (row.command.clone(), row.anomalies.clone()))
            .collect(),
    }
}
