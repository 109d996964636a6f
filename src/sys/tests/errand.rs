//! Errands, in a process of one thread: forking needs that, and the usual test
//! harness has more.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test that cannot go on should stop")]

use countersign_sys as sys;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

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
    let ask = |answer: fn() -> Vec<u8>| sys::errand::errand(uid, 300_000, 1000, ours.as_fd(), answer);
    assert_eq!(ask(|| b"hello".to_vec()).unwrap(), b"hello");
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
        assert!(began.elapsed() < Duration::from_millis(700));
        assert!(sys::children(nix::unistd::getpid().as_raw()).is_empty());
    }
    sys::send_now(theirs.as_fd(), b"kill").unwrap();
    assert_eq!(ask(|| b"hello".to_vec()).unwrap_err().raw_os_error(), Some(nix::libc::ECANCELED));
    println!("test errands_are_bounded ... ok");
}
