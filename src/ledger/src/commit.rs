//! Hashes, commitments and randomness.

use countersign_core::{Digest, Salt};
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The kernel gave no random bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read random bytes from the kernel")]
pub struct RandomError;

/// Random bytes from the kernel.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

/// SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    fixed(ring::digest::digest(&SHA256, bytes).as_ref())
}

/// What is hashed in one go where it is in parts: commitments of short values, nodes of the tree.
const SHORT: usize = 256;

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256_of(parts: &[&[u8]]) -> Digest {
    let mut short = [0; SHORT];
    if parts.len() > 1
        && let Some(length) = join(parts, &mut short)
    {
        let digest = ring::digest::digest(&SHA256, short.get(..length).unwrap_or_default());
        return fixed(digest.as_ref());
    }
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    fixed(context.finish().as_ref())
}

/// Writes the parts into the beginning of `out`; `None` where it is too short.
fn join(parts: &[&[u8]], out: &mut [u8]) -> Option<usize> {
    parts.iter().try_fold(0, |at, part| {
        let end = at + part.len();
        out.get_mut(at..end)?.copy_from_slice(part);
        Some(end)
    })
}

fn fixed(hash: &[u8]) -> Digest {
    let mut digest = Digest::ZERO;
    digest.0.copy_from_slice(hash);
    digest
}

/// L of a leaf: `SHA-256(0x00 ‖ leaf)`, RFC 6962 §2.1.
pub fn leaf_hash(leaf: &[u8]) -> Digest {
    sha256_of(&[&[0], leaf])
}

/// The key id of an Ed25519 public key: the first 8 bytes of its SHA-256, 16 hex digits.
pub fn key_id(public: &Digest) -> String {
    let digest = sha256(&public.0);
    digest.0.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// What stands in the leaf for a private value at `path`:
/// `SHA-256("cs.commit.v1" ‖ 0x00 ‖ salt ‖ u32be(|path|) ‖ path ‖ u64be(|value|) ‖ value)`.
pub fn commitment(path: &str, salt: &Salt, value: &[u8]) -> Digest {
    // A path is a member's name, at most a leaf long; a value at most a line.
    let path_length = u32::try_from(path.len()).unwrap_or(u32::MAX).to_be_bytes();
    let value_length = u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes();
    sha256_of(&[b"cs.commit.v1\0", &salt.0, &path_length, path.as_bytes(), &value_length, value])
}
