//! Here-documents: their bodies are read where the line ends that asks for them.

use super::second::Hole;
use super::word::Making;
use super::{Parse, Reader};
use crate::facts::{Context, Span, Unknown, Word};

/// A here-document whose body is still to come.
#[derive(Debug)]
pub(super) struct Pending {
    pub slot: Slot,
    pub delimiter: String,
    /// Quoted: nothing in the body is expanded.
    pub quoted: bool,
    /// `<<-`: tabs at the beginning of lines do not count.
    pub tabs: bool,
}

/// The redirection that the body belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot {
    /// Of a simple command, by the indexes of both.
    Command(usize, usize),
    /// Of a compound command.
    Shared(usize),
}

impl Reader<'_> {
    /// Reads the delimiter of a here-document.
    pub(super) fn delimiter(&mut self) -> Parse<(String, bool)> {
        let mut word = String::new();
        let mut quoted = false;
        loop {
            match self.peek() {
                Some(b'\\') => {
                    self.at += 1;
                    match self.next_char() {
                        Some('\n') => {}
                        Some(c) => {
                            quoted = true;
                            word.push(c);
                        }
                        None => return self.stop(),
                    }
                }
                Some(quote @ (b'\'' | b'"')) => {
                    self.at += 1;
                    let Some(length) = self.rest().find(char::from(quote)) else { return self.stop() };
                    let inside = self.rest().get(..length).unwrap_or_default();
                    if inside.contains(['\\', '\n']) {
                        return self.stop();
                    }
                    word.push_str(inside);
                    quoted = true;
                    self.at += length + 1;
                }
                Some(b'$' | b'`') => return self.stop(),
                None | Some(b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')') => break,
                Some(_) => word.extend(self.next_char()),
            }
        }
        if word.is_empty() && !quoted { self.stop() } else { Ok((word, quoted)) }
    }

    /// Takes a newline, and the bodies that follow it.
    pub(super) fn newline(&mut self) -> Parse<()> {
        self.at += 1;
        for pending in std::mem::take(&mut self.pending) {
            let body = self.here_document(&pending)?;
            let redirection = match pending.slot {
                Slot::Command(command, redirection) => {
                    self.out.commands.get_mut(command).and_then(|c| c.redirections.get_mut(redirection))
                }
                Slot::Shared(redirection) => self.out.shared_redirections.get_mut(redirection),
            };
            match redirection {
                Some(redirection) => redirection.target = body,
                None => return self.stop(),
            }
        }
        Ok(())
    }

    fn here_document(&mut self, pending: &Pending) -> Parse<Word> {
        let mut making = Making::default();
        let start = self.at;
        loop {
            if self.at >= self.text.len() {
                // bash would warn and take what there is.
                return self.stop();
            }
            let line_start = self.at;
            let line = self.rest().split('\n').next().unwrap_or_default();
            self.at = (self.at + line.len() + 1).min(self.text.len());
            let text = if pending.tabs { line.trim_start_matches('\t') } else { line };
            if text == pending.delimiter {
                self.holes.push(Hole::here_document(start..line_start));
                break;
            }
            // Inside a substitution bash also ends it at `EOF)`, and some readers take `EOF ` for its end anywhere.
            if text.strip_prefix(&pending.delimiter).is_some_and(|rest| might_end(rest, self.nested > 0)) {
                return self.stop();
            }
            // A joined line could hide the delimiter, or make one.
            if !pending.quoted && line.ends_with('\\') && near(self.rest(), line, &pending.delimiter) {
                return self.stop();
            }
            let skipped = line.len() - text.len();
            making.add_text(text, self.line(line_start + skipped));
            making.add_text("\n", self.line(line_start + line.len()));
        }
        let mut word = making.word;
        word.span = Span { start: self.line(start), end: self.line(self.at.saturating_sub(1).max(start)) };
        word.quoted = true;
        if pending.quoted || !word.text.contains(['$', '`', '\\']) { Ok(word) } else { self.expanded(&word) }
    }

    /// An unquoted body: what is expanded in it is read, and what it comes to is exact without any.
    fn expanded(&mut self, body: &Word) -> Parse<Word> {
        let mut context = self.context.clone();
        context.push(Context::HereDocument);
        let mut inner = Reader {
            text: &body.text,
            at: 0,
            runs: &body.runs,
            depth: self.depth + 1,
            nested: self.nested,
            pending: Vec::new(),
            context,
            holes: Vec::new(),
            out: &mut *self.out,
        };
        let mut making = Making::default();
        if let Err(stop) = inner.quoted_parts(&mut making, None) {
            return Err(super::Stop { what: stop.what, at: self.at });
        }
        let mut word = making.word;
        word.span = body.span;
        word.quoted = true;
        if word.unknown.contains(Unknown::LOCALE) { self.stop() } else { Ok(word) }
    }
}

/// Whether a line that goes on with `rest` behind the delimiter might be taken for the end.
fn might_end(rest: &str, nested: bool) -> bool {
    rest.trim().is_empty() || nested && rest.contains(')')
}

/// Whether joining `line` with what follows has to do with the delimiter.
fn near(rest: &str, line: &str, delimiter: &str) -> bool {
    let next = rest.split('\n').next().unwrap_or_default();
    let begun = line.trim_end_matches('\\').trim_start_matches('\t');
    delimiter.starts_with(begun) || next.trim_start_matches('\t') == delimiter
}
