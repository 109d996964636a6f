//! A working directory on a file system that the agent serves: it may lie, and it may stop answering.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_tests::journal;
use countersign_tests::namespace::{Namespace, may_enter};
use countersign_tests::run::{LIMIT, eventually};
use countersign_tests::skips::skipped;

use super::Login;

const SERVER: &str = include_str!("fuse.py");

/// Serves a file system at `mount` in the login's directory. Ended when dropped, and with it what waits for it.
struct Server(Child);

impl Server {
    fn start(login: &Login) -> Self {
        fs::create_dir(login.file("mount")).expect("directory");
        let mut child = Command::new("python3")
            .args(["-c", SERVER])
            .args([login.file("mount"), login.file("stall"), login.file("seen")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut said).expect("a line");
        assert_eq!(said, "ready\n", "it could not be mounted");
        Self(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn on_fuse() -> Option<(Namespace, Login, Server)> {
    if !may_enter() {
        return None;
    }
    if !std::path::Path::new("/dev/fuse").exists() {
        skipped("this kernel has no FUSE");
        return None;
    }
    let namespace = Namespace::enter();
    let mut login = Login::new();
    let server = Server::start(&login);
    login.line("cd mount");
    Some((namespace, login, server))
}

/// The gate does not read what it could be shown otherwise than the shell: that is said, and no rule speaks.
#[test]
fn a_script_there_is_not_taken_for_read() {
    let Some((_namespace, mut login, server)) = on_fuse() else { return };
    let line = "./x.sh";
    login.parts.reviewer().run(&["rules", "add", "--on-terminal", "--exact", line]).expect(0);
    login.ends(line, "good");
    let entry = journal::of_kind(&login.parts.journal(), "command_submitted").pop().expect("a line");
    assert!(entry.to_string().contains("foreign"), "{entry}");
    let decided = journal::of_kind(&login.parts.journal(), "decided").pop().expect("a decision");
    assert_eq!(decided["body"]["outcome"], "approved", "a rule spoke for a file of the agent's");
    // The shell was the first to read it: it was shown what the first one is shown.
    assert!(!fs::read_to_string(login.file("seen")).expect("reads").is_empty());
    login.ends(line, "evil");
    login.line("cd /");
    drop(server);
    login.leave();
}

/// Whatever hangs there holds up one look for a second, and nobody for longer.
#[test]
fn a_directory_that_answers_nothing_holds_up_nothing() {
    let Some((_namespace, mut login, server)) = on_fuse() else { return };
    let work = |login: &mut Login| {
        let begun = Instant::now();
        // Completion and a script are looked for there, too.
        login.terminal.send("ls x\t\x15");
        login.ends("echo ali''ve", "alive");
        login.terminal.send("bash x.sh #NEVER\r");
        login.terminal.expect("denied");
        login.terminal.prompt();
        begun.elapsed()
    };
    let answered = work(&mut login);
    fs::write(login.file("stall"), "").expect("file");
    let stalled = work(&mut login);
    assert!(stalled < Duration::from_secs(10) + 4 * answered, "{stalled:?}, and {answered:?} where it answers");
    login.line("cd /");
    login.ends("pwd", "\n/");
    // What waits there for ever is a child of the gate, or of the agent: the login ends all the same.
    login.terminal.send("\x04");
    login.terminal.end();
    eventually("the login to be closed", LIMIT, || {
        (journal::of_kind(&login.parts.journal(), "session_closed").len() == 1).then_some(())
    });
    drop(server);
    login.check(&[10]);
}
