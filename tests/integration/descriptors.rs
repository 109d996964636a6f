//! No descriptors left for the daemon.

use std::fs;
use std::process::Command;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{Daemon, LIMIT, Running, eventually, run};

/// Logins at once. The service lets no more lines of one agent wait.
const LOGINS: usize = 8;

/// Logins by their numbers.
type Fronts = Vec<(usize, Running)>;

/// Starts so many logins, waits until each is held or has ended, and gives these two kinds.
fn log_in(parts: &Parts) -> (Fronts, Fronts) {
    let start = |n| (n, Running::start(&mut parts.front(&line(parts, n)), Some(b"")));
    let mut fronts: Vec<_> = (0..LOGINS).map(start).collect();
    eventually("each to be held or to have ended", 2 * LIMIT, || {
        let waiting = parts.reviewer().pending().len();
        let ended = fronts.iter_mut().filter_map(|(_, front)| (!front.is_running()).then_some(())).count();
        (waiting + ended == LOGINS).then_some(())
    });
    fronts.into_iter().partition(|(n, _)| {
        let own = line(parts, *n);
        parts.reviewer().pending().iter().any(|row| row["command"] == own.as_str())
    })
}

fn line(parts: &Parts, n: usize) -> String {
    format!("echo > {}", made(parts, n).display())
}

fn made(parts: &Parts, n: usize) -> std::path::PathBuf {
    parts.file(&format!("made{n}"))
}

/// The daemon, with so many descriptors more than it has open when nobody is there.
fn start_with(parts: &mut Parts, more: usize) {
    parts.start_host();
    let idle = fs::read_dir(format!("/proc/{}/fd", parts.host.as_ref().expect("a host").pid())).expect("fd").count();
    parts.stop_host();
    let (plain, most) = (parts.host_command(), idle + more);
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={most}:{most}")).arg(plain.get_program()).args(plain.get_args());
    parts.host = Some(Daemon::start(&mut command, &parts.scratch.join("limited.log")));
}

#[track_caller]
fn all_closed(parts: &Parts) {
    let count = |kind| journal::of_kind(&parts.journal(), kind).len();
    eventually("all to be closed", LIMIT, || {
        (count("session_opened") == count("session_closed") && parts.reviewer().pending().is_empty()).then_some(())
    });
}

/// The same daemon serves again. What those logins left, a recording on its way, may hold descriptors for a while.
#[track_caller]
fn goes_on(parts: &Parts) {
    eventually("the same daemon to go on", LIMIT, || {
        let ended = run(&mut parts.front("echo fine"));
        if ended.code() == 69 {
            ended.says(&["Too many open files"]);
            return None;
        }
        assert_eq!(ended.expect(0).out(), "fine\n");
        Some(())
    });
}

/// As many logins as it can hold, and more: these are refused, those end in each way, and then all is as before.
#[test]
fn a_daemon_without_any_left_refuses_and_goes_on() {
    let mut parts = Parts::with_quota(1_000_000);
    parts.reviewer().allow("echo fine");
    let (held, refused) = log_in(&parts);
    assert_eq!((held.len(), refused.len()), (LOGINS, 0), "the control: without a limit all are held");
    drop(held);
    all_closed(&parts);
    parts.stop_host();
    let mut decided = 0;
    for more in [6, 9, 12] {
        start_with(&mut parts, more);
        let (mut held, refused) = log_in(&parts);
        assert!(!refused.is_empty(), "all {} are held with {more} descriptors", held.len());
        for (n, front) in refused {
            let ended = front.wait(LIMIT).expect(69).says(&["countersign:"]);
            assert!(ended.stdout.is_empty() && !made(&parts, n).exists(), "{}", ended.err());
        }
        if let Some((n, front)) = held.pop() {
            parts.reviewer().deny(&line(&parts, n), "no");
            // What is missing now may be a descriptor for the recording: then it is an error, and does not run either.
            let ended = front.wait(LIMIT);
            assert!(matches!(ended.code(), 126 | 69) && !made(&parts, n).exists(), "{}", ended.err());
            decided += 1;
        }
        if let Some((n, front)) = held.pop() {
            parts.reviewer().approve(&line(&parts, n));
            let ended = front.wait(LIMIT);
            assert!(matches!((ended.code(), made(&parts, n).exists()), (0, true) | (69, false)), "{}", ended.err());
            fs::remove_file(made(&parts, n)).ok();
            decided += 1;
        }
        // The others' clients go away.
        drop(held);
        all_closed(&parts);
        assert!((0..LOGINS).all(|n| !made(&parts, n).exists()), "nobody let it run");
        goes_on(&parts);
        parts.stop_host();
        parts.verify().expect(10);
    }
    assert!(decided >= 2, "some were held and decided about: {decided}");
    let log = fs::read_to_string(parts.scratch.join("limited.log")).expect("log");
    assert!(log.contains("Too many open files"), "the control: some were missing:\n{log}");
}
