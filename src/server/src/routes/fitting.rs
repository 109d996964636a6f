//! Which of those that wait are told of at once. A list has its bounds where it
//! is read, and one that is beyond them would show nobody anything.

use std::collections::HashMap;
use std::hash::Hash;

/// Longest list, in bytes; half of what a reviewer's program takes.
pub(super) const MOST: usize = 32 * 1024 * 1024;

/// Which of these fit together: of each agent the oldest first, so that none
/// keeps the others' out. `sizes`: whose each is, and how long, oldest first.
pub(super) fn fitting<K: Eq + Hash>(sizes: impl IntoIterator<Item = (K, usize)>, most: usize) -> Vec<bool> {
    let mut before: HashMap<K, usize> = HashMap::new();
    let ranked = sizes.into_iter().enumerate().map(|(place, (whose, size))| {
        let rank = before.entry(whose).or_default();
        *rank += 1;
        (*rank, place, size)
    });
    let mut ranked: Vec<(usize, usize, usize)> = ranked.collect();
    ranked.sort_unstable();
    let mut fits = vec![false; ranked.len()];
    let mut all = 0_usize;
    for (_, place, size) in ranked {
        all = all.saturating_add(size);
        // One is always told of.
        if all <= most || all == size {
            fits.iter_mut().skip(place).take(1).for_each(|fit| *fit = true);
        }
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn many_long_lines_of_one_agent_keep_nobody_elses_out() {
        let waiting = [("a", 40), ("a", 40), ("a", 40), ("b", 10), ("a", 40), ("c", 10)];
        assert_eq!(fitting(waiting, 100), [true, true, false, true, false, true]);
        assert_eq!(fitting(waiting, 1000), [true; 6]);
        assert_eq!(fitting([("a", 40), ("b", 10)], 30), [true, false], "the oldest is always told of");
        assert!(fitting::<&str>([], 10).is_empty());
    }
}
