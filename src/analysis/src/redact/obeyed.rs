//! Whether a line itself may run what it says elsewhere, by ways on which
//! redaction does not follow the text: a group of commands before a shell, a
//! shell behind `>( … )`, a file that the line writes. There a text that is
//! hidden could be code, whatever it looks like.

use crate::facts::{
    CommandLine, Context, Opaque, OpaqueFact, Origin, Redirect, Redirection, Runs, SimpleCommand, Word,
};
use crate::programs::{Kind, Source, interpreter};
use crate::starts::is_ancestor;
use crate::words::base_name;

/// What of a line's text the line may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Obeyed {
    /// What redaction follows, and nothing else.
    Followed,
    /// What it writes to a file, as it is.
    Files,
    /// Any of it, also changed on the way.
    Any,
}

/// Programs that run lines which they read, and are no interpreters.
const RUNS_INPUT: &[&str] = &["at", "batch", "crontab"];

/// Looks at a line and its text.
pub(super) fn obeyed(text: &str, line: &CommandLine) -> Obeyed {
    let each = line.commands.iter().enumerate().map(|(at, command)| {
        if is_piped_elsewhere(line, command) || takes_program(command) && !is_followed(text, line, at, command) {
            Obeyed::Any
        } else {
            runs_written(line, at, command)
        }
    });
    let cut =
        |fact: &OpaqueFact| matches!(fact.what, Opaque::Unparsed | Opaque::TooLong | Opaque::TooDeep | Opaque::TooMuch);
    // Where not every command is known, one that is not may run such a file.
    let least = if line.opaque.iter().any(cut) { Obeyed::Files } else { Obeyed::Followed };
    each.max().unwrap_or(Obeyed::Followed).max(least)
}

/// Whether a program that no text is followed to takes its program from a pipe: `ssh HOST`, `make -f -`.
fn is_piped_elsewhere(line: &CommandLine, command: &SimpleCommand) -> bool {
    let known = command.program_name().is_some_and(|name| interpreter(name).is_some() || RUNS_INPUT.contains(&name));
    let reads = |fact: &OpaqueFact| fact.what == Opaque::InputProgram && fact.span == command.span;
    !known && command.pipe().is_some_and(|(_, stage)| stage > 0) && line.opaque.iter().any(reads)
}

/// Whether a command takes a program from its input. What a client of a
/// database reads is for another machine to obey.
fn takes_program(command: &SimpleCommand) -> bool {
    let name = command.program_name().unwrap_or_default();
    let Some(known) = interpreter(name) else { return RUNS_INPUT.contains(&name) };
    let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
    let by_input = matches!(command.origin, Origin::Command { by: Runs::Xargs, .. });
    !matches!(known.kind, Kind::Client { .. }) && (by_input || known.reading(&words).source == Source::Input)
}

/// Whether its input is a file, a text of its own, or the output of single
/// commands of its own pipeline.
fn is_followed(text: &str, line: &CommandLine, at: usize, command: &SimpleCommand) -> bool {
    let (top, by_wrappers) = runner(line, at, command);
    if let Some(input) = top.redirections.iter().rfind(|one| is_input(one)) {
        let known = match input.kind {
            Redirect::HereDocument | Redirect::HereString => true,
            Redirect::Read => input.target.exact().is_some(),
            Redirect::Duplicate | Redirect::ReadWrite | Redirect::Write | Redirect::Append => false,
        };
        return by_wrappers && known;
    }
    let context = &top.context;
    let Some(last) = context.iter().rposition(|one| one.pipe().is_some()) else {
        return !is_fed(line, top, context);
    };
    let Some((id, stage)) = context.get(last).and_then(Context::pipe) else { return false };
    let before = context.get(..last).unwrap_or_default();
    if is_fed(line, top, before) || (!by_wrappers && stage > 0) || !line.functions.is_empty() {
        return false;
    }
    // One command in each stage before, with nothing around it within the stage.
    let mut stages = vec![None; stage];
    for other in &line.commands {
        let place = other.context.iter().position(|one| one.pipe().is_some_and(|(this, _)| this == id));
        let Some((at, (_, this))) = place.and_then(|at| Some((at, other.context.get(at)?.pipe()?))) else { continue };
        let Some(single) = stages.get_mut(this) else { continue };
        if at + 1 < other.context.len() {
            return false;
        }
        if other.origin == Origin::Typed && single.replace(other.span).is_some() {
            return false;
        }
    }
    // Nothing but the operators stands between them, no bracket of a group.
    let mut ends = stages.into_iter().chain([Some(top.span)]);
    let Some(mut last) = ends.next().flatten() else { return false };
    ends.all(|span| {
        let Some(span) = span else { return false };
        let between = text.get(last.end..span.start).map(str::trim);
        last = span;
        matches!(between, Some("|" | "|&"))
    })
}

/// Who starts a command in the end, and whether only by giving it its own input.
fn runner<'a>(line: &'a CommandLine, mut at: usize, mut command: &'a SimpleCommand) -> (&'a SimpleCommand, bool) {
    let mut only = true;
    while let Origin::Command { parent, by } = &command.origin {
        let Some(above) = line.commands.get(*parent).filter(|_| *parent < at) else { return (command, false) };
        only &= matches!(by, Runs::Wrapper | Runs::AsUser | Runs::Xargs);
        (at, command) = (*parent, above);
    }
    (command, only)
}

/// Whether something of the line may reach a command from around these places.
fn is_fed(line: &CommandLine, command: &SimpleCommand, around: &[Context]) -> bool {
    let feeds = |place: &Context| {
        matches!(place, Context::Pipe { stage: 1.., .. } | Context::Coprocess | Context::ProcessSubstitution)
            || matches!(place, Context::HereDocument | Context::Function(_))
    };
    let text =
        |one: &Redirection| matches!(one.kind, Redirect::HereDocument | Redirect::HereString | Redirect::Duplicate);
    around.iter().any(feeds)
        || command.redirections.iter().any(|one| text(one) && is_input(one))
        || line.shared_redirections.iter().any(|one| is_input(one) && text(one))
}

/// Whether a redirection is that of standard input.
fn is_input(one: &Redirection) -> bool {
    let reads =
        matches!(one.kind, Redirect::Read | Redirect::ReadWrite | Redirect::HereDocument | Redirect::HereString);
    (reads && one.fd.is_none_or(|fd| fd == 0))
        || (one.kind == Redirect::Duplicate && (one.fd == Some(0) || one.fd.is_none() && one.target.exact().is_none()))
}

/// Whether a command runs a file that others of the line write, and how.
fn runs_written(line: &CommandLine, at: usize, command: &SimpleCommand) -> Obeyed {
    let name = command.program_name().unwrap_or_default();
    let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
    let known = interpreter(name).filter(|known| !matches!(known.kind, Kind::Client { .. }));
    let file = match (name, known.map(|known| (known, known.reading(&words).source))) {
        ("." | "source", _) => command.arguments().first(),
        (_, Some((known, Source::Word(at)))) => command.arguments().get(at).filter(|_| !known.is_text(&words, at)),
        (_, Some((_, Source::Input))) => {
            command.redirections.iter().rfind(|one| one.kind == Redirect::Read).map(|one| &one.target)
        }
        (_, Some((_, Source::Nothing))) => None,
        (_, None) => command.program().filter(|word| word.text.contains('/')),
    };
    let Some(file) = file else { return Obeyed::Followed };
    let others =
        line.commands.iter().enumerate().filter(|(other, _)| *other != at && !is_ancestor(&line.commands, *other, at));
    let each = others.map(|(_, other)| writes(other, file));
    let shared = line.shared_redirections.iter().filter(|one| is_written(one)).any(|one| is_same(&one.target, file));
    each.max().unwrap_or(Obeyed::Followed).max(if shared { Obeyed::Any } else { Obeyed::Followed })
}

/// What a command may put into a file.
fn writes(command: &SimpleCommand, file: &Word) -> Obeyed {
    let name = command.program_name().unwrap_or_default();
    let passes = command.pipe().is_some_and(|(_, stage)| stage > 0);
    let says = SAYS.contains(&name);
    let target = command.redirections.iter().filter(|one| is_written(one)).any(|one| {
        // Into a file that is not known a command may put what it says or was given.
        (one.target.exact().is_some() || says || passes) && is_same(&one.target, file)
    });
    let operand = file.exact().is_some()
        && !KEEPS_FILES.contains(&name)
        && command.arguments().iter().any(|word| word.exact().is_some() && is_same(word, file));
    match (target || operand, passes) {
        (false, _) => Obeyed::Followed,
        (true, false) if says && !operand || name == "tee" => Obeyed::Files,
        (true, _) => Obeyed::Any,
    }
}

/// Programs that say what they are given as it is.
const SAYS: &[&str] = &["echo", "printf", "cat"];
/// Programs that leave the text of a file as it is.
const KEEPS_FILES: &[&str] =
    &["chmod", "chown", "ls", "cat", "test", "[", "rm", "bash", "sh", "less", "head", "tail", "wc", "stat", "git"];

fn is_written(one: &Redirection) -> bool {
    matches!(one.kind, Redirect::Write | Redirect::Append | Redirect::ReadWrite)
}

/// Whether two words may name one file: by the last part of their paths.
fn is_same(one: &Word, other: &Word) -> bool {
    match (one.exact(), other.exact()) {
        (Some(one), Some(other)) => base_name(one) == base_name(other),
        (None, _) | (_, None) => true,
    }
}
