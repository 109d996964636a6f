//! The clock of deadlines.

use countersign_sys as sys;

/// CLOCK_BOOTTIME in µs. Where it cannot be read, the end of time: every
/// deadline has then passed.
pub(crate) fn boottime_us() -> u64 {
    sys::boottime_us().unwrap_or(u64::MAX)
}
