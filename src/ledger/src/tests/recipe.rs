//! Verification by hand with stock tools, word for word as `docs/LEDGER.md` gives it.

use super::support::*;
use crate::{Entry, Namespace, Signer as _, armored_signature};
use countersign_core::{Digest, b64_encode};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The commands of the page's section "Verifying by hand".
fn recipe() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/LEDGER.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split("## Verifying by hand").nth(1).unwrap();
    section.split("```").nth(1).unwrap().replace("HOST", &host().to_string())
}

fn sh(dir: &Path, script: &str) -> Output {
    for tool in ["jq", "ssh-keygen", "sha256sum", "base64"] {
        let there = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        assert!(there.status.success(), "{tool} is missing; this test needs jq, openssh-client and coreutils");
    }
    Command::new("bash").args(["-e", "-o", "pipefail", "-c", script]).current_dir(dir).output().unwrap()
}

fn from_hex(text: &str) -> Digest {
    Digest(std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()))
}

#[test]
fn jq_sha256sum_and_ssh_keygen_verify_every_golden_line() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    fs::write(dir.join("allowed"), golden("allowed_signers")).unwrap();
    let (text, recipe) = (golden("day.jsonl"), recipe());
    let mut prev = Digest::ZERO;
    for line in text.lines() {
        let entry = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!(entry.prev, prev);
        fs::write(dir.join("line"), line).unwrap();
        let run = sh(dir, &recipe);
        assert!(run.status.success(), "{line}\n{}", String::from_utf8_lossy(&run.stderr));
        let said = String::from_utf8(run.stdout).unwrap();
        assert!(said.starts_with("Good \"entry.v1@countersign\" signature"), "{said}");
        prev = from_hex(said.lines().nth(1).unwrap());
        assert_eq!(prev, entry.leaf);
        let armored = armored_signature(Namespace::Entry, &host_signer().public_key(), &entry.sig).unwrap();
        assert_eq!(fs::read_to_string(dir.join("sig.pem")).unwrap(), armored);
    }
    // The last line again: another purpose, a changed byte and another signature are refused.
    let last = text.lines().last().unwrap();
    assert!(!sh(dir, &recipe.replace("-n entry.v1", "-n decision.v1")).status.success());
    let other = last.replace(&Entry::parse(last.as_bytes()).unwrap().sig, &b64_encode(&[1; 64]));
    for changed in [last.replace("signal", "sigmal"), other] {
        assert_ne!(changed, last);
        fs::write(dir.join("line"), changed).unwrap();
        assert!(!sh(dir, &recipe).status.success());
    }
}
