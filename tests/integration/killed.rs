//! `kill -9` of each process at each step: nothing unapproved runs, and the record tells what happened.

use std::path::Path;
use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{LIMIT, Running, eventually};
use nix::sys::signal::Signal;

/// Writes `begun`, waits for [`go_on`], writes `ended`.
fn slow(parts: &Parts) -> String {
    let file = |name| parts.file(name).display().to_string();
    let (begun, go, ended) = (file("begun"), file("go"), file("ended"));
    format!("echo $$ > {begun}; until [ -e {go} ]; do sleep 0.1; done; echo > {ended}; exit 7")
}

fn go_on(parts: &Parts) {
    std::fs::write(parts.file("go"), "").expect("a file");
}

/// A front whose command waits for a decision.
fn pending(parts: &Parts, line: &str) -> (Running, String) {
    let front = Running::start(&mut parts.front(line), None);
    let id = parts.reviewer().wait_for(line);
    (front, id)
}

/// A front whose command is at work; with the process id of its shell.
fn at_work(parts: &Parts, line: &str) -> (Running, i32) {
    let (front, id) = pending(parts, line);
    parts.reviewer().run(&["approve", &id]).expect(0);
    let pid = eventually("the command to begin", LIMIT, || {
        std::fs::read_to_string(parts.file("begun")).ok()?.trim().parse().ok()
    });
    (front, pid)
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[track_caller]
fn not_started(parts: &Parts) {
    std::thread::sleep(Duration::from_millis(500));
    assert!(!parts.file("begun").exists(), "it ran");
    assert!(journal::of_kind(&parts.journal(), "exec_started").is_empty(), "recorded as started");
}

#[track_caller]
fn verify_says(parts: &Parts, codes: &[i32]) {
    let ended = parts.verify();
    assert!(
        codes.contains(&ended.code()),
        "verify: {} where {codes:?} was due\n{}{}",
        ended.code(),
        ended.out(),
        ended.err()
    );
}

#[test]
fn front_killed_while_pending() {
    let parts = Parts::new();
    let (front, id) = pending(&parts, &slow(&parts));
    front.signal(Signal::SIGKILL);
    let decided = journal::wait_for(&parts.journal(), "decided", 1);
    assert_eq!(decided["body"]["outcome"], "cancelled");
    let reviewer = parts.reviewer();
    eventually("the service to hear that it waits no more", LIMIT, || reviewer.pending().is_empty().then_some(()));
    assert_ne!(reviewer.run(&["approve", &id]).code(), 0, "what is cancelled cannot be approved");
    not_started(&parts);
    let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "killed");
    verify_says(&parts, &[10, 11]);
}

#[test]
fn front_killed_while_running() {
    let parts = Parts::new();
    let (front, pid) = at_work(&parts, &slow(&parts));
    front.signal(Signal::SIGKILL);
    eventually("the command to be ended", LIMIT, || (!is_alive(pid)).then_some(()));
    let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "killed");
    let finished = journal::wait_for(&parts.journal(), "exec_finished", 1);
    assert_eq!(finished["body"]["end"], "lost");
    go_on(&parts);
    std::thread::sleep(Duration::from_secs(1));
    assert!(!parts.file("ended").exists(), "the command went on without its front");
    verify_says(&parts, &[10, 11]);
}

#[test]
fn host_killed_while_pending() {
    let mut parts = Parts::new();
    let (front, id) = pending(&parts, &slow(&parts));
    parts.host.take().expect("a host").kill();
    front.wait_open(LIMIT).expect(69);
    // The service may not know yet; whatever it says, nothing runs.
    parts.reviewer().run(&["approve", &id]);
    not_started(&parts);
    verify_says(&parts, &[11]);
    parts.start_host();
    let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "recovered");
    not_started(&parts);
    verify_says(&parts, &[10, 11]);
}

#[test]
fn host_killed_while_running() {
    let mut parts = Parts::new();
    let (front, _) = at_work(&parts, &slow(&parts));
    parts.host.take().expect("a host").kill();
    parts.start_host();
    go_on(&parts);
    // The login may stay or end; what it may not do is end well without a record.
    let code = front.wait_open(LIMIT).code();
    assert!([7, 69, 70, 126, 128 + 9, 128 + 1, 128 + 15].contains(&code), "exit {code}");
    let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "recovered");
    assert_eq!(journal::wait_for(&parts.journal(), "exec_finished", 1)["body"]["end"], "lost");
    verify_says(&parts, &[11]);
    parts.reviewer().allow("echo again");
    let again = Running::start(&mut parts.front("echo again"), Some(b"")).wait(LIMIT).expect(0);
    assert_eq!(again.out(), "again\n", "the next login is served");
}

#[test]
fn service_killed_while_pending() {
    let mut parts = Parts::waiting(12_000);
    let (front, _) = pending(&parts, &slow(&parts));
    parts.service.take().expect("a service").kill();
    let code = front.wait_open(LIMIT).code();
    assert!(code == 69 || code == 126, "exit {code}");
    not_started(&parts);
    let decided = journal::wait_for(&parts.journal(), "decided", 1);
    assert!(["error", "timed_out"].iter().any(|outcome| decided["body"]["outcome"] == *outcome), "{decided}");
    verify_says(&parts, &[10]);
}

#[test]
fn service_killed_while_running_gets_the_rest_later() {
    let mut parts = Parts::new();
    let service = parts.service.as_ref().expect("a service");
    let listen = service.ready.rsplit_once("//").expect("an address").1.to_owned();
    let (front, _) = at_work(&parts, &slow(&parts));
    parts.service.take().expect("a service").kill();
    go_on(&parts);
    front.wait_open(LIMIT).expect(7);
    journal::wait_for(&parts.journal(), "session_closed", 1);
    parts.start_service(&listen);
    let reviewer = parts.reviewer();
    eventually("the service to have all entries", LIMIT, || {
        let audit = reviewer.audit();
        (audit[0]["exit_code"] == 7).then_some(())
    });
    verify_says(&parts, &[10]);
}

#[test]
fn host_stops_in_order() {
    let mut parts = Parts::new();
    let (front, _) = pending(&parts, &slow(&parts));
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    assert_ne!(front.wait_open(LIMIT).code(), 0);
    not_started(&parts);
    let decided = journal::of_kind(&parts.journal(), "decided");
    assert_eq!(decided.len(), 1, "the one that waited");
    assert_eq!(
        (&decided[0]["body"]["outcome"], &decided[0]["body"]["why"]),
        (&"error".into(), &"host_stopping".into())
    );
    let kinds: Vec<_> = journal::entries(&parts.journal()).iter().map(|e| e["kind"].to_string()).collect();
    assert_eq!(kinds.last().map(String::as_str), Some("\"host_stopped\""), "{kinds:?}");
    let stopped = journal::of_kind(&parts.journal(), "host_stopped");
    assert_eq!(stopped.len(), 1);
    verify_says(&parts, &[10, 11]);
}
