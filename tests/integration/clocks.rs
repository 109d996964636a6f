//! The wall clock is set, an hour ahead or back, while lines wait: what was decided in time runs, what was not does
//! not, and the record says what became of the clock.
//!
//! No machine's clock is touched. A library between the programs and the kernel answers for `CLOCK_REALTIME` as the
//! kernel does once somebody has set it, and leaves `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME` alone, as setting does.
//! It is the programs' only way to the time: the entries that they write are an hour off.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use countersign_tests::journal;
use countersign_tests::parts::Parts;
use countersign_tests::run::{Daemon, LIMIT, Running, eventually, run};
use countersign_tests::trial::second_verifier;
use serde_json::Value;

const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile const long long *ahead;
__attribute__((constructor)) static void begin(void) {
    int fd = open(getenv("CLOCK_AHEAD"), O_RDONLY);
    ahead = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
    if (ahead == MAP_FAILED) abort();
    close(fd);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    long failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}
"#;

const HOUR_S: i64 = 3600;
/// How long a line waits that nobody decides about.
const SHORT_MS: u64 = 4_000;

/// The wall clock of the programs that are started with it.
struct WallClock {
    library: PathBuf,
    file: PathBuf,
}

impl WallClock {
    fn new(parts: &Parts) -> Self {
        let (source, library) = (parts.scratch.join("clock.c"), parts.scratch.join("clock.so"));
        fs::write(&source, LIBRARY).expect("source");
        run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source)).expect(0);
        let this = Self { library, file: parts.scratch.join("ahead") };
        fs::write(&this.file, 0_i64.to_ne_bytes()).expect("clock");
        this
    }

    /// Sets it so many seconds ahead of the machine's.
    fn set(&self, ahead_s: i64) {
        let file = File::options().write(true).open(&self.file).expect("clock");
        file.write_all_at(&ahead_s.to_ne_bytes(), 0).expect("clock");
    }

    fn of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", &self.library).env("CLOCK_AHEAD", &self.file)
    }

    fn start_host(&self, parts: &mut Parts) {
        let mut command = parts.host_command();
        parts.host = Some(Daemon::start(self.of(&mut command), &parts.scratch.join("host.log")));
    }
}

/// Steps that the record tells of, in seconds, ahead or back.
fn steps(parts: &Parts) -> Vec<i64> {
    let told = |entry: &Value| {
        let by_s = (entry["body"]["by_ms"].as_i64().expect("by_ms") + 500) / 1000;
        if entry["body"]["forward"] == true { by_s } else { -by_s }
    };
    journal::of_kind(&parts.journal(), "clock_step").iter().map(told).collect()
}

#[track_caller]
fn is_sound(parts: &mut Parts) {
    parts.stop_host();
    parts.verify().expect(10);
    assert_eq!(second_verifier(&parts.host_dir(), &parts.trust()).code(), 10);
}

/// The daemon's and the front's clock.
#[test]
fn of_the_host_moves_while_a_line_waits() {
    let mut parts = Parts::new();
    parts.stop_host();
    let clock = WallClock::new(&parts);
    clock.start_host(&mut parts);
    let reviewer = parts.reviewer();
    let submit = |parts: &Parts, line: &str| Running::start(clock.of(&mut parts.front(line)), Some(b""));
    for (line, ahead_s) in [("echo ahead", HOUR_S), ("echo back", 0), ("echo far back", -HOUR_S)] {
        let front = submit(&parts, line);
        let id = reviewer.wait_for(line);
        clock.set(ahead_s);
        reviewer.run(&["approve", &id]).expect(0);
        assert_eq!(front.wait(LIMIT).expect(0).out(), format!("{}\n", &line[5..]), "decided in time");
    }
    assert_eq!(steps(&parts), [HOUR_S, -HOUR_S, -HOUR_S]);
    // Nobody decides: the time to do so is neither longer nor shorter.
    parts.stop_host();
    parts.wait_ms = SHORT_MS;
    clock.start_host(&mut parts);
    for (index, ahead_s) in [HOUR_S, -2 * HOUR_S].into_iter().enumerate() {
        let line = format!("touch made{index}");
        let front = submit(&parts, &line);
        let id = reviewer.wait_for(&line);
        clock.set(ahead_s);
        front.wait(LIMIT).expect(126);
        assert_ne!(reviewer.run(&["approve", &id]).code(), 0, "it is over");
        let decided = journal::of_kind(&parts.journal(), "decided").pop().expect("an outcome");
        assert_eq!(decided["body"]["outcome"], "timed_out", "{decided}");
        let waited_ms = decided["body"]["latency_ms"].as_u64().expect("latency");
        assert!((SHORT_MS..30_000).contains(&waited_ms), "{decided}");
        assert!(!parts.file(&format!("made{index}")).exists());
    }
    assert_eq!(steps(&parts)[3..], [2 * HOUR_S, -3 * HOUR_S]);
    is_sound(&mut parts);
}

/// The service's: it may close what waits, or keep it longer than counts; neither lets a line run.
#[test]
fn of_the_service_moves_while_a_line_waits() {
    let mut parts = Parts::waiting(SHORT_MS);
    let clock = WallClock::new(&parts);
    let address = parts.service.as_ref().expect("a service").ready.rsplit_once("//").expect("an address").1.to_owned();
    parts.service.take().expect("a service").kill();
    let mut command = parts.service_command(&address);
    parts.service = Some(Daemon::start(clock.of(&mut command), &parts.scratch.join("service.log")));
    let reviewer = parts.reviewer();
    for (index, ahead_s) in [HOUR_S, -HOUR_S].into_iter().enumerate() {
        let line = format!("touch made{index}");
        let front = Running::start(&mut parts.front(&line), Some(b""));
        let id = reviewer.wait_for(&line);
        clock.set(ahead_s);
        front.wait(LIMIT).expect(126);
        let decided = journal::of_kind(&parts.journal(), "decided").pop().expect("an outcome");
        assert_eq!(decided["body"]["outcome"], "timed_out", "{decided}");
        // With its clock set back it takes an approval until it has heard that there is nothing to approve.
        reviewer.run(&["approve", &id]);
        eventually("the service to know", LIMIT, || {
            let audit = reviewer.audit();
            audit.iter().any(|row| row["id"] == id.as_str() && row["outcome"] == "timed_out").then_some(())
        });
        assert_ne!(reviewer.run(&["approve", &id]).code(), 0, "it is over");
        assert!(!parts.file(&format!("made{index}")).exists());
        let line = format!("echo {index}");
        let front = Running::start(&mut parts.front(&line), Some(b""));
        reviewer.approve(&line);
        assert_eq!(front.wait(LIMIT).expect(0).out(), format!("{index}\n"), "and it goes on");
    }
    assert!(steps(&parts).is_empty(), "the host's own clock is as it was");
    let own = parts.server(&["ledger"]).expect(0).out();
    assert_eq!(own.matches("\"kind\":\"clock_step\"").count(), 2, "{own}");
    is_sound(&mut parts);
    assert!(parts.verify().out().contains("the clocks of service and host are 3600 s apart"));
}
