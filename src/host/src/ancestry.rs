//! Which login another one was started in, as the kernel tells it: the front
//! of the outer one is among the ancestors of the inner one's.
//!
//! A program of the agent cannot leave that line: what it starts stays below
//! its login's spawner, which takes in orphans. Nor can it put itself below
//! another login. What a service starts for it later (cron, at, systemd) is
//! below no login, and is not called nested.

use countersign_core::LoginId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest line of ancestors that is followed.
const MAX_DEPTH: usize = 1024;
/// How often it is followed anew because a process in it was gone.
const MAX_TRIES: usize = 16;

/// It cannot be told: the line is too long, or does not hold still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be told in which login this one was started")]
pub(crate) struct Untold;

/// The fronts of open logins, by process id.
#[derive(Debug, Default)]
pub(crate) struct Fronts {
    open: Mutex<HashMap<i32, LoginId>>,
}

/// An open login's entry; taken out when dropped.
#[derive(Debug)]
pub(crate) struct Front {
    fronts: Arc<Fronts>,
    pid: i32,
    login: LoginId,
}

impl Fronts {
    /// The login in whose processes this one was started.
    pub(crate) fn outer(&self, pid: i32) -> Result<Option<LoginId>, Untold> {
        self.outer_by(pid, parent)
    }

    /// Enters a login's front.
    pub(crate) fn enter(self: &Arc<Self>, pid: i32, login: LoginId) -> Front {
        self.lock().insert(pid, login);
        Front { fronts: self.clone(), pid, login }
    }

    fn outer_by(&self, pid: i32, parent: impl Fn(i32) -> Option<i32>) -> Result<Option<LoginId>, Untold> {
        for _ in 0..MAX_TRIES {
            // A front that cannot be seen itself (`hidepid`, another name space) has no ancestors for us.
            let Some(mut at) = parent(pid) else { return Ok(None) };
            for _ in 0..MAX_DEPTH {
                if at <= 1 {
                    return Ok(None);
                }
                if let Some(login) = self.lock().get(&at) {
                    return Ok(Some(*login));
                }
                match parent(at) {
                    Some(above) => at = above,
                    // It has ended since, and its children have another parent.
                    None => break,
                }
            }
        }
        Err(Untold)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, LoginId>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let mut open = self.fronts.lock();
        // Its number may be another front's by now.
        if open.get(&self.pid) == Some(&self.login) {
            open.remove(&self.pid);
        }
    }
}

/// The parent of a process; its name, which it chooses itself, stands in
/// brackets and may hold anything.
fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_login_above_is_the_outer_one() {
        let fronts = Arc::new(Fronts::default());
        let (one, two) = (LoginId::from_random([1; 16]), LoginId::from_random([2; 16]));
        let first = fronts.enter(10, one);
        let second = fronts.enter(20, two);
        // 40 → 30 → 20 → 11 → 10 → 1; 50 → 1
        let parent = |pid| {
            [(40, 30), (30, 20), (20, 11), (11, 10), (10, 1), (50, 1)].into_iter().find(|p| p.0 == pid).map(|p| p.1)
        };
        assert_eq!(fronts.outer_by(40, parent), Ok(Some(two)));
        assert_eq!(fronts.outer_by(20, parent), Ok(Some(one)), "not itself");
        assert_eq!(
            (fronts.outer_by(10, parent), fronts.outer_by(50, parent), fronts.outer_by(7, parent)),
            (Ok(None), Ok(None), Ok(None))
        );
        assert_eq!(fronts.outer_by(60, |_| Some(60)), Err(Untold), "a circle ends");
        drop(second);
        assert_eq!(fronts.outer_by(40, parent), Ok(Some(one)));
        drop(first);
        assert_eq!(fronts.outer_by(40, parent), Ok(None));
    }

    #[test]
    fn a_number_that_is_used_again_is_the_later_logins() {
        let fronts = Arc::new(Fronts::default());
        let (one, two) = (LoginId::from_random([1; 16]), LoginId::from_random([2; 16]));
        let first = fronts.enter(10, one);
        let second = fronts.enter(10, two);
        drop(first);
        let parent = |pid| (pid == 40).then_some(10);
        assert_eq!(fronts.outer_by(40, parent), Ok(Some(two)));
        drop(second);
        assert!(fronts.lock().is_empty());
    }

    #[test]
    fn nobody_leaves_a_login_by_a_long_line_or_one_that_moves() {
        let fronts = Arc::new(Fronts::default());
        let one = LoginId::from_random([1; 16]);
        let _first = fronts.enter(10, one);
        assert_eq!(fronts.outer_by(500, |pid| Some(pid - 1)), Ok(Some(one)));
        assert_eq!(fronts.outer_by(5000, |pid| Some(pid - 1)), Err(Untold));
        // 40 → 30, which is gone when it is looked at; then 40 → 10.
        let looks = std::cell::Cell::new(0);
        let moves = |pid| {
            looks.set(looks.get() + 1);
            match (pid, looks.get()) {
                (40, 1) => Some(30),
                (40, _) => Some(10),
                _ => None,
            }
        };
        assert_eq!(fronts.outer_by(40, moves), Ok(Some(one)));
        assert_eq!(fronts.outer_by(40, |pid| (pid == 40).then_some(30)), Err(Untold));
    }

    #[test]
    fn the_kernel_knows_parents() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(parent(own), Some(nix::unistd::getppid().as_raw()));
        assert_eq!(parent(-1), None);
    }
}
