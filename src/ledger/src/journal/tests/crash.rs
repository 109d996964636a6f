//! A writer killed at any moment.

use crate::tests::support::*;
use crate::{Entry, random_bytes, read_lines};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const DIR: &str = "COUNTERSIGN_CRASH_DIR";

/// Not a test by itself: the process that is killed. Says each `seq` once it
/// is promised.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let (committer, recovered) = open(Path::new(&dir));
    recovered.open_logins.iter().for_each(|l| drop(committer.append_wait(vec![closed(l.id, 0)]).unwrap()));
    committer.append_wait(vec![opened(login(0))]).unwrap();
    loop {
        let written = committer.append_wait(vec![chunk(login(0)), submitted(login(0), submission(0))]).unwrap();
        println!("promised {}", written[1].seq);
    }
}

#[test]
fn what_was_promised_before_sigkill_is_there_after() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, said) = (dir.path().join("journal"), dir.path().join("said"));
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "journal::tests::crash::child_that_appends_until_it_is_killed", "--nocapture"])
            .env(DIR, &journal)
            .stdout(File::create(&said).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while last_promise(&said).is_none() && start.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(2));
        }
        sleep(Duration::from_micros(u64::from(u16::from_le_bytes(random_bytes().unwrap())) / 2));
        child.kill().unwrap();
        child.wait().unwrap();
        let promised = last_promise(&said).expect("the child has written");
        let recovered = open(&journal).1;
        assert!(recovered.next_seq > promised, "round {round}: {} <= {promised}", recovered.next_seq);
    }
    let mut prev = countersign_core::Digest::ZERO;
    let mut seq = 0;
    loop {
        let lines = read_lines(&journal, seq, 1_000, 1 << 20).unwrap();
        if lines.is_empty() {
            break;
        }
        for line in lines {
            let entry = Entry::parse(line.as_bytes()).unwrap();
            assert_eq!((entry.seq, entry.prev), (seq, prev));
            (seq, prev) = (seq + 1, entry.leaf);
        }
    }
    assert!(seq > 24);
}

fn last_promise(said: &Path) -> Option<u64> {
    let text = fs::read_to_string(said).ok()?;
    let whole = text.rsplit_once('\n')?.0;
    whole.lines().rev().find_map(|line| line.split("promised ").nth(1)?.parse().ok())
}
