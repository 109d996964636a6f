//! The line editor of an interactive login: bytes from the terminal in, bytes
//! to the terminal and events out.
//!
//! It does no I/O, reads no clock, runs nothing, and never asks the terminal
//! anything. What it hands out by [`Event::Submit`] is text that a reviewer can
//! see: no control character but newline and tab can get into it, and text from
//! which anything was refused is not submitted at all.
//!
//! `decode.rs` turns bytes into keystrokes, `keys.rs` names what they ask for,
//! `act.rs` does it to the text in `line.rs`, `layout.rs` says what the screen
//! should show, `screen.rs` and `plain.rs` show it.

mod act;
mod completion;
mod decode;
mod history;
mod keys;
mod layout;
mod line;
mod paste;
mod plain;
mod prompt;
mod screen;
mod search;
#[cfg(test)]
mod tests;
mod view;

use countersign_core::legible;
use std::collections::VecDeque;

pub use completion::{Candidate, PartialWord};
pub use history::History;
pub use view::Terminal;

use decode::{Decoder, Typed};
use line::Line;
use search::Search;
use view::View;

/// Makes the terminal mark what is pasted. Send it when editing begins.
pub const PASTE_MARKS_ON: &str = "\x1b[?2004h";
/// Ends that. Send it before a command runs. Neither goes to a dumb terminal.
pub const PASTE_MARKS_OFF: &str = "\x1b[?2004l";

/// Most bytes that may wait unread; when more do, all of them are dropped.
const MAX_UNREAD_BYTES: usize = 1024 * 1024;

/// How long what follows ESC may take to arrive, and how long the rest of a
/// terminal's answer, in µs.
const SEQUENCE_US: u64 = 50_000;
const ANSWER_US: u64 = 1_000_000;

/// What happened while input was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// All input was read.
    None,
    /// All input was read, and something in it rang the bell.
    Bell,
    /// Enter on a text that is complete; blank texts too. The editor is closed
    /// until [`Editor::begin`]; input is kept unread.
    Submit(String),
    /// `^C`: the line was cleared and the prompt drawn again.
    Interrupt,
    /// `^D` on an empty line. The editor is closed.
    EndOfFile,
    /// TAB: answer with [`Editor::complete`], or go on with
    /// [`Editor::resume`].
    CompleteRequest {
        /// The whole text.
        text: String,
        /// The cursor, as an offset in bytes.
        cursor: usize,
        /// The word to complete; `None` when its value is not known without
        /// running something.
        word: Option<PartialWord>,
    },
    /// Enter on a text from which something was refused. The line was cleared
    /// (`^Y` brings it back) and unread input dropped: treat it as denied.
    Refused(Refusal),
}

/// Why something typed is not taken into the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Bytes that are not UTF-8.
    #[error("it holds bytes that are not UTF-8; write them as $'\\xHH'")]
    NotUtf8,
    /// A control character.
    #[error("it holds a control character, which a reviewer cannot see; write it as $'\\xHH'")]
    Control,
    /// More than fits.
    #[error("it is longer than 64 KiB; put the program into a file and run that")]
    TooLong,
}

/// What to write to the terminal, and what happened.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Bytes for the terminal (UTF-8). Write them before acting on the event.
    pub output: String,
    /// When it is neither `None` nor `Bell`, input may be left: go on with
    /// [`Editor::resume`].
    pub event: Event,
}

/// Where the cursor stands when editing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// At the start of an empty row.
    #[allow(dead_code, reason = "part of the editor's interface; the login has no use for it yet")]
    Empty,
    /// Somewhere: what ran may have left a row unfinished. A row is begun when
    /// the cursor is not at the start of one.
    Unknown,
}

/// The line editor.
#[derive(Debug)]
pub struct Editor {
    needs_more: fn(&str) -> bool,
    decoder: Decoder,
    typed: VecDeque<Typed>,
    unread: VecDeque<u8>,
    line: Line,
    history: History,
    /// Which line of the history is shown, and what was typed before.
    browsing: Option<(usize, String)>,
    search: Option<Search>,
    completing: Option<PartialWord>,
    view: View,
    open: bool,
    rang: bool,
    dropped: bool,
    out: String,
}

impl Editor {
    /// A closed editor for a terminal of this kind and size (0 counts as
    /// unknown: 80×24). `needs_more` says whether Enter should begin another
    /// line instead of submitting.
    pub fn new(terminal: Terminal, cols: u16, rows: u16, history: History, needs_more: fn(&str) -> bool) -> Self {
        Self {
            needs_more,
            decoder: Decoder::new(),
            typed: VecDeque::new(),
            unread: VecDeque::new(),
            line: Line::new(),
            history,
            browsing: None,
            search: None,
            completing: None,
            view: View::new(terminal, cols, rows),
            open: false,
            rang: false,
            dropped: false,
            out: String::new(),
        }
    }

    /// Opens the editor with an empty line and draws the prompt, as the shell
    /// printed it. Then call [`Editor::resume`]: input may have waited.
    #[must_use]
    pub fn begin(&mut self, prompt: &str, row: Row) -> String {
        self.open = true;
        self.line.take();
        self.settle();
        self.view.begin(prompt, row, &mut self.out);
        self.refresh();
        std::mem::take(&mut self.out)
    }

    /// Puts another prompt in place of the one that is shown.
    #[must_use]
    #[allow(dead_code, reason = "part of the editor's interface; the login has no use for it yet")]
    pub fn set_prompt(&mut self, prompt: &str) -> String {
        self.view.set_prompt(prompt);
        self.refresh();
        std::mem::take(&mut self.out)
    }

    /// The terminal has another size: draws everything anew.
    #[must_use]
    pub fn resize(&mut self, cols: u16, rows: u16) -> String {
        self.view.resize(cols, rows);
        self.refresh();
        std::mem::take(&mut self.out)
    }

    /// Prints lines of text below the line being edited, or, when the editor
    /// is closed, where the cursor is; then the prompt again. Control and
    /// format characters are shown as marks.
    #[must_use]
    pub fn notice(&mut self, text: &str) -> String {
        self.print_below(text.lines().map(legible));
        self.refresh();
        std::mem::take(&mut self.out)
    }

    /// Takes bytes from the terminal and reads them until something happens.
    /// When the editor is closed they only wait.
    pub fn feed(&mut self, bytes: &[u8]) -> Step {
        self.unread.extend(bytes);
        self.resume()
    }

    /// Reads what is unread until something happens.
    pub fn resume(&mut self) -> Step {
        self.rang = false;
        let mut event = None;
        while self.open && event.is_none() {
            event = match self.typed.pop_front() {
                Some(typed) => self.act(keys::key(typed)),
                None => match self.unread.pop_front() {
                    Some(byte) => {
                        self.decode(byte);
                        None
                    }
                    None => break,
                },
            };
        }
        if self.unread.len() > MAX_UNREAD_BYTES {
            self.flush_unread();
            self.ring();
        }
        self.refresh();
        let quiet = if self.rang { Event::Bell } else { Event::None };
        Step { output: std::mem::take(&mut self.out), event: event.unwrap_or(quiet) }
    }

    /// Whether an escape sequence or a character is unfinished. Call
    /// [`Editor::give_up`] when nothing follows for [`Editor::patience_us`].
    pub fn unfinished(&self) -> bool {
        self.decoder.unfinished()
    }

    /// How long the rest of what is unfinished may take to arrive, in µs.
    pub fn patience_us(&self) -> u64 {
        if self.decoder.is_answer() { ANSWER_US } else { SEQUENCE_US }
    }

    /// Gives up an unfinished sequence, so that a lone ESC changes no later
    /// key.
    pub fn give_up(&mut self) -> Step {
        self.typed.extend(self.decoder.give_up());
        self.resume()
    }

    /// How many bytes wait unread.
    #[cfg(test)]
    pub fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Whether anything but line ends waits unread.
    fn waits(&self) -> bool {
        !self.typed.is_empty() || self.unread.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Whether anything but line ends was dropped unread since this was last asked.
    pub fn take_dropped(&mut self) -> bool {
        std::mem::take(&mut self.dropped)
    }

    /// Drops bytes as if they had waited unread.
    pub fn drop_bytes(&mut self, bytes: &[u8]) {
        self.unread.extend(bytes);
        self.flush_unread();
        self.dropped = false;
    }

    /// Takes out the bytes that wait unread.
    pub fn take_unread(&mut self) -> Vec<u8> {
        self.typed.clear();
        self.unread.drain(..).collect()
    }

    /// Drops what waits unread, as a denial must. What is still to come of a
    /// paste or of a sequence that was cut in two is dropped too.
    pub fn flush_unread(&mut self) {
        self.dropped |= self.waits();
        let mut dropped = Vec::new();
        for byte in self.take_unread() {
            self.decoder.push(byte, &mut dropped);
            dropped.clear();
        }
        self.decoder.discard_paste();
    }

    /// Drops what waits unread up to the last `^C`; true when there was one.
    /// For the time while a command is asked about.
    pub fn take_interrupt(&mut self) -> bool {
        let Some(at) = self.unread.iter().rposition(|byte| *byte == 0x03) else { return false };
        let rest = self.unread.split_off(at + 1);
        self.flush_unread();
        // What follows begins a line of its own.
        self.dropped = false;
        self.unread = rest;
        true
    }

    /// Answers [`Event::CompleteRequest`]: inserts what all candidates share,
    /// or lists them.
    #[must_use]
    pub fn complete(&mut self, candidates: &[Candidate]) -> String {
        if let Some(word) = self.completing.take() {
            self.apply_candidates(&word, candidates);
        }
        self.refresh();
        std::mem::take(&mut self.out)
    }

    /// The text being edited.
    #[allow(dead_code, reason = "part of the editor's interface; the login has no use for it yet")]
    pub fn text(&self) -> &str {
        self.line.text()
    }

    /// Earlier command lines.
    pub fn history(&self) -> &History {
        &self.history
    }

    fn decode(&mut self, byte: u8) {
        let mut typed = Vec::new();
        self.decoder.push(byte, &mut typed);
        self.typed.extend(typed);
    }

    fn ring(&mut self) {
        if !self.rang {
            self.out.push('\x07');
        }
        self.rang = true;
    }

    /// Ends browsing, searching and completing.
    fn settle(&mut self) {
        (self.browsing, self.search, self.completing) = (None, None, None);
        self.view.changed();
    }

    /// Brings the screen up to date.
    fn refresh(&mut self) {
        if !self.open {
            return;
        }
        match &self.search {
            Some(search) => {
                let (text, cursor) = search.shown(&self.history);
                self.view.draw(Some(&search.prompt()), text, cursor, &mut self.out);
            }
            None => self.view.draw(None, self.line.text(), self.line.cursor(), &mut self.out),
        }
    }
}
