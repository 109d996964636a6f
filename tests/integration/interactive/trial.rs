//! `countersign try` without a command line, with the built-in reviewer.

use std::process::Command;

use countersign_tests::programs::{CLI, program};
use countersign_tests::terminal::Terminal;
use countersign_tests::trial::Trial;

fn login(trial: &Trial, decision: &[&str]) -> Terminal {
    let mut command = Command::new(program(CLI));
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
        command.env_remove(name);
    }
    command.arg("try").arg("--state").arg(trial.state()).args(decision);
    let work = trial.file("x").parent().expect("work").to_owned();
    command.current_dir(work).env("TERM", "xterm");
    let mut terminal = Terminal::start(&command, 80, 24);
    terminal.prompt();
    terminal
}

#[test]
fn a_login_that_is_decided() {
    let trial = Trial::new();
    let mut terminal = login(&trial, &["--decide", "approve"]);
    terminal.send("echo al''ive >made; cat made\r");
    terminal.expect("\nalive\n");
    terminal.prompt();
    terminal.send("exit 3\r");
    assert_eq!(terminal.end().code(), Some(3));
    let mut terminal = login(&trial, &["--decide", "deny"]);
    terminal.send("rm made\r");
    terminal.expect("denied");
    terminal.prompt();
    terminal.send("\x04");
    assert_eq!(terminal.end().code(), Some(126));
    assert!(trial.file("made").exists());
    trial.verify().expect(10);
}

/// It is longer than the terminal is wide, and somebody will select it with the mouse.
#[test]
fn what_is_to_be_copied_is_not_broken() {
    let trial = Trial::new();
    let mut terminal = login(&trial, &[]);
    let shown = terminal.shown();
    let whole = format!("approve --state {} ID\n", trial.state().display());
    assert!(shown.find(&whole) > Some(80) && !shown.contains('↪'), "{shown}");
    terminal.send("\x04");
    terminal.end();
}
