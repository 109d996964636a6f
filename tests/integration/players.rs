//! Recordings, as other people's players and our own show them.

use std::path::Path;
use std::process::Command;

use countersign_tests::cast::Cast;
use countersign_tests::programs::{CLI, asciinema, program};
use countersign_tests::run::{random_bytes, run, run_with};
use countersign_tests::trial::Trial;

/// A trial with one recording: text, errors, what is not UTF-8, a character in two writes.
fn recorded() -> (Trial, std::path::PathBuf, Vec<u8>) {
    let trial = Trial::new();
    let line = r"echo shown; sleep 0.2; echo amiss >&2; sleep 0.2; printf 'caf\303'; printf '\251\n\377\376\r\n'";
    let ended = trial.approve(line).expect(0);
    assert_eq!(ended.stdout, b"shown\ncaf\xc3\xa9\n\xff\xfe\r\n");
    let recordings = trial.recordings();
    assert_eq!(recordings.len(), 1);
    (trial, recordings[0].clone(), ended.stdout)
}

/// Plays a file on a terminal; what the terminal got.
fn played(player: &Path, file: &Path, speed: &str) -> String {
    let line = format!("{} play {speed} {}", player.display(), file.display());
    let ended = run(Command::new("script").args(["-qefc", &line, "/dev/null"]).env("TERM", "xterm-256color")).expect(0);
    ended.out()
}

#[test]
fn the_bytes_rebuild_from_the_file() {
    let (_trial, file, stdout) = recorded();
    let cast = Cast::read(&file);
    assert_eq!(cast.stdout(), stdout);
    assert_eq!(cast.stderr(), b"amiss\n");
    let markers = cast.markers().join("\n");
    assert!(
        markers.contains("printf") && markers.contains("trial-reviewer"),
        "command and decision are markers: {markers}"
    );
    assert!(cast.header["timestamp"].is_u64(), "asciinema 3 refuses a file without it");
}

#[test]
fn asciinema_2_plays_it() {
    let (_trial, file, _) = recorded();
    let shown = played(&asciinema(2), &file, "-s 100");
    assert!(shown.contains("shown\r\n") && shown.contains("amiss") && shown.contains("café"), "{shown:?}");
}

#[test]
fn asciinema_3_plays_it() {
    let (_trial, file, _) = recorded();
    let shown = played(&asciinema(3), &file, "-s 100");
    assert!(shown.contains("shown\r\n") && shown.contains("amiss") && shown.contains("café"), "{shown:?}");
}

#[test]
fn replay_begins_where_it_is_told_to() {
    let (_trial, file, _) = recorded();
    let replay = |flags: &[&str]| run(Command::new(program(CLI)).arg("replay").args(flags).arg(&file)).expect(0).out();
    let text = std::fs::read_to_string(&file).expect("recording");
    let last = text.lines().rev().find(|line| line.contains("caf")).expect("the last output");
    let at: f64 = last.trim_start_matches('[').split(',').next().and_then(|at| at.trim().parse().ok()).expect("a time");
    let (whole, part) = (replay(&[]), replay(&["--from", &format!("{at:.6}")]));
    assert!(whole.contains("shown") && whole.contains("café"), "{whole:?}");
    assert!(!part.contains("shown") && part.contains("café"), "{part:?}");
    assert_eq!(replay(&["--from", "0"]), whole);
    assert_eq!(replay(&["--from", "1000000"]), "");
}

#[test]
fn replay_plays_a_file_and_a_login() {
    let (trial, file, stdout) = recorded();
    let from_file = run(Command::new(program(CLI)).args(["replay", "--speed", "100"]).arg(&file)).expect(0).out();
    assert!(from_file.contains("shown") && from_file.contains("café"), "{from_file:?}");
    let sessions = trial.reviewer().rows(&["sessions"]);
    let login = sessions[0]["logins"][0].as_str().expect("a login").to_owned();
    let from_service = trial.reviewer().run(&["replay", "--speed", "100", &login]).expect(0).out();
    assert_eq!(from_service, from_file);
    // A command is found by its own id too, whole or its beginning.
    let id = trial.reviewer().rows(&["audit"])[0]["id"].as_str().expect("an id").to_owned();
    for id in [&id, &id[..8]] {
        assert_eq!(trial.reviewer().run(&["replay", "--speed", "100", id]).expect(0).out(), from_service);
    }
    trial.reviewer().run(&["replay", "zzzzzzzz"]).expect(66).says(&["no login has an id"]);
    let raw = trial.reviewer().run(&["replay", "--raw", &login]).expect(0).stdout;
    assert_eq!(raw, stdout, "--raw gives the exact bytes");
    let raw = trial.reviewer().run(&["replay", "--raw=stderr", &login]).expect(0).stdout;
    assert_eq!(raw, b"amiss\n");
}

#[test]
fn replay_lets_nothing_recorded_drive_the_terminal() {
    let trial = Trial::new();
    // Sets the title, asks for the device's attributes, writes to the clipboard, and then shows a word.
    trial.approve(r"printf '\033]0;owned\007\033[c\033]52;c;b3duZWQ=\007word'").expect(0);
    let file = &trial.recordings()[0];
    assert!(Cast::read(file).stdout().contains(&0x1b), "the recording itself is exact");
    let shown = run(Command::new(program(CLI)).args(["replay", "--speed", "100"]).arg(file)).expect(0).out();
    assert!(shown.contains("word"));
    assert!(!shown.contains("\x1b]") && !shown.contains("\x1b[c"), "{shown:?}");
}

#[test]
fn a_recording_of_random_bytes_plays_everywhere() {
    let trial = Trial::new();
    let sent = random_bytes(200_000);
    run_with(&mut trial.decided("cat", "approve"), &sent).expect(0);
    let file = &trial.recordings()[0];
    assert!(Cast::read(file).stdout() == sent);
    for major in [2, 3] {
        played(&asciinema(major), file, "-s 1000");
    }
    let raw = run(Command::new(program(CLI)).args(["replay", "--raw"]).arg(file)).expect(0).stdout;
    assert!(raw == sent);
}
