//! Inclusion and consistency proofs, RFC 6962 §2.1.1 and §2.1.2, checked as
//! RFC 9162 §2.1.3.2 and §2.1.4.2 say.

use super::tree::{node_hash, root_of};
use countersign_core::Digest;

/// The proof does not show what it is said to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// An index or size that no tree has.
    #[error("the proof is for an index or size that cannot be")]
    Range,
    /// More or fewer hashes than such a proof has.
    #[error("the proof has too many or too few hashes")]
    Length,
    /// It leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// A complete subtree: its level (0 for leaves) and its index within it.
pub type Node = (u32, u64);

/// The complete subtrees whose hashes a proof that leaf `index` is in the tree
/// of `size` is made of: one list for each hash of the proof, to be joined by
/// [`fold_nodes`]. `None` where there is no such leaf.
pub fn inclusion_nodes(index: u64, size: u64) -> Option<Vec<Vec<Node>>> {
    if index >= size {
        return None;
    }
    let mut proof = Vec::new();
    path(index, 0, size, &mut proof);
    Some(proof)
}

/// The same for a proof that the tree of `old` leaves begins that of `new`.
pub fn consistency_nodes(old: u64, new: u64) -> Option<Vec<Vec<Node>>> {
    if old > new {
        return None;
    }
    let mut proof = Vec::new();
    if old > 0 && old < new {
        subproof(old, 0, new, true, &mut proof);
    }
    Some(proof)
}

/// Joins the hashes of the subtrees of one list, left to right as listed.
pub fn fold_nodes(hashes: &[Digest]) -> Option<Digest> {
    hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

/// PATH(m, D[n]) of the leaves `start .. start + length`; `index` counts from `start`.
fn path(index: u64, start: u64, length: u64, proof: &mut Vec<Vec<Node>>) {
    if length <= 1 {
        return;
    }
    let half = split(length);
    if index < half {
        path(index, start, half, proof);
        proof.push(cover(start.saturating_add(half), length - half));
    } else {
        path(index - half, start.saturating_add(half), length - half, proof);
        proof.push(cover(start, half));
    }
}

/// SUBPROOF(m, D[n], b).
fn subproof(old: u64, start: u64, length: u64, known: bool, proof: &mut Vec<Vec<Node>>) {
    if old == length {
        if !known {
            proof.push(cover(start, length));
        }
        return;
    }
    let half = split(length);
    if old <= half {
        subproof(old, start, half, known, proof);
        proof.push(cover(start.saturating_add(half), length - half));
    } else {
        subproof(old - half, start.saturating_add(half), length - half, false, proof);
        proof.push(cover(start, half));
    }
}

/// The largest power of two below `length`, which is at least 2.
fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// The complete subtrees of a run of leaves that begins at a multiple of the
/// largest of them.
fn cover(mut start: u64, mut length: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    while length > 0 {
        let level = length.ilog2();
        nodes.push((level, start >> level));
        start = start.saturating_add(1 << level);
        length -= 1 << level;
    }
    nodes
}

/// The proof that leaf `index` is in the tree over `leaves`.
pub fn inclusion_proof(leaves: &[Digest], index: u64) -> Option<Vec<Digest>> {
    from_leaves(leaves, inclusion_nodes(index, u64::try_from(leaves.len()).ok()?)?)
}

/// The proof that the tree over the first `old` leaves begins that over `leaves`.
pub fn consistency_proof(leaves: &[Digest], old: u64) -> Option<Vec<Digest>> {
    from_leaves(leaves, consistency_nodes(old, u64::try_from(leaves.len()).ok()?)?)
}

fn from_leaves(leaves: &[Digest], nodes: Vec<Vec<Node>>) -> Option<Vec<Digest>> {
    let hash = |(level, index): Node| {
        let start = usize::try_from(index << level).ok()?;
        Some(root_of(leaves.get(start..start.checked_add(1 << level)?)?))
    };
    let one = |list: Vec<Node>| fold_nodes(&list.into_iter().map(hash).collect::<Option<Vec<_>>>()?);
    nodes.into_iter().map(one).collect()
}

/// Checks that the leaf with hash `leaf` is number `index` in the tree of
/// `size` leaves with this root.
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, proof: &[Digest], root: &Digest) -> Result<(), BadProof> {
    if index >= size {
        return Err(BadProof::Range);
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(BadProof::Length);
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    match last {
        0 if hash == *root => Ok(()),
        0 => Err(BadProof::Root),
        _ => Err(BadProof::Length),
    }
}

/// Checks that the tree of `old` leaves with `old_root` begins the tree of
/// `new` leaves with `new_root`.
pub fn verify_consistency(
    old: u64,
    old_root: &Digest,
    new: u64,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), BadProof> {
    if old > new {
        return Err(BadProof::Range);
    }
    if old == 0 || old == new {
        // Every tree begins with the empty one; trees of one size are one tree.
        let begins = old != 0 || *old_root == super::tree::empty_root();
        let alike = begins && (old != new || old_root == new_root);
        return match (proof.is_empty(), alike) {
            (true, true) => Ok(()),
            (true, false) => Err(BadProof::Root),
            (false, _) => Err(BadProof::Length),
        };
    }
    // The first hash of the proof is the old root itself where that is a complete subtree.
    let (first, rest) = match proof.split_first() {
        Some(_) if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
        None => return Err(BadProof::Length),
    };
    let (mut place, mut last) = (old - 1, new - 1);
    while place & 1 == 1 {
        (place, last) = (place >> 1, last >> 1);
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(BadProof::Length);
        }
        if place & 1 == 1 || place == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    match last {
        0 if from_old == *old_root && from_new == *new_root => Ok(()),
        0 => Err(BadProof::Root),
        _ => Err(BadProof::Length),
    }
}
