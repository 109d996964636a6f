//! Whatever goes wrong before the command starts: nothing runs, and the caller
//! hears one line.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

mod support;

use countersign_api::front::{CancelWhy, CloseWhy, CommandEnd, FrontMessage, HostMessage, NotReleased, Release};
use countersign_core::{DecidedBy, Nonce, Outcome, Salt, SubmissionId};
use countersign_sys as sys;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use support::{Host, PROGRAM, SECOND_US, Talk, markers, wait_for};

/// Runs `touch DIR/ran` before a host, and checks that it did not run.
fn nothing_runs(host: Host) -> (Output, support::Log, Vec<u8>) {
    let ran = host.dir.path().join("ran");
    let shown = host.shell(&format!("touch {}", ran.display())).output().unwrap();
    assert!(!ran.exists(), "it ran: {shown:?}");
    assert_eq!(shown.stdout, b"");
    assert_eq!(shown.stderr.iter().filter(|b| **b == b'\n').count(), 1, "{shown:?}");
    let (log, recording, _dir) = host.over();
    (shown, log, recording)
}

fn refusal(nonce: Nonce, outcome: Outcome, by: Option<DecidedBy>, exit: u8) -> HostMessage {
    let reason = "not \"now\"\x1b[2K".to_owned();
    HostMessage::Refused { id: SubmissionId::from_random([3; 16]), nonce, outcome, by, reason, exit }
}

#[test]
fn a_refusal_is_one_line_and_126_or_69() {
    let by: DecidedBy = "ops-lead".parse().unwrap();
    for (outcome, by, exit, code) in [
        (Outcome::Denied, Some(by), 126, 126),
        (Outcome::TimedOut, Some(DecidedBy::Timeout), 126, 126),
        (Outcome::Blocked, Some(DecidedBy::DenyRule(4)), 126, 126),
        (Outcome::Error, None, 69, 69),
        (Outcome::Error, None, 0, 126),
    ] {
        let name = by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let host = Host::plays(move |talk| {
            talk.welcome();
            let nonce = talk.held().nonce;
            talk.send(&refusal(nonce, outcome, by, exit));
            talk.rest();
        });
        let (shown, log, recording) = nothing_runs(host);
        assert_eq!(shown.status.code(), Some(code));
        let id = SubmissionId::from_random([3; 16]);
        let advice = match exit {
            69 => "; nothing ran; try again later, or have the operator of this host run: countersign doctor",
            _ => "",
        };
        let want = format!("countersign: {outcome} id={id} by={name} reason=\"not 'now'⟨U+001B⟩[2K\"{advice}\n");
        assert_eq!(String::from_utf8_lossy(&shown.stderr), want);
        assert_eq!(log.close().unwrap().why, CloseWhy::Exit);
        assert!(log.finished().is_none());
        assert_eq!(markers(&recording)[1], format!("decided: {outcome} by {name}"));
    }
}

#[test]
fn what_the_reason_says_already_is_not_said_again() {
    for (reason, more) in [("submit it again in a moment", "; nothing ran"), ("nothing ran; submit it again", "")] {
        let host = Host::plays(move |talk| {
            talk.welcome();
            let (nonce, reason) = (talk.held().nonce, reason.to_owned());
            let (id, outcome) = (SubmissionId::from_random([3; 16]), Outcome::Error);
            talk.send(&HostMessage::Refused { id, nonce, outcome, by: None, reason, exit: 69 });
            talk.rest();
        });
        let (shown, ..) = nothing_runs(host);
        let said = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert!(said.ends_with(&format!("reason=\"{reason}\"{more}\n")), "{said}");
    }
}

#[test]
fn a_release_that_does_not_fit_is_not_used() {
    type Spoil = fn(&mut Release);
    let cases: [(Spoil, NotReleased, i32); 7] = [
        (|r| r.segments[0].salt = Salt([9; 32]), NotReleased::Mismatch, 69),
        (|r| r.segments.swap(0, 1), NotReleased::Mismatch, 69),
        (|r| r.segments.truncate(1), NotReleased::Mismatch, 69),
        (|r| r.segments.clear(), NotReleased::Mismatch, 69),
        (|r| r.nonce = Nonce([0; 16]), NotReleased::Mismatch, 69),
        (|r| r.id = SubmissionId::from_random([4; 16]), NotReleased::Mismatch, 69),
        (|r| r.deadline_us = sys::boottime_us().unwrap(), NotReleased::Late, 126),
    ];
    for (i, (spoil, why, code)) in cases.into_iter().enumerate() {
        let host = Host::plays(move |talk| {
            talk.welcome();
            let mut release = talk.held();
            spoil(&mut release);
            talk.send(&HostMessage::Released(release));
            talk.rest();
        });
        let (shown, log, _) = nothing_runs(host);
        assert_eq!(shown.status.code(), Some(code), "case {i}: {shown:?}");
        let finished = log.finished().unwrap();
        assert_eq!(finished.end, CommandEnd::NotReleased(why), "case {i}");
        assert_eq!(finished.id, SubmissionId::from_random([3; 16]), "case {i}");
    }
}

/// Whoever reads that something is not available wants to know whether their command ran, and what now.
fn says_what_to_do(stderr: &[u8]) -> bool {
    String::from_utf8_lossy(stderr).contains("; nothing ran; try again later, or have the operator of this host run")
}

#[test]
fn a_host_that_goes_or_talks_nonsense_ends_it() {
    type Part = fn(&mut Talk);
    let parts: [(Part, i32); 10] = [
        (|_| {}, 69),
        (|talk| talk.hello(), 69),
        (|talk| talk.welcome(), 69),
        (
            |talk| {
                talk.welcome();
                talk.held();
            },
            69,
        ),
        (
            |talk| {
                talk.hello();
                talk.send(&HostMessage::Kept);
                talk.rest();
            },
            69,
        ),
        (
            |talk| {
                talk.welcome();
                talk.held();
                talk.send_raw(b"\0\0\0\x02{}");
                talk.rest();
            },
            69,
        ),
        (
            |talk| {
                talk.welcome();
                talk.held();
                talk.send_raw(b"\xff\xff\xff\xff");
                talk.rest();
            },
            69,
        ),
        (
            |talk| {
                talk.welcome();
                talk.held();
                talk.send(&HostMessage::Kept);
                talk.rest();
            },
            69,
        ),
        (
            |talk| {
                talk.hello();
                talk.send(&HostMessage::Fatal { reason: "the disk is full".into(), exit: 69 });
                talk.rest();
            },
            69,
        ),
        (
            |talk| {
                talk.hello();
                talk.send(&HostMessage::Fatal { reason: "too many".into(), exit: 126 });
                talk.rest();
            },
            126,
        ),
    ];
    for (i, (part, code)) in parts.into_iter().enumerate() {
        let (shown, _, _) = nothing_runs(Host::plays(part));
        assert_eq!(shown.status.code(), Some(code), "part {i}: {shown:?}");
        assert_eq!(says_what_to_do(&shown.stderr), code == 69, "part {i}: {shown:?}");
    }
    let nobody = Command::new(PROGRAM).args(["--trial", "--socket", "/nonexistent/s", "-c", "id"]).output().unwrap();
    assert_eq!((nobody.status.code(), nobody.stdout.len()), (Some(69), 0));
    assert!(says_what_to_do(&nobody.stderr), "{nobody:?}");
}

#[test]
fn a_full_disk_before_the_command_refuses_it() {
    let host = Host::plays(|talk| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        talk.welcome_with(&full);
        talk.rest();
    });
    let (shown, log, _) = nothing_runs(host);
    assert_eq!(shown.status.code(), Some(69));
    assert_eq!(log.close().unwrap().why, CloseWhy::DiskFull);
    assert!(log.submit.is_none());
}

#[test]
fn a_client_that_goes_while_pending_cancels() {
    for signal in [None, Some("TERM"), Some("HUP")] {
        let host = Host::plays(move |talk| {
            talk.welcome();
            let nonce = talk.held().nonce;
            std::fs::write(talk.dir.join("held"), "").unwrap();
            let Some(FrontMessage::Cancel { nonce: own, why }) = talk.hear() else { panic!("no cancel") };
            assert_eq!(own, nonce);
            assert_eq!(why, if signal == Some("TERM") { CancelWhy::Interrupt } else { CancelWhy::Hangup });
            talk.send(&refusal(nonce, Outcome::Cancelled, None, 126));
            talk.rest();
        });
        let held = host.dir.path().join("held");
        let ran = host.dir.path().join("ran");
        let mut child = host
            .shell(&format!("touch {}", ran.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("the submission", || held.exists());
        match signal {
            None => drop(child.stdout.take()),
            Some(name) => {
                let pid = child.id().to_string();
                assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
            }
        }
        assert_eq!(child.wait().unwrap().code(), Some(126));
        assert!(!ran.exists());
        let why = if signal == Some("TERM") { CloseWhy::Exit } else { CloseWhy::Hangup };
        assert_eq!(host.over().0.close().unwrap().why, why);
    }
}

#[test]
fn a_release_after_the_hang_up_is_not_used() {
    let host = Host::plays(|talk| {
        talk.welcome();
        let release = talk.held();
        std::fs::write(talk.dir.join("held"), "").unwrap();
        assert!(matches!(talk.hear(), Some(FrontMessage::Cancel { .. })));
        talk.send(&HostMessage::Released(release));
        talk.rest();
    });
    let (held, ran) = (host.dir.path().join("held"), host.dir.path().join("ran"));
    let mut child = host.shell(&format!("touch {}", ran.display())).stdout(Stdio::piped()).spawn().unwrap();
    wait_for("the submission", || held.exists());
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(126));
    assert!(!ran.exists());
    let (log, _, _dir) = host.over();
    assert_eq!(log.finished().unwrap().end, CommandEnd::NotReleased(NotReleased::Hangup));
}

#[test]
fn the_end_of_input_is_not_a_hang_up() {
    let host = Host::plays(|talk| {
        talk.welcome();
        let release = talk.held();
        std::thread::sleep(std::time::Duration::from_millis(200));
        talk.send(&HostMessage::Released(Release { deadline_us: release.deadline_us - SECOND_US, ..release }));
        talk.rest();
    });
    let shown = host.shell("echo ran").stdin(Stdio::null()).output().unwrap();
    assert_eq!(shown.stdout, b"ran\n");
    host.over();
}

#[test]
fn wrong_flags_and_set_ups_say_what_to_do() {
    let run = |arguments: &[&str]| Command::new(PROGRAM).args(arguments).output().unwrap();
    for (arguments, code, text) in [
        (&["--trial"][..], 64, "usage:"),
        (&["--trial", "--socket"], 64, "usage:"),
        (&["--trial", "--socket", "/x", "--what", "x"], 64, "usage:"),
        (&["--trial", "--socket", "/x", "--inner-shell", "ksh", "-c", "id"], 78, "not one of bash"),
        (&["-c", "id"], 78, "not installed setuid"),
        (&[], 78, "not installed setuid"),
    ] {
        let shown = run(arguments);
        let said = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert_eq!((shown.status.code(), said.contains(text)), (Some(code), true), "{arguments:?}: {said}");
    }
}

#[test]
fn trial_flags_are_refused_in_a_setuid_copy() {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("countersign-sh");
    std::fs::copy(PROGRAM, &copy).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    if !sys::uids().unwrap().real.eq(&0) {
        panic!("this test needs root to make a setuid copy");
    }
    std::os::unix::fs::chown(&copy, Some(1), Some(1)).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let as_agent = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "LD_PRELOAD=/evil.so"]);
        command.arg(&copy).args(arguments).output().unwrap()
    };
    let shown = as_agent(&["--trial", "--socket", "/x", "-c", "id"]);
    assert_eq!((shown.status.code(), shown.stdout.len()), (Some(64), 0), "{shown:?}");
    let shown = as_agent(&["-c", "id"]);
    assert_eq!((shown.status.code(), shown.stdout.len()), (Some(78), 0), "{shown:?}");
    // A loader that looks for the library says that there is none.
    let looked_for = |shown: &Output| String::from_utf8_lossy(&shown.stderr).contains("/evil.so");
    assert!(!looked_for(&shown), "{shown:?}");
    let control = Command::new(PROGRAM).env("LD_PRELOAD", "/evil.so").arg("--help").output().unwrap();
    assert!(looked_for(&control), "{control:?}");
}

#[test]
fn a_listener_of_another_user_is_told_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let socket = dir.path().join("s");
    let listen = "import os, socket, sys\nos.setresuid(65534, 65534, 65534)\ns = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\n\
                  c, _ = s.accept(); print(len(c.recv(1000)))";
    let mut command = Command::new("python3");
    let listener = command.args(["-c", listen]).arg(&socket).stdout(Stdio::piped()).spawn().unwrap();
    wait_for("the listener", || socket.exists());
    std::thread::sleep(std::time::Duration::from_millis(100));
    let arguments = ["--trial", "--socket", socket.to_str().unwrap(), "-c", "echo ran"];
    let shown = Command::new(PROGRAM).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert_eq!((shown.status.code(), shown.stdout.len()), (Some(69), 0), "{said}");
    assert!(said.contains("uid 65534 listens there") && said.contains("nothing ran"), "{said}");
    assert_eq!(listener.wait_with_output().unwrap().stdout, b"0\n", "it was told something");
}
