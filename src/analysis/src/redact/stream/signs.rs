//! What a text has that may hold a secret: stems of names, and beginnings of
//! known forms. All other text is not looked at closer.

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, PatternID};
use std::ops::Range;
use std::sync::LazyLock;

/// What a line without a secret has none of. In lower case.
const STEMS: &[&str] = &[
    "pass",
    "pwd",
    "psw",
    "psk",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "bearer",
    "basic ",
    "sess",
    "cookie",
    "sig",
    "pat",
    "jwt",
    "mnemonic",
    "pin",
    "otp",
    "code",
    "hash",
    "seed",
    "salt",
    "dsn",
    "webhook",
    "sid",
    "identified by",
    "requirepass",
    "csrf",
    "assertion",
    "sas",
    "pw",
    "@",
];

/// Behind what a stem may stand that is written otherwise: such a line is read
/// before it is judged.
const CONTROLS: &[&str] = &["\x1b", "\x08", " \r"];

/// A stem that is a name only by itself: most of the words it begins are not.
const ALONE: &str = "code";

/// Bytes of one of the four pieces of a text that are gone through side by side.
const PIECE: Range<usize> = 64..1024;

/// Finds what a secret has.
pub(super) struct Signs {
    /// Stems, then the beginnings of known forms, and the state before a text.
    /// Without it every text is suspect.
    automaton: Option<(DFA, StateID)>,
    stems: usize,
}

/// In raw bytes that cannot be read line by line.
pub(super) static RAW: LazyLock<Signs> = LazyLock::new(|| Signs::new(CONTROLS));
/// In what a person would read.
pub(super) static READ: LazyLock<Signs> = LazyLock::new(|| Signs::new(&[]));

impl Signs {
    fn new(controls: &[&'static str]) -> Self {
        let stems = STEMS.iter().chain(controls).copied();
        let patterns = stems.chain(super::super::provider::beginnings());
        let automaton = DFA::builder().ascii_case_insensitive(true).build(patterns).ok();
        let automaton = automaton.and_then(|dfa| Some((dfa.start_state(Anchored::No).ok()?, dfa)));
        Self { automaton: automaton.map(|(start, dfa)| (dfa, start)), stems: STEMS.len() + controls.len() }
    }

    /// Where the first one begins: of those that end first.
    ///
    /// Each step of an automaton waits for the one before it, so four pieces are
    /// gone through side by side. They grow while nothing is found, so that no
    /// more is read in vain than was read before.
    pub(super) fn first(&self, text: &[u8]) -> Option<usize> {
        let Some((dfa, start)) = &self.automaton else { return Some(0) };
        // As long as the longest sign, so that none is missed where a piece begins.
        let before = |at: usize| {
            let warm = text.get(at.saturating_sub(dfa.max_pattern_len())..at).unwrap_or_default();
            warm.iter().fold(*start, |state, byte| dfa.next_state(Anchored::No, state, *byte))
        };
        let (mut at, mut length) = (0, PIECE.start);
        while at + 4 * length <= text.len() {
            let places = [at, at + length, at + 2 * length, at + 3 * length];
            let found = self.side_by_side(dfa, text, places.map(|place| (place, before(place))), length);
            if found.is_some() {
                return found;
            }
            at += 4 * length;
            length = (2 * length).min(PIECE.end);
        }
        let mut state = before(at);
        text.iter().enumerate().skip(at).find_map(|(i, byte)| {
            state = dfa.next_state(Anchored::No, state, *byte);
            self.sign(dfa, text, state, i + 1)
        })
    }

    /// The first sign that ends in one of four pieces of this length, which
    /// begin at these places in these states.
    fn side_by_side(&self, dfa: &DFA, text: &[u8], from: [(usize, StateID); 4], length: usize) -> Option<usize> {
        let [a, b, c, d] = from.map(|(at, _)| text.get(at..at + length).unwrap_or_default());
        let mut states = from.map(|(_, state)| state);
        let mut found = [None; 4];
        for (i, (((a, b), c), d)) in a.iter().zip(b).zip(c).zip(d).enumerate() {
            let [s, t, u, v] = states;
            let next = |state, byte| dfa.next_state(Anchored::No, state, byte);
            states = [next(s, *a), next(t, *b), next(u, *c), next(v, *d)];
            if states.iter().any(|state| dfa.is_special(*state)) {
                for ((found, state), (at, _)) in found.iter_mut().zip(states).zip(from) {
                    if found.is_none() && dfa.is_special(state) {
                        *found = self.sign(dfa, text, state, at + i + 1);
                    }
                }
            }
        }
        found.into_iter().flatten().next()
    }

    /// Where the sign begins that ends here, if this state is that of one.
    fn sign(&self, dfa: &DFA, text: &[u8], state: StateID, end: usize) -> Option<usize> {
        if !dfa.is_special(state) || !dfa.is_match(state) {
            return None;
        }
        (0..dfa.match_len(state)).find_map(|i| {
            let pattern = dfa.match_pattern(state, i);
            let start = end.checked_sub(dfa.pattern_len(pattern))?;
            self.counts(text, start..end, pattern).then_some(start)
        })
    }

    /// Whether a hit can be what it looks like: `codec` is no name of a code,
    /// and what follows the beginning of a form can be its token.
    fn counts(&self, text: &[u8], hit: Range<usize>, pattern: PatternID) -> bool {
        if let Some(form) = pattern.as_usize().checked_sub(self.stems) {
            return super::super::provider::may_be(text, hit.start, form);
        }
        let end = hit.end;
        let found = text.get(hit).unwrap_or_default();
        found != ALONE.as_bytes() || !text.get(end).is_some_and(u8::is_ascii_lowercase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, by the plain search.
    fn plainly(signs: &Signs, text: &[u8]) -> Option<usize> {
        let (dfa, _) = signs.automaton.as_ref()?;
        let mut state = aho_corasick::automaton::OverlappingState::start();
        loop {
            dfa.try_find_overlapping(&text.into(), &mut state).unwrap();
            let hit = state.get_match()?;
            if signs.counts(text, hit.range(), hit.pattern()) {
                return Some(hit.start());
            }
        }
    }

    #[test]
    fn signs_are_found_wherever_they_stand() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
        for signs in [&*READ, &*RAW] {
            for sign in
                ["PASSword", "@", "pw", "code ", "codec and codes", "identified by", &token, "-----BEGIN ", "\x1b"]
            {
                for at in (0..700).chain([1200, 3000, 5000, 9000]) {
                    for after in [0, 1, 40, 5000] {
                        let text =
                            format!("{}{sign}{}", "xy codec ".repeat(1000).get(..at).unwrap(), ". ".repeat(after));
                        assert_eq!(signs.first(text.as_bytes()), plainly(signs, text.as_bytes()), "{sign} at {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn of_several_signs_it_is_the_first() {
        let mut state = 3u64;
        let words = ["token ", "codec ", "plain ", "x", "sk_live_", "pat", "h@", "  ", "signature", "eyJ"];
        for length in 0..600 {
            let mut text = String::new();
            while text.len() < length * 12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let draw = usize::try_from(state >> 33).unwrap();
                text.push_str(if draw.is_multiple_of(97) { words[draw / 97 % words.len()] } else { "plain " });
            }
            for from in [0, text.len() / 2] {
                let text = &text.as_bytes()[from..];
                assert_eq!(READ.first(text), plainly(&READ, text));
                assert_eq!(RAW.first(text), plainly(&RAW, text));
            }
        }
    }
}
