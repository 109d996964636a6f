//! Reading words (`read_token_word` in parse.y).

use super::frames::{Brackets, Frame, Header, HereDocument, List, ListState, PairKind, Scanner, Step, Word};
use super::token::{Token, reserved};

/// Commands whose arguments may be `name=( … )`.
const ASSIGNING: [&[u8]; 8] = [b"alias", b"declare", b"export", b"local", b"readonly", b"typeset", b"eval", b"let"];

impl Scanner<'_> {
    /// Begins a word at the current byte.
    pub(super) fn open_word(&mut self, brackets: Brackets) -> Step {
        self.push(Frame::Word(Word {
            start: self.at,
            quoted: false,
            array: false,
            equals: false,
            bracket: false,
            subscript_end: None,
            brackets,
        }))
    }

    /// Reads one byte of the word, or what that byte opens.
    pub(super) fn word_byte(&mut self) -> Step {
        let Some(Frame::Word(word)) = self.stack.last() else { return Ok(()) };
        let brackets = word.brackets;
        let Some(byte) = self.peek()? else { return self.end_word() };
        match byte {
            b'\\' => {
                self.at = self.bytes.len().min(self.at + 2);
                self.quoted();
                Ok(())
            }
            b'\'' => {
                self.at += 1;
                self.quoted();
                self.single_quotes(false)
            }
            b'"' => {
                self.at += 1;
                self.quoted();
                self.open_pair(PairKind::Double)
            }
            b'`' => {
                self.at += 1;
                self.quoted();
                self.backticks()
            }
            b'(' | b'|' if brackets == Brackets::Regex => {
                self.at += 1;
                if byte == b'(' { self.open_pair(PairKind::Pattern) } else { Ok(()) }
            }
            b'?' | b'*' | b'+' | b'@' | b'!' if brackets == Brackets::Pattern => {
                self.at += 1;
                if self.take_if(b'(')? { self.open_pair(PairKind::Pattern) } else { Ok(()) }
            }
            b'$' | b'<' | b'>' => self.expansion(byte),
            b'[' if self.subscript_begins() => {
                self.at += 1;
                self.open_pair(PairKind::Subscript)
            }
            b'=' if self.array_begins() => {
                self.at += 1;
                if self.take_if(b'(')? { self.open_array() } else { Ok(()) }
            }
            b' ' | b'\t' | b'\n' | b'(' | b')' | b'&' | b';' | b'|' => self.end_word(),
            _ => {
                self.at += 1;
                Ok(())
            }
        }
    }

    /// `$`, `<` or `>` in a word: an expansion, or the end of the word.
    fn expansion(&mut self, byte: u8) -> Step {
        let here = self.at;
        self.at += 1;
        match (byte, self.peek()?) {
            (_, Some(b'(')) => {
                self.at += 1;
                self.quoted();
                self.open_substitution()
            }
            (b'$', Some(b'{')) => {
                self.at += 1;
                self.quoted();
                self.open_pair(PairKind::Braces)
            }
            (b'$', Some(b'[')) => {
                self.at += 1;
                self.quoted();
                self.open_pair(PairKind::Bracket)
            }
            (b'$', Some(b'\'')) => {
                self.at += 1;
                self.quoted();
                self.single_quotes(true)
            }
            (b'$', Some(b'"')) => {
                self.at += 1;
                self.quoted();
                self.open_pair(PairKind::Double)
            }
            (b'$', Some(b'$')) => {
                self.at += 1;
                self.quoted();
                Ok(())
            }
            (b'$', Some(_) | None) => Ok(()),
            (_, Some(_) | None) => {
                self.at = here;
                self.end_word()
            }
        }
    }

    fn quoted(&mut self) {
        if let Some(Frame::Word(word)) = self.stack.last_mut() {
            word.quoted = true;
        }
    }

    /// The word so far, as written without backslash-newlines.
    fn written(&self, start: usize) -> Vec<u8> {
        let raw = self.bytes.get(start..self.at.min(self.bytes.len())).unwrap_or_default();
        let mut clean = Vec::with_capacity(raw.len());
        let mut bytes = raw.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if byte == b'\\' && bytes.peek() == Some(&b'\n') {
                bytes.next();
            } else {
                clean.push(byte);
            }
        }
        clean
    }

    fn may_assign(&self) -> bool {
        !self.in_pattern() && (self.last.lets_assignment_follow(self.before) || self.only_redirected())
    }

    /// Whether only redirections stand before this word in its command.
    fn only_redirected(&self) -> bool {
        let holder = self.stack.iter().rev().find(|frame| !matches!(frame, Frame::Word(_)));
        let Some(Frame::List(list)) = holder else { return false };
        matches!(list.state, ListState::Simple { words: 0, .. })
    }

    fn in_pattern(&self) -> bool {
        let holder = self.stack.iter().rev().find(|frame| !matches!(frame, Frame::Word(_)));
        matches!(holder, Some(Frame::Header(Header::CasePattern | Header::CaseAlternative | Header::CaseBar)))
    }

    fn in_array(&self) -> bool {
        let holder = self.stack.iter().rev().find(|frame| !matches!(frame, Frame::Word(_)));
        matches!(holder, Some(Frame::Array(_)))
    }

    /// Whether a `[` here begins `name[…]`, or `[…]=` in an array.
    fn subscript_begins(&mut self) -> bool {
        let Some(Frame::Word(word)) = self.stack.last_mut() else { return false };
        if std::mem::replace(&mut word.bracket, true) {
            return false;
        }
        let (start, quoted) = (word.start, word.quoted);
        if start == self.at {
            return self.in_array();
        }
        self.may_assign() && !quoted && is_name(&self.written(start))
    }

    /// Whether a `=` here ends `name`, `name+` or `name[…]`.
    fn array_begins(&mut self) -> bool {
        let Some(Frame::Word(word)) = self.stack.last_mut() else { return false };
        if std::mem::replace(&mut word.equals, true) {
            return false;
        }
        let start = word.start;
        if word.subscript_end.is_some_and(|end| end != self.at && self.bytes.get(end..self.at) != Some(b"+")) {
            return false;
        }
        (self.may_assign() || self.assigning) && is_target(&self.written(start))
    }

    fn open_array(&mut self) -> Step {
        if let Some(Frame::Word(word)) = self.stack.last_mut() {
            word.array = true;
        }
        let aside = self.put_aside(Token::Word);
        self.push(Frame::Array(aside))
    }

    /// Ends the word and hands it to the grammar.
    fn end_word(&mut self) -> Step {
        let Some(Frame::Word(word)) = self.stack.pop() else { return Ok(()) };
        let written = self.written(word.start);
        if matches!(self.stack.last(), Some(Frame::Array(_))) {
            return Ok(());
        }
        let next = self.peek()?;
        if !word.quoted && written.iter().all(u8::is_ascii_digit) && matches!(next, Some(b'<' | b'>')) {
            return Ok(());
        }
        if matches!(next, Some(b'<' | b'>')) && is_redirect_name(&written) {
            return Ok(());
        }
        let token = self.classify(&word, &written);
        if token == Token::Word && self.may_assign() && ASSIGNING.contains(&written.as_slice()) {
            self.assigning = true;
        }
        if let Some(strip_tabs) = self.awaits_delimiter() {
            self.here_documents.push(HereDocument::new(&written, strip_tabs));
        }
        if matches!(self.stack.last(), Some(Frame::Condition(_))) {
            return self.condition_word(&written, word.quoted);
        }
        self.accept(token)
    }

    /// For the word after `<<`: whether tabs are stripped from its body.
    fn awaits_delimiter(&self) -> Option<bool> {
        let Some(Frame::List(List { state: ListState::Target { heredoc, .. }, .. })) = self.stack.last() else {
            return None;
        };
        *heredoc
    }

    fn classify(&self, word: &Word, written: &[u8]) -> Token {
        let bare = !word.quoted && !word.array;
        if let Some(token) = bare.then(|| self.special(written)).flatten() {
            return token;
        }
        let target = written.iter().position(|b| *b == b'=').and_then(|at| written.get(..at));
        if self.may_assign() && target.is_some_and(is_target) { Token::Assignment } else { Token::Word }
    }

    /// The reserved word that stands here, if one may.
    fn special(&self, written: &[u8]) -> Option<Token> {
        if let Some(token) = self.header_word(written) {
            return token;
        }
        if matches!(written, b"-p" | b"--") && matches!(self.last, Token::Time | Token::TimeOption) {
            let first = self.last == Token::Time;
            return (first || written == b"--").then_some(Token::TimeOption);
        }
        if !self.last.lets_reserved_follow(self.before) {
            return None;
        }
        reserved(written).filter(|token| *token != Token::Time || self.last.lets_time_follow(self.before))
    }
}

fn is_name(text: &[u8]) -> bool {
    let first = text.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    first && text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// `name`, `name+`, `name[…]`, `name[…]+`.
fn is_target(text: &[u8]) -> bool {
    let text = text.strip_suffix(b"+").unwrap_or(text);
    match text.iter().position(|b| *b == b'[') {
        Some(at) => text.ends_with(b"]") && text.get(..at).is_some_and(is_name),
        None => is_name(text),
    }
}

/// `{name}` before a redirection.
fn is_redirect_name(text: &[u8]) -> bool {
    text.strip_prefix(b"{").and_then(|t| t.strip_suffix(b"}")).is_some_and(is_name)
}
