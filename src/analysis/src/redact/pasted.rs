//! What a line does with the values that it gives to variables: a value that
//! the shell runs, or pastes into code, is no data.

use super::grammar::{is_shell, reread, runs_code};
use super::input;
use super::shell::{Command, Script, Word, read};
use super::text::{Text, UNKNOWN};
use crate::programs::STARTERS;
use crate::words::base_name;
use std::collections::BTreeSet;

/// Deepest nesting of scripts inside of words that is looked at.
const NESTED: usize = 4;
/// Nobody looks through the words of a longer command.
const MOST_WORDS: usize = 1000;
/// Builtins whose words or input become variables or positional parameters.
const SETTERS: &[&str] = &[
    "export",
    "declare",
    "typeset",
    "local",
    "readonly",
    "set",
    "read",
    "printf",
    "for",
    "select",
    "mapfile",
    "readarray",
];
/// Programs that start what they read.
const TAKES_INPUT: &[&str] = &["xargs", "parallel", "read", "mapfile", "readarray", "at", "batch", "crontab"];
/// Programs that say what they are given as it is.
const SAYS: &[&str] = &["echo", "printf", "print", "cat"];
/// Words that may stand before a program.
const RESERVED: &[&str] = &["if", "then", "else", "elif", "while", "until", "do", "!", "{", "coproc"];

/// What becomes of values that are in variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pasted {
    /// They are words or parts of them.
    No,
    /// They are put into text that is read as code.
    Into,
    /// They are code: the program itself, or all of the text that is run.
    As,
}

/// What a script does.
pub(super) fn pasted(script: &Script<'_>, depth: usize) -> Pasted {
    if script.more {
        return Pasted::As;
    }
    let each = script.commands.iter().map(|command| of_command(script, command, depth));
    each.max().unwrap_or(Pasted::No)
}

fn nested(text: &Text<'static>, depth: usize) -> Pasted {
    if depth >= NESTED {
        return Pasted::As;
    }
    pasted(&read(text), depth + 1)
}

fn of_command(script: &Script<'_>, command: &Command, depth: usize) -> Pasted {
    let words: Vec<&Text<'static>> = command.words.iter().map(|word| &word.text).collect();
    if words.len() > MOST_WORDS {
        return Pasted::As;
    }
    let Some((program, rest)) = program_at(command).and_then(|at| words.get(at..)?.split_first()) else {
        return Pasted::No;
    };
    let name = base_name(&program.s);
    let operand = rest.iter().find(|word| !word.s.starts_with('-'));
    // `f() { $1; }` is one command to the tokenizer.
    let behind = words
        .windows(2)
        .any(|pair| matches!(pair, [before, word] if RESERVED.contains(&&*before.s) && word.s.contains(UNKNOWN)));
    let as_code = program.s.contains(UNKNOWN)
        || behind
        || starts_unknown(name, rest)
        || (runs_code(name) && operand.is_some_and(|word| word.s.contains(UNKNOWN)));
    if as_code {
        return Pasted::As;
    }
    let how = |text: &Text<'static>| match (text.s.starts_with(UNKNOWN), text.s.contains(UNKNOWN)) {
        (true, _) => Pasted::As,
        (false, true) => Pasted::Into,
        (false, false) => Pasted::No,
    };
    let again = reread(command);
    let mut level = Pasted::No;
    for text in again.code.iter().filter_map(|at| words.get(*at)) {
        level = level.max(how(text));
    }
    for text in again.scripts.iter().filter_map(|at| words.get(*at)) {
        level = level.max(nested(text, depth));
    }
    if words.iter().any(|word| is_shell(&word.s)) {
        input::of(script, command, |text| level = level.max(how(text)).max(nested(text, depth)));
    }
    level
}

/// Whether a program that starts another one may start what is in a variable.
fn starts_unknown(name: &str, rest: &[&Text<'static>]) -> bool {
    let unknown = |words: &[&Text<'static>]| words.iter().any(|word| word.s.starts_with(UNKNOWN));
    let Some((_, valued, operands)) = STARTERS.iter().find(|(known, ..)| *known == name) else {
        return matches!(name, "xargs" | "find") && unknown(rest);
    };
    let mut rest = rest;
    while let Some((first, after)) = rest.split_first() {
        let option = first.s.strip_prefix('-').filter(|letters| !letters.is_empty());
        if option.is_none() && !is_assignment(&first.s) {
            break;
        }
        // Its value may stand in the next word.
        if option.is_some_and(|letters| letters.starts_with('-') && letters.len() > 1 && !letters.contains('=')) {
            return unknown(rest);
        }
        let takes = option.and_then(|letters| letters.chars().next_back()).is_some_and(|last| valued.contains(last));
        rest = after.get(usize::from(takes)..).unwrap_or_default();
    }
    let Some((program, after)) = rest.get(*operands..).unwrap_or_default().split_first() else {
        return unknown(rest);
    };
    program.s.contains(UNKNOWN) || starts_unknown(base_name(&program.s), after)
}

/// The word of a command that is its program.
fn program_at(command: &Command) -> Option<usize> {
    command.words.iter().position(|word| !is_assignment(&word.text.s) && !RESERVED.contains(&&*word.text.s))
}

/// `NAME=…`, `NAME+=…`, `NAME[1]=…`.
fn is_assignment(word: &str) -> bool {
    let Some((name, _)) = word.split_once('=') else { return false };
    let name = name.strip_suffix('+').unwrap_or(name);
    let name = name.split('[').next().unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether the words and the input of a command become variables.
pub(super) fn sets(command: &Command) -> bool {
    let program = program_at(command).and_then(|at| command.words.get(at));
    program.is_some_and(|word| SETTERS.contains(&&*word.text.s))
}

fn program_of(command: &Command) -> Option<&str> {
    command.words.get(program_at(command)?).map(|word| &*word.text.s)
}

/// Whether a command does nothing but to assign.
pub(super) fn only_sets(command: &Command) -> bool {
    program_at(command).is_none()
}

/// The commands whose own text a program in the line runs after another one has
/// passed it on, changed or not: `echo TEXT | sed … | bash`.
pub(super) fn run_in_the_end(script: &Script<'_>) -> BTreeSet<usize> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let runs = |word: &Word| {
        is_shell(&word.text.s) || runs_code(base_name(&word.text.s)) || TAKES_INPUT.contains(&&*word.text.s)
    };
    for command in script.commands.iter().filter(|command| command.words.iter().any(runs)) {
        let mut at = command.reads;
        // What comes to it as it was said is read as its program.
        let says = |at: &usize| script.commands.get(*at).and_then(program_of).is_some_and(|name| SAYS.contains(&name));
        if at.as_ref().is_some_and(says) {
            at = at.and_then(|at| script.commands.get(at)?.reads);
        }
        while let Some((here, source)) = at.and_then(|at| Some((at, script.commands.get(at)?))) {
            // Whoever was here before has gone on from here.
            if !seen.insert(here) {
                break;
            }
            if input::said(source).next().is_some() || !source.input.is_empty() {
                found.insert(here);
            }
            at = source.reads;
        }
    }
    found
}

/// Whether a word of a command becomes a variable.
pub(super) fn is_set(command: &Command, word: usize) -> bool {
    command.words.get(word).is_some_and(|word| is_assignment(&word.text.s))
}

/// How many words come before a program: `NAME=value` in one of these, and in
/// the word behind them, is an assignment, and no word that the program might
/// read as something else.
pub(super) fn before_the_program(words: &[&Text<'static>]) -> usize {
    let before = |word: &&&Text<'static>| {
        let word: &str = &word.s;
        let name = base_name(word);
        is_assignment(word)
            || RESERVED.contains(&word)
            || SETTERS.contains(&word)
            || STARTERS.iter().any(|(known, ..)| *known == name)
    };
    words.iter().take_while(before).count()
}
