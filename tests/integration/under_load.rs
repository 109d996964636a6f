//! `kill -9` of each process, writes and fsyncs that fail, and a disk that is full, while several logins write at once: whatever the moment, nothing
//! runs that nobody let, nothing that ran is missing, host and service hold one history, and it verifies.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use countersign_tests::journal;
use countersign_tests::parts::{Parts, front};
use countersign_tests::run::{LIMIT, Running, eventually, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::disk::on_small_disk;
use crate::signer::signer_of;

/// Logins at a time.
const WRITERS: usize = 4;
/// How many lines run between two blows.
const BETWEEN: usize = 8;
/// What a rule lets run.
const LINE: &str = "echo ran";

/// What the writers share.
struct Load {
    socket: PathBuf,
    work: PathBuf,
    stop: AtomicBool,
    /// Lines whose output came.
    ran: AtomicUsize,
}

impl Load {
    fn on(parts: &Parts) -> Self {
        let (socket, work) = (parts.socket(), parts.scratch.join("work"));
        Self { socket, work, stop: AtomicBool::new(false), ran: AtomicUsize::new(0) }
    }

    fn ran(&self) -> usize {
        self.ran.load(Ordering::SeqCst)
    }

    /// Logs in again and again until it is told to stop. Every fifth line is one that nobody lets run; its front is
    /// killed while it waits, or before.
    fn write(&self, number: usize) {
        for round in 0.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            if round % 5 == 4 {
                let line = format!("echo > {}", self.work.join(format!("bad-{number}-{round}")).display());
                let held = Running::start(&mut front(&self.socket, &self.work, &line), Some(b""));
                std::thread::sleep(Duration::from_millis(100));
                drop(held);
                continue;
            }
            let ended = Running::start(&mut front(&self.socket, &self.work, LINE), Some(b"")).wait(2 * LIMIT);
            match ended.out().as_str() {
                "ran\n" => drop(self.ran.fetch_add(1, Ordering::SeqCst)),
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Waits until so many more lines have run.
    fn go_on(&self, lines: usize) {
        let wanted = self.ran() + lines;
        eventually("lines to run", 4 * LIMIT, || (self.ran() >= wanted).then_some(()));
    }
}

/// Runs `blows` while the writers are at it; they are stopped whatever comes of it.
fn under_load(parts: &mut Parts, blows: impl FnOnce(&mut Parts, &Load)) -> usize {
    let load = Load::on(parts);
    struct Stop<'a>(&'a Load);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.stop.store(true, Ordering::SeqCst);
        }
    }
    std::thread::scope(|scope| {
        let stop = Stop(&load);
        let writers: Vec<ScopedJoinHandle<()>> = (0..WRITERS)
            .map(|number| {
                scope.spawn({
                    let load = &load;
                    move || load.write(number)
                })
            })
            .collect();
        blows(parts, &load);
        load.go_on(BETWEEN);
        drop(stop);
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    });
    load.ran()
}

/// Nothing forged, nothing missing, one history.
fn is_sound(parts: &mut Parts, ran: usize) {
    let count = |parts: &Parts, kind: &str| journal::of_kind(&parts.journal(), kind).len();
    eventually("every login to be closed", LIMIT, || {
        (count(parts, "session_opened") == count(parts, "session_closed")).then_some(())
    });
    parts.stop_host();
    let started = count(parts, "exec_started");
    assert!(started >= ran, "{ran} lines ran, {started} are recorded");
    let bad: Vec<_> = fs::read_dir(parts.scratch.join("work")).expect("work").flatten().map(|e| e.path()).collect();
    assert!(bad.is_empty(), "nobody let these run: {bad:?}");
    for decided in journal::of_kind(&parts.journal(), "decided") {
        assert_ne!(decided["body"]["outcome"], "approved", "nobody approves here: {decided}");
    }
    let ended = parts.verify();
    assert!([10, 11].contains(&ended.code()), "verify: {}\n{}{}", ended.code(), ended.out(), ended.err());
    assert_eq!(parts.server(&["forks"]).expect(0).out(), "", "forks");
    let (own, held) = (journal::lines(&parts.journal()), held(parts));
    assert!(held.len() <= own.len() && own[..held.len()] == held, "the service holds another history");
    let missing = own[held.len()..].iter().filter(|line| line.contains("\"kind\":\"exec_"));
    assert_eq!(missing.count(), 0, "of {} entries the service holds {}", own.len(), held.len());
}

/// The host's lines as the service has them.
fn held(parts: &Parts) -> Vec<String> {
    let (bundle, out) = (parts.scratch.join("held.tar"), parts.scratch.join("held"));
    let file = bundle.display().to_string();
    parts.reviewer().run(&["bundle", "--host", "test-host", "-o", &file]).expect(0);
    fs::create_dir(&out).expect("directory");
    run(Command::new("tar").arg("-xf").arg(&bundle).arg("-C").arg(&out)).expect(0);
    journal::lines(&out.join("journal"))
}

fn busy() -> Parts {
    let mut parts = Parts::with_quota(1_000_000);
    parts.stop_host();
    // A line that was asked for before a blow is not waited for long after it.
    parts.wait_ms = 4_000;
    parts.start_host();
    parts.reviewer().allow(LINE);
    parts
}

#[test]
fn each_process_is_killed_again_and_again() {
    let mut parts = busy();
    let address = parts.service.as_ref().expect("a service").ready.rsplit_once("//").expect("an address").1.to_owned();
    let ran = under_load(&mut parts, |parts, load| {
        for blow in ["host", "signer", "service", "host", "service", "signer", "host"] {
            load.go_on(BETWEEN);
            match blow {
                "host" => {
                    parts.host.take().expect("a host").kill();
                    parts.start_host();
                }
                "signer" => {
                    kill(Pid::from_raw(signer_of(parts)), Signal::SIGKILL).expect("signal");
                    let mut host = parts.host.take().expect("a host");
                    assert_eq!(eventually("the daemon to end", LIMIT, || host.ended()), 69);
                    parts.start_host();
                }
                _ => {
                    parts.service.take().expect("a service").kill();
                    parts.start_service(&address);
                }
            }
        }
    });
    assert!(ran >= 8 * BETWEEN);
    is_sound(&mut parts, ran);
}

/// The processes that this one has started.
fn children(pid: i32) -> Vec<i32> {
    let told = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    told.split_whitespace().map(|pid| pid.parse().expect("a pid")).collect()
}

/// After an error the kernel may hold what the disk does not: what was written then is not told to anybody, and the
/// next start goes by what is there.
#[test]
fn writes_and_fsyncs_fail_again_and_again() {
    let mut parts = busy();
    let ran = under_load(&mut parts, |parts, load| {
        for (call, error, nth) in [
            ("fdatasync", "EIO", 9),
            ("fdatasync", "ENOSPC", 31),
            ("fsync", "EIO", 1),
            ("write", "ENOSPC", 150),
            ("write", "EIO", 77),
            ("ftruncate", "EIO", 1),
        ] {
            load.go_on(BETWEEN);
            parts.host.take().expect("a host").kill();
            let mut strace = Command::new("strace");
            strace.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
            strace.args(["-e", &format!("inject={call}:error={error}:when={nth}")]);
            let plain = parts.host_command();
            let mut traced = Running::start(strace.arg(plain.get_program()).args(plain.get_args()), None);
            // It ends by itself, or goes on where the call was none that counts, or is never made.
            let wanted = load.ran() + 3 * BETWEEN;
            eventually("an end, or lines that run", 4 * LIMIT, || {
                (!traced.is_running() || load.ran() >= wanted).then_some(())
            });
            for host in children(traced.pid()) {
                kill(Pid::from_raw(host), Signal::SIGKILL).ok();
            }
            traced.wait(LIMIT);
            parts.start_host();
        }
    });
    assert!(ran >= 7 * BETWEEN);
    is_sound(&mut parts, ran);
}

/// Writes until so much is left.
fn fill(dir: &Path, leave: u64) {
    let free = || {
        let data = nix::sys::statvfs::statvfs(dir).expect("statvfs");
        data.blocks_available() * data.fragment_size()
    };
    let mut filler = File::create(dir.join("filler")).expect("filler");
    while let more @ 1.. = free().saturating_sub(leave) {
        // Others write too: the last piece may not fit any more, and then it is full.
        if filler.write_all(&vec![1; usize::try_from(more.min(1 << 20)).expect("size")]).is_err() {
            return;
        }
    }
}

#[test]
fn the_disk_is_full_again_and_again() {
    let Some((mut parts, _namespace)) = on_small_disk("96m", Some(1_000_000)) else { return };
    parts.reviewer().allow(LINE);
    let filler = parts.host_dir().join("filler");
    let ran = under_load(&mut parts, |parts, load| {
        for (leave, killed) in [(0, false), (1 << 20, false), (0, true), (20 << 20, true), (4096, false)] {
            load.go_on(BETWEEN);
            fill(&parts.host_dir(), leave);
            // Under what is kept in reserve nothing new is let run.
            eventually("a line to be refused", 2 * LIMIT, || {
                let ended = Running::start(&mut parts.front(LINE), Some(b"")).wait(2 * LIMIT);
                (ended.code() == 69 && ended.out().is_empty()).then_some(())
            });
            if killed {
                parts.host.take().expect("a host").kill();
            }
            fs::remove_file(&filler).expect("filler");
            // A write that failed ends it, be it a moment after the line was refused; else it goes on where there is room.
            eventually("a line to run, or the host to be ended", 4 * LIMIT, || {
                parts.host = parts.host.take().and_then(|mut host| host.ended().is_none().then_some(host));
                let runs = || run(&mut parts.front(LINE)).out() == "ran\n";
                (parts.host.is_none() || runs()).then_some(())
            });
            if parts.host.is_none() {
                parts.start_host();
            }
        }
    });
    assert!(ran >= 6 * BETWEEN);
    is_sound(&mut parts, ran);
}
