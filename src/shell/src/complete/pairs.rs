//! Quotes and brackets that bash reads to their partner
//! (`parse_matched_pair` in parse.y).

use super::frames::{Frame, List, ListKind, Pair, PairKind, Scanner, Step};
use super::token::Token;
use super::{Completeness, Why};

impl Scanner<'_> {
    /// Opens a pair whose opening byte has been taken.
    pub(super) fn open_pair(&mut self, kind: PairKind) -> Step {
        let close = match kind {
            PairKind::Double => b'"',
            PairKind::Braces => b'}',
            PairKind::Bracket | PairKind::Subscript => b']',
            PairKind::Arithmetic | PairKind::Command { .. } | PairKind::For | PairKind::Pattern => b')',
        };
        self.push(Frame::Pair(Pair { kind, close, count: 1, after_dollar: false, after_angle: false }))
    }

    /// Opens a command substitution whose `(` has been taken. After `$((` it
    /// is arithmetic, whatever it holds.
    pub(super) fn open_substitution(&mut self) -> Step {
        if self.peek()? == Some(b'(') {
            return self.open_pair(PairKind::Arithmetic);
        }
        let put_aside = Some(self.put_aside(Token::Substitution));
        self.push(Frame::List(List { put_aside, ..List::new(ListKind::Substitution) }))
    }

    /// Reads `'…'` to its end, the opening quote taken.
    pub(super) fn single_quotes(&mut self, escapes: bool) -> Step {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\'' => return Ok(()),
                b'\\' if escapes => self.at += 1,
                _ => {}
            }
        }
        Err(Completeness::NeedsMore(Why::Closing('\'')))
    }

    /// Reads `` `…` `` to its end, the opening quote taken.
    pub(super) fn backticks(&mut self) -> Step {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'`' => return Ok(()),
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        Err(Completeness::NeedsMore(Why::Closing('`')))
    }

    /// Reads one byte of the innermost pair.
    pub(super) fn pair_byte(&mut self) -> Step {
        let Some(Frame::Pair(pair)) = self.stack.last() else { return Ok(()) };
        let (kind, close, count) = (pair.kind, pair.close, pair.count);
        let (after_dollar, after_angle) = (pair.after_dollar, pair.after_angle);
        self.skip_joins()?;
        let Some(&byte) = self.bytes.get(self.at) else {
            return Err(Completeness::NeedsMore(Why::Closing(char::from(close))));
        };
        self.at += 1;
        self.remember(byte);
        if byte == b'\\' {
            self.at += 1;
            return Ok(());
        }
        if byte == close {
            if count > 1 {
                return self.set_count(count - 1);
            }
            return self.close_pair(kind);
        }
        let (commands, braces) = match kind {
            PairKind::Double | PairKind::Braces | PairKind::Subscript => (after_dollar, after_dollar),
            PairKind::Arithmetic | PairKind::Command { .. } | PairKind::For => (after_dollar, false),
            PairKind::Bracket | PairKind::Pattern => (false, false),
        };
        let substitutes = after_angle && matches!(kind, PairKind::Braces | PairKind::Subscript);
        match byte {
            b'(' if commands || substitutes => return self.open_substitution(),
            b'{' if braces => return self.open_pair(PairKind::Braces),
            b'[' if braces => return self.open_pair(PairKind::Bracket),
            b'`' => return self.backticks(),
            _ => {}
        }
        if kind == PairKind::Double {
            return Ok(());
        }
        let opens = match close {
            b')' => byte == b'(',
            b']' => byte == b'[',
            _ => false,
        };
        if opens || (kind == PairKind::Braces && byte == b'{' && after_dollar) {
            return self.set_count(count + 1);
        }
        match byte {
            b'\'' => self.single_quotes(after_dollar),
            b'"' => self.open_pair(PairKind::Double),
            _ => Ok(()),
        }
    }

    fn remember(&mut self, byte: u8) {
        if let Some(Frame::Pair(pair)) = self.stack.last_mut() {
            // `$$` is a parameter: the second dollar begins nothing.
            pair.after_dollar = byte == b'$' && !pair.after_dollar;
            pair.after_angle = matches!(byte, b'<' | b'>');
        }
    }

    fn set_count(&mut self, count: usize) -> Step {
        if let Some(Frame::Pair(pair)) = self.stack.last_mut() {
            pair.count = count;
        }
        Ok(())
    }

    fn close_pair(&mut self, kind: PairKind) -> Step {
        self.stack.pop();
        match kind {
            PairKind::Command { start, here_documents } => self.close_command_arithmetic(start, here_documents),
            PairKind::For => {
                if self.take_if(b')')? {
                    self.accept(Token::ForArithmetic)
                } else {
                    Err(super::frames::ENOUGH)
                }
            }
            PairKind::Subscript => {
                let at = self.at;
                if let Some(Frame::Word(word)) = self.stack.last_mut() {
                    word.subscript_end = Some(at);
                }
                Ok(())
            }
            PairKind::Double | PairKind::Braces | PairKind::Arithmetic | PairKind::Bracket | PairKind::Pattern => {
                Ok(())
            }
        }
    }

    /// `((…)` is arithmetic when another `)` follows; else it was two
    /// subshells and is read again as such.
    fn close_command_arithmetic(&mut self, start: usize, here_documents: usize) -> Step {
        if self.take_if(b')')? {
            self.arithmetic.insert(start, Some(self.at));
            return self.accept(Token::Arithmetic);
        }
        self.arithmetic.insert(start, None);
        self.here_documents.truncate(here_documents);
        self.at = start + 1;
        self.accept(Token::Open)
    }
}
