//! Writes a bundle of a whole history.

use super::{BundleError, FORMAT, MANIFEST, MAX_LINE, Manifest, Part, RECIPE, VERIFY_BY_HAND, Written, at};
use crate::verify::folder;
use crate::verify::source::{Blob, Folder, KEPT, Named, PROOF, first_seq_of, host_folder, list_recordings, there};
use countersign_core::LoginId;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Writes the history in a state directory to a new file `out` (mode 0600; one
/// that exists is refused). The same history gives the same bytes. The host may
/// be running: what it adds meanwhile is left out.
pub fn write(dir: &Path, out: &Path) -> Result<Written, BundleError> {
    let There { journal, proof, recordings, left_out, .. } = gather(dir)?;
    let recordings = recordings.into_iter().map(|(login, blob)| (format!("recordings/{login}.cast"), blob));
    let files = journal.into_iter().chain(proof).chain(recordings);
    let members = files.map(|(name, blob)| (name, vec![Piece::File(blob)])).collect();
    put(out, None, Contents { members, left_out })
}

/// Writes a bundle, or nothing.
pub(super) fn put(out: &Path, part: Option<Part>, contents: Contents) -> Result<Written, BundleError> {
    let at_out = |error| BundleError::Io { verb: "write", path: out.to_owned(), error };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(at_out)?;
    let written = fill(file, part, &contents).map_err(at_out);
    if written.is_err() {
        std::fs::remove_file(out).map_err(at_out)?;
    }
    let bytes = written?;
    Ok(Written { members: contents.members.len().saturating_add(2), bytes, left_out: contents.left_out })
}

/// What lies in a state directory, as long as it was when it was looked at.
pub(super) struct There {
    /// The folder that holds journal and recordings.
    pub(super) root: PathBuf,
    /// Names in a bundle and bytes: first what a pruned history has kept.
    pub(super) journal: Vec<(String, Blob)>,
    /// The tree hashes of what such a one has not.
    pub(super) proof: Option<(String, Blob)>,
    pub(super) recordings: BTreeMap<LoginId, Blob>,
    pub(super) left_out: Vec<String>,
}

/// What goes into a bundle besides the manifest and the recipe.
pub(super) struct Contents {
    /// Names in the bundle and what they are put together of, in the order they are written.
    pub(super) members: Vec<(String, Vec<Piece>)>,
    pub(super) left_out: Vec<String>,
}

/// A piece of a member.
pub(super) enum Piece {
    File(Blob),
    Text(String),
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::File(blob) => blob.length,
            Self::Text(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
        }
    }
}

/// Fixes what goes in: journal files up to their last whole line, and the
/// recordings that were there before or whose login that journal names.
pub(super) fn gather(dir: &Path) -> Result<There, BundleError> {
    let named = match folder::named(dir).map_err(at("read", dir))? {
        Named::Folder(folder) => host_folder(&folder).map_err(at("read", dir))?,
        Named::File(_) | Named::Other => None,
    };
    let (root, journal_dir) = named.ok_or_else(|| BundleError::NotAState(dir.to_owned()))?;
    let list = || list_recordings(&root).map_err(at("list", &root.path.join("recordings")));
    let (before, _) = list()?;
    let (mut journal, mut left_out) = list_journal(&journal_dir)?;
    journal.sort();
    let mut files = Vec::new();
    for (_, name) in &journal {
        let path = journal_dir.path.join(name);
        let mut blob = journal_dir.file(name).map_err(at("read", &path))?;
        if journal.last().is_some_and(|(_, last)| last == name) {
            blob.length = whole_lines(&blob).map_err(at("read", &path))?;
        }
        files.push((format!("journal/{name}"), blob));
    }
    let proof = there(journal_dir.file(PROOF)).map_err(at("read", &journal_dir.path.join(PROOF)))?;
    let proof = proof.map(|blob| (format!("journal/{PROOF}"), blob));
    let (after, odd) = list()?;
    left_out.extend(odd.into_iter().map(|name| format!("recordings/{name}")));
    let before: BTreeSet<LoginId> = before.into_iter().collect();
    let mut recordings = BTreeMap::new();
    for login in after {
        let name = format!("{login}.cast");
        if before.contains(&login) || names_login(&files, login).map_err(at("read", &journal_dir.path))? {
            let found = root.within("recordings").and_then(|folder| folder.file(&name));
            recordings.insert(login, found.map_err(at("read", &root.path.join("recordings").join(name)))?);
        }
    }
    Ok(There { root: root.path, journal: files, proof, recordings, left_out })
}

type Listed = Vec<(Option<u64>, String)>;

fn list_journal(dir: &Folder) -> Result<(Listed, Vec<String>), BundleError> {
    let (mut files, mut odd) = (Vec::new(), Vec::new());
    for name in dir.names().map_err(at("list", &dir.path))? {
        match first_seq_of(&name) {
            Some(seq) => files.push((Some(seq), name)),
            // What was kept comes before everything.
            None if name == KEPT => files.push((None, name)),
            None if name == "lock" || name == PROOF => {}
            None => odd.push(format!("journal/{name}")),
        }
    }
    odd.sort();
    Ok((files, odd))
}

/// The length of a file up to its last newline; its whole length where the
/// longest allowed tail holds none.
fn whole_lines(blob: &Blob) -> io::Result<u64> {
    let start = blob.length.saturating_sub(MAX_LINE);
    let mut tail = Vec::new();
    blob.range(start, blob.length - start)?.read_to_end(&mut tail)?;
    let newline = tail.iter().rposition(|b| *b == b'\n').and_then(|i| u64::try_from(i).ok());
    Ok(match newline {
        Some(i) => start.saturating_add(i).saturating_add(1),
        None if start == 0 => 0,
        None => blob.length,
    })
}

fn names_login(journal: &[(String, Blob)], login: LoginId) -> io::Result<bool> {
    let wanted = login.to_string();
    for (_, blob) in journal {
        let mut reader = BufReader::new(blob.range(0, blob.length)?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = io::BufRead::read_until(&mut reader.by_ref().take(MAX_LINE), b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            if line.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn fill(file: File, part: Option<Part>, contents: &Contents) -> io::Result<u64> {
    let mut tar = tar::Builder::new(io::BufWriter::new(file));
    let software = format!("countersign {}", env!("CARGO_PKG_VERSION"));
    let mut manifest = serde_json::to_string(&Manifest { fmt: FORMAT.to_owned(), part, software })?;
    manifest.push('\n');
    append(&mut tar, MANIFEST, u64::try_from(manifest.len()).map_err(io::Error::other)?, manifest.as_bytes())?;
    append(
        &mut tar,
        RECIPE,
        u64::try_from(VERIFY_BY_HAND.len()).map_err(io::Error::other)?,
        VERIFY_BY_HAND.as_bytes(),
    )?;
    for (name, pieces) in &contents.members {
        let length = pieces.iter().fold(0, |sum: u64, piece| sum.saturating_add(piece.length()));
        append(&mut tar, name, length, Pieces { rest: pieces.iter(), open: None })?;
    }
    let file = tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn append(tar: &mut tar::Builder<impl Write>, name: &str, length: u64, data: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(length);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    tar.append(&header, data)
}

/// The bytes of pieces one after the other. Fails where a file turns out
/// shorter than promised.
struct Pieces<'a> {
    rest: std::slice::Iter<'a, Piece>,
    open: Option<(Box<dyn Read + 'a>, u64)>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            let Some((reader, left)) = self.open.as_mut().filter(|(_, left)| *left > 0) else {
                let Some(piece) = self.rest.next() else { return Ok(0) };
                let reader: Box<dyn Read> = match piece {
                    Piece::File(blob) => Box::new(blob.range(0, blob.length)?),
                    Piece::Text(text) => Box::new(text.as_bytes()),
                };
                self.open = Some((reader, piece.length()));
                continue;
            };
            let read = reader.read(buffer)?;
            if read == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the file became shorter while it was copied",
                ));
            }
            *left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
            return Ok(read);
        }
        Ok(0)
    }
}
