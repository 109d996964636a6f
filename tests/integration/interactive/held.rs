//! What is denied, waits, or is typed ahead.

use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::run::{LIMIT, eventually};
use countersign_tests::terminal::Terminal;

use super::{Login, shell};

#[test]
fn a_denied_line_does_not_run() {
    let mut login = Login::new();
    login.ends("touch made # NEVER", "denied");
    login.ends("echo st=$?", "st=126");
    login.terminal.send("cat <<EOF # NEVER\r$(touch made)\r");
    login.ends("EOF", "denied");
    assert!(!login.file("made").exists());
    login.line("touch made");
    assert!(login.file("made").exists(), "the control");
    login.leave();
}

#[test]
fn what_follows_a_denied_line_does_not_run() {
    let mut login = Login::new();
    login.terminal.send("touch a\rtouch b\rtouch c #NEVER\rtouch d\rtouch e\r");
    login.terminal.expect("denied");
    login.terminal.prompt();
    std::thread::sleep(Duration::from_millis(500));
    login.ends("echo do''ne", "done");
    let made = ["a", "b", "c", "d", "e"].map(|name| login.file(name).exists());
    assert_eq!(made, [true, true, false, false, false]);
    assert_eq!(login.submitted(), ["touch a", "touch b", "touch c #NEVER", "echo do''ne"]);
    login.leave();
}

/// More than what waits anywhere on the way: what comes after the denial begins in the middle of a line.
#[test]
fn a_burst_that_was_cut_off_is_dropped_to_its_end() {
    let mut login = Login::new();
    let lines: String = (0..3000).map(|n| format!("echo {n:04} touch made; touch made\r")).collect();
    login.terminal.send(&format!("true #NEVER\r{lines}"));
    login.terminal.expect("what was typed after it was dropped");
    login.terminal.prompt();
    std::thread::sleep(Duration::from_secs(1));
    login.ends("echo do''ne", "done");
    assert_eq!(login.submitted(), ["true #NEVER", "echo do''ne"]);
    // Nobody who waits for the prompt loses what is typed then.
    login.terminal.send("true #NEVER\r");
    login.terminal.expect("denied");
    login.terminal.prompt();
    login.ends("echo ag''ain", "again");
    login.leave();
}

#[test]
fn what_cannot_be_sent_is_said_once_and_drops_what_follows() {
    let mut login = Login::new();
    login.terminal.send("echo \u{9b}\rtouch made\r");
    login.terminal.expect("not sent: ");
    login.terminal.prompt();
    std::thread::sleep(Duration::from_millis(600));
    login.ends("echo do''ne", "done");
    let said = String::from_utf8_lossy(&login.terminal.raw()).matches("a reviewer cannot see").count();
    assert_eq!((said, login.submitted()), (1, vec!["echo do''ne".to_owned()]));
    assert!(!login.file("made").exists());
    login.leave();
}

#[test]
fn type_ahead_is_held_too() {
    let mut login = Login::new();
    let until = |name: &str| format!("echo be''gun; until [ -e {name} ]; do sleep 0.05; done\r");
    let now = |login: &Login, name: &str| std::fs::write(login.file(name), "").expect("a file");
    login.terminal.send(&until("first"));
    login.terminal.expect("begun");
    login.terminal.send("touch ahead #NEVER\r");
    // The inner terminal has it.
    login.terminal.expect("touch ahead #NEVER");
    now(&login, "first");
    login.terminal.expect("denied");
    login.terminal.prompt();
    assert!(!login.file("ahead").exists());
    login.terminal.send(&until("second"));
    login.terminal.expect("begun");
    login.terminal.send("echo PAR");
    login.terminal.expect("echo PAR");
    now(&login, "second");
    login.ends("TI''AL", "PARTIAL");
    assert_eq!(login.submitted().last().unwrap(), "echo PARTI''AL");
    login.leave();
}

#[test]
fn control_c_gives_up_a_line_that_waits() {
    let mut login = Login::new();
    login.terminal.send("touch made # LATER\r");
    login.terminal.expect("countersign: held ");
    login.terminal.expect("asking ops-lead");
    login.terminal.expect(" s left");
    let id = journal::wait_for(&login.parts.journal(), "command_submitted", 1)["body"]["id"].clone();
    assert!(login.terminal.shown().contains(&format!("held {}", &id.as_str().unwrap()[..8])));
    login.terminal.send("\x03");
    login.terminal.expect("cancelled");
    login.terminal.prompt();
    assert_eq!(journal::wait_for(&login.parts.journal(), "decided", 1)["body"]["outcome"], "cancelled");
    login.ends("echo st=$?", "st=126");
    assert!(!login.file("made").exists());
    login.leave();
}

#[test]
fn enter_and_control_c_at_the_prompt_ask_nobody() {
    let mut login = Login::new();
    login.terminal.send("\r");
    login.terminal.prompt();
    login.terminal.send("touch never-sent\x03");
    login.ends("echo st=$?", "st=130");
    assert_eq!(login.submitted(), ["echo st=$?"]);
    login.leave();
}

#[test]
fn a_dumb_terminal_gets_plain_text() {
    let mut login = Login::on(&countersign_tests::parts::Parts::new, "dumb");
    login.ends("echo pl''ain", "plain");
    login.ends("true # NEVER", "denied");
    let raw = login.terminal.raw();
    assert!(!raw.contains(&0x1b), "{}", String::from_utf8_lossy(&raw));
    login.leave();
}

/// No such terminal is known anywhere, and the login is none the worse for it.
#[test]
fn a_terminal_with_a_name_beyond_all_bounds_is_a_dumb_one() {
    let mut login = Login::on(&countersign_tests::parts::Parts::new, &"x".repeat(300));
    login.ends("echo pl''ain", "plain");
    login.leave();
}

#[test]
fn two_logins_do_not_meet() {
    let mut login = Login::new();
    let mut other = Terminal::start(&shell(&login.parts, "xterm"), 80, 24);
    other.prompt();
    login.terminal.send("echo fi''rst # LATER\r");
    login.terminal.expect("held");
    other.send("echo sec''ond\r");
    other.expect("second");
    other.prompt();
    assert!(!login.terminal.shows("first"));
    other.send("\x04");
    other.end();
    login.terminal.send("\x03");
    login.terminal.prompt();
    login.leave();
}

#[test]
fn time_runs_out() {
    let mut login = Login::on(&|| countersign_tests::parts::Parts::waiting(2_000), "xterm");
    login.terminal.send("touch made # LATER\r");
    login.terminal.expect("timed_out");
    login.terminal.prompt();
    eventually("the record", LIMIT, || {
        let decided = journal::of_kind(&login.parts.journal(), "decided").pop()?;
        (decided["body"]["outcome"] == "timed_out").then_some(())
    });
    assert!(!login.file("made").exists());
    login.leave();
}

#[test]
fn thousands_of_empty_lines_typed_ahead() {
    let mut login = Login::new();
    login.terminal.send("sleep 0.5\r");
    login.terminal.expect("held");
    for _ in 0..10 {
        login.terminal.send(&"\r".repeat(1000));
    }
    login.terminal.send("echo thr''ough\r");
    login.terminal.expect("through");
    login.terminal.prompt();
    login.leave();
}
