//! A text that a shell reads, as commands of the line.

use crate::facts::{Opaque, OpaqueFact, Origin, Runs, Shell, SimpleCommand, Word};
use crate::shell::{self, Gathered};

/// Reads the text of `word`, which `command` (at `parent`) runs. The parts of
/// an inexact text that are there are read as far as they go.
pub(super) fn read(word: &Word, by: Runs, parent: usize, command: &SimpleCommand, gathered: &mut Gathered) {
    let first = gathered.commands.len();
    let old_opaque = gathered.opaque.len();
    let outside = std::mem::take(&mut gathered.bash_only);
    let read = shell::read(&word.text, &word.runs, command.context.clone(), 1, gathered);
    if std::mem::replace(&mut gathered.bash_only, outside) && !is_for_bash(by, command, gathered) {
        gathered.opaque.push(OpaqueFact { what: Opaque::ForeignShell, span: word.span });
    }
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

/// Whether it is bash that reads a text of `command`. To dash `((rm x))` is two
/// groups around a command, and `[[` a program.
fn is_for_bash(by: Runs, command: &SimpleCommand, gathered: &Gathered) -> bool {
    let is_bash = |command: &SimpleCommand| matches!(command.program_name(), Some("bash" | "rbash"));
    if by != Runs::Eval {
        return is_bash(command);
    }
    // The shell that the command stands in.
    let mut at = command;
    while let Origin::Command { parent, by } = at.origin {
        let Some(above) = gathered.commands.get(parent) else { return false };
        if by != Runs::Eval && !matches!(above.program_name(), Some("command" | "builtin")) {
            return by == Runs::ShellText && is_bash(above);
        }
        at = above;
    }
    gathered.shell == Shell::Bash
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
