//! countersign-hostd is killed under a login, and comes back: the login stays, nothing runs meanwhile, and the
//! record tells what happened.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use countersign_api::frame::{Decoder, encode};
use countersign_api::front::{FrontMessage, HostMessage, PROTOCOL, Resume};
use countersign_core::{Digest, LoginId};
use countersign_tests::cast::Cast;
use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{Daemon, LIMIT, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Login;

impl Login {
    fn kill_host(&mut self) {
        self.parts.host.take().expect("a host").kill();
    }

    /// A host again, and the login with it.
    #[track_caller]
    fn host_again(&mut self) {
        let before = self.kinds("session_resumed");
        self.parts.start_host();
        eventually("the login to be taken up again", LIMIT, || (self.kinds("session_resumed") > before).then_some(()));
    }

    /// The same at the prompt.
    #[track_caller]
    fn back(&mut self) {
        self.host_again();
        self.terminal.expect("countersign-hostd is back");
    }

    fn kinds(&self, kind: &str) -> usize {
        journal::of_kind(&self.parts.journal(), kind).len()
    }

    fn front(&self) -> Pid {
        Pid::from_raw(self.terminal.pid())
    }
}

/// Says this first on a connection of this process; what the host answers.
fn say(parts: &Parts, resume: Resume) -> HostMessage {
    let mut stream = UnixStream::connect(parts.socket()).expect("socket");
    stream.set_read_timeout(Some(LIMIT)).expect("timeout");
    stream.write_all(&encode(&FrontMessage::Resume(resume)).expect("frame")).expect("sent");
    let (mut decoder, mut piece) = (Decoder::default(), [0; 4096]);
    loop {
        if let Some(message) = decoder.next_message().expect("a message") {
            return message;
        }
        let count = stream.read(&mut piece).expect("an answer");
        assert!(count > 0, "hung up without an answer");
        decoder.push(&piece[..count]);
    }
}

fn login_id(parts: &Parts) -> LoginId {
    let opened = journal::of_kind(&parts.journal(), "session_opened").remove(0);
    opened["sess"]["id"].as_str().expect("an id").parse().expect("an id")
}

#[track_caller]
fn refused(answer: &HostMessage) {
    assert!(matches!(answer, HostMessage::Fatal { exit: 69, .. }), "{answer:?}");
}

#[test]
fn at_the_prompt() {
    let mut login = Login::new();
    login.line("kept=yes");
    login.kill_host();
    login.terminal.expect("countersign-hostd is away");
    login.terminal.expect("^D ends the login");
    login.terminal.send("touch made\r");
    login.terminal.expect("nothing ran");
    login.terminal.prompt();
    login.back();
    login.ends("echo kept=$kept status=$?", "kept=yes status=126");
    assert!(!login.file("made").exists());
    assert!(!login.submitted().iter().any(|line| line.contains("made")), "it was not even asked about");
    // And a second time.
    login.kill_host();
    login.terminal.expect("countersign-hostd is away");
    login.back();
    login.ends("echo again$((1+1))", "again2");
    let cast = Cast::read(&login.parts.recording());
    let shown = String::from_utf8_lossy(&cast.stdout()).into_owned();
    assert_eq!(shown.matches("kept=yes status=126").count(), 1, "{shown}");
    assert_eq!(shown.matches("countersign-hostd is back").count(), 2, "{shown}");
    login.leave();
}

#[test]
fn while_a_line_waits() {
    let mut login = Login::new();
    login.terminal.send("touch made # LATER\r");
    login.terminal.expect("held");
    login.terminal.send("touch ahead\r");
    login.kill_host();
    login.terminal.expect("nothing ran");
    login.terminal.prompt();
    login.back();
    let decided = journal::wait_for(&login.parts.journal(), "decided", 1);
    assert_eq!((&decided["body"]["outcome"], &decided["body"]["why"]), (&"error".into(), &"host_restarted".into()));
    // Whatever the service says of it now, it does not run.
    login.parts.reviewer().run(&["approve", decided["body"]["id"].as_str().expect("an id")]);
    login.ends("echo on$((1+1))", "on2");
    assert!(!login.file("made").exists() && !login.file("ahead").exists());
    login.leave();
}

#[test]
fn while_a_line_runs() {
    let mut login = Login::new();
    login.terminal.send("touch begun; until [ -e go ]; do sleep 0.1; done; echo end$((1+1)); (exit 7)\r");
    eventually("the line to begin", LIMIT, || login.file("begun").exists().then_some(()));
    login.kill_host();
    std::thread::sleep(Duration::from_millis(300));
    login.host_again();
    std::fs::write(login.file("go"), "").expect("file");
    login.terminal.expect("end2");
    let finished = journal::wait_for(&login.parts.journal(), "exec_finished", 1);
    assert_eq!((&finished["body"]["end"], &finished["body"]["code"]), (&"exited".into(), &7.into()), "{finished}");
    let resumed = journal::wait_for(&login.parts.journal(), "session_resumed", 1);
    assert_eq!(resumed["body"]["running"], finished["body"]["id"]);
    login.terminal.prompt();
    login.ends("echo on$?", "on7");
    login.leave();
}

#[test]
fn a_line_that_ends_meanwhile_is_recorded_after() {
    let mut login = Login::new();
    login.terminal.send("touch begun; until [ -e go ]; do sleep 0.1; done; (exit 5)\r");
    eventually("the line to begin", LIMIT, || login.file("begun").exists().then_some(()));
    login.kill_host();
    std::fs::write(login.file("go"), "").expect("file");
    login.terminal.expect("countersign-hostd is away");
    login.terminal.prompt();
    assert_eq!(login.kinds("exec_finished"), 0);
    login.back();
    let finished = journal::wait_for(&login.parts.journal(), "exec_finished", 1);
    assert_eq!((&finished["body"]["end"], &finished["body"]["code"]), (&"exited".into(), &5.into()), "{finished}");
    login.ends("echo on$((1+1))", "on2");
    login.leave();
}

#[test]
fn a_shell_that_ends_meanwhile_is_recorded_after() {
    let mut login = Login::new();
    login.terminal.send("echo $$ >begun; until [ -e go ]; do sleep 0.1; done; exit 9\r");
    let read = || std::fs::read_to_string(login.file("begun")).ok().filter(|text| text.ends_with('\n'));
    let shell = eventually("the line to begin", LIMIT, read);
    login.kill_host();
    std::fs::write(login.file("go"), "").expect("file");
    let shell = std::path::Path::new("/proc").join(shell.trim());
    eventually("the shell to have ended", LIMIT, || (!shell.exists()).then_some(()));
    login.parts.start_host();
    assert_eq!(login.terminal.end().code(), Some(9));
    let finished = journal::wait_for(&login.parts.journal(), "exec_finished", 1);
    assert_eq!((&finished["body"]["end"], &finished["body"]["code"]), (&"exited".into(), &9.into()), "{finished}");
    login.check(&[10]);
}

#[test]
fn during_a_burst_nothing_is_lost_and_nothing_is_twice() {
    let mut login = Login::new();
    login.terminal.send("seq -f line%07g 1 300000; touch done\r");
    login.terminal.expect("line0002000");
    login.kill_host();
    std::thread::sleep(Duration::from_millis(200));
    login.host_again();
    eventually("the end of the burst", Duration::from_secs(60), || login.file("done").exists().then_some(()));
    journal::wait_for(&login.parts.journal(), "exec_finished", 1);
    let cast = Cast::read(&login.parts.recording());
    let shown = String::from_utf8_lossy(&cast.stdout()).into_owned();
    // What stands before the first is of the editor.
    let numbers = shown.split("line").skip(1).filter_map(|rest| rest.get(..7)?.parse::<u32>().ok());
    assert!(numbers.eq(1..=300_000), "each once, in order");
    login.terminal.send("\x04");
    login.terminal.end();
    login.check(&[10]);
}

#[test]
fn output_waits_when_the_spool_is_full_and_the_line_ends_with_the_login() {
    let mut login = Login::with(&Parts::new, "xterm-256color", &["--host-away-s", "4"]);
    login.terminal.send("yes >began& kill $!; yes\r");
    login.terminal.expect("y\ny\n");
    login.kill_host();
    assert_eq!(login.terminal.end().code(), Some(69));
    let spools = std::fs::read_dir(login.parts.host_dir().join("spool")).expect("spool");
    let lengths = spools.map(|spool| spool.expect("entry").metadata().expect("size").len());
    let length = lengths.max().expect("a spool");
    assert!(length < 64 * 1024 * 1024, "the spool is bounded: {length}");
    login.parts.start_host();
    assert_eq!(journal::wait_for(&login.parts.journal(), "session_closed", 1)["body"]["why"], "recovered");
    assert_eq!(journal::wait_for(&login.parts.journal(), "exec_finished", 1)["body"]["end"], "lost");
    login.check(&[11]);
}

#[test]
fn a_host_that_stays_away_ends_the_login() {
    let mut login = Login::with(&Parts::new, "xterm-256color", &["--host-away-s", "2"]);
    login.line("true");
    let since = Instant::now();
    login.kill_host();
    login.terminal.expect("countersign-hostd is away");
    login.terminal.send("touch made\r");
    assert_eq!(login.terminal.end().code(), Some(69));
    assert!(since.elapsed() > Duration::from_secs(1), "it waited");
    assert!(!login.file("made").exists());
    login.check(&[10, 11]);
}

#[test]
fn a_host_that_is_stopped_and_started_takes_the_login_up() {
    let mut login = Login::new();
    login.line("true");
    assert_eq!(login.parts.host.take().expect("a host").terminate(), 0);
    login.terminal.expect("countersign-hostd is away");
    login.back();
    login.ends("echo on$((1+1))", "on2");
    login.leave();
}

#[test]
fn a_front_that_comes_too_late_is_refused() {
    let mut login = Login::new();
    login.line("true");
    login.kill_host();
    kill(login.front(), Signal::SIGSTOP).expect("stopped");
    let mut command = login.parts.host_command();
    command.args(["--grace-ms", "300"]);
    login.parts.host = Some(Daemon::start(&mut command, &login.parts.scratch.join("host.log")));
    // Its time is over long before that; the ledger tells of it when the front has ended.
    std::thread::sleep(Duration::from_millis(2000));
    kill(login.front(), Signal::SIGCONT).expect("continued");
    login.terminal.send("touch made\r");
    assert_eq!(login.terminal.end().code(), Some(69));
    assert_eq!(journal::wait_for(&login.parts.journal(), "session_closed", 1)["body"]["why"], "recovered");
    assert_eq!(login.kinds("session_resumed"), 0);
    assert!(!login.file("made").exists());
    login.check(&[11]);
}

#[test]
fn a_front_that_is_gone_does_not_come_back() {
    let mut login = Login::new();
    login.line("true");
    login.kill_host();
    kill(login.front(), Signal::SIGKILL).expect("killed");
    login.terminal.end();
    login.parts.start_host();
    assert_eq!(journal::wait_for(&login.parts.journal(), "session_closed", 1)["body"]["why"], "recovered");
    login.check(&[11]);
}

#[test]
fn nobody_else_takes_a_login_up() {
    let mut login = Login::new();
    login.line("true");
    let id = login_id(&login.parts);
    let resume = |key| Resume { protocol: PROTOCOL, login: id, key, running: None, lines: vec![] };
    let anchor = journal::of_kind(&login.parts.journal(), "session_opened").remove(0)["body"]["resume"].clone();
    let anchor: Digest = anchor.as_str().expect("a digest").parse().expect("a digest");
    // Under a login that is open: nothing is waited for.
    refused(&say(&login.parts, resume(anchor)));
    login.kill_host();
    kill(login.front(), Signal::SIGSTOP).expect("stopped");
    login.parts.start_host();
    // The login waits. Nothing that this process says takes it up: what the ledger shows, nothing, anything.
    for key in [anchor, Digest::ZERO, Digest([7; 32])] {
        refused(&say(&login.parts, resume(key)));
    }
    assert_eq!(login.kinds("session_resumed"), 0);
    kill(login.front(), Signal::SIGCONT).expect("continued");
    let resumed = journal::wait_for(&login.parts.journal(), "session_resumed", 1);
    let told: Digest = resumed["body"]["key"].as_str().expect("a digest").parse().expect("a digest");
    // A secret that was told is worth nothing, while it is open and after the next restart.
    refused(&say(&login.parts, resume(told)));
    login.terminal.expect("countersign-hostd is back");
    kill(login.front(), Signal::SIGSTOP).expect("stopped");
    login.kill_host();
    login.parts.start_host();
    refused(&say(&login.parts, resume(told)));
    kill(login.front(), Signal::SIGCONT).expect("continued");
    journal::wait_for(&login.parts.journal(), "session_resumed", 2);
    login.terminal.expect("countersign-hostd is back");
    login.ends("echo own$((1+1))", "own2");
    login.leave();
}

#[test]
fn a_stolen_secret_is_of_no_use_to_another_process() {
    let mut login = Login::new();
    login.line("true");
    let id = login_id(&login.parts);
    // A front that hears nothing: what it tells is read here, where the host would be.
    login.kill_host();
    let thief = std::os::unix::net::UnixListener::bind({
        std::fs::remove_file(login.parts.socket()).expect("socket");
        login.parts.socket()
    })
    .expect("a listener");
    let (mut stream, _) = thief.accept().expect("the front");
    let (mut decoder, mut piece) = (Decoder::default(), [0; 4096]);
    let stolen = loop {
        if let Some(FrontMessage::Resume(resume)) = decoder.next_message().expect("a message") {
            break resume;
        }
        let count = stream.read(&mut piece).expect("a message");
        decoder.push(&piece[..count]);
    };
    assert_eq!(stolen.login, id);
    kill(login.front(), Signal::SIGSTOP).expect("stopped");
    drop((thief, stream));
    login.parts.start_host();
    refused(&say(&login.parts, stolen.clone()));
    kill(login.front(), Signal::SIGCONT).expect("continued");
    login.terminal.expect("countersign-hostd is back");
    refused(&say(&login.parts, stolen));
    login.ends("echo own$((1+1))", "own2");
    login.leave();
}

#[test]
fn a_program_of_the_login_is_no_front() {
    let mut login = Login::new();
    // It knows the socket and what the ledger would show; its uid is even the front's here.
    let script = "import socket,json,struct;s=socket.socket(socket.AF_UNIX);s.connect(\"$SOCKET\");\
m=json.dumps({\"t\":\"resume\",\"protocol\":1,\"login\":\"$LOGIN\",\"key\":\"$KEY\",\"running\":None,\"lines\":[]}).encode();\
s.sendall(struct.pack(\">I\",len(m))+m);print(\"ANSWER\",s.recv(4096)[4:].decode())";
    let opened = journal::of_kind(&login.parts.journal(), "session_opened").remove(0);
    let script = script
        .replace("$SOCKET", login.parts.socket().to_str().expect("a path"))
        .replace("$LOGIN", opened["sess"]["id"].as_str().expect("an id"))
        .replace("$KEY", opened["body"]["resume"].as_str().expect("a digest"));
    std::fs::write(login.file("thief.py"), script).expect("file");
    login.terminal.send("touch began; until [ -e go ]; do sleep 0.1; done; python3 thief.py; touch asked\r");
    // Its `exec_started` stands before its front is told.
    eventually("the line to begin", LIMIT, || login.file("began").exists().then_some(()));
    login.kill_host();
    kill(login.front(), Signal::SIGSTOP).expect("stopped");
    login.parts.start_host();
    std::fs::write(login.file("go"), "").expect("file");
    eventually("an answer to come", LIMIT, || login.file("asked").exists().then_some(()));
    assert_eq!(login.kinds("session_resumed"), 0);
    kill(login.front(), Signal::SIGCONT).expect("continued");
    login.terminal.expect("ANSWER");
    login.terminal.expect("this login is over");
    login.terminal.prompt();
    // Its end is told once the front is back.
    journal::wait_for(&login.parts.journal(), "exec_finished", 1);
    login.ends("echo own$((1+1))", "own2");
    login.leave();
}

#[test]
fn what_a_shell_may_have_become_is_remembered() {
    let mut login = Login::new();
    login.parts.reviewer().run(&["rules", "add", "--on-terminal", "--exact", "echo plain"]).expect(0);
    login.line("echo plain");
    login.line("echo() { command echo other; }");
    login.kill_host();
    login.terminal.expect("is away");
    login.back();
    login.line("echo plain");
    let decided = journal::of_kind(&login.parts.journal(), "decided");
    let outcomes: Vec<_> = decided.iter().map(|d| d["body"]["outcome"].as_str().expect("a word")).collect();
    assert_eq!(outcomes, ["whitelisted", "approved", "approved"], "no rule speaks in that login any more");
    let cards = std::fs::read_dir(login.parts.host_dir().join("fronts")).expect("cards").count();
    assert_eq!(cards, 1);
    login.terminal.send("\x04");
    login.terminal.end();
    journal::wait_for(&login.parts.journal(), "session_closed", 1);
    drop(login.person.take());
    login.parts.verify().expect(10);
}

#[test]
fn a_login_that_ended_leaves_no_card() {
    let mut login = Login::new();
    login.line("true");
    let fronts = login.parts.host_dir().join("fronts");
    let card = std::fs::read_dir(&fronts).expect("cards").next().expect("one").expect("entry");
    let mode = std::os::unix::fs::PermissionsExt::mode(&card.metadata().expect("mode").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(card.path()).expect("card");
    assert!(text.contains(&login.terminal.pid().to_string()) && !text.contains("key"), "{text}");
    login.terminal.send("\x04");
    login.terminal.end();
    eventually("the card to be gone", LIMIT, || (!card.path().exists()).then_some(()));
    login.check(&[10]);
}

#[test]
fn on_a_dumb_terminal() {
    let mut login = Login::on(&Parts::new, "dumb");
    login.line("true");
    login.kill_host();
    login.terminal.expect("countersign-hostd is away");
    login.terminal.send("touch made\r");
    login.terminal.expect("nothing ran");
    login.back();
    login.ends("echo on$((1+1))", "on2");
    assert!(!login.file("made").exists());
    login.leave();
}
