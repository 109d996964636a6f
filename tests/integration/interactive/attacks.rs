//! Programs that an approved line starts, against the login itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use countersign_tests::interrupting::INTERRUPTING;
use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::person::Person;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use countersign_tests::terminal::{Terminal, plain};

use super::{Login, shell};

fn moment(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

impl Login {
    /// Waits until a line that was typed is denied, or the login has ended.
    #[track_caller]
    fn held_or_ended(&mut self, line: &str) {
        eventually(&format!("the denial of {line:?}, or the end"), LIMIT, || {
            let entries = journal::entries(&self.parts.journal());
            let id = entries.iter().find(|e| e["kind"] == "command_submitted" && journal::command(e) == line);
            let denied = |e: &serde_json::Value| e["kind"] == "decided" && e["body"]["outcome"] == "denied";
            let denied = id.is_some_and(|id| entries.iter().any(|e| denied(e) && e["body"]["id"] == id["body"]["id"]));
            (denied || !self.terminal.is_running()).then_some(())
        });
    }
}

#[test]
fn false_marks_and_messages() {
    let mut login = Login::new();
    // The driver's own words, where they can be found, printed to the terminal.
    login.line("eval \"$(declare -f __cs_ready | grep -F 133 | sed 's/>&71.*//')\"; printf '\\033]133;D;x\\007\\0A\\0R0\\t# \\0'");
    login.ends("echo ali''ve", "alive");
    // To descriptors that are closed, or that a subshell inherited.
    login.line("printf 'A\\0' >&72; printf 'R0\\tx\\0' >/dev/fd/72; echo >/dev/fd/71; true");
    login.terminal.send("touch made #NEVER\r");
    login.terminal.expect("denied");
    login.terminal.prompt();
    assert!(!login.file("made").exists());
    login.leave();
}

#[test]
fn a_false_ready_only_holds_more() {
    let mut login = Login::new();
    login.terminal.send("for n in 10 11 12 13 73; do printf 'R0\\tfalse> \\0' >&$n; done 2>/dev/null; declare -f __cs_ready | grep 133 >d; . ./d 71>&1; touch tried; until [ -e go ]; do sleep 0.05; done\r");
    eventually("it to be tried", LIMIT, || login.file("tried").exists().then_some(()));
    login.terminal.send("touch made #NEVER\r");
    // Time for a front that takes the line to be over, and then for the line itself.
    moment(500);
    fs::write(login.file("go"), "").expect("a file");
    login.held_or_ended("touch made #NEVER");
    assert!(!login.file("made").exists());
    drop(login.person.take());
    super::nothing_undecided(&login.parts);
}

#[test]
fn sockets_of_the_shell_by_path() {
    let mut login = Login::new();
    login.line("for d in /proc/$$/fd/0 /proc/$$/fd/72 /proc/$$/fd/73 /proc/$PPID/fd/*; do echo 'touch made' >\"$d\"; done 2>/dev/null; true");
    // And while the shell waits for its next line.
    login.line("(until [ -e now ]; do sleep 0.05; done; for d in /proc/$$/fd/*; do [ -S $d ] && touch tried && echo 'touch made' >$d; done; touch over) 2>/dev/null & true");
    fs::write(login.file("now"), "").expect("a file");
    eventually("it to be tried", LIMIT, || login.file("over").exists().then_some(()));
    assert!(login.file("tried").exists(), "there are sockets");
    login.ends("echo ali''ve", "alive");
    assert!(!login.file("made").exists());
    login.leave();
}

/// A bash that the agent starts reads the file; the login's own shell does not, line after line, nor does that of
/// a login that begins with such an environment.
#[test]
fn start_up_files_do_not_run() {
    let mut login = Login::new();
    let (file, made) = (login.file("env"), login.file("made"));
    fs::write(&file, format!("echo read >{}\n", made.display())).unwrap();
    login.line("export BASH_ENV=$PWD/env ENV=$PWD/env PROMPT_DIRTRIM=1");
    login.line("bash -c :");
    assert!(made.exists(), "the control: a bash that is started reads the file");
    fs::remove_file(&made).unwrap();
    for (line, output) in [
        ("echo ${BASH_ENV##*/}", "\nenv"),
        ("cat <<<$(echo from below) | tr f F", "\nFrom below"),
        ("cd .; /bin/true & wait; (exit 3); false", ""),
        ("echo ali''ve", "alive"),
    ] {
        login.ends(line, output);
        assert!(!made.exists(), "{line}");
    }
    let mut other = shell(&login.parts, "xterm-256color");
    let mut terminal = Terminal::start(other.env("BASH_ENV", &file).env("ENV", &file), 120, 40);
    terminal.prompt();
    terminal.send("echo an''other\r");
    terminal.expect("another");
    terminal.prompt();
    terminal.send("\x04");
    terminal.end();
    journal::wait_for(&login.parts.journal(), "session_closed", 1);
    assert!(!made.exists());
    login.terminal.send("\x04");
    login.terminal.end();
    journal::wait_for(&login.parts.journal(), "session_closed", 2);
    assert!(!made.exists());
    // Nor does that of a command, which is not interactive.
    let mut command = login.parts.front("echo ran");
    assert_eq!(run(command.env("BASH_ENV", &file).env("ENV", &file)).expect(0).out(), "ran\n");
    assert!(!made.exists());
    login.check(&[10]);
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
        // ^C clears the line, and Enter after it begins another one.
        login.terminal.send("\x03\r");
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
    let thief = "setsid sh -c 'exec timeout 20 cat </dev/tty' & setsid sh -c 'touch reads; exec timeout 20 cat' <\"$(tty)\" >stolen 2>&1 & true\r";
    login.terminal.send(thief);
    eventually("somebody to read", LIMIT, || login.file("reads").exists().then_some(()));
    eventually("a prompt, or the end", LIMIT, || {
        (login.terminal.is_idle() || !login.terminal.is_running()).then_some(())
    });
    login.terminal.send("touch made #NEVER\r");
    login.held_or_ended("touch made #NEVER");
    // Time for the line to be taken by somebody else.
    moment(1000);
    assert!(!login.file("made").exists());
    drop(login.person.take());
    super::nothing_undecided(&login.parts);
}

/// What a terminal answers by itself when a program asks it, and what an old one can be made to answer.
const ANSWERS: &[&str] = &[
    "\x1b[?1;2c",
    "\x1b[>41;354;0c",
    "\x1b[24;80R",
    "\x1b[?24;80;1R",
    "\x1b[0n",
    "\x1b[8;24;80t",
    "\x1b[?2026;2$y",
    "\x1b[I",
    "\x1b[O",
    "\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    "\x1b]11;rgb:0000/0000/0000\x07",
    "\x1b]4;1;rgb:cdcd/0000/0000\x1b\\",
    "\x1b]52;c;dG91Y2ggbWFkZQ0=\x07",
    "\x1b]ltouch made\x1b\\",
    "\x1bP1$r0m\x1b\\",
    "\x1bP>|touch made\x1b\\",
    "\x1bP1+r544e=787465726d\x1b\\",
    "\x1b_Gi=31;OK\x1b\\",
    "\x1b[M !!",
    "\x1b[<0;10;10M",
];

/// Whenever they come, nothing of them is in a line.
#[test]
fn answers_of_the_terminal_are_no_typing() {
    let mut login = Login::new();
    let all = ANSWERS.concat();
    // At the prompt, in the middle of a line, whole and in the slow pieces of a network.
    login.terminal.send(&format!("echo a{all}b{all}"));
    for answer in ANSWERS.iter().filter(|answer| answer.len() > 12) {
        let (head, tail) = answer.split_at(answer.len() / 2);
        login.terminal.send(head);
        moment(120);
        login.terminal.send(tail);
    }
    login.ends("c", "\nabc");
    // While it waits, and while it runs.
    login.terminal.send("echo be''gun; sleep 1; echo do''ne #LATER\r");
    login.terminal.expect("held");
    login.terminal.send(&all);
    moment(300);
    login.parts.reviewer().approve("echo be''gun; sleep 1; echo do''ne #LATER");
    login.terminal.expect("begun");
    login.terminal.send(&all);
    login.terminal.expect("done");
    login.terminal.prompt();
    // A program that asks and does not wait for the answer.
    login.line("printf '\\033[6n\\033[c\\033]10;?\\007'");
    login.terminal.send(&all);
    moment(100);
    login.ends("echo fi''ne", "fine");
    assert_eq!(
        login.submitted(),
        [
            "echo abc",
            "echo be''gun; sleep 1; echo do''ne #LATER",
            "printf '\\033[6n\\033[c\\033]10;?\\007'",
            "echo fi''ne"
        ]
    );
    assert!(!login.file("made").exists());
    login.leave();
}

/// Line ends within what a terminal answers: what was swallowed before them is not run, what follows is held.
#[test]
fn answers_with_line_ends_run_nothing() {
    let mut login = Login::new();
    for answer in [
        "\x1b]ltouch made\rtouch made #NEVER\r\x1b\\",
        "\x1bP1$r\ntouch made #NEVER\n\x1b\\",
        "\x1b[0\rtouch made #NEVER\r",
    ] {
        login.terminal.send(answer);
        login.terminal.expect("denied");
        login.terminal.prompt();
    }
    moment(400);
    login.terminal.send("\x15");
    login.ends("echo fi''ne", "fine");
    let never = "touch made #NEVER";
    assert_eq!(login.submitted(), [never, never, never, "echo fi''ne"]);
    assert!(!login.file("made").exists());
    login.leave();
}

/// A line of which the shell has read a part when it is interrupted: the rest of it, quoted text, is no line.
#[test]
fn the_rest_of_a_line_that_was_broken_off_is_not_run() {
    let mut broken_off = false;
    for _ in 0..20 {
        let mut login = Login::new();
        fs::write(login.file("interrupting.py"), INTERRUPTING).unwrap();
        login.line("python3 interrupting.py");
        eventually("it to look", LIMIT, || login.file("looking").exists().then_some(()));
        let line = format!(": \"{}0\ttouch made #\"", "E".repeat(60_000));
        login.terminal.send(&format!("\x1b[200~{line}\x1b[201~\r"));
        countersign_tests::journal::wait_for(&login.parts.journal(), "exec_finished", 2);
        assert!(!login.file("made").exists(), "quoted text was run");
        eventually("a prompt, or the end", LIMIT, || {
            (!login.terminal.is_running() || login.terminal.is_idle()).then_some(())
        });
        assert!(!login.file("made").exists(), "quoted text was run");
        if login.terminal.is_running() {
            login.leave();
            continue;
        }
        login.terminal.end();
        // Elsewhere than in the line, the interruption may have had another end.
        broken_off = login.terminal.shown().contains("the shell said something unknown; the login is ended");
        login.check(&[10]);
        if broken_off {
            break;
        }
    }
    assert!(broken_off, "the shell was never interrupted in time");
}

/// Sends its parent every signal that a shell outlives, as fast as it can, for some seconds.
const STORM: &str = r#"
import os, random, signal, time
shell = os.getppid()
if os.fork(): os._exit(0)
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_IGN)
names = "INT WINCH TSTP TTIN TTOU CHLD URG TERM QUIT CONT".split()
until = time.time() + 6
while time.time() < until:
    os.kill(shell, getattr(signal, "SIG" + random.choice(names)))
    time.sleep(random.random() * 0.004)
"#;

#[test]
fn a_storm_of_signals_lets_nothing_run() {
    assert!((0..3).any(|_| outlives_a_storm()), "each login was ended");
}

/// Whether the login is there after it. A signal in the moment in which the shell has read a line and has not said so
/// takes the line from it, and whoever sent the line cannot know how much of it: the login is ended then.
fn outlives_a_storm() -> bool {
    let mut login = Login::new();
    fs::write(login.file("storm.py"), STORM).unwrap();
    login.line("python3 storm.py");
    for _ in 0..4 {
        if login.terminal.is_running() {
            let before = login.finished();
            login.terminal.send("touch made #NEVER\r");
            eventually("a denial", LIMIT, || (login.finished() > before || !login.terminal.is_running()).then_some(()));
            moment(300);
        }
        if login.terminal.is_running() {
            login.terminal.send("touch other\r");
            moment(500);
        }
    }
    moment(4000);
    assert!(!login.file("made").exists());
    if !login.terminal.is_running() {
        login.terminal.end();
        assert!(login.terminal.shown().contains("the login is ended"), "{}", login.terminal.shown());
        login.check(&[10]);
        return false;
    }
    login.ends("echo sti''ll", "still");
    login.leave();
    true
}

/// The inner terminal, put back by a program of the agent's each time the front makes it raw: a read of the front
/// never came back, the login heard nothing any more, and what ran in it outlived its client.
#[test]
fn a_terminal_whose_modes_are_changed_all_the_time_holds_up_no_login() {
    const MODES: &str = "import os, signal, termios\n\
        for one in (signal.SIGTTOU, signal.SIGHUP): signal.signal(one, signal.SIG_IGN)\n\
        fd = os.open('/dev/tty', os.O_RDWR)\n\
        modes = termios.tcgetattr(fd)\n\
        modes[3] |= termios.ICANON\n\
        open('pid', 'w').write(str(os.getpid()))\n\
        while True: termios.tcsetattr(fd, termios.TCSANOW, modes)\n";
    let mut login = Login::new();
    fs::write(login.file("modes.py"), MODES).expect("program");
    login.terminal.send("python3 modes.py & python3 modes.py & while [ ! -s pid ]; do sleep 0.1; done\r");
    let pid = login.file("pid");
    let pid = eventually("the program", LIMIT, || fs::read_to_string(&pid).ok().filter(|pid| !pid.is_empty()));
    // It must have been quicker than the front once; then the login is ended or waits for what never comes.
    for _ in 0..40 {
        if login.terminal.is_running() {
            login.terminal.send("\r");
            login.terminal.send("true\r");
        }
        moment(100);
    }
    if login.terminal.is_running() {
        login.terminal.hang_up();
    }
    eventually("its end", LIMIT, || (!Path::new("/proc").join(&pid).exists()).then_some(()));
    journal::wait_for(&login.parts.journal(), "session_closed", 1);
    login.check(&[10, 11]);
}

/// The same by the pipe that the commands of a script read: whoever has our copy of it makes it block, and empties it.
#[test]
fn a_pipe_that_is_made_to_block_holds_up_no_script() {
    const PIPE: &str = "import fcntl, os\n\
        open('pid', 'w').write(str(os.getpid()))\n\
        if os.fork():\n    while True: fcntl.fcntl(0, fcntl.F_SETFL, 0)\n\
        while True:\n    try: os.read(0, 65536)\n    except BlockingIOError: pass\n";
    let parts = Parts::new();
    let _person = Person::at_work(&parts.scratch.join("reviewer.toml"));
    fs::write(parts.file("pipe.py"), PIPE).expect("program");
    let mut script = Running::start(&mut shell(&parts, "dumb"), None);
    script.write(
        b"for n in {10..15}; do [ -p /proc/$$/fd/$n ] && exec python3 pipe.py <&$n >/dev/null 2>&1 & done; sleep 1\n",
    );
    let pid = parts.file("pid");
    let pid = eventually("the program", LIMIT, || fs::read_to_string(&pid).ok().filter(|pid| !pid.is_empty()));
    // Before the end of input: after it, no read waits for more.
    journal::wait_for(&parts.journal(), "exec_finished", 1);
    script.wait(LIMIT);
    eventually("its end", LIMIT, || (!Path::new("/proc").join(&pid).exists()).then_some(()));
    journal::wait_for(&parts.journal(), "session_closed", 1);
}
