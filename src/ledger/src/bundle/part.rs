//! Bundles of a part of a history: some logins, or everything since a time.
//!
//! What is left out leaves its tree hashes behind, so that a cosigned root
//! still proves what is there. Besides what is asked for goes in what it cannot
//! be judged without: who the host is and which keys signed, the documents and
//! policies in force, what was declared gone of it, and the checkpoints that
//! cover that.

use super::write::{Contents, Piece, There, gather, put};
use super::{BundleError, MAX_LINE, Part, Written, at};
use crate::removal::Removal;
use crate::verify::source::{Blob, KEPT, PROOF};
use crate::{Gaps, GapsMaker, Kind, Line, Value};
use countersign_core::LoginId;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// Which part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These logins, each whole.
    Logins {
        /// What they are called together, e.g. the name of their session.
        name: String,
        /// Which.
        logins: BTreeSet<LoginId>,
    },
    /// Every entry from here on, and the logins that were open then.
    Since(Since),
}

/// Where a part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// With the entry of this seq.
    Seq(u64),
    /// With the first entry written at this time or later, µs since 1970.
    Time(i64),
}

/// Writes a part of the history in a state directory to a new file `out` (mode
/// 0600; one that exists is refused). Fails where the history has nothing of it.
pub fn part_of(dir: &Path, out: &Path, selection: &Selection) -> Result<Written, BundleError> {
    let there = gather(dir)?;
    let history = History { root: there.root.clone(), there };
    let seen = history.survey(selection)?;
    let plan = Plan::of(selection, &seen)?;
    let (kept, rest, gaps) = history.cut(&plan)?;
    let mut members = Vec::new();
    if !kept.is_empty() {
        members.push((format!("journal/{KEPT}"), kept));
    }
    if let (Some(since), false) = (plan.since, rest.is_empty()) {
        members.push((format!("journal/{since:016}.jsonl"), rest));
    }
    if !gaps.is_empty() {
        let proof = gaps.encode().map_err(|bad| history.damaged(bad.to_string()))?;
        members.push((format!("journal/{PROOF}"), vec![Piece::Text(proof)]));
    }
    let There { recordings, left_out, .. } = history.there;
    let recordings = recordings.into_iter().filter(|(login, _)| plan.recordings.contains(login));
    members.extend(recordings.map(|(login, blob)| (format!("recordings/{login}.cast"), vec![Piece::File(blob)])));
    let part = match selection {
        Selection::Logins { name, logins } => {
            Part { name: Some(name.clone()), logins: Some(logins.iter().copied().collect()), since: None }
        }
        Selection::Since(_) => Part { name: None, logins: None, since: plan.since },
    };
    put(out, Some(part), Contents { members, left_out })
}

/// Takes a line with its file and its place there; whether it wants more.
type Visit<'v> = dyn FnMut(&Blob, (u64, u64), &Line<'_>) -> Result<bool, BundleError> + 'v;

struct History {
    root: PathBuf,
    there: There,
}

/// What the entries say, as far as a part depends on it.
#[derive(Default)]
struct Seen {
    /// The first entry of a part that begins with a time.
    since: Option<u64>,
    /// Entries of the logins that are asked for, or were open where the part begins.
    entries: BTreeMap<LoginId, Vec<u64>>,
    /// Logins with entries from `since` on.
    later: BTreeSet<LoginId>,
    removals: Vec<(u64, Removal)>,
    /// `seq` and `size` of the checkpoints.
    checkpoints: Vec<(u64, u64)>,
}

/// What goes in.
struct Plan {
    logins: BTreeSet<LoginId>,
    recordings: BTreeSet<LoginId>,
    entries: BTreeSet<u64>,
    since: Option<u64>,
    /// The last entry.
    end: u64,
}

impl Plan {
    fn of(selection: &Selection, seen: &Seen) -> Result<Self, BundleError> {
        let logins: BTreeSet<LoginId> = match selection {
            Selection::Logins { logins, .. } => logins.clone(),
            Selection::Since(_) => seen.entries.keys().copied().collect(),
        };
        if let Some(login) = logins.iter().find(|login| !seen.entries.contains_key(login)) {
            return Err(BundleError::NotThere(format!("there is no login {login} in this ledger")));
        }
        if logins.is_empty() && matches!(selection, Selection::Logins { .. }) {
            return Err(BundleError::NotThere("no login is named".to_owned()));
        }
        let since = match selection {
            Selection::Logins { .. } => None,
            Selection::Since(_) => {
                let nothing = || BundleError::NotThere("the ledger has no entry since then".to_owned());
                Some(seen.since.ok_or_else(nothing)?)
            }
        };
        let covered = |seq: u64| seen.checkpoints.iter().find(|(_, size)| *size > seq).map_or(u64::MAX, |(at, _)| *at);
        let own: BTreeSet<u64> = seen.entries.values().flatten().copied().collect();
        let mut end = own.last().map_or(0, |last| covered(*last));
        let mut entries = BTreeSet::from([0]);
        for (seq, removal) in &seen.removals {
            let about = since.is_some_and(|since| *seq >= since)
                || removal.entries.iter().any(|erased| own.contains(&erased.seq))
                || removal.recordings.iter().any(|login| logins.contains(login));
            if about {
                entries.insert(*seq);
                // It counts below the last checkpoint before it, and only with one after it.
                let before = seen.checkpoints.iter().rev().find(|(at, _)| at < seq);
                entries.extend(before.map(|(at, _)| *at));
                end = end.max(covered(*seq));
            }
        }
        if since.is_some() {
            end = u64::MAX;
        }
        if end < u64::MAX {
            entries.insert(end);
        } else if let Some((last, _)) = seen.checkpoints.last() {
            // Nothing covers all of it; that is for the verdict to say.
            entries.insert(*last);
        }
        let recordings = logins.union(&seen.later).copied().collect();
        Ok(Self { logins, recordings, entries, since, end })
    }

    fn has(&self, line: &Line<'_>) -> bool {
        line.sess.as_ref().and_then(|sess| sess.id.parse().ok()).is_some_and(|login| self.logins.contains(&login))
            || self.entries.contains(&line.seq)
            || line.kind.parse().is_ok_and(Kind::in_every_part)
            || self.since.is_some_and(|since| line.seq >= since)
    }
}

impl History {
    fn damaged(&self, why: String) -> BundleError {
        BundleError::BadLedger { path: self.root.clone(), why }
    }

    /// Looks at every entry once.
    fn survey(&self, selection: &Selection) -> Result<Seen, BundleError> {
        let mut seen = Seen::default();
        let mut open: BTreeMap<LoginId, Vec<u64>> = BTreeMap::new();
        self.each(&mut |_, _, line| {
            let begins = match selection {
                Selection::Since(Since::Seq(from)) => line.seq >= *from,
                Selection::Since(Since::Time(from)) => line.at_us >= *from,
                Selection::Logins { .. } => false,
            };
            if begins && seen.since.is_none() {
                seen.since = Some(line.seq);
                seen.entries = std::mem::take(&mut open);
            }
            let kind: Option<Kind> = line.kind.parse().ok();
            if let Some(login) = line.sess.as_ref().and_then(|sess| sess.id.parse::<LoginId>().ok()) {
                match selection {
                    Selection::Logins { logins, .. } if logins.contains(&login) => {
                        seen.entries.entry(login).or_default().push(line.seq);
                    }
                    Selection::Logins { .. } => {}
                    Selection::Since(_) if seen.since.is_some() => drop(seen.later.insert(login)),
                    Selection::Since(_) if kind == Some(Kind::SessionClosed) => drop(open.remove(&login)),
                    Selection::Since(_) => open.entry(login).or_default().push(line.seq),
                }
            }
            let body = |line: &Line<'_>| line.body().map_err(|bad| self.damaged(format!("seq {}: {bad}", line.seq)));
            match kind {
                Some(Kind::Erasure | Kind::Redaction) => {
                    seen.removals.push((line.seq, Removal::from_body(&body(line)?)));
                }
                Some(Kind::Checkpoint) => {
                    let size = body(line)?.get("size").and_then(Value::as_int).unwrap_or_default();
                    seen.checkpoints.push((line.seq, size));
                }
                Some(_) | None => {}
            }
            Ok(true)
        })?;
        Ok(seen)
    }

    /// The lines that go in before the part begins, those from there on, and
    /// what stands for the others.
    fn cut(&self, plan: &Plan) -> Result<(Vec<Piece>, Vec<Piece>, Gaps), BundleError> {
        let own = self.gaps()?;
        let (mut kept, mut rest) = (Vec::new(), Vec::new());
        let (mut maker, mut next) = (GapsMaker::default(), 0);
        self.each(&mut |file, place, line| {
            if line.seq < next {
                return Err(self.damaged(format!("seq {} stands behind seq {next}", line.seq)));
            }
            if line.seq > next {
                let missing = || self.damaged(format!("entries are missing before seq {}", line.seq));
                for subtree in own.bridge(next, line.seq).ok_or_else(missing)? {
                    maker.leave_out_all(next, &subtree);
                    next = next.saturating_add(subtree.leaves());
                }
                // Where a host has pruned, the tree is known up to here.
                maker.end();
            }
            if plan.has(line) {
                let part = if plan.since.is_some_and(|since| line.seq >= since) { &mut rest } else { &mut kept };
                add(part, file, place);
            } else {
                maker.leave_out(line.seq, line.leaf_hash());
            }
            next = line.seq.saturating_add(1);
            Ok(line.seq < plan.end)
        })?;
        Ok((kept, rest, maker.finish()))
    }

    fn gaps(&self) -> Result<Gaps, BundleError> {
        let Some((_, blob)) = &self.there.proof else { return Ok(Gaps::default()) };
        let mut text = Vec::new();
        let read = blob.range(0, blob.length).and_then(|mut bytes| bytes.read_to_end(&mut text));
        read.map_err(at("read", &blob.path))?;
        Gaps::parse(&text).map_err(|bad| self.damaged(bad.to_string()))
    }

    /// Each line in order with its file and its place there, its newline
    /// included, until `f` wants no more.
    fn each(&self, f: &mut Visit<'_>) -> Result<(), BundleError> {
        for (name, blob) in &self.there.journal {
            let at_file = |error| at("read", &blob.path)(error);
            let mut reader = BufReader::with_capacity(1 << 16, blob.range(0, blob.length).map_err(at_file)?);
            let (mut offset, mut text) = (0, Vec::new());
            loop {
                text.clear();
                let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut text).map_err(at_file)?;
                let length = u64::try_from(read).unwrap_or(u64::MAX);
                let Some(line) = text.strip_suffix(b"\n") else {
                    if read == 0 {
                        break;
                    }
                    return Err(self.damaged(format!("{name}: a line is cut or too long")));
                };
                let line = Line::parse(line).map_err(|bad| self.damaged(format!("{name}, byte {offset}: {bad}")))?;
                if !f(blob, (offset, length), &line)? {
                    return Ok(());
                }
                offset = offset.saturating_add(length);
            }
        }
        Ok(())
    }
}

/// Adds a line to a member; one that follows the last one makes it longer.
fn add(pieces: &mut Vec<Piece>, file: &Blob, (offset, length): (u64, u64)) {
    if let Some(Piece::File(last)) = pieces.last_mut()
        && last.path == file.path
        && last.offset.saturating_add(last.length) == offset
    {
        last.length = last.length.saturating_add(length);
        return;
    }
    pieces.push(Piece::File(file.part(offset, length)));
}
