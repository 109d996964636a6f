//! The audit as the service answers it: filters, a row for each command, and
//! the whole record of one.

use crate::context::About;
use crate::rules::{Rule, Step};
use crate::service::{ProgramFacts, Risk, default_shell};
use crate::triage::{TriageFilter, Triaged};
use countersign_core::{DecidedBy, Digest, HostId, LoginId, Name, Outcome, SubmissionId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Most rows of one answer.
pub const MAX_ROWS: u32 = 1000;
/// Longest text that is searched for, in characters.
pub const MAX_TEXT: usize = 1000;

/// Filters of the audit, all optional; a row has to fit every one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// At most so many rows, newest first; 1 to [`MAX_ROWS`].
    pub limit: Option<u32>,
    /// Only this agent.
    pub agent: Option<String>,
    /// Only this work session, the last command first.
    pub session: Option<String>,
    /// Only this outcome.
    pub decision: Option<Outcome>,
    /// Only commands (or claims of their agent) that hold this text, capitals or not. A text of one or two characters
    /// is looked for at the beginnings of words.
    pub text: Option<String>,
    /// Only commands that begin with this text, capitals or not.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Only from this time on, ms since 1970.
    pub since_ms: Option<i64>,
    /// Only before this time, ms since 1970.
    #[serde(default)]
    pub until_ms: Option<i64>,
    /// Only scores in this range.
    #[serde(default)]
    pub risk: Option<RiskRange>,
    /// Only with this anomaly flag; with several, a comma between each two, all of them.
    #[serde(default)]
    pub anomaly: Option<String>,
    /// Only what this rule or grant decided: its number; or `threshold:CLASS`.
    #[serde(default)]
    pub rule: Option<String>,
    /// Only what this person decided, or approved as one of several.
    #[serde(default)]
    pub reviewer: Option<Name>,
    /// Only logins behind which sshd verified this user.
    #[serde(default)]
    pub user: Option<String>,
    /// Only on this target.
    #[serde(default)]
    pub target: Option<Name>,
    /// Only where this was the last verdict of those who looked later; or where there is none.
    #[serde(default)]
    pub triage: Option<TriageFilter>,
    /// Only what comes after this row in this order: the next page.
    #[serde(default)]
    pub before: Option<SubmissionId>,
}

/// Scores from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RiskRange {
    /// The lowest.
    pub from: u8,
    /// The highest.
    pub to: u8,
}

/// The text is no range of scores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no range of risk; write 70.., ..25, 70..90 (both included), a score of 0 to 100, or a level: low, medium, high, critical, high.."
)]
pub struct BadRange(String);

/// Levels with their lowest and highest score.
const LEVELS: [(&str, u8, u8); 4] = [("low", 0, 24), ("medium", 25, 49), ("high", 50, 74), ("critical", 75, 100)];
const HIGHEST: u8 = 100;

impl FromStr for RiskRange {
    type Err = BadRange;
    fn from_str(text: &str) -> Result<Self, BadRange> {
        let bad = || BadRange(text.chars().take(80).collect());
        let read = |part: &str| match LEVELS.iter().find(|(word, ..)| part.eq_ignore_ascii_case(word)) {
            Some((_, from, to)) => Ok((*from, *to)),
            None if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) => Err(bad()),
            None => part.parse().map(|score| (score, score)).map_err(|_| bad()),
        };
        let (from, to) = match text.split_once("..") {
            None => read(text)?,
            Some(("", "")) => return Err(bad()),
            Some((from, "")) => (read(from)?.0, HIGHEST),
            Some(("", to)) => (0, read(to)?.1),
            Some((from, to)) => (read(from)?.0, read(to)?.1),
        };
        if from > to || to > HIGHEST { Err(bad()) } else { Ok(Self { from, to }) }
    }
}

impl fmt::Display for RiskRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

impl Serialize for RiskRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RiskRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One command in the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// The submission.
    pub id: SubmissionId,
    /// The agent's account.
    pub agent: String,
    /// The host's id.
    pub host: HostId,
    /// The host's name.
    pub host_name: Name,
    /// The login.
    pub login: LoginId,
    /// The work session.
    pub session: String,
    /// Which command of that session it is, from 1.
    pub number: u64,
    /// The command as it may be shown.
    pub command: String,
    /// Where it ran or would have run.
    pub cwd: String,
    /// The inner shell that ran it or would have.
    #[serde(default = "default_shell")]
    pub shell: String,
    /// Whether its login has a terminal.
    #[serde(default)]
    pub tty: bool,
    /// `NAME=value` of `LANG` and `LC_*` as submitted, where not empty: they change what a program does.
    #[serde(default)]
    pub locale: Vec<String>,
    /// What kind of file transfer it is, e.g. `sftp_read_only`.
    #[serde(default)]
    pub transfer: Option<String>,
    /// The program on its standard input; `GET /api/submissions/{id}/program` has its text.
    #[serde(default)]
    pub program: Option<ProgramFacts>,
    /// When it was submitted, ms since 1970.
    pub submitted_at_ms: i64,
    /// When it was decided, ms since 1970.
    pub decided_at_ms: Option<i64>,
    /// The host's own outcome; `None` while it waits.
    pub outcome: Option<Outcome>,
    /// Who decided.
    pub decided_by: Option<DecidedBy>,
    /// From asking to answer.
    pub review_latency_ms: Option<u64>,
    /// The reviewer's reason, or what went wrong.
    pub reason: Option<String>,
    /// The rule's line and last review, where a rule decided.
    pub rule: Option<Rule>,
    /// Whether the service had approved it and the answer came too late.
    pub late_approval: bool,
    /// Score, level and reasons.
    pub risk: Option<Risk>,
    /// Anomaly flags.
    pub anomalies: Vec<String>,
    /// How the service came to its answer, step by step.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Who has approved it, where several people must.
    #[serde(default)]
    pub approvals: Vec<Name>,
    /// Exit code, where it exited.
    pub exit_code: Option<u8>,
    /// Signal number, where a signal ended it.
    pub signal: Option<u8>,
    /// When it started, ms since 1970.
    pub started_at_ms: Option<i64>,
    /// When it finished, ms since 1970.
    pub finished_at_ms: Option<i64>,
    /// What redaction took out of it, and what personal data it holds.
    #[serde(default)]
    pub safety: Safety,
    /// What is known around it.
    #[serde(default)]
    pub about: Box<About>,
    /// Who had been shown it while it waited; `None` where nobody was asked, or by a service that kept no note.
    #[serde(default)]
    pub shown_to: Option<Vec<Name>>,
    /// The last verdict of those who looked at it later.
    #[serde(default)]
    pub triage: Option<Triaged>,
    /// `seq` of its `command_submitted` in the host's ledger.
    pub seq: u64,
    /// Leaf hash of that entry.
    pub entry: Digest,
}

/// What redaction found: kinds and how often. From the host's entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// Taken out of command, environment and working directory.
    #[serde(default)]
    pub redacted: BTreeMap<String, u64>,
    /// Personal data, hidden or not.
    #[serde(default)]
    pub personal: BTreeMap<String, u64>,
    /// Places of secrets that hold an expansion and are shown.
    #[serde(default)]
    pub expansions: BTreeMap<String, u64>,
}

/// The record of one command: its row, and what only this question tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The row.
    #[serde(flatten)]
    pub row: AuditRow,
    /// `exec`, `transfer`, `interactive` or `stdin`.
    pub login_kind: String,
    /// Source address: verified, else as the login claimed it; empty where there is none.
    #[serde(default)]
    pub source: String,
    /// Class of the target, as it is now.
    pub target_class: String,
    /// SHA-256 of the policy by which the service decided.
    #[serde(default)]
    pub policy: Option<Digest>,
    /// Who was asked.
    #[serde(default)]
    pub asked: Vec<Name>,
    /// `exited`, `signaled`, `not_started`, `not_released` or `lost`.
    #[serde(default)]
    pub end: Option<String>,
    /// Why, where it did not run: `drifted` where what was approved had changed.
    #[serde(default)]
    pub end_why: Option<String>,
    /// Bytes written to standard output, or to the terminal.
    #[serde(default)]
    pub stdout_bytes: Option<u64>,
    /// Bytes written to standard error.
    #[serde(default)]
    pub stderr_bytes: Option<u64>,
    /// The recording of its login, where the host made one.
    #[serde(default)]
    pub recording: Option<RecordingPlace>,
    /// The commands of its session right before it, the last one last.
    #[serde(default)]
    pub preceding: Vec<Preceding>,
    /// Every verdict of those who looked at it later, oldest first.
    #[serde(default)]
    pub verdicts: Vec<Triaged>,
    /// The host's entries about it, in order.
    pub proof: Vec<ProofEntry>,
    /// The host's newest cosigned checkpoint: it covers the entries below this `seq`.
    #[serde(default)]
    pub cosigned_below: Option<u64>,
}

/// Where in a recording a command began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingPlace {
    /// Its login: what `countersign replay` takes.
    pub login: LoginId,
    /// Bytes of it that stood before the command started; `None` where it did not start.
    pub offset: Option<u64>,
    /// Bytes of it that the service holds.
    pub held: u64,
}

/// A command before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preceding {
    /// Which one of the session.
    pub number: u64,
    /// Its text as it may be shown.
    pub command: String,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// One entry of the host's ledger, as far as it proves something by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofEntry {
    /// `command_submitted`, `decided`, `exec_started`, `exec_finished`.
    pub kind: String,
    /// Its number in the host's ledger.
    pub seq: u64,
    /// Its hash.
    pub leaf: Digest,
    /// The hash of the entry before: its place in the chain.
    pub prev: Digest,
    /// Id of the key that signed it.
    pub key: String,
    /// The signature, 64 bytes base64url.
    pub sig: String,
}

/// One work session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// `<agent>-NN`.
    pub name: String,
    /// The agent's account.
    pub agent: String,
    /// The host's name.
    pub host_name: Name,
    /// When its first login opened, ms since 1970.
    pub started_at_ms: i64,
    /// The last thing known of it, ms since 1970.
    pub ended_at_ms: i64,
    /// Whether a login of it is open.
    pub open: bool,
    /// Commands submitted.
    pub commands: u64,
    /// How many ended how; outcomes with none are absent.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Its logins, oldest first: what `replay` takes.
    pub logins: Vec<LoginId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_risk() {
        for (text, from, to) in [
            ("70..", 70, 100),
            ("70..90", 70, 90),
            ("..25", 0, 25),
            ("42", 42, 42),
            ("0..100", 0, 100),
            ("high", 50, 74),
            ("HIGH..", 50, 100),
            ("..medium", 0, 49),
            ("medium..high", 25, 74),
            ("critical", 75, 100),
            ("low..30", 0, 30),
        ] {
            assert_eq!(text.parse(), Ok(RiskRange { from, to }), "{text}");
        }
        for text in [
            "", "..", "90..70", "..101", "256", "-1..", "+1", "70...90", "70..=90", " 70", "severe", "70..x", "1e1",
            "٣",
        ] {
            assert!(text.parse::<RiskRange>().is_err(), "{text}");
        }
    }
}
