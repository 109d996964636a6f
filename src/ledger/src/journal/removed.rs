//! What a journal's own entries say was taken out of it: openings that an
//! `erasure` or `redaction` names, and recordings.
//!
//! The entry is durable first, the openings are cut after. A crash in between
//! leaves both, and each opening of the journal finishes what it finds. So no
//! opening is ever gone without its record, and none is declared gone and stays.

use super::JournalError;
use super::committer::lock;
use super::disk::{io_error, sync_dir};
use super::pruned::for_each_line;
use super::read::{Raw, next_line, segments};
use crate::gaps::KEPT;
use crate::view::View;
use crate::{Erased, Kind, Line, Removal, Value, cut_openings, may_be_erased, openings};
use countersign_core::{Digest, LoginId};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What was declared gone, and what is.
#[derive(Debug, Default)]
pub(super) struct Removed {
    erased: BTreeMap<u64, Vec<Erased>>,
    recordings: BTreeSet<LoginId>,
    missing: BTreeMap<u64, Missing>,
}

/// An entry that lacks openings.
#[derive(Debug)]
struct Missing {
    file: PathBuf,
    line: u64,
    leaf: Digest,
    paths: Vec<String>,
}

impl Removed {
    /// Checks each opening of an entry against its commitment, and reads what
    /// it declares, if anything. `place`: its file, and its line from 1.
    pub(super) fn entry(
        &mut self,
        kind: Option<Kind>,
        line: &Line<'_>,
        body: View<'_>,
        leaf: Digest,
        (file, number): (&Path, u64),
    ) -> Result<(), String> {
        let private = kind.map_or(&[] as &[&str], Kind::private_members);
        if !private.is_empty() || line.vals != "{}" {
            let shown = openings::check(body, private, line.vals).map_err(|bad| bad.to_string())?;
            if let Some(path) = shown.missing.iter().find(|path| !kind.is_some_and(|kind| may_be_erased(kind, path))) {
                return Err(format!("vals.{path} is missing"));
            }
            if !shown.missing.is_empty() {
                let missing = Missing { file: file.to_owned(), line: number, leaf, paths: shown.missing };
                self.missing.insert(line.seq, missing);
            }
        }
        if matches!(kind, Some(Kind::Erasure | Kind::Redaction)) {
            self.declared(line.seq, &body.to_value());
        }
        Ok(())
    }

    fn declared(&mut self, seq: u64, body: &Value) {
        let removal = Removal::from_body(body);
        self.recordings.extend(removal.recordings);
        for erased in removal.entries.into_iter().filter(|erased| erased.seq < seq) {
            self.erased.entry(erased.seq).or_default().push(erased);
        }
    }

    /// What is missing must be declared.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        for (seq, missing) in &self.missing {
            let declared = self.erased.get(seq).map(Vec::as_slice).unwrap_or_default();
            let is_declared =
                |path: &String| declared.iter().any(|erased| erased.of == missing.leaf && erased.covers(path));
            if let Some(path) = missing.paths.iter().find(|path| !is_declared(path)) {
                let why = format!("vals.{path} is missing and no erasure or redaction declares it");
                return Err(JournalError::Damaged { path: missing.file.clone(), line: missing.line, seq: *seq, why });
            }
        }
        Ok(())
    }

    /// Logins whose recording is declared gone.
    pub(super) fn recordings(&self) -> Vec<LoginId> {
        self.recordings.iter().copied().collect()
    }

    /// Cuts what is declared gone and still there. `step` is asked before each
    /// change of the file system. Yields whether a file was written anew.
    pub(super) fn cut(&self, dir: &Path, step: Step<'_>) -> Result<bool, JournalError> {
        let mut changed = false;
        let mut files = segments(dir)?;
        if dir.join(KEPT).exists() {
            files.insert(0, (0, dir.join(KEPT)));
        }
        for (index, (first, path)) in files.iter().enumerate() {
            let end = files.get(index.saturating_add(1)).map_or(u64::MAX, |(next, _)| *next);
            if self.erased.range(*first..end).next().is_some() && self.has_to_cut(path)? {
                self.rewrite(dir, path, step)?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// The line without what is declared gone; `None` where it stays as it is.
    fn without(&self, text: &str) -> Option<String> {
        let line = Line::parse(text.as_bytes()).ok()?;
        let kind: Kind = line.kind.parse().ok()?;
        let erased = self.erased.get(&line.seq)?;
        let leaf = line.leaf_hash();
        let paths = erased.iter().filter(|erased| erased.may_apply(kind, leaf)).flat_map(|erased| erased.paths.clone());
        cut_openings(text, &paths.collect::<Vec<_>>()).ok().filter(|cut| cut != text)
    }

    fn has_to_cut(&self, path: &Path) -> Result<bool, JournalError> {
        let mut found = false;
        each_line(path, |text| {
            found = found || self.without(text).is_some();
            Ok(())
        })?;
        Ok(found)
    }

    /// Writes the file anew beside itself, then puts it in its own place: what
    /// stands under its name is whole at every moment.
    fn rewrite(&self, dir: &Path, path: &Path, step: Step<'_>) -> Result<(), JournalError> {
        let new = path.with_extension("new");
        let io = |error| io_error("write", &new, error);
        step().map_err(io)?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(io)?;
        let mut out = BufWriter::with_capacity(256 * 1024, file);
        each_line(path, |text| {
            step()?;
            out.write_all(self.without(text).as_deref().unwrap_or(text).as_bytes())?;
            out.write_all(b"\n")
        })?;
        let file = out.into_inner().map_err(|error| io(error.into_error()))?;
        step().and_then(|()| file.sync_all()).map_err(io)?;
        step().and_then(|()| std::fs::rename(&new, path)).map_err(io)?;
        step().and_then(|()| sync_dir(dir)).map_err(io)
    }
}

/// Asked before each change of the file system; tests say no.
pub(super) type Step<'a> = &'a mut dyn FnMut() -> io::Result<()>;

/// Removes what a crash left of files that were being written anew.
pub(super) fn drop_unfinished(dir: &Path) -> Result<(), JournalError> {
    for item in std::fs::read_dir(dir).map_err(|error| io_error("list", dir, error))? {
        let path = item.map_err(|error| io_error("list", dir, error))?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            std::fs::remove_file(&path).map_err(|error| io_error("remove", &path, error))?;
        }
    }
    Ok(())
}

/// Cuts what the entries of a journal declare gone, as its next opening would.
/// The journal must have been opened once, so that its chain is known to be whole.
pub fn finish_removals(dir: &Path) -> Result<(), JournalError> {
    let _lock = lock(dir)?;
    drop_unfinished(dir)?;
    let mut removed = Removed::default();
    for_each_line(dir, |text| {
        let declares = [r#","kind":"erasure","#, r#","kind":"redaction","#].iter().any(|kind| text.contains(kind));
        match if declares { Line::parse(text.as_bytes()).ok() } else { None } {
            Some(line) if matches!(line.kind, "erasure" | "redaction") => {
                line.body().map(|body| removed.declared(line.seq, &body)).map_err(io::Error::other)
            }
            Some(_) | None => Ok(()),
        }
    })?;
    removed.cut(dir, &mut || Ok(())).map(drop)
}

/// Tells of each line, without its newline. All must be whole.
pub(super) fn each_line(path: &Path, mut tell: impl FnMut(&str) -> io::Result<()>) -> Result<(), JournalError> {
    let io = |error| io_error("read", path, error);
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path).map_err(io)?);
    let mut buffer = Vec::new();
    while let Some(raw) = next_line(&mut reader, &mut buffer).map_err(io)? {
        // A torn line was set aside before; here one would be lost.
        if !matches!(raw, Raw::Whole) {
            return Err(io(io::ErrorKind::UnexpectedEof.into()));
        }
        let text = std::str::from_utf8(&buffer).map_err(|_| io(io::ErrorKind::InvalidData.into()))?;
        tell(text).map_err(io)?;
    }
    Ok(())
}
