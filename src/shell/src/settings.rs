//! Settings: from a root-owned file at a fixed path, or, in a trial that runs
//! with no more rights than its caller, from flags.

use crate::end::Failure;
use crate::inner::InnerShell;
use crate::start::Start;
use countersign_core::Exit;
use countersign_sys as sys;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The configuration file.
const FILE: &str = "/etc/countersign/countersign-sh.toml";
/// Longest configuration file, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// PATH of commands, where nothing else is configured.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

const USAGE: &str = "usage: countersign-sh [-c COMMAND] | --trial --socket PATH [--path P] [--inner-shell S] [--host-away-s N] -c COMMAND";

/// How long countersign-hostd may be away before a login at its prompt ends,
/// where nothing else is configured, in seconds.
const HOST_AWAY_S: u32 = 120;

/// How this login is set up.
#[derive(Debug)]
pub struct Settings {
    /// Whether this is a trial under one uid.
    pub trial: bool,
    /// Where countersign-hostd listens.
    pub socket: PathBuf,
    /// Whom the listener there must belong to.
    pub host_uid: u32,
    /// PATH of commands.
    pub path: String,
    /// The shell that parses an approved line.
    pub inner: InnerShell,
    /// How long countersign-hostd may be away before a login at its prompt
    /// ends, in µs.
    pub host_away_us: u64,
    /// What sftp may do.
    pub sftp: Sftp,
    /// Whom a held command is told of.
    pub notice: Notice,
    /// The command after `-c`.
    pub command: Option<OsString>,
}

/// What a host allows sftp to do, once a person or rule has let it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sftp {
    /// Nothing: it is refused.
    Refuse,
    /// Every session is asked for as read-only.
    ReadOnly,
    /// A session is asked for as read-write, unless its agent asks for less.
    #[default]
    ReadWrite,
}

/// Where a login of one command is told, on standard error, that it is held. Programs read what is written there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Nowhere.
    #[default]
    Never,
    /// Where the login has a terminal (`ssh -t`).
    Terminal,
    /// Everywhere.
    Always,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configured {
    socket: PathBuf,
    #[serde(default = "default_host_user")]
    host_user: String,
    #[serde(default = "default_path")]
    path: String,
    #[serde(default = "default_shell")]
    inner_shell: String,
    #[serde(default)]
    sftp: Sftp,
    #[serde(default)]
    notice: Notice,
    #[serde(default = "default_host_away")]
    host_away_s: u32,
    #[serde(default)]
    agents: BTreeMap<String, AgentConfigured>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentConfigured {
    inner_shell: Option<String>,
    sftp: Option<Sftp>,
}

impl Settings {
    /// Finds the settings of an account. Trial flags are refused where the
    /// program runs with more rights than its caller.
    pub fn find(start: &Start, agent: &str) -> Result<Self, Failure> {
        let mut words = start.arguments.iter().map(OsString::as_os_str);
        if start.arguments.first().is_some_and(|word| word == "--trial") {
            if start.secure {
                return Err(Failure::new(Exit::Usage, "--trial is for a copy that is not setuid; it was refused"));
            }
            return Self::trial(words.skip(1), start.uids.real);
        }
        if !start.secure {
            return Err(Failure::new(
                Exit::Config,
                "this copy is not installed setuid; run: chown countersign:countersign-agents countersign-sh && chmod 4750 countersign-sh",
            ));
        }
        let command = match (words.next(), words.next(), words.next()) {
            (None, _, _) => None,
            (Some(flag), Some(command), None) if flag == "-c" => Some(command.to_owned()),
            (Some(_), _, _) => return Err(usage()),
        };
        Self::configured(agent, command)
    }

    fn trial<'a>(mut words: impl Iterator<Item = &'a OsStr>, own_uid: u32) -> Result<Self, Failure> {
        let mut away_s = HOST_AWAY_S;
        let (mut socket, mut path, mut shell, mut command) = (None, DEFAULT_PATH.to_owned(), default_shell(), None);
        while let Some(flag) = words.next() {
            let value = words.next().ok_or_else(usage)?;
            let text = || value.to_str().map(str::to_owned).ok_or_else(usage);
            match flag.to_str() {
                Some("--socket") => socket = Some(PathBuf::from(value)),
                Some("--path") => path = text()?,
                Some("--inner-shell") => shell = text()?,
                Some("--host-away-s") => away_s = text()?.parse().map_err(|_| usage())?,
                Some("-c") if command.is_none() => command = Some(value.to_owned()),
                Some(_) | None => return Err(usage()),
            }
        }
        let socket = socket.ok_or_else(usage)?;
        let (inner, sftp, notice) = (installed(&shell)?, Sftp::default(), Notice::default());
        let host_away_us = micros(away_s);
        Ok(Self { trial: true, socket, host_uid: own_uid, path, inner, sftp, notice, command, host_away_us })
    }

    fn configured(agent: &str, command: Option<OsString>) -> Result<Self, Failure> {
        let bad = |text: String| Failure::new(Exit::Config, text);
        let file = sys::open_trusted(Path::new(FILE), None).map_err(|e| bad(e.to_string()))?;
        let mut text = String::new();
        file.take(MAX_FILE).read_to_string(&mut text).map_err(|e| bad(format!("cannot read {FILE}: {e}")))?;
        let read: Configured = toml::from_str(&text).map_err(|e| bad(format!("{FILE}: {}", e.message())))?;
        let host_uid = host_uid(&read.host_user)?;
        sys::trust_place(&read.socket, Some(host_uid)).map_err(|e| bad(format!("`socket` in {FILE}: {e}")))?;
        let own = read.agents.get(agent);
        let inner = installed(own.and_then(|own| own.inner_shell.as_ref()).unwrap_or(&read.inner_shell))?;
        let sftp = own.and_then(|own| own.sftp).unwrap_or(read.sftp);
        let Configured { socket, path, notice, host_away_s, .. } = read;
        let host_away_us = micros(host_away_s);
        Ok(Self { trial: false, socket, host_uid, path, inner, sftp, notice, command, host_away_us })
    }
}

/// Whether a configuration file may read like this.
pub fn is_configuration(text: &str) -> bool {
    toml::from_str::<Configured>(text).is_ok()
}

fn host_uid(name: &str) -> Result<u32, Failure> {
    let found = sys::account_by_name(name).map_err(|e| Failure::system("cannot read the password database", &e))?;
    let missing =
        || format!("`host_user` in {FILE}: there is no account {name}; name the one that countersign-hostd runs as");
    Ok(found.ok_or_else(|| Failure::new(Exit::Config, missing()))?.uid)
}

fn installed(name: &str) -> Result<InnerShell, Failure> {
    let shell = InnerShell::parse(name).ok_or_else(|| {
        Failure::new(Exit::Config, format!("inner shell {name} is not one of bash, zsh, fish, dash, tcsh"))
    })?;
    match shell.file() {
        Some(_) => Ok(shell),
        None => Err(Failure::new(Exit::Config, format!("inner shell {name} is not installed"))),
    }
}

fn usage() -> Failure {
    Failure::new(Exit::Usage, USAGE)
}

fn default_host_user() -> String {
    "countersign-hostd".to_owned()
}

fn micros(seconds: u32) -> u64 {
    u64::from(seconds).saturating_mul(1_000_000)
}

fn default_host_away() -> u32 {
    HOST_AWAY_S
}

fn default_path() -> String {
    DEFAULT_PATH.to_owned()
}

fn default_shell() -> String {
    InnerShell::Bash.as_str().to_owned()
}
