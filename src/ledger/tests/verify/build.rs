//! Small histories with real keys: a plan that can be changed before it is
//! sealed (by a dishonest host) and lines that can be changed after (by anyone).

pub use crate::fixtures::{golden, held};
use crate::people::Review;
use crate::rotations::Rotation;
pub use crate::rulings::Ruling;
pub use crate::stamps::Stamp;
use crate::stamps::cosigned;
use countersign_core::{Choice, Digest, HostId, LoginId, Nonce, Salt, ServiceId, SubmissionId};
use countersign_ledger::verify::{Report, Require, verify};
use countersign_ledger::{
    Header, InProcessSigner, Openings, Sess, Signer, TrustFile, TrustedHost, TrustedService, Value, body, leaf_hash,
    seal, sha256,
};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

pub const BOOT: &str = "0123456789abcdef0123456789abcdef";
pub const OTHER_BOOT: &str = "fedcba9876543210fedcba9876543210";
pub const POLICY: &str = "the policy";
pub const WAIT_MS: u64 = 60_000;

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Host,
    Service,
    Stranger,
    /// The host's key of this epoch.
    Epoch(u8),
}

impl Who {
    pub fn signer(self) -> InProcessSigner {
        let seed = match self {
            Self::Host => [1; 32],
            Self::Service => [2; 32],
            Self::Stranger => [3; 32],
            Self::Epoch(n) => [0x50 | n; 32],
        };
        InProcessSigner::from_seed(seed).unwrap()
    }

    pub fn public(self) -> Digest {
        self.signer().public_key()
    }
}

pub fn host() -> HostId {
    HostId::from_random([7; 16])
}

pub fn service() -> ServiceId {
    ServiceId::from_random([8; 16])
}

pub fn login(n: u8) -> LoginId {
    LoginId::from_random([n; 16])
}

pub fn submission(n: u8) -> SubmissionId {
    SubmissionId::from_random([0x40 | n; 16])
}

pub fn nonce(n: u8) -> Nonce {
    Nonce([n; 16])
}

/// One entry to be.
#[derive(Debug, Clone)]
pub struct Plan {
    pub label: String,
    pub kind: &'static str,
    pub login: Option<LoginId>,
    pub body: BTreeMap<String, Value>,
    pub vals: Openings,
    /// Label of the entry whose hash is `of`.
    pub of: Option<String>,
    pub ruling: Option<Ruling>,
    pub at_us: i64,
    pub mono: u64,
    pub boot: &'static str,
    pub signer: Who,
    /// Added to `sess.n`.
    pub skew_n: u64,
    /// A checkpoint that the service gives.
    pub stamp: Option<Stamp>,
    /// What people have signed.
    pub reviews: Vec<Review>,
    /// A key that is certified.
    pub rotation: Option<Rotation>,
}

/// A history before it is sealed, and the recordings beside it.
#[derive(Debug, Clone)]
pub struct History {
    pub plans: Vec<Plan>,
    pub recordings: BTreeMap<LoginId, Vec<u8>>,
    pub mono: u64,
    boot: &'static str,
    salts: u8,
    signer_word: &'static str,
    stamps: usize,
    /// Who signs what is added.
    pub signs: Who,
    /// Whose it is.
    pub host: HostId,
}

impl History {
    /// Enrolled and started.
    pub fn new() -> Self {
        Self::with_signer("same_uid")
    }

    /// Enrolled and started as `same_uid` or `own_uid`.
    pub fn with_signer(signer_word: &'static str) -> Self {
        let (plans, recordings) = (Vec::new(), BTreeMap::new());
        let (mono, signs) = (5_000_000, Who::Host);
        let (boot, host) = (BOOT, host());
        let mut history = Self { plans, recordings, mono, boot, salts: 0, signer_word, stamps: 0, signs, host };
        let software = || Value::from("countersign test");
        history.add(
            "enrolled",
            "host_enrolled",
            None,
            [
                ("key", Who::Host.public().into()),
                ("name", "web-1".into()),
                ("service", service().into()),
                ("service_key", Who::Service.public().into()),
                ("signer", signer_word.into()),
                ("software", software()),
            ],
        );
        history.add("started", "host_started", None, [("signer", signer_word.into()), ("software", software())]);
        history
    }

    pub fn add<const N: usize>(
        &mut self,
        label: &str,
        kind: &'static str,
        login: Option<LoginId>,
        members: [(&str, Value); N],
    ) -> &mut Plan {
        self.mono += 1_000;
        let at_us = 1_795_000_000_000_000 + i64::try_from(self.mono).unwrap();
        self.plans.push(Plan {
            label: label.to_owned(),
            kind,
            login,
            body: members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            vals: Openings::new(),
            of: None,
            ruling: None,
            at_us,
            mono: self.mono,
            boot: self.boot,
            signer: self.signs,
            skew_n: 0,
            stamp: None,
            reviews: Vec::new(),
            rotation: None,
        });
        self.plans.last_mut().unwrap()
    }

    pub fn salt(&mut self) -> Salt {
        self.salts = self.salts.wrapping_add(1);
        Salt([self.salts; 32])
    }

    pub fn open(&mut self, n: u8) {
        let (agent, source) = (self.salt(), self.salt());
        let plan = self.add(
            &format!("open{n}"),
            "session_opened",
            Some(login(n)),
            [("kind", "exec".into()), ("tty", false.into()), ("uid", 1001u64.into())],
        );
        private(plan, "agent", agent, b"deploy");
        private(plan, "source", source, "10.0.0.1 \u{e9} \"x\"\n".as_bytes());
        self.record(n, 40);
    }

    pub fn submit(&mut self, n: u8, c: u8, command: &[u8]) {
        let (cut, salts) = (command.len() / 2, [self.salt(), self.salt(), self.salt(), self.salt()]);
        let plan = self.add(
            &format!("submit{c}"),
            "command_submitted",
            Some(login(n)),
            [
                ("cmd_bytes", u64::try_from(command.len()).unwrap().into()),
                ("id", submission(c).into()),
                ("nonce", nonce(c).into()),
                ("shell", "bash".into()),
                ("wait_ms", WAIT_MS.into()),
                ("words", "known".into()),
            ],
        );
        let segments = [(0, &command[..cut]), (1, &command[cut..])];
        let segments = segments.map(|(i, bytes): (usize, &[u8])| Some((salts[i], bytes.to_vec())));
        let digests = plan.vals.insert_list("cmd", segments.to_vec());
        plan.body.insert("cmd".into(), Value::List(digests.into_iter().map(|d| d.unwrap().into()).collect()));
        private(plan, "cwd", salts[2], b"/srv");
        private(plan, "env", salts[3], b"PATH=/bin\nHOME=/\xff");
    }

    pub fn decide(&mut self, n: u8, c: u8, outcome: &str, by: Option<&str>) {
        let comment = self.salt();
        let plan = self.add(
            &format!("decide{c}"),
            "decided",
            Some(login(n)),
            [("id", submission(c).into()), ("latency_ms", 12u64.into()), ("outcome", outcome.into())],
        );
        plan.of = Some(format!("submit{c}"));
        let Some(by) = by else {
            plan.body.insert("why".into(), "deadline".into());
            return;
        };
        plan.body.insert("by".into(), by.into());
        private(plan, "comment", comment, b"fine");
        let approve = matches!(outcome, "approved" | "whitelisted");
        plan.ruling = Some(Ruling {
            by: by.to_owned(),
            choice: if approve { Choice::Approve } else { Choice::Deny },
            about: format!("submit{c}"),
            exp_ms: WAIT_MS,
            host: host(),
            nonce: nonce(c),
            signer: Who::Service,
            break_sig: false,
        });
    }

    pub fn exec(&mut self, n: u8, c: u8) {
        let plan = self.add(&format!("exec{c}"), "exec_started", Some(login(n)), [("id", submission(c).into())]);
        plan.of = Some(format!("decide{c}"));
    }

    pub fn finish(&mut self, n: u8, c: u8) {
        let plan = self.add(
            &format!("finish{c}"),
            "exec_finished",
            Some(login(n)),
            [
                ("code", 0u64.into()),
                ("end", "exited".into()),
                ("id", submission(c).into()),
                ("stderr_bytes", 0u64.into()),
                ("stdout_bytes", 3u64.into()),
            ],
        );
        plan.of = Some(format!("exec{c}"));
    }

    /// Appends so many bytes to the recording, with their chunk.
    pub fn record(&mut self, n: u8, bytes: usize) {
        let file = self.recordings.entry(login(n)).or_default();
        let offset = file.len();
        let index = u64::try_from(offset / 40).unwrap();
        let chunk: Vec<u8> =
            (0..bytes).map(|i| b'a' + u8::try_from((i + offset + usize::from(n)) % 26).unwrap()).collect();
        file.extend_from_slice(&chunk);
        self.add(
            &format!("chunk{n}.{index}"),
            "recording_chunk",
            Some(login(n)),
            [
                ("digest", sha256(&chunk).into()),
                ("index", index.into()),
                ("length", u64::try_from(bytes).unwrap().into()),
                ("offset", u64::try_from(offset).unwrap().into()),
                ("raw_bytes", 1u64.into()),
            ],
        );
    }

    pub fn close(&mut self, n: u8, why: &str) {
        let bytes = u64::try_from(self.recordings.get(&login(n)).map_or(0, Vec::len)).unwrap();
        self.add(
            &format!("close{n}"),
            "session_closed",
            Some(login(n)),
            [("recording_bytes", bytes.into()), ("why", why.into())],
        );
    }

    pub fn restart(&mut self, boot: &'static str) {
        if boot != self.boot {
            self.mono = 1_000;
        }
        self.boot = boot;
        let signer = self.signer_word.into();
        self.add("restarted", "host_started", None, [("signer", signer), ("software", "countersign test".into())]);
    }

    /// The service cosigns everything so far; labels are `stamp0`, `stamp1` …
    pub fn checkpoint(&mut self) {
        let label = format!("stamp{}", self.stamps);
        self.stamps += 1;
        let note_by = self.signs;
        self.add(&label, "checkpoint", None, []).stamp = Some(Stamp { note_by, ..Stamp::default() });
    }

    /// The stamp with this label.
    pub fn stamp(&mut self, label: &str) -> &mut Stamp {
        self.plan(label).stamp.as_mut().unwrap()
    }

    pub fn stop(&mut self) {
        self.add("stopped", "host_stopped", None, [("why", "signal".into())]);
    }

    /// A login with one approved command, by number: for histories of many.
    pub fn whole_login(&mut self, number: u64) {
        let from = self.plans.len();
        self.open(200);
        self.run(200, 200, "approved", "ops-lead");
        self.close(200, "exit");
        let bytes = [number.to_be_bytes(), [1; 8]].concat().try_into().unwrap();
        let (id, submission) = (LoginId::from_random(bytes), SubmissionId::from_random(bytes));
        let recording = self.recordings.remove(&login(200)).unwrap();
        self.recordings.insert(id, recording);
        for plan in &mut self.plans[from..] {
            plan.login = Some(id);
            if plan.body.contains_key("id") {
                plan.body.insert("id".into(), submission.into());
            }
        }
    }

    /// A command from submission to end.
    pub fn run(&mut self, n: u8, c: u8, outcome: &str, by: &str) {
        self.submit(n, c, b"echo one; echo two");
        self.decide(n, c, outcome, Some(by));
        self.exec(n, c);
        self.record(n, 40);
        self.finish(n, c);
    }

    pub fn at(&mut self, label: &str) -> usize {
        self.plans.iter().position(|plan| plan.label == label).unwrap_or_else(|| panic!("no {label}"))
    }

    pub fn plan(&mut self, label: &str) -> &mut Plan {
        let at = self.at(label);
        &mut self.plans[at]
    }

    pub fn ruling(&mut self, label: &str) -> &mut Ruling {
        self.plan(label).ruling.as_mut().unwrap()
    }

    /// Moves every entry from `label` on by so many µs.
    pub fn later(&mut self, label: &str, us: u64) {
        let at = self.at(label);
        for plan in &mut self.plans[at..] {
            plan.mono += us;
            plan.at_us += i64::try_from(us).unwrap();
        }
    }

    /// The lines as this host writes them.
    pub fn lines(&self) -> Vec<String> {
        let (mut lines, mut prev, mut labels) = (Vec::new(), Digest::ZERO, HashMap::new());
        let mut logins: HashMap<LoginId, (u64, Digest)> = HashMap::new();
        // A log with a checkpoint of another host in it already.
        let (mut leaves, mut log, mut shown) = (Vec::new(), vec![Digest([3; 32])], 0);
        for (seq, plan) in self.plans.iter().enumerate() {
            let mut members = plan.body.clone();
            let leaf_of = |label: &str| labels.get(label).copied().unwrap_or(Digest([9; 32]));
            if let Some(of) = &plan.of {
                members.insert("of".into(), leaf_of(of).into());
            }
            if let Some(ruling) = &plan.ruling {
                let (statement, sig) = ruling.sign(leaf_of(&ruling.about));
                members.insert("statement".into(), statement.to_value());
                members.insert("sig".into(), sig.into());
            }
            if !plan.reviews.is_empty() {
                let reviews: Vec<_> = plan.reviews.iter().map(|r| r.value(&leaf_of)).collect();
                members.insert("reviews".into(), reviews.into());
            }
            if let Some(rotation) = &plan.rotation {
                members.extend(rotation.members(prev, seq));
            }
            if let Some(stamp) = &plan.stamp {
                let stamp = cosigned(stamp, (self.host, plan.at_us), &leaves, &mut log, &mut shown);
                let Value::Object(body) = stamp.to_value() else { panic!("an object") };
                members.extend(body);
            }
            let place = plan.login.map(|id| logins.entry(id).or_insert((0, Digest::ZERO)));
            let sess = plan.login.zip(place.as_deref()).map(|(id, (n, prev))| Sess { id, n: *n, prev: *prev });
            let header = Header {
                at_us: plan.at_us,
                boot: plan.boot,
                host: self.host,
                kind: plan.kind,
                mono: plan.mono,
                prev,
                seq: u64::try_from(seq).unwrap(),
                sess: sess.map(|s| Sess { n: s.n + plan.skew_n, ..s }),
            };
            let sealed = seal(&header, &body(members), &plan.vals, None, &mut plan.signer.signer()).unwrap();
            if let Some(place) = place {
                *place = (place.0 + 1 + plan.skew_n, sealed.leaf);
            }
            prev = sealed.leaf;
            leaves.push(sealed.leaf);
            labels.insert(plan.label.clone(), sealed.leaf);
            lines.push(sealed.line);
        }
        lines
    }

    /// Writes a state directory and verifies it.
    pub fn verify(&self) -> Report {
        verify_lines(&self.lines(), &self.recordings, Some(&trust()))
    }
}

pub fn private(plan: &mut Plan, name: &str, salt: Salt, value: &[u8]) {
    let digest = plan.vals.insert(name, salt, value.to_vec());
    plan.body.insert(name.into(), digest.into());
}

pub fn trust() -> TrustFile {
    trust_with(Who::Host.public(), Who::Service.public())
}

pub fn trust_with(host_key: Digest, service_key: Digest) -> TrustFile {
    let hosts = vec![TrustedHost { host: host(), key: host_key, name: "web-1".parse().unwrap() }];
    TrustFile::new(hosts, vec![TrustedService { key: service_key, service: service() }]).unwrap()
}

/// Writes `DIR/host/{journal,recordings}`.
pub fn write_state(dir: &Path, journal: &[u8], recordings: &BTreeMap<LoginId, Vec<u8>>) {
    let host = dir.join("host");
    std::fs::create_dir_all(host.join("journal")).unwrap();
    std::fs::create_dir_all(host.join("recordings")).unwrap();
    std::fs::write(host.join("journal/0000000000000000.jsonl"), journal).unwrap();
    for (login, bytes) in recordings {
        std::fs::write(host.join(format!("recordings/{login}.cast")), bytes).unwrap();
    }
}

pub fn join(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

pub fn verify_lines(lines: &[String], recordings: &BTreeMap<LoginId, Vec<u8>>, trust: Option<&TrustFile>) -> Report {
    let dir = tempfile::tempdir().unwrap();
    write_state(dir.path(), &join(lines), recordings);
    verify_path(dir.path(), trust)
}

pub fn verify_path(path: &Path, trust: Option<&TrustFile>) -> Report {
    verify(path, trust, Require::ServiceHeld, &mut |_| {})
}

/// The leaf hash of a line.
pub fn leaf_of(line: &str) -> Digest {
    let end = line.find("\",\"vals\":").unwrap();
    leaf_hash(format!("{}\"}}", &line[..end]).as_bytes())
}

/// Whether a report has a finding of this check.
pub fn found(report: &Report, check: &str) -> bool {
    report.totals.contains_key(check)
}

#[track_caller]
pub fn expect(report: &Report, exit: u8, check: &str) {
    assert!(
        report.exit_code == exit && found(report, check),
        "wanted {exit} {check}, got {}\n{}",
        report.exit_code,
        report.text()
    );
}
