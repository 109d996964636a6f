//! The tamper matrix over the lines of a journal: whoever has no key.

use crate::build::{Who, held, join, leaf_of, trust, verify_lines, verify_path, write_state};
use countersign_core::{LoginId, b64_encode};
use countersign_ledger::verify::Report;
use countersign_ledger::{Line, Namespace, Signer as _, key_id};
use std::collections::BTreeMap;

struct Matrix {
    lines: Vec<String>,
    recordings: BTreeMap<LoginId, Vec<u8>>,
    tried: usize,
}

impl Matrix {
    fn new() -> Self {
        let history = held();
        Self { lines: history.lines(), recordings: history.recordings, tried: 0 }
    }

    fn verify(&mut self, lines: &[String]) -> Report {
        self.tried += 1;
        verify_lines(lines, &self.recordings, Some(&trust()))
    }

    #[track_caller]
    fn expect(&mut self, lines: &[String], exit: u8, what: &str) {
        let report = self.verify(lines);
        assert_eq!(report.exit_code, exit, "{what}\n{}", report.text());
    }

    /// Flips a bit of every `step`th byte. What comes after the next two lines is left out:
    /// a cut tail makes no verdict worse than the flip must.
    fn flips(&mut self, step: usize, offset: usize) {
        let dir = tempfile::tempdir().unwrap();
        write_state(dir.path(), b"", &self.recordings);
        let path = dir.path().join("host/journal/0000000000000000.jsonl");
        let whole = join(&self.lines);
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        for at in (offset..whole.len()).step_by(step) {
            let line = ends.partition_point(|end| *end < at);
            let end = ends[(line + 2).min(ends.len() - 1)];
            let mut changed = whole[..=end].to_vec();
            changed[at] ^= if at % 2 == 0 { 0x01 } else { 0x20 };
            std::fs::write(&path, &changed).unwrap();
            let report = verify_path(dir.path(), Some(&trust()));
            // Without its last newline the last line is torn: it never became durable.
            let wanted = if at + 1 == whole.len() { 11 } else { 40 };
            assert_eq!(report.exit_code, wanted, "byte {at}\n{}", report.text());
            self.tried += 1;
        }
    }
}

/// How far flips are apart: every byte with `COUNTERSIGN_FULL_MATRIX` set, which `tests/long.sh` does.
fn stride() -> usize {
    if std::env::var_os("COUNTERSIGN_FULL_MATRIX").is_some() { 2 } else { 34 }
}

#[test]
fn flipped_bytes_are_seen_a() {
    let mut matrix = Matrix::new();
    matrix.flips(stride(), 0);
    println!("{} flips, every {} bytes from 0 on", matrix.tried, stride());
}

#[test]
fn flipped_bytes_are_seen_b() {
    let mut matrix = Matrix::new();
    matrix.flips(stride(), stride() / 2);
    println!("{} flips, every {} bytes from {} on", matrix.tried, stride(), stride() / 2);
}

fn is_routine(line: &str) -> bool {
    ["checkpoint", "host_started", "host_stopped"].iter().any(|kind| line.contains(&format!("\"kind\":\"{kind}\"")))
}

#[test]
fn deleted_entries_are_missing() {
    let mut matrix = Matrix::new();
    let lines = matrix.lines.clone();
    for first in 0..lines.len() {
        for count in [1, 2, 5, 20] {
            let mut changed = lines.clone();
            changed.drain(first..lines.len().min(first + count));
            if first + count < lines.len() {
                matrix.expect(&changed, 41, &format!("{count} from {first} deleted"));
            } else if first > 0 {
                // A cut tail cannot be seen as such; a login may be left open by it, or
                // a recording left behind. It is benign only behind a checkpoint.
                let exit = matrix.verify(&changed).exit_code;
                let told = lines[..first].iter().rposition(|line| !is_routine(line));
                let stamp = lines[..first].iter().rposition(|line| line.contains("\"kind\":\"checkpoint\""));
                assert!([10, 11, 42].contains(&exit) || (exit == 0 && stamp > told), "tail cut at {first}: {exit}");
            }
        }
    }
    println!("{} deletions", matrix.tried);
}

#[test]
fn doubled_and_displaced_entries_are_invalid() {
    let mut matrix = Matrix::new();
    let lines = matrix.lines.clone();
    for at in 0..lines.len() {
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at].clone());
        matrix.expect(&doubled, 40, &format!("{at} doubled"));
        let mut replayed = lines.clone();
        replayed.push(lines[at].clone());
        matrix.expect(&replayed, 40, &format!("{at} replayed"));
        if at + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            matrix.expect(&swapped, 40, &format!("{at} swapped"));
            let mut moved = lines.clone();
            let line = moved.remove(at);
            moved.push(line);
            matrix.expect(&moved, 40, &format!("{at} moved to the end"));
        }
        let mut forward = lines.clone();
        let line = forward.remove(at);
        forward.insert(0, line);
        if at > 0 {
            matrix.expect(&forward, 40, &format!("{at} moved to the front"));
        }
        let mut over = lines.clone();
        over[at] = lines[(at + 7) % lines.len()].clone();
        matrix.expect(&over, 40, &format!("{at} overwritten by another"));
    }
    println!("{} displacements", matrix.tried);
}

/// The line with another signature, and another key id where asked.
fn signed_by(text: &str, who: Who, honest_id: bool) -> String {
    let mut text = text.to_owned();
    let mut signer = who.signer();
    if honest_id {
        let old = Line::parse(text.as_bytes()).unwrap().key.to_owned();
        text = text.replacen(&old, &key_id(&signer.public_key()), 1);
    }
    let line = Line::parse(text.as_bytes()).unwrap();
    let sig = b64_encode(&signer.sign(Namespace::Entry, line.signed_digest()).unwrap());
    let old = format!(",\"sig\":\"{}\",\"vals\"", line.sig);
    let new = format!(",\"sig\":\"{sig}\",\"vals\"");
    text.replace(&old, &new)
}

#[test]
fn other_signatures_are_invalid() {
    let mut matrix = Matrix::new();
    let lines = matrix.lines.clone();
    for at in 0..lines.len() {
        let other = lines[(at + 1) % lines.len()].clone();
        let sig = |text: &str| Line::parse(text.as_bytes()).unwrap().sig.to_owned();
        let vals = |text: &str| Line::parse(text.as_bytes()).unwrap().vals.to_owned();
        let wrong = [
            signed_by(&lines[at], Who::Stranger, true),
            signed_by(&lines[at], Who::Stranger, false),
            signed_by(&lines[at], Who::Service, true),
            signed_by(&lines[at], Who::Service, false),
            lines[at].replacen(&sig(&lines[at]), &sig(&other), 1),
            lines[at].replacen(&sig(&lines[at]), &"A".repeat(86), 1),
            lines[at].replacen(&format!(",\"sig\":\"{}\"", sig(&lines[at])), "", 1),
            lines[at].replacen(&format!(",\"sig\":\"{}\"", sig(&lines[at])), ",\"sig\":\"\"", 1),
            lines[at].replacen(&format!(",\"vals\":{}", vals(&lines[at])), "", 1),
            lines[at].replacen(",\"vals\":{", ",\"vals\":{\"zz\":[\"\",\"\"],", 1),
            lines[at].replacen("{\"at\"", "{\"aa\":1,\"at\"", 1),
            lines[at].replacen(",\"seq\"", ",\"sea\":1,\"seq\"", 1),
        ];
        for (index, line) in wrong.into_iter().enumerate() {
            let mut changed = lines.clone();
            changed[at] = line;
            assert_ne!(changed[at], lines[at]);
            matrix.expect(&changed, 40, &format!("{at}: wrong signature or member {index}"));
        }
    }
    println!("{} signatures", matrix.tried);
}

#[test]
fn cut_and_changed_openings_are_seen() {
    let mut matrix = Matrix::new();
    let lines = matrix.lines.clone();
    let vals = |text: &str| Line::parse(text.as_bytes()).unwrap().vals.to_owned();
    for at in 0..lines.len() {
        let own = vals(&lines[at]);
        let set = |new: &str| {
            let mut changed = lines.clone();
            let tail = format!(",\"vals\":{own}}}");
            let head = lines[at].strip_suffix(&tail).unwrap();
            changed[at] = format!("{head},\"vals\":{new}}}");
            changed
        };
        let cut = set("{}");
        assert_eq!(leaf_of(&cut[at]), leaf_of(&lines[at]));
        matrix.expect(&cut, if own == "{}" { 0 } else { 41 }, &format!("{at}: vals cut"));
        for other in (0..lines.len()).map(|o| vals(&lines[o])).filter(|other| *other != own && other != "{}").step_by(4)
        {
            matrix.expect(&set(&other), 40, &format!("{at}: vals of another"));
        }
        if own != "{}" {
            for bad in [own.replacen('"', " \"", 1), own.replacen("\",\"", "\",\"x", 1), own.replace("\",\"", "\", \"")]
            {
                assert_ne!(bad, own);
                matrix.expect(&set(&bad), 40, &format!("{at}: vals spelled otherwise"));
            }
        }
    }
    println!("{} openings", matrix.tried);
}

/// Whoever has a key of ours and changes one entry afterwards: the next entry
/// and the checkpoints tell.
#[test]
fn changed_and_signed_anew_is_seen() {
    let mut matrix = Matrix::new();
    let lines = matrix.lines.clone();
    for at in 0..lines.len() {
        for (from, to) in [("\"mono\":", "\"mono\":1"), ("\"at\":\"2026", "\"at\":\"2027"), ("_", "a_"), ("0", "1")] {
            let changed = lines[at].replacen(from, to, 1);
            if changed == lines[at] || Line::parse(changed.as_bytes()).is_err() {
                continue;
            }
            for who in [Who::Host, Who::Service, Who::Stranger] {
                let mut history = lines.clone();
                history[at] = signed_by(&changed, who, false);
                let exit = matrix.verify(&history).exit_code;
                // Benign: a host may say its very last entry otherwise, which is routine, tells nothing, and
                // has nothing after it. A clock out of step is seen there too.
                let last = at + 1 == lines.len() && who == Who::Host && is_routine(&lines[at]);
                assert!(exit == 40 || (last && [0, 51].contains(&exit)), "{at} {from} {who:?}: {exit}");
            }
        }
    }
    println!("{} changed and signed anew", matrix.tried);
}

/// Every file beside the journal: flipped, cut at each length, swapped, removed.
#[test]
fn every_recording_is_bound() {
    let matrix = Matrix::new();
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), &join(&matrix.lines), &matrix.recordings);
    let mut tried = 0;
    let mut check = |what: &str| {
        let report = verify_path(dir.path(), Some(&trust()));
        assert_eq!(report.exit_code, 42, "{what}\n{}", report.text());
        tried += 1;
    };
    let place = |login: &LoginId| dir.path().join(format!("host/recordings/{login}.cast"));
    let all: Vec<_> = matrix.recordings.iter().collect();
    for (index, (login, bytes)) in all.iter().enumerate() {
        for at in 0..bytes.len() {
            let mut flipped = (*bytes).clone();
            flipped[at] ^= 0x04;
            std::fs::write(place(login), flipped).unwrap();
            check("flipped");
            std::fs::write(place(login), &bytes[..at]).unwrap();
            check("cut");
        }
        std::fs::write(place(login), [bytes.as_slice(), b"x"].concat()).unwrap();
        check("longer");
        let (other, others) = all[(index + 1) % all.len()];
        std::fs::write(place(login), others).unwrap();
        std::fs::write(place(other), bytes).unwrap();
        check("swapped");
        std::fs::write(place(other), others).unwrap();
        std::fs::remove_file(place(login)).unwrap();
        check("removed");
        std::fs::write(place(login), bytes).unwrap();
    }
    assert_eq!(verify_path(dir.path(), Some(&trust())).exit_code, 0);
    println!("{tried} changed recordings");
}
