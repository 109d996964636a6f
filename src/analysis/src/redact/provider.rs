//! Secrets that show by their own form: a fixed beginning, an alphabet, a
//! length. One automaton finds every beginning in one pass; what follows is
//! checked by hand, each byte once.

mod table;

use super::values::is_placeholder;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::sync::LazyLock;
use table::{Alphabet, FORMS, Form, Tail};

/// Where a secret stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
    /// It spans more than one token, so what is between has to be data.
    pub(super) wide: bool,
}

static BEGINNINGS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(FORMS.iter().map(|form| form.begins))
        .ok()
});

/// Most beginnings of keys that are followed in one text.
const MOST_KEYS: usize = 64;

/// Calls `found` for every secret in the text, in order of their beginnings.
pub(super) fn scan(text: &str, mut found: impl FnMut(Hit)) {
    let mut done = 0;
    let mut keys = 0;
    let Some(automaton) = &*BEGINNINGS else { return };
    for hit in automaton.find_iter(text) {
        let Some(form) = FORMS.get(hit.pattern().as_usize()) else { continue };
        if hit.start() < done {
            continue;
        }
        if matches!(form.tail, Tail::Pem) {
            keys += 1;
            if keys > MOST_KEYS {
                continue;
            }
        }
        if let Some(hit) = check(text, hit.start(), form) {
            done = hit.end;
            found(hit);
        }
    }
}

/// Whether a private key may stand in the text.
pub(super) fn may_hold_key(text: &str) -> bool {
    text.len() >= SHORTEST_KEY && text.contains("-----BEGIN ")
}

/// No key in PEM is shorter than its first and last lines.
const SHORTEST_KEY: usize = 40;

/// The beginnings of all forms.
pub(super) fn beginnings() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|form| form.begins)
}

/// Whether a token may begin in these bytes.
pub(super) fn begins_in(bytes: &[u8]) -> bool {
    BEGINNINGS.as_ref().is_some_and(|automaton| automaton.is_match(bytes))
}

/// Whether what stands at `at` may be the token of a form, by its place in
/// [`beginnings`], or the first row of one that a terminal has wrapped.
pub(super) fn may_be(text: &[u8], at: usize, form: usize) -> bool {
    let Some(form) = FORMS.get(form) else { return true };
    let rest = text.get(at..).unwrap_or_default();
    let Some(rest) = rest.strip_prefix(form.begins.as_bytes()).filter(|_| is_apart(text, at, form)) else {
        return false;
    };
    let (alphabet, least) = match form.tail {
        Tail::Run(alphabet, least, _) | Tail::After(alphabet, least, _) => (alphabet, least),
        Tail::Parts(parts) => parts.first().map_or((Alphabet::Word, 0), |(alphabet, least, _)| (*alphabet, *least)),
        Tail::Pem => return true,
    };
    let length = run(rest, alphabet, least);
    length >= least || rest.get(length).is_none_or(u8::is_ascii_control)
}

/// Whether a form's beginning begins a word, where it must.
fn is_apart(bytes: &[u8], at: usize, form: &Form) -> bool {
    let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied();
    let within = form.alone && before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    // `\n` before a key inside of a JSON string is no letter of a word.
    !within || at.checked_sub(2).and_then(|i| bytes.get(i)) == Some(&b'\\')
}

/// Checks what follows a beginning at `at`.
fn check(text: &str, at: usize, form: &Form) -> Option<Hit> {
    let bytes = text.as_bytes();
    if !is_apart(bytes, at, form) {
        return None;
    }
    let after = at + form.begins.len();
    let rest = bytes.get(after..)?;
    let hit = |start: usize, end: usize| {
        let value = text.get(start..end)?;
        (!is_placeholder(value)).then_some(Hit { start, end, kind: form.kind, wide: false })
    };
    match form.tail {
        Tail::Run(alphabet, least, most) => {
            let length = run(rest, alphabet, most + SLACK);
            let length = if alphabet == Alphabet::Url { trim_dashes(rest, length) } else { length };
            (least..=most).contains(&length).then(|| hit(at, after + length))?
        }
        Tail::After(alphabet, least, most) => {
            let length = run(rest, alphabet, most + SLACK);
            (least..=most).contains(&length).then(|| hit(after, after + length))?
        }
        Tail::Parts(parts) => {
            let mut taken = 0;
            for (index, (alphabet, least, most)) in parts.iter().enumerate() {
                if index > 0 {
                    let joined = rest.get(taken).is_some_and(|b| b".-_~/:".contains(b));
                    if !joined {
                        return None;
                    }
                    taken += 1;
                }
                let length = run(rest.get(taken..)?, *alphabet, most + SLACK);
                if !(*least..=*most).contains(&length) {
                    return None;
                }
                taken += length;
            }
            let start = if form.whole { at } else { after };
            hit(start, after + taken)
        }
        Tail::Pem => pem(text, at),
    }
}

/// How far past its greatest length a token is followed: it is too long then, and where it ends does not matter.
const SLACK: usize = 16;

fn run(rest: &[u8], alphabet: Alphabet, most: usize) -> usize {
    rest.iter().take(most).position(|b| !alphabet.has(*b)).unwrap_or(rest.len().min(most))
}

/// A token does not end in a dash that belongs to the text around.
fn trim_dashes(rest: &[u8], length: usize) -> usize {
    let token = rest.get(..length).unwrap_or_default();
    token.iter().rposition(|b| *b != b'.').map_or(0, |last| last + 1)
}

/// Longest key in PEM that is taken, in bytes.
pub(super) const PEM_LONGEST: usize = 16 * 1024;

/// `-----BEGIN … PRIVATE KEY-----` to its end. Between them stand only lines
/// of base64 and the headers of RFC 1421, so that nothing else can hide there.
fn pem(text: &str, at: usize) -> Option<Hit> {
    let whole = text.get(at..)?;
    let limit = (0..=whole.len().min(PEM_LONGEST)).rev().find(|n| whole.is_char_boundary(*n))?;
    let whole = whole.get(..limit)?;
    let label_end = whole.get(11..)?.find("-----")?;
    let label = whole.get(11..11 + label_end)?;
    let label_fits =
        label.len() <= 40 && label.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
    if !label_fits || !(label.contains("PRIVATE KEY")) {
        return None;
    }
    let body_at = 11 + label_end + 5;
    let body_end = body_at + whole.get(body_at..)?.find("-----END ")?;
    let tail = whole.get(body_end + 9..)?.strip_prefix(label)?;
    let tail = tail.strip_prefix("-----")?;
    let end = at + whole.len() - tail.len();
    let body = whole.get(body_at..body_end)?.replace("\\r", "\n").replace("\\n", "\n");
    let base64 = |line: &str| line.bytes().all(|b| Alphabet::Base64.has(b));
    let header = |line: &str| {
        ["Proc-Type: 4,ENCRYPTED", "DEK-Info: ", "Version: ", "Comment: "].iter().any(|h| line.starts_with(h))
            && line.len() < 80
    };
    let lines: Vec<&str> = body.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty()).collect();
    let fits = lines.iter().all(|line| base64(line) || header(line));
    // A last line that could be a command by itself is no line of a key.
    let tame =
        lines.iter().all(|line| header(line) || line.len() >= 24 || line.bytes().any(|b| !b.is_ascii_lowercase()));
    (fits && tame && !lines.is_empty()).then_some(Hit { start: at, end, kind: "private_key", wide: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn kinds(text: &str) -> Vec<(&str, &'static str)> {
        let mut found = Vec::new();
        scan(text, |hit| found.push((text.get(hit.start..hit.end).unwrap(), hit.kind)));
        found
    }

    #[test]
    fn tokens_are_found_whole() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
        assert_eq!(kinds(&format!("x={token};")), [(token.as_str(), "github_token")]);
        assert_eq!(kinds("ghp_short"), []);
        assert_eq!(kinds(&format!("x{token}")), []);
    }

    #[test]
    fn a_key_hides_nothing_but_a_key() {
        let line = "Ab3".repeat(20);
        let key = format!("-----BEGIN RSA PRIVATE KEY-----\n{line}\n{line}\n-----END RSA PRIVATE KEY-----");
        assert_eq!(kinds(&key), [(key.as_str(), "private_key")]);
        for inside in ["rm -rf /", "reboot", "$(x)", "a;b"] {
            let text = format!("-----BEGIN PRIVATE KEY-----\n{line}\n{inside}\n-----END PRIVATE KEY-----");
            assert_eq!(kinds(&text), [], "{inside}");
        }
        let public = key.replace("RSA PRIVATE", "PUBLIC");
        assert_eq!(kinds(&public), []);
    }

    #[test]
    fn the_table_is_sound() {
        let distinct: BTreeSet<_> = FORMS.iter().map(|form| form.begins).collect();
        assert_eq!(distinct.len(), FORMS.len());
        assert!(BEGINNINGS.is_some());
        for form in FORMS {
            assert!(!matches!(form.tail, Tail::Pem) || form.begins == "-----BEGIN ", "{}", form.begins);
            assert!(form.begins.len() >= 2, "{}", form.begins);
            assert!(
                form.kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{}",
                form.kind
            );
        }
    }
}
