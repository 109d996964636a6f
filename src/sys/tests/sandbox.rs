//! What a process that has locked itself in can still do: each attempt in a
//! child of its own, in a process of one thread, since forking needs that.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop, and the attempts are system calls"
)]

use countersign_sys as sys;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Runs `attempt` locked in; how the child ended, and what it wrote.
fn locked_in(attempt: fn(&mut File)) -> (WaitStatus, Vec<u8>) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    match sys::fork().unwrap() {
        sys::Forked::Child => {
            drop(ours);
            let Ok((mut kept, _)) = sys::sandbox::lock_in(OwnedFd::from(theirs)) else { std::process::exit(99) };
            attempt(&mut kept);
            std::process::exit(0)
        }
        sys::Forked::Parent(pid) => {
            drop(theirs);
            ours.write_all(b"ping").unwrap();
            let mut said = Vec::new();
            // Reset where it ended without having read.
            let (Ok(_) | Err(_)) = ours.read_to_end(&mut said);
            (waitpid(Pid::from_raw(pid), None).unwrap(), said)
        }
    }
}

/// Raw, so that no library stands between the attempt and the kernel.
fn call(number: libc::c_long, a: usize, b: usize, c: usize) {
    // SAFETY: every pointer given is to a static string or null.
    unsafe { libc::syscall(number, a, b, c, 0usize, 0usize, 0usize) };
}

const PATH: &[u8] = b"/etc/passwd\0";

type Attempt = (&'static str, fn(&mut File));

const ATTEMPTS: [Attempt; 14] = [
    ("open", |_| drop(File::open("/etc/passwd"))),
    ("openat2", |_| call(libc::SYS_openat2, 0, PATH.as_ptr() as usize, 0)),
    ("socket", |_| drop(UnixStream::pair())),
    ("connect", |_| call(libc::SYS_connect, 0, 0, 0)),
    ("execve", |_| call(libc::SYS_execve, PATH.as_ptr() as usize, 0, 0)),
    ("fork", |_| call(libc::SYS_clone, 0, 0, 0)),
    ("thread", |_| drop(std::thread::Builder::new().spawn(|| {}))),
    ("ptrace", |_| call(libc::SYS_ptrace, 0, 0, 0)),
    ("kill", |_| call(libc::SYS_kill, 1, 0, 0)),
    ("dumpable again", |_| call(libc::SYS_prctl, 4, 1, 0)),
    ("recvmsg", |_| call(libc::SYS_recvmsg, 0, 0, 0)),
    ("io_uring", |_| call(libc::SYS_io_uring_setup, 1, 0, 0)),
    ("executable memory", |_| call(libc::SYS_mmap, 0, 4096, 5)),
    ("mprotect", |_| call(libc::SYS_mprotect, 0, 4096, 5)),
];

fn main() {
    // What nextest asks of a test program.
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|word| word == "--list") {
        if !arguments.iter().any(|word| word == "--ignored") {
            println!("locked_in_is_locked_in: test");
        }
        return;
    }
    // It can compute, allocate, read and write on its one descriptor, and end.
    let (ended, said) = locked_in(|kept| {
        let mut heard = [0; 4];
        kept.read_exact(&mut heard).unwrap();
        let much: Vec<usize> = (0..200_000).collect();
        let sum = much.iter().sum::<usize>();
        kept.write_all(format!("{} {sum}", String::from_utf8_lossy(&heard)).as_bytes()).unwrap();
    });
    assert!(matches!(ended, WaitStatus::Exited(_, 0)), "{ended:?}");
    assert_eq!(said, b"ping 19999900000");
    for (name, attempt) in ATTEMPTS {
        let (ended, said) = locked_in(attempt);
        assert!(matches!(ended, WaitStatus::Signaled(_, Signal::SIGSYS, _)), "{name}: {ended:?} {said:?}");
    }
    println!("test locked_in_is_locked_in ... ok");
}
