//! The bytes are those of the golden files, whatever library changes.

use super::support::*;
use crate::{Entry, Kind, Line, Namespace, Signer as _, Statement, TrustFile, TrustedHost, TrustedService, Value};
use crate::{allowed_signers_line, verify_signature};
use countersign_core::{Choice, Digest};

/// Compares with a golden file, or writes it where that is asked for.
fn compare(name: &str, text: &str) {
    let path = golden_dir().join(name);
    if std::env::var_os("COUNTERSIGN_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(golden_dir()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{}", path.display());
}

#[test]
fn a_day_of_a_host_is_byte_for_byte_the_golden_one() {
    let dir = tempfile::tempdir().unwrap();
    let (committer, _) = open(dir.path());
    let written = write_day(&committer);
    drop(committer);
    let bytes = std::fs::read_to_string(dir.path().join("0000000000000000.jsonl")).unwrap();
    assert_eq!(bytes, written.iter().map(|w| w.line.clone() + "\n").collect::<String>());
    compare("day.jsonl", &bytes);
}

#[test]
fn the_keys_of_the_golden_day() {
    let (host_key, service_key) = (host_signer().public_key(), service_signer().public_key());
    let hosts = vec![TrustedHost { host: host(), key: host_key, name: "web-1".parse().unwrap() }];
    let trust = TrustFile::new(hosts, vec![TrustedService { key: service_key, service: service() }]).unwrap();
    compare("trust.json", &(trust.to_json().unwrap() + "\n"));
    compare("allowed_signers", &allowed_signers_line(&host().to_string(), Namespace::Entry, &host_key));
    assert_eq!(TrustFile::load(&golden_dir().join("trust.json")).unwrap(), trust);
}

#[test]
fn the_golden_day_reads_back() {
    let mut prev = Digest::ZERO;
    let text = golden("day.jsonl");
    for (seq, line) in text.lines().enumerate() {
        let entry = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!((usize::try_from(entry.seq).unwrap(), entry.prev), (seq, prev));
        assert_eq!(entry.boot, BOOT);
        entry.verify_signature(&host_signer().public_key()).unwrap();
        assert!(entry.verify_signature(&service_signer().public_key()).is_err());
        let opened = entry.openings().unwrap();
        assert_eq!(opened.missing, Vec::<String>::new(), "{line}");
        prev = entry.leaf;
        if entry.kind == Some(Kind::CommandSubmitted) {
            let command = entry.command().unwrap();
            let last = " <<< 'naïve \"q\" \\ 𝄞'\n\t# é".as_bytes().to_vec();
            assert_eq!(command, [Some(b"mysql -p".to_vec()), None, Some(last)]);
            assert_eq!(opened.one("cwd"), Some(b"/home/deploy/\xff\xfe".as_slice()));
        }
        if entry.kind == Some(Kind::Decided) {
            check_statement(&entry);
        }
    }
}

/// A statement's bytes in the leaf are the bytes that were signed.
fn check_statement(entry: &Entry) {
    let value = entry.body.get("statement").unwrap();
    let text = value.encode().unwrap();
    let sig = entry.body.get("sig").and_then(Value::as_text).unwrap();
    let public = service_signer().public_key();
    verify_signature(Namespace::Decision, &public, text.as_bytes(), sig).unwrap();
    assert!(verify_signature(Namespace::Entry, &public, text.as_bytes(), sig).is_err());
    let statement = Statement::parse(&text).unwrap();
    assert_eq!(Statement::from_value(value).unwrap(), statement);
    assert_eq!(statement.encode().unwrap(), text);
    let approved = entry.body.get("outcome").and_then(Value::as_text) == Some("approved");
    assert_eq!(statement.decision == Choice::Approve, approved);
}

#[test]
fn a_statement_of_any_other_form_is_refused() {
    let line = golden("day.jsonl").lines().find(|l| l.contains("cs-decision1")).unwrap().to_owned();
    let good = Entry::parse(line.as_bytes()).unwrap().body.get("statement").unwrap().encode().unwrap();
    let bad = [
        good.replace("\"by\":\"ops-lead\",", ""),
        good.replace("\"by\":", "\"aa\":1,\"by\":"),
        good.replace("cs-decision1", "cs-decision2"),
        good.replace("\"approve\"", "\"maybe\""),
        good.replace("60000", "\"60000\""),
        good.replace("60000", "060000"),
        good.replace("ops-lead", "Ops"),
        good.replace("{", "{ "),
        good.clone() + "\n",
        String::new(),
        "[]".to_owned(),
    ];
    assert!(Statement::parse(&good).is_ok());
    for text in bad {
        assert!(Statement::parse(&text).is_err(), "{text:?}");
    }
}

/// Every byte of every line, three ways: refused, another hash, or openings
/// that no longer fit.
#[test]
fn no_byte_can_be_flipped() {
    for line in golden("day.jsonl").lines() {
        let leaf = Entry::parse(line.as_bytes()).unwrap().leaf;
        for at in 0..line.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bytes = line.as_bytes().to_vec();
                bytes[at] ^= flip;
                let Ok(entry) = Entry::parse(&bytes) else { continue };
                let caught = entry.leaf != leaf || entry.openings().is_err();
                assert!(caught, "byte {at} of {line}");
            }
        }
    }
}

#[test]
fn cut_openings_are_reported_missing_and_break_nothing() {
    let text = golden("day.jsonl");
    let line = text.lines().find(|l| l.contains("command_submitted")).unwrap();
    let whole = Entry::parse(line.as_bytes()).unwrap();
    let cut = line.split_once(",\"vals\":").unwrap().0.to_owned() + ",\"vals\":{}}";
    let entry = Entry::parse(cut.as_bytes()).unwrap();
    assert_eq!(entry.leaf, whole.leaf);
    entry.verify_signature(&host_signer().public_key()).unwrap();
    assert_eq!(entry.openings().unwrap().missing, ["cmd", "cwd", "env"]);
    assert_eq!(entry.command(), None);
    assert_eq!(Line::parse(line.as_bytes()).unwrap().leaf_hash(), whole.leaf);
}
