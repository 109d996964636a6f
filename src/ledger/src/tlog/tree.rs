//! The Merkle tree of RFC 6962 §2.1, as it grows.

use crate::commit::sha256;
use countersign_core::Digest;

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    let (_, hashes) = bytes.split_at_mut(1);
    let (first, second) = hashes.split_at_mut(32);
    first.copy_from_slice(&left.0);
    second.copy_from_slice(&right.0);
    sha256(&bytes)
}

/// The root of a tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Digest {
    sha256(b"")
}

/// The root over leaf hashes.
pub fn root_of(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier.root()
}

/// The right edge of a tree: all that is needed to add leaves and to know the
/// root. At most 64 hashes, whatever the size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, largest first: one for each bit set in `size`.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// An edge that was kept; `None` where there is not one peak for each bit
    /// set in `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        let fits = u32::try_from(peaks.len()).is_ok_and(|n| n == size.count_ones());
        fits.then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the complete subtrees, largest first.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Digest) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// Adds a leaf by its hash and tells of every node that is complete now:
    /// level (0 for leaves), index within it, hash.
    pub fn push_with(&mut self, leaf: Digest, mut completed: impl FnMut(u32, u64, Digest)) {
        let mut node = leaf;
        completed(0, self.size, node);
        // Each trailing one bit of the old size is a peak that is now paired.
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(&left, &node);
            completed(level, self.size.checked_shr(level).unwrap_or(0), node);
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// Adds all leaves of a complete subtree by its root; `false`, and nothing
    /// is added, where one of this size cannot begin here.
    pub fn push_subtree(&mut self, subtree: &Subtree) -> bool {
        if self.size.trailing_zeros() < subtree.level {
            return false;
        }
        let (mut node, leaves) = (subtree.hash, subtree.leaves());
        let pairs = self.size.checked_shr(subtree.level).map_or(0, u64::trailing_ones);
        for _ in 0..pairs {
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(&left, &node);
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(leaves);
        true
    }

    /// The root.
    pub fn root(&self) -> Digest {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        joined.unwrap_or_else(empty_root)
    }
}

/// The root of a complete subtree, which stands for all its leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subtree {
    level: u32,
    hash: Digest,
}

impl Subtree {
    /// One of 2^`level` leaves.
    pub fn new(level: u32, hash: Digest) -> Self {
        Self { level, hash }
    }

    /// Its height: 0 for a leaf.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// Its root.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// How many leaves it has.
    pub fn leaves(&self) -> u64 {
        1u64.checked_shl(self.level).unwrap_or(u64::MAX)
    }
}
