//! What a line would start: the first word of every simple command in it, and
//! the files that would be run as scripts.
//!
//! It fails closed: where the syntax tree is not sure of every command,
//! [`first_words`] says so and a person is asked. The list of scripts is a help
//! for that person, so it holds what can be seen even then.

mod acting;
mod code_files;
mod installed;
mod instructions;
mod places;
mod prompts;
mod sed;
mod settled;
mod versions;
mod whereabouts;

pub use self::acting::{acts, only_shows};
use self::installed::as_program;
use self::instructions::{instructions, of_home};
use self::places::{Places, is_replaced, places};
pub(crate) use self::places::{is_ancestor, negates};
pub(crate) use self::prompts::sets_a_prompt;
use self::prompts::{ASSIGNING, EXPANDED, assigns_what_is_expanded, expands_into_a_prompt, runs_as_a_prompt};
use self::settled::{expands, files_it_may_run, is_unsettled, places_that_variables_name};
use self::versions::{as_common, common_name};
pub(crate) use self::whereabouts::{SOMEWHERE, is_relative, whereabouts};
use crate::builtins::{changes_meaning, rewires};
use crate::facts::{
    CommandLine, Opaque, Origin, Place, Redirect, Redirection, Runs, Shell, SimpleCommand, Unknown, Word,
};
use crate::line::{Line, parse};
use crate::programs::{Source, interpreter, is_input};

/// Most first words that are told.
const MAX_WORDS: usize = 64;
/// Most scripts that are told.
pub const MAX_SCRIPTS: usize = 8;
/// Variables whose value decides what a word starts.
const DECISIVE: &[&str] = &["PATH", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PS4", "CDPATH"];

/// Programs that hand a file on as it is, or unpacked.
const HANDING_ON: &[&str] = &["cat", "tac", "zcat", "bzcat", "xzcat", "gunzip", "envsubst"];
/// Options whose value is a file of code, for programs whose first operand is none.
const CODE_OPTIONS: &[(&str, &[&str])] = &[
    ("awk", &["-f"]),
    ("gawk", &["-f"]),
    ("mawk", &["-f"]),
    ("sed", &["-f"]),
    ("make", &["-f"]),
    ("bash", &["--rcfile", "--init-file"]),
    ("vim", &["-S", "-u"]),
    ("vi", &["-S", "-u"]),
];
/// Variables that name a file which a shell runs at its start.
const START_FILES: &[&str] = &["BASH_ENV", "ENV"];

/// From here on bash keeps copies of what a redirection replaced, and our driver its sockets.
const OWN_DESCRIPTORS: u32 = 10;
/// What a line that may meddle with the shell's inside holds: how names of the
/// driven shell's own begin (`driver.bash`), and variables by which a shell loads
/// tables and code for a locale and keeps them.
const INSIDE: [&str; 3] = ["__cs_", "LOCPATH", "GCONV_PATH"];

/// A file that a line would run as a program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Script {
    /// Its path as the line has it.
    pub path: String,
    /// Directories that the line goes to before, each as it stands there;
    /// `None` where it cannot be told where the line is then.
    pub after: Option<Vec<String>>,
    /// Whether a shell looks for it on `PATH`, too: a name without a slash.
    pub search: Search,
    /// Whether a program reads its settings there unasked, and there need be none.
    pub settings: bool,
}

/// Where a shell looks for a file that it is to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Search {
    /// At its path only.
    Nowhere,
    /// On `PATH` first: `. x.sh`.
    First,
    /// On `PATH` where the working directory has none: `bash x.sh`.
    Last,
}

/// What a line would start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Starts {
    /// First words, each once, in order; `None` where it is not sure that
    /// these are all.
    pub words: Option<Vec<String>>,
    /// Scripts that can be seen, at most [`MAX_SCRIPTS`].
    pub scripts: Vec<Script>,
    /// Whether there are more scripts than are told.
    pub more_scripts: bool,
    /// Whether it may put code of its own into the shell it runs in, which then
    /// tells what it likes of itself: functions, traps, text that it reads and runs.
    pub rewires: bool,
    /// Whether it may change `PATH`.
    pub names_path: bool,
    /// Whether files, variables or names decide what its programs are given or
    /// what these run: the line alone does not say what it does.
    pub unsettled: bool,
    /// Directories that variables name which decide what runs (`HOME=/srv/a`): a rule speaks only if they are root's.
    pub directories: Vec<String>,
    /// Whether it uses what a shell has been told before: variables.
    pub expands: bool,
}

impl Starts {
    /// Whether the line by itself says what it does, so that a rule may speak for
    /// it. `keeps_shell`: its shell goes on from line to line.
    pub fn is_settled(&self, keeps_shell: bool) -> bool {
        !(self.unsettled || keeps_shell && self.expands)
    }
}

/// The first word of every simple command; `None` where it cannot be told.
pub fn first_words(line: &str, shell: &str) -> Option<Vec<String>> {
    starts(line, shell).words
}

/// What a line would start, for an inner shell named as in the ledger.
pub fn starts(line: &str, shell: &str) -> Starts {
    of_line(&Line::new(line), shell)
}

pub(crate) fn of_line(line: &Line<'_>, shell: &str) -> Starts {
    let read_as = match shell {
        "bash" => Shell::Bash,
        "dash" => Shell::Posix,
        _ if is_plain(line.text) => Shell::Bash,
        _ => Shell::Other,
    };
    match read_as {
        Shell::Bash => of_facts(line.text, line.facts()),
        Shell::Posix | Shell::Other => {
            of_facts(line.text, &parse(line.text, &Place { shell: read_as, ..Place::default() }))
        }
    }
}

fn of_facts(line: &str, tree: &CommandLine) -> Starts {
    let doubts = |opaque: Opaque| tree.opaque.iter().any(|fact| fact.what == opaque);
    let mut found = Found {
        sure: tree.opaque.is_empty() && tree.functions.is_empty(),
        names_path: line.contains("PATH"),
        ..Found::default()
    };
    found.rewires = !tree.functions.is_empty()
        || REWIRING.into_iter().any(doubts)
        || INSIDE.iter().any(|name| line.contains(name))
        || tree.loops.iter().any(|one| EXPANDED.contains(&one.name.as_str()))
        || expands_into_a_prompt(line)
        || tree.shared_redirections.iter().any(|one| reaches_own(one, line));
    // Other than where it is expanded, it may be changed.
    let moves_home =
        line.matches("HOME").count() > ["$HOME", "${HOME}"].iter().map(|one| line.matches(one).count()).sum();
    let several = tree.commands.len() > 1;
    let places = places(tree);
    for (index, (command, place)) in tree.commands.iter().zip(&places).enumerate() {
        if elsewhere(&tree.commands, index) {
            continue;
        }
        let known = found.scripts.len();
        if found.command(command, place, several, line) {
            found.fed(tree, &places);
        }
        found.files_of_code(index, &tree.commands, place);
        for script in found.scripts.iter_mut().skip(known).take(MAX_SCRIPTS.saturating_sub(known)) {
            let chain = script.after.as_deref().unwrap_or_default();
            let replaced =
                is_replaced(&script.path, chain, &tree.commands, index) || (moves_home && is_at_home(script));
            script.after = script.after.take().filter(|_| !replaced);
        }
    }
    let more_scripts = found.scripts.len() > MAX_SCRIPTS;
    found.scripts.truncate(MAX_SCRIPTS);
    let told = found.sure && found.words.len() <= MAX_WORDS && !tree.commands.is_empty() && !more_scripts;
    Starts {
        words: told.then_some(found.words),
        scripts: found.scripts,
        more_scripts,
        rewires: found.rewires,
        names_path: found.names_path,
        unsettled: is_unsettled(line, tree),
        directories: found.directories,
        expands: expands(line, tree),
    }
}

/// Doubts of a line after which its shell may not be what it was. Aliases, PATH
/// and the like are not among them: a shell that has its own code reports them.
const REWIRING: [Opaque; 7] = [
    Opaque::Unparsed,
    Opaque::Disputed,
    Opaque::TooLong,
    Opaque::TooDeep,
    Opaque::TooMuch,
    Opaque::DynamicCommand,
    Opaque::ForeignShell,
];

/// Whether its path begins at the home directory.
fn is_at_home(script: &Script) -> bool {
    let steps = script.after.iter().flatten().chain([&script.path]);
    steps.into_iter().any(|step| step == "~" || step.starts_with("~/"))
}

/// One simple command of harmless letters: the same to every shell.
fn is_plain(line: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || " _./:,+-".contains(c);
    let head = line.split_ascii_whitespace().next().unwrap_or("");
    line.chars().all(letter) && !matches!(head, "if" | "for" | "while" | "function" | "begin" | "foreach" | "switch")
}

/// A path as a word has it; `~` at its beginning stands for the home directory.
fn path_of(word: &Word) -> Option<String> {
    let home = || word.unknown == Unknown::TILDE && (word.text == "~" || word.text.starts_with("~/"));
    match word.exact() {
        // Quoted, it is the name of a file.
        Some(text) if text.starts_with('~') => Some(format!("./{text}")),
        Some(text) => Some(text.to_owned()),
        None if home() => Some(word.text.clone()),
        None if word.unknown == Unknown::PARAMETER => {
            let rest = ["$HOME/", "${HOME}/"].iter().find_map(|home| word.text.strip_prefix(home))?;
            (!rest.contains('$')).then(|| format!("~/{rest}"))
        }
        None => None,
    }
}

/// Whether a command runs on another host or in a container: what its words
/// are there cannot be looked up here.
fn elsewhere(commands: &[SimpleCommand], index: usize) -> bool {
    let mut at = index;
    // Each parent comes before its child.
    while let Some(Origin::Command { parent, by }) = commands.get(at).map(|command| &command.origin) {
        if matches!(by, Runs::Remote | Runs::Contained) {
            return true;
        }
        if *parent >= at {
            return false;
        }
        at = *parent;
    }
    false
}

/// A number under which a driven shell keeps descriptors of its own.
fn is_own(text: &str) -> bool {
    text.trim_end_matches('-').parse::<u32>().is_ok_and(|number| number >= OWN_DESCRIPTORS)
}

/// Whether a redirection reaches such a descriptor, or one that cannot be told
/// (`{name}>…` takes or closes any).
fn reaches_own(one: &Redirection, line: &str) -> bool {
    let text = one.target.text.as_str();
    let unknown = one.target.exact().is_none();
    let named = line.as_bytes().get(one.span.start) == Some(&b'{');
    let kept = named || one.fd.is_some_and(|fd| fd >= OWN_DESCRIPTORS);
    match one.kind {
        Redirect::HereDocument | Redirect::HereString => kept,
        Redirect::Duplicate => kept || unknown || is_own(text),
        Redirect::Read | Redirect::Write | Redirect::Append | Redirect::ReadWrite => kept || text.contains("/fd/"),
    }
}

#[derive(Default)]
struct Found {
    words: Vec<String>,
    scripts: Vec<Script>,
    sure: bool,
    rewires: bool,
    /// Whether it may change `PATH`.
    names_path: bool,
    directories: Vec<String>,
}

impl Found {
    fn script(&mut self, path: &str, places: &Places) {
        self.file(path, places, Search::Nowhere);
    }

    /// A file that a shell is given.
    fn given_to_a_shell(&mut self, path: &str, places: &Places, search: Search) {
        self.file(path, places, if path.contains('/') { Search::Nowhere } else { search });
    }

    fn file(&mut self, path: &str, places: &Places, search: Search) {
        let anywhere = [Some(Vec::new())];
        let places = if path.starts_with('/') { anywhere.as_slice() } else { places.may_be.as_slice() };
        for after in places.iter().cloned() {
            let after = after.filter(|_| !(search == Search::First && self.names_path));
            let script = Script { path: path.to_owned(), after, search, settings: false };
            if !self.scripts.contains(&script) {
                self.scripts.push(script);
            }
        }
    }

    /// What the program of a command may come from where that is not one of its words: files that anything in the
    /// line, or around it, reads from, under whatever descriptor, or that what hands files on is given.
    fn fed(&mut self, line: &CommandLine, places: &[Places]) {
        let reads = |one: &&Redirection| matches!(one.kind, Redirect::Read | Redirect::ReadWrite);
        let file = |word: &Word| path_of(word).filter(|path| !is_input(path));
        for (command, place) in line.commands.iter().zip(places) {
            let hands_on = command.program_name().is_some_and(|name| HANDING_ON.contains(&name));
            let handed = command.arguments().iter().filter(|word| hands_on && !word.text.starts_with('-'));
            let read = command.redirections.iter().filter(reads).map(|one| &one.target);
            for path in read.chain(handed).filter_map(file) {
                self.script(&path, place);
            }
        }
        let around = if places.iter().all(Places::is_here) { Places::default() } else { Places::unknown() };
        for path in line.shared_redirections.iter().filter(reads).filter_map(|one| file(&one.target)) {
            self.script(&path, &around);
        }
    }

    /// Files of code that options and variables name.
    fn named(&mut self, base: &str, command: &SimpleCommand, places: &Places) {
        let start_files = command.assignments.iter().filter(|one| START_FILES.contains(&one.name.as_str()));
        let mut found: Vec<String> = start_files.flat_map(|one| &one.values).filter_map(path_of).collect();
        if base == "env" {
            let pairs = command.arguments().iter().filter_map(|word| word.exact()?.split_once('='));
            let pairs = pairs.filter(|(name, _)| START_FILES.contains(name)).map(|(_, file)| file.to_owned());
            found.extend(pairs);
            self.sure &= found.is_empty();
        }
        let options = CODE_OPTIONS.iter().find(|(name, _)| *name == base).map_or(&[][..], |(_, options)| options);
        let pairs = command.arguments().windows(2);
        found.extend(pairs.filter_map(|pair| match pair {
            [option, file] if options.contains(&option.text.as_str()) => path_of(file),
            _ => None,
        }));
        found.extend(files_it_may_run(base, command.arguments()));
        for named in instructions(base, command.arguments()).unwrap_or_default() {
            if !named.is_directory {
                found.push(named.path);
            } else if !self.directories.contains(&named.path) {
                self.directories.push(named.path);
            }
        }
        for path in found.iter().filter(|path| !is_input(path)) {
            self.script(path, places);
        }
        for path in of_home(base) {
            let script = Script { path, after: Some(Vec::new()), search: Search::Nowhere, settings: true };
            if !self.scripts.contains(&script) {
                self.scripts.push(script);
            }
        }
    }

    /// Whether it uses descriptors under which a driven shell keeps its own, or
    /// that cannot be told: what it hears and says there is not sure any more.
    fn meddles(command: &SimpleCommand, line: &str) -> bool {
        let own = |text: &str| is_own(text);
        let redirected = command.redirections.iter().any(|one| reaches_own(one, line));
        let reads = matches!(command.program_name(), Some("read" | "mapfile" | "readarray"));
        // `-u 62`, `-ru 62`, `-ru62`; where an option's own value looks like it, too.
        let option = |word: &Word| word.text.starts_with('-');
        let reached = |fd: &Word| fd.exact().is_none() || own(&fd.text);
        let named = |pair: &[Word]| matches!(pair, [u, fd] if option(u) && u.text.ends_with('u') && reached(fd));
        let attached = |word: &Word| option(word) && word.text.rsplit_once('u').is_some_and(|(_, fd)| own(fd));
        redirected || reads && (command.arguments().windows(2).any(named) || command.arguments().iter().any(attached))
    }

    /// One simple command; whether its program comes from elsewhere.
    fn command(&mut self, command: &SimpleCommand, places: &Places, several: bool, line: &str) -> bool {
        let decisive = |name: &str| {
            DECISIVE.contains(&name) || ["LD_", "BASH_", "DYLD_"].iter().any(|prefix| name.starts_with(prefix))
        };
        self.sure &= !command.assignments.iter().any(|assignment| decisive(&assignment.name));
        self.rewires |= Self::meddles(command, line);
        // What stands behind an alias is read by the shell alone: from the next command on.
        let aliases = several && command.assignments.iter().any(|one| one.name == "BASH_ALIASES");
        self.rewires |= aliases;
        for (path, is_directory) in places_that_variables_name(command) {
            if is_directory {
                self.directories.push(path);
            } else {
                self.script(&path, places);
            }
        }
        let Some(program) = command.program() else {
            let mut set = command.assignments.iter().filter(|one| EXPANDED.contains(&one.name.as_str()));
            self.rewires |= set.any(|one| one.values.iter().any(runs_as_a_prompt));
            return false;
        };
        let (Some(name), Some(base)) = (program.exact(), command.program_name()) else {
            self.sure = false;
            if let Some(path) = path_of(program) {
                self.script(&path, places);
            }
            return false;
        };
        self.named(base, command, places);
        for program in [as_program(command), as_common(command)].into_iter().flatten() {
            self.named(program.program_name().unwrap_or_default(), &program, places);
        }
        if !self.words.iter().any(|known| known == name) {
            self.words.push(name.to_owned());
        }
        if name.contains('/') {
            self.script(name, places);
        }
        let arguments: Vec<&str> = command.arguments().iter().map(|word| word.exact().unwrap_or("?")).collect();
        self.rewires |= rewires(base)
            || (several && base == "alias")
            || (ASSIGNING.contains(&base) && assigns_what_is_expanded(base, command.arguments()));
        self.sure &= !(several && changes_meaning(base, &arguments));
        match base {
            "." | "source" => match command.arguments().first().and_then(path_of) {
                Some(path) if !is_input(&path) => self.given_to_a_shell(&path, places, Search::First),
                Some(_) | None => {
                    self.sure = false;
                    return true;
                }
            },
            "eval" => return true,
            // Without a command of its own, each line that it reads is one.
            "parallel" if command.arguments().iter().all(|word| word.text.starts_with('-')) => {
                self.sure = false;
                return true;
            }
            _ => return self.interpreted(common_name(base), command.arguments(), places),
        }
        false
    }

    fn interpreted(&mut self, name: &str, arguments: &[Word], places: &Places) -> bool {
        let Some(known) = interpreter(name) else { return false };
        let paths: Vec<Option<String>> = arguments.iter().map(path_of).collect();
        let seen: Vec<&str> = paths.iter().map(|path| path.as_deref().unwrap_or("-")).collect();
        let reading = known.reading(&seen);
        self.sure &= reading.sure;
        let at = match reading.source {
            Source::Nothing => return false,
            Source::Input => {
                self.sure = false;
                // Or a file that is named by what only the shell knows.
                let named = |word: &&Word| path_of(word).is_none() && !word.text.starts_with(['-', '<']);
                if let Some(word) = arguments.first().filter(named) {
                    self.scripts.push(Script {
                        path: word.text.clone(),
                        after: None,
                        search: Search::Nowhere,
                        settings: false,
                    });
                }
                return true;
            }
            Source::Word(at) => at,
        };
        // Shells take it for an option that sets nothing, and go on to the next word: `bash + x.sh`, `bash + -c x`.
        if known.is_shell() && seen.get(at) == Some(&"+") {
            self.sure = false;
            let rest: Vec<Word> = arguments.iter().filter(|word| word.text != "+").cloned().collect();
            return self.interpreted(name, &rest, places);
        }
        match paths.get(at).and_then(Option::as_deref) {
            Some(path) if !known.is_text(&seen, at) && known.is_shell() => {
                self.given_to_a_shell(path, places, Search::Last);
            }
            Some(path) if !known.is_text(&seen, at) => self.script(path, places),
            // A program of that language in the line itself; of a shell, the tree has its commands.
            Some(_) => {}
            None => {
                self.sure = false;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
