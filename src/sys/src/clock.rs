//! Clocks and the boot they belong to.

use nix::time::{ClockId, clock_gettime};
use std::io;

/// Microseconds since boot, suspended time included (`CLOCK_BOOTTIME`): the
/// clock of deadlines, which nobody can set.
pub fn boottime_us() -> io::Result<u64> {
    let micros = read(ClockId::CLOCK_BOOTTIME)?;
    u64::try_from(micros).map_err(io::Error::other)
}

/// Microseconds since 1970 (`CLOCK_REALTIME`): for people to read.
pub fn realtime_us() -> io::Result<i64> {
    read(ClockId::CLOCK_REALTIME)
}

/// The kernel's boot id without dashes: 32 lower-case hex digits.
pub fn boot_id() -> io::Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let id: String = text.trim().chars().filter(|c| *c != '-').collect();
    let hex = id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if id.len() == 32 && hex { Ok(id) } else { Err(io::Error::other("the kernel's boot id has another form")) }
}

fn read(clock: ClockId) -> io::Result<i64> {
    let time = clock_gettime(clock)?;
    let seconds = time.tv_sec().checked_mul(1_000_000).ok_or_else(|| io::Error::other("clock out of range"))?;
    Ok(seconds + time.tv_nsec() / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forward() {
        let first = boottime_us().unwrap();
        assert!(boottime_us().unwrap() >= first && first > 0);
        assert!(realtime_us().unwrap() > 1_700_000_000_000_000);
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
    }
}
