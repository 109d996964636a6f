//! What there is to verify: a directory, one journal file, or a bundle, all
//! seen as journal files in order and recordings by login. Reads only.

use super::checks::Check;
use super::folder;
pub(crate) use super::folder::{Blob, Folder, Named};
use super::parts::Scope;
use super::report::Findings;
use crate::bundle;
use crate::{Gaps, MAX_PROOF_BYTES};
use countersign_core::LoginId;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

/// A journal file.
#[derive(Debug, Clone)]
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
    /// In `recordings` of this folder; the list was made before the journal was looked at, so that
    /// a login that opens meanwhile is not taken for a stray recording.
    Folder(Folder, Vec<LoginId>),
    /// In a bundle.
    Members(BTreeMap<LoginId, Blob>),
}

impl Recordings {
    /// The recording of a login.
    pub fn find(&self, login: LoginId) -> io::Result<Option<Blob>> {
        match self {
            Self::NotGiven => Ok(None),
            Self::Members(members) => Ok(members.get(&login).cloned()),
            Self::Folder(root, _) => {
                there(root.within("recordings").and_then(|folder| folder.file(&format!("{login}.cast"))))
            }
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
    let blob = match folder::named(path) {
        Ok(Named::Folder(folder)) => return open_folder(&folder, findings),
        Ok(Named::File(blob)) => blob,
        Ok(Named::Other) => {
            findings.add(Check::SourceUnknown, None, Some(&shown), "is neither a folder nor a regular file");
            return None;
        }
        Err(error) => {
            findings.add(Check::SourceUnknown, None, Some(&shown), format!("cannot be read: {error}"));
            return None;
        }
    };
    match first_bytes(&blob) {
        Ok(head) if head.first() == Some(&b'{') => {
            let file = JournalFile { name: shown, first_seq: None, blob };
            Some(Source { journal: vec![file], recordings: Recordings::NotGiven, gaps: Gaps::default(), scope: None })
        }
        Ok(head) if bundle::looks_like_one(&head) => open_bundle(&blob, &shown, findings),
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

fn first_bytes(blob: &Blob) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    blob.range(0, 512)?.read_to_end(&mut head)?;
    Ok(head)
}

fn open_bundle(blob: &Blob, shown: &str, findings: &mut Findings) -> Option<Source> {
    match bundle::index(blob) {
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

/// The folder that holds `journal` (and `recordings`), and that journal:
/// `dir/host` of a state directory, or `dir` itself. `None` where there is none.
pub(crate) fn host_folder(dir: &Folder) -> io::Result<Option<(Folder, Folder)>> {
    let host = there(dir.within("host"))?;
    for root in host.into_iter().chain([dir.clone()]) {
        if let Some(journal) = there(root.within("journal"))? {
            return Ok(Some((root, journal)));
        }
    }
    Ok(None)
}

/// What is not there is no error.
pub(crate) fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn open_folder(dir: &Folder, findings: &mut Findings) -> Option<Source> {
    let shown = dir.path.display().to_string();
    let (root, journal) = match host_folder(dir) {
        Ok(Some(found)) => found,
        Ok(None) => {
            let text = "holds neither host/journal nor journal; name a state directory, a journal file or a bundle";
            findings.add(Check::SourceUnknown, None, Some(&shown), text);
            return None;
        }
        Err(error) => {
            let text = format!("its host or journal cannot be read: {error}");
            findings.add(Check::SourceDamaged, None, Some(&shown), text);
            return None;
        }
    };
    if root.path != dir.path && !matches!(there(dir.within("journal")), Ok(None)) {
        let text = "holds both host/journal and journal: two histories; name the folder of the one that is meant";
        findings.add(Check::SourceDamaged, None, Some(&shown), text);
    }
    let listed = match list_recordings(&root) {
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
    let (gaps, scope) = match left_out(&root, &journal) {
        Ok(found) => found,
        Err(text) => {
            findings.add(Check::SourceDamaged, None, Some("journal"), text);
            return None;
        }
    };
    match list_journal(&journal, findings) {
        Ok(journal) => Some(Source { journal, recordings: Recordings::Folder(root, listed), gaps, scope }),
        Err(error) => {
            findings.add(Check::SourceUnknown, None, Some("journal"), format!("cannot be read: {error}"));
            None
        }
    }
}

pub(crate) use crate::gaps::{KEPT, PROOF};

/// `proof.json` of a journal, and the manifest of an unpacked bundle, where they are.
fn left_out(root: &Folder, journal: &Folder) -> Result<(Gaps, Option<Scope>), String> {
    let read = |folder: &Folder, name: &str, most: u64| {
        let failed = |error: io::Error| format!("{}: {error}", folder.path.join(name).display());
        let Some(blob) = there(folder.file(name)).map_err(failed)? else { return Ok(None) };
        if blob.length > most {
            return Err(format!("{} is too long", blob.path.display()));
        }
        let mut text = Vec::new();
        blob.range(0, blob.length).and_then(|mut bytes| bytes.read_to_end(&mut text)).map_err(failed)?;
        Ok(Some(text))
    };
    let gaps = read(journal, PROOF, MAX_PROOF_BYTES)?;
    let gaps = gaps.map(|text| Gaps::parse(&text).map_err(|error| error.to_string())).transpose()?;
    let manifest = read(root, bundle::MANIFEST, bundle::MAX_TEXT)?;
    let scope = manifest.map(|text| bundle::scope_of(&text).map_err(|error| error.to_string())).transpose()?;
    Ok((gaps.unwrap_or_default(), scope.flatten()))
}

/// Logins that have a recording in `recordings` of `root`, and names that are
/// none. A folder that is not there has none.
pub(crate) fn list_recordings(root: &Folder) -> io::Result<(Vec<LoginId>, Vec<String>)> {
    let Some(recordings) = there(root.within("recordings"))? else { return Ok((Vec::new(), Vec::new())) };
    let (mut logins, mut odd) = (Vec::new(), Vec::new());
    for name in recordings.names()? {
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

fn list_journal(dir: &Folder, findings: &mut Findings) -> io::Result<Vec<JournalFile>> {
    let mut files = Vec::new();
    for name in dir.names()? {
        let shown = format!("journal/{name}");
        let Some(first_seq) = first_seq_of(&name).or_else(|| (name == KEPT).then_some(0)) else {
            if name != "lock" && name != PROOF && !name.starts_with("torn-") {
                findings.warn("journal.odd", format!("{shown} is no journal file and was not looked at"));
            }
            continue;
        };
        match dir.file(&name) {
            Ok(blob) => files.push(JournalFile { name: shown, first_seq: Some(first_seq), blob }),
            Err(error) => findings.add(Check::SourceDamaged, None, Some(&shown), error.to_string()),
        }
    }
    files.sort_by_key(|file| (file.first_seq, file.name != format!("journal/{KEPT}")));
    Ok(files)
}
