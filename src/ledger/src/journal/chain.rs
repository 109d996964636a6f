//! The chains of a journal: what the next entry must be linked to.

use super::{Draft, JournalError, Written};
use crate::seal::{Header, seal};
use crate::tlog::Frontier;
use crate::value::body;
use crate::{EPOCH_ENTRIES, EPOCH_US, Kind, Now, Openings, SealError, Sess, Signer};
use countersign_core::{Digest, HostId, LoginId};
use std::collections::BTreeMap;

/// How far wall clock and boot clock may move apart between two entries
/// before a `clock_step` says so, in µs.
const STEP_US: u64 = 500_000;

/// The end of a host's chain and of each open login's.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) host: HostId,
    pub(super) boot: String,
    pub(super) next_seq: u64,
    pub(super) prev: Digest,
    /// `mono` of the last entry, 0 where that was in another boot.
    pub(super) mono: u64,
    /// `at` of the last entry in µs; `None` where that was in another boot.
    pub(super) at_us: Option<i64>,
    pub(super) logins: BTreeMap<LoginId, Link>,
    /// The tree over all entries.
    pub(super) tree: Frontier,
    /// Where the signer's epoch began: `seq` and `mono`.
    epoch: Option<(u64, u64)>,
}

/// The end of a login's chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) n: u64,
    pub(super) prev: Digest,
}

impl Chain {
    /// A journal without entries.
    pub(super) fn new(host: HostId, boot: String) -> Self {
        Self {
            host,
            boot,
            next_seq: 0,
            prev: Digest::ZERO,
            mono: 0,
            at_us: None,
            logins: BTreeMap::new(),
            tree: Frontier::default(),
            epoch: None,
        }
    }

    /// Appends the drafts' lines to `out`, all or none: on an error chain and
    /// `out` are as before. A `clock_step` that is due comes first, also in
    /// what is returned.
    pub(super) fn extend(
        &mut self,
        drafts: &[Draft],
        now: Now,
        signer: &mut dyn Signer,
        out: &mut String,
    ) -> Result<Vec<Written>, JournalError> {
        let (length, next_seq, prev, mono, at_us) = (out.len(), self.next_seq, self.prev, self.mono, self.at_us);
        let tree = self.tree.clone();
        let before: Vec<_> =
            drafts.iter().filter_map(|d| d.login).map(|id| (id, self.logins.get(&id).copied())).collect();
        let result = self.extend_some(drafts, now, signer, out);
        if result.is_err() {
            out.truncate(length);
            (self.next_seq, self.prev, self.mono, self.at_us) = (next_seq, prev, mono, at_us);
            self.tree = tree;
            for (id, link) in before {
                match link {
                    Some(link) => self.logins.insert(id, link),
                    None => self.logins.remove(&id),
                };
            }
        }
        result
    }

    /// Whether the signer's key must change before these drafts: no epoch has
    /// begun since it was started, or this one has signed or lasted enough.
    /// `host_enrolled` alone is signed by the identity key.
    pub(super) fn rotation_is_due(&self, drafts: &[Draft], now: Now) -> bool {
        let Some((first, since)) = self.epoch else {
            return self.next_seq > 0 || drafts.iter().any(|draft| draft.kind != Kind::HostEnrolled);
        };
        // One more for a clock_step.
        let after = u64::try_from(drafts.len()).unwrap_or(u64::MAX).saturating_add(1);
        let entries = self.next_seq.saturating_sub(first).saturating_add(after);
        entries > EPOCH_ENTRIES || now.mono_us.saturating_sub(since) >= EPOCH_US
    }

    /// Changes the signer's key: the line of its `key_rotated`, appended to
    /// `out`. On an error the signer cannot be relied on any more. The clocks
    /// of the chain stay, so that a step since the entry before shows in the
    /// entry after.
    pub(super) fn rotate(
        &mut self,
        now: Now,
        signer: &mut dyn Signer,
        out: &mut String,
    ) -> Result<Written, JournalError> {
        let kind = Kind::KeyRotated;
        let failed = |source| JournalError::Draft { kind, source };
        let rotation = signer.rotate(self.next_seq, self.prev).map_err(|error| failed(SealError::from(error)))?;
        let mono = self.mono.max(now.mono_us);
        let header = Header {
            at_us: now.at_us,
            boot: &self.boot,
            host: self.host,
            kind: kind.as_str(),
            mono,
            prev: self.prev,
            seq: self.next_seq,
            sess: None,
        };
        let sealed = seal(&header, &rotation.body(), &Openings::default(), None, signer).map_err(failed)?;
        out.push_str(&sealed.line);
        out.push('\n');
        let seq = self.next_seq;
        self.epoch = Some((seq, mono));
        self.link(kind, None, sealed.leaf);
        Ok(Written { seq, leaf: sealed.leaf, line: sealed.line, mono_us: mono, at_us: now.at_us })
    }

    fn extend_some(
        &mut self,
        drafts: &[Draft],
        now: Now,
        signer: &mut dyn Signer,
        out: &mut String,
    ) -> Result<Vec<Written>, JournalError> {
        let mut written = Vec::with_capacity(drafts.len());
        let mut before: Option<Digest> = None;
        let step = self.clock_step(now);
        self.mono = self.mono.max(now.mono_us);
        self.at_us = Some(now.at_us);
        for draft in step.iter().chain(drafts) {
            let sess = self.sess(draft)?;
            let header = Header {
                at_us: now.at_us,
                boot: &self.boot,
                host: self.host,
                kind: draft.kind.as_str(),
                mono: self.mono,
                prev: self.prev,
                seq: self.next_seq,
                sess,
            };
            let sealed = seal(&header, &draft.body, &draft.vals, before.as_ref(), signer)
                .map_err(|source| JournalError::Draft { kind: draft.kind, source })?;
            out.push_str(&sealed.line);
            out.push('\n');
            let (seq, leaf) = (self.next_seq, sealed.leaf);
            self.link(draft.kind, sess, leaf);
            before = Some(leaf);
            written.push(Written { seq, leaf, line: sealed.line, mono_us: self.mono, at_us: now.at_us });
        }
        Ok(written)
    }

    /// The entry that says the wall clock moved against the boot clock since
    /// the last one, where it did by more than [`STEP_US`].
    fn clock_step(&self, now: Now) -> Option<Draft> {
        let by_boot = i64::try_from(self.mono.max(now.mono_us) - self.mono).unwrap_or(i64::MAX);
        let by_us = now.at_us.saturating_sub(self.at_us?).saturating_sub(by_boot);
        if by_us.unsigned_abs() <= STEP_US {
            return None;
        }
        let body = body([("by_ms", (by_us.unsigned_abs() / 1000).into()), ("forward", (by_us > 0).into())]);
        Some(Draft { kind: Kind::ClockStep, login: None, body, vals: Openings::default() })
    }

    /// The place that a draft takes in its login.
    fn sess(&self, draft: &Draft) -> Result<Option<Sess>, JournalError> {
        let bad = |why| Err(JournalError::Login { kind: draft.kind, why });
        let Some(id) = draft.login else {
            return if draft.kind.in_login() { bad("it names none") } else { Ok(None) };
        };
        let opens = draft.kind == Kind::SessionOpened;
        match self.logins.get(&id) {
            Some(_) | None if !draft.kind.in_login() => bad("it names one, and this kind belongs to none"),
            Some(_) if opens => bad("the login is open already"),
            Some(link) => Ok(Some(Sess { id, n: link.n, prev: link.prev })),
            None if opens => Ok(Some(Sess { id, n: 0, prev: Digest::ZERO })),
            None => bad("the login is not open"),
        }
    }

    /// Moves the ends on to the entry with this hash.
    pub(super) fn link(&mut self, kind: Kind, sess: Option<Sess>, leaf: Digest) {
        self.next_seq += 1;
        self.prev = leaf;
        self.tree.push(leaf);
        match sess {
            Some(sess) if kind == Kind::SessionClosed => self.logins.remove(&sess.id),
            Some(sess) => self.logins.insert(sess.id, Link { n: sess.n + 1, prev: leaf }),
            None => None,
        };
    }
}
