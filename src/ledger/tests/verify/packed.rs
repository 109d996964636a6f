//! Bundles of a part as they are written: whatever is taken out of a sound
//! history verifies as well as the whole, under both verifiers.

use crate::build::{History, expect, held, join, login, trust, verify_path, write_state};
use crate::removals::{COMMAND, cut, erase, pruned_history, write_pruned};
use crate::second::agrees;
use countersign_ledger::bundle::{BundleError, Selection, Since, part_of, write};
use countersign_ledger::verify::{Options, Report, verify_with};
use std::path::{Path, PathBuf};

fn logins(numbers: &[u8]) -> Selection {
    Selection::Logins { name: "deploy-01".to_owned(), logins: numbers.iter().map(|n| login(*n)).collect() }
}

fn state(history: &mut History) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_state(&dir.path().join("state"), &join(&history.lines()), &history.recordings);
    dir
}

fn packed(dir: &Path, selection: &Selection) -> (PathBuf, Report) {
    let out = dir.join("part.tar");
    let (Ok(()) | Err(_)) = std::fs::remove_file(&out);
    part_of(&dir.join("state"), &out, selection).unwrap();
    let report = verify_path(&out, Some(&trust()));
    (out, report)
}

/// The same, and what the second verifier says.
fn pack(dir: &Path, selection: &Selection) -> (PathBuf, Report) {
    let (out, report) = packed(dir, selection);
    // Unpacked, as somebody who verifies by hand has it.
    let unpacked = tempfile::tempdir().unwrap();
    tar::Archive::new(std::fs::File::open(&out).unwrap()).unpack(unpacked.path()).unwrap();
    assert_eq!(verify_path(unpacked.path(), Some(&trust())).exit_code, report.exit_code, "{}", report.text());
    agrees(unpacked.path(), &trust(), report.exit_code);
    (out, report)
}

#[test]
fn the_logins_of_a_session_verify_without_the_others() {
    let dir = state(&mut held());
    for numbers in [&[1][..], &[2], &[3], &[1, 2], &[1, 2, 3]] {
        let (out, report) = pack(dir.path(), &logins(numbers));
        assert_eq!(report.exit_code, 0, "{numbers:?}\n{}", report.text());
        assert!(report.text().contains("PART of a history"), "{}", report.text());
        let options = Options { whole: true, ..Options::default() };
        expect(&verify_with(&out, Some(&trust()), &options, &mut |_| {}), 41, "part.not_whole");
        let text = std::fs::read(&out).unwrap();
        for n in 1..=3 {
            let id = login(n).to_string();
            let named = text.windows(id.len()).any(|window| window == id.as_bytes());
            assert_eq!(named, numbers.contains(&n), "login {n} in the bundle of {numbers:?}");
        }
    }
}

#[test]
fn everything_since_an_entry_verifies_with_the_logins_open_there() {
    let mut history = held();
    let count = u64::try_from(history.lines().len()).unwrap();
    let dir = state(&mut history);
    for seq in 0..count {
        let pack = if seq % 9 == 0 { pack } else { packed };
        let (_, report) = pack(dir.path(), &Selection::Since(Since::Seq(seq)));
        assert_eq!(report.exit_code, 0, "since {seq}\n{}", report.text());
    }
    let first = Selection::Since(Since::Time(i64::MIN));
    assert_eq!(pack(dir.path(), &first).1.counts.left_out, 0);
    for late in [Since::Seq(count), Since::Time(i64::MAX)] {
        let refused = part_of(&dir.path().join("state"), &dir.path().join("late.tar"), &Selection::Since(late));
        assert!(matches!(refused, Err(BundleError::NotThere(_))), "{refused:?}");
        assert!(!dir.path().join("late.tar").exists());
    }
}

#[test]
fn what_was_erased_comes_with_its_declaration() {
    let mut history = held();
    erase(&mut history, "erasure", &[("submit9", COMMAND), ("submit1", COMMAND)]);
    let mut lines = history.lines();
    cut(&mut history, &mut lines, "submit9", COMMAND);
    cut(&mut history, &mut lines, "submit1", COMMAND);
    let dir = tempfile::tempdir().unwrap();
    write_state(&dir.path().join("state"), &join(&lines), &history.recordings);
    for (numbers, erased) in [(&[1][..], 3), (&[3], 3), (&[2], 0)] {
        let (_, report) = pack(dir.path(), &logins(numbers));
        assert_eq!((report.exit_code, report.counts.erased), (0, erased), "{numbers:?}\n{}", report.text());
    }
    for seq in 0..u64::try_from(lines.len()).unwrap() {
        let pack = if seq % 9 == 4 { pack } else { packed };
        let (_, report) = pack(dir.path(), &Selection::Since(Since::Seq(seq)));
        assert_eq!(report.exit_code, 0, "since {seq}\n{}", report.text());
    }
}

#[test]
fn a_pruned_history_can_be_packed_whole_and_in_part() {
    let (history, pruned) = pruned_history(|_| {});
    let dir = tempfile::tempdir().unwrap();
    write_pruned(&dir.path().join("state"), &pruned, &history);
    let out = dir.path().join("whole.tar");
    let written = write(&dir.path().join("state"), &out).unwrap();
    assert_eq!(written.left_out, Vec::<String>::new());
    assert_eq!(verify_path(&out, Some(&trust())), verify_path(&dir.path().join("state"), Some(&trust())));
    let (_, report) = pack(dir.path(), &logins(&[3]));
    assert_eq!(report.exit_code, 0, "{}", report.text());
    let before = u64::try_from(pruned.before).unwrap();
    assert_eq!(pack(dir.path(), &Selection::Since(Since::Seq(before))).1.exit_code, 0);
    let gone = part_of(&dir.path().join("state"), &dir.path().join("gone.tar"), &logins(&[1]));
    assert!(matches!(gone, Err(BundleError::NotThere(_))), "{gone:?}");
}

#[test]
fn an_open_login_and_one_that_nothing_covers_are_not_better_in_a_part() {
    let mut history = held();
    history.open(5);
    history.submit(5, 11, b"uptime");
    let dir = state(&mut history);
    let whole = verify_path(&dir.path().join("state"), Some(&trust()));
    let (_, report) = pack(dir.path(), &logins(&[5]));
    assert_eq!((whole.exit_code, report.exit_code), (11, 11), "{}\n{}", whole.text(), report.text());
    assert_eq!(pack(dir.path(), &logins(&[3])).1.exit_code, 0);
}

#[test]
fn a_damaged_history_gives_no_bundle() {
    let history = held();
    let lines = history.lines();
    let refused = |journal: Vec<u8>| {
        let dir = tempfile::tempdir().unwrap();
        write_state(&dir.path().join("state"), &journal, &history.recordings);
        let out = dir.path().join("part.tar");
        let refused = part_of(&dir.path().join("state"), &out, &logins(&[3]));
        assert!(matches!(refused, Err(BundleError::BadLedger { .. })), "{refused:?}");
        assert!(!out.exists());
    };
    let mut missing = lines.clone();
    missing.remove(5);
    refused(join(&missing));
    let mut twice = lines.clone();
    twice.insert(5, lines[5].clone());
    refused(join(&twice));
    let mut broken = lines.clone();
    broken[5] = broken[5].replace("\"kind\"", "\"kinds\"");
    refused(join(&broken));
}
