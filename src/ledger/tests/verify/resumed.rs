//! A login that goes on after the daemon was lost: what the record must show,
//! and what a host that lies cannot make up.

use crate::build::{BOOT, History, OTHER_BOOT, Plan, expect, login, submission};
use countersign_core::Digest;
use countersign_ledger::{ResumeChain, Value};

/// The secrets of the front of a login, in the order in which it tells them.
fn secret(n: u8, nth: usize) -> Value {
    let mut chain = ResumeChain::from_seed(Digest([n; 32]));
    std::iter::from_fn(|| chain.take()).nth(nth).unwrap().into()
}

fn resumed(h: &mut History, label: &str, after: &str, nth: usize, running: Option<u8>) {
    let plan = h.add(label, "session_resumed", Some(login(1)), [("key", secret(1, nth))]);
    plan.of = Some(after.to_owned());
    if let Some(c) = running {
        plan.body.insert("running".into(), submission(c).into());
    }
}

/// A host_started of its own name.
fn again(h: &mut History, label: &str, boot: &'static str) {
    h.restart(boot);
    h.plans.last_mut().unwrap().label = label.to_owned();
}

/// A login through two restarts: a line ran through the first, one waited at
/// the second.
pub fn resumed_twice() -> History {
    let mut h = History::new();
    h.open(1);
    let opened = h.plan("open1");
    opened.body.insert("kind".into(), "interactive".into());
    opened.body.insert("resume".into(), ResumeChain::from_seed(Digest([1; 32])).anchor().into());
    h.submit(1, 1, b"sleep 9");
    h.decide(1, 1, "approved", Some("ops-lead"));
    h.exec(1, 1);
    again(&mut h, "again1", BOOT);
    h.record(1, 40);
    resumed(&mut h, "resumed1", "again1", 0, Some(1));
    h.record(1, 40);
    h.finish(1, 1);
    h.run(1, 2, "approved", "ops-lead");
    h.submit(1, 3, b"echo late");
    again(&mut h, "again2", BOOT);
    h.decide(1, 3, "error", None);
    // The answer to one try was lost: its secret was told, and the next one counts.
    resumed(&mut h, "resumed2", "again2", 2, None);
    h.run(1, 4, "approved", "ops-lead");
    h.close(1, "exit");
    h
}

pub type Lie = fn(&mut History);

fn put(h: &mut History, before: &str, mut plan: Plan) {
    let at = h.at(before);
    (plan.mono, plan.at_us, plan.boot) = (h.plans[at].mono, h.plans[at].at_us, h.plans[at].boot);
    h.plans.insert(at, plan);
}

fn set(h: &mut History, label: &str, member: &str, value: Value) {
    h.plan(label).body.insert(member.to_owned(), value);
}

fn moved(h: &mut History, label: &str, before: &str) {
    let at = h.at(label);
    let plan = h.plans.remove(at);
    put(h, before, plan);
}

/// What the host does, the exit code and the check that speaks.
pub const LIES: &[(&str, Lie, u8, &str)] = &[
    ("goes on without a front", |h| h.plans.retain(|plan| plan.label != "resumed1"), 40, "sess.after_restart"),
    ("has no secret of the front", |h| set(h, "resumed1", "key", Digest([5; 32]).into()), 40, "sess.resumed"),
    ("has the secret of another front", |h| set(h, "resumed1", "key", secret(2, 0)), 40, "sess.resumed"),
    ("uses a secret twice", |h| set(h, "resumed2", "key", secret(1, 0)), 40, "sess.resumed"),
    (
        "takes the end of the chain for a secret",
        |h| set(h, "resumed1", "key", ResumeChain::from_seed(Digest([1; 32])).anchor().into()),
        40,
        "sess.resumed",
    ),
    ("knows a front that told nothing", |h| drop(h.plan("open1").body.remove("resume")), 40, "sess.resumed"),
    ("takes up a command's login", |h| set(h, "open1", "kind", "exec".into()), 40, "sess.resumed"),
    ("takes up a transfer", |h| set(h, "open1", "kind", "transfer".into()), 40, "sess.resumed"),
    ("names the restart before", |h| h.plan("resumed2").of = Some("again1".to_owned()), 40, "sess.resumed"),
    ("names no restart", |h| h.plan("resumed1").of = Some("started".to_owned()), 40, "sess.resumed"),
    (
        "takes it up twice after one restart",
        |h| {
            let mut twice = h.plan("resumed2").clone();
            twice.label = "twice".to_owned();
            twice.body.insert("key".into(), secret(1, 9));
            put(h, "submit4", twice);
        },
        40,
        "sess.resumed",
    ),
    (
        "takes it up without a restart",
        |h| {
            let mut early = h.plan("resumed1").clone();
            early.label = "early".to_owned();
            early.of = Some("started".to_owned());
            early.body.remove("running");
            put(h, "submit1", early);
        },
        40,
        "sess.resumed",
    ),
    (
        "takes it up after a reboot",
        |h| {
            let at = h.at("again2");
            for plan in &mut h.plans[at..] {
                plan.boot = OTHER_BOOT;
            }
        },
        40,
        "sess.resumed",
    ),
    ("leaves undecided what waited", |h| h.plans.retain(|plan| plan.label != "decide3"), 40, "sess.resumed"),
    ("decides it only then", |h| moved(h, "decide3", "submit4"), 40, "sess.resumed"),
    ("keeps silent about what runs", |h| drop(h.plan("resumed1").body.remove("running")), 40, "sess.resumed"),
    ("says that something runs", |h| set(h, "resumed2", "running", submission(2).into()), 40, "sess.resumed"),
    ("says that another command runs", |h| set(h, "resumed1", "running", submission(9).into()), 40, "sess.resumed"),
    (
        "lets run after the restart what was submitted before",
        |h| {
            h.plans.retain(|plan| plan.label != "decide3");
            let from = h.plans.len();
            h.decide(1, 3, "approved", Some("ops-lead"));
            h.exec(1, 3);
            h.finish(1, 3);
            let late: Vec<_> = h.plans.drain(from..).collect();
            for plan in late {
                put(h, "submit4", plan);
            }
        },
        40,
        "sess.after_restart",
    ),
    (
        "starts after the restart what was let run before",
        |h| {
            set(h, "resumed1", "key", secret(1, 0));
            h.plan("resumed1").body.remove("running");
            moved(h, "exec1", "finish1");
        },
        40,
        "sess.after_restart",
    ),
    ("submits before the front is back", |h| moved(h, "submit2", "resumed1"), 40, "sess.after_restart"),
    (
        "closes in order before the front is back",
        |h| {
            h.plans.retain(|plan| plan.label != "resumed2");
            let at = h.at("submit4");
            h.plans.drain(at..at + 5);
            set(h, "close1", "recording_bytes", 160u64.into());
            h.recordings.get_mut(&login(1)).unwrap().truncate(160);
        },
        40,
        "sess.after_restart",
    ),
    ("gives it no secret at all", |h| drop(h.plan("resumed1").body.remove("key")), 40, "member.type"),
    ("puts it outside of a login", |h| h.plan("resumed1").login = None, 40, "kind.sess"),
];

#[test]
fn a_login_whose_front_came_back_is_in_order() {
    expect(&resumed_twice().verify(), 10, "assurance.self_attested");
    // A restart that the front did not live to see: as before.
    let mut lost = resumed_twice();
    let at = lost.at("resumed2");
    lost.plans.truncate(at);
    lost.recordings.get_mut(&login(1)).unwrap().truncate(160);
    lost.close(1, "recovered");
    expect(&lost.verify(), 11, "sess.recovered");
}

#[test]
fn no_made_up_return_goes_unseen() {
    let mut unseen = Vec::new();
    for (what, lie, exit, check) in LIES {
        let mut history = resumed_twice();
        lie(&mut history);
        let report = history.verify();
        if report.exit_code != *exit || !report.totals.contains_key(check) {
            unseen.push(format!("{what}: wanted {exit} {check}\n{}", report.text()));
        }
    }
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[test]
fn entries_that_are_missing_forge_nothing() {
    let history = resumed_twice();
    let mut plan = history.clone();
    for label in ["again1", "again2", "decide3"] {
        let mut lines = history.lines();
        lines.remove(plan.at(label));
        let report = crate::build::verify_lines(&lines, &history.recordings, Some(&crate::build::trust()));
        assert_eq!(report.exit_code, 41, "{label}\n{}", report.text());
    }
}
