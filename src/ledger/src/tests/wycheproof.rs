//! Wycheproof's vectors for the two algorithms that are verified here, through the
//! very functions that verify: 151 for Ed25519, 262 for ECDSA over P-256. Neither set has
//! "acceptable" ones; what ours takes otherwise than it says stands in the tests.

use crate::openssh::{SshKey, SshSignature};
use crate::sshsig::{Namespace, verify_bytes};
use crate::tlog::note::verify_raw;
use countersign_core::Digest;
use wycheproof::{TestResult, ecdsa, eddsa};

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        let public = Digest(group.key.pk.as_slice().try_into().unwrap());
        for test in &group.tests {
            let taken = verify_raw(&public, &test.msg, &test.sig).is_ok();
            assert_eq!(taken, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            // No signature over anything else is one over an entry.
            if let Ok(sig) = <&[u8; 64]>::try_from(test.sig.as_slice()) {
                assert!(verify_bytes(Namespace::Entry, &public, &[0; 32], sig).is_err());
            }
            *(if taken { &mut valid } else { &mut invalid }) += 1;
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

/// An SSH `string`.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A number as SSH's `mpint`, after so many zeros too many.
fn mpint(digits: &[u8], zeros: usize) -> Vec<u8> {
    let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
    let sign = usize::from(digits.first().is_some_and(|first| first & 0x80 != 0));
    string(&[&vec![0; sign + zeros], digits].concat())
}

const KIND: &[u8] = b"ecdsa-sha2-nistp256";

/// The signature `r ‖ s` as `ssh-keygen` would write it.
fn signature(point: &[u8], raw: &[u8], zeros: [usize; 2]) -> Option<SshSignature> {
    let key = SshKey::from_blob(&[string(KIND), string(b"nistp256"), string(point)].concat()).ok()?;
    let line = key.to_string();
    let key = base64_of(line.split(' ').nth(1)?);
    let (r, s) = raw.split_at(raw.len() / 2);
    let inner = [string(KIND), string(&[mpint(r, zeros[0]), mpint(s, zeros[1])].concat())].concat();
    let parts = [key.as_slice(), b"unittest", b"", b"sha256", &inner].map(string).concat();
    SshSignature::from_blob(&[b"SSHSIG\0\0\0\x01".as_slice(), &parts].concat()).ok()
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// The twelve whose only fault is that `r ‖ s` is not 64 bytes long: the numbers are right, and SSH
/// writes a number with as many digits as it has, so in SSH's form they are good signatures.
const OF_ANOTHER_SIZE: [usize; 12] = [121, 123, 125, 127, 129, 131, 133, 135, 145, 147, 149, 151];

#[test]
fn ecdsa_over_p256() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let (mut valid, mut invalid, mut sizes) = (0, 0, Vec::new());
    for group in &set.test_groups {
        for test in &group.tests {
            let taken =
                |zeros| signature(&group.key.key, &test.sig, zeros).is_some_and(|s| s.holds_over(&test.msg).is_ok());
            let wanted = test.result == TestResult::Valid;
            if taken([0, 0]) != wanted {
                assert!(test.flags.contains(&ecdsa::TestFlag::SignatureSize), "{}: {}", test.tc_id, test.comment);
                sizes.push(test.tc_id);
                continue;
            }
            *(if wanted { &mut valid } else { &mut invalid }) += 1;
            assert!(!taken([1, 0]) && !taken([0, 1]), "{}: a second spelling", test.tc_id);
        }
    }
    assert_eq!((valid, invalid, sizes), (173, 77, OF_ANOTHER_SIZE.to_vec()));
}
