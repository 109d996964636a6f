//! Where a token begins: blanks, comments, newlines, operators.

use super::frames::{Brackets, Condition, ConditionState, ENOUGH, Frame, ListKind, ListState, PairKind, Scanner, Step};
use super::token::Token;
use super::{Completeness, Why};

impl Scanner<'_> {
    /// Reads one token, or opens the word that begins here.
    pub(super) fn token(&mut self) -> Step {
        while matches!(self.peek()?, Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let brackets = self.brackets();
        match self.peek()? {
            None => self.end_of_text(),
            Some(b'#') => {
                self.skip_comment();
                Ok(())
            }
            Some(b'\n') => {
                self.at += 1;
                self.assigning = false;
                self.read_here_documents()?;
                self.accept(Token::Newline)
            }
            Some(_) if brackets == Brackets::Regex => self.open_word(brackets),
            Some(b'-') if self.last == Token::Duplicate => {
                self.at += 1;
                self.accept(Token::Dash)
            }
            Some(byte @ (b'(' | b')' | b'|' | b'&' | b';' | b'<' | b'>')) => self.operator(byte),
            Some(_) => self.open_word(brackets),
        }
    }

    fn brackets(&self) -> Brackets {
        match self.stack.last() {
            Some(Frame::Condition(Condition { state: ConditionState::RightSide(brackets), .. })) => *brackets,
            Some(
                Frame::Condition(_)
                | Frame::Word(_)
                | Frame::Pair(_)
                | Frame::Array(_)
                | Frame::List(_)
                | Frame::Header(_),
            )
            | None => Brackets::None,
        }
    }

    fn skip_comment(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    }

    fn operator(&mut self, byte: u8) -> Step {
        let start = self.at;
        self.at += 1;
        let next = self.peek()?;
        if matches!((byte, next), (b'<' | b'>', Some(b'('))) {
            self.at = start;
            return self.open_word(Brackets::None);
        }
        self.assigning = false;
        let token = match (byte, next) {
            (b'(', Some(b'(')) if self.last == Token::For => {
                self.at += 1;
                return self.open_pair(PairKind::For);
            }
            (b'(', Some(b'(')) if self.last.lets_reserved_follow(self.before) => return self.double_open(start),
            (b'(', _) => Token::Open,
            (b')', _) => Token::Close,
            (b'|', Some(b'|')) => self.long(Token::OrOr),
            (b'|', Some(b'&')) => self.long(Token::BarAnd),
            (b'|', _) => Token::Bar,
            (b'&', Some(b'&')) => self.long(Token::AndAnd),
            (b'&', Some(b'>')) => {
                self.at += 1;
                self.take_if(b'>')?;
                Token::Redirect
            }
            (b'&', _) => Token::Ampersand,
            (b';', Some(b';')) => {
                self.at += 1;
                self.take_if(b'&')?;
                Token::CaseEnd
            }
            (b';', Some(b'&')) => self.long(Token::CaseEnd),
            (b';', _) => Token::Semicolon,
            (b'<', Some(b'<')) => self.here()?,
            (b'>', Some(b'>' | b'|')) | (b'<', Some(b'>')) => self.long(Token::Redirect),
            (_, Some(b'&')) => self.long(Token::Duplicate),
            (_, _) => return self.angle(),
        };
        self.accept(token)
    }

    fn long(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    /// After `<<`: a here-document or a here-string.
    fn here(&mut self) -> Step<Token> {
        self.at += 1;
        if self.take_if(b'<')? {
            return Ok(Token::Redirect);
        }
        Ok(Token::HereDoc { strip_tabs: self.take_if(b'-')? })
    }

    /// A lone `<` or `>`: a redirection, or a comparison in `[[ ]]`.
    fn angle(&mut self) -> Step {
        if let Some(Frame::Condition(condition)) = self.stack.last_mut() {
            if condition.state != ConditionState::AfterWord {
                return Err(ENOUGH);
            }
            condition.state = ConditionState::RightSide(Brackets::None);
            return Ok(());
        }
        self.accept(Token::Redirect)
    }

    /// `((` in command position: arithmetic, or two subshells.
    fn double_open(&mut self, start: usize) -> Step {
        match self.arithmetic.get(&start) {
            Some(Some(end)) => {
                self.at = *end;
                self.accept(Token::Arithmetic)
            }
            Some(None) => self.accept(Token::Open),
            None => {
                self.at += 1;
                self.open_pair(PairKind::Command { start, here_documents: self.here_documents.len() })
            }
        }
    }

    /// The text ends where a token could begin.
    fn end_of_text(&mut self) -> Step {
        let substitution = |frame: &Frame| match frame {
            Frame::List(list) => list.kind == ListKind::Substitution,
            Frame::Array(_) => true,
            Frame::Word(_) | Frame::Pair(_) | Frame::Header(_) | Frame::Condition(_) => false,
        };
        if self.stack.iter().any(substitution) {
            return Err(Completeness::NeedsMore(Why::Closing(')')));
        }
        match self.stack.as_slice() {
            [Frame::List(list)] if matches!(list.state, ListState::Begin | ListState::Between) => Err(ENOUGH),
            _ => Err(Completeness::NeedsMore(Why::Command)),
        }
    }
}
