//! What is refused because it is not built yet: with 126, a message, and a record.

use std::process::Command;

use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{Ended, run, run_with};

/// The last login was refused with this word, and nothing was started.
#[track_caller]
fn recorded(host: &Installation, count: usize, word: &str) {
    let closed = journal::wait_for(&host.journal(), "session_closed", count);
    assert_eq!((&closed["body"]["why"], &closed["body"]["refused"]), (&"refused".into(), &word.into()));
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
}

#[test]
fn script_on_standard_input() {
    let Some(host) = Installation::new(Options::default()) else { return };
    run_with(&mut host.ssh_as(AGENT, &["-T"], &[]), b"touch made\n").expect(126).says(&["countersign:", "not built"]);
    recorded(&host, 1, "stdin_not_built");
    assert!(!host.home().join("made").exists());
    // An interpreter that would read its program from standard input, as a command.
    for line in ["bash -s", "sh", "python3 -", "cat | bash"] {
        run_with(&mut host.ssh(line), b"touch made\n").expect(126).says(&["countersign:"]);
    }
    assert!(!host.home().join("made").exists());
    host.verify().expect(10);
}

#[test]
fn transfers_that_are_not_built() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let options = host.ssh_options("-p");
    let ssh = format!("ssh {}", options.join(" "));
    let local = host.scratch.join("local");
    std::fs::write(&local, "text").expect("file");
    let place = format!("{AGENT}@127.0.0.1");

    let mut sftp = Command::new("sftp");
    sftp.args(host.ssh_options("-P")).arg(&place);
    // sshd throws away what a subsystem writes to standard error, so the person cannot be told here.
    let ended = run_with(&mut sftp, format!("put {} made\n", local.display()).as_bytes());
    assert_ne!(ended.code(), 0);
    recorded(&host, 1, "sftp_not_built");

    let mut scp = Command::new("scp");
    scp.args(host.ssh_options("-P")).arg(&local).arg(format!("{place}:made"));
    assert_ne!(run(&mut scp).code(), 0);
    recorded(&host, 2, "sftp_not_built");

    let mut rsync = Command::new("rsync");
    rsync.args(["-e", &ssh]).arg(&local).arg(format!("{place}:made"));
    refused(&run(&mut rsync));
    recorded(&host, 3, "rsync_not_built");

    let mut git = Command::new("git");
    git.args(["ls-remote", &format!("{place}:repository")]).env("GIT_SSH_COMMAND", &ssh);
    refused(&run(&mut git));
    recorded(&host, 4, "git_not_built");

    assert!(!host.home().join("made").exists());
    host.verify().expect(10);
}

/// The client failed, and what we said reached the person.
#[track_caller]
fn refused(ended: &Ended) {
    assert_ne!(ended.code(), 0);
    assert!(ended.err().contains("countersign:") && ended.err().contains("not built"), "{}", ended.err());
}
