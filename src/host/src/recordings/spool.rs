//! The spools of logins. Each is made ahead of its login: a new file takes about
//! as long as an fsync, and a login waits for its spool before anything else.

use super::tape::{TapeError, io_error, open};
use crate::drafts::random_id;
use countersign_core::LoginId;
use countersign_ledger::OpenLogin;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The spool of a login.
pub(crate) fn spool_path(state: &Path, login: LoginId) -> PathBuf {
    state.join("spool").join(format!("{login}.spool"))
}

/// Drops the spools that no open login has: the one made ahead, and one where a
/// crash came between the end of its login and this.
pub(crate) fn drop_others(state: &Path, open: &[OpenLogin]) -> io::Result<()> {
    let kept: Vec<PathBuf> = open.iter().map(|login| spool_path(state, login.id)).collect();
    for entry in std::fs::read_dir(state.join("spool"))? {
        let path = entry?.path();
        if !kept.contains(&path) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The spool of a login that is to begin.
pub(crate) struct Spool {
    pub(crate) login: LoginId,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// What the front is handed: open for reading too, without which none of it
    /// can be written through memory, and locked.
    pub(crate) theirs: File,
}

impl Spool {
    /// Makes the spool of a new login.
    pub(crate) fn make(state: &Path) -> Result<Self, TapeError> {
        let login = random_id(LoginId::from_random).map_err(|why| io_error("name a spool")(io::Error::other(why)))?;
        Self::of(state, login)
    }

    /// Makes the spool of this login.
    pub(super) fn of(state: &Path, login: LoginId) -> Result<Self, TapeError> {
        let path = spool_path(state, login);
        let theirs = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let theirs = theirs.map_err(io_error("make a spool"))?;
        theirs.lock_shared().map_err(io_error("lock a spool"))?;
        let file = open(&path).map_err(io_error("open a spool"))?;
        Ok(Self { login, path, file, theirs })
    }

    /// Whether it still stands where it was made: it has waited for a while.
    fn stands(&self) -> bool {
        let names = |found: std::fs::Metadata| (found.dev(), found.ino());
        let here = std::fs::symlink_metadata(&self.path).map(names);
        here.is_ok_and(|here| self.file.metadata().map(names).is_ok_and(|own| own == here))
    }
}

/// The spool that waits for the next login.
#[derive(Default)]
pub(crate) struct Spools {
    next: Mutex<Option<Spool>>,
}

impl Spools {
    /// A spool for a login that begins now.
    pub(crate) fn take(&self, state: &Path) -> Result<Spool, TapeError> {
        let ready = self.lock().take().filter(Spool::stands);
        ready.map_or_else(|| Spool::make(state), Ok)
    }

    /// Makes the next one, where there is none. Where that fails the next login tries again, and says so.
    pub(crate) fn refill(&self, state: &Path) {
        let mut next = self.lock();
        if next.is_none() {
            *next = Spool::make(state).ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Spool>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_that_is_gone_is_not_handed_out() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("spool")).unwrap();
        let spools = Spools::default();
        spools.refill(state.path());
        let ready = spools.lock().as_ref().unwrap().login;
        spools.refill(state.path());
        assert_eq!(spools.take(state.path()).unwrap().login, ready, "one is made, and used once");
        assert_ne!(spools.take(state.path()).unwrap().login, ready);
        for replace in [false, true] {
            spools.refill(state.path());
            let path = spools.lock().as_ref().unwrap().path.clone();
            std::fs::remove_file(&path).unwrap();
            if replace {
                std::fs::write(&path, "").unwrap();
            }
            assert_ne!(spools.take(state.path()).unwrap().path, path);
        }
        std::fs::remove_dir_all(state.path().join("spool")).unwrap();
        spools.refill(state.path());
        assert!(spools.take(state.path()).is_err());
    }
}
