//! Values of the leaf grammar and their one encoding, written by hand: what a
//! JSON library prints may change with a feature flag elsewhere.

use crate::open_text::{Hash, OpenText};
use countersign_core::{Digest, HostId, LoginId, Nonce, ServiceId, SubmissionId};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Largest integer of the leaf grammar: 2⁵³ − 1.
pub const MAX_INT: u64 = (1 << 53) - 1;
/// Deepest nesting of objects and arrays; an entry or a detached statement
/// itself is 1, `body` is 2.
pub const MAX_DEPTH: usize = 6;

/// A value of the leaf grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Members, sorted by byte as the map keeps them.
    Object(BTreeMap<String, Value>),
    /// A list.
    List(Vec<Value>),
    /// Bytes 0x20–0x7E without `"` and `\`.
    Text(String),
    /// 0 to 2⁵³ − 1.
    Int(u64),
    /// `true` or `false`.
    Bool(bool),
    /// Only in a draft: L of the draft before it in the same append.
    LeafBefore,
}

/// The grammar of the leaf cannot hold the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// A character outside 0x20–0x7E, or `"` or `\`.
    #[error(
        "a text in an entry holds the byte 0x{byte:02x}; only 0x20-0x7e without quote and backslash may stand there"
    )]
    Text {
        /// The first such byte.
        byte: u8,
    },
    /// Over 2⁵³ − 1.
    #[error("the integer {0} in an entry is over 2^53-1")]
    Int(u64),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("an entry may nest {MAX_DEPTH} deep and no deeper")]
    Depth,
    /// [`Value::LeafBefore`] with no draft before it.
    #[error("a reference to the entry before stands in the first draft of an append")]
    NothingBefore,
}

/// Makes an object of its members.
pub fn body<K: Into<String>>(members: impl IntoIterator<Item = (K, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

impl Value {
    /// The canonical bytes, as a document of its own (depth 1).
    pub fn encode(&self) -> Result<String, BadValue> {
        let mut out = OpenText::default();
        self.write(&mut out, 1, None)?;
        Ok(std::mem::take(out.end()))
    }

    /// Appends the canonical bytes. `depth` is that of this value; `before`
    /// is what [`Value::LeafBefore`] stands for.
    pub(crate) fn write(&self, out: &mut OpenText, depth: usize, before: Option<Hash>) -> Result<(), BadValue> {
        match self {
            Self::Object(members) => {
                check_depth(depth)?;
                let mut open = '{';
                for (name, value) in members {
                    out.end().push(std::mem::replace(&mut open, ','));
                    write_text(out.end(), name)?;
                    out.end().push(':');
                    value.write(out, depth + 1, before)?;
                }
                out.end().push_str(if members.is_empty() { "{}" } else { "}" });
            }
            Self::List(values) => {
                check_depth(depth)?;
                let mut open = '[';
                for value in values {
                    out.end().push(std::mem::replace(&mut open, ','));
                    value.write(out, depth + 1, before)?;
                }
                out.end().push_str(if values.is_empty() { "[]" } else { "]" });
            }
            Self::Text(text) => write_text(out.end(), text)?,
            Self::Int(number) => write_int(out.end(), *number)?,
            Self::Bool(truth) => out.end().push_str(if *truth { "true" } else { "false" }),
            Self::LeafBefore => {
                let before = before.ok_or(BadValue::NothingBefore)?;
                out.end().push('"');
                out.push_hash(before);
                out.end().push('"');
            }
        }
        Ok(())
    }

    /// The member of this name, where this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The members, where this is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Self>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The values, where this is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }

    /// The text, where this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, where this is one.
    pub fn as_int(&self) -> Option<u64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The truth value, where this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// Reads a text as an id, a digest or another word of the domain.
    pub fn parse<T: std::str::FromStr>(&self) -> Option<T> {
        self.as_text()?.parse().ok()
    }

    /// Reads the member of this name as [`Value::parse`] does.
    pub fn member<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse()
    }
}

fn check_depth(depth: usize) -> Result<(), BadValue> {
    if depth > MAX_DEPTH { Err(BadValue::Depth) } else { Ok(()) }
}

/// Whether a byte may stand in a string of the leaf grammar.
pub(crate) fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) & (byte != b'"') & (byte != b'\\')
}

/// How many bytes at the beginning are plain. Most texts are short: the first
/// are looked at eight at a time.
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    const FIRST: usize = 3;
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().take(FIRST).enumerate() {
        let odd = not_plain(u64::from_le_bytes(*word));
        if odd != 0 {
            return index * 8 + odd.trailing_zeros() as usize / 8;
        }
    }
    let sure = words.len().min(FIRST) * 8;
    sure + leading(bytes.get(sure..).unwrap_or_default(), is_plain)
}

/// Eight bytes, the first one lowest: the highest bit of the first that is not
/// plain is set and of none before it. (Of those after it, it may be set too:
/// a subtraction borrows from them.)
fn not_plain(word: u64) -> u64 {
    let below = |low: u8| word.wrapping_sub(all(low)) & !word;
    (below(0x20) | word | is(word, 0x7f) | is(word, b'"') | is(word, b'\\')) & all(0x80)
}

const fn all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Sets the highest bit of each byte that is this one, and of none before the first.
fn is(word: u64, byte: u8) -> u64 {
    (word ^ all(byte)).wrapping_sub(all(1)) & !(word ^ all(byte))
}

/// How many bytes at the beginning are like that. Sixteen are looked at
/// together, without a branch, so that the compiler can do it in one register.
pub(crate) fn leading(bytes: &[u8], like: impl Fn(u8) -> bool) -> usize {
    let (chunks, _) = bytes.as_chunks::<16>();
    let whole = chunks.iter().take_while(|chunk| chunk.iter().fold(true, |all, byte| all & like(*byte)));
    let sure = whole.count() * 16;
    let rest = bytes.get(sure..).unwrap_or_default();
    sure + rest.iter().position(|byte| !like(*byte)).unwrap_or(rest.len())
}

/// How many bytes at the beginning are in 0x20–0x7E. As in [`leading`], but
/// for long texts: 64 are looked at together.
pub(crate) fn printable(bytes: &[u8]) -> usize {
    let like = |byte: u8| matches!(byte, 0x20..=0x7e);
    let (chunks, _) = bytes.as_chunks::<64>();
    let whole = chunks.iter().take_while(|chunk| chunk.iter().fold(true, |all, byte| all & like(*byte)));
    let sure = whole.count() * 64;
    sure + leading(bytes.get(sure..).unwrap_or_default(), like)
}

/// How many bytes at the beginning are neither a quote nor a backslash. Names
/// are short and end in the first eight; of what is longer, sixteen are looked
/// at together, as in [`leading`].
pub(crate) fn unquoted_length(bytes: &[u8]) -> usize {
    let in_word = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        (is(word, b'"') | is(word, b'\\')) & all(0x80)
    };
    let place = |odd: u64| odd.trailing_zeros() as usize / 8;
    let mut sure = 0;
    if let Some((word, after)) = bytes.split_first_chunk::<8>() {
        let odd = in_word(word);
        if odd != 0 {
            return place(odd);
        }
        let odd = |byte: &u8| (*byte == b'"') | (*byte == b'\\');
        let (chunks, _) = after.as_chunks::<16>();
        let whole = chunks.iter().take_while(|chunk| !chunk.iter().fold(false, |any, byte| any | odd(byte)));
        sure = 8 + whole.count() * 16;
    }
    let (words, rest) = bytes.get(sure..).unwrap_or_default().as_chunks::<8>();
    for word in words {
        let odd = in_word(word);
        if odd != 0 {
            return sure + place(odd);
        }
        sure += 8;
    }
    sure + rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

/// Writes a string with its quotes.
pub(crate) fn write_text(out: &mut String, text: &str) -> Result<(), BadValue> {
    if let Some(byte) = text.bytes().find(|b| !is_plain(*b)) {
        return Err(BadValue::Text { byte });
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
    Ok(())
}

/// Writes an integer.
pub(crate) fn write_int(out: &mut String, number: u64) -> Result<(), BadValue> {
    if number > MAX_INT {
        return Err(BadValue::Int(number));
    }
    // Writing to a String cannot fail.
    write!(out, "{number}").map_err(|_| BadValue::Int(number))
}

macro_rules! from_text {
    ($($name:ty),*) => {$(
        impl From<$name> for Value {
            fn from(word: $name) -> Self {
                Self::Text(word.to_string())
            }
        }
    )*};
}
from_text!(&str, Digest, Nonce, HostId, LoginId, SubmissionId, ServiceId);

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(u64::from(number))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place, and what a borrow of the subtraction could reach behind it.
    #[test]
    fn the_first_that_is_not_plain_is_found() {
        for byte in 0..=0xff_u8 {
            for place in 0..60 {
                for behind in [b'x', 0x00, 0x1f, 0x20, 0x21, b'"', 0x23, b'\\', 0x5d, 0x7e, 0x7f, 0x80, 0xff] {
                    let mut text = [b'x'; 61];
                    (text[place], text[place + 1]) = (byte, behind);
                    let first = text.iter().position(|byte| !is_plain(*byte)).unwrap_or(text.len());
                    assert_eq!(plain_length(&text), first, "{byte:#x} at {place}, {behind:#x} behind it");
                    let first = text.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(text.len());
                    assert_eq!(unquoted_length(&text), first, "{byte:#x} at {place}, {behind:#x} behind it");
                    let long = [[b'x'; 70].as_slice(), &text].concat();
                    let first = long.iter().position(|byte| !matches!(byte, 0x20..=0x7e)).unwrap_or(long.len());
                    assert_eq!(printable(&long), first, "{byte:#x} at {place}, {behind:#x} behind it");
                }
            }
        }
        for length in 0..50 {
            let text = vec![b'x'; length];
            assert_eq!([plain_length(&text), unquoted_length(&text), printable(&text)], [length; 3]);
        }
    }
}
