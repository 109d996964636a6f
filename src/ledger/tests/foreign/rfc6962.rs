//! The proofs of `transparency-dev/merkle`: 98 of inclusion, 98 of consistency.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Digest;
use countersign_ledger::tlog::{verify_consistency, verify_inclusion};
use serde_json::Value;

const PROOFS: &str = include_str!("../vectors/rfc6962.jsonl");

/// A hash of theirs. `None` where it has not 32 bytes: such a one cannot be handed to ours at all.
/// Roots that say that nobody cares what they are get their 32 bytes.
fn hash(value: &Value) -> Option<Digest> {
    let mut bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
    if bytes.starts_with(b"don't care") {
        bytes.resize(32, 0);
    }
    bytes.try_into().ok().map(Digest)
}

fn hashes(value: &Value) -> Option<Vec<Digest>> {
    value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
}

/// Whether ours takes it; `None` where it cannot even be asked.
fn taken(proof: &Value) -> Option<bool> {
    let number = |name: &str| proof[name].as_u64().unwrap();
    let nodes = hashes(&proof["proof"])?;
    Some(if proof["file"].as_str().unwrap().starts_with("inclusion") {
        let (leaf, root) = (hash(&proof["leafHash"])?, hash(&proof["root"])?);
        verify_inclusion(&leaf, number("leafIdx"), number("treeSize"), &nodes, &root).is_ok()
    } else {
        let (old, new) = (hash(&proof["root1"])?, hash(&proof["root2"])?);
        verify_consistency(number("size1"), &old, number("size2"), &new, &nodes).is_ok()
    })
}

/// The one that ours refuses against their word: two empty trees with a root that no empty tree has. (They
/// do not look at the roots of empty trees; a service's log begins with one, and its root is known.)
const ROOT_OF_NOTHING: &str =
    "consistency/additional/sizes-are-equal-and-proof-is-not-empty-where-both-sizes-are-zero.json";

/// The one that ours takes against their word: an empty proof between the empty tree, under its true root, and
/// one of one leaf. RFC 6962 defines no proof from an empty tree, so they refuse each; C2SP's tlog-witness asks
/// for just this one where a log is seen for the first time, and a service's log begins so.
const FROM_NOTHING: &str = "consistency/additional/size1-is-zero-and-size2-is-not-zero.json";

#[test]
fn proofs_of_transparency_dev() {
    let (mut good, mut bad, mut unaskable, mut differ) = (0, 0, 0, 0);
    for line in PROOFS.lines() {
        let proof: Value = serde_json::from_str(line).unwrap();
        let file = proof["file"].as_str().unwrap();
        let theirs = !proof["wantErr"].as_bool().unwrap();
        let wanted = match file {
            ROOT_OF_NOTHING => false,
            FROM_NOTHING => true,
            _ => theirs,
        };
        differ += usize::from(wanted != theirs);
        match taken(&proof) {
            Some(taken) => assert_eq!(taken, wanted, "{line}"),
            None => {
                assert!(!wanted, "{line}");
                unaskable += 1;
            }
        }
        *(if wanted { &mut good } else { &mut bad }) += 1;
    }
    println!("{good} taken, {bad} refused, {unaskable} of them for hashes that are none");
    assert_eq!((good, bad, differ), (13, 183, 2));
}
