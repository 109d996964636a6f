//! Programs that run programs in ways of their own: shells and interpreters,
//! `eval`, `find`, `su`, `parallel`.

use super::Launch;
use super::text::joined;
use crate::facts::{Context, Opaque, Origin, Redirect, Redirection, Runs, SimpleCommand, Unknown, Word};
use crate::programs::{Interpreter, Source, interpreter, is_input};
use crate::shell::Gathered;

/// `ld-linux-x86-64.so.2` and its like: their first operand is a program.
pub(super) fn is_loader(name: &str) -> bool {
    name == "ld.so" || (name.starts_with("ld-") && name.contains(".so")) || name.starts_with("ld-linux")
}

/// What a program that is no wrapper runs.
pub(super) fn launches(name: &str, command: &SimpleCommand, gathered: &Gathered) -> Vec<Launch> {
    let arguments = command.arguments();
    match name {
        "eval" => joined(skip_dashes(arguments)).map(|text| Launch::Text(Runs::Eval, text)).into_iter().collect(),
        "trap" => trap(arguments),
        "find" => after_exec(arguments, &["-exec", "-execdir", "-ok", "-okdir"]),
        "fd" | "fdfind" => after_exec(arguments, &["-x", "-X", "--exec", "--exec-batch"]),
        "su" | "runuser" => {
            let mut found = su(name, arguments);
            found.extend(several_texts(&found, arguments));
            found
        }
        "kubectl" | "oc" | "docker-compose" | "docker" | "podman" | "nix-shell" | "nix" | "capsh" | "mise"
        | "aws-vault" | "op" | "vault" | "doppler" | "chamber" => after_dashes(name, arguments),
        "parallel" => parallel(command),
        "gdb" => after_word(arguments, "--args"),
        "make" | "gmake" => make(command),
        "source" | "." => source(arguments),
        "at" | "batch" => later(command),
        _ => match interpreter(name) {
            Some(known) => interpreted(name, known, command, gathered),
            None => Vec::new(),
        },
    }
}

fn skip_dashes(words: &[Word]) -> &[Word] {
    match words.first() {
        Some(first) if first.text == "--" => words.get(1..).unwrap_or_default(),
        Some(_) | None => words,
    }
}

/// `trap TEXT SIGNAL…`
fn trap(arguments: &[Word]) -> Vec<Launch> {
    match skip_dashes(arguments) {
        [text, _, ..] if text.text != "-" && !text.text.starts_with("-l") && !text.text.starts_with("-p") => {
            vec![Launch::Text(Runs::Eval, text.clone())]
        }
        _ => Vec::new(),
    }
}

/// `find … -exec COMMAND ;`, as often as it comes.
fn after_exec(arguments: &[Word], options: &[&str]) -> Vec<Launch> {
    let mut found = Vec::new();
    let mut rest = arguments.iter();
    while let Some(word) = rest.next() {
        if word.exact().is_none() && word.unknown != Unknown::GLOB && !word.quoted && word.text.starts_with('$') {
            found.push(Launch::Hidden(Opaque::UnknownOption, word.span));
        }
        if !options.contains(&word.text.as_str()) {
            continue;
        }
        let mut inner: Vec<Word> = Vec::new();
        for word in rest.by_ref() {
            if word.text == ";" || (word.text == "+" && inner.last().is_some_and(|last| last.text == "{}")) {
                break;
            }
            let mut word = word.clone();
            if word.text.contains("{}") {
                word.unknown.add(Unknown::APPENDED);
            }
            inner.push(word);
        }
        found.push(Launch::Words(Runs::FindExec, inner));
    }
    found
}

/// `su [-] [USER] [-c TEXT]`, `runuser -u USER COMMAND`.
fn su(name: &str, arguments: &[Word]) -> Vec<Launch> {
    for (index, word) in arguments.iter().enumerate() {
        let text = word.text.as_str();
        if matches!(text, "-c" | "--command" | "--session-command") {
            return arguments
                .get(index + 1)
                .cloned()
                .map(|text| Launch::Text(Runs::AsUser, text))
                .into_iter()
                .collect();
        }
        if let Some(inner) = text.strip_prefix("--command=") {
            return vec![Launch::Text(Runs::AsUser, word.rest(text.len() - inner.len()))];
        }
        if text.starts_with("-c") || (text.starts_with('-') && !text.starts_with("--") && text.ends_with('c')) {
            let attached = text.starts_with("-c").then(|| word.rest(2));
            let value = attached.or_else(|| arguments.get(index + 1).cloned());
            return value.map(|text| Launch::Text(Runs::AsUser, text)).into_iter().collect();
        }
        if name == "runuser" && matches!(text, "-u" | "--user") {
            let rest = skip_dashes(arguments.get(index + 2..).unwrap_or_default());
            return vec![Launch::Words(Runs::AsUser, rest.to_vec())];
        }
    }
    Vec::new()
}

/// Where the text of `su` is not the one that was found: the last `-c` counts, and long names may be shortened.
fn several_texts(found: &[Launch], arguments: &[Word]) -> Option<Launch> {
    let is_text = |word: &&Word| {
        let text = word.text.as_str();
        let short = text.starts_with('-') && !text.starts_with("--") && text.contains('c');
        short || text.starts_with("--c") || text.starts_with("--se")
    };
    let mut texts = arguments.iter().filter(is_text);
    let (first, more) = (texts.next()?, texts.next());
    let words = found.iter().any(|launch| matches!(launch, Launch::Words(..)));
    (!words && (found.is_empty() || more.is_some())).then_some(Launch::Hidden(Opaque::UnknownText, first.span))
}

/// `kubectl exec POD -- COMMAND`: what comes after two dashes.
fn after_dashes(name: &str, arguments: &[Word]) -> Vec<Launch> {
    let runs = arguments.iter().any(|word| {
        matches!(word.text.as_str(), "exec" | "run" | "debug" | "rsh" | "shell" | "develop" | "-c" | "--command")
    });
    let at = arguments.iter().position(|word| word.text == "--");
    match at {
        Some(at) if runs || name == "capsh" => {
            let rest = arguments.get(at + 1..).unwrap_or_default().to_vec();
            if name == "capsh" && rest.first().is_some_and(|word| word.text == "-c") {
                return rest.get(1).cloned().map(|text| Launch::Text(Runs::ShellText, text)).into_iter().collect();
            }
            vec![Launch::Words(Runs::Contained, rest)]
        }
        Some(_) | None if name == "nix-shell" => {
            let run = arguments.iter().position(|word| matches!(word.text.as_str(), "--run" | "--command"));
            let text = run.and_then(|at| arguments.get(at + 1)).cloned();
            text.map(|text| Launch::Text(Runs::ShellText, text)).into_iter().collect()
        }
        Some(_) | None => Vec::new(),
    }
}

/// A command behind a word of its own.
fn after_word(arguments: &[Word], word: &str) -> Vec<Launch> {
    let at = arguments.iter().position(|argument| argument.text == word);
    let inner = at.and_then(|at| arguments.get(at + 1..)).unwrap_or_default();
    if inner.is_empty() { Vec::new() } else { vec![Launch::Words(Runs::Wrapper, inner.to_vec())] }
}

/// `make -f -` reads its rules from the input.
fn make(command: &SimpleCommand) -> Vec<Launch> {
    let arguments = command.arguments();
    let reads = arguments.iter().enumerate().any(|(at, word)| match word.text.as_str() {
        "-f" | "--file" | "--makefile" => arguments.get(at + 1).is_some_and(|file| is_input(&file.text)),
        text => ["-f", "--file=", "--makefile="].iter().any(|option| text.strip_prefix(option).is_some_and(is_input)),
    });
    reads.then_some(Launch::Hidden(Opaque::InputProgram, command.span)).into_iter().collect()
}

/// `ssh HOST` without a command: a shell there reads its input.
pub(super) fn far_shell(by: Runs, found: &[Launch], command: &SimpleCommand, gathered: &Gathered) -> Vec<Launch> {
    let named = found.iter().any(|launch| matches!(launch, Launch::Text(Runs::Remote, _)));
    if by != Runs::Remote || named {
        return Vec::new();
    }
    match (input(command), command.pipe()) {
        (Some(text), _) => vec![Launch::Text(by, text.target.clone())],
        (None, Some((_, 1..))) => {
            let hidden = Launch::Hidden(Opaque::InputProgram, command.span);
            piped(command, gathered).map(|text| Launch::Text(by, text)).into_iter().chain([hidden]).collect()
        }
        (None, _) => Vec::new(),
    }
}

/// GNU parallel joins its words and the arguments after `:::` to a text.
fn parallel(command: &SimpleCommand) -> Vec<Launch> {
    let arguments = command.arguments();
    let end = arguments.iter().position(|word| word.text.starts_with(":::")).unwrap_or(arguments.len());
    let own = arguments.iter().take_while(|word| word.text.starts_with('-')).count();
    let mut found = Vec::new();
    if let Some(first) = arguments.first().filter(|word| word.text.starts_with('-')) {
        found.push(Launch::Hidden(Opaque::UnknownOption, first.span));
    }
    if let Some(mut text) = arguments.get(own..end.max(own)).and_then(joined) {
        text.unknown.add(Unknown::APPENDED);
        found.push(Launch::Text(Runs::Xargs, text));
    } else {
        let span = arguments.first().map_or(command.span, |first| first.span);
        found.push(Launch::Hidden(Opaque::InputProgram, span));
    }
    found
}

/// `source FILE`: a file is a program that is not in the line, as is that of `bash FILE`; a pipe is nothing to look at.
fn source(arguments: &[Word]) -> Vec<Launch> {
    let unseen = |word: &Word| {
        word.unknown.contains(Unknown::PROCESS)
            || word.exact().is_some_and(|file| file.starts_with("/dev/") || file.starts_with("/proc/"))
    };
    arguments
        .first()
        .filter(|word| unseen(word))
        .map(|word| Launch::Hidden(Opaque::InputProgram, word.span))
        .into_iter()
        .collect()
}

/// `at` reads its commands from the input.
fn later(command: &SimpleCommand) -> Vec<Launch> {
    let plain =
        !command.arguments().iter().any(|word| matches!(word.text.as_str(), "-l" | "-d" | "-r" | "-c" | "-V" | "-f"));
    match input(command) {
        Some(text) => vec![Launch::Text(Runs::Later, text.target.clone())],
        None if plain => vec![Launch::Hidden(Opaque::InputProgram, command.span)],
        None => Vec::new(),
    }
}

/// The text that a command reads from the line itself.
fn input(command: &SimpleCommand) -> Option<&Redirection> {
    command.redirections.iter().rev().find(|redirection| {
        redirection.fd.unwrap_or(0) == 0 && matches!(redirection.kind, Redirect::HereDocument | Redirect::HereString)
    })
}

fn interpreted(name: &str, known: &Interpreter, command: &SimpleCommand, gathered: &Gathered) -> Vec<Launch> {
    let arguments = command.arguments();
    let words: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
    let shell = known.is_shell();
    let mut found = Vec::new();
    // `bash --init-file <(…) -i`: a file that a program writes.
    let written = arguments.iter().filter(|word| shell && word.unknown.contains(Unknown::PROCESS));
    found.extend(written.map(|word| Launch::Hidden(Opaque::InputProgram, word.span)));
    match known.reading(&words).source {
        Source::Nothing => {}
        Source::Word(index) => {
            let Some(word) = arguments.get(index) else { return found };
            let text = shell && words.iter().take(index).any(|option| is_text_option(option));
            if text {
                if !matches!(name, "bash" | "sh" | "dash" | "ash" | "rbash") {
                    found.push(Launch::Hidden(Opaque::ForeignShell, word.span));
                }
                found.push(Launch::Text(Runs::ShellText, word.clone()));
            } else if word.exact().is_none() && !word.unknown.contains(Unknown::PROCESS) {
                // Which file is run is only known when it runs.
                found.push(Launch::Hidden(Opaque::DynamicCommand, word.span));
            } else if word.unknown.contains(Unknown::PROCESS) {
                found.push(Launch::Hidden(Opaque::InputProgram, word.span));
            } else if word.exact().is_some_and(|file| ["/dev/", "/proc/"].iter().any(|root| file.starts_with(root))) {
                // Gone with the process or the next start: whoever looks later does not see what ran.
                found.push(Launch::Hidden(Opaque::InputProgram, command.span));
            }
        }
        Source::Input => match input(command) {
            Some(text) if shell => found.push(Launch::Text(Runs::ShellText, text.target.clone())),
            Some(text) if text.target.exact().is_some() => {}
            Some(text) => found.push(Launch::Hidden(Opaque::UnknownText, text.target.span)),
            None => {
                let from_file = command.redirections.iter().any(|r| {
                    r.kind == Redirect::Read
                        && r.target
                            .exact()
                            .is_some_and(|file| !file.starts_with("/dev/") && !file.starts_with("/proc/"))
                });
                if !from_file {
                    found.push(Launch::Hidden(Opaque::InputProgram, command.span));
                }
                let text = piped(command, gathered).or_else(|| from_around(command, gathered));
                found.extend(text.filter(|_| shell).map(|text| Launch::Text(Runs::ShellText, text)));
            }
        },
    }
    found
}

/// `-c`, alone or among other letters.
fn is_text_option(option: &str) -> bool {
    option == "--command" || (option.starts_with('-') && !option.starts_with("--") && option.contains('c'))
}

/// What the command gets that runs this one (`ssh HOST bash <<E`), also only shown to the rules.
fn from_around(command: &SimpleCommand, gathered: &Gathered) -> Option<Word> {
    let Origin::Command { parent, .. } = &command.origin else { return None };
    let around = gathered.commands.get(*parent)?;
    input(around).map(|text| text.target.clone()).or_else(|| piped(around, gathered))
}

/// What `echo TEXT |` hands on: shown to the rules, while the line stays opaque.
fn piped(command: &SimpleCommand, gathered: &Gathered) -> Option<Word> {
    let (id, stage) = command.pipe()?;
    let before = Context::Pipe { id, stage: stage.checked_sub(1)? };
    let source = gathered.commands.iter().find(|other| other.context.last() == Some(&before))?;
    let words = match source.program_name()? {
        "echo" | "printf" => source.arguments(),
        _ => return None,
    };
    let own = words.iter().take_while(|word| word.text.starts_with('-')).count();
    joined(words.get(own..)?)
}
