//! An interactive login through the real sshd, and the agent's own history file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, eventually};
use countersign_tests::terminal::Terminal;
use nix::sys::stat::Mode;

fn login(host: &Installation) -> Terminal {
    let mut command = host.ssh_as(AGENT, &["-tt"], &[]);
    command.current_dir("/").env("TERM", "xterm-256color");
    let mut terminal = Terminal::start(&command, 100, 30);
    terminal.prompt();
    terminal
}

#[track_caller]
fn leave(mut terminal: Terminal) {
    terminal.send("\x04");
    terminal.end();
}

#[test]
fn lines_through_sshd() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let reviewer = host.reviewer();
    let mut terminal = login(&host);
    terminal.send("touch denied\r");
    reviewer.deny("touch denied", "no");
    terminal.expect("countersign: denied");
    terminal.prompt();
    terminal.send("id -un; cat /proc/$PPID/environ; echo >/proc/$PPID/fd/1; kill -9 $PPID; echo ki''ll=$?\r");
    reviewer.approve("id -un; cat /proc/$PPID/environ; echo >/proc/$PPID/fd/1; kill -9 $PPID; echo ki''ll=$?");
    terminal.expect(&format!("\n{AGENT}\n"));
    terminal.expect("kill=1");
    terminal.prompt();
    assert_eq!(terminal.shown().matches("ermission denied").count(), 2, "{}", terminal.shown());
    // What sshd's own terminal could be read by: it is exclusively ours.
    terminal.send("for t in /dev/pts/*; do [ $t = $(tty) ] || (echo SPOO''F >$t) 2>/dev/null; done; echo tr''ied\r");
    reviewer.approve("for t in /dev/pts/*; do [ $t = $(tty) ] || (echo SPOO''F >$t) 2>/dev/null; done; echo tr''ied");
    terminal.expect("tried");
    terminal.prompt();
    assert!(!terminal.shown().contains("SPOOF"));
    terminal.send("exit 5\r");
    reviewer.approve("exit 5");
    assert_eq!(terminal.end().code(), Some(5));
    assert!(!host.home().join("denied").exists());
    journal::wait_for(&host.journal(), "session_closed", 1);
    assert_eq!(journal::of_kind(&host.journal(), "exec_started").len(), 3);
    host.verify().expect(10);
}

#[test]
fn history_is_a_file_of_the_agent_and_nothing_else() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let file = host.home().join(".countersign_history");
    let mut terminal = login(&host);
    terminal.send("echo on''ce\r");
    host.reviewer().approve("echo on''ce");
    terminal.expect("once\n");
    terminal.prompt();
    leave(terminal);
    let kept = fs::metadata(&file).expect("history");
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    let mut terminal = login(&host);
    terminal.send("\x1b[A");
    terminal.expect("echo on''ce");
    terminal.send("\r");
    host.reviewer().approve("echo on''ce");
    terminal.expect("once\n");
    // While the line runs ^D is its own.
    terminal.prompt();
    leave(terminal);
    // A link, another name of a file, a FIFO, a directory, 100 KiB of control characters: a prompt, and nothing written elsewhere.
    let victim = host.home().join("victim");
    fs::write(&victim, "mine\n").unwrap();
    chown(&victim, Some(host.uids.agent), None).unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&victim, &file).unwrap();
    leave(login(&host));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine\n");
    fs::remove_file(&file).unwrap();
    // No line that could have been typed: it would not be written again.
    fs::write(&victim, "mi\\qe\n").unwrap();
    fs::hard_link(&victim, &file).unwrap();
    leave(login(&host));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mi\\qe\n");
    fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, Mode::from_bits_truncate(0o666)).unwrap();
    chown(&file, Some(host.uids.agent), None).unwrap();
    leave(login(&host));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    leave(login(&host));
    fs::remove_dir(&file).unwrap();
    for filler in ["\x01", "\n", "\"", "\u{85}"] {
        fs::write(&file, filler.repeat(100 * 1024)).unwrap();
        chown(&file, Some(host.uids.agent), None).unwrap();
        let mut terminal = login(&host);
        // ^C clears the line, and Enter after it begins another one.
        terminal.send("\x1b[A\x1b[A\x03\r");
        terminal.prompt();
        leave(terminal);
    }
    host.verify().expect(10);
}

#[test]
fn a_login_outlives_a_crash_and_a_restart_of_hostd() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    let reviewer = host.reviewer();
    let mut terminal = login(&host);
    terminal.send("touch begun; kept=yes; until [ -e go ]; do sleep 0.1; done; (exit 3)\r");
    reviewer.approve("touch begun; kept=yes; until [ -e go ]; do sleep 0.1; done; (exit 3)");
    // Written is not yet begun: what the front has not been told of does not run.
    let begun = host.home().join("begun");
    eventually("the line runs", LIMIT, || begun.exists().then_some(()));
    host.host.take().expect("a host").kill();
    host.start_host();
    journal::wait_for(&host.journal(), "session_resumed", 1);
    // The front's secret and process are nobody else's: the agent is not even spoken to.
    let script = "import socket;s=socket.socket(socket.AF_UNIX);s.connect('/run/countersign/hostd.sock');\
                  s.settimeout(3);s.sendall(b'\\0\\0\\0\\2{}');print(s.recv(9))";
    let told = host.as_agent("python3", &["-c", script]).output().expect("python3");
    assert!(!String::from_utf8_lossy(&told.stdout).contains("b'\\x00"), "{told:?}");
    fs::write(host.home().join("go"), "").expect("file");
    terminal.prompt();
    let finished = journal::wait_for(&host.journal(), "exec_finished", 1);
    assert_eq!(finished["body"]["code"], 3, "{finished}");
    assert_eq!(host.host.take().expect("a host").terminate(), 0);
    terminal.expect("countersign-hostd is away");
    terminal.send("touch made\r");
    terminal.expect("nothing ran");
    host.start_host();
    terminal.expect("countersign-hostd is back");
    terminal.send("echo still $kept\r");
    reviewer.approve("echo still $kept");
    terminal.expect("still yes");
    terminal.prompt();
    assert!(!host.home().join("made").exists());
    leave(terminal);
    journal::wait_for(&host.journal(), "session_closed", 1);
    host.verify().expect(10);
}
