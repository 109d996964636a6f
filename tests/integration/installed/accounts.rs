//! Uids, owners and modes: what the agent can and cannot touch.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use countersign_tests::installation::{AGENT, Installation, Options, PROGRAMS, UNGATED};
use countersign_tests::journal;
use countersign_tests::namespace::owner_and_mode;
use countersign_tests::port::Port;
use countersign_tests::run::{LIMIT, Running, eventually, run};
use nix::sys::signal::Signal;

/// The login shells of this installation (there may be others on the machine), with their uids.
fn fronts(host: &Installation) -> Vec<(i32, String)> {
    let own = |pid: i32| {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.trim().replace('\t', " ");
        let of_this = |uid: u32| uids.split(' ').any(|one| one == uid.to_string());
        let is_own = of_this(host.uids.front) || of_this(host.uids.agent);
        (is_own && exe == Path::new(PROGRAMS).join("countersign-sh")).then_some((pid, uids))
    };
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let found: Vec<_> = pids.filter_map(own).collect();
    assert!(found.len() <= 4, "more than one login of {}", host.uids.agent);
    found
}

#[test]
fn each_process_has_its_uid_and_the_agent_reaches_none() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let client = host.approved(&[], "echo begun; sleep 20", None);
    eventually("it to begin", LIMIT, || (client.out_so_far() == b"begun\n").then_some(()));
    let (front, agent) = (host.uids.front, host.uids.agent);
    let mut uids: Vec<_> = fronts(&host).into_iter().map(|(_, uids)| uids).collect();
    uids.sort();
    // real, effective, saved, file system
    let mut due = [format!("{front} {agent} {front} {agent}"), format!("{front} {front} {front} {front}")];
    due.sort();
    assert_eq!(uids, due, "spawner and front");
    for (pid, uids) in fronts(&host) {
        for attack in [
            format!("kill -STOP {pid}"),
            format!("kill -9 {pid}"),
            format!("cat /proc/{pid}/environ"),
            format!("cat /proc/{pid}/mem"),
            format!("ls -l /proc/{pid}/fd"),
            format!("timeout 5 strace -p {pid}"),
        ] {
            let ended = run(as_agent(&host, &attack).stdin(std::process::Stdio::null()));
            assert_ne!(ended.code(), 0, "{attack} ({uids}): {}{}", ended.out(), ended.err());
        }
    }
    assert_eq!(fronts(&host).len(), 2, "both are still there");
    client.signal(Signal::SIGKILL);
}

/// A shell with the agent's uid and groups that passed no gate: what an approved program could do.
fn as_agent(host: &Installation, line: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", line]).uid(host.uids.agent).gid(host.uids.agent).current_dir("/");
    command
}

#[test]
fn nothing_of_the_record_is_the_agents() {
    let Some(host) = Installation::new(Options::default()) else { return };
    host.run("echo recorded").expect(0);
    let host_uid = host.uids.host;
    assert_eq!(owner_and_mode(&host.host_dir()), format!("{host_uid}:{host_uid} 700"));
    assert_eq!(owner_and_mode(&host.host_dir().join("identity.key")), format!("{host_uid}:{host_uid} 400"));
    for attack in [
        "cat /run/countersign/hostd.sock",
        "echo x > /run/countersign/x",
        "rm -f /run/countersign/hostd.sock && test ! -e /run/countersign/hostd.sock",
    ] {
        assert_ne!(run(&mut as_agent(&host, attack)).code(), 0, "{attack}");
    }
    let state = host.host_dir();
    assert_ne!(run(&mut as_agent(&host, &format!("ls {}", state.display()))).code(), 0);
    let enrolled = journal::of_kind(&host.journal(), "host_enrolled");
    assert_eq!(enrolled[0]["body"]["signer"], "own_uid");
}

#[test]
fn hostd_speaks_to_the_front_only() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let python = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect('/run/countersign/hostd.sock')\ns.settimeout(5)\nb=b'{\"t\":\"hello\",\"protocol\":1,\"agent\":\"x\",\"uid\":1,\"kind\":\"exec\",\"terminal\":null,\"ssh_connection\":null}'\ntry:\n  s.sendall(len(b).to_bytes(4,'big')+b); print('got', s.recv(1000))\nexcept OSError as e: print('closed', e)\n";
    let ended = run(as_agent(&host, "python3 -c \"$SCRIPT\"").env("SCRIPT", python));
    assert!(!ended.out().contains("welcome"), "{}", ended.out());
    assert!(journal::of_kind(&host.journal(), "session_opened").is_empty(), "no login of a stranger is opened");
}

#[test]
fn trial_flags_are_refused_when_setuid() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let shell = format!("{PROGRAMS}/countersign-sh");
    let mut command = Command::new("setpriv");
    let (agent, agents) = (host.uids.agent.to_string(), host.uids.agents.to_string());
    command.args(["--reuid", &agent, "--regid", &agent, "--groups", &agents, &shell]);
    command.args(["--trial", "--socket", "/tmp/x", "-c", "echo ran"]).current_dir("/");
    let ended = run(&mut command).expect(64);
    assert_eq!(ended.out(), "");
}

#[test]
fn only_agents_may_start_the_login_shell() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let ended = run(&mut as_agent(&host, &format!("{PROGRAMS}/countersign-sh -c 'echo ran'"))).expect(126);
    assert_eq!(ended.out(), "", "an account outside of the group cannot even start it");
}

#[test]
fn an_account_with_another_shell_is_not_gated_in_vain() {
    let Some(host) = Installation::new(Options::default()) else { return };
    // ForceCommand alone: ~/.bashrc would have run before the gate.
    for file in ["/etc/passwd", "/etc/group"] {
        let text = fs::read_to_string(file).expect("accounts");
        let text = text.replace(
            &format!("countersign-agents:x:{}:{AGENT}", host.uids.agents),
            &format!("countersign-agents:x:{}:{AGENT},{UNGATED}", host.uids.agents),
        );
        fs::write(file, text).expect("accounts");
    }
    let ended = run(&mut host.ssh_as(UNGATED, &[], &["echo ran"])).expect(78);
    assert_eq!(ended.out(), "");
    ended.says(&["login shell"]);
}

#[test]
fn configuration_of_the_login_shell_that_is_not_to_be_trusted() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let file = Path::new("/etc/countersign/countersign-sh.toml");
    let good = fs::read_to_string(file).expect("configuration");
    host.reviewer().allow("echo ran");
    let login = || Running::start(&mut host.ssh("echo ran"), Some(b"")).wait(LIMIT);
    assert_eq!(login().expect(0).out(), "ran\n", "the control");
    for mode in [0o666, 0o664] {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("mode");
        login().expect(78).says(&["countersign-sh.toml"]);
    }
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("mode");
    chown(file, Some(host.uids.agent), None).expect("owner");
    login().expect(78).says(&["countersign-sh.toml"]);
    chown(file, Some(0), None).expect("owner");
    for (text, hint) in
        [("colour = \"red\"\n", "colour"), ("socket = 5\n", "expected path"), ("\u{0}", "countersign-sh.toml")]
    {
        fs::write(file, text).expect("configuration");
        login().expect(78).says(&[hint]);
    }
    fs::remove_file(file).expect("configuration");
    login().expect(78).says(&["countersign-sh.toml"]);
    fs::write(file, good).expect("configuration");
    assert_eq!(login().expect(0).out(), "ran\n");
}

#[test]
fn forwarding_and_subsystems_are_off() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let kept = Port::new();
    let port = kept.number;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = format!("127.0.0.1:{}", listener.local_addr().expect("address").port());
    let ended = run(&mut host.ssh_as(AGENT, &["-W", &target], &[]));
    assert_ne!(ended.code(), 0, "direct forwarding");
    let ended =
        run(&mut host.ssh_as(AGENT, &["-o", "ExitOnForwardFailure=yes", "-R", &format!("{port}:{target}"), "-N"], &[]));
    assert_ne!(ended.code(), 0, "remote forwarding");
}

#[test]
fn host_gone_means_unavailable() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    host.host.take().expect("a host").kill();
    let ended = run(&mut host.ssh("echo ran")).expect(69).says(&["countersign:"]);
    assert_eq!(ended.out(), "");
    host.start_host();
    assert_eq!(host.run("echo ran").expect(0).out(), "ran\n");
    let service = host.service.take().expect("a service");
    service.kill();
    let ended = run(&mut host.ssh("echo ran")).expect(69).says(&["countersign:"]);
    assert_eq!(ended.out(), "");
    host.verify().expect(10);
}
