//! How many entries a second become durable, beside the floor of a raw
//! 1 KiB write and fdatasync: `cargo run --release -p countersign-ledger --example append -- DIR`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, not part of the product")]

use countersign_core::{HostId, LoginId, Salt, SubmissionId};
use countersign_ledger::{Committer, Draft, InProcessSigner, Kind, Limits, Openings, SystemClock, body, random_bytes};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FOR: Duration = Duration::from_secs(4);

fn main() {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "target/append-bench".to_owned());
    for round in 0..2 {
        floor(Path::new(&dir), round);
        for writers in [1, 128] {
            durable(&Path::new(&dir).join(format!("{round}-{writers}")), writers);
        }
    }
}

fn floor(dir: &Path, round: u32) {
    std::fs::create_dir_all(dir).unwrap();
    let path = dir.join(format!("floor-{round}"));
    let mut file = std::fs::OpenOptions::new().append(true).create_new(true).open(&path).unwrap();
    let (start, mut count) = (Instant::now(), 0u32);
    while start.elapsed() < FOR {
        file.write_all(&[b'x'; 1024]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    println!("floor: 1 KiB write + fdatasync: {:.0}/s", f64::from(count) / start.elapsed().as_secs_f64());
    std::fs::remove_file(path).unwrap();
}

fn durable(dir: &Path, writers: u32) {
    let host = HostId::from_random(random_bytes().unwrap());
    let signer = Box::new(InProcessSigner::generate().unwrap());
    let clock = Box::new(SystemClock::new().unwrap());
    let (committer, _) = Committer::open(dir, host, signer, clock, Limits::default()).unwrap();
    let committer = Arc::new(committer);
    let start = Instant::now();
    let threads: Vec<_> = (0..writers)
        .map(|_| {
            let c = Arc::clone(&committer);
            std::thread::spawn(move || write(&c, start))
        })
        .collect();
    let count: u32 = threads.into_iter().map(|t| t.join().unwrap()).sum();
    let seconds = start.elapsed().as_secs_f64();
    println!("{writers} writers: {:.0} durable signed entries/s", f64::from(count) / seconds);
    drop(committer);
    std::fs::remove_dir_all(dir).unwrap();
}

fn write(committer: &Committer, start: Instant) -> u32 {
    let login = LoginId::from_random(random_bytes().unwrap());
    let opened = Draft {
        kind: Kind::SessionOpened,
        login: Some(login),
        body: body([("tty", false.into())]),
        vals: Openings::new(),
    };
    committer.append_wait(vec![opened]).unwrap();
    let mut count = 0;
    while start.elapsed() < FOR {
        committer.append_wait(vec![submitted(login)]).unwrap();
        count += 1;
    }
    count
}

fn submitted(login: LoginId) -> Draft {
    let salt = || Salt(random_bytes().unwrap());
    let mut vals = Openings::new();
    let cmd = vals.insert_list("cmd", vec![Some((salt(), b"rm -rf /tmp/build-cache".to_vec()))]);
    let cwd = vals.insert("cwd", salt(), b"/home/deploy".to_vec());
    let env = vals.insert("env", salt(), b"HOME=/home/deploy\nPATH=/usr/bin:/bin\nLANG=C.UTF-8".to_vec());
    let body = body([
        ("cmd", cmd.into_iter().flatten().collect::<Vec<_>>().into()),
        ("cmd_bytes", 23u64.into()),
        ("cwd", cwd.into()),
        ("env", env.into()),
        ("id", SubmissionId::from_random(random_bytes().unwrap()).into()),
        ("shell", "bash".into()),
        ("wait_ms", 60_000u64.into()),
    ]);
    Draft { kind: Kind::CommandSubmitted, login: Some(login), body, vals }
}
