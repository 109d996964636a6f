//! The readers of foreign bytes in this crate, as plain functions from bytes to
//! what was made of them: what the fuzz targets of `tests/fuzz` call. The login
//! itself does not use this module.

use crate::complete::{Completeness, is_complete};
use crate::editor::{Editor, Event, History, Row, Terminal};
use crate::interactive::driver::Listener;
use crate::settings;

/// Types these bytes at a prompt, in two pieces cut at `cut`, on the kind of
/// terminal that `TERM` names. Returns what was handed out to be held, and the
/// size in bytes of all that was drawn.
pub fn type_at_a_prompt(bytes: &[u8], cut: usize, term: &str) -> (Vec<String>, usize) {
    let mut editor = Editor::new(Terminal::from_term(term), 80, 24, History::new(), needs_more);
    let mut drawn = editor.begin("$ ", Row::Unknown).len();
    let (head, tail) = bytes.split_at(cut.min(bytes.len()));
    let mut submitted = Vec::new();
    for piece in [head, tail] {
        let mut step = editor.feed(piece);
        loop {
            drawn += step.output.len();
            match step.event {
                Event::None | Event::Bell => break,
                Event::Submit(text) => {
                    submitted.push(text);
                    drawn += editor.begin("$ ", Row::Unknown).len();
                }
                Event::EndOfFile => drawn += editor.begin("$ ", Row::Unknown).len(),
                Event::Interrupt | Event::CompleteRequest { .. } | Event::Refused(_) => {}
            }
            step = editor.resume();
        }
    }
    (submitted, drawn)
}

fn needs_more(text: &str) -> bool {
    is_complete(text) != Completeness::Complete
}

/// Whether bash would need more lines.
pub fn is_unfinished(text: &str) -> bool {
    needs_more(text)
}

/// What the driver of an interactive login says; `None` where it may not.
pub fn hear_driver(bytes: &[u8]) -> Option<usize> {
    let mut listener = Listener::default();
    listener.push(bytes).ok()?;
    let mut count = 0;
    while listener.next().ok()?.is_some() {
        count += 1;
    }
    Some(count)
}

/// The history file of an agent, read and written again.
pub fn history(text: &str) -> String {
    History::from_text(text).to_text()
}

/// Whether this is a configuration file of the login shell.
pub fn is_configuration(text: &str) -> bool {
    settings::is_configuration(text)
}
