//! Directories of a test, with names that tell whose they are, and the removal of what killed tests left.

use std::path::{Path, PathBuf};

const PREFIX: &str = "cs_t_";

/// A directory in `/tmp`, gone when dropped. Short enough for a socket's path (108 bytes).
pub struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    /// Makes one that only this user may enter, after removing those of tests that are no more.
    pub fn new() -> Self {
        sweep();
        let name = format!("{PREFIX}{}_", std::process::id());
        let dir = tempfile::Builder::new().prefix(&name).rand_bytes(6).tempdir_in("/tmp").expect("scratch directory");
        Self { dir }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path below it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Removes directories whose test has ended without doing so.
fn sweep() {
    let Ok(entries) = std::fs::read_dir("/tmp") else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('_').next());
        let gone = owner
            .and_then(|pid| pid.parse::<u32>().ok())
            .is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists());
        if gone {
            // Another test may be sweeping the same.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}
