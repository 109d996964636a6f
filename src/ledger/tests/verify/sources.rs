//! What is not a history, or not a whole one.

use crate::build::{expect, golden, join, trust, verify_path, write_state};
use crate::second::agrees;
use std::path::Path;

fn state() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let history = golden();
    write_state(dir.path(), &join(&history.lines()), &history.recordings);
    dir
}

#[test]
fn every_form_of_source_is_read() {
    let dir = state();
    assert_eq!(verify_path(dir.path(), Some(&trust())).exit_code, 10);
    assert_eq!(verify_path(&dir.path().join("host"), Some(&trust())).exit_code, 10);
    let journal = dir.path().join("host/journal/0000000000000000.jsonl");
    expect(&verify_path(&journal, Some(&trust())), 11, "recording.not_given");
    std::fs::write(dir.path().join("host/journal/lock"), "").unwrap();
    std::fs::write(dir.path().join("host/journal/torn-0000000000000007"), "{").unwrap();
    let report = verify_path(dir.path(), Some(&trust()));
    assert_eq!((report.exit_code, report.warnings_total), (10, 0));
    std::fs::write(dir.path().join("host/journal/x.jsonl"), "{").unwrap();
    assert_eq!(verify_path(dir.path(), Some(&trust())).warnings_total, 1);
}

#[test]
fn two_histories_in_one_folder_are_not_one() {
    let dir = state();
    let other = dir.path().join("journal");
    std::fs::create_dir(&other).unwrap();
    expect(&verify_path(dir.path(), Some(&trust())), 40, "source.damaged");
}

#[test]
fn nothing_to_verify_is_20() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    expect(&verify_path(&at("absent"), Some(&trust())), 20, "source.unknown");
    expect(&verify_path(dir.path(), Some(&trust())), 20, "source.unknown");
    expect(&verify_path(Path::new("/dev/null"), Some(&trust())), 20, "source.unknown");
    for (name, bytes) in [("text", b"hello".as_slice()), ("zip", b"PK\x03\x04"), ("zeros", &[0; 4096])] {
        std::fs::write(at(name), bytes).unwrap();
        expect(&verify_path(&at(name), Some(&trust())), 20, "source.unknown");
    }
    std::fs::write(at("empty"), "").unwrap();
    expect(&verify_path(&at("empty"), Some(&trust())), 20, "source.empty");
    std::fs::create_dir_all(at("state/host/journal")).unwrap();
    expect(&verify_path(&at("state"), Some(&trust())), 20, "source.empty");
    std::fs::write(at("brace"), "{").unwrap();
    expect(&verify_path(&at("brace"), Some(&trust())), 20, "source.empty");
}

#[test]
fn several_files_are_one_history() {
    let history = golden();
    let lines = history.lines();
    for cut in [1, 7, 30] {
        let dir = tempfile::tempdir().unwrap();
        write_state(dir.path(), &join(&lines[..cut]), &history.recordings);
        let second = dir.path().join(format!("host/journal/{cut:016}.jsonl"));
        std::fs::write(&second, join(&lines[cut..])).unwrap();
        assert_eq!(verify_path(dir.path(), Some(&trust())).exit_code, 10);
        let wrong = dir.path().join(format!("host/journal/{:016}.jsonl", cut + 1));
        std::fs::rename(&second, &wrong).unwrap();
        expect(&verify_path(dir.path(), Some(&trust())), 40, "journal.name");
        std::fs::remove_file(&wrong).unwrap();
        std::fs::write(&second, join(&lines[cut + 1..])).unwrap();
        expect(&verify_path(dir.path(), Some(&trust())), 41, "chain.seq");
        std::fs::write(dir.path().join("host/journal/0000000000000000.jsonl"), join(&lines[..cut + 1])).unwrap();
        expect(&verify_path(dir.path(), Some(&trust())), 40, "journal.name");
        std::fs::remove_file(dir.path().join("host/journal/0000000000000000.jsonl")).unwrap();
        std::fs::write(&second, join(&lines[cut..])).unwrap();
        expect(&verify_path(dir.path(), Some(&trust())), 41, "chain.seq");
    }
}

#[test]
fn a_torn_tail_is_incomplete_and_a_torn_middle_invalid() {
    let dir = state();
    let journal = dir.path().join("host/journal/0000000000000000.jsonl");
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes.pop();
    std::fs::write(&journal, &bytes).unwrap();
    expect(&verify_path(dir.path(), Some(&trust())), 11, "journal.torn");
    std::fs::write(dir.path().join("host/journal/0000000000000099.jsonl"), "").unwrap();
    expect(&verify_path(dir.path(), Some(&trust())), 40, "grammar.leaf");
}

#[test]
fn links_are_not_followed() {
    let dir = state();
    let recordings = dir.path().join("host/recordings");
    let name = std::fs::read_dir(&recordings).unwrap().next().unwrap().unwrap().path();
    let moved = dir.path().join("elsewhere");
    std::fs::rename(&name, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &name).unwrap();
    expect(&verify_path(dir.path(), Some(&trust())), 42, "recording.missing");
    let journal = dir.path().join("host/journal/0000000000000000.jsonl");
    std::fs::rename(&journal, dir.path().join("j")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("j"), &journal).unwrap();
    expect(&verify_path(dir.path(), Some(&trust())), 40, "source.damaged");
}

#[test]
fn long_and_odd_lines_are_invalid() {
    let history = golden();
    let lines = history.lines();
    let long = "{".repeat(1024 * 1024 + 5);
    for bad in ["", " ", "{}", "null", "\u{1b}[2J", long.as_str()] {
        let mut changed = lines.clone();
        changed.insert(9, bad.to_owned());
        expect(&crate::build::verify_lines(&changed, &history.recordings, Some(&trust())), 40, "grammar.leaf");
    }
}

/// Both verifiers say the same of folders that somebody has laid out to be misread.
#[test]
fn odd_folders_are_odd_for_both() {
    const WITHIN: &str = "host/journal/0000000000000000.jsonl";
    let verdicts: [(&str, &str, u8); 18] = [
        ("nothing", "true", 10),
        ("a link", &format!("mv {WITHIN} x; ln -s ../../x {WITHIN}"), 40),
        ("a FIFO", "mkfifo host/journal/0000000000000099.jsonl", 40),
        ("a FIFO of hashes", "mkfifo host/journal/proof.json", 40),
        ("an endless link of hashes", "ln -s /dev/zero host/journal/proof.json", 40),
        ("a host that is a link", "mv host x; ln -s x host", 40),
        ("a host that is a file, beside a journal", "mv host/* .; rmdir host; touch host", 40),
        ("a journal that is a link", "mv host/journal x; ln -s ../x host/journal", 40),
        ("a journal that is a link to nothing", "rm -r host/journal; ln -s nothing host/journal", 40),
        ("a second journal that is a link to nothing", "ln -s nothing journal", 40),
        ("recordings that are a link", "mv host/recordings x; ln -s ../x host/recordings", 40),
        ("a manifest that is a link", "echo '{\"fmt\":\"cs-bundle1\"}' > x; ln -s ../x host/bundle.json", 40),
        ("recordings that are no folder", "rm -r host/recordings; touch host/recordings", 40),
        ("digits of another script", &format!("cp {WITHIN} host/journal/{}.jsonl", "\u{660}".repeat(16)), 10),
        ("a part twice", &manifest("\"part\":{\"since\":1},\"part\":null"), 40),
        ("a part from before the beginning", &manifest("\"part\":{\"since\":-1}"), 40),
        ("a part from beyond all numbers", &manifest("\"part\":{\"since\":18446744073709551616}"), 40),
        ("software that is no text", &manifest("\"software\":1"), 40),
    ];
    for (what, script, exit) in verdicts {
        let dir = state();
        let done = std::process::Command::new("sh").args(["-ec", script]).current_dir(dir.path()).status();
        assert!(done.unwrap().success(), "{what}");
        let report = verify_path(dir.path(), Some(&trust()));
        assert_eq!(report.exit_code, exit, "{what}: {}", report.text());
        agrees(dir.path(), &trust(), exit);
    }
}

fn manifest(members: &str) -> String {
    format!("echo '{{\"fmt\":\"cs-bundle1\",{members}}}' > host/bundle.json")
}
