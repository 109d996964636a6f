//! What is sent to a service, and what its answers lead to. The service is a
//! thread that says what the test wants.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use countersign_api::service::{PendingSubmission, ReviewReply, ReviewRequest};
use countersign_core::{Choice, DecidedBy, Digest, HostId, LoginId, Outcome, SubmissionId};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Output};
use std::thread::JoinHandle;

/// One request: its first line, and its body.
type Asked = (String, String);
const TOKEN: &str = "csr1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Answers each connection's one request with the next of `answers`.
fn service(answers: Vec<(&'static str, String)>) -> (String, JoinHandle<Vec<Asked>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line == "\r\n" {
                    break;
                }
                let lower = line.to_lowercase();
                if let Some(number) = lower.strip_prefix("content-length:") {
                    length = number.trim().parse().unwrap();
                }
                assert!(!lower.starts_with("authorization") || line.contains(TOKEN));
            }
            let mut sent = vec![0; length];
            reader.read_exact(&mut sent).unwrap();
            asked.push((first.trim().to_owned(), String::from_utf8(sent).unwrap()));
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            stream.write_all(format!("{head}location: http://127.0.0.1:1/\r\n\r\n{body}").as_bytes()).unwrap();
        }
        asked
    });
    (url, asked)
}

fn countersign(url: &str, arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("reviewer.toml");
    let mut options = std::fs::OpenOptions::new();
    let mut config = options.create_new(true).write(true).mode(0o600).open(&file).unwrap();
    write!(config, "service = \"{url}\"\ntoken = \"{TOKEN}\"\nname = \"ops-lead\"\n").unwrap();
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .env("COUNTERSIGN_CONFIG", &file)
        .env("http_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap()
}

fn row(byte: u8, command: &str) -> PendingSubmission {
    PendingSubmission {
        people: 1,
        anomalies: Vec::new(),
        approvals: Vec::new(),
        steps: Vec::new(),
        id: SubmissionId::from_random([byte; 16]),
        entry: Digest([byte; 32]),
        agent: "deploy".into(),
        host: HostId::from_random([2; 16]),
        host_name: "web-1".parse().unwrap(),
        login: LoginId::from_random([3; 16]),
        session: "deploy-01".into(),
        number: 1,
        command: command.into(),
        cwd: "/srv".into(),
        shell: "bash".into(),
        tty: false,
        locale: vec![],
        flags: vec![],
        transfer: None,
        program: None,
        submitted_at_ms: 0,
        left_ms: 42_000,
        authority: None,
        risk: None,
        about: Box::default(),
    }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

#[test]
fn approving_shows_the_whole_command_and_sends_the_entry_it_saw() {
    let rows = [row(7, "rm -rf /tmp/\u{202e}x\u{1b}[2K\ntrue"), row(9, "other")];
    let id = rows[0].id;
    let by = DecidedBy::Person("ops-lead".parse().unwrap());
    let reply = ReviewReply { id, outcome: Some(Outcome::Approved), by, people: 1, approvals: Vec::new() };
    let (url, asked) = service(vec![("200 OK", json(&rows)), ("200 OK", json(&reply))]);
    let ran = countersign(&url, &["approve", &id.to_string()[..6], "--comment", "fine"]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(shown.contains("deploy → web-1") && shown.contains("in /srv"), "{shown}");
    assert!(shown.contains("rm -rf /tmp/⟨U+202E⟩x⟨U+001B⟩[2K⏎true"), "{shown}");
    assert!(shown.contains(&format!("✔ APPROVED  {id} by ops-lead")) && !shown.contains('\u{1b}'), "{shown}");
    let asked = asked.join().unwrap();
    assert_eq!(asked[1].0, format!("POST /api/submissions/{id}/decision HTTP/1.1"));
    let sent: ReviewRequest = serde_json::from_str(&asked[1].1).unwrap();
    assert_eq!(
        sent,
        ReviewRequest { decision: Choice::Approve, entry: Digest([7; 32]), comment: Some("fine".into()), signed: None }
    );
}

#[test]
fn where_one_id_names_nothing_nothing_is_decided() {
    let rows = [row(7, "one")];
    let (url, asked) = service(vec![("200 OK", json(&rows))]);
    let ran = countersign(&url, &["deny", &rows[0].id.to_string(), "zzzz", "--reason", "no"]);
    assert_eq!(ran.status.code(), Some(66));
    assert_eq!(asked.join().unwrap().len(), 1);
}

#[test]
fn refusals_lead_to_their_exit_codes_and_are_made_visible() {
    let said = |text: &str| format!("{{\"error\":\"{text}\"}}");
    let cases = [
        ("401 Unauthorized", said("no"), 78, "was refused"),
        ("409 Conflict", said("decided \\u001b[2K already"), 1, "decided ⟨U+001B⟩[2K already"),
        ("500 Oops", "not json".into(), 69, "500"),
        ("307 Elsewhere", String::new(), 69, "307"),
        ("200 OK", "{}".into(), 69, "does not understand"),
    ];
    for (status, body, code, hint) in cases {
        let (url, asked) = service(vec![(status, body)]);
        let ran = countersign(&url, &["pending"]);
        let text = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(code), "{text}");
        assert!(text.contains(hint) && !text.contains('\u{1b}') && !text.contains(TOKEN), "{text}");
        asked.join().unwrap();
    }
}

#[test]
fn filters_are_sent_as_such() {
    let (url, asked) = service(vec![("200 OK", "[]".into())]);
    let flags =
        ["audit", "-n", "5", "--agent", "a b", "--decision", "timed_out", "--text", "rm&x=1", "--since", "2026-11-20"];
    let ran = countersign(&url, &flags);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(ran.stdout.is_empty());
    assert_eq!(
        asked.join().unwrap()[0].0,
        "GET /api/audit?limit=5&agent=a+b&decision=timed_out&text=rm%26x%3D1&since_ms=1795132800000 HTTP/1.1"
    );
}

#[test]
fn rules_are_added_for_one_shell_and_no_terminal_unless_said() {
    let rule = |on_terminal: bool, shell: &str| {
        serde_json::json!({"id": 1, "line": "uptime", "shell": shell, "on_terminal": on_terminal, "added_by": "ops-lead",
            "added_at_ms": 0, "last_reviewed_at_ms": 0, "last_reviewed_by": "ops-lead"})
    };
    for (flags, on_terminal, shell, said) in [
        (&[][..], false, "bash", "not on a terminal"),
        (&["--on-terminal", "--shell", "zsh"], true, "zsh", "on a terminal too · shell zsh"),
    ] {
        let (url, asked) = service(vec![("200 OK", rule(on_terminal, shell).to_string())]);
        let ran = countersign(&url, &[&["rules", "add", "--exact", "uptime"], flags].concat());
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        assert!(String::from_utf8(ran.stdout).unwrap().contains(said));
        let sent: serde_json::Value = serde_json::from_str(&asked.join().unwrap()[0].1).unwrap();
        let mut body = serde_json::json!({"exact": "uptime"});
        if on_terminal {
            (body["shell"], body["on_terminal"]) = (shell.into(), true.into());
        }
        assert_eq!(sent, serde_json::json!({"on_terminal": false, "body": body}));
    }
}

#[test]
fn a_word_that_is_no_outcome_is_told_the_outcomes() {
    let ran = countersign("http://127.0.0.1:1", &["audit", "--decision", "refused"]);
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(64), "{said}");
    assert!(said.contains("approved, denied, whitelisted, timed_out, blocked, cancelled, error"), "{said}");
    assert!(!said.contains("whitelist_rule"), "these are no outcomes: {said}");
    let (url, asked) = service(vec![("200 OK", "[]".into())]);
    let ran = countersign(&url, &["audit", "--outcome", "timed_out"]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(asked.join().unwrap()[0].0.contains("decision=timed_out"));
}

#[test]
fn an_id_that_names_nothing_is_said_again() {
    let (url, _) = service(vec![("404 Not Found", r#"{"error":"no command has an id that begins so"}"#.to_owned())]);
    let ran = countersign(&url, &["show", "7abc"]);
    assert_eq!(ran.status.code(), Some(66));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("no command has an id that begins with `7abc`"), "{said}");
}

/// Between a decision and its host's word of it there is no outcome yet: two reviewers who answer at once.
#[test]
fn who_comes_too_late_is_told_so_before_there_is_an_outcome() {
    let (id, digest) = (SubmissionId::from_random([7; 16]).to_string(), "A".repeat(43));
    let mut record = serde_json::json!({
        "id": id, "agent": "deploy", "host": id, "host_name": "web-1", "login": id, "session": "deploy-01", "number": 1,
        "command": "id", "cwd": "/", "submitted_at_ms": 0, "outcome": null, "late_approval": false, "anomalies": [],
        "seq": 1, "entry": digest, "login_kind": "exec", "target_class": "high", "proof": [],
    });
    for (outcome, said) in
        [(None, "waits no more: its host has not said yet"), (Some("denied"), "waits no more: denied")]
    {
        record["outcome"] = outcome.into();
        let (url, asked) = service(vec![("200 OK", "[]".into()), ("200 OK", record.to_string())]);
        let ran = countersign(&url, &["approve", &id]);
        let err = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{err}");
        assert!(err.contains(&id) && err.contains(said) && err.contains("nothing was changed"), "{err}");
        assert_eq!(asked.join().unwrap().len(), 2, "nothing is decided");
    }
}
