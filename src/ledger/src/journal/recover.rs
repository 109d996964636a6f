//! Opening a journal after whatever happened: every line is checked against
//! grammar and chains, and every opening against its commitment; a torn last
//! line is moved aside; anything else that is wrong stops here and is left as
//! it is.

use super::chain::{Chain, Link};
use super::disk::{io_error, segment_path, sync_dir};
use super::pruned::{self, drop_beside, read_gaps};
use super::read::{Raw, next_line, segments};
use super::recorded::{Hours, RecordedHour};
use super::removed::{Removed, drop_unfinished};
use super::{JournalError, OpenLogin, SpoolPlace, Torn};
use crate::gaps::KEPT;
use crate::line::LineSess;
use crate::open_text::Hash;
use crate::scan::BadLine;
use crate::tlog::ServiceStamp;
use crate::view::{Borrow, Node as _, Token, View, emptied};
use crate::{Gaps, KeyFault, KeyRing, Kind, Line, Sess};
use countersign_core::{Digest, LoginId};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What is there, ready to be gone on with.
pub(super) struct Found {
    pub(super) chain: Chain,
    pub(super) open_logins: Vec<OpenLogin>,
    pub(super) torn: Option<Torn>,
    /// What the last `checkpoint` entry holds.
    pub(super) stamp: Option<ServiceStamp>,
    /// First `seq` and length of the last file, where there is one.
    pub(super) last: Option<(u64, u64)>,
    /// Logins whose recording is declared gone.
    pub(super) erased_recordings: Vec<LoginId>,
    /// Where entries were pruned: the logins that are still there.
    pub(super) left_logins: Option<BTreeSet<LoginId>>,
    /// Whether a `gap` is there.
    pub(super) gap: bool,
    /// Whether any login is.
    pub(super) logins: bool,
    /// What was recorded of each account in the last day.
    pub(super) recorded: Vec<RecordedHour>,
}

/// Reads the whole journal. `identity` is the key that certifies what goes on signing.
pub(super) fn recover(dir: &Path, chain: Chain, identity: Digest) -> Result<Found, JournalError> {
    let files = segments(dir)?;
    let mut replay = Replay::new(chain, identity, read_gaps(dir)?);
    let kept = dir.join(KEPT);
    if kept.exists() {
        replay.in_kept = true;
        replay.file(&kept, false)?;
        replay.in_kept = false;
    }
    let mut torn = None;
    for (index, (first, path)) in files.iter().enumerate() {
        replay.bridge(*first);
        if *first != replay.chain.next_seq {
            let why = format!("it begins with seq {first} and seq {} should come next", replay.chain.next_seq);
            return Err(JournalError::Layout { path: path.clone(), why });
        }
        let is_last = index + 1 == files.len();
        let (length, tail) = replay.file(path, is_last)?;
        if length == 0 && !is_last {
            let why = "it is empty, and more files follow".to_owned();
            return Err(JournalError::Layout { path: path.clone(), why });
        }
        if is_last {
            torn = Some((path, length, tail));
        }
    }
    if let Some(newest) = &replay.newest {
        newest.check(&replay.keys)?;
    }
    replay.removed.check()?;
    let due = replay.pruned.due(dir)?;
    // From here on it is known to be sound, and may be changed.
    let mut kept_aside = None;
    if let Some((path, length, tail)) = torn {
        let aside = tail.map(|bytes| set_aside(dir, path, length, &bytes, replay.chain.next_seq));
        kept_aside = aside.transpose()?;
        settle(path, length).map_err(|error| io_error("make durable", path, error))?;
    }
    drop_unfinished(dir)?;
    drop_beside(dir)?;
    replay.removed.cut(dir, &mut || Ok(()))?;
    if let Some((before, root)) = due {
        pruned::apply(dir, before, root, &mut || Ok(()))?;
    }
    Ok(replay.found(kept_aside, last_file(dir)?))
}

/// First `seq` and length of the last file.
fn last_file(dir: &Path) -> Result<Option<(u64, u64)>, JournalError> {
    let last = segments(dir)?.pop();
    let length = |path: &Path| std::fs::metadata(path).map(|meta| meta.len());
    let last = last.map(|(first, path)| match length(&path) {
        Ok(length) => Ok((first, length)),
        Err(error) => Err(io_error("look at", &path, error)),
    });
    last.transpose()
}

/// What was pruned, by the word of the entries, and what is missing.
#[derive(Default)]
struct Pruned {
    declared: Option<(u64, Digest)>,
    /// Where each run of missing entries ends, with the root there.
    bridges: Vec<(u64, Digest)>,
}

impl Pruned {
    /// What is missing must be declared, and be what was declared. Yields what
    /// is declared and still to be dropped.
    fn due(&self, dir: &Path) -> Result<Option<(u64, Digest)>, JournalError> {
        let bad = |why| Err(JournalError::Layout { path: dir.to_owned(), why });
        let before = self.declared.map_or(0, |(before, _)| before);
        if let Some((to, _)) = self.bridges.iter().find(|(to, _)| *to > before) {
            return bad(format!("entries before seq {to} are missing and no pruned entry declares it"));
        }
        match (self.declared, self.bridges.iter().find(|(to, _)| *to == before)) {
            (Some((before, root)), Some((_, there))) if *there != root => {
                bad(format!("the tree over the entries below seq {before} is not the one that was declared"))
            }
            (declared, there) => Ok(declared.filter(|_| there.is_none())),
        }
    }
}

/// The last whole line.
struct Newest {
    path: PathBuf,
    number: u64,
    bytes: Vec<u8>,
}

impl Newest {
    /// It must be of the key that was certified last: another key is another
    /// host, or a lost one, and a new key is never taken silently.
    fn check(&self, keys: &KeyRing) -> Result<(), JournalError> {
        let path = self.path.clone();
        let Ok(line) = Line::parse(&self.bytes) else { return Ok(()) };
        match keys.check(&line) {
            Ok(_) => Ok(()),
            Err(KeyFault::Unknown { named, due }) => {
                let why = format!("its entries are signed by the key {named} and the host's key is {due}");
                Err(JournalError::Layout { path, why })
            }
            Err(fault) => {
                let why = fault.to_string();
                Err(JournalError::Damaged { path, line: self.number, seq: line.seq, why })
            }
        }
    }
}

struct Replay {
    chain: Chain,
    host: String,
    logins: BTreeMap<LoginId, OpenLogin>,
    newest: Option<Newest>,
    stamp: Option<ServiceStamp>,
    keys: KeyRing,
    removed: Removed,
    gaps: Gaps,
    /// In the file in which entries may be left out.
    in_kept: bool,
    pruned: Pruned,
    all_logins: BTreeSet<LoginId>,
    /// When logins were closed.
    closed: BTreeMap<LoginId, u64>,
    /// After entries that are left out: the hash of the last, where it is known.
    before: Option<Option<Digest>>,
    gap: bool,
    recorded: Hours,
}

impl Replay {
    fn new(chain: Chain, identity: Digest, gaps: Gaps) -> Self {
        Self {
            host: chain.host.to_string(),
            chain,
            logins: BTreeMap::new(),
            newest: None,
            stamp: None,
            keys: KeyRing::new(identity),
            removed: Removed::default(),
            gaps,
            in_kept: false,
            pruned: Pruned::default(),
            all_logins: BTreeSet::new(),
            closed: BTreeMap::new(),
            before: None,
            gap: false,
            recorded: Hours::default(),
        }
    }

    fn found(self, torn: Option<Torn>, last: Option<(u64, u64)>) -> Found {
        Found {
            chain: self.chain,
            open_logins: self.logins.into_values().collect(),
            torn,
            stamp: self.stamp,
            last,
            logins: !self.all_logins.is_empty(),
            erased_recordings: self.removed.recordings(),
            left_logins: self.pruned.declared.map(|(before, _)| {
                let mut left = self.all_logins;
                left.retain(|login| self.closed.get(login).is_none_or(|closed| *closed >= before));
                left
            }),
            gap: self.gap,
            recorded: self.recorded.into_list(),
        }
    }

    /// Goes over entries that are left out, where something stands for them.
    /// The first, which says whose journal this is, never is.
    fn bridge(&mut self, to: u64) {
        let from = self.chain.next_seq;
        if from == 0 || to <= from {
            return;
        }
        let Some(subtrees) = self.gaps.bridge(from, to) else { return };
        for subtree in &subtrees {
            self.chain.tree.push_subtree(subtree);
        }
        self.chain.next_seq = to;
        // Only a single leaf is the hash of the entry before.
        self.before = subtrees.last().map(|last| Some(last.hash()).filter(|_| last.level() == 0));
        self.pruned.bridges.push((to, self.chain.tree.root()));
    }

    /// Reads one file: the length of its whole lines, and a torn tail.
    fn file(&mut self, path: &Path, is_last: bool) -> Result<(u64, Option<Vec<u8>>), JournalError> {
        let io = |error| io_error("read", path, error);
        let mut reader = BufReader::with_capacity(256 * 1024, File::open(path).map_err(io)?);
        let (mut buffer, mut newest, mut length, mut number) = (Vec::new(), Vec::new(), 0u64, 0u64);
        let (mut tail, mut room) = (None, Vec::<Token<'static>>::new());
        while let Some(raw) = next_line(&mut reader, &mut buffer).map_err(io)? {
            let seq = self.chain.next_seq;
            let damaged = |why| JournalError::Damaged { path: path.to_owned(), line: number + 1, seq, why };
            match raw {
                Raw::Whole => {
                    // What a body holds borrows from the line, in memory that is used for each.
                    let mut tokens = emptied(std::mem::take(&mut room));
                    let (line, _) = Line::parse_with(&buffer, &mut Borrow(&mut tokens))
                        .map_err(|bad: BadLine| damaged(bad.to_string()))?;
                    self.entry(&line, View::of(&tokens), (path, number + 1)).map_err(damaged)?;
                    room = emptied(tokens);
                    length += len(&buffer) + 1;
                    number += 1;
                    std::mem::swap(&mut newest, &mut buffer);
                }
                Raw::Torn if is_last => {
                    tail = Some(std::mem::take(&mut buffer));
                    break;
                }
                Raw::Torn => return Err(damaged("it has no newline, and more files follow".to_owned())),
                Raw::TooLong => return Err(damaged("it is longer than 1 MiB".to_owned())),
            }
        }
        if number > 0 {
            self.newest = Some(Newest { path: path.to_owned(), number, bytes: newest });
        }
        Ok((length, tail))
    }

    /// Checks a line against the chains and moves them on.
    fn entry(&mut self, line: &Line<'_>, body: View<'_>, place: (&Path, u64)) -> Result<(), String> {
        if self.in_kept {
            self.bridge(line.seq);
        }
        if line.seq != self.chain.next_seq {
            return Err(format!("it says seq {}", line.seq));
        }
        let before = self.before.take().unwrap_or(self.chain.prev.known());
        if before.is_some_and(|before| line.prev != before) {
            return Err("its prev is not the hash of the entry before".to_owned());
        }
        if line.host != self.host {
            return Err(format!("it is of the host {}", line.host));
        }
        let leaf = line.leaf_hash();
        let kind: Option<Kind> = line.kind.parse().ok();
        self.removed.entry(kind, line, body, leaf, place)?;
        if kind == Some(Kind::KeyRotated)
            && let Some(epoch) = self.keys.check(line).map_err(|fault| fault.to_string())?
        {
            self.keys.adopt(epoch);
        }
        let sess = line.sess.as_ref().map(|s| self.sess(s)).transpose()?;
        if let Some(sess) = sess {
            self.login(kind, sess.id, body, leaf);
            if let Some(kind @ (Kind::SessionOpened | Kind::CommandSubmitted | Kind::RecordingChunk)) = kind {
                let opened = self.logins.get(&sess.id).and_then(|login| login.opened.as_ref());
                self.recorded.entry(kind, opened.map(|opened| opened.0), line.at_us, body);
            }
        }
        if kind == Some(Kind::Checkpoint) {
            self.stamp = Some(ServiceStamp::from_value(&body.to_value()).map_err(|bad| bad.to_string())?);
        }
        self.note(kind, line, body);
        // An unknown kind neither opens nor closes a login.
        self.chain.found(kind.unwrap_or(Kind::Heartbeat), sess, leaf);
        let same_boot = line.boot == self.chain.boot;
        // A change of key is no moment to measure a clock step from.
        if kind != Some(Kind::KeyRotated) || !same_boot {
            self.chain.mono = if same_boot { line.mono } else { 0 };
            self.chain.at_us = same_boot.then_some(line.at_us);
        }
        Ok(())
    }

    /// Remembers what says something of the journal as a whole.
    fn note(&mut self, kind: Option<Kind>, line: &Line<'_>, body: View<'_>) {
        self.gap |= kind == Some(Kind::Gap);
        if kind == Some(Kind::Pruned) {
            let said = pruned::declared(&body.to_value());
            let held = self.stamp.as_ref().map_or(0, |stamp| stamp.size);
            // A verifier would not excuse more than a checkpoint covered before.
            let said = said.filter(|(before, _)| *before <= held);
            self.pruned.declared = said.into_iter().chain(self.pruned.declared).max_by_key(|(before, _)| *before);
        }
        if let Some(id) = line.sess.as_ref().map(|sess| sess.login) {
            self.all_logins.insert(id);
            if kind == Some(Kind::SessionClosed) {
                self.closed.insert(id, line.seq);
            }
        }
    }

    fn sess(&self, sess: &LineSess<'_>) -> Result<Sess, String> {
        let id = sess.login;
        let new = Link { n: 0, prev: Hash::Known(Digest::ZERO) };
        let link = self.chain.logins.get(&id).copied().unwrap_or(new);
        if sess.n != link.n || Hash::Known(sess.prev) != link.prev {
            return Err("its sess does not follow the entry before in its login".to_owned());
        }
        Ok(Sess { id, n: sess.n, prev: sess.prev })
    }

    /// Keeps what a restart must know of a login.
    fn login(&mut self, kind: Option<Kind>, id: LoginId, body: View<'_>, leaf: Digest) {
        let new = OpenLogin {
            id,
            opened: None,
            resume: None,
            recording_bytes: 0,
            chunks: 0,
            spool: SpoolPlace::default(),
            unfinished: None,
            undecided: None,
        };
        let login = self.logins.entry(id).or_insert(new);
        let submission = || body.member("id").map(|id| (id, leaf));
        match kind {
            Some(Kind::SessionOpened) => {
                let uid = body.get("uid").and_then(View::as_int).and_then(|uid| u32::try_from(uid).ok());
                let tty = body.get("tty").and_then(View::as_bool);
                let login_kind = body.get("kind").and_then(View::as_text);
                login.opened = uid.zip(login_kind).zip(tty).map(|((uid, kind), tty)| (uid, kind.to_owned(), tty));
                login.resume = body.member("resume");
            }
            Some(Kind::SessionResumed) => login.resume = body.member("key"),
            Some(Kind::CommandSubmitted) => login.undecided = submission(),
            Some(Kind::Decided) => login.undecided = None,
            Some(Kind::ExecStarted) => login.unfinished = submission(),
            Some(Kind::ExecFinished) => login.unfinished = None,
            Some(Kind::RecordingChunk) => {
                let int = |name| body.get(name).and_then(View::as_int).unwrap_or(0);
                login.recording_bytes = login.recording_bytes.saturating_add(int("length"));
                login.chunks += 1;
                login.spool = SpoolPlace { bytes: int("spool"), within: int("within"), at_us: int("at_us") };
            }
            Some(Kind::SessionClosed) => {
                self.logins.remove(&id);
            }
            Some(_) | None => {}
        }
    }
}

/// More than a batch that was under way.
const SETTLED_BYTES: u64 = 8 * 1024 * 1024;

/// Makes durable what was read. The writer before may have been killed before
/// its fdatasync, or had one fail: then the kernel holds pages that it takes
/// for clean and that are not on the disk. Writing the same bytes again, in
/// place, makes it write them.
fn settle(path: &Path, length: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let from = length.saturating_sub(SETTLED_BYTES);
    let mut tail = vec![0; usize::try_from(length - from).unwrap_or(0)];
    file.read_exact_at(&mut tail, from)?;
    file.write_all_at(&tail, from)?;
    file.sync_all()
}

/// Keeps the torn bytes in a file of their own, then cuts them off. In this
/// order: a crash in between leaves them twice, never lost.
fn set_aside(dir: &Path, path: &Path, length: u64, bytes: &[u8], seq: u64) -> Result<Torn, JournalError> {
    let (mut file, kept) = torn_file(dir, seq)?;
    let io = |error| io_error("keep the torn line in", &kept, error);
    file.write_all(bytes).map_err(io)?;
    file.sync_all().map_err(io)?;
    sync_dir(dir).map_err(io)?;
    let cut = OpenOptions::new().write(true).open(path).and_then(|segment| {
        segment.set_len(length)?;
        segment.sync_all()
    });
    cut.map_err(|error| io_error("cut the torn line from", path, error))?;
    Ok(Torn { kept, bytes: len(bytes), digest: crate::sha256(bytes) })
}

/// `torn-SEQ`, or `torn-SEQ.N` where that is taken.
fn torn_file(dir: &Path, seq: u64) -> Result<(File, PathBuf), JournalError> {
    let base = segment_path(dir, seq).file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let mut number = 0u64;
    loop {
        let name = if number == 0 { format!("torn-{base}") } else { format!("torn-{base}.{number}") };
        let path = dir.join(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(io_error("create", &path, error)),
        }
    }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
