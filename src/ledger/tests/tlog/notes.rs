//! Signed notes and checkpoints: published vectors and two other implementations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::{Digest, HostId, ServiceId};
use countersign_ledger::tlog::{BadNote, Checkpoint, KeyKind, Note, NoteKey, NoteText, Origin};
use countersign_ledger::{InProcessSigner, Signer as _};
use proptest::prelude::*;
use signed_note::{Verifier as _, VerifierList};

/// From the tests of Go's `golang.org/x/mod/sumdb/note`, which the C2SP page was written from.
const NEUMANN_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
/// The example on <https://c2sp.org/tlog-cosignature>.
const BEHIND_THE_SOFA: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

fn neumann() -> NoteKey {
    let key = STANDARD.decode(NEUMANN_KEY.rsplit('+').next().unwrap()).unwrap();
    let public = Digest(key[1..].try_into().unwrap());
    NoteKey { name: "PeterNeumann".to_owned(), kind: KeyKind::Ed25519, public }
}

fn signer() -> InProcessSigner {
    InProcessSigner::from_seed([9; 32]).unwrap()
}

fn origin() -> Origin {
    Origin::Host(HostId::from_random([7; 16]))
}

#[test]
fn the_published_note() {
    let key = neumann();
    assert_eq!(key.vkey(), NEUMANN_KEY);
    let note = Note::parse(NEUMANN_NOTE.as_bytes()).unwrap();
    assert_eq!(key.verify(&note), Ok(Some(0)));
    assert_eq!(note.encode(), NEUMANN_NOTE);
    let mut changed = note.clone();
    changed.text = changed.text.replace("answer", "question");
    assert!(key.verify(&changed).is_err());
    // A key of the same name and another id has not signed it.
    let other = NoteKey { public: signer().public_key(), ..key.clone() };
    assert_eq!(other.verify(&note), Ok(None));
    let other = NoteKey { kind: KeyKind::Cosignature, ..key };
    assert_eq!(other.verify(&note), Ok(None));
}

#[test]
fn the_published_cosigned_checkpoint() {
    let note = Note::parse(BEHIND_THE_SOFA.as_bytes()).unwrap();
    assert_eq!(note.encode(), BEHIND_THE_SOFA);
    let checkpoint = Checkpoint::parse(&note.text).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.text(), note.text);
    let [_, cosignature] = note.signatures.as_slice() else { panic!("two signatures") };
    let time = u64::from_be_bytes(cosignature.bytes[..8].try_into().unwrap());
    assert_eq!((time, cosignature.bytes.len()), (1_679_315_147, 72));
}

#[test]
fn what_is_no_note() {
    let cases: [(&str, BadNote); 12] = [
        ("", BadNote::Form),
        ("text\n", BadNote::Form),
        ("text\n\n", BadNote::Form),
        ("text\n\n\u{2014} name AAAAAAA=", BadNote::Form),
        ("text\n\n- name AAAAAAA=\n", BadNote::Signature),
        ("text\n\n\u{2014} name AAAAAA==\n", BadNote::Signature),
        ("text\n\n\u{2014} name AAAAAAA\n", BadNote::Signature),
        ("text\n\n\u{2014} na+me AAAAAAA=\n", BadNote::Signature),
        ("text\n\n\u{2014}  AAAAAAA=\n", BadNote::Signature),
        ("text\n\n\u{2014} na\u{a0}me AAAAAAA=\n", BadNote::Signature),
        ("te\rxt\n\n\u{2014} name AAAAAAA=\n", BadNote::Text),
        ("te\u{0}xt\n\n\u{2014} name AAAAAAA=\n", BadNote::Text),
    ];
    for (text, why) in cases {
        assert_eq!(Note::parse(text.as_bytes()), Err(why), "{text:?}");
        assert!(signed_note::Note::from_bytes(text.as_bytes()).is_err(), "{text:?}");
    }
    assert_eq!(Note::parse(b"te\xffxt\n\n\xe2\x80\x94 name AAAAAAA=\n"), Err(BadNote::Text));
    let many = format!("text\n\n{}", "\u{2014} name AAAAAAA=\n".repeat(65));
    assert_eq!(Note::parse(many.as_bytes()), Err(BadNote::Form));
}

#[test]
fn what_is_no_checkpoint() {
    let root = STANDARD.encode([1; 32]);
    let good = format!("{}\n7\n{root}\n", origin());
    assert_eq!(Checkpoint::parse(&good).unwrap().text(), good);
    for bad in [
        good.trim_end().to_owned(),
        good.replace("\n7\n", "\n07\n"),
        good.replace("\n7\n", "\n+7\n"),
        good.replace("\n7\n", "\n-7\n"),
        good.replace("\n7\n", "\n\n"),
        good.replace("\n7\n", "\n18446744073709551616\n"),
        good.replace(&root, &root[..40]),
        good.replace(&root, &STANDARD.encode([1; 33])),
        format!("{good}extension\n"),
        format!("\n7\n{root}\n"),
        format!("a b\n7\n{root}\n"),
        String::new(),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_signer_signs_only_our_own_checkpoints() {
    let mut signer = signer();
    let checkpoint = Checkpoint { origin: origin().to_string(), size: 3, root: Digest([4; 32]) };
    let text = NoteText::checkpoint(&checkpoint).unwrap();
    let key = NoteKey { name: checkpoint.origin.clone(), kind: KeyKind::Ed25519, public: signer.public_key() };
    let signature = key.signature(signer.sign_note(&text).unwrap().to_vec());
    let note = Note { text: checkpoint.text(), signatures: vec![signature] };
    assert_eq!(key.verify(&Note::parse(note.encode().as_bytes()).unwrap()), Ok(Some(0)));
    // Signed note crates of other people read it too.
    let verifier = signed_note::StandardVerifier::new(&key.vkey()).unwrap();
    assert_eq!(verifier.key_id(), u32::from_be_bytes(key.id()));
    let theirs = signed_note::Note::from_bytes(note.encode().as_bytes()).unwrap();
    assert_eq!(theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap().0.len(), 1);
    let read = tlog_tiles::Checkpoint::from_bytes(checkpoint.text().as_bytes()).unwrap();
    assert_eq!((read.size(), read.hash().0), (3, [4; 32]));

    let cosigned = NoteText::cosignature(&checkpoint, 1_700_000_000).unwrap();
    assert!(cosigned.as_bytes().starts_with(b"cosignature/v1\ntime 1700000000\ncountersign/host/"));
    for good in [&text, &cosigned] {
        assert_eq!(NoteText::parse(good.as_bytes()).as_ref(), Some(good));
    }
    let foreign = Checkpoint { origin: "example.com/log".to_owned(), ..checkpoint.clone() };
    assert_eq!(NoteText::checkpoint(&foreign), None);
    assert_eq!(NoteText::cosignature(&checkpoint, u64::MAX), None);
    for bad in ["SSHSIG\0\0\0", "cosignature/v1\ntime 01\n", "cosignature/v2\ntime 1\n"] {
        assert_eq!(NoteText::parse(format!("{bad}{}", checkpoint.text()).as_bytes()), None, "{bad:?}");
    }
}

#[test]
fn origins() {
    for origin in [origin(), Origin::Service(ServiceId::from_random([8; 16]))] {
        assert_eq!(Origin::parse(&origin.to_string()), Some(origin));
        assert_eq!(Origin::parse(&origin.to_string().to_uppercase()), None);
        assert_eq!(Origin::parse(&format!("{origin}0")), None);
    }
    assert_eq!(Origin::parse("countersign/host/"), None);
}

proptest! {
    /// What we take, they take, and with the same text and signatures; we are stricter about base64 and white space.
    #[test]
    fn agrees_with_signed_note(text in "[ -~\u{a0}é\n]{0,60}", name in "[a-z+ \u{a0}.]{0,6}", sig in proptest::collection::vec(any::<u8>(), 0..12)) {
        let whole = format!("{text}\n\n\u{2014} {name} {}\n", STANDARD.encode(&sig));
        let theirs = signed_note::Note::from_bytes(whole.as_bytes());
        match Note::parse(whole.as_bytes()) {
            Ok(ours) => {
                let theirs = theirs.unwrap();
                prop_assert_eq!(ours.text.as_bytes(), theirs.text());
                prop_assert_eq!(ours.encode(), whole);
            }
            Err(_) => prop_assert!(theirs.is_err() || sig.len() <= 4, "{:?}", whole),
        }
    }
}
