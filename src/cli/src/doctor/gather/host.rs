//! The login shell, the daemon and its service as they are installed.

use super::accounts::{GROUP, gids, login_shells, shadow};
use super::walk::{read, walk};
use crate::doctor::facts::{Host, HostConfig, Kind, Known, Listener, Program, ShellConfig, SystemUser, Walk};
use crate::reviewer::service_url;
use countersign_api::pinned::tls_to;
use countersign_core::Digest;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Group, User};
use reqwest::redirect;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHELL: &str = "countersign-sh";
const PLACES: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/usr/sbin"];
const SHELL_CONFIG: &str = "/etc/countersign/countersign-sh.toml";
const HOST_CONFIG: &str = "/etc/countersign/hostd.toml";
/// Shells that countersign-sh starts, and where it looks for them.
const INNER: [&str; 5] = ["bash", "zsh", "fish", "dash", "tcsh"];
const INNER_PLACES: [&str; 3] = ["/bin", "/usr/bin", "/usr/local/bin"];
/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

// What doctor needs of the two files. Keys that it does not know are the programs' own: they refuse to start with one
// that they do not know either.
#[derive(Deserialize)]
struct ShellFile {
    socket: PathBuf,
    #[serde(default = "default_path")]
    path: String,
    #[serde(default = "default_inner")]
    inner_shell: String,
    #[serde(default)]
    agents: BTreeMap<String, AgentFile>,
}

#[derive(Deserialize)]
struct AgentFile {
    inner_shell: Option<String>,
}

#[derive(Deserialize)]
struct HostFile {
    state_dir: PathBuf,
    socket: PathBuf,
    #[serde(default = "default_front")]
    front_user: String,
    #[serde(default)]
    wait_ms: Option<u64>,
    #[serde(default)]
    recording: RecordingFile,
}

#[derive(Deserialize)]
#[serde(default)]
struct RecordingFile {
    keep_free_bytes: u64,
}

impl Default for RecordingFile {
    fn default() -> Self {
        Self { keep_free_bytes: 1 << 30 }
    }
}

/// What doctor needs of host.json; the rest is the daemon's.
#[derive(Deserialize)]
struct IdentityFile {
    service_url: String,
    fingerprint: Option<Digest>,
    trial: bool,
}

fn default_path() -> String {
    "/usr/local/bin:/usr/bin:/bin".to_owned()
}

fn default_inner() -> String {
    "bash".to_owned()
}

fn default_front() -> String {
    "countersign".to_owned()
}

/// Where the login shell is: beside us where that one is setuid, else where an account has it, else where packages
/// put it.
pub fn shell_path() -> PathBuf {
    let found = |path: &PathBuf| walk(path).ok().and_then(|found| found.target().cloned());
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(SHELL));
    let setuid = beside.filter(|path| found(path).is_some_and(|node| node.mode & 0o4000 != 0));
    let named = login_shells().into_iter().filter(|shell| shell.file_name().is_some_and(|name| name == SHELL));
    let places = PLACES.iter().map(|place| Path::new(place).join(SHELL));
    let mut all = setuid.into_iter().chain(named).chain(places);
    all.find(|path| found(path).is_some()).unwrap_or_else(|| Path::new("/usr/bin").join(SHELL))
}

/// Gathers what there is about the login shell.
pub fn program(path: PathBuf) -> Program {
    let mount = statvfs(&path).map_err(|e| format!("cannot look at the mount of {}: {e}", path.display()));
    let flags = |flags: FsFlags| {
        let off = [(FsFlags::ST_NOSUID, "nosuid"), (FsFlags::ST_NOEXEC, "noexec")];
        off.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, word)| word).collect()
    };
    Program {
        walk: walk(&path),
        mount: mount.map(|found| flags(found.flags())),
        path,
        config_walk: walk(Path::new(SHELL_CONFIG)),
        config: shell_config(),
    }
}

fn shell_config() -> Known<ShellConfig> {
    let file: ShellFile = parsed(SHELL_CONFIG)?;
    let path = file.path.split(':').map(|dir| (PathBuf::from(dir), walk(Path::new(dir)))).collect();
    let own = file.agents.into_values().filter_map(|agent| agent.inner_shell);
    let mut names: Vec<String> = std::iter::once(file.inner_shell).chain(own).collect();
    names.sort();
    names.dedup();
    let inner = names.into_iter().map(|name| (name.clone(), inner(&name))).collect();
    Ok(ShellConfig { socket: file.socket, path, inner })
}

fn inner(name: &str) -> Option<Known<Walk>> {
    let known = INNER.contains(&name);
    let mut places = INNER_PLACES.iter().map(|place| walk(&Path::new(place).join(name)));
    let found = places.find(|found| found.as_ref().is_ok_and(|found| found.there));
    known.then(|| found.unwrap_or_else(|| Err(format!("{name} is not installed"))))
}

/// Reads a configuration file that must be root's alone.
fn parsed<T: serde::de::DeserializeOwned>(path: &str) -> Known<T> {
    let document = read(Path::new(path))?;
    if let Some(why) = document.walk.weak(&[]).filter(|_| document.walk.there) {
        return Err(why);
    }
    let text = document.text.ok_or_else(|| format!("there is no file {path}"))?;
    toml::from_str(&text).map_err(|e| format!("{path}: {}", e.message()))
}

/// Gathers what there is about the daemon. The service is asked over the network.
pub async fn host() -> Host {
    let config = host_config();
    let state = |name: &str| match &config {
        Ok(config) => Ok(config.state_dir.join(name)),
        Err(_) => Err("the state directory is not known: see host.config".to_owned()),
    };
    let socket = config.as_ref().map(|config| config.socket.clone()).map_err(|_| "the socket is not known".to_owned());
    let listener = socket.clone().and_then(|path| listener(&path));
    let identity = state("host.json").and_then(|path| read(&path));
    let read_identity = identity.and_then(|document| {
        let text = document.text.ok_or("there is no host.json: this host is not enrolled")?;
        let file: IdentityFile = serde_json::from_str(&text).map_err(|e| format!("host.json: {e}"))?;
        Ok((document.walk, file))
    });
    let service = match &read_identity {
        Ok((_, file)) => Ok(service(file).await),
        Err(why) => Err(why.clone()),
    };
    Host {
        users: [user("countersign"), user("countersign-hostd")],
        daemon_gids: User::from_name("countersign-hostd").ok().flatten().map_or_else(Vec::new, |user| gids(&user)),
        agents_gid: Group::from_name(GROUP).ok().flatten().map(|group| group.gid.as_raw()),
        config_walk: walk(Path::new(HOST_CONFIG)),
        socket_walk: socket.and_then(|path| walk(&path)),
        program: daemon(&listener),
        listener,
        state: state("").and_then(|path| walk(&path)),
        key: state("identity.key").and_then(|path| walk(&path)),
        enrolled: read_identity.map(|(walk, file)| (walk, file.trial)),
        lock: state("journal/lock").and_then(|path| lock_holder(&path)),
        system_files: super::jobs::system_files(),
        runs: super::others::runs(),
        privileged: super::privileged::programs(),
        free_bytes: state("").and_then(|path| free_bytes(&path)),
        service,
        config,
    }
}

fn host_config() -> Known<HostConfig> {
    let file: HostFile = parsed(HOST_CONFIG)?;
    if file.wait_ms.is_some_and(|wait_ms| !(1_000..=3_600_000).contains(&wait_ms)) {
        return Err(format!("{HOST_CONFIG}: wait_ms must be between 1000 and 3600000"));
    }
    let keep_free_bytes = file.recording.keep_free_bytes;
    Ok(HostConfig { state_dir: file.state_dir, socket: file.socket, front_user: file.front_user, keep_free_bytes })
}

fn user(name: &'static str) -> SystemUser {
    let found = User::from_name(name).ok().flatten();
    SystemUser { name, entry: found.map(|user| (user.uid.as_raw(), user.shell, shadow(name).map(|found| found.0))) }
}

/// Connects, and asks the kernel who listens. The daemon turns us away, which it logs.
fn listener(path: &Path) -> Known<Option<Listener>> {
    let fail = |errno: nix::errno::Errno| format!("cannot connect to {}: {errno}", path.display());
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(fail)?;
    let address = UnixAddr::new(path).map_err(fail)?;
    match connect(fd.as_raw_fd(), &address) {
        Ok(()) => {}
        Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ECONNREFUSED) => return Ok(None),
        Err(errno) => return Err(fail(errno)),
    }
    let peer = getsockopt(&fd, sockopt::PeerCredentials).map_err(fail)?;
    Ok(Some(Listener { uid: peer.uid(), pid: peer.pid() }))
}

/// The file of the daemon that listens, else where packages put it.
fn daemon(listener: &Known<Option<Listener>>) -> Known<Walk> {
    let running = listener.as_ref().ok().and_then(Option::as_ref);
    match running.map(|listener| std::fs::read_link(format!("/proc/{}/exe", listener.pid))) {
        Some(Ok(path)) if path.to_string_lossy().ends_with(" (deleted)") => {
            Err("the program that runs was replaced on disk; run: systemctl restart countersign-hostd".to_owned())
        }
        Some(Ok(path)) => walk(&path),
        Some(Err(e)) => Err(format!("cannot tell which program listens: {e}")),
        None => walk(Path::new("/usr/bin/countersign-hostd")),
    }
}

/// Who holds a file's flock, by /proc/locks: to try for it would disturb a daemon that starts.
fn lock_holder(path: &Path) -> Known<Option<i32>> {
    let walk = walk(path)?;
    let Some(target) = walk.target().filter(|node| node.kind == Kind::File) else { return Ok(None) };
    let text = std::fs::read_to_string("/proc/locks").map_err(|e| format!("cannot read /proc/locks: {e}"))?;
    Ok(text.lines().find_map(|line| holder(line, target.file.1)))
}

/// proc_locks(5): `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF`. The
/// device is left out: stat(2) gives another one on btrfs and overlays.
fn holder(line: &str, inode: u64) -> Option<i32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let pid = words.get(4)?.parse().ok()?;
    let file = words.get(5)?.rsplit(':').next()?.parse::<u64>().ok()?;
    (words.get(1) == Some(&"FLOCK") && words.get(3) == Some(&"WRITE") && file == inode).then_some(pid)
}

fn free_bytes(path: &Path) -> Known<u64> {
    let system = statvfs(path).map_err(|e| format!("cannot look at {}: {e}", path.display()))?;
    Ok(system.blocks_available().saturating_mul(system.fragment_size()))
}

/// `GET /healthz` with the pinned certificate.
async fn service(file: &IdentityFile) -> Result<String, String> {
    let url = service_url(&file.service_url)?;
    let tls = tls_to(file.fingerprint.unwrap_or(Digest::ZERO)).map_err(|e| e.to_string())?;
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(url.scheme() == "https")
        .redirect(redirect::Policy::none())
        .timeout(PATIENCE);
    if url.scheme() == "http" {
        builder = builder.no_proxy();
    }
    let address = format!("{}/healthz", url.as_str().trim_end_matches('/'));
    let asked = builder.build().map_err(|e| e.to_string())?.get(address).send().await;
    match asked {
        Ok(answer) if answer.status().is_success() => Ok(format!("{} answers", file.service_url)),
        Ok(answer) => Err(format!("{} answers with {}", file.service_url, answer.status())),
        Err(error) => Err(format!("{} does not answer: {}", file.service_url, root_cause(&error))),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each key of OPERATIONS.md, which the programs themselves take.
    #[test]
    fn reads_what_the_programs_take() {
        let shell = "socket='/s'\nhost_user='h'\npath='/bin'\ninner_shell='dash'\nhost_away_s=5\nsftp='read_only'\nnotice='always'\n\
                     [agents.a]\nsftp='refuse'\n[agents.b]\ninner_shell='zsh'\n";
        let shell: ShellFile = toml::from_str(shell).unwrap();
        assert_eq!(shell.agents.values().filter_map(|agent| agent.inner_shell.as_deref()).collect::<Vec<_>>(), ["zsh"]);
        let host = "state_dir='/s'\nsocket='/x'\nfront_user='f'\nwait_ms=2000\nlogins_per_agent=1\n\
                    submissions_per_minute=1\nnested='refuse'\n[recording]\nkeep_free_bytes=7\nmax_bytes_per_login=9\n\
                    [authority]\ndocument='/d'\nsignatures='/e'\nadmins='/a'\nadmins_needed=1\n";
        let host: HostFile = toml::from_str(host).unwrap();
        assert_eq!(host.recording.keep_free_bytes, 7);
        let least: HostFile = toml::from_str("state_dir='/s'\nsocket='/x'\n").unwrap();
        assert_eq!(least.recording.keep_free_bytes, 1 << 30);
    }

    #[test]
    fn finds_who_holds_a_lock() {
        let line = "1: FLOCK  ADVISORY  WRITE 29984 fe:00:10076530 0 EOF";
        assert_eq!(holder(line, 10_076_530), Some(29_984));
        assert_eq!(holder(line, 1), None);
        assert_eq!(holder(&line.replace("WRITE", "READ"), 10_076_530), None);
        assert_eq!(holder("2: -> FLOCK ADVISORY WRITE 3 fe:00:7 0 EOF", 7), None, "that one waits");
        assert_eq!(holder("", 1), None);
    }
}
