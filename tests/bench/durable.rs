//! Durable signed entries a second: `cargo bench -p countersign-tests --bench durable`.
//!
//! The floors, in the same run and on the same disk: a write and fdatasync of as many bytes, by one writer; and for
//! 128 writers a thread that collects what came while it synced (no hash, no signature, no chain). Beside the first, the
//! same into a file that has its length already. The ledger signs in this process, and in a process of its own
//! as a host does (without what locks that one in).

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use countersign_core::{HostId, SubmissionId};
use countersign_ledger::{
    Committer, Draft, EpochSigner, InProcessSigner, Kind, Limits, Openings, RemoteSigner, Signer, SystemClock, Value,
    body, serve_signer,
};
use countersign_tests::scratch::Scratch;
use criterion::{Criterion, Throughput};

/// As LEDGER.md states its target.
const WRITERS: u64 = 128;

/// As long as a journal file gets.
const SEGMENT: i64 = 64 * 1024 * 1024;

/// The argument with which this program is the signer of another run of it.
const SIGNER: &str = "--as-signer";

fn main() {
    if std::env::args().any(|word| word == SIGNER) {
        return serve();
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(6))
        .configure_from_args();
    let line = ledger_line();
    println!("a line has {} bytes", line.len());
    let mut group = criterion.benchmark_group("durable entries, one writer");
    group.throughput(Throughput::Elements(1));
    let scratch = Scratch::new();
    let mut file = File::create(scratch.join("floor")).expect("file");
    group.bench_function("floor: write + fdatasync", |bencher| {
        bencher.iter(|| {
            file.write_all(&line).expect("write");
            file.sync_data().expect("fdatasync");
        });
    });
    let mut allocated = File::create(scratch.join("allocated")).expect("file");
    nix::fcntl::posix_fallocate(&allocated, 0, SEGMENT).expect("fallocate");
    allocated.sync_all().expect("sync");
    group.bench_function("floor: the same into a file that has its length", |bencher| {
        bencher.iter(|| {
            allocated.write_all(&line).expect("write");
            allocated.sync_data().expect("fdatasync");
        });
    });
    let committer = open(&scratch.join("one"), Box::new(in_process()));
    let remote = open(&scratch.join("two"), Box::new(in_its_own()));
    group.bench_function("ledger", |bencher| bencher.iter(|| append(&committer)));
    group.bench_function("ledger, signer in its own process", |bencher| bencher.iter(|| append(&remote)));
    group.finish();

    let mut group = criterion.benchmark_group("durable entries, 128 writers");
    group.throughput(Throughput::Elements(1));
    let collector = collector(file);
    group.bench_function("floor: collected write + fdatasync", |bencher| {
        bencher.iter_custom(|count| {
            by_many(count, || {
                let (done, wait) = channel();
                collector.send((line.clone(), done)).expect("collector");
                wait.recv().expect("durable");
            })
        });
    });
    for (name, committer) in [("ledger", committer), ("ledger, signer in its own process", remote)] {
        let committer = Arc::new(committer);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| by_many(count, || append(&committer)));
        });
    }
    group.finish();
    criterion.final_summary();
}

/// How long `count` calls take when 128 threads make them.
fn by_many(count: u64, call: impl Fn() + Sync) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let call = &call;
            let share = count / WRITERS + u64::from(writer < count % WRITERS);
            scope.spawn(move || (0..share).for_each(|_| call()));
        }
    });
    start.elapsed()
}

type Job = (Vec<u8>, Sender<()>);

/// A thread that writes all that came while it synced in one go.
fn collector(mut file: File) -> Sender<Job> {
    let (sender, receiver): (Sender<Job>, Receiver<Job>) = channel();
    std::thread::spawn(move || {
        while let Ok(first) = receiver.recv() {
            let mut batch = vec![first];
            batch.extend(receiver.try_iter());
            let bytes = batch.iter().flat_map(|(line, _)| line.iter().copied()).collect::<Vec<_>>();
            file.write_all(&bytes).and_then(|()| file.sync_data()).expect("durable");
            batch.into_iter().for_each(|(_, done)| done.send(()).expect("a writer waits"));
        }
    });
    sender
}

fn host() -> HostId {
    HostId::from_random([1; 16])
}

fn in_process() -> InProcessSigner {
    InProcessSigner::generate().expect("a key")
}

/// This program once more, as the signer at the other end of a socket. It ends when that is closed.
#[allow(clippy::zombie_processes, reason = "it ends when the socket is closed, which is when this program ends")]
fn in_its_own() -> RemoteSigner {
    let (ours, theirs) = UnixStream::pair().expect("a socket");
    let this = std::env::current_exe().expect("this program");
    let mut command = Command::new(this);
    command.arg(SIGNER).stdin(Stdio::from(OwnedFd::from(theirs)));
    command.spawn().expect("a signer");
    drop(command);
    RemoteSigner::connect(ours).expect("its key")
}

fn serve() {
    let link = std::io::stdin().as_fd().try_clone_to_owned().expect("the socket");
    let mut signer = EpochSigner::new(in_process(), host());
    serve_signer(UnixStream::from(link), &mut signer).expect("requests");
}

fn open(dir: &Path, signer: Box<dyn Signer>) -> Committer {
    let clock = Box::new(SystemClock::new().expect("clock"));
    let (committer, _) =
        Committer::open(&dir.join("journal"), host(), signer, clock, Limits::default()).expect("journal");
    committer
        .append_wait(vec![Draft {
            kind: Kind::HostEnrolled,
            login: None,
            body: body([("name", Value::from("bench"))]),
            vals: Openings::new(),
        }])
        .expect("durable");
    committer
}

/// An entry as long as those of a command: ids, a hash, counts. A heartbeat, because that belongs to no login.
fn append(committer: &Committer) {
    let of = countersign_ledger::sha256(b"bench");
    let draft = Draft {
        kind: Kind::Heartbeat,
        login: None,
        body: body([
            ("code", Value::from(0u64)),
            ("end", Value::from("exited")),
            ("id", Value::from(SubmissionId::from_random([3; 16]).to_string())),
            ("of", Value::from(of)),
            ("stderr_bytes", Value::from(0u64)),
            ("stdout_bytes", Value::from(1u64)),
        ]),
        vals: Openings::new(),
    };
    committer.append_wait(vec![draft]).expect("durable");
}

/// A line as the ledger writes it, so that the floors write as much.
fn ledger_line() -> Vec<u8> {
    let scratch = Scratch::new();
    let committer = open(scratch.path(), Box::new(in_process()));
    append(&committer);
    let lines = committer.read_lines(1, 1, 1 << 20).expect("a line");
    let mut line = lines[0].clone().into_bytes();
    line.push(b'\n');
    line
}
