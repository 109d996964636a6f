//! Sets and maps by id. Ids are 128 bits, and a history may hold a million of
//! them, so they are hashed by one multiplication. Whoever writes a history
//! cannot choose ids that collide: the two factors are random in each process.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};

/// Values by id.
pub(super) type ById<I, V> = HashMap<I, V, Ids>;
/// Ids.
pub(super) type IdSet<I> = HashSet<I, Ids>;

/// Hashes ids.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    keys: [u64; 2],
}

impl Default for Ids {
    fn default() -> Self {
        let random = RandomState::new();
        Self { keys: [random.hash_one(1), random.hash_one(2)] }
    }
}

impl BuildHasher for Ids {
    type Hasher = IdHasher;
    fn build_hasher(&self) -> IdHasher {
        IdHasher { keys: self.keys, hash: 0 }
    }
}

/// The hash of one id.
pub(super) struct IdHasher {
    keys: [u64; 2],
    hash: u64,
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        // Only ids are hashed here, and they come as a number; this is for completeness.
        bytes.iter().for_each(|byte| self.write_u128(u128::from(*byte)));
    }

    fn write_u128(&mut self, id: u128) {
        let [first, second] = self.keys;
        let low = u64::try_from(id & u128::from(u64::MAX)).unwrap_or_default() ^ first ^ self.hash;
        let high = u64::try_from(id >> 64).unwrap_or_default() ^ second;
        let product = u128::from(low) * u128::from(high);
        let folded = product ^ (product >> 64);
        self.hash = u64::try_from(folded & u128::from(u64::MAX)).unwrap_or_default();
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::LoginId;

    #[test]
    fn ids_that_differ_in_a_bit_or_count_up_spread() {
        let ids = Ids::default();
        let bits = (0..128).map(|bit| 1u128 << bit);
        let all = bits.chain(0..4096).chain((0..4096).map(|n| n << 64)).map(u128::to_be_bytes);
        let all: HashSet<_> = all.map(LoginId::from_random).collect();
        for part in [0, 57] {
            let seen: HashSet<u64> = all.iter().map(|id| (ids.hash_one(id) >> part) & 0x7f).collect();
            assert_eq!(seen.len(), 128, "the bits from {part} on, which a table goes by");
        }
        let full: HashSet<u64> = all.iter().map(|id| ids.hash_one(id)).collect();
        assert!(full.len() + 2 >= all.len(), "{} of {}", full.len(), all.len());
        assert_ne!(Ids::default().hash_one(7u128), ids.hash_one(7u128));
    }
}
