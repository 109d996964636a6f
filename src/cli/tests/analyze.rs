//! `countersign analyze` as a program.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking and says why")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

fn countersign() -> Command {
    Command::new(env!("CARGO_BIN_EXE_countersign"))
}

fn answers(input: &[u8], arguments: &[&str]) -> (Vec<Value>, Option<i32>) {
    let mut child = countersign();
    let mut child = child.arg("analyze").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap_or_default();
    let lines = String::from_utf8(output.stdout).unwrap();
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code())
}

#[test]
fn arguments_are_lines() {
    let (answers, code) = answers(b"", &["ls -l", "sudo rm -rf /srv/data"]);
    assert_eq!(code, Some(0));
    assert_eq!(answers[0]["level"], "low");
    assert_eq!(answers[1]["level"], "critical");
    assert_eq!(answers[1]["commands"][1]["program"], "rm");
    assert_eq!(answers[1]["commands"][1]["run_by"], "as_user");
    assert!(answers[1]["anomalies"].as_array().unwrap().contains(&"destructive_delete".into()));
    assert_eq!(answers[1]["opaque"], false);
}

#[test]
fn every_line_of_input_gets_an_answer_in_its_place() {
    let mut input = String::new();
    for n in 0..5000 {
        input.push_str(&if n % 1000 == 7 {
            "no json\n".to_owned()
        } else {
            format!("{{\"command\": \"echo {n}\"}}\n")
        });
    }
    input.push_str("\n[]\n{\"command\": 3}\n{}\n{\"command\": \"ls\"}");
    let (answers, code) = answers(input.as_bytes(), &[]);
    assert_eq!((answers.len(), code), (5005, Some(65)));
    for (n, answer) in answers.iter().enumerate().take(5000) {
        if n % 1000 == 7 {
            assert!(answer["error"].is_string());
        } else {
            assert_eq!(answer["commands"][0]["words"][1]["text"], n.to_string());
        }
    }
    assert!(answers[5000..5004].iter().all(|answer| answer["error"].is_string()));
    assert_eq!(answers[5004]["commands"][0]["program"], "ls");
}

#[test]
fn what_is_no_text_or_too_long_is_an_error_and_no_more() {
    let mut input = b"{\"command\": \"\xff\"}\n{\"command\": \"".to_vec();
    input.extend(std::iter::repeat_n(b'a', 3 * 1024 * 1024));
    input.extend(b"\"}\n{\"command\": \"ls\\u0000\\u001b[2K\"}\n");
    let (answers, code) = answers(&input, &[]);
    assert_eq!((answers.len(), code), (3, Some(65)));
    assert!(answers[0]["error"].is_string() && answers[1]["error"].is_string());
    let kinds: Vec<_> = answers[2]["display"].as_array().unwrap().iter().map(|trick| trick["kind"].clone()).collect();
    assert_eq!(kinds, ["terminal_escape", "control", "control"]);
}

#[test]
fn offsets_count_characters() {
    let (answers, _) = answers("{\"command\": \"echo é; rm -rf /srv/x\"}\n".as_bytes(), &[]);
    let reason = &answers[0]["reasons"][0];
    let (start, end) = (reason["start"].as_u64().unwrap(), reason["end"].as_u64().unwrap());
    let text: String = "echo é; rm -rf /srv/x".chars().skip(start as usize).take((end - start) as usize).collect();
    assert_eq!(text, "/srv/x");
}

#[test]
fn an_answer_comes_before_the_next_question() {
    let mut child = countersign().arg("analyze").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..3 {
        stdin.write_all(b"{\"command\": \"ls\"}\n").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains("\"score\":0"), "{line}");
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
