//! What the daemon is told: `/etc/countersign/hostd.toml`, or a trial's flags.

use crate::authority::Places;
use crate::error::HostError;
use crate::room::Limits;
use countersign_analysis::Nested;
use countersign_sys as sys;
use serde::Deserialize;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Where the configuration is by default.
pub(crate) const DEFAULT_PATH: &str = "/etc/countersign/hostd.toml";

/// How long an answer counts by default, in ms. Later is a denial.
const DEFAULT_WAIT_MS: u64 = 60_000;

/// Time between two heartbeats, in ms.
const HEARTBEAT_MS: u64 = 60_000;

/// How long a front may take to come back after a start, in ms.
const GRACE_MS: u64 = 30_000;

/// Logins of one agent at a time, and its submissions a minute, by default.
const DEFAULT_LOGINS: usize = 16;
const DEFAULT_SUBMISSIONS: u64 = 60;

/// Everything `serve` needs.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Journal, keys, recordings.
    pub(crate) state: PathBuf,
    /// Where fronts connect.
    pub(crate) socket: PathBuf,
    /// The only uid whose connections are taken.
    pub(crate) front_uid: u32,
    /// How long an answer counts, in ms.
    pub(crate) wait_ms: u64,
    /// Logins of one agent at a time.
    pub(crate) logins_per_agent: usize,
    /// Submissions of one agent a minute.
    pub(crate) submissions_per_minute: u64,
    /// Where a trial's service listens now; else as enrolled.
    pub(crate) service: Option<String>,
    /// How much may be recorded.
    pub(crate) recording: Limits,
    /// Time between two heartbeats, in ms.
    pub(crate) heartbeat_ms: u64,
    /// How long a front may take to come back after a start, in ms.
    pub(crate) grace_ms: u64,
    /// Where the administrators' document is, on a host that has one.
    pub(crate) authority: Option<Places>,
    /// What happens to lines that open a shell within the gate.
    pub(crate) nested: Nested,
    /// Everything under one uid.
    pub(crate) trial: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    state_dir: PathBuf,
    socket: PathBuf,
    #[serde(default = "default_front_user")]
    front_user: String,
    #[serde(default = "default_wait_ms")]
    wait_ms: u64,
    #[serde(default = "default_logins")]
    logins_per_agent: usize,
    #[serde(default = "default_submissions")]
    submissions_per_minute: u64,
    authority: Option<Places>,
    #[serde(default)]
    recording: Limits,
    #[serde(default)]
    nested: NestedWord,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NestedWord {
    #[default]
    Ask,
    Refuse,
}

fn default_logins() -> usize {
    DEFAULT_LOGINS
}

fn default_submissions() -> u64 {
    DEFAULT_SUBMISSIONS
}

fn default_front_user() -> String {
    "countersign".to_owned()
}

fn default_wait_ms() -> u64 {
    DEFAULT_WAIT_MS
}

impl Settings {
    /// A trial: one uid, paths and service as told.
    pub(crate) fn trial(
        state: PathBuf,
        socket: PathBuf,
        service: Option<String>,
        wait_ms: Option<u64>,
        submissions_per_minute: Option<u64>,
        heartbeat_ms: Option<u64>,
    ) -> Self {
        let front_uid = nix::unistd::getuid().as_raw();
        Self {
            state,
            socket,
            front_uid,
            wait_ms: wait_ms.unwrap_or(DEFAULT_WAIT_MS),
            logins_per_agent: DEFAULT_LOGINS,
            submissions_per_minute: submissions_per_minute.unwrap_or(DEFAULT_SUBMISSIONS),
            // A trial's disk is also a person's own.
            recording: Limits { keep_free_bytes: 0, ..Limits::default() },
            service,
            heartbeat_ms: heartbeat_ms.unwrap_or(HEARTBEAT_MS),
            grace_ms: GRACE_MS,
            authority: None,
            nested: Nested::Ask,
            trial: true,
        }
    }

    /// Reads the configuration file, which must be root's and writable by
    /// nobody else, like every directory above it.
    pub(crate) fn load(path: &Path) -> Result<Self, HostError> {
        Self::load_for(path, false)
    }

    /// The same; `root`: for root, who only asks where the daemon is.
    pub(crate) fn load_for(path: &Path, root: bool) -> Result<Self, HostError> {
        let file = sys::open_trusted(path, None).map_err(|why| HostError::Config(why.to_string()))?;
        let mut text = String::new();
        file.take(MAX_CONFIG).read_to_string(&mut text).map_err(|why| HostError::config("read", path, why))?;
        Self::parse(&text, root).map_err(|why| HostError::config("use", path, why))
    }

    fn parse(text: &str, root: bool) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        if !(1_000..=3_600_000).contains(&file.wait_ms) {
            return Err(format!("wait_ms is {}; set it between 1000 and 3600000", file.wait_ms));
        }
        if file.logins_per_agent == 0 || file.submissions_per_minute == 0 {
            return Err("logins_per_agent and submissions_per_minute must be at least 1".to_owned());
        }
        if let Some(fault) = file.recording.fault() {
            return Err(fault);
        }
        let user = nix::unistd::User::from_name(&file.front_user)
            .map_err(|e| format!("cannot look up the account {}: {e}", file.front_user))?
            .ok_or_else(|| {
                format!("there is no account {}; make it (systemd-sysusers) or set front_user", file.front_user)
            })?;
        if user.uid == nix::unistd::getuid() && !root {
            return Err(format!(
                "front and daemon would share the uid of {}; run the daemon under its own account",
                file.front_user
            ));
        }
        Ok(Self {
            state: file.state_dir,
            socket: file.socket,
            front_uid: user.uid.as_raw(),
            wait_ms: file.wait_ms,
            logins_per_agent: file.logins_per_agent,
            submissions_per_minute: file.submissions_per_minute,
            recording: file.recording,
            service: None,
            heartbeat_ms: HEARTBEAT_MS,
            grace_ms: GRACE_MS,
            authority: file.authority,
            nested: match file.nested {
                NestedWord::Ask => Nested::Ask,
                NestedWord::Refuse => Nested::Refuse,
            },
            trial: false,
        })
    }
}

/// Whether a configuration file may read like this.
pub(crate) fn is_configuration(text: &str) -> bool {
    Settings::parse(text, false).is_ok()
}

/// Longest configuration file that is read, in bytes.
const MAX_CONFIG: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do_about_a_bad_file() {
        for (text, hint) in [
            ("", "state_dir"),
            ("state_dir='/s'\nsocket='/x'\nfront_user='nobody-here'", "no account nobody-here"),
            ("state_dir='/s'\nsocket='/x'\nwait_ms=5", "between 1000"),
            ("state_dir='/s'\nsocket='/x'\ncolour='red'", "colour"),
            ("state_dir='/s'\nsocket='/x'\nnested='allow'", "nested"),
            ("state_dir='/s'\nsocket='/x'\n[recording]\nmax_bytes_per_login=0", "at least 1"),
            ("state_dir='/s'\nsocket='/x'\n[recording]\nmax_mib=1", "max_mib"),
        ] {
            let why = Settings::parse(text, false).unwrap_err();
            assert!(why.contains(hint), "{text:?}: {why}");
        }
    }
}
