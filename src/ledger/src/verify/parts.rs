//! A history of which entries are left out on purpose: a bundle of some
//! logins or of a time, or what a host has kept when it pruned.
//!
//! The tree hashes that stand for what is left out come with it and prove
//! nothing until a cosigned root covers them. What is left out is not judged.

use super::checks::Check;
use super::removals::Pruned;
use super::report::{Findings, thousands};
use crate::Gaps;
use crate::tlog::Subtree;
use countersign_core::{Digest, LoginId};

/// What a bundle says that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// These logins, each from its beginning.
    Logins {
        /// What they are called together.
        name: String,
        /// Which.
        logins: Vec<LoginId>,
    },
    /// Every entry from this seq on.
    Since(u64),
}

/// Entries left out one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bridge {
    /// The first.
    pub from: u64,
    /// The entry after the last.
    pub to: u64,
    /// Root of the tree up to there, where one can be known.
    pub root: Option<Digest>,
    /// L of the last, as the entry after it says.
    pub head: Digest,
}

/// What is left out so far.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    gaps: &'a Gaps,
    scope: Option<&'a Scope>,
    bridges: Vec<Bridge>,
}

impl<'a> Parts<'a> {
    /// Begins with what the source says of itself.
    pub fn new(gaps: &'a Gaps, scope: Option<&'a Scope>) -> Self {
        Self { gaps, scope, bridges: Vec::new() }
    }

    /// What stands for the entries `from` up to `to`. The first entry, which
    /// says whose history this is, cannot be left out.
    pub fn bridge(&self, from: u64, to: u64) -> Option<Vec<Subtree>> {
        if from == 0 { None } else { self.gaps.bridge(from, to) }
    }

    /// They are left out.
    pub fn left_out(&mut self, bridge: Bridge) {
        self.bridges.push(bridge);
    }

    /// Whether an entry is left out, or after the end of a part that has one.
    pub fn is_left_out(&self, seq: u64, next: u64) -> bool {
        let behind = seq >= next && matches!(self.scope, Some(Scope::Logins { .. }));
        behind || self.bridges.iter().any(|bridge| (bridge.from..bridge.to).contains(&seq))
    }

    /// Whether this is a part of a history.
    pub fn is_part(&self) -> bool {
        self.scope.is_some()
    }

    /// Says what is left out and nothing allows it. `has` tells whether a login
    /// was there; `next` is the seq after the last entry.
    pub fn finish(
        &self,
        pruned: Option<Pruned>,
        vouched: bool,
        has: &dyn Fn(LoginId) -> bool,
        next: u64,
        findings: &mut Findings,
    ) {
        let scoped = |bridge: &Bridge| match self.scope {
            Some(Scope::Logins { .. }) => true,
            Some(Scope::Since(from)) => bridge.to <= *from,
            None => false,
        };
        let mut used = false;
        for bridge in self.bridges.iter().filter(|bridge| !scoped(bridge)) {
            if pruned.is_some_and(|pruned| bridge.to <= pruned.before) {
                used = true;
                continue;
            }
            let text =
                format!("entries are left out and nothing declares it: seq {} to {}", bridge.from, bridge.to - 1);
            findings.add(Check::ChainSeq, Some(bridge.to), None, text);
        }
        if let (true, Some(pruned)) = (used, pruned) {
            let end = self.bridges.iter().find(|bridge| bridge.to == pruned.before);
            let other = |end: &Bridge| end.head != pruned.head || end.root.is_some_and(|root| root != pruned.root);
            if end.is_none_or(other) {
                let text = "pruned states another tree, or other entries, than are left out";
                findings.add(Check::RemovalEntry, Some(pruned.seq), None, text);
            }
            if !vouched {
                let text =
                    format!("entries below seq {} were removed by the word of the host", thousands(pruned.before));
                findings.add(Check::PrunedDeclared, Some(pruned.seq), None, text);
            }
        }
        if let Some(Scope::Since(from)) = self.scope
            && *from >= next
        {
            findings.add(Check::PartLogin, None, None, format!("there is no entry from seq {from} on"));
        }
        if let Some(Scope::Logins { logins, .. }) = self.scope {
            for login in logins.iter().filter(|login| !has(**login)) {
                findings.add(Check::PartLogin, None, None, format!("the login {login} is not there"));
            }
            if logins.is_empty() {
                findings.add(Check::PartLogin, None, None, "it says that it holds no login");
            }
        }
    }

    /// Whether any entries are left out so far.
    pub fn has_left_out(&self) -> bool {
        !self.bridges.is_empty()
    }

    /// How many entries are left out.
    pub fn count(&self) -> u64 {
        self.bridges.iter().fold(0, |sum, bridge| sum.saturating_add(bridge.to.saturating_sub(bridge.from)))
    }

    /// Sentences about what the verdict does not cover.
    pub fn notes(&self, pruned: Option<Pruned>) -> Vec<String> {
        let mut notes = Vec::new();
        match self.scope {
            Some(Scope::Logins { name, logins }) => notes.push(format!(
                "It covers the {} of {name} from the first to the last entry, and nothing else of this host: {} entries are left out. \
                 That these are all its logins, and that no newer document of the administrators was in force, is the word of whoever made the bundle.",
                if logins.len() == 1 { "one login".to_owned() } else { format!("{} logins", logins.len()) },
                thousands(self.count())
            )),
            Some(Scope::Since(from)) => notes.push(format!(
                "It covers every entry from seq {} on and the logins open there; {} earlier entries are left out.",
                thousands(*from),
                thousands(self.count())
            )),
            None => {}
        }
        if let (Some(pruned), false) = (pruned, self.bridges.is_empty()) {
            notes.push(format!(
                "Entries below seq {} are no longer there: they were pruned at seq {}, and what ran there is not judged.",
                thousands(pruned.before),
                thousands(pruned.seq)
            ));
        }
        notes
    }
}
