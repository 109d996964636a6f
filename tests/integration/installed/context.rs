//! What surrounds a line: scripts, what words are, what the agent claims.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use countersign_tests::installation::{AGENT, Installation, Options};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, Running};

/// What `countersign show` says of a command.
fn shown(host: &Installation, command: &str) -> String {
    let id = host.reviewer().wait_for(command);
    host.reviewer().run(&["show", &id]).expect(0).out()
}

#[test]
fn a_script_that_is_swapped_after_it_was_shown_does_not_run() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (script, made) = (host.home().join("x.sh"), host.home().join("made"));
    let write = |text: &str| {
        fs::write(&script, text).expect("script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mode");
    };
    let lines = [
        "bash x.sh",
        "./x.sh",
        "cd / && . ~/x.sh",
        "bash < x.sh",
        "{ bash; } < x.sh",
        "exec < x.sh; bash",
        "bash /dev/fd/7 7< x.sh",
        "cat x.sh | bash",
        "source <(cat x.sh)",
        "eval \"$(cat x.sh)\"",
        "$HOME/x.sh",
        "BASH_ENV=x.sh bash -c :",
    ];
    for (line, count) in lines.into_iter().zip(1..) {
        write("echo good\n");
        let client = Running::start(&mut host.ssh(line), Some(b""));
        let text = shown(&host, line);
        assert!(text.contains("echo good") && text.contains("10 bytes"), "{text}");
        write("touch made\n");
        host.reviewer().approve(line);
        let ended = client.wait(LIMIT).expect(126);
        assert!(ended.err().contains("changed after it was submitted"), "{}", ended.err());
        let finished = journal::wait_for(&host.journal(), "exec_finished", count);
        assert_eq!((&finished["body"]["end"], &finished["body"]["why"]), (&"not_released".into(), &"drifted".into()));
    }
    assert!(!made.exists(), "what nobody saw ran");
    // The control: what stays as it was runs, and the next version is told to be another one.
    write("echo good\n");
    assert_eq!(host.run("bash x.sh").expect(0).out(), "good\n");
    write("echo better\n");
    let client = Running::start(&mut host.ssh("bash x.sh"), Some(b""));
    let text = shown(&host, "bash x.sh");
    assert!(text.contains("changed since it was last let run"), "{text}");
    host.reviewer().deny("bash x.sh", "no");
    client.wait(LIMIT).expect(126);
    host.verify().expect(10);
}

/// What nobody may read is told apart all the same: who asked on another way what it is approved that one.
#[test]
fn a_program_that_cannot_be_read_and_is_swapped_does_not_run() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let place = |name: &str, from: &str, owner: u32| {
        let file = host.home().join(name);
        fs::copy(from, &file).expect("program");
        chown(&file, Some(owner), None).expect("owner");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o111)).expect("mode");
        file
    };
    let refused = |change: &dyn Fn()| {
        let client = Running::start(&mut host.ssh("./tool it ran"), Some(b""));
        let text = shown(&host, "./tool it ran");
        change();
        host.reviewer().approve("./tool it ran");
        let ended = client.wait(LIMIT).expect(126);
        assert!(ended.out().is_empty() && ended.err().contains("changed after it was submitted"), "{}", ended.err());
        text
    };
    let tool = place("tool", "/bin/true", 0);
    let other = place("other", "/bin/echo", 0);
    let text = refused(&|| fs::rename(&other, &tool).expect("swapped"));
    assert!(text.contains("the agent may not read it"), "{text}");
    // The control: what stays as it was runs.
    assert_eq!(host.run("./tool it ran").expect(0).out(), "it ran\n");
    // The agent may have its own in memory, and change it there unseen.
    fs::remove_file(&tool).expect("removed");
    place("tool", "/bin/echo", host.uids.agent);
    refused(&|| {});
    host.verify().expect(10);
}

/// What lies in `/dev/shm` is no device: it was taken for standard input.
#[test]
fn a_script_in_memory_is_shown_and_does_not_run_when_it_is_swapped() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let place = tempfile::tempdir_in("/dev/shm").expect("directory");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("mode");
    let script = place.path().join("x.sh");
    for line in [format!("bash {}", script.display()), format!("bash < {}", script.display())] {
        fs::write(&script, "echo good\n").expect("script");
        let client = Running::start(&mut host.ssh(&line), Some(b"echo nothing\n"));
        let text = shown(&host, &line);
        assert!(text.contains("echo good") && !text.contains("nothing"), "{text}");
        fs::write(&script, "echo evil\n").expect("script");
        host.reviewer().approve(&line);
        let ended = client.wait(LIMIT).expect(126);
        assert!(ended.err().contains("changed after it was submitted") && ended.out().is_empty(), "{}", ended.err());
    }
    host.verify().expect(10);
}

/// What `/proc/self` leads to is another for each process, so that it is not shown.
#[test]
fn a_script_behind_a_link_of_proc_that_is_swapped_does_not_run() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (script, made) = (host.home().join("x.sh"), host.home().join("made"));
    symlink("/proc/self/cwd", host.home().join("here")).expect("link");
    let from_root = format!("bash /proc/thread-self/root{}", script.display());
    for line in ["bash /proc/self/cwd/x.sh", "bash here/x.sh", &from_root] {
        fs::write(&script, "echo good\n").expect("script");
        let client = Running::start(&mut host.ssh(line), Some(b""));
        let text = shown(&host, line);
        assert!(!text.contains("echo good") && text.contains("x.sh"), "{text}");
        fs::write(&script, "touch made\n").expect("script");
        host.reviewer().approve(line);
        let ended = client.wait(LIMIT);
        assert_eq!(ended.code(), 126, "{line}: {}", ended.err());
        assert!(ended.err().contains("changed after it was submitted") && !made.exists(), "{line}: {}", ended.err());
    }
    // The control: what stays as it was runs, also where it is no file.
    fs::write(&script, "echo good\n").expect("script");
    for line in ["bash here/x.sh", "cat x.sh | bash /dev/stdin", "bash /dev/fd/7 7< x.sh", "bash <(cat x.sh)"] {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        host.reviewer().approve(line);
        assert_eq!(client.wait(LIMIT).expect(0).out(), "good\n", "{line}");
    }
    host.verify().expect(10);
}

/// `.` looks on PATH first, a shell where the working directory has no such file: nothing else is shown as the script.
#[test]
fn a_script_that_path_decides_about_is_not_shown_as_another() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let there = host.home().join("p");
    fs::create_dir(&there).expect("directory");
    for (file, text) in [(host.home().join("x.sh"), "echo good\n"), (there.join("x.sh"), "echo evil\n")] {
        fs::write(&file, text).expect("script");
    }
    fs::write(there.join("y.sh"), "echo evil\n").expect("script");
    for line in [
        "PATH=~/p:$PATH; . x.sh",
        "export PATH=~/p; source x.sh",
        "PATH=~/p:$PATH bash -c '. x.sh'",
        "PATH=~/p:$PATH bash y.sh",
    ] {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        let text = shown(&host, line);
        assert!(text.contains("shows only when the line runs") && !text.contains("echo good"), "{line}\n{text}");
        host.reviewer().approve(line);
        assert!(client.wait(LIMIT).out().contains("evil"), "the control: {line}");
    }
    for line in [". x.sh", "bash x.sh", "PATH=~/p:$PATH bash x.sh", "PATH=~/p:$PATH; . ./x.sh"] {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        assert!(shown(&host, line).contains("echo good"), "{line}");
        host.reviewer().approve(line);
        assert_eq!(client.wait(LIMIT).expect(0).out(), "good\n", "{line}");
    }
    host.verify().expect(10);
}

#[test]
fn what_is_no_readable_file_is_said_and_holds_up_nobody() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let at = |name: &str| host.home().join(name);
    nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("fifo");
    symlink("/etc/passwd", at("link")).expect("link");
    fs::write(at("huge"), vec![b'x'; 10 << 20]).expect("file");
    fs::write(at("secret"), "x").expect("file");
    fs::set_permissions(at("secret"), fs::Permissions::from_mode(0o0)).expect("mode");
    for (line, want) in [
        ("bash fifo", "not a regular file"),
        ("bash link", "a symbolic link"),
        ("bash huge", "too large"),
        ("bash secret", "may not read it"),
        ("bash none", "no such file"),
        ("bash $X.sh", "cannot be told"),
    ] {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        let text = shown(&host, line);
        assert!(text.contains(want), "{line}: {text}");
        host.reviewer().deny(line, "no");
        client.wait(LIMIT).expect(126);
    }
}

#[test]
fn no_rule_speaks_for_a_file_of_the_agent() {
    let Some(host) = Installation::new(Options::default()) else { return };
    fs::write(host.home().join("x.sh"), "echo good\n").expect("script");
    for line in ["uname", "bash x.sh", "cd /tmp && bash x.sh"] {
        host.reviewer().allow(line);
    }
    host.ssh("uname").output().expect("ssh");
    assert_eq!(journal::wait_for(&host.journal(), "decided", 1)["body"]["outcome"], "whitelisted");
    for line in ["bash x.sh", "cd /tmp && bash x.sh"] {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        host.reviewer().deny(line, "a person is asked");
        client.wait(LIMIT).expect(126);
    }
    host.verify().expect(10);
}

/// Names of files, variables and options that make a line run a file of the agent's.
#[test]
fn no_rule_speaks_for_a_line_that_something_else_decides_about() {
    let Some(host) = Installation::new(Options::default()) else { return };
    fs::write(host.home().join("--checkpoint=1"), "").expect("file");
    fs::write(host.home().join("--checkpoint-action=exec=sh x.sh"), "").expect("file");
    fs::write(host.home().join("x.sh"), "touch made\n").expect("script");
    fs::create_dir(host.home().join("git-a")).expect("directory");
    std::os::unix::fs::symlink("/usr/bin/touch", host.home().join("git-a/x")).expect("link");
    fs::write(host.home().join("n"), "a[$(touch made)]\n").expect("file");
    fs::write(host.home().join("a[$(touch made)]"), "").expect("file");
    let home = host.home().display().to_string();
    let (by_file, by_directory) = (format!("GIT_CONFIG_GLOBAL={home}/x.sh git st"), format!("HOME={home} git st"));
    let lines = [
        "tar cf /dev/null *",
        by_file.as_str(),
        by_directory.as_str(),
        "export PAGER=./x.sh",
        "gcc @x.sh",
        "tar cf /dev/null --checkpoint=1 --checkpoint-action=exec='sh x.sh' x.sh",
        "GIT_CONFIG_GLOBAL=x git status",
        "choom -n 0 sh x.sh",
        "python3 -m x",
        "perl -ne 'system lc' x.sh",
        "perl -ne print .ssh/*",
        "perl -pe s/x/y/ee x.sh",
        // Builtins that run their words, and what bash evaluates although it is data: the file says `a[$(touch made)]`.
        // What git takes for a subcommand.
        "git a/x",
        "jobs -x sh x.sh",
        "compgen -aC./x.sh",
        "[[ $(cat n) -eq 1 ]] && uname",
        "for f in a*; do echo $((f)); done",
        "q='b[$(touch made)]'; test -v 'a[q]'",
        "p='a[$(touch made)]'; echo ${!p}",
    ];
    let settled = [
        "awk '/a|b/ || 1' x.sh",
        "perl -ne print x.sh",
        "tar cf /dev/null ./*",
        "HOME=/etc true",
        "GIT_CONFIG_GLOBAL=/etc/passwd true",
        "[[ $(cat n) == 1 ]] || uname",
        "for i in 1 2; do echo $((i+1)); done",
    ];
    for (count, line) in (1..).zip(settled) {
        host.reviewer().allow(line);
        host.ssh(line).output().expect("ssh");
        assert_eq!(journal::wait_for(&host.journal(), "decided", count)["body"]["outcome"], "whitelisted", "{line}");
    }
    lines.iter().for_each(|line| host.reviewer().allow(line));
    for line in lines {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        host.reviewer().deny(line, "a person is asked");
        client.wait(LIMIT).expect(126);
    }
    // A variable of an earlier line, in a shell that goes on.
    let line = "df $X";
    host.reviewer().allow(line);
    let client = Running::start(&mut host.ssh_as(AGENT, &["-T"], &[]), Some(b"read X < x.sh\ndf $X\n"));
    host.reviewer().approve("read X < x.sh");
    host.reviewer().deny(line, "a person is asked");
    client.wait(LIMIT).expect(126);
    host.verify().expect(10);
}

#[test]
fn a_file_that_an_option_names_is_shown_and_may_not_change_while_a_person_decides() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let script = host.home().join("x.sh");
    fs::write(&script, "#!/bin/sh\necho good\n").expect("script");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("mode");
    let line = "choom -n 0 -- ./x.sh";
    let client = Running::start(&mut host.ssh(line), Some(b""));
    assert!(shown(&host, line).contains("echo good"), "the file is not shown");
    fs::write(&script, "#!/bin/sh\ntouch made\n").expect("script");
    host.reviewer().approve(line);
    client.wait(LIMIT).expect(126);
    assert!(!host.home().join("made").exists());
    host.verify().expect(10);
}

/// A file that says what a program does is a script, whatever its language; and so is one of the home that the
/// program reads unasked.
#[test]
fn no_rule_speaks_where_a_file_of_the_agent_says_what_a_program_does() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let home = host.home().display().to_string();
    fs::write(host.home().join("x"), "").expect("file");
    let mut count = 0;
    let mut speaks = |line: &str| {
        host.reviewer().allow(line);
        host.ssh(line).output().expect("ssh");
        count += 1;
        assert_eq!(journal::wait_for(&host.journal(), "decided", count)["body"]["outcome"], "whitelisted", "{line}");
    };
    for line in ["ldd /usr/bin/env", "git --git-dir=/usr/share version", "make -I /usr/share -v", "rsync --version"] {
        speaks(line);
    }
    fs::write(host.home().join(".popt"), "rsync alias --version --exec=touch\n").expect("file");
    let lines = [
        format!("ldd {home}/x"),
        format!("git --git-dir={home} version"),
        format!("make -I {home} -v"),
        format!("dpkg -i {home}/x"),
        format!("expand {home}/x.py"),
        format!("expand --conf={home}/x"),
    ];
    lines.iter().for_each(|line| host.reviewer().allow(line));
    for line in lines.iter().map(String::as_str).chain(["rsync --version"]) {
        let client = Running::start(&mut host.ssh(line), Some(b""));
        let text = shown(&host, line);
        assert!(!line.starts_with("rsync") || text.contains(".popt"), "{text}");
        host.reviewer().deny(line, "a person is asked");
        client.wait(LIMIT).expect(126);
    }
    fs::remove_file(host.home().join(".popt")).expect("removed");
    // There was none when a person looked.
    let line = "rsync --version --quiet";
    let client = Running::start(&mut host.ssh(line), Some(b""));
    assert!(!shown(&host, line).contains(".popt"));
    fs::write(host.home().join(".popt"), "rsync alias --quiet --exec=touch\n").expect("file");
    host.reviewer().approve(line);
    let ended = client.wait(LIMIT).expect(126);
    assert!(ended.err().contains("changed after it was submitted"), "{}", ended.err());
    host.verify().expect(10);
}

#[test]
fn what_the_agent_states_is_claimed_and_reaches_no_program() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let stating = |line: &str, variables: &[(&str, &str)]| {
        let mut ssh = host.ssh_as(AGENT, &["-o", "SendEnv=COUNTERSIGN_*"], &[line]);
        ssh.envs(variables.iter().copied());
        Running::start(&mut ssh, Some(b""))
    };
    let json = r#"{"model":"m1","approved":"yes"}"#;
    let client = stating("env", &[("COUNTERSIGN_TASK", "deploy-42"), ("COUNTERSIGN_CONTEXT", json)]);
    let text = shown(&host, "env");
    assert!(text.contains("claimed task: deploy-42") && text.contains("claimed model: m1"), "{text}");
    assert!(text.contains("unknown_member") && !text.contains("claimed approved"), "{text}");
    host.reviewer().approve("env");
    let ended = client.wait(LIMIT).expect(0);
    assert!(!ended.out().contains("COUNTERSIGN"), "{}", ended.out());
    let found = host.reviewer().rows(&["audit", "--text", "deploy-42"]);
    assert_eq!(found.len(), 1);
    // As long as one variable may be; broken, too.
    let long = format!("{{\"task\":\"{}", "x".repeat(60_000));
    let client = stating("id", &[("COUNTERSIGN_CONTEXT", &long)]);
    let text = shown(&host, "id");
    assert!(text.contains("claimed, and not readable: too_long"), "{text}");
    host.reviewer().approve("id");
    client.wait(LIMIT).expect(0);
}
