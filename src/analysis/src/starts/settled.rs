//! Whether a line says by itself what its programs are given, and whether they
//! run nothing but what it shows: a rule for a line is a rule for what it does.
//!
//! `tar cf x *` is one line and does what the names of the files say
//! (`--checkpoint-action=exec=…` is a name as good as any). Where it is not
//! sure, no rule speaks and a person is asked; so this is a scan that may take
//! a harmless line for another one, never the other way round on purpose.

mod code;
mod earlier;
mod evaluated;
mod git;
mod operands;
mod words;

pub(super) use self::earlier::expands;

use self::code::{opens_by_name, runs_what_it_reads as code_runs};
use self::evaluated::evaluates_data;
use self::git::{git_runs_more, names_a_file_for_a_subcommand};
use self::operands::runs_its_words;
use self::words::words_run;
use super::acting::{
    CODE_WORDS, HOLDS_COMMANDS, KNOWN_VALUES, Names, READS_ONLY, TAKES_RESPONSE_FILES, acts, names_a_directory,
    names_programs, only_shows, sounds_like_a_file,
};
use super::installed::as_program;
use super::instructions::{instructions, takes_paths};
use super::path_of;
use super::sed::runs_what_it_reads;
use super::versions::as_common;
use crate::facts::{Assignment, CommandLine, Context, Loop, Origin, Redirect, Runs, SimpleCommand, Unknown, Word};
use crate::launch::is_wrapper;
use crate::programs::{Source, interpreter};
use crate::words::has_letter;

/// Variables that are as the login began, where the line does not set them.
const OF_LOGIN: &[&str] = &["HOME", "USER", "LOGNAME", "UID", "EUID"];
/// Programs whose output nobody chooses.
const TELLS_ITSELF: &[&str] = &["date", "hostname", "uname", "nproc", "id", "whoami", "arch"];
/// Builtins that give variables values which the facts of a line do not have.
const SETS_VARIABLES: &[&str] = &[
    "read",
    "mapfile",
    "readarray",
    "printf",
    "getopts",
    "declare",
    "typeset",
    "local",
    "export",
    "readonly",
    "let",
    "eval",
    ".",
    "source",
    "wait",
];

/// Programs that give variables among their words to what comes after.
const HANDS_VARIABLES_ON: &[&str] =
    &["env", "sudo", "doas", "export", "declare", "typeset", "readonly", "local", "systemd-run"];

/// Whether it is not settled before the line runs what its programs are given
/// and which others these start.
pub(super) fn is_unsettled(line: &str, tree: &CommandLine) -> bool {
    if evaluates_data(line, tree) {
        return true;
    }
    let substituted = |command: &&SimpleCommand| command.context.contains(&Context::Substitution);
    let chosen = tree.commands.iter().filter(substituted).any(|command| !name_in(command, TELLS_ITSELF));
    // What sets variables otherwise may set any.
    let read = tree.commands.iter().any(|command| !command.words.is_empty() && name_in(command, SETS_VARIABLES));
    let settled = if read { Vec::new() } else { settled_names(tree) };
    let set = (!read).then(|| set_names(tree).map(|(name, _)| name).collect());
    let paths = set_paths(tree);
    let line = Known { set, chosen, settled, paths };
    tree.shared_redirections.iter().any(|one| line.opens(&one.target))
        || tree.loops.iter().any(|one| decides(&one.name) || one.words.iter().any(assigns_what_acts))
        || tree.commands.iter().any(|command| line.leaves_open(command, &tree.commands))
}

fn name_in(command: &SimpleCommand, names: &[&str]) -> bool {
    command.program_name().is_none_or(|name| names.contains(&name))
}

/// Names that the line gives only values that stand in it, each one word that is no option.
fn settled_names(tree: &CommandLine) -> Vec<&str> {
    let settled = |name: &str| set_names(tree).filter(|(known, _)| *known == name).all(|(_, plain)| plain);
    set_names(tree).map(|(name, _)| name).filter(|name| settled(name)).collect()
}

/// Names that the line gives values, and whether these stand in it.
fn set_names(tree: &CommandLine) -> impl Iterator<Item = (&str, bool)> {
    let plain = |word: &Word| {
        let of =
            |text: &str| !text.starts_with('-') && !text.contains(|c: char| c.is_whitespace() || "*?[".contains(c));
        word.exact().is_some_and(of)
    };
    let assigned = tree.commands.iter().flat_map(|command| &command.assignments);
    let assigned = assigned.map(move |one| (one.name.as_str(), one.plain && one.values.iter().all(plain)));
    let whole = |one: &Loop| !one.words.is_empty() && one.words.len() < Loop::MOST;
    let looped = tree.loops.iter().map(move |one| (one.name.as_str(), whole(one) && one.words.iter().all(plain)));
    assigned.chain(looped)
}

/// Names that the line gives a path from the root, or of the home.
fn set_paths(tree: &CommandLine) -> Vec<&str> {
    let path = |word: &Word| word.text.starts_with(['/', '~', '$']);
    let assigned = tree.commands.iter().flat_map(|command| &command.assignments);
    let assigned = assigned.filter(|one| one.values.iter().any(path)).map(|one| one.name.as_str());
    let looped = tree.loops.iter().filter(|one| one.words.iter().any(path)).map(|one| one.name.as_str());
    assigned.chain(looped).chain(["HOME"]).collect()
}

struct Known<'l> {
    /// Variables that the line gives values; `None` where it cannot be told.
    set: Option<Vec<&'l str>>,
    /// Whether what a substitution says may be chosen by somebody.
    chosen: bool,
    /// Of `set`, those whose values stand in the line.
    settled: Vec<&'l str>,
    /// Of these, those that may hold a path from the root.
    paths: Vec<&'l str>,
}

impl Known<'_> {
    /// Whether files, variables or names decide what one of the line's commands does.
    fn leaves_open(&self, command: &SimpleCommand, all: &[SimpleCommand]) -> bool {
        let mut files = command
            .redirections
            .iter()
            .filter(|one| !matches!(one.kind, Redirect::HereDocument | Redirect::HereString));
        if files.any(|one| self.opens(&one.target)) {
            return true;
        }
        if command.assignments.iter().any(sets_what_acts) {
            return true;
        }
        let assigned = command.assignments.iter().flat_map(|one| &one.values);
        let redirected = command.redirections.iter().map(|one| &one.target);
        if command.words.iter().chain(assigned).chain(redirected).any(assigns_what_acts) {
            return true;
        }
        let Some(name) = command.program_name() else { return false };
        let arguments = command.arguments();
        if HANDS_VARIABLES_ON.contains(&name) && arguments.iter().any(|word| gives_what_acts(&word.text)) {
            return true;
        }
        if SETS_VARIABLES.contains(&name) && arguments.iter().any(|word| names_what_acts(&word.text)) {
            return true;
        }
        if only_shows(name) {
            return false;
        }
        let otherwise = [as_program(command), as_common(command)];
        let open = |it: &SimpleCommand| it.program_name().is_none_or(is_wrapper) || self.leaves_open(it, all);
        if otherwise.iter().flatten().any(open) {
            return true;
        }
        let found_here = READS_ONLY.contains(&name) && are_found_paths(command, all);
        self.takes_open_words(arguments, found_here)
            || runs_more(name, arguments)
            || runs_its_words(command, all)
            || instructions(name, arguments).is_none()
            || takes_paths(name) && arguments.iter().any(|word| self.begins_with_a_path(&word.text))
    }

    /// Whether the file that a redirection names could be another one.
    fn opens(&self, target: &Word) -> bool {
        target.unknown.contains(Unknown::GLOB) || self.is_open(target)
    }

    /// Whether a word could be another one, or several; where it is translated, a file of the agent's may say which.
    fn is_open(&self, word: &Word) -> bool {
        let arithmetic =
            word.unknown.contains(Unknown::ARITHMETIC) && word.text.contains(|c: char| c.is_alphabetic() || c == '_');
        word.unknown.contains(Unknown::APPENDED)
            || word.unknown.contains(Unknown::LOCALE)
            || arithmetic
            || word.unknown.contains(Unknown::COMMAND) && self.chosen
            || word.unknown.contains(Unknown::PARAMETER) && !self.names_only_known(&word.text)
    }

    /// Whether a word begins with a variable that may hold a path: whose that is nobody looks at.
    fn begins_with_a_path(&self, text: &str) -> bool {
        let name = text.strip_prefix("${").or_else(|| text.strip_prefix('$')).unwrap_or_default();
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        self.paths.contains(&name.get(..end).unwrap_or_default())
    }

    /// Whether all variables of a word are those of the login or have values in the line.
    fn names_only_known(&self, text: &str) -> bool {
        text.split('$').skip(1).filter(|rest| !rest.starts_with('(')).all(|rest| {
            let braced = rest.strip_prefix('{');
            let name: &str = braced.unwrap_or(rest);
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            let (name, after) = name.split_at(end);
            let plain = braced.is_none() || after.starts_with('}');
            let known = self.settled.contains(&name)
                || OF_LOGIN.contains(&name) && self.set.as_ref().is_some_and(|set| !set.contains(&name));
            plain && known
        })
    }

    /// `found_here`: what `find` puts in for `{}` is a path below a root that stands in the line.
    fn takes_open_words(&self, arguments: &[Word], found_here: bool) -> bool {
        let mut operands_only = false;
        arguments.iter().any(|word| {
            operands_only |= word.exact() == Some("--");
            let names =
                word.unknown.contains(Unknown::GLOB) && word.text.starts_with(['*', '?', '[', '{', '@', '+', '!']);
            let put_in = found_here && word.unknown == Unknown::APPENDED && !word.text.starts_with('-');
            names && !operands_only || self.is_open(word) && !put_in
        })
    }
}

/// Whether what is put in for `{}` begins as the roots do that stand in the line: no option.
fn are_found_paths(command: &SimpleCommand, all: &[SimpleCommand]) -> bool {
    let Origin::Command { parent, by: Runs::FindExec } = command.origin else { return false };
    let Some(find) = all.get(parent).filter(|parent| parent.program_name() == Some("find")) else { return false };
    !find.arguments().iter().any(|word| word.text.starts_with("-files0"))
}

/// Whether a variable decides what runs, or how the rest is read, and has no
/// value that is known to be harmless.
fn sets_what_acts(one: &Assignment) -> bool {
    let harmless = |word: &Word| word.exact().is_some_and(|value| is_harmless_for(&one.name, value));
    decides(&one.name) && !(one.plain && one.values.iter().all(harmless))
}

/// A variable that acts, or a locale: in GBK a backslash may be half a letter,
/// and the shell goes on reading the line in it.
fn decides(name: &str) -> bool {
    acts(name) || is_locale(name) || sounds_like_a_file(name)
}

fn is_locale(name: &str) -> bool {
    name == "LANG" || name.starts_with("LC_")
}

fn is_harmless_for(name: &str, value: &str) -> bool {
    let utf8 = || value.rsplit_once('.').is_some_and(|(_, codeset)| matches!(codeset, "UTF-8" | "utf8"));
    if is_locale(name) {
        return matches!(value, "" | "C" | "POSIX") || utf8();
    }
    // Of a name that only sounds so, what is no path stands in the line.
    is_harmless(value) || !acts(name) && !value.contains('/')
}

/// The same of a word like `NAME=VALUE`. What it is added to (`+=`), and an element of an array, is not known.
fn gives_what_acts(text: &str) -> bool {
    let harmless = |left: &str, value| !left.ends_with(['+', ']']) && is_harmless_for(left, value);
    given(text).is_some_and(|(left, value)| decides(name_of(left)) && !harmless(left, value))
}

/// Whether a word names such a variable, which a builtin then gives a value: `NAME`, `NAME[0]`, `-vNAME`, `-raNAME`.
fn names_what_acts(text: &str) -> bool {
    // A builtin has few options without a value; where it could begin within a character nothing does.
    let attached = (2..=8).filter(|_| text.starts_with('-')).filter_map(|from| text.get(from..));
    !text.contains('=') && std::iter::once(text).chain(attached).any(|name| decides(name_of(name)))
}

/// `${NAME:=…}` of such a variable.
fn assigns_what_acts(word: &Word) -> bool {
    word.unknown.contains(Unknown::PARAMETER)
        && word.text.split("${").skip(1).any(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            decides(name) && (after.starts_with(":=") || after.starts_with('='))
        })
}

/// What a word gives a variable, and what stands before it.
fn given(text: &str) -> Option<(&str, &str)> {
    let text = ["--setenv=", "-E"].iter().find_map(|option| text.strip_prefix(option)).unwrap_or(text);
    text.split_once('=')
}

fn name_of(text: &str) -> &str {
    text.split(['+', '[']).next().unwrap_or_default()
}

/// What variables that decide what runs name from the root, to be looked at before the line runs: with each path
/// whether it is a directory.
pub(super) fn places_that_variables_name(command: &SimpleCommand) -> Vec<(String, bool)> {
    let assigned =
        command.assignments.iter().flat_map(|one| one.values.iter().map(|value| (&*one.name, path_of(value))));
    let hands_on = command
        .program_name()
        .is_some_and(|name| HANDS_VARIABLES_ON.contains(&name) || ["make", "gmake"].contains(&name));
    let arguments = command.arguments().iter().filter(|_| hands_on);
    let given = arguments.filter_map(|word| given(word.exact()?)).map(|(name, value)| (name, Some(value.to_owned())));
    let named = assigned.chain(given).filter(|(name, _)| acts(name) || sounds_like_a_file(name));
    named.filter_map(|(name, path)| Some((path.filter(|path| is_path(path))?, names_a_directory(name)))).collect()
}

fn is_path(value: &str) -> bool {
    value.starts_with('/') && !value.contains(':')
}

/// A number, a switch, or a path from the root: whose that is will be seen before the line runs.
fn is_harmless(value: &str) -> bool {
    is_path(value) || value.bytes().all(|byte| byte.is_ascii_digit()) || KNOWN_VALUES.contains(&value)
}

/// Whether a program starts another one, or reads code, that its options or operands name.
fn runs_more(name: &str, arguments: &[Word]) -> bool {
    let texts: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
    let names_open = arguments.iter().any(|word| word.unknown.contains(Unknown::GLOB)) && opens_by_name(name, &texts);
    if HOLDS_COMMANDS.contains(&name) || names_open || code_runs(name, &texts) || words_run(name, &texts) {
        return true;
    }
    if names_a_file_for_a_subcommand(name, &texts) {
        return true;
    }
    if names_programs(name).iter().any(|names| texts.iter().any(|text| is_named(text, names))) {
        return true;
    }
    match name {
        "git" if git_runs_more(&texts) => return true,
        "sed" | "gsed" if runs_what_it_reads(&texts) => return true,
        "su" | "runuser" if shells(&texts).any(|shell| !shell.is_some_and(|path| path.starts_with('/'))) => {
            return true;
        }
        "cmake" if texts.first() == Some(&"-E") && texts.iter().any(|text| ["env", "time"].contains(text)) => {
            return true;
        }
        "socat" if texts.iter().any(|text| is_socat_program(text)) => return true,
        _ if TAKES_RESPONSE_FILES.contains(&name) && texts.iter().any(|text| response_file(text).is_some()) => {
            return true;
        }
        "tar" | "bsdtar" | "gtar"
            if texts.first().is_some_and(|first| !first.starts_with('-') && first.contains(['I', 'F', 'T'])) =>
        {
            return true;
        }
        _ => {}
    }
    if let Some(known) = interpreter(name) {
        let reading = known.reading(&texts);
        return match reading.source {
            Source::Word(at) => reads_from_here(name, &texts, at, known.is_text(&texts, at), known.is_shell()),
            Source::Nothing | Source::Input => false,
        };
    }
    !READS_ONLY.contains(&name) && texts.iter().any(|text| names_a_place_here(text))
}

/// The shells that the options of `su` name; `None` for one that cannot be told.
fn shells<'w>(texts: &'w [&'w str]) -> impl Iterator<Item = Option<&'w str>> {
    texts.iter().enumerate().filter_map(|(at, text)| {
        let next = || texts.get(at + 1).copied();
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            return (name.len() >= 2 && "shell".starts_with(name)).then(|| value.or_else(next));
        }
        let (_, attached) = text.strip_prefix('-')?.split_once('s')?;
        Some(Some(attached).filter(|path| !path.is_empty()).or_else(next))
    })
}

/// `@FILE`: words that a program takes from there, or one that it starts (`gcc -Wl,@FILE`).
fn response_file(text: &str) -> Option<&str> {
    let from = text.strip_prefix('@').or_else(|| text.split_once(",@").map(|(_, from)| from));
    from.filter(|file| !file.is_empty())
}

fn is_socat_program(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    ["EXEC:", "SYSTEM:", "SHELL:"].iter().any(|kind| text.contains(kind))
}

/// Whether a word is one of these options, shortened or with its value attached.
fn is_named(text: &str, names: &Names) -> bool {
    let Names { long, short } = names;
    if let Some(rest) = text.strip_prefix("--") {
        let given = rest.split('=').next().unwrap_or_default();
        return given.len() >= 2 && long.iter().any(|name| name.starts_with(given));
    }
    let Some(letters) = text.strip_prefix('-') else { return false };
    let single = letters.split('=').next().unwrap_or_default();
    long.iter().any(|name| single.len() > 1 && *name == single) || letters.contains(*short)
}

/// Whether a language looks for what its program takes in the working directory.
fn reads_from_here(name: &str, texts: &[&str], at: usize, is_text: bool, is_shell: bool) -> bool {
    if is_shell {
        return false;
    }
    let before = texts.get(..at).unwrap_or_default();
    let python = name.starts_with("python") || name.starts_with("pypy");
    if python && before.iter().any(|text| has_letter(text, &['I', 'P'])) {
        return false;
    }
    let module = before.last().is_some_and(|last| !last.starts_with("--") && last.ends_with('m'));
    if python && module {
        return true;
    }
    let text = texts.get(at).copied().unwrap_or_default();
    is_text && name != "perl" && CODE_WORDS.iter().any(|word| text.contains(word))
}

/// Files that a program may run because its words name them, as they stand there.
pub(super) fn files_it_may_run(name: &str, arguments: &[Word]) -> Vec<String> {
    let holds = HOLDS_COMMANDS.contains(&name);
    let unheard_of = !holds && !only_shows(name) && !READS_ONLY.contains(&name) && interpreter(name).is_none();
    let options = names_programs(name);
    let lists = TAKES_RESPONSE_FILES.contains(&name);
    let mut files = Vec::new();
    let mut named = false;
    if matches!(name, "su" | "runuser") {
        let texts: Vec<&str> = arguments.iter().map(|word| word.exact().unwrap_or_default()).collect();
        files.extend(shells(&texts).flatten().filter(|path| path.contains('/')).map(str::to_owned));
    }
    for word in arguments {
        let Some(text) = word.exact() else {
            named = false;
            continue;
        };
        let value = text.split_once('=').map_or(text, |(_, value)| value);
        let attached = text.strip_prefix('-').and_then(|rest| rest.get(1..)).filter(|rest| begins_here(rest));
        let is_option = options.is_some_and(|names| is_named(text, names));
        let file = attached.unwrap_or(value);
        let file = file.strip_prefix("exec=").unwrap_or(file).split_whitespace().next().unwrap_or_default();
        if file.contains('/') && (is_option || named || holds || unheard_of && names_a_place_here(text)) {
            files.push(file.to_owned());
        }
        files.extend(response_file(text).filter(|_| lists).map(str::to_owned));
        named = is_option;
    }
    files
}

/// `./x`, `../x`, `~/x`, as a word, or as the value of an option.
fn names_a_place_here(text: &str) -> bool {
    let value = text.split_once('=').map_or("", |(_, value)| value);
    let attached = text.strip_prefix('-').and_then(|rest| rest.get(1..)).unwrap_or_default();
    begins_here(text) || begins_here(value) || begins_here(attached)
}

fn begins_with_a_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn begins_here(text: &str) -> bool {
    ["./", "../", "~/"].iter().any(|begin| text.starts_with(begin))
}

#[cfg(test)]
mod tests;
