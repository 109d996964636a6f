//! `/proc` mounted with `hidepid`, as doctor names it: whoever is not in the daemon's group sees his own processes only.

use std::fs;

use countersign_tests::installation::{AGENT, Installation, Options, PROGRAMS};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, eventually};
use countersign_tests::terminal::Terminal;

fn hidden() -> Option<Installation> {
    Installation::new(Options { proc: Some("hidepid=invisible"), ..Options::default() })
}

#[test]
fn a_login_within_a_login_is_known_and_ends_with_it() {
    let Some(host) = hidden() else { return };
    let seen = host.as_agent("ls", &["/proc/1"]).output().expect("ls");
    assert!(!seen.status.success(), "nothing is hidden");
    let inner = "touch runs; setsid sh -c \"until [ -e go ]; do sleep 0.1; done\"; touch escaped";
    let line = format!("{PROGRAMS}/countersign-sh -c '{inner}' & sleep 60");
    let client = Running::start(&mut host.ssh(&line), None);
    host.reviewer().approve(&line);
    host.reviewer().approve(inner);
    eventually("it to run", LIMIT, || host.home().join("runs").exists().then_some(()));
    drop(client);
    let opened = journal::of_kind(&host.journal(), "session_opened");
    assert_eq!(opened[1]["body"]["nested"], opened[0]["sess"]["id"]);
    journal::wait_for(&host.journal(), "session_closed", 2);
    fs::write(host.home().join("go"), "").expect("a file");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!host.home().join("escaped").exists(), "it outlived the login");
}

#[test]
fn a_shell_is_told_from_what_takes_its_place_and_a_login_is_taken_up_again() {
    let Some(mut host) = hidden() else { return };
    let reviewer = host.reviewer();
    let login = |host: &Installation| {
        let mut command = host.ssh_as(AGENT, &["-tt"], &[]);
        command.current_dir("/").env("TERM", "xterm");
        let mut terminal = Terminal::start(&command, 120, 40);
        terminal.prompt();
        terminal
    };
    let mut terminal = login(&host);
    host.host.take().expect("a host").kill();
    host.start_host();
    journal::wait_for(&host.journal(), "session_resumed", 1);
    terminal.expect("is back; lines are taken again");
    terminal.send("exec cat\r");
    reviewer.approve("exec cat");
    terminal.expect("\n");
    eventually("cat to answer", LIMIT, || {
        terminal.send("pi''ng\r");
        std::thread::sleep(std::time::Duration::from_millis(200));
        (terminal.shown().matches("pi''ng").count() > 1).then_some(())
    });
    terminal.send("\x04");
    terminal.end();
    // A shell that only says nothing any more does not get what is typed.
    let mut terminal = login(&host);
    let line = "exec 10<&- 11<&- 12<&- 13<&-; sleep 8";
    terminal.send(&format!("{line}\r"));
    reviewer.approve(line);
    terminal.send("touch made\r");
    terminal.expect("let go of its gate");
    terminal.end();
    assert!(!fs::exists(host.home().join("made")).expect("home"));
}
