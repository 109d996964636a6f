//! What a host may say as it likes: a list of its own, which no change makes longer unseen.
//!
//! Each member of each kind is said otherwise by a host that holds all its keys, before an honest service signs what
//! it is shown. Whatever still comes out as 0 is the word of the host alone.

use crate::build::{History, found, held, trust, verify_lines};
use crate::reviews::{auditors, reviewed};
use countersign_core::Digest;
use countersign_ledger::{TrustFile, Value};
use std::collections::BTreeSet;

/// Kind and member: what the host says of itself, of the account and the shell, what it measured, and words that a
/// later version may have more of. `words` is bound where a rule let the line run, `end` where it was too late, and
/// `why` of a `session_closed` where the host had started again: the lists of lies have those.
const FREE: &[(&str, &str)] = &[
    ("command_submitted", "shell"),
    ("command_submitted", "wait_ms"),
    ("command_submitted", "words"),
    ("decided", "latency_ms"),
    ("decided", "why"),
    ("exec_finished", "code"),
    ("exec_finished", "end"),
    ("exec_finished", "stderr_bytes"),
    ("exec_finished", "stdout_bytes"),
    ("host_enrolled", "name"),
    ("host_enrolled", "software"),
    ("host_started", "software"),
    ("host_stopped", "why"),
    ("recording_chunk", "raw_bytes"),
    ("session_closed", "why"),
    ("session_opened", "kind"),
    ("session_opened", "tty"),
    ("session_opened", "uid"),
];

/// A member said otherwise; the last one leaves it out.
fn otherwise(value: &Value) -> Vec<Option<Value>> {
    let other = match value {
        Value::Int(number) => vec![(number + 1).into(), number.saturating_sub(1).into(), 0u64.into()],
        Value::Bool(truth) => vec![(!truth).into()],
        Value::Text(text) => match text.len() {
            43 => vec![Digest([5; 32]).into()],
            _ => vec!["other".into(), text.replace(['0', '1', 'a'], "2").into()],
        },
        Value::List(list) => vec![Value::List(list.iter().skip(1).cloned().collect()), Value::List(Vec::new())],
        Value::Object(_) => vec![Value::Object(Default::default())],
        Value::LeafBefore => Vec::new(),
    };
    other.into_iter().filter(|other| other != value).map(Some).chain([None]).collect()
}

fn said_otherwise(history: &History, trust: &TrustFile, free: &mut BTreeSet<(&'static str, String)>) {
    let verified = |history: &History| verify_lines(&history.lines(), &history.recordings, Some(trust));
    assert_eq!(verified(history).exit_code, 0, "{}", verified(history).text());
    let mut tried = BTreeSet::new();
    for at in 0..history.plans.len() {
        let plan = &history.plans[at];
        // The same entry twice is enough: with another outcome, or by another.
        let of_kind = |member: &str| {
            (plan.kind, member.to_owned(), plan.body.get("outcome").and_then(Value::as_text).map(str::to_owned))
        };
        for (member, value) in plan.body.clone() {
            if !tried.insert(of_kind(&member)) {
                continue;
            }
            for other in otherwise(&value) {
                let mut changed = history.clone();
                let body = &mut changed.plans[at].body;
                match other {
                    Some(other) => drop(body.insert(member.clone(), other)),
                    None => drop(body.remove(&member)),
                }
                let report = verified(&changed);
                if report.exit_code == 0 {
                    assert!(!found(&report, "sig.entry"));
                    free.insert((plan.kind, member.clone()));
                }
            }
        }
    }
}

#[test]
fn what_nothing_binds_is_this_and_no_more() {
    let mut free = BTreeSet::new();
    said_otherwise(&held(), &trust(), &mut free);
    said_otherwise(&reviewed(), &auditors(), &mut free);
    let wanted: BTreeSet<_> = FREE.iter().map(|(kind, member)| (*kind, (*member).to_owned())).collect();
    assert_eq!(free, wanted);
}
