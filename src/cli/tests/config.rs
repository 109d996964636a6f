//! Bad flags and bad files: an error that says what to do, and the documented exit code.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const TOKEN: &str = "csr1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn countersign(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(arguments)
        .env("HOME", home.path())
        .env_remove("XDG_STATE_HOME")
        .env_remove("COUNTERSIGN_CONFIG")
        .output()
        .unwrap()
}

fn fails(arguments: &[&str], code: i32, hint: &str) {
    let ran = countersign(arguments);
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.contains(hint), "{arguments:?}: {said}");
    assert!(!said.contains("AAAAAAAA"), "an error must not show a token: {said}");
    assert!(ran.stdout.is_empty());
}

fn with_config(text: &str, mode: u32, code: i32, hint: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("reviewer.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    fails(&["pending", "--config", file.to_str().unwrap()], code, hint);
}

#[test]
fn wrong_flags_are_usage() {
    fails(&["nonsense"], 64, "unrecognized");
    fails(&[], 64, "Usage");
    fails(&["deny", "abcd"], 64, "--reason");
    fails(&["try"], 64, "-c 'CMD'");
    fails(&["try", "-c", "true", "--timeout", "0"], 64, "0 is not in 1..");
    fails(&["audit", "--decision", "perhaps"], 64, "--decision");
    fails(&["verify", "x", "--require", "much"], 64, "self-attested");
    fails(&["enroll", "--service", "http://10.0.0.1", "--token", "t", "--name", "n"], 64, "loopback");
    fails(&["attend-child", "x"], 64, "for countersign itself");
    assert_eq!(countersign(&["--help"]).status.code(), Some(0));
    assert!(String::from_utf8(countersign(&["verify", "--help"]).stdout).unwrap().contains("something ran without"));
    assert!(!countersign(&["completions", "bash"]).stdout.is_empty());
}

#[test]
fn a_missing_config_says_where_it_is_looked_for() {
    fails(&["pending"], 78, ".config/countersign/reviewer.toml");
    fails(&["pending", "--state", "/nonexistent"], 78, "/nonexistent");
    fails(&["pending", "--config", "/dev/null"], 78, "not a regular file");
}

#[test]
fn a_config_that_others_can_read_is_refused() {
    let text = format!("service = \"http://127.0.0.1:9\"\ntoken = \"{TOKEN}\"\n");
    with_config(&text, 0o640, 78, "chmod 600");
    with_config(&text, 0o604, 78, "chmod 600");
    with_config(&text, 0o600, 69, "is the service running");
}

#[test]
fn a_config_with_something_wrong_says_what() {
    let wrong = |text: &str, hint: &str| with_config(&text.replace("TOKEN", TOKEN), 0o600, 78, hint);
    wrong("", "service");
    wrong("service = \"https://h:1\"\ntoken = \"TOKEN\"\n", "fingerprint");
    wrong("service = \"http://example.net\"\ntoken = \"TOKEN\"\n", "loopback");
    wrong("service = \"http://127.0.0.1:1\"\ntoken = \"csh1.abc\"\n", "reviewer's token");
    wrong("service = \"http://127.0.0.1:1\"\ntoken = TOKEN\n", "line 2");
    wrong("service = \"http://127.0.0.1:1\"\ntoken = \"TOKEN\"\nextra = 1\n", "line 3");
    wrong("service = \"https://h:1\"\ntoken = \"TOKEN\"\nfingerprint = \"short\"\n", "line 3");
}

#[test]
fn a_state_directory_that_others_can_enter_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().to_str().unwrap();
    fails(&["try", "--state", path, "-c", "true"], 78, "chmod 700");
    fails(&["audit", "--state", path], 78, "chmod 700");
}

#[test]
fn what_is_no_recording_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.cast");
    std::fs::write(&file, "hello\n").unwrap();
    fails(&["replay", file.to_str().unwrap()], 65, "not a recording");
    fails(&["replay", "/nonexistent/x.cast"], 66, "no file");
}

#[test]
fn nothing_to_verify_is_never_good() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let ran = countersign(&["verify", path]);
    assert_eq!(ran.status.code(), Some(20));
    // Who vouches for nothing is no question.
    let shown = String::from_utf8(ran.stdout.clone()).unwrap();
    assert!(shown.contains("20 source.") && !shown.contains("assurance.") && shown.matches("next: ").count() == 1);
    let said = |ran: std::process::Output| String::from_utf8(ran.stderr).unwrap();
    let text = said(ran);
    assert!(text.contains("countersign-server trust") && !text.contains(path), "{text}");
    // Only a trial has its keys beside what is verified.
    std::fs::create_dir(dir.path().join("service")).unwrap();
    std::fs::write(dir.path().join("trust.json"), "{}").unwrap();
    let text = said(countersign(&["verify", path]));
    assert!(text.contains(&format!("{path}/trust.json")), "{text}");
    let ran = countersign(&["verify", path, "--json", "--require", "self-attested"]);
    assert_eq!(ran.status.code(), Some(20));
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(report["exit_code"], 20);
    fails(&["verify", path, "--trust", "/nonexistent"], 66, "/nonexistent");
    std::fs::write(dir.path().join("bad"), "{}").unwrap();
    fails(&["verify", path, "--trust", Path::new(path).join("bad").to_str().unwrap()], 65, "trust file");
    fails(&["bundle", path, "-o", "/tmp/never.tar"], 66, "state directory");
}

#[test]
fn a_verdict_stands_though_nobody_reads_it() {
    let empty = tempfile::tempdir().unwrap();
    for flags in [&[][..], &["--json"], &["--explain"]] {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let ran = command.arg("verify").arg(empty.path()).args(flags).stdout(write).output().unwrap();
        assert_eq!(ran.status.code(), Some(20), "{flags:?}");
    }
}
