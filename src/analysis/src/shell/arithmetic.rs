//! Arithmetic: not evaluated, but searched for what runs commands.

use super::word::Making;
use super::{Parse, Reader};

impl Reader<'_> {
    /// Whether what begins `ahead` of here is arithmetic: the bracket that
    /// closes it is followed at once by a second one. Else bash takes it for
    /// commands in a subshell. A quote before that leaves it open: it stops.
    pub(super) fn is_arithmetic(&self, ahead: usize) -> Parse<bool> {
        let mut depth = 0usize;
        let text = self.rest().get(ahead..).unwrap_or_default().as_bytes();
        for (index, byte) in text.iter().enumerate() {
            match byte {
                b'\\' | b'\'' | b'"' | b'#' => return self.quoted_before_close(text, index),
                b'(' => depth += 1,
                b')' if depth == 0 => return Ok(text.get(index + 1) == Some(&b')')),
                b')' => depth -= 1,
                _ => {}
            }
        }
        Ok(false)
    }

    /// `#` in a number or a length is no comment.
    fn quoted_before_close(&self, text: &[u8], at: usize) -> Parse<bool> {
        let plain = text.iter().enumerate().skip(at).all(|(index, byte)| match byte {
            b'\\' | b'\'' | b'"' => false,
            b'#' => index > 0 && text.get(index - 1).is_some_and(|c| c.is_ascii_digit() || *c == b'{' || *c == b'$'),
            _ => true,
        });
        if !plain {
            return self.stop();
        }
        let (mut depth, mut rest) = (0usize, text.iter().peekable());
        while let Some(byte) = rest.next() {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 0 => return Ok(rest.peek() == Some(&&b')')),
                b')' => depth -= 1,
                _ => {}
            }
        }
        Ok(false)
    }

    /// Reads an expression up to `close` (and takes it). A variable in it is
    /// remembered: its value is evaluated as an expression again.
    pub(super) fn arithmetic(&mut self, close: u8) -> Parse<()> {
        let start = self.at;
        let mut open = Vec::new();
        let mut unused = Making::default();
        loop {
            match self.peek() {
                None => return self.stop(),
                Some(c) if open.is_empty() && c == close => break,
                Some(b'(') => {
                    open.push(b')');
                    self.at += 1;
                }
                Some(b'[') => {
                    open.push(b']');
                    self.at += 1;
                }
                Some(c @ (b')' | b']')) => {
                    if open.pop() != Some(c) {
                        return self.stop();
                    }
                    self.at += 1;
                }
                Some(b'$') => {
                    self.names(start);
                    let output = self.peek_at(1) == Some(b'(') && self.peek_at(2) != Some(b'(');
                    self.dollar(&mut unused, true)?;
                    // What a program writes would be an expression.
                    if output {
                        self.reevaluated(start);
                    }
                }
                Some(b'`') => {
                    self.backquoted(&mut unused, true)?;
                    self.reevaluated(start);
                }
                Some(b'"') => self.double_quoted(&mut unused)?,
                Some(b'\'' | b'\\' | b'{' | b'}') => return self.stop(),
                Some(c) if c.is_ascii_alphabetic() || c == b'_' => {
                    self.names(start);
                    self.skip_name();
                }
                Some(c) if c.is_ascii_digit() => {
                    // `16#ff` and `0x1f` are numbers.
                    while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || b"#@_".contains(&c)) {
                        self.at += 1;
                    }
                }
                Some(_) => {
                    self.next_char();
                }
            }
        }
        self.at += 1;
        Ok(())
    }

    fn names(&mut self, start: usize) {
        let span = self.span_from(start);
        self.out.arithmetic_names.get_or_insert(span);
    }
}
