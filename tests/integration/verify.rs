//! `countersign verify` on what real programs left, whole and damaged; the full tamper matrix is the ledger's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use countersign_tests::journal;
use countersign_tests::programs::{CLI, program};
use countersign_tests::run::run;
use countersign_tests::scratch::Scratch;
use countersign_tests::trial::{Trial, verify};

fn trial() -> Trial {
    let trial = Trial::new();
    trial.approve("echo recorded").expect(0);
    trial
}

#[test]
fn a_recording_changed_or_gone_is_found() {
    let trial = trial();
    let recording = &trial.recordings()[0];
    let good = fs::read(recording).expect("recording");
    let text = String::from_utf8(good.clone()).expect("text");
    fs::write(recording, text.replacen("recorded", "recorDed", 1)).expect("recording");
    trial.verify().expect(42);
    fs::write(recording, &good[..good.len() - 1]).expect("recording");
    trial.verify().expect(42);
    fs::remove_file(recording).expect("recording");
    let code = trial.verify().code();
    assert!([41, 42].contains(&code), "exit {code}");
}

#[test]
fn a_torn_tail_is_not_a_forgery() {
    let trial = trial();
    let file = journal::files(&trial.journal()).pop().expect("a file");
    let good = fs::read(&file).expect("journal");
    fs::write(&file, &good[..good.len() - 7]).expect("journal");
    let code = trial.verify().code();
    assert_eq!(code, 11, "a torn last line: sound so far, incomplete");
}

#[test]
fn trust_in_other_keys_is_no_trust() {
    let (ours, other) = (trial(), trial());
    let code = verify(&ours.state(), Some(&other.state().join("trust.json"))).code();
    assert!([20, 40, 50].contains(&code), "exit {code}");
}

#[test]
fn every_form_of_the_same_record() {
    let trial = trial();
    let trust = trial.state().join("trust.json");
    verify(&trial.state().join("host"), Some(&trust)).expect(10);
    let scratch = Scratch::new();
    let bundle = scratch.join("bundle.tar");
    run(Command::new(program(CLI)).arg("bundle").arg(trial.state()).arg("-o").arg(&bundle)).expect(0);
    verify(&bundle, Some(&trust)).expect(10);
    verify(&bundle, None).expect(20);
    let bytes = fs::read(&bundle).expect("bundle");
    let at = bytes.windows(8).position(|window| window == b"\"decided").expect("a decision");
    let mut changed = bytes.clone();
    changed[at + 2] ^= 1;
    fs::write(scratch.join("changed.tar"), changed).expect("bundle");
    verify(&scratch.join("changed.tar"), Some(&trust)).expect(40);
}

#[test]
fn what_is_no_ledger() {
    let scratch = Scratch::new();
    fs::write(scratch.join("text"), "hello\n").expect("file");
    fs::write(scratch.join("noise"), countersign_tests::run::random_bytes(5000)).expect("file");
    fs::create_dir(scratch.join("empty")).expect("directory");
    for name in ["text", "noise"] {
        let ended = verify(&scratch.join(name), None);
        assert!([20, 40, 65].contains(&ended.code()), "{name}: exit {}", ended.code());
        assert!(!(ended.out() + &ended.err()).is_empty(), "{name}: says nothing");
    }
    let code = verify(&scratch.join("empty"), None).code();
    assert!([20, 66].contains(&code), "an empty directory: exit {code}");
    let nowhere = verify(Path::new("/nonexistent/place"), None).expect(20);
    assert!(nowhere.out().contains("/nonexistent/place"));
    fs::write(scratch.join("trust.json"), "{\"fmt\":\"cs-trust9\"}").expect("file");
    let ours = trial();
    let code = verify(&ours.state(), Some(&scratch.join("trust.json"))).code();
    assert!([65, 78].contains(&code), "a trust file that is none: exit {code}");
}
