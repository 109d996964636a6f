//! How much may be recorded, so that no agent's output takes the space of the
//! others: of one login, of one agent a day, and much less of one agent while
//! the file system of the state directory is short of space.
//!
//! What goes beyond is never "not recorded and shown all the same": the login
//! is ended (`session_closed: recording_quota`), and new ones and new lines are
//! refused unasked.

use countersign_api::front::SPOOL_AHEAD;
use countersign_ledger::RecordedHour;
use countersign_sys as sys;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// One day in µs.
const DAY_US: u64 = 24 * 3600 * 1_000_000;
/// Least that a front may be ahead of what is taken of its spool, in bytes.
const LEAST_AHEAD: u64 = 256 * 1024;
/// The space above the reserve in parts of which one front may be ahead: the
/// 16 logins of one agent, whose output takes six times as much as a recording
/// at worst, do not reach the reserve in one go.
const AHEAD_PART: u64 = 128;
/// What a submission is counted with beside its own length, in bytes: its
/// entries, and what is around it.
pub(crate) const SUBMISSION_BYTES: u64 = 8 * 1024;

/// What a login is counted with: a file for its recording. A free inode is as
/// much of free space, which is how ext4 shares them out.
pub(crate) const FILE_BYTES: u64 = 16 * 1024;

/// `[recording]` of the configuration, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Longest recording of a login.
    pub(crate) max_bytes_per_login: u64,
    /// Most of one agent within a day.
    pub(crate) max_bytes_per_agent_day: u64,
    /// Where less is free, space is scarce.
    pub(crate) keep_free_bytes: u64,
    /// Most of one agent within a day while it is.
    pub(crate) scarce_bytes_per_agent_day: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes_per_login: 1 << 30,
            max_bytes_per_agent_day: 8 << 30,
            keep_free_bytes: 1 << 30,
            scarce_bytes_per_agent_day: 16 << 20,
        }
    }
}

impl Limits {
    /// What is wrong with them.
    pub(crate) fn fault(&self) -> Option<String> {
        let all = [self.max_bytes_per_login, self.max_bytes_per_agent_day, self.scarce_bytes_per_agent_day];
        all.contains(&0).then(|| "limits of [recording] must be at least 1; only keep_free_bytes may be 0".to_owned())
    }

    /// Four numbers with commas between them, in the order of the fields.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u64>, _> = text.split(',').map(str::parse).collect();
        let [max_bytes_per_login, max_bytes_per_agent_day, keep_free_bytes, scarce_bytes_per_agent_day] =
            numbers.map_err(|e| e.to_string())?.try_into().map_err(|_| "want four numbers".to_owned())?;
        let limits = Self { max_bytes_per_login, max_bytes_per_agent_day, keep_free_bytes, scarce_bytes_per_agent_day };
        limits.fault().map_or(Ok(limits), Err)
    }
}

/// Why no more is recorded. The text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// The login has all that it may have.
    #[error(
        "this login has recorded the {0} bytes that this host keeps of one; log in again, and send long output to a file"
    )]
    Login(u64),
    /// The agent has.
    #[error("this account has recorded the {0} bytes that this host keeps of one a day; wait, or ask the operator")]
    Agent(u64),
    /// The agent has what it may have while space is scarce.
    #[error(
        "this host is short of space, and this account has recorded the {0} bytes that it then keeps of one a day; ask the operator to make room"
    )]
    Scarce(u64),
}

/// What was recorded of each agent, and whether there is room for more.
pub(crate) struct Room {
    limits: Limits,
    state: PathBuf,
    agents: Mutex<HashMap<u32, Used>>,
}

/// What leaks away by the limit in a day.
#[derive(Debug, Clone, Copy)]
struct Used {
    bytes: u64,
    at_us: u64,
}

impl Used {
    fn leak(&mut self, limit: u64, now_us: u64) {
        let since_us = now_us.saturating_sub(self.at_us);
        let gone = u128::from(since_us) * u128::from(limit) / u128::from(DAY_US);
        let gone = u64::try_from(gone).unwrap_or(u64::MAX);
        // Less than a byte is kept for the next time.
        if gone > 0 || self.bytes == 0 {
            self.bytes = self.bytes.saturating_sub(gone);
            self.at_us = now_us;
        }
    }
}

impl Room {
    pub(crate) fn new(limits: Limits, state: PathBuf) -> Self {
        Self { limits, state, agents: Mutex::default() }
    }

    /// Takes up what a daemon before this one counted, by the journal.
    /// `wall_us` and `now_us` are the same moment on the clocks of the journal
    /// and of the limits.
    pub(crate) fn remember(&self, recorded: &[RecordedHour], wall_us: u64, now_us: u64) {
        let (_, limit) = self.limit(self.free());
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        for hour in recorded {
            // A clock that was set back lets nothing leak away.
            let until_us = u64::try_from(hour.until_us).unwrap_or(0).min(wall_us);
            let used = agents.entry(hour.uid).or_insert(Used { bytes: 0, at_us: until_us });
            used.leak(limit, until_us);
            let logins = hour.logins.saturating_mul(FILE_BYTES);
            let submissions = hour.submissions.saturating_mul(SUBMISSION_BYTES);
            used.bytes = used.bytes.saturating_add(hour.bytes).saturating_add(logins).saturating_add(submissions);
        }
        for used in agents.values_mut() {
            used.leak(limit, wall_us);
            used.at_us = now_us;
        }
    }

    /// Counts what was recorded of an agent (CLOCK_BOOTTIME in µs).
    pub(crate) fn count(&self, uid: u32, bytes: u64, now_us: u64) {
        let (_, limit) = self.limit(self.free());
        self.charge(uid, bytes, limit, now_us);
    }

    /// Why this agent's login of so many recorded bytes may record nothing
    /// more, if so.
    pub(crate) fn refuses(&self, uid: u32, login_bytes: u64, now_us: u64) -> Option<Full> {
        let most = self.limits.max_bytes_per_login;
        if login_bytes >= most {
            return Some(Full::Login(most));
        }
        let (scarce, limit) = self.limit(self.free());
        let used = self.charge(uid, 0, limit, now_us);
        (used >= limit).then_some(if scarce { Full::Scarce(limit) } else { Full::Agent(limit) })
    }

    /// How far a front may be ahead of what is taken of its spool, in bytes.
    pub(crate) fn ahead(&self) -> u64 {
        self.ahead_of(self.free())
    }

    fn ahead_of(&self, free: u64) -> u64 {
        if self.limits.keep_free_bytes == 0 {
            return SPOOL_AHEAD;
        }
        let above = free.saturating_sub(self.limits.keep_free_bytes);
        (above / AHEAD_PART).clamp(LEAST_AHEAD, SPOOL_AHEAD)
    }

    /// Free bytes; none where that cannot be told.
    fn free(&self) -> u64 {
        let free = sys::free_bytes(&self.state).and_then(|bytes| {
            let files = sys::files::free_inodes(&self.state)?;
            Ok(bytes.min(files.map_or(u64::MAX, |files| files.saturating_mul(FILE_BYTES))))
        });
        free.unwrap_or_else(|why| {
            tracing::error!("cannot ask for the free space of {}: {why}", self.state.display());
            0
        })
    }

    /// Whether space is scarce, and what an agent may have in a day.
    fn limit(&self, free: u64) -> (bool, u64) {
        let Limits { max_bytes_per_agent_day: most, scarce_bytes_per_agent_day: little, .. } = self.limits;
        if free < self.limits.keep_free_bytes { (true, little.min(most)) } else { (false, most) }
    }

    fn charge(&self, uid: u32, bytes: u64, limit: u64, now_us: u64) -> u64 {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let used = agents.entry(uid).or_insert(Used { bytes: 0, at_us: now_us });
        used.leak(limit, now_us);
        used.bytes = used.bytes.saturating_add(bytes);
        used.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: u64 = DAY_US / 24;

    fn room(keep_free_bytes: u64) -> Room {
        let limits = Limits {
            max_bytes_per_login: 1000,
            max_bytes_per_agent_day: 2400,
            keep_free_bytes,
            scarce_bytes_per_agent_day: 240,
        };
        Room::new(limits, PathBuf::from("/"))
    }

    #[test]
    fn a_login_an_agent_and_no_other() {
        let room = room(0);
        let now_us = 7 * DAY_US;
        assert_eq!(room.refuses(1, 999, now_us), None);
        assert_eq!(room.refuses(1, 1000, now_us), Some(Full::Login(1000)));
        room.count(1, 2399, now_us);
        assert_eq!(room.refuses(1, 0, now_us), None);
        room.count(1, 1, now_us);
        assert_eq!(room.refuses(1, 0, now_us), Some(Full::Agent(2400)));
        assert_eq!(room.refuses(2, 0, now_us), None, "another agent goes on");
        // A hundred bytes an hour leak away, also where it is asked all the time.
        for step in 0..3600 {
            room.refuses(1, 0, now_us + step * 1_000_000);
        }
        assert_eq!(room.refuses(1, 0, now_us + HOUR_US), None);
        room.count(1, 99, now_us + HOUR_US);
        assert_eq!(room.refuses(1, 0, now_us + HOUR_US), None);
        room.count(1, 1, now_us + HOUR_US);
        assert!(room.refuses(1, 0, now_us + HOUR_US).is_some());
        assert_eq!(room.refuses(1, 0, now_us + 3 * DAY_US), None);
    }

    #[test]
    fn a_restart_forgets_nothing_of_a_day() {
        let recorded = |hours_ago: i64, bytes| RecordedHour {
            uid: 1,
            until_us: i64::try_from(DAY_US).unwrap() * 9 - hours_ago * i64::try_from(HOUR_US).unwrap(),
            bytes,
            logins: 0,
            submissions: 0,
        };
        let (wall_us, now_us) = (9 * DAY_US, 7 * HOUR_US);
        let refused = |recorded: &[RecordedHour]| {
            let room = room(0);
            room.remember(recorded, wall_us, now_us);
            (room.refuses(1, 0, now_us), room.refuses(1, 0, now_us + HOUR_US), room.refuses(2, 0, now_us))
        };
        // A hundred bytes an hour leak away, before the restart and after it.
        assert_eq!(refused(&[recorded(0, 2400)]), (Some(Full::Agent(2400)), None, None));
        assert_eq!(refused(&[recorded(0, 2600)]), (Some(Full::Agent(2400)), Some(Full::Agent(2400)), None));
        assert_eq!(refused(&[recorded(2, 2599)]), (None, None, None));
        assert_eq!(refused(&[recorded(2, 300), recorded(0, 2300)]), (Some(Full::Agent(2400)), None, None));
        // Of an hour to come: a clock that was set back.
        assert_eq!(refused(&[recorded(-5, 2400)]), (Some(Full::Agent(2400)), None, None));
        assert_eq!(refused(&[RecordedHour { logins: 1, ..recorded(0, 0) }]).0, Some(Full::Agent(2400)));
        assert_eq!(refused(&[RecordedHour { submissions: 1, ..recorded(0, 0) }]).0, Some(Full::Agent(2400)));
    }

    #[test]
    fn while_space_is_scarce_who_has_recorded_much_is_held_up_and_others_go_on() {
        let room = room(u64::MAX);
        room.count(1, 240, 0);
        room.count(2, 239, 0);
        assert_eq!(room.refuses(1, 0, 0), Some(Full::Scarce(240)));
        assert_eq!(room.refuses(2, 0, 0), None);
        assert_eq!(room.refuses(1, 0, HOUR_US), None, "ten bytes an hour");
    }

    #[test]
    fn what_cannot_be_told_is_scarce() {
        let room = Room { state: PathBuf::from("/no/such/place"), ..room(1) };
        room.count(1, 240, 0);
        assert_eq!(room.refuses(1, 0, 0), Some(Full::Scarce(240)));
    }

    #[test]
    fn the_less_is_free_the_less_a_front_may_be_ahead() {
        let room = room(1 << 30);
        assert_eq!(room.ahead_of(8 << 30), SPOOL_AHEAD);
        assert_eq!(room.ahead_of(2 << 30), 8 << 20);
        assert_eq!([room.ahead_of(1 << 30), room.ahead_of(0)], [LEAST_AHEAD; 2]);
        let most = |free: u64| 16 * 6 * room.ahead_of(free);
        for free in [2 << 30, 3 << 30, 20 << 30] {
            assert!(most(free) <= free - (1 << 30), "{free}");
        }
    }

    #[test]
    fn four_numbers() {
        assert_eq!(Limits::parse("1,2,0,4").unwrap().scarce_bytes_per_agent_day, 4);
        for bad in ["", "1", "1,2,3", "1,2,3,4,5", "0,1,1,1", "1,0,1,1", "1,1,1,0", "a,1,1,1", "1,-1,1,1"] {
            assert!(Limits::parse(bad).is_err(), "{bad}");
        }
    }
}
