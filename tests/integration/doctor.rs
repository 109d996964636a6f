//! `countersign doctor` beside a real sshd: that what it calls open is open, and what it calls closed is closed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::installation::{AGENT, Installation, Options, PROGRAMS, make_dir, wait_for_sshd};
use countersign_tests::journal;
use countersign_tests::namespace::cover;
use countersign_tests::port::Port;
use countersign_tests::run::{Daemon, Ended, run, run_with};
use serde_json::Value;

const FORCED: &str = "ForceCommand /srv/countersign/bin/countersign-sh\n";

/// `countersign doctor ARGS --json`, as root, from where it is installed.
fn doctor(args: &[&str]) -> (i32, Vec<Value>) {
    let ended = run(Command::new(Path::new(PROGRAMS).join("countersign")).arg("doctor").args(args).arg("--json"));
    let rows = serde_json::from_slice(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", ended.out(), ended.err()));
    (ended.code(), rows)
}

#[track_caller]
fn row<'a>(rows: &'a [Value], id: &str) -> &'a Value {
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no {id}"))
}

#[track_caller]
fn is(rows: &[Value], state: &str, ids: &[&str]) {
    for id in ids {
        assert_eq!(row(rows, id)["state"], state, "{}", row(rows, id));
    }
}

/// A second sshd of the installation, with `Subsystem sftp internal-sftp` and this in addition.
struct Sshd {
    config: PathBuf,
    port: Port,
    _daemon: Daemon,
}

impl Sshd {
    fn start(host: &Installation, name: &str, more: &str) -> Self {
        Self::start_by(host, name, more, "exec /usr/sbin/sshd -D -e -f \"$0\"")
    }

    /// The same, started by a line of sh with the configuration as `$0`.
    fn start_by(host: &Installation, name: &str, more: &str, line: &str) -> Self {
        let kept = Port::new();
        let port = kept.number;
        let config = host.scratch.join(name);
        let key = host.scratch.join("host_key");
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nPidFile none\nUsePAM no\nUseDNS no\n\
             AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u\nSubsystem sftp internal-sftp\n{more}",
            key.display()
        );
        fs::write(&config, text).expect("sshd_config");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("echo started; {line}")]).arg(&config).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let daemon = Daemon::start(&mut command, &host.scratch.join(&format!("{name}.log")));
        wait_for_sshd(&daemon, port);
        Self { config, port: kept, _daemon: daemon }
    }

    fn doctor(&self) -> (i32, Vec<Value>) {
        doctor(&["--agent", AGENT, "--sshd-config", self.config.to_str().expect("path")])
    }

    /// `sftp`, asked to list a directory.
    fn list(&self, host: &Installation, dir: &Path) -> Ended {
        let mut sftp = Command::new("sftp");
        let known = host.scratch.join("known_hosts");
        let key = fs::read_to_string(host.scratch.join("host_key.pub")).expect("host key");
        fs::write(&known, format!("[127.0.0.1]:{} {key}", self.port.number)).expect("known hosts");
        // The first value counts, so these come before the installation's own.
        sftp.args(["-P", &self.port.number.to_string(), "-o", &format!("UserKnownHostsFile={}", known.display())]);
        sftp.args(host.ssh_options("-P").into_iter().skip(4)).arg(format!("{AGENT}@127.0.0.1"));
        run_with(&mut sftp, format!("ls {}\n", dir.display()).as_bytes())
    }
}

#[test]
fn the_built_in_sftp_server_is_a_hole_until_the_command_is_forced() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let dir = host.scratch.join("readable");
    make_dir(&dir, 0, 0o755);
    fs::write(dir.join("listed-without-the-gate"), "").expect("file");

    let open = Sshd::start(&host, "login_shell_alone", "");
    let (code, rows) = open.doctor();
    assert_eq!(code, 1);
    is(&rows, "ok", &["account.shell", "shell.file", "sshd.user-environment"]);
    is(&rows, "hole", &["sshd.subsystem", "sshd.force-command", "sshd.disable-forwarding", "sshd.user-rc"]);
    let mend = row(&rows, "sshd.subsystem")["mend"].as_str().expect("text");
    assert!(mend.contains(FORCED.trim()), "{mend}");
    // The proof: files are listed, and the daemon never heard of a login.
    let ended = open.list(&host, &dir).expect(0);
    assert!(ended.out().contains("listed-without-the-gate"), "{}{}", ended.out(), ended.err());
    assert!(journal::of_kind(&host.journal(), "session_opened").is_empty(), "nothing was recorded");

    let closed = Sshd::start(&host, "command_forced", FORCED);
    let (_, rows) = closed.doctor();
    is(&rows, "ok", &["sshd.subsystem", "sshd.force-command"]);
    is(&rows, "hole", &["sshd.disable-forwarding"]);
    let ended = closed.list(&host, &dir);
    assert_ne!(ended.code(), 0, "{}", ended.out());
    assert!(!ended.out().contains("listed-without-the-gate"), "{}", ended.out());
    journal::wait_for(&host.journal(), "session_opened", 1);
    assert!(journal::of_kind(&host.journal(), "exec_started").is_empty(), "held, and nothing was decided");
}

#[test]
fn every_sshd_that_listens_is_checked_or_said_not_to_be() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (_, rows) = doctor(&["--agent", AGENT]);
    is(&rows, "ok", &["sshd.force-command", "sshd.unchecked"]);

    // A title has the room of arguments and environment.
    let room = format!("export PAD={}; exec", "x".repeat(80));
    let other = host.scratch.join("sshd-admin");
    fs::copy("/usr/sbin/sshd", &other).expect("a sshd of another name");
    for (name, line) in [
        ("combined", format!("{room} /usr/sbin/sshd -Def \"$0\"")),
        ("renamed", format!("{room} {} -D -e -f \"$0\"", other.display())),
    ] {
        let sshd = Sshd::start_by(&host, name, "", &line);
        let (code, rows) = doctor(&["--agent", AGENT]);
        assert_eq!(code, 1, "{name}");
        // One below /tmp is not run, so that what it says is not known.
        is(&rows, if name == "renamed" { "unknown" } else { "hole" }, &["sshd.force-command"]);
        is(&rows, "ok", &["sshd.unchecked"]);
        drop(sshd);
    }
    let cut = Sshd::start_by(&host, "cut", "", "exec env -i /usr/sbin/sshd -D -e -f \"$0\"");
    let (code, rows) = doctor(&["--agent", AGENT]);
    assert_eq!(code, 1);
    is(&rows, "unknown", &["sshd.unchecked"]);
    assert_eq!(row(&rows, "sshd.unchecked")["fails"], true);
    drop(cut);
}

#[test]
fn what_sshd_takes_from_files_and_programs_of_the_agent_is_a_hole() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let home = host.home().display().to_string();
    for (name, lines, state, id) in [
        ("ca", format!("TrustedUserCAKeys {home}/ca.pub\n"), "hole", "sshd.certificate-authorities"),
        (
            "keys",
            "AuthorizedKeysCommand /bin/cat %h/.ssh/authorized_keys\nAuthorizedKeysCommandUser root\n".to_owned(),
            "hole",
            "sshd.authorized-keys-command",
        ),
        (
            "principals",
            format!("AuthorizedPrincipalsCommand {home}/prog\nAuthorizedPrincipalsCommandUser {AGENT}\n"),
            "hole",
            "sshd.authorized-principals-command",
        ),
        ("chroot", "ChrootDirectory /srv\n".to_owned(), "hole", "sshd.chroot"),
        ("rhosts", "HostbasedAuthentication yes\nIgnoreRhosts no\n".to_owned(), "hole", "sshd.hostbased"),
        ("quoted", "\"Match\" Address 10.0.0.0/8\n \"ForceCommand\" none\n".to_owned(), "unknown", "sshd.match"),
    ] {
        let sshd = Sshd::start(&host, name, &lines);
        let (code, rows) = sshd.doctor();
        assert_eq!(code, 1, "{name}");
        is(&rows, state, &[id]);
    }
}

#[test]
fn the_packaged_configuration_leaves_no_hole_in_sshd_accounts_and_daemon() {
    let Some(mut host) = Installation::new(Options::default()) else { return };
    // Named by nobody: the agent by its group, sshd and its configuration by the process that listens.
    let (_, rows) = doctor(&[]);
    assert!(row(&rows, "account.agents")["found"].as_str().expect("text").contains(AGENT));
    is(&rows, "ok", &["sshd.match", "sshd.force-command", "sshd.subsystem", "sshd.authorized-keys", "sshd.accept-env"]);
    is(&rows, "ok", &["account.shell", "account.uid", "account.groups", "account.password", "account.path"]);
    is(&rows, "ok", &["shell.file", "shell.mount", "shell.listed", "shell.config", "host.users", "host.config"]);
    is(&rows, "ok", &["host.socket", "host.socket-dir", "host.journal-lock", "host.service", "host.space"]);
    let text =
        |flags: &[&str]| run(Command::new(Path::new(PROGRAMS).join("countersign")).arg("doctor").args(flags)).out();
    assert!(text(&["--all"]).contains("ok      host.space"), "what is in order is named where it is asked for");
    let short = text(&[]);
    assert!(!short.contains("host.space") && short.contains(" in order (--all names them)."), "{short}");
    let sshd: Vec<&Value> =
        rows.iter().filter(|row| row["id"].as_str().is_some_and(|id| id.starts_with("sshd."))).collect();
    for row in sshd {
        // The test's configuration and state are below /tmp, which everybody may write.
        assert!(row["fails"] == false || row["found"].as_str().is_some_and(|found| found.contains("/tmp ")), "{row}");
    }

    host.host.take().expect("a host").kill();
    host.service.take().expect("a service").kill();
    fs::set_permissions(host.host_dir().join("identity.key"), fs::Permissions::from_mode(0o440)).expect("mode");
    fs::write("/etc/countersign/countersign-sh.toml", "socket = 5\n").expect("configuration");
    let (code, rows) = doctor(&["--locked-out"]);
    assert_eq!(code, 1);
    is(&rows, "hole", &["host.socket", "host.journal-lock", "host.service", "host.key", "shell.config"]);
    assert!(rows.iter().all(|row| row["id"] != "sshd.x11-forwarding"), "only what keeps people out");
    let ended = run(Command::new(Path::new(PROGRAMS).join("countersign")).args(["doctor", "--locked-out"])).expect(1);
    let at = |text: &str| ended.out().find(text).unwrap_or_else(|| panic!("{text}: {}", ended.out()));
    assert!(
        at("1. ") < at("shell.config")
            && at("shell.config") < at("host.socket")
            && at("host.socket") < at("host.service")
    );
}

#[test]
fn what_an_agent_can_do_to_its_account_is_seen() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let (_, rows) = doctor(&["--agent", AGENT]);
    is(&rows, "ok", &["account.personal-files", "account.ssh-dir", "account.linger", "account.chsh", "account.sudo"]);

    // A link in the agent's directory is seen as one; it leads nowhere.
    fs::remove_dir(host.home().join(".ssh")).expect("~/.ssh");
    symlink("/etc/ssh", host.home().join(".ssh")).expect("link");
    fs::write(host.home().join(".pam_environment"), "PATH=/tmp\n").expect("file");
    fs::write("/etc/shells", format!("/bin/bash\n{PROGRAMS}/countersign-sh\n")).expect("shells");
    let group = fs::read_to_string("/etc/group").expect("groups");
    fs::write("/etc/group", format!("{group}docker:x:29999:{AGENT}\n")).expect("groups");
    let shadow = fs::read_to_string("/etc/shadow").expect("shadow");
    fs::write("/etc/shadow", shadow.replace(&format!("{AGENT}:*:"), &format!("{AGENT}:$y$x:"))).expect("shadow");
    fs::set_permissions(Path::new(PROGRAMS).join("countersign-sh"), fs::Permissions::from_mode(0o755)).expect("mode");
    let (code, rows) = doctor(&["--agent", AGENT]);
    assert_eq!(code, 1);
    is(&rows, "warning", &["account.personal-files", "account.ssh-dir"]);
    is(&rows, "hole", &["account.groups", "account.password", "account.chsh", "shell.listed", "shell.file"]);
    assert_eq!(row(&rows, "account.groups")["mend"], format!("gpasswd -d {AGENT} docker"));
}

#[test]
fn what_others_run_or_give_is_seen() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let ids = ["account.others-jobs", "account.pam-groups", "pam.exec"];
    let (_, rows) = doctor(&["--agent", AGENT]);
    is(&rows, "ok", &ids);

    let job = host.home().join("job.sh");
    fs::create_dir_all("/etc/cron.d").expect("directory");
    // It need not be there yet.
    fs::write("/etc/cron.d/nightly", format!("7 3 * * * root cd / && sh {}\n", job.display())).expect("crontab");
    fs::write("/etc/security/group.conf", "sshd;*;deploy*;Al0000-2400;docker\n").expect("groups");
    let stack = fs::read_to_string("/etc/pam.d/sshd").expect("stack");
    let more = format!("auth optional pam_group.so\nsession optional pam_exec.so quiet {}\n", job.display());
    fs::write("/etc/pam.d/sshd", stack + &more).expect("stack");
    let (code, rows) = doctor(&["--agent", AGENT]);
    assert_eq!(code, 1);
    is(&rows, "hole", &ids);
    let found = row(&rows, "account.others-jobs")["found"].as_str().expect("text");
    assert!(found.starts_with("/etc/cron.d/nightly has ") && found.contains("job.sh for root"), "{found}");

    // What is added to a socket's unit runs as root, too.
    fs::remove_file("/etc/cron.d/nightly").expect("removed");
    let (_, rows) = doctor(&["--agent", AGENT]);
    is(&rows, "ok", &["account.others-jobs"]);
    fs::create_dir_all("/etc/systemd/system/x.socket.d").expect("directory");
    let unit = format!("[Socket]\nExecStartPre={}\n", job.display());
    fs::write("/etc/systemd/system/x.socket.d/more.conf", unit).expect("unit");
    let (_, rows) = doctor(&["--agent", AGENT]);
    is(&rows, "hole", &["account.others-jobs"]);
}

/// A mail server runs what `~/.forward` of the agent names, unless its mail goes to somebody else.
#[test]
fn mail_that_would_run_something_is_seen() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let place = Path::new("/usr/local/sbin");
    cover(place, "mode=755");
    fs::write("/etc/aliases", "postmaster: root\n").expect("aliases");
    fs::write(place.join("exim4"), "").expect("a mail server");
    fs::write(host.home().join(".forward"), "|/tmp/x\n").expect("file");
    let (code, rows) = doctor(&["--agent", AGENT]);
    assert_eq!(code, 1);
    is(&rows, "hole", &["account.mail"]);
    let found = row(&rows, "account.mail")["found"].as_str().expect("text");
    assert!(found.contains("exim4 reads ~/.forward") && found.contains("there is ~/.forward"), "{found}");

    fs::write("/etc/aliases", format!("{AGENT}: root\n")).expect("aliases");
    is(&doctor(&["--agent", AGENT]).1, "ok", &["account.mail"]);
    fs::write("/etc/aliases", format!("{AGENT}: root, {AGENT}\n")).expect("aliases");
    is(&doctor(&["--agent", AGENT]).1, "hole", &["account.mail"]);
    fs::remove_file(place.join("exim4")).expect("removed");
    if !["postfix", "exim4", "exim", "smtpd"].iter().any(|server| Path::new("/usr/sbin").join(server).exists()) {
        is(&doctor(&["--agent", AGENT]).1, "ok", &["account.mail"]);
    }
}

#[test]
fn programs_that_give_an_agent_other_rights_are_seen() {
    let Some(host) = Installation::new(Options::default()) else { return };
    // The first one of them that is open is named; the agent's shell itself is none.
    let place = Path::new("/usr/local/sbin");
    cover(place, "mode=755");
    let ids = ["account.subids", "host.privileged-programs", "sshd.system-rc", "host.system-files"];
    let (_, rows) = doctor(&["--agent", AGENT]);
    is(&rows, "ok", &ids);

    let old = place.join("countersign-sh.old");
    fs::copy("/usr/bin/id", &old).expect("a program");
    chown(&old, Some(host.uids.front), None).expect("owner");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o4755)).expect("mode");
    // The proof: whatever the front may do, the agent may.
    let ran = run(&mut host.as_agent(old.to_str().expect("path"), &["-u"])).expect(0);
    assert_eq!(ran.out().trim(), host.uids.front.to_string());
    fs::write("/etc/ssh/sshrc", "true\n").expect("sshrc");
    fs::set_permissions("/etc/ssh/sshrc", fs::Permissions::from_mode(0o666)).expect("mode");
    let (code, rows) = doctor(&["--agent", AGENT]);
    assert_eq!(code, 1);
    is(&rows, "hole", &["host.privileged-programs", "host.system-files"]);
    is(&rows, "warning", &["sshd.system-rc"]);
    let found = row(&rows, "host.privileged-programs")["found"].as_str().expect("text");
    assert!(found.contains("countersign-sh.old is setuid countersign"), "{found}");

    fs::remove_file(&old).expect("removed");
    let tool = place.join("tool");
    fs::copy("/usr/bin/id", &tool).expect("a program");
    let set = "import os, struct, sys\nos.setxattr(sys.argv[1], 'security.capability', struct.pack('<5I', 0x2000001, 1 << 7, 0, 0, 0))";
    run(Command::new("python3").args(["-c", set]).arg(&tool)).expect(0);
    let (_, rows) = doctor(&["--agent", AGENT]);
    let found = row(&rows, "host.privileged-programs")["found"].as_str().expect("text");
    assert!(found.contains("tool has cap_setuid"), "{found}");
    fs::remove_file(&tool).expect("removed");
    let (_, rows) = doctor(&["--agent", AGENT]);
    is(&rows, "ok", &["host.privileged-programs"]);
}

#[test]
fn what_cannot_be_shown_closed_is_not_called_closed() {
    let Some(host) = Installation::new(Options::default()) else { return };
    let mut command = Command::new(Path::new(PROGRAMS).join("countersign"));
    command.args(["doctor", "--agent", AGENT]).uid(host.uids.ungated).gid(host.uids.ungated).current_dir("/");
    let ended = run(&mut command).expect(1);
    let out = ended.out();
    for text in ["? unknown account.password", "? unknown sshd.config", "Run it as root."] {
        assert!(out.contains(text), "{text}: {out}");
    }
    assert!(!out.contains('\x1b'), "no colour in a pipe");
    for (name, code) in [("a,addr=x", 64), ("no-such-account", 1)] {
        let ended = run(Command::new(Path::new(PROGRAMS).join("countersign")).args(["doctor", "--agent", name]));
        assert_eq!(ended.code(), code, "{name}: {}{}", ended.out(), ended.err());
    }
}
