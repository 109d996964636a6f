//! `countersign try` without a command line, with the built-in reviewer.

use std::process::Command;

use countersign_tests::programs::{CLI, program};
use countersign_tests::terminal::Terminal;
use countersign_tests::trial::Trial;

fn login(trial: &Trial, decision: &str) -> Terminal {
    let mut command = Command::new(program(CLI));
    for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
        command.env_remove(name);
    }
    command.arg("try").arg("--state").arg(trial.state()).args(["--decide", decision]);
    let work = trial.file("x").parent().expect("work").to_owned();
    command.current_dir(work).env("TERM", "xterm");
    let mut terminal = Terminal::start(&command, 80, 24);
    terminal.prompt();
    terminal
}

#[test]
fn a_login_that_is_decided() {
    let trial = Trial::new();
    let mut terminal = login(&trial, "approve");
    terminal.send("echo al''ive >made; cat made\r");
    terminal.expect("\nalive\n");
    terminal.prompt();
    terminal.send("exit 3\r");
    assert_eq!(terminal.end().code(), Some(3));
    let mut terminal = login(&trial, "deny");
    terminal.send("rm made\r");
    terminal.expect("denied");
    terminal.prompt();
    terminal.send("\x04");
    assert_eq!(terminal.end().code(), Some(126));
    assert!(trial.file("made").exists());
    trial.verify().expect(10);
}
