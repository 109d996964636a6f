//! What stands before the first list of `for`, `select`, `case`, `function`
//! and `coproc`.
#![expect(clippy::wildcard_enum_match_arm, reason = "a transition table: every other token is a syntax error")]

use super::frames::{ENOUGH, Frame, Header, List, ListKind, ListState, Scanner, Step};
use super::grammar::opens_compound;
use super::token::Token;

impl Scanner<'_> {
    /// How a header reads an unquoted word: `Some(Some(token))` is a reserved
    /// word there, `Some(None)` a plain word, `None` as anywhere else.
    pub(super) fn header_word(&self, written: &[u8]) -> Option<Option<Token>> {
        let Some(Frame::Header(header)) = self.stack.last() else { return None };
        match header {
            Header::LoopIn { .. } => match written {
                b"in" => Some(Some(Token::In)),
                b"do" => Some(Some(Token::Do)),
                _ => None,
            },
            Header::CaseIn => (written == b"in").then_some(Some(Token::In)),
            Header::AfterArithmetic => match written {
                b"do" => Some(Some(Token::Do)),
                b"{" => Some(Some(Token::OpenBrace)),
                _ => None,
            },
            Header::CasePattern if written == b"}" && self.in_braces() => Some(Some(Token::CloseBrace)),
            Header::CasePattern => Some((written == b"esac").then_some(Token::Esac)),
            Header::CaseAlternative => Some((written == b"esac" && self.last == Token::Bar).then_some(Token::Esac)),
            Header::LoopName | Header::LoopWords | Header::CaseWord | Header::FunctionName => Some(None),
            Header::LoopDo
            | Header::CaseBar
            | Header::AfterFunctionName
            | Header::FunctionClose
            | Header::FunctionBody
            | Header::Coproc
            | Header::AfterCoprocName => None,
        }
    }

    /// Within `{ … }` bash takes `}` for its end even where a pattern stands.
    fn in_braces(&self) -> bool {
        self.last.lets_reserved_follow(self.before)
            && self.stack.iter().any(|frame| matches!(frame, Frame::List(list) if list.kind == ListKind::Braces))
    }

    pub(super) fn header_token(&mut self, header: Header, token: Token) -> Step {
        match header {
            Header::LoopName => match token {
                Token::Word => self.turn(Header::LoopIn { newline: false }),
                Token::ForArithmetic => self.turn(Header::AfterArithmetic),
                _other => Err(ENOUGH),
            },
            Header::LoopIn { newline } => match token {
                Token::Newline => self.turn(Header::LoopIn { newline: true }),
                Token::Semicolon if !newline => self.turn(Header::LoopDo),
                Token::In => self.turn(Header::LoopWords),
                _other => self.loop_body(token),
            },
            Header::LoopWords => match token {
                Token::Word => Ok(()),
                Token::Newline | Token::Semicolon => self.turn(Header::LoopDo),
                _other => Err(ENOUGH),
            },
            Header::LoopDo => match token {
                Token::Newline => Ok(()),
                _other => self.loop_body(token),
            },
            Header::AfterArithmetic => match token {
                Token::Newline | Token::Semicolon => self.turn(Header::LoopDo),
                _other => self.loop_body(token),
            },
            Header::CaseWord | Header::CaseIn | Header::CasePattern | Header::CaseAlternative | Header::CaseBar => {
                self.case_token(header, token)
            }
            Header::FunctionName
            | Header::AfterFunctionName
            | Header::FunctionClose
            | Header::FunctionBody
            | Header::Coproc
            | Header::AfterCoprocName => self.function_token(header, token),
        }
    }

    fn case_token(&mut self, header: Header, token: Token) -> Step {
        match (header, token) {
            (Header::CaseWord, Token::Word) => self.turn(Header::CaseIn),
            (Header::CaseIn | Header::CasePattern, Token::Newline) => Ok(()),
            (Header::CaseIn, Token::In) => self.turn(Header::CasePattern),
            (Header::CasePattern, Token::Esac) => {
                self.stack.pop();
                Ok(())
            }
            (Header::CasePattern, Token::Open) => self.turn(Header::CaseAlternative),
            (Header::CasePattern | Header::CaseAlternative, Token::Word) => self.turn(Header::CaseBar),
            (Header::CaseBar, Token::Bar) => self.turn(Header::CaseAlternative),
            (Header::CaseBar, Token::Close) => {
                self.turn(Header::CasePattern)?;
                self.push(Frame::List(List::new(ListKind::CaseBody)))
            }
            _other => Err(ENOUGH),
        }
    }

    fn function_token(&mut self, header: Header, token: Token) -> Step {
        match (header, token) {
            (Header::FunctionName, Token::Word) => self.turn(Header::AfterFunctionName),
            (Header::AfterFunctionName, Token::Newline) => self.turn(Header::FunctionBody),
            (Header::FunctionBody, Token::Newline) => Ok(()),
            (Header::AfterFunctionName, Token::Open) => self.turn(Header::FunctionClose),
            (Header::FunctionClose, Token::Close) => self.turn(Header::FunctionBody),
            (Header::FunctionClose, _other) => {
                self.stack.pop();
                self.start_compound(Token::Open)?;
                self.dispatch(token)
            }
            (Header::Coproc, Token::Word) => self.turn(Header::AfterCoprocName),
            (Header::AfterFunctionName | Header::FunctionBody | Header::Coproc | Header::AfterCoprocName, _other)
                if opens_compound(token) =>
            {
                self.stack.pop();
                self.start_compound(token)
            }
            (Header::Coproc, Token::Assignment | Token::Redirect | Token::Duplicate | Token::HereDoc { .. }) => {
                self.stack.pop();
                self.set(ListState::Simple { words: 0, plain: false })?;
                self.dispatch(token)
            }
            (Header::AfterCoprocName, _other) => {
                self.stack.pop();
                self.set(ListState::Simple { words: 1, plain: false })?;
                self.dispatch(token)
            }
            _other => Err(ENOUGH),
        }
    }

    fn turn(&mut self, next: Header) -> Step {
        if let Some(Frame::Header(header)) = self.stack.last_mut() {
            *header = next;
        }
        Ok(())
    }

    fn loop_body(&mut self, token: Token) -> Step {
        let kind = match token {
            Token::Do => ListKind::LoopBody,
            Token::OpenBrace => ListKind::Braces,
            _other => return Err(ENOUGH),
        };
        self.stack.pop();
        self.push(Frame::List(List::new(kind)))
    }
}
