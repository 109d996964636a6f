//! Lists of commands: what may follow what, and what ends a list.
#![expect(clippy::wildcard_enum_match_arm, reason = "a transition table: every other token is a syntax error")]

use super::frames::{Condition, ConditionState, ENOUGH, Frame, Header, List, ListKind, ListState, Scanner, Step};
use super::token::Token;

impl Scanner<'_> {
    /// Gives the grammar its next token.
    pub(super) fn accept(&mut self, token: Token) -> Step {
        if matches!(self.stack.last(), Some(Frame::Array(_))) {
            return self.array_token(token);
        }
        // Bash reads `[[ … ]]` in one go: the token before stays `[[`.
        if !matches!(self.stack.last(), Some(Frame::Condition(_))) {
            (self.before, self.last) = (self.last, token);
        }
        self.dispatch(token)
    }

    /// As [`accept`](Self::accept), for a token that was counted already.
    pub(super) fn dispatch(&mut self, token: Token) -> Step {
        match self.stack.last() {
            Some(Frame::List(list)) => {
                let (kind, state) = (list.kind, list.state);
                self.list_token(kind, state, token)
            }
            Some(Frame::Header(header)) => {
                let header = *header;
                self.header_token(header, token)
            }
            Some(Frame::Condition(_)) => self.condition_token(token),
            Some(Frame::Word(_) | Frame::Pair(_) | Frame::Array(_)) | None => Err(ENOUGH),
        }
    }

    fn array_token(&mut self, token: Token) -> Step {
        match token {
            Token::Newline => Ok(()),
            Token::Close => {
                if let Some(Frame::Array(aside)) = self.stack.pop() {
                    self.take_up(aside);
                }
                Ok(())
            }
            _other => Err(ENOUGH),
        }
    }

    /// Says where the innermost list is now.
    pub(super) fn set(&mut self, state: ListState) -> Step {
        if let Some(Frame::List(list)) = self.stack.last_mut() {
            list.state = state;
        }
        Ok(())
    }

    fn list_token(&mut self, kind: ListKind, state: ListState, token: Token) -> Step {
        match state {
            ListState::Begin | ListState::Between => match token {
                Token::Newline => Ok(()),
                _other => self.start_command(kind, state, token),
            },
            ListState::AfterLogic | ListState::AfterPipe => match token {
                Token::Newline => Ok(()),
                Token::Bang | Token::Time if state == ListState::AfterPipe => Err(ENOUGH),
                _other => self.start_command(kind, state, token),
            },
            ListState::AfterPrefix => match token {
                Token::Newline | Token::Semicolon => self.after_command(kind, token),
                _other => self.start_command(kind, state, token),
            },
            ListState::Simple { words, plain } => match token {
                Token::Word | Token::Assignment => self.set(ListState::Simple { words: words + 1, plain: false }),
                Token::Open if words == 1 && plain => self.set(ListState::FunctionParens),
                Token::Redirect | Token::Duplicate | Token::HereDoc { .. } => {
                    self.redirect(Some((words, plain)), token)
                }
                _other => self.after_command(kind, token),
            },
            ListState::Compound => match token {
                Token::Redirect | Token::Duplicate | Token::HereDoc { .. } => self.redirect(None, token),
                _other => self.after_command(kind, token),
            },
            ListState::FunctionParens => match token {
                Token::Close => self.set(ListState::FunctionBody),
                _other => Err(ENOUGH),
            },
            ListState::FunctionBody => match token {
                Token::Newline => Ok(()),
                _other => self.start_compound(token),
            },
            ListState::Target { simple, .. } => match token {
                Token::Word | Token::Dash => self.set(match simple {
                    Some((words, _plain)) => ListState::Simple { words, plain: false },
                    None => ListState::Compound,
                }),
                _other => Err(ENOUGH),
            },
        }
    }

    fn redirect(&mut self, simple: Option<(usize, bool)>, token: Token) -> Step {
        let heredoc = if let Token::HereDoc { strip_tabs } = token { Some(strip_tabs) } else { None };
        self.set(ListState::Target { simple, heredoc })
    }

    fn start_command(&mut self, kind: ListKind, state: ListState, token: Token) -> Step {
        match token {
            Token::Word | Token::Assignment => self.set(ListState::Simple { words: 1, plain: token == Token::Word }),
            Token::Redirect | Token::Duplicate | Token::HereDoc { .. } => self.redirect(Some((0, false)), token),
            Token::Bang | Token::Time | Token::TimeOption => self.set(ListState::AfterPrefix),
            Token::Function => self.open_header(Header::FunctionName),
            Token::Coproc => self.open_header(Header::Coproc),
            _other if opens_compound(token) => self.start_compound(token),
            _other if state == ListState::Between || (state == ListState::Begin && may_be_empty(kind)) => {
                self.close(kind, token)
            }
            _other => Err(ENOUGH),
        }
    }

    /// Begins a compound command; anything else is an error.
    pub(super) fn start_compound(&mut self, token: Token) -> Step {
        self.set(ListState::Compound)?;
        match token {
            Token::Open => self.push(Frame::List(List::new(ListKind::Parens))),
            Token::OpenBrace => self.push(Frame::List(List::new(ListKind::Braces))),
            Token::If => self.push(Frame::List(List::new(ListKind::IfTest))),
            Token::While | Token::Until => self.push(Frame::List(List::new(ListKind::LoopTest))),
            Token::For | Token::Select => self.push(Frame::Header(Header::LoopName)),
            Token::Case => self.push(Frame::Header(Header::CaseWord)),
            Token::OpenCondition => self.push(Frame::Condition(Condition { state: ConditionState::Term, open: 0 })),
            Token::Arithmetic => Ok(()),
            _other => Err(ENOUGH),
        }
    }

    fn open_header(&mut self, header: Header) -> Step {
        self.set(ListState::Compound)?;
        self.push(Frame::Header(header))
    }

    fn after_command(&mut self, kind: ListKind, token: Token) -> Step {
        match token {
            Token::Newline if kind == ListKind::Top => self.set(ListState::Begin),
            Token::Newline | Token::Semicolon | Token::Ampersand => self.set(ListState::Between),
            Token::AndAnd | Token::OrOr => self.set(ListState::AfterLogic),
            Token::Bar | Token::BarAnd => self.set(ListState::AfterPipe),
            _other => self.close(kind, token),
        }
    }

    /// Ends the list, or the part of a compound command that it is.
    fn close(&mut self, kind: ListKind, token: Token) -> Step {
        match (kind, token) {
            (ListKind::Substitution, Token::Close) => {
                if let Some(Frame::List(List { put_aside: Some(aside), .. })) = self.stack.pop() {
                    self.take_up(aside);
                }
            }
            (ListKind::Parens, Token::Close)
            | (ListKind::Braces, Token::CloseBrace)
            | (ListKind::IfBody | ListKind::ElseBody, Token::Fi)
            | (ListKind::LoopBody, Token::Done) => {
                self.stack.pop();
            }
            (ListKind::IfTest, Token::Then) => self.turn_into(ListKind::IfBody),
            (ListKind::IfBody, Token::Elif) => self.turn_into(ListKind::IfTest),
            (ListKind::IfBody, Token::Else) => self.turn_into(ListKind::ElseBody),
            (ListKind::LoopTest, Token::Do) => self.turn_into(ListKind::LoopBody),
            (ListKind::CaseBody, Token::CaseEnd) => {
                self.stack.pop();
            }
            (ListKind::CaseBody, Token::Esac) => {
                self.stack.pop();
                self.stack.pop();
            }
            _other => return Err(ENOUGH),
        }
        Ok(())
    }

    fn turn_into(&mut self, kind: ListKind) {
        if let Some(Frame::List(list)) = self.stack.last_mut() {
            *list = List::new(kind);
        }
    }
}

/// Lists that may hold no command.
fn may_be_empty(kind: ListKind) -> bool {
    matches!(kind, ListKind::Substitution | ListKind::CaseBody)
}

/// Tokens that begin a compound command.
pub(super) fn opens_compound(token: Token) -> bool {
    matches!(
        token,
        Token::Open
            | Token::OpenBrace
            | Token::If
            | Token::While
            | Token::Until
            | Token::For
            | Token::Select
            | Token::Case
            | Token::OpenCondition
            | Token::Arithmetic
    )
}
