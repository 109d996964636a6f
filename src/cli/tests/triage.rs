//! Verdicts on commands as they are shown and handed on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use anstream::adapter::strip_str;
use countersign_api::audit::AuditRecord;
use countersign_cli::export::{csv, ocsf};
use countersign_cli::rows;
use serde_json::{Value, json};

const NOTE: &str = "=1+1 \u{1b}[2K\u{202e}see CHG-7,\nsaid \"ann\"";

/// A record with these verdicts, the last of them the row's.
fn record(verdicts: &[&str], level: &str) -> AuditRecord {
    let digest = "A".repeat(43);
    let id = "0".repeat(26);
    let found =
        |(n, verdict): (usize, &&str)| json!({"verdict": verdict, "by": "on-call", "at_ms": 0, "note": NOTE, "seq": n});
    let verdicts: Vec<Value> = verdicts.iter().enumerate().map(found).collect();
    let mut record = json!({
        "id": id, "agent": "deploy", "host": id, "host_name": "web-1", "login": id, "session": "deploy-01", "number": 1,
        "command": "id", "cwd": "/", "submitted_at_ms": 0, "outcome": "approved", "decided_by": "ops-lead",
        "late_approval": false, "risk": {"score": 60, "level": level}, "anomalies": [], "seq": 1, "entry": digest,
        "login_kind": "exec", "target_class": "high", "proof": [],
    });
    record["triage"] = verdicts.last().cloned().unwrap_or_default();
    record["verdicts"] = verdicts.into();
    serde_json::from_value(record).unwrap()
}

#[test]
fn verdicts_are_shown_and_their_notes_drive_no_terminal() {
    let seen = "\"=1+1 ⟨U+001B⟩[2K⟨U+202E⟩see CHG-7,⏎said \"ann\"\"";
    let record = record(&["malicious", "benign"], "high");
    let row = strip_str(&rows::audit(&record.row)).to_string();
    assert!(row.ends_with(&format!("triaged benign by on-call: {seen}\n")), "{row}");
    let whole = strip_str(&rows::record(&record, None)).to_string();
    let first = whole.find(&format!("triaged malicious by on-call: {seen} · seq 0 of the service's ledger\n")).unwrap();
    assert!(whole[first..].contains(&format!("triaged benign by on-call: {seen} · seq 1")), "oldest first: {whole}");
    assert!(
        strip_str(&rows::record(&self::record(&[], "low"), None)).to_string().contains("nobody has said what it was")
    );
}

#[test]
fn other_programs_get_the_last_verdict() {
    let table = csv::table([&record(&["malicious", "benign"], "high").row].into_iter());
    let end = ",benign,on-call,1970-01-01T00:00:00Z,\"'=1+1 ⟨U+001B⟩[2K⟨U+202E⟩see CHG-7,⏎said \"\"ann\"\"\"\r\n";
    assert!(table.ends_with(end), "{table}");
    // The ids of the schema's own list.
    for (word, verdict_id, verdict, alert) in [
        ("benign", 5, "Benign", false),
        ("false_positive", 1, "False Positive", false),
        ("policy_gap", 8, "Security Risk", true),
        ("suspicious", 4, "Suspicious", true),
        ("malicious", 2, "True Positive", true),
        ("undetermined", 7, "Insufficient Data", false),
    ] {
        let event = ocsf::event(&record(&[word], "low").row);
        let found = &event["unmapped"]["triage"];
        assert_eq!((&found["verdict_id"], &found["verdict"]), (&verdict_id.into(), &verdict.into()));
        assert_eq!((&found["word"], &found["comment"]), (&word.into(), &NOTE.into()));
        assert_eq!(event["is_alert"], alert, "{word}");
    }
    for (verdicts, alert) in [(&[][..], true), (&["undetermined"], true), (&["malicious", "benign"], false)] {
        assert_eq!(ocsf::event(&record(verdicts, "high").row)["is_alert"], alert, "{verdicts:?}");
    }
}
