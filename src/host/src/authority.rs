//! The administrators' document, where this host has one: who may approve,
//! and what runs by rule.
//!
//! It is looked at before each submission. A change is taken when it is signed,
//! clear and of a higher version, and then stands in the ledger
//! (`policy_changed`) before anything is asked under it. Anything else means
//! that nothing runs until it is mended; the document before it never comes
//! back in force.

use crate::book::{Book, WriteError};
use crate::drafts;
use crate::error::HostError;
use crate::own_rules::OwnRules;
use countersign_core::Digest;
use countersign_ledger::{Admins, Authority, MAX_AUTHORITY_BYTES};
use countersign_sys as sys;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// `[authority]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Places {
    /// What the administrators sign.
    document: PathBuf,
    /// Their signatures, one after the other; `document` and `.sig` by default.
    signatures: Option<PathBuf>,
    /// Their public keys, one a line.
    admins: PathBuf,
    /// How many of them must sign.
    #[serde(default = "one")]
    admins_needed: usize,
    /// Everything under one uid: the files are not root's.
    #[serde(skip)]
    trial: bool,
}

fn one() -> usize {
    1
}

/// Most bytes of signatures, and of keys, that are read.
const MAX_BESIDE: u64 = 64 * 1024;

/// What is in force, and what it was read from.
pub(crate) struct Authorities {
    places: Option<Places>,
    /// Names the document that was last in force, so that no older one is taken.
    memory: PathBuf,
    held: Mutex<Held>,
}

/// A document that counts.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) authority: Authority,
    /// Its rules, where it has any.
    pub(crate) rules: Option<OwnRules>,
}

#[derive(Default)]
struct Held {
    /// Files as they were when `now` was made.
    seen: Option<[Stamp; 3]>,
    now: Option<Arc<Document>>,
    remembered: Option<Remembered>,
}

/// A file as it is, for noticing that it is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    version: u64,
    digest: Digest,
}

/// Why nothing can be asked under the administrators' document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAuthority {
    /// The document cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// It could not be put into the ledger.
    #[error(transparent)]
    Ledger(#[from] WriteError),
}

impl Authorities {
    /// Reads what was last in force. A host that had a document is not started
    /// without one.
    pub(crate) fn new(places: Option<Places>, state: &Path) -> Result<Self, HostError> {
        let memory = state.join("authority.json");
        let remembered = match fs::read(&memory) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|why| HostError::config("read", &memory, why))?),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => None,
            Err(why) => return Err(HostError::config("read", &memory, why)),
        };
        if let (None, Some(Remembered { version, .. })) = (&places, &remembered) {
            return Err(HostError::Config(format!(
                "this host demands reviewers' signatures (version {version} of the administrators' document) and its configuration names none; put [authority] back into it. To go without, remove {}: `countersign verify` will then report every later approval",
                memory.display()
            )));
        }
        Ok(Self { places, memory, held: Mutex::new(Held { remembered, ..Held::default() }) })
    }

    /// The document in force; `None` where this host has none. A new one is in
    /// the ledger when this returns.
    pub(crate) async fn in_force(&self, book: &Book) -> Result<Option<Arc<Document>>, NoAuthority> {
        let Some(places) = &self.places else { return Ok(None) };
        let mut held = self.held.lock().await;
        let seen = places.stamps().map_err(NoAuthority::Unusable)?;
        if let (Some(now), true) = (&held.now, held.seen == Some(seen)) {
            return Ok(Some(now.clone()));
        }
        // Whatever goes wrong from here on, the one before is no longer in force.
        held.now = None;
        let (text, signatures, document) = places.read().map_err(NoAuthority::Unusable)?;
        let authority = &document.authority;
        let found = Remembered { version: authority.version, digest: authority.digest };
        let known = match held.remembered {
            Some(before) if found == before => true,
            Some(before) if found.version <= before.version => {
                return Err(NoAuthority::Unusable(format!(
                    "the administrators' document has version {}, and version {} was in force before; raise `version` and sign it again",
                    found.version, before.version
                )));
            }
            Some(_) | None => false,
        };
        if !known {
            let draft = drafts::policy_changed(authority, &text, &signatures).map_err(WriteError::from)?;
            book.write_one(draft).await?;
            self.remember(found)
                .map_err(|why| NoAuthority::Unusable(format!("cannot write {}: {why}", self.memory.display())))?;
            held.remembered = Some(found);
        }
        let document = Arc::new(document);
        (held.now, held.seen) = (Some(document.clone()), Some(seen));
        Ok(Some(document))
    }

    /// Durable when this returns.
    fn remember(&self, found: Remembered) -> std::io::Result<()> {
        let new = self.memory.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(serde_json::to_string(&found)?.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.memory)?;
        match self.memory.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Places {
    /// Those of a trial.
    pub(crate) fn of_trial(document: PathBuf, admins: PathBuf) -> Self {
        Self { document, signatures: None, admins, admins_needed: one(), trial: true }
    }

    /// The administrators, whoever they have named.
    pub(crate) fn administrators(&self) -> Result<Admins, String> {
        Admins::parse(&self.text(&self.admins, MAX_BESIDE)?, self.admins_needed)
            .map_err(|why| format!("{}: {why}", self.admins.display()))
    }

    fn signatures(&self) -> PathBuf {
        self.signatures.clone().unwrap_or_else(|| {
            let mut beside = self.document.clone().into_os_string();
            beside.push(".sig");
            beside.into()
        })
    }

    fn stamps(&self) -> Result<[Stamp; 3], String> {
        let stamp = |path: &Path| {
            let found =
                fs::symlink_metadata(path).map_err(|why| format!("cannot look at {}: {why}", path.display()))?;
            Ok::<_, String>(Stamp {
                inode: found.ino(),
                size: found.size(),
                changed: (found.ctime(), found.ctime_nsec()),
            })
        };
        Ok([stamp(&self.document)?, stamp(&self.signatures())?, stamp(&self.admins)?])
    }

    /// Reads and checks everything.
    fn read(&self) -> Result<(String, String, Document), String> {
        let limit = u64::try_from(MAX_AUTHORITY_BYTES).unwrap_or(u64::MAX);
        let text = self.text(&self.document, limit)?;
        let signatures = self.text(&self.signatures(), MAX_BESIDE)?;
        let in_file = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let admins = self.administrators()?;
        Authority::signed_by(&text, &signatures, &admins).map_err(|why| in_file(&self.document, &why))?;
        let authority = Authority::parse(&text).map_err(|why| in_file(&self.document, &why))?;
        let rules = OwnRules::read(&authority.rules).map_err(|why| in_file(&self.document, &why))?;
        Ok((text, signatures, Document { authority, rules }))
    }

    /// A text file that, but for a trial's, only root can have written.
    fn text(&self, path: &Path, limit: u64) -> Result<String, String> {
        let file = if self.trial {
            File::open(path).map_err(|why| format!("cannot open {}: {why}", path.display()))
        } else {
            sys::open_trusted(path, None).map_err(|why| why.to_string())
        };
        read(file?, path, limit)
    }
}

fn read(file: File, path: &Path, limit: u64) -> Result<String, String> {
    let mut text = String::new();
    let read = file.take(limit + 1).read_to_string(&mut text);
    let count = read.map_err(|why| format!("cannot read {}: {why}", path.display()))?;
    if u64::try_from(count).is_ok_and(|count| count <= limit) {
        Ok(text)
    } else {
        Err(format!("{} is over {limit} bytes", path.display()))
    }
}
