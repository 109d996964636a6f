//! RFC 6962 trees and proofs: known roots, two other implementations, and
//! proofs spoilt in every way that `transparency-dev/merkle` spoils them.

use countersign_core::Digest;
use countersign_ledger::leaf_hash;
use countersign_ledger::tlog::{
    Frontier, consistency_nodes, consistency_proof, empty_root, fold_nodes, inclusion_nodes, inclusion_proof,
    node_hash, root_of, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use std::collections::HashMap;

/// The eight leaves that Certificate Transparency's own tests use, and the
/// roots over the first 1 … 8 (transparency-dev/merkle, rfc6962 tests).
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn digest(hex: &str) -> Digest {
    Digest(bytes(hex).try_into().unwrap())
}

fn known() -> Vec<Digest> {
    LEAVES.iter().map(|leaf| leaf_hash(&bytes(leaf))).collect()
}

fn numbered(count: u64) -> Vec<Digest> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

#[test]
fn known_roots() {
    assert_eq!(empty_root(), digest("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    for (index, root) in ROOTS.iter().enumerate() {
        assert_eq!(root_of(&known()[..=index]), digest(root), "{} leaves", index + 1);
    }
}

/// The consistency proof from 2 to 5 leaves, as published (happy path 3 there).
#[test]
fn a_known_proof() {
    let proof = consistency_proof(&known()[..5], 2).unwrap();
    let shown = [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ];
    assert_eq!(proof, shown.map(digest));
}

#[test]
fn every_proof_of_small_trees() {
    let leaves = numbered(40);
    let root = |size: u64| root_of(&leaves[..usize::try_from(size).unwrap()]);
    let mut tried = 0u64;
    for size in 1..=40u64 {
        let tree = &leaves[..usize::try_from(size).unwrap()];
        for index in 0..size {
            let proof = inclusion_proof(tree, index).unwrap();
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(&leaf, index, size, &proof, &root(size)), Ok(()), "{index} in {size}");
            for bad in spoilt(&proof, &leaf, &root(size)) {
                assert!(verify_inclusion(&leaf, index, size, &bad, &root(size)).is_err(), "{index} in {size}");
                tried += 1;
            }
            for (i, s) in [(index + 1, size), (index ^ 2, size), (index, size * 2), (index, size / 2), (size, size)] {
                let other = verify_inclusion(&leaf, i, s, &proof, &root(size));
                // A left leaf looks alike in every tree whose path to it is the same.
                let alike = inclusion_nodes(i, s).is_some_and(|nodes| {
                    i == index && nodes.len() == proof.len() && s.next_power_of_two() == size.next_power_of_two()
                });
                assert!(other.is_err() || alike, "{index} in {size} as {i} in {s}");
                tried += 1;
            }
            assert!(verify_inclusion(&node_hash(&leaf, &leaf), index, size, &proof, &root(size)).is_err());
        }
        for old in 0..=size {
            let proof = consistency_proof(tree, old).unwrap();
            let check = |o, or: Digest, n, nr: Digest, p: &[Digest]| verify_consistency(o, &or, n, &nr, p);
            assert_eq!(check(old, root(old), size, root(size), &proof), Ok(()), "{old} to {size}");
            for bad in spoilt(&proof, &root(old), &root(size)) {
                assert!(check(old, root(old), size, root(size), &bad).is_err(), "{old} to {size}");
                tried += 1;
            }
            let wrong = Digest([7; 32]);
            assert!(check(old, wrong, size, root(size), &proof).is_err());
            assert!(check(old, root(old), size, wrong, &proof).is_err() || old == 0);
            if old != size && old != 0 {
                assert!(check(old, root(size), size, root(old), &proof).is_err());
                assert!(check(old + 1, root(old), size, root(size), &proof).is_err());
                assert!(check(old - 1, root(old), size, root(size), &proof).is_err());
                assert!(check(size, root(old), old, root(size), &proof).is_err());
            }
            tried += 6;
        }
        assert!(inclusion_proof(tree, size).is_none() && consistency_proof(tree, size + 1).is_none());
    }
    println!("{tried} spoilt proofs refused");
}

/// Truncated, with garbage or the root before or after, a bit flipped in each
/// hash, a hash swapped: the names of the classic vectors.
fn spoilt(proof: &[Digest], first: &Digest, root: &Digest) -> Vec<Vec<Digest>> {
    let mut all = Vec::new();
    for extra in [Digest([0x0f; 32]), *first, *root] {
        all.push([&[extra], proof].concat());
        all.push([proof, &[extra]].concat());
    }
    if let Some((_, most)) = proof.split_last() {
        all.extend([most.to_vec(), Vec::new(), proof[1..].to_vec(), [proof, proof].concat()]);
    }
    for index in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[index].0[index % 32] ^= 0x10;
        all.push(flipped);
        if index > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(index - 1, index);
            all.push(swapped);
        }
    }
    all
}

/// The way a store proves: from nodes that were told of when they were complete.
#[test]
fn proofs_from_kept_nodes() {
    let leaves = numbered(300);
    let (mut kept, mut frontier) = (HashMap::new(), Frontier::default());
    for (size, leaf) in (1u64..).zip(&leaves) {
        frontier.push_with(*leaf, |level, index, hash| assert!(kept.insert((level, index), hash).is_none()));
        let again = Frontier::from_peaks(frontier.size(), frontier.peaks().to_vec()).unwrap();
        assert_eq!(again, frontier);
        let join = |nodes: Vec<Vec<(u32, u64)>>| -> Vec<Digest> {
            let hashes = nodes.into_iter().map(|list| list.iter().map(|node| kept[node]).collect::<Vec<_>>());
            hashes.map(|list| fold_nodes(&list).unwrap()).collect()
        };
        let tree = &leaves[..usize::try_from(size).unwrap()];
        let old = size / 3;
        assert_eq!(join(inclusion_nodes(old, size).unwrap()), inclusion_proof(tree, old).unwrap());
        assert_eq!(join(consistency_nodes(old, size).unwrap()), consistency_proof(tree, old).unwrap());
    }
    assert_eq!(Frontier::from_peaks(3, vec![Digest::ZERO]), None);
}

/// Keeps every hash under Go's index, as `tlog_tiles` reads them.
struct Stored(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|i| self.0[usize::try_from(*i).unwrap()]).collect())
    }
}

#[test]
fn agrees_with_tlog_tiles() {
    let mut stored = Stored(Vec::new());
    let leaves = numbered(130);
    for (n, leaf) in (0u64..).zip(&leaves) {
        let more = tlog_tiles::stored_hashes_for_record_hash(n, tlog_tiles::Hash(leaf.0), &stored).unwrap();
        stored.0.extend(more);
        let (size, tree) = (n + 1, &leaves[..usize::try_from(n + 1).unwrap()]);
        let root = root_of(tree);
        assert_eq!(tlog_tiles::tree_hash(size, &stored).unwrap().0, root.0);
        for old in [0, n / 3, n / 2, n].into_iter().filter(|old| *old < size) {
            let theirs = tlog_tiles::prove_record(size, old, &stored).unwrap();
            let ours = inclusion_proof(tree, old).unwrap();
            assert_eq!(theirs.iter().map(|h| h.0).collect::<Vec<_>>(), ours.iter().map(|h| h.0).collect::<Vec<_>>());
            if old > 0 {
                let theirs = tlog_tiles::prove_tree(size, old, &stored).unwrap();
                let ours = consistency_proof(tree, old).unwrap();
                let ours: Vec<_> = ours.iter().map(|h| h.0).collect();
                assert_eq!(theirs.iter().map(|h| h.0).collect::<Vec<_>>(), ours);
            }
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_ct_merkle(size in 1usize..200, at in 0usize..200, old in 1usize..200) {
        let (at, old) = (at % size, old.min(size));
        let mut theirs = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        let values: Vec<Vec<u8>> = (0..size).map(|n| n.to_be_bytes().to_vec()).collect();
        values.iter().for_each(|value| theirs.push(value.clone()));
        let leaves: Vec<Digest> = values.iter().map(|value| leaf_hash(value)).collect();
        let their_root = theirs.root();
        let our_root = root_of(&leaves);
        prop_assert_eq!(their_root.as_bytes().as_slice(), our_root.0.as_slice());
        let ours: Vec<u8> = inclusion_proof(&leaves, u64::try_from(at).unwrap()).unwrap().iter().flat_map(|h| h.0).collect();
        let their_proof = theirs.prove_inclusion(at);
        prop_assert_eq!(their_proof.as_bytes(), ours.as_slice());
        prop_assert!(their_root.verify_inclusion(&values[at], u64::try_from(at).unwrap(), &their_proof).is_ok());
        let ours: Vec<u8> = consistency_proof(&leaves, u64::try_from(old).unwrap()).unwrap().iter().flat_map(|h| h.0).collect();
        let their_proof = theirs.prove_consistency(size - old);
        prop_assert_eq!(their_proof.as_bytes(), ours.as_slice());
    }
}
