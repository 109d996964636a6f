//! A host as the service sees one: it signs entries and sends them.

use crate::running::Service;
use countersign_api::service::{EnrollReply, EnrollRequest, EntriesReply, EntriesRequest, SubmitReply, SubmitRequest};
use countersign_core::{Digest, HostId, LoginId, Nonce, Salt, SubmissionId, b64_encode};
use countersign_ledger::{
    Header, InProcessSigner, Kind, Namespace, Openings, Sess, Signer as _, Value, body, random_bytes, seal, sha256,
};
use reqwest::StatusCode;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

pub struct Host {
    pub id: HostId,
    pub name: String,
    pub signer: InProcessSigner,
    pub token: String,
    pub service_key: Digest,
    pub seq: u64,
    pub prev: Digest,
    pub at_us: i64,
    /// Lines written so far.
    pub lines: Vec<String>,
    /// How many of them were sent.
    pub sent: usize,
    /// Whether the logins it opens have a terminal.
    pub tty: bool,
    /// The inner shell of what it holds.
    pub shell: &'static str,
    /// What it says of the programs of its lines.
    pub words: &'static str,
    /// The environment of what it holds.
    pub env: &'static str,
    /// Marks of what it holds.
    pub flags: &'static [&'static str],
    /// The program on the standard input of what it holds.
    pub program: Option<&'static str>,
    logins: HashMap<LoginId, (u64, Digest)>,
}

/// A held command.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub id: SubmissionId,
    pub leaf: Digest,
    pub nonce: Nonce,
    pub login: LoginId,
}

pub fn now_us() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

pub fn salt() -> Salt {
    Salt(random_bytes().unwrap())
}

impl Host {
    pub fn unknown(name: &str) -> Self {
        Self {
            id: HostId::from_random(random_bytes().unwrap()),
            name: name.to_owned(),
            signer: InProcessSigner::generate().unwrap(),
            token: String::new(),
            service_key: Digest::ZERO,
            seq: 0,
            prev: Digest::ZERO,
            at_us: now_us(),
            lines: Vec::new(),
            sent: 0,
            tty: false,
            shell: "bash",
            words: "known",
            env: "PATH=/usr/bin",
            flags: &[],
            program: None,
            logins: HashMap::new(),
        }
    }

    pub fn enroll_request(&mut self, token: &str) -> EnrollRequest {
        let proof = self.signer.sign(Namespace::Enroll, sha256(token.as_bytes()).0).unwrap();
        EnrollRequest {
            token: token.to_owned(),
            host: self.id,
            name: self.name.parse().unwrap(),
            key: self.signer.public_key(),
            proof: b64_encode(&proof),
            former: None,
        }
    }

    /// An enrolled host whose first two entries are held.
    pub async fn enrolled(service: &Service, name: &str) -> Self {
        let mut host = Self::unknown(name);
        host.enrol(service, &service.enroll_token(name)).await;
        host
    }

    /// Enrols with this token and sends the first two entries.
    pub async fn enrol(&mut self, service: &Service, token: &str) {
        let host = self;
        let name = host.name.clone();
        let request = host.enroll_request(token);
        let (status, reply) = service.post::<EnrollReply>("/api/enroll", "", &request).await;
        assert_eq!(status, StatusCode::OK, "{reply:?}");
        let reply = reply.unwrap();
        (host.token, host.service_key) = (reply.host_token, reply.service_key);
        let key = host.signer.public_key();
        let members = [
            ("key", key.into()),
            ("name", name.as_str().into()),
            ("service", reply.service.into()),
            ("service_key", reply.service_key.into()),
            ("signer", "same_uid".into()),
            ("software", "test 0".into()),
        ];
        host.write(Kind::HostEnrolled, None, body(members), Openings::new());
        host.write(
            Kind::HostStarted,
            None,
            body([("signer", "same_uid".into()), ("software", "test 0".into())]),
            Openings::new(),
        );
        host.ship(service).await;
    }

    /// Writes an entry; its leaf hash.
    pub fn write(&mut self, kind: Kind, login: Option<LoginId>, members: Value, vals: Openings) -> Digest {
        let sess = login.map(|id| {
            let (n, prev) = self.logins.get(&id).copied().unwrap_or((0, Digest::ZERO));
            Sess { id, n, prev }
        });
        let header = Header {
            at_us: self.at_us,
            boot: "00112233445566778899aabbccddeeff",
            host: self.id,
            kind: kind.as_str(),
            mono: self.seq * 1000,
            prev: self.prev,
            seq: self.seq,
            sess,
        };
        let sealed = seal(&header, &members, &vals, None, &mut self.signer).unwrap();
        if let Some(sess) = sess {
            self.logins.insert(sess.id, (sess.n + 1, sealed.leaf));
        }
        (self.seq, self.prev) = (self.seq + 1, sealed.leaf);
        self.lines.push(sealed.line);
        sealed.leaf
    }

    pub fn open_login(&mut self, agent: &str, source: Option<&str>) -> LoginId {
        let login = LoginId::from_random(random_bytes().unwrap());
        let mut vals = Openings::new();
        let mut members = vec![
            ("agent", vals.insert("agent", salt(), agent.into()).into()),
            ("kind", "exec".into()),
            ("tty", self.tty.into()),
            ("uid", 1000u64.into()),
        ];
        if let Some(source) = source {
            members.push(("source", vals.insert("source", salt(), source.into()).into()));
        }
        self.write(Kind::SessionOpened, Some(login), body(members), vals);
        login
    }

    pub fn hold(&mut self, login: LoginId, command: &str, wait_ms: u64) -> Held {
        self.hold_segments(login, &[Some(command)], wait_ms)
    }

    /// `None` is a hidden segment.
    pub fn hold_segments(&mut self, login: LoginId, segments: &[Option<&str>], wait_ms: u64) -> Held {
        let id = SubmissionId::from_random(random_bytes().unwrap());
        let nonce = Nonce(random_bytes().unwrap());
        let mut vals = Openings::new();
        let items = segments.iter().map(|s| s.map(|s| (salt(), s.as_bytes().to_vec()))).collect();
        let digests = vals.insert_list("cmd", items);
        let hidden: Vec<Value> = (0u64..).zip(segments).filter(|(_, s)| s.is_none()).map(|(i, _)| i.into()).collect();
        let bytes: usize = segments.iter().map(|s| s.map_or(6, str::len)).sum();
        let cmd: Vec<Value> = digests.into_iter().map(|d| d.unwrap_or(Digest([9; 32])).into()).collect();
        let mut members = vec![
            ("cmd", Value::List(cmd)),
            ("cmd_bytes", u64::try_from(bytes).unwrap().into()),
            ("cwd", vals.insert("cwd", salt(), b"/srv".to_vec()).into()),
            ("env", vals.insert("env", salt(), self.env.into()).into()),
            ("id", id.into()),
            ("nonce", nonce.into()),
            ("shell", self.shell.into()),
            ("wait_ms", wait_ms.into()),
            ("words", self.words.into()),
        ];
        if !hidden.is_empty() {
            members.push(("hidden", Value::List(hidden)));
        }
        if !self.flags.is_empty() {
            members.push(("flags", self.flags.to_vec().into()));
        }
        if let Some(text) = self.program {
            let made = vals.insert_list("stdin", vec![Some((salt(), text.as_bytes().to_vec()))]);
            members.push(("stdin", Value::List(made.into_iter().flatten().map(Value::from).collect())));
            members.push(("stdin_bytes", u64::try_from(text.len()).unwrap().into()));
        }
        let leaf = self.write(Kind::CommandSubmitted, Some(login), body(members), vals);
        Held { id, leaf, nonce, login }
    }

    /// Holds a line, asks, and runs it where a rule or a threshold lets it.
    pub async fn submit_and_run(&mut self, service: &Service, login: LoginId, line: &str) -> (Held, SubmitReply) {
        let held = self.hold(login, line, 60_000);
        let (status, reply) = self.ask(service, held).await;
        assert_eq!(status, StatusCode::OK, "{line}: {reply:?}");
        let reply = reply.unwrap();
        if let Some(signed) = &reply.decision {
            let by = countersign_ledger::Statement::parse(&signed.statement).unwrap().by;
            if by.to_string().starts_with("whitelist_rule:") || by.to_string().starts_with("threshold:") {
                let decided = self.decide(held, "whitelisted", Some(&by.to_string()), None);
                self.run(held, decided, 0);
            }
        }
        (held, reply)
    }

    /// What the host itself says became of it.
    pub fn decide(&mut self, held: Held, outcome: &str, by: Option<&str>, why: Option<&str>) -> Digest {
        let mut members = vec![
            ("id", held.id.into()),
            ("latency_ms", 40u64.into()),
            ("of", held.leaf.into()),
            ("outcome", outcome.into()),
        ];
        members.extend(by.map(|by| ("by", by.into())));
        members.extend(why.map(|why| ("why", why.into())));
        self.write(Kind::Decided, Some(held.login), body(members), Openings::new())
    }

    pub fn run(&mut self, held: Held, decided: Digest, code: u64) {
        let started = body([("id", held.id.into()), ("of", decided.into())]);
        let of = self.write(Kind::ExecStarted, Some(held.login), started, Openings::new());
        let finished = body([
            ("code", code.into()),
            ("end", "exited".into()),
            ("id", held.id.into()),
            ("of", of.into()),
            ("stderr_bytes", 0u64.into()),
            ("stdout_bytes", 0u64.into()),
        ]);
        self.write(Kind::ExecFinished, Some(held.login), finished, Openings::new());
    }

    pub fn close(&mut self, login: LoginId, recording_bytes: u64) {
        let members = body([("recording_bytes", recording_bytes.into()), ("why", "exit".into())]);
        self.write(Kind::SessionClosed, Some(login), members, Openings::new());
    }

    pub fn unsent(&mut self) -> Vec<String> {
        let lines = self.lines[self.sent..].to_vec();
        self.sent = self.lines.len();
        lines
    }

    /// Sends what was not sent.
    pub async fn ship(&mut self, service: &Service) {
        let lines = self.unsent();
        let (status, reply) =
            service.post::<EntriesReply>("/api/entries", &self.token, &EntriesRequest { lines }).await;
        assert_eq!(status, StatusCode::OK, "{reply:?}");
        assert_eq!(reply.unwrap().next_seq, self.seq);
    }

    /// Asks about the last line.
    pub async fn ask(&mut self, service: &Service, held: Held) -> (StatusCode, Result<SubmitReply, String>) {
        let lines = self.unsent();
        service.post("/api/submissions", &self.token, &SubmitRequest { id: held.id, lines, rule: None }).await
    }

    /// Opens a login, holds a command and asks; it must wait.
    pub async fn pending(&mut self, service: &Service, command: &str, wait_ms: u64) -> Held {
        let login = self.open_login("deploy-agent", None);
        let held = self.hold(login, command, wait_ms);
        let (status, reply) = self.ask(service, held).await;
        assert_eq!(status, StatusCode::OK, "{reply:?}");
        assert_eq!(reply.unwrap().decision, None);
        held
    }
}
