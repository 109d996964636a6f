//! Epochs: who may sign which entry, and what a dishonest host or a thief of
//! an old key makes of it.

use crate::build::{BOOT, OTHER_BOOT, Who, host, join, service, trust, verify_path, write_state};
use crate::second::agrees;
use countersign_core::Digest;
use countersign_ledger::verify::{Report, Require, verify};
use countersign_ledger::{
    Clock, Committer, Draft, EPOCH_ENTRIES, EPOCH_US, Entry, EpochSigner, Header, InProcessSigner, JournalError, Kind,
    Limits, Now, Openings, Signer, Value, body, read_lines, seal,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

#[derive(Clone)]
struct Ticking(Arc<Mutex<Now>>, &'static str);

impl Ticking {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Now { at_us: 1_795_178_096_000_000, mono_us: 5_000_000 })), BOOT)
    }

    fn pass(&self, us: u64) {
        let mut now = self.0.lock().unwrap();
        now.at_us += i64::try_from(us).unwrap();
        now.mono_us += us;
    }
}

impl Clock for Ticking {
    fn now(&mut self) -> Now {
        self.pass(1000);
        *self.0.lock().unwrap()
    }

    fn boot(&self) -> String {
        self.1.to_owned()
    }
}

fn plain(kind: Kind, members: Vec<(&'static str, Value)>) -> Draft {
    Draft { kind, login: None, body: body(members), vals: Openings::new() }
}

fn enrolled() -> Draft {
    plain(
        Kind::HostEnrolled,
        vec![
            ("key", Who::Host.public().into()),
            ("name", "test".into()),
            ("service", service().into()),
            ("service_key", Who::Service.public().into()),
            ("signer", "own_uid".into()),
            ("software", "test 0".into()),
        ],
    )
}

fn started() -> Draft {
    plain(Kind::HostStarted, vec![("signer", "own_uid".into()), ("software", "test 0".into())])
}

fn stopped() -> Draft {
    plain(Kind::HostStopped, vec![("why", "signal".into())])
}

/// Key `n` of the epochs of one start.
fn epoch_key(start: u8, n: u8) -> InProcessSigner {
    InProcessSigner::from_seed([start.wrapping_mul(40).wrapping_add(100).wrapping_add(n); 32]).unwrap()
}

fn signer(start: u8) -> Box<EpochSigner> {
    let mut n = 0;
    let fresh = move || {
        n += 1;
        Ok(epoch_key(start, n))
    };
    Box::new(EpochSigner::with_keys(Who::Host.signer(), host(), Box::new(fresh)))
}

fn open(dir: &Path, start: u8, clock: &Ticking) -> Committer {
    let limits = Limits { reserve_bytes: 0, ..Limits::default() };
    Committer::open(dir, host(), signer(start), Box::new(clock.clone()), limits).unwrap().0
}

/// Two starts in one boot; the first rotates after a day, so that its epochs
/// begin at seq 1 and 5, and the second at 7.
fn history(dir: &Path) -> Vec<String> {
    let clock = Ticking::new();
    let first = open(dir, 0, &clock);
    first.append_wait(vec![enrolled()]).unwrap();
    first.append_wait(vec![started()]).unwrap();
    first.append_wait(vec![stopped()]).unwrap();
    first.append_wait(vec![stopped()]).unwrap();
    clock.pass(EPOCH_US);
    first.append_wait(vec![stopped()]).unwrap();
    drop(first);
    let second = open(dir, 1, &clock);
    second.append_wait(vec![started()]).unwrap();
    second.append_wait(vec![stopped()]).unwrap();
    drop(second);
    read_lines(dir, 0, 99, 1 << 20).unwrap()
}

fn verified(lines: &[String]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("0000000000000000.jsonl");
    std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    if lines.len() < 100 {
        write_state(dir.path(), &join(lines), &BTreeMap::new());
        agrees(dir.path(), &trust(), verify_path(dir.path(), Some(&trust())).exit_code);
    }
    verify(&file, Some(&trust()), Require::SelfAttested, &mut |_| {})
}

fn ids(report: &Report) -> Vec<&'static str> {
    let mut ids: Vec<_> = report.findings.iter().map(|f| f.check).collect();
    ids.retain(|id| *id != "assurance.self_attested");
    ids.dedup();
    ids
}

#[track_caller]
fn is(lines: &[String], code: u8, id: &str) {
    let report = verified(lines);
    assert_eq!(report.exit_code, code, "{:?}", report.findings);
    assert!(ids(&report).contains(&id), "{:?} lacks {id}", report.findings);
}

/// A line again, signed by somebody else, or saying something else.
struct Forged<'a> {
    signer: Box<dyn Signer>,
    boot: Option<&'a str>,
    mono: Option<u64>,
    body: Option<Value>,
}

/// Seals everything from the entry `at` on again, so that the chain is whole.
fn forged(lines: &[String], forge: &mut dyn FnMut(&Entry) -> Option<Forged<'static>>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut prev = Digest::ZERO;
    for line in lines {
        let entry = Entry::parse(line.as_bytes()).unwrap();
        let forged = forge(&entry);
        if forged.is_none() && entry.prev == prev {
            out.push(line.clone());
            prev = entry.leaf;
            continue;
        }
        let Forged { mut signer, boot, mono, body } =
            forged.unwrap_or(Forged { signer: owner(entry.seq), boot: None, mono: None, body: None });
        let body = body.unwrap_or_else(|| recertified(&entry, prev));
        let header = Header {
            at_us: entry.at_us,
            boot: boot.unwrap_or(&entry.boot),
            host: entry.host,
            kind: &entry.kind_text,
            mono: mono.unwrap_or(entry.mono),
            prev,
            seq: entry.seq,
            sess: None,
        };
        let sealed = seal(&header, &body, &Openings::new(), None, signer.as_mut()).unwrap();
        out.push(sealed.line);
        prev = sealed.leaf;
    }
    out
}

/// A dishonest host has all its keys: a certificate for the new place.
fn recertified(entry: &Entry, prev: Digest) -> Value {
    if entry.kind != Some(Kind::KeyRotated) {
        return entry.body.clone();
    }
    let before: Box<dyn Signer> = if entry.seq == 5 { Box::new(epoch_key(0, 1)) } else { Box::new(Who::Host.signer()) };
    certificate(before, entry.body.member("key").unwrap(), prev, entry.seq)
}

fn certificate(mut by: Box<dyn Signer>, key: Digest, prev: Digest, seq: u64) -> Value {
    let statement = format!(
        "{{\"fmt\":\"cs-epoch1\",\"host\":\"{}\",\"key\":\"{key}\",\"prev\":\"{prev}\",\"seq\":{seq}}}",
        host()
    );
    let digest = countersign_ledger::sha256(statement.as_bytes()).0;
    let cert = by.sign(countersign_ledger::Namespace::Epoch, digest).unwrap();
    body([
        ("by", Value::from(countersign_ledger::key_id(&by.public_key()))),
        ("cert", countersign_core::b64_encode(&cert).into()),
        ("key", key.into()),
    ])
}

/// Who signs this entry of [`history`].
fn owner(seq: u64) -> Box<dyn Signer> {
    Box::new(match seq {
        0 => Who::Host.signer(),
        1..=4 => epoch_key(0, 1),
        5..=6 => epoch_key(0, 2),
        _ => epoch_key(1, 1),
    })
}

fn by(signer: InProcessSigner) -> Option<Forged<'static>> {
    Some(Forged { signer: Box::new(signer), boot: None, mono: None, body: None })
}

#[test]
fn epochs_follow_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let lines = history(dir.path());
    let kinds: Vec<_> = lines.iter().map(|line| Entry::parse(line.as_bytes()).unwrap().kind_text).collect();
    let expected = [
        "host_enrolled",
        "key_rotated",
        "host_started",
        "host_stopped",
        "host_stopped",
        "key_rotated",
        "host_stopped",
        "key_rotated",
        "host_started",
        "host_stopped",
    ];
    assert_eq!(kinds, expected);
    let report = verified(&lines);
    assert_eq!((report.exit_code, ids(&report).len()), (10, 0), "{:?}", report.findings);
    assert!(report.integrity.detail.contains("3 epochs"), "{}", report.integrity.detail);
    // The forger's tool changes nothing by itself.
    assert_eq!(forged(&lines, &mut |_| None), lines);
    let again = forged(&lines, &mut |e| {
        (e.seq > 0).then(|| Forged { signer: owner(e.seq), boot: None, mono: None, body: None })
    });
    assert_eq!(verified(&again).exit_code, 10);
}

#[test]
fn a_key_signs_its_own_range_only() {
    let dir = tempfile::tempdir().unwrap();
    let lines = history(dir.path());
    for seq in [2, 3, 4, 6, 8, 9] {
        is(&forged(&lines, &mut |e| if e.seq == seq { by(Who::Host.signer()) } else { None }), 40, "sig.key_range");
        is(
            &forged(&lines, &mut |e| if e.seq == seq { by(Who::Stranger.signer()) } else { None }),
            40,
            "sig.key_unknown",
        );
    }
    // The epoch before, and one that comes later.
    is(&forged(&lines, &mut |e| if e.seq == 6 { by(epoch_key(0, 1)) } else { None }), 40, "sig.key_range");
    is(&forged(&lines, &mut |e| if e.seq == 9 { by(epoch_key(0, 2)) } else { None }), 40, "sig.key_range");
    is(&forged(&lines, &mut |e| if e.seq == 4 { by(epoch_key(0, 2)) } else { None }), 40, "sig.key_unknown");
    is(&forged(&lines, &mut |e| if e.seq == 0 { by(epoch_key(0, 1)) } else { None }), 40, "sig.key_unknown");
}

#[test]
fn a_certificate_is_for_one_key_place_and_host() {
    let dir = tempfile::tempdir().unwrap();
    let lines = history(dir.path());
    let entries: Vec<_> = lines.iter().map(|line| Entry::parse(line.as_bytes()).unwrap()).collect();
    let stranger = || Box::new(Who::Stranger.signer());
    let key = Who::Stranger.public();
    let mut table: Vec<(u64, Value)> = Vec::new();
    for seq in [1, 5, 7] {
        let prev = entries[usize::try_from(seq).unwrap()].prev;
        // By nobody known, and by the service.
        table.push((seq, certificate(stranger(), key, prev, seq)));
        table.push((seq, certificate(Box::new(Who::Service.signer()), key, prev, seq)));
        // For another place.
        table.push((seq, certificate(Box::new(Who::Host.signer()), key, prev, seq + 1)));
        table.push((seq, certificate(Box::new(Who::Host.signer()), key, Digest::ZERO, seq)));
        // For another key than the one that signs the entry.
        table.push((seq, certificate(Box::new(Who::Host.signer()), Who::Service.public(), prev, seq)));
    }
    // A stolen key of an old epoch certifies nothing after its range.
    table.push((7, certificate(Box::new(epoch_key(0, 1)), key, entries[7].prev, 7)));
    // An old certificate again.
    table.push((7, entries[1].body.clone()));
    table.push((7, entries[5].body.clone()));
    for (at, body) in table {
        let lines = forged(&lines, &mut |e| {
            (e.seq == at).then(|| Forged { signer: stranger(), boot: None, mono: None, body: Some(body.clone()) })
        });
        is(&lines, 40, "key.certificate");
    }
    // The identity key as an epoch, and an epoch's key a second time.
    for (at, again) in [(5, Who::Host.signer()), (7, epoch_key(0, 1)), (7, epoch_key(0, 2))] {
        let body = certificate(
            Box::new(Who::Host.signer()),
            again.public_key(),
            entries[usize::try_from(at).unwrap()].prev,
            at,
        );
        let mut again = Some(again);
        let lines = forged(&lines, &mut |e| {
            let signer = if e.seq == at { again.take() } else { None };
            signer.map(|signer| Forged { signer: Box::new(signer), boot: None, mono: None, body: Some(body.clone()) })
        });
        is(&lines, 40, "key.certificate");
    }
}

#[test]
fn the_identity_key_certifies_at_a_start_and_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let lines = history(dir.path());
    let entries: Vec<_> = lines.iter().map(|line| Entry::parse(line.as_bytes()).unwrap()).collect();
    // In the middle of a run.
    let body = certificate(Box::new(Who::Host.signer()), epoch_key(0, 2).public_key(), entries[5].prev, 5);
    let lines_identity = forged(&lines, &mut |e| {
        (e.seq == 5).then(|| Forged {
            signer: Box::new(epoch_key(0, 2)),
            boot: None,
            mono: None,
            body: Some(body.clone()),
        })
    });
    is(&lines_identity, 40, "key.start");
    // A start that the epoch before has certified: its process is gone by then.
    let body = certificate(Box::new(epoch_key(0, 2)), epoch_key(1, 1).public_key(), entries[7].prev, 7);
    let lines_start = forged(&lines, &mut |e| {
        (e.seq == 7).then(|| Forged {
            signer: Box::new(epoch_key(1, 1)),
            boot: None,
            mono: None,
            body: Some(body.clone()),
        })
    });
    is(&lines_start, 40, "key.start");
    // An epoch that goes on in another boot.
    let lines_boot = forged(&lines, &mut |e| {
        (e.seq >= 6).then(|| Forged { signer: owner(e.seq), boot: Some(OTHER_BOOT), mono: None, body: None })
    });
    is(&lines_boot, 40, "key.epoch");
}

#[test]
fn a_change_of_key_hides_no_fall_of_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let ahead = |entry: &Entry| {
        let mono = Some(entry.mono + 3_600_000_000);
        (entry.seq == 5).then(|| Forged { signer: owner(5), boot: None, mono, body: None })
    };
    is(&forged(&history(dir.path()), &mut { ahead }), 51, "time.mono_falls");
}

#[test]
fn the_services_key_is_no_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let service = |entry: &Entry| {
        let key = Who::Service.public();
        let body = (entry.seq == 5).then(|| certificate(Box::new(epoch_key(0, 1)), key, entry.prev, 5));
        matches!(entry.seq, 5 | 6).then(|| Forged {
            signer: Box::new(Who::Service.signer()),
            boot: None,
            mono: None,
            body,
        })
    };
    is(&forged(&history(dir.path()), &mut { service }), 40, "key.certificate");
}

#[test]
fn an_epoch_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Ticking::new();
    let committer = open(dir.path(), 0, &clock);
    committer.append_wait(vec![enrolled()]).unwrap();
    committer.append_wait(vec![started()]).unwrap();
    for _ in 0..31 {
        committer.append_wait(vec![stopped(); 409]).unwrap();
    }
    drop(committer);
    let lines = read_lines(dir.path(), 0, 99_999, 1 << 30).unwrap();
    let rotated: Vec<_> = lines.iter().filter(|line| line.contains("\"kind\":\"key_rotated\"")).collect();
    assert_eq!(rotated.len(), 4);
    assert_eq!(verified(&lines).exit_code, 10);
    // A host that never changes its key.
    let mut signer = epoch_key(0, 1);
    let mut prev = Digest::ZERO;
    let mut long = Vec::new();
    for seq in 0..=EPOCH_ENTRIES + 1 {
        let (kind, body) = match seq {
            0 => ("host_enrolled", enrolled().body),
            1 => ("key_rotated", certificate(Box::new(Who::Host.signer()), signer.public_key(), prev, 1)),
            2 => ("host_started", started().body),
            _ => ("host_stopped", stopped().body),
        };
        let (at_us, mono) = (1_795_178_096_000_000, 5_000_000);
        let header = Header { at_us, boot: BOOT, host: host(), kind, mono, prev, seq, sess: None };
        let vals = Openings::new();
        let sealed = if seq == 0 {
            seal(&header, &body, &vals, None, &mut Who::Host.signer()).unwrap()
        } else {
            seal(&header, &body, &vals, None, &mut signer).unwrap()
        };
        prev = sealed.leaf;
        long.push(sealed.line);
    }
    let (_, whole) = long.split_last().unwrap();
    assert_eq!(verified(whole).exit_code, 10);
    is(&long, 40, "key.epoch");
}

#[test]
fn only_the_enrolled_identity_goes_on_with_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    history(dir.path());
    let files = || std::fs::read_dir(dir.path()).unwrap().count();
    let before = files();
    let fresh = Box::new(InProcessSigner::generate);
    for signer in [
        Box::new(EpochSigner::with_keys(Who::Stranger.signer(), host(), fresh)) as Box<dyn Signer>,
        Box::new(Who::Stranger.signer()),
        Box::new(epoch_key(1, 1)),
    ] {
        let opened = Committer::open(dir.path(), host(), signer, Box::new(Ticking::new()), Limits::default());
        let error = opened.unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. } | JournalError::Layout { .. }), "{error}");
        assert!(error.to_string().contains("key"), "{error}");
    }
    assert_eq!(files(), before);
}

#[test]
fn the_keys_of_a_host_sign_nothing_else() {
    let mut keys = EpochSigner::new(Who::Host.signer(), host());
    use countersign_ledger::Namespace::{Decision, Enroll, Entry as ForEntry, Epoch};
    for namespace in [Decision, Enroll, Epoch] {
        assert!(keys.sign(namespace, [0; 32]).is_err());
    }
    keys.sign(ForEntry, [0; 32]).unwrap();
    assert!(keys.sign(ForEntry, [1; 32]).is_err(), "the identity key signs one entry");
    assert!(keys.rotate(0, Digest::ZERO).is_err());
    keys.rotate(5, Digest::ZERO).unwrap();
    assert!(keys.rotate(5, Digest::ZERO).is_err(), "one certificate for a place");
    assert!(keys.rotate(4, Digest::ZERO).is_err());
    keys.sign(ForEntry, [0; 32]).unwrap();
    let checkpoint = |origin: String| {
        let checkpoint = countersign_ledger::tlog::Checkpoint { origin, size: 3, root: Digest::ZERO };
        countersign_ledger::tlog::NoteText::checkpoint(&checkpoint).unwrap()
    };
    keys.sign_note(&checkpoint(format!("countersign/host/{}", host()))).unwrap();
    let other = countersign_core::HostId::from_random([9; 16]);
    assert!(keys.sign_note(&checkpoint(format!("countersign/host/{other}"))).is_err());
    assert!(keys.sign_note(&checkpoint(format!("countersign/service/{}", service()))).is_err());
}

#[test]
fn a_missing_entry_is_missing_whichever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let lines = history(dir.path());
    for at in 0..lines.len() - 1 {
        let mut cut = lines.clone();
        cut.remove(at);
        let report = verified(&cut);
        assert_eq!(report.exit_code, 41, "without {at}: {:?}", report.findings);
        // And signed by somebody else after the hole.
        let after = u64::try_from(at).unwrap();
        let mut by_stranger = forged(&lines, &mut |e| if e.seq > after { by(Who::Stranger.signer()) } else { None });
        by_stranger.remove(at);
        assert!(verified(&by_stranger).exit_code >= 40);
    }
}
