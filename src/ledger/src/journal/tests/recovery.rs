//! Opening again after a cut, damage or loss.

use crate::tests::support::*;
use crate::{Committer, InProcessSigner, JournalError, Limits, sha256};
use countersign_core::Choice;
use std::fs;
use std::path::Path;

const FIRST: &str = "0000000000000000.jsonl";

fn try_open(dir: &Path) -> Result<(Committer, crate::Recovered), JournalError> {
    Committer::open(dir, host(), Box::new(host_signer()), Box::new(FixedClock::new()), Limits::default())
}

#[test]
fn the_torn_last_line_is_kept_aside_at_whatever_byte_it_ends() {
    let golden = golden("day.jsonl");
    let start = golden.trim_end().rfind('\n').unwrap() + 1;
    let seq = u64::try_from(golden.lines().count() - 1).unwrap();
    for end in start..golden.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FIRST), &golden[..end]).unwrap();
        let (committer, recovered) = try_open(dir.path()).unwrap();
        assert_eq!(recovered.next_seq, seq);
        if end > start {
            let torn = recovered.torn.unwrap();
            let kept = fs::read(dir.path().join(format!("torn-{seq:016}"))).unwrap();
            assert_eq!(kept, &golden.as_bytes()[start..end]);
            assert_eq!((torn.bytes, torn.digest), (u64::try_from(end - start).unwrap(), sha256(&kept)));
        } else {
            assert_eq!(recovered.torn, None);
        }
        assert_eq!(committer.append_wait(vec![started()]).unwrap()[0].seq, seq);
        drop(committer);
        let (_, again) = try_open(dir.path()).unwrap();
        assert_eq!((again.next_seq, again.torn), (seq + 1, None));
    }
}

#[test]
fn torn_twice_at_the_same_place_keeps_both() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, name) in [("one", "torn-0000000000000000"), ("two\0\0", "torn-0000000000000000.1")] {
        fs::write(dir.path().join(FIRST), bytes).unwrap();
        let torn = try_open(dir.path()).unwrap().1.torn.unwrap();
        assert_eq!(torn.kept, dir.path().join(name));
        assert_eq!(fs::read_to_string(torn.kept).unwrap(), bytes);
        assert_eq!(fs::read(dir.path().join(FIRST)).unwrap(), b"");
    }
}

#[test]
fn earlier_damage_refuses_to_open_and_changes_nothing() {
    let golden = golden("day.jsonl");
    let lines: Vec<&str> = golden.lines().collect();
    let without = |skip: usize| {
        lines.iter().enumerate().filter(|(i, _)| *i != skip).map(|(_, l)| format!("{l}\n")).collect::<String>()
    };
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    let table = [
        (golden.replacen("\"uid\":1001", "\"uid\":1002", 1), "line 4 (seq 3)", "hash of the entry before"),
        (golden.replacen("\"uid\":1001", "\"uid\" :1001", 1), "line 3 (seq 2)", "expected :"),
        (without(3), "line 4 (seq 3)", "it says seq 4"),
        (swapped.iter().map(|l| format!("{l}\n")).collect(), "line 5 (seq 4)", "it says seq 5"),
        (golden.replacen("\"why\":\"signal\"", "\"why\":\"sigmal\"", 1), "line 14 (seq 13)", "signature"),
        (golden.clone() + "\n", "line 15 (seq 14)", "expected {\"at\":"),
        (golden.clone() + &"x".repeat(1024 * 1024 + 2), "line 15 (seq 14)", "longer than 1 MiB"),
        (format!("\0{golden}"), "line 1 (seq 0)", "expected {\"at\":"),
        (
            golden.replacen("HOME=/home/deploy", "HOME=/home/deploi", 1),
            "line 4 (seq 3)",
            "does not match its commitment",
        ),
        (golden.replacen("nur heute", "nur jetzt", 1), "line 6 (seq 5)", "does not match its commitment"),
    ];
    for (text, place, why) in table {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FIRST);
        fs::write(&path, &text).unwrap();
        let error = try_open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(why), "{place} {why}: {error}");
        assert!(error.contains(path.to_str().unwrap()) && error.contains("countersign verify"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "only the lock beside it");
    }
}

/// Pages of the last batch can be missing after a power cut (ADR 17). What
/// stands in the place of a hole is not known, so a person has to look.
#[test]
fn a_hole_before_text_is_damage() {
    let golden = golden("day.jsonl").into_bytes();
    let last = golden.trim_ascii_end().iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    // Within the last line, over the end of the one before, and a whole line.
    let before = golden[..last - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for (hole, place) in [
        (last + 40..last + 80, "line 14 (seq 13)"),
        (last - 20..last + 20, "line 13 (seq 12)"),
        (before..last, "line 13 (seq 12)"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FIRST);
        let mut bytes = golden.clone();
        bytes[hole].fill(0);
        fs::write(&path, &bytes).unwrap();
        let error = try_open(dir.path()).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }) && error.to_string().contains(place), "{error}");
        assert!(fs::read(&path).unwrap() == bytes);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "only the lock beside it");
    }
}

#[test]
fn lost_swapped_and_foreign_files_are_refused() {
    let golden = golden("day.jsonl");
    let half = golden.match_indices('\n').nth(5).unwrap().0 + 1;
    let (one, two) = golden.split_at(half);
    let second = "0000000000000006.jsonl";
    let table: [(&[(&str, &str)], &str); 6] = [
        (&[(second, two)], "it begins with seq 6"),
        (&[(FIRST, one), ("0000000000000007.jsonl", two)], "it begins with seq 7"),
        (&[(FIRST, ""), (second, two)], "it is empty"),
        (&[(FIRST, &one[..half - 1]), (second, two)], "no newline"),
        (&[(FIRST, one), (second, two), ("notes.jsonl", "")], "16 digits"),
        (&[(FIRST, one), (second, one)], "it says seq 0"),
    ];
    for (files, why) in table {
        let dir = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(dir.path().join(name), text).unwrap());
        let error = try_open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FIRST), one).unwrap();
    fs::write(dir.path().join(second), two).unwrap();
    assert_eq!(try_open(dir.path()).unwrap().1.next_seq, 14);
}

#[test]
fn another_key_or_host_never_goes_on_with_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FIRST), golden("day.jsonl")).unwrap();
    let signer = Box::new(InProcessSigner::generate().unwrap());
    let other = Committer::open(dir.path(), host(), signer, Box::new(FixedClock::new()), Limits::default());
    assert!(other.unwrap_err().to_string().contains("signed by the key"));
    let host = countersign_core::HostId::from_random([1; 16]);
    let other =
        Committer::open(dir.path(), host, Box::new(host_signer()), Box::new(FixedClock::new()), Limits::default());
    assert!(other.unwrap_err().to_string().contains("it is of the host"));
}

#[test]
fn open_logins_are_reported_with_what_they_left() {
    let dir = tempfile::tempdir().unwrap();
    let (committer, _) = open(dir.path());
    let append = |drafts| committer.append_wait(drafts).unwrap();
    (0..4).for_each(|number| drop(append(vec![opened(login(number))])));
    let asked = append(vec![submitted(login(0), submission(0))]);
    let held = append(vec![submitted(login(1), submission(1))]);
    let run = append(decided(login(1), submission(1), &held[0], Choice::Approve));
    append(vec![chunk(login(1)), chunk(login(1))]);
    append(vec![closed(login(2), 0)]);
    drop(committer);
    let found = open(dir.path()).1.open_logins;
    assert_eq!(found.iter().map(|l| l.id).collect::<Vec<_>>(), [login(0), login(1), login(3)]);
    assert_eq!((found[0].undecided, found[0].unfinished), (Some((submission(0), asked[0].leaf)), None));
    assert_eq!((found[1].undecided, found[1].unfinished), (None, Some((submission(1), run[1].leaf))));
    assert_eq!((found[1].chunks, found[1].recording_bytes), (2, 22));
    assert_eq!((found[2].undecided, found[2].unfinished, found[2].chunks), (None, None, 0));
    // Their chains go on.
    let (committer, _) = open(dir.path());
    committer.append_wait(vec![closed(login(1), 22), closed(login(0), 0), closed(login(3), 0)]).unwrap();
    drop(committer);
    assert_eq!(open(dir.path()).1.open_logins, vec![]);
}

/// What a limit counts is told by a journal that is opened again: of the logins that are over, too.
#[test]
fn what_was_recorded_of_an_account_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (committer, first) = open(dir.path());
    assert_eq!(first.recorded, vec![]);
    let append = |drafts| committer.append_wait(drafts).unwrap();
    (0..2).for_each(|number| drop(append(vec![opened(login(number))])));
    append(vec![submitted(login(0), submission(0))]);
    append(vec![chunk(login(1)), chunk(login(1)), closed(login(1), 22)]);
    drop(committer);
    let found = open(dir.path()).1.recorded;
    let sum = |one: fn(&crate::RecordedHour) -> u64| found.iter().map(one).sum::<u64>();
    let bytes = sum(|hour| hour.bytes);
    assert!((22..200).contains(&bytes), "two chunks of 11 and a command: {bytes}");
    assert_eq!((sum(|hour| hour.logins), sum(|hour| hour.submissions)), (2, 1));
}

#[test]
fn settling_the_tail_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let (committer, _) = open(dir.path());
    let mut command = submitted(login(0), submission(0));
    let env = command.vals.insert("env", salt(7), vec![b'x'; 900 * 1024]);
    let crate::Value::Object(members) = &mut command.body else { panic!("an object") };
    members.insert("env".to_owned(), env.into());
    committer.append_wait(vec![opened(login(0))]).unwrap();
    (0..11).for_each(|_| drop(committer.append_wait(vec![command.clone()]).unwrap()));
    drop(committer);
    let before = fs::read(dir.path().join(FIRST)).unwrap();
    assert!(before.len() > 9 * 1024 * 1024);
    assert_eq!(open(dir.path()).1.next_seq, 12);
    assert!(fs::read(dir.path().join(FIRST)).unwrap() == before);
}
