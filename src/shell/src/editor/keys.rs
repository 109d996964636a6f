//! Which key does what. xterm, rxvt and the Linux console spell some keys
//! differently; all spellings are listed here.

use super::Refusal;
use super::decode::Typed;

/// What a key asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Insert(char),
    Enter,
    /// A newline in the text, whether or not it is complete.
    NewLine,
    /// `^D`: end of file on an empty line, else delete.
    EndOfFile,
    Interrupt,
    Up,
    Down,
    Complete,
    Search,
    ClearScreen,
    Abort,
    Paste(Result<String, Refusal>),
    Refused(Refusal),
    Edit(Edit),
    /// Rings the bell.
    Unknown,
    /// Does nothing: a sequence that is no key of ours.
    Ignored,
}

/// Moves in the text and changes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Backspace,
    Delete,
    Left,
    Right,
    Home,
    End,
    WordLeft,
    WordRight,
    KillWordLeft,
    KillBlankWordLeft,
    KillWordRight,
    KillToStart,
    KillToEnd,
    Yank,
    Undo,
}

/// The key for what was typed.
pub(super) fn key(typed: Typed) -> Key {
    match typed {
        Typed::Char(c) => Key::Insert(c),
        Typed::Control(byte) => control(byte),
        Typed::Alt(c) => match c {
            'b' | 'B' => Key::Edit(Edit::WordLeft),
            'f' | 'F' => Key::Edit(Edit::WordRight),
            'd' | 'D' => Key::Edit(Edit::KillWordRight),
            _ => Key::Unknown,
        },
        Typed::AltEnter => Key::NewLine,
        Typed::AltBackspace => Key::Edit(Edit::KillWordLeft),
        Typed::Csi(parameters, last) => csi(&parameters, last),
        Typed::Ss3(last) => match last {
            // rxvt with Ctrl.
            b'c' => Key::Edit(Edit::WordRight),
            b'd' => Key::Edit(Edit::WordLeft),
            b'M' => Key::Enter,
            _ => arrow(last),
        },
        Typed::Paste(text) => Key::Paste(text),
        Typed::Refused(why) => Key::Refused(why),
        Typed::Broken => Key::Unknown,
    }
}

fn control(byte: u8) -> Key {
    match byte {
        0x01 => Key::Edit(Edit::Home),
        0x02 => Key::Edit(Edit::Left),
        0x03 => Key::Interrupt,
        0x04 => Key::EndOfFile,
        0x05 => Key::Edit(Edit::End),
        0x06 => Key::Edit(Edit::Right),
        0x07 => Key::Abort,
        0x08 | 0x7f => Key::Edit(Edit::Backspace),
        b'\t' => Key::Complete,
        b'\r' | b'\n' => Key::Enter,
        0x0b => Key::Edit(Edit::KillToEnd),
        0x0c => Key::ClearScreen,
        0x0e => Key::Down,
        0x10 => Key::Up,
        0x12 => Key::Search,
        0x15 => Key::Edit(Edit::KillToStart),
        0x17 => Key::Edit(Edit::KillBlankWordLeft),
        0x19 => Key::Edit(Edit::Yank),
        0x1f => Key::Edit(Edit::Undo),
        _ => Key::Unknown,
    }
}

fn arrow(last: u8) -> Key {
    match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Edit(Edit::Right),
        b'D' => Key::Edit(Edit::Left),
        b'F' => Key::Edit(Edit::End),
        b'H' => Key::Edit(Edit::Home),
        _ => Key::Ignored,
    }
}

fn csi(parameters: &[u8], last: u8) -> Key {
    if parameters.iter().any(|b| !b.is_ascii_digit() && *b != b';') {
        return Key::Ignored;
    }
    let mut numbers = parameters.split(|b| *b == b';');
    let first = numbers.next().unwrap_or_default();
    // 3, 5 and 7 are Alt, Ctrl and both.
    let by_word = matches!(numbers.next(), Some(b"3" | b"5" | b"7"));
    match (last, first) {
        (b'C', _) if by_word => Key::Edit(Edit::WordRight),
        (b'D', _) if by_word => Key::Edit(Edit::WordLeft),
        (b'~', b"3") if by_word => Key::Edit(Edit::KillWordRight),
        (b'~' | b'$', b"1" | b"7") => Key::Edit(Edit::Home),
        (b'~' | b'$', b"4" | b"8") => Key::Edit(Edit::End),
        (b'~' | b'$', b"3") => Key::Edit(Edit::Delete),
        (b'^', b"7") => Key::Edit(Edit::Home),
        (b'^', b"8") => Key::Edit(Edit::End),
        (b'^', b"3") => Key::Edit(Edit::KillWordRight),
        // rxvt with Shift.
        (b'a', _) => Key::Up,
        (b'b', _) => Key::Down,
        (b'c', _) => Key::Edit(Edit::Right),
        (b'd', _) => Key::Edit(Edit::Left),
        _ => arrow(last),
    }
}
