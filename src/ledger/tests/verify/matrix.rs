//! The tamper matrix over the golden histories: every change of every file by whoever has no key
//! or one of them. The auditor knows the last entry, so each must be seen; one that comes out as the
//! truth does, or better, is a surprise, and there are none.

use crate::build::{Who, found, join};
use crate::histories::{CASES, Case, second, told};
use countersign_core::b64_encode;
use countersign_ledger::verify::Report;
use countersign_ledger::{Line, Namespace, Signer as _, key_id};
use std::path::PathBuf;

/// Exit codes, the worst first.
pub const ORDER: [u8; 10] = [40, 41, 42, 50, 30, 51, 20, 11, 10, 0];

/// Keys that somebody may have got hold of.
pub const KEYS: [Who; 6] = [Who::Host, Who::Service, Who::Epoch(1), Who::Epoch(2), Who::Epoch(3), Who::Stranger];

struct Matrix {
    case: Case,
    dir: tempfile::TempDir,
    tried: usize,
    surprises: Vec<String>,
    /// For the second verifier: what was changed, and what ours said.
    samples: Vec<(PathBuf, String, String)>,
}

/// Everything with `COUNTERSIGN_FULL_MATRIX` set, which `tests/long.sh` does, else a sample.
pub fn is_full() -> bool {
    std::env::var_os("COUNTERSIGN_FULL_MATRIX").is_some()
}

/// How far flips are apart.
fn stride() -> usize {
    if is_full() { 1 } else { 97 }
}

/// Changes to one that the second verifier judges too, which takes its time.
fn sampled() -> usize {
    if is_full() { 211 } else { 61 }
}

impl Matrix {
    fn new(case: Case) -> Self {
        let dir = tempfile::tempdir().unwrap();
        case.write(&dir.path().join("now"));
        Self { case, dir, tried: 0, surprises: Vec::new(), samples: Vec::new() }
    }

    /// One file of the history is another one, or gone.
    fn change(&mut self, name: &str, bytes: Option<&[u8]>, what: &str) {
        let same =
            |bytes: &[u8]| bytes.strip_suffix(b"\n").filter(|_| name == "journal/proof.json").unwrap_or(bytes).to_vec();
        // With or without its newline the proof is the same one.
        if self.case.files.get(name).map(|own| same(own)) == bytes.map(same) {
            return;
        }
        let now = self.dir.path().join("now");
        let path = now.join(name);
        match bytes {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let report = self.case.verify(&now);
        for report in [&report, &self.case.verify_by_checkpoint(&now)] {
            if !self.is_worse(report) {
                self.surprises.push(format!("{name}: {what}: {}", told(report)));
            }
        }
        if self.tried.is_multiple_of(sampled()) {
            let kept = self.dir.path().join(format!("sample{}", self.tried));
            self.case.write(&kept);
            match bytes {
                Some(bytes) => std::fs::write(kept.join(name), bytes).unwrap(),
                None => std::fs::remove_file(kept.join(name)).unwrap(),
            }
            self.samples.push((kept, report.exit_code.to_string(), format!("{name}: {what}\n{}", report.text())));
        }
        self.tried += 1;
        match self.case.files.get(name) {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
    }

    /// Whether a verdict is worse than the true one. Of the same exit code it may be where it says of a torn
    /// end that it is one: no entry that counts is missing then.
    fn is_worse(&self, report: &Report) -> bool {
        let place = |code: &str| ORDER.iter().position(|known| known.to_string() == code).unwrap();
        let truth = self.case.expected.split(' ').next().unwrap();
        let (now, then) = (place(&report.exit_code.to_string()), place(truth));
        now < then || now == then && found(report, "journal.torn")
    }

    /// Every byte flipped, every length, gone, another file in its place.
    fn bytes(&mut self, name: &str) {
        let whole = self.case.files[name].clone();
        let label = self.label(name);
        for at in (0..whole.len()).step_by(stride()).filter(|at| !label.contains(at)) {
            let mut flipped = whole.clone();
            flipped[at] ^= if at % 2 == 0 { 0x01 } else { 0x20 };
            self.change(name, Some(&flipped), &format!("byte {at} flipped"));
            self.change(name, Some(&whole[..at]), &format!("cut at {at}"));
        }
        self.change(name, Some(&whole[..whole.len() - 1]), "its last byte cut");
        self.change(name, Some(&[whole.as_slice(), b"x"].concat()), "a byte more");
        self.change(name, None, "gone");
        for (other, bytes) in self.case.files.clone() {
            self.change(name, Some(&bytes), &format!("{other} in its place"));
        }
    }

    /// Bytes that say nothing about the history: the name of a part.
    fn label(&self, name: &str) -> std::ops::Range<usize> {
        let text = String::from_utf8_lossy(&self.case.files[name]);
        if name != "bundle.json" {
            return 0..0;
        }
        let at = text.find("deploy-01").unwrap();
        at..at + "deploy-01".len()
    }

    /// Every entry of a journal file.
    fn entries(&mut self, name: &str) {
        let text = String::from_utf8(self.case.files[name].clone()).unwrap();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for at in 0..lines.len() {
            self.places(name, &lines, at);
            self.contents(name, &lines, at);
        }
    }

    /// An entry gone, twice, elsewhere.
    fn places(&mut self, name: &str, lines: &[String], at: usize) {
        let mut put = |what: &str, change: &dyn Fn(&mut Vec<String>)| {
            let mut changed = lines.to_vec();
            change(&mut changed);
            self.change(name, Some(&join(&changed)), &format!("entry {at} {what}"));
        };
        put("deleted", &|all| drop(all.remove(at)));
        put("and the next deleted", &|all| drop(all.drain(at..lines.len().min(at + 2))));
        put("and all after it deleted", &|all| all.truncate(at));
        put("doubled", &|all| all.insert(at, lines[at].clone()));
        put("replayed", &|all| all.push(lines[at].clone()));
        put("swapped", &|all| all.swap(at, (at + 1) % lines.len()));
        put("moved to the front", &|all| all[..=at].rotate_right(1));
        put("moved to the end", &|all| all[at..].rotate_left(1));
        put("overwritten", &|all| all[at] = lines[(at + 3) % lines.len()].clone());
    }

    /// An entry that says something else, is signed by somebody else, or lost its openings.
    fn contents(&mut self, name: &str, lines: &[String], at: usize) {
        let own = &lines[at];
        let line = Line::parse(own.as_bytes()).unwrap();
        let (sig, vals) = (format!(",\"sig\":\"{}\"", line.sig), format!(",\"vals\":{}}}", line.vals));
        let other = Line::parse(lines[(at + 1) % lines.len()].as_bytes()).unwrap();
        let mut changed = vec![
            own.replace(&sig, ""),
            own.replace(&sig, ",\"sig\":\"\""),
            own.replace(&sig, &format!(",\"sig\":\"{}\"", "A".repeat(86))),
            own.replace(&sig, &format!(",\"sig\":\"{}\"", other.sig)),
            own.replace(&vals, "}"),
            own.replace(&vals, &format!(",\"vals\":{}}}", other.vals)),
            own.replace(&vals, ",\"vals\":{\"zz\":[\"\",\"\"]}}"),
            own.replacen("{\"at\"", "{\"aa\":1,\"at\"", 1),
            own.replacen(",\"seq\"", ",\"sea\":1,\"seq\"", 1),
            own.replacen("\"body\":{", "\"body\":{\"a\":1,", 1),
        ];
        // Where all that is cut was declared gone, cutting is no change; else it is.
        let bare = own.replace(&vals, ",\"vals\":{}}");
        changed.push(bare);
        let says = [
            ("\"mono\":", "\"mono\":1"),
            ("\"at\":\"2026", "\"at\":\"2027"),
            ("\"kind\":\"", "\"kind\":\"x"),
            ("1", "2"),
        ];
        for who in KEYS {
            let as_ever = own.clone();
            for text in says.iter().map(|(from, to)| own.replacen(from, to, 1)).chain([as_ever]) {
                let Ok(line) = Line::parse(text.as_bytes()) else { continue };
                let (key, sig) = (format!("\"key\":\"{}\"", line.key), format!(",\"sig\":\"{}\"", line.sig));
                for honest in [true, false] {
                    let id = key_id(&who.public());
                    let named =
                        if honest { text.replacen(&key, &format!("\"key\":\"{id}\""), 1) } else { text.clone() };
                    let Ok(line) = Line::parse(named.as_bytes()) else { continue };
                    let made = b64_encode(&who.signer().sign(Namespace::Entry, line.signed_digest()).unwrap());
                    changed.push(named.replace(&sig, &format!(",\"sig\":\"{made}\"")));
                }
            }
        }
        for (index, text) in changed.into_iter().enumerate() {
            if !is_full() && !(index + at).is_multiple_of(4) {
                continue;
            }
            let mut all = lines.to_vec();
            all[at] = text;
            self.change(name, Some(&join(&all)), &format!("entry {at} changed, way {index}"));
        }
    }

    /// Prints the counts, and has the second verifier judge the sample.
    fn finish(self) {
        let (trust, head) = (self.dir.path().join("trust.json"), self.dir.path().join("head.json"));
        std::fs::write(&trust, self.case.trust.to_json().unwrap()).unwrap();
        std::fs::write(&head, &self.case.head).unwrap();
        let dirs: Vec<_> = self.samples.iter().map(|(dir, ..)| dir.clone()).collect();
        for (theirs, (_, ours, what)) in second(&trust, &head, &dirs).iter().zip(&self.samples) {
            assert_eq!(theirs.split(' ').next(), Some(ours.as_str()), "{}: {theirs}: {what}", self.case.name);
        }
        println!(
            "tamper matrix, {}: {} mutations, {} surprises, {} of them judged by both verifiers alike",
            self.case.name,
            self.tried,
            self.surprises.len(),
            self.samples.len()
        );
        assert_eq!(self.surprises, Vec::<String>::new());
    }
}

fn run(index: usize) {
    let mut matrix = Matrix::new(CASES[index]());
    let names: Vec<_> = matrix.case.files.keys().cloned().collect();
    for name in &names {
        matrix.bytes(name);
        if name.ends_with(".jsonl") || name.ends_with("kept") {
            matrix.entries(name);
        }
    }
    // A recording that no login made, and a journal file that nothing continues.
    matrix.change("recordings/00000000000000000000000000.cast", Some(b"x"), "put there");
    matrix.change("journal/0000000000009999.jsonl", Some(b"{}\n"), "put there");
    matrix.finish();
}

#[test]
fn epochs() {
    run(0);
}

#[test]
fn authority() {
    run(1);
}

#[test]
fn removals() {
    run(2);
}

#[test]
fn pruned() {
    run(3);
}

#[test]
fn part() {
    run(4);
}

#[test]
fn gap() {
    run(5);
}

#[test]
fn own_ledger() {
    run(6);
}

#[test]
fn policy() {
    run(7);
}

#[test]
fn quota() {
    run(8);
}
