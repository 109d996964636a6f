//! Shells, interpreters and database clients: where each finds its program.
//!
//! One table for the policy (which line may be a rule) and for [`crate::hold`]
//! (which line reads its program from standard input). It fails closed: an
//! option that is not listed makes the answer unsure, and may have taken the
//! next word as its value.

mod table;
mod talk;

pub use table::interpreter;
pub(crate) use table::without_version;
pub(crate) use talk::{HOLDS_A_PROGRAM, KEEPS_A_SHELL, OBEYS_INPUT, STARTERS, TALKS};
pub use talk::{PAGERS, TAKES_COMMANDS};

/// What kind of program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A shell: `-c` is a flag, and its text is the first operand.
    Shell,
    /// Its first operand is a script file.
    Interpreter,
    /// Its operands before the last of so many are data (a database, a host).
    Client {
        /// The operand that is a program; `None` where none ever is.
        program_operand: Option<usize>,
    },
}

/// A program that runs programs, and its options, letter by letter.
#[derive(Debug, Clone, Copy)]
pub struct Interpreter {
    /// Its file names, without a version at the end.
    names: &'static [&'static str],
    /// What kind it is.
    pub kind: Kind,
    /// Letters known to take no value and to change nothing about where the program is.
    flags: &'static str,
    /// Letters that take no value, and make it read start-up files or the like.
    start_up: &'static str,
    /// Letters whose value can only be in the same word.
    attached: &'static str,
    /// Letters known to take the next word (or the rest of their own). Only of a client can one be sure after that.
    valued: &'static str,
    /// Letters with which it reads standard input.
    input: &'static str,
    /// Letters whose value is the program, or the file it is in.
    program: &'static str,
    /// Whole options, dashes cut off, known to take no value.
    long_flags: &'static [&'static str],
    /// Whole options whose value is the program.
    long_program: &'static [&'static str],
    /// Whole options that print something and end.
    long_info: &'static [&'static str],
}

/// Where a line has the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Where it is.
    pub source: Source,
    /// Whether every option before it is known to take no value.
    pub sure: bool,
}

/// Where a program comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From standard input or a terminal.
    Input,
    /// From the word of this index: its text, or the file that holds it.
    Word(usize),
    /// Nothing is run: it prints its version or help.
    Nothing,
}

/// What one option means for the search.
enum Step {
    Found(Source),
    Next,
    /// The next word is its value.
    SkipValue,
    /// Not known: the next word may be its value.
    Unknown,
    /// Known, and unfit to be sure of.
    StartUp,
}

impl Interpreter {
    /// Whether it is a shell.
    pub fn is_shell(&self) -> bool {
        self.kind == Kind::Shell
    }

    /// Where the program is, by the words after the program's name.
    pub fn reading(&self, words: &[&str]) -> Reading {
        let mut sure = true;
        let client = matches!(self.kind, Kind::Client { .. });
        let (mut options, mut maybe_value) = (true, false);
        let (mut text_follows, mut operands) = (false, 0usize);
        let mut index = 0;
        while let Some(word) = words.get(index) {
            index += 1;
            if is_redirection(word) {
                index += usize::from(word.trim_end_matches(['<', '>', '&', '|']).bytes().all(|b| b.is_ascii_digit()));
                continue;
            }
            if is_input(word) {
                return Reading { source: Source::Input, sure };
            }
            if options && *word == "--" {
                (options, maybe_value) = (false, false);
                continue;
            }
            if options && word.len() > 1 && word.starts_with(['-', '+']) {
                maybe_value = false;
                match self.option(word, words, index, &mut text_follows) {
                    Step::Found(source) => return Reading { source, sure },
                    Step::Next => {}
                    Step::SkipValue => {
                        index += 1;
                        sure &= client;
                    }
                    Step::Unknown => (sure, maybe_value) = (false, true),
                    Step::StartUp => sure = false,
                }
                continue;
            }
            if maybe_value {
                maybe_value = false;
                continue;
            }
            operands += 1;
            let is_program = match self.kind {
                Kind::Shell | Kind::Interpreter => true,
                Kind::Client { program_operand } => program_operand == Some(operands),
            };
            if is_program || text_follows {
                return Reading { source: Source::Word(index - 1), sure };
            }
        }
        Reading { source: Source::Input, sure }
    }

    /// Whether the program that [`Self::reading`] found at this word is text of
    /// its own, and not the name of a file that holds it.
    pub fn is_text(&self, words: &[&str], at: usize) -> bool {
        if self.is_shell() {
            let before = words.get(..at).unwrap_or_default();
            return before.iter().any(|word| {
                *word == "--command" || (!word.starts_with("--") && word.starts_with('-') && word.contains('c'))
            });
        }
        let names_file = |option: &str| matches!(option, "-f" | "--file");
        let takes_program = |option: &str| {
            let name = option.trim_start_matches('-').split('=').next().unwrap_or("");
            let letters = !option.starts_with("--") && name.ends_with(|c| self.program.contains(c));
            option.starts_with('-') && (letters || self.long_program.contains(&name))
        };
        let before = at.checked_sub(1).and_then(|before| words.get(before)).copied().unwrap_or("");
        match words.get(at) {
            // The value is in the same word: `-ecode`, `--file=x`.
            Some(word) if word.starts_with('-') => true,
            _ if takes_program(before) => !names_file(before),
            _ => matches!(self.kind, Kind::Client { .. }),
        }
    }

    fn option(&self, word: &str, words: &[&str], after: usize, text_follows: &mut bool) -> Step {
        let bare = word.trim_start_matches('-');
        let (name, value) = bare.split_once('=').map_or((bare, None), |(name, value)| (name, Some(value)));
        if self.long_info.contains(&name) {
            return Step::Found(Source::Nothing);
        }
        if self.long_flags.contains(&name) && value.is_none() {
            return Step::Next;
        }
        if self.long_program.contains(&name) {
            return match value {
                Some(value) => Step::Found(if is_input(value) { Source::Input } else { Source::Word(after - 1) }),
                None => Step::Found(program_at(words, after)),
            };
        }
        if word.starts_with("--") {
            return if value.is_some() { Step::StartUp } else { Step::Unknown };
        }
        self.letters(word, words, after, text_follows)
    }

    fn letters(&self, word: &str, words: &[&str], after: usize, text_follows: &mut bool) -> Step {
        let mut step = Step::Next;
        let mut letters = word.get(1..).unwrap_or("").chars();
        while let Some(letter) = letters.next() {
            let rest = !letters.as_str().is_empty();
            if self.input.contains(letter) {
                return Step::Found(Source::Input);
            } else if self.program.contains(letter) && self.is_shell() {
                *text_follows = true;
            } else if self.program.contains(letter) {
                let here = Source::Word(after - 1);
                return Step::Found(if rest { here } else { program_at(words, after) });
            } else if self.flags.contains(letter) {
            } else if self.start_up.contains(letter) {
                step = Step::StartUp;
            } else if self.attached.contains(letter) {
                return step;
            } else if self.valued.contains(letter) {
                return if rest { step } else { Step::SkipValue };
            } else {
                step = Step::Unknown;
                // A shell reads on in the same word; elsewhere the rest may be the value.
                if !self.is_shell() {
                    return step;
                }
            }
        }
        step
    }
}

fn program_at(words: &[&str], index: usize) -> Source {
    match words.get(index) {
        Some(word) if !is_input(word) => Source::Word(index),
        Some(_) | None => Source::Input,
    }
}

/// `bash>x` is the word `bash` and a redirection: the line with a space before
/// each redirection, quoted or not. A number before it stays with it.
pub fn redirections_apart(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if matches!(c, '<' | '>') && glued(&out) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// Whether what stands before a redirection belongs to another word.
pub fn glued(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
    !word.bytes().all(|b| b.is_ascii_digit()) && !word.ends_with(['<', '>', '&', '|'])
}

/// An operand that means standard input, a terminal or what a descriptor leads to. What lies in memory (`/dev/shm/x`)
/// or behind a directory (`/proc/self/cwd/x`, `/dev/fd/5/x`) is a file as any other, and so is what another process has
/// open (`/proc/1234/fd/5`).
pub fn is_input(word: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = word.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let device = match *parts {
        ["dev", name] | ["dev", "fd" | "pts", name] => name != "..",
        ["proc", of, "fd", fd] | ["proc", of, "task", _, "fd", fd] => of != ".." && !number(of) && number(fd),
        _ => false,
    };
    word == "-" || word.starts_with('/') && device
}

/// `<file`, `2>`, `>>x`, `&>x`: no operand of the program.
fn is_redirection(word: &str) -> bool {
    word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&').starts_with(['<', '>'])
}
