//! What can be asked of a value of the leaf grammar, whoever owns its texts.

use crate::value::Value;

/// What can be asked of a value, owned or borrowed.
pub(crate) trait Node<'t>: Copy {
    /// The values of a list.
    type Items: Iterator<Item = Self> + Clone;
    /// The member of this name, where this is an object that has it.
    fn get(self, name: &str) -> Option<Self>;
    /// The values, where this is a list.
    fn items(self) -> Option<Self::Items>;
    /// The text, where this is one.
    fn as_text(self) -> Option<&'t str>;
    /// The number, where this is one.
    fn as_int(self) -> Option<u64>;
    /// The values of these members, which are sorted, where this is an object
    /// that has them and no other.
    fn just<const N: usize>(self, names: [&str; N]) -> Option<[Self; N]>;

    /// Reads a text as an id, a digest or another word of the domain.
    fn parse<T: std::str::FromStr>(self) -> Option<T> {
        self.as_text()?.parse().ok()
    }

    /// Reads the member of this name as [`Node::parse`] does.
    fn member<T: std::str::FromStr>(self, name: &str) -> Option<T> {
        self.get(name)?.parse()
    }
}

impl<'t> Node<'t> for &'t Value {
    type Items = std::slice::Iter<'t, Value>;
    fn get(self, name: &str) -> Option<Self> {
        Value::get(self, name)
    }
    fn items(self) -> Option<Self::Items> {
        Value::as_list(self).map(<[Value]>::iter)
    }
    fn as_text(self) -> Option<&'t str> {
        Value::as_text(self)
    }
    fn as_int(self) -> Option<u64> {
        Value::as_int(self)
    }
    fn just<const N: usize>(self, names: [&str; N]) -> Option<[Self; N]> {
        let object = self.as_object()?;
        object.keys().eq(names.iter()).then(|| object.values().collect::<Vec<_>>().try_into().ok())?
    }
}
