//! What is missing and why: openings and recordings that an `erasure` or
//! `redaction` declares, old entries that a `pruned` does.
//!
//! The host writes these, so a dishonest one can. What it gains is bounded: it
//! can remove only what a cosigned checkpoint covered before, that is, what the
//! service has held; no decision, signature or document depends on what may be
//! erased; what was pruned is not counted as seen. Where the trust file names
//! administrators, they must have signed.

use super::checks::Check;
use super::report::{Findings, thousands};
use crate::view::{Node, View};
use crate::{Admins, Kind, REMOVAL_NAMESPACE, TrustFile, may_be_erased, removal_statement};
use countersign_core::{Digest, HostId, LoginId};
use std::collections::{BTreeMap, BTreeSet};

/// Most entries whose missing openings are kept until something declares them.
const MOST_PENDING: usize = 1_000_000;

/// An entry without some of its openings.
#[derive(Debug)]
struct Pending {
    leaf: Digest,
    kind: Kind,
    paths: Vec<String>,
}

/// A `pruned` that counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pruned {
    pub seq: u64,
    pub before: u64,
    pub root: Digest,
    /// L of the last entry that it is about.
    pub head: Digest,
}

/// What was removed so far.
#[derive(Debug, Default)]
pub(super) struct Removals {
    /// The trust file names administrators, whose signatures are demanded then.
    demanded: bool,
    /// Who they are; `None` also where that cannot be read, so that nothing counts.
    admins: Option<Admins>,
    pending: BTreeMap<u64, Pending>,
    erased: u64,
    recordings: BTreeSet<LoginId>,
    pruned: Option<Pruned>,
}

/// An entry that declares a removal.
pub(super) struct Declared<'a> {
    pub seq: u64,
    pub kind: Kind,
    pub host: HostId,
    pub body: &'a View<'a>,
    /// Entries below this are cosigned.
    pub held: u64,
    /// Entries before it are left out or missing.
    pub apart: bool,
}

/// Whether and where a login has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// No entry of it was read.
    Unknown,
    /// It goes on.
    Open,
    /// With the entry of this seq.
    At(u64),
}

impl Removals {
    /// Begins with what the auditor brings.
    pub fn new(trust: Option<&TrustFile>) -> Self {
        let Some(trust) = trust else { return Self::default() };
        Self { demanded: trust.admins.is_some(), admins: trust.admins().ok().flatten(), ..Self::default() }
    }

    /// An entry lacks these openings. `false` where nothing could declare that.
    pub fn missing(&mut self, seq: u64, leaf: Digest, kind: Kind, paths: &[String]) -> bool {
        let room = self.pending.len() < MOST_PENDING;
        let may = room && paths.iter().all(|path| may_be_erased(kind, path));
        if may {
            self.pending.insert(seq, Pending { leaf, kind, paths: paths.to_vec() });
        }
        may
    }

    /// Takes an entry that declares a removal. `same` tells of an entry that
    /// was read whether its hash is this; `ending` of a login where it has ended.
    pub fn declared(
        &mut self,
        said: &Declared<'_>,
        same: &dyn Fn(u64, Digest) -> Option<bool>,
        ending: &dyn Fn(LoginId) -> Ending,
        findings: &mut Findings,
    ) {
        if !self.signed(said) {
            let text = format!("the {} is not signed by enough of the administrators", said.kind);
            return findings.add(Check::RemovalSignature, Some(said.seq), None, text);
        }
        if said.kind == Kind::Pruned {
            return self.prune(said, findings);
        }
        for entry in said.body.get("entries").and_then(View::as_list).unwrap_or_default().iter() {
            if let Err((check, text)) = self.erase(said, &entry, same) {
                findings.add(check, Some(said.seq), None, text);
            }
        }
        for login in said.body.get("recordings").and_then(View::as_list).unwrap_or_default().iter() {
            let Some(login) = login.parse() else {
                findings.add(Check::RemovalEntry, Some(said.seq), None, "erases the recording of what is no login");
                continue;
            };
            match recording(said, ending(login)) {
                Ok(()) => drop(self.recordings.insert(login)),
                Err((check, text)) => findings.add(check, Some(said.seq), None, format!("the login {login} {text}")),
            }
        }
    }

    fn signed(&self, said: &Declared<'_>) -> bool {
        if !self.demanded {
            return true;
        }
        let sigs = said.body.get("sigs").and_then(View::as_list).unwrap_or_default();
        let sigs: Vec<&str> = sigs.iter().filter_map(View::as_text).collect();
        let statement = removal_statement(said.kind, &said.host.to_string(), &said.body.to_value());
        match (&self.admins, statement) {
            (Some(admins), Ok(text)) => admins.have_signed(REMOVAL_NAMESPACE, text.as_bytes(), &sigs),
            _ => false,
        }
    }

    fn erase(
        &mut self,
        said: &Declared<'_>,
        entry: &View<'_>,
        same: &dyn Fn(u64, Digest) -> Option<bool>,
    ) -> Result<(), (Check, String)> {
        let paths = entry.get("paths").and_then(View::as_list);
        let paths = paths.and_then(|paths| paths.iter().map(View::as_text).collect::<Option<Vec<_>>>());
        let (Some(seq), Some(of), Some(paths)) = (entry.get("seq").and_then(View::as_int), entry.member("of"), paths)
        else {
            return Err((Check::RemovalEntry, "an entry to be erased is not of, paths, seq".to_owned()));
        };
        let bad = |check, text: &str| Err((check, format!("seq {seq}: {text}")));
        if seq >= said.seq || same(seq, of) == Some(false) {
            return bad(Check::RemovalEntry, "the entry to be erased is another, or yet to come");
        }
        if seq >= said.held {
            return bad(Check::RemovalEarly, "no cosigned checkpoint covered it before it was erased");
        }
        let Some(pending) = self.pending.get_mut(&seq) else { return Ok(()) };
        if pending.leaf != of || paths.iter().any(|path| !may_be_erased(pending.kind, path)) {
            return bad(Check::RemovalEntry, "the entry to be erased is another, or has no such private value");
        }
        let covers = |wanted: &str| {
            let member = wanted.split_once('/').map_or(wanted, |(member, _)| member);
            paths.iter().any(|path| *path == wanted || *path == member)
        };
        let before = pending.paths.len();
        pending.paths.retain(|path| !covers(path));
        let gone = before.saturating_sub(pending.paths.len());
        self.erased = self.erased.saturating_add(u64::try_from(gone).unwrap_or(u64::MAX));
        if pending.paths.is_empty() {
            self.pending.remove(&seq);
        }
        Ok(())
    }

    fn prune(&mut self, said: &Declared<'_>, findings: &mut Findings) {
        let body = said.body;
        let (Some(before), Some(root), Some(head)) =
            (body.get("before").and_then(View::as_int), body.member("root"), body.member("head"))
        else {
            return;
        };
        if before > said.held {
            let text = "no cosigned checkpoint covered all that was pruned";
            return findings.add(Check::RemovalEarly, Some(said.seq), None, text);
        }
        if self.pruned.is_none_or(|known| known.before <= before) {
            self.pruned = Some(Pruned { seq: said.seq, before, root, head });
        }
    }

    /// An entry begins this login: what is yet to be recorded cannot be erased.
    pub fn begins(&self, login: LoginId, seq: u64, findings: &mut Findings) {
        if self.is_erased(login) {
            let text = format!("the login {login} begins after its recording was erased");
            findings.add(Check::RemovalEntry, Some(seq), None, text);
        }
    }

    /// What was pruned, where anything was.
    pub fn pruned(&self) -> Option<Pruned> {
        self.pruned
    }

    /// Whether the administrators vouch for what was removed.
    pub fn vouched(&self) -> bool {
        self.demanded
    }

    /// Whether a recording was erased.
    pub fn is_erased(&self, login: LoginId) -> bool {
        self.recordings.contains(&login)
    }

    /// Says what is missing and was never declared; yields how many private
    /// values are gone and were.
    pub fn finish(&self, findings: &mut Findings) -> u64 {
        for (seq, pending) in &self.pending {
            for path in &pending.paths {
                let text = format!("vals.{path} is missing and nothing declares it");
                findings.add(Check::CommitMissing, Some(*seq), None, text);
            }
        }
        self.erased
    }

    /// A sentence about what was erased, where anything was.
    pub fn note(&self, recordings: usize) -> Option<String> {
        if self.erased == 0 && recordings == 0 {
            return None;
        }
        let by = if self.demanded {
            "as administrators signed"
        } else {
            "by the word of the host, which no administrator signed"
        };
        Some(format!(
            "Erased {by}: {} private values and {recordings} recordings. What they said cannot be seen any more; who decided on it can.",
            thousands(self.erased)
        ))
    }
}

/// Whether the recording of a login that ends there may be erased here: the
/// service must have held all that the ledger says of it. What is left out is
/// in the tree, and was over before.
fn recording(said: &Declared<'_>, ending: Ending) -> Result<(), (Check, &'static str)> {
    match ending {
        Ending::At(seq) if seq < said.held => Ok(()),
        Ending::At(_) => {
            Err((Check::RemovalEarly, "ended, and no cosigned checkpoint covered that before its recording was erased"))
        }
        Ending::Open => Err((Check::RemovalEntry, "had not ended when its recording was erased")),
        Ending::Unknown if said.apart => Ok(()),
        Ending::Unknown => Err((Check::RemovalEntry, "did not exist when its recording was erased")),
    }
}
