//! A command as an event of the Open Cybersecurity Schema Framework, version
//! 1.5.0: class Process Activity (1007), activity Launch, with the profiles
//! `host` and `security_control` (ADR 29). What the schema has no place for is
//! in `unmapped`, by the names of our own API.

use countersign_api::service::{AuditRow, Risk};
use countersign_api::triage::{Triaged, Verdict};
use countersign_core::Outcome;
use serde_json::{Map, Value, json};

/// The version of the schema.
pub const VERSION: &str = "1.5.0";
const CATEGORY: u32 = 1;
const CLASS: u32 = 1007;
const LAUNCH: u32 = 1;

/// The event of a row.
pub fn event(row: &AuditRow) -> Value {
    let (level, level_id) = level(row.risk.as_ref());
    let (action, disposition) = control(row.outcome);
    let (status, status_id) = match (row.outcome, row.started_at_ms) {
        (_, Some(_)) => ("Success", 1),
        (None, None) => ("Unknown", 0),
        (Some(_), None) => ("Failure", 2),
    };
    let outcome = row.outcome.map_or("waiting", Outcome::as_str);
    let by = row.decided_by.as_ref().map(ToString::to_string);
    let mut event = json!({
        "activity_id": LAUNCH, "activity_name": "Launch",
        "category_uid": CATEGORY, "category_name": "System Activity",
        "class_uid": CLASS, "class_name": "Process Activity",
        "type_uid": CLASS * 100 + LAUNCH, "type_name": "Process Activity: Launch",
        "time": row.submitted_at_ms,
        "timezone_offset": 0,
        "severity_id": if level_id < 0 { 0 } else { level_id + 1 },
        "severity": if level_id < 0 { "Unknown" } else { level },
        "status_id": status_id, "status": status,
        "status_code": outcome,
        "message": match &by {
            Some(by) => format!("{outcome} by {by}: {}", row.command),
            None => format!("{outcome}: {}", row.command),
        },
        "action_id": action.0, "action": action.1,
        "disposition_id": disposition.0, "disposition": disposition.1,
        "is_alert": alerts(row, level_id),
        "metadata": {
            "version": VERSION,
            "profiles": ["host", "security_control"],
            "product": {"name": "Countersign", "vendor_name": "Countersign", "version": env!("CARGO_PKG_VERSION")},
            "uid": row.id.to_string(),
            "sequence": row.seq,
            "log_name": "audit",
            "correlation_uid": row.session,
        },
        "device": {
            "hostname": row.host_name.as_str(), "name": row.host_name.as_str(), "uid": row.host.to_string(),
            "type_id": 1, "type": "Server",
        },
        "actor": actor(row),
        "process": process(row),
        "unmapped": unmapped(row),
    });
    let Value::Object(members) = &mut event else { return event };
    add(members, "status_detail", row.reason.clone());
    add(members, "start_time", row.started_at_ms);
    add(members, "end_time", row.finished_at_ms);
    add(
        members,
        "duration",
        row.started_at_ms.zip(row.finished_at_ms).map(|(from, to)| to.saturating_sub(from).max(0)),
    );
    add(members, "exit_code", row.exit_code);
    if let Some(risk) = &row.risk {
        add(members, "risk_score", Some(risk.score));
        add(members, "risk_level", Some(level));
        add(members, "risk_level_id", Some(level_id));
        let reasons: Vec<&str> = risk.found.reasons.iter().map(|reason| reason.reason.as_str()).collect();
        add(members, "risk_details", Some(reasons.join("; ")).filter(|text| !text.is_empty()));
        add(members, "attacks", Some(attacks(risk)).filter(|attacks| !attacks.is_empty()));
    }
    let policy = row
        .rule
        .as_ref()
        .map(|rule| json!({"uid": rule.id.to_string(), "name": rule.line, "version": rule.revision.to_string()}));
    if let Some(by) = &by {
        let mut authorization = Map::from_iter([("decision".to_owned(), json!(format!("{outcome} by {by}")))]);
        add(&mut authorization, "policy", policy.clone());
        add(members, "authorizations", Some(vec![authorization]));
    }
    add(members, "policy", policy);
    event
}

fn add<T: Into<Value>>(members: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.into());
    }
}

/// Whether somebody should look: where nobody has, as the risk says, else as they have said.
fn alerts(row: &AuditRow, level_id: i32) -> bool {
    match row.triage.as_ref().map(|found| found.verdict) {
        None | Some(Verdict::Undetermined) => level_id >= 3,
        Some(Verdict::Benign | Verdict::FalsePositive) => false,
        Some(Verdict::PolicyGap | Verdict::Suspicious | Verdict::Malicious) => true,
    }
}

/// A verdict by the members and ids that findings and evidences have in the schema.
fn triage(found: &Triaged) -> Value {
    let (verdict_id, verdict) = match found.verdict {
        Verdict::FalsePositive => (1, "False Positive"),
        Verdict::Malicious => (2, "True Positive"),
        Verdict::Suspicious => (4, "Suspicious"),
        Verdict::Benign => (5, "Benign"),
        Verdict::Undetermined => (7, "Insufficient Data"),
        Verdict::PolicyGap => (8, "Security Risk"),
    };
    json!({
        "verdict_id": verdict_id, "verdict": verdict, "comment": found.note,
        "by": found.by, "time": found.at_ms, "word": found.verdict, "seq": found.seq,
    })
}

/// `risk_level` and its id; −1 where nothing was scored.
fn level(risk: Option<&Risk>) -> (&'static str, i32) {
    match risk.map(|risk| risk.level.as_str()) {
        Some("low") => ("Low", 1),
        Some("medium") => ("Medium", 2),
        Some("high") => ("High", 3),
        Some("critical") => ("Critical", 4),
        Some(_) | None => ("Unknown", -1),
    }
}

/// `action_id` and `disposition_id` with their names.
fn control(outcome: Option<Outcome>) -> ((u32, &'static str), (u32, &'static str)) {
    const ALLOWED: (u32, &str) = (1, "Allowed");
    const DENIED: (u32, &str) = (2, "Denied");
    match outcome {
        Some(Outcome::Approved) => (ALLOWED, (8, "Approved")),
        Some(Outcome::Whitelisted) => (ALLOWED, (1, "Allowed")),
        Some(Outcome::Denied) => (DENIED, (25, "Rejected")),
        Some(Outcome::Blocked | Outcome::TimedOut) => (DENIED, (2, "Blocked")),
        // Nobody refused it: whoever had asked took it back.
        Some(Outcome::Cancelled) => ((99, "Cancelled"), (99, "Cancelled")),
        Some(Outcome::Error) => (DENIED, (27, "Error")),
        None => ((0, "Unknown"), (14, "Delayed")),
    }
}

/// Who is behind the login as far as it was verified, else the account.
fn actor(row: &AuditRow) -> Value {
    let mut user = Map::new();
    match &row.about.identity {
        Some(identity) => {
            add(&mut user, "name", Some(identity.user.clone()));
            add(&mut user, "credential_uid", identity.credential.clone());
        }
        None => add(&mut user, "name", Some(row.agent.clone())),
    }
    json!({
        "user": user,
        "session": {"uid": row.login.to_string(), "uid_alt": row.session, "is_remote": true},
        "app_name": "countersign-sh",
    })
}

fn process(row: &AuditRow) -> Value {
    let mut process = Map::from_iter([
        // The submission: the record knows no process ids.
        ("uid".to_owned(), json!(row.id.to_string())),
        ("cmd_line".to_owned(), json!(row.command)),
        ("name".to_owned(), json!(row.shell)),
        ("user".to_owned(), json!({"name": row.agent})),
        ("working_directory".to_owned(), json!(row.cwd)),
    ]);
    add(&mut process, "created_time", row.started_at_ms);
    add(&mut process, "terminated_time", row.finished_at_ms);
    Value::Object(process)
}

fn attacks(risk: &Risk) -> Vec<Value> {
    let mut techniques: Vec<&str> = risk.found.reasons.iter().map(|reason| reason.technique.as_str()).collect();
    techniques.retain(|technique| !technique.is_empty());
    techniques.sort_unstable();
    techniques.dedup();
    techniques
        .into_iter()
        .map(|technique| match technique.split_once('.') {
            Some((parent, _)) => json!({"technique": {"uid": parent}, "sub_technique": {"uid": technique}}),
            None => json!({"technique": {"uid": technique}}),
        })
        .collect()
}

fn unmapped(row: &AuditRow) -> Value {
    json!({
        "anomalies": row.anomalies,
        "approvals": row.approvals,
        "claimed": row.about.claimed,
        "decided_by": row.decided_by.as_ref().map(ToString::to_string),
        "entry": row.entry.to_string(),
        "number": row.number,
        "redactions": row.safety.redacted,
        "personal": row.safety.personal,
        "review_latency_ms": row.review_latency_ms,
        "shown_to": row.shown_to,
        "signal": row.signal,
        "triage": row.triage.as_ref().map(triage),
        "tty": row.tty,
    })
}
