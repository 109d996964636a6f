//! The exact bytes of a command, cut into segments, and whether a person may
//! be asked about them.

use crate::reads_program_from_stdin;
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
}

/// A run of bytes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they may be stored, shipped and shown.
    pub shown: bool,
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

/// Cuts the sent bytes of a command of `total_bytes` bytes into segments. One
/// shown segment for now: redaction cuts secrets out here when it lands.
/// `terminal`: its standard input is a terminal, where an interpreter talks to
/// whoever sits there, and a person decides whether it may.
pub fn hold(sent: &[u8], total_bytes: u64, terminal: bool) -> Held {
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
    let segments = match &text {
        Err(NotText::TooLong { .. }) => {
            let (head, tail) = sent.split_at(EXCERPT.min(sent.len()));
            [(head, true), (tail, false)]
                .into_iter()
                .filter(|(bytes, _)| !bytes.is_empty())
                .map(|(bytes, shown)| Segment { bytes: bytes.to_vec(), shown })
                .collect()
        }
        Ok(_) | Err(NotText::Empty | NotText::NotUtf8 { .. } | NotText::Control { .. }) => {
            vec![Segment { bytes: sent.to_vec(), shown: true }]
        }
    };
    Held { segments, not_asked }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::MAX_COMMAND_BYTES;

    fn held(bytes: &[u8]) -> Held {
        hold(bytes, u64::try_from(bytes.len()).unwrap(), false)
    }

    #[test]
    fn an_ordinary_line_is_one_shown_segment() {
        let held = held(b"ls -l");
        assert_eq!(held.not_asked, None);
        assert_eq!(held.segments, [Segment { bytes: b"ls -l".to_vec(), shown: true }]);
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
        assert!(matches!(hold(b"ls", 3, false).not_asked, Some(NotAsked::NotText(NotText::TooLong { bytes: 3 }))));
    }

    #[test]
    fn on_a_terminal_an_interpreter_is_for_a_person_to_decide() {
        assert_eq!(hold(b"python3", 7, true).not_asked, None);
        assert_eq!(hold(b"python3", 7, false).not_asked, Some(NotAsked::StdinProgram));
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
}
