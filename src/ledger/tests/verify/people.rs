//! People with SSH keys: administrators who sign documents, reviewers who sign approvals.

use crate::build::{History, WAIT_MS, host, nonce, private};
use countersign_core::{Choice, DecidedBy, Digest, HostId, Nonce, b64_encode};
use countersign_ledger::{AUTHORITY_NAMESPACE, SshKey, SshSignature, Statement, Value, body, sha256};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// Somebody, by the seed of their key.
pub type Who = u8;
pub const ADMIN: Who = 200;
pub const OTHER_ADMIN: Who = 201;
pub const ANN: Who = 101;
pub const BOB: Who = 102;
pub const EVE: Who = 103;

fn pair(who: Who) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[who; 32]).unwrap()
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&u32::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat()).collect()
}

pub fn key(who: Who) -> SshKey {
    SshKey::from_blob(&strings(&[b"ssh-ed25519", pair(who).public_key().as_ref()])).unwrap()
}

/// The binary form of what `ssh-keygen -Y sign` makes.
fn sign(who: Who, namespace: &str, message: &[u8]) -> Vec<u8> {
    let pair = pair(who);
    let hash = sha256(message).0;
    let signed = [b"SSHSIG".to_vec(), strings(&[namespace.as_bytes(), b"", b"sha256", &hash])].concat();
    let inner = strings(&[b"ssh-ed25519", pair.sign(&signed).as_ref()]);
    let public = strings(&[b"ssh-ed25519", pair.public_key().as_ref()]);
    let rest = strings(&[&public, namespace.as_bytes(), b"", b"sha256", &inner]);
    [b"SSHSIG\0\0\0\x01".to_vec(), rest].concat()
}

/// The same, base64url.
pub fn signature(who: Who, namespace: &str, message: &[u8]) -> String {
    b64_encode(&sign(who, namespace, message))
}

fn armored(who: Who, text: &str) -> String {
    use base64::Engine as _;
    let coded = base64::engine::general_purpose::STANDARD.encode(sign(who, AUTHORITY_NAMESPACE, text.as_bytes()));
    let armored = format!("-----BEGIN SSH SIGNATURE-----\n{coded}\n-----END SSH SIGNATURE-----\n");
    SshSignature::from_armor(&armored).unwrap();
    armored
}

pub fn name(who: Who) -> &'static str {
    match who {
        ANN => "ann",
        BOB => "bob",
        _ => "eve",
    }
}

/// A document of the administrators.
pub fn document(version: u64, people: usize, who: &[Who]) -> String {
    let reviewers: String =
        who.iter().map(|&who| format!("[[reviewer]]\nname = \"{}\"\nkeys = [\"{}\"]\n", name(who), key(who))).collect();
    format!("fmt = \"cs-authority1\"\nversion = {version}\npeople = {people}\n{reviewers}")
}

/// What somebody signs about a submission.
#[derive(Debug, Clone)]
pub struct Review {
    pub who: Who,
    pub by: String,
    pub choice: Choice,
    /// Label of the submission it is about.
    pub about: String,
    pub exp_ms: u64,
    pub host: HostId,
    pub nonce: Nonce,
    /// Digest of the document.
    pub policy: Digest,
    pub break_sig: bool,
}

impl Review {
    pub fn value(&self, leaf_of: &dyn Fn(&str) -> Digest) -> Value {
        let statement = Statement {
            by: self.by.parse::<DecidedBy>().unwrap(),
            decision: self.choice,
            entry: leaf_of(&self.about),
            exp_ms: self.exp_ms,
            host: self.host,
            key: key(self.who).id(),
            nonce: self.nonce,
            policy: self.policy,
        };
        let mut sig = sign(self.who, "decision.v1@countersign", statement.encode().unwrap().as_bytes());
        let last = sig.len() - 1;
        sig[last] ^= u8::from(self.break_sig);
        body([("sig", b64_encode(&sig).into()), ("statement", statement.to_value())])
    }
}

impl History {
    /// A document comes in force, signed by these administrators.
    pub fn authority(&mut self, label: &str, version: u64, text: &str, admins: &[Who]) {
        let salts = [self.salt(), self.salt()];
        let plan = self.add(
            label,
            "policy_changed",
            None,
            [("digest", sha256(text.as_bytes()).into()), ("version", version.into())],
        );
        let signatures: String = admins.iter().map(|&admin| armored(admin, text)).collect();
        private(plan, "authority", salts[0], text.as_bytes());
        private(plan, "signatures", salts[1], signatures.as_bytes());
    }

    /// Submission `c` is made under a document.
    pub fn under(&mut self, c: u8, text: &str, people: u64) {
        let plan = self.plan(&format!("submit{c}"));
        plan.body.insert("authority".into(), sha256(text.as_bytes()).into());
        plan.body.insert("people".into(), people.into());
    }

    /// Somebody signs an approval of submission `c`.
    pub fn review(&mut self, c: u8, who: Who, text: &str) {
        self.plan(&format!("decide{c}")).reviews.push(Review {
            who,
            by: name(who).to_owned(),
            choice: Choice::Approve,
            about: format!("submit{c}"),
            exp_ms: WAIT_MS,
            host: host(),
            nonce: nonce(c),
            policy: sha256(text.as_bytes()),
            break_sig: false,
        });
    }

    /// A command that these people approve, under a document that demands so many.
    pub fn reviewed(&mut self, n: u8, c: u8, who: &[Who], text: &str, people: u64) {
        self.run(n, c, "approved", name(who[0]));
        self.under(c, text, people);
        for &who in who {
            self.review(c, who, text);
        }
    }
}
