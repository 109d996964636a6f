//! The tree over the entries, what the service cosigned of it, and the heads
//! that the auditor knows.

use super::checks::Check;
use super::keys::Key;
use super::report::{Findings, thousands};
use crate::tlog::{BadStamp, Frontier, ServiceStamp, Subtree};
use crate::{Kind, KnownHead, Value};
use countersign_core::{Digest, HostId, ServiceId};
use std::collections::VecDeque;

/// How far back from its own `seq` a checkpoint may reach, in entries.
const REACH: usize = 65_536;

/// What the service vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Entries below this seq.
    pub size: u64,
    /// When it cosigned them, in seconds since 1970.
    pub time: u64,
}

impl Held {
    /// The same in µs.
    pub fn at_us(self) -> i64 {
        i64::try_from(self.time).unwrap_or(i64::MAX).saturating_mul(1_000_000)
    }
}

/// The tree so far.
#[derive(Debug, Default)]
pub(super) struct Trees {
    /// Leaves that no checkpoint can end before any more.
    base: Frontier,
    /// Leaves after those.
    recent: VecDeque<Subtree>,
    /// All of it once more, where entries may be left out: at the end of each
    /// gap its root is asked for.
    whole: Option<Frontier>,
    /// How many there are in both.
    size: u64,
    /// Entries are missing: no root can be known from here on.
    broken: bool,
    held: Option<Held>,
    /// The last checkpoint of the service's log that was shown.
    log: Option<(u64, Digest)>,
    /// Entries are missing since: the service may have shown more.
    log_lost: bool,
    heads: Vec<KnownHead>,
    /// Heads that were found.
    found: Vec<u64>,
    /// The last entry that tells more than that the daemon lives.
    told: Option<u64>,
}

/// A `checkpoint` entry and the keys that it must be signed with.
pub(super) struct Told<'a> {
    pub seq: u64,
    pub at_us: i64,
    pub host: HostId,
    pub body: &'a Value,
    /// The host key that it names, where that is one.
    pub host_key: Option<&'a Key>,
    /// The pinned service's key.
    pub services: &'a [Key],
    /// The service that the host is enrolled with, where that is known.
    pub service: Option<ServiceId>,
}

impl Trees {
    /// A tree that will be compared with these heads; `gaps` says whether
    /// entries may be left out.
    pub fn new(heads: &[KnownHead], gaps: bool) -> Self {
        Self { heads: heads.to_vec(), whole: gaps.then(Frontier::default), ..Self::default() }
    }

    /// Entries are left out as declared: these stand for them. Yields the root
    /// up to there, where one can be known.
    pub fn leave_out(&mut self, subtrees: &[Subtree], findings: &mut Findings) -> Option<Digest> {
        // The service may have shown more of its log meanwhile.
        self.log_lost = true;
        if self.broken {
            return None;
        }
        subtrees.iter().for_each(|subtree| self.add(*subtree));
        let (size, root) = self.root()?;
        for head in &self.heads {
            if let KnownHead::Tree { root: known, .. } = head
                && head.last_seq() == size.checked_sub(1)
            {
                if *known == root {
                    self.found.extend(head.last_seq());
                } else {
                    findings.add(Check::HeadFork, head.last_seq(), None, "the head that you know is another here");
                }
            }
        }
        Some(root)
    }

    fn add(&mut self, subtree: Subtree) {
        self.size = self.size.saturating_add(subtree.leaves());
        if let Some(whole) = &mut self.whole {
            whole.push_subtree(&subtree);
        }
        self.recent.push_back(subtree);
        if self.recent.len() > REACH
            && let Some(oldest) = self.recent.pop_front()
        {
            self.base.push_subtree(&oldest);
        }
    }

    /// Takes the next entry.
    pub fn push(&mut self, seq: u64, leaf: Digest, kind: Option<Kind>, findings: &mut Findings) {
        if seq != self.size {
            self.broken = true;
            self.log_lost = true;
        }
        if !is_routine(kind) {
            self.told = Some(seq);
        }
        if self.broken {
            self.compare(seq, leaf, findings);
            return;
        }
        self.add(Subtree::new(0, leaf));
        self.compare(seq, leaf, findings);
    }

    /// Compares with the heads that speak of this entry.
    fn compare(&mut self, seq: u64, leaf: Digest, findings: &mut Findings) {
        if !self.heads.iter().any(|head| head.last_seq() == Some(seq)) {
            return;
        }
        let root = self.root().map(|(_, root)| root);
        for head in self.heads.iter().filter(|head| head.last_seq() == Some(seq)) {
            let same = match head {
                KnownHead::Leaf { leaf: known, .. } => *known == leaf,
                KnownHead::Tree { root: known, .. } => match root {
                    Some(root) => root == *known,
                    None => continue,
                },
            };
            if same {
                self.found.push(seq);
            } else {
                findings.add(Check::HeadFork, Some(seq), None, "the head that you know is another here");
            }
        }
    }

    /// The root over the first `size` entries; no smaller one can be asked for after.
    fn root_at(&mut self, size: u64) -> Option<Digest> {
        while self.base.size() < size {
            let fits = |next: &Subtree| next.leaves() <= size.saturating_sub(self.base.size());
            self.recent.front().filter(|next| fits(next))?;
            self.base.push_subtree(&self.recent.pop_front()?);
        }
        (self.base.size() == size).then(|| self.base.root())
    }

    /// Checks a `checkpoint` entry. Yields what is vouched for now, where it is good.
    pub fn checkpoint(&mut self, told: &Told<'_>, findings: &mut Findings) -> Option<Held> {
        let seq = Some(told.seq);
        let stamp = match ServiceStamp::from_value(told.body) {
            Ok(stamp) => stamp,
            Err(error) => {
                findings.add(Check::MemberType, seq, None, error.to_string());
                return None;
            }
        };
        let before = findings.count_all();
        self.signatures(&stamp, told, findings);
        let least = self.held.map_or(0, |held| held.size);
        if stamp.size > told.seq || stamp.size < least || stamp.size == 0 {
            let text =
                format!("is about {} entries; it stands at seq {} and follows one about {least}", stamp.size, told.seq);
            findings.add(Check::CheckpointSize, seq, None, text);
            return None;
        }
        let apart = told.at_us.div_euclid(1_000_000).abs_diff(i64::try_from(stamp.time).unwrap_or(i64::MAX));
        if apart > 300 {
            findings.warn(
                "checkpoint.time",
                format!("seq {}: the clocks of service and host are {apart} s apart", told.seq),
            );
        }
        if self.broken {
            return None;
        }
        if stamp.size < self.base.size() {
            let text = format!("is about {} entries, too far before seq {}", stamp.size, told.seq);
            findings.add(Check::CheckpointSize, seq, None, text);
            return None;
        }
        if self.root_at(stamp.size) != Some(stamp.root) {
            let text = format!("the service holds another history up to seq {}", stamp.size.saturating_sub(1));
            findings.add(Check::CheckpointRoot, seq, None, text);
            return None;
        }
        if findings.count_all() != before {
            return None;
        }
        // An older cosignature over as much makes it no earlier.
        let time = self.held.map_or(stamp.time, |held| held.time.max(stamp.time));
        self.held = Some(Held { size: stamp.size, time });
        self.held
    }

    fn signatures(&mut self, stamp: &ServiceStamp, told: &Told<'_>, findings: &mut Findings) {
        let seq = Some(told.seq);
        let note = match told.host_key {
            Some(key) => stamp.check_note(told.host, &key.public),
            None => Err(BadStamp::Member("note_key names no key of the host")),
        };
        if let Err(error) = note {
            findings.add(Check::CheckpointSignature, seq, None, error.to_string());
        }
        if told.service.is_some_and(|service| service != stamp.service) {
            let text = "names another service than the one the host is enrolled with";
            findings.add(Check::CheckpointSignature, seq, None, text);
        }
        // Without a trusted service nothing can be said, and that is a finding of its own.
        let Some(service) = told.services.first() else { return };
        let shown = if self.log_lost { None } else { self.log };
        let mut result = stamp.check_service(told.host, &service.public, shown);
        if self.log_lost && result == Err(BadStamp::Fork) {
            result = Ok(());
        }
        match result {
            Ok(()) => {}
            Err(BadStamp::Fork) => findings.add(Check::ForkService, seq, None, BadStamp::Fork.to_string()),
            Err(error) => findings.add(Check::CheckpointSignature, seq, None, error.to_string()),
        }
        self.log = Some((stamp.log_size, stamp.log_root));
        self.log_lost = false;
    }

    /// Says which heads were not reached, and yields how many were found.
    /// `left_out` tells of a seq whether it is left out as declared.
    pub fn finish(&self, host: HostId, next: u64, left_out: &dyn Fn(u64) -> bool, findings: &mut Findings) -> usize {
        for head in &self.heads {
            if head.host() != host {
                findings.add(Check::HeadOther, None, None, "the known head is another host's");
                continue;
            }
            match head.last_seq() {
                Some(seq) if left_out(seq) && !self.found.contains(&seq) => {
                    let text = "the entry of the head that you know is not in this part, so the two cannot be compared";
                    findings.add(Check::HeadNotCovered, Some(seq), None, text);
                }
                Some(seq) if seq >= next => {
                    let text = format!(
                        "you know of an entry with seq {}; the last one here is {}",
                        thousands(seq),
                        thousands(next.saturating_sub(1))
                    );
                    findings.add(Check::HeadMissing, None, None, text);
                }
                Some(seq) if !self.found.contains(&seq) && findings.count(Check::HeadFork) == 0 => {
                    findings.add(
                        Check::HeadMissing,
                        Some(seq),
                        None,
                        "the entry of the head that you know is missing, or entries before it",
                    );
                }
                Some(_) | None => {}
            }
        }
        self.found.len()
    }

    /// What the service vouches for at the end.
    pub fn held(&self) -> Option<Held> {
        self.held
    }

    /// The first entry that tells something and is not vouched for.
    pub fn uncovered(&self) -> bool {
        self.told.is_some_and(|told| self.held.is_none_or(|held| told >= held.size))
    }

    /// The root over everything, where nothing is missing.
    pub fn root(&self) -> Option<(u64, Digest)> {
        if self.broken {
            return None;
        }
        if let Some(whole) = &self.whole {
            return Some((whole.size(), whole.root()));
        }
        let mut tree = self.base.clone();
        for subtree in &self.recent {
            tree.push_subtree(subtree);
        }
        Some((tree.size(), tree.root()))
    }
}

/// Kinds that tell no more than that the daemon lives: they may follow the last
/// checkpoint, since whoever cut, changed or added one would hide nothing.
fn is_routine(kind: Option<Kind>) -> bool {
    matches!(
        kind,
        Some(
            Kind::Checkpoint
                | Kind::Heartbeat
                | Kind::HostStarted
                | Kind::HostStopped
                | Kind::KeyRotated
                | Kind::ClockStep
        )
    )
}
