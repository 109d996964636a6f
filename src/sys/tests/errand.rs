//! Errands, in a process of one thread: forking needs that, and the usual test
//! harness has more.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test that cannot go on should stop")]

use countersign_sys as sys;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HANGING: &str = "/tmp/countersign-sys-hanging";

/// Mounts a file system that nobody serves, and asks about it.
fn a_file_system_that_never_answers(ask: impl FnOnce() -> std::io::Result<Vec<u8>>) {
    std::fs::create_dir_all(HANGING).unwrap();
    let line = "exec 7<>/dev/fuse; mount -i -t fuse -o fd=7,rootmode=40000,user_id=0,group_id=0 none $0 && echo; cat";
    let mut server =
        Command::new("bash").args(["-c", line, HANGING]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut mounted = [0];
    server.stdout.as_mut().unwrap().read_exact(&mut mounted).unwrap();
    let began = Instant::now();
    let said = ask();
    assert!(Command::new("umount").args(["-l", HANGING]).status().unwrap().success());
    drop(server.stdin.take());
    server.wait().unwrap();
    std::fs::remove_dir(HANGING).unwrap();
    assert_eq!(said.unwrap_err().raw_os_error(), Some(nix::libc::ETIMEDOUT));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

fn main() {
    // What nextest asks of a test program.
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|word| word == "--list") {
        if !arguments.iter().any(|word| word == "--ignored") {
            println!("errands_are_bounded: test");
        }
        return;
    }
    let uid = sys::uids().unwrap().real;
    let (ours, theirs) = sys::seqpacket_pair().unwrap();
    let begin = |answer: fn() -> Vec<u8>| sys::errand::errand(uid, 300_000, 1000, ours.as_fd(), answer);
    let ask = |answer| begin(answer).map(|(said, _)| said);
    let children = || sys::children(nix::unistd::getpid().as_raw());
    assert_eq!(ask(|| b"hello".to_vec()).unwrap(), b"hello");
    assert_eq!(ask(|| vec![1; 1000]).unwrap(), [1; 1000]);
    assert_eq!(ask(Vec::new).unwrap(), b"");
    assert!(children().is_empty());

    // Once it has answered it may do what it likes: nobody waits for its end.
    let (said, ending) = begin(|| b"said".to_vec()).unwrap();
    assert_eq!((said.as_slice(), children().len()), (b"said".as_slice(), 1), "not reaped yet");
    drop(ending);
    assert!(children().is_empty());

    // Who is killed before it is whole has said nothing.
    let killed = || -> Vec<u8> {
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).unwrap();
        Vec::new()
    };
    assert_eq!(ask(killed).unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert_eq!(ask(|| vec![1; 2000]).unwrap_err().raw_os_error(), Some(nix::libc::E2BIG));

    // One that never answers, and one that is stopped: both are gone after the time.
    for stuck in [
        || -> Vec<u8> {
            loop {
                sys::sleep_ms(1000)
            }
        },
        || {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).unwrap();
            b"late".to_vec()
        },
    ] {
        let began = Instant::now();
        assert_eq!(ask(stuck).unwrap_err().raw_os_error(), Some(nix::libc::ETIMEDOUT));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(children().is_empty());
    }
    if uid == 0 && std::path::Path::new("/dev/fuse").exists() {
        a_file_system_that_never_answers(|| ask(|| format!("{:?}", std::fs::metadata(HANGING)).into_bytes()));
    }
    sys::send_now(theirs.as_fd(), b"kill").unwrap();
    assert_eq!(ask(|| b"hello".to_vec()).unwrap_err().raw_os_error(), Some(nix::libc::ECANCELED));
    println!("test errands_are_bounded ... ok");
}
