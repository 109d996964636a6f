//! What an auditor takes away: one plain tar with `bundle.json`, the journal,
//! the recordings, and how to verify them by hand.
//!
//! A bundle is read where it is: only its headers are indexed, nothing is
//! unpacked. It brings no trust; nothing in it can raise a verdict.

use crate::verify::parts::Scope;
use crate::verify::source::{Blob, JournalFile, KEPT, PROOF, first_seq_of, host_folder, list_recordings};
use crate::{Gaps, MAX_PROOF_BYTES};
use countersign_core::LoginId;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The recipe with `jq`, `ssh-keygen` and `sha256sum`, as it stands in a bundle.
pub const VERIFY_BY_HAND: &str = include_str!("verify/VERIFY-BY-HAND.txt");

pub(crate) const MANIFEST: &str = "bundle.json";
const RECIPE: &str = "VERIFY-BY-HAND.txt";
const FORMAT: &str = "cs-bundle1";
const BLOCK: u64 = 512;
/// Most members a bundle may have.
const MAX_MEMBERS: usize = 1_000_000;
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

/// Writes the history in a state directory to a new file `out` (mode 0600; one
/// that exists is refused). The same history gives the same bytes. The host may
/// be running: what it adds meanwhile is left out.
pub fn write(dir: &Path, out: &Path) -> Result<Written, BundleError> {
    let root = host_folder(dir).ok_or_else(|| BundleError::NotAState(dir.to_owned()))?;
    let contents = gather(&root)?;
    let at_out = |error| BundleError::Io { verb: "write", path: out.to_owned(), error };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(at_out)?;
    let written = fill(file, &contents).map_err(at_out);
    if written.is_err() {
        std::fs::remove_file(out).map_err(at_out)?;
    }
    let bytes = written?;
    Ok(Written { members: contents.members.len().saturating_add(2), bytes, left_out: contents.left_out })
}

struct Contents {
    /// Names in the bundle and their bytes, in the order they are written.
    members: Vec<(String, Blob)>,
    left_out: Vec<String>,
}

/// Fixes what goes in: journal files up to their last whole line, and the
/// recordings that were there before or whose login that journal names.
fn gather(root: &Path) -> Result<Contents, BundleError> {
    let journal_dir = root.join("journal");
    let recordings_dir = root.join("recordings");
    let list = || list_recordings(&recordings_dir).map_err(at("list", &recordings_dir));
    let (before, _) = list()?;
    let (mut journal, mut left_out) = list_journal(&journal_dir)?;
    journal.sort();
    let mut members = Vec::new();
    for (_, name) in &journal {
        let path = journal_dir.join(name);
        let mut blob = Blob::whole(&path).map_err(at("read", &path))?;
        if journal.last().is_some_and(|(_, last)| last == name) {
            blob.length = whole_lines(&blob).map_err(at("read", &path))?;
        }
        members.push((format!("journal/{name}"), blob));
    }
    let (after, odd) = list()?;
    left_out.extend(odd.into_iter().map(|name| format!("recordings/{name}")));
    let before: BTreeSet<LoginId> = before.into_iter().collect();
    let logs: Vec<Blob> = members.iter().map(|(_, blob)| blob.clone()).collect();
    for login in after {
        let path = recordings_dir.join(format!("{login}.cast"));
        if before.contains(&login) || names_login(&logs, login).map_err(at("read", &journal_dir))? {
            let blob = Blob::whole(&path).map_err(at("read", &path))?;
            members.push((format!("recordings/{login}.cast"), blob));
        }
    }
    Ok(Contents { members, left_out })
}

fn at(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |error| BundleError::Io { verb, path: path.clone(), error }
}

type Named = Vec<(u64, String)>;

fn list_journal(dir: &Path) -> Result<(Named, Vec<String>), BundleError> {
    let (mut files, mut odd) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(dir).map_err(at("list", dir))? {
        let name = entry.map_err(at("list", dir))?.file_name().to_string_lossy().into_owned();
        match first_seq_of(&name) {
            Some(seq) => files.push((seq, name)),
            None if name == KEPT || name == PROOF => files.push((0, name)),
            None if name == "lock" => {}
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

fn names_login(journal: &[Blob], login: LoginId) -> io::Result<bool> {
    let wanted = login.to_string();
    for blob in journal {
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

fn fill(file: File, contents: &Contents) -> io::Result<u64> {
    let mut tar = tar::Builder::new(io::BufWriter::new(file));
    let manifest = format!("{{\"fmt\":\"{FORMAT}\",\"software\":\"countersign {}\"}}\n", env!("CARGO_PKG_VERSION"));
    append(&mut tar, MANIFEST, manifest.len(), manifest.as_bytes())?;
    append(&mut tar, RECIPE, VERIFY_BY_HAND.len(), VERIFY_BY_HAND.as_bytes())?;
    for (name, blob) in &contents.members {
        let exact = Exact { inner: blob.range(0, blob.length)?, left: blob.length };
        let length = usize::try_from(blob.length).map_err(io::Error::other)?;
        append(&mut tar, name, length, exact)?;
    }
    let file = tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn append(tar: &mut tar::Builder<impl Write>, name: &str, length: usize, data: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(u64::try_from(length).map_err(io::Error::other)?);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    tar.append(&header, data)
}

/// A reader that fails where its file turns out shorter than promised.
struct Exact<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was copied"));
        }
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

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
pub(crate) fn index(path: &Path) -> Result<Index, BundleError> {
    let io_error = |error| BundleError::Io { verb: "read", path: path.to_owned(), error };
    let file = File::open(path).map_err(io_error)?;
    let total = file.metadata().map_err(io_error)?.len();
    let mut index = Index {
        journal: Vec::new(),
        recordings: BTreeMap::new(),
        recipe_is_ours: false,
        gaps: Gaps::default(),
        scope: None,
    };
    let mut seen = BTreeSet::new();
    let mut end = 0;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let damaged = |error: io::Error| BundleError::Damaged(error.to_string());
    for entry in archive.entries_with_seek().map_err(damaged)?.raw(true) {
        let entry = entry.map_err(damaged)?;
        let (name, blob) = member(path, &entry, total)?;
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
    rest_is_empty(path, end, total)?;
    index.journal.sort_by_key(|file| (file.first_seq, file.name != format!("journal/{KEPT}")));
    Ok(index)
}

/// Name and place of a member: a regular file, wholly inside the tar.
fn member<R: Read>(path: &Path, entry: &tar::Entry<'_, R>, total: u64) -> Result<(String, Blob), BundleError> {
    let bytes = entry.header().path_bytes();
    let name = std::str::from_utf8(&bytes).map_err(|_| BundleError::Damaged("a name is not UTF-8".to_owned()))?;
    if entry.header().entry_type() != tar::EntryType::Regular {
        return Err(BundleError::Damaged(format!("{name} is not a regular file")));
    }
    let blob = Blob { path: path.to_owned(), offset: entry.raw_file_position(), length: entry.size() };
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

/// What a manifest says that the bundle holds; `None` for a whole history.
pub(crate) fn scope_of(text: &[u8]) -> Result<Option<Scope>, BundleError> {
    let manifest: Manifest =
        serde_json::from_slice(text).map_err(|error| BundleError::Damaged(format!("bundle.json: {error}")))?;
    if manifest.fmt != FORMAT {
        return Err(BundleError::Damaged(format!("bundle.json is not of the format {FORMAT}")));
    }
    Ok(match manifest.part {
        None => None,
        Some(Part { name: Some(name), logins: Some(logins), since: None }) => Some(Scope::Logins { name, logins }),
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

/// After the last member come zero blocks and nothing else: at least two.
fn rest_is_empty(path: &Path, end: u64, total: u64) -> Result<(), BundleError> {
    let damaged = |error: io::Error| BundleError::Damaged(error.to_string());
    let length = total.saturating_sub(end);
    if length < 2 * BLOCK || !length.is_multiple_of(BLOCK) {
        return Err(BundleError::Damaged("its end is cut".to_owned()));
    }
    let mut file = File::open(path).map_err(damaged)?;
    file.seek(SeekFrom::Start(end)).map_err(damaged)?;
    let mut buffer = [0; 8192];
    loop {
        let read = file.read(&mut buffer).map_err(damaged)?;
        if read == 0 {
            return Ok(());
        }
        if buffer.iter().take(read).any(|b| *b != 0) {
            return Err(BundleError::Damaged("bytes after its end".to_owned()));
        }
    }
}
