//! Taking something out of the ledger, while the daemon does not run: private
//! values and recordings ([`erase`]), old entries ([`prune`]).
//!
//! What is taken out is recorded first, signed like every entry and, where
//! administrators must say so, by them. Only then is it gone from the disk; a
//! crash in between leaves that to the next start. Nothing is taken out that
//! no cosigned checkpoint covers: `countersign verify` would not excuse it.

mod choose;
mod declare;
mod prune;

pub(crate) use declare::Declared;
pub(crate) use prune::{Before, Retention, prune};

use crate::config::Settings;
use crate::error::HostError;
use crate::identity::Identity;
use crate::recordings::tape::recording_path;
use countersign_core::{LoginId, SubmissionId, counted};
use countersign_ledger::{Committer, Kind, Limits, Recovered, RemoteSigner, SystemClock, finish_removals};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// What is to be erased.
pub(crate) struct Erasure {
    /// `erasure` or `redaction`.
    pub(crate) kind: Kind,
    /// `SEQ` or `SEQ:PATH,PATH`.
    pub(crate) entries: Vec<String>,
    /// Everything private of these commands.
    pub(crate) commands: Vec<SubmissionId>,
    /// Everything private of these logins, with their recordings.
    pub(crate) logins: Vec<LoginId>,
    /// Their recordings alone.
    pub(crate) recordings: Vec<LoginId>,
    /// Why, and who says so.
    pub(crate) declared: Declared,
}

/// The ledger, opened by nobody else.
struct Ledger {
    committer: Committer,
    recovered: Recovered,
    identity: Identity,
    dir: PathBuf,
}

impl Ledger {
    fn open(settings: &Settings, (identity, signer): (Identity, RemoteSigner)) -> Result<Self, HostError> {
        let clock = SystemClock::new().map_err(unavailable)?;
        let dir = settings.state.join("journal");
        let opened = Committer::open(&dir, identity.host, Box::new(signer), Box::new(clock), Limits::default());
        let (committer, recovered) = opened.map_err(|why| HostError::Config(why.to_string()))?;
        if recovered.next_seq == 0 {
            return Err(HostError::Config("the ledger is empty: there is nothing to take out".to_owned()));
        }
        drop_recordings(&settings.state, &gone(&settings.state, &recovered)?)?;
        Ok(Self { committer, recovered, identity, dir })
    }

    /// Entries below this are cosigned.
    fn held(&self) -> u64 {
        self.recovered.stamp.as_ref().map_or(0, |stamp| stamp.size)
    }
}

/// Takes private values and recordings out.
pub(crate) fn erase(settings: &Settings, erasure: &Erasure, ready: (Identity, RemoteSigner)) -> Result<(), HostError> {
    let ledger = Ledger::open(settings, ready)?;
    let removal = choose::removal(&ledger, erasure)?;
    let body = removal.to_body(&erasure.declared.reason);
    let Some(written) = erasure.declared.write(&ledger, settings, erasure.kind, body)? else { return Ok(()) };
    let Ledger { committer, dir, .. } = ledger;
    // The lock goes with it.
    drop(committer);
    let unfinished = |why: &dyn std::fmt::Display| {
        HostError::Unavailable(format!(
            "entry {written} records it and it is not done: {why}; it is done when countersign-hostd starts next"
        ))
    };
    finish_removals(&dir).map_err(|why| unfinished(&why))?;
    drop_recordings(&settings.state, &removal.recordings).map_err(|why| unfinished(&why))?;
    let paths: usize = removal.entries.iter().map(|entry| entry.paths.len()).sum();
    say(&format!(
        "{} in entry {written}: {} of {} and {} are gone from this host; the service follows when countersign-hostd has sent it\n",
        erasure.kind,
        counted(paths, "private value"),
        counted(removal.entries.len(), "entry"),
        counted(removal.recordings.len(), "recording")
    ))
}

/// Logins whose recording is declared gone: erased, or pruned with its login.
pub(crate) fn gone(state: &Path, recovered: &Recovered) -> Result<Vec<LoginId>, HostError> {
    let mut gone = recovered.erased_recordings.clone();
    let Some(left) = &recovered.left_logins else { return Ok(gone) };
    let dir = state.join("recordings");
    let failed = |why| HostError::config("list", &dir, why);
    for item in std::fs::read_dir(&dir).map_err(failed)? {
        let name = item.map_err(failed)?.file_name();
        let login = name.to_str().and_then(|name| name.strip_suffix(".cast")).and_then(|id| id.parse().ok());
        gone.extend(login.filter(|login| !left.contains(login)));
    }
    Ok(gone)
}

/// Removes recordings that the ledger declares gone.
pub(crate) fn drop_recordings(state: &Path, logins: &[LoginId]) -> Result<(), HostError> {
    let mut removed = false;
    for login in logins {
        let path = recording_path(state, *login);
        match std::fs::remove_file(&path) {
            Ok(()) => removed = true,
            Err(why) if why.kind() == ErrorKind::NotFound => {}
            Err(why) => return Err(HostError::config("remove", &path, why)),
        }
    }
    let dir = state.join("recordings");
    if removed {
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(|why| HostError::config("sync", &dir, why))?;
    }
    Ok(())
}

fn say(text: &str) -> Result<(), HostError> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unavailable)
}

fn unavailable(why: impl std::fmt::Display) -> HostError {
    HostError::Unavailable(why.to_string())
}
