//! `ssh host < file`: commands on standard input, each held, one shell.

use std::path::Path;

use countersign_tests::cast::Cast;
use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::interrupting::INTERRUPTING;
use countersign_tests::journal;
use countersign_tests::run::{Ended, LIMIT, Running, eventually, run_with};
use nix::sys::signal::Signal;

fn script(host: &Installation, text: &str) -> Running {
    Running::start(&mut host.ssh_as(AGENT, &["-T"], &[]), Some(text.as_bytes()))
}

/// Runs a script to its end, every command of it approved as it comes.
#[track_caller]
fn approved(host: &Installation, text: &str) -> Ended {
    let approving = host.reviewer().approving();
    let ended = script(host, text).wait(LIMIT);
    drop(approving);
    ended
}

/// The commands that were submitted, in order.
fn commands(host: &Installation) -> Vec<String> {
    journal::of_kind(&host.journal(), "command_submitted").iter().map(journal::command).collect()
}

fn exists(path: &Path) -> bool {
    path.exists()
}

#[test]
fn runs_command_by_command_in_one_shell() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let text = "#!/bin/bash\n\n# a note\ncd /tmp\nx=five\nif true; then\n  echo \"$x in $PWD\"\nfi\n\
                cat <<E >&2\nerror\nE\n(exit 3)\necho $?\nfalse || exit 7\necho never\n";
    let ended = approved(&host, text).expect(7);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("five in /tmp\n3\n", "error\n"));
    assert_eq!(
        commands(&host),
        [
            "cd /tmp",
            "x=five",
            "if true; then\n  echo \"$x in $PWD\"\nfi",
            "cat <<E >&2\nerror\nE",
            "(exit 3)",
            "echo $?",
            "false || exit 7"
        ]
    );
    let opened = journal::wait_for(&host.journal(), "session_opened", 1);
    assert_eq!((&opened["body"]["kind"], &opened["body"]["tty"]), (&"stdin".into(), &false.into()));
    let ends: Vec<_> =
        journal::of_kind(&host.journal(), "exec_finished").iter().map(|e| e["body"]["code"].clone()).collect();
    assert_eq!(ends, [0, 0, 0, 0, 3, 0, 7]);
    journal::wait_for(&host.journal(), "session_closed", 1);
    let recording = std::fs::read_dir(host.host_dir().join("recordings")).expect("recordings").flatten().next();
    let cast = Cast::read(&recording.expect("a recording").path());
    assert_eq!((cast.stdout(), cast.stderr()), (b"five in /tmp\n3\n".to_vec(), b"error\n".to_vec()));
    assert_eq!(approved(&host, "true\n(exit 9)\n").code(), 9, "the last command's status");
    host.verify().expect(10);
}

/// A shell that a program of the agent's has stopped would leave the login there until its client goes.
#[test]
fn a_shell_that_is_stopped_ends_the_login() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let text = "a signal has stopped the shell; the login is ended";
    for line in ["kill -STOP $$", "(sleep 0.2; kill -STOP $$) & sleep 60"] {
        let ended = approved(&host, &format!("{line}\necho never\n"));
        assert!(ended.err().contains(text) && ended.out().is_empty(), "{}{}", ended.out(), ended.err());
    }
    host.verify().expect(10);
}

/// One whose driver was broken by a line ends.
#[test]
fn a_command_that_breaks_the_driver_ends_the_login() {
    let Some(host) = Installation::new(Options::default()) else { return };
    for line in ["FUNCNEST=1", "shopt -s extdebug; trap false DEBUG"] {
        assert!(!approved(&host, &format!("{line}\necho never\n")).out().contains("never"), "{line}");
    }
    host.verify().expect(10);
}

/// `TMOUT` is bash's limit for its own `read`, by which the shell waits for each command.
#[test]
fn a_time_limit_of_the_shell_is_none_of_the_login() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let client = script(&host, "TMOUT=1\necho later\n");
    host.reviewer().approve("TMOUT=1");
    journal::wait_for(&host.journal(), "command_submitted", 2);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    host.reviewer().approve("echo later");
    let ended = client.wait(LIMIT).expect(0).says(&["TMOUT: readonly variable"]);
    assert_eq!(ended.out(), "later\n");
    host.verify().expect(10);
}

#[test]
fn rules_let_lines_pass_and_the_next_line_is_never_swallowed() {
    let Some(host) = Installation::new(Options::default()) else { return };
    for line in ["uptime", "df -h", "cat", "touch after"] {
        host.reviewer().allow(line);
    }
    // `cat` would read the rest, were it fed: nobody looked at that.
    let ended = script(&host, "uptime\ncat\ndf -h\ntouch after\n").wait(LIMIT).expect(0);
    assert!(ended.out().contains("load average") && ended.out().contains("Filesystem"), "{}", ended.out());
    assert!(!ended.out().contains("touch"), "{}", ended.out());
    assert!(exists(&host.home().join("after")));
    assert_eq!(commands(&host), ["uptime", "cat", "df -h", "touch after"]);
    assert!(journal::of_kind(&host.journal(), "decided").iter().all(|e| e["body"]["outcome"] == "whitelisted"));
    host.verify().expect(10);
}

#[test]
fn a_command_that_a_person_let_run_reads_what_follows_it() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let ended =
        approved(&host, "read a\nfirst\nhead -c 4 > kept\nabc\necho \"$a\"\nread b; cat > rest\nx\nlast 1\nlast 2");
    assert_eq!(ended.expect(0).out(), "first\n");
    let read = |name: &str| std::fs::read_to_string(host.home().join(name)).expect("file");
    assert_eq!((read("kept").as_str(), read("rest").as_str()), ("abc\n", "last 1\nlast 2"));
    assert_eq!(commands(&host), ["read a", "head -c 4 > kept", "echo \"$a\"", "read b; cat > rest"]);
    // What replaces the shell reads it, too.
    assert_eq!(approved(&host, "exec cat\nfollows\nto its end").expect(0).out(), "follows\nto its end");
    host.verify().expect(10);
}

#[test]
fn a_command_that_does_not_run_ends_the_login() {
    let Some(host) = Installation::new(Options::default()) else { return };
    for line in ["echo before", "touch made"] {
        host.reviewer().allow(line);
    }
    let client = script(&host, "echo before\nwhoami\ntouch made\n");
    host.reviewer().deny("whoami", "not that");
    let ended = client.wait(LIMIT).expect(126).says(&["denied", "not that"]);
    assert_eq!(ended.out(), "before\n");
    // What cannot be shown is recorded, not asked, and ends it too.
    for bad in ["echo 'a\x1b[2K'\ntouch made\n", "echo \u{9b}\ntouch made\n"] {
        script(&host, bad).wait(LIMIT).expect(126);
    }
    assert!(!exists(&host.home().join("made")));
    assert_eq!(journal::of_kind(&host.journal(), "exec_started").len(), 1);
    host.verify().expect(10);
}

#[test]
fn an_interpreter_in_a_script_is_held_with_all_that_follows() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let text = "cd /tmp\nx=1\nbash -s one\npwd; echo $1\ntouch \"$HOME/inner\"\n";
    host.reviewer().allow("cd /tmp");
    host.reviewer().allow("x=1");
    let client = script(&host, text);
    host.reviewer().deny("bash -s one", "no");
    client.wait(LIMIT).expect(126);
    assert!(!exists(&host.home().join("inner")));
    let submitted = journal::wait_for(&host.journal(), "command_submitted", 3);
    assert_eq!(submitted["vals"]["stdin"][0][1], "pwd; echo $1\ntouch \"$HOME/inner\"\n");
    let client = script(&host, text);
    host.reviewer().approve("bash -s one");
    assert_eq!(client.wait(LIMIT).expect(0).out(), "/tmp\none\n");
    assert!(exists(&host.home().join("inner")));
    host.verify().expect(10);
}

#[test]
fn unfinished_text_runs_only_as_it_was_shown() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let client = script(&host, "touch 'made\ntouch made\n");
    host.reviewer().approve("touch 'made\ntouch made\n");
    client.wait(LIMIT).expect(2);
    assert!(!exists(&host.home().join("made")));
    run_with(&mut host.ssh_as(AGENT, &["-T"], &[]), b"").expect(0);
    host.verify().expect(10);
}

#[test]
fn a_client_that_goes_ends_it() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let mut client = Running::start(&mut host.ssh_as(AGENT, &["-T"], &[]), None);
    client.write(b"touch made\n");
    host.reviewer().wait_for("touch made");
    client.signal(Signal::SIGKILL);
    let closed = journal::wait_for(&host.journal(), "session_closed", 1);
    assert_eq!(closed["body"]["why"], "hangup");
    let mut client = Running::start(&mut host.ssh_as(AGENT, &["-T"], &[]), None);
    let line = "echo begun; until [ -e go ]; do sleep 0.1; done; touch made";
    client.write(format!("{line}\n").as_bytes());
    host.reviewer().approve(line);
    eventually("it to begin", LIMIT, || (client.out_so_far() == b"begun\n").then_some(()));
    client.signal(Signal::SIGKILL);
    journal::wait_for(&host.journal(), "session_closed", 2);
    std::fs::write(host.home().join("go"), "").expect("a file");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!exists(&host.home().join("made")));
    host.verify().expect(10);
}

/// What only the shell knows of a command: aliases in the place of reserved words, options, variables.
#[test]
fn no_rule_speaks_for_a_command_that_this_shell_reads_otherwise() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let line = "if true; then uname; fi";
    host.reviewer().allow(line);
    script(&host, &format!("{line}\n")).wait(LIMIT).expect(0);
    for spoil in [
        "shopt -s expand_aliases; alias then='then touch made;'",
        "CDPATH=/tmp",
        "shopt -s extglob",
        "readonly X",
        "declare -i X",
        "PWD=/lie; true",
        "unset DIRSTACK; DIRSTACK=/lie; PWD=/lie; true",
        "auto_resume=exact",
        "shopt -s localvar_inherit; declare -u __cs_message",
        "v=20; exec {v}</dev/null",
    ] {
        let client = script(&host, &format!("{spoil}\n{line}\n"));
        host.reviewer().approve(spoil);
        host.reviewer().deny(line, "no");
        client.wait(LIMIT).expect(126);
        assert!(!exists(&host.home().join("made")), "{spoil}");
    }
    host.verify().expect(10);
}

#[test]
fn a_command_cannot_make_the_shell_read_for_itself() {
    let Some(host) = Installation::new(Options::default()) else { return };
    // Everything is approved but `touch made`, which comes where a shell that read standard input would run it.
    for attack in [
        "exec 71<&-",
        "exec 72<&-",
        "break 99",
        "continue 99",
        "trap 'touch made' USR2",
        "set -n",
        "exec 10<&- 11<&- 12<&- 13<&-",
        "__cs_ready() { eval \"$(cat <&71)\"; }",
    ] {
        let mut client = script(&host, &format!("{attack}\ntouch made\n"));
        host.reviewer().approve(attack);
        while client.is_running() {
            for row in host.reviewer().pending().iter().filter(|row| row["command"] == "touch made") {
                host.reviewer().run(&["deny", row["id"].as_str().expect("an id"), "--reason", "no"]);
            }
        }
        let ended = client.wait(LIMIT);
        assert!(!exists(&host.home().join("made")), "{attack}: {}", ended.err());
    }
    host.verify().expect(10);
}

/// A trap that leaves the function in which the shell reads a command, in the middle of that: the rest of it, quoted
/// text, is no command, and nothing more runs.
#[test]
fn the_rest_of_a_command_that_was_broken_off_is_not_run() {
    let Some(host) = Installation::new(Options::default()) else { return };
    std::fs::write(host.home().join("interrupting.py"), INTERRUPTING).expect("file");
    let looking = host.home().join("looking");
    let rest = format!("{}0\tword\ttouch made #", "N".repeat(60_000));
    let wait = "until [ -e looking ]; do sleep 0.05; done";
    let text = format!("trap return INT\npython3 interrupting.py\n{wait}\n: \"{rest}\"\ntouch after\n");
    // It may come too late for that; then the script has gone on.
    let broken_off = (1..=10).any(|count| {
        let ended = approved(&host, &text);
        journal::wait_for(&host.journal(), "session_closed", count);
        assert!(!host.home().join("made").exists(), "quoted text was run");
        let gone_on = std::fs::remove_file(host.home().join("after")).is_ok();
        assert!(ended.code() != 0 || gone_on, "{}", ended.err());
        std::fs::remove_file(&looking).expect("it looked");
        !gone_on
    });
    assert!(broken_off, "the shell was never interrupted in time");
    host.verify().expect(10);
}
