//! Looking at the queue of a trial: tells the operator how to decide, or
//! decides as the built-in reviewer.

use super::programs::Programs;
use super::state::StateDir;
use super::typed;
use crate::args::TrialAnswer;
use crate::choose::short;
use crate::client::Client;
use crate::failure::Failure;
use crate::reviewer::Reviewer;
use crate::screen::{json, note_to_copy};
use countersign_api::service::{PendingSubmission, ReviewRequest};
use countersign_core::{Choice, SubmissionId, legible};
use serde::Serialize;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// How often the queue is looked at.
const LOOK: Duration = Duration::from_millis(25);

/// Waits for the submissions of a trial.
pub struct Watcher {
    client: Client,
    own: String,
    state: String,
    answer: Option<TrialAnswer>,
    json: bool,
    /// Seen already, or left from an earlier run that was killed.
    before: Vec<SubmissionId>,
}

#[derive(Serialize)]
struct Hint<'a> {
    pending: SubmissionId,
    approve: [&'a str; 5],
    deny: [&'a str; 7],
}

impl Watcher {
    /// Looks at the queue as it is before the command is submitted.
    pub async fn new(
        state: &StateDir,
        programs: &Programs,
        answer: Option<TrialAnswer>,
        json: bool,
    ) -> Result<Self, Failure> {
        let file = if answer.is_some() { state.trial_reviewer() } else { state.reviewer() };
        let client = Client::new(Reviewer::load(&file)?)?;
        let before = client.pending().await?.into_iter().map(|row| row.id).collect();
        let own = command_name(&programs.own);
        Ok(Self { client, own, state: typed(state.path()), answer, json, before })
    }

    /// Says once who decides and how, for a login of many lines: its prompt looks like any other.
    pub fn introduce(&self) {
        let text = match self.answer {
            None => {
                let (own, state) = (self.own.as_str(), self.state.as_str());
                let commands = format!("  {own} pending --state {state}\n  {own} approve --state {state} ID");
                format!("countersign: each line is held until you decide in another terminal; ^D ends:\n{commands}")
            }
            Some(TrialAnswer::Approve) => {
                "countersign: each line is held until the trial's reviewer answers, who approves all; exit or ^D ends"
                    .to_owned()
            }
            Some(TrialAnswer::Deny) => {
                "countersign: each line is held until the trial's reviewer answers, who denies all; exit or ^D ends"
                    .to_owned()
            }
        };
        text.lines().for_each(|line| note_to_copy(&legible(line)));
    }

    /// Waits for submissions, and decides or tells about each.
    pub async fn run(&mut self, tell: bool) -> Result<(), Failure> {
        loop {
            // A query that fails is asked again: the command itself notices a lost service.
            let rows = self.client.pending().await.unwrap_or_default();
            if let Some(row) = rows.iter().find(|row| !self.before.contains(&row.id)) {
                match self.answer {
                    Some(answer) => self.decide(row, answer).await?,
                    None if tell => self.tell(row, &rows)?,
                    None => {}
                }
                let id = row.id;
                self.before.push(id);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn decide(&self, row: &PendingSubmission, answer: TrialAnswer) -> Result<(), Failure> {
        let decision = match answer {
            TrialAnswer::Approve => Choice::Approve,
            TrialAnswer::Deny => Choice::Deny,
        };
        let review = ReviewRequest { decision, entry: row.entry, comment: None, signed: None };
        self.client.decide(row.id, &review).await.map(drop)
    }

    fn tell(&self, row: &PendingSubmission, rows: &[PendingSubmission]) -> Result<(), Failure> {
        let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
        let id = short(&row.id.to_string(), &ids);
        let (own, state) = (self.own.as_str(), self.state.as_str());
        if self.json {
            let hint = Hint {
                pending: row.id,
                approve: [own, "approve", "--state", state, &id],
                deny: [own, "deny", "--state", state, &id, "--reason", "…"],
            };
            note_to_copy(&json(&hint)?);
            return Ok(());
        }
        // The gated command may have made the terminal raw: a bare line feed would leave the cursor where it is.
        let end = if std::io::stderr().is_terminal() { "\r" } else { "" };
        // What is there to be copied has lines of its own.
        let lines = [
            "countersign: held; decide in another terminal:".to_owned(),
            format!("  {own} approve --state {state} {id}"),
            format!("  {own} deny --state {state} {id} --reason …"),
        ];
        lines.iter().for_each(|line| note_to_copy(&format!("{}{end}", legible(line))));
        Ok(())
    }
}

/// Ourselves as the user can type it: the bare name where PATH leads here.
fn command_name(own: &Path) -> String {
    let name = own.file_name().unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    let here =
        found.and_then(|file| file.canonicalize().ok()).is_some_and(|file| own.canonicalize().is_ok_and(|o| o == file));
    if here { name.to_string_lossy().into_owned() } else { typed(own) }
}
