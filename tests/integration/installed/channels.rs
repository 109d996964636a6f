//! Several channels of one connection, and every kind of channel that is no command.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use countersign_tests::installation::{AGENT, Installation, Options, UNGATED};
use countersign_tests::journal;
use countersign_tests::port::Port;
use countersign_tests::run::{LIMIT, Running, eventually, run};

/// `ssh FLAGS agent@host WORDS` over the connection that this socket's master holds.
fn over(host: &Installation, socket: &str, words: &[&str]) -> Command {
    let mut command = host.ssh_as(AGENT, &["-S", socket], words);
    // Options that are given first win: ControlPath and ControlMaster of the test's own must not.
    let own: Vec<String> = command
        .get_args()
        .map(|word| word.to_string_lossy().replace("ControlPath=none", &format!("ControlPath={socket}")))
        .collect();
    command = Command::new("ssh");
    command.args(own);
    command
}

fn master(host: &Installation, socket: &str) -> Running {
    let mut command = over(host, socket, &[]);
    let own: Vec<String> = command
        .get_args()
        .map(|word| word.to_string_lossy().replace("ControlMaster=no", "ControlMaster=yes"))
        .collect();
    command = Command::new("ssh");
    command.args(["-N"]).args(own);
    let running = Running::start(&mut command, None);
    eventually("the master's socket", LIMIT, || std::path::Path::new(socket).exists().then_some(()));
    running
}

/// A channel is a login of its own: what one was let do, and what waits in one, is nothing to another.
#[test]
fn channels_of_one_connection_are_logins_of_their_own() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let socket = host.scratch.join("client/master").display().to_string();
    let mut control = master(&host, &socket);
    let reviewer = host.reviewer();
    let first = Running::start(&mut over(&host, &socket, &["touch first"]), Some(b""));
    eventually("the first to be held", LIMIT, || {
        (journal::of_kind(&host.journal(), "command_submitted").len() == 1).then_some(())
    });
    // The same words in a second channel, while the first waits: held by themselves.
    let second = Running::start(&mut over(&host, &socket, &["touch first"]), Some(b""));
    eventually("the second to be held", LIMIT, || {
        (journal::of_kind(&host.journal(), "command_submitted").len() == 2).then_some(())
    });
    let third = Running::start(&mut over(&host, &socket, &["touch third"]), Some(b""));
    reviewer.deny("touch third", "not this one");
    third.wait(LIMIT).expect(126);
    assert!(!host.home().join("first").exists() && !host.home().join("third").exists());
    let pending: Vec<String> = journal::of_kind(&host.journal(), "command_submitted")
        .iter()
        .filter(|entry| journal::command(entry) == "touch first")
        .map(|entry| entry["body"]["id"].as_str().expect("an id").to_owned())
        .collect();
    reviewer.run(&["approve", &pending[0]]).expect(0);
    first.wait(LIMIT).expect(0);
    assert!(host.home().join("first").exists());
    std::fs::remove_file(host.home().join("first")).expect("the file");
    reviewer.run(&["deny", &pending[1], "--reason", "once is enough"]).expect(0);
    second.wait(LIMIT).expect(126);
    assert!(!host.home().join("first").exists(), "one approval ran two lines");
    let logins: std::collections::BTreeSet<_> = journal::of_kind(&host.journal(), "session_opened")
        .iter()
        .map(|entry| entry["sess"]["id"].to_string())
        .collect();
    assert_eq!(logins.len(), 3);
    // The connection that goes away cancels what waits in any of its channels.
    let waiting = Running::start(&mut over(&host, &socket, &["touch late"]), Some(b""));
    eventually("it to be held", LIMIT, || {
        (journal::of_kind(&host.journal(), "command_submitted").len() == 4).then_some(())
    });
    assert!(control.is_running());
    control.signal(nix::sys::signal::Signal::SIGKILL);
    drop(waiting);
    eventually("it to be cancelled", LIMIT, || {
        let last = journal::of_kind(&host.journal(), "decided").pop()?;
        (last["body"]["outcome"] == "cancelled").then_some(())
    });
    assert!(!host.home().join("late").exists());
    eventually("all to be closed", LIMIT, || {
        (journal::of_kind(&host.journal(), "session_closed").len() == 4).then_some(())
    });
    host.verify().expect(10);
}

/// Each way in which ssh opens a channel that is no command. The control is an account without the gate, where what
/// sshd allows by default works.
#[test]
fn no_channel_leads_around_the_gate() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = format!("127.0.0.1:{}", tcp.local_addr().expect("address").port());
    let inside = "/run/inside.sock";
    let unix = UnixListener::bind(inside).expect("a socket");
    std::fs::set_permissions(inside, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("mode");
    tcp.set_nonblocking(true).expect("nonblocking");
    unix.set_nonblocking(true).expect("nonblocking");
    let reached = || tcp.accept().is_ok() || unix.accept().is_ok();
    let strict = ["-o", "ExitOnForwardFailure=yes"];
    // Asked for by the client at once: -W to a port. The control first.
    let mut direct = Running::start(&mut host.ssh_as(UNGATED, &["-W", &target], &[]), None);
    eventually("the control to reach it", LIMIT, || reached().then_some(()));
    assert!(direct.is_running());
    drop(direct);
    assert_ne!(run(&mut host.ssh_as(AGENT, &["-W", &target], &[])).code(), 0);

    // Local forwards and SOCKS open their channel when somebody connects.
    for (flag, kind) in [("-L", "tcp"), ("-D", "socks"), ("-L", "unix")] {
        for (user, works) in [(UNGATED, true), (AGENT, false)] {
            let kept = Port::new();
            let port = kept.number;
            let forward = match kind {
                "tcp" => format!("127.0.0.1:{port}:{target}"),
                "unix" => format!("127.0.0.1:{port}:{inside}"),
                _ => format!("127.0.0.1:{port}"),
            };
            let mut command = host.ssh_as(user, &[strict[0], strict[1], flag, &forward, "-N"], &[]);
            let tunnel = Running::start(&mut command, None);
            let mut stream =
                eventually("it to listen", LIMIT, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
            if kind == "socks" {
                use std::io::Write as _;
                let [high, low] = tcp.local_addr().expect("address").port().to_be_bytes();
                stream.write_all(&[4, 1, high, low, 127, 0, 0, 1, 0]).expect("a request");
            }
            if works {
                eventually("the control to reach it", LIMIT, || reached().then_some(()));
            } else {
                // sshd hangs up on the channel: then it has decided.
                stream.set_read_timeout(Some(LIMIT)).expect("timeout");
                let mut bytes = Vec::new();
                let (Ok(_) | Err(_)) = std::io::Read::read_to_end(&mut stream, &mut bytes);
                assert!(!reached(), "{user} reached it by {flag} {kind}");
            }
            drop(tunnel);
        }
    }
    // Remote forwards: a port, a socket.
    let kept = Port::new();
    let port = kept.number;
    for forward in [format!("127.0.0.1:{port}:{target}"), format!("{}/r.sock:{target}", host.home().display())] {
        let ended = run(&mut host.ssh_as(AGENT, &[strict[0], strict[1], "-R", &forward, "-N"], &[]));
        assert_ne!(ended.code(), 0, "{forward}");
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!host.home().join("r.sock").exists());
    // A network interface.
    let ended = run(&mut host.ssh_as(
        AGENT,
        &[strict[0], strict[1], "-o", "Tunnel=point-to-point", "-w", "any:any", "-N"],
        &[],
    ));
    assert_ne!(ended.code(), 0, "a tunnel");
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
}

/// An agent's socket and an X display of the client are not lent to what runs, and ~/.ssh/rc does not run.
#[test]
fn nothing_of_the_client_is_lent() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let own = std::fs::metadata(host.home()).map(|found| std::os::unix::fs::MetadataExt::uid(&found)).expect("home");
    let rc = host.home().join(".ssh/rc");
    std::fs::write(&rc, format!("touch {}/rc-ran\n", host.home().display())).expect("rc");
    std::os::unix::fs::chown(&rc, Some(own), Some(own)).expect("owner");
    let socket = host.scratch.join("client/agent.sock");
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("ssh-agent");
    eventually("the agent", LIMIT, || socket.exists().then_some(()));
    // Only its own: others of this machine may have some.
    let line = "env; find /tmp -maxdepth 1 -name 'ssh-*' -uid $(id -u); true";
    let mut command = host.ssh_as(AGENT, &["-A", "-X", "-o", "ForwardX11Trusted=yes"], &[line]);
    command.env("SSH_AUTH_SOCK", &socket).env("DISPLAY", ":77");
    let client = Running::start(&mut command, Some(b""));
    host.reviewer().approve(line);
    let ended = client.wait(LIMIT).expect(0);
    for lent in ["SSH_AUTH_SOCK", "DISPLAY", "XAUTHORITY", "/tmp/ssh-"] {
        assert!(!ended.out().contains(lent), "{lent} in {}", ended.out());
    }
    std::thread::sleep(Duration::from_millis(100));
    assert!(!host.home().join("rc-ran").exists());
    agent.kill().expect("kill");
    agent.wait().expect("its end");
    host.verify().expect(10);
}
