//! Offline verification: is this the history that the host wrote, whole and
//! unchanged, and did everything that ran have a valid, timely decision?
//!
//! Reads only; no network, no secret. The auditor brings the trust: nothing in
//! what is verified can raise the verdict. One pass, one line at a time; what
//! is kept is eight bytes an entry, the ids of logins and submissions, and the
//! open logins.

mod again;
mod authority;
mod chain;
mod checks;
mod conclude;
mod contents;
mod decision;
mod event;
pub(crate) mod folder;
mod ids;
mod keys;
mod lines;
pub(crate) mod logins;
pub(crate) mod members;
pub(crate) mod parts;
mod prepare;
mod recordings;
mod removals;
mod report;
mod resumed;
mod signatures;
pub(crate) mod source;
mod time;
mod tree;

pub use again::{Evaluated, Evaluation, Evaluator, Piece as CommandPiece, Recorded};
pub use checks::{CHECKS, Check, CheckInfo, Code, WARNINGS, explain};
pub use report::{Axis, BadLevel, Counts, Finding, Head, Report, Require};
pub use signatures::{BadMode, Signatures};

use crate::tlog::Subtree;
use crate::view::{Node, View};
use crate::{Kind, KnownHead, Line, TrustFile};
use again::Rules;
use authority::Authorities;
use chain::{Chain, Place};
use countersign_core::{Digest, HostId};
use decision::{Moment, Vouching};
use event::Event;
use keys::Keys;
use logins::{Context, Logins};
use parts::{Bridge, Parts};
use prepare::{Piece, Prepared};
use recordings::Reader;
use removals::{Declared, Removals};
use report::Findings;
use signatures::Queue;
use source::{JournalFile, Recordings, Source};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use tree::{Told, Trees};

/// How far verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries read.
    pub entries: u64,
    /// Bytes of journal read.
    pub bytes: u64,
    /// Bytes of journal there are.
    pub total_bytes: u64,
}

/// Entries between two calls of the progress callback.
const PROGRESS_EVERY: u64 = 4096;

/// What the auditor asks for besides the trust.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who must vouch.
    pub require: Require,
    /// Which signatures are checked.
    pub signatures: Signatures,
    /// Heads known from before.
    pub known_heads: Vec<KnownHead>,
    /// Refuse a bundle that holds a part of a history only.
    pub whole: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { require: Require::ServiceHeld, signatures: Signatures::Strict, known_heads: Vec::new(), whole: false }
    }
}

/// Verifies with every signature and no known head; see [`verify_with`].
pub fn verify(
    source: &Path,
    trust: Option<&TrustFile>,
    require: Require,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Report {
    verify_with(source, trust, &Options { require, ..Options::default() }, progress)
}

/// Verifies a state directory, a directory with `journal` in it, one journal
/// file, or a bundle. Never fails: what cannot be read is a finding.
/// `progress` is called every few thousand entries and at the end, from any thread.
pub fn verify_with(
    source: &Path,
    trust: Option<&TrustFile>,
    options: &Options,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Report {
    verify_by(source, trust, options, None, progress)
}

/// The same; `evaluator` decides again what rules have decided.
pub fn verify_by(
    source: &Path,
    trust: Option<&TrustFile>,
    options: &Options,
    evaluator: Option<&dyn Evaluator>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Report {
    let mut findings = Findings::default();
    let Some(source) = source::open(source, &mut findings) else {
        return conclude::nothing(findings, options.require);
    };
    std::thread::scope(|scope| {
        let queue = Queue::start(scope, options.signatures);
        let run = Run::new(&source, trust, options, queue, findings);
        follow(Run { rules: Rules::new(evaluator), ..run }, &source, progress)
    })
}

fn follow(mut run: Run<'_>, source: &Source, progress: &mut (dyn FnMut(Progress) + Send)) -> Report {
    let total_bytes = source.journal.iter().fold(0u64, |sum, file| sum.saturating_add(file.blob.length));
    let mut before = 0u64;
    for (index, file) in source.journal.iter().enumerate() {
        let last = index.saturating_add(1) == source.journal.len();
        let mut report = |entries, bytes: u64| {
            progress(Progress { entries, bytes: before.saturating_add(bytes), total_bytes });
        };
        if let Err(error) = run.file(file, last, &mut report) {
            run.findings.add(Check::SourceDamaged, None, Some(&file.name), format!("cannot be read: {error}"));
        }
        before = before.saturating_add(file.blob.length);
    }
    progress(Progress { entries: run.counts.entries, bytes: before, total_bytes });
    run.finish()
}

/// Everything that is known while entries pass by.
struct Run<'a> {
    findings: Findings,
    counts: Counts,
    keys: Keys<'a>,
    authorities: Authorities,
    rules: Rules<'a>,
    chain: Chain,
    times: time::Times,
    logins: Logins,
    reader: Reader<'a>,
    head: Option<Head>,
    trees: Trees,
    queue: Queue,
    require: Require,
    parts: Parts<'a>,
    removals: Removals,
    whole: bool,
    gapped: bool,
    /// Whose place `host_enrolled` says that this host took.
    former: Option<String>,
}

impl<'a> Run<'a> {
    fn new(
        source: &'a Source,
        trust: Option<&'a TrustFile>,
        options: &Options,
        queue: Queue,
        mut findings: Findings,
    ) -> Self {
        let keys = Keys::new(trust, &mut findings);
        let recordings: &Recordings = &source.recordings;
        Self {
            findings,
            counts: Counts::default(),
            keys,
            authorities: Authorities::new(trust),
            rules: Rules::new(None),
            chain: Chain::default(),
            times: time::Times::default(),
            logins: Logins::default(),
            reader: Reader { recordings, skipped: false, looked_at: 0, absent: BTreeMap::new() },
            head: None,
            trees: Trees::new(&options.known_heads, !source.gaps.is_empty()),
            queue,
            require: options.require,
            parts: Parts::new(&source.gaps, source.scope.as_ref()),
            removals: Removals::new(trust),
            whole: options.whole,
            gapped: false,
            former: None,
        }
    }

    fn file(&mut self, file: &JournalFile, last: bool, report: &mut (dyn FnMut(u64, u64) + Send)) -> io::Result<()> {
        let reader = file.blob.range(0, file.blob.length)?;
        let mut first = file.first_seq;
        let mut number = 0u64;
        let read = prepare::each_line(reader, &mut |piece, done| {
            number = number.saturating_add(1);
            match piece {
                Piece::Entry(entry) => self.line(&entry, &file.name, first.take()),
                Piece::Bad(error) => {
                    first = None;
                    self.unreadable(&file.name, number, &error.to_string());
                }
                Piece::TooLong => self.unreadable(&file.name, number, "is over 1 MiB"),
                Piece::Torn(length) if last => {
                    let text = format!("the last line is torn: {length} bytes without a newline");
                    self.findings.add(Check::JournalTorn, None, Some(&file.name), text);
                }
                Piece::Torn(_) => self.unreadable(&file.name, number, "has no newline, and another file follows"),
            }
            if self.counts.entries.is_multiple_of(PROGRESS_EVERY) {
                report(self.counts.entries, done);
            }
        });
        read?;
        if number == 0 && !last {
            self.findings.add(Check::JournalName, None, Some(&file.name), "is empty, and another file follows");
        }
        Ok(())
    }

    fn unreadable(&mut self, file: &str, number: u64, text: &str) {
        self.findings.add(Check::GrammarLeaf, None, Some(file), format!("line {number} {text}"));
        self.chain.unreadable();
    }

    /// Checks one entry; `promised` is the seq that the file's name promises for it.
    fn line(&mut self, entry: &Prepared<'_, '_>, file: &str, promised: Option<u64>) {
        let (line, leaf, kind) = (&entry.line, entry.leaf, entry.kind);
        // Where the promised entry itself is missing, the chain says so.
        let misnamed = |promised: u64| promised > line.seq || (promised < line.seq && promised != self.chain.next());
        if promised.is_some_and(misnamed) {
            self.findings.add(Check::JournalName, Some(line.seq), Some(file), "the name promises another first seq");
        }
        self.counts.entries = self.counts.entries.saturating_add(1);
        self.keys.begin(line, &mut self.findings);
        // Only an entry that stands out of order can move the chain, so only that one must be known to be signed now.
        let mut missing = line.seq > self.chain.next();
        let bridge = if missing { self.parts.bridge(self.chain.next(), line.seq) } else { None };
        let queue = (line.seq == self.chain.next()).then_some(&mut self.queue);
        missing &= bridge.is_none();
        let signed = self.keys.signed(line, missing, queue, &mut self.findings);
        if let Some(subtrees) = bridge.filter(|_| signed) {
            self.leave_out(&subtrees, line);
        }
        if self.chain.place(line, leaf, signed, &mut self.findings) == Place::Elsewhere {
            return;
        }
        self.counts.first_seq.get_or_insert(line.seq);
        self.trees.push(line.seq, leaf, kind, &mut self.findings);
        self.reach(entry);
        self.entry(entry, missing);
    }

    /// The entries before the line are left out, and these stand for them.
    fn leave_out(&mut self, subtrees: &[Subtree], line: &Line<'_>) {
        let (from, seq) = (self.chain.next(), line.seq);
        self.keys.leave_out(seq, &mut self.findings);
        let last = subtrees.last().filter(|last| last.level() == 0).map(Subtree::hash);
        let root = self.trees.leave_out(subtrees, &mut self.findings);
        self.chain.leave_out(seq, last);
        self.times.leave_out();
        self.parts.left_out(Bridge { from, to: seq, root, head: line.prev });
    }

    /// Remembers how far the history reaches.
    fn reach(&mut self, Prepared { line, leaf, .. }: &Prepared<'_, '_>) {
        let mut at = self.head.take().map(|head| head.at).unwrap_or_default();
        line.at.clone_into(&mut at);
        self.head = Some(Head { seq: line.seq, at, leaf: *leaf, root: None });
    }

    /// Follows an entry that stands in its place.
    fn entry(&mut self, entry: &Prepared<'_, '_>, missing: bool) {
        let (line, leaf, kind, body) = (&entry.line, entry.leaf, entry.kind, &entry.body);
        self.keys.follow(line, kind, missing, &mut self.findings);
        let boot = self.times.step(line, kind, body, &mut self.findings);
        self.times.promise(kind, body);
        let whole = self.openings(entry);
        let valid = self.members(line, kind, entry.odd);
        let Some(host) = self.chain.host() else { return };
        self.host_kinds(line, leaf, kind, body, host);
        if kind == Some(Kind::Checkpoint) && valid && !self.keys.of_service {
            self.checkpoint(line, body, host);
        }
        if let Some(kind @ (Kind::Erasure | Kind::Redaction | Kind::Pruned)) = kind
            && valid
        {
            let held = self.trees.held().map_or(0, |held| held.size);
            let (chain, logins) = (&self.chain, &self.logins);
            let apart = chain.holes() > 0 || self.parts.has_left_out();
            self.removals.declared(
                &Declared { seq: line.seq, kind, host, body, held, apart },
                &|seq, leaf| chain.is(seq, leaf),
                &|login| logins.ending(login),
                &mut self.findings,
            );
        }
        if kind == Some(Kind::PolicyChanged) {
            if valid {
                self.authorities.changed(line, &body.to_value(), &mut self.findings);
            } else {
                self.authorities.unusable();
            }
        }
        let opened = entry.openings.as_ref().ok();
        if kind == Some(Kind::PolicyText) && valid {
            self.rules.text(line, body, opened, &mut self.findings);
        }
        let (Some(sess), Some(login)) = (&line.sess, entry.login) else { return };
        if !self.logins.is_known(login) {
            self.removals.begins(login, line.seq, &mut self.findings);
        }
        let event = Event {
            seq: line.seq,
            kind,
            body: valid.then_some(body),
            login,
            n: sess.n,
            prev: sess.prev,
            leaf,
            at: Moment { mono: line.mono, boot },
            // A host that sets its clock back makes no revoked key count again.
            at_us: self.trees.held().map_or(line.at_us, |held| line.at_us.max(held.at_us())),
            whole,
            opened,
            before: (line.prev_text, line.prev),
        };
        let mut cx = Context {
            vouching: Vouching { host, services: self.keys.services(), authorities: &self.authorities },
            rules: &mut self.rules,
            queue: &mut self.queue,
            reader: &mut self.reader,
            counts: &mut self.counts,
            findings: &mut self.findings,
            holes: self.chain.holes(),
        };
        self.logins.step(&event, &mut cx);
    }

    /// Kinds that speak of the host itself.
    fn host_kinds(&mut self, line: &Line<'_>, leaf: Digest, kind: Option<Kind>, body: &View<'_>, host: HostId) {
        let enrolled = kind == Some(Kind::HostEnrolled);
        if enrolled != (line.seq == 0) {
            let text = if enrolled { "host_enrolled after seq 0" } else { "seq 0 is not host_enrolled" };
            self.findings.add(Check::EnrolFirst, Some(line.seq), None, text);
        }
        if enrolled && line.seq == 0 {
            self.keys.enrolled(host, line.seq, body, &mut self.findings);
        }
        // A service that cosigns itself is nobody besides itself.
        let alone = |kind: Kind| kind.in_login() || kind == Kind::Checkpoint;
        let misplaced = |kind: Kind| if self.keys.of_service { alone(kind) } else { kind.of_service() };
        if let Some(kind) = kind.filter(|kind| misplaced(*kind)) {
            let whose = if self.keys.of_service { "a service's own" } else { "a host's" };
            let text = format!("{kind} has no place in {whose} ledger");
            self.findings.add(Check::KindPlace, Some(line.seq), None, text);
        }
        if kind == Some(Kind::HostStarted) {
            self.logins.host_started(leaf);
        }
        if enrolled || kind == Some(Kind::HostStarted) {
            // Once is enough: what the agent's uid could sign stays doubtful.
            self.keys.same_uid |= body.get("signer").and_then(View::as_text) != Some("own_uid");
        }
        let former = body.get("former").and_then(View::as_text);
        if kind == Some(Kind::Gap) || enrolled && former.is_some() {
            let former = former.unwrap_or_default();
            let text = format!("the host lost its key and was enrolled anew; its history before is that of {former}");
            self.findings.add(Check::GapDeclared, Some(line.seq), None, text);
        }
        if enrolled {
            self.former = former.map(str::to_owned);
        }
        if kind == Some(Kind::Gap) {
            let other = self.former.is_some() && self.former.as_deref() != former;
            if std::mem::replace(&mut self.gapped, true) || self.counts.logins > 0 || other {
                let text = "a gap stands after a login, a second time, or of another host than host_enrolled says";
                self.findings.add(Check::GapPlace, Some(line.seq), None, text);
            }
        }
    }

    fn checkpoint(&mut self, line: &Line<'_>, body: &View<'_>, host: HostId) {
        self.counts.checkpoints = self.counts.checkpoints.saturating_add(1);
        let named = body.get("note_key").and_then(View::as_text).unwrap_or_default();
        // Entries are missing then, so that there is no root to compare either.
        if self.keys.is_unproven(named) {
            return;
        }
        let size = body.get("size").and_then(View::as_int).unwrap_or(0);
        let host_key = self.keys.host_key(named, size);
        let told = Told {
            seq: line.seq,
            at_us: line.at_us,
            host,
            body: &body.to_value(),
            host_key: host_key.as_ref(),
            services: self.keys.services(),
            service: self.keys.service(),
        };
        if let Some(held) = self.trees.checkpoint(&told, &mut self.findings)
            && !self.keys.same_uid
        {
            self.queue.cover(held.size);
        }
    }

    fn finish(mut self) -> Report {
        if let Some(host) = self.chain.host() {
            let mut cx = Context {
                vouching: Vouching { host, services: self.keys.services(), authorities: &self.authorities },
                rules: &mut self.rules,
                queue: &mut self.queue,
                reader: &mut self.reader,
                counts: &mut self.counts,
                findings: &mut self.findings,
                holes: self.chain.holes(),
            };
            self.logins.finish(&mut cx);
        }
        if self.reader.skipped {
            let text = "only a journal was given; its recordings were not checked";
            self.findings.add(Check::RecordingNotGiven, None, None, text);
        }
        if self.counts.entries == 0 {
            self.findings.add(Check::SourceEmpty, None, None, "there is no entry to verify");
        }
        self.counts.recordings = self.reader.looked_at;
        self.counts.erased = self.removals.finish(&mut self.findings);
        self.reader.none_absent(&|login| self.removals.is_erased(login), &mut self.findings);
        let absent = self.reader.absent.keys().filter(|login| self.removals.is_erased(**login)).count();
        let pruned = self.removals.pruned();
        self.counts.left_out = self.parts.count();
        let has = |login| self.logins.is_known(login);
        self.parts.finish(pruned, self.removals.vouched(), &has, self.chain.next(), &mut self.findings);
        if self.whole && self.parts.is_part() {
            self.findings.add(Check::PartNotWhole, None, None, "this is a part of a history");
        }
        let mut notes = self.parts.notes(pruned);
        notes.extend(self.removals.note(absent));
        (self.counts.signatures, self.counts.signatures_covered) = self.queue.finish(&mut self.findings);
        let found = self.chain.host().map_or(0, |host| {
            let next = self.chain.next();
            self.trees.finish(host, next, &|seq| self.parts.is_left_out(seq, next), &mut self.findings)
        });
        if let (Some(head), Some((_, root))) = (&mut self.head, self.trees.root()) {
            head.root = Some(root);
        }
        let facts = conclude::Facts {
            host: self.chain.host(),
            head: self.head,
            counts: self.counts,
            same_uid: self.keys.same_uid,
            held: self.trees.held(),
            uncovered: self.trees.uncovered(),
            known_heads: found,
            epochs: self.keys.epochs,
            part: self.parts.is_part(),
            notes,
        };
        conclude::conclude(facts, self.findings, self.require)
    }
}
