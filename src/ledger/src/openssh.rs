//! OpenSSH public keys and `ssh-keygen -Y` signatures, as reviewers and
//! administrators make them: `ssh-ed25519`, `ecdsa-sha2-nistp256` and their
//! FIDO forms `sk-ssh-ed25519@openssh.com`, `sk-ecdsa-sha2-nistp256@openssh.com`.
//!
//! Formats: RFC 4253 §6.6 and RFC 8709 (keys), RFC 5656 (ECDSA), OpenSSH's
//! PROTOCOL.sshsig and PROTOCOL.u2f. A FIDO signature counts only where its
//! flags say that somebody touched the key.

use crate::commit::sha256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA512, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use std::fmt;
use std::str::FromStr;

/// Longest key or signature that is read, in bytes of its binary form.
const MAX_BLOB: usize = 4096;
const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// The flag of a FIDO signature for which the key was touched (user presence).
const TOUCHED: u8 = 0x01;

/// A public key that people sign with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SshKey {
    blob: Vec<u8>,
}

/// Not a key that can be used here. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSshKey {
    /// Not `TYPE BASE64 [COMMENT]`.
    #[error("not an OpenSSH public key; give the line of a .pub file: TYPE BASE64 COMMENT")]
    Form,
    /// A type that is not accepted.
    #[error(
        "keys of the type {0} are not accepted; use ssh-ed25519, sk-ssh-ed25519@openssh.com, ecdsa-sha2-nistp256 or sk-ecdsa-sha2-nistp256@openssh.com"
    )]
    Type(String),
    /// The base64 is not a key of the type that stands before it.
    #[error("the key is damaged: its base64 is not a key of the type that stands before it")]
    Damaged,
}

/// The four kinds, with what is needed to verify.
enum Parts<'a> {
    Ed25519 { point: &'a [u8] },
    SkEd25519 { point: &'a [u8], application: &'a [u8] },
    Ecdsa { point: &'a [u8] },
    SkEcdsa { point: &'a [u8], application: &'a [u8] },
}

impl<'a> Parts<'a> {
    fn point(&self) -> &'a [u8] {
        match self {
            Self::Ed25519 { point }
            | Self::SkEd25519 { point, .. }
            | Self::Ecdsa { point }
            | Self::SkEcdsa { point, .. } => point,
        }
    }
}

const ED: &[u8] = b"ssh-ed25519";
const SK_ED: &[u8] = b"sk-ssh-ed25519@openssh.com";
const EC: &[u8] = b"ecdsa-sha2-nistp256";
const SK_EC: &[u8] = b"sk-ecdsa-sha2-nistp256@openssh.com";
const CURVE: &[u8] = b"nistp256";

impl SshKey {
    /// Reads the binary form, as it stands in signatures.
    pub fn from_blob(blob: &[u8]) -> Result<Self, BadSshKey> {
        if blob.len() > MAX_BLOB {
            return Err(BadSshKey::Damaged);
        }
        let key = Self { blob: blob.to_vec() };
        match key.parts() {
            Some(_) => Ok(key),
            None => {
                let kind = Reader(blob).string().and_then(|kind| std::str::from_utf8(kind).ok());
                let accepted = kind.is_none_or(|kind| [ED, SK_ED, EC, SK_EC].contains(&kind.as_bytes()));
                Err(match kind {
                    Some(kind) if !accepted && kind.len() <= 64 && kind.is_ascii() => BadSshKey::Type(kind.to_owned()),
                    Some(_) | None => BadSshKey::Damaged,
                })
            }
        }
    }

    /// The fingerprint as `ssh-keygen -l` prints it: `SHA256:` and 43 characters.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(sha256(&self.blob).0))
    }

    /// The key id of a statement it signs: 16 hex digits, the first 8 bytes of
    /// the SHA-256 of its binary form.
    pub fn id(&self) -> String {
        sha256(&self.blob).0.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its point. Who signs with a key signs with every other of this point: a
    /// plain one, or one for whatever application.
    pub(crate) fn point(&self) -> &[u8] {
        self.parts().map(|parts| parts.point()).unwrap_or_default()
    }

    fn parts(&self) -> Option<Parts<'_>> {
        let mut reader = Reader(&self.blob);
        let parts = match reader.string()? {
            ED => Parts::Ed25519 { point: reader.string().filter(|point| point.len() == 32)? },
            SK_ED => Parts::SkEd25519 {
                point: reader.string().filter(|point| point.len() == 32)?,
                application: reader.string()?,
            },
            EC => Parts::Ecdsa { point: reader.curve_point()? },
            SK_EC => Parts::SkEcdsa { point: reader.curve_point()?, application: reader.string()? },
            _ => return None,
        };
        reader.0.is_empty().then_some(parts)
    }
}

impl FromStr for SshKey {
    type Err = BadSshKey;

    /// Reads the line of a `.pub` file; a comment is ignored. More lines are
    /// none: written to a file of allowed signers, they would be further keys.
    fn from_str(line: &str) -> Result<Self, BadSshKey> {
        if line.trim().contains(['\n', '\r']) {
            return Err(BadSshKey::Form);
        }
        let mut words = line.split_ascii_whitespace();
        let (Some(kind), Some(text)) = (words.next(), words.next()) else { return Err(BadSshKey::Form) };
        let blob = STANDARD.decode(text).map_err(|_| BadSshKey::Form)?;
        let key = Self::from_blob(&blob)?;
        if Reader(&key.blob).string() == Some(kind.as_bytes()) { Ok(key) } else { Err(BadSshKey::Damaged) }
    }
}

impl fmt::Display for SshKey {
    /// The line of a `.pub` file, without a comment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = Reader(&self.blob).string().unwrap_or_default();
        write!(f, "{} {}", String::from_utf8_lossy(kind), STANDARD.encode(&self.blob))
    }
}

impl fmt::Debug for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SshKey({})", self.fingerprint())
    }
}

/// A signature of `ssh-keygen -Y sign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    key: SshKey,
    namespace: Vec<u8>,
    sha512: bool,
    raw: Raw,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Raw {
    signature: [u8; 64],
    /// Flags and counter of a FIDO key.
    fido: Option<(u8, u32)>,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSshSignature {
    /// Not a signature in the form of `ssh-keygen -Y sign`.
    #[error("not a signature as `ssh-keygen -Y sign` makes them")]
    Form,
    /// Made for another purpose.
    #[error("the signature was made for another purpose (namespace)")]
    Namespace,
    /// A FIDO key signed without being touched.
    #[error("the security key was not touched; sign without the no-touch-required option")]
    NotTouched,
    /// Not this key's over these bytes.
    #[error("the signature does not verify")]
    Invalid,
}

impl SshSignature {
    /// Reads the armored form. Nothing may stand before or after it but white space.
    pub fn from_armor(text: &str) -> Result<Self, BadSshSignature> {
        Self::from_blob(&Self::armor_to_blob(text)?)
    }

    /// The binary form of an armored one, unread.
    pub fn armor_to_blob(text: &str) -> Result<Vec<u8>, BadSshSignature> {
        let inner = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let base64: String = inner.ok_or(BadSshSignature::Form)?.split_ascii_whitespace().collect();
        STANDARD.decode(base64).map_err(|_| BadSshSignature::Form)
    }

    /// Reads the binary form.
    pub fn from_blob(blob: &[u8]) -> Result<Self, BadSshSignature> {
        (blob.len() <= MAX_BLOB).then(|| Self::read(blob)).flatten().ok_or(BadSshSignature::Form)
    }

    fn read(blob: &[u8]) -> Option<Self> {
        let mut reader = Reader(blob.strip_prefix(MAGIC)?);
        if reader.number()? != 1 {
            return None;
        }
        let key = SshKey::from_blob(reader.string()?).ok()?;
        let namespace = reader.string()?.to_vec();
        if !reader.string()?.is_empty() {
            return None;
        }
        let sha512 = match reader.string()? {
            b"sha256" => false,
            b"sha512" => true,
            _ => return None,
        };
        let raw = Raw::read(&key, reader.string()?)?;
        reader.0.is_empty().then_some(Self { key, namespace, sha512, raw })
    }

    /// Who signed, if it verifies.
    pub fn key(&self) -> &SshKey {
        &self.key
    }

    /// Checks it over a message; the key that it names is the one that signed.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<(), BadSshSignature> {
        if self.namespace != namespace.as_bytes() {
            return Err(BadSshSignature::Namespace);
        }
        let (name, hash): (&[u8], Vec<u8>) = if self.sha512 {
            (b"sha512", digest(&SHA512, message).as_ref().to_vec())
        } else {
            (b"sha256", sha256(message).0.to_vec())
        };
        let mut signed = MAGIC.to_vec();
        for part in [&self.namespace, b"".as_slice(), name, &hash] {
            signed.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            signed.extend_from_slice(part);
        }
        self.holds_over(&signed)
    }

    /// Checks it over the bytes that were signed, whatever they are.
    pub(crate) fn holds_over(&self, signed: &[u8]) -> Result<(), BadSshSignature> {
        let parts = self.key.parts().ok_or(BadSshSignature::Form)?;
        let signature = &self.raw.signature;
        let valid = match (parts, self.raw.fido) {
            (Parts::Ed25519 { point }, None) => UnparsedPublicKey::new(&ED25519, point).verify(signed, signature),
            (Parts::Ecdsa { point }, None) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            (Parts::SkEd25519 { point, application }, Some(fido)) => {
                let signed = fido_message(application, fido, signed)?;
                UnparsedPublicKey::new(&ED25519, point).verify(&signed, signature)
            }
            (Parts::SkEcdsa { point, application }, Some(fido)) => {
                let signed = fido_message(application, fido, signed)?;
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(&signed, signature)
            }
            (Parts::Ed25519 { .. } | Parts::Ecdsa { .. }, Some(_))
            | (Parts::SkEd25519 { .. } | Parts::SkEcdsa { .. }, None) => return Err(BadSshSignature::Form),
        };
        valid.map_err(|_| BadSshSignature::Invalid)
    }
}

/// What a FIDO key signs for a message (PROTOCOL.u2f, "SSH U2F Signatures").
fn fido_message(application: &[u8], (flags, counter): (u8, u32), message: &[u8]) -> Result<Vec<u8>, BadSshSignature> {
    if flags & TOUCHED == 0 {
        return Err(BadSshSignature::NotTouched);
    }
    let mut signed = sha256(application).0.to_vec();
    signed.push(flags);
    signed.extend_from_slice(&counter.to_be_bytes());
    signed.extend_from_slice(&sha256(message).0);
    Ok(signed)
}

impl Raw {
    /// Reads the inner signature, whose type must be the key's.
    fn read(key: &SshKey, blob: &[u8]) -> Option<Self> {
        let mut reader = Reader(blob);
        if reader.string()? != Reader(&key.blob).string()? {
            return None;
        }
        let bytes = reader.string()?;
        let (signature, fido) = match key.parts()? {
            Parts::Ed25519 { .. } => (bytes.try_into().ok()?, false),
            Parts::SkEd25519 { .. } => (bytes.try_into().ok()?, true),
            Parts::Ecdsa { .. } => (fixed(bytes)?, false),
            Parts::SkEcdsa { .. } => (fixed(bytes)?, true),
        };
        let fido = if fido { Some((reader.byte()?, reader.number()?)) } else { None };
        reader.0.is_empty().then_some(Self { signature, fido })
    }
}

/// `r` and `s` as two SSH `mpint`, to 32 bytes each.
fn fixed(blob: &[u8]) -> Option<[u8; 64]> {
    let mut reader = Reader(blob);
    let mut out = [0; 64];
    for half in out.chunks_exact_mut(32) {
        let number = reader.string()?;
        // An mpint has a leading zero where its first bit is set, and no other.
        let digits = match number {
            [0, rest @ ..] if rest.first().is_some_and(|first| first & 0x80 != 0) => rest,
            [first, ..] if *first != 0 && first & 0x80 == 0 => number,
            _ => return None,
        };
        let from = 32usize.checked_sub(digits.len())?;
        half.get_mut(from..)?.copy_from_slice(digits);
    }
    reader.0.is_empty().then_some(out)
}

/// Reads SSH's types (RFC 4251 §5) from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    /// The name of the curve, and an uncompressed point on it.
    fn curve_point(&mut self) -> Option<&'a [u8]> {
        if self.string()? != CURVE {
            return None;
        }
        self.string().filter(|point| point.len() == 65 && point.first() == Some(&4))
    }
}
