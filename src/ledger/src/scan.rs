//! A strict scanner of the leaf grammar (`docs/LEDGER.md`). It knows no
//! escapes, no white space, no floats and no null, because the grammar has none.

use crate::value::{MAX_DEPTH, MAX_INT, Value, printable, unquoted_length};
use std::collections::BTreeMap;

/// Bytes that are not what the grammar wants, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {fault}")]
pub struct BadLine {
    /// Offset of the first byte that is wrong.
    pub at: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Exactly this was wanted.
    #[error("expected {0}")]
    Expected(&'static str),
    /// This is not allowed.
    #[error("{0}")]
    Refused(&'static str),
}

/// Reads one value that is a whole document, e.g. a detached statement.
pub(crate) fn document(bytes: &[u8]) -> Result<Value, BadLine> {
    let mut scanner = Scanner::new(bytes);
    let value = scanner.value(1, &mut Tree)?;
    scanner.end()?;
    Ok(value)
}

/// What a scan makes of the values it meets: a tree, a tree that borrows, or
/// nothing but the check.
pub(crate) trait Build<'a> {
    /// A finished value.
    type Node;
    /// An object being read.
    type Object;
    /// A list being read.
    type List;
    /// A string.
    fn text(&mut self, text: &'a str) -> Self::Node;
    /// An integer.
    fn int(&mut self, number: u64) -> Self::Node;
    /// A truth value.
    fn truth(&mut self, truth: bool) -> Self::Node;
    /// Begins an object.
    fn begin_object(&mut self) -> Self::Object;
    /// Adds a member.
    fn member(&mut self, object: &mut Self::Object, name: &'a str, node: Self::Node);
    /// Ends an object; `bytes` are those it was read from.
    fn object(&mut self, object: Self::Object, bytes: &'a [u8]) -> Self::Node;
    /// Begins a list.
    fn begin_list(&mut self) -> Self::List;
    /// Adds an item.
    fn item(&mut self, list: &mut Self::List, node: Self::Node);
    /// Ends a list.
    fn list(&mut self, list: Self::List) -> Self::Node;
}

/// Builds a [`Value`].
pub(crate) struct Tree;

impl Build<'_> for Tree {
    type Node = Value;
    type Object = BTreeMap<String, Value>;
    type List = Vec<Value>;
    fn text(&mut self, text: &str) -> Value {
        Value::Text(text.to_owned())
    }
    fn int(&mut self, number: u64) -> Value {
        Value::Int(number)
    }
    fn truth(&mut self, truth: bool) -> Value {
        Value::Bool(truth)
    }
    fn begin_object(&mut self) -> Self::Object {
        BTreeMap::new()
    }
    fn member(&mut self, object: &mut Self::Object, name: &str, node: Value) {
        object.insert(name.to_owned(), node);
    }
    fn object(&mut self, object: Self::Object, _: &[u8]) -> Value {
        Value::Object(object)
    }
    fn begin_list(&mut self) -> Vec<Value> {
        Vec::new()
    }
    fn item(&mut self, list: &mut Vec<Value>, node: Value) {
        list.push(node);
    }
    fn list(&mut self, list: Vec<Value>) -> Value {
        Value::List(list)
    }
}

/// Only checks.
pub(crate) struct Check;

impl Build<'_> for Check {
    type Node = ();
    type Object = ();
    type List = ();
    fn text(&mut self, _: &str) {}
    fn int(&mut self, _: u64) {}
    fn truth(&mut self, _: bool) {}
    fn begin_object(&mut self) {}
    fn member(&mut self, (): &mut (), _: &str, (): ()) {}
    fn object(&mut self, (): (), _: &[u8]) {}
    fn begin_list(&mut self) {}
    fn item(&mut self, (): &mut (), (): ()) {}
    fn list(&mut self, (): ()) {}
}

/// A place in bytes that are being read.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    /// The bytes up to the first outside 0x20–0x7E: looked for once for all strings in them.
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let good = bytes.get(..printable(bytes)).unwrap_or_default();
        Self { bytes, text: std::str::from_utf8(good).unwrap_or_default(), at: 0 }
    }

    /// How far it has read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Where the first byte outside 0x20–0x7E is.
    pub(crate) fn odd(&self) -> Option<usize> {
        (self.text.len() < self.bytes.len()).then_some(self.text.len())
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Bytes `from` up to here.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..self.at).unwrap_or_default()
    }

    pub(crate) fn expected<T>(&self, what: &'static str) -> Result<T, BadLine> {
        Err(BadLine { at: self.at, fault: Fault::Expected(what) })
    }

    /// What stands up to here from `from` on, which is a place where this scanner stood.
    pub(crate) fn text_to(&self, from: usize, to: usize) -> Option<&'a str> {
        self.text.get(from..to)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Reads exactly this text.
    #[inline(always)]
    pub(crate) fn literal(&mut self, text: &'static str) -> Result<(), BadLine> {
        if !self.skip(text) {
            return self.expected(text);
        }
        Ok(())
    }

    /// Reads this text if it comes next.
    #[inline(always)]
    pub(crate) fn skip(&mut self, text: &str) -> bool {
        let here = self.rest().starts_with(text.as_bytes());
        if here {
            self.at += text.len();
        }
        here
    }

    /// Reads the end.
    pub(crate) fn end(&self) -> Result<(), BadLine> {
        if self.at == self.bytes.len() { Ok(()) } else { self.expected("the end") }
    }

    /// Reads a string and yields what stands between its quotes.
    pub(crate) fn string(&mut self) -> Result<&'a str, BadLine> {
        self.literal("\"")?;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let length = unquoted_length(rest);
        self.at += length;
        if rest.get(length) != Some(&b'"') {
            return self.expected("a closing quote; strings hold only 0x20-0x7e without quote and backslash");
        }
        self.at += 1;
        self.text_to(start, start + length).map_or_else(|| self.expected("ASCII"), Ok)
    }

    /// Reads a string of this length, where `read` takes it; else it stays
    /// where it is. What `read` takes must be plain: only the quotes are looked at here.
    pub(crate) fn sized<T>(&mut self, length: usize, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let (start, end) = (self.at + 1, self.at + 1 + length);
        let quoted = self.peek() == Some(b'"') && self.bytes.get(end) == Some(&b'"');
        let found = if quoted { read(self.text_to(start, end)?)? } else { return None };
        self.at = end + 1;
        Some(found)
    }

    /// Reads an integer.
    pub(crate) fn integer(&mut self) -> Result<u64, BadLine> {
        let rest = self.rest();
        let length = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest.get(..length).unwrap_or_default();
        let canonical = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && length <= 16;
        let number = digits.iter().take(16).fold(0u64, |sum, b| sum * 10 + u64::from(b - b'0'));
        if !canonical || number > MAX_INT {
            return self.expected("an integer from 0 to 2^53-1 without leading zeros");
        }
        self.at += length;
        Ok(number)
    }

    /// Reads a value of any kind; `depth` is that of the value.
    pub(crate) fn value<B: Build<'a>>(&mut self, depth: usize, build: &mut B) -> Result<B::Node, BadLine> {
        match self.peek() {
            Some(b'"') => self.string().map(|text| build.text(text)),
            Some(b'{') => self.object(depth, build),
            Some(b'[') => self.list(depth, build),
            Some(b'0'..=b'9') => self.integer().map(|number| build.int(number)),
            Some(_) | None if self.skip("true") => Ok(build.truth(true)),
            Some(_) | None if self.skip("false") => Ok(build.truth(false)),
            Some(_) | None => self.expected("an object, an array, a string, an integer, true or false"),
        }
    }

    fn deeper(&self, depth: usize) -> Result<(), BadLine> {
        if depth > MAX_DEPTH {
            return Err(BadLine { at: self.at, fault: Fault::Refused("nested deeper than 6") });
        }
        Ok(())
    }

    fn object<B: Build<'a>>(&mut self, depth: usize, build: &mut B) -> Result<B::Node, BadLine> {
        self.deeper(depth)?;
        let from = self.at;
        self.literal("{")?;
        let mut object = build.begin_object();
        let mut before: Option<&str> = None;
        if self.skip("}") {
            return Ok(build.object(object, self.since(from)));
        }
        loop {
            let start = self.at;
            let name = self.string()?;
            if before.is_some_and(|b| b >= name) {
                let fault = Fault::Refused("members must be unique and sorted by byte");
                return Err(BadLine { at: start, fault });
            }
            before = Some(name);
            self.literal(":")?;
            let node = self.value(depth + 1, build)?;
            build.member(&mut object, name, node);
            if self.skip("}") {
                return Ok(build.object(object, self.since(from)));
            }
            if !self.skip(",") {
                return self.expected("a comma or the end of the object");
            }
        }
    }

    fn list<B: Build<'a>>(&mut self, depth: usize, build: &mut B) -> Result<B::Node, BadLine> {
        self.deeper(depth)?;
        self.literal("[")?;
        let mut list = build.begin_list();
        if self.skip("]") {
            return Ok(build.list(list));
        }
        loop {
            let node = self.value(depth + 1, build)?;
            build.item(&mut list, node);
            if self.skip("]") {
                return Ok(build.list(list));
            }
            if !self.skip(",") {
                return self.expected("a comma or the end of the array");
            }
        }
    }
}
