//! `vals`: the openings of the commitments in a body. They trail the line,
//! are neither hashed nor signed, and have exactly one spelling.

mod cut;
mod read;

use crate::commit::commitment;
use crate::node::Node;
use countersign_core::{Digest, Salt, b64_encode};
pub use cut::{BadCut, cut_openings};
use read::{Opening, Reader};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Openings to be written beside a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Openings(BTreeMap<String, Stored>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stored {
    One(Salt, Vec<u8>),
    Many(Vec<Option<(Salt, Vec<u8>)>>),
}

impl Openings {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the opening of `body.<path>` and yields its commitment.
    pub fn insert(&mut self, path: &str, salt: Salt, value: Vec<u8>) -> Digest {
        let digest = commitment(path, &salt, &value);
        self.0.insert(path.to_owned(), Stored::One(salt, value));
        digest
    }

    /// Adds the openings of the list `body.<path>`, in order, and yields their
    /// commitments; `None` is an item whose opening is never stored.
    pub fn insert_list(&mut self, path: &str, items: Vec<Option<(Salt, Vec<u8>)>>) -> Vec<Option<Digest>> {
        let digest = |(index, item): (usize, &Option<(Salt, Vec<u8>)>)| {
            item.as_ref().map(|(salt, value)| commitment(&format!("{path}/{index}"), salt, value))
        };
        let digests = items.iter().enumerate().map(digest).collect();
        self.0.insert(path.to_owned(), Stored::Many(items));
        digests
    }

    /// The one spelling of these openings.
    pub fn encode(&self) -> String {
        let mut out = String::from("{");
        for (index, (path, stored)) in self.0.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { "," });
            write_json(&mut out, path);
            out.push(':');
            match stored {
                Stored::One(salt, value) => write_one(&mut out, salt, value),
                Stored::Many(items) => write_many(&mut out, items),
            }
        }
        out.push('}');
        out
    }
}

fn write_many(out: &mut String, items: &[Option<(Salt, Vec<u8>)>]) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        match item {
            Some((salt, value)) => write_one(out, salt, value),
            None => out.push_str("[]"),
        }
    }
    out.push(']');
}

fn write_one(out: &mut String, salt: &Salt, value: &[u8]) {
    out.push_str("[\"");
    out.push_str(&salt.to_string());
    out.push_str("\",");
    let start = out.len();
    let fits = std::str::from_utf8(value).is_ok_and(|text| {
        write_json(out, text);
        out.len() - start <= read::longest(value)
    });
    if !fits {
        out.truncate(start);
        out.push_str("{\"b64\":\"");
        out.push_str(&b64_encode(value));
        out.push_str("\"}");
    }
    out.push(']');
}

/// Writes a JSON string: 0x20–0x7E as they are, with `\"` and `\\`, newline,
/// carriage return and tab by their letters, all else as `\u` and four
/// lower-case hex digits, in UTF-16.
fn write_json(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    out.push('"');
}

/// Openings that are not what the body asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOpening {
    /// `vals` is not spelled as it must be.
    #[error("vals is not in its one form: {0}")]
    Form(String),
    /// Nothing in the body asks for it.
    #[error("vals.{0} opens nothing: the body has no commitment of this name and shape")]
    Unasked(String),
    /// It does not open its commitment.
    #[error("vals.{0} does not match its commitment")]
    Mismatch(String),
}

/// The private values of an entry, each checked against its commitment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// What was opened, by path.
    pub values: BTreeMap<String, OpenedValue>,
    /// Paths whose commitment has no opening, e.g. `cwd` or `cmd/2`; hidden
    /// segments are not among them.
    pub missing: Vec<String>,
}

/// An opened private value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenedValue {
    /// Of one commitment.
    One(Vec<u8>),
    /// Of a list; `None` where the opening is hidden or missing.
    Many(Vec<Option<Vec<u8>>>),
}

impl Opened {
    /// The bytes of a single value.
    pub fn one(&self, path: &str) -> Option<&[u8]> {
        match self.values.get(path)? {
            OpenedValue::One(bytes) => Some(bytes),
            OpenedValue::Many(_) => None,
        }
    }

    /// The items of a list.
    pub fn many(&self, path: &str) -> Option<&[Option<Vec<u8>>]> {
        match self.values.get(path)? {
            OpenedValue::One(_) => None,
            OpenedValue::Many(items) => Some(items),
        }
    }
}

/// The private values of an entry as they stand in its line, checked.
#[derive(Debug, Default)]
pub(crate) struct Shown<'a> {
    values: Vec<(Cow<'a, str>, ShownValue<'a>)>,
    /// As [`Opened::missing`].
    pub missing: Vec<String>,
}

#[derive(Debug)]
enum ShownValue<'a> {
    One(Cow<'a, [u8]>),
    Many(Vec<Option<Cow<'a, [u8]>>>),
}

impl Shown<'_> {
    /// Of the list at `path`, where it is there: the bytes that are shown, and
    /// whether every item is.
    #[cfg(feature = "verify")]
    pub fn extent(&self, path: &str) -> Option<(usize, bool)> {
        let (_, value) = self.values.iter().find(|(known, _)| known == path)?;
        let ShownValue::Many(items) = value else { return None };
        let bytes = items.iter().flatten().fold(0usize, |sum, item| sum.saturating_add(item.len()));
        Some((bytes, items.iter().all(Option::is_some)))
    }

    /// The bytes of a single value.
    #[cfg(feature = "verify")]
    pub fn one(&self, path: &str) -> Option<&[u8]> {
        match &self.values.iter().find(|(known, _)| known == path)?.1 {
            ShownValue::One(bytes) => Some(bytes),
            ShownValue::Many(_) => None,
        }
    }

    /// The items of a list; `None` where one is hidden or missing.
    #[cfg(feature = "verify")]
    pub fn many(&self, path: &str) -> Option<&[Option<Cow<'_, [u8]>>]> {
        match &self.values.iter().find(|(known, _)| known == path)?.1 {
            ShownValue::One(_) => None,
            ShownValue::Many(items) => Some(items),
        }
    }

    fn into_owned(self) -> Opened {
        let owned = |value| match value {
            ShownValue::One(bytes) => OpenedValue::One(Cow::into_owned(bytes)),
            ShownValue::Many(items) => {
                OpenedValue::Many(items.into_iter().map(|item| item.map(Cow::into_owned)).collect())
            }
        };
        let values = self.values.into_iter().map(|(path, value)| (path.into_owned(), owned(value))).collect();
        Opened { values, missing: self.missing }
    }
}

/// Reads `vals` and checks each opening against the body. `private` names the
/// members whose openings ought to be there.
pub(crate) fn open<'n, N: Node<'n>>(body: N, private: &[&str], vals: &str) -> Result<Opened, BadOpening> {
    check(body, private, vals).map(Shown::into_owned)
}

/// Does what [`open`] does and copies nothing.
pub(crate) fn check<'a, 'n, N: Node<'n>>(body: N, private: &[&str], vals: &'a str) -> Result<Shown<'a>, BadOpening> {
    let mut shown = Shown::default();
    if vals != "{}" {
        all(body, vals, &mut shown)?;
    }
    let open = |path: &str| shown.values.iter().any(|(known, _)| known == path);
    let absent = private.iter().filter(|path| body.get(path).is_some() && !open(path));
    shown.missing.extend(absent.map(|path| (*path).to_owned()).collect::<Vec<_>>());
    Ok(shown)
}

/// Checks every opening. What is not in its form is told before what does not fit.
fn all<'a, 'n, N: Node<'n>>(body: N, vals: &'a str, shown: &mut Shown<'a>) -> Result<(), BadOpening> {
    let mut reader = Reader::new(vals)?;
    let mut fault = None;
    // A command with its directory and environment, and what it opens besides.
    shown.values.reserve_exact(4);
    while let Some(path) = reader.path()? {
        let value = match reader.begin()? {
            Some(opening) => check_one(body, &path, opening),
            None => check_many(body, &path, &mut reader, &mut shown.missing)?,
        };
        match value {
            Ok(value) => shown.values.push((path, value)),
            Err(unfit) => fault = fault.or(Some(unfit)),
        }
    }
    fault.map_or(Ok(()), Err)
}

fn check_one<'a, 'n, N: Node<'n>>(
    body: N,
    path: &str,
    (salt, value): Opening<'a>,
) -> Result<ShownValue<'a>, BadOpening> {
    let wanted: Digest = body.member(path).ok_or_else(|| BadOpening::Unasked(path.to_owned()))?;
    if commitment(path, &salt, &value) != wanted {
        return Err(BadOpening::Mismatch(path.to_owned()));
    }
    Ok(ShownValue::One(value))
}

/// The outer error is of the form, the inner one of what does not fit.
fn check_many<'a, 'n, N: Node<'n>>(
    body: N,
    path: &str,
    reader: &mut Reader<'a>,
    missing: &mut Vec<String>,
) -> Result<Result<ShownValue<'a>, BadOpening>, BadOpening> {
    let unasked = || BadOpening::Unasked(path.to_owned());
    let list = body.get(path).and_then(N::items);
    let mut fault = list.is_none().then(unasked);
    let mut wanted = list.into_iter().flatten();
    let hidden = if path == "cmd" { body.get("hidden") } else { body.get(&format!("{path}_hidden")) };
    let hidden = hidden.and_then(N::items);
    let is_hidden = |index: usize| {
        hidden
            .clone()
            .is_some_and(|mut hidden| hidden.any(|h| h.as_int().is_some_and(|h| usize::try_from(h) == Ok(index))))
    };
    let mut shown = Vec::with_capacity(1);
    let mut name = String::with_capacity(path.len() + 4);
    while let Some(item) = reader.item()? {
        let index = shown.len();
        name.clear();
        // Writing to a String cannot fail.
        write!(name, "{path}/{index}").map_err(|_| unasked())?;
        let unfit = match (&item, wanted.next()) {
            (_, None) => {
                fault = None;
                Some(unasked())
            }
            (Some(_), Some(_)) if is_hidden(index) => Some(BadOpening::Unasked(name.clone())),
            (Some((salt, value)), Some(wanted)) => {
                let fits = wanted.parse() == Some(commitment(&name, salt, value));
                (!fits).then(|| BadOpening::Mismatch(name.clone()))
            }
            (None, Some(_)) => {
                missing.extend((!is_hidden(index)).then(|| name.clone()));
                None
            }
        };
        fault = fault.or(unfit);
        shown.push(item.map(|(_, value)| value));
    }
    // A list of another length than the one in the body opens nothing in it.
    if wanted.next().is_some() {
        fault = Some(unasked());
    }
    Ok(fault.map_or(Ok(ShownValue::Many(shown)), Err))
}

#[cfg(test)]
mod oracle;
