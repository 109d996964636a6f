//! Writing one entry: the bytes of its line, signed and hashed.

use crate::commit::sha256_of;
use crate::entry::signed_digest;
use crate::line::{MAX_LEAF_BYTES, MAX_LINE_BYTES, is_hex, is_kind};
use crate::openings::Openings;
use crate::signer::{SignError, Signer};
use crate::sshsig::Namespace;
use crate::value::{BadValue, Value, write_int};
use crate::{Sess, key_id};
use countersign_core::{Digest, HostId, b64_encode, format_utc_micros};

/// What an entry says besides its body.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    /// Wall clock in µs since 1970.
    pub at_us: i64,
    /// Boot id, 32 hex digits.
    pub boot: &'a str,
    /// The host.
    pub host: HostId,
    /// The kind's word.
    pub kind: &'a str,
    /// CLOCK_BOOTTIME in µs.
    pub mono: u64,
    /// L of the entry before.
    pub prev: Digest,
    /// Its number.
    pub seq: u64,
    /// Its place in a login.
    pub sess: Option<Sess>,
}

/// A finished line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The line without its newline.
    pub line: String,
    /// L: its hash.
    pub leaf: Digest,
}

/// The entry cannot be written. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The grammar cannot hold it.
    #[error(transparent)]
    Value(#[from] BadValue),
    /// The body must be an object.
    #[error("the body of an entry must be an object")]
    Body,
    /// A wall clock outside the years 1 to 9999, or a boot id or kind that is none.
    #[error("the {0} of an entry is not of its form")]
    Header(&'static str),
    /// Too long.
    #[error("an entry of {bytes} bytes; the limit of its {part} is {limit}")]
    TooLong {
        /// `leaf` or `line`.
        part: &'static str,
        /// Its length.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// It could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Encodes, signs and hashes one entry. `before` is what
/// [`Value::LeafBefore`] stands for.
pub fn seal(
    header: &Header<'_>,
    body: &Value,
    vals: &Openings,
    before: Option<&Digest>,
    signer: &mut dyn Signer,
) -> Result<Sealed, SealError> {
    let mut line = open_text(header, body, before, &key_id(&signer.public_key()))?;
    // `,"sig":"…"` is 95 bytes and the brace one.
    check_length("leaf", line.len() + 96, MAX_LEAF_BYTES)?;
    let signature = signer.sign(Namespace::Entry, signed_digest(&line))?;
    line.push_str(",\"sig\":\"");
    line.push_str(&b64_encode(&signature));
    line.push('"');
    let leaf = sha256_of(&[&[0], line.as_bytes(), b"}"]);
    line.push_str(",\"vals\":");
    line.push_str(&vals.encode());
    line.push('}');
    check_length("line", line.len(), MAX_LINE_BYTES)?;
    Ok(Sealed { line, leaf })
}

fn check_length(part: &'static str, bytes: usize, limit: usize) -> Result<(), SealError> {
    if bytes > limit { Err(SealError::TooLong { part, bytes, limit }) } else { Ok(()) }
}

/// The signed text T without its closing brace.
fn open_text(header: &Header<'_>, body: &Value, before: Option<&Digest>, key: &str) -> Result<String, SealError> {
    if body.as_object().is_none() {
        return Err(SealError::Body);
    }
    if !is_hex(header.boot, 32) {
        return Err(SealError::Header("boot id"));
    }
    if !is_kind(header.kind) {
        return Err(SealError::Header("kind"));
    }
    let at = format_utc_micros(header.at_us).filter(|at| !at.starts_with("0000"));
    let at = at.ok_or(SealError::Header("wall clock"))?;
    let mut out = String::with_capacity(1024);
    push(&mut out, &["{\"at\":\"", &at, "\",\"body\":"]);
    body.write(&mut out, 2, before)?;
    push(&mut out, &[",\"boot\":\"", header.boot, "\",\"fmt\":\"cs1\",\"host\":\"", &header.host.to_string()]);
    push(&mut out, &["\",\"key\":\"", key, "\",\"kind\":\"", header.kind, "\",\"mono\":"]);
    write_int(&mut out, header.mono)?;
    push(&mut out, &[",\"prev\":\"", &header.prev.to_string(), "\",\"seq\":"]);
    write_int(&mut out, header.seq)?;
    if let Some(sess) = &header.sess {
        push(&mut out, &[",\"sess\":{\"id\":\"", &sess.id.to_string(), "\",\"n\":"]);
        write_int(&mut out, sess.n)?;
        push(&mut out, &[",\"prev\":\"", &sess.prev.to_string(), "\"}"]);
    }
    Ok(out)
}

fn push(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}
