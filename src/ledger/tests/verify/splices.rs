//! The tamper matrix over runs of a history: logins exchanged, chunks moved to another login, decisions to another
//! request, checkpoints to another place or host, epochs and documents replayed, texts replaced. Each is tried as
//! it is, sealed anew by a thief of each single key, and by a host with all of its own; with the last entry known to
//! the auditor and, where a service has cosigned, without. What comes out as the truth does is a surprise.

use crate::build::{Who, found, join, leaf_of};
use crate::histories::{CASES, Case, FIRST, second, told};
use crate::matrix::{KEYS, ORDER, is_full};
use countersign_core::{Digest, HostId, LoginId, Salt, b64_encode};
use countersign_ledger::tlog::{Checkpoint, NoteText, Origin, ServiceStamp, inclusion_proof, root_of};
use countersign_ledger::verify::Report;
use countersign_ledger::{Header, Line, Namespace, Openings, Sess, Signer as _, Value, key_id, seal, sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// An entry taken apart.
#[derive(Debug, Clone, PartialEq)]
struct Part {
    kind: String,
    at_us: i64,
    boot: String,
    mono: u64,
    login: Option<LoginId>,
    members: BTreeMap<String, Value>,
    vals: String,
    signer: Who,
    /// Its hash in the true history, by which others name it.
    was: Digest,
}

type Recordings = BTreeMap<LoginId, Vec<u8>>;

/// A changed history before it is sealed.
#[derive(Debug, Clone)]
struct Change {
    what: String,
    parts: Vec<Part>,
    recordings: Recordings,
}

/// Who seals it anew.
#[derive(Debug, Clone, Copy)]
enum Thief {
    /// With the key that has signed each entry.
    Owner,
    /// With this one, from the first change on.
    One(Who),
}

fn take_apart(text: &str) -> Part {
    let line = Line::parse(text.as_bytes()).unwrap();
    let mine = |who: &&Who| key_id(&who.public()) == line.key;
    Part {
        kind: line.kind.to_owned(),
        at_us: line.at_us,
        boot: line.boot.to_owned(),
        mono: line.mono,
        login: line.sess.as_ref().map(|sess| sess.id.parse().unwrap()),
        members: line.body().unwrap().as_object().unwrap().clone(),
        vals: line.vals.to_owned(),
        signer: *KEYS.iter().find(mine).unwrap(),
        was: leaf_of(text),
    }
}

/// Chains and signs all of it; what comes before the first change comes out as it was.
fn sealed(parts: &[Part], truth: &[Part], whose: HostId, thief: Thief) -> Vec<String> {
    let first = parts.iter().zip(truth).take_while(|(one, other)| one == other).count();
    let (mut prev, mut moved, mut lines) = (Digest::ZERO, HashMap::new(), Vec::new());
    let mut logins: HashMap<LoginId, (u64, Digest)> = HashMap::new();
    for (index, part) in parts.iter().enumerate() {
        let key = |own: Who| match thief {
            Thief::One(who) if index >= first => who,
            Thief::One(_) | Thief::Owner => own,
        };
        let seq = u64::try_from(index).unwrap();
        let mut members = part.members.clone();
        if let Some(of) = members.get("of").and_then(Value::parse::<Digest>) {
            members.insert("of".into(), (*moved.get(&of).unwrap_or(&of)).into());
        }
        if part.kind == "key_rotated" {
            let by = KEYS.iter().find(|who| members["by"].as_text() == Some(&key_id(&who.public())));
            let by = key(*by.unwrap());
            let new = members["key"].as_text().unwrap();
            let text = format!(
                "{{\"fmt\":\"cs-epoch1\",\"host\":\"{whose}\",\"key\":\"{new}\",\"prev\":\"{prev}\",\"seq\":{seq}}}"
            );
            let cert = by.signer().sign(Namespace::Epoch, sha256(text.as_bytes()).0).unwrap();
            members.insert("by".into(), key_id(&by.public()).into());
            members.insert("cert".into(), b64_encode(&cert).into());
        }
        let place = part.login.map(|id| (id, *logins.entry(id).or_insert((0, Digest::ZERO))));
        let sess = place.map(|(id, (n, prev))| Sess { id, n, prev });
        let (at_us, mono) = (part.at_us, part.mono);
        let header = Header { at_us, boot: &part.boot, host: whose, kind: &part.kind, mono, prev, seq, sess };
        let made =
            seal(&header, &Value::Object(members), &Openings::new(), None, &mut key(part.signer).signer()).unwrap();
        prev = made.leaf;
        moved.insert(part.was, made.leaf);
        if let Some((id, (n, _))) = place {
            logins.insert(id, (n + 1, made.leaf));
        }
        lines.push(made.line.replace("\"vals\":{}", &format!("\"vals\":{}", part.vals)));
    }
    lines
}

/// A checkpoint that the service gave another host, of a tree with the root that this one has.
fn of_another_host(members: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let stamp = ServiceStamp::from_value(&Value::Object(members.clone())).unwrap();
    let origin = Origin::Host(HostId::from_random([6; 16])).to_string();
    let checkpoint = Checkpoint { origin, size: stamp.size, root: stamp.root };
    let log = [ServiceStamp::log_leaf(&checkpoint)];
    let of_log = Checkpoint { origin: Origin::Service(stamp.service).to_string(), size: 1, root: root_of(&log) };
    let mut key = Who::Service.signer();
    let mut note = |text: Option<NoteText>| key.sign_note(&text.unwrap()).unwrap();
    let stamp = ServiceStamp {
        note_sig: Who::Host.signer().sign_note(&NoteText::checkpoint(&checkpoint).unwrap()).unwrap(),
        cosig: note(NoteText::cosignature(&checkpoint, stamp.time)),
        log_size: 1,
        log_root: of_log.root,
        log_sig: note(NoteText::checkpoint(&of_log)),
        log_index: 0,
        log_proof: inclusion_proof(&log, 0).unwrap(),
        log_consistency: Vec::new(),
        ..stamp
    };
    let Value::Object(members) = stamp.to_value() else { panic!("an object") };
    members
}

/// The text of a member replaced, its commitment and its digest with it or not.
fn other_text(part: &Part, name: &str, digest: bool) -> Part {
    let (mut vals, text) = (Openings::new(), b"fmt = \"another\"\n".to_vec());
    let made = vals.insert(name, Salt([9; 32]), text.clone());
    let mut part = part.clone();
    part.members.insert(name.into(), made.into());
    if digest {
        part.members.insert("digest".into(), sha256(&text).into());
    }
    part.vals = vals.encode();
    part
}

/// A history and everything that is made of it.
struct Splices {
    truth: Vec<Part>,
    recordings: Recordings,
    changes: Vec<Change>,
}

impl Splices {
    fn add(&mut self, what: String, change: impl FnOnce(&mut Vec<Part>, &mut Recordings)) {
        let (mut parts, mut recordings) = (self.truth.clone(), self.recordings.clone());
        change(&mut parts, &mut recordings);
        if parts != self.truth || recordings != self.recordings {
            self.changes.push(Change { what, parts, recordings });
        }
    }

    fn logins(&self) -> Vec<LoginId> {
        let mut all: Vec<_> = self.truth.iter().filter_map(|part| part.login).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Logins exchanged, left out, taken for another; their chunks in another one.
    fn of_logins(&mut self) {
        let logins = self.logins();
        let stranger = LoginId::from_random([0x7f; 16]);
        for &one in &logins {
            for &other in logins.iter().chain([&stranger]).filter(|other| **other != one) {
                let rename = move |part: &mut Part| match part.login {
                    Some(id) if id == one => part.login = Some(other),
                    Some(id) if id == other => part.login = Some(one),
                    _ => {}
                };
                let swapped = move |files: &mut Recordings| {
                    let (mine, theirs) = (files.remove(&one), files.remove(&other));
                    files.extend(mine.map(|bytes| (other, bytes)).into_iter().chain(theirs.map(|bytes| (one, bytes))));
                };
                self.add(format!("{one} and {other} exchanged"), |parts, _| parts.iter_mut().for_each(rename));
                self.add(format!("{one} and {other} exchanged, files too"), |parts, files| {
                    parts.iter_mut().for_each(rename);
                    swapped(files);
                });
                self.add(format!("the files of {one} and {other} exchanged"), |_, files| swapped(files));
                let chunk = |part: &Part| part.kind == "recording_chunk" && part.login == Some(one);
                for at in (0..self.truth.len()).filter(|at| chunk(&self.truth[*at])).collect::<Vec<_>>() {
                    self.add(format!("the chunk {at} moved to {other}"), |parts, _| parts[at].login = Some(other));
                }
            }
            self.add(format!("{one} left out"), |parts, files| {
                parts.retain(|part| part.login != Some(one));
                files.remove(&one);
            });
            self.add(format!("{one} backwards"), |parts, _| {
                let own: Vec<_> = (0..parts.len()).filter(|at| parts[*at].login == Some(one)).collect();
                let turned: Vec<_> = own.iter().rev().map(|at| parts[*at].clone()).collect();
                own.into_iter().zip(turned).for_each(|(at, part)| parts[at] = part);
            });
        }
    }

    /// What two entries of a kind say exchanged, or the one repeated: decisions, starts, checkpoints, acts.
    fn of_kinds(&mut self) {
        let apart = |truth: &[Part], one: usize, other: usize| {
            one != other && truth[one].kind == truth[other].kind && truth[one].members != truth[other].members
        };
        for one in 0..self.truth.len() {
            for other in (0..self.truth.len()).filter(|other| apart(&self.truth, one, *other)).collect::<Vec<_>>() {
                let (mine, theirs) = (self.truth[one].clone(), self.truth[other].clone());
                let give =
                    |from: &Part, to: &mut Part| (to.members, to.vals) = (from.members.clone(), from.vals.clone());
                self.add(format!("{other} says what {one} says"), |parts, _| give(&mine, &mut parts[other]));
                self.add(format!("{one} and {other} exchanged"), |parts, _| {
                    give(&mine, &mut parts[other]);
                    give(&theirs, &mut parts[one]);
                });
                // A decision with its own `of` and outcome, and what was signed about another request.
                for names in [&["statement", "sig"][..], &["statement", "sig", "reviews"], &["reviews"], &["sig"]] {
                    let has = names.iter().any(|name| mine.members.contains_key(*name));
                    if mine.kind == "decided" && has {
                        self.add(format!("{names:?} of {one} in {other}"), |parts, _| {
                            let from = |name: &&str| Some(((*name).to_owned(), mine.members.get(*name)?.clone()));
                            parts[other].members.extend(names.iter().filter_map(from));
                        });
                    }
                }
            }
        }
    }

    /// Runs of entries: backwards, twice, elsewhere. An epoch is such a run, from its certificate to the next one.
    fn of_runs(&mut self) {
        let count = self.truth.len();
        let starts = |part: &Part| part.kind == "key_rotated";
        let epochs: Vec<_> = (0..count).filter(|at| starts(&self.truth[*at])).chain([count]).collect();
        for pair in epochs.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let epoch = self.truth[from..to].to_vec();
            self.add(format!("the epoch {from} to {to} again at the end"), |parts, _| parts.extend(epoch.clone()));
            self.add(format!("the epoch {from} to {to} left out"), |parts, _| drop(parts.drain(from..to)));
            for &at in epochs.iter().filter(|at| **at != from) {
                self.add(format!("the epoch {from} to {to} again at {at}"), |parts, _| {
                    drop(parts.splice(at..at, epoch.clone()));
                });
            }
        }
        for from in 0..count {
            for length in 2..=5.min(count - from) {
                self.add(format!("{from} and {length} backwards"), |parts, _| parts[from..from + length].reverse());
                self.add(format!("{from} and {length} again"), |parts, _| {
                    let run = parts[from..from + length].to_vec();
                    drop(parts.splice(from + length..from + length, run));
                });
            }
            self.add(format!("turned at {from}"), |parts, _| parts.rotate_left(from));
            self.add(format!("cut below {from}"), |parts, _| parts.truncate(from));
        }
    }

    /// Checkpoints of another host, texts and documents that were others, and more erased than was said.
    fn of_words(&mut self) {
        for at in 0..self.truth.len() {
            let part = self.truth[at].clone();
            match part.kind.as_str() {
                "checkpoint" => self.add(format!("the checkpoint {at} of another host"), |parts, _| {
                    parts[at].members = of_another_host(&parts[at].members);
                }),
                "policy_text" | "policy_changed" => {
                    let name = if part.kind == "policy_text" { "text" } else { "authority" };
                    for digest in [false, true] {
                        self.add(format!("{at} with another text, digest {digest}"), |parts, _| {
                            parts[at] = other_text(&parts[at], name, digest);
                        });
                    }
                }
                "erasure" | "redaction" => {
                    for other in 0..at {
                        let (of, seq) = (self.truth[other].was, u64::try_from(other).unwrap());
                        for path in ["agent", "cmd", "comment", "authority"] {
                            self.add(format!("{at} erases {path} of {other} too"), |parts, _| {
                                let paths = Value::List(vec![path.into()]);
                                let more = countersign_ledger::body([
                                    ("of", of.into()),
                                    ("paths", paths),
                                    ("seq", seq.into()),
                                ]);
                                let Some(Value::List(list)) = parts[at].members.get_mut("entries") else {
                                    panic!("none")
                                };
                                list.push(more);
                                parts[other].vals = "{}".to_owned();
                            });
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// One history with each change, by each thief.
struct Runner {
    case: Case,
    dir: tempfile::TempDir,
    truth: Vec<String>,
    tried: usize,
    surprises: Vec<String>,
    samples: Vec<(PathBuf, String, String)>,
}

impl Runner {
    /// Whether the verdict is worse than the true one.
    fn is_worse(&self, report: &Report) -> bool {
        let place = |code: &str| ORDER.iter().position(|known| known.to_string() == code).unwrap();
        let truth = self.case.expected.split(' ').next().unwrap();
        place(&report.exit_code.to_string()) < place(truth) || found(report, "journal.torn")
    }

    fn write(&self, dir: &std::path::Path, lines: &[String], recordings: &Recordings) {
        let folder = dir.join("recordings");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(dir.join("journal")).unwrap();
        std::fs::write(dir.join(FIRST), join(lines)).unwrap();
        for (login, bytes) in recordings {
            std::fs::write(folder.join(format!("{login}.cast")), bytes).unwrap();
        }
    }

    fn try_one(&mut self, what: &str, lines: &[String], recordings: &Recordings) {
        let now = self.dir.path().join("now");
        self.write(&now, lines, recordings);
        let report = self.case.verify(&now);
        for report in [&report, &self.case.verify_by_checkpoint(&now)] {
            if !self.is_worse(report) {
                self.surprises.push(format!("{what}: {}", told(report)));
            }
        }
        if self.tried.is_multiple_of(if is_full() { 41 } else { 13 }) {
            let kept = self.dir.path().join(format!("sample{}", self.tried));
            self.write(&kept, lines, recordings);
            self.samples.push((kept, report.exit_code.to_string(), format!("{what}\n{}", report.text())));
        }
        self.tried += 1;
        // An auditor who knows no head cannot see a tail that was cut, and nothing else is hidden from them.
        if self.case.expected.starts_with('0') && !self.truth.starts_with(lines) {
            for report in self.case.verify_without_head(&now) {
                if !self.is_worse(&report) {
                    self.surprises.push(format!("{what}, no head known: {}", told(&report)));
                }
            }
            self.tried += 1;
        }
    }

    fn finish(self) {
        let (trust, head) = (self.dir.path().join("trust.json"), self.dir.path().join("head.json"));
        std::fs::write(&trust, self.case.trust.to_json().unwrap()).unwrap();
        std::fs::write(&head, &self.case.head).unwrap();
        let dirs: Vec<_> = self.samples.iter().map(|(dir, ..)| dir.clone()).collect();
        for (theirs, (_, ours, what)) in second(&trust, &head, &dirs).iter().zip(&self.samples) {
            assert_eq!(theirs.split(' ').next(), Some(ours.as_str()), "{}: {theirs}: {what}", self.case.name);
        }
        let (name, surprises, judged) = (self.case.name, self.surprises.len(), self.samples.len());
        println!("splices, {name}: {} mutations, {surprises} surprises, {judged} of them judged by both", self.tried);
        assert_eq!(self.surprises, Vec::<String>::new());
    }
}

fn run(index: usize) {
    let case = CASES[index]();
    let text = String::from_utf8(case.files[FIRST].clone()).unwrap();
    let truth: Vec<String> = text.lines().map(str::to_owned).collect();
    let whose: HostId = Line::parse(truth[0].as_bytes()).unwrap().host.parse().unwrap();
    let parts: Vec<Part> = truth.iter().map(|line| take_apart(line)).collect();
    assert_eq!(sealed(&parts, &parts, whose, Thief::Owner), truth, "taken apart and put together");
    let recording = |(name, bytes): (&String, &Vec<u8>)| {
        let id = name.strip_prefix("recordings/")?.strip_suffix(".cast")?;
        Some((id.parse().unwrap(), bytes.clone()))
    };
    let recordings = case.files.iter().filter_map(recording).collect();
    let mut splices = Splices { truth: parts.clone(), recordings, changes: Vec::new() };
    splices.of_logins();
    splices.of_kinds();
    splices.of_runs();
    splices.of_words();
    let dir = tempfile::tempdir().unwrap();
    let mut runner = Runner { case, dir, truth, tried: 0, surprises: Vec::new(), samples: Vec::new() };
    let texts: HashMap<Digest, String> = parts.iter().map(|part| part.was).zip(runner.truth.clone()).collect();
    let thieves = KEYS.map(Thief::One).into_iter().chain([Thief::Owner]);
    let thieves: Vec<Option<Thief>> = thieves.map(Some).chain([None]).collect();
    for (number, change) in splices.changes.iter().enumerate() {
        for (index, thief) in thieves.iter().enumerate() {
            if !is_full() && !(number + index).is_multiple_of(23) {
                continue;
            }
            let lines: Vec<String> = match thief {
                Some(thief) => sealed(&change.parts, &parts, whose, *thief),
                // As they are, in another order.
                None => change.parts.iter().map(|part| texts[&part.was].clone()).collect(),
            };
            if lines != runner.truth || change.recordings != splices.recordings {
                runner.try_one(&format!("{}, {thief:?}", change.what), &lines, &change.recordings);
            }
        }
    }
    runner.finish();
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
