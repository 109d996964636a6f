//! Programs that an approved line starts, against the login itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use countersign_tests::terminal::plain;

use super::Login;

fn moment(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn false_marks_and_messages() {
    let mut login = Login::new();
    // The driver's own words, where they can be found, printed to the terminal.
    login.line("eval \"$(declare -f __cs_ready | grep -F 133 | sed 's/>&61.*//')\"; printf '\\033]133;D;x\\007\\0A\\0R0\\t# \\0'");
    login.ends("echo ali''ve", "alive");
    // To descriptors that are closed, or that a subshell inherited.
    login.line("printf 'A\\0' >&62; printf 'R0\\tx\\0' >/dev/fd/62; echo >/dev/fd/61; true");
    login.terminal.send("touch made #NEVER\r");
    login.terminal.expect("denied");
    login.terminal.prompt();
    assert!(!login.file("made").exists());
    login.leave();
}

#[test]
fn a_false_ready_only_holds_more() {
    let mut login = Login::new();
    login.terminal.send("for n in 10 11 12 13 63; do printf 'R0\\tfalse> \\0' >&$n; done 2>/dev/null; declare -f __cs_ready | grep 133 >d; . ./d 61>&1; sleep 2\r");
    moment(700);
    login.terminal.send("touch made #NEVER\r");
    moment(2500);
    assert!(!login.file("made").exists());
    drop(login.person.take());
    super::nothing_undecided(&login.parts);
}

#[test]
fn sockets_of_the_shell_by_path() {
    let mut login = Login::new();
    login.line("for d in /proc/$$/fd/0 /proc/$$/fd/62 /proc/$$/fd/63 /proc/$PPID/fd/*; do echo 'touch made' >\"$d\"; done 2>/dev/null; true");
    login.line("(sleep 0.3; for d in /proc/$$/fd/*; do [ -S $d ] && echo 'touch made' >$d; done) 2>/dev/null & true");
    moment(600);
    login.ends("echo ali''ve", "alive");
    assert!(!login.file("made").exists());
    login.leave();
}

#[test]
fn start_up_files_do_not_run() {
    let mut login = Login::new();
    fs::write(login.file("env"), "touch made\n").unwrap();
    login.line("export BASH_ENV=$PWD/env ENV=$PWD/env PROMPT_DIRTRIM=1");
    login.ends("echo ${BASH_ENV##*/}", "\nenv");
    assert!(!login.file("made").exists());
    login.leave();
}

#[test]
fn completion_runs_nothing() {
    let mut login = Login::new();
    for name in ["$(touch made)", "a`touch made`", "b\n;touch made\n", "c\x1b]0;evil\x07", "-rf *", "d'\"q", "漢字"] {
        fs::create_dir(login.file(name)).unwrap();
    }
    for index in 0..2000 {
        fs::write(login.file(&format!("\x01\x01\x01\x01\x01\x01\x01\x01{index}")), "").unwrap();
    }
    symlink("/", login.file("root-link")).unwrap();
    for typed in [
        "echo $(\t",
        "echo \t\t",
        "ls a\t",
        "ls b\t",
        "ls c\t\t",
        "ls -\t",
        "ls d\t",
        "ls 漢\t",
        "\t\t",
        "ls $(touch made)/\t",
        "ls ~/\t",
        "ls root-link/e\t",
    ] {
        login.terminal.send(typed);
        moment(60);
        login.terminal.send("\x03");
        login.terminal.prompt();
    }
    let raw = login.terminal.raw();
    assert!(!raw.windows(7).any(|w| w == b"\x1b]0;evi"), "a name reached the terminal as it is: {}", plain(&raw));
    assert!(!login.file("made").exists());
    assert_eq!(login.submitted(), Vec::<String>::new());
    login.ends("echo ali''ve", "alive");
    login.leave();
}

#[test]
fn the_working_directory_goes_away() {
    let mut login = Login::new();
    login.line("mkdir gone; cd gone; rmdir ../gone");
    login.ends("echo ali''ve", "alive");
    login.line("cd /");
    login.leave();
}

#[test]
fn something_else_reads_the_terminal() {
    let mut login = Login::new();
    // It may take what the front leaves there to tell what was read: then the login ends, and that is well.
    let thief = "setsid sh -c 'exec timeout 1 cat </dev/tty' & setsid timeout 1 cat \"$(tty)\" >stolen 2>&1 & true\r";
    login.terminal.send(thief);
    countersign_tests::journal::wait_for(&login.parts.journal(), "exec_finished", 1);
    login.terminal.send("touch made #NEVER\r");
    moment(2500);
    assert!(!login.file("made").exists());
    drop(login.person.take());
    super::nothing_undecided(&login.parts);
}
