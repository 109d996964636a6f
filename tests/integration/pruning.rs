//! Old entries dropped from the ledger: what is left is provable, and says what is gone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::programs::{CLI, program};
use countersign_tests::run::{Ended, LIMIT, Running, run};
use countersign_tests::trial::verify;

use crate::removals::{both_say, copy, denied, seq_of, under_admins};

/// Runs these lines, each a login; then the host is stopped, and everything is sent and cosigned.
fn day(parts: &mut Parts, lines: &[&str]) {
    if parts.host.is_none() {
        parts.start_host();
    }
    for line in lines {
        run(&mut parts.front(line)).expect(0);
    }
    parts.stop_host();
}

fn case() -> Parts {
    let mut parts = Parts::new();
    parts.reviewer().allow("echo one");
    parts.reviewer().allow("echo two");
    day(&mut parts, &["echo one", "echo one", "echo one"]);
    parts
}

#[track_caller]
fn prune(parts: &Parts, before: &str) -> Ended {
    run(&mut parts.hostd(&["prune", "--before", before, "--reason", "retention"]))
}

fn recordings(parts: &Parts) -> usize {
    fs::read_dir(parts.host_dir().join("recordings")).expect("recordings").count()
}

/// How many entries the last checkpoint covers.
fn covered(parts: &Parts) -> u64 {
    let last = journal::of_kind(&parts.journal(), "checkpoint").pop().expect("a checkpoint");
    last["body"]["size"].as_u64().expect("a size")
}

#[test]
fn old_logins_go_and_what_is_left_is_proven() {
    let mut parts = case();
    both_say(&parts, 10);
    let count = journal::lines(&parts.journal()).len();
    assert_eq!(recordings(&parts), 3);
    let told = prune(&parts, &covered(&parts).to_string()).expect(0).out();
    assert!(told.contains("3 logins"), "{told}");
    assert!(journal::lines(&parts.journal()).len() < count && recordings(&parts) == 0);
    let told = both_say(&parts, 11);
    assert!(told.contains("pruned.declared") && told.contains("what ran there is not judged"), "{told}");
    // The host goes on, is cosigned, and is pruned again, by time.
    day(&mut parts, &["echo two", "echo one"]);
    both_say(&parts, 11);
    assert_eq!(recordings(&parts), 2);
    let seq = journal::of_kind(&parts.journal(), "command_submitted")[0]["seq"].to_string();
    run(&mut parts.hostd(&["erase", "--entry", &seq, "--reason", "request 18"])).expect(0);
    both_say(&parts, 11);
    prune(&parts, "2099-01-01").expect(0);
    assert_eq!(recordings(&parts), 0);
    both_say(&parts, 11);
    day(&mut parts, &["echo two"]);
    let told = both_say(&parts, 11);
    assert!(told.contains("1 whitelisted"), "{told}");
    // A bundle of it says no more and no less.
    let bundle = parts.scratch.join("bundle.tar");
    run(Command::new(program(CLI)).arg("bundle").arg(parts.host_dir()).arg("-o").arg(&bundle)).expect(0);
    verify(&bundle, Some(&parts.trust())).expect(11);
    // The service has kept all of it.
    let audit = parts.reviewer().audit();
    assert_eq!(audit.iter().filter(|row| row["outcome"] == "whitelisted").count(), 6);
}

#[test]
fn what_may_not_go_is_refused_and_nothing_changes() {
    let mut parts = case();
    let before = journal::lines(&parts.journal());
    prune(&parts, "999999").expect(78).says(&["covered by a checkpoint"]);
    prune(&parts, "soon").expect(64);
    prune(&parts, "2000-01-01").expect(0);
    prune(&parts, "0").expect(0);
    // The only copy of a recording is not dropped.
    let shipped = parts.host_dir().join("shipped");
    let marker = fs::read_dir(&shipped).expect("markers").flatten().next().expect("a marker").path();
    fs::remove_file(marker).expect("marker");
    prune(&parts, "2099-01-01").expect(78).says(&["not whole at the service"]);
    assert_eq!((journal::lines(&parts.journal()), recordings(&parts)), (before, 3));
    parts.start_host();
    prune(&parts, "2099-01-01").expect(78).says(&["another countersign-hostd"]);
    parts.stop_host();
    prune(&parts, "2099-01-01").expect(0);
    both_say(&parts, 11);
}

/// The thief's way: entries go and nothing says so.
#[test]
fn entries_gone_without_a_record_are_found_and_the_host_does_not_go_on() {
    let parts = case();
    let whole = parts.scratch.join("whole");
    copy(&parts.host_dir(), &whole);
    prune(&parts, "2099-01-01").expect(0);
    // What pruning leaves behind, without the word that it was pruned.
    let file = journal::files(&parts.journal()).pop().expect("a file");
    let text = fs::read_to_string(&file).expect("journal");
    let at = text.find("\"kind\":\"pruned\"").expect("a record");
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    fs::write(&file, &text[..start]).expect("journal");
    assert!(both_say(&parts, 41).contains("chain.seq"));
    run(&mut parts.host_command()).expect(78).says(&["no pruned entry declares it"]);
    // Nor are the first entries simply cut off.
    fs::remove_dir_all(parts.host_dir()).expect("remove");
    copy(&whole, &parts.host_dir());
    let file = journal::files(&parts.journal()).pop().expect("a file");
    let text = fs::read_to_string(&file).expect("journal");
    let rest: String = text.lines().skip(5).map(|line| format!("{line}\n")).collect();
    fs::remove_file(&file).expect("journal");
    fs::write(parts.journal().join("0000000000000005.jsonl"), rest).expect("journal");
    assert_eq!(parts.verify().code(), 41);
    run(&mut parts.host_command()).expect(78).says(&["should come next"]);
}

#[test]
fn killed_at_any_moment() {
    let mut parts = case();
    parts.service.take().expect("a service").kill();
    let trust = parts.trust();
    let whole = parts.scratch.join("whole");
    copy(&parts.host_dir(), &whole);
    let (mut recorded, mut not_recorded) = (0, 0);
    for round in 0..24u64 {
        fs::remove_dir_all(parts.host_dir()).expect("remove");
        copy(&whole, &parts.host_dir());
        let before = journal::lines(&parts.journal());
        let args = ["prune", "--before", "2099-01-01", "--reason", "retention"];
        let prune = Running::start(&mut parts.hostd(&args), None);
        std::thread::sleep(Duration::from_millis(round * 3));
        prune.signal(nix::sys::signal::Signal::SIGKILL);
        prune.wait_open(LIMIT);
        let says = journal::of_kind(&parts.journal(), "pruned").len();
        assert!(
            says > 0 || journal::lines(&parts.journal()).starts_with(&before),
            "round {round}: gone without a record"
        );
        let found = verify(&parts.host_dir(), Some(&trust));
        // A recording may outlive its login until the next start.
        let code = if says > 0 && found.out().contains("recording.extra") { 42 } else { found.code() };
        assert!([10, 11, 42].contains(&code), "round {round}: {}", found.out());
        // The next to open it finishes, whoever that is.
        run(&mut parts.hostd(&["prune", "--before", "0", "--reason", "x"])).expect(0);
        assert_eq!(journal::lines(&parts.journal())[0].contains("host_enrolled"), says == 0, "round {round}");
        assert_eq!(recordings(&parts) == 0, says > 0, "round {round}");
        verify(&parts.host_dir(), Some(&trust)).expect(if says > 0 { 11 } else { 10 });
        assert!(!parts.host_dir().join("journal.new").exists());
        if says > 0 { recorded += 1 } else { not_recorded += 1 }
    }
    println!("{recorded} recorded, {not_recorded} not");
}

#[test]
fn administrators_take_it_on_themselves() {
    let (parts, admin) = denied();
    let whole = parts.scratch.join("whole");
    copy(&parts.host_dir(), &whole);
    prune(&parts, "2099-01-01").expect(0);
    assert!(under_admins(&parts, &admin).expect(41).out().contains("removal.signature"));
    fs::remove_dir_all(parts.host_dir()).expect("remove");
    copy(&whole, &parts.host_dir());
    let (statement, signature) = (parts.scratch.join("statement"), parts.scratch.join("signature"));
    let before = seq_of(&parts, "checkpoint");
    let with = |flag: &str, path: &Path| {
        run(parts.hostd(&["prune", "--before", &before, "--reason", "retention"]).arg(flag).arg(path)).expect(0);
    };
    with("--statement", &statement);
    let text = fs::read_to_string(&statement).expect("statement");
    fs::write(&signature, admin.armored("removal.v1@countersign", &text)).expect("signature");
    with("--signature", &signature);
    assert!(!journal::lines(&parts.journal())[0].contains("host_enrolled"), "the first file begins later");
    let told = under_admins(&parts, &admin).expect(10).out();
    assert!(told.contains("no longer there"), "{told}");
}
