//! Where the commands of a line run, as far as the line itself tells, and
//! whether the file at a path is still what it was when they do.
//!
//! What cannot be followed is not guessed: from there on the place is unknown.

use super::path_of;
use crate::facts::{CommandLine, Context, Origin, Redirect, Runs, SimpleCommand, Word};
use crate::words::has_letter;
use std::collections::BTreeSet;

/// Most places that are followed.
const MAX_PLACES: usize = 8;
/// Most steps of one place.
const MAX_STEPS: usize = 32;
/// Builtins after which the shell may be anywhere: they run text, or go where a
/// list of their own says.
const SOMEWHERE: &[&str] = &["pushd", "popd", "chdir", "eval", "trap", ".", "source", "fc"];
/// Builtins that are the directory's own word for another builtin.
const THROUGH: &[&str] = &["command", "builtin"];
/// Programs that run their operands where they are themselves, whatever their
/// options say, but for those that [`leads_away`] names.
const STAYS: &[&str] = &[
    "busybox", "builtin", "chrt", "command", "doas", "env", "exec", "flock", "ionice", "ltrace", "nice", "nohup",
    "prlimit", "setsid", "stdbuf", "strace", "sudo", "taskset", "time", "timeout", "toybox", "xargs",
];
/// Programs that change no file they are given.
const READERS: &[&str] = &[
    "[",
    "bash",
    "bzcat",
    "cat",
    "cd",
    "chmod",
    "cmp",
    "diff",
    "echo",
    "file",
    "grep",
    "head",
    "less",
    "ls",
    "md5sum",
    "printf",
    "realpath",
    "sh",
    "sha256sum",
    "shellcheck",
    "stat",
    "tac",
    "tail",
    "test",
    "wc",
    "xzcat",
    "zcat",
];
/// Programs that put files where others were: what names they take may not be
/// known before the line runs.
const WRITERS: &[&str] = &["cp", "install", "ln", "mv", "rsync", "tar", "unzip"];

/// Programs that put files where they like: out of archives, from elsewhere, or
/// from another time.
const UNPACKERS: &[&str] = &[
    "tar", "bsdtar", "gtar", "unzip", "7z", "7za", "7zr", "cpio", "ar", "pax", "patch", "rsync", "scp", "wget", "svn",
    "hg",
];
/// What git does without touching the files that are checked out.
const GIT_READS: &[&str] = &[
    "status",
    "log",
    "diff",
    "show",
    "fetch",
    "rev-parse",
    "branch",
    "remote",
    "ls-files",
    "describe",
    "blame",
    "push",
];

/// Where a line may be, as far as its own `cd`s tell. Each place is a chain of
/// directories, or `None` where it cannot be told.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Where the command at hand may run.
    pub(super) may_be: Vec<Option<Vec<String>>>,
    /// Where the line may be once a `cd` may have failed.
    ever: Vec<Option<Vec<String>>>,
}

impl Default for Places {
    fn default() -> Self {
        let here = vec![Some(Vec::new())];
        Self { may_be: here.clone(), ever: here }
    }
}

/// What a command does to where the shell is.
enum Move {
    No,
    To(String),
    Somewhere,
}

impl Places {
    /// Whether it is where the line began.
    pub(super) fn is_here(&self) -> bool {
        matches!(&*self.may_be, [Some(chain)] if chain.is_empty())
    }

    pub(super) fn unknown() -> Self {
        Self { may_be: vec![None], ever: vec![None] }
    }

    /// A command that runs only where the one before it succeeded is where that led.
    fn before(&mut self, command: &SimpleCommand) {
        if command.context.last() != Some(&Context::AfterSuccess) {
            self.may_be = self.ever.clone();
        }
    }

    fn after(&mut self, command: &SimpleCommand) {
        let to = match movement(command) {
            Move::No => return,
            Move::Somewhere => {
                *self = Self::unknown();
                return;
            }
            Move::To(to) => to,
        };
        let there = self.may_be.iter().map(|place| {
            // From the root or the home it is the same wherever it was.
            let place = place.as_ref()?;
            let mut chain = if to.starts_with(['/', '~']) { Vec::new() } else { place.clone() };
            chain.push(to.clone());
            (chain.len() <= MAX_STEPS).then_some(chain)
        });
        self.may_be = there.collect();
        let before = std::mem::replace(&mut self.ever, self.may_be.clone());
        for place in before {
            if !self.ever.contains(&place) {
                self.ever.push(place);
            }
        }
        if self.ever.len() > MAX_PLACES {
            // It may be in one of those that are left out.
            self.ever.retain(Option::is_some);
            self.ever.truncate(MAX_PLACES);
            self.ever.insert(0, None);
        }
    }
}

/// Whether a command may take the shell, or what it starts, somewhere.
pub(super) fn moves(command: &SimpleCommand) -> bool {
    !matches!(movement(command), Move::No)
}

fn movement(command: &SimpleCommand) -> Move {
    let Some(base) = command.program_name() else { return Move::No };
    let moves = |word: &Word| word.exact().is_none_or(|text| text == "cd" || SOMEWHERE.contains(&text));
    if SOMEWHERE.contains(&base) || (THROUGH.contains(&base) && command.arguments().iter().any(moves)) {
        return Move::Somewhere;
    }
    if base != "cd" {
        return Move::No;
    }
    // In a subshell, a pipeline or the text of another shell it moves those; which commands are in there with it
    // is not followed.
    let own = command.origin == Origin::Typed && command.context.iter().all(|one| *one == Context::AfterSuccess);
    match command.words.as_slice() {
        [_, to] if own => {
            path_of(to).filter(|to| !to.starts_with('-') && !to.is_empty()).map_or(Move::Somewhere, Move::To)
        }
        _ => Move::Somewhere,
    }
}

/// Where each command of a line runs. Commands that others start come after all
/// that the shell itself starts.
pub(super) fn places(line: &CommandLine) -> Vec<Places> {
    let commands = line.commands.as_slice();
    let mut shell = Places::default();
    let mut found: Vec<Places> = Vec::new();
    let moving = commands.iter().enumerate().filter(|(_, command)| !matches!(movement(command), Move::No));
    // What the shell starts, and what goes anywhere in it.
    let moved: BTreeSet<usize> = moving.filter_map(|(at, _)| root(commands, at).filter(|root| *root != at)).collect();
    // What comes before it in the line may run after it.
    let again = |command: &SimpleCommand| {
        let repeats = command.context.iter().any(|one| matches!(one, Context::Loop | Context::Function(_)));
        repeats && !matches!(movement(command), Move::No)
    };
    // A function runs where it is called.
    let called = |command: &SimpleCommand| command.context.iter().any(|one| matches!(one, Context::Function(_)));
    // `cdspell` and `cdable_vars` are options of shopt.
    let sends = |command: &SimpleCommand| match command.program_name() {
        Some("shopt") => command.arguments().iter().any(|word| word.exact().is_none_or(|text| text.starts_with("cd"))),
        Some("enable" | "alias") => true,
        Some(_) | None => {
            let told = command.arguments().iter().any(|word| word.text.contains("CDPATH"));
            told || command.assignments.iter().any(|one| one.name == "CDPATH")
        }
    };
    let elsewhere = commands.iter().any(|command| called(command) || sends(command)) && commands.iter().any(moves);
    if elsewhere || commands.iter().any(again) || commands.iter().any(moves) && line.negates {
        shell = Places::unknown();
    }
    for (index, command) in commands.iter().enumerate() {
        let here = match root(commands, index) {
            Some(root) if root == index => {
                shell.before(command);
                let here = shell.clone();
                shell.after(command);
                here
            }
            Some(root) if !is_led_away(commands, index) && !moved.contains(&root) => {
                found.get(root).cloned().unwrap_or_else(Places::unknown)
            }
            Some(_) | None => Places::unknown(),
        };
        found.push(here);
    }
    found
}

/// Whether a line turns the success of a command round, which the facts do not have: behind `! cd x &&` it is where it was.
pub(crate) fn negates(line: &str) -> bool {
    /// What may stand before it, besides nothing.
    const BEFORE: &[&str] = &["", "if", "elif", "while", "until", "then", "do", "else", "time", "-p", "--", "!", "\\"];
    let apart = |c: char| c.is_whitespace() || ";&|({".contains(c);
    // It asks for each of these words by itself: a line may be one long word of `!\`.
    let begins = |before: &str| {
        let before = before.trim_end_matches([' ', '\t']);
        let ends_with =
            |word: &&str| before.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with(apart));
        BEFORE.iter().any(ends_with)
    };
    line.match_indices('!').any(|(at, _)| {
        let follows =
            line.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || "({\\".contains(c)));
        follows && line.get(..at).is_some_and(begins)
    })
}

/// The command of the shell itself by which another is started.
fn root(commands: &[SimpleCommand], mut at: usize) -> Option<usize> {
    while let Origin::Command { parent, .. } = commands.get(at)?.origin {
        if parent >= at {
            return None;
        }
        at = parent;
    }
    Some(at)
}

/// Whether a program on the way from the shell to a command may go to another
/// directory before it starts it.
fn is_led_away(commands: &[SimpleCommand], index: usize) -> bool {
    let mut at = index;
    while let Some(child) = commands.get(at) {
        let Origin::Command { parent, by } = child.origin else { return false };
        // Each parent comes before its child.
        let Some(starter) = commands.get(parent).filter(|_| parent < at) else { return true };
        let known = match by {
            Runs::ShellText | Runs::Eval => true,
            Runs::Wrapper | Runs::AsUser | Runs::Xargs => {
                starter.program_name().is_some_and(|name| STAYS.contains(&name) && !leads_away(name, starter, child))
            }
            Runs::FindExec => !starter.arguments().iter().any(|word| word.text.ends_with("dir")),
            Runs::Remote | Runs::Contained | Runs::Later => false,
        };
        if !known {
            return true;
        }
        at = parent;
    }
    true
}

/// Whether the options of such a program name a directory, or cannot be told.
fn leads_away(name: &str, starter: &SimpleCommand, child: &SimpleCommand) -> bool {
    let own = starter.words.len().saturating_sub(child.words.len());
    let (short, long): (&[char], &[&str]) = match name {
        "env" => (&['C', 'S'], &["--c", "--s"]),
        "sudo" => (&['D', 'R', 'i'], &["--c", "--l"]),
        _ => (&[], &[]),
    };
    let leads = |word: &Word| match word.exact() {
        None => true,
        Some(text) if text.starts_with("--") => long.iter().any(|begin| text.starts_with(begin)),
        Some(text) => text.starts_with('-') && text.contains(short),
    };
    starter.words.get(1..own).unwrap_or(&starter.words).iter().any(leads)
}

/// Whether the line may put another file at a path before its command at
/// `index` runs it, as far as names tell: then what stands there now is not
/// what will run.
pub(super) fn is_replaced(path: &str, after: &[String], commands: &[SimpleCommand], index: usize) -> bool {
    let steps = after.iter().map(String::as_str).chain([path]).flat_map(|step| step.split('/'));
    let parts: Vec<&str> = steps.filter(|part| !matches!(*part, "" | "." | ".." | "~")).collect();
    // Behind `a/..` stands what is beside the directory that `a` leads to: what names it is not known.
    let steps = after.iter().map(String::as_str).chain([path]).flat_map(|step| step.split('/'));
    let leaves =
        steps.filter(|part| !matches!(*part, "" | ".")).skip_while(|part| *part == "..").any(|part| part == "..");
    let is_it = |text: &str| text.trim_end_matches('/').rsplit('/').next().is_some_and(|name| parts.contains(&name));
    // Also `of=x` and `-ox`.
    let names = |text: &str| {
        let value = text.split_once('=').map_or(text, |(_, value)| value);
        let attached = text.strip_prefix('-').and_then(|rest| rest.get(1..)).unwrap_or(text);
        is_it(text) || is_it(value) || is_it(attached)
    };
    let names_it = |word: &Word| word.exact().is_some_and(names);
    let repeats = commands.get(index).is_some_and(|command| command.context.contains(&Context::Loop));
    let others = commands.iter().enumerate().filter(|(at, other)| {
        let may_be_before = *at < index || repeats || other.origin != Origin::Typed;
        *at != index && may_be_before && !is_ancestor(commands, *at, index)
    });
    others.into_iter().any(|(_, command)| {
        let written = command.redirections.iter().any(|one| {
            let writes = matches!(one.kind, Redirect::Write | Redirect::Append | Redirect::ReadWrite);
            writes && (one.target.exact().is_none() || names_it(&one.target))
        });
        let base = command.program_name().unwrap_or_default();
        let made_up = WRITERS.contains(&base) && command.arguments().iter().any(|word| word.exact().is_none());
        written
            || made_up
            || unpacks(base, command.arguments())
            || (!READERS.contains(&base) && command.arguments().iter().any(|word| leaves || names_it(word)))
    })
}

/// Whether a program puts files in places that its words do not name.
fn unpacks(name: &str, arguments: &[Word]) -> bool {
    let option = |word: &Word| {
        let text = word.text.as_str();
        has_letter(text, &['O', 'J', 'K'])
            || ["--remote", "--config", "--output-dir"].iter().any(|long| text.starts_with(long))
    };
    match name {
        "git" => !arguments.iter().any(|word| word.exact().is_some_and(|text| GIT_READS.contains(&text))),
        "curl" => arguments.iter().any(option),
        _ => UNPACKERS.contains(&name),
    }
}

/// Whether a command starts another, itself or through others.
pub(crate) fn is_ancestor(commands: &[SimpleCommand], ancestor: usize, mut at: usize) -> bool {
    while let Some(Origin::Command { parent, .. }) = commands.get(at).map(|command| &command.origin) {
        if *parent == ancestor {
            return true;
        }
        if *parent >= at {
            return false;
        }
        at = *parent;
    }
    false
}
