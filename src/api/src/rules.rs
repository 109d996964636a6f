//! Rules, as reviewers' tools and the service speak of them. The written form
//! of a rule (`body`) is described in docs/POLICY.md.

use crate::triage::Verdict;
use countersign_core::{Choice, Digest, Name, SubmissionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A rule that a host has found to let a line run by itself: one of the
/// document that its administrators have signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRule {
    /// Its number there.
    pub rule: u64,
    /// The digest of the policy that the document's rules are.
    pub policy: Digest,
}

/// A rule with its history: a standing rule, a grant, or (number 0) the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its number.
    pub id: u64,
    /// Which text of it this is, from 1.
    #[serde(default = "one")]
    pub revision: u64,
    /// `standing`, `grant` or `settings`.
    #[serde(default = "standing")]
    pub kind: String,
    /// `proposed`, `active`, `replaced` or `ended`.
    #[serde(default = "active")]
    pub state: String,
    /// `allow`, `deny` or `ask`.
    #[serde(default = "allow")]
    pub effect: String,
    /// Its exact line or its patterns, as one text for people.
    pub line: String,
    /// The inner shell that it is written for.
    #[serde(default = "default_shell")]
    pub shell: String,
    /// Whether it speaks where the login has a terminal too.
    #[serde(default)]
    pub on_terminal: bool,
    /// The whole rule as it is written.
    #[serde(default)]
    pub body: Value,
    /// Who added it.
    pub added_by: Name,
    /// When, ms since 1970.
    pub added_at_ms: i64,
    /// Who put it in force; the author only where there was no other reviewer.
    #[serde(default)]
    pub approved_by: Option<Name>,
    /// When, ms since 1970.
    #[serde(default)]
    pub approved_at_ms: Option<i64>,
    /// When somebody last reviewed it, ms since 1970.
    pub last_reviewed_at_ms: i64,
    /// Who did.
    pub last_reviewed_by: Name,
    /// When it ends by itself, ms since 1970.
    #[serde(default)]
    pub expires_at_ms: Option<i64>,
    /// How many lines it may let pass.
    #[serde(default)]
    pub uses: Option<u64>,
    /// How many it has.
    #[serde(default)]
    pub used: u64,
    /// Who wants it to end, where a second person must agree.
    #[serde(default)]
    pub end_asked_by: Option<Name>,
    /// When this text ended or was replaced, ms since 1970.
    #[serde(default)]
    pub ended_at_ms: Option<i64>,
    /// By whom.
    #[serde(default)]
    pub ended_by: Option<Name>,
    /// What its author should know.
    #[serde(default)]
    pub advice: Vec<String>,
}

/// All that a rule ever said, and who looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHistory {
    /// Every text it had, the newest first.
    pub texts: Vec<Rule>,
    /// Who looked at a text that was in force, the newest first; putting it in force counts.
    pub reviews: Vec<RuleReview>,
}

/// Somebody looked at a rule and found it right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReview {
    /// Which text of it.
    pub revision: u64,
    /// When, ms since 1970.
    pub at_ms: i64,
    /// Who.
    pub by: Name,
}

/// A rule to add: `line` for an exact one, or `body`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRule {
    /// The exact line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The inner shell that the line is written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Whether it shall speak where the login has a terminal too: programs
    /// that offer a shell or a pager there are refused then.
    #[serde(default)]
    pub on_terminal: bool,
    /// The whole rule as it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// A grant to give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// The rule, with one agent, one target and a number of uses; `expires` is set from `minutes`.
    pub body: Value,
    /// How long it lasts.
    pub minutes: u32,
}

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesFile {
    /// TOML.
    pub toml: String,
}

/// What to do with a rule that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAct {
    /// Put a proposed text in force. Not by its author.
    Approve,
    /// Say that it was looked at and is still right.
    Review,
    /// End it.
    Expire,
}

/// Which text of a rule an approval is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhichText {
    /// Its revision; the first one where it is absent.
    #[serde(default = "first_revision")]
    pub revision: u64,
}

fn first_revision() -> u64 {
    1
}

impl RuleAct {
    /// The word in the route.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Review => "review",
            Self::Expire => "expire",
        }
    }
}

/// A line to try on the rules in force. What is absent is as usual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTest {
    /// The line.
    pub line: String,
    /// The account.
    #[serde(default)]
    pub agent: String,
    /// The name of the host.
    #[serde(default)]
    pub target: Option<String>,
    /// The inner shell.
    #[serde(default = "default_shell")]
    pub shell: String,
    /// Whether its login has a terminal.
    #[serde(default)]
    pub on_terminal: bool,
    /// Where it would run.
    #[serde(default)]
    pub cwd: String,
    /// The work session.
    #[serde(default)]
    pub session: String,
}

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which: `deny`, `read`, `ask`, `hours`, `anomaly`, `risk`, `whitelist`, `threshold`, `people`.
    pub step: String,
    /// What was found.
    pub found: String,
}

/// What would become of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleVerdict {
    /// `approve`, `deny`, or absent where people are asked.
    pub decision: Option<Choice>,
    /// Who decides, where a rule does: as in a decision statement.
    pub by: Option<String>,
    /// How many different people must approve, where they are asked.
    pub people: u8,
    /// Why, step by step.
    pub steps: Vec<Step>,
}

/// Rules that history suggests, and what it says of those in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestions {
    /// Lines that were looked at.
    pub looked_at: u64,
    /// Candidates, those that save most first.
    pub suggestions: Vec<SuggestedRule>,
    /// Lines that rules let pass although their risk was medium or more, the riskiest first.
    pub risky_but_passed: Vec<Finding>,
    /// Lines that people approved although they had anomalies, those with most of them first.
    pub anomalous_but_approved: Vec<Finding>,
}

/// A line that was let run and is worth a second look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The newest submission of it.
    pub id: SubmissionId,
    /// The line as it may be shown.
    pub command: String,
    /// Who let the newest one run, as in a decision statement.
    pub by: String,
    /// The highest score it had; absent where none was scored.
    pub score: Option<u8>,
    /// Every flag it had.
    pub anomalies: Vec<String>,
    /// How often it was let run so, without those times that somebody has found harmless.
    pub times: u64,
    /// How often somebody has looked at it and found it harmless (`benign`, `false_positive`).
    #[serde(default)]
    pub cleared: u64,
    /// The newest other verdict of those who looked at it.
    #[serde(default)]
    pub verdict: Option<Verdict>,
}

/// A rule that could be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedRule {
    /// The rule as it would be written.
    pub body: Value,
    /// Lines approved by people that it would have let pass.
    pub passes: u64,
    /// All lines approved by people.
    pub approved: u64,
    /// Different lines among those it would have let pass.
    pub different: u64,
    /// Lines denied by people: none of them would have passed.
    pub denied: u64,
    /// Some of the lines.
    pub lines: Vec<String>,
    /// What its author should know.
    pub advice: Option<String>,
}

/// The text of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    /// Its canonical text: SHA-256 of it is the `policy` of decision statements.
    pub text: String,
}

fn one() -> u64 {
    1
}

fn standing() -> String {
    "standing".to_owned()
}

fn active() -> String {
    "active".to_owned()
}

fn allow() -> String {
    "allow".to_owned()
}

fn default_shell() -> String {
    crate::service::DEFAULT_SHELL.to_owned()
}
