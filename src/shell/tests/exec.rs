//! Commands that are released: what they get, what is shown, what is recorded.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on should stop")]

mod support;

use countersign_api::front::{CloseWhy, CommandEnd};
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;
use support::{Host, assert_recorded, markers};

#[test]
fn exit_codes_pass_through() {
    for code in 0..=255u8 {
        let host = Host::approves();
        let shown = host.shell(&format!("exit {code}")).output().unwrap();
        assert_eq!(shown.status.code(), Some(i32::from(code)), "{shown:?}");
        let (log, recording, _dir) = host.over();
        assert_eq!(log.finished().unwrap().end, CommandEnd::Exited(code));
        assert_eq!(log.close().unwrap().why, CloseWhy::Exit);
        assert_recorded(&recording, &shown);
    }
}

#[test]
fn signals_pass_through() {
    // bash ignores SIGQUIT.
    for signal in [1, 2, 6, 9, 11, 13, 15] {
        let host = Host::approves();
        let shown = host.shell(&format!("kill -{signal} $$")).output().unwrap();
        assert_eq!(shown.status.signal(), Some(signal), "{shown:?}");
        assert!(!shown.status.core_dumped());
        let (log, _, _dir) = host.over();
        assert_eq!(log.finished().unwrap().end, CommandEnd::Signaled(u8::try_from(signal).unwrap()));
    }
}

#[test]
fn outputs_stay_separate_and_markers_tell_the_story() {
    let host = Host::approves();
    let shown =
        host.shell("echo out; echo err >&2; printf 'half \\xe2'; sleep 0.1; printf '\\x9c\\x93\\n'").output().unwrap();
    assert_eq!(shown.stdout, "out\nhalf ✓\n".as_bytes());
    assert_eq!(shown.stderr, b"err\n");
    let (log, recording, _dir) = host.over();
    assert_recorded(&recording, &shown);
    let finished = log.finished().unwrap();
    assert_eq!((finished.stdout_bytes, finished.stderr_bytes), (13, 4));
    let markers = markers(&recording);
    assert!(markers[0].starts_with("submitted: echo out"), "{markers:?}");
    assert_eq!(markers[1..], ["decided: released by ops-lead", "finished: exit 0"]);
    let hello = log.hello.unwrap();
    assert_eq!((hello.agent.as_str(), hello.terminal), ("root", None));
}

#[test]
fn random_bytes_pass_unchanged_both_ways() {
    let mut random = vec![0; 3_000_000];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    let host = Host::approves();
    let mut child = host
        .shell("tee /dev/stderr")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let sent = random.clone();
    let writer = std::thread::spawn(move || input.write_all(&sent).unwrap());
    let shown = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(shown.stdout == random && shown.stderr == random, "{} {}", shown.stdout.len(), shown.stderr.len());
    let (log, recording, _dir) = host.over();
    assert_recorded(&recording, &shown);
    // 6 MB, of which the host is told at least each MiB.
    assert!(log.spooled().len() >= 5, "{:?}", log.spooled());
}

#[test]
fn the_environment_is_built_from_nothing() {
    let host = Host::approves();
    let dir = host.dir.path().to_owned();
    let trap = dir.join("trap");
    std::fs::write(&trap, format!("touch {}/sprung\n", dir.display())).unwrap();
    let shown = host
        .shell("env | sort; umask; ulimit -c")
        .env_clear()
        .envs([("BASH_ENV", trap.to_str().unwrap()), ("ENV", trap.to_str().unwrap())])
        .envs([("PATH", "/evil"), ("LD_LIBRARY_PATH", "/evil"), ("IFS", "x"), ("HOME", "/evil"), ("SHELL", "/evil")])
        .envs([
            ("BASH_FUNC_ls%%", "() { id; }"),
            ("PAGER", "sh"),
            ("SYSTEMD_LESS", "x"),
            ("LC_ALL", "C.UTF-8"),
            ("LC_x", "no"),
            ("LANG", "a\nb"),
        ])
        .envs([("TERM", "xterm"), ("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22"), ("SSH_AUTH_SOCK", "/x")])
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    let mut names: Vec<&str> = text.lines().filter_map(|l| l.split_once('=').map(|(n, _)| n)).collect();
    names.retain(|n| !["PWD", "SHLVL", "_"].contains(n));
    assert_eq!(
        names,
        [
            "GIT_PAGER",
            "HOME",
            "LC_ALL",
            "LESSSECURE",
            "LOGNAME",
            "MANPAGER",
            "PAGER",
            "PATH",
            "SHELL",
            "SSH_CONNECTION",
            "SYSTEMD_PAGER",
            "TERM",
            "USER"
        ],
        "{text}"
    );
    assert!(text.contains("PATH=/usr/local/bin:/usr/bin:/bin\n") && text.contains("HOME=/root\n"), "{text}");
    assert!(!dir.join("sprung").exists());
    let (log, _, _dir) = host.over();
    let submitted = log.submit.unwrap().environment;
    assert!(submitted.contains(&("TERM".to_owned(), "xterm".to_owned())));
    assert_eq!(submitted.len(), 13);
}

#[test]
fn each_inner_shell_parses_for_itself() {
    for (shell, probe) in [
        ("bash", "echo ${BASH_VERSION:+yes}"),
        ("zsh", "echo ${ZSH_VERSION:+yes}"),
        ("fish", "test -n \"$FISH_VERSION\"; and echo yes"),
        ("dash", "echo yes"),
        ("tcsh", "if ( $?tcsh ) echo yes"),
    ] {
        let host = Host::approves();
        let shown = host.shell(probe).args(["--inner-shell", shell]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&shown.stdout), "yes\n", "{shell}: {shown:?}");
        assert_eq!(host.over().0.submit.unwrap().inner_shell, shell);
    }
}

#[test]
fn closed_descriptors_and_inherited_limits_do_no_harm() {
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"] {
        let host = Host::approves();
        let line = format!("exec \"$0\" \"$@\" {closed}");
        let status = std::process::Command::new("bash")
            .args(["-c", &line])
            .args(host.shell("cat; echo out; echo err >&2; ls /proc/self/fd | wc -l; exit 7").get_args_with_program())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(7), "{closed}");
        let (_, recording, _dir) = host.over();
        let rebuilt = countersign_api::recording::rebuild(&recording).unwrap();
        assert_eq!(String::from_utf8_lossy(&rebuilt.stdout), "out\n4\n", "{closed}");
        assert_eq!(rebuilt.stderr, b"err\n", "{closed}");
    }
    let host = Host::approves();
    let line = "ulimit -S -f 0; ulimit -S -n 16; trap '' HUP PIPE; umask 000; exec 9</etc/passwd; exec \"$0\" \"$@\"";
    let shown = std::process::Command::new("bash")
        .args(["-c", line])
        .args(host.shell("ulimit -f; ulimit -n; umask; ls /proc/self/fd | wc -l; kill -HUP $$").get_args_with_program())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "0\n16\n0000\n4\n");
    assert_eq!(shown.status.signal(), Some(1));
    host.over();
    // Fewer descriptors than the gate has open: it raises its own limit, and gives this one back.
    let host = Host::approves();
    let shown = std::process::Command::new("bash")
        .args(["-c", "ulimit -S -n 4; exec \"$0\" \"$@\""])
        .args(host.shell("ulimit -n; exit 3").get_args_with_program())
        .output()
        .unwrap();
    assert_eq!((shown.stdout.as_slice(), shown.status.code()), (b"4\n".as_slice(), Some(3)), "{shown:?}");
    host.over();
}

#[test]
fn output_after_the_end_is_waited_for_and_what_is_left_is_ended() {
    let host = Host::approves();
    let alive = host.dir.path().join("alive");
    let line = format!(
        "(sleep 0.3; echo late) & (setsid sh -c 'sleep 2; touch {}' >/dev/null 2>&1 </dev/null &) ; echo early",
        alive.display()
    );
    let shown = host.shell(&line).output().unwrap();
    assert_eq!(shown.stdout, b"early\nlate\n");
    let (_, _, _dir) = host.over();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(!alive.exists(), "a process of the login outlived it");
}

#[test]
fn scp_runs_on_its_own_descriptors() {
    let host = Host::approves();
    let file = host.dir.path().join("payload");
    std::fs::write(&file, b"payload").unwrap();
    let mut child =
        host.shell(&format!("scp -f {}", file.display())).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&[0; 4]).unwrap();
    let shown = child.wait_with_output().unwrap();
    assert!(shown.stdout.ends_with(b"payload\0"), "{:?}", String::from_utf8_lossy(&shown.stdout));
    let (log, recording, _dir) = host.over();
    assert_eq!(log.hello.unwrap().kind, countersign_api::front::LoginKind::Transfer);
    assert_eq!(markers(&recording).len(), 3);
    assert!(countersign_api::recording::rebuild(&recording).unwrap().stdout.is_empty());
}

trait WithProgram {
    fn get_args_with_program(&self) -> Vec<std::ffi::OsString>;
}

impl WithProgram for std::process::Command {
    fn get_args_with_program(&self) -> Vec<std::ffi::OsString> {
        std::iter::once(self.get_program()).chain(self.get_args()).map(Into::into).collect()
    }
}

#[test]
fn the_name_it_is_called_by_does_not_matter() {
    let host = Host::approves();
    let shown = host.shell("echo hi").arg0("-countersign-sh").output().unwrap();
    assert_eq!(shown.stdout, b"hi\n");
    host.over();
}

#[test]
fn the_longest_command_line_is_still_one_piece() {
    let host = Host::approves();
    let shown = host.shell(&format!("echo {} | wc -c", "x".repeat(125_000))).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "125001\n", "{shown:?}");
    host.over();
}

#[test]
fn a_command_that_cannot_start_says_so() {
    let host = Host::approves();
    let shown = host.shell("definitely-not-a-program").output().unwrap();
    assert_eq!(shown.status.code(), Some(127));
    assert_recorded(&host.over().1, &shown);
}

#[test]
fn a_reader_that_has_enough_ends_the_command() {
    let host = Host::approves();
    let mut child = host.shell("yes").stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 2];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    child.wait().unwrap();
    assert_eq!(host.over().0.close().unwrap().why, CloseWhy::Hangup);
}

/// A host that releases in the name of a rule or a grant.
fn released_by(by: &str) -> Host {
    let by: countersign_core::DecidedBy = by.parse().unwrap();
    Host::plays(move |talk| {
        talk.welcome();
        let release = talk.held();
        talk.send(&countersign_api::front::HostMessage::Released(countersign_api::front::Release { by, ..release }));
        talk.rest();
    })
}

#[test]
fn a_rule_approves_the_line_and_not_what_is_piped_into_it() {
    for (by, shown) in [("whitelist_rule:7", "end\n"), ("grant:2", "end\n"), ("ops-lead", "ran: touch me\nend\n")] {
        let host = released_by(by);
        let line = "while read -r x; do echo \"ran: $x\"; done; echo end";
        let mut child = host.shell(line).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (Ok(()) | Err(_)) = child.stdin.take().unwrap().write_all(b"touch me\n");
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), shown, "{by}");
        host.over();
    }
}

#[test]
fn nothing_is_written_past_the_recording_through_standard_input() {
    let host = Host::approves();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let both = || Stdio::from(std::os::fd::OwnedFd::from(theirs.try_clone().unwrap()));
    let line = "read x; echo got $x; { echo unseen >&0; } 2>/dev/null; cat | wc -c; exit 5";
    let mut child = host.shell(line).stdin(both()).stdout(both()).stderr(Stdio::null()).spawn().unwrap();
    drop(theirs);
    let (mut sender, mut receiver) = (ours.try_clone().unwrap(), ours);
    let writer = std::thread::spawn(move || {
        sender.write_all(b"first\n").unwrap();
        sender.write_all(&vec![b'x'; 1_000_000]).unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut shown = Vec::new();
    receiver.read_to_end(&mut shown).unwrap();
    writer.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    let (_, recording, _dir) = host.over();
    assert_eq!(countersign_api::recording::rebuild(&recording).unwrap().stdout, shown, "something was not recorded");
    assert_eq!(String::from_utf8_lossy(&shown), "got first\n1000000\n");
}
