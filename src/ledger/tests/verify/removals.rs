//! What may be missing and what may not: openings and recordings that were
//! erased, entries that were pruned, and the hosts and thieves who say so.

use crate::build::{
    History, OTHER_BOOT, expect, found, held, host, join, leaf_of, login, trust, verify_lines, verify_path, write_state,
};
use crate::people::{ADMIN, OTHER_ADMIN, Who, key, signature};
use crate::second::agrees;
use countersign_ledger::verify::Report;
use countersign_ledger::{
    GapsMaker, Kind, Line, REMOVAL_NAMESPACE, TrustFile, Value, body, cut_openings, removal_statement, tlog,
};
use std::path::Path;

pub const COMMAND: &[&str] = &["cmd", "cwd", "env"];

/// `[{of, paths, seq}]` of the entries with these labels.
fn entries(history: &mut History, what: &[(&str, &[&str])]) -> Value {
    let lines = history.lines();
    let entry = |(label, paths): &(&str, &[&str])| {
        let at = history.at(label);
        let paths: Vec<Value> = paths.iter().map(|path| Value::from(*path)).collect();
        body([("of", leaf_of(&lines[at]).into()), ("paths", paths.into()), ("seq", u64::try_from(at).unwrap().into())])
    };
    let all: Vec<Value> = what.iter().map(entry).collect();
    all.into()
}

/// Declares that openings are gone, with a checkpoint after it.
pub fn erase(history: &mut History, kind: &'static str, what: &[(&str, &[&str])]) {
    let entries = entries(history, what);
    history.add("erased", kind, None, [("entries", entries), ("reason", "request 17".into())]);
    history.checkpoint();
}

/// Has administrators sign the entry.
pub fn sign(history: &mut History, label: &str, kind: Kind, who: &[Who]) {
    let body = Value::Object(history.plan(label).body.clone());
    let text = removal_statement(kind, &host().to_string(), &body).unwrap();
    let sigs: Vec<Value> = who.iter().map(|&who| signature(who, REMOVAL_NAMESPACE, text.as_bytes()).into()).collect();
    history.plan(label).body.insert("sigs".into(), sigs.into());
}

/// Cuts openings out of the line of an entry.
pub fn cut(history: &mut History, lines: &mut [String], label: &str, paths: &[&str]) {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    let at = history.at(label);
    lines[at] = cut_openings(&lines[at], &paths).unwrap();
}

/// Verifies with both.
pub fn both(history: &History, lines: &[String], trust: &TrustFile) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), &join(lines), &history.recordings);
    let report = verify_path(dir.path(), Some(trust));
    agrees(dir.path(), trust, report.exit_code);
    report
}

fn admins(who: &[Who]) -> TrustFile {
    let admins = who.iter().map(|&who| key(who).to_string()).collect();
    TrustFile { admins: Some(admins), ..trust() }
}

/// Of the history with the text of `submit9` erased as declared.
fn erased(kind: &'static str, paths: &[&str]) -> (History, Vec<String>) {
    let mut history = held();
    erase(&mut history, kind, &[("submit9", paths)]);
    let mut lines = history.lines();
    cut(&mut history, &mut lines, "submit9", paths);
    (history, lines)
}

#[test]
fn what_is_erased_as_declared_is_in_order_and_said() {
    for kind in ["erasure", "redaction"] {
        let (history, lines) = erased(kind, COMMAND);
        let report = both(&history, &lines, &trust());
        assert_eq!((report.exit_code, report.counts.erased), (0, 3), "{}", report.text());
        assert!(report.text().contains("Erased by the word of the host") && report.text().contains("3 values erased"));
    }
    let (history, lines) = erased("redaction", &["cmd/1"]);
    let report = both(&history, &lines, &trust());
    assert_eq!((report.exit_code, report.counts.erased), (0, 1), "{}", report.text());
    // Declared and still there is no harm.
    let mut history = held();
    erase(&mut history, "erasure", &[("submit9", COMMAND)]);
    let report = both(&history, &history.lines(), &trust());
    assert_eq!((report.exit_code, report.counts.erased), (0, 0), "{}", report.text());
}

#[test]
fn what_nothing_declares_is_missing() {
    let (mut history, mut lines) = erased("erasure", &["cmd/1"]);
    cut(&mut history, &mut lines, "submit9", &["cmd/0"]);
    expect(&both(&history, &lines, &trust()), 41, "commit.missing");
    let (mut history, mut lines) = erased("erasure", COMMAND);
    cut(&mut history, &mut lines, "submit8", &["cwd"]);
    expect(&both(&history, &lines, &trust()), 41, "commit.missing");
    // Without the entry that declares it, and with a changed one.
    let (mut history, lines) = erased("erasure", COMMAND);
    let at = history.at("erased");
    expect(&both(&history, &lines[..at], &trust()), 41, "commit.missing");
    let mut changed = lines.clone();
    changed[at] = changed[at].replace("request 17", "request 18");
    expect(&both(&history, &changed, &trust()), 40, "sig.entry");
}

/// What a dishonest host may write, what it leads to, and the paths it cuts.
type Lie = (&'static str, fn(&mut History), u8, &'static str);

const LIES: &[Lie] = &[
    ("names another entry", |h| spoil(h, |e| e.insert("of".into(), leaf_of_seq(3))), 40, "removal.entry"),
    ("names a later entry", |h| spoil(h, |e| e.insert("seq".into(), 200u64.into())), 40, "removal.entry"),
    ("names no path", |h| spoil(h, |e| e.remove("paths")), 40, "removal.entry"),
    (
        "names what decides",
        |h| spoil(h, |e| e.insert("paths".into(), list(&["cmd", "cwd", "env", "id"]))),
        40,
        "removal.entry",
    ),
    ("gives no reason", |h| drop(h.plan("erased").body.remove("reason")), 40, "member.type"),
    (
        "names a recording of an open login",
        |h| {
            h.open(9);
            h.add(
                "again",
                "erasure",
                None,
                [("entries", list(&[])), ("reason", "x".into()), ("recordings", vec![Value::from(login(9))].into())],
            );
        },
        40,
        "removal.entry",
    ),
];

fn list(words: &[&str]) -> Value {
    let words: Vec<Value> = words.iter().map(|word| Value::from(*word)).collect();
    words.into()
}

fn leaf_of_seq(byte: u8) -> Value {
    countersign_core::Digest([byte; 32]).into()
}

fn spoil(history: &mut History, change: impl Fn(&mut std::collections::BTreeMap<String, Value>) -> Option<Value>) {
    let Some(Value::List(entries)) = history.plan("erased").body.get_mut("entries") else { panic!("no entries") };
    let Value::Object(entry) = &mut entries[0] else { panic!("no object") };
    change(entry);
}

#[test]
fn a_host_cannot_erase_what_is_not_its_to_erase() {
    for (name, lie, exit, check) in LIES {
        let mut history = held();
        erase(&mut history, "erasure", &[("submit9", COMMAND)]);
        lie(&mut history);
        let mut lines = history.lines();
        cut(&mut history, &mut lines, "submit9", COMMAND);
        let report = both(&history, &lines, &trust());
        assert!(report.exit_code == *exit && found(&report, check), "{name}\n{}", report.text());
    }
    println!("{} lies about erasures", LIES.len());
}

#[test]
fn only_what_the_service_held_may_be_erased() {
    let mut history = held();
    history.open(5);
    history.run(5, 11, "approved", "ops-lead");
    history.close(5, "exit");
    erase(&mut history, "erasure", &[("submit11", COMMAND)]);
    let mut lines = history.lines();
    cut(&mut history, &mut lines, "submit11", COMMAND);
    expect(&both(&history, &lines, &trust()), 41, "removal.early");
}

/// An approval that nobody gave stays one, whatever is erased of it.
#[test]
fn erasing_hides_nothing_that_ran_unapproved() {
    let mut history = held();
    history.ruling("decide9").signer = crate::build::Who::Host;
    erase(&mut history, "erasure", &[("submit9", COMMAND), ("decide9", &["comment"])]);
    let mut lines = history.lines();
    cut(&mut history, &mut lines, "submit9", COMMAND);
    cut(&mut history, &mut lines, "decide9", &["comment"]);
    expect(&both(&history, &lines, &trust()), 50, "decision.key_unknown");
}

#[test]
fn with_administrators_in_the_trust_they_must_have_signed() {
    let unsigned = |who: &[Who], trusted: &[Who]| {
        let mut history = History::with_signer("own_uid");
        history.open(1);
        history.close(1, "exit");
        history.checkpoint();
        erase(&mut history, "erasure", &[("open1", &["agent"])]);
        sign(&mut history, "erased", Kind::Erasure, who);
        let mut lines = history.lines();
        cut(&mut history, &mut lines, "open1", &["agent"]);
        both(&history, &lines, &admins(trusted))
    };
    let report = unsigned(&[ADMIN], &[ADMIN]);
    assert_eq!(report.exit_code, 0, "{}", report.text());
    assert!(report.text().contains("as administrators signed"));
    expect(&unsigned(&[], &[ADMIN]), 41, "removal.signature");
    expect(&unsigned(&[OTHER_ADMIN], &[ADMIN]), 41, "removal.signature");
    expect(&unsigned(&[OTHER_ADMIN], &[ADMIN]), 41, "commit.missing");
}

#[test]
fn a_recording_may_be_erased_and_only_that_one() {
    let mut history = held();
    history.add(
        "erased",
        "erasure",
        None,
        [("entries", list(&[])), ("reason", "request 17".into()), ("recordings", vec![Value::from(login(3))].into())],
    );
    history.checkpoint();
    let lines = history.lines();
    history.recordings.remove(&login(3));
    let report = both(&history, &lines, &trust());
    assert_eq!(report.exit_code, 0, "{}", report.text());
    history.recordings.remove(&login(2));
    expect(&both(&history, &lines, &trust()), 42, "recording.missing");
}

/// Declares that the recording of a login is gone.
fn erase_recording(history: &mut History, n: u8) {
    history.add(
        "erased",
        "erasure",
        None,
        [("entries", list(&[])), ("reason", "x".into()), ("recordings", vec![Value::from(login(n))].into())],
    );
}

/// What the last checkpoint does not cover may yet be denied: that the login ended, and with how much of a recording.
#[test]
fn a_recording_may_be_erased_once_the_end_of_its_login_is_cosigned() {
    // What a host does with the login before the erasure: exit code and check.
    const CASES: [(&str, &str, u8, &str); 7] = [
        ("it does not exist yet", "", 40, "removal.entry"),
        ("it goes on", "begin", 40, "removal.entry"),
        ("it goes on, and is cosigned so far", "begin checkpoint", 40, "removal.entry"),
        ("it was orphaned", "begin checkpoint restart", 40, "removal.entry"),
        ("it has ended", "begin close", 41, "removal.early"),
        ("it ended after the checkpoint", "begin checkpoint close", 41, "removal.early"),
        ("it was orphaned, and closed after the checkpoint", "begin checkpoint restart recover", 41, "removal.early"),
    ];
    let verdict = |steps: &str, gone: bool| {
        let mut history = held();
        steps.split_whitespace().for_each(|step| take(&mut history, step));
        erase_recording(&mut history, 9);
        let has = |kind: &str| history.plans.iter().any(|plan| plan.login == Some(login(9)) && plan.kind == kind);
        let later = [("begin", !has("session_opened")), ("recover", !has("session_closed"))];
        later.iter().filter(|(_, lacks)| *lacks).for_each(|(step, _)| take(&mut history, step));
        history.checkpoint();
        let lines = history.lines();
        if gone {
            history.recordings.remove(&login(9));
        }
        both(&history, &lines, &trust())
    };
    for (name, steps, exit, check) in CASES {
        // The file may still be there: what was declared too early was declared all the same.
        for gone in [true, false] {
            let report = verdict(steps, gone);
            assert!(report.exit_code == exit && found(&report, check), "{name}, {gone}\n{}", report.text());
            assert_eq!(found(&report, "recording.missing"), gone, "{name}\n{}", report.text());
        }
    }
    assert_eq!(verdict("begin close checkpoint", true).exit_code, 0);
    expect(&verdict("begin restart recover checkpoint", true), 11, "sess.recovered");
}

fn take(history: &mut History, step: &str) {
    match step {
        "begin" => begun(history),
        "checkpoint" => history.checkpoint(),
        "restart" => history.restart(OTHER_BOOT),
        "close" => history.close(9, "exit"),
        "recover" => history.close(9, "recovered"),
        _ => panic!("{step}"),
    }
}

fn begun(history: &mut History) {
    history.open(9);
    history.record(9, 40);
}

/// Where entries are left out a login may be among them; not one that begins later.
#[test]
fn in_a_pruned_history_no_login_is_erased_before_it_begins() {
    let late = |n: u8| {
        let (mut history, pruned) = pruned_history(|history| {
            erase_recording(history, n);
            if n == 9 {
                begun(history);
                history.close(9, "exit");
            }
            history.checkpoint();
        });
        history.recordings.remove(&login(9));
        both_pruned(&history, &pruned, &trust())
    };
    expect(&late(9), 40, "removal.entry");
    let report = late(1);
    expect(&report, 11, "pruned.declared");
    assert_eq!(report.totals.len(), 1, "{}", report.text());
}

/// Keeps the entries that a host keeps below `before`, and what is after.
pub struct Pruned {
    pub kept: Vec<String>,
    pub rest: Vec<String>,
    pub proof: String,
    pub before: usize,
}

pub fn prune(lines: &[String], before: usize, keep: &dyn Fn(usize, &str) -> bool) -> Pruned {
    let (mut kept, mut maker) = (Vec::new(), GapsMaker::default());
    for (seq, line) in lines[..before].iter().enumerate() {
        if keep(seq, line) {
            kept.push(line.clone());
        } else {
            maker.leave_out(u64::try_from(seq).unwrap(), leaf_of(line));
        }
    }
    Pruned { kept, rest: lines[before..].to_vec(), proof: maker.finish().encode().unwrap(), before }
}

pub fn write_pruned(dir: &Path, pruned: &Pruned, history: &History) {
    let first = std::collections::BTreeMap::from_iter(history.recordings.clone());
    write_state(dir, b"", &first);
    let journal = dir.join("host/journal");
    std::fs::remove_file(journal.join("0000000000000000.jsonl")).unwrap();
    std::fs::write(journal.join("kept"), join(&pruned.kept)).unwrap();
    std::fs::write(journal.join("proof.json"), &pruned.proof).unwrap();
    std::fs::write(journal.join(format!("{:016}.jsonl", pruned.before)), join(&pruned.rest)).unwrap();
}

pub fn of_host(_: usize, line: &str) -> bool {
    let kind = Line::parse(line.as_bytes()).unwrap().kind.to_owned();
    ["host_enrolled", "host_started", "key_rotated", "policy_changed", "clock_step", "pruned", "gap"]
        .contains(&kind.as_str())
}

/// The history after its first two logins were pruned, as declared.
pub fn pruned_history(change: impl Fn(&mut History)) -> (History, Pruned) {
    let mut history = held();
    let before = history.at("stamp1") + 1;
    let lines = history.lines();
    let leaves: Vec<_> = lines[..before].iter().map(|line| leaf_of(line)).collect();
    let members = [
        ("before", u64::try_from(before).unwrap().into()),
        ("head", leaves[before - 1].into()),
        ("reason", "retention".into()),
        ("root", tlog::root_of(&leaves).into()),
    ];
    history.add("pruned", "pruned", None, members);
    history.checkpoint();
    change(&mut history);
    let pruned = prune(&history.lines(), before, &of_host);
    history.recordings.remove(&login(1));
    history.recordings.remove(&login(2));
    (history, pruned)
}

fn both_pruned(history: &History, pruned: &Pruned, trust: &TrustFile) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_pruned(dir.path(), pruned, history);
    let report = verify_path(dir.path(), Some(trust));
    agrees(dir.path(), trust, report.exit_code);
    report
}

#[test]
fn a_pruned_history_verifies_and_is_not_better_than_it_is() {
    let (history, pruned) = pruned_history(|_| {});
    let report = both_pruned(&history, &pruned, &trust());
    expect(&report, 11, "pruned.declared");
    assert_eq!(report.totals.len(), 1, "{}", report.text());
    assert!(report.text().contains("what ran there is not judged"), "{}", report.text());
    assert!(report.counts.left_out > 10);
    // Nothing declares it.
    let (history, pruned) = pruned_history(|h| drop(h.plans.drain(h.plans.len() - 2..)));
    expect(&both_pruned(&history, &pruned, &trust()), 41, "chain.seq");
    // It says less than what is gone, or another tree.
    let lesser = |h: &mut History| drop(h.plan("pruned").body.insert("before".into(), 5u64.into()));
    let (history, pruned) = pruned_history(lesser);
    expect(&both_pruned(&history, &pruned, &trust()), 41, "chain.seq");
    let (history, pruned) = pruned_history(|h| drop(h.plan("pruned").body.insert("root".into(), leaf_of_seq(8))));
    expect(&both_pruned(&history, &pruned, &trust()), 40, "removal.entry");
    // Another last entry.
    let (history, pruned) = pruned_history(|h| drop(h.plan("pruned").body.insert("head".into(), leaf_of_seq(8))));
    expect(&both_pruned(&history, &pruned, &trust()), 40, "removal.entry");
    // More than the service ever held.
    let more = |h: &mut History| drop(h.plan("pruned").body.insert("before".into(), 10_000u64.into()));
    let (history, pruned) = pruned_history(more);
    expect(&both_pruned(&history, &pruned, &trust()), 41, "removal.early");
}

#[test]
fn whoever_changes_a_pruned_history_is_seen() {
    let (history, good) = pruned_history(|_| {});
    let mut tried = 0;
    let mut worse = |kept: &[String], rest: &[String], proof: &str, what: &str| {
        let changed = Pruned { kept: kept.to_vec(), rest: rest.to_vec(), proof: proof.to_owned(), before: good.before };
        let report = both_pruned(&history, &changed, &trust());
        assert!([30, 40, 41, 42].contains(&report.exit_code), "{what}\n{}", report.text());
        tried += 1;
    };
    for at in 0..good.kept.len() {
        let mut kept = good.kept.clone();
        kept.remove(at);
        worse(&kept, &good.rest, &good.proof, "a kept entry removed");
    }
    for at in (0..good.rest.len() - 4).step_by(5) {
        let mut rest = good.rest.clone();
        rest.remove(at);
        worse(&good.kept, &rest, &good.proof, "an entry removed");
    }
    for at in (0..good.proof.len()).step_by(61) {
        let mut proof = good.proof.clone().into_bytes();
        proof[at] ^= 1;
        worse(&good.kept, &good.rest, &String::from_utf8_lossy(&proof), "a byte of the proof flipped");
    }
    worse(&good.kept, &good.rest, "", "no proof");
    println!("{tried} changes of a pruned history");
}

#[test]
fn a_gap_declares_and_excuses_nothing() {
    let gap = |history: &mut History| {
        history.add("gap", "gap", None, [("former", host().into()), ("why", "identity_lost".into())]);
    };
    let mut early = History::with_signer("own_uid");
    gap(&mut early);
    early.open(1);
    early.close(1, "exit");
    early.checkpoint();
    expect(&both(&early, &early.lines(), &trust()), 11, "gap.declared");
    gap(&mut early);
    early.checkpoint();
    expect(&both(&early, &early.lines(), &trust()), 40, "gap.place");
    // What host_enrolled says of it no part of the history lacks.
    let mut named = History::with_signer("own_uid");
    named.plan("enrolled").body.insert("former".into(), host().into());
    named.checkpoint();
    expect(&both(&named, &named.lines(), &trust()), 11, "gap.declared");
    gap(&mut named);
    expect(&both(&named, &named.lines(), &trust()), 11, "gap.declared");
    named.plan("enrolled").body.insert("former".into(), login(1).to_string().into());
    expect(&both(&named, &named.lines(), &trust()), 40, "gap.place");
    // By whoever has no key, where entries were cut out; and by the host itself.
    let mut history = held();
    let at = history.at("stamp1");
    gap(&mut history);
    let mut lines = history.lines();
    let forged = lines.pop().unwrap();
    lines.drain(at..at + 4);
    lines.insert(at, forged);
    assert!([40, 41].contains(&verify_lines(&lines, &history.recordings, Some(&trust())).exit_code));
    let mut lines = early.lines();
    lines.drain(4..6);
    assert!(found(&both(&early, &lines, &trust()), "chain.seq"));
}
