//! A strict scanner of the leaf grammar (`docs/LEDGER.md`). It knows no
//! escapes, no white space, no floats and no null, because the grammar has none.

use crate::value::{MAX_DEPTH, MAX_INT, Value, is_plain};
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
    read::<Tree>(bytes)
}

/// Reads one value that is a whole document, as whatever is wanted of it.
pub(crate) fn read<'a, B: Build<'a>>(bytes: &'a [u8]) -> Result<B::Node, BadLine> {
    let mut scanner = Scanner::new(bytes);
    let value = scanner.value::<B>(1)?;
    scanner.end()?;
    Ok(value)
}

/// What a scan makes of the values it meets: a tree, a tree that borrows, or
/// nothing but the check.
pub(crate) trait Build<'a> {
    /// A finished value.
    type Node;
    /// An object being read.
    type Object: Default;
    /// A list being read.
    type List: Default;
    /// A string.
    fn text(text: &'a str) -> Self::Node;
    /// An integer.
    fn int(number: u64) -> Self::Node;
    /// A truth value.
    fn truth(truth: bool) -> Self::Node;
    /// Adds a member.
    fn member(object: &mut Self::Object, name: &'a str, node: Self::Node);
    /// Adds an item.
    fn item(list: &mut Self::List, node: Self::Node);
    /// Ends an object.
    fn object(object: Self::Object) -> Self::Node;
    /// Ends a list.
    fn list(list: Self::List) -> Self::Node;
}

/// Builds a [`Value`].
pub(crate) struct Tree;

impl Build<'_> for Tree {
    type Node = Value;
    type Object = BTreeMap<String, Value>;
    type List = Vec<Value>;
    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
    fn int(number: u64) -> Value {
        Value::Int(number)
    }
    fn truth(truth: bool) -> Value {
        Value::Bool(truth)
    }
    fn member(object: &mut Self::Object, name: &str, node: Value) {
        object.insert(name.to_owned(), node);
    }
    fn item(list: &mut Vec<Value>, node: Value) {
        list.push(node);
    }
    fn object(object: Self::Object) -> Value {
        Value::Object(object)
    }
    fn list(list: Vec<Value>) -> Value {
        Value::List(list)
    }
}

/// Only checks.
pub(crate) struct Check;

impl Build<'_> for Check {
    type Node = ();
    type Object = ();
    type List = ();
    fn text(_: &str) {}
    fn int(_: u64) {}
    fn truth(_: bool) {}
    fn member((): &mut (), _: &str, (): ()) {}
    fn item((): &mut (), (): ()) {}
    fn object((): ()) {}
    fn list((): ()) {}
}

/// A place in bytes that are being read.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How far it has read.
    pub(crate) fn at(&self) -> usize {
        self.at
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

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Reads exactly this text.
    pub(crate) fn literal(&mut self, text: &'static str) -> Result<(), BadLine> {
        if !self.skip(text) {
            return self.expected(text);
        }
        Ok(())
    }

    /// Reads this text if it comes next.
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
        let rest = self.rest();
        let length = rest.iter().position(|b| !is_plain(*b)).unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(length).unwrap_or_default();
        self.at += length;
        if after.first() != Some(&b'"') {
            return self.expected("a closing quote; strings hold only 0x20-0x7e without quote and backslash");
        }
        self.at += 1;
        // Plain bytes are ASCII.
        std::str::from_utf8(text).or_else(|_| self.expected("ASCII"))
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
    pub(crate) fn value<B: Build<'a>>(&mut self, depth: usize) -> Result<B::Node, BadLine> {
        match self.peek() {
            Some(b'"') => self.string().map(B::text),
            Some(b'{') => self.object::<B>(depth),
            Some(b'[') => self.list::<B>(depth),
            Some(b'0'..=b'9') => self.integer().map(B::int),
            Some(_) | None if self.skip("true") => Ok(B::truth(true)),
            Some(_) | None if self.skip("false") => Ok(B::truth(false)),
            Some(_) | None => self.expected("an object, an array, a string, an integer, true or false"),
        }
    }

    fn deeper(&self, depth: usize) -> Result<(), BadLine> {
        if depth > MAX_DEPTH {
            return Err(BadLine { at: self.at, fault: Fault::Refused("nested deeper than 6") });
        }
        Ok(())
    }

    fn object<B: Build<'a>>(&mut self, depth: usize) -> Result<B::Node, BadLine> {
        self.deeper(depth)?;
        self.literal("{")?;
        let mut object = B::Object::default();
        let mut before: Option<&str> = None;
        if self.skip("}") {
            return Ok(B::object(object));
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
            let node = self.value::<B>(depth + 1)?;
            B::member(&mut object, name, node);
            if self.skip("}") {
                return Ok(B::object(object));
            }
            if !self.skip(",") {
                return self.expected("a comma or the end of the object");
            }
        }
    }

    fn list<B: Build<'a>>(&mut self, depth: usize) -> Result<B::Node, BadLine> {
        self.deeper(depth)?;
        self.literal("[")?;
        let mut list = B::List::default();
        if self.skip("]") {
            return Ok(B::list(list));
        }
        loop {
            let node = self.value::<B>(depth + 1)?;
            B::item(&mut list, node);
            if self.skip("]") {
                return Ok(B::list(list));
            }
            if !self.skip(",") {
                return self.expected("a comma or the end of the array");
            }
        }
    }
}
