//! A line read twice: as a syntax tree, and plainly. What lets a line pass
//! needs both to say the same; what refuses needs only the tree.

use crate::plain::{self, NotPlain, Simple};
use crate::rule::Command;
use countersign_analysis::facts::{CommandLine, Opaque, Origin, Place, Shell, SimpleCommand};

/// What is known of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The line.
    pub(crate) line: String,
    /// Every command that would run, also within others; a word is `None` where it cannot be known.
    pub(crate) commands: Vec<Vec<Option<String>>>,
    /// Of these, the commands that the shell itself runs, and how many variables each sets.
    typed: Vec<(Vec<Option<String>>, usize)>,
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
    pub fn of(line: &str, shell: &str, cwd: Option<&str>) -> Self {
        let place = Place { cwd, home: None, shell: shell_of(shell) };
        Self::from_tree(line, shell, &countersign_analysis::parse(line, &place))
    }

    /// The same, where the tree was made already.
    pub fn from_tree(line: &str, shell: &str, tree: &CommandLine) -> Self {
        let words = |command: &SimpleCommand| -> Vec<Option<String>> {
            command.words.iter().map(|word| word.exact().map(str::to_owned)).collect()
        };
        let running = || tree.commands.iter().filter(|command| !command.words.is_empty());
        let parsed = !tree.opaque.iter().any(|fact| match fact.what {
            Opaque::Unparsed | Opaque::Disputed | Opaque::TooLong | Opaque::TooDeep | Opaque::TooMuch => true,
            Opaque::DynamicCommand
            | Opaque::UnknownText
            | Opaque::InputProgram
            | Opaque::ForeignShell
            | Opaque::UnknownOption
            | Opaque::Reevaluated
            | Opaque::Redefined => false,
        });
        let mut opaque: Vec<&'static str> = tree.opaque.iter().map(|fact| fact.what.code()).collect();
        opaque.sort_unstable();
        opaque.dedup();
        let typed = running().filter(|command| command.origin == Origin::Typed);
        let typed = typed.map(|command| (words(command), command.assignments.len())).collect();
        Self {
            line: line.to_owned(),
            commands: running().map(words).collect(),
            typed,
            parsed,
            opaque,
            plain: plain::read(line),
            shell: shell.to_owned(),
        }
    }

    /// Why the commands that were found may not be all that would run; empty: they are.
    pub fn opaque(&self) -> &[&'static str] {
        &self.opaque
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
            && commands.iter().zip(&self.typed).all(|(plain, (typed, assignments))| {
                plain.words.len() == typed.len()
                    && plain.assignments.len() == *assignments
                    && plain.words.iter().zip(typed).all(|(word, seen)| seen.as_deref() == Some(word))
            });
        if !same {
            return Err(NoPattern::Disputed);
        }
        commands.iter().try_for_each(|command| one(command, allows, 0))
    }

    /// Whether a command of the line leaves the directory that the line began in.
    pub(crate) fn moves(&self) -> bool {
        let moves = |words: &Vec<Option<String>>| matches!(words.first(), Some(Some(name)) if matches!(name.as_str(), "cd" | "pushd" | "popd"));
        self.commands.iter().any(moves)
    }
}

/// The kind of shell that an inner shell is.
pub fn shell_of(name: &str) -> Shell {
    match name {
        "bash" => Shell::Bash,
        "dash" | "sh" => Shell::Posix,
        _ => Shell::Other,
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
