//! Writing one entry: the bytes of its line, signed and hashed.

use crate::line::{MAX_LEAF_BYTES, MAX_LINE_BYTES, is_hex, is_kind};
use crate::open_text::{Hash, OpenText, SIGNATURE_BYTES, SignedText};
use crate::openings::Openings;
use crate::signer::{SignError, Signer};
use crate::value::{BadValue, Value, write_int};
use crate::{Sess, key_id};
use countersign_core::{Digest, HostId, LoginId, format_utc_micros};

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

/// A [`Header`] of an entry whose batch is not signed yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heading<'a> {
    pub(crate) at_us: i64,
    pub(crate) boot: &'a str,
    pub(crate) host: HostId,
    pub(crate) kind: &'a str,
    pub(crate) mono: u64,
    pub(crate) prev: Hash,
    pub(crate) seq: u64,
    pub(crate) sess: Option<SessHeading>,
    /// What [`Value::LeafBefore`] stands for.
    pub(crate) before: Option<Hash>,
}

/// A [`Sess`] in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessHeading {
    pub(crate) id: LoginId,
    pub(crate) n: u64,
    pub(crate) prev: Hash,
}

/// An entry that lacks nothing but its signature, and hashes of entries before
/// it in its batch. It will be within the limits of a line.
#[derive(Debug, Clone)]
pub(crate) struct Unsealed {
    pub(crate) text: OpenText,
    vals: String,
}

impl Unsealed {
    /// Bytes of its line.
    pub(crate) fn len(&self) -> usize {
        line_length(&self.text, &self.vals)
    }

    /// Takes its text out, to be signed.
    pub(crate) fn take_text(&mut self) -> OpenText {
        std::mem::take(&mut self.text)
    }

    /// Its line, once its text is signed.
    pub(crate) fn sealed(&self, signed: SignedText) -> Sealed {
        let mut line = signed.text;
        push(&mut line, &[",\"vals\":", &self.vals, "}"]);
        Sealed { line, leaf: signed.leaf }
    }
}

fn line_length(text: &OpenText, vals: &str) -> usize {
    // `,"vals":` and the brace.
    text.len() + SIGNATURE_BYTES + 9 + vals.len()
}

/// Encodes one entry, to be signed by the key of this id.
pub(crate) fn unsealed(heading: &Heading<'_>, body: &Value, vals: &Openings, key: &str) -> Result<Unsealed, SealError> {
    let text = open_text(heading, body, key)?;
    // The brace is one.
    check_length("leaf", text.len() + SIGNATURE_BYTES + 1, MAX_LEAF_BYTES)?;
    let vals = vals.encode();
    check_length("line", line_length(&text, &vals), MAX_LINE_BYTES)?;
    Ok(Unsealed { text, vals })
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
    let &Header { at_us, boot, host, kind, mono, prev, seq, sess } = header;
    let sess = sess.map(|sess| SessHeading { id: sess.id, n: sess.n, prev: Hash::Known(sess.prev) });
    let before = before.map(|before| Hash::Known(*before));
    let heading = Heading { at_us, boot, host, kind, mono, prev: Hash::Known(prev), seq, sess, before };
    let mut unsealed = unsealed(&heading, body, vals, &key_id(&signer.public_key()))?;
    let signed = signer.sign_texts(vec![unsealed.take_text()])?.pop();
    Ok(unsealed.sealed(signed.ok_or_else(|| SignError::Failed("no signature".to_owned()))?))
}

fn check_length(part: &'static str, bytes: usize, limit: usize) -> Result<(), SealError> {
    if bytes > limit { Err(SealError::TooLong { part, bytes, limit }) } else { Ok(()) }
}

/// The signed text T without its closing brace.
fn open_text(heading: &Heading<'_>, body: &Value, key: &str) -> Result<OpenText, SealError> {
    if body.as_object().is_none() {
        return Err(SealError::Body);
    }
    if !is_hex(heading.boot, 32) {
        return Err(SealError::Header("boot id"));
    }
    if !is_kind(heading.kind) {
        return Err(SealError::Header("kind"));
    }
    let at = format_utc_micros(heading.at_us).filter(|at| !at.starts_with("0000"));
    let at = at.ok_or(SealError::Header("wall clock"))?;
    let mut out = OpenText::new(String::with_capacity(1024));
    push(out.end(), &["{\"at\":\"", &at, "\",\"body\":"]);
    body.write(&mut out, 2, heading.before)?;
    push(out.end(), &[",\"boot\":\"", heading.boot, "\",\"fmt\":\"cs1\",\"host\":\"", &heading.host.to_string()]);
    push(out.end(), &["\",\"key\":\"", key, "\",\"kind\":\"", heading.kind, "\",\"mono\":"]);
    write_int(out.end(), heading.mono)?;
    push(out.end(), &[",\"prev\":\""]);
    out.push_hash(heading.prev);
    push(out.end(), &["\",\"seq\":"]);
    write_int(out.end(), heading.seq)?;
    if let Some(sess) = &heading.sess {
        push(out.end(), &[",\"sess\":{\"id\":\"", &sess.id.to_string(), "\",\"n\":"]);
        write_int(out.end(), sess.n)?;
        push(out.end(), &[",\"prev\":\""]);
        out.push_hash(sess.prev);
        push(out.end(), &["\"}"]);
    }
    Ok(out)
}

fn push(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}
