//! The kinds of entries.

use std::fmt;
use std::str::FromStr;

/// What an entry records. `docs/LEDGER.md` has the members of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Seq 0: the host's key and the service it trusts.
    HostEnrolled,
    /// The daemon started.
    HostStarted,
    /// The daemon stopped in order.
    HostStopped,
    /// A login began.
    SessionOpened,
    /// A command line is held.
    CommandSubmitted,
    /// How it was decided.
    Decided,
    /// It is about to run.
    ExecStarted,
    /// The exec guard saw an exec.
    ExecSeen,
    /// It ended.
    ExecFinished,
    /// A piece of the recording stands in the file.
    RecordingChunk,
    /// A login goes on after the daemon was lost and came back.
    SessionResumed,
    /// A login ended.
    SessionClosed,
    /// A tree head.
    Checkpoint,
    /// The signing key changed.
    KeyRotated,
    /// The rules in force changed.
    PolicyChanged,
    /// The text of a policy that the service's decisions name, or a part of it.
    PolicyText,
    /// The wall clock jumped.
    ClockStep,
    /// A secret was taken out before it was kept.
    Redaction,
    /// Openings were cut.
    Erasure,
    /// Old entries were dropped.
    Pruned,
    /// Entries are known to be missing.
    Gap,
    /// Silence is evidence.
    Heartbeat,
    /// Somebody administered the service (the service's own ledger, like all below).
    AdminAct,
    /// Somebody signed in.
    SignedIn,
    /// Somebody read recordings or the audit trail.
    Access,
    /// A rule was added, changed, reviewed or removed.
    RuleChanged,
    /// A bounded temporary permission.
    Grant,
    /// Somebody judged an anomaly.
    AnomalyTriaged,
    /// Somebody forbade or allowed deletion.
    Hold,
    /// Somebody read a report.
    ReportRead,
}

/// The word names no kind this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of entry")]
pub struct UnknownKind;

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 30] = [
        Self::HostEnrolled,
        Self::HostStarted,
        Self::HostStopped,
        Self::SessionOpened,
        Self::CommandSubmitted,
        Self::Decided,
        Self::ExecStarted,
        Self::ExecSeen,
        Self::ExecFinished,
        Self::RecordingChunk,
        Self::SessionResumed,
        Self::SessionClosed,
        Self::Checkpoint,
        Self::KeyRotated,
        Self::PolicyChanged,
        Self::PolicyText,
        Self::ClockStep,
        Self::Redaction,
        Self::Erasure,
        Self::Pruned,
        Self::Gap,
        Self::Heartbeat,
        Self::AdminAct,
        Self::SignedIn,
        Self::Access,
        Self::RuleChanged,
        Self::Grant,
        Self::AnomalyTriaged,
        Self::Hold,
        Self::ReportRead,
    ];

    /// The word in the ledger, e.g. `command_submitted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostEnrolled => "host_enrolled",
            Self::HostStarted => "host_started",
            Self::HostStopped => "host_stopped",
            Self::SessionOpened => "session_opened",
            Self::CommandSubmitted => "command_submitted",
            Self::Decided => "decided",
            Self::ExecStarted => "exec_started",
            Self::ExecSeen => "exec_seen",
            Self::ExecFinished => "exec_finished",
            Self::RecordingChunk => "recording_chunk",
            Self::SessionResumed => "session_resumed",
            Self::SessionClosed => "session_closed",
            Self::Checkpoint => "checkpoint",
            Self::KeyRotated => "key_rotated",
            Self::PolicyChanged => "policy_changed",
            Self::PolicyText => "policy_text",
            Self::ClockStep => "clock_step",
            Self::Redaction => "redaction",
            Self::Erasure => "erasure",
            Self::Pruned => "pruned",
            Self::Gap => "gap",
            Self::Heartbeat => "heartbeat",
            Self::AdminAct => "admin_act",
            Self::SignedIn => "signed_in",
            Self::Access => "access",
            Self::RuleChanged => "rule_changed",
            Self::Grant => "grant",
            Self::AnomalyTriaged => "anomaly_triaged",
            Self::Hold => "hold",
            Self::ReportRead => "report_read",
        }
    }

    /// Whether entries of this kind belong to a login, and so have `sess`.
    pub fn in_login(self) -> bool {
        match self {
            Self::SessionOpened
            | Self::CommandSubmitted
            | Self::Decided
            | Self::ExecStarted
            | Self::ExecSeen
            | Self::ExecFinished
            | Self::RecordingChunk
            | Self::SessionResumed
            | Self::SessionClosed => true,
            Self::HostEnrolled
            | Self::HostStarted
            | Self::HostStopped
            | Self::Checkpoint
            | Self::KeyRotated
            | Self::PolicyChanged
            | Self::PolicyText
            | Self::ClockStep
            | Self::Redaction
            | Self::Erasure
            | Self::Pruned
            | Self::Gap
            | Self::Heartbeat
            | Self::AdminAct
            | Self::SignedIn
            | Self::Access
            | Self::RuleChanged
            | Self::Grant
            | Self::AnomalyTriaged
            | Self::Hold
            | Self::ReportRead => false,
        }
    }

    /// Whether only a service's own ledger holds entries of this kind.
    pub fn of_service(self) -> bool {
        matches!(
            self,
            Self::AdminAct
                | Self::SignedIn
                | Self::Access
                | Self::RuleChanged
                | Self::Grant
                | Self::AnomalyTriaged
                | Self::Hold
                | Self::ReportRead
        )
    }

    /// Whether nothing of a host can be judged without its entries of this kind,
    /// so that a part of its history holds all of them.
    pub fn in_every_part(self) -> bool {
        matches!(
            self,
            Self::HostEnrolled
                | Self::HostStarted
                | Self::KeyRotated
                | Self::ClockStep
                | Self::PolicyChanged
                | Self::PolicyText
                | Self::Pruned
                | Self::Gap
        )
    }

    /// Members of the body that are commitments, whose openings stand in `vals`.
    pub fn private_members(self) -> &'static [&'static str] {
        match self {
            Self::SessionOpened => &["agent", "claimed", "identity", "source", "term"],
            Self::CommandSubmitted => &["cmd", "context", "cwd", "env", "stdin"],
            Self::Decided => &["comment"],
            Self::PolicyChanged => &["authority", "signatures"],
            Self::PolicyText => &["text"],
            Self::AdminAct
            | Self::SignedIn
            | Self::Access
            | Self::RuleChanged
            | Self::Grant
            | Self::AnomalyTriaged
            | Self::Hold
            | Self::ReportRead => &["detail"],
            Self::HostEnrolled
            | Self::HostStarted
            | Self::HostStopped
            | Self::ExecStarted
            | Self::ExecSeen
            | Self::ExecFinished
            | Self::RecordingChunk
            | Self::SessionResumed
            | Self::SessionClosed
            | Self::Checkpoint
            | Self::KeyRotated
            | Self::ClockStep
            | Self::Redaction
            | Self::Erasure
            | Self::Pruned
            | Self::Gap
            | Self::Heartbeat => &[],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Ok(match text {
            "host_enrolled" => Self::HostEnrolled,
            "host_started" => Self::HostStarted,
            "host_stopped" => Self::HostStopped,
            "session_opened" => Self::SessionOpened,
            "command_submitted" => Self::CommandSubmitted,
            "decided" => Self::Decided,
            "exec_started" => Self::ExecStarted,
            "exec_seen" => Self::ExecSeen,
            "exec_finished" => Self::ExecFinished,
            "recording_chunk" => Self::RecordingChunk,
            "session_resumed" => Self::SessionResumed,
            "session_closed" => Self::SessionClosed,
            "checkpoint" => Self::Checkpoint,
            "key_rotated" => Self::KeyRotated,
            "policy_changed" => Self::PolicyChanged,
            "policy_text" => Self::PolicyText,
            "clock_step" => Self::ClockStep,
            "redaction" => Self::Redaction,
            "erasure" => Self::Erasure,
            "pruned" => Self::Pruned,
            "gap" => Self::Gap,
            "heartbeat" => Self::Heartbeat,
            "admin_act" => Self::AdminAct,
            "signed_in" => Self::SignedIn,
            "access" => Self::Access,
            "rule_changed" => Self::RuleChanged,
            "grant" => Self::Grant,
            "anomaly_triaged" => Self::AnomalyTriaged,
            "hold" => Self::Hold,
            "report_read" => Self::ReportRead,
            _ => return Err(UnknownKind),
        })
    }
}
