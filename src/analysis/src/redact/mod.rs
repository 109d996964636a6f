//! Finds secrets and personal data in command lines and in other text.
//!
//! What is found may be hidden from the record and from reviewers, so a hidden
//! span must never be code: only literal text is hidden. Text with an expansion
//! in it (`-p"$(…)"`) is shown and reported with `literal: false`.

mod context;
mod find;
mod forms;
mod general;
mod grammar;
mod input;
mod named_pairs;
mod names;
mod obeyed;
mod pasted;
mod personal;
mod provider;
mod run;
mod scrub;
mod shape;
mod shell;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod url;
mod values;

pub(crate) use find::find_in;
pub use find::{Dialect, find, find_for, find_text};
pub use scrub::{Counts, Kinds, scrub, scrub_bytes, scrub_script};
pub use stream::{Known, MAX_HELD, Stream};

/// Something in a text that is or may be private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
    /// What it is, a word of `a-z 0-9 _`, e.g. `github_token`.
    pub kind: &'static str,
    /// Secret or personal.
    pub class: Class,
    /// It is plain data. `false`: the shell may put something else there, so
    /// it has to be shown.
    pub literal: bool,
}

/// What a finding is to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It opens something.
    Secret,
    /// It belongs to a person.
    Personal,
}

impl Finding {
    /// Whether it is cut out of what is stored and shown: literal secrets, and
    /// numbers of cards and accounts. Mail addresses are only counted.
    pub fn is_cut(&self) -> bool {
        self.literal && (self.class == Class::Secret || matches!(self.kind, "card_number" | "iban"))
    }
}
