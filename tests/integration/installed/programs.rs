//! Programs that an interpreter would read from standard input: held whole, shown whole, run as they were held.

use std::time::Duration;

use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, eventually, run_with};
use nix::sys::signal::Signal;

const MOST: usize = 256 * 1024;

#[test]
fn are_shown_and_run_exactly_as_held() {
    let Some(host) = Installation::new(Options::default()) else { return };
    for (count, (line, program, out)) in [
        ("bash -s one two", "echo \"$1 $2\"\ncat\nto cat\n", "one two\nto cat\n"),
        ("python3 -", "print(1 +\n  1)\n", "2\n"),
        ("cat | sh", "echo ✓; echo second", "✓\nsecond\n"),
        ("cd /; sh", "pwd\n", "/\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let client = Running::start(&mut host.ssh(line), Some(program.as_bytes()));
        let id = host.reviewer().wait_for(line);
        let shown = host.reviewer().run(&["pending"]).expect(0).out();
        for text in program.lines() {
            assert!(shown.contains(&format!("│ {text}\n")), "{text:?} in {shown}");
        }
        assert!(shown.contains("opaque_code") && shown.contains("sha256"), "{shown}");
        let card = host.reviewer().run(&["approve", &id]).expect(0).out();
        assert!(card.contains("│ "), "{card}");
        assert_eq!(client.wait(LIMIT).expect(0).out(), out);
        let full = host.reviewer().run(&["show", &id]).expect(0).out();
        assert!(program.lines().all(|text| full.contains(&format!("│ {text}\n"))), "{full}");
        let submitted = journal::wait_for(&host.journal(), "command_submitted", count + 1);
        assert_eq!(submitted["vals"]["stdin"][0][1], program);
        assert_eq!(submitted["body"]["stdin_bytes"], program.len());
        assert_eq!(submitted["body"]["flags"], serde_json::json!(["opaque_code"]));
    }
    let opaque =
        |row: &serde_json::Value| row["anomalies"].as_array().is_some_and(|all| all.contains(&"opaque_code".into()));
    assert!(host.reviewer().audit().iter().all(opaque));
    host.verify().expect(10);
}

#[test]
fn no_rule_lets_one_run() {
    let Some(host) = Installation::new(Options::default()) else { return };
    // No rule can be made for it, and the host would not take a rule's word for it (`ruling`).
    assert_ne!(host.reviewer().run(&["rules", "add", "--exact", "bash -s"]).code(), 0);
    let client = Running::start(&mut host.ssh("bash -s"), Some(b"touch made\n"));
    host.reviewer().deny("bash -s", "no scripts");
    client.wait(LIMIT).expect(126).says(&["no scripts"]);
    assert!(!host.home().join("made").exists());
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
    host.verify().expect(10);
}

#[test]
fn what_nobody_can_read_is_not_asked() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let mut whole = vec![b'#'; MOST];
    whole.splice(MOST - 12.., *b"\ntouch made\n");
    let over = [whole.as_slice(), b"\n"].concat();
    for (count, (program, word)) in [
        (over.as_slice(), "program_too_long"),
        (b"touch made\xff\n", "program_not_utf8"),
        (b"touch made\r\n", "program_control_character"),
        (b"touch made\x1b[2K\n", "program_control_character"),
        (b"touch made\0\n", "program_control_character"),
    ]
    .into_iter()
    .enumerate()
    {
        run_with(&mut host.ssh("bash -s"), program).expect(126).says(&["program on standard input"]);
        let decided = journal::wait_for(&host.journal(), "decided", count + 1);
        assert_eq!(decided["body"]["why"], word);
    }
    let submitted = &journal::of_kind(&host.journal(), "command_submitted")[0];
    assert_eq!(submitted["vals"]["stdin"][0][1].as_str().expect("an excerpt").len(), 4096);
    assert!(!host.home().join("made").exists() && journal::of_kind(&host.journal(), "exec_started").is_empty());

    // At the limit it is asked about, and runs to its last byte.
    let client = Running::start(&mut host.ssh("bash -s"), Some(&whole));
    host.reviewer().approve("bash -s");
    client.wait(LIMIT).expect(0);
    assert!(host.home().join("made").exists());
    host.verify().expect(10);
}

#[test]
fn a_client_that_goes_while_it_sends_cancels() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let mut client = Running::start(&mut host.ssh_as(AGENT, &[], &["bash -s"]), None);
    client.write(b"touch made\n");
    eventually("the login", LIMIT, || (!journal::of_kind(&host.journal(), "session_opened").is_empty()).then_some(()));
    std::thread::sleep(Duration::from_millis(500));
    assert!(host.reviewer().pending().is_empty(), "a part of a program is not asked about");
    client.signal(Signal::SIGKILL);
    // sshd may report the end of input before the end of the connection; then it was asked and cancelled.
    let closed = journal::wait_for(&host.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "hangup");
    let decided = journal::wait_for(&host.journal(), "decided", 1);
    assert_eq!(decided["body"]["outcome"], "cancelled");
    assert!(!host.home().join("made").exists());
    host.verify().expect(10);
}

#[test]
fn what_follows_approval_is_not_read() {
    let Some(host) = Installation::new(Options::default()) else { return };
    // The client is at its end when it is asked; the program cannot be replaced any more, not even by the agent's own
    // account through /proc.
    let program = "sleep 2; echo held; readlink /proc/$$/fd/0; echo 'touch made' > /proc/$$/fd/0; echo $?\n";
    let client = Running::start(&mut host.ssh("bash -s"), Some(program.as_bytes()));
    host.reviewer().approve("bash -s");
    let ended = client.wait(LIMIT).expect(0);
    assert!(ended.out().starts_with("held\n/memfd:countersign-program (deleted)\n") && !ended.out().ends_with("0\n"));
    assert!(!host.home().join("made").exists());
    host.verify().expect(10);
}
