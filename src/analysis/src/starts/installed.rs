//! A program of the host that is a script, handed to its interpreter: `bash /usr/bin/ldd x` runs what `ldd x` runs.

use super::acting::{HOLDS_COMMANDS, names_programs};
use super::instructions::is_known;
use crate::facts::{SimpleCommand, Word};
use crate::launch::is_wrapper;
use crate::programs::{Source, interpreter};
use crate::words::base_name;

/// Such a program as a command of its own, where a table says of its name that words of it decide what runs.
pub(super) fn as_program(command: &SimpleCommand) -> Option<SimpleCommand> {
    let known = interpreter(command.program_name()?)?;
    let seen: Vec<&str> = command.arguments().iter().map(|word| word.exact().unwrap_or("-")).collect();
    let Source::Word(at) = known.reading(&seen).source else { return None };
    let words: &[Word] = command.words.get(at + 1..).filter(|_| !known.is_text(&seen, at))?;
    let name = base_name(words.first()?.exact()?);
    let tells = HOLDS_COMMANDS.contains(&name) || is_known(name) || names_programs(name).is_some() || is_wrapper(name);
    tells.then(|| SimpleCommand { words: words.to_vec(), ..command.clone() })
}
