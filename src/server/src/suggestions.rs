//! What history says about rules.

use crate::refusal::Refusal;
use crate::store::{Decided, Store};
use countersign_api::rules::{Finding, SuggestedRule, Suggestions};
use countersign_api::triage::Verdict;
use countersign_core::{DecidedBy, Outcome};
use countersign_policy::{Past, suggest};
use std::collections::HashMap;

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
            // What should not have run teaches no rule to let it run.
            approved: row.outcome == Some(Outcome::Approved) && !row.triage.is_some_and(Verdict::condemns),
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
    let passed = rows.iter().filter(|row| row.outcome == Some(Outcome::Whitelisted));
    let risky = passed.filter(|row| row.score.is_some_and(|score| score >= RISKY));
    let approved = rows.iter().filter(by_person).filter(|row| row.outcome == Some(Outcome::Approved));
    let anomalous = approved.filter(|row| !row.anomalies.is_empty());
    Suggestions {
        looked_at: u64::try_from(rows.len()).unwrap_or(u64::MAX),
        suggestions,
        risky_but_passed: findings(risky, |finding| finding.score.map_or(0, usize::from)),
        anomalous_but_approved: findings(anomalous, |finding| finding.anomalies.len()),
    }
}

/// Each line once, those that weigh most first; not those that somebody has found
/// harmless each time. `rows`: newest first.
fn findings<'a>(rows: impl Iterator<Item = &'a Decided>, weight: impl Fn(&Finding) -> usize) -> Vec<Finding> {
    let mut found: HashMap<&str, Finding> = HashMap::new();
    for row in rows {
        let finding = found.entry(&row.command).or_insert_with(|| Finding {
            id: row.id,
            command: row.command.clone(),
            by: String::new(),
            score: None,
            anomalies: Vec::new(),
            times: 0,
            cleared: 0,
            verdict: None,
        });
        if row.triage.is_some_and(Verdict::clears) {
            finding.cleared += 1;
            continue;
        }
        if finding.times == 0 {
            // The newest that is to be looked at.
            finding.id = row.id;
            finding.by = row.decided_by.as_ref().map(ToString::to_string).unwrap_or_default();
        }
        finding.verdict = finding.verdict.or(row.triage);
        finding.times += 1;
        finding.score = finding.score.max(row.score);
        for flag in &row.anomalies {
            if !finding.anomalies.contains(flag) {
                finding.anomalies.push(flag.clone());
            }
        }
    }
    let mut found: Vec<Finding> = found.into_values().filter(|finding| finding.times > 0).collect();
    found.sort_by(|a, b| (weight(b), b.times, &a.command).cmp(&(weight(a), a.times, &b.command)));
    found.truncate(FINDINGS);
    found
}
