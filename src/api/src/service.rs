//! Between host and service, and between reviewers' tools and service.
//!
//! HTTP, JSON bodies, `Authorization: Bearer <token>`. A refusal is an
//! [`ErrorBody`] with the fitting status. Routes:
//!
//! | route | who | body → answer |
//! |---|---|---|
//! | `POST /api/enroll` | one-time token in the body | [`EnrollRequest`] → [`EnrollReply`] |
//! | `GET /api/host` | host | → [`HostState`] |
//! | `POST /api/entries` | host | [`EntriesRequest`] → [`EntriesReply`]; 409 [`Conflict`] |
//! | `POST /api/checkpoints` | host | [`CheckpointRequest`] → [`CheckpointReply`]; 409 [`Conflict`] |
//! | `POST /api/submissions` | host | [`SubmitRequest`] → [`SubmitReply`]; 409 [`Conflict`] |
//! | `GET /api/submissions/{id}/decision?wait_ms=N` | host | → [`DecisionReply`] |
//! | `POST /api/recordings/{login}?offset=N` | host | raw bytes → [`RecordingReply`] (409 same, with what is held; 413 over a quota, 507 no room) |
//! | `GET /api/submissions` | reviewer | → `Vec<`[`PendingSubmission`]`>` |
//! | `GET /api/submissions/{id}/entry` | reviewer | → [`SubmissionEntry`] |
//! | `POST /api/submissions/{id}/decision` | reviewer | [`ReviewRequest`] → [`ReviewReply`] |
//! | `GET /api/submissions/{id}/program` | reviewer | → [`ProgramReply`]; 404 where there is none |
//! | `GET /api/audit?…` | reviewer | [`AuditQuery`] → `Vec<`[`AuditRow`]`>`, newest first; the next page: `before=` the last row's id |
//! | `GET /api/audit/{id}` | reviewer | an id or 4 or more characters of its beginning → [`AuditRecord`]; 404; 409 where it could be several |
//! | `POST /api/audit/{id}/triage` | reviewer | [`TriageRequest`](crate::triage::TriageRequest) → [`Triaged`](crate::triage::Triaged); 409 while it waits, or where it is your own |
//! | `GET /api/sessions?limit=N` | reviewer | → `Vec<`[`SessionRow`]`>`, newest first |
//! | `GET /api/rules` · `POST /api/rules` | reviewer | → `Vec<`[`Rule`]`>` · [`NewRule`] → [`Rule`] |
//! | `POST /api/rules/{id}/{approve,review,expire}` | reviewer | → [`Rule`] |
//! | `POST /api/rules/import` · `GET /api/rules/export` | reviewer | [`RulesFile`](crate::rules::RulesFile) → `Vec<`[`Rule`]`>` · → [`RulesFile`](crate::rules::RulesFile) |
//! | `POST /api/rules/test` | reviewer | [`RuleTest`](crate::rules::RuleTest) → [`RuleVerdict`](crate::rules::RuleVerdict) |
//! | `GET /api/rules/suggestions` | reviewer | → [`Suggestions`](crate::rules::Suggestions) |
//! | `POST /api/grants` | reviewer | [`NewGrant`](crate::rules::NewGrant) → [`Rule`] |
//! | `GET /api/policies/{digest}` | host | → [`PolicyText`](crate::rules::PolicyText) |
//! | `GET /api/recordings/{login}` | reviewer | → the asciicast |
//! | `GET /api/trust` | reviewer | → the trust file (`docs/LEDGER.md`) |
//! | `GET /healthz` | anyone | → `ok` |

use crate::context::About;
use countersign_core::{Choice, DecidedBy, Digest, HostId, LoginId, Name, Outcome, ServiceId, SubmissionId};
use serde::{Deserialize, Serialize};

pub use crate::audit::{AuditQuery, AuditRecord, AuditRow, RiskRange, Safety, SessionRow};
pub use crate::enrolment::{EnrollReply, EnrollRequest, FormerHost};
pub use crate::rules::{NewRule, Rule, Step};

/// What every refusal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong and what to do.
    pub error: String,
}

/// What the service holds of a host's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    /// The next `seq` it wants.
    pub next_seq: u64,
}

/// Entry lines to keep, in order, contiguous.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesRequest {
    /// Physical lines without the newline.
    pub lines: Vec<String>,
}

/// They are durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesReply {
    /// The next `seq` it wants.
    pub next_seq: u64,
}

/// The lines do not fit what the service holds (409).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What is wrong.
    pub error: String,
    /// The next `seq` it wants.
    pub next_seq: u64,
    /// Whether another entry is held under the same `seq`: evidence of a fork.
    /// The host must stop.
    pub fork: bool,
}

/// A host's checkpoint to be cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRequest {
    /// The signed note (`docs/LEDGER.md`, Checkpoints).
    pub note: String,
    /// Leaves of the service's log in the last checkpoint of it that this host
    /// was shown; 0 for none.
    pub log_size: u64,
}

/// It is cosigned and stands in the service's log. Signatures are 64 bytes base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointReply {
    /// Who cosigned.
    pub service: ServiceId,
    /// When, in seconds since 1970.
    pub time: u64,
    /// The cosignature.
    pub cosig: String,
    /// Leaves of the service's log.
    pub log_size: u64,
    /// Its root.
    pub log_root: Digest,
    /// The signature on its checkpoint.
    pub log_sig: String,
    /// Where the host's checkpoint is in it.
    pub log_index: u64,
    /// The proof of that.
    pub log_proof: Vec<Digest>,
    /// The proof that the log of `CheckpointRequest::log_size` leaves begins this one.
    pub log_consistency: Vec<Digest>,
}

/// A held command line: entries up to and including its `command_submitted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitRequest {
    /// The submission's id, the same as in the last line's body.
    pub id: SubmissionId,
    /// All lines not yet acknowledged; the last is the `command_submitted`.
    pub lines: Vec<String>,
    /// The rule of the administrators' document that lets it run, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<crate::rules::HostRule>,
}

/// The submission is kept; decided where a rule spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitReply {
    /// The next `seq` it wants.
    pub next_seq: u64,
    /// Names of those who are asked, where nobody has decided yet.
    pub asked: Vec<Name>,
    /// The decision, where a rule made it at once.
    pub decision: Option<SignedDecision>,
}

/// Answer to a wait: `None` where nothing was decided within `wait_ms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionReply {
    /// The decision.
    pub decision: Option<SignedDecision>,
}

/// A `cs-decision1` statement and its signature (`docs/LEDGER.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedDecision {
    /// The exact bytes that are signed.
    pub statement: String,
    /// 64 bytes base64url.
    pub sig: String,
    /// The reviewer's reason or comment; not part of what is signed.
    pub comment: Option<String>,
    /// What the reviewers themselves have signed, where they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<SignedReview>,
}

/// A `cs-decision1` statement that a reviewer has signed with an SSH key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedReview {
    /// The exact bytes that are signed.
    pub statement: String,
    /// The binary signature of `ssh-keygen -Y sign`, base64url.
    pub sig: String,
}

/// How much of a recording the service holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingReply {
    /// Bytes from the start.
    pub held: u64,
}

/// A submission that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingSubmission {
    /// Its id.
    pub id: SubmissionId,
    /// Leaf hash of its `command_submitted`: what a decision is bound to.
    pub entry: Digest,
    /// The agent's account.
    pub agent: String,
    /// The host's id.
    pub host: HostId,
    /// The host's name.
    pub host_name: Name,
    /// The login.
    pub login: LoginId,
    /// The work session, `<agent>-NN`.
    pub session: String,
    /// Which command of that session it is, from 1.
    pub number: u64,
    /// The whole command as it may be shown.
    pub command: String,
    /// Where it would run.
    pub cwd: String,
    /// The inner shell that would run it.
    #[serde(default = "default_shell")]
    pub shell: String,
    /// Whether its login has a terminal.
    #[serde(default)]
    pub tty: bool,
    /// `NAME=value` of `LANG` and `LC_*` as submitted, where not empty: they change what a program does.
    #[serde(default)]
    pub locale: Vec<String>,
    /// Marks of the host, e.g. `opaque_code`.
    #[serde(default)]
    pub flags: Vec<String>,
    /// What kind of file transfer it is, e.g. `sftp_read_only`.
    #[serde(default)]
    pub transfer: Option<String>,
    /// The program on its standard input; `GET /api/submissions/{id}/program` has its text.
    #[serde(default)]
    pub program: Option<ProgramFacts>,
    /// When it was submitted, ms since 1970.
    pub submitted_at_ms: i64,
    /// How long an answer still counts, in ms, by the service's clock.
    pub left_ms: u64,
    /// The administrators' document under which a reviewer must sign, on a host that demands it.
    #[serde(default)]
    pub authority: Option<Digest>,
    /// What is known around it.
    #[serde(default)]
    pub about: Box<About>,
    /// Score, level and reasons.
    pub risk: Option<Risk>,
    /// Anomaly flags, the host's marks among them.
    #[serde(default)]
    pub anomalies: Vec<String>,
    /// How many different people must approve it.
    #[serde(default = "one")]
    pub people: u8,
    /// Who has approved it already.
    #[serde(default)]
    pub approvals: Vec<Name>,
    /// Why no rule let it pass, step by step.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// The entry that a decision is bound to, as the host wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionEntry {
    /// Its physical line without the newline.
    pub line: String,
}

/// A program on a command's standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFacts {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of what is recorded of it.
    pub digest: Digest,
}

/// Answer to `GET /api/submissions/{id}/program`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramReply {
    /// Its text, as it may be shown.
    pub text: String,
}

/// A risk score.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Risk {
    /// 0 to 100.
    pub score: u8,
    /// `low`, `medium`, `high` or `critical`.
    pub level: String,
    /// Why, and what would come of it.
    #[serde(flatten)]
    pub found: Found,
}

/// What was found of a command besides its score.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The kind of its gravest reason.
    #[serde(default)]
    pub category: Option<String>,
    /// The reasons, gravest first.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// What would come of it, in words.
    #[serde(default)]
    pub consequences: Vec<String>,
    /// Which version of the analysis says so; 0 where it is not known.
    #[serde(default)]
    pub analysis: u32,
}

/// Why a command has its score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule.
    pub id: String,
    /// What it adds (docs/ANALYSIS.md).
    pub weight: u8,
    /// What it found, in words.
    pub reason: String,
    /// ATT&CK technique.
    pub technique: String,
    /// What kind of thing it is about.
    pub category: String,
    /// Where: the first byte of `command`.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A reviewer decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRequest {
    /// Run it or not.
    pub decision: Choice,
    /// The entry the reviewer was shown; must be the submission's.
    pub entry: Digest,
    /// A reason or comment.
    pub comment: Option<String>,
    /// The reviewer's own signature; a host that demands it lets nothing run without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<SignedReview>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewReply {
    /// The submission.
    pub id: SubmissionId,
    /// Its outcome; `None` where more people must approve.
    pub outcome: Option<Outcome>,
    /// Who decided, or approved as one of several.
    pub by: DecidedBy,
    /// How many different people must approve it.
    #[serde(default = "one")]
    pub people: u8,
    /// Who has approved it.
    #[serde(default)]
    pub approvals: Vec<Name>,
}

/// The inner shell where nothing else is said.
pub const DEFAULT_SHELL: &str = "bash";

fn one() -> u8 {
    1
}

pub(crate) fn default_shell() -> String {
    DEFAULT_SHELL.to_owned()
}
