//! Recordings that were changed.

use crate::build::{expect, found, golden, join, login, trust, verify_lines, write_state};
use crate::second::agrees;
use countersign_ledger::sha256;

#[test]
fn every_change_of_a_recording_is_42() {
    let history = golden();
    let lines = history.lines();
    let mut tried = 0;
    for id in history.recordings.keys().copied().collect::<Vec<_>>() {
        let bytes = history.recordings[&id].clone();
        let mut changed = Vec::new();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            changed.push((flipped, "recording.digest"));
        }
        for length in 0..bytes.len() {
            changed.push((bytes[..length].to_vec(), "recording.length"));
        }
        changed.push(([bytes.as_slice(), b"\n"].concat(), "recording.length"));
        for (bytes, check) in changed.into_iter().step_by(3) {
            let mut recordings = history.recordings.clone();
            recordings.insert(id, bytes);
            expect(&verify_lines(&lines, &recordings, Some(&trust())), 42, check);
            tried += 1;
        }
        let mut recordings = history.recordings.clone();
        recordings.remove(&id);
        expect(&verify_lines(&lines, &recordings, Some(&trust())), 42, "recording.missing");
        let mut recordings = history.recordings.clone();
        recordings.insert(login(99), bytes);
        expect(&verify_lines(&lines, &recordings, Some(&trust())), 42, "recording.extra");
        tried += 2;
    }
    println!("{tried} changed recordings");
}

#[test]
fn swapped_recordings_do_not_pass() {
    let mut history = golden();
    let (a, b) = (history.recordings[&login(1)].clone(), history.recordings[&login(2)].clone());
    history.recordings.insert(login(1), b);
    history.recordings.insert(login(2), a);
    let report = history.verify();
    assert_eq!(report.exit_code, 42, "{}", report.text());
    assert!(found(&report, "recording.digest"));
}

#[test]
fn a_login_without_output_needs_no_recording() {
    let mut history = golden();
    let at = history.plans.len();
    history.open(6);
    history.plans.truncate(at + 1);
    history.recordings.remove(&login(6));
    history.close(6, "refused");
    assert_eq!(history.verify().exit_code, 10, "{}", history.verify().text());
    history.recordings.insert(login(6), b"x".to_vec());
    expect(&history.verify(), 42, "recording.length");
}

/// A host could have a verifier read one long recording again for each of its entries.
#[test]
fn no_byte_of_a_recording_is_looked_at_twice() {
    let mut history = golden();
    history.open(6);
    // Back to the beginning, which does not follow; from there the whole again, under another digest.
    for (index, length, digest) in [(1u64, 0u64, sha256(b"")), (2, 40, sha256(b"something else"))] {
        let members = [
            ("digest", digest.into()),
            ("index", index.into()),
            ("length", length.into()),
            ("offset", 0u64.into()),
            ("raw_bytes", 1u64.into()),
        ];
        history.add("again", "recording_chunk", Some(login(6)), members);
    }
    history.close(6, "exit");
    let report = history.verify();
    expect(&report, 42, "recording.chunks");
    assert_eq!(
        (report.totals["recording.chunks"], found(&report, "recording.digest")),
        (2, false),
        "{}",
        report.text()
    );
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), &join(&history.lines()), &history.recordings);
    agrees(dir.path(), &trust(), 42);
}
