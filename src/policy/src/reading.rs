//! A line read twice: as a syntax tree, and plainly. What lets a line pass
//! needs both to say the same; what refuses needs only the tree.

use crate::plain::{self, NotPlain, Simple};
use crate::rule::Command;

/// What is known of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The line.
    pub(crate) line: String,
    /// Every command that would run, also within others; a word is `None` where it cannot be known.
    pub(crate) commands: Vec<Vec<Option<String>>>,
    /// Of these, the commands that the shell itself runs.
    typed: Vec<Vec<Option<String>>>,
    /// Whether the tree could be made at all.
    pub(crate) parsed: bool,
    /// Why these commands may not be all.
    pub(crate) opaque: Vec<&'static str>,
    plain: Result<Vec<Simple>, NotPlain>,
    shell: String,
}

/// Why no pattern speaks for a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPattern {
    #[error("patterns are matched on lines of bash and dash only")]
    Shell,
    #[error("patterns are not matched on this line: {0}")]
    NotPlain(#[from] NotPlain),
    #[error("not all that it runs can be seen: {0}")]
    Opaque(String),
    #[error("the two readings of the line differ")]
    Disputed,
    #[error("no rule for `{0}`")]
    NoRule(String),
    #[error("too many programs within programs")]
    Nested,
}

/// How deep programs within programs are looked through.
const MAX_DEPTH: usize = 4;

impl Reading {
    /// Reads a line of `shell` that would run in `cwd`.
    pub fn of(line: &str, shell: &str, _cwd: Option<&str>) -> Self {
        let plain = plain::read(line);
        let typed: Vec<Vec<Option<String>>> = plain
            .iter()
            .flatten()
            .map(|simple| simple.words.iter().cloned().map(Some).collect())
            .collect();
        let opaque = if plain.is_ok() { Vec::new() } else { vec!["unparsed"] };
        Self {
            line: line.to_owned(),
            commands: typed.clone(),
            typed,
            parsed: plain.is_ok(),
            opaque,
            plain,
            shell: shell.to_owned(),
        }
    }

    /// Whether every command of the line is allowed, asking `allows` about each.
    pub(crate) fn allowed_by(&self, allows: &mut dyn FnMut(Command<'_>) -> bool) -> Result<(), NoPattern> {
        if !crate::rule_shells().contains(&self.shell.as_str()) {
            return Err(NoPattern::Shell);
        }
        let commands = self.plain.as_ref().map_err(|why| *why)?;
        if !self.parsed || !self.opaque.is_empty() {
            return Err(NoPattern::Opaque(self.opaque.join(", ")));
        }
        let same = commands.len() == self.typed.len()
            && commands.iter().zip(&self.typed).all(|(plain, typed)| {
                plain.words.len() == typed.len()
                    && plain.words.iter().zip(typed).all(|(word, seen)| seen.as_deref() == Some(word))
            });
        if !same {
            return Err(NoPattern::Disputed);
        }
        commands.iter().try_for_each(|command| one(command, allows, 0))
    }

    /// Whether a command of the line leaves the directory that the line began in.
    pub(crate) fn moves(&self) -> bool {
        let moves = |words: &Vec<Option<String>>| {
            matches!(words.first(), Some(Some(name)) if matches!(name.as_str(), "cd" | "pushd" | "popd"))
        };
        self.commands.iter().any(moves)
    }
}

/// One command: allowed as it stands, or as what a harmless wrapper runs.
fn one(simple: &Simple, allows: &mut dyn FnMut(Command<'_>) -> bool, depth: usize) -> Result<(), NoPattern> {
    if allows(Command { simple }) {
        return Ok(());
    }
    let none = || NoPattern::NoRule(simple.words.join(" "));
    if depth >= MAX_DEPTH {
        return Err(NoPattern::Nested);
    }
    let words: Vec<&str> = simple.words.iter().map(String::as_str).collect();
    let inner = match words.as_slice() {
        ["sh" | "bash" | "dash", "-c", text] => {
            // What stands around the shell applies to all it runs.
            if !simple.assignments.is_empty() || !simple.writes.is_empty() {
                return Err(none());
            }
            return plain::read(text)?.iter().try_for_each(|inner| one(inner, allows, depth + 1));
        }
        ["nohup", inner @ ..] => inner,
        ["nice", "-n", level, inner @ ..] if is_number(level.trim_start_matches('-')) => inner,
        ["nice", inner @ ..] => inner,
        ["timeout", after @ ..] => after_timeout(after).ok_or_else(none)?,
        _ => return Err(none()),
    };
    if inner.first().is_none_or(|program| program.starts_with('-')) {
        return Err(none());
    }
    let inner = Simple { words: inner.iter().map(|word| (*word).to_owned()).collect(), ..simple.clone() };
    one(&inner, allows, depth + 1)
}

/// What stands after `timeout`'s own options and its duration.
fn after_timeout<'a>(words: &'a [&'a str]) -> Option<&'a [&'a str]> {
    match words {
        ["--foreground" | "--preserve-status" | "-v", rest @ ..] => after_timeout(rest),
        ["-k", duration, rest @ ..] if is_duration(duration) => after_timeout(rest),
        ["-s", signal, rest @ ..] if signal.bytes().all(|b| b.is_ascii_alphanumeric()) => after_timeout(rest),
        [duration, rest @ ..] if is_duration(duration) => Some(rest),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_duration(text: &str) -> bool {
    let number = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or(text);
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    is_number(whole) && is_number(part)
}
