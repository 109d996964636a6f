//! Draws frames on a terminal that can move its cursor, and keeps track of
//! where the cursor is. It never asks the terminal anything.

use super::layout::{Frame, Row};

/// What is on the screen.
#[derive(Debug)]
pub(super) struct Screen {
    rows: usize,
    frame: Option<Frame>,
    /// The first row of the frame that is on the screen.
    top: usize,
    /// Where the cursor is, in rows of the frame and columns. The column is
    /// the width of the screen right after its last column was written.
    at: (usize, usize),
    /// Everything must be drawn again, from so many rows above the cursor.
    redraw_from: Option<usize>,
}

impl Screen {
    pub(super) fn new(rows: usize) -> Self {
        Self { rows, frame: None, top: 0, at: (0, 0), redraw_from: None }
    }

    /// What is on the screen, from the first row that is.
    #[cfg(test)]
    pub(super) fn shown(&self) -> (Option<&Frame>, usize) {
        (self.frame.as_ref(), self.top)
    }

    /// The cursor stands at the start of an empty row; nothing is drawn.
    pub(super) fn forget(&mut self) {
        (self.frame, self.top, self.at, self.redraw_from) = (None, 0, (0, 0), None);
    }

    /// Everything must be drawn again.
    pub(super) fn spoil(&mut self) {
        self.redraw_from = self.redraw_from.or(Some(self.at.0 - self.top));
    }

    /// The terminal has another size. One that breaks lines anew (`reflows`)
    /// moved the cursor with its text; of others that is not known, and then
    /// nothing above the prompt may be erased.
    pub(super) fn resized(&mut self, cols: usize, rows: usize, reflows: bool) {
        let above = self.at.0 - self.top;
        let known = self.redraw_from.unwrap_or(above);
        let moved = self.frame.as_ref().map_or(0, |frame| rows_above(frame, self.top, self.at, cols));
        self.redraw_from = Some(if reflows { moved } else { known.min(moved) });
        self.rows = rows;
    }

    /// Draws a frame, and leaves the cursor where it says.
    pub(super) fn draw(&mut self, new: Frame, out: &mut String) {
        let top = self.window(&new);
        match self.frame.take() {
            Some(old) if self.redraw_from.is_none() && top == self.top && old.lead == new.lead => {
                self.change(&old, &new, out);
            }
            Some(_) => {
                let above = self.redraw_from.unwrap_or(self.at.0 - self.top);
                out.push('\r');
                if above > 0 {
                    out.push_str(&format!("\x1b[{above}A"));
                }
                self.whole(&new, top, out);
            }
            None => self.whole(&new, top, out),
        }
        self.redraw_from = None;
        self.go(new.cursor, &new, out);
        self.frame = Some(new);
    }

    /// Adds typed text at the end of the frame; false when that needs a
    /// drawing of its own.
    pub(super) fn append(&mut self, text: &str, out: &mut String) -> bool {
        let Some(mut frame) = self.frame.take() else { return false };
        let (row, col) = frame.end();
        let cell = frame.rows.last().map_or(0, |row| row.cells.len());
        let fits = self.redraw_from.is_none() && self.at == (row, col) && frame.append(text);
        if fits {
            // What does not fit makes the screen scroll, and the window with it.
            self.print(&frame, (row, cell), frame.rows.len(), out);
            self.top = self.top.max(frame.rows.len().saturating_sub(self.rows));
        }
        self.frame = Some(frame);
        fits
    }

    /// Moves below the frame and forgets it.
    pub(super) fn leave(&mut self, out: &mut String) {
        if let Some(frame) = self.frame.take() {
            self.go(frame.end(), &frame, out);
            out.push_str("\r\n");
        }
        self.forget();
    }

    /// The first row to show, so that the cursor is on the screen.
    fn window(&self, new: &Frame) -> usize {
        if new.rows.len() <= self.rows {
            return 0;
        }
        let last = new.rows.len() - self.rows;
        let lowest = (new.cursor.0 + 1).saturating_sub(self.rows);
        self.top.clamp(lowest.min(last), new.cursor.0.min(last))
    }

    fn whole(&mut self, new: &Frame, top: usize, out: &mut String) {
        (self.top, self.at) = (top, (top, 0));
        out.push_str("\x1b[J");
        out.push_str(if top == 0 { &new.lead } else { "\x1b[m" });
        self.print(new, (top, 0), new.rows.len().min(top + self.rows), out);
    }

    /// Prints cells from a place (row and cell) on, up to a row, where the
    /// cursor is at that place.
    fn print(&mut self, frame: &Frame, from: (usize, usize), to: usize, out: &mut String) {
        let (mut row, mut cell) = from;
        loop {
            let Some(current) = frame.rows.get(row) else { return };
            self.cells(current, row, cell, out);
            (row, cell) = (row + 1, 0);
            if row >= to {
                return;
            }
            self.next_row(frame, current, row, out);
        }
    }

    fn cells(&mut self, current: &Row, row: usize, from: usize, out: &mut String) {
        for cell in current.cells.iter().skip(from) {
            out.push(cell.shown);
            out.push_str(cell.after.as_deref().unwrap_or_default());
        }
        self.at = (row, current.width);
    }

    /// From the end of a row to the next. Where the text wraps, the terminal
    /// is left to wrap it, so that copying from it gives one line.
    fn next_row(&mut self, frame: &Frame, current: &Row, next: usize, out: &mut String) {
        let wraps = current.wraps && current.width == frame.cols;
        let empty = frame.rows.get(next).is_none_or(|row| row.cells.is_empty());
        if !wraps {
            out.push_str("\r\n");
        } else if empty {
            out.push_str(" \r");
        }
        self.at = (next, 0);
    }

    /// Prints what differs between two frames in the same window.
    fn change(&mut self, old: &Frame, new: &Frame, out: &mut String) {
        let none = Row::default();
        let bottom = new.rows.len().min(self.top + self.rows);
        for index in self.top..bottom {
            let (Some(row), was) = (new.rows.get(index), old.rows.get(index)) else { continue };
            let before = was.unwrap_or(&none);
            let same = row.cells.iter().zip(&before.cells).take_while(|(a, b)| a == b).count();
            if was.is_some() && same == row.cells.len() && same == before.cells.len() {
                continue;
            }
            let wrapped = index.checked_sub(1).and_then(|above| new.rows.get(above));
            match wrapped {
                Some(above)
                    if same == 0 && above.wraps && self.at == (index - 1, new.cols) && above.width == new.cols =>
                {
                    self.next_row(new, above, index, out);
                }
                Some(_) | None => self.go((index, row.column(same)), new, out),
            }
            self.cells(row, index, same, out);
            if before.width > row.width {
                out.push_str("\x1b[K");
            }
        }
        if new.rows.len() < old.rows.len().min(self.top + self.rows) {
            self.go(new.end(), new, out);
            out.push_str("\x1b[J");
        }
    }

    /// Moves the cursor to a row and column.
    fn go(&mut self, to: (usize, usize), frame: &Frame, out: &mut String) {
        let ((row, col), (to_row, to_col)) = (self.at, to);
        let pending = col >= frame.cols;
        if row == to_row && col == to_col && !pending {
            return;
        }
        if row == to_row && col == to_col + 1 && !pending {
            out.push('\x08');
        } else {
            out.push('\r');
            if to_row < row {
                out.push_str(&format!("\x1b[{}A", row - to_row));
            }
            (row..to_row).for_each(|_| out.push('\n'));
            if to_col > 0 {
                out.push_str(&format!("\x1b[{to_col}C"));
            }
        }
        self.at = to;
    }
}

/// How many rows the text from row `top` on takes above the cursor's when a
/// terminal breaks it anew at `cols`: never more than it really takes.
fn rows_above(frame: &Frame, top: usize, at: (usize, usize), cols: usize) -> usize {
    let (mut above, mut width) = (0, 0);
    for (index, row) in frame.rows.iter().enumerate().skip(top).take(at.0 + 1 - top) {
        let joined = row.wraps && row.width == frame.cols;
        // Blanks at the end of a line need not be kept by the terminal, nor
        // characters that are wider than it.
        let kept = row.cells.iter().rposition(|cell| cell.shown != ' ' && cell.width <= cols);
        let kept = if joined { row.cells.len() } else { kept.map_or(0, |last| last + 1) };
        let kept = row.cells.iter().take(kept).filter(|cell| cell.width <= cols).map(|cell| cell.width).sum();
        if index == at.0 {
            let before: usize = width + at.1.min(kept);
            let last = if at.1 < kept { before } else { before.saturating_sub(1) };
            return above + last / cols;
        }
        width += kept;
        if !joined {
            above += width.div_ceil(cols).max(1);
            width = 0;
        }
    }
    above
}
