//! From the terminal's bytes to what was typed.
//!
//! Every escape sequence is taken whole, known or not, so that no part of one
//! ever lands in the line. Nothing here waits: whatever is unfinished can be
//! given up with [`Decoder::give_up`].

use super::Refusal;
use super::paste::Paste;

/// Longest CSI sequence, and longest OSC, DCS, APC, PM or SOS string.
const MAX_SEQUENCE_BYTES: usize = 64;
const MAX_STRING_BYTES: usize = 4096;

/// One thing that was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// A character that is no control character.
    Char(char),
    /// A byte below 0x20, or 0x7F.
    Control(u8),
    /// ESC, then a character.
    Alt(char),
    /// ESC, then Enter.
    AltEnter,
    /// ESC, then Backspace.
    AltBackspace,
    /// `ESC [ parameters final`.
    Csi(Vec<u8>, u8),
    /// `ESC O final`.
    Ss3(u8),
    /// A bracketed paste.
    Paste(Result<String, Refusal>),
    /// Bytes that stand for no character that may be in a line.
    Refused(Refusal),
    /// A sequence that was broken off.
    Broken,
}

/// What is unfinished.
#[derive(Debug)]
enum State {
    Ground,
    Utf8 {
        bytes: Vec<u8>,
        alt: bool,
    },
    Escape,
    Csi(Vec<u8>),
    /// After `ESC [ [`: a function key of the Linux console.
    ConsoleKey,
    /// After `ESC [ M`: so many bytes of a mouse report are to come.
    Mouse(u8),
    Ss3,
    Text {
        bytes: usize,
        escape: bool,
    },
    Paste(Paste),
}

/// The state between two bytes.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { state: State::Ground }
    }

    /// Whether an escape sequence or a character is unfinished.
    pub(super) fn unfinished(&self) -> bool {
        !matches!(self.state, State::Ground | State::Paste(_))
    }

    /// Whether what is unfinished has a beginning that nobody types within a
    /// moment after ESC: a terminal is answering, and the network may cut
    /// anywhere.
    pub(super) fn is_answer(&self) -> bool {
        match &self.state {
            State::Csi(parameters) => !parameters.is_empty(),
            State::Text { bytes, .. } => *bytes > 0,
            State::Mouse(left) => *left < 3,
            State::Ground | State::Utf8 { .. } | State::Escape | State::ConsoleKey | State::Ss3 | State::Paste(_) => {
                false
            }
        }
    }

    /// Gives up what is unfinished, except a paste.
    pub(super) fn give_up(&mut self) -> Option<Typed> {
        if !self.unfinished() {
            return None;
        }
        match std::mem::replace(&mut self.state, State::Ground) {
            State::Utf8 { .. } => Some(Typed::Refused(Refusal::NotUtf8)),
            State::Ground
            | State::Escape
            | State::Csi(_)
            | State::ConsoleKey
            | State::Mouse(_)
            | State::Ss3
            | State::Text { .. }
            | State::Paste(_) => None,
        }
    }

    /// In a paste, drops what came and what is still to come of it.
    pub(super) fn discard_paste(&mut self) {
        if let State::Paste(paste) = &mut self.state {
            paste.discard();
        }
    }

    /// Takes one byte; appends what it completes (two things at most).
    pub(super) fn push(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        match std::mem::replace(&mut self.state, State::Ground) {
            State::Ground => self.ground(byte, typed),
            State::Utf8 { bytes, alt } => self.utf8(bytes, alt, byte, typed),
            State::Escape => self.escape(byte, typed),
            State::Csi(parameters) => self.csi(parameters, byte, typed),
            State::ConsoleKey | State::Mouse(_) | State::Ss3 if byte < 0x20 || byte == 0x7f => self.ground(byte, typed),
            State::ConsoleKey | State::Mouse(1) => {}
            State::Mouse(left) => self.state = State::Mouse(left - 1),
            State::Ss3 => typed.push(Typed::Ss3(byte)),
            State::Text { bytes, escape } => self.text(bytes, escape, byte, typed),
            State::Paste(paste) => self.paste(paste, byte, typed),
        }
    }

    fn ground(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        match byte {
            0x1b => self.state = State::Escape,
            0x00..=0x1f | 0x7f => typed.push(Typed::Control(byte)),
            _ => self.utf8(Vec::new(), false, byte, typed),
        }
    }

    fn utf8(&mut self, mut bytes: Vec<u8>, alt: bool, byte: u8, typed: &mut Vec<Typed>) {
        let first = bytes.is_empty();
        bytes.push(byte);
        match std::str::from_utf8(&bytes) {
            Ok(text) => typed.extend(text.chars().map(|c| character(c, alt))),
            Err(error) if error.error_len().is_none() => self.state = State::Utf8 { bytes, alt },
            Err(_) => {
                typed.push(Typed::Refused(Refusal::NotUtf8));
                if !first {
                    self.ground(byte, typed);
                }
            }
        }
    }

    fn escape(&mut self, byte: u8, typed: &mut Vec<Typed>) {
        match byte {
            0x1b => self.state = State::Escape,
            b'[' => self.state = State::Csi(Vec::new()),
            b'O' => self.state = State::Ss3,
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::Text { bytes: 0, escape: false },
            b'\r' | b'\n' => typed.push(Typed::AltEnter),
            0x08 | 0x7f => typed.push(Typed::AltBackspace),
            0x00..=0x1f => typed.push(Typed::Control(byte)),
            _ => self.utf8(Vec::new(), true, byte, typed),
        }
    }

    fn csi(&mut self, mut parameters: Vec<u8>, byte: u8, typed: &mut Vec<Typed>) {
        let number = !parameters.is_empty() && parameters.iter().all(u8::is_ascii_digit);
        match byte {
            b'[' if parameters.is_empty() => self.state = State::ConsoleKey,
            b'M' if parameters.is_empty() => self.state = State::Mouse(3),
            b'~' if parameters == b"200" => self.state = State::Paste(Paste::default()),
            // rxvt ends the keys with Shift this way.
            b'$' if number => typed.push(Typed::Csi(parameters, byte)),
            0x20..=0x3f => {
                if parameters.len() < MAX_SEQUENCE_BYTES {
                    parameters.push(byte);
                }
                self.state = State::Csi(parameters);
            }
            0x40..=0x7e => typed.push(Typed::Csi(parameters, byte)),
            _ => {
                typed.push(Typed::Broken);
                self.ground(byte, typed);
            }
        }
    }

    fn text(&mut self, bytes: usize, escape: bool, byte: u8, typed: &mut Vec<Typed>) {
        match byte {
            b'\\' if escape => {}
            0x1b => self.state = State::Text { bytes: bytes + 1, escape: true },
            _ if escape => self.escape(byte, typed),
            0x07 => {}
            // Enter only breaks it off: what was swallowed may not be run half.
            b'\r' | b'\n' => typed.push(Typed::Broken),
            0x00..=0x1f => self.ground(byte, typed),
            _ if bytes >= MAX_STRING_BYTES => typed.push(Typed::Broken),
            _ => self.state = State::Text { bytes: bytes + 1, escape: false },
        }
    }

    fn paste(&mut self, mut paste: Paste, byte: u8, typed: &mut Vec<Typed>) {
        if paste.push(byte) {
            if let Some(text) = paste.finish() {
                typed.push(Typed::Paste(text));
            }
        } else if paste.interrupted() {
            typed.push(Typed::Control(0x03));
        } else {
            self.state = State::Paste(paste);
        }
    }
}

fn character(c: char, alt: bool) -> Typed {
    match (c.is_control(), alt) {
        (true, _) => Typed::Refused(Refusal::Control),
        (false, true) => Typed::Alt(c),
        (false, false) => Typed::Char(c),
    }
}
