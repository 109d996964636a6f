//! What a process that has locked itself in can still do, and that a program is
//! set apart as was said or does not run: each attempt in a child of its own, in
//! a process of one thread, since forking needs that.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should stop, and the attempts are system calls"
)]

use countersign_sys::spawn::{Controlling, Leave, Program, spawn};
use countersign_sys::{self as sys, Inherited};
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

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
            // It may have ended already.
            let (Ok(()) | Err(_)) = ours.write_all(b"ping");
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

type Test = (&'static str, fn());

const TESTS: [Test; 2] = [("locked_in_is_locked_in", is_locked_in), ("what_was_said_of_it_is_so", is_as_was_said)];

fn main() {
    // What nextest asks of a test program.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |name: &str| arguments.iter().any(|word| word == name);
    if asked("--list") {
        let listed = if asked("--ignored") { &[][..] } else { &TESTS[..] };
        listed.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let all = !TESTS.iter().any(|(name, _)| asked(name));
    for (name, test) in TESTS.iter().filter(|(name, _)| all || asked(name)) {
        test();
        println!("test {name} ... ok");
    }
}

fn is_locked_in() {
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
}

fn is_as_was_said() {
    let inherited = Inherited::replace().unwrap();
    let (watch, _open) = sys::pipe().unwrap();
    let start = |apart: bool, below: Option<&str>| {
        let null = || OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        let program = Program {
            file: c"/bin/true".to_owned(),
            arguments: vec![c"true".to_owned()],
            environment: Vec::new(),
            stdio: [null(), null(), null()],
            uid: None,
            further: Vec::new(),
            terminal: Controlling::None,
            apart,
            below: below.map(PathBuf::from),
            inherited: &inherited,
        };
        let leave = Leave { watch: watch.as_fd(), deadline_us: None, within_us: 10_000_000 };
        spawn(program, leave).map(|started| started.pid).map_err(|error| error.raw_os_error())
    };
    for apart in [false, true] {
        sys::process::wait(start(apart, None).unwrap()).unwrap();
    }
    assert_eq!(start(false, Some("/")), Err(Some(libc::EOPNOTSUPP)), "nothing sees to it");
    assert!(start(true, Some("/no-such-directory")).is_err());
}
