//! The whole record of one command, part by part in the order of the product
//! page; what is not known is not said, but for what an auditor would miss.

use super::{answered, because, command, explained, locale_text, program_facts, reason, risk, scored, triaged};
use crate::about;
use crate::style::{self, BOLD, FAINT, FLAG, paint};
use crate::words::{date, span, time};
use crate::wrap::wrapped;
use countersign_api::audit::AuditRecord;
use countersign_api::service::AuditRow;
use countersign_api::triage::Triaged;
use countersign_core::{Name, Transfer, counted, legible};
use std::collections::BTreeMap;

type Facts = Vec<(&'static str, String)>;

/// Where the facts begin.
const INDENT: usize = 14;

/// The record as text, on a terminal of `columns` with a row for each line of its command.
pub fn record(record: &AuditRecord, columns: Option<usize>) -> String {
    let row = &record.row;
    let parts: [(&str, Facts); 10] = [
        ("", command_facts(record, columns)),
        ("identity", identity(record)),
        ("risk", risk_facts(row)),
        ("triage", triage(record)),
        ("authorization", authorization(record)),
        ("execution", execution(record)),
        ("session", session(record)),
        ("context", about::lines(&row.about, true).into_iter().map(|line| ("", line)).collect()),
        ("safety", safety(row)),
        ("proof", proof(record)),
    ];
    let mut text = String::new();
    for (name, facts) in parts.into_iter().filter(|(_, facts)| !facts.is_empty()) {
        if !name.is_empty() {
            text.push_str(&format!("\n{}\n", paint(BOLD, name)));
        }
        for (name, value) in facts {
            text.push_str(&format!("{}  {value}\n", paint(FAINT, &format!("{name:>12}"))));
        }
    }
    text
}

fn at(ms: Option<i64>) -> String {
    ms.map_or_else(|| "–".to_owned(), |ms| format!("{} UTC", time(ms)))
}

fn names(names: &[Name]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { super::listed(names) }
}

fn command_facts(record: &AuditRecord, columns: Option<usize>) -> Facts {
    let row = &record.row;
    let (symbol, word) = style::label(row.outcome);
    let mut facts = vec![
        ("command", paint(BOLD, &wrapped(&command(&row.command), INDENT, columns))),
        ("outcome", paint(style::of(row.outcome), &format!("{symbol} {word}"))),
        ("id", row.id.to_string()),
        ("submitted", at(Some(row.submitted_at_ms))),
        ("cwd", legible(&row.cwd)),
        ("shell", format!("{}{}", legible(&row.shell), if row.tty { ", on a terminal" } else { "" })),
    ];
    if !row.locale.is_empty() {
        facts.push(("locale", locale_text(&row.locale)));
    }
    if let Some(word) = &row.transfer {
        let what = word.parse::<Transfer>().map_or_else(|_| legible(word), |known| known.describe().to_owned());
        facts.push(("transfer", what));
    }
    if let Some(program) = &row.program {
        facts.push(("stdin", format!("a program: {}", program_facts(program))));
    }
    facts
}

fn identity(record: &AuditRecord) -> Facts {
    let row = &record.row;
    let mut facts = vec![("agent", legible(&row.agent))];
    match &row.about.identity {
        Some(identity) => {
            facts.push((
                "user",
                format!("{} (verified by sshd, {})", legible(&identity.user), legible(&identity.method)),
            ));
            facts.extend(identity.credential.as_ref().map(|text| ("credential", legible(text))));
        }
        None => facts.push(("user", "not verified".to_owned())),
    }
    let class = legible(&record.target_class);
    facts.push(("host", format!("{} ({}), class {class}", row.host_name, row.host)));
    let source = if record.source.is_empty() { "–".to_owned() } else { legible(&record.source) };
    let word = if row.about.identity.is_some() { "" } else { " (as claimed)" };
    facts.push(("source", format!("{source}{}", if record.source.is_empty() { "" } else { word })));
    facts
}

fn risk_facts(row: &AuditRow) -> Facts {
    let mut facts = vec![("score", risk(scored(row.risk.as_ref(), row.transfer.as_deref())))];
    if let Some(risk) = &row.risk {
        facts.extend(risk.found.category.as_ref().map(|category| ("category", legible(category))));
        facts.extend(risk.found.reasons.iter().map(|reason| ("reason", because(reason, &row.command))));
        facts.extend(risk.found.consequences.iter().map(|text| ("consequence", legible(text))));
        if risk.found.analysis > 0 {
            facts.push(("analysis", format!("version {}", risk.found.analysis)));
        }
    }
    if row.anomalies.is_empty() {
        facts.push(("anomalies", "none".to_owned()));
    }
    facts.extend(row.anomalies.iter().map(|flag| ("anomaly", paint(FLAG, &explained(flag)))));
    facts
}

/// Every verdict, oldest first: the last one counts.
fn triage(record: &AuditRecord) -> Facts {
    if record.verdicts.is_empty() {
        return vec![("", "nobody has said what it was".to_owned())];
    }
    let line = |found: &Triaged| {
        format!("{} · {} · seq {} of the service's ledger", at(Some(found.at_ms)), triaged(found), found.seq)
    };
    record.verdicts.iter().map(|found| ("", line(found))).collect()
}

fn authorization(record: &AuditRecord) -> Facts {
    let row = &record.row;
    let mut facts = vec![("decided by", answered(row)), ("decided", at(row.decided_at_ms))];
    facts.extend(reason(row).map(|reason| ("reason", reason)));
    facts.extend(row.review_latency_ms.map(|ms| ("latency", span(ms))));
    if let Some(rule) = &row.rule {
        let last = format!("{} by {}", date(rule.last_reviewed_at_ms), rule.last_reviewed_by);
        facts.push(("rule", format!("{}:{} {}, last reviewed {last}", rule.id, rule.revision, legible(&rule.line))));
        let approver = rule.approved_by.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        facts.push(("", format!("added {} by {}, approved by {approver}", date(rule.added_at_ms), rule.added_by)));
    }
    if !row.approvals.is_empty() {
        facts.push(("approvals", names(&row.approvals)));
    }
    if !record.asked.is_empty() {
        facts.push(("asked", names(&record.asked)));
        facts.extend(row.shown_to.as_ref().map(|shown| ("shown to", names(shown))));
    }
    facts.extend(record.policy.map(|digest| ("policy", digest.to_string())));
    let step =
        |step: &countersign_api::service::Step| ("step", format!("{}: {}", legible(&step.step), legible(&step.found)));
    facts.extend(row.steps.iter().map(step));
    facts
}

fn execution(record: &AuditRecord) -> Facts {
    let row = &record.row;
    if row.started_at_ms.is_none() && record.end.is_none() {
        return vec![("", "not run".to_owned())];
    }
    let end = match (row.exit_code, row.signal, &record.end) {
        (Some(code), ..) => format!("exit {code}"),
        (None, Some(signal), _) => format!("signal {signal}"),
        (None, None, Some(word)) => legible(word),
        (None, None, None) => "–".to_owned(),
    };
    let ran =
        row.started_at_ms.zip(row.finished_at_ms).and_then(|(from, to)| u64::try_from(to.saturating_sub(from)).ok());
    let mut facts = vec![("started", at(row.started_at_ms)), ("finished", at(row.finished_at_ms))];
    facts.extend(ran.map(|ms| ("duration", span(ms))));
    facts.push(("ended with", end));
    let drifted = record.end_why.as_deref() == Some("drifted");
    let as_approved = if drifted { "drifted: what would have run was not what was approved" } else { "as approved" };
    match (&record.end_why, row.finished_at_ms) {
        (Some(why), _) if !drifted => facts.push(("why", legible(why))),
        (_, Some(_)) => facts.push(("ran", as_approved.to_owned())),
        (_, None) => {}
    }
    if let (Some(out), Some(err)) = (record.stdout_bytes, record.stderr_bytes) {
        facts.push(("output", format!("{} on stdout, {} on stderr", counted(out, "byte"), counted(err, "byte"))));
    }
    facts
}

fn session(record: &AuditRecord) -> Facts {
    let row = &record.row;
    let mut facts = vec![
        ("session", format!("{} #{}", legible(&row.session), row.number)),
        ("login", format!("{} ({})", row.login, legible(&record.login_kind))),
    ];
    for before in &record.preceding {
        let (symbol, _) = style::label(before.outcome);
        facts.push(("before", format!("#{} {symbol} {}", before.number, command(&before.command))));
    }
    facts.push(match &record.recording {
        None => ("recording", "none".to_owned()),
        Some(place) => {
            let from = place.offset.map_or_else(String::new, |offset| format!(" from byte {offset}"));
            (
                "recording",
                format!("{} of {}{from}; countersign replay {}", counted(place.held, "byte"), place.login, row.id),
            )
        }
    });
    facts
}

fn safety(row: &AuditRow) -> Facts {
    let list = |counts: &BTreeMap<String, u64>| {
        let kinds: Vec<String> = counts.iter().map(|(kind, count)| format!("{} {count}", legible(kind))).collect();
        if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
    };
    let mut facts = vec![("redacted", list(&row.safety.redacted)), ("personal", list(&row.safety.personal))];
    if !row.safety.expansions.is_empty() {
        facts.push(("shown", format!("secrets that an expansion makes: {}", list(&row.safety.expansions))));
    }
    facts
}

fn proof(record: &AuditRecord) -> Facts {
    let mut facts = Facts::new();
    for entry in &record.proof {
        facts.push(("entry", format!("seq {} {}", entry.seq, legible(&entry.kind))));
        facts.push(("", format!("hash {}", entry.leaf)));
        facts.push(("", format!("after {}", entry.prev)));
        facts.push(("", format!("signed by {} {}", legible(&entry.key), legible(&entry.sig))));
    }
    let last = record.proof.iter().map(|entry| entry.seq).max();
    facts.push(match (record.cosigned_below, last) {
        (Some(below), Some(last)) if last < below => {
            ("checkpoint", format!("covered by the one over {}, cosigned", counted(below, "entry")))
        }
        (Some(below), _) => {
            ("checkpoint", format!("not covered yet; the last one is over {}", counted(below, "entry")))
        }
        (None, _) => ("checkpoint", "none yet".to_owned()),
    });
    facts
}
