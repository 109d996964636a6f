//! The text being edited: one or more lines, a cursor on a grapheme boundary,
//! undo, and one kill buffer. It can hold no control character but newline and
//! tab, and no more than [`MAX_COMMAND_BYTES`]: the only ways in refuse others.

use std::ops::Range;

use countersign_core::MAX_COMMAND_BYTES;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use super::Refusal;

/// Undo remembers so many edits, and so many bytes of them.
const MAX_UNDO: usize = 500;
const MAX_UNDO_BYTES: usize = 512 * 1024;

/// A change that can be taken back.
#[derive(Debug)]
struct Edit {
    at: usize,
    removed: String,
    inserted: String,
    cursor: usize,
}

/// What the last key did, as far as the next one cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recent {
    Typing,
    Killing,
    Other,
}

/// The text being edited.
#[derive(Debug)]
pub(super) struct Line {
    text: String,
    cursor: usize,
    edits: Vec<Edit>,
    edit_bytes: usize,
    killed: String,
    recent: Recent,
    /// Something typed for this text was refused: it may not be sent.
    spoiled: Option<Refusal>,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            text: String::new(),
            cursor: 0,
            edits: Vec::new(),
            edit_bytes: 0,
            killed: String::new(),
            recent: Recent::Other,
            spoiled: None,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn at_end(&self) -> bool {
        self.cursor == self.text.len()
    }

    /// Why the text may not be sent, if so.
    pub(super) fn spoiled(&self) -> Option<Refusal> {
        self.spoiled
    }

    /// Notes that something typed was refused.
    pub(super) fn spoil(&mut self, why: Refusal) {
        self.spoiled = self.spoiled.or(Some(why));
    }

    /// Takes the text out and begins an empty one; the kill buffer stays.
    pub(super) fn take(&mut self) -> String {
        let killed = std::mem::take(&mut self.killed);
        let old = std::mem::replace(self, Self { killed, ..Self::new() });
        old.text
    }

    /// Keeps `text` for `^Y`.
    pub(super) fn keep(&mut self, text: String) {
        if !text.is_empty() {
            self.killed = text;
        }
    }

    /// Inserts at the cursor, or says why not.
    pub(super) fn insert(&mut self, text: &str) -> Result<(), Refusal> {
        self.replace(self.cursor..self.cursor, text)
    }

    /// Inserts a typed character; a run of them is undone as one.
    pub(super) fn type_char(&mut self, c: char) -> Result<(), Refusal> {
        let joins = self.recent == Recent::Typing && c != ' ';
        let before = self.edits.len();
        self.insert(c.encode_utf8(&mut [0; 4]))?;
        self.recent = Recent::Typing;
        if joins && self.edits.len() > before && self.edits.len() >= 2 {
            let last = self.edits.pop();
            if let (Some(last), Some(run)) = (last, self.edits.last_mut()) {
                run.inserted.push_str(&last.inserted);
            }
        }
        Ok(())
    }

    /// Puts `text` in place of a range of it; the cursor goes after it.
    pub(super) fn replace(&mut self, range: Range<usize>, text: &str) -> Result<(), Refusal> {
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(Refusal::Control);
        }
        let Some(removed) = self.text.get(range.clone()).map(str::to_owned) else { return Ok(()) };
        if self.text.len() - removed.len() + text.len() > MAX_COMMAND_BYTES {
            return Err(Refusal::TooLong);
        }
        self.text.replace_range(range.clone(), text);
        self.remember(Edit { at: range.start, removed, inserted: text.to_owned(), cursor: self.cursor });
        self.cursor = range.start + text.len();
        self.snap();
        self.recent = Recent::Other;
        if self.text.is_empty() {
            self.spoiled = None;
        }
        Ok(())
    }

    /// Replaces the whole text, the cursor at its end.
    pub(super) fn set(&mut self, text: &str) -> Result<(), Refusal> {
        self.replace(0..self.text.len(), text)
    }

    fn remember(&mut self, edit: Edit) {
        self.edit_bytes += edit.removed.len() + edit.inserted.len();
        self.edits.push(edit);
        while self.edits.len() > MAX_UNDO || self.edit_bytes > MAX_UNDO_BYTES {
            let oldest = self.edits.remove(0);
            self.edit_bytes = self.edit_bytes.saturating_sub(oldest.removed.len() + oldest.inserted.len());
            if self.edits.is_empty() {
                break;
            }
        }
    }

    /// Takes the last change back; false when there is none.
    pub(super) fn undo(&mut self) -> bool {
        let Some(edit) = self.edits.pop() else { return false };
        self.edit_bytes = self.edit_bytes.saturating_sub(edit.removed.len() + edit.inserted.len());
        let end = edit.at + edit.inserted.len();
        if self.text.get(edit.at..end).is_some() {
            self.text.replace_range(edit.at..end, &edit.removed);
        }
        self.cursor = edit.cursor.min(self.text.len());
        self.snap();
        self.recent = Recent::Other;
        if self.text.is_empty() {
            self.spoiled = None;
        }
        true
    }

    /// Moves the cursor onto the next grapheme boundary.
    fn snap(&mut self) {
        while !self.text.is_char_boundary(self.cursor) {
            self.cursor += 1;
        }
        let mut here = GraphemeCursor::new(self.cursor, self.text.len(), true);
        if here.is_boundary(&self.text, 0) == Ok(false) {
            self.cursor = here.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len());
        }
    }

    /// Moves the cursor; false when it stands there already.
    pub(super) fn go(&mut self, to: usize) -> bool {
        let from = self.cursor;
        self.recent = Recent::Other;
        self.cursor = to.min(self.text.len());
        self.snap();
        self.cursor != from
    }

    /// One grapheme to the left.
    pub(super) fn left(&self) -> usize {
        let mut here = GraphemeCursor::new(self.cursor, self.text.len(), true);
        here.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    /// One grapheme to the right.
    pub(super) fn right(&self) -> usize {
        let mut here = GraphemeCursor::new(self.cursor, self.text.len(), true);
        here.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    fn after(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    /// Start of the line the cursor is on.
    pub(super) fn line_start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |at| at + 1)
    }

    /// End of the line the cursor is on.
    pub(super) fn line_end(&self) -> usize {
        self.after().find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    /// The same place one line up, if there is one.
    pub(super) fn line_up(&self) -> Option<usize> {
        let start = self.line_start();
        let above_end = start.checked_sub(1)?;
        let above = self.text.get(..above_end)?.rfind('\n').map_or(0, |at| at + 1);
        Some(self.same_place(start, above, above_end))
    }

    /// The same place one line down, if there is one.
    pub(super) fn line_down(&self) -> Option<usize> {
        let below = self.line_end() + 1;
        let rest = self.text.get(below..)?;
        let below_end = rest.find('\n').map_or(self.text.len(), |at| below + at);
        Some(self.same_place(self.line_start(), below, below_end))
    }

    /// As many graphemes into `start..end` as the cursor is into its line.
    fn same_place(&self, line: usize, start: usize, end: usize) -> usize {
        let into = self.text.get(line..self.cursor).unwrap_or_default().graphemes(true).count();
        let target = self.text.get(start..end).unwrap_or_default();
        start + target.graphemes(true).take(into).map(str::len).sum::<usize>()
    }

    /// Start of the word of letters and digits to the left.
    pub(super) fn word_left(&self) -> usize {
        let letters = self.before().trim_end_matches(|c: char| !c.is_alphanumeric());
        letters.trim_end_matches(char::is_alphanumeric).len()
    }

    /// End of the word of letters and digits to the right.
    pub(super) fn word_right(&self) -> usize {
        let letters = self.after().trim_start_matches(|c: char| !c.is_alphanumeric());
        self.text.len() - letters.trim_start_matches(char::is_alphanumeric).len()
    }

    /// Start of the word between blanks to the left.
    pub(super) fn blank_word_left(&self) -> usize {
        let word = self.before().trim_end_matches(char::is_whitespace);
        word.trim_end_matches(|c: char| !c.is_whitespace()).len()
    }

    /// Deletes a range; false when it is empty.
    pub(super) fn delete(&mut self, range: Range<usize>) -> bool {
        !range.is_empty() && self.replace(range, "").is_ok()
    }

    /// Deletes a range into the kill buffer; kills in a row join there.
    pub(super) fn kill(&mut self, range: Range<usize>) -> bool {
        let Some(text) = self.text.get(range.clone()).map(str::to_owned) else { return false };
        let (joins, backwards) = (self.recent == Recent::Killing, range.start < self.cursor);
        if !self.delete(range) {
            return false;
        }
        self.recent = Recent::Killing;
        match (joins, backwards) {
            (false, _) => self.killed = text,
            (true, true) => self.killed.insert_str(0, &text),
            (true, false) => self.killed.push_str(&text),
        }
        self.killed.truncate(self.killed.floor_char_boundary(MAX_COMMAND_BYTES));
        true
    }

    /// Inserts the kill buffer; says why not, or false when it is empty.
    pub(super) fn yank(&mut self) -> Result<bool, Refusal> {
        let killed = self.killed.clone();
        self.insert(&killed).map(|()| !killed.is_empty())
    }
}
