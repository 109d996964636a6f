//! The exact bytes of a command, cut into segments, and whether a person may
//! be asked about them.

use crate::escapes::opens_a_shell;
use crate::line::Line;
use crate::redact::{Counts, Dialect, Finding, find_for, find_in, find_text};
use crate::starts::{self, Starts};
use crate::stdin_program;
use countersign_core::{CommandText, Flag, NotProgram, NotText, is_unclear_rsync, program_text};

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
    /// What whoever decides must know, in order, each once.
    pub flags: Vec<Flag>,
    /// Whether it reads a program from its standard input, which has to be
    /// held with it ([`Held::with_program`]).
    pub wants_program: bool,
    /// The program on its standard input.
    pub program: Option<HeldProgram>,
    /// What it would start; `None` where nobody is asked about it.
    pub starts: Option<Starts>,
}

/// A program on standard input, as it is recorded with its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldProgram {
    /// Its segments; their concatenation is the exact bytes that were sent.
    pub segments: Vec<Segment>,
    /// Its length in bytes, as far as it was read.
    pub total_bytes: u64,
}

/// Who reads a command, where its standard input comes from, and what this host allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The inner shell, as it is named in the ledger.
    pub shell: &'a str,
    /// It is a terminal, where an interpreter talks to whoever sits there, and
    /// a person decides whether it may.
    pub terminal: bool,
    /// Whether this host lets a person decide about shells within the gate.
    pub nested: Nested,
}

/// What a host does about lines that open a shell or something like it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Nested {
    /// A person decides each time.
    #[default]
    Ask,
    /// They are refused, unasked.
    Refuse,
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
    /// The program on its standard input cannot be shown.
    Program(NotProgram),
    /// It opens a shell or the like, and this host does not allow that.
    Nested,
}

impl NotAsked {
    /// The word of `decided.why`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotText(why) => why.code(),
            Self::Program(why) => why.code(),
            Self::Nested => "nested_refused",
        }
    }

    /// What went wrong and what to do, for the agent.
    pub fn advice(&self) -> String {
        match self {
            Self::NotText(why) => why.to_string(),
            Self::Program(why) => why.to_string(),
            Self::Nested => "this host does not allow shells, interpreters, editors and the like inside a login \
                 (`nested = \"refuse\"`); send the commands themselves"
                .to_owned(),
        }
    }
}

/// Cuts the sent bytes of a command of `total_bytes` bytes into segments:
/// secrets are hidden, the rest is shown.
pub fn hold(sent: &[u8], total_bytes: u64, place: Place<'_>) -> Held {
    let whole = u64::try_from(sent.len()).is_ok_and(|n| n == total_bytes);
    let text = match CommandText::parse(sent) {
        _ if !whole => Err(NotText::TooLong { bytes: usize::try_from(total_bytes).unwrap_or(usize::MAX) }),
        read => read,
    };
    let line = Line::new(text.as_ref().map_or("", CommandText::as_str));
    let wants_program = !place.terminal && stdin_program::reads(&line);
    let escapes = opens_a_shell(&line, place.terminal);
    let mut flags = Vec::new();
    flags.extend(escapes.then_some(Flag::InteractiveEscape));
    flags.extend((wants_program || is_unclear_rsync(line.text)).then_some(Flag::OpaqueCode));
    let not_asked = match (&text, place.nested) {
        (Err(why), _) => Some(NotAsked::NotText(why.clone())),
        (Ok(_), Nested::Refuse) if escapes => Some(NotAsked::Nested),
        (Ok(_), Nested::Ask | Nested::Refuse) => None,
    };
    let (segments, counts) = match &text {
        Ok(_) => cut(sent, &find_in(&line, Dialect::of_shell(place.shell)), sent.len()),
        Err(NotText::TooLong { .. }) => {
            cut(sent, &everything(sent.get(..LOOK).unwrap_or(sent)), EXCERPT.min(sent.len()))
        }
        Err(NotText::Empty | NotText::NotUtf8 { .. } | NotText::Control { .. }) => {
            cut(sent, &everything(sent), sent.len())
        }
    };
    let wants_program = wants_program && not_asked.is_none();
    let starts = not_asked.is_none().then(|| starts::of_line(&line, place.shell));
    Held { segments, not_asked, counts, flags, wants_program, program: None, starts }
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

impl Held {
    /// Adds the program on standard input: `sent` are its bytes, or its
    /// beginning where `bad` says why it is not whole.
    pub fn with_program(mut self, sent: &[u8], total_bytes: u64, bad: Option<NotProgram>) -> Self {
        let whole = u64::try_from(sent.len()).is_ok_and(|n| n == total_bytes);
        let read = match bad {
            Some(why) => Err(why),
            None if !whole => Err(NotProgram::TooLong),
            None => program_text(sent).map(|_| ()),
        };
        self.wants_program = false;
        if let Err(why) = read {
            self.not_asked.get_or_insert(NotAsked::Program(why));
        }
        // Which language it is in is not known: only what is surely no code is hidden.
        let text = std::str::from_utf8(sent).unwrap_or("");
        let findings = if self.not_asked.is_some() { everything(sent) } else { find_for(text, Dialect::Other) };
        let (segments, counts) = cut(sent, &findings, sent.len());
        self.counts.add(&counts);
        self.program = Some(HeldProgram { segments, total_bytes });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::{MAX_COMMAND_BYTES, MAX_PROGRAM_BYTES};

    const PIPE: Place<'_> = Place { shell: "bash", terminal: false, nested: Nested::Ask };
    const TERMINAL: Place<'_> = Place { shell: "bash", terminal: true, nested: Nested::Ask };

    fn at(bytes: &[u8], place: Place<'_>) -> Held {
        hold(bytes, u64::try_from(bytes.len()).unwrap(), place)
    }

    #[test]
    fn an_ordinary_line_is_one_shown_segment() {
        let held = at(b"ls -l", PIPE);
        assert_eq!((held.not_asked, held.wants_program, held.flags), (None, false, vec![]));
        assert_eq!(held.segments, [Segment::shown(b"ls -l")]);
    }

    #[test]
    fn an_over_long_line_keeps_an_excerpt_and_is_not_asked() {
        let held = at(&vec![b'a'; MAX_COMMAND_BYTES + 1], PIPE);
        assert!(matches!(held.not_asked, Some(NotAsked::NotText(NotText::TooLong { .. }))));
        let shown: Vec<_> = held.segments.iter().map(|s| (s.bytes.len(), s.shown)).collect();
        assert_eq!(shown, [(EXCERPT, true), (MAX_COMMAND_BYTES + 1 - EXCERPT, false)]);
    }

    #[test]
    fn a_line_of_which_only_a_part_was_sent_is_never_asked() {
        assert!(matches!(hold(b"ls", 3, PIPE).not_asked, Some(NotAsked::NotText(NotText::TooLong { bytes: 3 }))));
    }

    #[test]
    fn an_interpreter_is_for_a_person_on_a_terminal_and_holds_its_input_elsewhere() {
        let held = at(b"python3", TERMINAL);
        assert_eq!((held.not_asked, held.wants_program, held.flags), (None, false, vec![Flag::InteractiveEscape]));
        let held = at(b"python3", PIPE);
        assert_eq!((held.not_asked, held.wants_program, held.flags), (None, true, vec![Flag::OpaqueCode]));
    }

    #[test]
    fn a_host_may_refuse_what_opens_a_shell() {
        let refuse = Place { nested: Nested::Refuse, ..TERMINAL };
        assert_eq!(at(b"sudo -i", refuse).not_asked, Some(NotAsked::Nested));
        assert_eq!(at(b"uptime", refuse).not_asked, None);
        let held = at(b"bash", Place { nested: Nested::Refuse, ..PIPE });
        assert_eq!((held.not_asked, held.wants_program), (None, true), "a program that is held is no nested shell");
    }

    #[test]
    fn a_program_is_asked_about_whole_or_not_at_all() {
        let with = |bytes: &[u8], total: usize, bad: Option<NotProgram>| {
            at(b"bash -s", PIPE).with_program(bytes, u64::try_from(total).unwrap(), bad)
        };
        let held = with(b"id\n", 3, None);
        assert_eq!((held.not_asked, held.flags), (None, vec![Flag::OpaqueCode]));
        assert_eq!(held.program.unwrap().segments, [Segment::shown(b"id\n")]);
        let most = vec![b'a'; MAX_PROGRAM_BYTES];
        assert_eq!(with(&most, MAX_PROGRAM_BYTES, None).not_asked, None);
        for (held, code) in [
            (with(b"id", 3, None), "program_too_long"),
            (with(b"id", 2, Some(NotProgram::TooSlow { waited_s: 1 })), "program_too_slow"),
            (with(&[most, b"a".to_vec()].concat(), MAX_PROGRAM_BYTES + 1, None), "program_too_long"),
            (with(b"\xff", 1, None), "program_not_utf8"),
            (with(b"\x1b[2K", 4, None), "program_control_character"),
        ] {
            assert_eq!(held.not_asked.as_ref().map(NotAsked::code), Some(code));
            assert!(held.program.is_some() && !held.wants_program);
        }
    }

    #[test]
    fn unreadable_lines_are_recorded_whole_and_not_asked() {
        for (bytes, code) in
            [(&b""[..], "command_empty"), (b"a\xff", "command_not_utf8"), (b"a\x1b", "command_control_character")]
        {
            let held = at(bytes, PIPE);
            assert_eq!(held.not_asked.as_ref().map(NotAsked::code), Some(code));
            assert_eq!(held.segments.iter().flat_map(|s| s.bytes.clone()).collect::<Vec<_>>(), bytes);
        }
    }

    #[test]
    fn secrets_are_segments_of_their_own() {
        let line = "mysql -uroot -phunter2x -e \"$(cat q)\" --token='a b$' x";
        let held = at(line.as_bytes(), PIPE);
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
        let held = at(b"mysql -p\"$(evil)\"", PIPE);
        assert!(held.segments.iter().all(|s| s.shown));
        assert_eq!(held.counts.expansions.get("password"), Some(&1));
    }

    #[test]
    fn what_never_runs_loses_its_secrets_too() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
        let long = format!("{}token={token}{}", "a ".repeat(EXCERPT / 2 - 10), " b".repeat(MAX_COMMAND_BYTES / 2));
        for line in [format!("x\x1b {token}").into_bytes(), [b"\xff ", token.as_bytes()].concat(), long.into_bytes()] {
            let held = at(&line, PIPE);
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

    #[test]
    fn an_rsync_that_reads_a_configuration_is_opaque() {
        for line in ["rsync --server --daemon .", "/usr/bin/rsync --server --rsh=x . y", "rsync --server -se.LsfxCIvu"]
        {
            assert_eq!(at(line.as_bytes(), PIPE).flags, [Flag::OpaqueCode], "{line}");
        }
        assert_eq!(at(b"rsync -a x y", PIPE).flags, []);
    }
}
