//! rsync and git, which run on the client's own descriptors.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use countersign_tests::cast::Cast;
use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{Ended, LIMIT, Running, eventually, random_bytes, run};

fn ssh(host: &Installation) -> String {
    format!("ssh {}", host.ssh_options("-p").join(" "))
}

fn rsync(host: &Installation, words: &[&str]) -> Command {
    let mut command = Command::new("rsync");
    command.args(["-a", "-e", &ssh(host)]).args(words);
    command
}

fn git(host: &Installation, at: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.env("GIT_SSH_COMMAND", ssh(host)).env("HOME", host.scratch.path()).current_dir(at);
    command.args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "safe.directory=*"]).args(words);
    command
}

/// The line of what waits, once it begins like this.
#[track_caller]
fn waiting(host: &Installation, begins: &str) -> String {
    eventually(&format!("{begins} to wait"), LIMIT, || {
        let pending = host.reviewer().pending();
        let line = pending.iter().filter_map(|row| row["command"].as_str()).find(|line| line.starts_with(begins))?;
        Some(line.to_owned())
    })
}

/// Runs a client whose line begins like this, approved; the line.
#[track_caller]
fn approved(host: &Installation, client: &mut Command, begins: &str) -> (Ended, String) {
    let client = Running::start(client, Some(b""));
    let line = waiting(host, begins);
    host.reviewer().approve(&line);
    (client.wait(LIMIT), line)
}

#[track_caller]
fn only_markers(host: &Installation) {
    for recording in std::fs::read_dir(host.host_dir().join("recordings")).expect("recordings").flatten() {
        let cast = Cast::read(&recording.path());
        assert!(cast.stdout().is_empty() && cast.stderr().is_empty());
        assert!(cast.markers().iter().any(|marker| marker.starts_with("submitted: ")), "{:?}", cast.markers());
    }
    assert!(journal::of_kind(&host.journal(), "session_opened").iter().all(|e| e["body"]["kind"] == "transfer"));
}

#[test]
fn rsync_both_ways() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let sent = random_bytes(2 << 20);
    let (local, back) = (host.scratch.join("from"), host.scratch.join("back"));
    std::fs::create_dir_all(&local).expect("directory");
    std::fs::write(local.join("a b"), &sent).expect("file");
    let (from, kept) = (format!("{}/", local.display()), format!("{AGENT}@127.0.0.1:kept/"));

    let (ended, line) = approved(&host, &mut rsync(&host, &[&from, &kept]), "rsync --server -");
    ended.expect(0);
    assert!(line.ends_with(" kept/"), "{line}");
    assert!(std::fs::read(host.home().join("kept/a b")).expect("kept") == sent, "what arrived is not what was sent");
    let (ended, line) =
        approved(&host, &mut rsync(&host, &[&kept, back.to_str().expect("path")]), "rsync --server --s");
    ended.expect(0);
    assert!(std::fs::read(back.join("a b")).expect("back") == sent, "what came back is not what was sent: {line}");

    let words: Vec<_> = journal::of_kind(&host.journal(), "command_submitted");
    assert_eq!(
        (&words[0]["body"]["transfer"], &words[1]["body"]["transfer"]),
        (&"rsync_write".into(), &"rsync_read".into())
    );

    // Denied: the reason reaches the client, nothing arrives.
    let client = Running::start(&mut rsync(&host, &[&from, &format!("{AGENT}@127.0.0.1:made/")]), Some(b""));
    let line = waiting(&host, "rsync --server -");
    host.reviewer().deny(&line, "no files today");
    let ended = client.wait(LIMIT);
    assert_ne!(ended.code(), 0);
    ended.says(&["no files today"]);
    assert!(!host.home().join("made").exists());
    only_markers(&host);
    host.verify().expect(10);
}

#[test]
fn an_rsync_that_would_start_programs_is_an_ordinary_command_for_a_person() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let lines = ["rsync --server --daemon .", "rsync --server -se.LsfxCIvu", "rsync --server -v . *"];
    for (count, line) in (1..).zip(lines) {
        // Even a rule with this exact line does not let it run.
        host.reviewer().allow(line);
        let client = Running::start(&mut host.ssh(line), Some(b""));
        host.reviewer().deny(line, "no");
        client.wait(LIMIT).expect(126);
        let submitted = journal::wait_for(&host.journal(), "command_submitted", count);
        assert_eq!(submitted["body"]["flags"], serde_json::json!(["opaque_code"]), "{line}");
        assert!(submitted["body"].get("transfer").is_none(), "{line}");
    }
    host.verify().expect(10);
}

/// With `-s` a server reads its arguments from its input: with them it is a daemon, whose configuration names programs.
#[test]
fn arguments_that_an_rsync_reads_are_no_part_of_a_transfer() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let made = host.home().join("made");
    let conf = format!("[m]\npath = /\nuse chroot = no\nearly exec = touch {}\n", made.display());
    std::fs::write(host.home().join("r.conf"), conf).expect("configuration");
    let line = "rsync --server -se.LsfxCIvu";
    let sent = b"rsync\0--server\0--daemon\0--config=r.conf\0.\0\0@RSYNCD: 31.0 md5\nm\n";
    let mut ungated = host.as_agent("sh", &["-c", line]);
    Running::start(ungated.current_dir(host.home()), Some(sent)).wait(LIMIT);
    assert!(made.exists(), "the attack does not work on an rsync that nobody holds");
    std::fs::remove_file(&made).expect("made");

    let client = Running::start(&mut host.ssh(line), Some(sent));
    host.reviewer().wait_for(line);
    let shown = host.reviewer().run(&["pending"]).expect(0).out();
    assert!(shown.contains("opaque_code") && !shown.contains("rsync session"), "{shown}");
    host.reviewer().deny(line, "no");
    client.wait(LIMIT).expect(126);
    assert!(!made.exists());
    // Nor is what goes the other way than it says one.
    for line in ["rsync --server -re.L . x --sender", "rsync --server --sender -re.L --remove-source-files . x"] {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        host.reviewer().deny(line, "no");
        client.wait(LIMIT).expect(126);
    }
    let submitted = journal::of_kind(&host.journal(), "command_submitted");
    assert!(submitted.len() == 3 && submitted.iter().all(|entry| entry["body"].get("transfer").is_none()));
    host.verify().expect(10);
}

/// What the agent has put behind a link is not written by a transfer to the place that was named, and the record says
/// which place that is.
#[test]
fn a_transfer_writes_below_the_place_that_was_named() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let home = host.home();
    let local = host.scratch.join("local");
    std::fs::create_dir_all(local.join("in")).expect("directory");
    std::fs::write(local.join("in/secret"), "sent").expect("a file");
    for name in ["kept", "elsewhere"] {
        std::fs::create_dir(home.join(name)).expect("directory");
        std::os::unix::fs::chown(home.join(name), Some(host.uids.agent), Some(host.uids.agent)).expect("owner");
    }
    std::os::unix::fs::symlink(home.join("elsewhere"), home.join("kept/in")).expect("link");
    std::os::unix::fs::symlink("kept", home.join("way")).expect("link");
    std::os::unix::fs::symlink(home.join("elsewhere/file"), home.join("kept/file")).expect("link");
    let to = |place: &str| format!("{AGENT}@127.0.0.1:{place}");
    let place = home.join("kept").canonicalize().expect("its path");
    let says = format!("writes below {} and nowhere else", place.display());
    let markers = |host: &Installation| {
        let all = std::fs::read_dir(host.host_dir().join("recordings")).expect("recordings").flatten();
        all.flat_map(|recording| Cast::read(&recording.path()).markers()).filter(|marker| *marker == says).count()
    };

    // The control: an scp that nobody holds follows it.
    let sent = format!("printf 'C0644 4 x\\nsent\\0' | scp -t {}", home.join("kept/file").display());
    run(&mut host.as_agent("sh", &["-c", &sent])).expect(0);
    std::fs::remove_file(home.join("elsewhere/file")).expect("it was written there");

    let scp = |words: &[&str]| {
        let mut command = Command::new("scp");
        command.arg("-O").args(host.ssh_options("-P")).args(words);
        command
    };
    let file = local.join("in/secret");
    let file = file.to_str().expect("a path");
    let directory = local.join("in");
    for words in [[file, &to("kept/file")].as_slice(), &["-r", directory.to_str().expect("a path"), &to("way")]] {
        let (ended, _) = approved(&host, &mut scp(words), "scp ");
        assert_ne!(ended.code(), 0, "{words:?} {}", ended.err());
    }
    assert_eq!(std::fs::read_dir(home.join("elsewhere")).expect("directory").count(), 0, "written through a link");
    let (ended, _) = approved(&host, &mut scp(&[file, &to("kept/own")]), "scp -t ");
    ended.expect(0);
    let (ended, _) = approved(&host, &mut rsync(&host, &["--delete", file, &to("way/new/")]), "rsync --server -");
    ended.expect(0);
    assert_eq!(std::fs::read_to_string(home.join("kept/own")).expect("what was sent"), "sent");
    assert_eq!(std::fs::read_to_string(home.join("kept/new/secret")).expect("what was sent"), "sent");
    assert_eq!(markers(&host), 4);
    host.verify().expect(10);
}

/// popt, which reads rsync's options, runs another program for one where the agent's `~/.popt` says so.
#[test]
fn a_file_of_the_agent_puts_no_program_in_the_place_of_rsync() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (home, made) = (host.home(), host.home().join("made"));
    std::fs::write(home.join("evil"), format!("#!/bin/sh\ntouch {}\n", made.display())).expect("program");
    std::fs::set_permissions(home.join("evil"), std::fs::Permissions::from_mode(0o755)).expect("mode");
    std::fs::write(home.join(".popt"), format!("rsync exec --server {}/evil\n", home.display())).expect("file");
    run(&mut host.as_agent("sh", &["-c", "rsync --server -logDtpre.iLsfxCIvu . x"])).expect(0);
    assert!(made.exists(), "the attack does not work on an rsync that nobody holds");
    std::fs::remove_file(&made).expect("made");

    let config = "/etc/countersign/countersign-sh.toml";
    let sample = std::fs::read_to_string(config).expect("configuration");
    let file = host.scratch.join("sent");
    std::fs::write(&file, "sent").expect("a file");
    let from = file.to_str().expect("a path");
    for shell in ["bash", "zsh", "dash"] {
        let text = format!("{sample}\n[agents.{AGENT}]\ninner_shell = \"{shell}\"\n");
        std::fs::write(config, text).expect("configuration");
        let to = format!("{AGENT}@127.0.0.1:~/{shell}");
        let (ended, _) = approved(&host, &mut rsync(&host, &[from, &to]), "rsync --server -");
        ended.expect(0);
        assert_eq!(std::fs::read_to_string(home.join(shell)).expect("what was sent"), "sent");
        let back = host.scratch.join(shell);
        let (ended, _) =
            approved(&host, &mut rsync(&host, &[&to, back.to_str().expect("a path")]), "rsync --server --sender");
        ended.expect(0);
        assert!(back.exists());
    }
    assert!(!made.exists());
    only_markers(&host);
    host.verify().expect(10);
}

#[test]
fn git_clone_push_and_hooks() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let bare = host.home().join("repository");
    let own = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        let uid = host.uids.agent.to_string();
        command.args([
            "--reuid",
            &uid,
            "--regid",
            &uid,
            "--clear-groups",
            "env",
            "-i",
            "PATH=/usr/local/bin:/usr/bin:/bin",
        ]);
        run(command.arg(format!("HOME={}", host.home().display())).args(words).current_dir(host.home())).expect(0);
    };
    own(&["git", "init", "-q", "--bare", "-b", "main", "repository"]);
    own(&[
        "sh",
        "-c",
        "printf '#!/bin/sh\\ntouch \"$HOME/hook-ran\"\\n' > repository/hooks/post-receive; chmod +x repository/hooks/post-receive",
    ]);
    let url = format!("{AGENT}@127.0.0.1:repository");
    let top = host.scratch.path();
    // What the agent's own configuration has a fetch run.
    own(&["sh", "-c", "printf '#!/bin/sh\\ntouch \"$HOME/fetch-ran\"\\nexec \"$@\"\\n' > on-fetch; chmod +x on-fetch"]);
    own(&["sh", "-c", "git config --global uploadpack.packObjectsHook \"$HOME/on-fetch\""]);

    let (ended, line) = approved(&host, &mut git(&host, top, &["clone", "-q", &url, "work"]), "git");
    ended.expect(0);
    assert_eq!(line, "git-upload-pack 'repository'");
    let work = host.scratch.join("work");
    std::fs::write(work.join("file"), random_bytes(1 << 20)).expect("file");
    run(&mut git(&host, &work, &["add", "file"])).expect(0);
    run(&mut git(&host, &work, &["commit", "-q", "-m", "x"])).expect(0);

    // Denied: neither objects nor hooks.
    let client = Running::start(&mut git(&host, &work, &["push", "-q", "origin", "HEAD:main"]), Some(b""));
    let line = waiting(&host, "git-receive-pack");
    host.reviewer().deny(&line, "no pushes today");
    let ended = client.wait(LIMIT);
    assert_ne!(ended.code(), 0);
    ended.says(&["no pushes today"]);
    assert!(!host.home().join("hook-ran").exists() && !bare.join("refs/heads/main").exists());

    let client = Running::start(&mut git(&host, &work, &["push", "-q", "origin", "HEAD:main"]), Some(b""));
    waiting(&host, "git-receive-pack");
    let shown = host.reviewer().run(&["pending"]).expect(0).out();
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("git push: the client changes the repository, and git runs the hooks it holds"), "{shown}");
    host.reviewer().approve("git-receive-pack 'repository'");
    client.wait(LIMIT).expect(0);
    assert!(host.home().join("hook-ran").exists() && bare.join("refs/heads/main").exists());

    // An exact rule may let a fetch pass.
    host.reviewer().allow("git-upload-pack 'repository'");
    run(&mut git(&host, top, &["clone", "-q", &url, "again"])).expect(0);
    assert!(host.scratch.join("again/file").exists());
    let ran = host.home().join("fetch-ran");
    assert!(!ran.exists(), "a fetch ran what the agent's own configuration names");
    own(&["sh", "-c", "git clone -q \"file://$HOME/repository\" control"]);
    assert!(ran.exists(), "without our environment it would have run");
    only_markers(&host);
    host.verify().expect(10);
}
