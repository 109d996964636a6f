//! What one agent may take of the host, so that it cannot lock out the others:
//! logins at a time and a minute, submissions a minute. What goes beyond is
//! refused unasked and counted; the count stands in the agent's next entry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One minute in µs.
const MINUTE_US: u64 = 60_000_000;
/// Logins of an agent a minute: so many for each submission that it may make,
/// since a login whose command is refused is in the record too …
const LOGINS_FOR_EACH: u64 = 4;
/// … and at least so many.
const LEAST_LOGINS: u64 = 240;

/// The limits and what each agent has taken.
pub(crate) struct Quotas {
    logins: usize,
    per_minute: u64,
    agents: Mutex<HashMap<u32, Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    logins: usize,
    begun: Credit,
    submitted: Credit,
    turned_away: u64,
}

/// What may still come: µs of a minute, and when that was.
#[derive(Debug, Default)]
struct Credit {
    left_us: u64,
    at_us: Option<u64>,
}

impl Credit {
    /// Whether one more of so many a minute may come now (CLOCK_BOOTTIME in µs).
    fn takes(&mut self, per_minute: u64, now_us: u64) -> bool {
        let since_us = self.at_us.map_or(MINUTE_US, |at| now_us.saturating_sub(at));
        self.left_us = self.left_us.saturating_add(since_us).min(MINUTE_US);
        self.at_us = Some(now_us);
        let left = self.left_us.checked_sub(MINUTE_US / per_minute);
        self.left_us = left.unwrap_or(self.left_us);
        left.is_some()
    }
}

/// Why an agent is not let in. The text says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Crowded {
    /// It has so many logins open.
    #[error("this account has {0} logins open, and more are not let in; end one first")]
    AtOnce(usize),
    /// It began so many in a minute.
    #[error("this account has logged in {0} times within a minute; wait, then log in again")]
    Often(u64),
}

/// A place for one login; given back when dropped.
pub(crate) struct Place {
    quotas: Arc<Quotas>,
    uid: u32,
}

impl Quotas {
    pub(crate) fn new(logins: usize, per_minute: u64) -> Arc<Self> {
        Arc::new(Self { logins, per_minute: per_minute.max(1), agents: Mutex::default() })
    }

    /// A place for a login of this agent (CLOCK_BOOTTIME in µs), or why there is none.
    pub(crate) fn enter(self: &Arc<Self>, uid: u32, now_us: u64) -> Result<Place, Crowded> {
        let often = self.per_minute.saturating_mul(LOGINS_FOR_EACH).max(LEAST_LOGINS);
        let mut agents = self.lock();
        let taken = agents.entry(uid).or_default();
        let crowded = if taken.logins >= self.logins {
            Some(Crowded::AtOnce(self.logins))
        } else if taken.begun.takes(often, now_us) {
            None
        } else {
            Some(Crowded::Often(often))
        };
        if let Some(crowded) = crowded {
            taken.turned_away += 1;
            return Err(crowded);
        }
        taken.logins += 1;
        Ok(Place { quotas: self.clone(), uid })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Taken>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whose it is.
    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// Whether one more submission may come now (CLOCK_BOOTTIME in µs).
    pub(crate) fn may_submit(&self, now_us: u64) -> bool {
        let mut agents = self.quotas.lock();
        let taken = agents.entry(self.uid).or_default();
        let may = taken.submitted.takes(self.quotas.per_minute, now_us);
        if !may {
            taken.turned_away += 1;
        }
        may
    }

    /// Counts that something was refused for another reason.
    pub(crate) fn turn_away(&self) {
        self.quotas.lock().entry(self.uid).or_default().turned_away += 1;
    }

    /// How often this agent was turned away since it was last told.
    pub(crate) fn turned_away(&self) -> u64 {
        self.quotas.lock().get_mut(&self.uid).map_or(0, |taken| std::mem::take(&mut taken.turned_away))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(taken) = self.quotas.lock().get_mut(&self.uid) {
            taken.logins = taken.logins.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_cannot_take_the_places_of_another() {
        let quotas = Quotas::new(2, 60);
        let held: Vec<Place> = (0..2).filter_map(|_| quotas.enter(1000, 0).ok()).collect();
        assert_eq!(held.len(), 2);
        assert_eq!(quotas.enter(1000, 0).err(), Some(Crowded::AtOnce(2)));
        assert!(quotas.enter(1001, 0).is_ok());
        drop(held);
        let place = quotas.enter(1000, 0).unwrap();
        assert_eq!((place.turned_away(), place.turned_away()), (1, 0));
    }

    #[test]
    fn sixty_at_once_then_one_a_second() {
        let quotas = Quotas::new(2, 60);
        let place = quotas.enter(1000, 0).unwrap();
        let now_us = 5_000_000;
        assert_eq!((0..100).filter(|_| place.may_submit(now_us)).count(), 60);
        assert!(!place.may_submit(now_us + 900_000));
        assert!(place.may_submit(now_us + 1_100_000));
        assert_eq!(place.turned_away(), 41);
    }
    #[test]
    fn logins_that_begin_one_after_the_other_are_counted_too() {
        for (per_minute, most) in [(1, 240), (60, 240), (1000, 4000)] {
            let quotas = Quotas::new(2, per_minute);
            let entered = |now_us: u64| (0..5000).filter(|_| quotas.enter(1000, now_us).is_ok()).count();
            assert_eq!(entered(7_000_000), most);
            assert_eq!(quotas.enter(1000, 7_000_000).err(), Some(Crowded::Often(u64::try_from(most).unwrap())));
            assert!(quotas.enter(1001, 7_000_000).is_ok(), "another agent");
            assert_eq!(entered(7_000_000 + MINUTE_US / 2), most / 2);
        }
    }
}
