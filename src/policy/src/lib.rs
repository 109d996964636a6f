//! Rules to a verdict, with the rule that spoke.
//!
//! Pure functions: no I/O, no clock, no keys. Whatever is unclear here is a
//! question for a person, never an approval.
#![forbid(unsafe_code)]

mod exact;
mod fitness;
mod known;
mod words;
mod wrapper;

pub use exact::{Asked, DuplicateLine, ExactRule, ExactRules, Verdict};
pub use fitness::{Unfit, check_line};
