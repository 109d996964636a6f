//! A bracketed paste: taken as one unit, or refused as one.

use countersign_core::MAX_COMMAND_BYTES;

use super::Refusal;

/// What ends a paste.
const END: &[u8] = b"\x1b[201~";

/// A paste that has begun.
#[derive(Debug, Default)]
pub(super) struct Paste {
    bytes: Vec<u8>,
    /// How much of [`END`] came last.
    ending: usize,
    /// How many `^C` came last.
    interrupts: usize,
    too_long: bool,
    discarded: bool,
}

impl Paste {
    /// Takes one byte; true when the paste has ended.
    pub(super) fn push(&mut self, byte: u8) -> bool {
        self.interrupts = if byte == 0x03 { self.interrupts + 1 } else { 0 };
        self.ending = match END.get(self.ending) {
            Some(&wanted) if wanted == byte => self.ending + 1,
            Some(_) | None => usize::from(byte == 0x1b),
        };
        if self.bytes.len() < MAX_COMMAND_BYTES * 2 + END.len() {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
        self.ending == END.len()
    }

    /// Whether `^C` came twice: a paste that never ends can be left.
    pub(super) fn interrupted(&self) -> bool {
        self.interrupts >= 2
    }

    /// Drops it, what is still to come included.
    pub(super) fn discard(&mut self) {
        self.discarded = true;
        self.bytes.clear();
    }

    /// The pasted text, `None` when it was discarded. Line ends become
    /// newlines. A paste that holds anything else than text is refused whole.
    pub(super) fn finish(self) -> Option<Result<String, Refusal>> {
        if self.discarded {
            return None;
        }
        if self.too_long {
            return Some(Err(Refusal::TooLong));
        }
        let kept = self.bytes.len().saturating_sub(END.len());
        let Ok(text) = std::str::from_utf8(self.bytes.get(..kept).unwrap_or_default()) else {
            return Some(Err(Refusal::NotUtf8));
        };
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let refused = text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        Some(if refused { Err(Refusal::Control) } else { Ok(text) })
    }
}
