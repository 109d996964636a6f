//! Everything the checks look at, gathered before any of them speaks.

mod later;

pub use later::{Lists, Mail, MailServer, Scheduled, Scheduler};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is known, or why it is not.
pub type Known<T> = Result<T, String>;

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that was not followed.
    Link,
    /// A socket, a device, a FIFO.
    Other,
}

/// One entry on the way to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it is, links resolved.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits, 0o7777.
    pub mode: u32,
    /// Device and inode.
    pub file: (u64, u64),
}

impl Node {
    /// Whether an account may write it, or give itself the right to.
    pub fn writable_by(&self, uid: u32, groups: &[u32]) -> bool {
        self.uid == uid || self.mode & 0o002 != 0 || (self.mode & 0o020 != 0 && groups.contains(&self.gid))
    }
}

/// A path as it was walked from `/`. Links are followed only in directories
/// that are root's and writable by nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walk {
    /// Every entry from `/` on, as far as there is one.
    pub nodes: Vec<Node>,
    /// Whether the last node is what was asked for.
    pub there: bool,
}

impl Walk {
    /// What was asked for, where it exists.
    pub fn target(&self) -> Option<&Node> {
        self.nodes.last().filter(|_| self.there)
    }

    /// The directories above.
    pub fn parents(&self) -> &[Node] {
        let count = if self.there { self.nodes.len().saturating_sub(1) } else { self.nodes.len() };
        self.nodes.get(..count).unwrap_or_default()
    }

    /// The first entry that belongs to nobody of `owners` or that others can write.
    pub fn weak(&self, owners: &[u32]) -> Option<String> {
        weak(&self.nodes, owners)
    }
}

/// The first of these that belongs to nobody of `owners` (root always counts) or that others can write.
pub fn weak(nodes: &[Node], owners: &[u32]) -> Option<String> {
    nodes.iter().find_map(|node| {
        let path = node.path.display();
        if node.kind == Kind::Link {
            Some(format!("{path} is a link in a directory that is not root's alone"))
        } else if node.uid != 0 && !owners.contains(&node.uid) {
            Some(format!("{path} belongs to uid {}", node.uid))
        } else {
            (node.mode & 0o022 != 0).then(|| format!("{path} can be written by others (mode {:04o})", node.mode))
        }
    })
}

/// A file that was read, with the way to it. `text` is `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The way.
    pub walk: Walk,
    /// Its text, where it is a regular file.
    pub text: Option<String>,
}

/// What `sshd -T` says: lower-case keywords, each with its lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings(pub BTreeMap<String, Vec<String>>);

impl Settings {
    /// Reads the output of `sshd -T`.
    pub fn parse(text: &str) -> Self {
        let mut all = BTreeMap::<String, Vec<String>>::new();
        for line in text.lines() {
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            all.entry(word.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
        }
        Self(all)
    }

    /// The first line of a keyword.
    pub fn one(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword).and_then(|lines| lines.first()).map(String::as_str)
    }

    /// All words of all lines of a keyword.
    pub fn words(&self, keyword: &str) -> impl Iterator<Item = &str> {
        self.0.get(keyword).into_iter().flatten().flat_map(|line| line.split_whitespace())
    }
}

/// The effective configuration of one sshd for one account from one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The configuration file.
    pub config: String,
    /// The client's address.
    pub address: &'static str,
    /// What `sshd -T` says.
    pub settings: Known<Settings>,
    /// The files with authorized keys, expanded.
    pub keys: Vec<Known<Walk>>,
    /// The files with principals, expanded.
    pub principals: Vec<Known<Walk>>,
    /// The files with certificate authorities and with revoked keys.
    pub authorities: Vec<Known<Walk>>,
    /// Program and files of AuthorizedKeysCommand.
    pub keys_command: Option<Vec<Known<Walk>>>,
    /// Program and files of AuthorizedPrincipalsCommand.
    pub principals_command: Option<Vec<Known<Walk>>>,
}

/// One sshd configuration file tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshdFiles {
    /// The main file.
    pub config: String,
    /// Every file of it.
    pub files: Known<Vec<Document>>,
    /// Match lines by something else than accounts, with the keywords they set.
    pub conditional: Vec<Conditional>,
}

/// A Match block that does not depend on the account alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditional {
    /// The Match line.
    pub line: String,
    /// Lower-case keywords that it sets.
    pub sets: Vec<String>,
}

/// What the shadow file says of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// Nothing that could be typed matches.
    Locked,
    /// There is a password.
    Set,
    /// No password is asked for.
    Empty,
    /// The shadow file does not know the account.
    Missing,
}

/// An entry of the password database and what hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: PathBuf,
    /// All groups, with their names.
    pub groups: Vec<(u32, String)>,
    /// Other accounts of the same uid.
    pub same_uid: Known<Vec<String>>,
    /// The login shell's file.
    pub shell_walk: Known<Walk>,
    /// Its password.
    pub password: Known<Password>,
    /// Whether the account has expired.
    pub expired: Known<bool>,
    /// What `sudo -l -U` says; `None` where there is no sudo.
    pub sudo: Known<Option<String>>,
    /// cron and at.
    pub scheduled: Scheduled,
    /// Its mail.
    pub mail: Known<Mail>,
    /// Whether its user manager lingers.
    pub linger: Known<bool>,
    /// The home directory.
    pub home_walk: Known<Walk>,
    /// ~/.ssh
    pub ssh_dir: Known<Option<Node>>,
    /// Which of the files exist that sshd and PAM would read.
    pub personal: Known<Vec<String>>,
    /// Ranges of subordinate ids that it may use: `FIRST-LAST`.
    pub subids: Known<Vec<String>>,
}

impl Account {
    /// Ids of all groups.
    pub fn gids(&self) -> Vec<u32> {
        self.groups.iter().map(|(gid, _)| *gid).collect()
    }
}

/// A gated account, or one that should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Login name.
    pub name: String,
    /// The account; `None` where there is none.
    pub account: Known<Option<Account>>,
    /// One for each sshd and address.
    pub probes: Vec<Probe>,
}

/// A line of a PAM stack, includes resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PamLine {
    /// auth, account, session or password.
    pub kind: String,
    /// The module's file name.
    pub module: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// A line of pam_group's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLine {
    /// For whom.
    pub users: String,
    /// The groups that it gives.
    pub groups: Vec<String>,
}

/// A file that something runs for an account, or reads variables from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The account, by its name or uid.
    pub user: String,
    /// The file, as it is named.
    pub path: PathBuf,
    /// Where it is named.
    pub by: PathBuf,
    /// The way to it.
    pub way: Walk,
}

/// sshds that were not looked at, each with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unchecked {
    /// Root's, in our own view of the file system: they may let agents in.
    pub here: Vec<String>,
    /// In containers, and other accounts' own.
    pub elsewhere: Vec<String>,
}

/// The sshds and other ways in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logins {
    /// Each configuration in use.
    pub sshd: Vec<SshdFiles>,
    /// sshds that were not looked at.
    pub unchecked: Unchecked,
    /// Other services that let people in.
    pub daemons: Vec<String>,
    /// The session stack of sshd.
    pub pam: Known<Vec<PamLine>>,
    /// The programs that pam_exec runs.
    pub pam_programs: Known<Vec<Walk>>,
    /// Lines of pam_group that may count for sshd.
    pub pam_groups: Known<Vec<GroupLine>>,
    /// polkit's rules; `None` where there is no polkit.
    pub polkit: Known<Option<Vec<Document>>>,
    /// /etc/ssh/sshrc, where there is one.
    pub system_rc: Option<PathBuf>,
    /// A file that keeps everybody out, where one exists.
    pub nologin: Option<PathBuf>,
    /// Lines of /etc/shells.
    pub shells: Known<Vec<String>>,
    /// chsh, where it is installed.
    pub chsh: Known<Walk>,
    /// doas.conf, where there is one.
    pub doas: Option<PathBuf>,
    /// Sockets of container engines that exist.
    pub container_sockets: Known<Vec<Node>>,
}

/// What the login shell's configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellConfig {
    /// hostd's socket.
    pub socket: PathBuf,
    /// PATH of commands, each directory walked.
    pub path: Vec<(PathBuf, Known<Walk>)>,
    /// Inner shells that are named, with their files; `None` where the name is not one of ours.
    pub inner: Vec<(String, Option<Known<Walk>>)>,
}

/// The login shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it should be.
    pub path: PathBuf,
    /// What is there.
    pub walk: Known<Walk>,
    /// Mount flags that keep it from working: `nosuid`, `noexec`.
    pub mount: Known<Vec<&'static str>>,
    /// Its configuration file's way.
    pub config_walk: Known<Walk>,
    /// Its configuration.
    pub config: Known<ShellConfig>,
}

/// A system account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemUser {
    /// Its name.
    pub name: &'static str,
    /// Uid, login shell and password; `None` where there is no such account.
    pub entry: Option<(u32, PathBuf, Known<Password>)>,
}

/// What hostd's configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConfig {
    /// Where its state is.
    pub state_dir: PathBuf,
    /// Where it listens.
    pub socket: PathBuf,
    /// The account of fronts.
    pub front_user: String,
    /// Below so much free space agents may record little.
    pub keep_free_bytes: u64,
}

/// Who listens on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Its uid when it began to listen.
    pub uid: u32,
    /// Its process.
    pub pid: i32,
}

/// A program that has more rights than who runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileged {
    /// Its file.
    pub path: PathBuf,
    /// Device and inode.
    pub file: (u64, u64),
    /// The uid that it gets, where it is setuid.
    pub setuid: Option<u32>,
    /// The capabilities that it gets, a bit each.
    pub capabilities: u64,
}

/// The daemon and its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `countersign` and `countersign-hostd`.
    pub users: [SystemUser; 2],
    /// The groups of countersign-hostd.
    pub daemon_gids: Vec<u32>,
    /// The gid of countersign-agents.
    pub agents_gid: Option<u32>,
    /// Its configuration file's way.
    pub config_walk: Known<Walk>,
    /// Its configuration.
    pub config: Known<HostConfig>,
    /// The way to the socket.
    pub socket_walk: Known<Walk>,
    /// Who listens there; `None` where nobody does.
    pub listener: Known<Option<Listener>>,
    /// The daemon's program file.
    pub program: Known<Walk>,
    /// The state directory.
    pub state: Known<Walk>,
    /// identity.key
    pub key: Known<Walk>,
    /// host.json, and whether it is a trial's.
    pub enrolled: Known<(Walk, bool)>,
    /// The process that holds the journal's lock.
    pub lock: Known<Option<i32>>,
    /// Files of the system that decide who somebody is and what a program loads.
    pub system_files: Known<Vec<Walk>>,
    /// What cron, at and systemd run.
    pub runs: Known<Vec<Run>>,
    /// Programs that have more rights than who runs them.
    pub privileged: Known<Vec<Privileged>>,
    /// Bytes free for the ledger.
    pub free_bytes: Known<u64>,
    /// How the service answered.
    pub service: Known<Result<String, String>>,
}

/// The kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Values by their sysctl name; `None` where this kernel has none.
    pub sysctl: BTreeMap<&'static str, Known<Option<String>>>,
    /// The program that cores are piped to.
    pub core_program: Option<Known<Walk>>,
    /// Whether it can set a program apart from others of its account (Landlock).
    pub sets_apart: bool,
    /// Options of the mount at /proc.
    pub proc_options: Known<String>,
    /// Whether the clock is synchronised.
    pub clock: Known<bool>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Gated accounts.
    pub agents: Vec<Agent>,
    /// The ways in.
    pub logins: Logins,
    /// The login shell.
    pub program: Program,
    /// The daemon.
    pub host: Host,
    /// The kernel.
    pub kernel: Kernel,
}

impl Facts {
    /// The uid of a system account.
    pub fn user(&self, name: &str) -> Option<u32> {
        self.host.users.iter().find(|user| user.name == name)?.entry.as_ref().map(|entry| entry.0)
    }
}

/// Whether a path names the same file as a walked one.
pub fn same_file(one: &Walk, other: &Walk) -> bool {
    matches!((one.target(), other.target()), (Some(a), Some(b)) if a.file == b.file)
}

/// A path for people.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
