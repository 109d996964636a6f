//! What an auditor takes away: one plain tar with `bundle.json`, the journal,
//! the recordings, and how to verify them by hand.
//!
//! A bundle is read where it is: only its headers are indexed, nothing is
//! unpacked. It brings no trust; nothing in it can raise a verdict.

mod part;
mod read;
mod write;

use crate::verify::parts::Scope;
use countersign_core::LoginId;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

pub use part::{Selection, Since, part_of};
pub(crate) use read::{index, looks_like_one};
pub use write::write;

/// The recipe with `jq`, `ssh-keygen` and `sha256sum`, as it stands in a bundle.
pub const VERIFY_BY_HAND: &str = include_str!("../verify/VERIFY-BY-HAND.txt");

pub(crate) const MANIFEST: &str = "bundle.json";
const RECIPE: &str = "VERIFY-BY-HAND.txt";
const FORMAT: &str = "cs-bundle1";
/// Longest `bundle.json` or recipe, in bytes.
pub(crate) const MAX_TEXT: u64 = 1024 * 1024;
/// Longest line of a journal with its newline, in bytes.
const MAX_LINE: u64 = 1024 * 1024 + 1;

/// A bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be read or written.
    #[error("cannot {verb} {}: {error}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// With which file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The folder is no state directory.
    #[error("{} holds neither host/journal nor journal; name a state directory", .0.display())]
    NotAState(PathBuf),
    /// The tar is not a bundle, or damaged.
    #[error("the bundle is damaged: {0}")]
    Damaged(String),
    /// The history has nothing of what was asked for.
    #[error("{0}")]
    NotThere(String),
    /// The history itself is damaged; verify it to see where.
    #[error("the ledger in {} is damaged: {why}; `countersign verify` says more", path.display())]
    BadLedger {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Members of the bundle.
    pub members: usize,
    /// Its length in bytes.
    pub bytes: u64,
    /// Files of the journal and recordings folders that are neither and were left out.
    pub left_out: Vec<String>,
}

fn at(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |error| BundleError::Io { verb, path: path.clone(), error }
}

/// What a manifest says that the bundle holds; `None` for a whole history.
pub(crate) fn scope_of(text: &[u8]) -> Result<Option<Scope>, BundleError> {
    let bad = |error: serde_json::Error| BundleError::Damaged(format!("bundle.json: {error}"));
    let manifest: Manifest = serde_json::from_slice(text).map_err(bad)?;
    // Derived readers also take the members of an object as a list without names.
    let written: serde_json::Value = serde_json::from_slice(text).map_err(bad)?;
    if !written.is_object() || written.get("part").is_some_and(serde_json::Value::is_array) {
        return Err(BundleError::Damaged("bundle.json is not an object".to_owned()));
    }
    if manifest.fmt != FORMAT {
        return Err(BundleError::Damaged(format!("bundle.json is not of the format {FORMAT}")));
    }
    Ok(match manifest.part {
        None => None,
        Some(Part { name: Some(name), logins: Some(logins), since: None }) => {
            if logins.iter().collect::<BTreeSet<_>>().len() != logins.len() {
                return Err(BundleError::Damaged("the part of bundle.json names a login twice".to_owned()));
            }
            Some(Scope::Logins { name, logins })
        }
        Some(Part { name: None, logins: None, since: Some(since) }) => Some(Scope::Since(since)),
        Some(_) => {
            return Err(BundleError::Damaged(
                "the part of bundle.json is neither name and logins nor since".to_owned(),
            ));
        }
    })
}

/// `bundle.json`.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub fmt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    #[serde(default)]
    pub software: String,
}

/// What a part of a history holds.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logins: Option<Vec<LoginId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}
