//! bash's grammar: a text to simple commands.
//!
//! One pass from left to right, one [`Reader`] for a text and all that is
//! nested in it, so that a substitution ends where its own grammar says and
//! every word keeps the bytes it came from. It is strict: what bash might take
//! in two ways, or only with an option set, stops it, and a text that stops it
//! is [`Opaque::Unparsed`](crate::facts::Opaque). A second parser, written by
//! others, must find the same commands ([`second`]).

mod arithmetic;
mod braces;
mod compound;
mod condition;
mod effort;
mod expansion;
mod heredoc;
mod list;
mod nesting;
mod quotes;
mod second;
mod simple;
mod word;

use crate::facts::{Context, Loop, Opaque, OpaqueFact, Redirection, Shell, SimpleCommand, Span};
use heredoc::Pending;
pub(crate) use nesting::Nesting;
use second::Hole;

/// Deepest nesting of the grammar.
pub(crate) const MAX_DEPTH: usize = 100;
/// Most commands of a line.
const MAX_COMMANDS: usize = 500;

/// Most words of a line, those of nested texts included.
const MAX_WORDS: usize = 3000;

/// What has been read so far.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub commands: Vec<SimpleCommand>,
    pub opaque: Vec<OpaqueFact>,
    pub pipelines: Vec<usize>,
    pub shared_redirections: Vec<Redirection>,
    pub functions: Vec<String>,
    pub loops: Vec<Loop>,
    /// The shell that reads the line.
    pub shell: Shell,
    /// What only bash (and not every POSIX shell) reads this way.
    pub bash_only: bool,
    /// An arithmetic expression names a variable, whose value is an expression again.
    pub arithmetic_names: Option<Span>,
    /// How many words have been read.
    pub words: usize,
    /// What the second parser may still be given.
    pub second: second::Budget,
    /// A quoted text that would run a command if it were evaluated again.
    pub dormant: bool,
}

/// Why reading stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    pub what: Opaque,
    pub at: usize,
}

pub(crate) type Parse<T> = Result<T, Stop>;

/// Reads one text.
pub(crate) struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Where each run of the text comes from in the line.
    runs: &'t [(usize, usize)],
    depth: usize,
    /// How many substitutions are open.
    nested: usize,
    pending: Vec<Pending>,
    context: Vec<Context>,
    /// Substitutions that were read, with what they hold, for the second parser.
    holes: Vec<Hole>,
    out: &'t mut Gathered,
}

/// Reads all of `text`, which stands in the line where `runs` say.
pub(crate) fn read(
    text: &str,
    runs: &[(usize, usize)],
    context: Vec<Context>,
    depth: usize,
    out: &mut Gathered,
) -> Result<(), OpaqueFact> {
    let (first, outer) = (out.commands.len(), context.len());
    let mut reader =
        Reader { text, at: 0, runs, depth, nested: 0, pending: Vec::new(), context, holes: Vec::new(), out };
    let done = reader.program();
    let holes = std::mem::take(&mut reader.holes);
    let (start, end) = (reader.line(done.map_or_else(|stop| stop.at, |()| 0)), reader.line(text.len()));
    let what = match done {
        Err(stop) => Some(stop.what),
        Ok(()) => {
            let found = out.commands.get(first..).unwrap_or_default();
            second::check(&second::Given::new(text, 0, &holes), found, outer, &mut out.second)
        }
    };
    what.map_or(Ok(()), |what| Err(OpaqueFact { what, span: Span { start, end: end.max(start) } }))
}

impl<'t> Reader<'t> {
    fn program(&mut self) -> Parse<()> {
        self.statements(&[])?;
        if self.at < self.text.len() || !self.pending.is_empty() { self.stop() } else { Ok(()) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn starts(&self, with: &str) -> bool {
        self.rest().starts_with(with)
    }

    /// Takes the next character.
    fn next_char(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes `word` if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let there = self.starts(word);
        self.at += if there { word.len() } else { 0 };
        there
    }

    /// Where the byte at `at` of this text is in the line.
    fn line(&self, at: usize) -> usize {
        let after = self.runs.partition_point(|(from, _)| *from <= at);
        let run = after.checked_sub(1).and_then(|index| self.runs.get(index));
        run.map_or(at, |(from, line)| line + (at - from))
    }

    fn span_from(&self, start: usize) -> Span {
        let last = self.at.saturating_sub(1).max(start);
        let end = if self.at > start { self.line(last) + 1 } else { self.line(start) };
        Span { start: self.line(start), end: end.max(self.line(start)) }
    }

    fn stop<T>(&self) -> Parse<T> {
        Err(Stop { what: Opaque::Unparsed, at: self.at })
    }

    fn note(&mut self, what: Opaque, span: Span) {
        self.out.opaque.push(OpaqueFact { what, span });
    }

    /// One level deeper while `inner` reads.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop { what: Opaque::TooDeep, at: self.at });
        }
        self.depth += 1;
        let read = inner(self);
        self.depth -= 1;
        read
    }

    /// Reads with one more context.
    fn within<T>(&mut self, context: Context, inner: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        self.context.push(context);
        let read = self.deeper(inner);
        self.context.pop();
        read
    }

    fn push(&mut self, command: SimpleCommand) -> Parse<usize> {
        if self.out.commands.len() >= MAX_COMMANDS {
            return Err(Stop { what: Opaque::TooMuch, at: self.at });
        }
        self.out.commands.push(command);
        Ok(self.out.commands.len() - 1)
    }

    /// Skips spaces, tabs, joined lines and comments.
    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.at += 2,
                Some(b'#') => {
                    let end = self.rest().find('\n').unwrap_or(self.rest().len());
                    self.at += end;
                }
                Some(_) | None => return,
            }
        }
    }

    /// Skips blanks and newlines; the bodies of here-documents are read on the way.
    fn newlines(&mut self) -> Parse<()> {
        loop {
            self.blanks();
            if self.peek() != Some(b'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }
}
