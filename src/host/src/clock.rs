//! The clock of deadlines.

use countersign_sys as sys;
use std::time::{SystemTime, UNIX_EPOCH};

/// CLOCK_BOOTTIME in µs. Where it cannot be read, the end of time: every
/// deadline has then passed.
pub(crate) fn boottime_us() -> u64 {
    sys::boottime_us().unwrap_or(u64::MAX)
}

/// The wall clock in µs since 1970. One that is before that shows 0, from
/// which nothing has grown old.
pub(crate) fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
