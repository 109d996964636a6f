//! Values that borrow from the line they stand in: what verification reads.
//!
//! A tree would cost an allocation for every object and list. Here the values
//! of many lines stand one after the other in one list, and a view is a part of it.

pub(crate) use crate::node::Node;
use crate::scan::Build;
use crate::value::Value;

/// A value and, right behind it, what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// Where it is a member: its name.
    name: &'a str,
    what: What<'a>,
    /// How many there are of this one and what it holds.
    size: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What<'a> {
    /// Members, sorted by byte; and the bytes they were read from.
    Object(&'a [u8]),
    List,
    Text(&'a str),
    Int(u64),
    Bool(bool),
}

/// A value of the leaf grammar, as [`Value`] is, without a copy of its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View<'t> {
    tokens: &'t [Token<'t>],
}

/// The values of a list.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Items<'t>(Members<'t>);

/// The members of an object.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Members<'t> {
    rest: &'t [Token<'t>],
}

impl<'t> Items<'t> {
    /// Each value.
    pub fn iter(self) -> Values<'t> {
        Values(self.0.iter())
    }
}

impl<'t> Members<'t> {
    /// Each name and its value, in order.
    pub fn iter(self) -> Children<'t> {
        Children { rest: self.rest }
    }
}

/// Member after member.
#[derive(Debug, Clone)]
pub(crate) struct Children<'t> {
    rest: &'t [Token<'t>],
}

impl<'t> Iterator for Children<'t> {
    type Item = (&'t str, View<'t>);
    fn next(&mut self) -> Option<Self::Item> {
        let first = self.rest.first()?;
        let (tokens, rest) = self.rest.split_at_checked(first.size)?;
        self.rest = rest;
        Some((first.name, View { tokens }))
    }
}

/// Value after value.
#[derive(Debug, Clone)]
pub(crate) struct Values<'t>(Children<'t>);

impl<'t> Iterator for Values<'t> {
    type Item = View<'t>;
    fn next(&mut self) -> Option<View<'t>> {
        self.0.next().map(|(_, value)| value)
    }
}

impl<'t> Node<'t> for View<'t> {
    type Items = Values<'t>;
    fn get(self, name: &str) -> Option<Self> {
        // Few enough that looking at each is faster than to halve.
        self.as_object()?.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
    fn items(self) -> Option<Values<'t>> {
        self.as_list().map(Items::iter)
    }
    fn as_text(self) -> Option<&'t str> {
        if let What::Text(text) = self.what()? { Some(text) } else { None }
    }
    fn as_int(self) -> Option<u64> {
        if let What::Int(number) = self.what()? { Some(number) } else { None }
    }
    fn just<const N: usize>(self, names: [&str; N]) -> Option<[Self; N]> {
        let (mut members, mut values) = (self.as_object()?.iter(), [self; N]);
        for (value, name) in values.iter_mut().zip(names) {
            let (found, held) = members.next()?;
            *value = (found == name).then_some(held)?;
        }
        members.next().is_none().then_some(values)
    }
}

impl<'t> View<'t> {
    /// The value that stands in these tokens alone.
    pub fn of(tokens: &'t [Token<'t>]) -> Self {
        Self { tokens }
    }

    fn what(self) -> Option<What<'t>> {
        self.tokens.first().map(|token| token.what)
    }

    fn held(self) -> Members<'t> {
        Members { rest: self.tokens.get(1..).unwrap_or_default() }
    }

    /// The members, where this is an object.
    pub fn as_object(self) -> Option<Members<'t>> {
        matches!(self.what()?, What::Object(_)).then(|| self.held())
    }

    /// The values, where this is a list.
    pub fn as_list(self) -> Option<Items<'t>> {
        matches!(self.what()?, What::List).then(|| Items(self.held()))
    }

    /// The truth value, where this is one.
    pub fn as_bool(self) -> Option<bool> {
        if let What::Bool(truth) = self.what()? { Some(truth) } else { None }
    }

    /// The bytes of an object, which are its one encoding.
    #[cfg(feature = "verify")]
    pub fn object_bytes(self) -> Option<&'t [u8]> {
        if let What::Object(bytes) = self.what()? { Some(bytes) } else { None }
    }

    /// A copy that borrows nothing.
    pub fn to_value(self) -> Value {
        match self.what() {
            Some(What::Object(_)) | None => {
                Value::Object(self.held().iter().map(|(name, value)| (name.to_owned(), value.to_value())).collect())
            }
            Some(What::List) => Value::List(self.held().iter().map(|(_, value)| value.to_value()).collect()),
            Some(What::Text(text)) => Value::Text(text.to_owned()),
            Some(What::Int(number)) => Value::Int(number),
            Some(What::Bool(truth)) => Value::Bool(truth),
        }
    }
}

/// Adds the tokens of what is scanned.
pub(crate) struct Borrow<'v, 'a>(pub &'v mut Vec<Token<'a>>);

impl<'a> Borrow<'_, 'a> {
    fn put(&mut self, what: What<'a>) -> usize {
        self.0.push(Token { name: "", what, size: 1 });
        self.0.len() - 1
    }

    fn end(&mut self, at: usize, what: What<'a>) -> usize {
        let size = self.0.len() - at;
        if let Some(token) = self.0.get_mut(at) {
            (token.what, token.size) = (what, size);
        }
        at
    }
}

impl<'a> Build<'a> for Borrow<'_, 'a> {
    type Node = usize;
    type Object = usize;
    type List = usize;
    fn text(&mut self, text: &'a str) -> usize {
        self.put(What::Text(text))
    }
    fn int(&mut self, number: u64) -> usize {
        self.put(What::Int(number))
    }
    fn truth(&mut self, truth: bool) -> usize {
        self.put(What::Bool(truth))
    }
    fn begin_object(&mut self) -> usize {
        self.put(What::List)
    }
    fn member(&mut self, _: &mut usize, name: &'a str, node: usize) {
        if let Some(token) = self.0.get_mut(node) {
            token.name = name;
        }
    }
    fn object(&mut self, object: usize, bytes: &'a [u8]) -> usize {
        self.end(object, What::Object(bytes))
    }
    fn begin_list(&mut self) -> usize {
        self.put(What::List)
    }
    fn item(&mut self, _: &mut usize, _: usize) {}
    fn list(&mut self, list: usize) -> usize {
        self.end(list, What::List)
    }
}

/// An empty list in the memory of one whose items borrowed something else:
/// what the standard library makes of items of the same size it makes in place.
pub(crate) fn emptied<A, B>(mut list: Vec<A>) -> Vec<B> {
    list.clear();
    list.into_iter().filter_map(|_| None).collect()
}
