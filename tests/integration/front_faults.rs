//! What the front writes of a recording fails, at the first time and at a later one: nothing that is not recorded is
//! shown, the command ends, and the record says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use countersign_tests::cast::Cast;
use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::person::Person;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use countersign_tests::terminal::{Terminal, plain};

use crate::interactive::shell;

/// Output that comes as fast as it can, in writes of its own.
const FLOOD: &str = "seq 1 250000";
/// Output that comes piece by piece, through memory, then in one that does not fit there, then through memory again.
const PIECES: &str = "for i in {1..120}; do echo piece $i; sleep 0.003; done; head -c 90000 /dev/zero | tr '\\0' x; for i in {1..120}; do echo again $i; sleep 0.003; done";

/// The spool that the next login gets.
fn next_spool(parts: &Parts) -> PathBuf {
    eventually("a spool in advance", LIMIT, || {
        let mut spools = fs::read_dir(parts.host_dir().join("spool")).expect("spools").flatten();
        let only = spools.next()?.path();
        spools.next().is_none().then_some(only)
    })
}

/// A host that has had a login, so that it has made a spool for the next one.
fn with_a_spool() -> Parts {
    let parts = Parts::new();
    parts.reviewer().allow("true");
    run(&mut parts.front("true")).expect(0);
    journal::wait_for(&parts.journal(), "session_closed", 1);
    parts
}

/// This front, of which these system calls on its spool fail; and where strace says so.
fn with_faults(parts: &Parts, front: &Command, faults: &[&str]) -> (Command, PathBuf) {
    let told = parts.scratch.join("strace");
    let mut strace = Command::new("strace");
    strace.arg("-qq").arg("-o").arg(&told).arg("-P").arg(next_spool(parts));
    let calls: Vec<_> = faults.iter().map(|fault| fault.split(':').next().expect("a call")).collect();
    strace.arg("-e").arg(format!("trace={}", calls.join(",")));
    for fault in faults {
        strace.args(["-e", &format!("inject={fault}")]);
    }
    strace.arg(front.get_program()).args(front.get_args()).current_dir(parts.scratch.join("work"));
    (strace, told)
}

/// What was recorded of the second login.
fn recorded(parts: &Parts) -> Vec<u8> {
    let opened = journal::wait_for(&parts.journal(), "session_opened", 2);
    let login = opened["sess"]["id"].as_str().expect("a login");
    Cast::read(&parts.host_dir().join("recordings").join(format!("{login}.cast"))).stdout()
}

#[track_caller]
fn is_sound(parts: &mut Parts, faults: &[&str]) {
    assert_eq!(run(&mut parts.front("true")).code(), 0, "{faults:?}: others are served");
    parts.stop_host();
    parts.verify().expect(10);
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// It does not begin.
    NothingRuns,
    /// It is ended.
    Ends,
    /// The spool is written another way.
    GoesOn,
}
use Then::{Ends, GoesOn, NothingRuns};

const CASES: &[(&str, &[&str], Then)] = &[
    (FLOOD, &["pwritev:error=EIO:when=1"], NothingRuns),
    (FLOOD, &["pwritev:error=ENOSPC:when=1"], NothingRuns),
    (FLOOD, &["pwritev:error=EIO:when=9"], Ends),
    (FLOOD, &["pwritev:error=ENOSPC:when=9"], Ends),
    // A part of it was written.
    (FLOOD, &["pwritev:retval=10:when=9"], Ends),
    // Whether there is room is looked at after a MiB.
    (FLOOD, &["fstatfs:error=EIO:when=1"], Ends),
    (PIECES, &["fallocate:error=ENOSPC:when=1"], GoesOn),
    (PIECES, &["fallocate:error=EIO:when=2"], GoesOn),
    (PIECES, &["mmap:error=ENOMEM:when=1"], GoesOn),
    (PIECES, &["mmap:error=EIO:when=2"], GoesOn),
    (PIECES, &["fallocate:error=EIO:when=1+", "ftruncate:error=EIO:when=1"], Ends),
    (PIECES, &["fallocate:error=ENOSPC:when=1+", "pwritev:error=ENOSPC:when=30"], Ends),
    (PIECES, &["ftruncate:error=EIO:when=1"], Ends),
    (PIECES, &["pwritev:error=EIO:when=12"], Ends),
];

/// Whether something failed: how often a busy machine writes cannot be known, so it may take another try.
fn failed(told: &Path) -> bool {
    fs::read_to_string(told).expect("what strace told").contains("(INJECTED)")
}

const TRIES: usize = 5;

#[test]
fn of_a_command_end_it_or_change_nothing() {
    for (output, faults, then) in CASES {
        assert!((0..TRIES).any(|_| command(output, faults, *then)), "{faults:?}: nothing failed");
    }
}

fn command(output: &str, faults: &[&str], then: Then) -> bool {
    let mut parts = with_a_spool();
    let made = parts.file("made");
    let line = format!("{output}; echo > {}", made.display());
    parts.reviewer().allow(&line);
    let (mut traced, told) = with_faults(&parts, &parts.front(&line), faults);
    let ended = Running::start(&mut traced, Some(b"")).wait(LIMIT);
    let closed = journal::wait_for(&parts.journal(), "session_closed", 2);
    let failed = failed(&told);
    let (recorded, started) = (recorded(&parts), journal::of_kind(&parts.journal(), "exec_started").len() - 1);
    let say = format!("{faults:?}: exit {}, {:?}, {}", ended.code(), ended.err(), closed["body"]);
    assert!(recorded.starts_with(&ended.stdout), "{say}: not all that was shown is recorded");
    let then = if failed { then } else { GoesOn };
    match then {
        NothingRuns => {
            assert!(ended.code() == 69 && started == 0 && ended.stdout.is_empty() && !made.exists(), "{say}");
            ended.says(&["the recording could not be written", "nothing ran"]);
        }
        Ends => {
            assert!(ended.code() == 69 && started == 1 && !made.exists(), "{say}");
            ended.says(&["the recording could not be written", "the command was ended"]);
        }
        GoesOn => assert!(ended.code() == 0 && made.exists() && recorded == ended.stdout, "{say}"),
    }
    assert_eq!(closed["body"]["why"], if then == GoesOn { "exit" } else { "disk_full" }, "{say}");
    is_sound(&mut parts, faults);
    failed
}

#[test]
fn of_an_interactive_login_end_it_or_change_nothing() {
    for (faults, goes_on) in [
        (&["pwritev:error=EIO:when=1"][..], false),
        (&["pwritev:error=ENOSPC:when=5"], false),
        (&["ftruncate:error=EIO:when=1"], false),
        (&["fallocate:error=ENOSPC:when=1+"], true),
    ] {
        assert!((0..TRIES).any(|_| interactive(faults, goes_on)), "{faults:?}: nothing failed");
    }
}

fn interactive(faults: &[&str], goes_on: bool) -> bool {
    let mut parts = with_a_spool();
    let person = Person::at_work(&parts.scratch.join("reviewer.toml"));
    let front = shell(&parts, "xterm-256color");
    let (mut traced, told) = with_faults(&parts, &front, faults);
    traced.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("LC_ALL");
    let mut terminal = Terminal::start(&traced, 100, 30);
    // Typed letter by letter, so that it goes through memory; what is long leaves that.
    let lines = "echo some''thing that is typed slowly\rseq 1 60000\recho > made\r";
    for letter in lines.chars().map(String::from) {
        if !terminal.is_running() {
            break;
        }
        terminal.send(&letter);
        std::thread::sleep(Duration::from_millis(10));
    }
    let made = parts.file("made");
    eventually("the last line or the end", LIMIT, || (made.exists() || !terminal.is_running()).then_some(()));
    // While the line runs ^D is its own.
    eventually("the end", LIMIT, || {
        if terminal.is_running() {
            terminal.send("\x04");
            std::thread::sleep(Duration::from_millis(200));
        }
        (!terminal.is_running()).then_some(())
    });
    terminal.end();
    journal::wait_for(&parts.journal(), "session_closed", 2);
    let failed = failed(&told);
    let goes_on = goes_on || !failed;
    assert_eq!(made.exists(), goes_on, "{faults:?}");
    assert_eq!(terminal.shown().contains("the recording could not be written"), !goes_on, "{}", terminal.shown());
    let number = |line: &str| line.trim_end().parse::<u32>().ok();
    let (last, recorded) = (terminal.shown().lines().filter_map(number).max(), plain(&recorded(&parts)));
    assert!(last.is_none_or(|last| recorded.lines().any(|line| number(line) == Some(last))), "{last:?} was shown");
    drop(person);
    is_sound(&mut parts, faults);
    failed
}
