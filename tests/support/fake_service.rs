//! A service that lies: it speaks the service's API and answers submissions as it is told. Nothing of the product
//! is in it but the names of JSON members.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::signing::{Key, SshKey, Words, leaf_hash, text_digest};

/// How a submission is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As an honest service would when a person approves: the control of every test here.
    Approve,
    /// Also honest, with the decision in the reply to the submission, as a whitelist rule gives it.
    ApproveAtOnce,
    /// As [`Answer::ApproveAtOnce`], and keeps its policy to itself.
    NoPolicy,
    /// As [`Answer::ApproveAtOnce`], and sends another policy than its decisions name.
    OtherPolicy,
    /// As [`Answer::ApproveAtOnce`], under the policy that the host has last named as its administrators', whatever
    /// the line is.
    HostRule,
    /// As [`Answer::Approve`], in the name of `ann`.
    ApprovedByAnn,
    /// HTTP 500.
    ServerError,
    /// HTTP 401.
    Unauthorized,
    /// 200 and something that is not JSON.
    NotJson,
    /// 200 and JSON of another shape.
    OtherJson,
    /// The statement does not follow its grammar.
    StatementNotCanonical,
    /// No signature.
    Unsigned,
    /// A signature of something else.
    BadSignature,
    /// A signature of another namespace.
    OtherNamespace,
    /// For the entry of another submission.
    OtherSubmission,
    /// For the same submission with another command in it.
    ChangedBytes,
    /// With another nonce.
    OtherNonce,
    /// For another host.
    OtherHost,
    /// By another key, which says so.
    OtherKey,
    /// By the pinned key, which says it is another.
    NamesOtherKey,
    /// By another key under the pinned key's id.
    OtherKeyPinnedId,
    /// By a deny rule that approves.
    DenyRuleApproves,
    /// By a timeout that approves.
    TimeoutApproves,
    /// Approved with an end of validity that has passed.
    Expired,
    /// Approved after the time is up.
    Late,
    /// Nothing, ever.
    Silence,
    /// The connection ends in the middle of the reply.
    CutOff,
}

struct Inner {
    key: Key,
    other_key: Key,
    answer: Answer,
    late_by: Duration,
    host: String,
    next_seq: u64,
    submitted: Option<String>,
    asked: usize,
    reviews: Vec<SshReview>,
    policy: String,
    host_policy: Option<String>,
}

/// A review that a reviewer has signed, or somebody says so.
#[derive(Clone, Debug)]
pub struct SshReview {
    /// In whose name.
    pub name: &'static str,
    /// With which key.
    pub key: SshKey,
    /// `approve` or `deny`.
    pub decision: &'static str,
    /// Whether it is about this submission.
    pub of_this: bool,
}

/// The service; it stops when dropped.
pub struct FakeService {
    inner: Arc<Mutex<Inner>>,
    port: u16,
}

impl FakeService {
    /// Starts one that answers so. `late_by` is how long [`Answer::Late`] takes.
    pub fn start(answer: Answer, late_by: Duration) -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            key: Key::generate(),
            other_key: Key::generate(),
            answer,
            late_by,
            host: String::new(),
            next_seq: 0,
            submitted: None,
            asked: 0,
            reviews: Vec::new(),
            policy: "nobody can read this policy\n".to_owned(),
            host_policy: None,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("address").port();
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { inner, port }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes how it answers from now on.
    pub fn answer(&self, answer: Answer) {
        self.inner.lock().expect("service").answer = answer;
    }

    /// Sends these with what it decides.
    pub fn reviews(&self, reviews: &[SshReview]) {
        self.inner.lock().expect("service").reviews = reviews.to_vec();
    }

    /// Names this policy in what it decides, and gives its text to whoever asks.
    pub fn policy(&self, text: &str) {
        self.inner.lock().expect("service").policy = text.to_owned();
    }

    /// How many submissions it was asked about.
    pub fn asked(&self) -> usize {
        self.inner.lock().expect("service").asked
    }

    /// A trust file that names its key and the enrolled host.
    pub fn trust(&self, host_key: &str) -> String {
        let inner = self.inner.lock().expect("service");
        json!({"fmt": "cs-trust1",
            "hosts": [{"host": inner.host, "key": host_key, "name": "test-host"}],
            "services": [{"key": inner.key.public(), "service": SERVICE_ID}]})
        .to_string()
    }
}

const SERVICE_ID: &str = "00000000000000000000000001";

fn serve(stream: TcpStream, shared: &Mutex<Inner>) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some((method, path, body)) = request(&mut reader) {
        let Some((status, reply)) = respond(&method, &path, &body, shared) else { return };
        let head =
            format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", reply.len());
        let cut = shared.lock().expect("service").answer == Answer::CutOff && path.contains("submissions");
        let sent = if cut { &reply.as_bytes()[..reply.len() / 2] } else { reply.as_bytes() };
        if writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(sent)).is_err() || cut {
            return;
        }
    }
}

/// Reads one request: method, path, body. `None` when the client has gone.
fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|count| *count > 0)?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, body))
}

fn respond(method: &str, path: &str, body: &[u8], shared: &Mutex<Inner>) -> Option<(u16, String)> {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let mut inner = shared.lock().expect("service");
    match (method, path.split('?').next()?) {
        ("POST", "/api/enroll") => {
            inner.host = body["host"].as_str()?.to_owned();
            Some((200, json!({"service": SERVICE_ID, "service_key": inner.key.public(), "host_token": format!("csh1.{}", "a".repeat(43))}).to_string()))
        }
        ("GET", "/api/host") => Some((200, json!({"next_seq": inner.next_seq}).to_string())),
        ("POST", "/api/entries") => {
            inner.keep(&body);
            Some((200, json!({"next_seq": inner.next_seq}).to_string()))
        }
        ("POST", "/api/submissions") => {
            inner.keep(&body);
            inner.asked += 1;
            if let Some(policy) = body["rule"]["policy"].as_str() {
                inner.host_policy = Some(policy.to_owned());
            }
            inner.submitted = body["lines"].as_array()?.last()?.as_str().map(str::to_owned);
            match inner.answer {
                Answer::ServerError => Some((500, json!({"error": "it broke"}).to_string())),
                Answer::Unauthorized => Some((401, json!({"error": "who are you?"}).to_string())),
                Answer::NotJson => Some((200, "<html>welcome</html>".to_owned())),
                Answer::OtherJson => Some((200, json!({"decision": "approve"}).to_string())),
                Answer::ApproveAtOnce | Answer::NoPolicy | Answer::OtherPolicy | Answer::HostRule => {
                    let decision = inner.decision()?;
                    Some((200, json!({"next_seq": inner.next_seq, "asked": [], "decision": decision}).to_string()))
                }
                _ => Some((
                    200,
                    json!({"next_seq": inner.next_seq, "asked": ["ops-lead"], "decision": null}).to_string(),
                )),
            }
        }
        ("GET", path) if path.starts_with("/api/submissions/") => {
            let (answer, late_by) = (inner.answer, inner.late_by);
            if answer == Answer::Silence {
                drop(inner);
                std::thread::sleep(Duration::from_secs(120));
                return None;
            }
            let decision = inner.decision()?;
            if answer == Answer::Late {
                drop(inner);
                std::thread::sleep(late_by);
            }
            Some((200, json!({"decision": decision}).to_string()))
        }
        ("GET", path) if path.starts_with("/api/policies/") => match inner.answer {
            Answer::NoPolicy => Some((404, json!({"error": "no policy of this digest was ever in force"}).to_string())),
            Answer::OtherPolicy => Some((200, json!({"text": format!("{}\n", inner.policy)}).to_string())),
            _ => Some((200, json!({"text": inner.policy}).to_string())),
        },
        ("POST", path) if path.starts_with("/api/recordings/") => Some((200, json!({"held": 0}).to_string())),
        _ => Some((404, json!({"error": "no such route"}).to_string())),
    }
}

impl SshReview {
    fn signed(&self, words: &Words, authority: &str) -> Value {
        let mut words = Words { by: self.name.to_owned(), decision: self.decision.to_owned(), ..words.clone() };
        if !self.of_this {
            words.entry = "A".repeat(43);
        }
        let statement = words.statement_under(&self.key.id(), authority);
        json!({"statement": statement, "sig": self.key.sign("decision.v1@countersign", &statement)})
    }
}

impl Inner {
    fn keep(&mut self, body: &Value) {
        for line in body["lines"].as_array().into_iter().flatten() {
            let entry: Value = serde_json::from_str(line.as_str().expect("a line")).expect("a line of JSON");
            self.next_seq = entry["seq"].as_u64().expect("seq") + 1;
        }
    }

    /// The decision on the last submission, as [`Answer`] wants it.
    fn decision(&self) -> Option<Value> {
        let line = self.submitted.as_deref()?;
        let entry: Value = serde_json::from_str(line).ok()?;
        let other_digest = "A".repeat(43);
        let mut words = Words {
            by: "ops-lead".to_owned(),
            decision: "approve".to_owned(),
            entry: leaf_hash(line),
            exp_ms: entry["body"]["wait_ms"].as_u64()?,
            host: self.host.clone(),
            nonce: entry["body"]["nonce"].as_str()?.to_owned(),
        };
        match self.answer {
            Answer::OtherSubmission => words.entry = other_digest,
            Answer::ChangedBytes => {
                let commitment = entry["body"]["cmd"][0].as_str()?;
                words.entry = leaf_hash(&line.replace(commitment, &other_digest));
            }
            Answer::OtherNonce => words.nonce = "A".repeat(22),
            Answer::OtherHost => words.host = "00000000000000000000000002".to_owned(),
            Answer::DenyRuleApproves => words.by = "deny_rule:1".to_owned(),
            Answer::TimeoutApproves => words.by = "timeout".to_owned(),
            Answer::ApprovedByAnn => words.by = "ann".to_owned(),
            Answer::ApproveAtOnce | Answer::NoPolicy | Answer::OtherPolicy | Answer::HostRule => {
                words.by = "whitelist_rule:1".to_owned()
            }
            Answer::Expired => words.exp_ms = 0,
            _ => {}
        }
        let key = if matches!(self.answer, Answer::OtherKey | Answer::OtherKeyPinnedId) {
            &self.other_key
        } else {
            &self.key
        };
        let named =
            if matches!(self.answer, Answer::OtherKey | Answer::NamesOtherKey) { &self.other_key } else { &self.key };
        let policy = self.host_policy.clone().filter(|_| self.answer == Answer::HostRule);
        let policy = policy.unwrap_or_else(|| text_digest(&self.policy));
        let mut statement = words.statement_under(&named.id(), &policy);
        let namespace =
            if self.answer == Answer::OtherNamespace { "entry.v1@countersign" } else { "decision.v1@countersign" };
        if self.answer == Answer::StatementNotCanonical {
            statement = statement.replacen(',', ", ", 1);
        }
        let sig = match self.answer {
            Answer::Unsigned => String::new(),
            Answer::BadSignature => key.sign(namespace, "something else"),
            _ => key.sign(namespace, &statement),
        };
        let mut decision = json!({"statement": statement, "sig": sig, "comment": null});
        if !self.reviews.is_empty() {
            let authority = entry["body"]["authority"].as_str()?;
            decision["reviews"] = self.reviews.iter().map(|review| review.signed(&words, authority)).collect();
        }
        Some(decision)
    }
}
