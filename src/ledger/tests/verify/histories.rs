//! The golden histories of `tests/golden/ledger`: what there is besides a plain day, each small,
//! and each byte for byte the same whatever changes around it.

use crate::build::{History, Who, join, leaf_of, login, trust};
use crate::people::{ADMIN, BOB, document};
use crate::removals::{COMMAND, Pruned, cut, erase, of_host, prune, sign};
use crate::reviews::{auditors, reviewed, with_admins};
use countersign_ledger::verify::{Options, Report, Signatures, verify_with};
use countersign_ledger::{EPOCH_US, Kind, KnownHead, Line, TrustFile, Value, tlog};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A history as files, and what both verifiers must say of it.
pub struct Case {
    pub name: &'static str,
    /// Beside each other in one directory, as in an unpacked bundle.
    pub files: BTreeMap<String, Vec<u8>>,
    pub trust: TrustFile,
    /// Exit code, and the ids of what deviates.
    pub expected: &'static str,
    /// Its last entry.
    pub head: String,
}

pub const FIRST: &str = "journal/0000000000000000.jsonl";

impl Case {
    fn new(name: &'static str, expected: &'static str, trust: TrustFile, history: &History, lines: &[String]) -> Self {
        let recordings = history.recordings.iter();
        let mut files: BTreeMap<_, _> =
            recordings.map(|(id, bytes)| (format!("recordings/{id}.cast"), bytes.clone())).collect();
        files.insert(FIRST.to_owned(), join(lines));
        let (seq, leaf) = (lines.len() - 1, leaf_of(lines.last().unwrap()));
        let head =
            format!("{{\"fmt\":\"cs-head1\",\"host\":\"{}\",\"leaf\":\"{leaf}\",\"seq\":{seq}}}\n", history.host);
        Self { name, files, trust, expected, head }
    }

    /// Only these entries are kept, with tree hashes for the others.
    fn pruned(mut self, pruned: &Pruned) -> Self {
        self.files.remove(FIRST);
        self.files.insert("journal/kept".to_owned(), join(&pruned.kept));
        self.files.insert("journal/proof.json".to_owned(), pruned.proof.clone().into_bytes());
        if !pruned.rest.is_empty() {
            self.files.insert(format!("journal/{:016}.jsonl", pruned.before), join(&pruned.rest));
        }
        self
    }

    pub fn write(&self, dir: &Path) {
        for (name, bytes) in &self.files {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        // A history without recordings has the folder all the same.
        std::fs::create_dir_all(dir.join("recordings")).unwrap();
    }

    /// By ours, with its last entry as the known head.
    pub fn verify(&self, dir: &Path) -> Report {
        let known_heads = vec![KnownHead::parse(self.head.as_bytes()).unwrap()];
        verify_with(dir, Some(&self.trust), &Options { known_heads, ..Options::default() }, &mut |_| {})
    }

    /// The same, where a checkpoint stands for the signatures that it covers.
    pub fn verify_by_checkpoint(&self, dir: &Path) -> Report {
        let known_heads = vec![KnownHead::parse(self.head.as_bytes()).unwrap()];
        let options = Options { known_heads, signatures: Signatures::Checkpoint, ..Options::default() };
        verify_with(dir, Some(&self.trust), &options, &mut |_| {})
    }

    /// By an auditor who knows no entry of it, in both modes.
    pub fn verify_without_head(&self, dir: &Path) -> [Report; 2] {
        [Signatures::Strict, Signatures::Checkpoint].map(|signatures| {
            verify_with(dir, Some(&self.trust), &Options { signatures, ..Options::default() }, &mut |_| {})
        })
    }
}

/// Exit code and check ids.
pub fn told(report: &Report) -> String {
    let ids: Vec<_> = report.totals.keys().copied().collect();
    let ids = if ids.is_empty() { "-".to_owned() } else { ids.join(",") };
    format!("{} {ids}", report.exit_code)
}

/// What the second verifier says of directories.
pub fn second(trust: &Path, head: &Path, dirs: &[PathBuf]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/second_verifier.py");
    let mut command = Command::new("python3");
    command.arg(script).args(["--own-ed25519", "--trust"]).arg(trust).arg("--known-head").arg(head).args(dirs);
    let ran = command.output().unwrap();
    let told = String::from_utf8(ran.stdout).unwrap();
    let lines: Vec<_> = told.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines.len(), dirs.len(), "{told}{}", String::from_utf8_lossy(&ran.stderr));
    lines
}

pub const CASES: [fn() -> Case; 9] = [epochs, authority, removals, pruned, part, gap, own_ledger, policy, quota];

/// Keys: the identity key's certificates at both starts, one that an epoch certified after a day.
fn epochs() -> Case {
    let mut history = History::with_epochs();
    history.open(1);
    history.run(1, 1, "approved", "ops-lead");
    history.close(1, "exit");
    history.checkpoint();
    history.pass(EPOCH_US);
    history.rotate(Who::Epoch(1), Who::Epoch(2));
    history.open(2);
    history.submit(2, 2, b"rm -rf /srv");
    history.decide(2, 2, "denied", Some("ops-lead"));
    history.close(2, "exit");
    history.stop();
    history.rotate(Who::Host, Who::Epoch(3));
    history.restart(crate::build::BOOT);
    history.checkpoint();
    Case::new("epochs", "0 -", trust(), &history, &history.lines())
}

/// Two documents of administrators, and approvals that reviewers signed under them.
fn authority() -> Case {
    let history = reviewed();
    Case::new("authority", "0 -", auditors(), &history, &history.lines())
}

/// A command erased, a secret redacted and a recording gone, as administrators signed.
fn removals() -> Case {
    let text = document(1, 1, &[BOB]);
    let mut history = History::with_signer("own_uid");
    history.authority("document1", 1, &text, &[ADMIN]);
    history.open(1);
    history.reviewed(1, 1, &[BOB], &text, 1);
    history.close(1, "exit");
    history.open(2);
    history.submit(2, 2, b"mysql -phunter2");
    history.under(2, &text, 1);
    history.decide(2, 2, "denied", Some("bob"));
    history.close(2, "exit");
    history.checkpoint();
    erase(&mut history, "erasure", &[("submit1", COMMAND), ("open1", &["agent", "source"])]);
    let gone: Vec<Value> = vec![Value::from(login(2))];
    history.plan("erased").body.insert("recordings".into(), gone.into());
    sign(&mut history, "erased", Kind::Erasure, &[ADMIN]);
    history.plan("erased").label = "erasure".to_owned();
    erase(&mut history, "redaction", &[("submit2", &["cmd/1"])]);
    sign(&mut history, "erased", Kind::Redaction, &[ADMIN]);
    let mut lines = history.lines();
    cut(&mut history, &mut lines, "submit1", COMMAND);
    cut(&mut history, &mut lines, "open1", &["agent", "source"]);
    cut(&mut history, &mut lines, "submit2", &["cmd/1"]);
    history.recordings.remove(&login(2));
    Case::new("removals", "0 -", with_admins(&[ADMIN], 1), &history, &lines)
}

/// Two logins, with a checkpoint behind each.
fn two_logins() -> History {
    let mut history = History::with_signer("own_uid");
    for n in 1..3 {
        history.open(n);
        history.run(n, n, "approved", "ops-lead");
        history.close(n, "exit");
        history.checkpoint();
    }
    history
}

/// The first login is gone, as declared.
fn pruned() -> Case {
    let mut history = two_logins();
    let before = history.at("stamp0") + 1;
    let leaves: Vec<_> = history.lines()[..before].iter().map(|line| leaf_of(line)).collect();
    let members = [
        ("before", u64::try_from(before).unwrap().into()),
        ("head", leaves[before - 1].into()),
        ("reason", "retention".into()),
        ("root", tlog::root_of(&leaves).into()),
    ];
    history.add("pruned", "pruned", None, members);
    history.checkpoint();
    history.recordings.remove(&login(1));
    let lines = history.lines();
    let kept = prune(&lines, before, &of_host);
    Case::new("pruned", "11 pruned.declared", trust(), &history, &lines).pruned(&kept)
}

/// A bundle of the second login alone.
fn part() -> Case {
    let mut history = two_logins();
    let (lines, end, id) = (history.lines(), history.at("stamp1"), login(2).to_string());
    let mut kept = prune(&lines, end, &|seq, line| {
        of_host(seq, line) || Line::parse(line.as_bytes()).unwrap().sess.is_some_and(|sess| sess.id == id)
    });
    kept.kept.append(&mut kept.rest);
    history.recordings.remove(&login(1));
    let mut case = Case::new("part", "0 -", trust(), &history, &lines).pruned(&kept);
    let scope = format!("{{\"fmt\":\"cs-bundle1\",\"part\":{{\"logins\":[\"{id}\"],\"name\":\"deploy-01\"}}}}");
    case.files.insert("bundle.json".to_owned(), scope.into_bytes());
    case
}

/// A host that lost its identity key, enrolled anew.
fn gap() -> Case {
    let mut history = History::with_signer("own_uid");
    let former = countersign_core::HostId::from_random([6; 16]);
    history.add("gap", "gap", None, [("former", former.into()), ("why", "identity_lost".into())]);
    history.open(1);
    history.run(1, 1, "approved", "ops-lead");
    history.close(1, "exit");
    history.checkpoint();
    Case::new("gap", "11 gap.declared", trust(), &history, &history.lines())
}

/// What a service keeps of itself.
fn own_ledger() -> Case {
    let history = crate::own::own_ledger();
    Case::new("service", "10 assurance.self_attested", trust(), &history, &history.lines())
}

/// A policy's text in two parts, lines that its rules decided, and one that a person did.
fn policy() -> Case {
    let mut history = History::with_signer("own_uid");
    crate::again::texts(&mut history, 2);
    history.open(1);
    history.run(1, 1, "whitelisted", "whitelist_rule:17");
    history.submit(1, 2, b"rm -rf /srv");
    history.decide(1, 2, "blocked", Some("deny_rule:3"));
    history.close(1, "exit");
    history.open(2);
    history.run(2, 3, "approved", "ops-lead");
    history.close(2, "exit");
    history.checkpoint();
    Case::new("policy", "0 -", trust(), &history, &history.lines())
}

/// A login that was ended in the middle of a line because its recording was full, and the next of the same agent, of
/// which two were turned away before. Both were open: the second one goes on when the first is ended.
fn quota() -> Case {
    let mut history = History::with_signer("own_uid");
    history.open(1);
    history.run(1, 1, "approved", "ops-lead");
    history.submit(1, 2, b"cat /dev/zero");
    history.decide(1, 2, "approved", Some("ops-lead"));
    history.exec(1, 2);
    history.open(2);
    history.plan("open2").body.insert("turned_away".into(), 2u64.into());
    history.record(1, 40);
    history.record(1, 40);
    history.finish(1, 2);
    let lost = &mut history.plan("finish2").body;
    lost.remove("code");
    lost.insert("end".into(), "lost".into());
    lost.insert("stdout_bytes".into(), 0u64.into());
    history.close(1, "recording_quota");
    history.submit(2, 3, b"rm -rf /srv");
    history.decide(2, 3, "denied", Some("ops-lead"));
    history.close(2, "exit");
    history.checkpoint();
    Case::new("quota", "0 -", trust(), &history, &history.lines())
}

fn golden_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/ledger").join(name)
}

/// Every file below a directory, with its name from there.
fn files_below(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name().into_string().unwrap())).unwrap();
        if path.is_dir() {
            found.extend(files_below(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_golden_histories_are_these_and_both_verifiers_say_so() {
    for case in CASES.map(|make| make()) {
        let dir = golden_dir(case.name);
        let mut wanted = case.files.clone();
        wanted.insert("trust.json".into(), (case.trust.to_json().unwrap() + "\n").into_bytes());
        wanted.insert("head.json".into(), case.head.clone().into_bytes());
        wanted.insert("expected".into(), format!("{}\n", case.expected).into_bytes());
        if std::env::var_os("COUNTERSIGN_WRITE_GOLDEN").is_some() {
            let whole = Case { files: wanted.clone(), ..case };
            whole.write(&dir);
            // Git keeps no empty folder.
            drop(std::fs::remove_dir(dir.join("recordings")));
            continue;
        }
        assert_eq!(files_below(&dir), wanted, "{}", case.name);
        assert_eq!(TrustFile::load(&dir.join("trust.json")).unwrap(), case.trust);
        let report = case.verify(&dir);
        assert_eq!(told(&report), case.expected, "{}\n{}", case.name, report.text());
        assert_eq!(told(&case.verify_by_checkpoint(&dir)), case.expected, "{}", case.name);
        let theirs = second(&dir.join("trust.json"), &dir.join("head.json"), std::slice::from_ref(&dir));
        assert_eq!(theirs, [case.expected], "{}", case.name);
    }
}

/// The day too, which has no recordings beside it.
#[test]
fn both_verifiers_say_the_same_of_the_golden_day() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("journal")).unwrap();
    std::fs::copy(golden_dir("day.jsonl"), dir.path().join(FIRST)).unwrap();
    let trust = TrustFile::load(&golden_dir("trust.json")).unwrap();
    let ours = verify_with(dir.path(), Some(&trust), &Options::default(), &mut |_| {});
    let last = std::fs::read_to_string(golden_dir("day.jsonl")).unwrap();
    let (seq, leaf) = (last.lines().count() - 1, leaf_of(last.lines().last().unwrap()));
    let id = &trust.hosts[0].host;
    let head = dir.path().join("head.json");
    std::fs::write(&head, format!("{{\"fmt\":\"cs-head1\",\"host\":\"{id}\",\"leaf\":\"{leaf}\",\"seq\":{seq}}}\n"))
        .unwrap();
    assert_eq!(second(&golden_dir("trust.json"), &head, &[dir.path().to_owned()]), [told(&ours)]);
}
