//! The readers of foreign bytes in this crate, as plain functions from bytes to
//! what was made of them: what the fuzz targets of `tests/fuzz` call. The login
//! itself does not use this module.

use crate::complete::{Completeness, is_complete};
use crate::editor::{Editor, Event, History, Row, Terminal};
use crate::interactive::driver::{Listener, NotSaid, Said};
use crate::interactive::mark::Mark;
use crate::script::source;
use crate::{settings, spawner, transfer_log, unserved};

/// What the child says that looks at files as the agent.
pub use crate::spawner::orders::{Names, Seen as Look};

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

/// What a client of sftp is answered that is not served, where what it says comes
/// in pieces of `size` bytes, and whether that was the last word.
pub fn unserved(bytes: &[u8], size: usize) -> (Vec<u8>, bool) {
    unserved::answers("no", bytes, size)
}

/// Whether bash would need more lines.
pub fn is_unfinished(text: &str) -> bool {
    needs_more(text)
}

/// What the driver of an interactive login or of a script says, as text, where
/// it comes in pieces of `size` bytes; the last is `None` where it may not say
/// what it said.
pub fn hear_driver(bytes: &[u8], size: usize) -> Vec<Option<String>> {
    let (mut listener, mut first) = (Listener::default(), None);
    let mut heard = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        if listener.push(piece).is_err() {
            heard.push(None);
            return heard;
        }
        loop {
            match listener.next() {
                Ok(Some(Said::Ready { status, prompt, told })) => {
                    let first = first.get_or_insert_with(|| told.set().clone());
                    heard.push(Some(format!("{status} {prompt} {:?}", told.report(first))));
                }
                Ok(Some(Said::Taken(word))) => heard.push(Some(format!("taken {word}"))),
                Ok(None) => break,
                Err(NotSaid) => {
                    heard.push(None);
                    return heard;
                }
            }
        }
    }
    heard
}

/// The commands of a script that comes in pieces of `size` bytes.
pub fn script_commands(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    source::commands(bytes.chunks(size.max(1)))
}

/// The history file of an agent, read and written again.
pub fn history(text: &str) -> String {
    History::from_text(text).to_text()
}

/// Whether this is a configuration file of the login shell.
pub fn is_configuration(text: &str) -> bool {
    settings::is_configuration(text)
}

/// The markers of what an sftp server's log says, and how many files it opened
/// and how many bytes it read and wrote; none where that is not known.
pub fn transfer_log(messages: &[String]) -> (Vec<String>, Option<(u64, u64, u64)>) {
    transfer_log::heard(messages)
}

/// The branch that a `HEAD` names.
pub fn branch(head: &str) -> Option<String> {
    spawner::named(head)
}

/// What is shown of a terminal's output that comes in pieces of `size` bytes, and
/// whether the driver's mark with this word was in it.
pub fn marked(word: &str, bytes: &[u8], size: usize) -> (Vec<u8>, bool) {
    let (mut mark, mut shown, mut seen) = (Mark::new(word), Vec::new(), false);
    for piece in bytes.chunks(size.max(1)) {
        let (more, here) = mark.push(piece);
        shown.extend(more);
        seen |= here;
    }
    shown.extend(mark.rest());
    (shown, seen)
}
