//! What was recorded of each account, by the hour: for limits that a restart
//! must not forget.

use crate::Kind;
use crate::view::{Node as _, View};
use std::collections::BTreeMap;

/// One hour in µs.
const HOUR_US: i64 = 3600 * 1_000_000;
/// Hours that are kept, counted back from the newest: a day, and what it begins in.
const KEPT: i64 = 25;

/// What was recorded of one account within an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedHour {
    /// The account's uid, as `session_opened` says.
    pub uid: u32,
    /// The end of the hour by the wall clock, in µs since 1970.
    pub until_us: i64,
    /// Bytes of recordings, and of the commands that were submitted.
    pub bytes: u64,
    /// Logins that began.
    pub logins: u64,
    /// Commands that were submitted.
    pub submissions: u64,
}

/// The hours so far.
#[derive(Default)]
pub(super) struct Hours(BTreeMap<(i64, u32), RecordedHour>);

impl Hours {
    /// Counts a `session_opened`, `command_submitted` or `recording_chunk`.
    pub(super) fn entry(&mut self, kind: Kind, uid: Option<u32>, at_us: i64, body: View<'_>) {
        let int = |name| body.get(name).and_then(View::as_int).unwrap_or(0);
        let Some(uid) = uid else { return };
        let submitted = kind == Kind::CommandSubmitted;
        let bytes = int(if submitted { "cmd_bytes" } else { "length" });
        let hour = at_us.div_euclid(HOUR_US);
        if !self.0.contains_key(&(hour, uid)) {
            self.0.retain(|(kept, _), _| kept.saturating_add(KEPT) > hour);
        }
        let until_us = hour.saturating_add(1).saturating_mul(HOUR_US);
        let new = RecordedHour { uid, until_us, bytes: 0, logins: 0, submissions: 0 };
        let found = self.0.entry((hour, uid)).or_insert(new);
        found.bytes = found.bytes.saturating_add(bytes);
        found.logins += u64::from(kind == Kind::SessionOpened);
        found.submissions += u64::from(submitted);
    }

    /// All of them, the oldest first.
    pub(super) fn into_list(self) -> Vec<RecordedHour> {
        self.0.into_values().collect()
    }
}
