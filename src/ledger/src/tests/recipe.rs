//! Verification by hand with stock tools, as `docs/LEDGER.md` gives it.

use super::support::*;
use crate::{Entry, Namespace, Signer as _, armored_signature};
use countersign_core::{Digest, b64_encode};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const HASH: &str = r"(printf '\0'; jq -cj 'del(.vals)' line) | sha256sum";
const SIGNATURE: &str = "jq -cj 'del(.sig,.vals)' line | \
    ssh-keygen -Y verify -f allowed -I HOST -n entry.v1@countersign -s sig.pem";

fn sh(dir: &Path, script: &str) -> Output {
    for tool in ["jq", "ssh-keygen", "sha256sum"] {
        let there = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        assert!(there.status.success(), "{tool} is missing; this test needs jq, openssh-client and coreutils");
    }
    Command::new("bash").args(["-o", "pipefail", "-c", script]).current_dir(dir).output().unwrap()
}

#[test]
fn jq_sha256sum_and_ssh_keygen_verify_every_golden_line() {
    let dir = tempfile::tempdir().unwrap();
    let public = host_signer().public_key();
    let signature = SIGNATURE.replace("HOST", &host().to_string());
    fs::write(dir.path().join("allowed"), golden("allowed_signers")).unwrap();
    let text = golden("day.jsonl");
    for line in text.lines() {
        let entry = Entry::parse(line.as_bytes()).unwrap();
        fs::write(dir.path().join("line"), line).unwrap();
        fs::write(dir.path().join("sig.pem"), armored_signature(Namespace::Entry, &public, &entry.sig).unwrap())
            .unwrap();
        let verified = sh(dir.path(), &signature);
        assert!(verified.status.success(), "{line}\n{}", String::from_utf8_lossy(&verified.stderr));
        let hashed = String::from_utf8(sh(dir.path(), HASH).stdout).unwrap();
        let bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hashed[2 * i..2 * i + 2], 16).unwrap()).collect();
        assert_eq!(b64_encode(&bytes), entry.leaf.to_string());
        if let Some(next) = text.lines().nth(usize::try_from(entry.seq).unwrap() + 1) {
            assert_eq!(Entry::parse(next.as_bytes()).unwrap().prev, Digest(bytes.try_into().unwrap()));
        }
    }
    // The last line again: a changed byte and another purpose are refused.
    let other = signature.replace("entry.v1", "decision.v1");
    assert!(!sh(dir.path(), &other).status.success());
    let last = text.lines().last().unwrap().replace("signal", "sigmal");
    fs::write(dir.path().join("line"), last).unwrap();
    assert!(!sh(dir.path(), &signature).status.success());
}
