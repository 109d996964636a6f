//! The two clocks of an entry.

use nix::time::{ClockId, clock_gettime};

/// A reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, µs since 1970.
    pub at_us: i64,
    /// CLOCK_BOOTTIME in µs.
    pub mono_us: u64,
}

/// Where times come from.
pub trait Clock: Send {
    /// Both clocks now.
    fn now(&mut self) -> Now;
    /// The kernel's boot id, 32 lower-case hex digits without dashes.
    fn boot(&self) -> String;
}

/// The kernel's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot: String,
    last: Now,
}

/// The kernel has no boot id or no CLOCK_BOOTTIME.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot read {0}; is /proc mounted?")]
pub struct ClockError(&'static str);

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

impl SystemClock {
    /// Reads the boot id and both clocks once, so that they are known to work.
    pub fn new() -> Result<Self, ClockError> {
        let text = std::fs::read_to_string(BOOT_ID).map_err(|_| ClockError(BOOT_ID))?;
        let boot: String = text.trim_end().chars().filter(|c| *c != '-').collect();
        if !crate::line::is_hex(&boot, 32) {
            return Err(ClockError(BOOT_ID));
        }
        let last = read().ok_or(ClockError("CLOCK_BOOTTIME"))?;
        Ok(Self { boot, last })
    }
}

impl Clock for SystemClock {
    fn now(&mut self) -> Now {
        // The calls cannot fail once they have worked.
        self.last = read().unwrap_or(self.last);
        self.last
    }

    fn boot(&self) -> String {
        self.boot.clone()
    }
}

fn read() -> Option<Now> {
    let wall = clock_gettime(ClockId::CLOCK_REALTIME).ok()?;
    let boot = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    let mono = boot.tv_sec() * 1_000_000 + boot.tv_nsec() / 1_000;
    Some(Now { at_us: wall.tv_sec() * 1_000_000 + wall.tv_nsec() / 1_000, mono_us: u64::try_from(mono).ok()? })
}
