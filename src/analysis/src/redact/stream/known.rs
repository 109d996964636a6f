//! Secrets that are known already, from the command lines of a login.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

/// Shorter secrets of a command are not looked for in its output: they would
/// hide ordinary words.
const SHORTEST: usize = 6;
/// The newest so many bytes of secrets are looked for: as many as one line can have, and as many as are known
/// again after a restart. A login can have lines without end.
const MAX_BYTES: usize = 64 * 1024;
/// Beyond so many bytes they are looked for in a way that takes little memory: the fast one takes a kilobyte for
/// each of them.
const FAST_BYTES: usize = 4 * 1024;

/// Secrets that are known already, from the command lines of a login. Kept in
/// memory only.
///
/// They are made ready to be looked for when that is first asked: to do so for
/// each one that is added would take hours for what one line can hold.
#[derive(Debug, Clone, Default)]
pub struct Known {
    secrets: VecDeque<Arc<str>>,
    all: HashSet<Arc<str>>,
    bytes: usize,
    ready: OnceLock<Option<Arc<AhoCorasick>>>,
}

impl Known {
    /// Adds a secret; short and ordinary words are left out, and the oldest go
    /// where there are too many.
    pub fn add(&mut self, secret: &str) {
        let ordinary = crate::redact::values::is_placeholder(secret) || secret.bytes().all(|b| b.is_ascii_digit());
        if secret.len() < SHORTEST || secret.len() > MAX_BYTES || ordinary || self.all.contains(secret) {
            return;
        }
        let secret: Arc<str> = secret.into();
        self.bytes += secret.len();
        self.all.insert(Arc::clone(&secret));
        self.secrets.push_back(secret);
        while self.bytes > MAX_BYTES
            && let Some(oldest) = self.secrets.pop_front()
        {
            self.bytes -= oldest.len();
            self.all.remove(&oldest);
        }
        self.ready = OnceLock::new();
    }

    /// Adds those of another.
    pub(super) fn learn(&mut self, other: &Self) {
        other.secrets.iter().for_each(|secret| self.add(secret));
    }

    /// What finds them; nothing where there are none.
    pub(super) fn automaton(&self) -> Option<&AhoCorasick> {
        self.ready.get_or_init(|| self.build()).as_deref()
    }

    fn build(&self) -> Option<Arc<AhoCorasick>> {
        if self.secrets.is_empty() {
            return None;
        }
        let small = (self.bytes > FAST_BYTES).then_some(AhoCorasickKind::ContiguousNFA);
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(small)
            .build(self.secrets.iter().map(|secret| secret.as_bytes()));
        built.ok().map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(known: &Known, text: &str) -> bool {
        known.automaton().is_some_and(|found| found.is_match(text))
    }

    #[test]
    fn the_newest_are_known_and_no_more_than_one_line_can_have() {
        let mut known = Known::default();
        assert!(!finds(&known, "anything"));
        for number in 0..20_000 {
            known.add(&format!("pw{number:06}x"));
        }
        assert!(known.bytes <= MAX_BYTES && known.secrets.len() == known.all.len());
        assert!(finds(&known, "it is pw019999x") && !finds(&known, "it is pw000000x"));
        known.add("pw000000x");
        assert!(finds(&known, "it is pw000000x"), "it is told anew");
        known.add(&"x".repeat(MAX_BYTES + 1));
        assert!(finds(&known, "it is pw019999x"), "what is longer than all may be is not looked for");
    }
}
