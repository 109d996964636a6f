//! Openings that are declared gone, and the crashes between the word and the deed.

use super::super::removed::Removed;
use crate::tests::support::*;
use crate::view::{Borrow, View};
use crate::{
    Committer, Entry, Erased, JournalError, Kind, Limits, Line, Removal, cut_openings, finish_removals, read_lines,
};
use countersign_core::Digest;
use std::fs;
use std::io;
use std::path::Path;

/// Opens a journal whose files hold a line or two.
fn open_small(dir: &Path) -> Result<Committer, JournalError> {
    let limits = Limits { reserve_bytes: 0, segment_bytes: 2_000 };
    Committer::open(dir, host(), Box::new(host_signer()), Box::new(FixedClock::new()), limits).map(|(it, _)| it)
}

fn all(dir: &Path) -> Vec<String> {
    read_lines(dir, 0, 1_000, 1 << 24).unwrap()
}

/// Whether nothing is left of what [`BOTH`] names.
fn gone(dir: &Path) -> bool {
    let lines = all(dir);
    BOTH.iter()
        .all(|(seq, _)| Entry::parse(lines[usize::try_from(*seq).unwrap()].as_bytes()).unwrap().vals_text == "{}")
}

/// A day, and an erasure of these openings at its end. Nothing is cut yet.
fn declared(dir: &Path, kind: Kind, entries: &[(u64, &[&str])]) {
    let committer = open_small(dir).unwrap();
    write_day(&committer);
    let lines = all(dir);
    let erased = entries.iter().map(|(seq, paths)| Erased {
        seq: *seq,
        of: Line::parse(lines[usize::try_from(*seq).unwrap()].as_bytes()).unwrap().leaf_hash(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    });
    let removal = Removal { entries: erased.collect(), recordings: vec![login(1)] };
    committer.append_wait(vec![draft(kind, None, removal.to_body("request 17"))]).unwrap();
}

const BOTH: &[(u64, &[&str])] = &[(3, &["cmd", "cwd", "env"]), (5, &["comment"])];

#[test]
fn the_body_reads_as_it_was_written() {
    let erased = Erased { seq: 3, of: Digest([7; 32]), paths: vec!["cmd/1".to_owned(), "cwd".to_owned()] };
    let removal = Removal { entries: vec![erased.clone()], recordings: vec![login(4)] };
    assert_eq!(Removal::from_body(&removal.to_body("x")), removal);
    assert!(erased.covers("cwd") && erased.covers("cmd/1") && !erased.covers("cmd") && !erased.covers("cmd/0"));
}

#[test]
fn what_is_declared_gone_is_cut_by_the_next_opening_or_at_once() {
    for at_once in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        declared(dir.path(), Kind::Erasure, BOTH);
        let before = all(dir.path());
        assert!(!gone(dir.path()));
        if at_once {
            finish_removals(dir.path()).unwrap();
        } else {
            drop(open_small(dir.path()).unwrap());
        }
        let after = all(dir.path());
        assert!(gone(dir.path()));
        for (seq, (before, after)) in before.iter().zip(&after).enumerate() {
            let (before, after) = (Entry::parse(before.as_bytes()).unwrap(), Entry::parse(after.as_bytes()).unwrap());
            assert_eq!(before.leaf, after.leaf);
            assert_eq!(before.vals_text != after.vals_text, [3, 5].contains(&seq), "seq {seq}");
        }
        // And all goes on.
        let committer = open_small(dir.path()).unwrap();
        assert_eq!(committer.append_wait(vec![started()]).unwrap()[0].seq, 15);
        drop(committer);
        assert_eq!(all(dir.path()).len(), 16);
    }
}

/// Kills the rewriting at its first step, its second, and so on: whatever was
/// done by then, everything that was not named is there, what was named has
/// its record, and the next opening finishes.
#[test]
fn killed_at_every_step_nothing_is_lost_and_nothing_stays() {
    let mut steps = 0;
    loop {
        let dir = tempfile::tempdir().unwrap();
        declared(dir.path(), Kind::Redaction, BOTH);
        let before = all(dir.path());
        let mut removed = Removed::default();
        for line in &before {
            let mut tokens = Vec::new();
            let (line, _) = Line::parse_with(line.as_bytes(), &mut Borrow(&mut tokens)).unwrap();
            let (kind, body) = (line.kind.parse().ok(), View::of(&tokens));
            removed.entry(kind, &line, body, line.leaf_hash(), (dir.path(), 1)).unwrap();
        }
        let mut left = steps;
        let killed = removed.cut(dir.path(), &mut || {
            left = usize::checked_sub(left, 1).ok_or_else(|| io::Error::other("killed"))?;
            Ok(())
        });
        let halfway = all(dir.path());
        assert_eq!(halfway.len(), before.len(), "step {steps}");
        for (before, halfway) in before.iter().zip(&halfway) {
            let seq = Line::parse(before.as_bytes()).unwrap().seq;
            let paths = BOTH.iter().filter(|(named, _)| *named == seq).flat_map(|(_, paths)| *paths);
            let cut = cut_openings(before, &paths.map(|path| (*path).to_owned()).collect::<Vec<_>>()).unwrap();
            assert!([before, &cut].contains(&halfway), "step {steps}: {halfway}");
        }
        drop(open_small(dir.path()).unwrap());
        assert!(gone(dir.path()), "step {steps}");
        assert!(
            fs::read_dir(dir.path()).unwrap().all(|item| item.unwrap().path().extension().is_none_or(|e| e != "new"))
        );
        if killed.is_ok() {
            break;
        }
        steps += 1;
    }
    assert!(steps > 10, "two files are written anew, in {steps} steps");
    println!("{steps} steps");
}

/// A name, the paths cut from entry 3, what is declared, and what the refusal says.
type Case = (&'static str, &'static [&'static str], &'static [(u64, &'static [&'static str])], &'static str);

#[test]
fn what_nothing_declares_refuses_to_open_and_changes_nothing() {
    let table: [Case; 4] = [
        ("another entry is declared", &["cwd"], &[(6, &["cwd"])], "vals.cwd is missing"),
        ("another path is declared", &["cwd", "cmd"], &[(3, &["cwd", "cmd/0"])], "vals.cmd is missing"),
        ("nothing is", &["cmd/2"], &[], "vals.cmd/2 is missing"),
        ("a later entry is named", &["env"], &[(14, &["env"])], "vals.env is missing"),
    ];
    for (name, cut, said, why) in table {
        let dir = tempfile::tempdir().unwrap();
        let committer = open_small(dir.path()).unwrap();
        write_day(&committer);
        let entries = said.iter().map(|(seq, paths)| {
            let lines = all(dir.path());
            let of = lines
                .get(usize::try_from(*seq).unwrap())
                .map_or(Digest::ZERO, |line| Line::parse(line.as_bytes()).unwrap().leaf_hash());
            Erased { seq: *seq, of, paths: paths.iter().map(|path| (*path).to_owned()).collect() }
        });
        let removal = Removal { entries: entries.collect(), recordings: Vec::new() };
        committer.append_wait(vec![draft(Kind::Erasure, None, removal.to_body("x"))]).unwrap();
        drop(committer);
        spoil(dir.path(), 3, cut);
        let before = all(dir.path());
        let error = open_small(dir.path()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("seq 3"), "{name}: {error}");
        assert_eq!(all(dir.path()), before, "{name}");
    }
}

/// Cuts openings of an entry as a thief would: without a word.
fn spoil(dir: &Path, seq: u64, paths: &[&str]) {
    let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    for (_, file) in crate::journal::segments(dir).unwrap() {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().map(|line| {
            let named = Line::parse(line.as_bytes()).unwrap().seq == seq;
            if named { cut_openings(line, &paths).unwrap() } else { line.to_owned() }
        });
        let text: String = lines.map(|line| line + "\n").collect();
        fs::write(file, text).unwrap();
    }
}

/// A host whose `erasure` names another hash, or what is not private, cuts nothing.
#[test]
fn an_erasure_of_something_else_cuts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let committer = open_small(dir.path()).unwrap();
    write_day(&committer);
    let lines = all(dir.path());
    let of = |seq: usize| Line::parse(lines[seq].as_bytes()).unwrap().leaf_hash();
    let erased = |seq, of, path: &str| Erased { seq, of, paths: vec![path.to_owned()] };
    let entries = vec![erased(3, of(4), "cmd"), erased(3, of(3), "id"), erased(2, of(2), "nonsense")];
    let removal = Removal { entries, recordings: Vec::new() };
    committer.append_wait(vec![draft(Kind::Erasure, None, removal.to_body("x"))]).unwrap();
    drop(committer);
    let before = all(dir.path());
    finish_removals(dir.path()).unwrap();
    drop(open_small(dir.path()).unwrap());
    assert_eq!(all(dir.path()), before);
}
