//! Programs on the inner terminal.

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::run::{LIMIT, eventually};

use super::Login;

fn moment(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// A program that says when it can be interrupted or stopped, and then does this.
fn says_and(does: &str) -> String {
    format!("sh -c 'echo be''gun; {does}'")
}

/// Until this file is there.
fn until(file: &str) -> String {
    says_and(&format!("until [ -e {file} ]; do sleep 0.05; done"))
}

impl Login {
    /// Types a line in which [`says_and`] stands, and presses a key once that has begun.
    #[track_caller]
    fn press(&mut self, line: &str, key: &str) {
        self.terminal.idle();
        self.terminal.send(&format!("{line}\r"));
        self.terminal.expect("begun");
        self.terminal.send(key);
    }

    /// The same with ^Z, up to the prompt.
    #[track_caller]
    fn suspend(&mut self, line: &str) {
        self.press(line, "\x1a");
        self.terminal.expect("Stopped");
        self.terminal.prompt();
    }

    fn touch(&self, name: &str) {
        fs::write(self.file(name), "").expect("a file");
    }
}

#[test]
fn programs_read_the_terminal() {
    let mut login = Login::new();
    login.terminal.send("echo be''gun; cat; echo cat''=$?\r");
    login.terminal.expect("begun");
    login.terminal.send("line1\r");
    login.terminal.expect("line1\nline1");
    login.terminal.send("\x04");
    login.terminal.expect("cat=0");
    login.terminal.prompt();
    login.terminal.send("echo be''gun; read -r v; echo got''=$v\r");
    login.terminal.expect("begun");
    login.terminal.send("abc\r");
    login.terminal.expect("got=abc");
    login.terminal.prompt();
    login.terminal.send("python3 -q\r");
    login.terminal.expect(">>> ");
    login.terminal.send("print(6*7)\r");
    login.terminal.expect("42");
    login.terminal.expect(">>> ");
    login.terminal.send("\x04");
    login.terminal.prompt();
    login.leave();
}

#[test]
fn a_password_is_not_echoed() {
    let mut login = Login::new();
    login
        .terminal
        .send("stty -echo </dev/tty; echo pass''word:; read -r p </dev/tty; stty echo </dev/tty; echo pw''=$p\r");
    login.terminal.expect("password:");
    let before = login.terminal.shown().len();
    login.terminal.send("sekrit\r");
    login.terminal.expect("pw=sekrit");
    let shown = login.terminal.shown()[before..].replace("pw=sekrit", "");
    assert!(!shown.contains("sekrit"), "{shown}");
    login.terminal.prompt();
    login.leave();
}

#[test]
fn programs_see_a_terminal_and_nothing_of_ours() {
    let mut login = Login::new();
    login.ends("python3 -c 'import os;print([os.isatty(i) for i in (0,1,2)],sorted(map(int,os.listdir(\"/proc/self/fd\")))[:-1])'", "[True, True, True] [0, 1, 2]");
    login.ends("ls -l /proc/self/fd | grep -c socket", "\n0");
    login.ends("env | grep -c __cs", "\n0");
    login.leave();
}

#[test]
fn control_c_reaches_what_runs() {
    let mut login = Login::new();
    login.press(&says_and("exec sleep 60"), "\x03");
    login.terminal.prompt();
    login.ends("echo rc=$?", "rc=130");
    login.press(&format!("for i in 1 2 3; do {}; echo NO''PE; done", says_and("exec sleep 60")), "\x03");
    login.terminal.prompt();
    login.ends("echo AFT''ER", "AFTER");
    assert!(!login.terminal.shown().contains("NOPE"));
    // ^C at the moment at which a line ends is no reason to lose the login.
    for wait in [0, 2, 5, 10, 20, 40, 60, 80] {
        let before = login.finished();
        login.terminal.send("touch begun; sleep 0.05\r");
        eventually("the line to begin", LIMIT, || fs::remove_file(login.file("begun")).ok());
        moment(wait);
        login.terminal.send("\x03");
        eventually("its end", LIMIT, || (login.finished() > before).then_some(()));
        login.terminal.idle();
    }
    login.ends("echo STI''LL", "STILL");
    login.leave();
}

#[test]
fn jobs_stop_and_go_on() {
    let mut login = Login::new();
    login.suspend(&until("go"));
    login.ends("jobs", "Stopped");
    login.touch("go");
    login.ends("bg; wait; echo bg''done", "bgdone");
    login.suspend(&format!("{}; echo SEC''OND", says_and("exec sleep 60")));
    login.ends("kill %1; echo K''ILLED", "KILLED");
    login.line("until [ -e end ]; do sleep 0.05; done & echo $! >job");
    let job = fs::read_to_string(login.file("job")).expect("its process id");
    login.touch("end");
    let job = Path::new("/proc").join(job.trim());
    eventually("the shell to see its end", LIMIT, || (!job.exists()).then_some(()));
    login.ends("true", "Done");
    login.suspend(&format!("{}; echo fg''=end", until("fg")));
    login.touch("fg");
    login.line("fg");
    login.leave();
}

fn with_a_stopped_job() -> Login {
    let mut login = Login::new();
    login.suspend(&says_and("exec sleep 60"));
    login
}

/// As in bash: said once, and whoever says it again, or has looked at the jobs, leaves.
#[test]
fn jobs_that_are_stopped_keep_the_login_once() {
    let stopped = "There are stopped jobs.";
    for (leaving, again) in [("exit\r", "exit 7\r"), ("\x04", "\x04"), (" exit 3 \r", "\x04")] {
        let mut login = with_a_stopped_job();
        login.terminal.send(leaving);
        login.terminal.expect(stopped);
        login.terminal.prompt();
        login.ends("echo status $?", "status 1");
        // Something came between.
        login.terminal.send(leaving);
        login.terminal.expect(stopped);
        login.terminal.prompt();
        login.terminal.send(again);
        let status = login.terminal.end();
        assert_eq!(status.code(), Some(if again.contains('7') { 7 } else { 1 }));
        login.check(&[10]);
    }
    let mut login = with_a_stopped_job();
    login.ends("jobs", "Stopped");
    login.terminal.send("exit\r");
    login.terminal.end();
    assert!(!login.terminal.shown().contains(stopped));
    login.check(&[10]);
}

/// bash puts the pipes of a coprocess under the highest numbers below 64 that are closed while a line runs.
#[test]
fn a_coprocess_takes_no_descriptor_of_ours() {
    let mut login = Login::new();
    for round in 0..5 {
        login.ends("coproc true", "");
        login.ends(&format!("echo round''{round}"), &format!("round{round}"));
    }
    login.ends("coproc cat", "");
    login.ends("echo through''cat >&${COPROC[1]}; read -r -t 5 -u ${COPROC[0]} x; echo [$x]", "[throughcat]");
    login.ends("kill $COPROC_PID", "");
    login.leave();
}

/// In bash it would end the evaluation of the line, and the login with it.
#[test]
fn a_mode_of_editing_is_not_bashs_to_change() {
    let mut login = Login::new();
    for mode in ["set -o vi", " set  -o emacs ", "set +o emacs"] {
        login.terminal.send(&format!("{mode}\r"));
        login.terminal.expect("changes nothing; nothing ran");
        login.terminal.prompt();
    }
    login.ends("echo status $?", "status 126");
    login.leave();
}

#[test]
fn full_screen_programs() {
    let mut login = Login::new();
    login.terminal.send("vim -u NONE v.txt\r");
    login.terminal.expect("v.txt\"");
    moment(300);
    login.terminal.send("ihello vim\x1b:wq\r");
    login.terminal.expect("written");
    login.terminal.prompt();
    assert_eq!(fs::read_to_string(login.file("v.txt")).unwrap(), "hello vim\n");
    login.terminal.send("seq 500 | less\r");
    login.terminal.expect("\n20\n");
    moment(300);
    login.terminal.send("q");
    login.terminal.prompt();
    login.ends("echo le''ss=$?", "less=0");
    login.terminal.resize(111, 33);
    // The prompt, drawn anew.
    login.terminal.expect("# ");
    login.ends("stty size", "33 111");
    login.leave();
}

#[test]
fn what_replaces_the_shell_keeps_the_login() {
    let mut login = Login::new();
    login.terminal.send("exec sh -c 'echo RE''PL; read x; echo g''ot=$x; exit 5'\r");
    login.terminal.expect("REPL");
    login.terminal.send("typed\r");
    login.terminal.expect("got=typed");
    assert_eq!(login.terminal.end().code(), Some(5));
    login.check(&[10]);
}

#[test]
fn a_nested_shell_takes_a_person_and_is_then_not_gated() {
    let mut login = Login::new();
    login.terminal.send("bash --norc # NEVER\r");
    login.terminal.expect("denied");
    login.terminal.prompt();
    login.terminal.send("bash --norc\r");
    // Its own prompt.
    login.terminal.expect("bash-");
    let before = login.submitted().len();
    login.terminal.send("touch nested #NEVER\r");
    eventually("it to run", LIMIT, || login.file("nested").exists().then_some(()));
    login.terminal.send("exit\r");
    login.terminal.prompt();
    assert!(login.file("nested").exists(), "SECURITY.md says that this is not gated");
    assert_eq!(login.submitted().len(), before);
    login.ends("echo ba''ck", "back");
    login.leave();
}

/// Alt-^E expands what stands in the line, substitutions and all: whoever approves that has approved a shell.
#[test]
fn the_keys_of_read_run_what_is_typed_and_so_it_is_marked() {
    let mut login = Login::new();
    login.terminal.send("read -e -p 're''ady> ' x\r");
    login.terminal.expect("ready> ");
    login.terminal.send("$(touch made)\x1b\x05");
    eventually("the substitution to run", LIMIT, || login.file("made").exists().then_some(()));
    login.terminal.send("\r");
    login.terminal.prompt();
    let submitted = journal::of_kind(&login.parts.journal(), "command_submitted");
    assert_eq!(submitted[0]["body"]["flags"], serde_json::json!(["interactive_escape"]));
    login.leave();
}
