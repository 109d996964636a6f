//! Keys and decision statements made by the letter of docs/LEDGER.md, without the product's own code.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{run, run_with};
use countersign_core::b64_encode;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// An Ed25519 key.
pub struct Key(Ed25519KeyPair);

impl Key {
    /// A new one.
    pub fn generate() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("its own document"))
    }

    /// The public key, base64url.
    pub fn public(&self) -> String {
        b64_encode(self.0.public_key().as_ref())
    }

    /// First 8 bytes of the public key's SHA-256, in hex.
    pub fn id(&self) -> String {
        let hash = digest(&SHA256, self.0.public_key().as_ref());
        hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// An SSHSIG signature in this namespace, 64 bytes base64url.
    pub fn sign(&self, namespace: &str, message: &str) -> String {
        let hash = digest(&SHA256, message.as_bytes());
        let mut preimage = b"SSHSIG".to_vec();
        for part in [namespace.as_bytes(), b"", b"sha256", hash.as_ref()] {
            preimage.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
            preimage.extend_from_slice(part);
        }
        b64_encode(self.0.sign(&preimage).as_ref())
    }
}

/// A key of `ssh-keygen`: its file, beside which `FILE.pub` stands.
#[derive(Clone, Debug)]
pub struct SshKey(PathBuf);

impl SshKey {
    /// A new one of this type, in this directory.
    pub fn generate(dir: &Path, name: &str, kind: &str) -> Self {
        let file = dir.join(name);
        run(Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", name, "-f"]).arg(&file)).expect(0);
        Self(file)
    }

    /// The file of the secret key.
    pub fn file(&self) -> &Path {
        &self.0
    }

    /// The line of the public key.
    pub fn public(&self) -> String {
        std::fs::read_to_string(self.0.with_extension("pub")).expect("public key").trim().to_owned()
    }

    /// First 8 bytes of the SHA-256 of the key as SSH writes it, in hex.
    pub fn id(&self) -> String {
        let public = self.public();
        let text = public.split(' ').nth(1).expect("a key");
        let hash = digest(&SHA256, &from_base64(text));
        hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What `ssh-keygen -Y sign` says, as it stands between its lines.
    pub fn armored(&self, namespace: &str, message: &str) -> String {
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(&self.0);
        run_with(&mut command, message.as_bytes()).expect(0).out()
    }

    /// The same, binary, as base64url.
    pub fn sign(&self, namespace: &str, message: &str) -> String {
        let armored = self.armored(namespace, message);
        let text: String = armored.lines().filter(|line| !line.starts_with('-')).collect();
        b64_encode(&from_base64(&text))
    }
}

/// Bytes of standard base64.
fn from_base64(text: &str) -> Vec<u8> {
    let url: String = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    countersign_core::b64_decode(&url).expect("base64")
}

/// L of an entry's line: SHA-256 of a zero byte and the leaf.
pub fn leaf_hash(line: &str) -> String {
    // In openings every quote is escaped, so this stands there only once.
    let end = line.rfind(",\"vals\":{").expect("openings");
    let mut leaf = vec![0];
    leaf.extend_from_slice(&line.as_bytes()[..end]);
    leaf.push(b'}');
    b64_encode(digest(&SHA256, &leaf).as_ref())
}

/// SHA-256 of a text, as statements have it.
pub fn text_digest(text: &str) -> String {
    b64_encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// What a decision says.
#[derive(Clone)]
pub struct Words {
    /// Who.
    pub by: String,
    /// `approve` or `deny`.
    pub decision: String,
    /// L of the `command_submitted`.
    pub entry: String,
    /// Until when, after that entry's `mono`.
    pub exp_ms: u64,
    /// The host.
    pub host: String,
    /// The submission's nonce.
    pub nonce: String,
}

impl Words {
    /// The statement under these rules, to be signed by a key of this id.
    pub fn statement_under(&self, key_id: &str, policy: &str) -> String {
        let Self { by, decision, entry, exp_ms, host, nonce } = self;
        format!(
            r#"{{"by":"{by}","decision":"{decision}","entry":"{entry}","exp_ms":{exp_ms},"fmt":"cs-decision1","host":"{host}","key":"{key_id}","nonce":"{nonce}","policy":"{policy}"}}"#
        )
    }
}
