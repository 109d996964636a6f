//! What the encoder refuses, hashes, keys and signatures.

use super::support::*;
use crate::seal::Header;
use crate::{BadValue, InProcessSigner, MAX_INT, Namespace, Openings, SealError, Signer as _, Value, body, seal};
use crate::{Clock as _, Kind, SignError, Statement, SystemClock};
use crate::{commitment, key_id, leaf_hash, sha256, verify_signature};
use countersign_core::{Choice, DecidedBy, Digest, Nonce, Salt, b64_encode};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// RFC 8032 §7.1, test 3: ring's seeds are RFC 8032 seeds.
#[test]
fn ring_signs_as_rfc_8032_says() {
    let seed = hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let public = hex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    assert_eq!(pair.public_key().as_ref(), public);
    let signature = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                     18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
    assert_eq!(pair.sign(&[0xaf, 0x82]).as_ref(), hex(signature));
    let signer = InProcessSigner::from_seed(seed.try_into().unwrap()).unwrap();
    assert_eq!(signer.public_key().0.as_slice(), public);
}

#[test]
fn hashes_have_their_prefixes() {
    assert_eq!(leaf_hash(b"x"), sha256(b"\0x"));
    // RFC 6962: the hash of an empty leaf.
    assert_eq!(leaf_hash(b"").0.to_vec(), hex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"));
    let flat =
        [b"cs.commit.v1\0".as_slice(), &[9; 32], &[0, 0, 0, 3], b"cwd", &[0, 0, 0, 0, 0, 0, 0, 1], b"/"].concat();
    assert_eq!(commitment("cwd", &Salt([9; 32]), b"/"), sha256(&flat));
    assert_eq!(key_id(&Digest([0; 32])), "66687aadf862bd77");
}

#[test]
fn a_signature_counts_for_one_key_message_and_purpose() {
    let mut signer = host_signer();
    let sig = b64_encode(&signer.sign(Namespace::Enroll, sha256(b"token").0).unwrap());
    let public = signer.public_key();
    assert!(verify_signature(Namespace::Enroll, &public, b"token", &sig).is_ok());
    assert!(verify_signature(Namespace::Entry, &public, b"token", &sig).is_err());
    assert!(verify_signature(Namespace::Enroll, &public, b"tokem", &sig).is_err());
    assert!(verify_signature(Namespace::Enroll, &service_signer().public_key(), b"token", &sig).is_err());
    for text in ["", "AA", &format!("{sig}="), &sig[1..]] {
        assert!(verify_signature(Namespace::Enroll, &public, b"token", text).is_err(), "{text:?}");
    }
}

#[test]
fn the_encoder_refuses_what_the_grammar_cannot_hold() {
    for text in ["a\"b", "a\\b", "ä", "\n", "\u{7f}"] {
        assert!(matches!(Value::from(text).encode(), Err(BadValue::Text { .. })), "{text:?}");
        assert!(body([(text, Value::Bool(true))]).encode().is_err(), "{text:?}");
    }
    assert_eq!(Value::Int(MAX_INT).encode().unwrap(), "9007199254740991");
    assert_eq!(Value::Int(MAX_INT + 1).encode(), Err(BadValue::Int(MAX_INT + 1)));
    assert_eq!(Value::LeafBefore.encode(), Err(BadValue::NothingBefore));
    let nest = |depth| (0..depth).fold(Value::Int(1), |inner, _| Value::List(vec![inner]));
    assert!(nest(6).encode().is_ok());
    assert_eq!(nest(7).encode(), Err(BadValue::Depth));
    let empty = body([("b", Value::List(vec![])), ("a", body::<&str>([]))]);
    assert_eq!(empty.encode().unwrap(), "{\"a\":{},\"b\":[]}");
}

#[test]
fn sealing_stops_at_the_limits() {
    let header = Header {
        at_us: 0,
        boot: BOOT,
        host: host(),
        kind: "heartbeat",
        mono: 0,
        prev: Digest::ZERO,
        seq: 0,
        sess: None,
    };
    let mut signer = host_signer();
    let mut try_seal = |length: usize| {
        let text = body([("x", Value::Text("x".repeat(length)))]);
        seal(&header, &text, &Openings::new(), None, &mut signer).map(|sealed| sealed.line.len() - 10)
    };
    let base = try_seal(0).unwrap();
    assert_eq!(try_seal(65_535 - base).unwrap(), 65_535);
    assert_eq!(try_seal(65_536 - base).unwrap_err(), SealError::TooLong { part: "leaf", bytes: 65_536, limit: 65_535 });
    let mut signer = host_signer();
    let mut vals = Openings::new();
    vals.insert("cmd", salt(0), vec![b'x'; 1024 * 1024]);
    let long = seal(&header, &body::<&str>([]), &vals, None, &mut signer);
    assert!(matches!(long, Err(SealError::TooLong { part: "line", .. })));
    assert_eq!(seal(&header, &Value::Int(1), &vals, None, &mut signer), Err(SealError::Body));
    let odd = Header { boot: "B", ..header.clone() };
    assert_eq!(seal(&odd, &body::<&str>([]), &vals, None, &mut signer), Err(SealError::Header("boot id")));
}

/// 256 KiB of anything fits a line: text that escapes would more than triple
/// is stored as base64.
#[test]
fn the_longest_sent_command_fits_whatever_it_holds() {
    for byte in [0u8, 1, b'"', b'\\', b'x', 0x7f, 0xff] {
        let mut vals = Openings::new();
        vals.insert_list("cmd", vec![Some((salt(0), vec![byte; 256 * 1024]))]);
        assert!(vals.encode().len() < 900 * 1024, "{byte}");
    }
    let mut vals = Openings::new();
    vals.insert("cwd", salt(0), "名".repeat(80_000).into_bytes());
    assert!(vals.encode().contains("\\u540d"));
}

#[test]
fn kinds_are_their_words() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert!("Heartbeat".parse::<Kind>().is_err() && "".parse::<Kind>().is_err());
}

#[test]
fn the_kernel_has_both_clocks() {
    let mut clock = SystemClock::new().unwrap();
    let (first, second) = (clock.now(), clock.now());
    assert!(second.mono_us >= first.mono_us && first.mono_us > 0 && first.at_us > 1_700_000_000_000_000);
    assert_eq!(clock.boot().len(), 32);
}

#[test]
fn a_statement_is_signed_only_by_the_key_it_names() {
    let statement = Statement {
        by: DecidedBy::Timeout,
        decision: Choice::Deny,
        entry: Digest::ZERO,
        exp_ms: 1,
        host: host(),
        key: key_id(&host_signer().public_key()),
        nonce: Nonce([0; 16]),
        policy: Digest::ZERO,
    };
    assert!(statement.sign(&mut host_signer()).is_ok());
    assert!(matches!(statement.sign(&mut service_signer()), Err(SignError::OtherKey { .. })));
    let late = Statement { exp_ms: MAX_INT + 1, ..statement };
    assert!(matches!(late.sign(&mut host_signer()), Err(SignError::Value(_))));
}
