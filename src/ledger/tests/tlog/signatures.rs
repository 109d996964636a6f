//! Ed25519 and canonical JSON against other implementations.

use countersign_core::b64_encode;
use countersign_ledger::{InProcessSigner, Line, Namespace, Signer as _, Value, body, verify_digest};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use proptest::prelude::*;

/// The bytes that are signed: PROTOCOL.sshsig, written down once more.
fn preimage(namespace: &str, digest: &[u8]) -> Vec<u8> {
    let mut out = b"SSHSIG".to_vec();
    for part in [namespace.as_bytes(), b"", b"sha256", digest] {
        out.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        out.extend(part);
    }
    out
}

proptest! {
    #[test]
    fn ring_and_dalek_agree(seed: [u8; 32], digest: [u8; 32], flip in 0usize..(64 * 8 * 3)) {
        let mut signer = InProcessSigner::from_seed(seed).unwrap();
        let mut sig = signer.sign(Namespace::Entry, digest).unwrap();
        let public = signer.public_key();
        let theirs = VerifyingKey::from_bytes(&public.0).unwrap();
        let dalek = ed25519_dalek::SigningKey::from_bytes(&seed);
        prop_assert_eq!(dalek.verifying_key(), theirs);
        // One time in three unchanged, else with one bit flipped.
        if let Some(byte) = sig.get_mut(flip / 8) {
            *byte ^= 1 << (flip % 8);
        }
        let ours = verify_digest(Namespace::Entry, &public, digest, &b64_encode(&sig)).is_ok();
        let message = preimage("entry.v1@countersign", &digest);
        prop_assert_eq!(ours, theirs.verify(&message, &Signature::from_bytes(&sig)).is_ok());
        prop_assert_eq!(ours, flip / 8 >= 64);
    }
}

/// Points and scalars where implementations have parted. What must be refused,
/// by RFC 8032 §5.1.7: S not below the order, and points that are not on the
/// curve or not in their one encoding.
#[test]
fn the_edges_of_ed25519() {
    let mut signer = InProcessSigner::from_seed([3; 32]).unwrap();
    let digest = [6; 32];
    let good = signer.sign(Namespace::Entry, digest).unwrap();
    let check = |public: [u8; 32], sig: [u8; 64]| {
        verify_digest(Namespace::Entry, &countersign_core::Digest(public), digest, &b64_encode(&sig)).is_ok()
    };
    assert!(check(signer.public_key().0, good));
    // S + L, L = 2^252 + 27742317777372353535851937790883648493.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut malleable = good;
    let mut carry = 0u16;
    for (byte, order) in malleable[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (u8::try_from(sum & 0xff).unwrap(), sum >> 8);
    }
    assert!(!check(signer.public_key().0, malleable));
    let mut zero = [0; 64];
    assert!(!check(signer.public_key().0, zero));
    // y = 2 is on no point; y = p + 1 is a second spelling of 1.
    let mut off_curve = [0; 32];
    off_curve[0] = 2;
    assert!(!check(off_curve, good));
    let mut second = [0xff; 32];
    (second[0], second[31]) = (0xee, 0x7f);
    zero[0] = 1;
    assert!(!check(second, good) && !check(off_curve, zero));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[ !#-\\[\\]-~]{0,12}".prop_map(Value::Text),
        (0u64..(1 << 53)).prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            proptest::collection::btree_map("[a-zA-Z0-9_]{0,6}", inner, 0..5).prop_map(Value::Object),
        ]
    })
}

proptest! {
    /// Every value of the leaf grammar is written as RFC 8785 writes it.
    #[test]
    fn values_are_canonical_json(value in value()) {
        let Ok(ours) = value.encode() else { return Ok(()) };
        let read: serde_json::Value = serde_json::from_str(&ours).unwrap();
        prop_assert_eq!(serde_json_canonicalizer::to_string(&read).unwrap(), ours);
    }
}

/// So is a whole entry, and its signed text is it without `sig` and `vals`.
#[test]
fn entries_are_canonical_json() {
    let golden = include_str!("../../../../tests/golden/ledger/day.jsonl");
    for line in golden.lines() {
        let whole: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut leaf = whole.clone();
        leaf.as_object_mut().unwrap().remove("vals");
        let canonical = serde_json_canonicalizer::to_string(&leaf).unwrap();
        assert!(line.starts_with(canonical.strip_suffix('}').unwrap()), "{line}");
        leaf.as_object_mut().unwrap().remove("sig");
        let signed = serde_json_canonicalizer::to_string(&leaf).unwrap();
        let parsed = Line::parse(line.as_bytes()).unwrap();
        assert_eq!(parsed.signed_digest(), countersign_ledger::sha256(signed.as_bytes()).0);
    }
    assert!(body([("a", Value::Int(1))]).encode().is_ok());
}
