//! Words: quoting and what is expanded in them.

use super::{MAX_WORDS, Parse, Reader, Stop};
use crate::facts::{Opaque, Span, Unknown, Word};

/// A word that was read, and where its text began.
#[derive(Debug)]
pub(super) struct Scanned {
    pub word: Word,
    pub start: usize,
    pub end: usize,
}

impl Scanned {
    /// Its bare text, where nothing in it is quoted or expanded: what a reserved word must be.
    pub fn bare(&self) -> Option<&str> {
        (!self.word.quoted && self.word.unknown.is_empty()).then_some(self.word.text.as_str())
    }
}

/// A word in the making.
#[derive(Debug, Default)]
pub(super) struct Making {
    pub word: Word,
    /// Whether an unquoted `[` is open.
    bracket: bool,
    /// How many unquoted braces are open, and how many of them, from the outermost on, hold `,` or `..`.
    braces: usize,
    parted: usize,
    /// The last unquoted character.
    last: Option<char>,
}

impl Making {
    /// Adds a character that stands at `line` in the line.
    pub fn add(&mut self, c: char, line: usize) {
        self.run(line);
        self.word.text.push(c);
    }

    /// Adds text as it stands, from `line` on.
    pub fn add_text(&mut self, text: &str, line: usize) {
        if !text.is_empty() {
            self.run(line);
            self.word.text.push_str(text);
        }
    }

    fn run(&mut self, line: usize) {
        let at = self.word.text.len();
        if self.word.runs.last().is_none_or(|(from, old)| old + (at - from) != line) {
            self.word.runs.push((at, line));
        }
    }

    /// Adds an unquoted character, with what it may mean for file names and braces.
    fn add_unquoted(&mut self, c: char, line: usize) {
        match c {
            '*' | '?' => self.word.unknown.add(Unknown::GLOB),
            '[' => self.bracket = true,
            ']' if self.bracket => self.word.unknown.add(Unknown::GLOB),
            '~' if self.word.text.is_empty() && !self.word.quoted || matches!(self.last, Some('=' | ':')) => {
                self.word.unknown.add(Unknown::TILDE);
            }
            '{' => self.braces += 1,
            ',' => self.parted = self.braces,
            '.' if self.last == Some('.') => self.parted = self.braces,
            '}' if self.braces > 0 => {
                if self.parted == self.braces {
                    self.word.unknown.add(Unknown::BRACE);
                }
                self.braces -= 1;
                self.parted = self.parted.min(self.braces);
            }
            _ => {}
        }
        self.last = Some(c);
        self.add(c, line);
    }

    /// What was quoted or expanded ends the run of unquoted characters.
    fn interrupted(&mut self) {
        self.last = None;
    }
}

/// Characters that end a word.
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

impl Reader<'_> {
    /// Reads a word, where one begins here.
    pub(super) fn word(&mut self) -> Parse<Option<Scanned>> {
        let start = self.at;
        let mut making = Making::default();
        self.word_parts(&mut making, &ends_word)?;
        if self.at == start {
            return Ok(None);
        }
        self.count_word(start)?;
        let mut word = making.word;
        word.span = self.span_from(start);
        Ok(Some(Scanned { word, start, end: self.at }))
    }

    /// One more text that is read by itself, which begins at `start`.
    pub(super) fn count_word(&mut self, start: usize) -> Parse<()> {
        self.out.words += 1;
        if self.out.words > MAX_WORDS {
            return Err(Stop { what: Opaque::TooMuch, at: start });
        }
        Ok(())
    }

    /// Reads the parts of a word up to an unquoted character for which `ends` holds.
    pub(super) fn word_parts(&mut self, making: &mut Making, ends: &dyn Fn(u8) -> bool) -> Parse<()> {
        while let Some(byte) = self.peek() {
            let here = self.line(self.at);
            match byte {
                b'\\' => self.escaped(making),
                b'\'' => self.single_quoted(making)?,
                b'"' => self.double_quoted(making)?,
                b'$' => self.dollar(making, false)?,
                b'`' => self.backquoted(making, false)?,
                b'<' | b'>' if self.peek_at(1) == Some(b'(') => self.process_substitution(making)?,
                byte if ends(byte) => return Ok(()),
                _ => {
                    if let Some(c) = self.next_char() {
                        making.add_unquoted(c, here);
                    }
                    continue;
                }
            }
            making.interrupted();
        }
        Ok(())
    }

    fn escaped(&mut self, making: &mut Making) {
        self.at += 1;
        let here = self.line(self.at);
        match self.next_char() {
            Some('\n') => {}
            Some(c) => {
                making.word.quoted = true;
                self.out.dormant |= matches!(c, '$' | '`');
                making.add(c, here);
            }
            None => making.add('\\', here.saturating_sub(1)),
        }
    }

    /// A word of which only the extent matters (a pattern of `case`).
    pub(super) fn expect_word(&mut self) -> Parse<Scanned> {
        match self.word()? {
            Some(word) => Ok(word),
            None => self.stop(),
        }
    }

    /// An empty word here.
    pub(super) fn nothing(&self) -> Word {
        let here = self.line(self.at);
        Word { span: Span { start: here, end: here }, ..Word::default() }
    }
}

/// Whether a text runs a command when it is evaluated as an expression.
pub(super) fn runs_if_evaluated(text: &str) -> bool {
    text.contains("$(") || text.contains('`') || text.contains("${ ")
}
