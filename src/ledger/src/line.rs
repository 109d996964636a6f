//! One physical line, checked against the grammar and split, nothing copied.

use crate::commit::sha256_of;
use crate::scan::{BadLine, Build, Check, Fault, Scanner, Tree};
use crate::utc;
use crate::value::Value;
pub(crate) use countersign_core::b64_fixed as fixed;
use countersign_core::{Digest, LoginId, b64_is_fixed};

/// Longest leaf in bytes.
pub const MAX_LEAF_BYTES: usize = 65_535;
/// Longest line in bytes, its newline not counted.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// A line that keeps the grammar. Its hash, signature and openings are not
/// checked yet. This is the fast form; [`crate::Entry`] is the comfortable one.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Wall clock as written.
    pub at: &'a str,
    /// Wall clock in µs since 1970.
    pub at_us: i64,
    /// Boot id, 32 hex digits.
    pub boot: &'a str,
    /// Host id, 26 characters.
    pub host: &'a str,
    /// Key id of the signer, 16 hex digits.
    pub key: &'a str,
    /// Kind, known or not.
    pub kind: &'a str,
    /// CLOCK_BOOTTIME in µs.
    pub mono: u64,
    /// L of the entry before.
    pub prev: Digest,
    /// Its number on the host.
    pub seq: u64,
    /// Its place in a login.
    pub sess: Option<LineSess<'a>>,
    /// The signature, 64 bytes base64url.
    pub sig: &'a str,
    /// The openings, unread JSON.
    pub vals: &'a str,
    /// How [`Line::prev`] is written.
    #[cfg(feature = "verify")]
    pub(crate) prev_text: &'a str,
    body: &'a [u8],
    signed: &'a [u8],
    leaf: &'a [u8],
}

/// The place of a [`Line`] in its login.
#[derive(Debug, Clone)]
pub struct LineSess<'a> {
    /// Login id, 26 characters.
    pub id: &'a str,
    /// The same, read.
    pub login: LoginId,
    /// 0, 1, 2 … within the login.
    pub n: u64,
    /// L of the login's entry before.
    pub prev: Digest,
}

impl<'a> Line<'a> {
    /// Reads a line without its newline.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BadLine> {
        Self::parse_with(bytes, &mut Check).map(|(line, ())| line)
    }

    /// Reads a line, and its body in the same scan.
    pub(crate) fn parse_with<B: Build<'a>>(bytes: &'a [u8], build: &mut B) -> Result<(Self, B::Node), BadLine> {
        if bytes.len() > MAX_LINE_BYTES {
            return refused(MAX_LINE_BYTES, "a line over 1 MiB");
        }
        let mut s = Scanner::new(bytes);
        s.literal("{\"at\":")?;
        let (at, at_us) =
            sized(&mut s, 27, "a time like 2026-11-20T12:34:56.123456Z", |t| utc::parse(t).map(|us| (t, us)))?;
        s.literal(",\"body\":")?;
        let start = s.at();
        if s.rest().first() != Some(&b'{') {
            return s.expected("an object");
        }
        let node = s.value(2, build)?;
        let body = s.since(start);
        s.literal(",\"boot\":")?;
        let boot = sized(&mut s, 32, "32 lower-case hex digits", |t| is_hex(t, 32).then_some(t))?;
        s.literal(",\"fmt\":\"cs1\",\"host\":")?;
        let host = sized(&mut s, 26, "a host id", |t| is_id(t).then_some(t))?;
        s.literal(",\"key\":")?;
        let key = sized(&mut s, 16, "16 lower-case hex digits", |t| is_hex(t, 16).then_some(t))?;
        s.literal(",\"kind\":")?;
        let kind = word(&mut s, "a kind: 1 to 64 of a-z 0-9 _", |t| is_kind(t).then_some(t))?;
        s.literal(",\"mono\":")?;
        let mono = s.integer()?;
        s.literal(",\"prev\":")?;
        let before = digest(&mut s, None)?;
        s.literal(",\"seq\":")?;
        let seq = s.integer()?;
        let sess = if s.skip(",\"sess\":") { Some(line_sess(&mut s, before)?) } else { None };
        let signed = s.since(0);
        s.literal(",\"sig\":")?;
        let sig = sized(&mut s, 86, "a signature: 64 bytes base64url", |t| b64_is_fixed::<64>(t).then_some(t))?;
        let leaf = s.since(0);
        if leaf.len() >= MAX_LEAF_BYTES {
            return refused(MAX_LEAF_BYTES, "a leaf over 65535 bytes");
        }
        s.literal(",\"vals\":")?;
        let vals = vals_text(&s)?;
        let line = Self {
            at,
            at_us,
            boot,
            host,
            key,
            kind,
            mono,
            prev: before.1,
            seq,
            sess,
            sig,
            vals,
            #[cfg(feature = "verify")]
            prev_text: before.0,
            body,
            signed,
            leaf,
        };
        Ok((line, node))
    }

    /// L: `SHA-256(0x00 ‖ leaf)`.
    pub fn leaf_hash(&self) -> Digest {
        sha256_of(&[&[0], self.leaf, b"}"])
    }

    /// SHA-256 of the signed text T: what the signature is over.
    pub fn signed_digest(&self) -> [u8; 32] {
        sha256_of(&[self.signed, b"}"]).0
    }

    /// The signed text T in two parts, for whoever hashes it later.
    #[cfg(feature = "verify")]
    pub(crate) fn signed_parts(&self) -> [&'a [u8]; 2] {
        [self.signed, b"}"]
    }

    /// The body's bytes: canonical, part of what is signed.
    pub fn body_bytes(&self) -> &'a [u8] {
        self.body
    }

    /// The body as a tree.
    pub fn body(&self) -> Result<Value, BadLine> {
        Scanner::new(self.body).value(2, &mut Tree)
    }
}

/// Reads a string and what `read` makes of it.
fn word<'a, T>(s: &mut Scanner<'a>, want: &'static str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T, BadLine> {
    let at = s.at();
    let text = s.string()?;
    read(text).ok_or(BadLine { at, fault: Fault::Expected(want) })
}

/// The same for what is always as long, and plain wherever `read` takes it.
fn sized<'a, T>(
    s: &mut Scanner<'a>,
    length: usize,
    want: &'static str,
    read: impl Fn(&'a str) -> Option<T>,
) -> Result<T, BadLine> {
    match s.sized(length, &read) {
        Some(found) => Ok(found),
        None => word(s, want, read),
    }
}

/// A digest and how it is written. It often is the one that was read before.
fn digest<'a>(s: &mut Scanner<'a>, before: Option<(&str, Digest)>) -> Result<(&'a str, Digest), BadLine> {
    let read = |t| match before {
        Some((text, digest)) if text == t => Some((t, digest)),
        Some(_) | None => fixed(t).map(|bytes| (t, Digest(bytes))),
    };
    sized(s, 43, "a digest: 32 bytes base64url", read)
}

fn line_sess<'a>(s: &mut Scanner<'a>, before: (&str, Digest)) -> Result<LineSess<'a>, BadLine> {
    s.literal("{\"id\":")?;
    let (id, login) = sized(s, 26, "a login id", |t| t.parse().ok().map(|login| (t, login)))?;
    s.literal(",\"n\":")?;
    let n = s.integer()?;
    s.literal(",\"prev\":")?;
    let (_, prev) = digest(s, Some(before))?;
    s.literal("}")?;
    Ok(LineSess { id, login, n, prev })
}

/// What stands between `"vals":` and the last brace. That it is JSON is found
/// out where the openings are read.
fn vals_text<'a>(s: &Scanner<'a>) -> Result<&'a str, BadLine> {
    let rest = s.rest();
    if let Some(odd) = s.odd() {
        return refused(odd, "a byte outside 0x20-0x7e");
    }
    let whole = rest.strip_suffix(b"}").filter(|v| v.starts_with(b"{") && v.ends_with(b"}"));
    let Some(vals) = whole else { return s.expected("an object and the end of the entry") };
    s.text_to(s.at(), s.at() + vals.len()).map_or_else(|| s.expected("ASCII"), Ok)
}

fn refused<T>(at: usize, why: &'static str) -> Result<T, BadLine> {
    Err(BadLine { at, fault: Fault::Refused(why) })
}

/// Whether this is so many lower-case hex digits.
pub(crate) fn is_hex(text: &str, length: usize) -> bool {
    // Each is looked at, without a branch, so that the compiler can look at many together.
    text.len() == length && text.bytes().fold(true, |all, b| all & matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether this is an id, of whatever.
pub(crate) fn is_id(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_lowercase() & (b != b'i') & (b != b'l') & (b != b'o') & (b != b'u');
    text.len() == 26
        && text.as_bytes().first().is_some_and(|b| matches!(b, b'0'..=b'7'))
        && text.bytes().fold(true, |all, b| all & (b.is_ascii_digit() | letter(b)))
}

/// Whether this may name a kind.
pub(crate) fn is_kind(text: &str) -> bool {
    matches!(text.len(), 1..=64) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}
