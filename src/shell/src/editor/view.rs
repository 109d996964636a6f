//! What kind of terminal it is, and drawing on it.

use super::Row;
use super::layout::Frame;
use super::plain::Plain;
use super::prompt::{Piece, parse};
use super::screen::Screen;

/// What a terminal can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminal {
    /// Prints, and steps back: `TERM=dumb`.
    Dumb,
    /// Moves its cursor (xterm and its like).
    Cursor,
    /// Moves its cursor, and breaks lines anew when its size changes (tmux).
    Reflowing,
}

impl Terminal {
    /// By the value of `TERM`.
    pub fn from_term(term: &str) -> Self {
        match term {
            "" | "dumb" | "unknown" => Self::Dumb,
            _ if term.starts_with("tmux") || term.starts_with("screen") => Self::Reflowing,
            _ => Self::Cursor,
        }
    }
}

/// How the text differs from what was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drift {
    /// Text may have come at its end; so many bytes of it were drawn.
    Appended(usize),
    Unknown,
}

/// The terminal as far as we draw on it.
#[derive(Debug)]
pub(super) struct View {
    terminal: Terminal,
    cols: usize,
    prompt: Vec<Piece>,
    /// The prompt that is on the screen stands for a search.
    searching: bool,
    screen: Screen,
    plain: Plain,
    drift: Drift,
}

impl View {
    pub(super) fn new(terminal: Terminal, cols: u16, rows: u16) -> Self {
        let (cols, rows) = size(cols, rows);
        Self {
            terminal,
            cols,
            prompt: Vec::new(),
            searching: false,
            screen: Screen::new(rows),
            plain: Plain::default(),
            drift: Drift::Unknown,
        }
    }

    pub(super) fn cols(&self) -> usize {
        self.cols
    }

    #[cfg(test)]
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    #[cfg(test)]
    pub(super) fn plain_row(&self) -> String {
        self.plain.row()
    }

    #[cfg(test)]
    pub(super) fn plain_column(&self) -> usize {
        self.plain.column()
    }

    /// Begins at a new prompt.
    pub(super) fn begin(&mut self, prompt: &str, row: Row, out: &mut String) {
        self.forget();
        if row == Row::Unknown && self.terminal != Terminal::Dumb {
            // Blanks up to the last column wrap unless the row was empty.
            out.extend(std::iter::repeat_n(' ', self.cols - 1));
            out.push('\r');
        }
        self.set_prompt(prompt);
    }

    pub(super) fn set_prompt(&mut self, prompt: &str) {
        self.prompt = parse(prompt, self.terminal != Terminal::Dumb);
        self.screen.spoil();
        self.changed();
    }

    /// The text changed in another way than at its end.
    pub(super) fn changed(&mut self) {
        self.drift = Drift::Unknown;
    }

    pub(super) fn resize(&mut self, cols: u16, rows: u16) {
        let (cols, rows) = size(cols, rows);
        self.screen.resized(cols, rows, self.terminal == Terminal::Reflowing);
        self.cols = cols;
        self.changed();
    }

    /// Moves below everything, with the cursor at the start of an empty row.
    pub(super) fn leave(&mut self, out: &mut String) {
        match self.terminal {
            Terminal::Dumb => self.plain.leave(out),
            Terminal::Cursor | Terminal::Reflowing => self.screen.leave(out),
        }
        self.changed();
    }

    /// Clears the screen.
    pub(super) fn clear(&mut self, out: &mut String) {
        match self.terminal {
            Terminal::Dumb => self.plain.leave(out),
            Terminal::Cursor | Terminal::Reflowing => {
                out.push_str("\x1b[H\x1b[2J");
                self.screen.forget();
            }
        }
        self.changed();
    }

    fn forget(&mut self) {
        self.screen.forget();
        self.plain.forget();
        self.changed();
    }

    /// Shows the text, after the prompt or after what stands for it.
    pub(super) fn draw(&mut self, search: Option<&str>, text: &str, cursor: usize, out: &mut String) {
        if let Drift::Appended(drawn) = self.drift {
            let added = text.get(drawn..).filter(|_| cursor == text.len() && search.is_none());
            if added.is_some_and(|added| self.screen.append(added, out)) {
                self.drift = Drift::Appended(text.len());
                return;
            }
        }
        let searching = search.map(|prompt| parse(prompt, false));
        if self.searching != searching.is_some() {
            self.searching = searching.is_some();
            self.screen.spoil();
        }
        let prompt = searching.as_ref().unwrap_or(&self.prompt);
        match self.terminal {
            Terminal::Dumb => {
                let frame = Frame::new(usize::MAX / 2, prompt, text, cursor);
                self.plain.draw(&frame, self.cols, out);
            }
            Terminal::Cursor | Terminal::Reflowing => {
                self.screen.draw(Frame::new(self.cols, prompt, text, cursor), out);
                if searching.is_none() && cursor == text.len() {
                    self.drift = Drift::Appended(text.len());
                }
            }
        }
    }
}

fn size(cols: u16, rows: u16) -> (usize, usize) {
    if cols == 0 || rows == 0 { (80, 24) } else { (usize::from(cols), usize::from(rows)) }
}
