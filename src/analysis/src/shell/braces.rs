//! `${…}`.

use super::word::Making;
use super::{Parse, Reader};
use crate::facts::Context;

impl Reader<'_> {
    /// Reads from behind `${` to behind the closing brace.
    pub(super) fn braced(&mut self, quoted: bool) -> Parse<()> {
        let start = self.at;
        match self.peek() {
            // A command substitution of bash 5.3, or nothing that bash takes.
            None | Some(b' ' | b'\t' | b'\n' | b'|' | b'}') => return self.stop(),
            Some(b'!') => self.at += 1,
            Some(b'#') if self.peek_at(1) != Some(b'}') => self.at += 1,
            Some(_) => {}
        }
        match self.peek() {
            Some(c) if c.is_ascii_alphanumeric() || c == b'_' => self.skip_name(),
            Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => self.at += 1,
            Some(_) | None => return self.stop(),
        }
        if self.peek() == Some(b'[') {
            self.subscript()?;
        }
        if self.starts("@P") {
            self.reevaluated(start);
        }
        self.operator()?;
        self.braced_word(quoted)
    }

    fn subscript(&mut self) -> Parse<()> {
        self.at += 1;
        self.out.bash_only = true;
        if self.take("@]") || self.take("*]") {
            return Ok(());
        }
        self.within(Context::Arithmetic, |reader| reader.arithmetic(b']'))
    }

    /// Notes operators that only bash has, and offsets, which are arithmetic.
    fn operator(&mut self) -> Parse<()> {
        match self.peek() {
            Some(b'}') => {}
            Some(b':') if matches!(self.peek_at(1), Some(b'-' | b'+' | b'=' | b'?')) => {}
            Some(b':') => {
                self.out.bash_only = true;
                let here = self.span_from(self.at);
                self.out.arithmetic_names.get_or_insert(here);
            }
            Some(b'-' | b'+' | b'=' | b'?' | b'#' | b'%') => {}
            Some(b'/' | b'^' | b',' | b'@' | b'*' | b'!') => self.out.bash_only = true,
            Some(_) | None => return self.stop(),
        }
        Ok(())
    }

    /// The word of an operator, up to the brace. Where bash's versions differ on what a quote means, it stops.
    fn braced_word(&mut self, quoted: bool) -> Parse<()> {
        let mut unused = Making::default();
        loop {
            match self.peek() {
                None => return self.stop(),
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\'') if quoted => return self.stop(),
                Some(b'\'') => self.single_quoted(&mut unused)?,
                Some(b'"') => self.double_quoted(&mut unused)?,
                Some(b'$') => self.dollar(&mut unused, quoted)?,
                Some(b'`') => self.backquoted(&mut unused, quoted)?,
                Some(b'<' | b'>') if self.peek_at(1) == Some(b'(') && !quoted => {
                    self.process_substitution(&mut unused)?;
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.next_char();
                }
                Some(_) => {
                    self.next_char();
                }
            }
        }
    }
}
