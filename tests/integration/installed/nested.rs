//! Shells within the gate: marked, refused where the host says so, and our own login shell gated again.

use countersign_tests::installation::{AGENT, Installation, Options, PROGRAMS};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, run, run_with};
use countersign_tests::skips::skipped;

#[test]
fn a_login_within_a_login_is_gated_again_and_known_as_such() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    let outer = format!("{PROGRAMS}/countersign-sh -c 'touch made; echo inner'");
    // Also through a process that its parent has left behind, and far below.
    let deep = format!("f() {{ if [ $1 = 0 ]; then {outer}; else (f $(($1 - 1)); :); fi; }}; f 100");
    for (count, line) in [
        (1, outer.clone()),
        (2, format!("(setsid sh -c \"{outer}; touch over\" & ); until [ -e over ]; do sleep 0.05; done")),
        (3, deep),
    ] {
        let client = Running::start(&mut host.ssh(&line), Some(b""));
        host.reviewer().approve(&line);
        host.reviewer().deny("touch made; echo inner", "no");
        client.wait(LIMIT);
        let opened = journal::of_kind(&host.journal(), "session_opened");
        let [first, second] = &opened[2 * count - 2..] else { panic!("two logins") };
        assert!(first["body"].get("nested").is_none());
        assert_eq!(second["body"]["nested"], first["sess"]["id"]);
        assert_eq!((&second["body"]["uid"], &second["vals"]["agent"][1]), (&host.uids.agent.into(), &AGENT.into()));
    }
    assert!(!host.home().join("made").exists());
    host.host.take().expect("host").terminate();
    host.verify().expect(10);
}

/// A grant is one session's, and what was denied in a session is held against what comes later in it.
#[test]
fn a_login_within_a_login_is_of_its_session_whatever_it_claims() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let line = format!("SSH_CONNECTION='203.0.113.9 1 203.0.113.1 22' {PROGRAMS}/countersign-sh -c 'echo inner'");
    let client = Running::start(&mut host.ssh(&line), Some(b""));
    let reviewer = host.reviewer();
    reviewer.approve(&line);
    reviewer.approve("echo inner");
    client.wait(LIMIT).expect(0);
    let opened = journal::of_kind(&host.journal(), "session_opened");
    assert!(opened[1]["vals"]["source"][1].as_str().is_some_and(|source| source.starts_with("203.0.113.9")));
    let sessions: Vec<_> = reviewer.audit().iter().map(|row| row["session"].clone()).collect();
    assert!(sessions.len() == 2 && sessions[0] == sessions[1], "{sessions:?}");
    // From elsewhere it is another one.
    let mut elsewhere = host.as_agent(&format!("{PROGRAMS}/countersign-sh"), &["-c", "echo elsewhere"]);
    let other = Running::start(elsewhere.env("SSH_CONNECTION", "203.0.113.9 1 203.0.113.1 22"), Some(b""));
    reviewer.approve("echo elsewhere");
    other.wait(LIMIT).expect(0);
    let rows = reviewer.audit();
    let row = rows.iter().find(|row| row["command"] == "echo elsewhere").expect("its row");
    assert_ne!(row["session"], sessions[0]);
}

/// What was shown is the place, and `..` is another directory where that has gone.
#[test]
fn a_directory_that_goes_elsewhere_takes_no_line_with_it() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (shown, other) = (host.home().join("a"), host.home().join("b"));
    let make = format!("mkdir -p {0}/d {0}/cache {1}/cache", shown.display(), other.display());
    run(&mut host.as_agent("sh", &["-c", &make])).expect(0);
    let line = "rm -r ../cache";
    let begin = format!("cd {}/d && exec {PROGRAMS}/countersign-sh -c '{line}'", shown.display());
    let client = Running::start(&mut host.as_agent("sh", &["-c", &begin]), Some(b""));
    let id = host.reviewer().wait_for(line);
    run(host.as_agent("mv", &[]).arg(shown.join("d")).arg(other.join("d"))).expect(0);
    host.reviewer().run(&["approve", &id]).expect(0);
    let ended = client.wait(LIMIT).expect(126);
    assert!(ended.err().contains("changed after it was submitted"), "{}", ended.err());
    assert!(shown.join("cache").exists() && other.join("cache").exists());
    let finished = journal::wait_for(&host.journal(), "exec_finished", 1);
    assert_eq!((&finished["body"]["end"], &finished["body"]["why"]), (&"not_released".into(), &"drifted".into()));
    host.verify().expect(10);
}

#[test]
fn what_opens_a_shell_is_marked_or_refused() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    // `-tt`: a terminal.
    let client = Running::start(&mut host.ssh_as(AGENT, &["-tt"], &["bash"]), None);
    let id = host.reviewer().wait_for("bash");
    let shown = host.reviewer().run(&["pending"]).expect(0).out();
    assert!(shown.contains("interactive_escape"), "{shown}");
    host.reviewer().run(&["deny", &id, "--reason", "no"]).expect(0);
    client.wait(LIMIT).expect(126);
    let submitted = journal::wait_for(&host.journal(), "command_submitted", 1);
    assert_eq!(submitted["body"]["flags"], serde_json::json!(["interactive_escape"]));

    host.host.take().expect("host").terminate();
    let file = "/etc/countersign/hostd.toml";
    let before = std::fs::read_to_string(file).expect("configuration");
    std::fs::write(file, format!("nested = \"refuse\"\n{before}")).expect("configuration");
    host.start_host();
    let lines = [
        "bash",
        "cd /; sudo -i",
        "vim x",
        "$SHELL",
        "echo \"$(bash)\"",
        "eval bash",
        "source /dev/tty",
        "read -e x",
        "git commit",
        "docker run -it alpine",
    ];
    for (count, line) in (2..).zip(lines) {
        let ended = run_with(&mut host.ssh_as(AGENT, &["-tt"], &[line]), b"").expect(126);
        // On a terminal all is one stream.
        assert!(ended.out().contains("nested"), "{}", ended.out());
        let decided = journal::wait_for(&host.journal(), "decided", count);
        assert_eq!(decided["body"]["why"], "nested_refused", "{line}");
    }
    let client = Running::start(&mut host.ssh_as(AGENT, &["-tt"], &["echo plain"]), None);
    host.reviewer().approve("echo plain");
    client.wait(LIMIT).expect(0);
    assert_eq!(journal::of_kind(&host.journal(), "exec_started").len(), 1);
    host.verify().expect(10);
}

#[test]
fn other_inner_shells_run_what_was_approved() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let file = "/etc/countersign/countersign-sh.toml";
    let before = std::fs::read_to_string(file).expect("configuration");
    for (shell, line, out) in [
        ("zsh", "echo $ZSH_VERSION[1]", "5\n"),
        ("fish", "echo $version | string sub -l 1 | string match -r '[0-9]'", ""),
        ("dash", "echo $0", "dash\n"),
        ("tcsh", "echo $tcsh:q | cut -c1", "6\n"),
    ] {
        let program = format!("/usr/bin/{shell}");
        if !std::path::Path::new(&program).exists() {
            skipped(&format!("{shell} is not installed"));
            continue;
        }
        std::fs::write(file, before.replace("inner_shell = \"bash\"", &format!("inner_shell = \"{shell}\"")))
            .expect("configuration");
        let client = Running::start(&mut host.ssh(line), Some(b""));
        host.reviewer().approve(line);
        let ended = client.wait(LIMIT).expect(0);
        assert!(if out.is_empty() { !ended.out().is_empty() } else { ended.out() == out }, "{shell}: {}", ended.out());
    }
    host.verify().expect(10);
}
