//! Text as it may be stored and shown.

use super::{Class, Finding, find, find_text};
use countersign_core::{mark, unmarked};
use std::collections::BTreeMap;

/// How many of which kinds.
pub type Kinds = BTreeMap<&'static str, u64>;

/// What redaction found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cut out of what is stored.
    pub redacted: Kinds,
    /// Personal data, cut out or not.
    pub personal: Kinds,
    /// In the place of a secret, but shown: the shell may put something else
    /// there.
    pub expansions: Kinds,
}

impl Counts {
    /// Counts a finding.
    pub fn count(&mut self, finding: &Finding) {
        let mut add = |kinds: fn(&mut Self) -> &mut Kinds| *kinds(self).entry(finding.kind).or_default() += 1;
        if finding.is_cut() {
            add(|counts| &mut counts.redacted);
        }
        match finding.class {
            Class::Personal => add(|counts| &mut counts.personal),
            Class::Secret if !finding.literal => add(|counts| &mut counts.expansions),
            Class::Secret => {}
        }
    }

    /// Adds those of another text.
    pub fn add(&mut self, other: &Self) {
        let both = [
            (&mut self.redacted, &other.redacted),
            (&mut self.personal, &other.personal),
            (&mut self.expansions, &other.expansions),
        ];
        for (own, other) in both {
            for (kind, count) in other {
                *own.entry(kind).or_default() += count;
            }
        }
    }
}

/// Text that nothing will run, with every secret replaced by a mark: a value, a
/// comment, a working directory, output.
pub fn scrub(text: &str) -> (String, Counts) {
    replace(text, &find_text(text))
}

/// A script, or an excerpt of one: what may be code stays.
pub fn scrub_script(text: &str) -> (String, Counts) {
    replace(text, &find(text))
}

/// The same for bytes. What is not UTF-8 is no text, and stays.
pub fn scrub_bytes(bytes: &[u8]) -> (Vec<u8>, Counts) {
    let mut out = Vec::with_capacity(bytes.len());
    let mut counts = Counts::default();
    for chunk in bytes.utf8_chunks() {
        let (text, found) = scrub(chunk.valid());
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(chunk.invalid());
        counts.add(&found);
    }
    (out, counts)
}

fn replace(text: &str, findings: &[Finding]) -> (String, Counts) {
    let mut out = String::with_capacity(text.len());
    let mut counts = Counts::default();
    let mut at = 0;
    for finding in findings {
        counts.count(finding);
        if finding.is_cut() && finding.start >= at {
            out.push_str(&unmarked(text.get(at..finding.start).unwrap_or_default()));
            out.push_str(&mark(finding.kind));
            at = finding.end;
        }
    }
    out.push_str(&unmarked(text.get(at..).unwrap_or_default()));
    (out, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_marks_and_nothing_else_passes_for_one() {
        let (text, counts) = scrub("DB_PASSWORD=hunter2x\nTERM=xterm\nMAIL=a@example.org");
        assert_eq!(text, "DB_PASSWORD=‹redacted password›\nTERM=xterm\nMAIL=a@example.org");
        assert_eq!(counts.redacted, Kinds::from([("password", 1)]));
        assert_eq!(counts.personal, Kinds::from([("email", 1)]));
        assert_eq!(scrub("x ‹redacted password› y").0, "x ⟨U+2039⟩redacted password› y");
    }

    #[test]
    fn a_script_keeps_its_code() {
        let (text, counts) = scrub_script("mysql -phunter2x\nmysql -p\"$(evil)\"\n");
        assert_eq!(text, "mysql -p‹redacted password›\nmysql -p\"$(evil)\"\n");
        assert_eq!(counts.expansions, Kinds::from([("password", 1)]));
    }

    #[test]
    fn bytes_that_are_no_text_stay() {
        assert_eq!(
            scrub_bytes(b"/a\xff/token=hunter2x").0,
            "/a".bytes().chain([0xff]).chain("/token=‹redacted token›".bytes()).collect::<Vec<_>>()
        );
    }
}
