//! A word of a command line.

use super::Span;
use std::fmt;

/// A word after quote removal. Expansions stay in the text as they were
/// written (`$HOME/x`, `*.log`), and make it inexact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// Where it stands.
    pub span: Span,
    /// The text.
    pub text: String,
    /// Why the text is not what the program gets; empty: it is, byte for byte.
    pub unknown: Unknown,
    /// Whether any of it was quoted (such a word is no reserved word, alias or option of the shell).
    pub quoted: bool,
    /// Where each run of `text` comes from: offset in the text, offset in the line.
    pub(crate) runs: Vec<(usize, usize)>,
}

impl Word {
    /// The exact value that the program would get.
    pub fn exact(&self) -> Option<&str> {
        self.unknown.is_empty().then_some(self.text.as_str())
    }

    /// The offset in the line of the byte at `offset` of the text.
    pub(crate) fn line_offset(&self, offset: usize) -> usize {
        let after = self.runs.partition_point(|(from, _)| *from <= offset);
        let run = after.checked_sub(1).and_then(|index| self.runs.get(index));
        run.map_or(self.span.start, |(from, line)| line + (offset - from))
    }

    /// Where the part of it from `offset` of its text on stands.
    pub(crate) fn span_from(&self, offset: usize) -> Span {
        let start = self.line_offset(offset);
        Span { start, end: self.span.end.max(start) }
    }

    /// The part of it from `offset` of its text on, as a word of its own.
    pub(crate) fn rest(&self, offset: usize) -> Word {
        let start = self.line_offset(offset);
        let mut runs = vec![(0, start)];
        runs.extend(self.runs.iter().filter(|(from, _)| *from > offset).map(|(from, line)| (from - offset, *line)));
        Word {
            span: Span { start, end: self.span.end.max(start) },
            text: self.text.get(offset..).unwrap_or_default().to_owned(),
            unknown: self.unknown,
            quoted: self.quoted,
            runs,
        }
    }
}

/// Why a word is not exact: a set.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Unknown(u16);

impl Unknown {
    /// `*`, `?`, `[…]`: names of files.
    pub const GLOB: Self = Self(1);
    /// `~` and what a home directory is.
    pub const TILDE: Self = Self(1 << 1);
    /// `{a,b}`: several words.
    pub const BRACE: Self = Self(1 << 2);
    /// `$name` or `${…}`.
    pub const PARAMETER: Self = Self(1 << 3);
    /// The output of a command.
    pub const COMMAND: Self = Self(1 << 4);
    /// `$(( … ))`.
    pub const ARITHMETIC: Self = Self(1 << 5);
    /// `<( … )`: the name of a pipe.
    pub const PROCESS: Self = Self(1 << 6);
    /// `$"…"`: may be translated.
    pub const LOCALE: Self = Self(1 << 7);
    /// Words that the program gets from its input (`xargs`) or puts in (`find`'s `{}`).
    pub const APPENDED: Self = Self(1 << 8);

    const NAMES: [(Self, &'static str); 9] = [
        (Self::GLOB, "glob"),
        (Self::TILDE, "tilde"),
        (Self::BRACE, "brace"),
        (Self::PARAMETER, "parameter"),
        (Self::COMMAND, "command_substitution"),
        (Self::ARITHMETIC, "arithmetic"),
        (Self::PROCESS, "process_substitution"),
        (Self::LOCALE, "locale"),
        (Self::APPENDED, "appended"),
    ];

    /// Whether there is no reason.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among the reasons.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds a reason.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The others, without those in `other`.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The reasons by name.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(reason, _)| self.contains(*reason)).map(|(_, name)| name)
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
