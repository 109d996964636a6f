//! What one agent may take of the host, so that it cannot lock out the others:
//! logins at a time, submissions a minute. What goes beyond is refused unasked
//! and counted; the count stands in the agent's next entry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One minute in µs.
const MINUTE_US: u64 = 60_000_000;

/// The limits and what each agent has taken.
pub(crate) struct Quotas {
    logins: usize,
    per_minute: u64,
    agents: Mutex<HashMap<u32, Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    logins: usize,
    /// Submissions that may still come, in µs of a minute, and when that was.
    credit_us: u64,
    at_us: Option<u64>,
    turned_away: u64,
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

    /// A place for a login of this agent, if one is left.
    pub(crate) fn enter(self: &Arc<Self>, uid: u32) -> Option<Place> {
        let mut agents = self.lock();
        let taken = agents.entry(uid).or_default();
        if taken.logins >= self.logins {
            taken.turned_away += 1;
            return None;
        }
        taken.logins += 1;
        Some(Place { quotas: self.clone(), uid })
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
        let price_us = MINUTE_US / self.quotas.per_minute;
        let mut agents = self.quotas.lock();
        let taken = agents.entry(self.uid).or_default();
        let since_us = taken.at_us.map_or(MINUTE_US, |at| now_us.saturating_sub(at));
        taken.credit_us = taken.credit_us.saturating_add(since_us).min(MINUTE_US);
        taken.at_us = Some(now_us);
        match taken.credit_us.checked_sub(price_us) {
            Some(left) => {
                taken.credit_us = left;
                true
            }
            None => {
                taken.turned_away += 1;
                false
            }
        }
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
        let held: Vec<Place> = (0..2).filter_map(|_| quotas.enter(1000)).collect();
        assert_eq!(held.len(), 2);
        assert!(quotas.enter(1000).is_none());
        assert!(quotas.enter(1001).is_some());
        drop(held);
        let place = quotas.enter(1000).unwrap();
        assert_eq!((place.turned_away(), place.turned_away()), (1, 0));
    }

    #[test]
    fn sixty_at_once_then_one_a_second() {
        let quotas = Quotas::new(2, 60);
        let place = quotas.enter(1000).unwrap();
        let now_us = 5_000_000;
        assert_eq!((0..100).filter(|_| place.may_submit(now_us)).count(), 60);
        assert!(!place.may_submit(now_us + 900_000));
        assert!(place.may_submit(now_us + 1_100_000));
        assert_eq!(place.turned_away(), 41);
    }
}
