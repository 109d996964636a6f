//! Draws on a terminal that can only print and step back (`TERM=dumb`): one
//! row, which slides sideways when the text is longer.

use super::layout::{Cell, Frame};

/// What is on the row.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// Rows in the whole frame, and which of them is shown.
    shown: Option<(usize, usize)>,
    cells: Vec<Cell>,
    /// The first cell of the row that is shown.
    start: usize,
    /// The column of the cursor.
    at: usize,
}

impl Plain {
    /// The cursor stands at the start of an empty row; nothing is drawn.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Draws a frame laid out without breaking rows.
    pub(super) fn draw(&mut self, new: &Frame, cols: usize, out: &mut String) {
        let place = (new.rows.len(), new.cursor.0);
        match self.shown {
            Some(shown) if shown == place => {}
            Some(_) => {
                out.push_str("\r\n");
                self.forget();
            }
            None => {
                for row in new.rows.iter().take(new.cursor.0) {
                    row.cells.iter().for_each(|cell| print(cell, out));
                    out.push_str("\r\n");
                }
            }
        }
        self.shown = Some(place);
        let Some(row) = new.rows.get(new.cursor.0) else { return };
        let room = cols.saturating_sub(1).max(1);
        self.start = slide(&row.cells, self.start, new.cursor.1, room);
        let begin = row.column(self.start);
        let mut width = 0;
        let visible = row.cells.iter().skip(self.start).take_while(|cell| {
            width += cell.width;
            width <= room
        });
        let visible: Vec<Cell> = visible.cloned().collect();
        self.change(visible, new.cursor.1.saturating_sub(begin), out);
    }

    /// Moves to the next row and forgets this one.
    pub(super) fn leave(&mut self, out: &mut String) {
        out.push_str("\r\n");
        self.forget();
    }

    /// The characters on the row that take room.
    #[cfg(test)]
    pub(super) fn row(&self) -> String {
        self.cells.iter().map(|cell| cell.shown).collect()
    }

    #[cfg(test)]
    pub(super) fn column(&self) -> usize {
        self.at
    }

    fn change(&mut self, new: Vec<Cell>, cursor: usize, out: &mut String) {
        let same = new.iter().zip(&self.cells).take_while(|(a, b)| a == b).count();
        let (old_width, new_width) = (width(&self.cells), width(&new));
        if same < new.len() || same < self.cells.len() {
            self.go(width(new.get(..same).unwrap_or_default()), &new, out);
            new.iter().skip(same).for_each(|cell| print(cell, out));
            let spare = old_width.saturating_sub(new_width);
            out.extend(std::iter::repeat_n(' ', spare));
            out.extend(std::iter::repeat_n('\x08', spare));
            self.at = new_width;
        }
        self.go(cursor.min(new_width), &new, out);
        self.cells = new;
    }

    /// Steps back, or forward by printing what stands there.
    fn go(&mut self, to: usize, cells: &[Cell], out: &mut String) {
        out.extend(std::iter::repeat_n('\x08', self.at.saturating_sub(to)));
        let mut column = 0;
        for cell in cells {
            if column >= self.at && column < to {
                print(cell, out);
            }
            column += cell.width;
        }
        self.at = to;
    }
}

/// The first cell to show so that the cursor is in view: slides by half a row.
fn slide(cells: &[Cell], start: usize, cursor: usize, room: usize) -> usize {
    let mut columns = Vec::with_capacity(cells.len() + 1);
    let mut column = 0;
    for cell in cells {
        columns.push(column);
        column += cell.width;
    }
    let begin = columns.get(start).copied().unwrap_or(column);
    if start == 0 && column <= room {
        return 0;
    }
    if cursor >= begin && cursor <= begin + room && start <= cells.len() && column >= begin {
        return start;
    }
    let wanted = cursor.saturating_sub(room / 2);
    columns.iter().position(|at| *at >= wanted).unwrap_or(cells.len())
}

fn print(cell: &Cell, out: &mut String) {
    out.push(cell.shown);
    out.push_str(cell.after.as_deref().unwrap_or_default());
}

fn width(cells: &[Cell]) -> usize {
    cells.iter().map(|cell| cell.width).sum()
}
