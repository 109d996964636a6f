//! What there is to verify: a directory, one journal file, or a bundle, all
//! seen as journal files in order and recordings by login. Reads only.

use super::checks::Check;
use super::parts::Scope;
use super::report::Findings;
use crate::bundle;
use crate::{Gaps, MAX_PROOF_BYTES};
use countersign_core::LoginId;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A run of bytes in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    /// The file.
    pub path: PathBuf,
    /// Where it starts.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

impl Blob {
    /// The whole of a regular file; a link or folder is an error.
    pub fn whole(path: &Path) -> io::Result<Self> {
        let meta = std::fs::symlink_metadata(path)?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Self { path: path.to_owned(), offset: 0, length: meta.len() })
    }

    /// Reads `length` bytes from `offset` on, both within the blob.
    pub fn range(&self, offset: u64, length: u64) -> io::Result<impl Read + use<>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset.saturating_add(offset)))?;
        Ok(file.take(length))
    }
}

/// A journal file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalFile {
    /// Its name as findings show it, e.g. `journal/0000000000000000.jsonl`.
    pub name: String,
    /// The first seq its name promises; `None` for a file given by itself.
    pub first_seq: Option<u64>,
    /// Its bytes.
    pub blob: Blob,
}

/// Where recordings are.
#[derive(Debug)]
pub(crate) enum Recordings {
    /// Only a journal was given.
    NotGiven,
    /// In a folder; the list was made before the journal was looked at, so that
    /// a login that opens meanwhile is not taken for a stray recording.
    Folder(PathBuf, Vec<LoginId>),
    /// In a bundle.
    Members(BTreeMap<LoginId, Blob>),
}

impl Recordings {
    /// The recording of a login.
    pub fn find(&self, login: LoginId) -> io::Result<Option<Blob>> {
        match self {
            Self::NotGiven => Ok(None),
            Self::Members(members) => Ok(members.get(&login).cloned()),
            Self::Folder(dir, _) => match Blob::whole(&dir.join(format!("{login}.cast"))) {
                Ok(blob) => Ok(Some(blob)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// Every login that a recording is named after.
    pub fn logins(&self) -> Vec<LoginId> {
        match self {
            Self::NotGiven => Vec::new(),
            Self::Members(members) => members.keys().copied().collect(),
            Self::Folder(_, listed) => listed.clone(),
        }
    }
}

/// What there is to verify.
#[derive(Debug)]
pub(crate) struct Source {
    /// Journal files in order of their names.
    pub journal: Vec<JournalFile>,
    /// Recordings.
    pub recordings: Recordings,
    /// What stands for entries that are left out.
    pub gaps: Gaps,
    /// What a bundle says that it holds, where that is a part of a history.
    pub scope: Option<Scope>,
}

/// Looks at `path` and says what it is; `None`, with a finding, where it is
/// nothing that can be verified.
pub(super) fn open(path: &Path, findings: &mut Findings) -> Option<Source> {
    let shown = path.display().to_string();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            findings.add(Check::SourceUnknown, None, Some(&shown), format!("cannot be read: {error}"));
            return None;
        }
    };
    if meta.is_dir() {
        return open_folder(path, findings);
    }
    if !meta.is_file() {
        findings.add(Check::SourceUnknown, None, Some(&shown), "is neither a folder nor a regular file");
        return None;
    }
    match first_bytes(path) {
        Ok(head) if head.first() == Some(&b'{') => {
            let blob = Blob { path: path.to_owned(), offset: 0, length: meta.len() };
            let file = JournalFile { name: shown, first_seq: None, blob };
            Some(Source { journal: vec![file], recordings: Recordings::NotGiven, gaps: Gaps::default(), scope: None })
        }
        Ok(head) if bundle::looks_like_one(&head) => open_bundle(path, &shown, findings),
        Ok(head) if head.is_empty() => {
            findings.add(Check::SourceEmpty, None, Some(&shown), "the file is empty");
            None
        }
        Ok(_) => {
            findings.add(Check::SourceUnknown, None, Some(&shown), "is no journal and no bundle");
            None
        }
        Err(error) => {
            findings.add(Check::SourceUnknown, None, Some(&shown), format!("cannot be read: {error}"));
            None
        }
    }
}

fn first_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    File::open(path)?.take(512).read_to_end(&mut head)?;
    Ok(head)
}

fn open_bundle(path: &Path, shown: &str, findings: &mut Findings) -> Option<Source> {
    match bundle::index(path) {
        Ok(index) => {
            if !index.recipe_is_ours {
                findings.warn("bundle.recipe", "VERIFY-BY-HAND.txt is missing or not the text this version writes");
            }
            let (gaps, scope) = (index.gaps, index.scope);
            Some(Source { journal: index.journal, recordings: Recordings::Members(index.recordings), gaps, scope })
        }
        Err(error) => {
            findings.add(Check::BundleDamaged, None, Some(shown), error.to_string());
            None
        }
    }
}

/// The folder that holds `journal` (and `recordings`) under `dir`: `dir/host`
/// of a state directory, or `dir` itself.
pub(crate) fn host_folder(dir: &Path) -> Option<PathBuf> {
    let host = dir.join("host");
    [host, dir.to_owned()].into_iter().find(|folder| folder.join("journal").is_dir())
}

fn open_folder(dir: &Path, findings: &mut Findings) -> Option<Source> {
    let Some(root) = host_folder(dir) else {
        let text = "holds neither host/journal nor journal; name a state directory, a journal file or a bundle";
        findings.add(Check::SourceUnknown, None, Some(&dir.display().to_string()), text);
        return None;
    };
    if root != dir && dir.join("journal").exists() {
        let text = "holds both host/journal and journal: two histories; name the folder of the one that is meant";
        findings.add(Check::SourceDamaged, None, Some(&dir.display().to_string()), text);
    }
    let recordings = root.join("recordings");
    let listed = match list_recordings(&recordings) {
        Ok((listed, odd)) => {
            for name in odd {
                findings.warn("recordings.odd", format!("recordings/{name} is no recording and was not looked at"));
            }
            listed
        }
        Err(error) => {
            findings.add(Check::SourceDamaged, None, Some("recordings"), format!("cannot be read: {error}"));
            Vec::new()
        }
    };
    let (gaps, scope) = match left_out(&root) {
        Ok(found) => found,
        Err(text) => {
            findings.add(Check::SourceDamaged, None, Some("journal"), text);
            return None;
        }
    };
    match list_journal(&root.join("journal"), findings) {
        Ok(journal) => Some(Source { journal, recordings: Recordings::Folder(recordings, listed), gaps, scope }),
        Err(error) => {
            findings.add(Check::SourceUnknown, None, Some("journal"), format!("cannot be read: {error}"));
            None
        }
    }
}

pub(crate) use crate::gaps::{KEPT, PROOF};

/// `proof.json` of a journal, and the manifest of an unpacked bundle, where they are.
fn left_out(root: &Path) -> Result<(Gaps, Option<Scope>), String> {
    let read = |path: PathBuf, most: u64| match Blob::whole(&path) {
        Ok(blob) if blob.length > most => Err(format!("{} is too long", path.display())),
        Ok(_) => std::fs::read(&path).map(Some).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    };
    let gaps = read(root.join("journal").join(PROOF), MAX_PROOF_BYTES)?;
    let gaps = gaps.map(|text| Gaps::parse(&text).map_err(|error| error.to_string())).transpose()?;
    let manifest = read(root.join(bundle::MANIFEST), bundle::MAX_TEXT)?;
    let scope = manifest.map(|text| bundle::scope_of(&text).map_err(|error| error.to_string())).transpose()?;
    Ok((gaps.unwrap_or_default(), scope.flatten()))
}

/// Logins that have a recording in `dir`, and names that are none. A folder
/// that is not there has none.
pub(crate) fn list_recordings(dir: &Path) -> io::Result<(Vec<LoginId>, Vec<String>)> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(error),
    };
    let (mut logins, mut odd) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        match name.strip_suffix(".cast").and_then(|id| id.parse().ok()) {
            Some(login) => logins.push(login),
            None => odd.push(name),
        }
    }
    logins.sort_unstable();
    odd.sort_unstable();
    Ok((logins, odd))
}

/// The first seq that a journal file's name promises: 16 digits and `.jsonl`.
pub(crate) fn first_seq_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".jsonl")?;
    let plain = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

fn list_journal(dir: &Path, findings: &mut Findings) -> io::Result<Vec<JournalFile>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let shown = format!("journal/{name}");
        let Some(first_seq) = first_seq_of(&name).or_else(|| (name == KEPT).then_some(0)) else {
            if name != "lock" && name != PROOF && !name.starts_with("torn-") {
                findings.warn("journal.odd", format!("{shown} is no journal file and was not looked at"));
            }
            continue;
        };
        match Blob::whole(&dir.join(&name)) {
            Ok(blob) => files.push(JournalFile { name: shown, first_seq: Some(first_seq), blob }),
            Err(error) => findings.add(Check::SourceDamaged, None, Some(&shown), error.to_string()),
        }
    }
    files.sort_by_key(|file| (file.first_seq, file.name != format!("journal/{KEPT}")));
    Ok(files)
}
