//! What goes wrong while a released command runs, and terminals.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

mod support;

use countersign_api::front::{CloseWhy, CommandEnd, HostMessage};
use countersign_api::recording::{Recording, What};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::{Host, assert_recorded, wait_for};

/// A line that leaves its process ids in DIR/pids and would run for long.
fn long_line(dir: &Path) -> String {
    let dir = dir.display();
    format!("echo begun; (setsid sh -c 'echo $$ >> {dir}/pids; exec sleep 600' &); echo $$ >> {dir}/pids; sleep 600")
}

fn pids(dir: &Path) -> Vec<String> {
    std::fs::read_to_string(dir.join("pids")).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn all_gone(dir: &Path) {
    for pid in pids(dir) {
        wait_for("the tree's end", || !Path::new("/proc").join(&pid).exists());
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_client_that_goes_takes_the_whole_tree_with_it() {
    for by_signal in [false, true] {
        let host = Host::approves();
        let dir = host.dir.path().to_owned();
        let mut child = host.shell(&long_line(&dir)).stdout(Stdio::piped()).spawn().unwrap();
        wait_for("both processes", || pids(&dir).len() == 2);
        if by_signal {
            signal(&child, "HUP");
        } else {
            drop(child.stdout.take());
        }
        child.wait().unwrap();
        all_gone(&dir);
        let (log, _, _dir) = host.over();
        assert!(matches!(log.finished().unwrap().end, CommandEnd::Signaled(_)));
        assert_eq!(log.close().unwrap().why, CloseWhy::Hangup);
    }
}

#[test]
fn a_front_that_is_killed_takes_the_whole_tree_with_it() {
    let host = Host::approves();
    let dir = host.dir.path().to_owned();
    let mut child = host.shell(&long_line(&dir)).stdout(Stdio::null()).spawn().unwrap();
    wait_for("both processes", || pids(&dir).len() == 2);
    child.kill().unwrap();
    child.wait().unwrap();
    all_gone(&dir);
    assert!(host.over().0.close().is_none());
}

#[test]
fn a_host_that_goes_does_not_stop_the_command() {
    let host = Host::plays(|talk| {
        talk.welcome();
        let release = talk.held();
        talk.send(&HostMessage::Released(release));
    });
    let shown = host.shell("echo one; sleep 0.5; echo two; exit 9").output().unwrap();
    assert_eq!((shown.status.code(), &shown.stdout[..]), (Some(9), &b"one\ntwo\n"[..]));
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(said.contains("could not be recorded") && said.lines().count() == 1, "{said}");
    let recording = host.recording();
    assert_eq!(countersign_api::recording::rebuild(&recording).unwrap().stdout, shown.stdout);
    host.over();
}

#[test]
fn a_host_that_ends_the_login_ends_the_command() {
    let host = Host::plays(|talk| {
        talk.welcome();
        let release = talk.held();
        talk.send(&HostMessage::Released(release));
        let pids = talk.dir.join("pids");
        wait_for("the command", || pids.exists());
        talk.send(&HostMessage::Fatal { reason: "the journal is full".into(), exit: 69 });
        talk.rest();
    });
    let dir = host.dir.path().to_owned();
    let shown = host.shell(&long_line(&dir)).output().unwrap();
    assert_eq!(shown.status.code(), Some(69), "{shown:?}");
    all_gone(&dir);
    host.over();
}

#[test]
fn a_full_disk_stops_output_and_command() {
    let small = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(small.path()).status();
    assert!(mounted.unwrap().success(), "this test needs root to mount a small file system");
    let path = small.path().join("spool");
    let host = Host::plays(move |talk| {
        let file = File::options().append(true).create(true).open(path).unwrap();
        talk.welcome_with(&file);
        let release = talk.held();
        talk.send(&HostMessage::Released(release));
        talk.rest();
    });
    let dir = host.dir.path().to_owned();
    let line = format!(
        "(sleep 600; touch {0}/late1) & echo $$ > {0}/pids; head -c 2000000 /dev/zero | tr '\\0' a; touch {0}/late",
        dir.display()
    );
    let shown = host.shell(&line).output().unwrap();
    assert_eq!(shown.status.code(), Some(69), "{}", String::from_utf8_lossy(&shown.stderr));
    all_gone(&dir);
    let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("late")), "{left:?}");
    let spool = std::fs::read(small.path().join("spool")).unwrap();
    assert!(Command::new("umount").arg("-l").arg(small.path()).status().unwrap().success());
    let recorded = Recording::parse(&support::recording(&spool)).unwrap().rebuild().stdout;
    assert!(recorded.starts_with(&shown.stdout), "{} shown, {} recorded", shown.stdout.len(), recorded.len());
    std::fs::write(dir.join("spool"), &spool).unwrap();
    let (log, _, _dir) = host.over();
    assert_eq!(log.close().unwrap().why, CloseWhy::DiskFull);
    assert!(matches!(log.finished().unwrap().end, CommandEnd::Signaled(_)));
}

struct Screen {
    child: Child,
    master: File,
}

/// Runs a line on a terminal of its own.
fn on_terminal(host: &Host, line: &str) -> Screen {
    let size = nix::pty::Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = nix::pty::openpty(&size, None).unwrap();
    let mut command = Command::new("setsid");
    let own = host.shell(line);
    command.arg("-c").arg(own.get_program()).args(own.get_args()).env("TERM", "xterm");
    let slave = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    let child =
        command.stdin(slave(&pair.slave)).stdout(slave(&pair.slave)).stderr(slave(&pair.slave)).spawn().unwrap();
    Screen { child, master: File::from(pair.master) }
}

impl Screen {
    /// Reads until the terminal is hung up; sends `reply` once `prompt` showed.
    fn talk(self, prompt: &str, reply: &[u8]) -> (Vec<u8>, std::process::ExitStatus) {
        self.answer(prompt, |master| master.write_all(reply).unwrap())
    }

    /// Reads until the terminal is hung up; acts once `prompt` showed.
    fn answer(mut self, prompt: &str, act: impl Fn(&mut File)) -> (Vec<u8>, std::process::ExitStatus) {
        let (mut seen, mut replied) = (Vec::new(), false);
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = self.master.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..n]);
            if !replied && String::from_utf8_lossy(&seen).contains(prompt) {
                replied = true;
                act(&mut self.master);
            }
        }
        (seen, self.child.wait().unwrap())
    }
}

#[test]
fn a_command_with_a_terminal_has_one() {
    let host = Host::approves();
    let line = "tty; echo $SSH_TTY; stty size; echo err >/dev/stderr; read -p 'name? ' x; echo hello $x; exit 3";
    let (seen, status) = on_terminal(&host, line).talk("name? ", b"world\r");
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert_eq!(status.code(), Some(3), "{text}");
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("/dev/pts/") && lines[0] == lines[1], "{text}");
    assert_eq!(&lines[2..], ["30 100", "err", "name? world", "hello world", ""], "{text}");
    let (log, recording, _dir) = host.over();
    let terminal = log.hello.unwrap().terminal.unwrap();
    assert_eq!((terminal.term.as_str(), terminal.columns, terminal.rows), ("xterm", 100, 30));
    assert_eq!(countersign_api::recording::rebuild(&recording).unwrap().stdout, seen);
}

#[test]
fn typed_ahead_input_and_a_new_size_reach_the_command() {
    let host = Host::approves();
    let screen = on_terminal(&host, "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done");
    let (seen, status) = screen.answer("ready", |master| {
        let size = countersign_sys::terminal::Size { columns: 90, rows: 20 };
        countersign_sys::terminal::set_size(master.as_fd(), size).unwrap();
    });
    assert_eq!(status.code(), Some(0));
    assert!(String::from_utf8_lossy(&seen).contains("20 90"), "{}", String::from_utf8_lossy(&seen));
    let (_, recording, _dir) = host.over();
    let events = Recording::parse(&recording).unwrap().events;
    assert!(events.iter().any(|e| e.what == What::Resize(90, 20)));

    let host = Host::plays(|talk| {
        talk.welcome();
        let release = talk.held();
        std::fs::write(talk.dir.join("held"), "").unwrap();
        let typed = talk.dir.join("typed");
        wait_for("typing", || typed.exists());
        talk.send(&HostMessage::Released(release));
        talk.rest();
    });
    let (held, typed) = (host.dir.path().join("held"), host.dir.path().join("typed"));
    let mut screen = on_terminal(&host, "read x; echo got $x");
    wait_for("the submission", || held.exists());
    screen.master.write_all(b"early\r").unwrap();
    std::fs::write(typed, "").unwrap();
    let (seen, _) = screen.talk("never", b"");
    assert!(String::from_utf8_lossy(&seen).contains("got early"), "{}", String::from_utf8_lossy(&seen));
    host.over();
}

#[test]
fn control_c_cancels_while_pending_and_reaches_the_command_while_it_runs() {
    let host = Host::plays(|talk| {
        talk.welcome();
        let nonce = talk.held().nonce;
        std::fs::write(talk.dir.join("held"), "").unwrap();
        let cancel = talk.hear();
        assert!(matches!(cancel, Some(countersign_api::front::FrontMessage::Cancel { .. })), "{cancel:?}");
        let id = countersign_core::SubmissionId::from_random([3; 16]);
        let outcome = countersign_core::Outcome::Cancelled;
        talk.send(&HostMessage::Refused { id, nonce, outcome, by: None, reason: "interrupt".into(), exit: 126 });
        talk.rest();
    });
    let held = host.dir.path().join("held");
    let mut screen = on_terminal(&host, "echo ran");
    wait_for("the submission", || held.exists());
    screen.master.write_all(b"junk\x03").unwrap();
    let (seen, status) = screen.talk("never", b"");
    assert_eq!(status.code(), Some(126));
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(text.contains("countersign: cancelled id=") && !text.contains("ran"), "{text}");
    host.over();

    let host = Host::approves();
    let (_, status) = on_terminal(&host, "echo go; sleep 600").talk("go", b"\x03");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(2));
    host.over();
}

#[test]
fn a_terminal_that_is_lost_ends_the_tree() {
    let host = Host::approves();
    let dir = host.dir.path().to_owned();
    let Screen { mut child, master } = on_terminal(&host, &long_line(&dir));
    wait_for("both processes", || pids(&dir).len() == 2);
    drop(master);
    child.wait().unwrap();
    all_gone(&dir);
    assert_eq!(host.over().0.close().unwrap().why, CloseWhy::Hangup);
}

#[test]
fn much_output_on_a_terminal_is_recorded_as_shown() {
    let host = Host::approves();
    let (seen, status) = on_terminal(&host, "seq 1 200000").talk("never", b"");
    assert_eq!(status.code(), Some(0));
    assert!(seen.ends_with(b"\r\n200000\r\n"));
    let (_, recording, _dir) = host.over();
    let shown = std::process::Output { status, stdout: seen, stderr: Vec::new() };
    assert_recorded(&recording, &shown);
}

#[test]
fn a_signal_to_the_front_is_not_a_hang_up_of_the_client() {
    for name in ["TERM", "INT"] {
        let host = Host::approves();
        let dir = host.dir.path().to_owned();
        let mut child = host.shell(&long_line(&dir)).stdout(Stdio::null()).spawn().unwrap();
        wait_for("both processes", || pids(&dir).len() == 2);
        signal(&child, name);
        child.wait().unwrap();
        all_gone(&dir);
        assert_eq!(host.over().0.close().unwrap().why, CloseWhy::Interrupt);
    }
}

#[test]
fn other_programs_of_the_agent_cannot_open_the_terminal() {
    let host = Host::approves();
    let screen = on_terminal(&host, "echo ready; read x; echo over");
    let path = std::fs::read_link(format!("/proc/{}/fd/0", screen.child.id())).unwrap();
    assert!(path.starts_with("/dev/pts"), "{}", path.display());
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let open = move || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", "echo unseen >>$0"]);
        !command.arg(&path).stderr(Stdio::null()).status().unwrap().success()
    };
    wait_for("the terminal to be taken", open);
    let (seen, _) = screen.talk("ready", b"\r");
    let after_first_refusal = String::from_utf8_lossy(&seen).into_owned();
    assert!(after_first_refusal.contains("over"), "{after_first_refusal}");
    host.over();
}

#[test]
fn a_spawner_that_is_lost_is_told_and_its_child_is_dead() {
    let host = Host::approves();
    let dir = host.dir.path().to_owned();
    let line = format!("echo $$ > {}/pids; echo ready; exec sleep 600", dir.display());
    let mut child = host.shell(&line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What the front shows it knows to have started.
    let mut out = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut out, &mut [0; 6]).unwrap();
    let spawner = *countersign_sys::children(i32::try_from(child.id()).unwrap()).first().unwrap();
    countersign_sys::process::kill_child(spawner).unwrap();
    let shown = child.wait_with_output().unwrap();
    all_gone(&dir);
    let said = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(said.contains("was lost") && said.contains("may still run"), "{said}");
    assert_eq!(host.over().0.finished().unwrap().end, CommandEnd::Signaled(9));
}
