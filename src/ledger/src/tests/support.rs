//! A host whose every byte is known beforehand.

use crate::{
    Clock, Committer, Draft, InProcessSigner, Kind, Limits, Now, Openings, Recovered, Signer as _, Statement, Value,
    Written, body, key_id,
};
use countersign_core::{Choice, DecidedBy, Digest, HostId, LoginId, Nonce, Salt, ServiceId, SubmissionId};
use std::path::{Path, PathBuf};

pub const BOOT: &str = "000102030405060708090a0b0c0d0e0f";

/// Both clocks go on by 1.5 ms with each reading.
pub struct FixedClock {
    pub now: Now,
    pub boot: String,
}

impl FixedClock {
    pub fn new() -> Self {
        Self { now: Now { at_us: 1_795_178_096_123_456, mono_us: 123_456_789 }, boot: BOOT.to_owned() }
    }
}

impl Clock for FixedClock {
    fn now(&mut self) -> Now {
        self.now = Now { at_us: self.now.at_us + 1_500, mono_us: self.now.mono_us + 1_500 };
        self.now
    }

    fn boot(&self) -> String {
        self.boot.clone()
    }
}

/// Bytes `first`, `first + 1` …
fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|index| first + u8::try_from(index).unwrap())
}

pub fn host_signer() -> InProcessSigner {
    InProcessSigner::from_seed(counting(0)).unwrap()
}

pub fn service_signer() -> InProcessSigner {
    InProcessSigner::from_seed(counting(0x20)).unwrap()
}

pub fn host() -> HostId {
    HostId::from_random(counting(0x40))
}

pub fn service() -> ServiceId {
    ServiceId::from_random(counting(0x50))
}

pub fn login(number: u8) -> LoginId {
    LoginId::from_random(counting(0x60 + number))
}

pub fn submission(number: u8) -> SubmissionId {
    SubmissionId::from_random(counting(0x80 + number))
}

pub fn salt(number: u8) -> Salt {
    Salt(counting(0xa0 + number))
}

pub fn open(dir: &Path) -> (Committer, Recovered) {
    let limits = Limits { reserve_bytes: 0, ..Limits::default() };
    Committer::open(dir, host(), Box::new(host_signer()), Box::new(FixedClock::new()), limits).unwrap()
}

pub fn draft(kind: Kind, login: Option<LoginId>, body: Value) -> Draft {
    Draft { kind, login, body, vals: Openings::new() }
}

pub fn opened(login: LoginId) -> Draft {
    let mut vals = Openings::new();
    let agent = vals.insert("agent", salt(1), b"deploy-agent".to_vec());
    let source = vals.insert("source", salt(2), b"192.0.2.7 50022 192.0.2.1 22".to_vec());
    let members = [
        ("agent", agent.into()),
        ("kind", "exec".into()),
        ("source", source.into()),
        ("tty", false.into()),
        ("uid", 1001u32.into()),
    ];
    Draft { kind: Kind::SessionOpened, login: Some(login), body: body(members), vals }
}

/// A command of three segments, the middle one hidden.
pub fn submitted(login: LoginId, id: SubmissionId) -> Draft {
    let mut vals = Openings::new();
    let (first, last) = ("mysql -p".as_bytes(), " <<< 'naïve \"q\" \\ 𝄞'\n\t# é".as_bytes());
    let items = vec![Some((salt(3), first.to_vec())), None, Some((salt(4), last.to_vec()))];
    let shown = vals.insert_list("cmd", items);
    let hidden = crate::commitment("cmd/1", &salt(5), b"hunter2");
    let cmd: Vec<Digest> = shown.into_iter().map(|digest| digest.unwrap_or(hidden)).collect();
    let cwd = vals.insert("cwd", salt(6), b"/home/deploy/\xff\xfe".to_vec());
    let env = vals.insert("env", salt(7), b"HOME=/home/deploy\nPATH=/usr/bin:/bin".to_vec());
    let members = [
        ("cmd", cmd.into()),
        ("cmd_bytes", u64::try_from(first.len() + last.len() + 7).unwrap().into()),
        ("cwd", cwd.into()),
        ("env", env.into()),
        ("hidden", vec![1u64].into()),
        ("id", id.into()),
        ("nonce", Nonce(counting(0x70)).into()),
        ("shell", "bash".into()),
        ("wait_ms", 60_000u64.into()),
    ];
    Draft { kind: Kind::CommandSubmitted, login: Some(login), body: body(members), vals }
}

/// `decided` and, where it may run, `exec_started`.
pub fn decided(login: LoginId, id: SubmissionId, of: &Written, decision: Choice) -> Vec<Draft> {
    let by = DecidedBy::Person("ops-lead".parse().unwrap());
    let mut signer = service_signer();
    let statement = Statement {
        by: by.clone(),
        decision,
        entry: of.leaf,
        exp_ms: 60_000,
        host: host(),
        key: key_id(&signer.public_key()),
        nonce: Nonce(counting(0x70)),
        policy: crate::sha256(b"no rules"),
    };
    let (_, sig) = statement.sign(&mut signer).unwrap();
    let mut vals = Openings::new();
    let comment = vals.insert("comment", salt(8), "nur heute – ok".as_bytes().to_vec());
    let outcome = by.outcome(decision).unwrap();
    let members = [
        ("by", by.to_string().into()),
        ("comment", comment.into()),
        ("id", id.into()),
        ("latency_ms", 4_200u64.into()),
        ("of", of.leaf.into()),
        ("outcome", outcome.as_str().into()),
        ("sig", sig.into()),
        ("statement", statement.to_value()),
    ];
    let mut drafts = vec![Draft { kind: Kind::Decided, login: Some(login), body: body(members), vals }];
    if outcome.lets_run() {
        let members = [("id", id.into()), ("of", Value::LeafBefore)];
        drafts.push(draft(Kind::ExecStarted, Some(login), body(members)));
    }
    drafts
}

pub fn chunk(login: LoginId) -> Draft {
    let members = [
        ("digest", crate::sha256(b"a recording").into()),
        ("index", 0u64.into()),
        ("length", 11u64.into()),
        ("offset", 0u64.into()),
        ("raw_bytes", 5u64.into()),
    ];
    draft(Kind::RecordingChunk, Some(login), body(members))
}

pub fn finished(login: LoginId, id: SubmissionId, of: &Written) -> Draft {
    let members = [
        ("code", 0u64.into()),
        ("end", "exited".into()),
        ("id", id.into()),
        ("of", of.leaf.into()),
        ("stderr_bytes", 0u64.into()),
        ("stdout_bytes", 5u64.into()),
    ];
    draft(Kind::ExecFinished, Some(login), body(members))
}

pub fn closed(login: LoginId, recording_bytes: u64) -> Draft {
    let members = [("recording_bytes", recording_bytes.into()), ("why", "exit".into())];
    draft(Kind::SessionClosed, Some(login), body(members))
}

pub fn enrolled() -> Draft {
    let members = [
        ("key", host_signer().public_key().into()),
        ("name", "web-1".into()),
        ("service", service().into()),
        ("service_key", service_signer().public_key().into()),
        ("signer", "same_uid".into()),
        ("software", "countersign 0.1.0".into()),
    ];
    draft(Kind::HostEnrolled, None, body(members))
}

pub fn started() -> Draft {
    let members = [("signer", "same_uid".into()), ("software", "countersign 0.1.0".into())];
    draft(Kind::HostStarted, None, body(members))
}

/// A day of a host: an approved command, and in a second login beside it one
/// that was denied.
pub fn write_day(committer: &Committer) -> Vec<Written> {
    let mut all = Vec::new();
    let mut append = |drafts| {
        let written = committer.append_wait(drafts).unwrap();
        all.extend_from_slice(&written);
        written
    };
    append(vec![enrolled(), started()]);
    append(vec![opened(login(0))]);
    let first = append(vec![submitted(login(0), submission(0))]);
    append(vec![opened(login(1))]);
    let run = append(decided(login(0), submission(0), &first[0], Choice::Approve));
    let second = append(vec![submitted(login(1), submission(1))]);
    append(vec![chunk(login(0))]);
    append(decided(login(1), submission(1), &second[0], Choice::Deny));
    append(vec![finished(login(0), submission(0), &run[1])]);
    append(vec![closed(login(1), 0)]);
    append(vec![closed(login(0), 11)]);
    append(vec![draft(Kind::HostStopped, None, body([("why", "signal".into())]))]);
    all
}

/// The folder of golden files of the ledger.
pub fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/ledger")
}

pub fn golden(name: &str) -> String {
    std::fs::read_to_string(golden_dir().join(name)).unwrap()
}
