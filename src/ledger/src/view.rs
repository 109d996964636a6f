//! Values that borrow from the line they stand in: what verification reads.

pub(crate) use crate::node::Node;
use crate::scan::Build;
use crate::value::Value;

/// A value of the leaf grammar, as [`Value`] is, without a copy of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum View<'a> {
    /// Members, sorted by byte.
    Object(Vec<(&'a str, View<'a>)>),
    /// A list.
    List(Vec<View<'a>>),
    /// A text.
    Text(&'a str),
    /// A number.
    Int(u64),
    /// A truth value.
    Bool(bool),
}

impl Node for View<'_> {
    fn get(&self, name: &str) -> Option<&Self> {
        // Few enough that looking at each is faster than to halve.
        self.as_object()?.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
    fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(values) = self { Some(values) } else { None }
    }
    fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
    fn as_int(&self) -> Option<u64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }
}

impl<'a> View<'a> {
    /// The members, where this is an object.
    pub fn as_object(&self) -> Option<&[(&'a str, Self)]> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The truth value, where this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// A copy that borrows nothing.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), value.to_value())).collect())
            }
            Self::List(values) => Value::List(values.iter().map(Self::to_value).collect()),
            Self::Text(text) => Value::Text((*text).to_owned()),
            Self::Int(number) => Value::Int(*number),
            Self::Bool(truth) => Value::Bool(*truth),
        }
    }
}

/// Builds a [`View`].
pub(crate) struct Borrow;

impl<'a> Build<'a> for Borrow {
    type Node = View<'a>;
    type Object = Vec<(&'a str, View<'a>)>;
    type List = Vec<View<'a>>;
    fn text(text: &'a str) -> View<'a> {
        View::Text(text)
    }
    fn int(number: u64) -> View<'a> {
        View::Int(number)
    }
    fn truth(truth: bool) -> View<'a> {
        View::Bool(truth)
    }
    fn member(object: &mut Self::Object, name: &'a str, node: View<'a>) {
        object.push((name, node));
    }
    fn item(list: &mut Self::List, node: View<'a>) {
        list.push(node);
    }
    fn object(object: Self::Object) -> View<'a> {
        View::Object(object)
    }
    fn list(list: Self::List) -> View<'a> {
        View::List(list)
    }
}
