//! A front that was taken over, against hostd: whatever it sends, nothing is released to it that was not decided, its
//! login ends with what is true of it in the ledger, and others are served.

use std::io::{IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_api::frame::encode;
use countersign_api::front::{FrontMessage, Hello, LoginKind, PROTOCOL};
use countersign_core::b64_encode;
use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{LIMIT, eventually, run};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

const ID: &str = "00000000000000000000000000";

/// A front that says what it likes.
struct Front {
    stream: UnixStream,
    heard: Vec<u8>,
}

impl Front {
    /// Connects, without a word.
    fn connected(parts: &Parts) -> Self {
        let stream = UnixStream::connect(parts.socket()).expect("the host's socket");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        Self { stream, heard: Vec::new() }
    }

    /// Connects and is let in.
    fn let_in(parts: &Parts) -> Self {
        let mut this = Self::connected(parts);
        this.send(&encode(&hello()).expect("frame"));
        assert_eq!(this.next().expect("an answer")["t"], "welcome");
        this
    }

    /// The host may have hung up already.
    fn send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    fn say(&mut self, message: &Value) {
        self.send(&frame(message.to_string().as_bytes()));
    }

    /// The next message; `None` once the host has hung up.
    fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((head, rest)) = self.heard.split_first_chunk::<4>() {
                let length = u32::from_be_bytes(*head) as usize;
                if let Some(body) = rest.get(..length) {
                    let message = serde_json::from_slice(body).expect("a message");
                    self.heard.drain(..4 + length);
                    return Some(message);
                }
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.heard.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the host neither answers nor hangs up: {error}"),
            }
        }
    }

    /// Everything that the host says until it hangs up.
    fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Waits for a message of this kind.
    fn until(&mut self, kind: &str) -> Value {
        std::iter::from_fn(|| self.next()).find(|message| message["t"] == kind).expect("the message")
    }
}

/// What a front says first.
pub fn hello() -> FrontMessage {
    FrontMessage::Hello(Hello {
        protocol: PROTOCOL,
        agent: "liar".to_owned(),
        uid: nix::unistd::getuid().as_raw(),
        kind: LoginKind::Exec,
        terminal: None,
        ssh_connection: None,
        claims: Vec::new(),
        resume: None,
    })
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).expect("a length").to_be_bytes()[..], body].concat()
}

fn submit(line: &str) -> Value {
    json!({
        "t": "submit", "nonce": b64_encode(&[7; 16]), "command": b64_encode(line.as_bytes()),
        "total_bytes": line.len(), "cwd": b64_encode(b"/tmp"), "environment": [], "inner_shell": "bash",
    })
}

fn finished(id: &Value) -> Value {
    json!({ "id": id, "end": { "exited": 0 }, "stdout_bytes": 0, "stderr_bytes": 0 })
}

/// A line of more bytes than it says.
fn longer_than_it_says() -> Value {
    let mut line = submit("echo fits");
    line["total_bytes"] = 4.into();
    line
}

fn close() -> Value {
    json!({ "why": "exit", "refused": null, "spool_bytes": 0 })
}

/// The same with the message's name.
fn named(name: &str, mut body: Value) -> Value {
    body["t"] = name.into();
    body
}

#[test]
fn what_it_may_not_say_ends_its_login_and_no_other() {
    let parts = Parts::new();
    parts.reviewer().allow("echo fits");
    let id = json!(ID);
    let program =
        json!({ "t": "program", "nonce": b64_encode(&[7; 16]), "bytes": "", "total_bytes": 0, "end": "whole" });
    let lies: Vec<(&str, Vec<u8>)> = [
        ("the end of what never ran", named("finished", finished(&id))),
        ("that and the end of the login", json!({ "t": "ended", "finished": finished(&id), "close": close() })),
        ("a program that nobody asked for", program),
        ("files that nobody asked for", json!({ "t": "inspected", "nonce": b64_encode(&[7; 16]), "files": [] })),
        ("a message that is none", json!({ "t": "approve", "id": ID })),
        ("a member that is none", named("close", json!({ "why": "exit", "refused": null, "spool_bytes": 0, "x": 1 }))),
        ("a line that is longer than it says", longer_than_it_says()),
        ("more than there is in its spool", json!({ "t": "spooled", "bytes": u64::MAX })),
    ]
    .into_iter()
    .map(|(name, message)| (name, frame(message.to_string().as_bytes())))
    .chain([
        ("a second hello", encode(&hello()).expect("frame")),
        ("no JSON", frame(b"\xff\xfe{")),
        ("brackets without an end", frame(&[b'['; 500_000])),
        ("a frame of four gigabytes", [&[0xff; 4][..], &[b' '; 100_000]].concat()),
    ])
    .collect();
    for (count, (name, bytes)) in lies.iter().enumerate() {
        let mut front = Front::let_in(&parts);
        front.send(bytes);
        let heard = front.rest();
        assert!(heard.iter().all(|message| message["t"] != "released" && message["t"] != "kept"), "{name}: {heard:?}");
        let closed = journal::wait_for(&parts.journal(), "session_closed", count + 1);
        assert!(["killed", "bad_recording"].contains(&closed["body"]["why"].as_str().expect("a word")), "{name}");
    }
    // Half a message, and no more; and nothing at all.
    let mut front = Front::let_in(&parts);
    front.send(&frame(b"{}")[..5]);
    front.stream.shutdown(Shutdown::Write).expect("the end of what is sent");
    front.rest();
    let mut silent = Front::connected(&parts);
    assert!(silent.rest().iter().all(|message| message["t"] == "fatal"));
    eventually("every login to be closed", LIMIT, || {
        let count = |kind| journal::of_kind(&parts.journal(), kind).len();
        (count("session_opened") == count("session_closed")).then_some(())
    });
    assert!(journal::of_kind(&parts.journal(), "exec_started").is_empty());
    assert_eq!(run(&mut parts.front("echo fits")).expect(0).out(), "fits\n", "others are served");
    // One of them said that it had recorded what it had not.
    parts.verify().expect(11);
}

#[test]
fn what_waits_is_neither_run_nor_sent_twice() {
    let parts = Parts::new();
    for (count, more) in [
        ("again", submit("echo waits")),
        ("its end", named("finished", finished(&json!(ID)))),
        ("the login's end", named("close", close())),
    ]
    .into_iter()
    .enumerate()
    {
        let mut front = Front::let_in(&parts);
        front.say(&submit("echo waits"));
        let pending = front.until("pending");
        let mut message = more.1;
        if message["t"] == "finished" {
            message["id"] = pending["id"].clone();
        }
        front.say(&message);
        let heard = front.rest();
        assert!(heard.iter().all(|message| message["t"] != "released"), "{}: {heard:?}", more.0);
        journal::wait_for(&parts.journal(), "session_closed", count + 1);
    }
    let decided = journal::of_kind(&parts.journal(), "decided");
    assert!(decided.len() == 3 && decided.iter().all(|entry| entry["body"]["outcome"] != "approved"), "{decided:?}");
    assert!(journal::of_kind(&parts.journal(), "exec_started").is_empty());
    parts.verify().expect(10);
}

/// The ledger has the length that the front says.
#[test]
fn a_program_that_is_longer_than_it_says_ends_its_login() {
    let parts = Parts::new();
    let mut front = Front::let_in(&parts);
    front.say(&submit("bash -s"));
    front.until("want_program");
    let (nonce, bytes) = (b64_encode(&[7; 16]), b64_encode(b"echo fits"));
    front.say(&json!({ "t": "program", "nonce": nonce, "bytes": bytes, "total_bytes": 4, "end": "whole" }));
    let heard = front.rest();
    assert!(heard.iter().all(|message| message["t"] == "fatal"), "{heard:?}");
    journal::wait_for(&parts.journal(), "session_closed", 1);
    parts.verify().expect(10);
}

/// What was released once and has ended cannot be ended again, nor begun again by its nonce.
#[test]
fn what_was_approved_counts_once() {
    let parts = Parts::new();
    parts.reviewer().allow("echo fits");
    let mut front = Front::let_in(&parts);
    front.say(&submit("echo fits"));
    let released = front.until("released");
    front.say(&named("finished", finished(&released["id"])));
    front.until("kept");
    front.say(&submit("echo fits"));
    let again = front.until("released");
    assert_ne!(again["id"], released["id"], "each submission is one of its own");
    // The one that is over, in the place of the one that runs.
    front.say(&named("finished", finished(&released["id"])));
    front.rest();
    journal::wait_for(&parts.journal(), "session_closed", 1);
    let lines = parts.journal();
    let of = |kind: &str| -> Vec<Value> {
        journal::of_kind(&lines, kind).iter().map(|entry| entry["body"]["id"].clone()).collect()
    };
    assert_eq!(of("exec_started"), [released["id"].clone(), again["id"].clone()]);
    let ends = journal::of_kind(&lines, "exec_finished");
    assert_eq!((&ends[0]["body"]["end"], &ends[1]["body"]["end"]), (&json!("exited"), &json!("lost")));
    parts.verify().expect(10);
}

/// Descriptors that come with a message are the kernel's to close.
#[test]
fn descriptors_that_it_passes_do_not_stay() {
    let parts = Parts::new();
    let host = parts.host.as_ref().expect("a host").pid();
    let open = || std::fs::read_dir(format!("/proc/{host}/fd")).expect("descriptors").count();
    let mut front = Front::let_in(&parts);
    let before = open();
    let file = std::fs::File::open("/dev/null").expect("a file");
    let message = frame(submit("echo waits").to_string().as_bytes());
    let descriptors = [file.as_raw_fd(); 250];
    let passed = [ControlMessage::ScmRights(&descriptors)];
    let sent = sendmsg::<()>(front.stream.as_raw_fd(), &[IoSlice::new(&message)], &passed, MsgFlags::empty(), None);
    assert_eq!(sent.expect("sent"), message.len());
    front.until("pending");
    assert!(open() < before + 16, "{} were open, and now {}", before, open());
    drop(front);
    journal::wait_for(&parts.journal(), "session_closed", 1);
    parts.verify().expect(10);
}

/// A login of one command begins in the ledger with that command: one fsync, one moment.
#[test]
fn a_login_of_one_command_begins_with_it() {
    let parts = Parts::new();
    parts.reviewer().allow("echo fits");
    let lines = parts.journal();
    let at = |kind: &str| journal::of_kind(&lines, kind).pop().expect("an entry")["at"].clone();
    // A front that is held up before its command is waited for only for a moment.
    let together = (0..20).any(|_| {
        run(&mut parts.front("echo fits")).expect(0);
        at("session_opened") == at("command_submitted")
    });
    assert!(together, "none of 20");
    parts.verify().expect(10);
}

/// What it left behind is ended after the ledger has its end: a login that is started meanwhile is one within it.
#[test]
fn a_login_is_known_until_its_front_is_gone() {
    let parts = Parts::new();
    parts.reviewer().allow("echo fits");
    let mut front = Front::let_in(&parts);
    front.say(&named("close", close()));
    front.until("kept");
    let outer = journal::wait_for(&parts.journal(), "session_opened", 1)["sess"]["id"].clone();
    run(&mut parts.front("echo fits")).expect(0);
    let nested = |number: usize| {
        let opened = journal::wait_for(&parts.journal(), "session_opened", number);
        opened["body"]["nested"].clone()
    };
    assert_eq!(nested(2), outer);
    drop(front);
    eventually("a login of its own", LIMIT, || {
        let before = journal::of_kind(&parts.journal(), "session_opened").len();
        run(&mut parts.front("echo fits")).expect(0);
        nested(before + 1).is_null().then_some(())
    });
    parts.verify().expect(10);
}

/// Nor does one whose commands are beyond the agent's quota.
#[test]
fn a_login_that_is_turned_away_is_in_the_ledger_first() {
    let parts = Parts::with_quota(1);
    for number in 1..4 {
        let mut front = Front::let_in(&parts);
        front.say(&submit("echo waits"));
        if number > 1 {
            front.until("refused");
            assert_eq!(journal::of_kind(&parts.journal(), "session_opened").len(), number);
        } else {
            front.until("pending");
        }
        drop(front);
        journal::wait_for(&parts.journal(), "session_closed", number);
    }
    parts.verify().expect(10);
}

/// Logins that begin one after the other are bounded as those at the same time are: each is in the record.
#[test]
fn an_agent_that_logs_in_without_a_pause_is_turned_away() {
    let parts = Parts::new();
    let enter = |uid: u32| {
        let mut front = Front::connected(&parts);
        let FrontMessage::Hello(mut hello) = hello() else { panic!("no hello") };
        hello.uid = uid;
        front.send(&encode(&FrontMessage::Hello(hello)).expect("frame"));
        let answer = front.next().expect("an answer");
        if answer["t"] == "welcome" {
            front.say(&named("close", close()));
            front.until("kept");
        }
        answer
    };
    let let_in = AtomicUsize::new(0);
    // It may log in again four times a second: one such row of logins may be slower than that where all is slow.
    let row = || {
        let mut answers = (0..2000).map(|_| enter(70_001));
        answers.find(|answer| {
            let_in.fetch_add(usize::from(answer["t"] == "welcome"), Ordering::Relaxed);
            answer["t"] == "fatal"
        })
    };
    let refused = std::thread::scope(|scope| {
        let rows: Vec<_> = (0..4).map(|_| scope.spawn(row)).collect();
        let refused: Vec<_> = rows.into_iter().map(|row| row.join().expect("a row")).collect();
        refused.into_iter().flatten().next()
    });
    let (refused, let_in) = (refused.expect("it is turned away"), let_in.into_inner());
    assert!(let_in >= 240 && refused["exit"] == 126, "{let_in}: {refused}");
    assert!(refused["reason"].as_str().expect("a text").contains("240 times within a minute"), "{refused}");
    assert_eq!(enter(70_002)["t"], "welcome", "another agent");
    parts.verify().expect(10);
}

/// One that says nothing does not stay unknown.
#[test]
fn a_login_without_a_command_is_in_the_ledger_soon() {
    let parts = Parts::new();
    let front = Front::let_in(&parts);
    journal::wait_for(&parts.journal(), "session_opened", 1);
    // It is made once the entry stands.
    let recordings = || std::fs::read_dir(parts.host_dir().join("recordings")).expect("recordings").count();
    eventually("its recording", LIMIT, || (recordings() == 1).then_some(()));
    drop(front);
    assert_eq!(journal::wait_for(&parts.journal(), "session_closed", 1)["body"]["why"], "killed");
    // And one that is gone before that.
    drop(Front::let_in(&parts));
    assert_eq!(journal::wait_for(&parts.journal(), "session_closed", 2)["body"]["why"], "killed");
    parts.verify().expect(10);
}

/// Where the host is lost before that, nothing has happened, and nothing is left that says otherwise.
#[test]
fn a_host_lost_before_the_first_command_leaves_no_login() {
    let mut parts = Parts::new();
    let files = |parts: &Parts, name: &str| std::fs::read_dir(parts.host_dir().join(name)).expect(name).count();
    let opened = |parts: &Parts| journal::of_kind(&parts.journal(), "session_opened").len();
    let mut before = 0;
    for _ in 0..20 {
        let front = Front::let_in(&parts);
        parts.host.take().expect("a host").kill();
        let (begun, recordings) = (opened(&parts), files(&parts, "recordings"));
        drop(front);
        parts.start_host();
        if begun == before {
            assert_eq!(recordings, before, "a recording that no entry names");
            assert_eq!(files(&parts, "spool"), 0, "its spool stays");
            let verified = parts.verify();
            assert!([0, 10, 11].contains(&verified.code()), "{}{}", verified.out(), verified.err());
            return;
        }
        before = begun;
    }
    panic!("the host was never quick enough to be lost before it wrote down that a login begins");
}

/// Asking about such a line may not even have begun; what comes after it in the ledger goes to the service all the same.
#[test]
fn what_is_given_up_at_once_keeps_nothing_from_the_service() {
    let parts = Parts::new();
    let cancel = json!({ "t": "cancel", "nonce": b64_encode(&[7; 16]), "why": "hangup" }).to_string();
    for n in 0..16 {
        let mut front = Front::let_in(&parts);
        let line = submit(&format!("echo {n}")).to_string();
        front.send(&[frame(line.as_bytes()), frame(cancel.as_bytes())].concat());
        assert_eq!(front.until("refused")["outcome"], "cancelled");
    }
    let reviewer = parts.reviewer();
    eventually("the service to know of all", LIMIT, || {
        let known = reviewer.audit().iter().filter(|row| row["outcome"] == "cancelled").count();
        (known == 16).then_some(())
    });
}
