//! Signing a decision with one's own SSH key, for hosts that demand it.
//!
//! What is signed is what the host itself recorded: its `command_submitted`
//! entry is fetched, its hash and its openings are checked here, and the
//! command that is shown comes out of it. A service that shows something else,
//! or a submission of somebody else's, is found out before anything is signed.
//! The key stays with `ssh-keygen`: an agent, a file with a passphrase or a
//! security key work as they do for `ssh`.

use crate::failure::Failure;
use countersign_api::service::{PendingSubmission, SignedReview};
use countersign_core::{Choice, DecidedBy, Digest, Name, Nonce, SubmissionId, b64_encode, mark, unmarked};
use countersign_ledger::{Entry, Kind, Namespace, SshKey, SshSignature, Statement};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = "ssh-keygen";

/// A submission as its host recorded it, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The command, hidden parts as marks.
    pub command: String,
    /// Where it would run.
    pub cwd: String,
    /// Marks of the host.
    pub flags: Vec<String>,
    /// What kind of file transfer it is.
    pub transfer: Option<String>,
    /// The program on its standard input, hidden parts as marks.
    pub program: Option<String>,
    /// What a reviewer signs under, where the host demands signatures.
    pub authority: Option<Digest>,
    /// How many distinct people must sign.
    pub people: u64,
    entry: Digest,
    host: countersign_core::HostId,
    nonce: Nonce,
    wait_ms: u64,
}

impl Recorded {
    /// Reads the entry that is said to be this row's.
    pub fn read(row: &PendingSubmission, line: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::Refused(format!(
                "the service shows something else than the host recorded ({what}): sign nothing, and tell its operator"
            ))
        };
        let entry = Entry::parse(line.as_bytes()).map_err(|_| wrong("its entry cannot be read"))?;
        if entry.leaf != row.entry || entry.host != row.host || entry.kind != Some(Kind::CommandSubmitted) {
            return Err(wrong("another entry"));
        }
        let id: Option<SubmissionId> = entry.body.member("id");
        if id != Some(row.id) {
            return Err(wrong("another submission"));
        }
        let opened = entry.openings().map_err(|_| wrong("its openings do not fit"))?;
        // What was written by hand must not pass for a part that redaction took out.
        let piece = |bytes: &[u8]| unmarked(&String::from_utf8_lossy(bytes)).into_owned();
        let whole = |path: &str| -> Option<String> {
            Some(opened.many(path)?.iter().map(|s| s.as_deref().map_or_else(|| mark("part"), piece)).collect())
        };
        let command = whole("cmd").ok_or_else(|| wrong("no command"))?;
        let program = match entry.body.get("stdin") {
            Some(_) => Some(whole("stdin").ok_or_else(|| wrong("no program"))?),
            None => None,
        };
        let words = |name: &str| entry.body.get(name).and_then(countersign_ledger::Value::as_list).unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let number = |name: &str| entry.body.get(name).and_then(countersign_ledger::Value::as_int);
        Ok(Self {
            command,
            cwd: text(opened.one("cwd").ok_or_else(|| wrong("no working directory"))?),
            flags: words("flags").iter().filter_map(|flag| flag.as_text().map(str::to_owned)).collect(),
            transfer: entry.body.get("transfer").and_then(|word| word.as_text().map(str::to_owned)),
            program,
            authority: entry.body.member("authority"),
            people: number("people").unwrap_or(1),
            entry: entry.leaf,
            host: entry.host,
            nonce: entry.body.member("nonce").ok_or_else(|| wrong("no nonce"))?,
            wait_ms: number("wait_ms").ok_or_else(|| wrong("no time"))?,
        })
    }

    /// The statement that says yes or no to it.
    fn statement(&self, by: &Name, decision: Choice, key: &SshKey, authority: Digest) -> Statement {
        Statement {
            by: DecidedBy::Person(by.clone()),
            decision,
            entry: self.entry,
            exp_ms: self.wait_ms,
            host: self.host,
            key: key.id(),
            nonce: self.nonce,
            policy: authority,
        }
    }

    /// Signs a decision about it; `None` where the host demands no signature.
    pub fn sign(&self, by: &Name, decision: Choice, key: &Path) -> Result<Option<SignedReview>, Failure> {
        let Some(authority) = self.authority else { return Ok(None) };
        let public = public_key(key)?;
        let statement = self.statement(by, decision, &public, authority);
        let text = statement.encode().map_err(|why| Failure::Internal(format!("cannot write the statement: {why}")))?;
        let signature = sign(key, &text)?;
        // Somebody else's key behind the same name would only be refused later, by the host.
        let (checked, blob) = signature;
        if checked.key() != &public || checked.verify(Namespace::Decision.as_str(), text.as_bytes()).is_err() {
            return Err(Failure::Refused(format!("{PROGRAM} did not sign with {}; check the key file", key.display())));
        }
        Ok(Some(SignedReview { statement: text, sig: b64_encode(&blob) }))
    }
}

/// The public key that belongs to a key file: `FILE.pub` beside it, `FILE`
/// itself where it is one, else what `ssh-keygen -y` says.
fn public_key(key: &Path) -> Result<SshKey, Failure> {
    let mut beside = key.to_path_buf().into_os_string();
    beside.push(".pub");
    for place in [key.to_path_buf(), PathBuf::from(beside)] {
        if let Ok(text) = std::fs::read_to_string(&place)
            && let Ok(key) = text.trim().parse()
        {
            return Ok(key);
        }
    }
    let told = run(Command::new(PROGRAM).arg("-y").arg("-f").arg(key), None)?;
    told.trim().parse().map_err(|why| Failure::Config(format!("{}: {why}", key.display())))
}

/// The signature of `ssh-keygen -Y sign`, read and as binary.
fn sign(key: &Path, text: &str) -> Result<(SshSignature, Vec<u8>), Failure> {
    let namespace = Namespace::Decision.as_str();
    let armored = run(Command::new(PROGRAM).args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(key), Some(text))?;
    let odd = |_| Failure::Refused(format!("{PROGRAM} did not answer with a signature"));
    let signature = SshSignature::from_armor(&armored).map_err(odd)?;
    Ok((signature, SshSignature::armor_to_blob(&armored).map_err(odd)?))
}

/// Runs it on the person's terminal, where it may ask for a passphrase or a touch.
fn run(command: &mut Command, input: Option<&str>) -> Result<String, Failure> {
    let failed = |what: String| Failure::Config(format!("cannot sign with {PROGRAM}: {what}"));
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).spawn().map_err(|why| failed(why.to_string()))?;
    if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
        // It may have ended already; how it ended says why.
        stdin.write_all(text.as_bytes()).ok();
    }
    let done = child.wait_with_output().map_err(|why| failed(why.to_string()))?;
    if !done.status.success() {
        return Err(failed(format!("it ended with {}; what it said stands above", done.status)));
    }
    String::from_utf8(done.stdout).map_err(|_| failed("it answered with something that is not text".to_owned()))
}
