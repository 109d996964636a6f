//! Words that are written from right to left: a terminal that knows how to show
//! them shows several in a row, and numbers behind them, the last one first, so
//! that `cp א ב` looks like `cp ב א`. Within a text that a program is given they
//! belong together, and that is how they are read.

use super::{Shown, Trick, marked};
use crate::facts::{CommandLine, Word};

/// Most words whose place in the line is looked up.
const PLACES: usize = 256;
/// Most characters that are shown of a place.
const SHOWN: usize = 24;

/// Words, or parts of a path, that change places.
pub(super) fn words(text: &str, line: &CommandLine, found: &mut Vec<Shown>) {
    let mut asked = 0..PLACES;
    // Where it begins, the word that its last run stands in, and where that ends.
    let mut begun: Option<(usize, Option<&Word>, usize)> = None;
    for (at, c) in text.char_indices() {
        let (right, number) = (is_right(c), c.is_numeric());
        if !right && !number {
            if c.is_alphabetic() || c == '\n' {
                begun = None;
            }
            continue;
        }
        let end = at + c.len_utf8();
        begun = match begun {
            None if right => Some((at, asked.next().and_then(|_| word_at(line, at)), end)),
            None => None,
            Some((start, word, last)) if last == at => Some((start, word, end)),
            Some((start, before, last)) => {
                let word = asked.next().and_then(|_| word_at(line, at));
                let apart = before.zip(word).is_some_and(|(before, word)| match before.span == word.span {
                    false => true,
                    true => !word.text.contains(' ') && text.get(last..at).is_some_and(|between| between.contains('/')),
                });
                if apart {
                    let shown = text.get(start..end).unwrap_or_default().chars().take(SHOWN).map(marked).collect();
                    found.push(Shown { kind: Trick::Bidirectional, start, end, shown });
                }
                if apart { None } else { Some((start, word.or(before), end)) }
            }
        };
    }
}

/// Hebrew, Arabic, and the others of their kind.
fn is_right(c: char) -> bool {
    matches!(u32::from(c), 0x0591..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFC | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
        && !c.is_numeric()
}

/// The innermost word that has this place.
fn word_at(line: &CommandLine, at: usize) -> Option<&Word> {
    let commands = line.commands.iter();
    let all = commands.flat_map(|command| {
        let assigned = command.assignments.iter().flat_map(|assignment| &assignment.values);
        let targets = command.redirections.iter().map(|redirection| &redirection.target);
        command.words.iter().chain(assigned).chain(targets)
    });
    all.filter(|word| word.span.start <= at && at < word.span.end).min_by_key(|word| word.span.end - word.span.start)
}
