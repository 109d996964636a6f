//! Here-documents.

use super::super::text::{Decoder, Text};
use super::{List, Reader, Script};

/// A here-document whose body comes after the line.
pub(super) struct Pending {
    delimiter: String,
    /// Nothing in the body is expanded.
    quoted: bool,
    strip: bool,
}

impl Pending {
    pub(super) fn new(word: Decoder, strip: bool) -> Self {
        Self { delimiter: word.so_far().to_owned(), quoted: word.quoted, strip }
    }
}

impl Reader<'_> {
    /// Takes the bodies of the here-documents of the line that has ended.
    pub(super) fn here_documents(&mut self, list: &mut List) {
        let pending = std::mem::take(&mut list.pending);
        let owners = std::mem::take(&mut list.owners);
        for (pending, owner) in pending.into_iter().zip(owners) {
            let body = self.here_document(&pending);
            if let Some(command) = self.script.commands.get_mut(owner) {
                command.input.push(body);
            }
        }
    }

    /// Here-documents whose body never came.
    pub(super) fn here_left(&mut self, list: &mut List) {
        self.script.doubt |= !list.pending.is_empty();
        list.pending.clear();
        list.owners.clear();
    }

    fn here_document(&mut self, pending: &Pending) -> Text<'static> {
        let mut body = Decoder::default();
        loop {
            if self.at >= self.text.s.len() {
                self.script.doubt = true;
                break;
            }
            if pending.strip {
                while self.peek() == Some('\t') {
                    self.at += 1;
                }
            }
            let rest = self.text.s.get(self.at..).unwrap_or_default();
            let line = rest.split('\n').next().unwrap_or_default();
            if line == pending.delimiter {
                self.at = (self.at + line.len() + 1).min(self.text.s.len());
                break;
            }
            let end = self.at + line.len();
            while self.at < end {
                let Some(c) = self.peek() else { break };
                if pending.quoted {
                    self.run(&mut body, |byte| byte == b'\n');
                } else {
                    self.soft(c, &mut body, false);
                }
            }
            // An expansion that runs over the end of its line.
            self.script.doubt |= self.at > end;
            if self.peek() == Some('\n') && self.at == end {
                body.push('\n', self.text, self.at, self.at + 1);
                self.at += 1;
            }
        }
        body.finish()
    }
}

impl Script<'_> {
    /// The same, independent of the text it was read from.
    pub(super) fn into_owned(self) -> Script<'static> {
        let comments = self.comments.into_iter().map(Text::into_owned).collect();
        Script { commands: self.commands, comments, expansions: self.expansions, more: self.more, doubt: self.doubt }
    }

    /// Adds what stands in a part that was read on its own.
    pub(super) fn take_in(&mut self, part: Script<'static>) {
        let shift = self.commands.len();
        self.comments.extend(part.comments);
        self.expansions.extend(part.expansions);
        self.doubt |= part.doubt;
        self.commands.extend(part.commands.into_iter().map(|mut command| {
            command.reads = command.reads.map(|i| i + shift);
            for word in &mut command.words {
                word.feeds.iter_mut().for_each(|i| *i += shift);
            }
            command
        }));
    }
}
