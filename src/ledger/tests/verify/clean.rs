//! Histories that are in order.

use crate::build::{OTHER_BOOT, Who, expect, found, golden, held, login, trust, trust_with, verify_lines};
use crate::removals::both;
use countersign_core::{HostId, Outcome};
use countersign_ledger::verify::{CHECKS, explain};
use countersign_ledger::{TrustFile, TrustedHost, Value};

#[test]
fn a_clean_history_is_sound_and_self_attested() {
    let report = golden().verify();
    assert_eq!(report.exit_code, 10, "{}", report.text());
    assert_eq!(report.totals.keys().copied().collect::<Vec<_>>(), ["assurance.self_attested"]);
    let words = [report.integrity.verdict, report.conformance.verdict, report.assurance.verdict];
    assert_eq!(words, ["SOUND", "CONFORMS", "SELF-ATTESTED"]);
    let counts = &report.counts;
    assert_eq!((counts.logins, counts.logins_closed, counts.recordings, counts.commands), (4, 4, 4, 10));
    assert_eq!(counts.outcomes[&Outcome::Approved], 3);
    assert_eq!(counts.entries, u64::try_from(golden().plans.len()).unwrap());
    let text = report.text();
    assert!(text.contains("up to seq ") && text.contains("signer:same_uid"), "{text}");
    assert_eq!(text.lines().count(), 9, "three lines, what the last of them means, and three notes: {text}");
    let json: Value2 = serde_json::to_value(&report).unwrap();
    assert_eq!(json["exit_code"], 10);
    assert_eq!(json["counts"]["outcomes"]["timed_out"], 1);
    println!("{text}");
}

type Value2 = serde_json::Value;

#[test]
fn without_trust_it_is_never_better_than_20() {
    let history = golden();
    expect(&verify_lines(&history.lines(), &history.recordings, None), 20, "trust.none");
    let mut lines = history.lines();
    lines[7] = lines[7].replacen("\"n\":", "\"n\":1", 1);
    expect(&verify_lines(&lines, &history.recordings, None), 40, "sig.entry");
}

#[test]
fn only_the_trust_file_is_trusted() {
    let history = golden();
    let lines = history.lines();
    let with = |trust: TrustFile| verify_lines(&lines, &history.recordings, Some(&trust));
    expect(&with(trust_with(Who::Stranger.public(), Who::Service.public())), 40, "trust.host_key");
    expect(&with(trust_with(Who::Host.public(), Who::Stranger.public())), 40, "trust.service_key");
    let other =
        TrustedHost { host: HostId::from_random([1; 16]), key: Who::Stranger.public(), name: "x".parse().unwrap() };
    let unknown = TrustFile::new(vec![other], trust().services).unwrap();
    expect(&with(unknown.clone()), 20, "trust.host");
    let mut changed = lines.clone();
    changed[5] = changed[5].replacen("\"mono\":", "\"mono\":1", 1);
    expect(&verify_lines(&changed, &history.recordings, Some(&unknown)), 40, "sig.entry");
    let no_service = TrustFile::new(trust().hosts, Vec::new()).unwrap();
    expect(&with(no_service), 40, "trust.service");
}

#[test]
fn later_kinds_and_members_are_warnings() {
    let mut history = golden();
    history.plan("open3").body.insert("zebra".into(), true.into());
    history.plan("stopped").body.insert("why".into(), "eclipse".into());
    history.add("later", "solar_flare", None, [("x", 1u64.into())]);
    history.add("beat", "heartbeat", None, []);
    let report = history.verify();
    assert_eq!((report.exit_code, report.counts.unknown), (10, 3), "{}", report.text());
    assert_eq!(report.warnings.len(), 3);
}

#[test]
fn incomplete_histories_are_11() {
    let mut history = golden();
    history.open(5);
    expect(&history.verify(), 11, "sess.open");
    history.submit(5, 20, b"true");
    expect(&history.verify(), 11, "submission.undecided");
    history.recordings.get_mut(&login(5)).unwrap().extend_from_slice(b"not yet in a chunk");
    assert_eq!(history.verify().exit_code, 11, "the recording of an open login may be longer");
    history.recordings.get_mut(&login(5)).unwrap().truncate(40);
    history.restart(OTHER_BOOT);
    history.decide(5, 20, "error", None);
    history.close(5, "recovered");
    expect(&history.verify(), 11, "sess.recovered");
    let mut gap = crate::build::History::new();
    gap.add("gap", "gap", None, [("former", crate::build::host().into()), ("why", "identity_lost".into())]);
    expect(&gap.verify(), 11, "gap.declared");
    let mut unfinished = golden();
    unfinished.plans.remove(unfinished.plans.iter().position(|p| p.label == "finish10").unwrap());
    expect(&unfinished.verify(), 11, "run.unfinished");
}

/// A host that was lost says so of each login that it lost.
#[test]
fn a_login_that_a_restart_found_open_ends_as_no_other_does() {
    let ended = |why: &'static str, restarts: bool| {
        let mut history = held();
        history.open(5);
        if restarts {
            history.restart(OTHER_BOOT);
        }
        history.close(5, why);
        history.checkpoint();
        both(&history, &history.lines(), &trust())
    };
    for why in ["exit", "hangup", "interrupt", "refused", "disk_full", "recording_quota", "killed"] {
        expect(&ended(why, true), 40, "sess.after_restart");
        assert_eq!(ended(why, false).exit_code, 0, "{why}");
    }
    expect(&ended("recovered", true), 11, "sess.recovered");
    expect(&ended("bad_recording", true), 11, "recording.bad");
}

#[test]
fn hidden_segments_are_declared() {
    let mut history = golden();
    let plan = history.plan("submit1");
    let salt = countersign_core::Salt([77; 32]);
    let hidden = countersign_ledger::commitment("cmd/1", &salt, b"secret");
    let shown = plan.vals.insert_list("cmd", vec![Some((salt, b"login ".to_vec())), None]);
    plan.body.insert("cmd".into(), Value::List(vec![shown[0].unwrap().into(), hidden.into()]));
    let bare = history.clone();
    history.plan("submit1").body.insert("hidden".into(), Value::List(vec![Value::Int(1)]));
    assert_eq!(history.verify().exit_code, 10, "{}", history.verify().text());
    expect(&bare.verify(), 41, "commit.missing");
}

#[test]
fn a_declared_clock_step_is_in_order() {
    let mut history = golden();
    let at = history.at("open3");
    for plan in &mut history.plans[at..] {
        plan.at_us += 3_600_000_000;
    }
    expect(&history.verify(), 51, "time.jump");
    let mono = history.plans[at].mono;
    let at_us = history.plans[at].at_us;
    let step =
        history.add("step", "clock_step", None, [("by_ms", Value::Int(3_600_000)), ("forward", Value::Bool(true))]);
    (step.mono, step.at_us, step.boot) = (mono, at_us, crate::build::BOOT);
    let step = history.plans.pop().unwrap();
    history.plans.insert(at, step);
    assert_eq!(history.verify().exit_code, 10, "{}", history.verify().text());
}

#[test]
fn every_check_can_be_explained() {
    for info in CHECKS {
        assert_eq!(explain(info.id), Some(info.explain));
    }
    assert!(!found(&golden().verify(), "no.such"));
}

/// What a host writes whose disk was too slow, or that got a yes too late.
#[test]
fn what_came_too_late_and_did_not_run_is_in_order() {
    let mut history = golden();
    history.later("decide9", 60_000_000);
    expect(&history.verify(), 50, "decision.late");
    let finish = history.plan("finish9");
    finish.body.insert("end".into(), "not_released".into());
    finish.body.insert("why".into(), "late".into());
    finish.body.remove("code");
    assert_eq!(history.verify().exit_code, 10, "{}", history.verify().text());
    let mut late = golden();
    let ruling = late.ruling("decide4");
    (ruling.by, ruling.choice) = ("ops-lead".into(), countersign_core::Choice::Approve);
    late.plan("decide4").body.insert("by".into(), "ops-lead".into());
    late.plan("decide4").body.insert("why".into(), "reply_late".into());
    assert_eq!(late.verify().exit_code, 10, "{}", late.verify().text());
    late.ruling("decide4").about = "submit5".into();
    expect(&late.verify(), 40, "refusal.statement");
    let mut unsigned = golden();
    unsigned.plan("decide4").ruling = None;
    assert_eq!(unsigned.verify().exit_code, 10, "{}", unsigned.verify().text());
}

/// A command that is empty is recorded and refused.
#[test]
fn an_empty_command_is_in_order() {
    let mut history = golden();
    let plan = history.plan("submit7");
    plan.vals.insert_list("cmd", Vec::new());
    plan.body.insert("cmd".into(), Value::List(Vec::new()));
    plan.body.insert("cmd_bytes".into(), 0u64.into());
    assert_eq!(history.verify().exit_code, 10, "{}", history.verify().text());
}
