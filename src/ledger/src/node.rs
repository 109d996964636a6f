//! What can be asked of a value of the leaf grammar, whoever owns its texts.

use crate::value::Value;

/// What can be asked of a value, owned or borrowed.
pub(crate) trait Node: Sized {
    /// The member of this name, where this is an object that has it.
    fn get(&self, name: &str) -> Option<&Self>;
    /// The values, where this is a list.
    fn as_list(&self) -> Option<&[Self]>;
    /// The text, where this is one.
    fn as_text(&self) -> Option<&str>;
    /// The number, where this is one.
    fn as_int(&self) -> Option<u64>;

    /// Reads a text as an id, a digest or another word of the domain.
    fn parse<T: std::str::FromStr>(&self) -> Option<T> {
        self.as_text()?.parse().ok()
    }

    /// Reads the member of this name as [`Node::parse`] does.
    fn member<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse()
    }
}

impl Node for Value {
    fn get(&self, name: &str) -> Option<&Self> {
        Self::get(self, name)
    }
    fn as_list(&self) -> Option<&[Self]> {
        Self::as_list(self)
    }
    fn as_text(&self) -> Option<&str> {
        Self::as_text(self)
    }
    fn as_int(&self) -> Option<u64> {
        Self::as_int(self)
    }
}
