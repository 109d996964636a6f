//! Programs that run programs: the commands hidden in the words of others.
//!
//! The table says which options take a value, so that the inner command is
//! found where it begins. An option that is not listed makes the line opaque,
//! and the search goes on as if it took none.

mod special;
mod table;
mod text;
mod wrapper;

use crate::facts::{Opaque, OpaqueFact, Origin, Runs, SimpleCommand, Span, Word};
use crate::shell::Gathered;

/// Longest chain of commands that run each other.
const MAX_CHAIN: usize = 16;

/// Most commands and words that are found behind others: a chain of wrappers
/// repeats the words of its end at every step.
const MAX_FOUND: usize = 500;
const MAX_WORDS: usize = 4000;

/// What one command runs.
#[derive(Debug)]
pub(crate) enum Launch {
    /// The words are another command.
    Words(Runs, Vec<Word>),
    /// The text is a shell's.
    Text(Runs, Word),
    /// It cannot be told.
    Hidden(Opaque, Span),
}

/// Adds to the gathered commands all that they run.
pub(crate) fn follow(gathered: &mut Gathered) {
    let mut index = 0;
    let typed = gathered.commands.len();
    while index < gathered.commands.len() {
        let found = gathered.commands.get(typed..).unwrap_or_default();
        let much =
            found.len() > MAX_FOUND || found.iter().map(|command| command.words.len()).sum::<usize>() > MAX_WORDS;
        let Some(command) = gathered.commands.get(index).filter(|_| !much) else {
            let span = gathered.commands.get(index).map(|command| command.span).unwrap_or_default();
            gathered.opaque.push(OpaqueFact { what: Opaque::TooMuch, span });
            return;
        };
        if chain(&gathered.commands, command) > MAX_CHAIN {
            let span = command.span;
            gathered.opaque.push(OpaqueFact { what: Opaque::TooDeep, span });
            return;
        }
        let launches = of(command, gathered);
        if !launches.is_empty() {
            let command = command.clone();
            launches.into_iter().for_each(|launch| add(launch, index, &command, gathered));
        }
        index += 1;
    }
}

/// The words that a wrapper (`sudo`, `env`, `timeout` …) runs, where its arguments are nothing else.
pub(crate) fn wrapped(command: &SimpleCommand) -> Option<(Runs, Vec<Word>)> {
    let arguments = command.arguments();
    let launches = wrapper::wrapper(command.program_name()?, arguments)?.launches(arguments);
    launches.into_iter().find_map(|launch| match launch {
        Launch::Words(by, words) => (!words.is_empty()).then_some((by, words)),
        Launch::Text(..) | Launch::Hidden(..) => None,
    })
}

/// Whether a program of this name runs its words.
pub(crate) fn is_wrapper(name: &str) -> bool {
    wrapper::wrapper(name, &[]).is_some() || matches!(name, "parallel" | "xargs" | "find")
}

/// Whether a program that runs its words begins with an option of which it is guessed that it has a value: the word
/// behind it may be what runs. A number is no program.
pub(crate) fn begins_with_a_guess(name: &str, arguments: &[Word]) -> bool {
    wrapper::wrapper(name, arguments).is_some_and(|known| known.begins_with_a_guess(arguments))
}

fn chain(commands: &[SimpleCommand], command: &SimpleCommand) -> usize {
    let (mut length, mut origin) = (0, &command.origin);
    while let Origin::Command { parent, .. } = origin {
        length += 1;
        match commands.get(*parent) {
            Some(command) if length <= MAX_CHAIN => origin = &command.origin,
            Some(_) | None => break,
        }
    }
    length
}

fn add(launch: Launch, parent: usize, command: &SimpleCommand, gathered: &mut Gathered) {
    match launch {
        Launch::Hidden(what, span) => gathered.opaque.push(OpaqueFact { what, span }),
        Launch::Words(by, words) => {
            let Some(first) = words.first() else { return };
            let end = words.iter().map(|word| word.span.end).max().unwrap_or(first.span.end);
            let inner = SimpleCommand {
                span: Span { start: first.span.start, end: end.max(first.span.start) },
                words,
                assignments: Vec::new(),
                redirections: command.redirections.clone(),
                context: command.context.clone(),
                origin: Origin::Command { parent, by },
            };
            gathered.commands.push(inner);
        }
        Launch::Text(by, word) => {
            if word.exact().is_none() {
                gathered.opaque.push(OpaqueFact { what: Opaque::UnknownText, span: word.span });
            }
            text::read(&word, by, parent, command, gathered);
        }
    }
}

/// What a command runs.
fn of(command: &SimpleCommand, gathered: &Gathered) -> Vec<Launch> {
    let Some(name) = command.program_name() else { return Vec::new() };
    let name = if special::is_loader(name) { "ld.so" } else { name };
    if let Some(wrapper) = wrapper::wrapper(name, command.arguments()) {
        let mut found = wrapper.launches(command.arguments());
        found.extend(special::far_shell(wrapper.by, &found, command, gathered));
        return found;
    }
    special::launches(name, command, gathered)
}
