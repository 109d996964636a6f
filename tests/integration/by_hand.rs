//! The record checked with stock tools and none of ours, as docs/LEDGER.md says it can be.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use countersign_core::{b64_decode, b64_encode};
use countersign_tests::journal;
use countersign_tests::programs::{CLI, program};
use countersign_tests::run::{Ended, run, run_with};
use countersign_tests::scratch::Scratch;
use countersign_tests::signing::leaf_hash;
use countersign_tests::trial::{Trial, second_verifier};

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

/// The commands of a step of the VERIFY-BY-HAND.txt that stands in a bundle.
fn step(text: &str, number: usize) -> String {
    let mut paragraphs = text.split("\n\n").skip_while(|part| !part.starts_with(&format!("{number}. ")));
    paragraphs.nth(1).expect("a step").to_owned()
}

#[test]
fn the_recipe_of_a_bundle_works_on_it() {
    let trial = Trial::new();
    trial.approve("echo one").expect(0);
    trial.approve("echo two").expect(0);
    let scratch = Scratch::new();
    let bundle = scratch.join("bundle.tar");
    run(Command::new(program(CLI)).arg("bundle").arg(trial.state()).arg("-o").arg(&bundle)).expect(0);
    run(Command::new("tar").arg("-xf").arg(&bundle).arg("-C").arg(scratch.path())).expect(0);
    let text = std::fs::read_to_string(scratch.join("VERIFY-BY-HAND.txt")).expect("recipe");
    let entries = journal::entries(&trial.journal());
    let [key, service] = ["key", "service_key"].map(|name| entries[0]["body"][name].as_str().expect("key").to_owned());
    let mut script = format!("{}\nKEY={key}\nSERVICE_KEY={service}\nEPOCH=$KEY\n", step(&text, 1));
    for (n, entry) in entries.iter().enumerate() {
        script += &format!("N={n}\n");
        if entry["kind"] == "key_rotated" {
            script += &format!("{}\n", step(&text, 2));
        }
        script += &format!("{}\n", step(&text, 3));
        if n + 1 < entries.len() {
            script += &format!("set -- $({{ {}\n}} | cut -c1-64)\ntest \"$1\" = \"$2\"\n", step(&text, 4));
        }
        if entry["kind"] == "decided" {
            script += &format!("{}\n", step(&text, 5));
        }
    }
    let bash = |script: &str| {
        let mut command = Command::new("bash");
        run(command.args(["-e", "-o", "pipefail", "-c", script]).current_dir(scratch.path()))
    };
    let said = bash(&script).expect(0).out();
    let good = |namespace: &str| said.matches(&format!("Good \"{namespace}\" signature")).count();
    let rotated = journal::of_kind(&trial.journal(), "key_rotated").len();
    assert!(rotated >= 2, "{rotated} epochs");
    assert_eq!(good("entry.v1@countersign"), entries.len());
    assert_eq!((good("epoch.v1@countersign"), good("decision.v1@countersign")), (rotated, 2));
    // The identity key signs nothing but the first entry.
    assert_ne!(bash(&script.replace("&& EPOCH=", "&& NOT=")).code(), 0);
}

#[test]
fn the_second_verifier_agrees_on_a_real_journal() {
    let trial = Trial::new();
    trial.approve("echo one").expect(0);
    trial.deny("echo no").expect(126);
    let trust = trial.state().join("trust.json");
    trial.verify().expect(10);
    second_verifier(&trial.state(), &trust).expect(10);
    let file = journal::files(&trial.journal()).pop().expect("a file");
    let good = std::fs::read_to_string(&file).expect("journal");
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let rotated = lines.iter().position(|line| line.contains("\"kind\":\"key_rotated\"")).expect("an epoch");
    for (changed, code) in [
        (good.replacen("\"outcome\":\"denied\"", "\"outcome\":\"approved\"", 1), 40),
        ([&lines[..rotated], &lines[rotated + 1..]].concat().concat(), 41),
    ] {
        std::fs::write(&file, changed).expect("journal");
        trial.verify().expect(code);
        second_verifier(&trial.state(), &trust).expect(code);
    }
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
