//! The audit as comma-separated values, RFC 4180 with a line of names.
//!
//! People open such files in spreadsheets, which run what begins like a
//! formula, and commands are an agent's text: a cell that begins so gets an
//! apostrophe before it, and what is not seen is shown as everywhere here.
//! Whoever needs the exact text takes JSON.

use crate::words::time;
use countersign_api::service::AuditRow;
use countersign_core::{Name, legible};

/// The columns, in order.
pub const COLUMNS: [&str; 33] = [
    "id",
    "submitted_at",
    "outcome",
    "decided_by",
    "decided_at",
    "review_latency_ms",
    "reason",
    "rule",
    "rule_last_reviewed_at",
    "approvals",
    "shown_to",
    "risk",
    "level",
    "anomalies",
    "agent",
    "user",
    "credential",
    "host",
    "session",
    "number",
    "login",
    "command",
    "cwd",
    "started_at",
    "finished_at",
    "exit_code",
    "signal",
    "seq",
    "entry",
    "triage",
    "triaged_by",
    "triaged_at",
    "triage_note",
];

/// The table of these rows.
pub fn table<'a>(rows: impl Iterator<Item = &'a AuditRow>) -> String {
    let mut text = format!("{}\r\n", COLUMNS.join(","));
    for row in rows {
        let cells: Vec<String> = cells(row).iter().map(|cell| self::cell(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn cells(row: &AuditRow) -> [String; 33] {
    fn maybe<T: ToString>(value: Option<T>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let at = |ms: Option<i64>| ms.map(|ms| format!("{}Z", time(ms).replace(' ', "T"))).unwrap_or_default();
    let names = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join(" ");
    let identity = row.about.identity.as_ref();
    let triage = row.triage.as_ref();
    [
        row.id.to_string(),
        at(Some(row.submitted_at_ms)),
        row.outcome.map(|outcome| outcome.as_str().to_owned()).unwrap_or_default(),
        maybe(row.decided_by.as_ref()),
        at(row.decided_at_ms),
        maybe(row.review_latency_ms),
        row.reason.clone().unwrap_or_default(),
        row.rule.as_ref().map(|rule| rule.line.clone()).unwrap_or_default(),
        at(row.rule.as_ref().map(|rule| rule.last_reviewed_at_ms)),
        names(&row.approvals),
        names(row.shown_to.as_deref().unwrap_or_default()),
        maybe(row.risk.as_ref().map(|risk| risk.score)),
        row.risk.as_ref().map(|risk| risk.level.clone()).unwrap_or_default(),
        row.anomalies.join(" "),
        row.agent.clone(),
        identity.map(|identity| identity.user.clone()).unwrap_or_default(),
        identity.and_then(|identity| identity.credential.clone()).unwrap_or_default(),
        row.host_name.to_string(),
        row.session.clone(),
        row.number.to_string(),
        row.login.to_string(),
        row.command.clone(),
        row.cwd.clone(),
        at(row.started_at_ms),
        at(row.finished_at_ms),
        maybe(row.exit_code),
        maybe(row.signal),
        row.seq.to_string(),
        row.entry.to_string(),
        maybe(triage.map(|found| found.verdict)),
        maybe(triage.map(|found| &found.by)),
        at(triage.map(|found| found.at_ms)),
        triage.map(|found| found.note.clone()).unwrap_or_default(),
    ]
}

/// One cell: seen whole, no formula, quoted where it must be.
fn cell(text: &str) -> String {
    let mut text = legible(text);
    // Digits may follow a minus in numbers only, and none of ours is below zero.
    if text.starts_with(['=', '+', '-', '@', '\'']) || text.trim_start() != text {
        text.insert(0, '\'');
    }
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_one_cell_and_no_formula() {
        for (text, written) in [
            ("ls", "ls"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=HYPERLINK(\"http://evil\")", "\"'=HYPERLINK(\"\"http://evil\"\")\""),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-rf", "'-rf"),
            ("+1", "'+1"),
            ("  =1", "'  =1"),
            ("'=1", "''=1"),
        ] {
            assert_eq!(cell(text), written);
        }
        for text in ["a\nb", "a\r\n=1", "\t=1", "\u{1b}[2K", "\u{202e}x"] {
            let cell = cell(text);
            assert!(!cell.chars().any(|c| c.is_control() || c == '\u{202e}'), "{cell:?}");
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell:?}");
        }
    }
}
