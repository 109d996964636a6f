//! The command lines of one agent, oldest first. In memory only: the caller
//! loads and saves them as text.

use std::collections::VecDeque;

use countersign_core::MAX_COMMAND_BYTES;

/// Keeps so many lines, and so many bytes of them.
const MAX_LINES: usize = 2000;
const MAX_BYTES: usize = 1024 * 1024;

/// Earlier command lines. Running one again is gated again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct History {
    lines: VecDeque<String>,
    bytes: usize,
}

impl History {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads what [`History::to_text`] wrote. Lines that could not have been
    /// typed are skipped.
    pub fn from_text(text: &str) -> Self {
        let mut history = Self::new();
        for line in text.lines() {
            if let Some(line) = unescape(line) {
                history.add(&line);
            }
        }
        history
    }

    /// One command line a text line; a newline in it is written `\n` and a
    /// backslash `\\`.
    pub fn to_text(&self) -> String {
        self.lines.iter().map(|line| line.replace('\\', r"\\").replace('\n', r"\n") + "\n").collect()
    }

    /// Remembers a line, unless it is blank, the same as the one before, or
    /// holds what no command line can hold. The oldest go when it is too much.
    pub fn add(&mut self, line: &str) {
        let odd = line.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        let again = self.lines.back().is_some_and(|last| last == line);
        if odd || again || line.trim().is_empty() || line.len() > MAX_COMMAND_BYTES {
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }

    /// How many lines it holds.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// A line, counted from the oldest.
    pub fn line(&self, index: usize) -> Option<&str> {
        self.lines.get(index).map(String::as_str)
    }

    /// The newest line before `end` that holds `query`, and where in it.
    pub(super) fn search(&self, query: &str, end: usize) -> Option<(usize, usize)> {
        let lines = self.lines.iter().enumerate().take(end).rev();
        lines.into_iter().find_map(|(index, line)| line.find(query).map(|at| (index, at)))
    }
}

fn unescape(line: &str) -> Option<String> {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}
