//! sftp and `scp` as it is today, both of which start `internal-sftp`.

use std::process::Command;

use countersign_tests::cast::Cast;
use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running, random_bytes};
use nix::sys::signal::Signal;

const READ_WRITE: &str = "/usr/lib/openssh/sftp-server -e -l INFO";
const READ_ONLY: &str = "/usr/lib/openssh/sftp-server -e -l INFO -R";

fn place() -> String {
    format!("{AGENT}@127.0.0.1")
}

/// `sftp -b -`, which reads its commands from standard input.
fn sftp(host: &Installation) -> Command {
    sftp_with(host, &[])
}

fn sftp_with(host: &Installation, options: &[&str]) -> Command {
    let mut command = Command::new("sftp");
    command.args(["-b", "-"]).args(host.ssh_options("-P")).args(options).arg(place());
    command
}

fn scp(host: &Installation, words: &[&str]) -> Command {
    let mut command = Command::new("scp");
    command.args(host.ssh_options("-P")).args(words);
    command
}

/// The text of all markers of all recordings, which hold nothing else.
fn markers(host: &Installation) -> String {
    let mut text = String::new();
    for recording in std::fs::read_dir(host.host_dir().join("recordings")).expect("recordings").flatten() {
        let cast = Cast::read(&recording.path());
        assert!(cast.stdout().is_empty() && cast.stderr().is_empty(), "only markers are recorded");
        text += &cast.markers().join("\n");
    }
    text
}

#[test]
fn scp_both_ways() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let sent = random_bytes(3 << 20);
    let (local, back) = (host.scratch.join("local"), host.scratch.join("back"));
    std::fs::write(&local, &sent).expect("file");
    let (local, back, kept) =
        (local.to_str().expect("path"), back.to_str().expect("path"), format!("{}:kept", place()));

    let client = Running::start(&mut scp(&host, &[local, &kept]), Some(b""));
    let id = host.reviewer().wait_for(READ_WRITE);
    let shown = host.reviewer().run(&["pending"]).expect(0).out();
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("sftp session, read-write: may read and change every file"), "{shown}");
    host.reviewer().run(&["approve", &id]).expect(0);
    client.wait(LIMIT).expect(0);
    assert!(std::fs::read(host.home().join("kept")).expect("kept") == sent, "what arrived is not what was sent");

    let client = Running::start(&mut scp(&host, &[&kept, back]), Some(b""));
    host.reviewer().approve(READ_WRITE);
    client.wait(LIMIT).expect(0);
    assert!(std::fs::read(back).expect("back") == sent, "what came back is not what was sent");

    let submitted = journal::of_kind(&host.journal(), "command_submitted");
    assert!(submitted.iter().all(|entry| entry["body"]["transfer"] == "sftp_read_write"));
    let finished = journal::wait_for(&host.journal(), "exec_finished", 2);
    let body = &finished["body"];
    let length = sent.len();
    assert_eq!((&body["files"], &body["files_read"], &body["files_written"]), (&1.into(), &length.into(), &0.into()));
    let first = &journal::of_kind(&host.journal(), "exec_finished")[0]["body"];
    assert_eq!((&first["files_read"], &first["files_written"]), (&0.into(), &length.into()));
    let recorded = markers(&host);
    assert!(recorded.contains("sftp: open ") && recorded.contains(&format!("read 0 written {length}")), "{recorded}");
    host.verify().expect(10);
}

#[test]
fn a_session_of_many_commands_is_recorded_file_by_file() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let local = host.scratch.join("local");
    std::fs::write(&local, "text").expect("file");
    let long = "n".repeat(200);
    let script = format!("put {} 'a b'\nmkdir d\nrename 'a b' {long}\nls\nrm {long}\n", local.display());
    let client = Running::start(&mut sftp(&host), Some(script.as_bytes()));
    host.reviewer().approve(READ_WRITE);
    client.wait(LIMIT).expect(0);
    let recorded = markers(&host);
    for text in ["a b\\\" flags WRITE", "mkdir name", "rename old", "sftp (goes on)", "remove name"] {
        assert!(recorded.contains(&text.replace('\\', "")), "{text}: {recorded}");
    }
    host.verify().expect(10);
}

#[test]
fn read_only_reads_and_changes_nothing() {
    let Some(host) = Installation::new(Options::default()) else { return };
    std::fs::write(host.home().join("kept"), "text").expect("file");
    let back = host.scratch.join("back");
    // A rule may name the exact line, and an agent may ask for less.
    host.reviewer().allow(READ_ONLY);
    let asked = |script: String| {
        let mut command = sftp_with(&host, &["-o", "SetEnv=COUNTERSIGN_SFTP=read-only"]);
        Running::start(&mut command, Some(script.as_bytes())).wait(LIMIT)
    };
    asked(format!("get kept {}\n", back.display())).expect(0);
    assert_eq!(std::fs::read_to_string(&back).expect("back"), "text");
    for script in ["put /etc/hostname made\n", "rm kept\n", "mkdir made\n", "rename kept made\n", "chmod 777 kept\n"] {
        assert_ne!(asked(script.to_owned()).code(), 0, "{script}");
    }
    assert!(!host.home().join("made").exists() && host.home().join("kept").exists());
    let submitted = journal::of_kind(&host.journal(), "command_submitted");
    assert!(submitted.iter().all(|entry| entry["body"]["transfer"] == "sftp_read_only"));
    assert!(journal::of_kind(&host.journal(), "decided").iter().all(|entry| entry["body"]["outcome"] == "whitelisted"));
    host.verify().expect(10);
}

#[test]
fn denied_or_given_up_changes_nothing() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let script = b"put /etc/hostname made\n";
    let client = Running::start(&mut sftp(&host), Some(script));
    host.reviewer().deny(READ_WRITE, "no files today");
    // sshd throws away what a subsystem says on standard error: it is said as sftp.
    let ended = client.wait(LIMIT).says(&["countersign: denied", "by=ops-lead", "no files today"]);
    assert_ne!(ended.code(), 0);
    // scp has no place for the words but where it sends a folder; it says that it was denied.
    let folder = host.scratch.join("folder");
    std::fs::create_dir(&folder).expect("folder");
    let (folder, made) = (folder.to_str().expect("path"), format!("{}:made", place()));
    for (words, said) in [
        (["-r", folder, &made], "countersign: denied"),
        (["-p", "/etc/hostname", &made], "Permission denied"),
        (["-p", &made, folder], "Connection closed"),
        (["-O", "/etc/hostname", &made], "countersign: denied"),
        (["-O", &made, folder], "countersign: denied"),
    ] {
        let client = Running::start(&mut scp(&host, &words), Some(b""));
        let line = match words[0] {
            "-O" if words[1] == made => "scp -f made",
            "-O" => "scp -t made",
            _ => READ_WRITE,
        };
        host.reviewer().deny(line, "no files today");
        let ended = client.wait(LIMIT).says(&[said]);
        assert!(ended.code() != 0 && !ended.err().contains("No such file"), "{words:?}: {}", ended.err());
    }
    let client = Running::start(&mut sftp(&host), None);
    host.reviewer().wait_for(READ_WRITE);
    // sftp hands this one on to its ssh.
    client.signal(Signal::SIGTERM);
    let decided = journal::wait_for(&host.journal(), "decided", 7);
    assert_eq!(decided["body"]["outcome"], "cancelled");
    assert!(!host.home().join("made").exists());
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty());
    host.verify().expect(10);
}

#[test]
fn a_host_may_refuse_it_or_allow_reading_only() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let file = "/etc/countersign/countersign-sh.toml";
    let before = std::fs::read_to_string(file).expect("configuration");
    std::fs::write(file, format!("sftp = \"refuse\"\n{before}")).expect("configuration");
    let ended = Running::start(&mut sftp(&host), Some(b"ls\n")).wait(LIMIT).says(&["this host does not allow sftp"]);
    assert_ne!(ended.code(), 0);
    // Of a file that was asked for nothing is said that is not so.
    let ended = Running::start(&mut scp(&host, &[&format!("{}:kept", place()), "/dev/null"]), Some(b"")).wait(LIMIT);
    assert!(ended.code() != 0 && !ended.err().contains("No such file"), "{}", ended.err());
    let closed = journal::wait_for(&host.journal(), "session_closed", 1);
    assert_eq!((&closed["body"]["why"], &closed["body"]["refused"]), (&"refused".into(), &"sftp_refused".into()));
    std::fs::write(file, format!("sftp = \"read_only\"\n{before}")).expect("configuration");
    let client = Running::start(&mut sftp(&host), Some(b"put /etc/hostname made\n"));
    host.reviewer().approve(READ_ONLY);
    assert_ne!(client.wait(LIMIT).code(), 0);
    assert!(!host.home().join("made").exists());
    host.verify().expect(10);
}

#[test]
fn options_of_an_agent_are_no_part_of_it() {
    let Some(host) = Installation::new(Options::default()) else { return };
    // What is not the plain request is an ordinary command, held as it is.
    for line in ["internal-sftp -R; touch made", "internal-sftp -d /", "/tmp/sftp-server"] {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        host.reviewer().deny(line, "no");
        client.wait(LIMIT).expect(126);
    }
    let kinds: Vec<_> = journal::of_kind(&host.journal(), "session_opened");
    assert!(kinds.iter().all(|entry| entry["body"]["kind"] == "exec"));
    // Its own log level does not replace ours.
    let client = Running::start(&mut host.ssh("internal-sftp -l QUIET"), Some(b""));
    host.reviewer().approve(READ_WRITE);
    client.wait(LIMIT);
    assert!(!host.home().join("made").exists());
    host.verify().expect(10);
}
