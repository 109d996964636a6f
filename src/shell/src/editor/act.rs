//! What each key does.

use countersign_core::legible;

use super::completion::{Candidate, PartialWord, columns, partial_word};
use super::keys::{Edit, Key};
use super::{Editor, Event, Refusal, Search};

impl Editor {
    /// Does what a key asks for.
    pub(super) fn act(&mut self, key: Key) -> Option<Event> {
        self.completing = None;
        let key = match self.search.is_some() {
            true => self.act_in_search(key)?,
            false => key,
        };
        if !matches!(key, Key::Insert(_) | Key::Enter) || !self.line.at_end() {
            self.view.changed();
        }
        match key {
            Key::Insert(c) => {
                let inserted = self.line.type_char(c);
                self.check(inserted);
                None
            }
            Key::Enter => self.enter(),
            Key::NewLine => {
                let inserted = self.line.insert("\n");
                self.check(inserted);
                None
            }
            Key::Interrupt => self.interrupt(),
            Key::EndOfFile if self.line.text().is_empty() => {
                self.close();
                Some(Event::EndOfFile)
            }
            Key::Complete => Some(self.request_completion()),
            Key::Paste(Ok(text)) => {
                let inserted = self.line.insert(&text);
                self.check(inserted);
                None
            }
            Key::Paste(Err(why)) => {
                self.line.spoil(why);
                self.ring();
                self.print_below([legible(&format!("countersign: the paste was refused: {why}"))]);
                None
            }
            Key::Refused(why) => {
                self.check(Err(why));
                None
            }
            Key::Up => self.vertical(self.line.line_up(), Self::older),
            Key::Down => self.vertical(self.line.line_down(), Self::newer),
            Key::EndOfFile => self.rung(|editor| editor.edit(Edit::Delete)),
            Key::Edit(edit) => self.rung(|editor| editor.edit(edit)),
            Key::ClearScreen => {
                self.view.clear(&mut self.out);
                None
            }
            Key::Search => {
                self.search = Some(Search::new((self.line.text().to_owned(), self.line.cursor())));
                None
            }
            Key::Abort | Key::Unknown => self.rung(|_| false),
            Key::Ignored => None,
        }
    }

    /// Rings the bell when there was nothing to do.
    fn rung(&mut self, act: impl FnOnce(&mut Self) -> bool) -> Option<Event> {
        if !act(self) {
            self.ring();
        }
        None
    }

    /// Moves or changes the text; false when there is nothing to do.
    fn edit(&mut self, edit: Edit) -> bool {
        let line = &mut self.line;
        let cursor = line.cursor();
        match edit {
            Edit::Left => line.go(line.left()),
            Edit::Right => line.go(line.right()),
            Edit::Home => {
                line.go(line.line_start());
                true
            }
            Edit::End => {
                line.go(line.line_end());
                true
            }
            Edit::WordLeft => line.go(line.word_left()),
            Edit::WordRight => line.go(line.word_right()),
            Edit::Backspace => line.delete(line.left()..cursor),
            Edit::Delete => line.delete(cursor..line.right()),
            Edit::KillWordLeft => line.kill(line.word_left()..cursor),
            Edit::KillBlankWordLeft => line.kill(line.blank_word_left()..cursor),
            Edit::KillWordRight => line.kill(cursor..line.word_right()),
            Edit::KillToStart => self.kill_to_start(),
            Edit::KillToEnd => line.kill(cursor..line.line_end()) || line.kill(cursor..line.right()),
            Edit::Undo => line.undo(),
            Edit::Yank => match line.yank() {
                Ok(yanked) => yanked,
                Err(why) => {
                    self.check(Err(why));
                    true
                }
            },
        }
    }

    /// `^U`: to the start of the line, then over it. On an empty text it
    /// forgets that something was refused.
    fn kill_to_start(&mut self) -> bool {
        if self.line.text().is_empty() && self.line.spoiled().is_some() {
            self.line.take();
            return true;
        }
        let cursor = self.line.cursor();
        self.line.kill(self.line.line_start()..cursor) || self.line.kill(self.line.left()..cursor)
    }

    /// Notes and rings when something was refused.
    fn check(&mut self, done: Result<(), Refusal>) {
        if let Err(why) = done {
            self.line.spoil(why);
            self.ring();
        }
    }

    fn enter(&mut self) -> Option<Event> {
        if self.line.spoiled().is_none() && (self.needs_more)(self.line.text()) {
            let end = self.line.text().len();
            if !self.line.at_end() {
                self.view.changed();
            }
            self.line.go(end);
            let inserted = self.line.insert("\n");
            if inserted.is_ok() {
                return None;
            }
            self.check(inserted);
        }
        if let Some(why) = self.line.spoiled() {
            return Some(self.refuse(why));
        }
        self.close();
        let text = self.line.take();
        let trimmed = text.trim_end_matches('\n');
        let text = if (self.needs_more)(trimmed) { text } else { trimmed.to_owned() };
        self.history.add(&text);
        Some(Event::Submit(text))
    }

    /// Says why the line was not sent, and begins an empty one.
    fn refuse(&mut self, why: Refusal) -> Event {
        self.ring();
        self.print_below([legible(&format!("countersign: not sent: {why}"))]);
        let text = self.line.take();
        self.line.keep(text);
        self.settle();
        self.flush_unread();
        Event::Refused(why)
    }

    fn interrupt(&mut self) -> Option<Event> {
        self.line.go(self.line.text().len());
        self.view.changed();
        self.refresh();
        self.out.push_str("^C");
        self.view.leave(&mut self.out);
        self.line.take();
        self.settle();
        Some(Event::Interrupt)
    }

    /// Moves below the text and stops reading.
    fn close(&mut self) {
        self.line.go(self.line.text().len());
        self.refresh();
        self.view.leave(&mut self.out);
        self.settle();
        self.open = false;
    }

    /// Prints lines below the text; the next refresh draws the prompt anew. They are legible.
    pub(super) fn print_below(&mut self, lines: impl IntoIterator<Item = String>) {
        if self.open {
            self.refresh();
            self.view.leave(&mut self.out);
        }
        for line in lines {
            self.out.push_str(&line);
            self.out.push_str("\r\n");
        }
    }

    fn vertical(&mut self, place: Option<usize>, history: fn(&mut Self) -> bool) -> Option<Event> {
        self.rung(|editor| match place {
            Some(place) => editor.line.go(place),
            None => history(editor),
        })
    }

    fn older(&mut self) -> bool {
        let (at, draft) = match self.browsing.take() {
            Some((at, draft)) => (at, draft),
            None => (self.history.len(), self.line.text().to_owned()),
        };
        let older = at.checked_sub(1).and_then(|at| self.history.line(at).map(|line| (at, line.to_owned())));
        let shown = older.as_ref().map_or(at, |(at, _)| *at);
        if shown < self.history.len() {
            self.browsing = Some((shown, draft));
        }
        older.is_some_and(|(_, line)| self.line.set(&line).is_ok())
    }

    fn newer(&mut self) -> bool {
        let Some((at, draft)) = self.browsing.take() else { return false };
        let line = match self.history.line(at + 1).map(str::to_owned) {
            Some(line) => {
                self.browsing = Some((at + 1, draft));
                line
            }
            None => draft,
        };
        self.line.set(&line).is_ok()
    }

    /// Keys while searching; gives back a key that ends the search and is
    /// meant for the line.
    fn act_in_search(&mut self, key: Key) -> Option<Key> {
        let search = self.search.as_mut()?;
        let found = match key {
            Key::Insert(c) => search.type_char(c, &self.history),
            Key::Edit(Edit::Backspace) => search.backspace(&self.history),
            Key::Search => search.older(&self.history),
            Key::Abort | Key::Interrupt => {
                self.search = None;
                self.view.changed();
                true
            }
            Key::Ignored => true,
            Key::Unknown => false,
            other @ (Key::Edit(_)
            | Key::Enter
            | Key::NewLine
            | Key::EndOfFile
            | Key::Up
            | Key::Down
            | Key::Complete
            | Key::ClearScreen
            | Key::Paste(_)
            | Key::Refused(_)) => {
                let (text, cursor) = search.shown(&self.history);
                let (text, cursor) = (text.to_owned(), cursor);
                self.search = None;
                self.view.changed();
                if text != self.line.text() {
                    let set = self.line.set(&text);
                    self.check(set);
                }
                self.line.go(cursor);
                return Some(other);
            }
        };
        if !found {
            self.ring();
        }
        None
    }

    fn request_completion(&mut self) -> Event {
        let (text, cursor) = (self.line.text().to_owned(), self.line.cursor());
        let word = partial_word(&text, cursor);
        self.completing.clone_from(&word);
        if word.is_none() {
            self.ring();
        }
        Event::CompleteRequest { text, cursor, word }
    }

    /// Inserts what the candidates share, or lists them.
    pub(super) fn apply_candidates(&mut self, word: &PartialWord, candidates: &[Candidate]) {
        self.rang = false;
        self.view.changed();
        let fitting: Vec<Candidate> = candidates.iter().filter(|c| c.name.starts_with(&word.prefix)).cloned().collect();
        let cursor = self.line.cursor();
        let replaced = word.replacement(&fitting).map(|(text, only)| {
            let change = self.line.text().get(word.start..cursor) != Some(text.as_str());
            let inserted = if change { self.line.replace(word.start..cursor, &text) } else { Ok(()) };
            (inserted, change, only)
        });
        match replaced {
            Some((Ok(()), true, _)) => {}
            Some((Err(_), _, _)) => self.ring(),
            Some((Ok(()), false, _)) | None if fitting.len() > 1 => {
                self.print_below(columns(&fitting, self.view.cols()));
            }
            Some((Ok(()), false, _)) | None => self.ring(),
        }
    }
}
