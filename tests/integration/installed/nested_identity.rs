//! Who is behind a login within a login: whoever is behind the outer one.

use std::fs;
use std::path::Path;

use countersign_tests::installation::{AGENT, Installation, Options, PROGRAMS};
use countersign_tests::journal;
use countersign_tests::programs::{HOSTD, SHELL};
use countersign_tests::run::{LIMIT, Running};
use countersign_tests::terminal::Terminal;
use serde_json::Value;

/// The last of so many logins: its entry, and who is verified to be behind it.
fn opened(host: &Installation, count: usize) -> (Value, Value) {
    let entry = journal::wait_for(&host.journal(), "session_opened", count);
    let identity = entry["vals"]["identity"][1].as_str().map(|text| serde_json::from_str(text).expect("JSON"));
    assert_eq!(entry["body"]["identity_source"] == "verified", identity.is_some(), "{entry}");
    (entry, identity.unwrap_or_default())
}

/// Also after a restart of the daemon, which hears of an ssh session once, when that begins.
#[test]
fn is_that_of_the_outer_one() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    if !Path::new("/proc/self/loginuid").exists() || !Path::new("/etc/pam.d/sshd").exists() {
        eprintln!("SKIPPED: this kernel has no audit sessions, or there is no PAM for sshd");
        return;
    }
    let pam = fs::read_to_string("/etc/pam.d/sshd").expect("pam");
    let line = format!("session optional pam_exec.so quiet {PROGRAMS}/{HOSTD} register\n");
    fs::write("/etc/pam.d/sshd", format!("{pam}\n{line}")).expect("pam");
    let reviewer = host.reviewer();
    let mut command = host.ssh_as(AGENT, &["-tt"], &[]);
    let mut terminal = Terminal::start(command.current_dir("/").env("TERM", "xterm-256color"), 100, 30);
    terminal.expect("$ ");
    let (outer, identity) = opened(&host, 1);
    assert_eq!(identity["method"], "publickey", "{outer}");
    for (count, word) in ["begun", "restarted", "killed"].into_iter().enumerate() {
        match word {
            "restarted" => assert_eq!(host.host.take().expect("a host").terminate(), 0),
            "killed" => host.host.take().expect("a host").kill(),
            _ => {}
        }
        if host.host.is_none() {
            terminal.expect("countersign-hostd is away");
            host.start_host();
            terminal.expect("countersign-hostd is back");
            terminal.expect("$ ");
        }
        // It may claim what it likes.
        let inner = format!("echo {word} && echo in''ner");
        let line = format!("SSH_CONNECTION='203.0.113.9 1 203.0.113.1 22' {PROGRAMS}/{SHELL} -c \"{inner}\"");
        terminal.send(&format!("{line}\r"));
        reviewer.approve(&line);
        reviewer.approve(&inner);
        terminal.expect("inner");
        terminal.expect("$ ");
        let (entry, of_inner) = opened(&host, count + 2);
        assert_eq!(entry["body"]["nested"], outer["sess"]["id"], "{word}");
        assert_eq!(of_inner, identity, "{word}: {entry}");
    }
    // Whoever is in no ssh session of that kind is claimed, as before.
    let mut elsewhere = host.as_agent(&format!("{PROGRAMS}/{SHELL}"), &["-c", "echo elsewhere"]);
    let client = Running::start(&mut elsewhere, Some(b""));
    reviewer.approve("echo elsewhere");
    client.wait(LIMIT).expect(0);
    assert!(opened(&host, 5).1.is_null());
    terminal.send("\x04");
    terminal.end();
    journal::wait_for(&host.journal(), "session_closed", 5);
    host.verify().expect(10);
}
