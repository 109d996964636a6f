//! One agent that floods: what goes beyond its quota is refused unasked, counted, and costs nobody else.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use countersign_tests::cast::Cast;
use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::person::Person;
use countersign_tests::programs::{SHELL, program};
use countersign_tests::run::{Daemon, LIMIT, Running, eventually, run};
use countersign_tests::terminal::Terminal;

#[test]
fn beyond_the_quota_nothing_is_asked_and_the_count_is_recorded() {
    // One may come again after half a minute, which these five do not take.
    let parts = Parts::with_quota(2);
    parts.reviewer().allow("echo fits");
    for _ in 0..2 {
        assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
    }
    for _ in 0..3 {
        let ended = run(&mut parts.front("echo fits")).expect(126).says(&["2 commands within a minute"]);
        assert_eq!(ended.out(), "");
    }
    let lines = parts.journal();
    assert_eq!(journal::of_kind(&lines, "command_submitted").len(), 2, "the others were not asked about");
    assert_eq!(journal::of_kind(&lines, "exec_started").len(), 2);
    let counted: u64 = journal::of_kind(&lines, "session_opened")
        .iter()
        .filter_map(|entry| entry["body"]["turned_away"].as_u64())
        .sum();
    assert_eq!(counted, 2, "two of three stand in the logins that came after them");
    parts.verify().expect(10);
}

/// So much output that no limit of these tests holds it.
const FLOOD: &str = "head -c 300000000 /dev/zero | tr '\\0' x; sleep 60";
const NO_LIMIT: u64 = 1 << 40;

fn closed_as(parts: &Parts, count: usize) -> Vec<String> {
    eventually("the logins to be closed", LIMIT, || {
        (journal::of_kind(&parts.journal(), "session_closed").len() == count).then_some(())
    });
    let closed = journal::of_kind(&parts.journal(), "session_closed");
    closed.iter().map(|entry| entry["body"]["why"].as_str().expect("a word").to_owned()).collect()
}

fn recordings(parts: &Parts) -> u64 {
    let found = std::fs::read_dir(parts.host_dir().join("recordings")).expect("recordings").flatten();
    found.map(|entry| entry.metadata().expect("a recording").len()).sum()
}

#[test]
fn a_login_that_floods_is_ended_when_its_recording_is_full() {
    let parts = Parts::with_recordings_of([1_000_000, NO_LIMIT, 0, NO_LIMIT]);
    parts.reviewer().allow(FLOOD);
    let ended = Running::start(&mut parts.front(FLOOD), Some(b"")).wait(LIMIT).expect(69);
    assert_eq!(closed_as(&parts, 1), ["recording_quota"]);
    let shown = Cast::read(&parts.recording()).stdout();
    assert!(shown.starts_with(&ended.stdout), "what was shown is recorded");
    // The limit, what a front may be ahead, and what was under way.
    assert!(recordings(&parts) < 1_000_000 + 20_000_000, "{} bytes", recordings(&parts));
    ended.says(&["1000000 bytes that this host keeps of one", "log in again"]);
    let lost = journal::of_kind(&parts.journal(), "exec_finished");
    assert_eq!(lost.len(), 1, "the record says that the line ended");
    // The agent itself goes on.
    parts.reviewer().allow("echo fits");
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
    parts.verify().expect(10);
}

#[test]
fn an_agent_that_floods_in_many_logins_is_refused_unasked() {
    let parts = Parts::with_recordings_of([NO_LIMIT, 200_000, 0, NO_LIMIT]);
    // Less than what a front tells of while a line runs.
    let line = "head -c 60000 /dev/zero | tr '\\0' x";
    parts.reviewer().allow(line);
    let ends: Vec<i32> = (0..5).map(|_| run(&mut parts.front(line)).code()).collect();
    assert_eq!(ends, [0, 0, 0, 126, 126]);
    run(&mut parts.front("echo fits")).expect(126).says(&["bytes that this host keeps of one a day"]);
    assert_eq!(closed_as(&parts, 3), ["exit", "exit", "exit"]);
    assert_eq!(journal::of_kind(&parts.journal(), "command_submitted").len(), 3, "nobody was asked about the others");
    parts.verify().expect(10);
}

/// What a day held is in the journal, where a daemon that is started again finds it.
#[test]
fn a_restart_of_hostd_forgets_nothing_of_a_day() {
    let mut parts = Parts::with_recordings_of([NO_LIMIT, 200_000, 0, NO_LIMIT]);
    let line = "head -c 60000 /dev/zero | tr '\\0' x";
    parts.reviewer().allow(line);
    for _ in 0..3 {
        run(&mut parts.front(line)).expect(0);
    }
    assert_eq!(closed_as(&parts, 3), ["exit", "exit", "exit"]);
    parts.host.take().expect("a host").kill();
    parts.start_host();
    run(&mut parts.front(line)).expect(126).says(&["bytes that this host keeps of one a day"]);
    parts.verify().expect(10);
}

/// One login after the other, each within its limits, at a host whose disk is nearly full: whoever has recorded much
/// is held up at once, also in the middle of a line.
#[test]
fn while_space_is_scarce_a_flood_is_ended_early() {
    let parts = Parts::with_recordings_of([NO_LIMIT, NO_LIMIT, u64::MAX, 3_000_000]);
    parts.reviewer().allow("echo fits");
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n", "others go on");
    parts.reviewer().allow(FLOOD);
    let ended = Running::start(&mut parts.front(FLOOD), Some(b"")).wait(LIMIT).expect(69);
    ended.says(&["this host is short of space", "3000000 bytes", "ask the operator"]);
    assert_eq!(closed_as(&parts, 2), ["exit", "recording_quota"]);
    // A front is not far ahead then: 256 KiB, beside as much that is being taken and one chunk of the recording.
    // Elsewhere it may be 16 MiB ahead.
    assert!(recordings(&parts) < 3_000_000 + 2_000_000, "{} bytes", recordings(&parts));
    run(&mut parts.front("echo fits")).expect(126).says(&["this host is short of space"]);
    parts.verify().expect(10);
}

/// At a prompt the login is ended, and what it had shown is recorded.
#[test]
fn an_interactive_login_that_floods_is_ended() {
    let parts = Parts::with_recordings_of([500_000, NO_LIMIT, 0, NO_LIMIT]);
    let person = Person::at_work(&parts.scratch.join("reviewer.toml"));
    let mut command = Command::new(program(SHELL));
    command.arg("--trial").arg("--socket").arg(parts.socket()).args([
        "--path",
        "/usr/bin:/bin",
        "--inner-shell",
        "bash",
    ]);
    command.current_dir(parts.scratch.join("work")).env("TERM", "xterm");
    let mut terminal = Terminal::start(&command, 100, 30);
    terminal.prompt();
    terminal.send("yes; touch made\r");
    terminal.expect("bytes that this host keeps of one; log in again");
    terminal.end();
    drop(person);
    assert_eq!(closed_as(&parts, 1), ["recording_quota"]);
    assert!(!parts.file("made").exists());
    parts.verify().expect(10);
}

/// Sixteen logins with lines that take long to read: the host's own signs of life, and everybody's short lines, go on.
#[test]
fn hostile_lines_hold_up_nobody_else() {
    let mut parts = Parts::new();
    parts.stop_host();
    let mut command = parts.host_command();
    command.args(["--heartbeat-ms", "100"]);
    parts.host = Some(Daemon::start(&mut command, &parts.scratch.join("host.log")));
    parts.reviewer().allow("echo fits");
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
    let line = "case $x in a|b) { if ((x=y)); then echo \"$(true)\"; fi; };; esac; ".repeat(900);
    assert!((50_000..65_000).contains(&line.len()), "{}", line.len());
    let held = |count| (journal::of_kind(&parts.journal(), "command_submitted").len() >= count).then_some(());
    let begun = Instant::now();
    let first = Running::start(&mut parts.front(&line), Some(b""));
    eventually("one to be read", LIMIT, || held(2));
    let alone = begun.elapsed();
    let before = journal::of_kind(&parts.journal(), "heartbeat").len();
    let begun = Instant::now();
    let idle = AtomicBool::new(false);
    let own = |path: PathBuf| {
        let (mut file, mut beats) = (File::create(path).expect("a file"), 0);
        while !idle.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
            file.write_all(b"beat\n").and_then(|()| file.sync_all()).expect("a file");
            beats += 1;
        }
        beats
    };
    std::thread::scope(|scope| {
        let own = scope.spawn(|| own(parts.scratch.join("beats")));
        let others: Vec<_> = (0..14).map(|_| Running::start(&mut parts.front(&line), Some(b""))).collect();
        let short = Instant::now();
        assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
        let short = short.elapsed();
        eventually("all to be read", 3 * LIMIT, || held(17));
        let all = begun.elapsed();
        let beats = journal::of_kind(&parts.journal(), "heartbeat").len() - before;
        idle.store(true, Ordering::Relaxed);
        let own = own.join().expect("beats of this process");
        println!(
            "one line {alone:?}, fourteen {all:?}, a short one beside them {short:?}, {beats} heartbeats of {own}"
        );
        // What is left to this process, which has nothing else to do, is left to the host, which has.
        assert!(3 * beats >= own, "{beats} heartbeats in {all:?}, and {own} of a process beside it");
        drop(others);
    });
    drop(first);
}

/// Lines that hold thousands of secrets, for which output would be searched: so many that there is no entry for them.
#[test]
fn lines_full_of_secrets_hold_up_nobody_else() {
    let parts = Parts::new();
    parts.reviewer().allow("echo fits");
    let secrets: String = (0..4000).map(|n| format!("h://a:Q{:05x}z@h ", n * 7919 % 1_048_573)).collect();
    let line = format!("echo {secrets}");
    assert!((60_000..65_000).contains(&line.len()), "{}", line.len());
    let fronts: Vec<_> = (0..4).map(|_| Running::start(&mut parts.front(&line), Some(b""))).collect();
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n");
    for front in fronts {
        front.wait(LIMIT).expect(69).says(&["this command cannot be recorded", "an entry of 4"]);
    }
}

/// More lines wait than the service takes connections: its reviewers and other lines are served all the same.
#[test]
fn lines_that_wait_take_no_connections_from_others() {
    let mut parts = Parts::new();
    let service = parts.service.take().expect("a service");
    let listen = service.ready.rsplit_once("//").expect("an address").1.to_owned();
    assert_eq!(service.terminate(), 0);
    let mut command = parts.service_command(&listen);
    command.args(["--connections", "8"]);
    parts.service = Some(Daemon::start(&mut command, &parts.scratch.join("service.log")));
    let fronts: Vec<_> = (0..8)
        .map(|n| {
            let front = Running::start(&mut parts.front(&format!("echo {n}")), Some(b""));
            // One after the other: this is about those that wait.
            parts.reviewer().wait_for(&format!("echo {n}"));
            front
        })
        .collect();
    assert_eq!(parts.reviewer().pending().len(), 8);
    let approving = parts.reviewer().approving();
    for (n, front) in fronts.into_iter().enumerate() {
        assert_eq!(front.wait(LIMIT).expect(0).out(), format!("{n}\n"));
    }
    drop(approving);
    parts.verify().expect(10);
}
