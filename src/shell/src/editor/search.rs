//! `^R`: looks through the history while the query is typed.

use super::history::History;

/// Longest query, in bytes.
const MAX_QUERY_BYTES: usize = 256;

/// A search that is going on.
#[derive(Debug)]
pub(super) struct Search {
    query: String,
    /// The line found last, and where in it.
    found: Option<(usize, usize)>,
    failing: bool,
    /// The text and cursor before the search.
    pub(super) draft: (String, usize),
}

impl Search {
    pub(super) fn new(draft: (String, usize)) -> Self {
        Self { query: String::new(), found: None, failing: false, draft }
    }

    /// Adds to the query; false when nothing holds it, or it is too long.
    pub(super) fn type_char(&mut self, c: char, history: &History) -> bool {
        if self.query.len() + c.len_utf8() > MAX_QUERY_BYTES {
            return false;
        }
        self.query.push(c);
        let end = self.found.map_or(history.len(), |(index, _)| index + 1);
        self.look(history, end)
    }

    /// Takes the last character of the query back and searches anew.
    pub(super) fn backspace(&mut self, history: &History) -> bool {
        if self.query.pop().is_none() {
            return false;
        }
        self.found = None;
        self.failing = false;
        self.query.is_empty() || self.look(history, history.len())
    }

    /// The next older line.
    pub(super) fn older(&mut self, history: &History) -> bool {
        let end = self.found.map_or(history.len(), |(index, _)| index);
        self.look(history, end)
    }

    fn look(&mut self, history: &History, end: usize) -> bool {
        if self.query.is_empty() {
            return false;
        }
        let found = history.search(&self.query, end);
        self.failing = found.is_none();
        self.found = found.or(self.found);
        !self.failing
    }

    /// The text and cursor to show: what was found, else the draft.
    pub(super) fn shown<'a>(&'a self, history: &'a History) -> (&'a str, usize) {
        let line = self.found.and_then(|(index, at)| history.line(index).map(|line| (line, at)));
        line.unwrap_or((&self.draft.0, self.draft.1))
    }

    /// What stands in place of the prompt.
    pub(super) fn prompt(&self) -> String {
        let failing = if self.failing { "failed " } else { "" };
        format!("({failing}reverse-i-search)`{}': ", self.query)
    }
}
