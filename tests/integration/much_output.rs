//! 200 MB of output: all of it is shown and recorded, and no process of ours holds much of it in memory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::id;
use std::time::{Duration, Instant};

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::programs::{SHELL, program};
use countersign_tests::run::{LIMIT, Running};
use serde_json::Value;

const BYTES: usize = 200_000_000;
/// What comes over and over.
const ROW: &str = "one row of 64 bytes of output, as a program writes it: 0123456\n";
/// Most memory of a process. docs/BENCHMARKS.md has 27.5 MB for the daemon; a build for tests is larger.
const MOST_MB: u64 = 64;

/// The most memory that a process has had, in MB.
fn peak_mb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kb = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?;
    Some(kb.parse::<u64>().ok()? / 1000)
}

fn children(pid: u32) -> Vec<u32> {
    let told = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    told.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// A front and its spawner, not what they have started.
fn of_login(front: u32) -> Vec<u32> {
    let own = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program(SHELL));
    let (mut found, mut next) = (Vec::new(), vec![front]);
    while let Some(pid) = next.pop().filter(own) {
        found.push(pid);
        next.extend(children(pid).iter().filter(|pid| own(pid)));
    }
    found
}

/// Checks that a recording's output is `ROW` over and over; how many bytes.
fn recorded(file: &Path) -> usize {
    let rows = ROW.repeat(20_000);
    let mut at = 0;
    for line in BufReader::new(File::open(file).expect("recording")).lines().skip(1) {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        if event[1] == "o" {
            let text = event[2].as_str().expect("text").replace('\r', "");
            let begin = at % ROW.len();
            assert!(rows.get(begin..begin + text.len()) == Some(&text), "other output at byte {at}");
            at += text.len();
        }
    }
    at
}

#[test]
fn memory_stays_bounded() {
    let mut parts = Parts::new();
    let line = format!("yes '{}' | head -c {BYTES}", ROW.trim_end());
    parts.reviewer().allow(&line);
    let host = u32::try_from(parts.host.as_ref().expect("a host").pid()).expect("a pid");
    let daemon: Vec<_> = children(host).into_iter().chain([host]).collect();
    assert_eq!(daemon.len(), 2, "the daemon and its signer");
    let mut front = Running::start(&mut parts.front(&line), Some(b""));
    let (mut peaks, mut login, begun) = ([0; 2], Vec::new(), Instant::now());
    while front.is_running() {
        if login.len() < 2 {
            login = of_login(front.pid().unsigned_abs());
        }
        for (peak, pid) in peaks.iter_mut().zip(&login) {
            *peak = peak_mb(*pid).unwrap_or(0).max(*peak);
        }
        assert!(begun.elapsed() < 4 * LIMIT, "{} bytes so far", front.out_so_far().len());
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = front.wait(LIMIT).expect(0);
    assert_eq!(ended.stdout.len(), BYTES);
    assert!(peak_mb(id()).expect("own") > 200, "the control: whoever holds it all, as this test, is seen to");
    assert!(peaks.iter().all(|peak| (1..MOST_MB).contains(peak)), "front and spawner: {peaks:?} MB");
    journal::wait_for(&parts.journal(), "session_closed", 1);
    for pid in daemon {
        let peak = peak_mb(pid).expect("it is still there");
        assert!(peak < MOST_MB, "{peak} MB in the daemon or its signer");
    }
    assert_eq!(recorded(&parts.recording()), BYTES);
    parts.stop_host();
    parts.verify().expect(10);
}
