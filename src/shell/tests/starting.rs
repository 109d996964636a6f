//! A released line that is held up, or overtaken by its deadline, before it is
//! executed: it never runs, and the record says so.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

mod support;

use countersign_api::front::{CommandEnd, HostMessage, NotReleased, Release};
use countersign_sys as sys;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::{Host, Log, SECOND_US, wait_for};

/// How often the race for the child before its execve is tried.
const TRIES: usize = 300;

/// What became of a line whose child was stopped before it was executed.
struct Stopped {
    pid: i32,
    shown: Output,
    took: Duration,
    ran: bool,
    log: Log,
}

/// Submits `touch ran`, stops the spawner's first child as soon as it is there,
/// as the agent can, and waits for the end. `None` where the stop came after
/// the execve; the line then ran as it should.
fn stop_the_child(deadline_us: u64, cut_front: bool) -> Option<Stopped> {
    let host = Host::plays(move |talk| {
        talk.welcome();
        let release = talk.held();
        std::fs::write(talk.dir.join("held"), "").unwrap();
        wait_for("the stopper", || talk.dir.join("go").exists());
        let deadline_us = sys::boottime_us().unwrap() + deadline_us;
        talk.send(&HostMessage::Released(Release { deadline_us, ..release }));
        talk.rest();
    });
    let dir = host.dir.path().to_owned();
    let line = format!("touch {}", dir.join("ran").display());
    let mut front = host.shell(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the submission", || dir.join("held").exists());
    let spawner = *sys::children(i32::try_from(front.id()).unwrap()).first().unwrap();
    std::fs::write(dir.join("go"), "").unwrap();
    let began = Instant::now();
    let list = format!("/proc/{spawner}/task/{spawner}/children");
    let pid = loop {
        let text = std::fs::read_to_string(&list).unwrap_or_default();
        if let Some(pid) = text.split_ascii_whitespace().next() {
            break Pid::from_raw(pid.parse().unwrap());
        }
        if began.elapsed() > Duration::from_secs(3) {
            front.wait().unwrap();
            host.over();
            return None;
        }
    };
    let (Ok(()) | Err(_)) = kill(pid, Signal::SIGSTOP);
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    if exe.file_name().is_none_or(|name| name != "countersign-sh") {
        let (Ok(()) | Err(_)) = kill(pid, Signal::SIGCONT);
        front.wait().unwrap();
        host.over();
        return None;
    }
    if cut_front {
        front.kill().unwrap();
    }
    let shown = front.wait_with_output().unwrap();
    let took = began.elapsed();
    // A child that is left would run now.
    let (Ok(()) | Err(_)) = kill(pid, Signal::SIGCONT);
    std::thread::sleep(Duration::from_millis(300));
    let ran = dir.join("ran").exists();
    Some(Stopped { pid: pid.as_raw(), shown, took, ran, log: host.over().0 })
}

fn caught(deadline_us: u64, cut_front: bool) -> Stopped {
    (0..TRIES)
        .find_map(|_| stop_the_child(deadline_us, cut_front))
        .unwrap_or_else(|| panic!("the child was never caught in time"))
}

#[test]
fn a_child_that_is_stopped_before_its_execve_is_killed_and_never_runs() {
    let stopped = caught(60 * SECOND_US, false);
    assert!(!stopped.ran, "it ran after it was given up: {:?}", stopped.shown);
    assert!(!Path::new("/proc").join(stopped.pid.to_string()).exists(), "it was not reaped");
    let CommandEnd::NotStarted(errno) = stopped.log.finished().unwrap().end else {
        panic!("{:?}", stopped.log.finished())
    };
    assert_eq!(i32::from(errno), nix::libc::ETIMEDOUT);
    let said = String::from_utf8_lossy(&stopped.shown.stderr).into_owned();
    assert!(said.contains("held up") && said.contains("nothing ran") && said.lines().count() == 1, "{said}");
    assert_eq!(stopped.shown.status.code(), Some(126));
    assert!(stopped.took < Duration::from_secs(30), "{:?}", stopped.took);
}

#[test]
fn it_is_not_waited_for_beyond_the_deadline() {
    let stopped = caught(SECOND_US, false);
    assert!(!stopped.ran, "{:?}", stopped.shown);
    // Where it had been given up for want of patience, that would be said.
    assert_eq!(stopped.log.finished().unwrap().end, CommandEnd::NotReleased(NotReleased::Late));
    let said = String::from_utf8_lossy(&stopped.shown.stderr).into_owned();
    assert!(said.contains("time was over"), "{said}");
}

#[test]
fn it_does_not_outlive_its_front() {
    let stopped = caught(60 * SECOND_US, true);
    wait_for("the child's end", || !Path::new("/proc").join(stopped.pid.to_string()).exists());
    assert!(!stopped.ran && stopped.log.finished().is_none());
}

#[test]
fn what_a_caller_set_up_for_the_process_does_not_reach_it() {
    let run = |before: &[&str], line: &str| {
        let host = Host::approves();
        let own = host.shell(line);
        let mut command = Command::new(before[0]);
        command.args(&before[1..]).arg(own.get_program()).args(own.get_args()).stdin(Stdio::null());
        let shown = command.output().unwrap();
        assert_eq!(shown.status.code(), Some(0), "{before:?}: {shown:?}");
        host.over();
        String::from_utf8(shown.stdout).unwrap()
    };
    for timer in ["ITIMER_REAL, 1", "ITIMER_VIRTUAL, 0.001", "ITIMER_PROF, 0.001"] {
        let arm =
            format!("import os, signal, sys; signal.setitimer(signal.{timer}); os.execv(sys.argv[1], sys.argv[1:])");
        assert_eq!(run(&["python3", "-c", &arm], "sleep 1.5; echo end"), "end\n", "{timer}");
    }
    let allowed = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = |text: &str, name: &str| text.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    let status = run(&["taskset", "-c", "0", "chrt", "-i", "0"], "cat /proc/self/status; chrt -p $$");
    assert_eq!(line(&status, "Cpus_allowed:"), line(&allowed, "Cpus_allowed:"));
    assert!(status.contains("policy: SCHED_OTHER"), "{status}");
    let ignored = run(&["bash", "-c", "trap '' RTMIN+3 USR1; exec \"$0\" \"$@\""], "cat /proc/self/status");
    assert_eq!(line(&ignored, "SigIgn:"), "SigIgn:\t0000000000000000");
    assert_eq!(run(&["bash", "-c", "ulimit -Sf 0; exec \"$0\" \"$@\""], "echo end"), "end\n");
}

#[test]
fn a_limit_on_files_that_no_recording_fits_in_is_refused() {
    let limited = format!("ulimit -f {}; exec \"$0\" \"$@\"", (1 << 20) - 1);
    let mut command = Command::new("bash");
    command.args(["-c", &limited, support::PROGRAM, "--trial", "--socket", "/nonexistent", "-c", "id"]);
    let shown = command.output().unwrap();
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert_eq!(shown.status.code(), Some(126), "{said}");
    assert!(said.contains("ulimit -f") && said.contains("nothing ran"), "{said}");
}

#[test]
fn an_idle_process_that_cannot_be_anything_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = dir.path().join("countersign-sh");
    std::fs::copy(support::PROGRAM, &copy).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "chrt", "-i", "0"]).arg(&copy);
    let shown = command.args(["--trial", "--socket", "/nonexistent", "-c", "id"]).output().unwrap();
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert_eq!(shown.status.code(), Some(126), "{said}");
    assert!(said.contains("idle scheduling policy") && said.contains("nothing ran"), "{said}");
}
