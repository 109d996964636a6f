//! The product as it is installed: setuid login shell, daemons under their own accounts, a service with TLS, a real
//! sshd with the configuration that packaging/ holds; all in a namespace of its own.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};

use crate::namespace::{Namespace, may_enter};
use crate::parts::write_private;
use crate::port::Port;
use crate::programs::{CLI, HOSTD, SERVER, SHELL, program, repository};
use crate::reviewer::Reviewer;
use crate::run::{Daemon, Ended, LIMIT, Running, eventually, run};
use crate::scratch::Scratch;

/// The gated account.
pub const AGENT: &str = "deploy-agent";
/// An account with bash and no gate: what a test's control logs in as.
pub const UNGATED: &str = "ungated";
/// Where the programs are.
pub const PROGRAMS: &str = "/srv/countersign/bin";
/// Where the homes are.
pub const HOMES: &str = "/srv/home";

/// Names of variables that sshd takes from a client.
const ACCEPTED: &str = "LANG LC_* COUNTERSIGN_*";

/// What differs from the ordinary.
#[derive(Clone, Copy)]
pub struct Options {
    /// sshd's UsePAM.
    pub pam: bool,
    /// sshd's PermitUserEnvironment, which should be `no`.
    pub user_environment: bool,
    /// sshd's AcceptEnv, which should be as packaged.
    pub accept_env: &'static str,
    /// How long an answer counts, in ms.
    pub wait_ms: u64,
    /// Mounts `/proc` with these options, for the daemon's group to see it all.
    pub proc: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self { pam: true, user_environment: false, accept_env: ACCEPTED, wait_ms: 20_000, proc: None }
    }
}

/// Uids of the accounts.
#[derive(Clone, Copy)]
pub struct Uids {
    /// `countersign`
    pub front: u32,
    /// `countersign-hostd`
    pub host: u32,
    /// `countersign-server`
    pub server: u32,
    /// [`AGENT`]
    pub agent: u32,
    /// [`UNGATED`]
    pub ungated: u32,
    /// The group `countersign-agents`.
    pub agents: u32,
}

/// One host with its service and a sshd.
pub struct Installation {
    /// The accounts.
    pub uids: Uids,
    /// The service, while it runs.
    pub service: Option<Daemon>,
    /// The host daemon, while it runs.
    pub host: Option<Daemon>,
    sshd: Option<Daemon>,
    port: Port,
    /// Dropped before the scratch directory: ends what is left.
    _namespace: Namespace,
    /// Where state and keys are: on a real disk.
    pub scratch: Scratch,
}

impl Installation {
    /// Installs and starts everything. `None` where a person has chosen to do without these tests.
    pub fn new(options: Options) -> Option<Self> {
        if !may_enter() {
            return None;
        }
        // Built by the person's own cargo, outside of the namespace.
        program(CLI);
        let namespace = Namespace::enter();
        let scratch = Scratch::new();
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        let uids = make_accounts();
        install_programs(uids);
        let mut this =
            Self { uids, service: None, host: None, sshd: None, port: Port::new(), _namespace: namespace, scratch };
        if let Some(options) = options.proc {
            let options = format!("{options},gid={}", uids.host);
            mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), Some(options.as_str())).expect("proc");
        }
        this.make_homes_and_keys();
        this.configure(options);
        let url = this.start_service("127.0.0.1:0");
        this.introduce(&url);
        this.start_host();
        this.start_sshd(options);
        Some(this)
    }

    /// The host's state directory.
    pub fn host_dir(&self) -> PathBuf {
        self.scratch.join("host")
    }

    /// The host's journal.
    pub fn journal(&self) -> PathBuf {
        self.host_dir().join("journal")
    }

    /// Home of [`AGENT`].
    pub fn home(&self) -> PathBuf {
        Path::new(HOMES).join(AGENT)
    }

    /// The reviewer `ops-lead`.
    pub fn reviewer(&self) -> Reviewer {
        Reviewer::with_config(&self.scratch.join("reviewer.toml"))
    }

    /// `ssh FLAGS USER@host WORDS`, not yet run.
    pub fn ssh_as(&self, user: &str, flags: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.ssh_options("-p")).args(flags).arg(format!("{user}@127.0.0.1")).args(words);
        command
    }

    /// `ssh agent@host LINE`, not yet run.
    pub fn ssh(&self, line: &str) -> Command {
        self.ssh_as(AGENT, &[], &[line])
    }

    /// Options of ssh, scp and sftp; `port` is the flag that takes the port.
    pub fn ssh_options(&self, port: &str) -> Vec<String> {
        let key = self.scratch.join("client/id");
        let known = self.scratch.join("client/known_hosts");
        let mut options: Vec<String> = ["-F", "none", port].iter().map(|word| (*word).to_owned()).collect();
        options.push(self.port.number.to_string());
        let settings = [
            format!("IdentityFile={}", key.display()),
            format!("UserKnownHostsFile={}", known.display()),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "StrictHostKeyChecking=yes".to_owned(),
            "ControlMaster=no".to_owned(),
            "ControlPath=none".to_owned(),
            "BatchMode=yes".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ];
        options.extend(settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]));
        options
    }

    /// Starts a line as the agent, waits until it waits, has it approved, and gives the client.
    #[track_caller]
    pub fn approved(&self, flags: &[&str], line: &str, stdin: Option<&[u8]>) -> Running {
        let client = Running::start(&mut self.ssh_as(AGENT, flags, &[line]), stdin);
        self.reviewer().approve(line);
        client
    }

    /// A program with the agent's uid and groups that passed no gate: what an approved line could start.
    pub fn as_agent(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        let (agent, agents) = (self.uids.agent.to_string(), self.uids.agents.to_string());
        command.args(["--reuid", &agent, "--regid", &agent, "--groups", &agents, program]).args(words);
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.home());
        command
    }

    /// Ids of the processes of the login shell, spawners and fronts, and of the host's daemon with its children.
    pub fn gate(&self) -> Vec<u32> {
        let own = |pid: &u32| {
            let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            let uids = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let uid =
                uids.lines().find_map(|line| line.strip_prefix("Uid:\t")?.split('\t').next()?.parse::<u32>().ok());
            exe == Path::new(PROGRAMS).join(SHELL) || uid == Some(self.uids.host)
        };
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(own).collect()
    }

    /// Runs a line as the agent to its end, approved.
    #[track_caller]
    pub fn run(&self, line: &str) -> Ended {
        self.approved(&[], line, Some(b"")).wait(LIMIT)
    }

    /// `countersign verify` of the host's state with the service's trust file. Witnesses are asked for, so that a
    /// sound history gives 10 whether its last checkpoint is there already or not.
    #[track_caller]
    pub fn verify(&self) -> Ended {
        self.verify_with(&["--require", "witnessed"])
    }

    /// The same with these flags in place of that.
    #[track_caller]
    pub fn verify_with(&self, flags: &[&str]) -> Ended {
        let trust = self.scratch.join("trust.json");
        fs::write(&trust, self.server(&["trust"]).expect(0).stdout).expect("trust file");
        let mut command = Command::new(program(CLI));
        run(command.arg("verify").arg(self.host_dir()).arg("--trust").arg(trust).args(flags))
    }

    /// Runs `countersign-server ARGS --state DIR` as its own account.
    #[track_caller]
    pub fn server(&self, args: &[&str]) -> Ended {
        run(self.as_account(SERVER, self.uids.server).args(args).arg("--state").arg(self.scratch.join("service")))
    }

    fn as_account(&self, name: &str, uid: u32) -> Command {
        let mut command = Command::new(Path::new(PROGRAMS).join(name));
        command.uid(uid).gid(uid).current_dir("/").env_clear().env("PATH", "/usr/bin:/bin");
        command
    }

    fn make_homes_and_keys(&self) {
        for (user, uid) in [(AGENT, self.uids.agent), (UNGATED, self.uids.ungated)] {
            let home = Path::new(HOMES).join(user);
            make_dir(&home, uid, 0o755);
            make_dir(&home.join(".ssh"), uid, 0o700);
        }
        make_dir(&self.scratch.join("host"), self.uids.host, 0o700);
        make_dir(&self.scratch.join("service"), self.uids.server, 0o700);
        make_dir(&self.scratch.join("client"), 0, 0o700);
        make_dir(Path::new("/etc/ssh/authorized_keys.d"), 0, 0o755);
        for name in ["client/id", "host_key"] {
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(self.scratch.join(name)))
                .expect(0);
        }
        let public = fs::read_to_string(self.scratch.join("client/id.pub")).expect("public key");
        for user in [AGENT, UNGATED] {
            fs::write(format!("/etc/ssh/authorized_keys.d/{user}"), &public).expect("authorized keys");
        }
        let host_key = fs::read_to_string(self.scratch.join("host_key.pub")).expect("host key");
        fs::write(self.scratch.join("client/known_hosts"), format!("[127.0.0.1]:{} {host_key}", self.port.number))
            .expect("known hosts");
    }

    /// Puts the files of packaging/etc in place, with the paths of this test.
    fn configure(&self, options: Options) {
        make_dir(Path::new("/etc/countersign"), 0, 0o755);
        make_dir(Path::new("/run/countersign"), self.uids.host, 0o755);
        let state = self.host_dir().display().to_string();
        let wait = format!("wait_ms = {}", options.wait_ms);
        for (name, changes) in [
            ("countersign-sh.toml", vec![]),
            ("hostd.toml", vec![("/var/lib/countersign/host", state.as_str()), ("wait_ms = 60000", wait.as_str())]),
        ] {
            let text = packaged(&format!("countersign/{name}"), &changes);
            fs::write(Path::new("/etc/countersign").join(name), text).expect("configuration");
        }
    }

    /// Starts the service at this address; where it listens.
    #[track_caller]
    pub fn start_service(&mut self, listen: &str) -> String {
        let mut command = self.as_account(SERVER, self.uids.server);
        command.args(["serve", "--listen", listen, "--state"]).arg(self.scratch.join("service"));
        let daemon = Daemon::start(&mut command, &self.scratch.join("service.log"));
        let url = daemon.ready.strip_prefix("listening on ").unwrap_or_else(|| panic!("{}", daemon.ready)).to_owned();
        assert!(url.starts_with("https://"), "{url}");
        self.service = Some(daemon);
        url
    }

    /// Makes the reviewer `ops-lead`, and the host, known to the service.
    fn introduce(&self, url: &str) {
        let config = self.server(&["reviewer", "add", "ops-lead", "--url", url]).expect(0).out();
        write_private(&self.scratch.join("reviewer.toml"), &config);
        let token = self.server(&["enroll-token", "--name", "test-host"]).expect(0).out();
        let mut enroll = self.as_account(HOSTD, self.uids.host);
        enroll.args(["enroll", "--service", url, "--token", token.trim(), "--name", "test-host", "--state"]);
        run(enroll.arg(self.host_dir())).expect(0);
    }

    /// Starts the host daemon.
    #[track_caller]
    pub fn start_host(&mut self) {
        let mut command = self.as_account(HOSTD, self.uids.host);
        command.args(["serve", "--config", "/etc/countersign/hostd.toml"]);
        let daemon = Daemon::start(&mut command, &self.scratch.join("host.log"));
        assert_eq!(daemon.ready, "ready");
        self.host = Some(daemon);
    }

    fn start_sshd(&mut self, options: Options) {
        let word = |on: bool| if on { "yes" } else { "no" };
        let gate = packaged(
            "ssh/sshd_config.d/countersign.conf",
            &[
                ("PermitUserEnvironment no", &format!("PermitUserEnvironment {}", word(options.user_environment))),
                (&format!("AcceptEnv {ACCEPTED}"), &format!("AcceptEnv {}", options.accept_env)),
            ],
        );
        let text = format!(
            "ListenAddress 127.0.0.1:{}\nHostKey {}\nPidFile none\nUsePAM {}\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nAuthorizedKeysFile /etc/ssh/authorized_keys.d/%u\nUseDNS no\n\
             Subsystem sftp internal-sftp\nPrintMotd no\nAcceptEnv {}\n{gate}",
            self.port.number,
            self.scratch.join("host_key").display(),
            word(options.pam),
            options.accept_env,
        );
        let config = self.scratch.join("sshd_config");
        fs::write(&config, text).expect("sshd_config");
        // sshd says nothing on standard output when it is ready, so a line is said before it, and the port asked.
        let mut command = Command::new("sh");
        command.args(["-c", "echo started; exec /usr/sbin/sshd -D -e -f \"$0\""]).arg(&config).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let sshd = Daemon::start(&mut command, &self.scratch.join("sshd.log"));
        wait_for_sshd(&sshd, self.port.number);
        self.sshd = Some(sshd);
    }
}

/// Waits until a sshd listens and has its title. That comes a moment later, and doctor knows a sshd by it.
#[track_caller]
pub fn wait_for_sshd(sshd: &Daemon, port: u16) {
    eventually("sshd to listen", LIMIT, || TcpStream::connect(("127.0.0.1", port)).ok());
    eventually("sshd to take its title (`NAME: …`)", LIMIT, || {
        let title = fs::read(format!("/proc/{}/cmdline", sshd.pid())).ok()?;
        let name = title.split(|byte| matches!(byte, b' ' | 0)).next()?;
        name.ends_with(b":").then_some(())
    });
}

/// A file of packaging/etc, with the login shell's path of this test and these changes.
fn packaged(name: &str, changes: &[(&str, &str)]) -> String {
    let path = repository().join("packaging/etc").join(name);
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text = text.replace("/usr/bin/countersign-sh", &format!("{PROGRAMS}/{SHELL}"));
    for (from, to) in changes {
        assert!(text.contains(from), "{} no longer holds {from:?}", path.display());
        text = text.replace(from, to);
    }
    text
}

/// Writes the accounts into the namespace's own files. Their numbers are this test's own, because the kernel knows
/// no namespace for them.
fn make_accounts() -> Uids {
    let first = 30_000 + (std::process::id() % 5_000) * 6;
    let uids = Uids {
        front: first,
        host: first + 1,
        server: first + 2,
        agent: first + 3,
        ungated: first + 4,
        agents: first + 5,
    };
    let shell = format!("{PROGRAMS}/{SHELL}");
    let nologin = "/usr/sbin/nologin";
    let mut lines = (String::new(), String::new(), String::new());
    for (name, uid, shell) in [
        ("countersign", uids.front, nologin),
        ("countersign-hostd", uids.host, nologin),
        ("countersign-server", uids.server, nologin),
        (AGENT, uids.agent, shell.as_str()),
        (UNGATED, uids.ungated, "/bin/bash"),
    ] {
        lines.0 += &format!("{name}:x:{uid}:{uid}::{HOMES}/{name}:{shell}\n");
        lines.1 += &format!("{name}:x:{uid}:\n");
        lines.2 += &format!("{name}:*:20000:0:99999:7:::\n");
    }
    lines.1 += &format!("countersign-agents:x:{}:{AGENT}\n", uids.agents);
    for (file, added) in [("/etc/passwd", lines.0), ("/etc/group", lines.1), ("/etc/shadow", lines.2)] {
        let text = fs::read_to_string(file).expect("account file");
        // Where the product is installed, accounts of these names may exist.
        let names: Vec<_> = added.lines().filter_map(|line| line.split(':').next()).collect();
        let others = text.lines().filter(|line| !line.split(':').next().is_some_and(|name| names.contains(&name)));
        let lines: Vec<_> = others.chain(added.lines()).collect();
        fs::write(file, lines.join("\n") + "\n").expect("account file");
    }
    uids
}

fn install_programs(uids: Uids) {
    fs::create_dir_all(PROGRAMS).expect("program directory");
    let shell = Path::new(PROGRAMS).join(SHELL);
    fs::copy(program(SHELL), &shell).expect("copy of the login shell");
    chown(&shell, Some(uids.front), Some(uids.agents)).expect("owner");
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o4750)).expect("mode");
    for name in [HOSTD, SERVER, CLI] {
        let place = Path::new(PROGRAMS).join(name);
        fs::write(&place, "").expect("mount point");
        mount(Some(&program(name)), &place, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("bind mount");
    }
}

/// Makes a directory with this owner, group and mode.
pub fn make_dir(dir: &Path, uid: u32, mode: u32) {
    fs::create_dir_all(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    chown(dir, Some(uid), Some(uid)).expect("owner");
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).expect("mode");
}
