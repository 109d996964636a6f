//! OpenSSH keys and signatures against the real `ssh-keygen`, and the document of the administrators.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::{Choice, DecidedBy, Digest, HostId, Nonce, b64_encode};
use countersign_ledger::{
    AUTHORITY_NAMESPACE, Admins, Authority, BadAuthority, BadReview, BadSshSignature, SshKey, SshSignature, Statement,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const NAMESPACE: &str = "decision.v1@countersign";

/// A key of `ssh-keygen`, and its `.pub` line.
fn keygen(dir: &TempDir, name: &str, kind: &str) -> (PathBuf, SshKey) {
    let file = dir.path().join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", name, "-f"]).arg(&file).status();
    assert!(made.unwrap().success());
    let line = fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, line.parse().unwrap())
}

/// What `ssh-keygen -Y sign` says about a message.
fn sign(key: &Path, namespace: &str, message: &[u8]) -> String {
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    String::from_utf8(done.stdout).unwrap()
}

/// Whether the real `ssh-keygen -Y verify` takes it.
fn openssh_takes(dir: &TempDir, key: &SshKey, armored: &str, message: &[u8]) -> bool {
    let (allowed, sig) = (dir.path().join("allowed"), dir.path().join("sig"));
    fs::write(&allowed, format!("someone {key}\n")).unwrap();
    fs::write(&sig, armored).unwrap();
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-I", "someone", "-n", NAMESPACE, "-f"])
        .arg(&allowed)
        .arg("-s")
        .arg(&sig)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(message).unwrap();
    child.wait().unwrap().success()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend_from_slice(bytes);
}

fn blob(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(Vec::new(), |mut out, part| {
        put(&mut out, part);
        out
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    countersign_ledger::sha256(bytes).0
}

/// A FIDO key in software: what its makers put on a stick.
enum Stick {
    Ed(Ed25519KeyPair),
    Ec(Box<EcdsaKeyPair>),
}

impl Stick {
    fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap())
    }

    fn ec() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self::Ec(Box::new(pair))
    }

    fn kind(&self) -> &'static [u8] {
        match self {
            Self::Ed(_) => b"sk-ssh-ed25519@openssh.com",
            Self::Ec(_) => b"sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn public(&self) -> Vec<u8> {
        match self {
            Self::Ed(pair) => blob(&[self.kind(), pair.public_key().as_ref(), b"ssh:"]),
            Self::Ec(pair) => blob(&[self.kind(), b"nistp256", pair.public_key().as_ref(), b"ssh:"]),
        }
    }

    fn raw(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).unwrap();
                let (r, s) = signature.as_ref().split_at(32);
                blob(&[&mpint(r), &mpint(s)])
            }
        }
    }

    fn sign(&self, flags: u8, message: &[u8]) -> String {
        let mut preimage = b"SSHSIG".to_vec();
        preimage.extend(blob(&[NAMESPACE.as_bytes(), b"", b"sha256", &sha256(message)]));
        let mut signed = sha256(b"ssh:").to_vec();
        signed.push(flags);
        signed.extend_from_slice(&9u32.to_be_bytes());
        signed.extend_from_slice(&sha256(&preimage));
        let mut inner = blob(&[self.kind(), &self.raw(&signed)]);
        inner.push(flags);
        inner.extend_from_slice(&9u32.to_be_bytes());
        let mut outer = b"SSHSIG\0\0\0\x01".to_vec();
        outer.extend(blob(&[&self.public(), NAMESPACE.as_bytes(), b"", b"sha256", &inner]));
        armored(&outer)
    }
}

fn mpint(half: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits[0] & 0x80 != 0 { [vec![0], digits].concat() } else { digits }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn armored(blob: &[u8]) -> String {
    let text = base64(blob);
    let lines: Vec<_> = text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
}

#[test]
fn keys_and_signatures_of_ssh_keygen() {
    let dir = TempDir::new().unwrap();
    for kind in ["ed25519", "ecdsa"] {
        let (file, key) = keygen(&dir, kind, kind);
        let printed = Command::new("ssh-keygen").args(["-l", "-f"]).arg(&file).output().unwrap();
        assert!(String::from_utf8(printed.stdout).unwrap().contains(&key.fingerprint()), "{kind}");
        // Signatures of ECDSA differ each time; short and long r and s come up.
        for round in 0..if kind == "ecdsa" { 40 } else { 2 } {
            let message = format!("message {round}");
            let signature = SshSignature::from_armor(&sign(&file, NAMESPACE, message.as_bytes())).unwrap();
            assert_eq!(signature.key(), &key);
            assert_eq!(signature.verify(NAMESPACE, message.as_bytes()), Ok(()));
            assert_eq!(signature.verify(NAMESPACE, b"another"), Err(BadSshSignature::Invalid));
            assert_eq!(signature.verify("file", message.as_bytes()), Err(BadSshSignature::Namespace));
        }
    }
    let (_, rsa) = {
        let file = dir.path().join("rsa");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-N", "", "-f"]).arg(&file).status();
        assert!(made.unwrap().success());
        (0, fs::read_to_string(file.with_extension("pub")).unwrap())
    };
    assert!(rsa.parse::<SshKey>().unwrap_err().to_string().contains("ssh-rsa"));
}

#[test]
fn security_keys_count_when_they_were_touched() {
    let dir = TempDir::new().unwrap();
    for stick in [Stick::ed(), Stick::ec()] {
        let key = SshKey::from_blob(&stick.public()).unwrap();
        for round in 0..20 {
            let message = format!("message {round}");
            let text = stick.sign(1, message.as_bytes());
            let signature = SshSignature::from_armor(&text).unwrap();
            assert_eq!(signature.verify(NAMESPACE, message.as_bytes()), Ok(()));
            assert_eq!(signature.verify(NAMESPACE, b"another"), Err(BadSshSignature::Invalid));
            if round == 0 {
                assert!(openssh_takes(&dir, &key, &text, message.as_bytes()), "the oracle agrees");
            }
        }
        let untouched = stick.sign(4, b"m");
        assert_eq!(
            SshSignature::from_armor(&untouched).unwrap().verify(NAMESPACE, b"m"),
            Err(BadSshSignature::NotTouched)
        );
        assert!(openssh_takes(&dir, &key, &untouched, b"m"), "ours is stricter than ssh-keygen, which does not look");
    }
}

#[test]
fn a_signature_with_any_bit_changed_counts_nowhere() {
    let dir = TempDir::new().unwrap();
    let (file, _) = keygen(&dir, "k", "ed25519");
    let stick = Stick::ec();
    use base64::Engine;
    for text in [sign(&file, NAMESPACE, b"m"), stick.sign(1, b"m")] {
        let inner: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let whole = base64::engine::general_purpose::STANDARD.decode(inner).unwrap();
        let first = SshSignature::from_blob(&whole).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let counts = SshSignature::from_blob(&changed)
                .is_ok_and(|one| one.key() == first.key() && one.verify(NAMESPACE, b"m").is_ok());
            assert!(!counts, "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(SshSignature::from_blob(&whole[..length]).is_err(), "cut at {length}");
        }
        assert!(SshSignature::from_blob(&[whole, vec![0]].concat()).is_err(), "one byte too many");
    }
}

fn document(people: usize, keys: &[(&str, &SshKey)]) -> String {
    let reviewers: String =
        keys.iter().map(|(name, key)| format!("[[reviewer]]\nname = \"{name}\"\nkeys = [\"{key} x\"]\n")).collect();
    format!("fmt = \"cs-authority1\"\nversion = 3\npeople = {people}\n{reviewers}")
}

fn statement(authority: &Authority, by: &str, key: &SshKey) -> Statement {
    Statement {
        by: DecidedBy::Person(by.parse().unwrap()),
        decision: Choice::Approve,
        entry: Digest([5; 32]),
        exp_ms: 60_000,
        host: HostId::from_random([1; 16]),
        key: key.id(),
        nonce: Nonce([2; 16]),
        policy: authority.digest,
    }
}

/// base64url of the binary signature, as a review carries it.
fn review_sig(key: &Path, text: &str) -> String {
    use base64::Engine;
    let armored = sign(key, NAMESPACE, text.as_bytes());
    let inner: String = armored.lines().filter(|line| !line.starts_with('-')).collect();
    b64_encode(&base64::engine::general_purpose::STANDARD.decode(inner).unwrap())
}

#[test]
fn two_people_are_two_people() {
    let dir = TempDir::new().unwrap();
    let (ann_file, ann) = keygen(&dir, "ann", "ed25519");
    let (bob_file, bob) = keygen(&dir, "bob", "ecdsa");
    let authority = Authority::parse(&document(2, &[("ann", &ann), ("bob", &bob)])).unwrap();
    let review = |by: &str, key: &SshKey, file: &Path| {
        let text = statement(&authority, by, key).encode().unwrap();
        authority.review(&text, &review_sig(file, &text))
    };
    let (one, two) = (review("ann", &ann, &ann_file).unwrap(), review("bob", &bob, &bob_file).unwrap());
    assert!(authority.enough([&one, &two]));
    assert!(!authority.enough([&one]));
    assert!(!authority.enough([&one, &one]), "the same person twice");
    let mut no = two.clone();
    no.statement.decision = Choice::Deny;
    assert!(!authority.enough([&one, &no]), "a no is no yes");

    assert!(matches!(review("bob", &ann, &ann_file), Err(BadReview::OtherName { .. })), "in another's name");
    let (eve_file, eve) = keygen(&dir, "eve", "ed25519");
    assert!(matches!(review("ann", &eve, &eve_file), Err(BadReview::UnknownKey(_))));
    assert!(matches!(review("ann", &ann, &eve_file), Err(BadReview::UnknownKey(_))), "another's key");
    let text = statement(&authority, "ann", &ann).encode().unwrap();
    let other = text.replace("approve", "deny");
    assert_eq!(authority.review(&other, &review_sig(&ann_file, &text)), Err(BadReview::Signature), "other words");
    let old = Statement { policy: Digest([9; 32]), ..statement(&authority, "ann", &ann) }.encode().unwrap();
    assert_eq!(authority.review(&old, &review_sig(&ann_file, &old)), Err(BadReview::OtherAuthority));
    let wrong_namespace = sign(&ann_file, "file", text.as_bytes());
    assert!(SshSignature::from_armor(&wrong_namespace).unwrap().verify(NAMESPACE, text.as_bytes()).is_err());
}

#[test]
fn the_document_counts_when_enough_administrators_have_signed() {
    let dir = TempDir::new().unwrap();
    let (_, ann) = keygen(&dir, "ann", "ed25519");
    let (first_file, first) = keygen(&dir, "first", "ed25519");
    let (second_file, second) = keygen(&dir, "second", "ecdsa");
    let (stranger, _) = keygen(&dir, "stranger", "ed25519");
    let text = document(1, &[("ann", &ann)]);
    let by = |file: &Path| sign(file, AUTHORITY_NAMESPACE, text.as_bytes());
    let admins = |needed| Admins::parse(&format!("# ours\n\n{first} a\n{second}\n"), needed).unwrap();
    let ok = |sigs: String, needed: usize| Authority::signed_by(&text, &sigs, &admins(needed)).is_ok();
    assert!(ok(by(&first_file), 1) && ok(by(&second_file), 1));
    assert!(ok(by(&first_file) + &by(&second_file), 2));
    assert!(ok(by(&stranger) + &by(&first_file), 1), "a stranger's beside it does no harm");
    assert!(!ok(by(&first_file) + &by(&first_file), 2), "one administrator twice");
    assert!(!ok(by(&stranger), 1) && !ok(String::new(), 1));
    assert!(!ok(sign(&first_file, NAMESPACE, text.as_bytes()), 1), "signed for another purpose");
    assert!(!ok(sign(&first_file, AUTHORITY_NAMESPACE, b"another"), 1));
    let why = Authority::signed_by(&text, "", &admins(1)).unwrap_err();
    assert!(
        matches!(why, BadAuthority::Unsigned { valid: 0, needed: 1 }) && why.to_string().contains("ssh-keygen -Y sign")
    );
    assert!(Admins::parse("", 1).is_err() && Admins::parse(&first.to_string(), 2).is_err());
    assert!(Admins::parse(&format!("{first}\n{first}\n"), 1).is_err());
}

#[test]
fn a_document_that_is_not_clear_is_refused() {
    let dir = TempDir::new().unwrap();
    let (_, ann) = keygen(&dir, "ann", "ed25519");
    let good = document(1, &[("ann", &ann)]);
    let authority = Authority::parse(&good).unwrap();
    assert_eq!((authority.version, authority.people, authority.names().count()), (3, 1, 1));
    assert_eq!(authority.rules, "fmt = \"cs-rules1\"\n");
    let with_rule = format!("{good}[[rule]]\nid = 7\nallow = \"x\"\n[settings]\na = 1\n");
    let rules = Authority::parse(&with_rule).unwrap().rules;
    assert!(rules.contains("[[rule]]\nallow = \"x\"\nid = 7\n") && rules.contains("[settings]\na = 1\n"), "{rules}");
    let key = ann.to_string();
    for (change, says) in [
        (good.replace("cs-authority1", "cs-authority2"), "fmt"),
        (good.replace("version = 3", "version = 0"), "version"),
        (good.replace("people = 1", "people = 0"), "people"),
        (good.replace("people = 1", "people = 2"), "people"),
        (good.replace("people = 1", "persons = 1"), "persons"),
        (good.replace(&key, "ssh-rsa AAAA"), "key 1 of ann"),
        (good.replace(&key, ""), "key 1 of ann"),
        (good.replace("name = \"ann\"", "name = \"An n\""), "name"),
        (document(1, &[("ann", &ann), ("ann", &ann)]), "twice"),
        (document(1, &[("ann", &ann), ("bob", &ann)]), "twice"),
        (document(1, &[("ann", &ann), ("bob", &on_a_stick(&ann, "ssh:"))]), "twice"),
        (document(1, &[("ann", &on_a_stick(&ann, "ssh:")), ("bob", &on_a_stick(&ann, "ssh:b"))]), "twice"),
        (good.replace(&key, &format!("{key}\\n* {key}")), "key 1 of ann"),
        ("fmt = \"cs-authority1\"\nversion = 1\n".to_owned(), "reviewer"),
        ("fmt = \"cs-authority1\"\nversion = 1\nreviewer = []\n".to_owned(), "reviewer"),
        (String::new(), "fmt"),
    ] {
        let why = Authority::parse(&change).unwrap_err().to_string();
        assert!(why.contains(says), "{says}: {why}");
    }
}

/// The FIDO form of a key: the same point, which the same person signs with.
fn on_a_stick(key: &SshKey, application: &str) -> SshKey {
    let line = key.to_string();
    let plain = STANDARD.decode(line.split_whitespace().nth(1).unwrap()).unwrap();
    let point = &plain[plain.len() - 32..];
    SshKey::from_blob(&blob(&[b"sk-ssh-ed25519@openssh.com", point, application.as_bytes()])).unwrap()
}

#[test]
fn one_administrator_is_not_two() {
    let dir = TempDir::new().unwrap();
    let (_, ann) = keygen(&dir, "ann", "ed25519");
    let (_, bob) = keygen(&dir, "bob", "ed25519");
    Admins::parse(&format!("{ann}\n{bob}\n"), 2).unwrap();
    for other in [ann.clone(), on_a_stick(&ann, "ssh:")] {
        let why = Admins::parse(&format!("{ann}\n{other}\n"), 2).unwrap_err().to_string();
        assert!(why.contains("stands twice"), "{why}");
    }
}
