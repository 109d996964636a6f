//! The signatures of OpenSSH's own regression tests (`regress/unittests/sshsig`).

use base64::Engine as _;
use countersign_ledger::{BadSshSignature, SshKey, SshSignature};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const MESSAGE: &[u8] = b"This is a test, this is only a test";
const NAMESPACE: &str = "unittest";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/openssh").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

/// What `ssh-keygen` itself says.
fn openssh_takes(name: &str) -> bool {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("data");
    std::fs::write(&file, MESSAGE).unwrap();
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "check-novalidate", "-n", NAMESPACE, "-s"]).arg(path(name));
    command.stdin(std::fs::File::open(file).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

const OURS: [&str; 4] = ["ed25519", "ed25519_sk", "ecdsa", "ecdsa_sk"];

#[test]
fn signatures_of_the_four_kinds() {
    for name in OURS {
        let signature = SshSignature::from_armor(&read(&format!("{name}.sig"))).unwrap();
        let key: SshKey = read(&format!("{name}.pub")).parse().unwrap();
        assert_eq!(signature.key(), &key, "{name}");
        assert_eq!(signature.verify(NAMESPACE, MESSAGE), Ok(()), "{name}");
        assert_eq!(signature.verify("unittesu", MESSAGE), Err(BadSshSignature::Namespace), "{name}");
        assert_eq!(signature.verify(NAMESPACE, &MESSAGE[1..]), Err(BadSshSignature::Invalid), "{name}");
        assert!(openssh_takes(&format!("{name}.sig")), "{name}");
    }
}

/// Every bit of every signature, and every length.
#[test]
fn no_bit_of_them_can_be_changed() {
    let mut tried = 0;
    for name in OURS {
        let good = SshSignature::armor_to_blob(&read(&format!("{name}.sig"))).unwrap();
        let takes = |blob: &[u8]| SshSignature::from_blob(blob).is_ok_and(|s| s.verify(NAMESPACE, MESSAGE).is_ok());
        assert!(takes(&good));
        for at in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(!takes(&bad), "{name}, bit {at}");
            tried += 1;
        }
        for length in 0..good.len() {
            assert!(!takes(&good[..length]) && !takes(&[&good, &good[..=length]].concat()), "{name}, {length} bytes");
            tried += 2;
        }
    }
    println!("{tried} changed signatures refused");
}

/// RSA is not among the kinds that are enrolled, and a browser's WebAuthn signature is over other bytes.
/// `ssh-keygen` takes both; ours refuses them by their form, before any key is looked at.
#[test]
fn kinds_that_nobody_can_enroll() {
    for name in ["rsa.sig", "ecdsa_sk_webauthn.sig"] {
        assert_eq!(SshSignature::from_armor(&read(name)), Err(BadSshSignature::Form), "{name}");
        assert!(openssh_takes(name), "{name}");
    }
    // The key of the latter could sign as a security key does.
    let key: SshKey = read("ecdsa_sk_webauthn.pub").parse().unwrap();
    // So could whoever writes its type into a signature of the browser's; that one is no signature of anything.
    let text = read("ecdsa_sk_webauthn.sig");
    let blob = SshSignature::armor_to_blob(&text).unwrap();
    let cut = blob.windows(9).rposition(|window| window == b"webauthn-").unwrap();
    let mut other = [&blob[..cut], &blob[cut + 9..]].concat();
    other[cut - 1] -= 9;
    let inner = cut - 8..cut - 4;
    let length = u32::from_be_bytes(other[inner.clone()].try_into().unwrap()) - 9;
    other[inner].copy_from_slice(&length.to_be_bytes());
    assert!(base64::engine::general_purpose::STANDARD.encode(&other).contains("c2stZWNkc2E"));
    assert_eq!(SshSignature::from_blob(&other), Err(BadSshSignature::Form));
    assert!(key.to_string().starts_with("sk-ecdsa-sha2-nistp256@openssh.com "));
}
