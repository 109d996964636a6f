//! Where the members of a bundle are.

use super::{BundleError, MANIFEST, MAX_TEXT, RECIPE, VERIFY_BY_HAND, scope_of};
use crate::verify::parts::Scope;
use crate::verify::source::{Blob, JournalFile, KEPT, PROOF, first_seq_of};
use crate::{Gaps, MAX_PROOF_BYTES};
use countersign_core::LoginId;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

const BLOCK: u64 = 512;
/// Most members a bundle may have.
const MAX_MEMBERS: usize = 1_000_000;

/// Where a bundle's members are.
#[derive(Debug)]
pub(crate) struct Index {
    /// Journal files in order.
    pub journal: Vec<JournalFile>,
    /// Recordings.
    pub recordings: BTreeMap<LoginId, Blob>,
    /// Whether the recipe is there and the one this version writes.
    pub recipe_is_ours: bool,
    /// What stands for entries that are left out.
    pub gaps: Gaps,
    /// What it says that it holds, where that is a part of a history.
    pub scope: Option<Scope>,
}

/// Whether a file's first 512 bytes are those of a tar that begins with `bundle.json`.
pub(crate) fn looks_like_one(head: &[u8]) -> bool {
    head.len() == 512 && head.starts_with(b"bundle.json\0") && head.get(257..262) == Some(b"ustar")
}

/// Reads the headers of a bundle; any doubt about its structure is an error.
pub(crate) fn index(whole: &Blob) -> Result<Index, BundleError> {
    let total = whole.length;
    let mut index = Index {
        journal: Vec::new(),
        recordings: BTreeMap::new(),
        recipe_is_ours: false,
        gaps: Gaps::default(),
        scope: None,
    };
    let mut seen = BTreeSet::new();
    let mut end = 0;
    let damaged = |error: io::Error| BundleError::Damaged(error.to_string());
    let mut archive = tar::Archive::new(BufReader::new(whole.seekable().map_err(damaged)?));
    for entry in archive.entries_with_seek().map_err(damaged)?.raw(true) {
        let entry = entry.map_err(damaged)?;
        let (name, blob) = member(whole, &entry, total)?;
        end = padded_end(&blob)?;
        if seen.len() >= MAX_MEMBERS {
            return Err(BundleError::Damaged(format!("more than {MAX_MEMBERS} members")));
        }
        if seen.is_empty() && name != MANIFEST {
            return Err(BundleError::Damaged("bundle.json is not the first member".to_owned()));
        }
        if !seen.insert(name.clone()) {
            return Err(BundleError::Damaged(format!("{name} stands twice")));
        }
        place(&mut index, name, blob)?;
    }
    rest_is_empty(whole, end)?;
    index.journal.sort_by_key(|file| (file.first_seq, file.name != format!("journal/{KEPT}")));
    Ok(index)
}

/// Name and place of a member: a regular file, wholly inside the tar.
fn member<R: Read>(whole: &Blob, entry: &tar::Entry<'_, R>, total: u64) -> Result<(String, Blob), BundleError> {
    let bytes = entry.header().path_bytes();
    let name = std::str::from_utf8(&bytes).map_err(|_| BundleError::Damaged("a name is not UTF-8".to_owned()))?;
    if entry.header().entry_type() != tar::EntryType::Regular {
        return Err(BundleError::Damaged(format!("{name} is not a regular file")));
    }
    let blob = whole.part(entry.raw_file_position(), entry.size());
    if blob.offset.checked_add(blob.length).is_none_or(|end| end > total) {
        return Err(BundleError::Damaged(format!("{name} is cut")));
    }
    Ok((name.to_owned(), blob))
}

/// The end of a member with its padding, which must be zero.
fn padded_end(blob: &Blob) -> Result<u64, BundleError> {
    let padding = blob.length.next_multiple_of(BLOCK).saturating_sub(blob.length);
    let mut bytes = Vec::new();
    let damaged = |error: io::Error| BundleError::Damaged(error.to_string());
    if padding > 0 {
        blob.range(blob.length, padding).map_err(damaged)?.read_to_end(&mut bytes).map_err(damaged)?;
    }
    if u64::try_from(bytes.len()).ok() != Some(padding) || bytes.iter().any(|b| *b != 0) {
        return Err(BundleError::Damaged("bytes that belong to no member".to_owned()));
    }
    Ok(blob.offset.saturating_add(blob.length).saturating_add(padding))
}

/// Sorts a member into the index; a name that is not allowed is an error.
fn place(index: &mut Index, name: String, blob: Blob) -> Result<(), BundleError> {
    if name == MANIFEST {
        index.scope = scope_of(&text(&blob, MAX_TEXT)?)?;
        return Ok(());
    }
    if name.strip_prefix("journal/") == Some(PROOF) {
        let text = text(&blob, MAX_PROOF_BYTES)?;
        index.gaps = Gaps::parse(&text).map_err(|error| BundleError::Damaged(error.to_string()))?;
        return Ok(());
    }
    if name.strip_prefix("journal/") == Some(KEPT) {
        index.journal.push(JournalFile { name, first_seq: Some(0), blob });
        return Ok(());
    }
    if name == RECIPE {
        index.recipe_is_ours = text(&blob, MAX_TEXT)? == VERIFY_BY_HAND.as_bytes();
        return Ok(());
    }
    if let Some(first_seq) = name.strip_prefix("journal/").and_then(first_seq_of) {
        index.journal.push(JournalFile { name, first_seq: Some(first_seq), blob });
        return Ok(());
    }
    let login = name.strip_prefix("recordings/").and_then(|n| n.strip_suffix(".cast")).and_then(|n| n.parse().ok());
    match login {
        Some(login) => {
            index.recordings.insert(login, blob);
            Ok(())
        }
        None => Err(BundleError::Damaged(format!("a member may not be named {name}"))),
    }
}

fn text(blob: &Blob, most: u64) -> Result<Vec<u8>, BundleError> {
    let damaged = |error: io::Error| BundleError::Damaged(error.to_string());
    if blob.length > most {
        return Err(BundleError::Damaged("bundle.json, proof.json or the recipe is too long".to_owned()));
    }
    let mut bytes = Vec::new();
    blob.range(0, blob.length).map_err(damaged)?.read_to_end(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

/// After the last member come zero blocks and nothing else: at least two.
fn rest_is_empty(whole: &Blob, end: u64) -> Result<(), BundleError> {
    let damaged = |error: io::Error| BundleError::Damaged(error.to_string());
    let length = whole.length.saturating_sub(end);
    if length < 2 * BLOCK || !length.is_multiple_of(BLOCK) {
        return Err(BundleError::Damaged("its end is cut".to_owned()));
    }
    let mut rest = whole.range(end, length).map_err(damaged)?;
    let mut buffer = [0; 8192];
    loop {
        let read = rest.read(&mut buffer).map_err(damaged)?;
        if read == 0 {
            return Ok(());
        }
        if buffer.iter().take(read).any(|b| *b != 0) {
            return Err(BundleError::Damaged("bytes after its end".to_owned()));
        }
    }
}
