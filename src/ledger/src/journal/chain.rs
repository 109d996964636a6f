//! The chains of a journal: what the next entry must be linked to.

use super::{Draft, JournalError, Written};
use crate::open_text::Hash;
use crate::seal::{Heading, Sealed, SessHeading, Unsealed, unsealed};
use crate::tlog::Frontier;
use crate::value::body;
use crate::{EPOCH_ENTRIES, EPOCH_US, Kind, Now, Openings, Sess, SignError, Signer, key_id};
use countersign_core::{Digest, HostId, LoginId};
use std::collections::BTreeMap;

/// How far wall clock and boot clock may move apart between two entries
/// before a `clock_step` says so, in µs.
const STEP_US: u64 = 500_000;

/// The end of a host's chain and of each open login's, and the entries that
/// are still to be signed.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) host: HostId,
    pub(super) boot: String,
    pub(super) next_seq: u64,
    pub(super) prev: Hash,
    /// `mono` of the last entry, 0 where that was in another boot.
    pub(super) mono: u64,
    /// `at` of the last entry in µs; `None` where that was in another boot.
    pub(super) at_us: Option<i64>,
    pub(super) logins: BTreeMap<LoginId, Link>,
    /// The tree over all entries that are signed.
    pub(super) tree: Frontier,
    /// Where the signer's epoch began: `seq` and `mono`.
    epoch: Option<(u64, u64)>,
    /// Entries that are in the chain and not signed, in order.
    batch: Vec<Waiting>,
    /// Bytes of their lines.
    batch_bytes: usize,
}

/// The end of a login's chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) n: u64,
    pub(super) prev: Hash,
}

/// An entry that is not signed.
#[derive(Debug, Clone)]
struct Waiting {
    entry: Unsealed,
    seq: u64,
    mono_us: u64,
    at_us: i64,
}

impl Chain {
    /// A journal without entries.
    pub(super) fn new(host: HostId, boot: String) -> Self {
        Self {
            host,
            boot,
            next_seq: 0,
            prev: Hash::Known(Digest::ZERO),
            mono: 0,
            at_us: None,
            logins: BTreeMap::new(),
            tree: Frontier::default(),
            epoch: None,
            batch: Vec::new(),
            batch_bytes: 0,
        }
    }

    /// Entries that are to be signed, and the bytes of their lines.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.batch.len(), self.batch_bytes)
    }

    /// Adds the drafts to what is to be signed by the key of this id, all or
    /// none: on an error the chain is as before. A `clock_step` that is due
    /// comes first.
    pub(super) fn extend(&mut self, drafts: &[Draft], now: Now, key: &str) -> Result<(), JournalError> {
        let (next_seq, prev, mono, at_us) = (self.next_seq, self.prev, self.mono, self.at_us);
        let (count, bytes) = self.waiting();
        let before: Vec<_> =
            drafts.iter().filter_map(|d| d.login).map(|id| (id, self.logins.get(&id).copied())).collect();
        let result = self.extend_some(drafts, now, key);
        if result.is_err() {
            self.batch.truncate(count);
            self.batch_bytes = bytes;
            (self.next_seq, self.prev, self.mono, self.at_us) = (next_seq, prev, mono, at_us);
            for (id, link) in before {
                match link {
                    Some(link) => self.logins.insert(id, link),
                    None => self.logins.remove(&id),
                };
            }
        }
        result
    }

    /// Signs what is to be signed, and appends the lines to `out`. On an error
    /// none of them is there, and the chain cannot be gone on with.
    pub(super) fn sign(&mut self, signer: &mut dyn Signer, out: &mut String) -> Result<Vec<Written>, SignError> {
        let mut batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let texts: Vec<_> = batch.iter_mut().map(|waiting| waiting.entry.take_text()).collect();
        let signed = signer.sign_texts(texts)?;
        if signed.len() != batch.len() {
            return Err(SignError::Failed("not as many signatures as entries".to_owned()));
        }
        let mut written = Vec::with_capacity(batch.len());
        for (waiting, signed) in batch.into_iter().zip(signed) {
            let Waiting { entry, seq, mono_us, at_us } = waiting;
            let Sealed { line, leaf } = entry.sealed(signed);
            out.push_str(&line);
            out.push('\n');
            self.tree.push(leaf);
            written.push(Written { seq, leaf, line, mono_us, at_us });
        }
        let leaf = |hash: &mut Hash| {
            if let Hash::Of(index) = *hash
                && let Some(entry) = written.get(index)
            {
                *hash = Hash::Known(entry.leaf);
            }
        };
        leaf(&mut self.prev);
        self.logins.values_mut().for_each(|link| leaf(&mut link.prev));
        Ok(written)
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

    /// Changes the signer's key, when nothing waits for the one before: the line
    /// of its `key_rotated`, appended to `out`. On an error the signer cannot be
    /// relied on any more. The clocks of the chain stay, so that a step since the
    /// entry before shows in the entry after.
    pub(super) fn rotate(
        &mut self,
        now: Now,
        signer: &mut dyn Signer,
        out: &mut String,
    ) -> Result<Vec<Written>, JournalError> {
        let unsigned = || SignError::Failed("the key changes while entries wait to be signed".to_owned());
        let prev = self.prev.known().ok_or_else(unsigned)?;
        let rotation = signer.rotate(self.next_seq, prev)?;
        let mono_us = self.mono.max(now.mono_us);
        self.epoch = Some((self.next_seq, mono_us));
        let draft = Draft { kind: Kind::KeyRotated, login: None, body: rotation.body(), vals: Openings::default() };
        self.add(&draft, None, (mono_us, now.at_us), &key_id(&signer.public_key()))?;
        Ok(self.sign(signer, out)?)
    }

    fn extend_some(&mut self, drafts: &[Draft], now: Now, key: &str) -> Result<(), JournalError> {
        let step = self.clock_step(now);
        self.mono = self.mono.max(now.mono_us);
        self.at_us = Some(now.at_us);
        if let Some(step) = step {
            self.add(&step, None, (self.mono, now.at_us), key)?;
        }
        // No draft speaks of the step: its hash is before none of them.
        let mut before = None;
        for draft in drafts {
            before = Some(self.add(draft, before, (self.mono, now.at_us), key)?);
        }
        Ok(())
    }

    /// Adds one: its hash. `before` is that of the draft before it.
    fn add(
        &mut self,
        draft: &Draft,
        before: Option<Hash>,
        (mono, at_us): (u64, i64),
        key: &str,
    ) -> Result<Hash, JournalError> {
        let sess = self.sess(draft)?;
        let heading = Heading {
            at_us,
            boot: &self.boot,
            host: self.host,
            kind: draft.kind.as_str(),
            mono,
            prev: self.prev,
            seq: self.next_seq,
            sess,
            before,
        };
        let entry = unsealed(&heading, &draft.body, &draft.vals, key)
            .map_err(|source| JournalError::Draft { kind: draft.kind, source })?;
        let hash = Hash::Of(self.batch.len());
        self.batch_bytes = self.batch_bytes.saturating_add(entry.len());
        self.batch.push(Waiting { entry, seq: self.next_seq, mono_us: mono, at_us });
        self.link(draft.kind, sess, hash);
        Ok(hash)
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
    fn sess(&self, draft: &Draft) -> Result<Option<SessHeading>, JournalError> {
        let bad = |why| Err(JournalError::Login { kind: draft.kind, why });
        let Some(id) = draft.login else {
            return if draft.kind.in_login() { bad("it names none") } else { Ok(None) };
        };
        let opens = draft.kind == Kind::SessionOpened;
        match self.logins.get(&id) {
            Some(_) | None if !draft.kind.in_login() => bad("it names one, and this kind belongs to none"),
            Some(_) if opens => bad("the login is open already"),
            Some(link) => Ok(Some(SessHeading { id, n: link.n, prev: link.prev })),
            None if opens => Ok(Some(SessHeading { id, n: 0, prev: Hash::Known(Digest::ZERO) })),
            None => bad("the login is not open"),
        }
    }

    /// An entry that is there: the ends move on to it.
    pub(super) fn found(&mut self, kind: Kind, sess: Option<Sess>, leaf: Digest) {
        let sess = sess.map(|sess| SessHeading { id: sess.id, n: sess.n, prev: Hash::Known(sess.prev) });
        self.link(kind, sess, Hash::Known(leaf));
        self.tree.push(leaf);
    }

    /// Moves the ends on to the entry with this hash.
    fn link(&mut self, kind: Kind, sess: Option<SessHeading>, hash: Hash) {
        self.next_seq += 1;
        self.prev = hash;
        match sess {
            Some(sess) if kind == Kind::SessionClosed => self.logins.remove(&sess.id),
            Some(sess) => self.logins.insert(sess.id, Link { n: sess.n + 1, prev: hash }),
            None => None,
        };
    }
}
