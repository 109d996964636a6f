//! A service's own ledger: signed with its key, under its id, about what was done and read there.

use crate::build::{History, OTHER_BOOT, Who, expect, private, service, trust};
use crate::removals::{both, cut, erase};
use countersign_ledger::sha256;

/// Every kind that only a service writes, over two boots.
pub fn own_ledger() -> History {
    let mut history = History::with_signer("own_uid");
    history.host = service().to_string().parse().unwrap();
    history.signs = Who::Service;
    for plan in &mut history.plans {
        plan.signer = Who::Service;
    }
    let key = Who::Service.public();
    let enrolled = history.plan("enrolled");
    enrolled.body.insert("key".into(), key.into());
    enrolled.body.insert("name".into(), "service".into());
    for (kind, act, by, about, detail) in [
        ("admin_act", "reviewer_added", None, "ops-lead", None),
        ("admin_act", "enroll_token_made", None, "web-1", None),
        ("admin_act", "host_enrolled", None, "web-1", None),
        ("rule_changed", "added", Some("ops-lead"), "1", Some("uptime")),
        ("grant", "added", Some("ops-lead"), "2", Some("git status")),
        ("signed_in", "password", Some("ops-lead"), "ops-lead", None),
    ] {
        act_of(&mut history, (kind, act), by, about, detail);
    }
    history.stop();
    history.restart(OTHER_BOOT);
    for (kind, act, by, about, detail) in [
        ("access", "audit", Some("ops-lead"), "audit", Some("{\"text\":\"x\"}")),
        ("access", "recording", Some("on-call"), "01040g2081040g2081040g2081", None),
        ("anomaly_triaged", "benign", Some("on-call"), "gate_tamper", Some("a drill")),
        ("hold", "set", Some("ops-lead"), "web-1", None),
        ("report_read", "month", Some("ops-lead"), "2026-11", None),
    ] {
        act_of(&mut history, (kind, act), by, about, detail);
    }
    history.stop();
    history
}

fn act_of(
    history: &mut History,
    (kind, act): (&'static str, &'static str),
    by: Option<&str>,
    about: &str,
    detail: Option<&str>,
) {
    let salt = history.salt();
    let plan = history.add(act, kind, None, [("about", about.into()), ("act", act.into())]);
    if let Some(by) = by {
        plan.body.insert("by".into(), by.into());
    }
    if let Some(detail) = detail {
        private(plan, "detail", salt, detail.as_bytes());
    }
    if kind == "rule_changed" || kind == "grant" {
        plan.body.insert("policy".into(), sha256(about.as_bytes()).into());
    }
}

#[test]
fn a_service_does_not_vouch_for_itself() {
    let honest = own_ledger();
    expect(&both(&honest, &honest.lines(), &trust()), 10, "assurance.self_attested");
    let mut history = own_ledger();
    history.checkpoint();
    expect(&both(&history, &history.lines(), &trust()), 40, "kind.place");
    // Nor is what it takes out after that excused.
    erase(&mut history, "erasure", &[("audit", &["detail"])]);
    let mut lines = history.lines();
    cut(&mut history, &mut lines, "audit", &["detail"]);
    expect(&both(&history, &lines, &trust()), 40, "kind.place");
    expect(&both(&history, &lines, &trust()), 40, "removal.early");
}
