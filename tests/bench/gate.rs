//! What the gate costs: `cargo bench -p countersign-tests --bench gate`.
//!
//! - `whitelisted`: `-c true` through countersign-sh, hostd and a service on loopback, against `bash -c true`.
//! - `start`: countersign-sh until it refuses because nothing listens, against `/bin/true`.
//!
//! Release builds, trial mode (one uid), state on the disk of `/tmp`. Both floors are measured in the same run.

use std::process::{Command, Stdio};
use std::time::Duration;

use countersign_tests::parts::{Parts, front};
use countersign_tests::programs::use_released;
use criterion::Criterion;

fn main() {
    use_released();
    let mut criterion = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_secs(2))
        .measurement_time(Duration::from_secs(8))
        .configure_from_args();
    whitelisted(&mut criterion);
    start(&mut criterion);
    criterion.final_summary();
}

fn whitelisted(criterion: &mut Criterion) {
    let parts = Parts::with_quota(1_000_000);
    parts.reviewer().allow("true");
    let mut group = criterion.benchmark_group("whitelisted");
    group.bench_function("floor: bash -c true", |bencher| {
        bencher.iter(|| ends_with(0, Command::new("bash").args(["-c", "true"])));
    });
    group.bench_function("countersign-sh -c true", |bencher| {
        bencher.iter(|| ends_with(0, &mut parts.front("true")));
    });
    group.finish();
}

fn start(criterion: &mut Criterion) {
    let nowhere = std::path::Path::new("/tmp/nothing-listens-here");
    let mut group = criterion.benchmark_group("start");
    group.bench_function("floor: /bin/true", |bencher| {
        bencher.iter(|| ends_with(0, &mut Command::new("/bin/true")));
    });
    group.bench_function("countersign-sh until refused", |bencher| {
        bencher.iter(|| ends_with(69, &mut front(nowhere, std::path::Path::new("/tmp"), "true")));
    });
    group.finish();
}

fn ends_with(code: i32, command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("start");
    assert_eq!(status.code(), Some(code));
}
