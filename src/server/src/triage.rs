//! Triage: somebody looks at a command later and says what it was. Verdicts
//! are kept beside each other, each an entry of the service's own ledger. None
//! of them changes what may run: no rule, no score and no flag rests on one.

use crate::app::{App, now_ms};
use crate::own_ledger::Act;
use crate::refusal::Refusal;
use crate::store::{rules, submissions, triage};
use countersign_analysis::redact::scrub;
use countersign_api::triage::{MAX_NOTE_CHARS, TriageRequest, Triaged};
use countersign_core::{Name, Outcome, SubmissionId};
use countersign_ledger::Kind;

/// Keeps what a reviewer found of a command.
pub async fn triage(app: &App, by: &Name, id: SubmissionId, request: TriageRequest) -> Result<Triaged, Refusal> {
    let (verdict, note) = (request.verdict, noted(&request.note)?);
    let at_ms = now_ms();
    let mut tx = app.store.write().await?;
    let Some(submission) = submissions::submission(&mut tx, id).await? else {
        return Err(Refusal::NotFound("no such command"));
    };
    let open = submission.outcome.is_none() && submission.deadline_ms.is_some_and(|deadline| at_ms < deadline);
    if open && submissions::decision_in(&mut tx, id).await?.is_none() {
        return Err(Refusal::Conflict("it still waits for a decision; approve or deny it first".to_owned()));
    }
    let may_have_run = submission.outcome.is_none_or(Outcome::lets_run);
    if verdict.clears()
        && may_have_run
        && rules::people(&mut tx).await? > 1
        && triage::took_part(&mut tx, id, by).await?
    {
        return Err(Refusal::Conflict(format!("{by} let it run; another person must say that it was harmless")));
    }
    let act = Act::new(Kind::AnomalyTriaged, verdict.as_str(), Some(by)).about(id).detail(note.as_str());
    let seq = app.ledger.record(&mut tx, &act).await?;
    let found = Triaged { verdict, by: by.clone(), at_ms, note, seq };
    triage::keep(&mut tx, id, &found).await?;
    tx.commit().await?;
    Ok(found)
}

/// The note as it is kept: it must say something, and no secret.
fn noted(note: &str) -> Result<String, Refusal> {
    let note = note.trim();
    if note.is_empty() {
        return Err(Refusal::BadRequest("the note is empty; say why, the record keeps it".to_owned()));
    }
    if note.chars().count() > MAX_NOTE_CHARS {
        return Err(Refusal::BadRequest(format!("the note is over {MAX_NOTE_CHARS} characters; shorten it")));
    }
    Ok(scrub(note).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_something_and_no_secret() {
        assert_eq!(noted(" a drill \n").unwrap(), "a drill");
        let longest = "é".repeat(MAX_NOTE_CHARS);
        assert_eq!(noted(&longest).unwrap(), longest);
        for bad in [String::new(), " \n\t".to_owned(), longest + "x"] {
            assert!(matches!(noted(&bad), Err(Refusal::BadRequest(_))), "{bad:?}");
        }
        let kept = noted("it was password=Tr0ub4dor&3x and ‹redacted password›").unwrap();
        assert!(!kept.contains("Tr0ub4dor") && kept.contains("‹redacted"), "{kept}");
        assert_eq!(kept.matches('‹').count(), 1, "nothing passes for a mark: {kept}");
    }
}
