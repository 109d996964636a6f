//! How fast, and in how much memory. Run it in release:
//! `cargo nextest run --release -p countersign-ledger --test verify --run-ignored only speed --no-capture`

use crate::build::{History, Who, trust, verify_path, write_state};
use countersign_core::b64_encode;
use countersign_ledger::{Namespace, Signer as _, verify_digest};
use std::time::Instant;

/// Most memory this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Signatures a second that ring verifies by itself.
fn floor() -> f64 {
    let (mut signer, rounds) = (Who::Host.signer(), 20_000u32);
    let public = signer.public_key();
    let sig = b64_encode(&signer.sign(Namespace::Entry, [7; 32]).unwrap());
    let started = Instant::now();
    for _ in 0..rounds {
        verify_digest(Namespace::Entry, &public, [7; 32], &sig).unwrap();
    }
    f64::from(rounds) / started.elapsed().as_secs_f64()
}

/// Writes so many logins of seven entries each; the history is not kept.
fn write(dir: &std::path::Path, logins: u64) -> usize {
    let mut history = History::new();
    for login in 0..logins {
        history.whole_login(login);
    }
    let lines = history.lines();
    write_state(dir, &crate::build::join(&lines), &history.recordings);
    lines.len()
}

#[test]
#[ignore = "a measurement; see the head of this file"]
fn speed() {
    let dir = tempfile::tempdir().unwrap();
    if let Ok(path) = std::env::var("COUNTERSIGN_SPEED_DIR") {
        let started = Instant::now();
        let report = verify_path(path.as_ref(), Some(&trust()));
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(report.exit_code, 10, "{}", report.text());
        let rate = report.counts.entries as f64 / seconds;
        println!("{} entries in {seconds:.2} s: {rate:.0}/s, peak {} KiB", report.counts.entries, peak_kib());
        println!("{}", report.text());
        println!("floor: ring alone {:.0} signatures/s", floor());
        return;
    }
    let entries = write(dir.path(), 100_000 / 7);
    println!("{entries} entries written");
    // A process of its own, so that the peak is verification's.
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "speed::speed", "--nocapture"])
        .env("COUNTERSIGN_SPEED_DIR", dir.path())
        .status()
        .unwrap();
    assert!(status.success());
}
