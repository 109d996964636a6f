//! Logins that end otherwise than by their own wish.

use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::run::{LIMIT, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Login;

/// Runs something long; the process ids of it and of its shell.
fn busy(login: &mut Login) -> [i32; 2] {
    login.terminal.send("echo $$ >shell; sleep 30 & echo $! >sleep; wait; touch after\r");
    let read = |login: &Login, name: &str| {
        eventually(name, LIMIT, || std::fs::read_to_string(login.file(name)).ok()?.trim().parse().ok())
    };
    [read(login, "shell"), read(login, "sleep")]
}

/// A process's state, as the kernel has it: `S` waits, `T` is stopped, `Z` has ended.
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn parent(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let words = stat.rsplit_once(") ").expect("its state").1;
    words.split_whitespace().nth(1).expect("its parent").parse().expect("a pid")
}

#[track_caller]
fn all_gone(pids: &[i32]) {
    for pid in pids {
        eventually("processes to be gone", LIMIT, || matches!(state(*pid), None | Some('Z')).then_some(()));
    }
}

#[test]
fn control_d_leaves() {
    let mut login = Login::new();
    login.line("(exit 4)");
    login.terminal.send("\x04");
    assert_eq!(login.terminal.end().code(), Some(4));
    login.check(&[10]);
}

#[test]
fn hang_up_while_a_line_waits() {
    let mut login = Login::new();
    login.terminal.send("touch made # LATER\r");
    login.terminal.expect("held");
    login.terminal.hang_up();
    assert_eq!(journal::wait_for(&login.parts.journal(), "decided", 1)["body"]["outcome"], "cancelled");
    assert!(!login.file("made").exists());
    login.check(&[10]);
}

#[test]
fn hang_up_meets_the_release() {
    let mut login = Login::new();
    login.line("trap '' HUP TERM");
    login.terminal.send("touch made # LATER\r");
    login.terminal.expect("held");
    let front = Pid::from_raw(login.terminal.pid());
    kill(front, Signal::SIGSTOP).unwrap();
    // Both reach the front before it looks.
    login.parts.reviewer().approve("touch made # LATER");
    journal::wait_for(&login.parts.journal(), "exec_started", 2);
    kill(front, Signal::SIGHUP).unwrap();
    kill(front, Signal::SIGCONT).unwrap();
    login.terminal.end();
    assert!(!login.file("made").exists(), "it ran after the client had gone");
    let finished = journal::wait_for(&login.parts.journal(), "exec_finished", 2);
    assert_eq!(finished["body"]["end"], "not_released", "{finished}");
    login.check(&[10]);
}

#[test]
fn hang_up_while_a_line_runs() {
    let mut login = Login::new();
    let pids = busy(&mut login);
    login.terminal.hang_up();
    all_gone(&pids);
    assert!(!login.file("after").exists());
    assert_eq!(journal::wait_for(&login.parts.journal(), "session_closed", 1)["body"]["why"], "hangup");
    login.check(&[10]);
}

/// A front that stood in a write would not hear that its client is gone.
#[test]
fn a_client_that_reads_no_more_keeps_no_login() {
    let mut login = Login::new();
    login.terminal.send("sh -c 'echo $$ >yes; exec yes'\r");
    login.terminal.expect("y\ny\ny\n");
    login.terminal.stop_reading();
    // Its terminal is full before that, and so is the one before it.
    let pid = std::fs::read_to_string(login.file("yes")).expect("its process id");
    let written = || std::fs::read_to_string(format!("/proc/{}/io", pid.trim())).expect("what it wrote");
    let mut before = String::new();
    eventually("output to stand still", LIMIT, || {
        std::thread::sleep(Duration::from_millis(500));
        let now = written();
        let still = now == before && state(pid.trim().parse().expect("a pid")) == Some('S');
        before = now;
        still.then_some(())
    });
    login.terminal.hang_up();
    assert_eq!(journal::wait_for(&login.parts.journal(), "session_closed", 1)["body"]["why"], "hangup");
    login.check(&[10]);
}

#[test]
fn front_killed() {
    let mut login = Login::new();
    let pids = busy(&mut login);
    kill(Pid::from_raw(login.terminal.pid()), Signal::SIGKILL).unwrap();
    all_gone(&pids);
    assert!(!login.file("after").exists());
    assert_eq!(journal::wait_for(&login.parts.journal(), "session_closed", 1)["body"]["why"], "killed");
    login.check(&[10, 11]);
}

#[test]
fn what_goes_on_writing_does_not_keep_the_login() {
    let mut login = Login::new();
    login.terminal.send("(trap '' HUP; exec yes) & echo $! >yes; exit 6\r");
    assert_eq!(login.terminal.end().code(), Some(6));
    let pid = std::fs::read_to_string(login.file("yes")).unwrap().trim().parse().unwrap();
    all_gone(&[pid]);
    login.check(&[10]);
}

/// `TMOUT` would end the shell by an alarm: at the prompt, while a line waits, and while it runs.
#[test]
fn a_time_limit_of_the_shell_is_none_of_the_login() {
    let mut login = Login::new();
    login.ends("TMOUT=1", "readonly variable");
    std::thread::sleep(Duration::from_millis(1500));
    login.ends("sleep 1.5; echo ali''ve", "alive");
    login.leave();
}

/// A shell that does something else does not take a line that was released; that is how the line ended.
#[test]
fn a_line_that_the_shell_does_not_take_has_an_end() {
    let mut login = Login::new();
    login.line("trap 'touch caught; sleep 60' USR1; (until [ -e now ]; do sleep 0.05; done; kill -USR1 $$) & true");
    std::fs::write(login.file("now"), "").expect("a file");
    eventually("the shell to do something else", LIMIT, || login.file("caught").exists().then_some(()));
    login.terminal.send("touch made\r");
    login.terminal.expect("the shell did not take the line");
    login.terminal.end();
    let ended = journal::wait_for(&login.parts.journal(), "exec_finished", 2);
    assert_eq!((&ended["body"]["end"], &ended["body"]["signal"]), (&"signaled".into(), &9.into()), "{ended}");
    assert!(!login.file("made").exists());
    login.check(&[10]);
}

/// What the spawner says of the shell's end comes beside the answer to a question that the front asks at the same
/// time: a front that then waited for it once more heard nothing any more, and what ran beside the shell lived on.
#[test]
fn a_shell_that_ends_while_its_front_asks_something_ends_the_login() {
    for typed in ["true\r", "ls /\t"] {
        let mut login = Login::new();
        // A job that has copies of the shell's sockets: that they are closed tells nobody of its end.
        login.line("echo $$ >shell; (while :; do sleep 1; done) & echo $! >sleep");
        let pid = |name: &str| std::fs::read_to_string(login.file(name)).expect("file").trim().parse().expect("a pid");
        let (shell, sleep): (i32, i32) = (pid("shell"), pid("sleep"));
        let signal = |pid, signal| kill(Pid::from_raw(pid), signal).expect("signal");
        let front = login.terminal.pid();
        let spawner = parent(shell);
        // Both are there when it looks again.
        signal(front, Signal::SIGSTOP);
        eventually("the front to stand still", LIMIT, || (state(front) == Some('T')).then_some(()));
        signal(shell, Signal::SIGKILL);
        let told = || state(shell).is_none() && state(spawner) == Some('S');
        eventually("the spawner to have told of the end", LIMIT, || told().then_some(()));
        login.terminal.send(typed);
        signal(front, Signal::SIGCONT);
        login.terminal.end();
        all_gone(&[shell, sleep]);
        login.check(&[10]);
    }
}

const STOPPED: &str = "a signal has stopped the shell; the login is ended";

/// How the login ended, and that its recording says why.
#[track_caller]
fn ended_saying(login: Login, text: &str) {
    let closed = journal::wait_for(&login.parts.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "exit", "{closed}");
    let recording = std::fs::read_to_string(login.parts.recording()).expect("its recording");
    assert!(recording.contains(text), "{recording}");
    login.check(&[10]);
}

/// A shell that a program of the agent's has stopped neither takes a line nor ends: at the prompt, while a line
/// waits, and while one runs, which would be "running" until its client goes.
#[test]
fn a_shell_that_is_stopped_ends_the_login() {
    for (line, follows) in [("true", ""), ("true", "touch made # LATER\r"), ("echo $$ >shell; sleep 60", "")] {
        let mut login = Login::new();
        login.line("(until [ -e now ]; do sleep 0.05; done; kill -STOP $$) & true");
        if line.contains("sleep") {
            login.terminal.send(&format!("{line}\r"));
            eventually("it to run", LIMIT, || login.file("shell").exists().then_some(()));
        } else {
            login.line(line);
        }
        if !follows.is_empty() {
            login.terminal.send(follows);
            login.terminal.expect("held");
        }
        std::fs::write(login.file("now"), "").expect("a file");
        login.terminal.expect(STOPPED);
        login.terminal.end();
        assert!(!login.file("made").exists());
        let ended = journal::wait_for(&login.parts.journal(), "exec_finished", 2);
        let killed = line.contains("sleep").then(|| serde_json::json!(9));
        assert_eq!(ended["body"].get("signal"), killed.as_ref(), "{ended}");
        ended_saying(login, STOPPED);
    }
}

/// A line that takes the driver's functions from it would leave the login "running" with nothing that runs.
#[test]
fn a_shell_that_does_not_come_back_to_its_gate_ends_the_login() {
    let text = "the shell does not come back to its gate; the login is ended";
    for line in
        ["FUNCNEST=1", "shopt -s extdebug; trap false DEBUG", "set -T; trap 'return 1' DEBUG; shopt -s extdebug"]
    {
        let mut login = Login::new();
        login.line("echo one");
        login.terminal.send(&format!("{line}\r"));
        login.terminal.expect(text);
        login.terminal.end();
        ended_saying(login, text);
    }
}

/// Neither that, nor a signal to the shell, nor what reads long from the terminal is taken for it.
#[test]
fn a_shell_that_runs_something_is_left_alone() {
    let mut login = Login::new();
    for line in ["echo one", "sleep 2.5", "trap 'echo caught' USR1; kill -USR1 $$; sleep 1.5", "(exec sleep 1.2)"] {
        login.line(line);
    }
    login.terminal.send("echo be''gun; read -r word; echo got $word\r");
    login.terminal.expect("begun");
    std::thread::sleep(Duration::from_millis(1500));
    login.terminal.send("this\r");
    login.terminal.expect("got this");
    login.terminal.prompt();
    login.leave();
}
