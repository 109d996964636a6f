//! An editor wired to a model of a terminal.

use unicode_width::UnicodeWidthChar;

use super::super::*;
use crate::complete::{Completeness, is_complete};

/// Whether Enter begins another line.
pub(super) fn needs_more(text: &str) -> bool {
    matches!(is_complete(text), Completeness::NeedsMore(_))
}

/// An open editor and the terminal it draws on.
pub(super) struct Rig {
    pub(super) editor: Editor,
    pub(super) terminal: avt::Terminal,
    /// Everything that was written.
    pub(super) written: String,
    pub(super) events: Vec<Event>,
    pub(super) prompt: String,
}

impl Rig {
    pub(super) fn new(kind: Terminal, cols: u16, rows: u16, prompt: &str) -> Self {
        Self::with_history(kind, cols, rows, prompt, &[])
    }

    pub(super) fn with_history(kind: Terminal, cols: u16, rows: u16, prompt: &str, lines: &[&str]) -> Self {
        let mut history = History::new();
        lines.iter().for_each(|line| history.add(line));
        let mut rig = Self {
            editor: Editor::new(kind, cols, rows, history, needs_more),
            terminal: avt::Terminal::with_scrollback(usize::from(cols), usize::from(rows), None).unwrap(),
            written: String::new(),
            events: Vec::new(),
            prompt: prompt.to_owned(),
        };
        rig.show("S0\r\nS1\r\nS2\r\n");
        let drawn = rig.editor.begin(prompt, Row::Empty);
        rig.show(&drawn);
        rig
    }

    /// A plain xterm with an empty history.
    pub(super) fn xterm() -> Self {
        Self::new(Terminal::Cursor, 80, 24, "$ ")
    }

    /// Writes to the terminal. The model gives every character a cell of its
    /// own, so combining ones are left out.
    pub(super) fn show(&mut self, output: &str) {
        self.written.push_str(output);
        let cells: String = output.chars().filter(|c| c.width() != Some(0)).collect();
        self.terminal.feed(cells.as_str());
    }

    /// Types bytes; a closed editor is opened again.
    pub(super) fn keys(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let mut step = self.editor.feed(bytes.as_ref());
        loop {
            self.show(&step.output);
            let stopped = !matches!(step.event, Event::None | Event::Bell);
            if matches!(step.event, Event::Submit(_) | Event::EndOfFile) {
                let drawn = self.editor.begin(&self.prompt.clone(), Row::Empty);
                self.show(&drawn);
            }
            self.events.push(step.event);
            if !stopped {
                return self;
            }
            step = self.editor.resume();
        }
    }

    pub(super) fn resize(&mut self, cols: u16, rows: u16) {
        self.terminal.resize(usize::from(cols), usize::from(rows));
        let drawn = self.editor.resize(cols, rows);
        self.show(&drawn);
    }

    /// The submitted texts.
    pub(super) fn submitted(&self) -> Vec<&str> {
        self.events.iter().filter_map(text_of).collect()
    }

    /// The rows of the screen without blanks at their ends.
    pub(super) fn screen(&self) -> Vec<String> {
        self.terminal.screen().visible_lines().map(|line| line.text().trim_end().to_owned()).collect()
    }

    /// The row of the screen the cursor is on.
    pub(super) fn row(&self) -> String {
        self.screen()[self.terminal.cursor().row].clone()
    }

    pub(super) fn column(&self) -> usize {
        self.terminal.cursor().col
    }

    /// Compares what the editor believes with what the terminal shows.
    pub(super) fn check(&self) {
        let (frame, top) = self.editor.view.screen().shown();
        let frame = frame.expect("a frame is drawn");
        let cursor = self.terminal.cursor();
        let (cols, rows) = self.terminal.size();
        assert_eq!(frame.cols, cols);
        assert_eq!(cursor.col, frame.cursor.1, "column of the cursor");
        let first = cursor.row.checked_sub(frame.cursor.0 - top).expect("the window is on the screen");
        for (index, row) in frame.rows.iter().enumerate().skip(top).take(rows) {
            let line = self.terminal.screen().line(first + index - top).expect("a row for each row of the frame");
            let mut expected = Vec::new();
            for cell in &row.cells {
                expected.push((cell.shown, cell.width));
                if cell.width == 2 {
                    expected.push((' ', 0));
                }
            }
            expected.resize(cols, (' ', 1));
            let shown: Vec<(char, usize)> = line.cells().iter().map(|c| (c.char(), usize::from(c.width()))).collect();
            assert_eq!(shown, expected, "row {index} of {frame:?}");
        }
        for below in first + frame.rows.len() - top..rows {
            let line = self.terminal.screen().line(below).expect("a row");
            assert_eq!(line.text().trim_end(), "", "row {below} is blank");
        }
        let all = self.terminal.screen().text();
        assert_eq!(all[..3], ["S0", "S1", "S2"], "nothing above is erased");
    }
}

fn text_of(event: &Event) -> Option<&str> {
    if let Event::Submit(text) = event { Some(text) } else { None }
}
