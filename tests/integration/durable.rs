//! The order of system calls: on the disk before anyone is asked, on the disk before anything runs.

use std::process::Command;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{LIMIT, Running, eventually, run};

/// The position of the first traced call, from `from` on, that holds all of these texts.
fn find(calls: &[String], from: usize, texts: &[&str]) -> usize {
    let found = calls.iter().skip(from).position(|call| texts.iter().all(|text| call.contains(text)));
    from + found.unwrap_or_else(|| panic!("no call with {texts:?} after {from} of:\n{}", calls.join("\n")))
}

#[test]
fn submitted_before_asking_and_decided_before_running() {
    let parts = Parts::new();
    parts.reviewer().allow("echo ran");
    let trace = parts.scratch.join("trace");
    let pid = parts.host.as_ref().expect("a host").pid().to_string();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-s", "6000", "-e", "trace=write,writev,pwrite64,sendto,sendmsg,fdatasync,fsync", "-o"]);
    let tracer = Running::start(strace.arg(&trace).args(["-p", &pid]), None);
    eventually("strace to attach", LIMIT, || tracer.err_so_far().contains("attached").then_some(()));
    assert_eq!(run(&mut parts.front("echo ran")).expect(0).out(), "ran\n");
    tracer.signal(nix::sys::signal::Signal::SIGINT);
    tracer.wait(LIMIT);

    let calls: Vec<_> = std::fs::read_to_string(&trace).expect("trace").lines().map(str::to_owned).collect();
    // A call that was interrupted by another thread's stands in two lines; what counts is where it returned.
    let synced = |from: usize| {
        let done = calls.iter().skip(from).position(|call| call.contains("fdatasync") && call.ends_with("= 0"));
        from + done.expect("an fdatasync that returned 0")
    };
    let submitted = find(&calls, 0, &["\\\"kind\\\":\\\"command_submitted\\\"", "write"]);
    let asked = find(&calls, 0, &["POST /api/submissions"]);
    assert!(submitted < synced(submitted) && synced(submitted) < asked, "asked before it was durable");
    let decided = find(&calls, asked, &["\\\"kind\\\":\\\"decided\\\"", "\\\"kind\\\":\\\"exec_started\\\"", "write"]);
    let released = find(&calls, asked, &["\\\"t\\\":\\\"released\\\""]);
    assert!(synced(decided) < released, "released before the decision was durable");
    let between = calls[decided..released].iter().filter(|call| call.contains("fdatasync") && call.ends_with("= 0"));
    assert_eq!(between.count(), 1, "decision and start share one fdatasync");
}

/// The host stops while a checkpoint is being written: the last one continues the service's log after that one, and
/// nobody takes it for a second log.
#[test]
fn a_checkpoint_that_is_being_written_when_the_host_stops_is_gone_on_from() {
    // On a slow machine the host may have no time left for the last one.
    assert!((0..4).any(|_| stops_in_the_middle() == 2), "the last one was never of all there was");
}

/// How many checkpoints there are then; the record is sound however many.
fn stops_in_the_middle() -> usize {
    let mut parts = Parts::new();
    parts.reviewer().allow("echo ran");
    let host = parts.host.take().expect("a host");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync"]);
    strace.args(["-e", "inject=fdatasync:delay_enter=250000", "-p", &host.pid().to_string()]);
    let tracer = Running::start(&mut strace, None);
    let traced = format!("TracerPid:\t{}\n", tracer.pid());
    eventually("strace to attach", LIMIT, || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", host.pid())).expect("a status");
        status.contains(&traced).then_some(())
    });
    // This one's end is written after the checkpoint, and before the last one.
    let waiting = Running::start(&mut parts.front("echo waits"), Some(b""));
    journal::wait_for(&parts.journal(), "command_submitted", 1);
    assert_eq!(run(&mut parts.front("echo ran")).expect(0).out(), "ran\n");
    // It is in the file a quarter of a second before it is known to be durable.
    journal::wait_for(&parts.journal(), "checkpoint", 1);
    assert_eq!(host.terminate(), 0);
    assert_ne!(waiting.wait(LIMIT).code(), 0);
    // The login that waited may not have come to its end in time.
    let verified = parts.verify();
    assert!([10, 11].contains(&verified.code()), "{}", verified.out());
    journal::of_kind(&parts.journal(), "checkpoint").len()
}
