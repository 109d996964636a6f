//! Which lines may become an exact whitelist rule.
//!
//! A line whose program comes from somewhere else (standard input, a pipe, an
//! interactive shell) says nothing about what will run, so no such line can be
//! approved in advance. This is a scan of words, not a parser: it may refuse a
//! harmless line that looks like one of these, and a person is asked then. It
//! must never be used to let something pass.

mod pattern;

pub use pattern::{UnfitPattern, advice, check_pattern};

use crate::known::{
    COMMAND_HOLDERS, FEEDERS, FIND_RUNS, GIT_READS, KEYWORDS, PAGERS, PAGES_BY_ITSELF, PYTHON_TALKS,
    READS_PROGRAM_FILE, RUN_TEXT, TAKES_COMMANDS, TALKS_ON_TERMINAL,
};
use crate::words::{Word, blind, quoted};
use crate::wrapper::Wrapper;
use countersign_analysis::programs::{Interpreter, Source};
use countersign_core::{CommandText, NotText};

/// Why a line cannot be a rule. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Not a command line.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// A shell or interpreter that takes its program from elsewhere.
    #[error(
        "`{word}` would run a program that is not in this line, or has an option that may hide one (a program comes from a script file named here, or from -c; options with a value are not accepted); name the script file it runs"
    )]
    ProgramFromElsewhere {
        /// The word that starts it.
        word: String,
    },
    /// An editor, a pager, a remote shell: told what to do while it runs.
    #[error("`{word}` takes commands while it runs, which no rule can see; a person decides each time")]
    TakesCommands {
        /// The word that starts it.
        word: String,
    },
    /// Harmless without a terminal only.
    #[error(
        "`{word}` may offer a shell or a pager on a terminal; add this rule without on_terminal, or write --no-pager where it has that"
    )]
    TalksOnTerminal {
        /// The word.
        word: String,
    },
    /// A program that only runs another one, without that other one.
    #[error("`{word}` alone says nothing of what it will run; write the whole line it runs")]
    WrapperAlone {
        /// The wrapper.
        word: String,
    },
    /// More programs within programs than are looked through.
    #[error("the line runs programs within programs more than {MAX_NESTING} times; put them into a script file")]
    TooNested,
    /// Text that is built at run time and then run.
    #[error("`{word}` runs text that is made up at run time; write the command itself")]
    RunsBuiltText {
        /// The word that runs it.
        word: String,
    },
}

/// So many words of a line may be programs that run others: looking through
/// them costs up to twice the time for each.
const MAX_NESTING: usize = 10;

/// Reads a line that shall become an exact rule; `on_terminal`: one that shall
/// hold where the login has a terminal too.
pub fn check_line(line: &str, on_terminal: bool) -> Result<CommandText, Unfit> {
    let text = CommandText::parse(line.as_bytes())?;
    // A backslash at the end of a line joins two lines, in the middle of a word too.
    let joined = line.replace("\\\n", "");
    let blind = blind(&joined);
    if blind.iter().flatten().filter(|word| runs_others(word)).count() > MAX_NESTING {
        return Err(Unfit::TooNested);
    }
    for words in blind.iter().chain(&quoted(&joined)) {
        check_simple(words)?;
    }
    if on_terminal {
        for words in &blind {
            check_terminal(words)?;
        }
    }
    Ok(text)
}

fn runs_others(word: &Word) -> bool {
    let name = word.program();
    let holders = [COMMAND_HOLDERS, FEEDERS, &["find", "ssh", "slogin", "rsh"]];
    Wrapper::of(word).is_some() || word.interpreter().is_some() || holders.iter().any(|known| known.contains(&name))
}

/// On a terminal no word at all may be the name of a program that talks there.
fn check_terminal(words: &[Word]) -> Result<(), Unfit> {
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        let name = word.program();
        let talks = [TAKES_COMMANDS, PAGERS, TALKS_ON_TERMINAL].iter().any(|known| known.contains(&name));
        let pages = PAGES_BY_ITSELF.contains(&name) && !reads_without_pager(name, after);
        if talks || pages || word.interpreter().is_some() || (word.built && rest.len() == words.len()) {
            return Err(Unfit::TalksOnTerminal { word: word.bare.clone() });
        }
        rest = after;
    }
    Ok(())
}

fn reads_without_pager(name: &str, after: &[Word]) -> bool {
    let word = |index: usize| after.get(index).map_or("", |word| word.bare.as_str());
    word(0) == "--no-pager" && (name != "git" || GIT_READS.contains(&word(1))) && word(1) != "edit"
}

/// Looks at one simple command: assignments, wrappers, program, operands.
fn check_simple(words: &[Word]) -> Result<(), Unfit> {
    let mut rest = words;
    let mut wrapped_by: Option<&Word> = None;
    while let Some((first, after)) = rest.split_first() {
        if first.is_assignment() || KEYWORDS.contains(&first.bare.as_str()) {
            rest = after;
        } else if first.is_redirection() {
            rest = after_redirection(first, after);
        } else if let Some(wrapper) = Wrapper::of(first) {
            wrapped_by = Some(first);
            let elsewhere = || Unfit::ProgramFromElsewhere { word: first.bare.clone() };
            let wrapped = wrapper.skip(after).ok_or_else(elsewhere)?;
            rest = wrapped.rest;
            if !wrapped.sure {
                check_anywhere(rest, Some(first))?;
            }
        } else {
            return check_program(first, after, wrapped_by);
        }
    }
    match wrapped_by {
        Some(wrapper) => Err(Unfit::WrapperAlone { word: wrapper.bare.clone() }),
        None => Ok(()),
    }
}

/// Each word that could be a program must be fit as one.
fn check_anywhere(words: &[Word], wrapped_by: Option<&Word>) -> Result<(), Unfit> {
    let mut rest = words;
    while let Some((first, after)) = rest.split_first() {
        let name = first.program();
        if first.interpreter().is_some() || name == "ssh" || TAKES_COMMANDS.contains(&name) || RUN_TEXT.contains(&name)
        {
            check_program(first, after, wrapped_by)?;
        } else if Wrapper::of(first).is_some() {
            check_simple(rest)?;
        }
        rest = after;
    }
    Ok(())
}

fn check_program(first: &Word, operands: &[Word], wrapped_by: Option<&Word>) -> Result<(), Unfit> {
    let word = || first.bare.clone();
    let name = first.program();
    let fed = FEEDERS.contains(&name) || wrapped_by.is_some_and(|w| FEEDERS.contains(&w.program()));
    if RUN_TEXT.contains(&name) || first.built {
        return Err(Unfit::RunsBuiltText { word: word() });
    }
    if TAKES_COMMANDS.contains(&name) || (PAGERS.contains(&name) && !operands.iter().any(names_a_file)) {
        return Err(Unfit::TakesCommands { word: word() });
    }
    if matches!(name, "." | "source") || READS_PROGRAM_FILE.contains(&name) {
        let from_input = operands.iter().any(|w| w.bare.trim_start_matches("-f") == "-" || w.reads_program());
        let sourced = matches!(name, "." | "source") && operands.iter().any(Word::reads_input);
        if from_input || sourced || (name == "crontab" && !crontab_is_told(operands)) {
            return Err(Unfit::ProgramFromElsewhere { word: word() });
        }
    }
    if matches!(name, "ssh" | "slogin" | "rsh") {
        let command = remote_command(operands).ok_or_else(|| Unfit::TakesCommands { word: word() })?;
        // The other side's shell reads the words again.
        let again: Option<Vec<&str>> = command.iter().map(|w| w.text.as_deref()).collect();
        return again.map_or_else(|| check_simple(command), |texts| check_text(&texts.join(" ")));
    }
    if let Some(known) = first.interpreter() {
        return check_interpreter(first, known, operands, fed);
    }
    if name == "find" {
        return match operands.iter().position(|w| FIND_RUNS.contains(&w.bare.as_str())) {
            Some(at) => check_anywhere(operands.get(at + 1..).unwrap_or(&[]), wrapped_by),
            None => Ok(()),
        };
    }
    // A program that holds a command: look for an interpreter among its operands.
    if COMMAND_HOLDERS.contains(&name) || FEEDERS.contains(&name) {
        return check_anywhere(operands, if fed { Some(first) } else { wrapped_by });
    }
    Ok(())
}

impl Word {
    fn reads_program(&self) -> bool {
        self.bare == "/dev/stdin" || self.bare.starts_with("/dev/fd/") || self.bare.starts_with("/proc/")
    }
}

fn names_a_file(word: &Word) -> bool {
    !word.is_option() && !word.reads_input() && !word.built
}

/// `crontab FILE`, `crontab -l`, `crontab -r`: not standard input, not an editor.
fn crontab_is_told(operands: &[Word]) -> bool {
    match operands.first().map(|w| w.bare.as_str()) {
        Some("-l" | "-r") => true,
        Some("-u") => operands.get(2).is_some_and(|w| names_a_file(w) || matches!(w.bare.as_str(), "-l" | "-r")),
        Some(_) => operands.first().is_some_and(names_a_file),
        None => false,
    }
}

/// The words that `ssh` sends to the other side; `None` where there are none or it is not sure.
fn remote_command(operands: &[Word]) -> Option<&[Word]> {
    const FLAGS: &str = "46AaCfGgKkMnqTvXxYy";
    const VALUED: &str = "BbcDEeFIiJLlmoPpQRSw";
    let mut rest = operands;
    while let Some((first, after)) = rest.split_first() {
        let Some(letters) = first.bare.strip_prefix('-') else {
            let sent = after.iter().any(|w| !w.is_redirection() && !w.bare.trim().is_empty());
            return Some(after).filter(|_| sent && !first.built && !first.is_redirection());
        };
        let plain = letters.trim_start_matches(|c| FLAGS.contains(c));
        rest = match plain.chars().next() {
            None => after,
            Some(letter) if VALUED.contains(letter) && plain.len() == 1 => after.get(1..)?,
            Some(letter) if VALUED.contains(letter) => after,
            Some(_) => return None,
        };
    }
    None
}

/// An interpreter is fit where it is sure which program it runs.
fn check_interpreter(first: &Word, known: &Interpreter, operands: &[Word], fed: bool) -> Result<(), Unfit> {
    let elsewhere = || Err(Unfit::ProgramFromElsewhere { word: first.bare.clone() });
    // What is made up at run time may be nothing at all, or `-`.
    let seen: Vec<&str> = operands.iter().map(|w| if w.built { "-" } else { w.bare.as_str() }).collect();
    let reading = known.reading(&seen);
    let at = match reading.source {
        Source::Nothing => return Ok(()),
        Source::Input => return elsewhere(),
        Source::Word(_) if fed || !reading.sure => return elsewhere(),
        Source::Word(at) => at,
    };
    let program = operands.get(at).map_or("", |w| w.bare.as_str());
    let before = at.checked_sub(1).and_then(|at| operands.get(at)).map_or("", |w| w.bare.as_str());
    let module = (before.starts_with('-') && before.ends_with('m')).then_some(program);
    if PYTHON_TALKS.contains(&module.unwrap_or_else(|| program.strip_prefix("-m").unwrap_or(""))) {
        return Err(Unfit::TakesCommands { word: first.bare.clone() });
    }
    let text_of_a_shell = operands.get(..at).is_some_and(|before| before.iter().any(is_text_flag));
    if known.is_shell() && text_of_a_shell {
        // The text of `-c` is a line of its own; where quotes do not count its words follow.
        return match operands.get(at).and_then(|w| w.text.as_deref()) {
            Some(text) => check_text(text),
            None => check_simple(operands.get(at..).unwrap_or(&[])),
        };
    }
    Ok(())
}

/// A line within a line. Each level of quotes makes it shorter.
fn check_text(text: &str) -> Result<(), Unfit> {
    quoted(text).iter().try_for_each(|words| check_simple(words))
}

fn is_text_flag(word: &Word) -> bool {
    word.bare == "--command" || (!word.bare.starts_with("--") && word.bare.starts_with('-') && word.bare.contains('c'))
}

fn after_redirection<'a>(word: &Word, after: &'a [Word]) -> &'a [Word] {
    let target = word.bare.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['<', '>']);
    if target.is_empty() { after.get(1..).unwrap_or(&[]) } else { after }
}

#[cfg(test)]
mod tests;
