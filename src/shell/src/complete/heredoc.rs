//! Here-documents: their delimiters and their bodies.

use super::frames::{Frame, HereDocument, ListKind, Scanner, Step};
use super::{Completeness, Why};

impl HereDocument {
    /// From the delimiter as it was written.
    pub(super) fn new(written: &[u8], strip_tabs: bool) -> Self {
        let quoted = written.iter().any(|b| matches!(b, b'\'' | b'"' | b'\\'));
        Self { delimiter: without_quotes(written), quoted, strip_tabs }
    }
}

impl Scanner<'_> {
    /// Reads the bodies of all here-documents begun on the line that just
    /// ended.
    pub(super) fn read_here_documents(&mut self) -> Step {
        for document in std::mem::take(&mut self.here_documents) {
            self.read_body(&document)?;
        }
        Ok(())
    }

    fn read_body(&mut self, document: &HereDocument) -> Step {
        let substitution = self.in_substitution();
        loop {
            if self.at > self.bytes.len() {
                return Err(Completeness::NeedsMore(Why::HereDocument));
            }
            let (begin, line) = self.body_line(document.quoted);
            let tabs = if document.strip_tabs { line.iter().take_while(|b| **b == b'\t').count() } else { 0 };
            let line = line.get(tabs..).unwrap_or_default();
            if line == document.delimiter {
                return Ok(());
            }
            let rest = line.strip_prefix(document.delimiter.as_slice());
            if substitution && rest.is_some_and(|rest| rest.contains(&b')')) {
                self.at = begin + tabs + document.delimiter.len();
                return Ok(());
            }
        }
    }

    /// One line of a body without its newline, and where it begins. With an
    /// unquoted delimiter a backslash joins lines.
    fn body_line(&mut self, quoted: bool) -> (usize, Vec<u8>) {
        let begin = self.at;
        let mut line = Vec::new();
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == b'\n' {
                return (begin, line);
            }
            if byte == b'\\' && !quoted {
                if self.byte_at(self.at) == Some(b'\n') {
                    self.at += 1;
                    continue;
                }
                line.push(byte);
                if let Some(&next) = self.bytes.get(self.at) {
                    line.push(next);
                    self.at += 1;
                }
                continue;
            }
            line.push(byte);
        }
        self.at += 1;
        (begin, line)
    }

    /// Whether the innermost list that is no compound command is a command
    /// substitution.
    fn in_substitution(&self) -> bool {
        self.stack.iter().any(|f| matches!(f, Frame::List(l) if l.kind == ListKind::Substitution))
    }
}

/// Removes quotes as bash does for a here-document's delimiter.
fn without_quotes(written: &[u8]) -> Vec<u8> {
    let mut bare = Vec::new();
    let mut bytes = written.iter().copied().peekable();
    let mut quote = None;
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', None) => match bytes.next() {
                Some(b'\n') | None => {}
                Some(next) => bare.push(next),
            },
            (b'\\', Some(b'"')) => match bytes.peek().copied() {
                Some(b'\n') => {
                    bytes.next();
                }
                Some(next @ (b'$' | b'`' | b'"' | b'\\')) => {
                    bytes.next();
                    bare.push(next);
                }
                Some(_) | None => bare.push(byte),
            },
            (b'\'' | b'"', None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            (byte, _) => bare.push(byte),
        }
    }
    bare
}
