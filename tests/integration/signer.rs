//! The signer process: locked in, and nothing runs without it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{Daemon, LIMIT, Running, eventually, run};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// The only child of the daemon.
#[track_caller]
pub fn signer_of(parts: &Parts) -> i32 {
    let host = parts.host.as_ref().expect("a host").pid();
    let children = fs::read_to_string(format!("/proc/{host}/task/{host}/children")).expect("children");
    let pids: Vec<i32> = children.split_whitespace().map(|pid| pid.parse().expect("a pid")).collect();
    assert_eq!(pids.len(), 1, "one child: {children}");
    pids[0]
}

#[track_caller]
fn nothing_ran(parts: &Parts) {
    assert!(!parts.file("ran").exists(), "it ran");
}

fn line(parts: &Parts) -> String {
    format!("touch {}", parts.file("ran").display())
}

#[test]
fn the_signer_has_one_descriptor_and_no_system_calls() {
    let parts = Parts::new();
    let signer = signer_of(&parts);
    let status = fs::read_to_string(format!("/proc/{signer}/status")).expect("status");
    for due in ["Seccomp:\t2", "NoNewPrivs:\t1", "Threads:\t1"] {
        assert!(status.contains(due), "{due}\n{status}");
    }
    let descriptors: Vec<_> = fs::read_dir(format!("/proc/{signer}/fd")).expect("fd").flatten().collect();
    assert_eq!(descriptors.len(), 1, "{descriptors:?}");
    let core = fs::read_to_string(format!("/proc/{signer}/limits")).expect("limits");
    assert!(core.lines().any(|l| l.starts_with("Max core file size") && l.split_whitespace().nth(4) == Some("0")));
    // It goes when the daemon goes.
    let mut parts = parts;
    parts.host.take().expect("a host").kill();
    eventually("the signer to be gone", LIMIT, || {
        let stat = fs::read_to_string(format!("/proc/{signer}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z ")).then_some(())
    });
}

/// A host that stops is no attack: the kernel has nothing to log of its signer.
#[test]
fn the_signer_ends_in_order() {
    // Whose parent has ended comes to this process.
    nix::sys::prctl::set_child_subreaper(true).expect("subreaper");
    let mut parts = Parts::new();
    let signer = Pid::from_raw(signer_of(&parts));
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    let ended = eventually("the end of the signer", LIMIT, || waitpid(signer, None).ok());
    assert!(!matches!(ended, WaitStatus::Signaled(_, Signal::SIGSYS, _)), "{ended:?}");
}

#[test]
fn nothing_runs_without_the_signer() {
    for signal in [Signal::SIGKILL, Signal::SIGSTOP] {
        let mut parts = Parts::new();
        let line = line(&parts);
        parts.reviewer().allow(&line);
        let signer = signer_of(&parts);
        kill(Pid::from_raw(signer), signal).expect("signal");
        let ended = Running::start(&mut parts.front(&line), Some(b"")).wait(LIMIT);
        assert_eq!(ended.code(), 69, "{signal}: {}", ended.err());
        nothing_ran(&parts);
        // The daemon says so and ends, and its signer with it.
        let mut host = parts.host.take().expect("a host");
        let code = eventually("the daemon to end", LIMIT, || host.ended());
        assert_eq!(code, 69, "{signal}");
        assert!(host.log().contains("signer process"), "{}", host.log());
        assert!(journal::of_kind(&parts.journal(), "exec_started").is_empty());
        let code = parts.verify().code();
        assert!([10, 11].contains(&code), "exit {code}");
        parts.start_host();
        run(&mut parts.front(&line)).expect(0);
        assert!(parts.file("ran").exists());
        let code = parts.verify().code();
        assert!([10, 11].contains(&code), "exit {code}");
    }
}

#[test]
fn the_signer_lost_while_a_command_waits() {
    let mut parts = Parts::new();
    let line = line(&parts);
    let front = Running::start(&mut parts.front(&line), None);
    let id = parts.reviewer().wait_for(&line);
    kill(Pid::from_raw(signer_of(&parts)), Signal::SIGKILL).expect("signal");
    parts.reviewer().run(&["approve", &id]);
    assert_eq!(front.wait_open(LIMIT).code(), 69);
    std::thread::sleep(Duration::from_millis(500));
    nothing_ran(&parts);
    let mut host = parts.host.take().expect("a host");
    assert_eq!(eventually("the daemon to end", LIMIT, || host.ended()), 69);
    assert_eq!(parts.verify().code(), 11, "an undecided command, an open login");
    parts.start_host();
    journal::wait_for(&parts.journal(), "session_closed", 1);
    let decided = journal::of_kind(&parts.journal(), "decided");
    assert_eq!(decided[0]["body"]["why"], "host_restarted");
}

#[test]
fn another_identity_key_is_never_taken() {
    let mut parts = Parts::new();
    let line = line(&parts);
    parts.reviewer().allow(&line);
    let other = Parts::new();
    let key = parts.host_dir().join("identity.key");
    let good = fs::read(&key).expect("key");
    // Swapped while the daemon runs: it never looks again.
    fs::remove_file(&key).expect("key");
    fs::copy(other.host_dir().join("identity.key"), &key).expect("key");
    run(&mut parts.front(&line)).expect(0);
    parts.verify().expect(10);
    // The next start does.
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    let before = journal::lines(&parts.journal());
    run(&mut parts.host_command()).expect(78).says(&["identity.key", "another key"]);
    // Somebody else's file.
    fs::remove_file(&key).expect("key");
    fs::write(&key, &good).expect("key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("mode");
    if nix::unistd::geteuid().is_root() {
        chown(&key, Some(12_345), None).expect("chown");
        run(&mut parts.host_command()).expect(78).says(&["identity.key", "belongs to uid 12345"]);
        chown(&key, Some(0), None).expect("chown");
    }
    assert_eq!(journal::lines(&parts.journal()), before, "nothing was written meanwhile");
    parts.start_host();
    parts.verify().expect(10);
}

#[test]
fn two_daemons_do_not_share_a_ledger() {
    let parts = Parts::new();
    let mut second = parts.host_command();
    let ended = run(&mut second);
    assert_ne!(ended.code(), 0);
    assert!(ended.err().contains("locked"), "{}", ended.err());
    parts.reviewer().allow("true");
    run(&mut parts.front("true")).expect(0);
    let code = parts.verify().code();
    assert!([10, 11].contains(&code), "exit {code}");
}

#[test]
fn each_start_has_its_epoch_and_silence_shows() {
    let mut parts = Parts::new();
    assert_eq!(parts.host.take().expect("a host").terminate(), 0);
    let mut command = parts.host_command();
    command.args(["--heartbeat-ms", "200"]);
    let host = Daemon::start(&mut command, &parts.scratch.join("host.log"));
    let beat = |count| journal::wait_for(&parts.journal(), "heartbeat", count);
    beat(3);
    assert_eq!(journal::of_kind(&parts.journal(), "key_rotated").len(), 2);
    parts.verify().expect(10);
    // Stopped for longer than two heartbeats and 5 s.
    kill(Pid::from_raw(host.pid()), Signal::SIGSTOP).expect("signal");
    let count = journal::of_kind(&parts.journal(), "heartbeat").len();
    std::thread::sleep(Duration::from_millis(6_500));
    kill(Pid::from_raw(host.pid()), Signal::SIGCONT).expect("signal");
    beat(count + 2);
    let verdict = parts.verify().expect(11).out();
    assert!(verdict.contains("nothing was written for"), "{verdict}");
    assert_eq!(host.terminate(), 0);
}
