//! Readers around the ledger: what the signer's process takes and answers, the opening of a journal, keys of
//! people, what bodies of entries say, the text of a policy, and what host, service and reviewers send each other.

use countersign_api::{audit, ledgers, rules, service};
use countersign_core::{Digest, HostId};
use countersign_ledger::tlog::{NoteText, ServiceStamp};
use countersign_ledger::{
    Clock, Committer, Entry, InProcessSigner, Limits, Namespace, Now, OpenText, RemoteSigner, Removal, Rotation,
    SignError, Signer, SshKey, SshSignature, refuse_signer, removal_statement, serve_signer,
};
use countersign_policy::Policy;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Requests of each kind, each behind its length.
pub const REQUESTS: &[&str] = &[
    "\0\x01i\0!eXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\0)r\0\0\0\0\0\0\0\x07XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    concat!(
        "\0\x6eb",
        "\0\x0d\0{\"prev\":\"AAA\"",
        "\0\x3d\x01\0\x09\0\0{\"prev\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"a\":\"b\"",
        "\0\x16\0{\"prev\":\"BBB\",\"seq\":12"
    ),
    "\0\x01b\0\x01i\0\x01b",
    "\0\x5cncountersign/host/01arz3ndektsv4rrffq69g5fav\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
];
/// Answers, a line each.
pub const ANSWERS: &[&str] = &[
    "\0XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\n\x01the key is gone\n\0X",
    "\x01no\n\x01no\n\x01no\n\0XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
];
/// Lines of `.pub` files, and a signature.
pub const KEYS: &[&str] = &[
    include_str!("../../../src/ledger/tests/vectors/openssh/ed25519.pub"),
    include_str!("../../../src/ledger/tests/vectors/openssh/ed25519_sk.pub"),
    include_str!("../../../src/ledger/tests/vectors/openssh/ecdsa.pub"),
    include_str!("../../../src/ledger/tests/vectors/openssh/ecdsa_sk.pub"),
    include_str!("../../../src/ledger/tests/vectors/openssh/ecdsa_sk.sig"),
];
/// A journal of one file, and one that was pruned: members behind a line with their name.
pub const JOURNALS: &[&str] = &[
    include_str!("../../golden/ledger/day.jsonl"),
    concat!(
        "== kept\n",
        include_str!("../../golden/ledger/pruned/journal/kept"),
        "== proof.json\n",
        include_str!("../../golden/ledger/pruned/journal/proof.json"),
        "== 0000000000000011.jsonl\n",
        include_str!("../../golden/ledger/pruned/journal/0000000000000011.jsonl"),
    ),
];
/// Entries with checkpoints, documents, removals and certificates in them.
pub const BODIES: &[&str] = &[
    include_str!("../../golden/ledger/removals/journal/0000000000000000.jsonl"),
    include_str!("../../golden/ledger/epochs/journal/0000000000000000.jsonl"),
];
/// A policy as statements name it, below the version of the analyzer; rules of an administrators' document.
pub const POLICIES: &[&str] = &[
    r#"settings {"classes":{"critical":{"pass_below":0,"person_at":25,"people":2},"high":{"pass_below":0,"person_at":50,"people":1},"medium":{"pass_below":0,"person_at":50,"people":1},"low":{"pass_below":0,"person_at":75,"people":1}},"critical_at":75,"critical_people":2,"person_anomalies":["gate_tamper","display_spoof","opaque_code","exfiltration","interactive_escape"]}
target {"host":"01arz3ndektsv4rrffq69g5fav","name":"web-1","class":"low"}
rule {"id":1,"kind":"standing","author":"administrators","approver":"administrators","body":{"patterns":["docker pull ghcr.io/myorg/api:*"]}}
rule {"id":2,"kind":"standing","author":"ann","approver":"bob","body":{"exact":"git status"}}
"#,
    "fmt = \"cs-rules1\"\n[[rule]]\npatterns = [\"docker pull ghcr.io/myorg/api:*\"]\n[[rule]]\nexact = \"git status\"\n",
];
/// What is said over HTTP.
pub const MESSAGES: &[&str] = &[
    r#"{"lines":["{}","x"]}"#,
    r#"{"error":"a fork","next_seq":7,"fork":true}"#,
    r#"{"note":"countersign/host/x\n1\nAAAA\n","log_size":3}"#,
    r#"{"service":"01arz3ndektsv4rrffq69g5fav","time":7,"cosig":"AA","log_size":1,"log_root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","log_sig":"AA","log_index":0,"log_proof":[],"log_consistency":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]}"#,
    r#"{"next_seq":7,"asked":["ops-lead"],"decision":{"statement":"{}","sig":"AA","comment":null,"reviews":[{"statement":"{}","sig":"AA"}]}}"#,
    r#"{"token":"t","host":"01arz3ndektsv4rrffq69g5fav","name":"web-1","key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","proof":"AA","former":{"host":"01arz3ndektsv4rrffq69g5fav","last":[7,"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]}}"#,
    r#"{"decision":"approve","entry":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","comment":"fine","signed":{"statement":"{}","sig":"AA"}}"#,
    r#"{"host":"01arz3ndektsv4rrffq69g5fav","host_name":"web-1","entries":7,"logins":["01arz3ndektsv4rrffq69g5fav"],"since":3}"#,
];

/// A link of which each read gives at most one message, and which keeps what is answered.
struct Link {
    messages: VecDeque<Vec<u8>>,
    answers: Vec<u8>,
}

impl Read for Link {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(mut message) = self.messages.pop_front() else { return Ok(0) };
        // In two pieces: a length may come without what it is of.
        let later = message.split_off(message.len().min(into.len()).min(1 + message.len() / 2));
        into[..message.len()].copy_from_slice(&message);
        if !later.is_empty() {
            self.messages.push_front(later);
        }
        Ok(message.len())
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answers.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Signs everything, and keeps what it was asked to sign.
#[derive(Default)]
struct Clerk {
    digests: Vec<[u8; 32]>,
    notes: Vec<Vec<u8>>,
}

impl Signer for Clerk {
    fn sign(&mut self, namespace: Namespace, digest: [u8; 32]) -> Result<[u8; 64], SignError> {
        assert_eq!(namespace, Namespace::Entry, "the keys of a host sign entries");
        self.digests.push(digest);
        Ok([7; 64])
    }

    fn sign_note(&mut self, text: &NoteText) -> Result<[u8; 64], SignError> {
        self.notes.push(text.as_bytes().to_vec());
        Ok([8; 64])
    }

    fn public_key(&self) -> Digest {
        Digest([9; 32])
    }

    fn rotate(&mut self, _seq: u64, _prev: Digest) -> Result<Rotation, SignError> {
        Ok(Rotation { by: "0011223344556677".to_owned(), key: Digest([6; 32]), cert: [5; 64] })
    }
}

/// What follows each length.
fn framed(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let Some((message, rest)) = rest.split_at_checked(length) else { break };
        found.push(message);
        bytes = rest;
    }
    found
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).expect("short").to_be_bytes(), message].concat()
}

/// Every whole request gets one answer, and what is signed is what it asked for: an entry's hash, or the text of a
/// checkpoint, and nothing of another kind.
pub fn signer(bytes: &[u8]) {
    let requests = framed(bytes);
    let mut messages: VecDeque<Vec<u8>> = requests.iter().map(|request| frame(request)).collect();
    let used: usize = messages.iter().map(Vec::len).sum();
    messages.extend(bytes.get(used..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec));
    let mut clerk = Clerk::default();
    let mut link = Link { messages, answers: Vec::new() };
    let ended = serve_signer(&mut link, &mut clerk);
    assert_eq!(ended.is_ok(), used == bytes.len(), "a torn request ends it");
    let answers = framed(&link.answers);
    assert_eq!(answers.len(), requests.len());
    // A batch that fails may have had its first texts signed, and one may be empty: what was signed is looked for.
    let (mut signatures, mut notes) = (0, clerk.notes.into_iter());
    for (request, answer) in requests.iter().zip(answers) {
        let Some((0, made)) = answer.split_first() else {
            assert_eq!(answer.first(), Some(&1));
            continue;
        };
        match request.split_first().expect("a request that was taken") {
            (b'e', digest) => {
                assert!(made == [7; 64] && clerk.digests.iter().any(|signed| signed == digest));
                signatures += 1;
            }
            (b'b', _) => {
                assert_eq!(made.len() % 64, 0);
                signatures += made.len() / 64;
            }
            (b'n', text) => {
                assert_eq!((text, made), (&notes.next().expect("signed")[..], &[8; 64][..]));
                assert!(NoteText::parse(text).is_some_and(|note| note.as_bytes() == text));
            }
            (b'r', place) => assert_eq!((place.len(), made.len()), (40, 96)),
            (kind, rest) => assert_eq!((*kind, rest.len(), made.len()), (b'i', 0, 32)),
        }
    }
    assert!(signatures <= clerk.digests.len() && notes.next().is_none());
    // All at once is more than a message, unless it is one.
    let mut link = Link { messages: VecDeque::from([bytes.to_vec()]), answers: Vec::new() };
    refuse_signer(&mut link, "there is no key").ok();
    for answer in framed(&link.answers) {
        assert_eq!(answer, b"\x01there is no key");
    }
}

/// Only an answer of the right length is one, and after what is none there is no signer any more.
pub fn signer_answers(bytes: &[u8]) {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    theirs.write_all(&frame(&[&[0], [9; 32].as_slice()].concat())).expect("room");
    let mut signer = RemoteSigner::connect(ours).expect("an identity");
    let mut lost = false;
    let answers: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(4).collect();
    for (index, answer) in answers.iter().enumerate() {
        let answer = &answer[..answer.len().min(4096)];
        if index == 3 {
            // The last one as it is, without a length of ours.
            theirs.write_all(answer).expect("room");
            theirs.shutdown(Shutdown::Write).expect("open");
        } else {
            theirs.write_all(&frame(answer)).expect("room");
        }
        let got: Result<Vec<u8>, SignError> = match index {
            0 => signer.sign(Namespace::Entry, [1; 32]).map(|sig| sig.to_vec()),
            1 => signer.rotate(7, Digest([2; 32])).map(|made| [made.key.0.as_slice(), &made.cert].concat()),
            _ => signer.sign_texts(vec![OpenText::default(); 2]).map(|texts| vec![0; texts.len() * 64]),
        };
        let Ok(made) = got else {
            lost |= answer.first() != Some(&1) || index == 3;
            continue;
        };
        assert!(!lost, "a signer that was lost answers");
        let wanted = if index == 3 { answer.get(2..).unwrap_or_default() } else { answer };
        assert_eq!(wanted.len(), made.len() + 1);
        assert!(wanted[0] == 0 && (index > 1 || wanted[1..] == made));
    }
}

/// A key that is taken is the same when it is written again, and signs nothing that it has not signed.
pub fn ssh_key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for key in [SshKey::from_blob(bytes).ok(), text.parse::<SshKey>().ok()].into_iter().flatten() {
        assert_eq!(key.to_string().parse::<SshKey>().expect("what was read can be written"), key);
        assert!(key.id().len() == 16 && key.fingerprint().len() == 50);
    }
    let blob = SshSignature::armor_to_blob(&text).unwrap_or_else(|_| bytes.to_vec());
    if let Ok(signature) = SshSignature::from_blob(&blob) {
        assert!(signature.verify("decision.v1@countersign", b"what nobody has signed").is_err());
        assert_eq!(signature.key().to_string().parse().as_ref(), Ok(signature.key()));
    }
}

struct Still;

impl Clock for Still {
    fn now(&mut self) -> Now {
        Now { at_us: 1_795_000_000_000_000, mono_us: 1 << 50 }
    }

    fn boot(&self) -> String {
        "0123456789abcdef0123456789abcdef".to_owned()
    }
}

/// Host and identity key of the golden day, and of the other golden histories.
fn hosts() -> [([u8; 16], [u8; 32]); 2] {
    let count = |from: u8| move |index: usize| from + u8::try_from(index).expect("few");
    [(std::array::from_fn(count(0x40)), std::array::from_fn(count(0))), ([7; 16], [1; 32])]
}

/// Where an fsync costs nothing: what a journal holds does not depend on it, and on a disk each input waits for several.
fn in_memory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() }
}

/// A journal that opens holds what it held, whole lines from the beginning, and opens again the same; one that does
/// not open is not changed.
pub fn journal(bytes: &[u8]) {
    let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_digit(), "");
    let dir = in_memory().join(format!("countersign-fuzz-journal-{}-{thread}", std::process::id()));
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, text) in super::bundle::members(bytes) {
        let name = if name.is_empty() { "0000000000000000.jsonl".to_owned() } else { name };
        let plain = name.bytes().all(|byte| byte.is_ascii_digit() || b"jsonl.keptrf".contains(&byte));
        if plain && name.len() < 40 && !name.starts_with('.') {
            files.insert(name, text);
        }
    }
    for (host, seed) in hosts() {
        std::fs::create_dir_all(&dir).expect("a directory");
        for (name, text) in &files {
            std::fs::write(dir.join(name), text).expect("a file");
        }
        opened(&dir, HostId::from_random(host), seed, &files);
        std::fs::remove_dir_all(&dir).expect("it is there");
    }
}

fn opened(dir: &Path, host: HostId, seed: [u8; 32], files: &BTreeMap<String, Vec<u8>>) {
    let open = || {
        let signer = InProcessSigner::from_seed(seed).expect("a key");
        Committer::open(dir, host, Box::new(signer), Box::new(Still), Limits::default())
    };
    let now = |name: &String| std::fs::read(dir.join(name)).expect("it stays");
    let Ok((committer, recovered)) = open() else {
        for (name, text) in files {
            assert_eq!(&now(name), text, "{name} of a journal that does not open");
        }
        return;
    };
    let lines = committer.read_lines(0, usize::MAX, usize::MAX).unwrap_or_default();
    assert!(lines.iter().all(|line| Entry::parse(line.as_bytes()).is_ok()));
    for (name, text) in files {
        let (kept, torn) = (now(name), recovered.torn.as_ref());
        assert!(text.starts_with(&kept), "{name} is another one");
        assert!(kept.len() == text.len() || torn.is_some_and(|torn| torn.bytes as usize == text.len() - kept.len()));
    }
    drop(committer);
    let (_, again) = open().expect("what has opened opens again");
    assert_eq!((again.next_seq, again.torn), (recovered.next_seq, None));
}

/// What a body says is the same when it is written again.
pub fn body(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(entry) = Entry::parse(line) else { continue };
        if let Ok(stamp) = ServiceStamp::from_value(&entry.body) {
            assert_eq!(ServiceStamp::from_value(&stamp.to_value()).as_ref(), Ok(&stamp));
            stamp.check_service(entry.host, &Digest([1; 32]), None).expect_err("nobody's key");
            stamp.check_note(entry.host, &Digest([1; 32])).expect_err("nobody's key");
        }
        let removal = Removal::from_body(&entry.body);
        assert_eq!(Removal::from_body(&removal.to_body("x")), removal);
        if let Some(kind) = entry.kind {
            let text = removal_statement(kind, &entry.host.to_string(), &entry.body).expect("of the grammar");
            assert!(text.starts_with('{') && text.ends_with('}') && !text.contains('\n'));
        }
    }
}

/// A policy that is taken is written in one spelling.
pub fn policy_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let whole = format!("cs-policy3\nanalyzer {}\n{text}", countersign_analysis::VERSION);
    if let Ok(policy) = Policy::from_canonical(&whole) {
        assert_eq!(policy.canonical_text(), whole);
    }
    if let Ok(Some(policy)) = Policy::of_administrators(&text) {
        let text = policy.canonical_text();
        assert_eq!(Policy::from_canonical(&text).expect("what was read can be written").canonical_text(), text);
    }
}

/// What is taken says the same when it is written again.
pub fn service_messages(bytes: &[u8]) {
    again::<service::EntriesRequest>(bytes);
    again::<service::EntriesReply>(bytes);
    again::<service::Conflict>(bytes);
    again::<service::CheckpointRequest>(bytes);
    again::<service::CheckpointReply>(bytes);
    again::<service::SubmitRequest>(bytes);
    again::<service::SubmitReply>(bytes);
    again::<service::DecisionReply>(bytes);
    again::<service::EnrollRequest>(bytes);
    again::<service::EnrollReply>(bytes);
    again::<service::PendingSubmission>(bytes);
    again::<service::ReviewRequest>(bytes);
    again::<service::ReviewReply>(bytes);
    again::<audit::AuditQuery>(bytes);
    again::<audit::AuditRow>(bytes);
    again::<audit::AuditRecord>(bytes);
    again::<audit::SessionRow>(bytes);
    again::<ledgers::LedgerOf>(bytes);
    again::<ledgers::PartFrom>(bytes);
    again::<rules::NewRule>(bytes);
    again::<rules::NewGrant>(bytes);
    again::<rules::Rule>(bytes);
    again::<rules::RulesFile>(bytes);
    again::<rules::RuleTest>(bytes);
    again::<rules::PolicyText>(bytes);
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(bytes) {
        let text = serde_json::to_vec(&message).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<T>(&text).expect("what was written can be read"), message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the targets begin with what their readers refuse at once.
    #[test]
    fn the_examples_are_taken() {
        let whole = format!("cs-policy3\nanalyzer {}\n{}", countersign_analysis::VERSION, POLICIES[0]);
        Policy::from_canonical(&whole).expect("a policy");
        assert!(Policy::of_administrators(POLICIES[1]).expect("rules").is_some());
        for request in REQUESTS {
            let requests = framed(request.as_bytes());
            let messages = requests.iter().map(|request| frame(request)).collect();
            let mut link = Link { messages, answers: Vec::new() };
            serve_signer(&mut link, &mut Clerk::default()).expect("whole requests");
            let answers = framed(&link.answers);
            assert!(!answers.is_empty() && answers.iter().all(|answer| answer[0] == 0), "{request:?}");
        }
        // More texts than there is room for signatures: refused, and the next request is served.
        let many = [b"b".as_slice(), &[0; 3 * 1024]].concat();
        let messages = VecDeque::from([frame(&many), frame(b"i")]);
        let mut link = Link { messages, answers: Vec::new() };
        serve_signer(&mut link, &mut Clerk::default()).expect("whole requests");
        assert_eq!(framed(&link.answers).iter().map(|answer| answer[0]).collect::<Vec<_>>(), [1, 0]);
        for key in &KEYS[..4] {
            key.parse::<SshKey>().expect("a key");
        }
        for (example, (host, seed)) in JOURNALS.iter().zip(hosts()) {
            let dir = in_memory().join(format!("countersign-fuzz-opens-{}", std::process::id()));
            std::fs::create_dir_all(&dir).expect("a directory");
            for (name, text) in crate_members(example) {
                std::fs::write(dir.join(name), text).expect("a file");
            }
            let signer = InProcessSigner::from_seed(seed).expect("a key");
            let opened =
                Committer::open(&dir, HostId::from_random(host), Box::new(signer), Box::new(Still), Limits::default());
            let next = opened.map(|(_, recovered)| recovered.next_seq);
            std::fs::remove_dir_all(&dir).expect("it is there");
            assert!(next.expect("a journal") > 0);
        }
        let bodies =
            BODIES.iter().flat_map(|text| text.lines()).map(|line| Entry::parse(line.as_bytes()).expect("one"));
        let bodies: Vec<_> = bodies.map(|entry| entry.body).collect();
        assert!(bodies.iter().any(|body| ServiceStamp::from_value(body).is_ok()));
        assert!(bodies.iter().any(|body| !Removal::from_body(body).entries.is_empty()));
    }

    fn crate_members(example: &str) -> Vec<(String, Vec<u8>)> {
        let named = |(name, text): (String, Vec<u8>)| match name.is_empty() {
            true => ("0000000000000000.jsonl".to_owned(), text),
            false => (name, text),
        };
        super::super::bundle::members(example.as_bytes())
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(named)
            .collect()
    }
}
