//! Does bash need more lines before it can run this text?
//!
//! The editor asks when a person presses Enter. The answer follows bash 5.2's
//! own reader (`parse.y`): words and quoting in `words.rs`, brackets that bash
//! reads as one unit in `pairs.rs`, here-documents in `heredoc.rs`, the grammar
//! in `grammar.rs` and its headers in `headers.rs`, `[[ ]]` in `condition.rs`.
//! One explicit stack instead of recursion: nesting costs no machine stack.
//!
//! It must never decide what may run, and it never blocks anyone: a syntax
//! error counts as complete (bash reports it), and so does any doubt. Aliases
//! are ignored. `bash -n` is the oracle in the tests.

mod condition;
mod frames;
mod grammar;
mod headers;
mod heredoc;
mod operators;
mod pairs;
#[cfg(test)]
mod tests;
mod token;
mod words;

use frames::{Frame, List, Scanner};

/// Whether bash would read another line before running the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Bash would run it, or report a syntax error.
    Complete,
    /// Bash would wait for more.
    NeedsMore(Why),
}

/// What is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A backslash at the very end joins the next line.
    Backslash,
    /// A quote or a bracket that bash reads to its partner: `'`, `"`, `` ` ``,
    /// `)`, `}` or `]` is missing.
    Closing(char),
    /// A here-document whose last line has not come.
    HereDocument,
    /// A compound command, or a command after `|`, `&&` or `||`.
    Command,
}

/// Deepest nesting that is followed, as frames of the stack: at least 1000
/// compound commands or 600 substitutions. Deeper text counts as complete.
const MAX_FRAMES: usize = 2000;

/// Says whether bash would need more lines after `text`, which comes without
/// the newline that ends it. Takes time linear in the length of the text for
/// anything a person would write, and at most a fixed multiple of it always.
pub fn is_complete(text: &str) -> Completeness {
    let mut scanner = Scanner::new(text.as_bytes());
    scanner.stack.push(Frame::List(List::top()));
    loop {
        if let Err(stop) = scanner.step() {
            return stop;
        }
    }
}
