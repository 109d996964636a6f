//! A text that a shell reads, as commands of the line.

use crate::facts::{OpaqueFact, Origin, Runs, SimpleCommand, Word};
use crate::shell::{self, Gathered};

/// Reads the text of `word`, which `command` (at `parent`) runs. The parts of
/// an inexact text that are there are read as far as they go.
pub(super) fn read(word: &Word, by: Runs, parent: usize, command: &SimpleCommand, gathered: &mut Gathered) {
    let first = gathered.commands.len();
    let old_opaque = gathered.opaque.len();
    let read = shell::read(&word.text, &word.runs, command.context.clone(), 1, gathered);
    if let Err(fact) = read {
        gathered.opaque.push(OpaqueFact { what: fact.what, span: word.span });
    }
    for found in gathered.commands.iter_mut().skip(first) {
        found.origin = Origin::Command { parent, by };
        within(word, &mut found.span.start, &mut found.span.end);
    }
    for fact in gathered.opaque.iter_mut().skip(old_opaque) {
        within(word, &mut fact.span.start, &mut fact.span.end);
    }
}

/// A span of the text stays inside the word it came from.
fn within(word: &Word, start: &mut usize, end: &mut usize) {
    *start = (*start).clamp(word.span.start, word.span.end.max(word.span.start));
    *end = (*end).clamp(*start, word.span.end.max(*start));
}

/// Several words as one text, as `eval` and `ssh` join them.
pub(super) fn joined(words: &[Word]) -> Option<Word> {
    let mut words = words.iter();
    let mut whole = words.next()?.clone();
    for word in words {
        let at = whole.text.len();
        whole.text.push(' ');
        whole.runs.push((at, word.span.start.saturating_sub(1)));
        whole.runs.extend(word.runs.iter().map(|(from, line)| (at + 1 + from, *line)));
        whole.text.push_str(&word.text);
        whole.unknown.add(word.unknown);
        whole.span.end = word.span.end;
    }
    Some(whole)
}
