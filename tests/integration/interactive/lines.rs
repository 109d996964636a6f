//! Lines that run: what bash does with them is what bash does.

use std::fs;

use super::Login;

#[test]
fn the_shell_keeps_what_lines_leave() {
    let mut login = Login::new();
    login.line("sh -c 'exit 7'");
    login.ends("echo st=$?", "st=7");
    login.line("cd /usr");
    login.line("x=42; declare -A map=([a]=MAPPED)");
    login.line("f() { echo F$x; }");
    login.line("alias zz='echo ALI'");
    login.ends("f; pwd; zz", "F42\n/usr\nALI");
    login.ends("echo ${map[a]}", "MAPPED");
    login.ends("(cd /; pwd); pwd", "/\n/usr");
    login.line("false");
    login.ends("echo $?; echo $?", "\n1\n0");
    login.terminal.send("PS1='now$?> '\r");
    login.terminal.expect("now0> ");
    login.terminal.send("false\r");
    login.terminal.expect("now1> ");
    login.leave();
}

#[test]
fn lines_of_many_rows() {
    let mut login = Login::new();
    login.terminal.send("for i in 1 2 3; do\recho L$i\r");
    login.terminal.expect("> ");
    login.ends("done", "L1\nL2\nL3");
    login.terminal.send("cat <<EOF\rhello $((1+2))\r");
    login.ends("EOF", "hello 3");
    let before = login.submitted().len();
    login.ends("\x1b[200~echo p''1\necho p''2\x1b[201~", "p1\np2");
    assert_eq!(login.submitted()[before..], ["echo p''1\necho p''2"], "a paste is one unit");
    login.leave();
}

#[test]
fn long_wide_and_wrong() {
    let mut login = Login::new();
    let long = "x".repeat(20_000);
    login.ends(&format!("echo -n '{long}' | wc -c"), "20000\n");
    login.ends("printf '%s|' 'z✓é漢字' | tr '|' '!'", "z✓é漢字!");
    login.ends("echo )", "syntax error");
    login.ends("echo ali''ve", "alive");
    login.line("set -u");
    login.ends("echo $nonexistent", "unbound variable");
    login.ends("echo st=$?", "st=1");
    login.line("set -x");
    login.ends("echo ab''c", "\nabc");
    login.line("set +x +u");
    login.ends("exec /nonexistent", "No such file");
    login.ends("echo ${nonexistent?is not}", "is not");
    login.line("IFS=x");
    login.ends("echo ali''ve2", "alive2");
    login.leave();
}

#[test]
fn redirections_traps_and_returns() {
    let mut login = Login::new();
    login.line("exec 3>fd3");
    login.line("echo to3 >&3; exec 3>&-");
    login.ends("cat fd3", "\nto3");
    login.ends("break; return; continue; echo ali''ve", "alive");
    login.line("exec >out; pwd");
    login.line("echo kept");
    assert!(fs::read_to_string(login.file("out")).unwrap().ends_with("kept\n"));
    login.line("exec >/dev/tty");
    login.line("trap 'echo tra''pped' EXIT");
    login.ends("shopt -s extglob nullglob; set -o posix; echo po''six", "posix");
    login.line("set +o posix");
    login.terminal.send("exit 9\r");
    login.terminal.expect("trapped");
    assert_eq!(login.terminal.end().code(), Some(9));
    login.check(&[10]);
}

#[test]
fn set_e_ends_the_shell_as_in_bash() {
    let mut login = Login::new();
    login.line("set -e");
    login.terminal.send("(exit 3)\r");
    assert_eq!(login.terminal.end().code(), Some(3));
    login.check(&[10]);
}

/// By its mark the front knows when all output of a line is read; a terminal may change what passes through it.
#[test]
fn a_terminal_that_makes_capitals_of_all_letters_goes_on() {
    let mut login = Login::new();
    login.line("stty olcuc");
    login.ends("echo hi''gh", "HIGH");
    login.leave();
}
