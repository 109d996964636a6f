//! Many clients at once that go without a word, each at another moment of its login.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use nix::sys::signal::Signal;

const CLIENTS: u64 = 48;

/// What a client asks for: flags of ssh, the line, and standard input.
const KINDS: [(&[&str], Option<&str>, &[u8]); 6] = [
    (&[], Some("echo begun; sleep 3"), b""),
    (&[], Some("touch made"), b""),
    (&["-tt"], None, b"echo begun\rsleep 2\rtouch made\r"),
    (&["-T"], None, b"echo begun\nsleep 1\ntouch made\n"),
    (&[], Some("bash -s"), b"sleep 2\n"),
    (&["-tt"], Some("sh -c \"trap '' HUP TERM INT; setsid sleep 77 & sleep 78\""), b""),
];

/// Connects to hostd as the agent, over and over.
const KNOCKING: &str = "
import socket
while True:
    knocked = []
    for _ in range(200):
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try: one.connect('/run/countersign/hostd.sock')
        except OSError: pass
        knocked.append(one)
";

#[test]
fn clients_that_are_killed_at_any_moment_leave_nothing() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let mut knocking = host.as_agent("/usr/bin/python3", &["-c", KNOCKING]).spawn().expect("a program of the agent");
    let reviewer = host.reviewer();
    // Everything but what must not run, which nobody answers.
    for line in ["echo begun; sleep 3", "echo begun", "sleep 1", "sleep 2"] {
        reviewer.allow(line);
    }
    // How long one takes tells how long to wait, so that some get far where all is slow.
    let begun = Instant::now();
    run(&mut host.ssh("echo begun")).expect(0);
    let slowness = (begun.elapsed().as_millis() as u64 / 300).max(1);
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let (flags, line, input) = KINDS[usize::try_from(number).expect("small") % KINDS.len()];
        let words: Vec<&str> = line.into_iter().collect();
        clients.push(Running::start(&mut host.ssh_as(AGENT, flags, &words), Some(input)));
        std::thread::sleep(Duration::from_millis(slowness * (20 + number * 37 % 150)));
        if clients.len() > 6 {
            clients.remove(0).signal(Signal::SIGKILL);
        }
    }
    clients.iter().for_each(|client| client.signal(Signal::SIGKILL));
    knocking.kill().expect("killed");
    knocking.wait().expect("reaped");
    eventually("every login to be closed", LIMIT, || {
        let count = |kind| journal::of_kind(&host.journal(), kind).len();
        (count("session_opened") > 1 && count("session_opened") == count("session_closed")).then_some(())
    });
    eventually("nothing of the agent to be left", LIMIT, || {
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let mut left = entries.filter(|entry| entry.metadata().is_ok_and(|data| data.uid() == host.uids.agent));
        left.next().is_none().then_some(())
    });
    assert!(!host.home().join("made").exists());
    assert!(journal::of_kind(&host.journal(), "decided").iter().all(|entry| entry["body"]["outcome"] != "approved"));
    // Everybody else is served as before.
    host.run("echo as before").expect(0);
    host.verify().expect(10);
}
