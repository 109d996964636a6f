//! Bundles of a part of a history: what they prove, and what no removal hides.

use crate::build::{BOOT, History, Who, expect, found, held, join, leaf_of, login, trust, write_state};
use crate::removals::{both, of_host, prune, write_pruned};
use crate::second::agrees;
use countersign_ledger::verify::{Options, Report, verify_with};
use countersign_ledger::{Line, tlog};

/// The lines of login 3, what is the host's own, and the checkpoint behind it.
fn part(history: &mut History) -> (Vec<String>, String) {
    let lines = history.lines();
    let end = history.at("stamp3");
    let id = login(3).to_string();
    let whole = prune(&lines[..=end], end, &|seq, line| {
        of_host(seq, line) || Line::parse(line.as_bytes()).unwrap().sess.is_some_and(|sess| sess.id == id)
    });
    (whole.kept.into_iter().chain(whole.rest).collect(), whole.proof)
}

fn verified(kept: &[String], proof: &str, scope: &str, history: &History, whole: bool) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), b"", &[(login(3), history.recordings[&login(3)].clone())].into());
    let journal = dir.path().join("host/journal");
    std::fs::remove_file(journal.join("0000000000000000.jsonl")).unwrap();
    std::fs::write(journal.join("kept"), join(kept)).unwrap();
    std::fs::write(journal.join("proof.json"), proof).unwrap();
    std::fs::write(dir.path().join("host/bundle.json"), scope).unwrap();
    let options = Options { whole, ..Options::default() };
    let report = verify_with(dir.path(), Some(&trust()), &options, &mut |_| {});
    if !whole {
        agrees(dir.path(), &trust(), report.exit_code);
    }
    report
}

#[test]
fn a_part_holds_one_login_and_says_so() {
    let mut history = held();
    let (kept, proof) = part(&mut history);
    let scope =
        |id| format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"name\":\"deploy-01\",\"logins\":[\"{}\"]}}}}", login(id));
    let report = verified(&kept, &proof, &scope(3), &history, false);
    assert_eq!(report.exit_code, 0, "{}", report.text());
    assert!(report.text().contains("PART of a history") && report.text().contains("nothing else of this host"));
    expect(&verified(&kept, &proof, &scope(3), &history, true), 41, "part.not_whole");
    expect(&verified(&kept, &proof, &scope(1), &history, false), 41, "part.login");
    // Nothing says that it is a part.
    let report = verified(&kept, &proof, "{\"fmt\":\"cs-bundle1\"}", &history, false);
    assert!(report.exit_code == 41 && found(&report, "chain.seq"), "{}", report.text());
    expect(
        &verified(&kept, &proof, "{\"fmt\":\"cs-bundle1\",\"part\":{\"since\":9}}", &history, false),
        41,
        "chain.seq",
    );
    expect(&verified(&kept, &proof, "{\"fmt\":\"cs-bundle1\",\"part\":{}}", &history, false), 40, "source.damaged");
    // Nothing is left of it but its name.
    expect(&verified(&[], &proof, &scope(3), &history, false), 41, "part.login");
    // Any entry taken out, with its hash put among what is left out or not.
    for at in 0..kept.len() - 1 {
        let mut fewer = kept.clone();
        fewer.remove(at);
        let report = verified(&fewer, &proof, &scope(3), &history, true);
        assert!([40, 41].contains(&report.exit_code), "{at}\n{}", report.text());
    }
}

#[test]
fn a_part_since_what_never_came_covers_nothing() {
    let mut history = held();
    let ((kept, proof), end) = (part(&mut history), history.at("stamp3"));
    let since = |seq: usize| {
        let scope = format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"since\":{seq}}}}}");
        verified(&kept, &proof, &scope, &history, false)
    };
    assert_eq!(since(end).exit_code, 0, "{}", since(end).text());
    expect(&since(end + 1), 41, "part.login");
    expect(&since(9_007_199_254_740_991), 41, "part.login");
}

/// Whoever makes a part decides how many gaps it has; a root is asked for at the end of each.
#[test]
fn thousands_of_gaps_are_followed() {
    const GAPS: usize = 2_000;
    let mut history = History::with_signer("own_uid");
    history.open(3);
    history.close(3, "exit");
    for _ in 0..GAPS * 2 {
        history.add("beat", "heartbeat", None, []);
    }
    history.checkpoint();
    let lines = history.lines();
    let pruned = prune(&lines, lines.len() - 1, &|seq, _| seq < 5 || seq % 2 == 1);
    let dir = tempfile::tempdir().unwrap();
    write_pruned(dir.path(), &pruned, &history);
    let scope = format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"name\":\"x\",\"logins\":[\"{}\"]}}}}", login(3));
    std::fs::write(dir.path().join("host/bundle.json"), scope).unwrap();
    let report = crate::build::verify_path(dir.path(), Some(&trust()));
    assert!(report.exit_code == 0 && report.counts.left_out > 1_900, "{}", report.text());
    let leaves: Vec<_> = lines.iter().map(|line| leaf_of(line)).collect();
    assert_eq!(report.up_to.unwrap().root, Some(tlog::root_of(&leaves)));
}

/// What it says that it holds is counted and shown: once each, and under names.
#[test]
fn what_a_part_holds_is_said_in_one_way() {
    let mut history = held();
    let (kept, proof) = part(&mut history);
    let id = login(3);
    for (scope, exit) in [
        (format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"name\":\"x\",\"logins\":[\"{id}\"]}}}}"), 0),
        (format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"name\":\"x\",\"logins\":[\"{id}\",\"{id}\"]}}}}"), 40),
        (format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"name\":1,\"logins\":[\"{id}\"]}}}}"), 40),
        (format!("{{\"fmt\":\"cs-bundle1\",\"part\":[\"x\",[\"{id}\"],null]}}"), 40),
        (format!("[\"cs-bundle1\",{{\"name\":\"x\",\"logins\":[\"{id}\"]}},\"s\"]"), 40),
        ("[\"cs-bundle1\"]".to_owned(), 40),
    ] {
        let report = verified(&kept, &proof, &scope, &history, false);
        assert_eq!(report.exit_code, exit, "{scope}\n{}", report.text());
    }
}

/// Nothing stands between a certificate of the identity key and its start, so nothing is left out there either.
#[test]
fn nothing_is_left_out_between_a_certificate_and_its_start() {
    let mut history = History::with_epochs();
    history.open(3);
    history.close(3, "exit");
    history.stop();
    history.rotate(Who::Host, Who::Epoch(2));
    let between = history.plans.len();
    history.add("beat", "heartbeat", None, []);
    history.restart(BOOT);
    history.checkpoint();
    let lines = history.lines();
    expect(&both(&history, &lines, &trust()), 40, "key.start");
    let mut whole = prune(&lines, between + 1, &|seq, _| seq != between);
    whole.kept.append(&mut whole.rest);
    let scope = format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"name\":\"x\",\"logins\":[\"{}\"]}}}}", login(3));
    expect(&verified(&whole.kept, &whole.proof, &scope, &history, false), 40, "key.start");
}
