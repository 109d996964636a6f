//! Old entries that are dropped, and what stays in their place.
//!
//! The `pruned` entry is durable first. Then the journal is made anew beside
//! itself, without what it drops and with the tree hashes that stand for that,
//! and the two folders change places in one step: under its name the journal
//! is whole at every moment. A crash before that step leaves the rest to the
//! next opening.

use super::JournalError;
use super::committer::lock;
use super::disk::{io_error, segment_path, sync_dir};
use super::read::segments;
use super::removed::{Step, each_line};
use crate::gaps::{KEPT, PROOF};
use crate::tlog::Frontier;
use crate::{Gaps, GapsMaker, Kind, Line, MAX_PROOF_BYTES};
use countersign_core::{Digest, LoginId};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What pruning drops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruning {
    /// Entries below this, but for what is kept of them.
    pub before: u64,
    /// L of the last of them.
    pub head: Digest,
    /// The root over all of them.
    pub root: Digest,
    /// How many are dropped that are there now.
    pub entries: u64,
    /// Logins that are dropped whole.
    pub logins: Vec<LoginId>,
}

/// What says of each entry whether it stays. It is told by the journal alone,
/// so that a crash changes nothing about it.
#[derive(Default)]
struct Keep {
    /// When logins were closed. One that is open, or was closed later, is kept
    /// whole: its chain would have no beginning.
    closed: BTreeMap<String, u64>,
    /// The checkpoint before each entry that declares something gone, which
    /// counts by that one: its seq and size.
    vouching: BTreeMap<u64, u64>,
}

impl Keep {
    fn read(dir: &Path) -> Result<Self, JournalError> {
        let mut keep = Self::default();
        let mut checkpoint = None;
        each_entry(dir, |line, _, _| {
            match (line.kind.parse(), &line.sess) {
                (Ok(Kind::SessionClosed), Some(sess)) => {
                    keep.closed.insert(sess.id.to_owned(), line.seq);
                }
                (Ok(Kind::Checkpoint), _) => {
                    let body = line.body().map_err(|bad| bad.to_string())?;
                    checkpoint = body.get("size").and_then(crate::Value::as_int).map(|size| (line.seq, size));
                }
                (Ok(Kind::Erasure | Kind::Redaction | Kind::Pruned), _) => keep.vouching.extend(checkpoint),
                _ => {}
            }
            Ok(())
        })?;
        Ok(keep)
    }

    /// Whether an entry goes with everything below `before`.
    fn drops(&self, line: &Line<'_>, before: u64) -> bool {
        if line.seq == 0 || line.seq >= before || self.vouching.contains_key(&line.seq) {
            return false;
        }
        match &line.sess {
            Some(sess) => self.closed.get(sess.id).is_some_and(|at| *at < before),
            None => !line.kind.parse().is_ok_and(stays),
        }
    }

    /// Whether the root must be known before this entry.
    fn is_end(&self, seq: u64) -> bool {
        self.vouching.values().any(|size| *size == seq)
    }
}

/// Kinds without which what comes later cannot be judged.
fn stays(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::HostStarted
            | Kind::KeyRotated
            | Kind::ClockStep
            | Kind::PolicyChanged
            | Kind::PolicyText
            | Kind::Erasure
            | Kind::Redaction
            | Kind::Pruned
            | Kind::Gap
    )
}

/// What would be dropped of the entries below `limit`; `None` where that is
/// nothing. The journal must have been opened, and be written by nobody.
pub fn plan_pruning(dir: &Path, limit: u64) -> Result<Option<Pruning>, JournalError> {
    let keep = Keep::read(dir)?;
    let gaps = read_gaps(dir)?;
    let mut tree = Frontier::default();
    let mut found: Option<Pruning> = None;
    each_entry(dir, |line, _, path| {
        for subtree in bridge(&gaps, tree.size(), line.seq, path)? {
            tree.push_subtree(&subtree);
        }
        let leaf = line.leaf_hash();
        tree.push(leaf);
        if keep.drops(line, limit) {
            let entries = found.as_ref().map_or(0, |found| found.entries).saturating_add(1);
            let before = line.seq.saturating_add(1);
            found = Some(Pruning { before, head: leaf, root: tree.root(), entries, logins: Vec::new() });
        }
        Ok(())
    })?;
    let gone = keep.closed.iter().filter(|(_, at)| **at < limit).filter_map(|(id, _)| id.parse().ok());
    let found = found.map(|found| Pruning { logins: gone.collect(), ..found });
    if found.is_some() {
        exchange_works(dir)?;
    }
    Ok(found)
}

/// Drops what the last `pruned` entry declares, as the next opening would.
pub fn finish_pruning(dir: &Path) -> Result<(), JournalError> {
    let _lock = lock(dir)?;
    drop_beside(dir)?;
    let mut last: Option<(u64, Digest)> = None;
    each_entry(dir, |line, _, _| {
        if line.kind == Kind::Pruned.as_str() {
            let body = line.body().map_err(|bad| bad.to_string())?;
            last = declared(&body).into_iter().chain(last).max_by_key(|(before, _)| *before);
        }
        Ok(())
    })?;
    match last {
        Some((before, root)) => apply(dir, before, root, &mut || Ok(())),
        None => Ok(()),
    }
}

/// What a `pruned` entry says.
pub(super) fn declared(body: &crate::Value) -> Option<(u64, Digest)> {
    body.get("before").and_then(crate::Value::as_int).zip(body.member("root"))
}

/// Makes the journal anew without the entries below `before`, and puts it in
/// its own place. `step` is asked before each change of the file system.
pub(super) fn apply(dir: &Path, before: u64, root: Digest, step: Step<'_>) -> Result<(), JournalError> {
    let new = beside(dir);
    let io = |error| io_error("write", &new, error);
    step().and_then(|()| DirBuilder::new().mode(0o700).create(&new)).map_err(io)?;
    let proof = write_files(dir, &new, before, root, step)?;
    step().and_then(|()| write_synced(&new.join(PROOF), proof.as_bytes())).map_err(io)?;
    link_rest(dir, &new, before, step).map_err(io)?;
    step().and_then(|()| sync_dir(&new)).map_err(io)?;
    step().and_then(|()| exchange(dir, &new)).map_err(io)?;
    step().and_then(|()| sync_parent(dir)).map_err(io)?;
    step().map_err(io)?;
    drop_beside(dir)
}

/// Writes what is kept, and the file that begins with `before` where that
/// stood in the middle of one; the text of the proof comes back.
fn write_files(dir: &Path, new: &Path, before: u64, root: Digest, step: Step<'_>) -> Result<String, JournalError> {
    let keep = Keep::read(dir)?;
    let gaps = read_gaps(dir)?;
    let first = segment_path(new, before);
    let cut_in_two = segments(dir)?.iter().rfind(|(seq, _)| *seq <= before).is_some_and(|(seq, _)| *seq < before);
    let create = |path: &Path| -> Result<BufWriter<File>, JournalError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        file.map(BufWriter::new).map_err(|error| io_error("create", path, error))
    };
    let mut kept = create(&new.join(KEPT))?;
    let mut rest = if cut_in_two { Some(create(&first)?) } else { None };
    let (mut tree, mut maker, mut next, mut in_it) = (Frontier::default(), GapsMaker::default(), 0, None);
    each_entry(dir, |line, text, path| {
        step().map_err(|error| error.to_string())?;
        for subtree in bridge(&gaps, next, line.seq.min(before), path)? {
            if keep.is_end(next) {
                maker.end();
            }
            maker.leave_out_all(next, &subtree);
            next = next.saturating_add(subtree.leaves());
            tree.push_subtree(&subtree);
        }
        let leaf = line.leaf_hash();
        if line.seq < before {
            tree.push(leaf);
            next = line.seq.saturating_add(1);
            if keep.is_end(line.seq) {
                maker.end();
            }
            if keep.drops(line, before) {
                maker.leave_out(line.seq, leaf);
            } else {
                writeln!(kept, "{text}").map_err(|error| error.to_string())?;
            }
        } else if let Some(rest) = rest.as_mut().filter(|_| in_it.get_or_insert_with(|| path.to_owned()) == path) {
            writeln!(rest, "{text}").map_err(|error| error.to_string())?;
        }
        Ok(())
    })?;
    for (mut file, path) in [(Some(kept), new.join(KEPT)), (rest, first)] {
        let io = |error| io_error("write", &path, error);
        if let Some(file) = &mut file {
            file.flush().and_then(|()| file.get_ref().sync_all()).map_err(io)?;
        }
    }
    if (tree.size(), tree.root()) != (before, root) {
        let why = format!("the tree over its entries below {before} is not the one that was declared");
        return Err(JournalError::Layout { path: dir.to_owned(), why });
    }
    maker.finish().encode().map_err(|bad| io_error("write", &new.join(PROOF), io::Error::other(bad)))
}

/// Files that stay as they are are the same files.
fn link_rest(dir: &Path, new: &Path, before: u64, step: Step<'_>) -> io::Result<()> {
    for item in std::fs::read_dir(dir)? {
        let path = item?.path();
        let name = path.file_name().unwrap_or_default();
        let text = name.to_string_lossy();
        let digits = text.strip_suffix(".jsonl").and_then(|digits| digits.parse::<u64>().ok());
        let stays = digits.is_some_and(|first| first >= before) || text == "lock" || text.starts_with("torn-");
        if stays {
            step()?;
            std::fs::hard_link(&path, new.join(name))?;
        }
    }
    Ok(())
}

/// Tells of each entry, kept ones first: its line, its text and its file.
fn each_entry(
    dir: &Path,
    mut tell: impl FnMut(&Line<'_>, &str, &Path) -> Result<(), String>,
) -> Result<(), JournalError> {
    let kept = Some((0, dir.join(KEPT))).filter(|(_, path)| path.exists());
    for (_, path) in kept.into_iter().chain(segments(dir)?) {
        each_line(&path, |text| {
            let line = Line::parse(text.as_bytes()).map_err(io::Error::other)?;
            tell(&line, text, &path).map_err(io::Error::other)
        })?;
    }
    Ok(())
}

/// Tells of each line of a journal that was opened, kept ones first.
pub fn for_each_line(dir: &Path, mut tell: impl FnMut(&str) -> io::Result<()>) -> Result<(), JournalError> {
    let kept = Some((0, dir.join(KEPT))).filter(|(_, path)| path.exists());
    kept.into_iter().chain(segments(dir)?).try_for_each(|(_, path)| each_line(&path, &mut tell))
}

/// What stands for the entries between; none where there are none.
fn bridge(gaps: &Gaps, from: u64, to: u64, path: &Path) -> Result<Vec<crate::tlog::Subtree>, String> {
    let missing = || format!("{}: entries {from} to {to} are missing", path.display());
    if from >= to { Ok(Vec::new()) } else { gaps.bridge(from, to).ok_or_else(missing) }
}

/// `proof.json` of a journal, where it has one.
pub(super) fn read_gaps(dir: &Path) -> Result<Gaps, JournalError> {
    let path = dir.join(PROOF);
    let mut text = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(MAX_PROOF_BYTES).read_to_end(&mut text));
    match read {
        Ok(_) => Gaps::parse(&text).map_err(|bad| JournalError::Layout { path, why: bad.to_string() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Gaps::default()),
        Err(error) => Err(io_error("read", &path, error)),
    }
}

/// Where the journal is made anew.
fn beside(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    dir.with_file_name(name)
}

/// Removes what a crash left beside the journal: an unfinished new one, or the
/// old one.
pub(super) fn drop_beside(dir: &Path) -> Result<(), JournalError> {
    let path = beside(dir);
    match std::fs::remove_dir_all(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", &path, error)),
    }
}

fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)?)
}

/// Not every file system can; that must be known before anything is recorded.
fn exchange_works(dir: &Path) -> Result<(), JournalError> {
    let (one, other) = (beside(dir), beside(&beside(dir)));
    let made = [&one, &other].into_iter().try_for_each(|path| DirBuilder::new().mode(0o700).create(path));
    let done = made.and_then(|()| exchange(&one, &other));
    for path in [&one, &other] {
        // Either may never have been made.
        std::fs::remove_dir(path).ok();
    }
    done.map_err(|error| io_error("exchange folders beside", dir, error))
}

fn sync_parent(dir: &Path) -> io::Result<()> {
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_dir)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
