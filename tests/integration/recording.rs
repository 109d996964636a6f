//! Recordings that are cut short: front, host or both killed while output runs, the power cut, a host that stands
//! still, a front that writes nonsense. What is left plays, and the ledger says what it is.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use countersign_api::frame::encode;
use countersign_api::front::FrontMessage;
use countersign_tests::cast::Cast;
use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::programs::asciinema;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use countersign_tests::terminal::Terminal;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::lying_front::hello;

/// Writes numbers until it is ended.
const NUMBERS: &str = "i=0; while :; do i=$((i+1)); echo line $i of a long output; done";

/// A front whose command writes, and has shown so many bytes.
fn writing(parts: &Parts, line: &str, bytes: usize) -> Running {
    parts.reviewer().allow(line);
    let front = Running::start(&mut parts.front(line), Some(b""));
    eventually("output", LIMIT, || (front.out_so_far().len() > bytes).then_some(()));
    front
}

#[track_caller]
fn plays(file: &Path) {
    let line = format!("{} play -s 100000 -i 0.01 {}", asciinema(2).display(), file.display());
    run(Command::new("script").args(["-qefc", &line, "/dev/null"]).env("TERM", "xterm-256color")).expect(0);
}

/// The spool of the login that this entry opens.
fn spool(parts: &Parts, opened: &Value) -> PathBuf {
    let login = opened["sess"]["id"].as_str().expect("a login");
    parts.host_dir().join("spool").join(format!("{login}.spool"))
}

/// What was shown is recorded, plays, and verifies with one of these codes.
#[track_caller]
fn whole(parts: &Parts, shown: &[u8], codes: &[i32]) {
    let recorded = Cast::read(&parts.recording()).stdout();
    assert!(recorded.starts_with(shown), "{} bytes were shown, {} are recorded", shown.len(), recorded.len());
    plays(&parts.recording());
    let verified = parts.verify();
    assert!(codes.contains(&verified.code()), "{}{}", verified.out(), verified.err());
    for opened in journal::of_kind(&parts.journal(), "session_opened") {
        assert!(!spool(parts, &opened).exists(), "spools are dropped");
    }
}

#[test]
fn a_front_that_is_killed_loses_nothing_that_was_shown() {
    let parts = Parts::new();
    let front = writing(&parts, NUMBERS, 200_000);
    front.signal(Signal::SIGKILL);
    let shown = front.wait_open(LIMIT).stdout;
    assert_eq!(journal::wait_for(&parts.journal(), "session_closed", 1)["body"]["why"], "killed");
    whole(&parts, &shown, &[10, 11]);
}

/// As where somebody types: the spool is written through memory, and its end is reserved ahead.
#[test]
fn what_came_piece_by_piece_is_whole_when_all_is_killed() {
    for host_too in [false, true] {
        let mut parts = Parts::new();
        let front = writing(&parts, "while :; do echo one piece; sleep 0.003; done", 3_000);
        let opened = journal::wait_for(&parts.journal(), "session_opened", 1);
        let reserved = std::fs::metadata(spool(&parts, &opened)).expect("a spool").len();
        assert!(reserved > 64 * 1024, "{reserved} bytes: nothing is written through memory");
        if host_too {
            parts.host.take().expect("a host").kill();
        }
        front.signal(Signal::SIGKILL);
        let shown = front.wait_open(LIMIT).stdout;
        if host_too {
            parts.start_host();
        }
        let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
        assert_eq!(closed["body"]["why"], if host_too { "recovered" } else { "killed" });
        whole(&parts, &shown, &[10, 11]);
        let recorded = Cast::read(&parts.recording()).stdout();
        assert!(!recorded.contains(&0) && recorded.len() < shown.len() + 100, "what is reserved is not output");
    }
}

#[test]
fn a_host_that_is_killed_at_any_time_loses_nothing_that_was_shown() {
    for round in 0..8 {
        let mut parts = Parts::new();
        let front = writing(&parts, NUMBERS, 40_000 * round);
        std::thread::sleep(Duration::from_millis(7 * round as u64));
        parts.host.take().expect("a host").kill();
        std::thread::sleep(Duration::from_millis(100));
        if round % 2 == 0 {
            front.signal(Signal::SIGKILL);
            parts.start_host();
        } else {
            // The command goes on while the next host waits for its end.
            parts.start_host();
            std::thread::sleep(Duration::from_millis(100));
            front.signal(Signal::SIGTERM);
        }
        let shown = front.wait_open(LIMIT).stdout;
        let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
        assert_eq!(closed["body"]["why"], "recovered");
        whole(&parts, &shown, &[11]);
    }
}

#[test]
fn a_host_that_is_killed_while_it_recovers_is_followed_by_one_that_does() {
    let mut parts = Parts::new();
    let front = writing(&parts, NUMBERS, 100_000);
    parts.host.take().expect("a host").kill();
    // Without a host it goes on, and so there is much to recover.
    let before = front.out_so_far().len();
    eventually("more output", LIMIT, || (front.out_so_far().len() > before + 1_000_000).then_some(()));
    front.signal(Signal::SIGKILL);
    let shown = front.wait_open(LIMIT).stdout;
    for delay_ms in [0, 3, 9, 20] {
        parts.start_host();
        std::thread::sleep(Duration::from_millis(delay_ms));
        parts.host.take().expect("a host").kill();
    }
    parts.start_host();
    journal::wait_for(&parts.journal(), "session_closed", 1);
    whole(&parts, &shown, &[11]);
}

#[test]
fn what_a_power_cut_leaves_plays_and_verifies() {
    let mut parts = Parts::new();
    let front = writing(&parts, NUMBERS, 300_000);
    let copy = parts.scratch.join("copy");
    // Files are copied one after the other while all of them grow, and a cut is one moment: what the ledger names is in
    // the recording before, and in the spool until after.
    std::fs::create_dir(&copy).expect("directory");
    for part in ["host.json", "identity.key", "shipped", "spool", "journal", "recordings"] {
        let from = parts.host_dir().join(part);
        run(Command::new("cp").arg("-a").arg(from).arg(&copy)).expect(0);
    }
    front.signal(Signal::SIGKILL);
    front.wait_open(LIMIT);
    parts.host.take().expect("a host").kill();
    std::fs::remove_dir_all(parts.host_dir()).expect("old state");
    std::fs::rename(&copy, parts.host_dir()).expect("the copy");
    std::fs::set_permissions(parts.host_dir(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("mode");
    parts.start_host();
    let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "recovered");
    let recorded = Cast::read(&parts.recording()).stdout();
    assert!(recorded.starts_with(b"line 1 of a long output\nline 2 of"), "{} bytes", recorded.len());
    whole(&parts, b"", &[11]);
}

#[test]
fn a_host_that_stands_still_holds_output_up_and_loses_none() {
    let parts = Parts::new();
    let line = "seq 1 6000000";
    let front = writing(&parts, line, 10_000);
    let host = parts.host.as_ref().expect("a host").pid();
    let signal = |signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(host), signal).expect("signal");
    signal(Signal::SIGSTOP);
    // It goes as far ahead as it may, and waits.
    let mut before = usize::MAX;
    eventually("output to stand still", LIMIT, || {
        std::thread::sleep(Duration::from_millis(500));
        let now = front.out_so_far().len();
        let still = now == before;
        before = now;
        still.then_some(())
    });
    assert!(before < 40_000_000, "{before} bytes were shown while the host stood still");
    signal(Signal::SIGCONT);
    let shown = front.wait(3 * LIMIT).expect(0).stdout;
    assert!(shown.ends_with(b"\n6000000\n"));
    assert!(Cast::read(&parts.recording()).stdout() == shown);
    parts.verify().expect(10);
}

#[test]
fn a_front_that_writes_nonsense_ends_its_login() {
    // The last is a record of a time that no reader of recordings takes.
    let late = b"\x01\0\0\x01\0\x10\0\0\0\0\0\0x";
    for (said, written) in [(24, &b"not a record at all, by no means"[..]), (1 << 40, b""), (13, late)] {
        let parts = Parts::new();
        let mut stream = UnixStream::connect(parts.socket()).expect("socket");
        stream.write_all(&encode(&hello()).expect("frame")).expect("hello");
        // It keeps no descriptor of the spool: the host waits for nobody.
        let count = stream.read(&mut [0; 4096]).expect("an answer");
        assert!(count > 0, "it is let in");
        let opened = journal::wait_for(&parts.journal(), "session_opened", 1);
        std::fs::write(spool(&parts, &opened), written).expect("nonsense");
        let told = FrontMessage::Spooled { bytes: said };
        stream.write_all(&encode(&told).expect("frame")).expect("spooled");
        let closed = journal::wait_for(&parts.journal(), "session_closed", 1);
        assert_eq!(closed["body"]["why"], "bad_recording");
        drop(stream);
        plays(&parts.recording());
        parts.verify().expect(11);
        parts.reviewer().allow("echo next");
        assert_eq!(run(&mut parts.front("echo next")).expect(0).out(), "next\n", "others are served");
    }
}

#[test]
fn a_new_size_of_the_window_is_recorded() {
    let parts = Parts::new();
    let line = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut terminal = Terminal::start(&parts.front(line), 100, 30);
    parts.reviewer().approve(line);
    terminal.expect("ready");
    terminal.resize(132, 43);
    terminal.expect("43 132");
    terminal.end();
    let cast = Cast::read(&parts.recording());
    assert_eq!((&cast.header["width"], &cast.header["height"]), (&100.into(), &30.into()));
    assert!(cast.events.iter().any(|event| event[1] == "r" && event[2] == "132x43"));
    plays(&parts.recording());
}
