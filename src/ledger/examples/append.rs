//! How many entries a second become durable, beside the floor of a raw
//! 1 KiB write and fdatasync: `cargo run --release -p countersign-ledger --example append -- DIR`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement, not part of the product"
)]

use countersign_core::{HostId, LoginId, Salt, SubmissionId};
use countersign_ledger::{Committer, Draft, InProcessSigner, Kind, Limits, Openings, SystemClock, body, random_bytes};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The three take turns in short slices, so that what else the machine does
/// meets them alike.
const SLICE: Duration = Duration::from_millis(200);
const SLICES: usize = 25;
const WRITERS: usize = 128;

fn main() {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "target/append-bench".to_owned());
    let dir = Path::new(&dir);
    std::fs::create_dir_all(dir).unwrap();
    let path = dir.join("floor");
    let mut file = std::fs::OpenOptions::new().append(true).create_new(true).open(&path).unwrap();
    let committer = open(&dir.join("journal"));
    let logins: Vec<LoginId> = (0..WRITERS).map(|_| open_login(&committer)).collect();
    let (mut floors, mut serial, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SLICES {
        floors.push(rate(&[0], |_| {
            file.write_all(&[b'x'; 1024]).unwrap();
            file.sync_data().unwrap();
        }));
        serial.push(rate(&logins[..1], |login| drop(committer.append_wait(vec![submitted(*login)]).unwrap())));
        many.push(concurrent(&committer, &logins));
    }
    show("floor: 1 KiB write + fdatasync", floors);
    show("1 writer: durable signed entries", serial);
    show("128 writers: durable signed entries", many);
    drop(committer);
    std::fs::remove_file(path).unwrap();
    std::fs::remove_dir_all(dir.join("journal")).unwrap();
}

fn show(what: &str, mut rates: Vec<f64>) {
    rates.sort_by(f64::total_cmp);
    let at = |part: usize| rates[(rates.len() - 1) * part / 4];
    println!("{what}: median {:.0}/s, quartiles {:.0} to {:.0}, best {:.0}", at(2), at(1), at(3), at(4));
}

fn rate<T>(on: &[T], mut act: impl FnMut(&T)) -> f64 {
    let (start, mut count) = (Instant::now(), 0u32);
    while start.elapsed() < SLICE {
        on.iter().for_each(&mut act);
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn concurrent(committer: &Arc<Committer>, logins: &[LoginId]) -> f64 {
    let threads = logins.iter().map(|login| {
        let (committer, login) = (Arc::clone(committer), *login);
        std::thread::spawn(move || {
            rate(&[login], |login| drop(committer.append_wait(vec![submitted(*login)]).unwrap()))
        })
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

fn open(dir: &Path) -> Arc<Committer> {
    let host = HostId::from_random(random_bytes().unwrap());
    let signer = Box::new(InProcessSigner::generate().unwrap());
    let clock = Box::new(SystemClock::new().unwrap());
    Arc::new(Committer::open(dir, host, signer, clock, Limits::default()).unwrap().0)
}

fn open_login(committer: &Committer) -> LoginId {
    let login = LoginId::from_random(random_bytes().unwrap());
    let body = body([("tty", false.into())]);
    let opened = Draft { kind: Kind::SessionOpened, login: Some(login), body, vals: Openings::new() };
    committer.append_wait(vec![opened]).unwrap();
    login
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
