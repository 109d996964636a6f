//! Reads `vals` in its one spelling, in one pass and without a copy where no
//! text is escaped. Whatever [`super::Openings::encode`] does not write is refused.

use super::{BadOpening, write_json};
use crate::value::plain_length;
use countersign_core::{Salt, b64_decode};
use std::borrow::Cow;

/// An opening: the salt and the value's bytes.
pub(super) type Opening<'a> = (Salt, Cow<'a, [u8]>);

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    One(Opening<'a>),
    /// `None` for `[]`: hidden or cut.
    Many(Vec<Option<Opening<'a>>>),
}

/// Reads all openings, in the order of their paths.
pub(super) fn read(text: &str) -> Result<Vec<(Cow<'_, str>, Found<'_>)>, BadOpening> {
    let mut reader = Reader::new(text)?;
    let mut found = Vec::new();
    while let Some(path) = reader.path()? {
        let what = match reader.begin()? {
            Some(opening) => Found::One(opening),
            None => {
                let mut items = Vec::new();
                while let Some(item) = reader.item()? {
                    items.push(item);
                }
                Found::Many(items)
            }
        };
        found.push((path, what));
    }
    Ok(found)
}

/// Goes through openings: [`Reader::path`] until there is none, after each
/// [`Reader::begin`], and after a list has begun [`Reader::item`] until there is none.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    before: Option<Cow<'a, str>>,
    /// A list has begun and has no item yet.
    first_item: bool,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Result<Self, BadOpening> {
        let mut reader = Self { text, at: 0, before: None, first_item: false };
        reader.literal("{")?;
        Ok(reader)
    }

    /// The next path; `None` at the end.
    pub fn path(&mut self) -> Result<Option<Cow<'a, str>>, BadOpening> {
        let first = self.before.is_none();
        if if first { self.skip("}") } else { !self.skip(",") } {
            if !first {
                self.literal("}")?;
            }
            return if self.at == self.text.len() { Ok(None) } else { self.bad("expected the end") };
        }
        let path = self.string()?;
        if self.before.as_ref().is_some_and(|before| before.as_ref() >= path.as_ref()) {
            return self.bad("members must be unique and sorted by byte");
        }
        self.literal(":")?;
        self.before = Some(path.clone());
        Ok(Some(path))
    }

    /// The opening at the path; `None` where there is a list of them.
    pub fn begin(&mut self) -> Result<Option<Opening<'a>>, BadOpening> {
        self.literal("[")?;
        if self.rest().first() == Some(&b'"') {
            return self.opening().map(Some);
        }
        self.first_item = true;
        Ok(None)
    }

    /// The next of a list: `Some(None)` for `[]`, `None` at its end.
    pub fn item(&mut self) -> Result<Option<Option<Opening<'a>>>, BadOpening> {
        let first = std::mem::take(&mut self.first_item);
        if if first { self.skip("]") } else { !self.skip(",") } {
            if !first {
                self.literal("]")?;
            }
            return Ok(None);
        }
        self.literal("[")?;
        if self.skip("]") {
            return Ok(Some(None));
        }
        self.opening().map(|opening| Some(Some(opening)))
    }

    fn bad<T>(&self, why: &str) -> Result<T, BadOpening> {
        Err(BadOpening::Form(format!("at byte {}: {why}", self.at)))
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, text: &str) -> bool {
        let here = self.rest().starts_with(text.as_bytes());
        if here {
            self.at += text.len();
        }
        here
    }

    fn literal(&mut self, text: &str) -> Result<(), BadOpening> {
        if self.skip(text) { Ok(()) } else { self.bad(&format!("expected {text}")) }
    }

    /// Reads `"<salt>",VALUE]`.
    fn opening(&mut self) -> Result<Opening<'a>, BadOpening> {
        let Ok(salt) = self.string()?.parse() else { return self.bad("a salt is 32 bytes base64url") };
        self.literal(",")?;
        let value = self.value()?;
        self.literal("]")?;
        Ok((salt, value))
    }

    fn value(&mut self) -> Result<Cow<'a, [u8]>, BadOpening> {
        let start = self.at;
        if self.rest().first() == Some(&b'"') {
            let value = match self.string()? {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
            if self.at - start > longest(&value) {
                return self.bad("the escapes of a text make it too long; it must stand as b64");
            }
            return Ok(value);
        }
        self.literal("{\"b64\":")?;
        let Ok(value) = b64_decode(&self.string()?) else { return self.bad("b64 is not base64url") };
        self.literal("}")?;
        if fits_as_text(&value) {
            return self.bad("what can stand as a text must not stand as b64");
        }
        Ok(Cow::Owned(value))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, BadOpening> {
        self.literal("\"")?;
        let plain = self.plain()?;
        if self.skip("\"") {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        while self.skip("\\") {
            text.push(self.escaped()?);
            text.push_str(self.plain()?);
        }
        self.literal("\"")?;
        Ok(Cow::Owned(text))
    }

    /// Reads what stands as it is.
    fn plain(&mut self) -> Result<&'a str, BadOpening> {
        let length = plain_length(self.rest());
        let Some(text) = self.text.get(self.at..self.at + length) else { return self.bad("expected ASCII") };
        self.at += length;
        Ok(text)
    }

    /// Reads what stands behind a backslash.
    fn escaped(&mut self) -> Result<char, BadOpening> {
        for (letter, c) in [("\"", '"'), ("\\", '\\'), ("n", '\n'), ("r", '\r'), ("t", '\t')] {
            if self.skip(letter) {
                return Ok(c);
            }
        }
        let first = self.unit()?;
        let second = if matches!(first, 0xD800..=0xDBFF) {
            self.literal("\\")?;
            Some(self.unit()?)
        } else {
            None
        };
        let mut read = char::decode_utf16(std::iter::once(first).chain(second));
        match (read.next(), read.next()) {
            (Some(Ok(' '..='~' | '\n' | '\r' | '\t')), _) => self.bad("is written without \\u"),
            (Some(Ok(c)), None) => Ok(c),
            (Some(_) | None, _) => self.bad("half of a surrogate pair"),
        }
    }

    /// Reads `u` and four lower-case hex digits.
    fn unit(&mut self) -> Result<u16, BadOpening> {
        self.literal("u")?;
        let digits = self.rest().get(..4).unwrap_or_default();
        let lower = digits.len() == 4 && digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let text = std::str::from_utf8(digits).ok().filter(|_| lower);
        let Some(unit) = text.and_then(|text| u16::from_str_radix(text, 16).ok()) else {
            return self.bad("expected four lower-case hex digits");
        };
        self.at += 4;
        Ok(unit)
    }
}

/// How long a text may be written, with its quotes.
pub(super) fn longest(value: &[u8]) -> usize {
    value.len().saturating_mul(3).saturating_add(2)
}

fn fits_as_text(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| {
        let mut written = String::new();
        write_json(&mut written, text);
        written.len() <= longest(value)
    })
}
