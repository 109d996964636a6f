//! Secrets of command lines: they run as they are and stand nowhere.

use countersign_tests::journal;
use countersign_tests::trial::Trial;
use std::path::{Path, PathBuf};

const SECRET: &str = "hunter2xQ9wZ7";

/// Files under a directory that hold these bytes.
fn holding(dir: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if std::fs::read(&path).is_ok_and(|held| held.windows(bytes.len()).any(|w| w == bytes)) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_secret_runs_and_is_stored_nowhere() {
    let trial = Trial::new();
    let kept = trial.file("kept");
    let line = format!("PGPASSWORD='{SECRET}' sh -c 'printf %s \"$PGPASSWORD\" >{}'; echo done", kept.display());
    let ended = trial.approve(&line).expect(0);
    assert_eq!(ended.out(), "done\n");
    assert_eq!(std::fs::read_to_string(&kept).expect("kept"), SECRET, "the exact bytes ran");

    let submitted = journal::of_kind(&trial.journal(), "command_submitted");
    let body = &submitted[0]["body"];
    assert_eq!(body["redactions"]["password"], 1);
    assert_eq!((&body["hidden"][0], &body["hidden_kinds"][0]), (&1.into(), &"password".into()));
    let found = holding(&trial.state(), SECRET.as_bytes());
    assert!(found.is_empty(), "the secret stands in {found:?}");
    assert!(!holding(&trial.state(), b"PGPASSWORD").is_empty(), "the control: the rest of the line is there");
    trial.verify().expect(10);
}

#[test]
fn an_expansion_in_the_place_of_a_secret_is_shown() {
    let trial = Trial::new();
    let line = "PGPASSWORD=\"$(echo shownQ9wZ7)\" true";
    trial.deny(line).expect(126);
    let submitted = journal::of_kind(&trial.journal(), "command_submitted");
    assert_eq!(submitted[0]["body"]["expansions"]["password"], 1);
    assert!(submitted[0]["body"].get("hidden").is_none());
    assert!(submitted[0]["vals"]["cmd"].to_string().contains("shownQ9wZ7"));
}
