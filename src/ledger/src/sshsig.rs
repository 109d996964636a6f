//! SSHSIG (OpenSSH's PROTOCOL.sshsig) over SHA-256 with Ed25519, so that stock
//! `ssh-keygen -Y verify` checks what is signed here.

use crate::commit::sha256;
use crate::line::fixed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Digest;
use ring::signature::{ED25519, UnparsedPublicKey};

/// What a signature is for; one made for one purpose is worthless for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// An entry of a ledger.
    Entry,
    /// A decision statement.
    Decision,
    /// A host's proof that it holds its key.
    Enroll,
    /// The certificate of an epoch's key.
    Epoch,
}

impl Namespace {
    /// The namespace as it is signed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry.v1@countersign",
            Self::Decision => "decision.v1@countersign",
            Self::Enroll => "enroll.v1@countersign",
            Self::Epoch => "epoch.v1@countersign",
        }
    }
}

/// The signature is not this key's over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

const MAGIC: &[u8] = b"SSHSIG";
const KEY_TYPE: &[u8] = b"ssh-ed25519";

/// Appends an SSH `string`: u32 big-endian length and bytes.
fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The bytes that are signed for a message of this SHA-256.
pub(crate) fn preimage(namespace: Namespace, digest: &[u8; 32]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    put(&mut out, namespace.as_str().as_bytes());
    put(&mut out, b"");
    put(&mut out, b"sha256");
    put(&mut out, digest);
    out
}

/// Checks a signature (64 bytes base64url) over a message.
pub fn verify_signature(
    namespace: Namespace,
    public: &Digest,
    message: &[u8],
    sig_b64: &str,
) -> Result<(), BadSignature> {
    verify_digest(namespace, public, sha256(message).0, sig_b64)
}

/// Checks a signature (64 bytes base64url) over a message of this SHA-256.
pub fn verify_digest(
    namespace: Namespace,
    public: &Digest,
    digest: [u8; 32],
    sig_b64: &str,
) -> Result<(), BadSignature> {
    let signature: [u8; 64] = fixed(sig_b64).ok_or(BadSignature)?;
    verify_bytes(namespace, public, &digest, &signature)
}

/// Checks a signature's 64 bytes over a message of this SHA-256.
pub(crate) fn verify_bytes(
    namespace: Namespace,
    public: &Digest,
    digest: &[u8; 32],
    signature: &[u8; 64],
) -> Result<(), BadSignature> {
    let key = UnparsedPublicKey::new(&ED25519, &public.0);
    key.verify(&preimage(namespace, digest), signature).map_err(|_| BadSignature)
}

fn public_blob(public: &Digest) -> Vec<u8> {
    let mut blob = Vec::new();
    put(&mut blob, KEY_TYPE);
    put(&mut blob, &public.0);
    blob
}

/// A line for the file that `ssh-keygen -Y verify -f` reads.
pub fn allowed_signers_line(principal: &str, namespace: Namespace, public: &Digest) -> String {
    let key = STANDARD.encode(public_blob(public));
    format!("{principal} namespaces=\"{}\" ssh-ed25519 {key}\n", namespace.as_str())
}

/// A signature as the file that `ssh-keygen -Y verify -s` reads; `None` where
/// `sig_b64` is not 64 bytes base64url.
pub fn armored_signature(namespace: Namespace, public: &Digest, sig_b64: &str) -> Option<String> {
    let signature: [u8; 64] = fixed(sig_b64)?;
    let mut typed = Vec::new();
    put(&mut typed, KEY_TYPE);
    put(&mut typed, &signature);
    let mut blob = MAGIC.to_vec();
    blob.extend_from_slice(&1u32.to_be_bytes());
    put(&mut blob, &public_blob(public));
    put(&mut blob, namespace.as_str().as_bytes());
    put(&mut blob, b"");
    put(&mut blob, b"sha256");
    put(&mut blob, &typed);
    let text = STANDARD.encode(blob);
    let mut armored = String::from("-----BEGIN SSH SIGNATURE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(70).unwrap_or((rest, ""));
        armored.push_str(line);
        armored.push('\n');
        rest = after;
    }
    armored.push_str("-----END SSH SIGNATURE-----\n");
    Some(armored)
}
