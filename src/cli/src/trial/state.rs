//! The directory a trial keeps everything in, and who may use it.

use crate::failure::Failure;
use countersign_core::Name;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Name of the built-in reviewer.
pub const TRIAL_REVIEWER: &str = "trial-reviewer";

/// A trial's state directory: ours, and closed to everybody else.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

/// Held by the one process that runs a trial's service.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held for its drop")] Flock<File>);

impl StateDir {
    /// Where a trial is kept when nobody says.
    pub fn default_path() -> Result<PathBuf, Failure> {
        let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute());
        let base = named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state")));
        base.map(|base| base.join("countersign/trial")).ok_or_else(|| {
            Failure::Config("neither XDG_STATE_HOME nor HOME is set; name a directory with --state DIR".into())
        })
    }

    /// Makes the directory where it is missing, then opens it.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        private_dir(path)?;
        let state = Self::open(path)?;
        private_dir(&state.logs())?;
        Ok(state)
    }

    /// Checks a directory that must exist. A link is followed; what counts is where it leads.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let full = path.canonicalize().map_err(|e| Failure::Config(format!("cannot use {shown}: {e}")))?;
        let facts = full.metadata().map_err(|e| Failure::Config(format!("cannot use {shown}: {e}")))?;
        if !facts.is_dir() {
            return Err(Failure::Config(format!("{shown} is not a directory")));
        }
        let me = nix::unistd::geteuid();
        if facts.uid() != me.as_raw() {
            return Err(Failure::Config(format!(
                "{shown} belongs to uid {}, not to you (uid {me}); name a directory of your own with --state DIR",
                facts.uid()
            )));
        }
        if facts.mode() & 0o077 != 0 {
            return Err(Failure::Config(format!(
                "{shown} holds keys and others can enter it (mode {:04o}); run: chmod 700 {shown}",
                facts.mode() & 0o7777
            )));
        }
        Ok(Self(full))
    }

    /// Takes the right to run the service of this trial; `None` where a process has it.
    pub fn lock(&self) -> Result<Option<Lock>, Failure> {
        let path = self.0.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Failure::io("open", path.display(), &e))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(Lock(held))),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(Failure::io("lock", path.display(), &error.into())),
        }
    }

    /// Whether a trial's service has been set up here.
    pub fn has_service(&self) -> bool {
        self.service().join("service.db").exists()
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The service's part.
    pub fn service(&self) -> PathBuf {
        self.0.join("service")
    }

    /// The host's part: identity, journal, recordings.
    pub fn host(&self) -> PathBuf {
        self.0.join("host")
    }

    /// What the programs wrote to stderr in the last run.
    pub fn logs(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The keys for `verify --trust`.
    pub fn trust(&self) -> PathBuf {
        self.0.join("trust.json")
    }

    /// The operator's reviewer.toml.
    pub fn reviewer(&self) -> PathBuf {
        self.0.join("reviewer.toml")
    }

    /// The built-in reviewer's.
    pub fn trial_reviewer(&self) -> PathBuf {
        self.0.join("trial-reviewer.toml")
    }
}

fn private_dir(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| Failure::Config(format!("cannot make the directory {}: {e}", path.display())))
}

/// Replaces a file as a whole, readable by us alone.
pub fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let next = path.with_extension("new");
    let written = || {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, path)
    };
    written().map_err(|e| Failure::io("write", path.display(), &e))
}

/// Makes a name of text that is none, like an account's or a machine's.
pub fn name_like(text: &str, otherwise: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c.to_ascii_lowercase() } else { '-' };
    let like: String = text.chars().map(fit).skip_while(|c| !c.is_ascii_alphanumeric()).take(64).collect();
    if like.parse::<Name>().is_ok() && like != TRIAL_REVIEWER && like != "timeout" {
        like
    } else {
        otherwise.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn open_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let state = StateDir::create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert!(state.lock().unwrap().is_some());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(StateDir::open(&path), Err(Failure::Config(text)) if text.contains("chmod 700")));
        assert!(matches!(StateDir::open(Path::new("/dev/null")), Err(Failure::Config(_))));
        assert!(matches!(StateDir::open(&path.join("none")), Err(Failure::Config(_))));
    }

    #[test]
    fn one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::create(&dir.path().join("s")).unwrap();
        let held = state.lock().unwrap();
        assert!(held.is_some());
        assert!(state.lock().unwrap().is_none());
        drop(held);
        assert!(state.lock().unwrap().is_some());
    }

    #[test]
    fn names_are_made_of_anything() {
        assert_eq!(name_like("Ana.Maria", "x"), "ana.maria");
        assert_eq!(name_like("-_ü", "operator"), "operator");
        assert_eq!(name_like("a b", "x"), "a-b");
        assert_eq!(name_like("trial-reviewer", "operator"), "operator");
        assert_eq!(name_like(&"a".repeat(99), "x").len(), 64);
    }
}
