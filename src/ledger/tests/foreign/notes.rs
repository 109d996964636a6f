//! Signed notes, checkpoints and cosignatures: those of Go's `golang.org/x/mod/sumdb/note` and of
//! `tlog_tiles`, the C2SP pages' own, and a checkpoint that four public witnesses cosigned.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Digest;
use countersign_ledger::tlog::{Checkpoint, KeyKind, Note, NoteKey};

const PETER_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH_KEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH: &str =
    "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
const COSIGNED: &str = include_str!("../vectors/cosigned.note");
/// Log and witnesses, as they publish their keys.
const LOG: &str = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const WITNESSES: [&str; 4] = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
];

/// A published key, whose id must be the one that we compute.
fn key(vkey: &str) -> NoteKey {
    let (name, rest) = vkey.split_once('+').unwrap();
    let bytes = STANDARD.decode(rest.split_once('+').unwrap().1).unwrap();
    let kind = if bytes[0] == 1 { KeyKind::Ed25519 } else { KeyKind::Cosignature };
    let key = NoteKey { name: name.to_owned(), kind, public: Digest(bytes[1..].try_into().unwrap()) };
    assert_eq!(key.vkey(), vkey);
    key
}

fn note(text: &str) -> Note {
    Note::parse(text.as_bytes()).unwrap()
}

#[test]
fn notes_of_go() {
    let (peter, enoch) = (key(PETER_KEY), key(ENOCH_KEY));
    let both = note(&format!("{TEXT}\n{PETER}{ENOCH}"));
    assert_eq!((peter.verify(&both), enoch.verify(&both)), (Ok(Some(0)), Ok(Some(0))));
    let one = note(&format!("{TEXT}\n{PETER}"));
    assert_eq!((peter.verify(&one), enoch.verify(&one)), (Ok(Some(0)), Ok(None)));
    // One invalid signature of a key spoils the note for it, wherever it stands: Go opens the note by the first.
    let invalid = format!("{}ABCD{}", &ENOCH[..60], &ENOCH[60..]);
    for text in [format!("{ENOCH}{invalid}"), format!("{invalid}{ENOCH}")] {
        let spoilt = note(&format!("{TEXT}\n{PETER}{text}"));
        assert!(enoch.verify(&spoilt).is_err());
        assert_eq!(peter.verify(&spoilt), Ok(Some(0)));
    }
    assert!(Note::parse(format!("{TEXT}\n{}", PETER.repeat(101)).as_bytes()).is_err());
    let bad = [
        TEXT.to_owned(),
        format!("\n{TEXT}"),
        format!("{TEXT}\n{}", &PETER[..PETER.len() - 1]),
        format!("\u{1}{TEXT}\n{PETER}"),
        format!("{TEXT}\n{}", PETER.replace("PeterNeumann", "Bad Name")),
    ];
    for text in bad {
        assert!(Note::parse(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(Note::parse(&[&[0xff], format!("{TEXT}\n{PETER}").as_bytes()].concat()).is_err());
}

#[test]
fn a_checkpoint_that_public_witnesses_cosigned() {
    let good = note(COSIGNED);
    assert_eq!(good.encode(), COSIGNED);
    let checkpoint = Checkpoint::parse(&good.text).unwrap();
    assert_eq!((checkpoint.size, checkpoint.text()), (1_432_088_532, good.text.clone()));
    assert_eq!(key(LOG).verify(&good), Ok(Some(0)));
    for vkey in WITNESSES {
        let witness = key(vkey);
        assert_eq!(witness.verify(&good), Ok(Some(1_779_573_024)), "{vkey}");
        // The text is signed, and so is the time.
        let mut text = good.clone();
        text.text = text.text.replace("1432088532", "1432088533");
        assert!(witness.verify(&text).is_err(), "{vkey}");
        let mut time = good.clone();
        let place = time.signatures.iter().position(|s| s.name == witness.name).unwrap();
        time.signatures[place].bytes[7] ^= 1;
        assert!(witness.verify(&time).is_err(), "{vkey}");
        // A cosignature is no signature of the same key, nor the other way round.
        let plain = NoteKey { kind: KeyKind::Ed25519, ..witness.clone() };
        assert_eq!(plain.verify(&good), Ok(None), "{vkey}");
        let mut relabelled = good.clone();
        relabelled.signatures[place].id = plain.id();
        assert!(plain.verify(&relabelled).is_err(), "{vkey}");
    }
}

/// As in the tests of `tlog_tiles`; ours takes no extension lines, of which it would know nothing.
#[test]
fn checkpoints_of_tlog_tiles() {
    let root = "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=";
    for good in [format!("example.com/origin\n123\n{root}\n"), format!("e\n123\n{root}\n")] {
        assert_eq!(Checkpoint::parse(&good).unwrap().text(), good);
        assert!(Checkpoint::parse(&format!("{good}abc\ndef\n")).is_err());
    }
    let bad = [
        format!("\n123\n{root}\n"),
        format!("example.com/origin\n0xabcdef\n{root}\n"),
        format!("example.com/origin\n18446744073709551616\n{root}\n"),
        format!("example.com/origin\n123\n{}\n", root.trim_end_matches('=')),
        "example.com/origin\n123\nQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBCg==\n".to_owned(),
        format!("example.com/origin\n123\n{root}\nabc\n\n"),
        format!("example.com/origin\n123\n{root}"),
    ];
    for text in bad {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
}
