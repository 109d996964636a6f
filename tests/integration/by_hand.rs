//! The record checked with stock tools and none of ours, as docs/LEDGER.md says it can be.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use countersign_core::{b64_decode, b64_encode};
use countersign_tests::journal;
use countersign_tests::run::{Ended, run, run_with};
use countersign_tests::scratch::Scratch;
use countersign_tests::signing::leaf_hash;
use countersign_tests::trial::Trial;

/// `jq -cj FILTER` of a line.
fn jq(filter: &str, line: &str) -> Vec<u8> {
    run_with(Command::new("jq").args(["-cj", filter]), line.as_bytes()).expect(0).stdout
}

/// An OpenSSH public key line of an Ed25519 key.
fn openssh_key(public: &[u8]) -> String {
    let mut blob = Vec::new();
    for part in [b"ssh-ed25519".as_slice(), public] {
        blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
        blob.extend_from_slice(part);
    }
    format!("ssh-ed25519 {}", base64(&blob))
}

/// An armoured SSHSIG of a bare Ed25519 signature (PROTOCOL.sshsig).
fn armoured(public: &[u8], namespace: &str, signature: &[u8]) -> String {
    let string = |part: &[u8]| [&u32::try_from(part.len()).expect("short").to_be_bytes(), part].concat();
    let key = [string(b"ssh-ed25519"), string(public)].concat();
    let sig = [string(b"ssh-ed25519"), string(signature)].concat();
    let blob = [
        b"SSHSIG".to_vec(),
        1u32.to_be_bytes().to_vec(),
        string(&key),
        string(namespace.as_bytes()),
        string(b""),
        string(b"sha256"),
        string(&sig),
    ]
    .concat();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", base64(&blob))
}

/// Base64 with padding, by coreutils.
fn base64(bytes: &[u8]) -> String {
    run_with(Command::new("base64").arg("-w0"), bytes).expect(0).out()
}

fn ssh_keygen_verify(scratch: &Path, namespace: &str, signature: &str, text: &[u8]) -> Ended {
    std::fs::write(scratch.join("sig"), signature).expect("signature");
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-I", "host", "-n", namespace, "-f"]).arg(scratch.join("allowed"));
    run_with(command.arg("-s").arg(scratch.join("sig")), text)
}

#[test]
fn every_line_verifies_with_jq_and_ssh_keygen() {
    let trial = Trial::new();
    trial.approve("echo one; echo \"tw\u{f6}\" >&2").expect(0);
    trial.deny("echo no").expect(126);
    let lines = journal::lines(&trial.journal());
    assert!(lines.len() >= 12, "{} lines", lines.len());
    let entries = journal::entries(&trial.journal());
    let scratch = Scratch::new();
    let key_of =
        |entry: &serde_json::Value| b64_decode(entry["body"]["key"].as_str().expect("key")).expect("base64url");
    let allow = |public: &[u8]| {
        std::fs::write(scratch.join("allowed"), format!("host {}\n", openssh_key(public))).expect("allowed signers");
    };
    let identity = key_of(&entries[0]);
    let mut public = identity.clone();
    allow(&identity);
    let mut epochs = 0;

    let mut prev = b64_encode(&[0; 32]);
    for (line, entry) in lines.iter().zip(&entries) {
        assert_eq!(entry["prev"], prev.as_str(), "seq {}", entry["seq"]);
        if entry["kind"] == "key_rotated" {
            let statement = jq(r#"{fmt:"cs-epoch1",host,key:.body.key,prev,seq}"#, line);
            let cert = b64_decode(entry["body"]["cert"].as_str().expect("cert")).expect("base64url");
            allow(&identity);
            let cert = armoured(&identity, "epoch.v1@countersign", &cert);
            ssh_keygen_verify(scratch.path(), "epoch.v1@countersign", &cert, &statement).expect(0);
            public = key_of(entry);
            allow(&public);
            epochs += 1;
        }
        let leaf = jq("del(.vals)", line);
        let mut child = Command::new("sha256sum");
        let sum = run_with(&mut child, &[b"\0", leaf.as_slice()].concat()).expect(0).out();
        prev = b64_encode(&from_hex(&sum[..64]));
        assert_eq!(prev, leaf_hash(line), "seq {}", entry["seq"]);
        let signature = b64_decode(entry["sig"].as_str().expect("sig")).expect("base64url");
        let sig = armoured(&public, "entry.v1@countersign", &signature);
        let text = jq("del(.sig,.vals)", line);
        ssh_keygen_verify(scratch.path(), "entry.v1@countersign", &sig, &text).expect(0);
        let mut changed = text.clone();
        let at = changed.len() / 2;
        changed[at] ^= 1;
        assert_ne!(ssh_keygen_verify(scratch.path(), "entry.v1@countersign", &sig, &changed).code(), 0);
        assert_ne!(ssh_keygen_verify(scratch.path(), "decision.v1@countersign", &sig, &text).code(), 0);
    }
    assert_eq!(epochs, 2, "two starts of the daemon, an epoch each");
}

#[test]
fn the_decision_verifies_with_ssh_keygen() {
    let trial = Trial::new();
    trial.approve("true").expect(0);
    let entries = journal::entries(&trial.journal());
    let service_key = b64_decode(entries[0]["body"]["service_key"].as_str().expect("key")).expect("base64url");
    let scratch = Scratch::new();
    std::fs::write(scratch.join("allowed"), format!("host {}\n", openssh_key(&service_key))).expect("allowed signers");
    let decided = journal::lines(&trial.journal()).into_iter().find(|line| line.contains("\"kind\":\"decided\""));
    let decided = decided.expect("a decision");
    let statement = jq(".body.statement", &decided);
    let signature = b64_decode(std::str::from_utf8(&jq(".body.sig", &decided)).expect("text")).expect("base64url");
    let sig = armoured(&service_key, "decision.v1@countersign", &signature);
    ssh_keygen_verify(scratch.path(), "decision.v1@countersign", &sig, &statement).expect(0);
    let submitted = journal::lines(&trial.journal()).into_iter().find(|line| line.contains("\"command_submitted\""));
    let of = leaf_hash(&submitted.expect("a submission"));
    assert!(String::from_utf8(statement).expect("text").contains(&format!("\"entry\":\"{of}\"")));
}

#[test]
fn commands_are_found_with_jq() {
    let trial = Trial::new();
    trial.approve("echo 'a \"quoted\" w\u{f6}rd'").expect(0);
    let mut filter = Command::new("jq");
    filter.args(["-r", r#"select(.kind=="command_submitted")|.vals.cmd|map(.[1])|add"#]);
    filter.args(journal::files(&trial.journal()));
    assert_eq!(run(&mut filter).expect(0).out(), "echo 'a \"quoted\" w\u{f6}rd'\n");
}

#[test]
fn what_must_be_private_stands_only_in_openings() {
    let trial = Trial::new();
    trial.approve("echo sesame-1847").expect(0);
    let mut with_openings = 0;
    for line in journal::lines(&trial.journal()) {
        let leaf = String::from_utf8(jq("del(.vals)", &line)).expect("text");
        assert!(!leaf.contains("sesame-1847"), "{leaf}");
        with_openings += usize::from(line.contains("sesame-1847"));
    }
    assert!(with_openings >= 1, "the control: it is there at all");
}

#[test]
fn a_line_changed_by_hand_is_found() {
    let trial = Trial::new();
    trial.approve("echo one").expect(0);
    trial.verify().expect(10);
    let file = journal::files(&trial.journal()).pop().expect("a file");
    let good = std::fs::read_to_string(&file).expect("journal");
    let change = |from: &str, to: &str, code: i32| {
        assert!(good.contains(from));
        let mut out = std::fs::File::create(&file).expect("journal");
        out.write_all(good.replacen(from, to, 1).as_bytes()).expect("journal");
        trial.verify().expect(code);
    };
    change("\"outcome\":\"approved\"", "\"outcome\":\"denied\"", 40);
    change("echo one", "echo two", 40);
    let second = good.split_inclusive('\n').nth(1).expect("a second line");
    change(second, "", 41);
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hex") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
