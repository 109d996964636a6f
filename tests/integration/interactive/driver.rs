//! Approved lines that look harmless and turn on the shell that we drive. Whatever they do, the line typed next
//! runs only when it was approved: after each, a line that is denied is typed, and leaves nothing.

use std::time::Duration;

use countersign_tests::run::{LIMIT, eventually};

use super::Login;

/// How the login goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// As if nothing had been.
    Goes,
    /// It ends.
    Ends,
}

/// Approves the lines, then types what must not run.
#[track_caller]
fn try_lines(lines: &[&str], then: Then) {
    let mut login = Login::new();
    for (count, line) in (1..).zip(lines) {
        if !login.terminal.is_running() {
            break;
        }
        login.terminal.send(&format!("{line}\r"));
        eventually(line, LIMIT, || {
            let over = login.terminal.is_idle() && login.all_ended() == Some(count);
            (over || !login.terminal.is_running()).then_some(())
        });
        // For what it has left to be done later.
        std::thread::sleep(Duration::from_millis(350));
    }
    if then == Then::Ends {
        eventually("the end", LIMIT, || (!login.terminal.is_running()).then_some(()));
    }
    let ended = !login.terminal.is_running();
    assert_eq!(ended, then == Then::Ends, "{lines:?}:\n{}", login.terminal.shown());
    if !ended {
        login.terminal.send("touch made #NEVER\r");
        login.terminal.expect("denied");
        login.terminal.prompt();
        login.ends("echo sti''ll", "still");
    }
    assert!(!login.file("made").exists(), "{lines:?} took the gate away");
    login.check_after(ended);
}

impl Login {
    #[track_caller]
    fn check_after(self, ended: bool) {
        if ended { self.check(&[10]) } else { self.leave() }
    }
}

#[test]
fn copies_of_descriptors_closed() {
    // bash undoes a redirection from a copy under a number above 9. Where that is gone it would go on with the
    // terminal as its standard input, and read from there what is typed.
    try_lines(&["exec 73<&-"], Then::Ends);
    try_lines(&["exec 10<&- 11<&- 12<&- 13<&-"], Then::Ends);
    try_lines(&["(sleep 60) & exec 73<&- 11<&-"], Then::Ends);
    try_lines(&["shopt -u promptvars; trap '' INT TERM; exec 73<&- 12<&-"], Then::Ends);
}

#[test]
fn copies_of_descriptors_replaced() {
    try_lines(&["echo 'touch made' >f", "exec 73<f 10<f"], Then::Goes);
    try_lines(&["printf 'E0\\ttouch made\\0' >f", "exec 11<>f 12<>f 13<>f"], Then::Goes);
    try_lines(&["exec 71<&- 72<&- 0</dev/null"], Then::Goes);
}

/// A socket is what the shell's standard input is; what comes there runs nowhere.
#[test]
fn copies_of_descriptors_become_another_socket() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                use std::io::Write as _;
                while (&stream).write_all(b"touch made\n").is_ok() {
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
    let take = format!(
        "(sleep 60; :) & v=73; exec {{v}}>&-; exec {{w}}<>/dev/tcp/127.0.0.1/{port}; for i in {{1..61}}; do exec {{z}}<&$w; done"
    );
    try_lines(&["shopt -u promptvars", &take], Then::Ends);
}

/// A job that was forked has the copies, too; but it is not the shell.
#[test]
fn copies_of_descriptors_in_a_job() {
    let false_ready = "for n in 10 11 12 13 73; do printf 'R0\\tx> \\0' >&$n; done";
    try_lines(&[&format!("(sleep 0.2; {false_ready}) 2>/dev/null & true")], Then::Ends);
}

#[test]
fn the_hook_taken_away() {
    try_lines(&["PROMPT_COMMAND=; unset PROMPT_COMMAND", "declare +r PROMPT_COMMAND; PS0="], Then::Goes);
    try_lines(&["__cs_ready() { :; }; unset -f __cs_ready __cs_gate", "__cs_done() { :; }"], Then::Goes);
    try_lines(&["alias builtin=: __cs_ready=: __cs_done=: eval=: printf=: '[[=:' case=:"], Then::Goes);
    try_lines(&["suspend", "enable -n eval; enable eval"], Then::Goes);
}

#[test]
fn variables_of_the_driver() {
    try_lines(&["declare -l __cs_line; declare -i __cs_status; __cs_busy=1 __cs_tab=x"], Then::Goes);
    try_lines(&["declare -n __cs_line=foo; export __cs_line; set -a"], Then::Goes);
    try_lines(&["readonly __cs_line"], Then::Ends);
    try_lines(&["readonly __cs_status"], Then::Ends);
    try_lines(&["readonly IFS PS1"], Then::Goes);
    try_lines(&["shopt -s localvar_inherit; declare -u __cs_message __cs_was"], Then::Goes);
    try_lines(&["shopt -s localvar_inherit; declare -n __cs_message=foo __cs_was=bar"], Then::Goes);
    try_lines(&["shopt -s localvar_inherit; readonly __cs_message"], Then::Ends);
}

#[test]
fn approved_text_is_what_runs() {
    let mut login = Login::new();
    login.line("declare -l __cs_line; declare -u __cs_message; __cs_tab=' '");
    login.ends("echo aB'C'd", "aBCd");
    login.ends("declare -p __cs_line | cut -c1-12; echo '  two  '", "declare -- _\n  two  ");
    login.leave();
}

#[test]
fn builtins_shadowed() {
    try_lines(&["printf() { :; }; read() { :; }; eval() { :; }; exit() { :; }; kill() { :; }"], Then::Goes);
    try_lines(&["builtin() { :; }"], Then::Ends);
    try_lines(&["enable -n builtin"], Then::Ends);
    try_lines(&["enable -n read"], Then::Ends);
    try_lines(&["enable -n printf"], Then::Ends);
    try_lines(&["set -e; builtin() { return 1; }"], Then::Ends);
}

#[test]
fn signals_to_the_shell() {
    try_lines(&["kill -9 $$"], Then::Ends);
    try_lines(&["kill -INT $$", "trap 'true' INT; kill -INT $$; kill -HUP 0 2>/dev/null; true #"], Then::Ends);
    try_lines(&["(sleep 0.1; kill -INT $$) & true", "trap 'touch trapped' DEBUG"], Then::Goes);
}
