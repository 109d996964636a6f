//! Old entries dropped, and the crashes between the word and the deed.

use super::super::pruned::apply;
use crate::tests::support::*;
use crate::tlog::{Frontier, ServiceStamp};
use crate::{
    Committer, Draft, JournalError, Kind, Limits, Line, Pruning, Recovered, Value, body, finish_pruning, for_each_line,
    plan_pruning,
};
use countersign_core::Digest;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn open_small(dir: &Path) -> Result<(Committer, Recovered), JournalError> {
    let limits = Limits { reserve_bytes: 0, segment_bytes: 3_000 };
    Committer::open(dir, host(), Box::new(host_signer()), Box::new(FixedClock::new()), limits)
}

fn lines(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for_each_line(dir, |line| {
        found.push(line.to_owned());
        Ok(())
    })
    .unwrap();
    found
}

fn leaf(line: &str) -> Digest {
    Line::parse(line.as_bytes()).unwrap().leaf_hash()
}

fn seqs(dir: &Path) -> Vec<u64> {
    lines(dir).iter().map(|line| Line::parse(line.as_bytes()).unwrap().seq).collect()
}

/// What the service would have cosigned.
fn stamp(size: u64, root: Digest) -> Draft {
    let stamp = ServiceStamp {
        size,
        root,
        note_key: "0123456789abcdef".to_owned(),
        note_sig: [1; 64],
        service: service(),
        time: 1,
        cosig: [2; 64],
        log_size: 1,
        log_root: root,
        log_sig: [3; 64],
        log_index: 0,
        log_proof: Vec::new(),
        log_consistency: Vec::new(),
    };
    draft(Kind::Checkpoint, None, stamp.to_value())
}

fn root(committer: &Committer) -> (u64, Digest) {
    let (tell, told) = std::sync::mpsc::channel();
    committer.head(Box::new(move |head| tell.send(head).unwrap()));
    let head = told.recv().unwrap().unwrap().checkpoint;
    (head.size, head.root)
}

/// Two days, of which the second has a login that was opened in the first, a
/// checkpoint over all of it, and what is to be dropped.
fn case() -> (tempfile::TempDir, PathBuf, Pruning, Digest) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("journal");
    let (committer, _) = open_small(&dir).unwrap();
    write_day(&committer);
    committer.append_wait(vec![started(), opened(login(5)), opened(login(6))]).unwrap();
    committer.append_wait(vec![chunk(login(5)), closed(login(5), 11)]).unwrap();
    for number in 10..14 {
        committer.append_wait(vec![opened(login(number)), closed(login(number), 0)]).unwrap();
    }
    let (size, whole) = root(&committer);
    let limit = size;
    committer.append_wait(vec![stamp(size, whole)]).unwrap();
    // Still open: nothing of it may go.
    committer.append_wait(vec![chunk(login(6)), opened(login(7))]).unwrap();
    let plan = plan_pruning(&dir, limit).unwrap().unwrap();
    let members: [(&str, Value); 4] = [
        ("before", plan.before.into()),
        ("head", plan.head.into()),
        ("reason", "retention".into()),
        ("root", plan.root.into()),
    ];
    committer.append_wait(vec![started(), draft(Kind::Pruned, None, body(members))]).unwrap();
    let whole = root(&committer).1;
    (temp, dir, plan, whole)
}

#[test]
fn what_is_planned_is_what_goes() {
    let (_temp, dir, plan, whole) = case();
    let before = lines(&dir);
    let mut tree = Frontier::default();
    before.iter().take(usize::try_from(plan.before).unwrap()).for_each(|line| tree.push(leaf(line)));
    assert_eq!((plan.root, plan.head), (tree.root(), leaf(&before[usize::try_from(plan.before).unwrap() - 1])));
    assert_eq!(plan.logins.len(), 7, "two of the first day, one of the second, four more: not those that are open");
    finish_pruning(&dir).unwrap();
    let after = seqs(&dir);
    assert_eq!(after.len() + usize::try_from(plan.entries).unwrap(), before.len());
    // Enrolment and starts, and all of the login that is open.
    assert_eq!(after.iter().filter(|seq| **seq < plan.before).copied().collect::<Vec<_>>(), [0, 1, 14, 16]);
    let (committer, recovered) = open_small(&dir).unwrap();
    assert_eq!(root(&committer), (u64::try_from(before.len()).unwrap(), whole), "the tree is the same");
    assert_eq!(recovered.open_logins.len(), 2);
    assert_eq!(recovered.left_logins.map(|left| left.into_iter().collect()), Some(vec![login(6), login(7)]));
    // It goes on, also with the login that began in what was dropped.
    committer.append_wait(vec![closed(login(6), 11), closed(login(7), 0)]).unwrap();
    let next = committer.next_seq();
    assert_eq!(committer.read_lines(next - 1, 5, 1 << 20).unwrap().len(), 1);
    assert!(committer.read_lines(5, 5, 1 << 20).unwrap().is_empty(), "what is dropped is not there");
    assert_eq!(plan_pruning(&dir, plan.before).unwrap(), None, "nothing more below that");
}

#[test]
fn pruned_again_and_again() {
    let (_temp, dir, first, _) = case();
    finish_pruning(&dir).unwrap();
    let mut last = first.before;
    for round in 0..3 {
        let (committer, recovered) = open_small(&dir).unwrap();
        let open: Vec<_> = recovered.open_logins.iter().map(|open| closed(open.id, open.recording_bytes)).collect();
        committer.append_wait([vec![started()], open].concat()).unwrap();
        let number = 20 + round;
        committer.append_wait(vec![opened(login(number)), closed(login(number), 0)]).unwrap();
        let (size, whole) = root(&committer);
        committer.append_wait(vec![stamp(size, whole)]).unwrap();
        let plan = plan_pruning(&dir, size).unwrap().unwrap();
        assert!(plan.before > last);
        last = plan.before;
        let members: [(&str, Value); 4] = [
            ("before", plan.before.into()),
            ("head", plan.head.into()),
            ("reason", "retention".into()),
            ("root", plan.root.into()),
        ];
        committer.append_wait(vec![draft(Kind::Pruned, None, body(members))]).unwrap();
        let head = root(&committer);
        drop(committer);
        finish_pruning(&dir).unwrap();
        let (committer, recovered) = open_small(&dir).unwrap();
        assert_eq!((root(&committer), recovered.open_logins.len()), (head, 0), "round {round}");
    }
}

/// Kills the pruning at its first step, its second, and so on: what stands
/// under the journal's name is one of the two whole journals, and the next
/// opening finishes.
#[test]
fn killed_at_every_step_one_whole_journal_is_there() {
    let mut steps = 0;
    let (mut old, mut new) = (0, 0);
    loop {
        let (_temp, dir, plan, whole) = case();
        let before = lines(&dir);
        let mut left = steps;
        let killed = apply(&dir, plan.before, plan.root, &mut || {
            left = usize::checked_sub(left, 1).ok_or_else(|| io::Error::other("killed"))?;
            Ok(())
        });
        let halfway = lines(&dir);
        if halfway == before {
            old += 1;
        } else {
            new += 1;
            assert_eq!(halfway.len() + usize::try_from(plan.entries).unwrap(), before.len(), "step {steps}");
            assert!(dir.join("proof.json").exists() && halfway.iter().all(|line| before.contains(line)));
        }
        let (committer, recovered) = open_small(&dir).unwrap();
        assert_eq!((root(&committer).1, recovered.open_logins.len()), (whole, 2), "step {steps}");
        assert_eq!(seqs(&dir).len() + usize::try_from(plan.entries).unwrap(), before.len(), "step {steps}");
        assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 1, "step {steps}: nothing is left beside it");
        if killed.is_ok() {
            break;
        }
        steps += 1;
    }
    assert!(old > 10 && new > 1, "{old} old, {new} new");
    println!("{steps} steps");
}

#[test]
fn what_is_missing_must_be_declared_and_be_that() {
    let spoil = |what: &str, change: &dyn Fn(&Path)| {
        let (_temp, dir, _, _) = case();
        finish_pruning(&dir).unwrap();
        change(&dir);
        let error = open_small(&dir).unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    };
    let kept = |dir: &Path| fs::read_to_string(dir.join("kept")).unwrap();
    spoil("it says seq 14", &|dir| fs::remove_file(dir.join("proof.json")).unwrap());
    spoil("should come next", &|dir| fs::remove_file(dir.join("kept")).unwrap());
    spoil("it says seq", &|dir| {
        let text = kept(dir);
        fs::write(dir.join("kept"), text.split_once('\n').unwrap().1).unwrap();
    });
    spoil("it says seq", &|dir| {
        let text = kept(dir);
        let without: String =
            text.lines().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| format!("{line}\n")).collect();
        fs::write(dir.join("kept"), without).unwrap();
    });
    spoil("no newline", &|dir| fs::write(dir.join("kept"), kept(dir).trim_end()).unwrap());
    spoil("not the one that was declared", &|dir| {
        let proof = fs::read_to_string(dir.join("proof.json")).unwrap();
        let at = proof.find("\"hashes\":[\"").unwrap() + 11;
        let other = if &proof[at..=at] == "A" { "B" } else { "A" };
        fs::write(dir.join("proof.json"), format!("{}{other}{}", &proof[..at], &proof[at + 1..])).unwrap();
    });
    // Nobody has said that anything may be missing.
    let (_temp, dir, plan, _) = case();
    finish_pruning(&dir).unwrap();
    let (_, last) = crate::journal::segments(&dir).unwrap().pop().unwrap();
    let text = fs::read_to_string(&last).unwrap();
    let at = text.find("\"kind\":\"pruned\"").unwrap();
    let end = text[..at].rfind('\n').map_or(0, |end| end + 1);
    fs::write(&last, &text[..end]).unwrap();
    let error = open_small(&dir).unwrap_err().to_string();
    assert!(error.contains("no pruned entry declares it"), "{} {error}", plan.before);
}

/// More than a checkpoint covered is not dropped, whoever has written that.
#[test]
fn what_no_checkpoint_covers_stays() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("journal");
    let (committer, _) = open_small(&dir).unwrap();
    write_day(&committer);
    let plan = plan_pruning(&dir, 14).unwrap().unwrap();
    let members: [(&str, Value); 2] = [("before", plan.before.into()), ("root", plan.root.into())];
    committer.append_wait(vec![draft(Kind::Pruned, None, body(members))]).unwrap();
    drop(committer);
    let before = lines(&dir);
    drop(open_small(&dir).unwrap());
    assert_eq!(lines(&dir), before);
}
