//! A program that a command reads from its standard input, held with it.

/// Longest program that is held, in bytes.
pub const MAX_PROGRAM_BYTES: usize = 256 * 1024;

/// Why a program on standard input is not asked about. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProgram {
    /// Over the limit.
    #[error(
        "the program on standard input is longer than {MAX_PROGRAM_BYTES} bytes, which is the most that a reviewer is shown; copy it to a file and run that"
    )]
    TooLong,
    /// The client did not send it to its end in time.
    #[error(
        "the program on standard input did not come to its end within {waited_s} s, and nobody can be asked about a part of it; send it at once and end it"
    )]
    TooSlow {
        /// How long it was waited for.
        waited_s: u64,
    },
    /// Not UTF-8.
    #[error(
        "the program on standard input is not UTF-8 at byte {at}, so that a reviewer cannot read it; copy it to a file and run that"
    )]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// Holds a control character.
    #[error(
        "the program on standard input holds the control character U+{code:04X} at byte {at}, which a reviewer cannot see; remove it"
    )]
    Control {
        /// Its code point.
        code: u32,
        /// Its byte offset.
        at: usize,
    },
}

impl NotProgram {
    /// The word the ledger has for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "program_too_long",
            Self::TooSlow { .. } => "program_too_slow",
            Self::NotUtf8 { .. } => "program_not_utf8",
            Self::Control { .. } => "program_control_character",
        }
    }
}

/// Reads the whole bytes of a program as text that a person can read; an empty
/// one is one that does nothing.
pub fn program_text(bytes: &[u8]) -> Result<&str, NotProgram> {
    if bytes.len() > MAX_PROGRAM_BYTES {
        return Err(NotProgram::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|e| NotProgram::NotUtf8 { at: e.valid_up_to() })?;
    match text.char_indices().find(|(_, c)| c.is_control() && *c != '\t' && *c != '\n') {
        Some((at, c)) => Err(NotProgram::Control { code: u32::from(c), at }),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_can_read() {
        assert_eq!(program_text("echo ✓\n\tid\n".as_bytes()), Ok("echo ✓\n\tid\n"));
        assert_eq!(program_text(b""), Ok(""));
        assert!(program_text(&vec![b'a'; MAX_PROGRAM_BYTES]).is_ok());
        assert_eq!(program_text(&vec![b'a'; MAX_PROGRAM_BYTES + 1]), Err(NotProgram::TooLong));
        assert_eq!(program_text(b"a\xff"), Err(NotProgram::NotUtf8 { at: 1 }));
        assert_eq!(program_text(b"a\rb"), Err(NotProgram::Control { code: 13, at: 1 }));
    }
}
