//! The policy in force: made of what is stored, kept with its text, and asked.
//!
//! A stored rule that cannot be read stops the service from starting; a change
//! that would make one is not taken.

use crate::store::past::Found;
use crate::store::{RuleRow, StoreError, Submission, Tx, rules};
use countersign_analysis::anomaly::{Flag, History, of_history};
use countersign_analysis::facts::Place;
use countersign_analysis::{Analysis, analyze, consequences};
use countersign_api::rules::{RuleVerdict, Step};
use countersign_api::service;
use countersign_core::{Choice, CommandText, Digest, HostId, Name};
use countersign_ledger::sha256;
use countersign_policy::{
    Asked, BadPolicy, Body, Facts, Kind, Now, Policy, Reading, Rule, Ruling, Settings, Target, Verdict,
};
use std::collections::HashMap;

/// The number of the settings among the rules.
pub const SETTINGS: u64 = 0;

/// A policy, its text and the text's digest, always together.
#[derive(Debug)]
pub struct InForce {
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of the text: the `policy` of decision statements.
    pub digest: Digest,
    /// Its canonical text.
    pub text: String,
}

/// What a line shows by itself, and what its agent's past makes of it.
#[derive(Debug)]
pub struct Looked<'a> {
    found: &'a Analysis,
    /// Anomaly flags.
    pub anomalies: Vec<String>,
    /// What would come of it, in words.
    consequences: Vec<String>,
    reached: Vec<String>,
}

impl Looked<'_> {
    /// What is kept of it.
    pub fn kept(&self) -> Found<'_> {
        let risk = &self.found.risk;
        let reasons = risk.reasons.iter().map(|reason| service::Reason {
            id: reason.id.clone(),
            weight: reason.weight,
            reason: reason.reason.clone(),
            technique: reason.technique.clone(),
            category: reason.category.clone(),
            start: reason.start,
            end: reason.end,
        });
        let found = service::Found {
            category: risk.category.clone(),
            reasons: reasons.collect(),
            consequences: self.consequences.clone(),
            analysis: countersign_analysis::VERSION,
        };
        Found {
            score: risk.score,
            anomalies: &self.anomalies,
            // This type always becomes JSON.
            found: serde_json::to_string(&found).unwrap_or_default(),
            programs: &risk.programs,
            reached: &self.reached,
        }
    }
}

/// What is stored is no policy.
#[derive(Debug, thiserror::Error)]
pub enum NotInForce {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A rule, or the settings.
    #[error(transparent)]
    Policy(#[from] BadPolicy),
    /// A stored body is not a rule's.
    #[error("rule {id}: its stored text cannot be read: {why}")]
    Body {
        /// Its number.
        id: u64,
        /// Why.
        why: String,
    },
}

impl InForce {
    /// What the store holds, as this transaction sees it; `base`: the settings where none are stored.
    pub async fn load(tx: &mut Tx, base: &Settings) -> Result<Self, NotInForce> {
        let rows = rules::live(tx).await?;
        let active: Vec<&RuleRow> = rows.iter().filter(|row| row.state == "active").collect();
        let settings = match active.iter().find(|row| row.id == SETTINGS) {
            Some(row) => read(row.id, &row.body)?,
            None => base.clone(),
        };
        let mut policy = Policy::new(settings)?;
        for (host, name, class) in rules::targets(tx).await? {
            policy.set_target(Target { host, name, class });
        }
        for row in active.into_iter().filter(|row| row.id != SETTINGS) {
            policy.add(checked(row, None)?)?;
        }
        let text = policy.canonical_text();
        Ok(Self { digest: sha256(text.as_bytes()), text, policy })
    }

    /// Loads it and keeps its text.
    pub async fn load_and_keep(tx: &mut Tx, base: &Settings, now_ms: i64) -> Result<Self, NotInForce> {
        let loaded = Self::load(tx, base).await?;
        rules::keep_policy(tx, loaded.digest, &loaded.text, now_ms).await?;
        Ok(loaded)
    }

    /// Hosts and networks that a target may talk to.
    pub fn known_hosts(&self, host: HostId) -> Vec<String> {
        self.policy.settings().known_hosts(self.policy.target(host).0)
    }

    /// Adds to what a line shows by itself what the past of its agent makes of it; `at_ms`: when it works.
    pub fn look<'a>(
        &self,
        (command, agent, host): (&str, &str, HostId),
        place: &Place<'_>,
        found: &'a Analysis,
        past: &History,
        at_ms: i64,
    ) -> Looked<'a> {
        let mut flags = found.anomalies.clone();
        flags.extend(of_history(command, &found.risk, past));
        if self.policy.settings().off_hours(agent, self.policy.target(host).0, at_ms) {
            flags.push(Flag::OffHours);
        }
        flags.sort_unstable();
        flags.dedup();
        let mut reached: Vec<String> = found.risk.hosts.iter().map(|reached| reached.host.clone()).collect();
        reached.sort_unstable();
        reached.dedup();
        Looked {
            found,
            anomalies: flags.into_iter().map(|flag| flag.code().to_owned()).collect(),
            consequences: consequences(&found.facts, place, &past.new_in(&found.risk)),
            reached,
        }
    }

    /// What it says of a submission now.
    pub fn judge(
        &self,
        submission: &Submission,
        looked: &Looked<'_>,
        uses: &HashMap<u64, u64>,
        now_ms: i64,
    ) -> Verdict {
        // Of what only a person may let run, no rule has seen what runs.
        let seen = submission.wholly_visible && !submission.needs_person;
        let whole = CommandText::parse(submission.command.as_bytes()).ok().filter(|_| seen);
        let asked = Asked {
            whole: whole.as_ref(),
            shell: &submission.shell,
            terminal: submission.tty,
            agent: &submission.agent,
            host: submission.host,
            session: &submission.session,
            cwd: &submission.cwd,
            words_known: submission.words_known,
        };
        let mut verdict = self.decide(&asked, &submission.command, looked, (uses, now_ms));
        if submission.needs_person {
            let found = "the host marks it as one that only a person may let run".to_owned();
            verdict.steps.insert(0, countersign_policy::Step { step: "flag", found });
        }
        verdict
    }

    /// `command`: the text that can be seen, which is scored whole or not.
    fn decide(
        &self,
        asked: &Asked<'_>,
        command: &str,
        looked: &Looked<'_>,
        (uses, now_ms): (&HashMap<u64, u64>, i64),
    ) -> Verdict {
        let found = looked.found;
        let secrets: Vec<String> = found.redactions.iter().map(|finding| finding.kind.to_string()).collect();
        let reading = Reading::from_tree(command, asked.shell, &found.facts);
        let facts =
            Facts { reading: &reading, score: Some(found.risk.score), anomalies: &looked.anomalies, secrets: &secrets };
        let used = |id| uses.get(&id).copied().unwrap_or(0);
        self.policy.decide(asked, &facts, &Now { at_ms: now_ms, uses: &used })
    }

    /// What it would say of a line.
    pub fn test(
        &self,
        test: &countersign_api::rules::RuleTest,
        host: HostId,
        uses: &HashMap<u64, u64>,
        now_ms: i64,
    ) -> RuleVerdict {
        let whole = CommandText::parse(test.line.as_bytes()).ok();
        let asked = Asked {
            whole: whole.as_ref(),
            shell: &test.shell,
            terminal: test.on_terminal,
            agent: &test.agent,
            host,
            session: &test.session,
            cwd: &test.cwd,
            // What its programs are is known on its host only; what the line leaves open is seen
            // here. On a terminal the shell may go on from line to line.
            words_known: countersign_analysis::starts(&test.line, &test.shell).is_settled(test.on_terminal),
        };
        let place = place_of(&test.cwd, &test.shell);
        let found = analyze(&test.line, &place, &self.known_hosts(host));
        let looked = self.look((&test.line, &test.agent, host), &place, &found, &History::default(), now_ms);
        let verdict = self.decide(&asked, &test.line, &looked, (uses, now_ms));
        let (decision, by, people) = match &verdict.ruling {
            Ruling::Pass(passed) => (Some(Choice::Approve), Some(passed.by().to_string()), 0),
            Ruling::Block { rule } => (Some(Choice::Deny), Some(format!("deny_rule:{rule}")), 0),
            Ruling::Ask { people } => (None, None, *people),
        };
        RuleVerdict { decision, by, people, steps: steps(&verdict) }
    }
}

/// Where a line would run, as the analysis has it.
pub fn place_of<'a>(cwd: &'a str, shell: &str) -> Place<'a> {
    let cwd = Some(cwd).filter(|cwd| cwd.starts_with('/'));
    Place { cwd, home: None, shell: countersign_policy::shell_of(shell) }
}

/// The steps of a verdict as the API has them.
pub fn steps(verdict: &Verdict) -> Vec<Step> {
    verdict.steps.iter().map(|step| Step { step: step.step.to_owned(), found: step.found.clone() }).collect()
}

/// Reads a stored body.
pub fn read<T: serde::de::DeserializeOwned>(id: u64, body: &str) -> Result<T, NotInForce> {
    serde_json::from_str(body).map_err(|error| NotInForce::Body { id, why: error.to_string() })
}

/// A stored rule, checked again; `now_ms` where it is new.
pub fn checked(row: &RuleRow, now_ms: Option<i64>) -> Result<Rule, NotInForce> {
    let kind = if row.kind == "grant" { Kind::Grant } else { Kind::Standing };
    let body: Body = read(row.id, &row.body)?;
    let approver: Name = row.approver.clone().unwrap_or_else(|| row.author.clone());
    let rule = Rule::check(row.id, kind, row.author.clone(), approver, body, now_ms);
    rule.map_err(|why| BadPolicy::Rule { id: row.id, why }.into())
}
