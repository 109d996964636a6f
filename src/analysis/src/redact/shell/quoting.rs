//! Words: quotes, escapes and expansions.

use super::super::text::{Decoder, Text, UNKNOWN};
use super::{DEPTH, Reader, read};

/// What ends an unquoted word.
const META: &[char] = &[' ', '\t', '\r', '\n', ';', '&', '|', '(', ')', '<', '>'];

/// Whether a byte outside of quotes is more than itself.
fn means_in_word(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t'
            | b'\r'
            | b'\n'
            | b';'
            | b'&'
            | b'|'
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'\''
            | b'"'
            | b'\\'
            | b'$'
            | b'`'
            | b'*'
            | b'?'
            | b'['
            | b'{'
    )
}

impl Reader<'_> {
    /// Reads a word; at least one character is taken.
    pub(super) fn word(&mut self) -> Decoder {
        let mut word = Decoder::default();
        while let Some(c) = self.peek() {
            match c {
                '\'' => self.single_quoted(&mut word),
                '"' => self.double_quoted(&mut word),
                '\\' => self.escape(&mut word),
                '$' => self.dollar(&mut word, false),
                '`' => self.backticks(&mut word),
                '<' | '>' if self.rest_starts("<(") || self.rest_starts(">(") => {
                    let first = self.script.commands.len();
                    self.substitution(&mut word, 2);
                    self.feeds.extend(first..self.script.commands.len());
                }
                c if META.contains(&c) => break,
                '*' | '?' | '[' | '{' => {
                    word.push_glob(c, self.text, self.at, self.at + 1);
                    self.at += 1;
                }
                _ => self.run(&mut word, means_in_word),
            }
        }
        word
    }

    /// Takes everything up to a byte that means something.
    pub(super) fn run(&mut self, word: &mut Decoder, means: impl Fn(u8) -> bool) {
        let rest = self.text.s.as_bytes().get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| means(*byte)).unwrap_or(rest.len());
        word.push_run(self.text, self.at, self.at + length);
        self.at += length;
    }

    fn plain(&mut self, c: char, word: &mut Decoder) {
        word.push(c, self.text, self.at, self.at + c.len_utf8());
        self.at += c.len_utf8();
    }

    /// An expansion from `from` to here.
    fn unknown(&self, word: &mut Decoder, from: usize) {
        word.push(UNKNOWN, self.text, from, self.at);
    }

    /// An expansion that holds no command.
    fn opaque(&mut self, word: &mut Decoder, from: usize) {
        self.unknown(word, from);
        self.script.expansions.extend(self.text.place(from, self.at));
    }

    fn single_quoted(&mut self, word: &mut Decoder) {
        word.quoted = true;
        self.at += 1;
        self.run(word, |byte| byte == b'\'');
        if self.peek() == Some('\'') {
            self.at += 1;
            return;
        }
        word.unfinished = true;
    }

    fn escape(&mut self, word: &mut Decoder) {
        let from = self.at;
        self.at += 1;
        match self.peek() {
            Some('\n') => self.at += 1,
            Some(c) => {
                self.at += c.len_utf8();
                word.push(c, self.text, from, self.at);
            }
            None => {
                word.push('\\', self.text, from, self.at);
                self.script.doubt = true;
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Decoder) {
        word.quoted = true;
        self.at += 1;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                c => self.soft(c, word, true),
            }
        }
        word.unfinished = true;
    }

    /// A character where only `$`, backticks and some escapes mean anything:
    /// between double quotes, or in a here-document.
    pub(super) fn soft(&mut self, c: char, word: &mut Decoder, quotes: bool) {
        match c {
            '\\' => {
                let next = self.text.s.get(self.at + 1..).and_then(|rest| rest.chars().next());
                match next {
                    Some('$' | '`' | '\\' | '\n') => self.escape(word),
                    Some('"') if quotes => self.escape(word),
                    Some(_) | None => self.plain(c, word),
                }
            }
            '$' => self.dollar(word, true),
            '`' => self.backticks(word),
            '\n' | '"' => self.plain(c, word),
            _ => self.run(word, |byte| matches!(byte, b'"' | b'\\' | b'$' | b'`' | b'\n')),
        }
    }

    fn dollar(&mut self, word: &mut Decoder, soft: bool) {
        let from = self.at;
        let next = self.text.s.get(self.at + 1..).and_then(|rest| rest.chars().next());
        match next {
            Some('(') if self.rest_starts("$((") => {
                self.at += 1;
                self.balanced('(', ')');
                self.script.doubt = true;
                self.opaque(word, from);
            }
            Some('(') => self.substitution(word, 2),
            Some('{') => {
                self.at += 1;
                self.balanced('{', '}');
                self.opaque(word, from);
            }
            Some('[') => {
                self.at += 1;
                self.balanced('[', ']');
                self.script.doubt = true;
                self.opaque(word, from);
            }
            Some('\'') if !soft => {
                self.at += 1;
                self.ansi_c(word);
            }
            Some('"') if !soft => {
                // A translated string: what the shell makes of it is not known.
                self.at += 1;
                self.unknown(word, from);
                self.double_quoted(word);
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
                let rest = self.text.s.get(from + 1..).unwrap_or_default();
                self.at = from + 1 + rest.find(name).unwrap_or(rest.len());
                self.opaque(word, from);
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.at += 2;
                self.opaque(word, from);
            }
            Some(_) | None => self.plain('$', word),
        }
    }

    /// Takes what stands between brackets that belong together, with quotes
    /// and escapes; nobody looks inside.
    fn balanced(&mut self, open: char, close: char) {
        let mut depth = 0usize;
        let mut quote = None;
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match (quote, c) {
                (None | Some('"'), '\\') => self.at += self.peek().map_or(0, char::len_utf8),
                (Some(q), c) if q == c => quote = None,
                (None, '\'' | '"' | '`') => quote = Some(c),
                (None, c) if c == open => depth += 1,
                (None, c) if c == close => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_) | None, _) => {}
            }
        }
        self.script.doubt = true;
    }

    /// `$(…)`, `<(…)`, `>(…)`: the commands inside are read too.
    fn substitution(&mut self, word: &mut Decoder, sign: usize) {
        let from = self.at;
        self.at += sign;
        if self.depth >= DEPTH {
            self.script.doubt = true;
            self.at = self.text.s.len();
        } else {
            self.depth += 1;
            let feeds = std::mem::take(&mut self.feeds);
            self.list(Some(')'));
            self.feeds = feeds;
            self.depth -= 1;
        }
        self.unknown(word, from);
    }

    fn backticks(&mut self, word: &mut Decoder) {
        let from = self.at;
        self.at += 1;
        let mut escaped = false;
        let mut end = None;
        for (i, c) in self.text.s.get(self.at..).unwrap_or_default().char_indices() {
            match c {
                '`' if !escaped => {
                    end = Some(self.at + i);
                    break;
                }
                c => {
                    self.script.doubt |= escaped;
                    escaped = c == '\\' && !escaped;
                }
            }
        }
        self.script.doubt |= end.is_none();
        let end = end.unwrap_or(self.text.s.len());
        if self.depth < DEPTH {
            let inside = self.text.part(self.at, end);
            let script = read_part(&inside);
            self.script.take_in(script);
        }
        self.at = (end + 1).min(self.text.s.len());
        self.unknown(word, from);
    }

    /// `$'…'`.
    fn ansi_c(&mut self, word: &mut Decoder) {
        word.quoted = true;
        self.at += 1;
        while let Some(c) = self.peek() {
            match c {
                '\'' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    let from = self.at;
                    let (made, taken) = ansi_c_escape(self.text.s.get(self.at + 1..).unwrap_or_default());
                    self.at += 1 + taken;
                    // For dash, which has no such quotes, the text ends here and the next one begins elsewhere.
                    self.script.doubt |= self.text.get(from, self.at).contains('\'');
                    word.push(made, self.text, from, self.at);
                }
                c => self.plain(c, word),
            }
        }
        word.unfinished = true;
    }
}

/// A part of a text read as a script of its own, kept apart from its source.
fn read_part(text: &Text<'_>) -> super::Script<'static> {
    read(text).into_owned()
}

/// What follows a backslash in `$'…'`: the character, and how many bytes say
/// it. A byte above 0x7F counts as unknown: its neighbours decide what it is.
fn ansi_c_escape(rest: &str) -> (char, usize) {
    let digits = |skip: usize, most: usize, radix: u32| {
        let run: String = rest.chars().skip(skip).take(most).take_while(|c| c.is_digit(radix)).collect();
        let value = u32::from_str_radix(&run, radix).ok();
        let made = value.filter(|v| *v != 0 && (skip + most > 4 || *v < 0x80)).and_then(char::from_u32);
        (made.unwrap_or(UNKNOWN), skip + run.len())
    };
    match rest.chars().next() {
        Some('n') => ('\n', 1),
        Some('t') => ('\t', 1),
        Some('r') => ('\r', 1),
        Some('a') => ('\x07', 1),
        Some('b') => ('\x08', 1),
        Some('e' | 'E') => ('\x1b', 1),
        Some('f') => ('\x0c', 1),
        Some('v') => ('\x0b', 1),
        Some('0'..='7') => digits(0, 3, 8),
        Some('x') => digits(1, 2, 16),
        Some('u') => digits(1, 4, 16),
        Some('U') => digits(1, 8, 16),
        Some('c') => (UNKNOWN, 1 + rest.chars().nth(1).map_or(0, char::len_utf8)),
        Some(c @ ('\\' | '\'' | '"' | '?')) => (c, 1),
        Some(_) | None => ('\\', 0),
    }
}
