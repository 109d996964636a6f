//! `$…`, backquotes and process substitution. The text of an expansion stays
//! in the word as it was written; what it would run is read at once.

use super::second::{Given, Hole};
use super::word::Making;
use super::{Parse, Reader};
use crate::facts::{Context, Opaque, Unknown};

impl Reader<'_> {
    /// Reads what follows a `$`, inside double quotes or not.
    pub(super) fn dollar(&mut self, making: &mut Making, quoted: bool) -> Parse<()> {
        let start = self.at;
        match self.peek_at(1) {
            Some(b'(') if self.peek_at(2) == Some(b'(') && self.is_arithmetic(3)? => {
                self.at += 3;
                self.within(Context::Arithmetic, |reader| reader.arithmetic(b')'))?;
                self.at += 1;
                making.word.unknown.add(Unknown::ARITHMETIC);
            }
            Some(b'(') => {
                self.at += 2;
                self.substitution(Context::Substitution)?;
                making.word.unknown.add(Unknown::COMMAND);
            }
            Some(b'{') => {
                self.at += 2;
                self.deeper(|reader| reader.braced(quoted))?;
                making.word.unknown.add(Unknown::PARAMETER);
            }
            Some(b'[') => {
                self.at += 2;
                self.out.bash_only = true;
                self.within(Context::Arithmetic, |reader| reader.arithmetic(b']'))?;
                making.word.unknown.add(Unknown::ARITHMETIC);
            }
            Some(b'\'') if !quoted => {
                self.out.bash_only = true;
                return self.ansi_quoted(making);
            }
            Some(b'"') if !quoted => {
                self.out.bash_only = true;
                self.at += 1;
                making.word.unknown.add(Unknown::LOCALE);
                return self.double_quoted(making);
            }
            Some(b'\\') if self.peek_at(2) == Some(b'\n') => return self.stop(),
            Some(c) if c.is_ascii_alphabetic() || c == b'_' => {
                self.at += 1;
                self.skip_name();
                making.word.unknown.add(Unknown::PARAMETER);
            }
            Some(c) if c.is_ascii_digit() || b"@*#?-$!".contains(&c) => {
                self.at += 2;
                making.word.unknown.add(Unknown::PARAMETER);
            }
            Some(_) | None => {
                self.at += 1;
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        making.add_text(text, self.line(start));
        Ok(())
    }

    /// Reads a name; a joined line inside one is more than this parser follows.
    pub(super) fn skip_name(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == b'_') {
            self.at += 1;
        }
    }

    /// Reads commands up to the closing bracket of a substitution.
    pub(super) fn substitution(&mut self, context: Context) -> Parse<()> {
        let outer = std::mem::take(&mut self.pending);
        let (start, holes) = (self.at, self.holes.len());
        let (first, outside) = (self.out.commands.len(), self.context.len() + 1);
        self.nested += 1;
        self.within(context, |reader| {
            reader.statements(&[")"])?;
            if reader.peek() == Some(b')') && reader.pending.is_empty() {
                reader.at += 1;
                Ok(())
            } else {
                reader.stop()
            }
        })?;
        self.nested -= 1;
        let end = self.at.saturating_sub(1);
        let inside = self.holes.split_off(holes.min(self.holes.len()));
        let given = Given::new(self.text.get(start..end).unwrap_or_default(), start, &inside);
        let found = self.out.commands.get(first..).unwrap_or_default();
        if let Some(what) = super::second::check(&given, found, outside, &mut self.out.second) {
            return Err(super::Stop { what, at: start });
        }
        self.holes.push(Hole::substitution(start..end, inside));
        // Whose body comes first then depends on the version of bash.
        if !outer.is_empty() && self.text.get(start..self.at).is_some_and(|text| text.contains('\n')) {
            return self.stop();
        }
        self.pending = outer;
        Ok(())
    }

    pub(super) fn process_substitution(&mut self, making: &mut Making) -> Parse<()> {
        let start = self.at;
        self.at += 2;
        self.out.bash_only = true;
        self.substitution(Context::ProcessSubstitution)?;
        making.word.unknown.add(Unknown::PROCESS);
        let text = self.text.get(start..self.at).unwrap_or_default();
        making.add_text(text, self.line(start));
        Ok(())
    }

    /// Reads a substitution in backquotes: its text loses one level of backslashes and is then read by itself.
    pub(super) fn backquoted(&mut self, making: &mut Making, quoted: bool) -> Parse<()> {
        let start = self.at;
        self.at += 1;
        // Each is a text to be read by itself.
        self.count_word(start)?;
        let mut inner = Making::default();
        loop {
            let here = self.line(self.at);
            match self.next_char() {
                None => return self.stop(),
                Some('`') => break,
                Some('\\') => match self.peek() {
                    Some(c @ (b'`' | b'\\' | b'$')) => {
                        self.at += 1;
                        inner.add(char::from(c), here + 1);
                    }
                    Some(b'"') if quoted => {
                        self.at += 1;
                        inner.add('"', here + 1);
                    }
                    Some(_) | None => inner.add('\\', here),
                },
                Some(c) => inner.add(c, here),
            }
        }
        making.word.unknown.add(Unknown::COMMAND);
        let text = self.text.get(start..self.at).unwrap_or_default();
        making.add_text(text, self.line(start));
        let body = start + 1..self.at.saturating_sub(1).max(start + 1);
        let nests = inner.word.text.contains(['(', '`', '<']);
        self.holes.push(if nests { Hole::unescaped(body) } else { Hole::substitution(body, Vec::new()) });
        if !self.pending.is_empty() && text.contains('\n') {
            return self.stop();
        }
        let mut context = self.context.clone();
        context.push(Context::Substitution);
        let (text, runs) = (inner.word.text, inner.word.runs);
        if let Err(fact) = super::read(&text, &runs, context, self.depth + 1, self.out) {
            return Err(super::Stop { what: fact.what, at: start });
        }
        Ok(())
    }

    /// What bash 5.3 runs without a subshell, and prompts that are expanded: said, not read.
    pub(super) fn reevaluated(&mut self, start: usize) {
        let span = self.span_from(start);
        self.note(Opaque::Reevaluated, span);
    }
}
