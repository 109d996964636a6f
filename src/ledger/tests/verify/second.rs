//! The second verifier, `tests/second_verifier.py`, gives the same exit code on
//! every history that there is: golden, changed by anyone, and lied about.

use crate::build::{History, golden, held, join, trust, write_state};
use crate::dishonest::LIES;
use crate::people::{BOB, OTHER_ADMIN, key};
use crate::reviews::{auditors, reviewed, with_admins};
use countersign_core::LoginId;
use countersign_ledger::verify::{Options, verify_with};
use countersign_ledger::{KnownHead, RevokedKey, TrustFile};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const OWN: &[&str] = &["--own-ed25519"];

struct Cases {
    dir: tempfile::TempDir,
    names: Vec<String>,
}

impl Cases {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), names: Vec::new() }
    }

    fn add(&mut self, name: String, journal: &[u8], recordings: &BTreeMap<LoginId, Vec<u8>>) {
        write_state(&self.dir.path().join(&name), journal, recordings);
        self.names.push(name);
    }

    fn history(&mut self, name: &str, history: &History) {
        self.add(name.replace(' ', "_"), &join(&history.lines()), &history.recordings);
    }

    /// Runs both and compares.
    fn compare(&self, flag: &[&str], trust: Option<&TrustFile>, heads: &[(String, KnownHead)]) -> BTreeMap<u8, usize> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/second_verifier.py");
        let mut command = Command::new("python3");
        command.arg(script).args(flag).current_dir(self.dir.path());
        if let Some(trust) = trust {
            std::fs::write(self.dir.path().join("trust.json"), trust.to_json().unwrap()).unwrap();
            command.args(["--trust", "trust.json"]);
        }
        for (index, (text, _)) in heads.iter().enumerate() {
            let name = format!("head{index}");
            std::fs::write(self.dir.path().join(&name), text).unwrap();
            command.args(["--known-head", &name]);
        }
        let ran = command.args(&self.names).output().unwrap();
        let told = String::from_utf8(ran.stdout).unwrap();
        let lines: Vec<_> = told.lines().collect();
        assert_eq!(lines.len(), self.names.len(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
        let known_heads: Vec<_> = heads.iter().map(|(_, head)| head.clone()).collect();
        let options = Options { known_heads, ..Options::default() };
        let mut codes = BTreeMap::new();
        for (line, name) in lines.into_iter().zip(&self.names) {
            let ours = verify_with(&self.dir.path().join(name), trust, &options, &mut |_| {});
            let theirs: u8 = line.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(theirs, ours.exit_code, "{line}\n{}", ours.text());
            *codes.entry(ours.exit_code).or_default() += 1;
        }
        codes
    }
}

/// Whether the second verifier comes to the same code on one directory.
#[track_caller]
pub fn agrees(dir: &Path, trust: &TrustFile, exit: u8) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/second_verifier.py");
    let file = dir.join("trust.json");
    std::fs::write(&file, trust.to_json().unwrap()).unwrap();
    let ran = Command::new("python3").arg(script).args(OWN).arg("--trust").arg(file).arg(dir).output().unwrap();
    let told = String::from_utf8(ran.stdout).unwrap() + &String::from_utf8(ran.stderr).unwrap();
    assert!(told.starts_with(&format!("{exit} ")), "ours is {exit}: {told}");
}

#[test]
fn agrees_on_reviews() {
    let mut cases = Cases::new();
    cases.history("reviewed", &reviewed());
    // With ssh-keygen, which takes its time.
    assert_eq!(cases.compare(&[], Some(&auditors()), &[]), BTreeMap::from([(0, 1)]));
    cases.history("held", &held());
    for (name, lie, ..) in crate::reviews::LIES {
        let mut history = reviewed();
        lie(&mut history);
        cases.history(name, &history);
    }
    let revoked = vec![RevokedKey { key: key(BOB).fingerprint(), at: "2026-11-18T00:00:00Z".to_owned() }];
    for trust in [auditors(), with_admins(&[OTHER_ADMIN], 1), trust(), TrustFile { revoked, ..auditors() }] {
        println!("{:?}", cases.compare(OWN, Some(&trust), &[]));
    }
}

#[test]
fn agrees_on_every_lie() {
    let mut cases = Cases::new();
    cases.history("golden", &golden());
    cases.history("held", &held());
    // These two with ssh-keygen, which takes its time.
    assert_eq!(cases.compare(&[], Some(&trust()), &[]), BTreeMap::from([(0, 1), (10, 1)]));
    for (name, lie, ..) in LIES {
        let mut history = golden();
        lie(&mut history);
        cases.history(name, &history);
    }
    cases.history("resumed", &crate::resumed::resumed_twice());
    for (name, lie, ..) in crate::resumed::LIES {
        let mut history = crate::resumed::resumed_twice();
        lie(&mut history);
        cases.history(name, &history);
    }
    for (name, lie, ..) in crate::held::LIES {
        let mut history = held();
        lie(history.stamp("stamp2"));
        cases.history(&format!("checkpoint {name}"), &history);
    }
    println!("{:?}", cases.compare(OWN, Some(&trust()), &[]));
}

#[test]
fn agrees_on_what_anyone_can_change() {
    let (history, mut cases) = (held(), Cases::new());
    let lines = history.lines();
    let mut add = |name: String, lines: &[String]| cases.add(name, &join(lines), &history.recordings);
    // Ours sees all of them in the tamper matrix; here every eighth entry, or with the full matrix every one.
    let step = if std::env::var_os("COUNTERSIGN_FULL_MATRIX").is_some() { 1 } else { 8 };
    for at in (0..lines.len()).step_by(step) {
        let mut changed = lines.clone();
        changed.remove(at);
        add(format!("without-{at}"), &changed);
        add(format!("cut-{at}"), &lines[..at]);
        let mut changed = lines.clone();
        changed.swap(at, (at + 5) % lines.len());
        add(format!("swapped-{at}"), &changed);
        changed = lines.clone();
        changed.push(lines[at].clone());
        add(format!("again-{at}"), &changed);
        for (step, byte) in [0.21, 0.47, 0.83, 0.97].into_iter().enumerate() {
            let mut bytes = lines[at].clone().into_bytes();
            let place = (bytes.len() as f64 * byte) as usize;
            bytes[place] ^= 1;
            if bytes[place].is_ascii_graphic() {
                changed = lines.clone();
                changed[at] = String::from_utf8(bytes).unwrap();
                add(format!("flipped-{at}-{step}"), &changed);
            }
        }
    }
    let whole = join(&lines);
    cases.add("torn".into(), &whole[..whole.len() - 9], &history.recordings);
    cases.add("empty".into(), b"", &history.recordings);
    let mut recordings = history.recordings.clone();
    recordings.values_mut().next().unwrap()[3] ^= 1;
    cases.add("recording".into(), &whole, &recordings);
    recordings.pop_first();
    cases.add("no-recording".into(), &whole, &recordings);
    println!("{:?}", cases.compare(OWN, Some(&trust()), &[]));
}

#[test]
fn agrees_without_trust_and_with_known_heads() {
    let (history, mut cases) = (held(), Cases::new());
    let lines = history.lines();
    for cut in [1, 20, 40, lines.len()] {
        cases.add(format!("first-{cut}"), &join(&lines[..cut]), &history.recordings);
    }
    cases.compare(OWN, None, &[]);
    let head = |seq: usize, leaf| {
        let host = crate::build::host();
        let text = format!("{{\"fmt\":\"cs-head1\",\"host\":\"{host}\",\"leaf\":\"{leaf}\",\"seq\":{seq}}}\n");
        let known = KnownHead::parse(text.as_bytes()).unwrap();
        (text, known)
    };
    let leaf = |seq: usize| crate::build::leaf_of(&lines[seq]);
    for heads in [vec![head(30, leaf(30))], vec![head(30, leaf(31))], vec![head(5, leaf(5)), head(50, leaf(50))]] {
        println!("{:?}", cases.compare(OWN, Some(&trust()), &heads));
    }
}
