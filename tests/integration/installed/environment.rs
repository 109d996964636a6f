//! The environment of a command is built from nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use countersign_tests::installation::{AGENT, HOMES, Installation, Options, UNGATED};
use countersign_tests::journal;
use countersign_tests::run::{LIMIT, run};
use countersign_tests::terminal::Terminal;

/// Puts start-up files into both homes that would change `PATH`, set `PLANTED` and leave `FILE-ran` behind.
fn plant(host: &Installation) {
    for (user, uid) in [(AGENT, host.uids.agent), (UNGATED, host.uids.ungated)] {
        let home = Path::new(HOMES).join(user);
        let evil = home.join("evil");
        fs::create_dir(&evil).expect("directory");
        let script = |name: &str| format!("/usr/bin/touch {}/{name}-ran\nexport PLANTED=1\n", home.display());
        let files = [
            (
                home.join(".pam_environment"),
                format!(
                    "PATH DEFAULT={}\nPLANTED DEFAULT=1\nBASH_ENV DEFAULT={}/.bash_env\n",
                    evil.display(),
                    home.display()
                ),
            ),
            (home.join(".ssh/environment"), format!("PLANTED=1\nBASH_ENV={}/.bash_env\n", home.display())),
            (home.join(".ssh/rc"), script("rc")),
            (home.join(".bashrc"), script("bashrc")),
            (home.join(".bash_profile"), script("bash_profile")),
            (home.join(".profile"), script("profile")),
            (home.join(".bash_env"), script("bash_env")),
            (home.join(".zshenv"), script("zshenv")),
            (evil.join("id"), "#!/bin/sh\necho evil\n".to_owned()),
        ];
        for (file, text) in files {
            fs::write(&file, text).expect("file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("mode");
            chown(&file, Some(uid), Some(uid)).expect("owner");
        }
    }
}

fn left_behind(user: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(HOMES).join(user)).expect("home");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with("-ran"))
        .collect()
}

#[test]
fn files_of_the_agent_have_no_effect() {
    // PermitUserEnvironment should be `no`; with it on, ours is the only thing between the file and the command.
    let Some(host) = Installation::new(Options { user_environment: true, ..Options::default() }) else { return };
    plant(&host);
    let control = run(&mut host.ssh_as(UNGATED, &[], &["/usr/bin/env; id"])).expect(0).out();
    assert!(control.contains("PLANTED=1"), "the control: the planted files work where there is no gate:\n{control}");
    assert!(!left_behind(UNGATED).is_empty(), "the control: start-up files run where there is no gate");

    let out = host.run("env | sort; id").expect(0).out();
    assert!(!out.contains("PLANTED") && !out.contains("BASH_ENV") && !out.contains("evil"), "{out}");
    assert_eq!(left_behind(AGENT), [""; 0]);
    assert!(out.contains(&format!("uid={}", host.uids.agent)), "{out}");
    assert!(!out.contains(&format!("euid={}", host.uids.front)), "{out}");
    let names: Vec<_> = out.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    for name in names.iter().filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')) {
        let allowed = ["HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "PATH", "TZ", "PWD", "SHLVL", "_"]
            .contains(name)
            || ["PAGER", "GIT_PAGER", "MANPAGER", "SYSTEMD_PAGER", "LESSSECURE"].contains(name)
            || name.starts_with("LC_")
            || name.starts_with("SSH_");
        assert!(allowed, "{name} in\n{out}");
    }
    assert!(out.contains("PATH=/usr/local/bin:/usr/bin:/bin\n"), "{out}");
    assert!(out.contains(&format!("HOME={HOMES}/{AGENT}\n")), "{out}");
    host.verify().expect(10);
}

#[test]
fn what_a_client_sends_is_not_passed_on() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let mut command = host.ssh_as(AGENT, &["-o", "SendEnv=LANG LC_* COUNTERSIGN_* LD_PRELOAD"], &["env"]);
    command.env("LANG", "C.UTF-8").env("LC_PAPER", "C").env("COUNTERSIGN_SOCKET", "/tmp/x").env("LD_PRELOAD", "");
    let client = countersign_tests::run::Running::start(&mut command, Some(b""));
    host.reviewer().approve("env");
    let out = client.wait(LIMIT).expect(0).out();
    assert!(out.contains("LANG=C.UTF-8\n") && out.contains("LC_PAPER=C\n"), "{out}");
    assert!(!out.contains("COUNTERSIGN_") && !out.contains("LD_PRELOAD"), "{out}");
}

/// For an interactive shell Debian's bash reads /etc/bash.bashrc before any file that `--rcfile` names.
#[test]
fn an_interactive_shell_reads_no_start_up_file() {
    let Some(host) = Installation::new(Options::default()) else { return };
    plant(&host);
    for name in ["bash.bashrc", "profile"] {
        fs::write(Path::new("/etc").join(name), format!("/usr/bin/touch $HOME/{name}-ran\nexport PLANTED=1\n"))
            .unwrap();
    }
    let login = |user: &str| {
        let mut command = host.ssh_as(user, &["-tt"], &[]);
        let mut terminal = Terminal::start(command.current_dir("/").env("TERM", "xterm-256color"), 100, 30);
        // Without a gate it is bash's own.
        terminal.expect("$ ");
        terminal
    };
    let mut control = login(UNGATED);
    control.send("exit\r");
    control.end();
    assert!(!left_behind(UNGATED).is_empty(), "the control: start-up files run where there is no gate");

    let mut terminal = login(AGENT);
    // And the shell is an ordinary one, whatever was needed to have it read none.
    let line = "echo ${PLANTED-none} ${ENV-none} ${POSIXLY_CORRECT-none} $MAILCHECK; \
                shopt -q inherit_errexit || shopt -q shift_verbose || [[ -o posix ]] || echo ordi''nary";
    terminal.send(&format!("{line}\r"));
    host.reviewer().approve(line);
    terminal.expect("\nnone none none 60\nordinary\n");
    terminal.prompt();
    terminal.send("\x04");
    terminal.end();
    assert_eq!(left_behind(AGENT), [""; 0]);
}

/// In such a locale half a letter may be a backslash to the shell, and the line another one than was decided about.
#[test]
fn a_locale_in_which_the_line_would_be_another_one_is_not_passed_on() {
    let Some(host) = Installation::new(Options::default()) else { return };
    for (name, locale) in
        [("LC_ALL", "zh_CN.GBK"), ("LC_CTYPE", "ja_JP.SJIS"), ("LANG", "zh_TW.BIG5"), ("LANG", "zh_CN")]
    {
        let line = "echo 字\\;id; env";
        let mut command = host.ssh_as(AGENT, &["-o", "SendEnv=LANG LC_*"], &[line]);
        command.env_remove("LANG").env_remove("LC_ALL").env(name, locale);
        let client = countersign_tests::run::Running::start(&mut command, Some(b""));
        host.reviewer().approve(line);
        let out = client.wait(LIMIT).expect(0).out();
        assert!(out.starts_with("字;id\n") && !out.contains(locale) && !out.contains("uid="), "{out}");
    }
    host.verify().expect(10);
}

#[test]
fn descriptors_signals_and_limits_are_ordinary() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let line = "ls -l /proc/self/fd | grep -c '^l'; grep -E '^(SigBlk|SigIgn|CapEff|NoNewPrivs|Uid|Gid):' /proc/self/status; umask; pwd";
    let out = host.run(line).expect(0).out();
    let mut lines = out.lines();
    let descriptors: u32 = lines.next().and_then(|count| count.parse().ok()).expect("a count");
    assert!(descriptors <= 4, "0, 1, 2 and the one of ls itself: {out}");
    assert!(out.contains("SigBlk:\t0000000000000000\n"), "{out}");
    let ignored = out.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).expect("SigIgn");
    // Signals 32 and 33 are the C library's own; no program can set them through it.
    let ignored = u64::from_str_radix(ignored, 16).expect("hex") & !0x1_8000_0000;
    assert_eq!(ignored, 0, "{out}");
    assert!(out.contains("CapEff:\t0000000000000000\n"), "{out}");
    let agent = host.uids.agent;
    assert!(out.contains(&format!("Uid:\t{agent}\t{agent}\t{agent}\t{agent}\n")), "{out}");
    assert!(out.contains(&format!("\n{HOMES}/{AGENT}\n")), "{out}");
}

#[test]
fn other_inner_shells() {
    let Some(host) = Installation::new(Options::default()) else { return };
    plant(&host);
    let file = "/etc/countersign/countersign-sh.toml";
    let sample = fs::read_to_string(file).expect("configuration");
    for (shell, line, says) in [
        ("zsh", "echo ${ZSH_VERSION:+is-zsh}", "is-zsh"),
        ("dash", "echo is-dash$0", "is-dash"),
        ("fish", "echo is-fish$FISH_VERSION", "is-fish3"),
        ("tcsh", "echo is-$shell $version", "tcsh"),
    ] {
        fs::write(file, format!("{sample}\n[agents.{AGENT}]\ninner_shell = \"{shell}\"\n")).expect("configuration");
        let out = host.run(line).expect(0).out();
        assert!(out.contains(says), "{shell}: {out}");
        let submitted = journal::of_kind(&host.journal(), "command_submitted").pop().expect("a submission");
        assert_eq!(submitted["body"]["shell"], shell);
    }
    assert_eq!(left_behind(AGENT), [""; 0], "no start-up file of any shell ran");
    fs::write(file, format!("{sample}\n[agents.{AGENT}]\ninner_shell = \"python3\"\n")).expect("configuration");
    run(&mut host.ssh("true")).expect(78).says(&["python3"]);
}
