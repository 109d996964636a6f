//! Words that a line runs: programs, wherever they stand, and files of code.
//! How a word looks and what stands before it says nothing against these.

use crate::facts::{CommandLine, Opaque, Origin, SimpleCommand, Span};
use crate::programs::{Kind, STARTERS, Source, interpreter};

/// Programs that start another one and are not in [`STARTERS`].
const MORE_STARTERS: &[&str] =
    &["xargs", "parallel", "sem", "watch", "nsenter", "unshare", "chroot", "su-exec", "gosu"];

/// Where they stand in the line: in order, without overlaps.
pub(super) fn words(tree: &CommandLine) -> Vec<Span> {
    let mut found = all(tree);
    found.sort_unstable_by_key(|span| (span.start, span.end));
    let mut joined: Vec<Span> = Vec::with_capacity(found.len());
    for span in found {
        match joined.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            Some(_) | None => joined.push(span),
        }
    }
    joined
}

fn all(tree: &CommandLine) -> Vec<Span> {
    let mut found = Vec::new();
    let unsure = |command: &SimpleCommand| {
        let inside = |span: Span| command.span.start <= span.start && span.end <= command.span.end;
        tree.opaque.iter().any(|fact| fact.what == Opaque::UnknownOption && inside(fact.span))
    };
    for (at, command) in tree.commands.iter().enumerate() {
        found.extend(command.words.first().map(|word| word.span));
        files(command, &mut found);
        let name = command.program_name().unwrap_or_default();
        let starts = STARTERS.iter().any(|(known, ..)| *known == name) || MORE_STARTERS.contains(&name);
        let told = tree.commands.iter().any(|c| matches!(&c.origin, Origin::Command { parent, .. } if *parent == at));
        // An option that is not known may hide where its program begins.
        if starts && (!told || unsure(command)) {
            let operands = command.arguments().iter().filter(|word| !word.text.starts_with('-'));
            found.extend(operands.map(|word| word.span));
        }
    }
    found
}

/// Files of code that an interpreter is given. Where its options are not all
/// known, any of its operands may be one.
fn files(command: &SimpleCommand, found: &mut Vec<Span>) {
    let name = command.program_name().unwrap_or_default();
    if matches!(name, "." | "source") {
        found.extend(command.arguments().first().map(|word| word.span));
    }
    let Some(known) = interpreter(name).filter(|known| !matches!(known.kind, Kind::Client { .. })) else { return };
    let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
    let reading = known.reading(&words);
    let at = match reading.source {
        Source::Word(at) => Some(at).filter(|at| !known.is_text(&words, *at)),
        Source::Input | Source::Nothing => None,
    };
    found.extend(at.and_then(|at| command.arguments().get(at)).map(|word| word.span));
    if !reading.sure {
        let before = command.arguments().iter().take(at.unwrap_or(words.len()));
        found.extend(before.filter(|word| !word.text.starts_with('-')).map(|word| word.span));
    }
}
