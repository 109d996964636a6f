//! An entry as the life of its login sees it.

use super::decision::Moment;
use crate::Kind;
use crate::openings::Shown;
use crate::view::{Node as _, View};
use countersign_core::{Digest, LoginId};

/// An entry of a login.
pub(super) struct Event<'a> {
    pub seq: u64,
    /// `None` where this version does not know the kind.
    pub kind: Option<Kind>,
    /// `None` where its members are not what they must be.
    pub body: Option<&'a View<'a>>,
    pub login: LoginId,
    pub n: u64,
    pub prev: Digest,
    pub leaf: Digest,
    pub at: Moment,
    /// Wall clock, µs since 1970; the service's at the last good checkpoint where that is later.
    pub at_us: i64,
    /// Whether the whole command is recorded, for `command_submitted`.
    pub whole: bool,
    /// Its openings, where they hold.
    pub opened: Option<&'a Shown<'a>>,
    /// The hash of the host's entry before, and how it is written.
    pub before: (&'a str, Digest),
}

impl Event<'_> {
    /// What `of` names: nearly always the entry before, which was read already.
    pub fn of(&self, body: &View<'_>) -> Option<Digest> {
        let text = body.get("of")?.as_text()?;
        if text == self.before.0 { Some(self.before.1) } else { text.parse().ok() }
    }
}
