//! `[[ … ]]` (`cond_expr` in parse.y).

use super::frames::{Brackets, Condition, ConditionState, ENOUGH, Frame, Scanner, Step};
use super::token::Token;

/// Letters of the operators that take one argument.
const UNARY: &[u8] = b"abcdefghknoprstuvwxzGLNORS";

impl Scanner<'_> {
    /// Takes a word of the condition.
    pub(super) fn condition_word(&mut self, written: &[u8], quoted: bool) -> Step {
        let ends = !quoted && written == b"]]";
        let Some(Frame::Condition(condition)) = self.stack.last_mut() else { return Ok(()) };
        condition.state = match condition.state {
            ConditionState::AfterWord | ConditionState::AfterTerm if ends => return self.end_condition(),
            _other if ends => return Err(ENOUGH),
            ConditionState::Term if !quoted && written == b"!" => ConditionState::Term,
            ConditionState::Term => match written {
                [b'-', letter] if UNARY.contains(letter) => ConditionState::UnaryArgument,
                _ => ConditionState::AfterWord,
            },
            ConditionState::AfterWord => ConditionState::RightSide(binary(written).ok_or(ENOUGH)?),
            ConditionState::UnaryArgument | ConditionState::RightSide(_) => ConditionState::AfterTerm,
            ConditionState::AfterTerm => return Err(ENOUGH),
        };
        Ok(())
    }

    fn end_condition(&mut self) -> Step {
        let open = match self.stack.last() {
            Some(Frame::Condition(condition)) => condition.open,
            Some(Frame::Word(_) | Frame::Pair(_) | Frame::Array(_) | Frame::List(_) | Frame::Header(_)) | None => 0,
        };
        if open > 0 {
            return Err(ENOUGH);
        }
        self.stack.pop();
        (self.before, self.last) = (self.last, Token::CloseCondition);
        Ok(())
    }

    /// Takes a token that is no word.
    pub(super) fn condition_token(&mut self, token: Token) -> Step {
        let Some(Frame::Condition(Condition { state, open })) = self.stack.last_mut() else { return Ok(()) };
        match (*state, token) {
            (ConditionState::Term | ConditionState::AfterTerm, Token::Newline) => {}
            (ConditionState::AfterWord | ConditionState::AfterTerm, Token::AndAnd | Token::OrOr) => {
                *state = ConditionState::Term;
            }
            (ConditionState::Term, Token::Open) => *open += 1,
            (ConditionState::AfterWord | ConditionState::AfterTerm, Token::Close) if *open > 0 => {
                *open -= 1;
                *state = ConditionState::AfterTerm;
            }
            _other => return Err(ENOUGH),
        }
        Ok(())
    }
}

/// The operators that take two arguments, and how their right side is read.
fn binary(written: &[u8]) -> Option<Brackets> {
    match written {
        b"=" | b"==" | b"!=" => Some(Brackets::Pattern),
        b"=~" => Some(Brackets::Regex),
        b"<" | b">" | b"-nt" | b"-ot" | b"-ef" | b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge" => {
            Some(Brackets::None)
        }
        _ => None,
    }
}
