//! Rules to a verdict, with the rule that spoke.
//!
//! Pure functions: no I/O, no clock, no keys. Whatever is unclear here is a
//! question for a person, never an approval. docs/POLICY.md is the same for
//! people who write rules.
#![forbid(unsafe_code)]

mod administrators;
mod again;
mod decide;
mod document;
mod fitness;
mod judge;
mod known;
mod pattern;
mod plain;
mod policy;
mod reading;
mod rule;
mod schedule;
mod settings;
mod suggest;
mod words;
mod wrapper;

pub use administrators::BadAdministrators;
pub use again::{Again, Piece, Recorded, Whose};
pub use decide::{Asked, Facts, Now, Passed, Ruling, Step, Verdict};
pub use document::{BadDocument, Document, Imported};
pub use fitness::{Unfit, UnfitPattern, advice, check_line, check_pattern};
pub use judge::Examined;
pub use pattern::{BadPattern, Could, Pattern};
pub use plain::{NotPlain, Simple};
pub use policy::{BadPolicy, Policy, Target};
pub use reading::{Reading, shell_of};
pub use rule::{BadRule, Body, Effect, Kind, Rule};
pub use schedule::{BadSchedule, Schedule};
pub use settings::{BadSettings, Classes, Hours, KnownHosts, Settings, Thresholds};
pub use suggest::{Past, Suggestion, suggest};

use rule::PATTERN_SHELLS;

/// Inner shells whose lines are taken apart.
pub(crate) fn rule_shells() -> [&'static str; 2] {
    PATTERN_SHELLS
}
