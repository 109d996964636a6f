//! `[[ … ]]`: searched for what runs commands.

use super::word::Making;
use super::{Parse, Reader};

/// Comparisons whose operands are arithmetic.
const NUMERIC: [&str; 6] = ["-eq", "-ne", "-lt", "-le", "-gt", "-ge"];

impl Reader<'_> {
    /// Reads from behind `[[` to behind `]]`.
    pub(super) fn condition(&mut self) -> Parse<()> {
        self.out.bash_only = true;
        let mut open = 0usize;
        let mut words = 0usize;
        loop {
            self.newlines()?;
            if self.next_is_reserved("]]") && open == 0 && words > 0 {
                self.at += 2;
                return Ok(());
            }
            if self.take("&&") || self.take("||") || self.take("<") || self.take(">") {
                continue;
            }
            match self.peek() {
                Some(b'(') => {
                    self.at += 1;
                    open += 1;
                }
                Some(b')') if open > 0 => {
                    self.at += 1;
                    open -= 1;
                }
                Some(_) => {
                    words += 1;
                    self.condition_word()?;
                }
                None => return self.stop(),
            }
        }
    }

    fn condition_word(&mut self) -> Parse<()> {
        let word = self.expect_word()?;
        // `=~` is no home directory here.
        let operator = (!word.word.quoted).then_some(word.word.text.as_str());
        match operator {
            Some("==" | "=" | "!=" | "=~") => {
                self.blanks();
                self.pattern()
            }
            Some(operator) if NUMERIC.contains(&operator) || operator == "-v" => {
                let span = word.word.span;
                self.out.arithmetic_names.get_or_insert(span);
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A pattern or regular expression, where brackets and bars are no operators.
    fn pattern(&mut self) -> Parse<()> {
        let start = self.at;
        let mut open = 0usize;
        let mut making = Making::default();
        loop {
            let ends = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')');
            self.word_parts(&mut making, &ends)?;
            match self.peek() {
                Some(b'(') => open += 1,
                Some(b')') if open > 0 => open -= 1,
                Some(b'|' | b' ' | b'\t' | b'<' | b'>' | b'&' | b';') if open > 0 => {}
                Some(b'|') if self.peek_at(1) != Some(b'|') => {}
                Some(_) | None if self.at > start => return Ok(()),
                Some(_) | None => return self.stop(),
            }
            self.at += 1;
        }
    }
}
