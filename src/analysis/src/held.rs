//! The exact bytes of a command, cut into segments, and whether a person may
//! be asked about them.

use crate::reads_program_from_stdin;
use crate::redact::{Counts, Dialect, Finding, find_for, find_text};
use countersign_core::{CommandText, NotText};

/// How many leading bytes of an over-long command stay readable in the record.
const EXCERPT: usize = 4096;

/// A command as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its segments; their concatenation is the exact bytes.
    pub segments: Vec<Segment>,
    /// Why nobody is asked, where that is so. The submission is recorded all
    /// the same.
    pub not_asked: Option<NotAsked>,
    /// What redaction found in it.
    pub counts: Counts,
}

/// A run of bytes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they may be stored, shipped and shown.
    pub shown: bool,
    /// What they are, where they are hidden: the kind of a secret, or `beyond`
    /// for what comes after the excerpt of an over-long command.
    pub kind: Option<&'static str>,
}

impl Segment {
    fn shown(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), shown: true, kind: None }
    }

    fn hidden(bytes: &[u8], kind: &'static str) -> Self {
        Self { bytes: bytes.to_vec(), shown: false, kind: Some(kind) }
    }
}

/// Why nobody is asked about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAsked {
    /// It is not text that a person can read.
    NotText(NotText),
    /// It hands its standard input to an interpreter, and holding that input
    /// is not built yet.
    StdinProgram,
}

impl NotAsked {
    /// The word of `decided.why`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotText(why) => why.code(),
            Self::StdinProgram => "stdin_program_not_built",
        }
    }

    /// What went wrong and what to do, for the agent.
    pub fn advice(&self) -> String {
        match self {
            Self::NotText(why) => why.to_string(),
            Self::StdinProgram => {
                "an interpreter would read its program from standard input, which cannot be held yet; \
                 put the program into a file and run that, or pass it with -c"
                    .to_owned()
            }
        }
    }
}

/// Cuts the sent bytes of a command of `total_bytes` bytes into segments:
/// secrets are hidden, the rest is shown. `terminal`: its standard input is a
/// terminal, where an interpreter talks to whoever sits there, and a person
/// decides whether it may. `dialect`: whose quoting rules the shell follows
/// that will run it.
pub fn hold(sent: &[u8], total_bytes: u64, terminal: bool, dialect: Dialect) -> Held {
    let whole = u64::try_from(sent.len()).is_ok_and(|n| n == total_bytes);
    let text = match CommandText::parse(sent) {
        _ if !whole => Err(NotText::TooLong { bytes: usize::try_from(total_bytes).unwrap_or(usize::MAX) }),
        read => read,
    };
    let not_asked = match &text {
        Err(why) => Some(NotAsked::NotText(why.clone())),
        Ok(text) if !terminal && reads_program_from_stdin(text.as_str()) => Some(NotAsked::StdinProgram),
        Ok(_) => None,
    };
    let (segments, counts) = match &text {
        Ok(text) => cut(sent, &find_for(text.as_str(), dialect), sent.len()),
        Err(NotText::TooLong { .. }) => {
            cut(sent, &everything(sent.get(..LOOK).unwrap_or(sent)), EXCERPT.min(sent.len()))
        }
        Err(NotText::Empty | NotText::NotUtf8 { .. } | NotText::Control { .. }) => {
            cut(sent, &everything(sent), sent.len())
        }
    };
    Held { segments, not_asked, counts }
}

/// How much of an over-long command is searched: a secret may begin within
/// the excerpt and end beyond.
const LOOK: usize = 2 * EXCERPT;

/// What can be found in bytes that will never run: it may all be hidden.
fn everything(bytes: &[u8]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        let here = find_for(text, Dialect::Posix).into_iter().chain(find_text(text));
        found.extend(here.map(|f| Finding { start: f.start + at, end: f.end + at, literal: true, ..f }));
        at += text.len() + chunk.invalid().len();
    }
    found.sort_by_key(|f| (f.start, std::cmp::Reverse(f.end)));
    // What overlaps is hidden as one.
    let mut joined: Vec<Finding> = Vec::new();
    for finding in found {
        match joined.last_mut() {
            Some(last) if last.is_cut() && finding.is_cut() && finding.start < last.end => {
                last.end = last.end.max(finding.end);
            }
            Some(_) | None => joined.push(finding),
        }
    }
    joined
}

/// Segments of the bytes, the first `shown` of which may be shown where no
/// secret stands.
fn cut(sent: &[u8], findings: &[Finding], shown: usize) -> (Vec<Segment>, Counts) {
    let mut segments = Vec::new();
    let mut counts = Counts::default();
    let mut at = 0;
    let piece = |from: usize, to: usize| sent.get(from..to).filter(|bytes| !bytes.is_empty());
    for finding in findings.iter().filter(|f| f.start < shown) {
        counts.count(finding);
        if finding.is_cut() && finding.start >= at {
            segments.extend(piece(at, finding.start).map(Segment::shown));
            segments.extend(piece(finding.start, finding.end).map(|bytes| Segment::hidden(bytes, finding.kind)));
            at = finding.end;
        }
    }
    segments.extend(piece(at, shown).map(Segment::shown));
    segments.extend(piece(at.max(shown), sent.len()).map(|bytes| Segment::hidden(bytes, "beyond")));
    if segments.is_empty() {
        segments.push(Segment::shown(sent));
    }
    (segments, counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::MAX_COMMAND_BYTES;

    fn held(bytes: &[u8]) -> Held {
        hold(bytes, u64::try_from(bytes.len()).unwrap(), false, Dialect::Posix)
    }

    #[test]
    fn an_ordinary_line_is_one_shown_segment() {
        let held = held(b"ls -l");
        assert_eq!(held.not_asked, None);
        assert_eq!(held.segments, [Segment::shown(b"ls -l")]);
    }

    #[test]
    fn an_over_long_line_keeps_an_excerpt_and_is_not_asked() {
        let held = held(&vec![b'a'; MAX_COMMAND_BYTES + 1]);
        assert!(matches!(held.not_asked, Some(NotAsked::NotText(NotText::TooLong { .. }))));
        let shown: Vec<_> = held.segments.iter().map(|s| (s.bytes.len(), s.shown)).collect();
        assert_eq!(shown, [(EXCERPT, true), (MAX_COMMAND_BYTES + 1 - EXCERPT, false)]);
    }

    #[test]
    fn a_line_of_which_only_a_part_was_sent_is_never_asked() {
        assert!(matches!(
            hold(b"ls", 3, false, Dialect::Posix).not_asked,
            Some(NotAsked::NotText(NotText::TooLong { bytes: 3 }))
        ));
    }

    #[test]
    fn on_a_terminal_an_interpreter_is_for_a_person_to_decide() {
        assert_eq!(hold(b"python3", 7, true, Dialect::Posix).not_asked, None);
        assert_eq!(hold(b"python3", 7, false, Dialect::Posix).not_asked, Some(NotAsked::StdinProgram));
    }

    #[test]
    fn unreadable_lines_are_recorded_whole_and_not_asked() {
        for (bytes, code) in [
            (&b""[..], "command_empty"),
            (b"a\xff", "command_not_utf8"),
            (b"a\x1b", "command_control_character"),
            (b"bash -s", "stdin_program_not_built"),
        ] {
            let held = held(bytes);
            assert_eq!(held.not_asked.as_ref().map(NotAsked::code), Some(code));
            assert_eq!(held.segments.iter().flat_map(|s| s.bytes.clone()).collect::<Vec<_>>(), bytes);
        }
    }

    #[test]
    fn secrets_are_segments_of_their_own() {
        let line = "mysql -uroot -phunter2x -e \"$(cat q)\" --token='a b$' x";
        let held = held(line.as_bytes());
        let parts: Vec<_> = held.segments.iter().map(|s| (String::from_utf8_lossy(&s.bytes), s.kind)).collect();
        assert_eq!(
            parts,
            [
                ("mysql -uroot -p".into(), None),
                ("hunter2x".into(), Some("password")),
                (" -e \"$(cat q)\" --token='".into(), None),
                ("a b$".into(), Some("token")),
                ("' x".into(), None)
            ]
        );
        assert_eq!(held.segments.concat_bytes(), line.as_bytes());
        assert_eq!(held.counts.redacted.values().sum::<u64>(), 2);
    }

    #[test]
    fn an_expansion_in_the_place_of_a_secret_is_shown_and_counted() {
        let held = held(b"mysql -p\"$(evil)\"");
        assert!(held.segments.iter().all(|s| s.shown));
        assert_eq!(held.counts.expansions.get("password"), Some(&1));
    }

    #[test]
    fn what_never_runs_loses_its_secrets_too() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
        let long = format!("{}token={token}{}", "a ".repeat(EXCERPT / 2 - 10), " b".repeat(MAX_COMMAND_BYTES / 2));
        for line in [format!("x\x1b {token}").into_bytes(), [b"\xff ", token.as_bytes()].concat(), long.into_bytes()] {
            let held = held(&line);
            assert!(held.not_asked.is_some());
            assert_eq!(held.segments.concat_bytes(), line);
            let shown: Vec<u8> = held.segments.iter().filter(|s| s.shown).flat_map(|s| s.bytes.clone()).collect();
            assert!(!String::from_utf8_lossy(&shown).contains("a1B2"), "{}", String::from_utf8_lossy(&shown));
        }
    }

    trait ConcatBytes {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl ConcatBytes for Vec<Segment> {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|s| s.bytes.clone()).collect()
        }
    }
}
