//! What the screen should show: rows of cells, as a terminal with automatic
//! margins breaks them.

use countersign_core::legible;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::prompt::Piece;

/// Shown before every further line of a text.
const CONTINUATION: [char; 2] = ['>', ' '];

/// One character on the screen, with the combining characters on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) shown: char,
    pub(super) after: Option<Box<str>>,
    pub(super) width: usize,
}

/// One row of the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    pub(super) width: usize,
    /// The text goes on in the next row for want of room.
    pub(super) wraps: bool,
}

/// Everything from the prompt to the end of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) cols: usize,
    /// Escape sequences before the first cell.
    pub(super) lead: String,
    /// Never empty; the last row is never full.
    pub(super) rows: Vec<Row>,
    /// Row and column.
    pub(super) cursor: (usize, usize),
}

/// How a character is shown.
enum Shown {
    Cell(char, usize),
    /// Combines with the cell before.
    Zero,
    Mark(String),
}

impl Frame {
    /// Lays out a prompt and a text; `cursor` is an offset into the text.
    pub(super) fn new(cols: usize, prompt: &[Piece], text: &str, cursor: usize) -> Self {
        let mut frame = Self { cols, lead: String::new(), rows: vec![Row::default()], cursor: (0, 0) };
        for piece in prompt {
            frame.piece(piece);
        }
        frame.finish();
        let mut at = 0;
        if text.is_ascii() {
            for c in text.chars() {
                frame.note_cursor(at == cursor, c);
                frame.text_char(c, true);
                at += c.len_utf8();
            }
        } else {
            for grapheme in text.graphemes(true) {
                for (index, c) in grapheme.chars().enumerate() {
                    frame.note_cursor(at == cursor, c);
                    frame.text_char(c, index == 0);
                    at += c.len_utf8();
                }
            }
        }
        frame.finish();
        if cursor >= at {
            frame.cursor = frame.end();
        }
        frame
    }

    /// Adds characters at the end, the cursor after them; false (and nothing
    /// done) when they may change what is shown already.
    pub(super) fn append(&mut self, text: &str) -> bool {
        let plain = |c: char| c != '\n' && matches!(shown(c), Shown::Cell(..));
        if !text.chars().all(plain) {
            return false;
        }
        for c in text.chars() {
            self.text_char(c, true);
            self.finish();
        }
        self.cursor = self.end();
        true
    }

    /// The place after everything.
    pub(super) fn end(&self) -> (usize, usize) {
        (self.rows.len().saturating_sub(1), self.rows.last().map_or(0, |row| row.width))
    }

    /// A full last row gets an empty one after it, so that the cursor has a
    /// place.
    fn finish(&mut self) {
        if let Some(row) = self.rows.last_mut().filter(|row| row.width >= self.cols) {
            row.wraps = true;
            self.rows.push(Row::default());
        }
    }

    fn piece(&mut self, piece: &Piece) {
        match piece {
            Piece::NewLine => {
                self.finish();
                self.rows.push(Row::default());
            }
            Piece::Char(c) => self.text_char(*c, false),
            Piece::Escape(escape) => {
                let last = self.rows.iter_mut().rev().find_map(|row| row.cells.last_mut());
                match last {
                    Some(cell) => attach(cell, escape),
                    None => self.lead.push_str(escape),
                }
            }
        }
    }

    fn note_cursor(&mut self, here: bool, next: char) {
        if !here {
            return;
        }
        let width = match shown(next) {
            Shown::Cell(_, width) => width.min(self.cols),
            Shown::Zero | Shown::Mark(_) => 1,
        };
        let (row, col) = self.end();
        let fits = next == '\n' || col + width <= self.cols;
        self.cursor = if fits && col < self.cols { (row, col) } else { (row + 1, 0) };
    }

    fn text_char(&mut self, c: char, first: bool) {
        if c == '\n' {
            self.finish();
            self.rows.push(Row::default());
            CONTINUATION.into_iter().for_each(|c| self.place(c, 1));
            return self.finish();
        }
        match shown(c) {
            Shown::Cell(c, width) => self.place(c, width),
            Shown::Mark(mark) => mark.chars().for_each(|c| self.place(c, 1)),
            Shown::Zero => {
                let cell = self.rows.last_mut().and_then(|row| row.cells.last_mut());
                match cell {
                    Some(cell) if !first => attach(cell, c.encode_utf8(&mut [0; 4])),
                    Some(_) | None => {
                        code_point(c).chars().for_each(|c| self.place(c, 1));
                    }
                }
            }
        }
    }

    fn place(&mut self, c: char, width: usize) {
        let (shown, width) = if width > self.cols { ('?', 1) } else { (c, width) };
        let full = self.rows.last_mut().filter(|row| row.width + width > self.cols);
        if let Some(row) = full {
            row.wraps = true;
            self.rows.push(Row::default());
        }
        if let Some(row) = self.rows.last_mut() {
            row.cells.push(Cell { shown, after: None, width });
            row.width += width;
        }
    }
}

impl Row {
    /// The column where a cell begins.
    pub(super) fn column(&self, cell: usize) -> usize {
        self.cells.iter().take(cell).map(|cell| cell.width).sum()
    }
}

fn attach(cell: &mut Cell, text: &str) {
    let mut after = cell.after.take().map(String::from).unwrap_or_default();
    after.push_str(text);
    cell.after = Some(after.into_boxed_str());
}

fn code_point(c: char) -> String {
    format!("⟨U+{:04X}⟩", u32::from(c))
}

/// Nothing is shown that would hide or reorder text: such characters appear as
/// the marks a reviewer sees.
fn shown(c: char) -> Shown {
    if matches!(c, ' '..='~') {
        return Shown::Cell(c, 1);
    }
    if c == '\t' {
        return Shown::Cell('⇥', 1);
    }
    let mark = legible(c.encode_utf8(&mut [0; 4]));
    if !mark.starts_with(c) {
        return Shown::Mark(mark);
    }
    match c.width() {
        Some(0) => Shown::Zero,
        Some(width @ (1 | 2)) => Shown::Cell(c, width),
        // Terminals disagree on how wide such a character is.
        Some(_) | None => Shown::Mark(code_point(c)),
    }
}
