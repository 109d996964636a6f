//! A host that holds its key and lies: everything is sealed anew and properly
//! signed, only the facts are not those of the service.

use crate::build::{
    BOOT, History, Plan, Who, expect, golden, host, leaf_of, login, nonce, private, submission, trust, verify_lines,
};
use countersign_core::{Choice, HostId, Salt};
use countersign_ledger::Value;

pub type Lie = fn(&mut History);

/// What the host does, the exit code and a check that must speak.
pub const LIES: &[(&str, Lie, u8, &str)] = &[
    ("drops decided", |h| remove(h, "decide1"), 50, "run.without_decision"),
    (
        "drops decided and binds to the submission",
        |h| {
            remove(h, "decide1");
            h.plan("exec1").of = Some("submit1".into());
        },
        50,
        "run.without_decision",
    ),
    ("drops the submission", |h| remove(h, "submit1"), 40, "decided.of"),
    ("runs after a denial in the same login", |h| insert_exec(h, 2, 2, "submit4"), 50, "run.without_decision"),
    ("runs after a timeout", |h| insert_exec(h, 2, 4, "submit5"), 50, "run.without_decision"),
    (
        "runs while undecided",
        |h| {
            let (decide, exec) = (h.at("decide8"), h.at("exec8"));
            let (a, b) = (h.plans[decide].clone(), h.plans[exec].clone());
            h.plans.swap(decide, exec);
            (h.plans[decide].mono, h.plans[decide].at_us) = (a.mono, a.at_us);
            (h.plans[exec].mono, h.plans[exec].at_us) = (b.mono, b.at_us);
        },
        50,
        "run.without_decision",
    ),
    (
        "calls a denial an approval",
        |h| {
            set(h, "decide2", "outcome", "approved".into());
            insert_exec(h, 2, 2, "submit4");
        },
        50,
        "decision.outcome",
    ),
    ("calls a timeout an approval", |h| set(h, "decide4", "outcome", "approved".into()), 50, "decision.outcome"),
    ("calls an error an approval", |h| set(h, "decide7", "outcome", "approved".into()), 50, "decision.missing"),
    (
        "calls a person's approval a rule's",
        |h| set(h, "decide1", "outcome", "whitelisted".into()),
        50,
        "decision.outcome",
    ),
    (
        "lets a rule run what needs a person",
        |h| set(h, "submit3", "flags", Value::List(vec!["interactive_escape".into()])),
        50,
        "decision.needs_person",
    ),
    (
        "lets a grant run what needs a person",
        |h| set(h, "submit8", "flags", Value::List(vec!["opaque_code".into()])),
        50,
        "decision.needs_person",
    ),
    (
        "lets a rule run what a newer host marked",
        |h| set(h, "submit3", "flags", Value::List(vec!["later_word".into()])),
        50,
        "decision.needs_person",
    ),
    ("lets a rule run a program that it does not mark", |h| program(h, "submit3", 2), 50, "decision.needs_person"),
    ("lets run what follows an excerpt", |h| beyond(h, "submit1", "hidden_kinds"), 50, "decision.cut_command"),
    ("lets run what follows a program", |h| beyond(h, "submit1", "stdin_hidden_kinds"), 50, "decision.cut_command"),
    (
        "ended late and says that it was not released",
        |h| {
            h.ruling("decide9").exp_ms = 1;
            set(h, "finish9", "end", "not_released".into());
        },
        50,
        "decision.late",
    ),
    ("lets run a program of which only a part is recorded", |h| program(h, "submit1", 3), 50, "decision.cut_command"),
    ("names another decider", |h| set(h, "decide1", "by", "boss".into()), 50, "decision.outcome"),
    ("names no decider", |h| unset(h, "decide1", "by"), 50, "decision.outcome"),
    ("leaves the statement out", |h| h.plan("decide1").ruling = None, 50, "decision.missing"),
    (
        "uses the statement of another submission",
        |h| h.ruling("decide9").about = "submit1".into(),
        50,
        "decision.entry",
    ),
    ("uses a statement with another nonce", |h| h.ruling("decide9").nonce = nonce(1), 50, "decision.nonce"),
    ("uses another host's statement", |h| h.ruling("decide9").host = HostId::from_random([1; 16]), 50, "decision.host"),
    ("signs the statement itself", |h| h.ruling("decide9").signer = Who::Host, 50, "decision.key_unknown"),
    ("has a stranger sign the statement", |h| h.ruling("decide9").signer = Who::Stranger, 50, "decision.key_unknown"),
    ("breaks the statement's signature", |h| h.ruling("decide9").break_sig = true, 50, "decision.signature"),
    ("makes up a person's refusal", |h| unsigned(h, "decide2", Some("on-call")), 40, "refusal.statement"),
    ("makes up nobody's refusal", |h| unsigned(h, "decide2", None), 40, "refusal.statement"),
    ("has a person answer too late", |h| unsigned(h, "decide4", Some("ops-lead")), 40, "refusal.statement"),
    ("turns the statement round", |h| h.ruling("decide9").choice = Choice::Deny, 50, "decision.outcome"),
    (
        "lets a timeout approve",
        |h| {
            h.ruling("decide9").by = "timeout".into();
            set(h, "decide9", "by", "timeout".into());
        },
        50,
        "decision.outcome",
    ),
    (
        "lets a rule speak for a program that is not known",
        |h| set(h, "submit3", "words", "other".into()),
        50,
        "decision.words",
    ),
    ("leaves out what programs it starts", |h| unset(h, "submit3", "words"), 50, "decision.words"),
    ("stretches the statement", |h| h.ruling("decide9").exp_ms = 600_000, 50, "decision.expiry"),
    ("decides late", |h| h.later("decide9", 60_000_000), 50, "decision.late"),
    ("starts late", |h| h.later("exec9", 60_000_000), 50, "decision.late"),
    (
        "starts a little late",
        |h| {
            h.ruling("decide9").exp_ms = 1;
        },
        50,
        "decision.late",
    ),
    (
        "starts twice",
        |h| {
            let at = h.at("finish9");
            let exec = copy(h, "exec9");
            h.plans.insert(at, exec);
        },
        50,
        "run.twice",
    ),
    (
        "starts again after the end",
        |h| {
            let at = h.at("close3");
            let exec = copy(h, "exec9");
            h.plans.insert(at, exec);
        },
        50,
        "run.twice",
    ),
    ("starts under another decision", |h| h.plan("exec9").of = Some("decide8".into()), 50, "run.without_decision"),
    ("runs in another login", |h| h.plan("exec1").login = Some(login(2)), 40, "run.without_decision"),
    ("records half a command", |h| set(h, "submit9", "cmd_bytes", 999u64.into()), 50, "decision.cut_command"),
    ("records more than the command", |h| set(h, "submit9", "cmd_bytes", 3u64.into()), 40, "commit.length"),
    ("breaks a denial's statement", |h| h.ruling("decide2").break_sig = true, 40, "refusal.statement"),
    ("forges a denial's decider", |h| set(h, "decide2", "by", "boss".into()), 40, "refusal.statement"),
    ("forges a timeout", |h| h.ruling("decide4").signer = Who::Host, 40, "refusal.statement"),
    (
        "decides twice",
        |h| {
            let at = h.at("exec9");
            let again = copy(h, "decide9");
            h.plans.insert(at, again);
        },
        40,
        "decided.of",
    ),
    ("decides another submission", |h| h.plan("decide5").of = Some("submit4".into()), 40, "decided.of"),
    ("decides in another login", |h| h.plan("decide5").login = Some(login(3)), 40, "decided.of"),
    (
        "ends twice",
        |h| {
            let at = h.at("close3");
            let again = copy(h, "finish9");
            h.plans.insert(at, again);
        },
        40,
        "finish.of",
    ),
    ("ends what never started", |h| remove(h, "exec9"), 40, "finish.of"),
    ("ends another start", |h| h.plan("finish9").of = Some("exec8".into()), 40, "finish.of"),
    (
        "uses a submission's id again",
        |h| {
            set(h, "submit7", "id", submission(1).into());
        },
        40,
        "submission.repeat",
    ),
    (
        "goes on after the end",
        |h| {
            let at = h.at("stopped");
            let again = copy(h, "chunk3.1");
            h.plans.insert(at, again);
        },
        40,
        "sess.order",
    ),
    (
        "opens a login again",
        |h| {
            let at = h.at("stopped");
            let again = copy(h, "open1");
            h.plans.insert(at, again);
        },
        40,
        "sess.order",
    ),
    (
        "opens a login twice",
        |h| {
            let at = h.at("submit7");
            let again = copy(h, "open3");
            h.plans.insert(at, again);
        },
        40,
        "sess.order",
    ),
    ("does not open a login", |h| remove(h, "open3"), 40, "sess.order"),
    ("skips in a login", |h| h.plan("submit7").skew_n = 1, 40, "sess.chain"),
    ("never closes", |h| remove(h, "close3"), 11, "sess.open"),
    ("never decides", |h| remove(h, "decide5"), 11, "submission.undecided"),
    (
        "enrols twice",
        |h| {
            let at = h.at("open1");
            let again = copy(h, "enrolled");
            h.plans.insert(at, again);
        },
        40,
        "enrol.first",
    ),
    ("does not enrol", |h| remove(h, "enrolled"), 40, "enrol.first"),
    ("enrols another key", |h| set(h, "enrolled", "key", Who::Stranger.public().into()), 40, "trust.host_key"),
    (
        "enrols another service key",
        |h| set(h, "enrolled", "service_key", Who::Host.public().into()),
        40,
        "trust.service_key",
    ),
    ("enrols another service", |h| set(h, "enrolled", "service", login(9).into()), 40, "trust.service"),
    ("lets the boot clock fall", |h| h.plan("submit7").mono -= 500_000, 51, "time.mono_falls"),
    (
        "sets the wall clock",
        |h| {
            let at = h.at("submit7");
            for plan in &mut h.plans[at..] {
                plan.at_us -= 600_000;
            }
        },
        51,
        "time.jump",
    ),
    (
        "changes the boot silently",
        |h| {
            let at = h.at("restarted");
            h.plans.remove(at);
        },
        51,
        "time.boot",
    ),
    ("goes back to a boot", |h| h.restart(BOOT), 51, "time.boot"),
    (
        "goes on after a restart",
        |h| {
            let at = h.at("submit7");
            let again = restarted(h, "open3");
            h.plans.insert(at, again);
        },
        40,
        "sess.after_restart",
    ),
    (
        "closes in good order after a restart",
        |h| {
            let at = h.at("close3");
            let again = restarted(h, "finish9");
            h.plans.insert(at, again);
        },
        40,
        "sess.after_restart",
    ),
    ("leaves a member out", |h| unset(h, "submit7", "wait_ms"), 40, "member.type"),
    ("writes a number as text", |h| set(h, "open3", "uid", "0".into()), 40, "member.type"),
    ("writes an unknown outcome", |h| set(h, "decide5", "outcome", "perhaps".into()), 40, "member.type"),
    ("puts a host's kind into a login", |h| h.plan("stopped").login = Some(login(4)), 40, "kind.sess"),
    ("takes a login's kind out", |h| h.plan("decide5").login = None, 40, "kind.sess"),
    (
        "keeps a private value back",
        |h| {
            let salt = Salt([1; 32]);
            private(h.plan("open3"), "term", salt, b"x");
            let kept = h.plan("open1").vals.clone();
            h.plan("open3").vals = kept;
        },
        40,
        "commit.opening",
    ),
    ("signs with another key", |h| h.plan("submit7").signer = Who::Stranger, 40, "sig.key_unknown"),
    ("declares a small clock step for a large one", |h| step(h, 86_400_000_000, 600, true), 51, "time.jump"),
    ("declares a clock step the wrong way", |h| step(h, 700_000, 700, false), 51, "time.jump"),
    ("declares a clock step that never was", |h| step(h, 0, 700, true), 51, "time.jump"),
    ("misstates a chunk", |h| set(h, "chunk3.1", "digest", login_digest()), 42, "recording.digest"),
    ("skips a chunk", |h| remove(h, "chunk3.1"), 42, "recording.chunks"),
    ("overlaps chunks", |h| set(h, "chunk3.1", "offset", 39u64.into()), 42, "recording.chunks"),
    ("counts chunks wrong", |h| set(h, "chunk3.1", "index", 7u64.into()), 42, "recording.chunks"),
    ("claims more than the file", |h| set(h, "chunk3.2", "length", 4000u64.into()), 42, "recording.length"),
    (
        "claims a huge chunk",
        |h| {
            set(h, "chunk3.2", "length", ((1u64 << 53) - 1).into());
            set(h, "chunk3.2", "offset", ((1u64 << 53) - 1).into());
        },
        42,
        "recording.length",
    ),
    ("closes with another length", |h| set(h, "close3", "recording_bytes", 7u64.into()), 42, "recording.chunks"),
];

fn copy(h: &mut History, label: &str) -> Plan {
    Plan { label: "copy".into(), ..h.plan(label).clone() }
}

fn set(h: &mut History, label: &str, member: &str, value: Value) {
    h.plan(label).body.insert(member.into(), value);
}

/// A program of two bytes on standard input, of which so many are said.
fn program(history: &mut History, label: &str, bytes: u64) {
    let made = history.plan(label).vals.insert_list("stdin", vec![Some((Salt([5; 32]), b"id".to_vec()))]);
    set(history, label, "stdin", Value::List(made.into_iter().flatten().map(Value::from).collect()));
    set(history, label, "stdin_bytes", bytes.into());
}

/// Decides without the service.
fn unsigned(history: &mut History, label: &str, by: Option<&str>) {
    history.plan(label).ruling = None;
    match by {
        Some(by) => set(history, label, "by", by.into()),
        None => unset(history, label, "by"),
    }
}

/// Says that its last hidden segment is what follows an excerpt.
fn beyond(history: &mut History, label: &str, kinds: &str) {
    set(history, label, kinds, Value::List(vec!["password".into(), "beyond".into()]));
}

fn unset(h: &mut History, label: &str, member: &str) {
    h.plan(label).body.remove(member);
}

fn remove(h: &mut History, label: &str) {
    let at = h.at(label);
    h.plans.remove(at);
}

/// From `open3` on the wall clock is so much later, and a `clock_step` says something.
fn step(h: &mut History, us: i64, by_ms: u64, forward: bool) {
    let at = h.at("open3");
    h.plans[at..].iter_mut().for_each(|plan| plan.at_us += us);
    let (mono, at_us, boot) = (h.plans[at].mono, h.plans[at].at_us, h.plans[at].boot);
    let step = h.add("step", "clock_step", None, [("by_ms", by_ms.into()), ("forward", forward.into())]);
    (step.mono, step.at_us, step.boot) = (mono, at_us, boot);
    let step = h.plans.pop().unwrap();
    h.plans.insert(at, step);
}

fn login_digest() -> Value {
    Who::Host.public().into()
}

/// A start of `c` in login `n`, put before `label`.
fn insert_exec(h: &mut History, n: u8, c: u8, label: &str) {
    let mut exec = h.plan("exec1").clone();
    let at = h.at(label);
    exec.login = Some(login(n));
    exec.body.insert("id".into(), submission(c).into());
    exec.of = Some(format!("decide{c}"));
    (exec.mono, exec.at_us, exec.boot) = (h.plans[at].mono, h.plans[at].at_us, h.plans[at].boot);
    h.plans.insert(at, exec);
}

/// A host_started right after `label`, in the same boot.
fn restarted(h: &mut History, label: &str) -> Plan {
    let mut plan = h.plan("started").clone();
    let at = h.plan(label).clone();
    (plan.mono, plan.at_us, plan.boot) = (at.mono, at.at_us, at.boot);
    plan
}

#[test]
fn no_lie_goes_unseen() {
    let mut unseen = Vec::new();
    for (what, lie, exit, check) in LIES {
        let mut history = golden();
        lie(&mut history);
        let report = history.verify();
        println!("{exit} {check}: {what}");
        if report.exit_code != *exit || !report.totals.contains_key(check) {
            unseen.push(format!("{what}: wanted {exit} {check}\n{}", report.text()));
        }
    }
    println!("{} lies of a dishonest host", LIES.len());
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

#[test]
fn a_decision_dies_with_what_came_before_it() {
    // The statements are those of the true history: the host changes an early
    // entry and seals everything after it anew.
    let truth = golden();
    let statements: Vec<_> = truth.lines().iter().filter_map(|line| statement_of(line)).collect();
    let mut lie = golden();
    lie.plan("open1").body.insert("uid".into(), 0u64.into());
    let sealed = lie.lines();
    let mut lines = sealed.clone();
    let mut left = statements.into_iter();
    for line in &mut lines {
        if let Some(now) = statement_of(line) {
            *line = line.replacen(&now, &left.next().unwrap(), 1);
        }
    }
    let lines = reseal(&lines, &sealed);
    expect(&verify_lines(&lines, &truth.recordings, Some(&trust())), 40, "refusal.statement");
    let report = verify_lines(&lines, &truth.recordings, Some(&trust()));
    assert_eq!(report.totals["decision.entry"], 5, "{}", report.text());
}

fn statement_of(line: &str) -> Option<String> {
    let start = line.find("\"sig\":\"").filter(|at| line.find(",\"statement\":").is_some_and(|s| s > *at))?;
    let end = start + line[start..].find("}}")?;
    Some(line[start..end].to_owned())
}

/// Chains and signs lines anew with the host's key, `of` included.
fn reseal(lines: &[String], before: &[String]) -> Vec<String> {
    use countersign_ledger::{Header, Line, Openings, Sess, seal};
    use std::collections::HashMap;
    let (mut prev, mut logins, mut moved, mut out) =
        (countersign_core::Digest::ZERO, HashMap::new(), HashMap::new(), Vec::new());
    for (text, before) in lines.iter().zip(before) {
        let line = Line::parse(text.as_bytes()).unwrap();
        let mut members = line.body().unwrap().as_object().unwrap().clone();
        if let Some(of) = members.get("of").and_then(Value::parse::<countersign_core::Digest>) {
            members.insert("of".into(), (*moved.get(&of).unwrap_or(&of)).into());
        }
        let sess = line.sess.as_ref().map(|s| {
            let id: countersign_core::LoginId = s.id.parse().unwrap();
            Sess { id, n: s.n, prev: *logins.get(&id).unwrap_or(&countersign_core::Digest::ZERO) }
        });
        let header = Header {
            at_us: line.at_us,
            boot: line.boot,
            host: host(),
            kind: line.kind,
            mono: line.mono,
            prev,
            seq: line.seq,
            sess,
        };
        let sealed = seal(&header, &Value::Object(members), &Openings::new(), None, &mut Who::Host.signer()).unwrap();
        prev = sealed.leaf;
        moved.insert(leaf_of(before), sealed.leaf);
        if let Some(sess) = sess {
            logins.insert(sess.id, sealed.leaf);
        }
        out.push(sealed.line.replace("\"vals\":{}", &format!("\"vals\":{}", line.vals)));
    }
    out
}

#[test]
fn a_second_history_under_the_same_key_is_a_fork() {
    let history = golden();
    let mut other = golden();
    other.plan("open4").body.insert("uid".into(), 0u64.into());
    let (mut lines, second) = (history.lines(), other.lines());
    let at = lines.iter().zip(&second).position(|(a, b)| a != b).unwrap();
    lines.push(second[at].clone());
    expect(&verify_lines(&lines, &history.recordings, Some(&trust())), 30, "fork.seq");
    lines.extend_from_slice(&second[at + 1..]);
    expect(&verify_lines(&lines, &history.recordings, Some(&trust())), 30, "fork.seq");
    let mut forged = lines[at].clone();
    forged = forged.replacen("\"tty\":false", "\"tty\":true", 1);
    lines.push(forged);
    expect(&verify_lines(&lines, &history.recordings, Some(&trust())), 40, "sig.entry");
}
