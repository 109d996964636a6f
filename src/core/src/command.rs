//! What may be asked about: a command line that a person can read.

/// Longest command line that is asked about, in bytes (the parser's cap of
/// the design's DEPENDENCIES page). Longer ones are recorded and refused.
pub const MAX_COMMAND_BYTES: usize = 64 * 1024;

/// A command line fit to be shown and decided on: not blank, at most
/// [`MAX_COMMAND_BYTES`], UTF-8, and free of control characters other than
/// tab and newline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandText(String);

/// Why bytes are not a [`CommandText`]. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Nothing but white space.
    #[error("the command is empty; send one command line")]
    Empty,
    /// Over the limit.
    #[error(
        "the command is {bytes} bytes long and the limit is {MAX_COMMAND_BYTES}; put the program into a file and run that"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("the command is not UTF-8 at byte {at}; send UTF-8 text, and bytes as $'\\xHH'")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// Holds a control character.
    #[error(
        "the command holds the control character U+{code:04X} at byte {at}, which a reviewer cannot see; remove it or write it as $'\\xHH'"
    )]
    Control {
        /// Its code point.
        code: u32,
        /// Its byte offset.
        at: usize,
    },
}

impl NotText {
    /// The word the ledger has for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "command_empty",
            Self::TooLong { .. } => "command_too_long",
            Self::NotUtf8 { .. } => "command_not_utf8",
            Self::Control { .. } => "command_control_character",
        }
    }
}

impl CommandText {
    /// Reads the exact bytes of a command line.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotText> {
        if bytes.len() > MAX_COMMAND_BYTES {
            return Err(NotText::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|e| NotText::NotUtf8 { at: e.valid_up_to() })?;
        let bad = text.char_indices().find(|(_, c)| c.is_control() && *c != '\t' && *c != '\n');
        if let Some((at, c)) = bad {
            return Err(NotText::Control { code: u32::from(c), at });
        }
        if text.trim().is_empty() {
            return Err(NotText::Empty);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_person_can_read() {
        for good in ["true", "printf 'a\tb'\nls", "echo ✓ héllo"] {
            assert_eq!(CommandText::parse(good.as_bytes()).map(|c| c.as_str().to_owned()), Ok(good.to_owned()));
        }
        assert_eq!(CommandText::parse(b" \n"), Err(NotText::Empty));
        assert_eq!(
            CommandText::parse(&vec![b'a'; MAX_COMMAND_BYTES + 1]),
            Err(NotText::TooLong { bytes: MAX_COMMAND_BYTES + 1 })
        );
        assert_eq!(CommandText::parse(b"ab\xff"), Err(NotText::NotUtf8 { at: 2 }));
        assert_eq!(CommandText::parse(b"a\x1b[2K"), Err(NotText::Control { code: 27, at: 1 }));
        assert_eq!(CommandText::parse("a\u{9b}".as_bytes()), Err(NotText::Control { code: 0x9b, at: 1 }));
    }
}
