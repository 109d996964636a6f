//! Letters and signs that look like others, and the marks and joiners that
//! belong to honest text: what a script needs is no trick.

use super::{Shown, Trick, marked};
use crate::facts::CommandLine;

/// Most marks on one character that languages use.
const MARKS: usize = 2;
/// Most words and marks whose place in the line is looked up.
const PLACES: usize = 256;

/// Whether `c`, which shows nothing by itself, is part of the writing around it.
pub(super) fn belongs(c: char, before: Option<char>, rest: &str, text: &str) -> bool {
    let Some(before) = before else { return false };
    let after = rest.chars().next();
    match u32::from(c) {
        // Joiners: between letters of scripts that use them, and in emoji.
        0x200C => joined(before) && after.is_some_and(joined),
        0x200D => joined(before) && after.is_some_and(joined) || pictured(before) && after.is_some_and(emoji),
        // Which form of an emoji or sign, or of a digit that becomes a key.
        0xFE0E | 0xFE0F => {
            sign(before) || (before.is_ascii_digit() || "#*".contains(before)) && after == Some('\u{20e3}')
        }
        // Which form of a Chinese character, and of a Mongolian letter.
        0xE0100..=0xE01EF => ideograph(before),
        0x180B..=0x180E => matches!(u32::from(before), 0x1820..=0x18AF),
        // A wide space between wide characters, and Arabic signs around numbers.
        0x3000 => wide(before) && after.is_some_and(wide),
        0x0600..=0x0605 | 0x06DD => joined(before) || after.is_some_and(|after| joined(after) || after.is_numeric()),
        // Flags of regions: a black flag, letters as tags, an end.
        0xE0020..=0xE007F => flag(rest, text),
        _ => false,
    }
}

/// Arabic, and the scripts of India and their neighbours.
fn joined(c: char) -> bool {
    matches!(u32::from(c), 0x0620..=0x06FF | 0x0750..=0x07FF | 0x0860..=0x0DFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0xFB50..=0xFDFF | 0xFE70..=0xFEFC)
}

fn emoji(c: char) -> bool {
    matches!(u32::from(c), 0x2190..=0x2BFF | 0x1F000..=0x1FAFF)
}

/// What may stand before a joiner in an emoji: its picture, colour or form.
fn pictured(c: char) -> bool {
    emoji(c) || c == '\u{fe0f}'
}

fn sign(c: char) -> bool {
    emoji(c) || matches!(u32::from(c), 0xA9 | 0xAE | 0x2000..=0x2BFF | 0x3030 | 0x303D | 0x3297 | 0x3299)
}

fn ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

fn wide(c: char) -> bool {
    ideograph(c) || matches!(u32::from(c), 0x3001..=0x30FF | 0x3100..=0x33FF | 0xAC00..=0xD7A3 | 0xFF01..=0xFF60)
}

fn flag(rest: &str, text: &str) -> bool {
    let tag = |c: &char| matches!(u32::from(*c), 0xE0020..=0xE007F);
    let mut back = text.chars().rev().skip_while(tag);
    let length = text.chars().rev().take_while(tag).count() + rest.chars().take_while(tag).count() + 1;
    let ended = rest.chars().take_while(tag).last().is_none_or(|last| last == '\u{e007f}');
    back.next() == Some('\u{1f3f4}') && ended && length <= 7
}

/// Words in which letters look like letters of another script.
pub(super) fn look_alikes(text: &str, line: &CommandLine, found: &mut Vec<Shown>) {
    let mut at = 0;
    let mut asked = 0..PLACES;
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let start = at;
        at += word.len();
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        if word.is_ascii() {
            continue;
        }
        let end = start + word.len();
        let latin = word.chars().any(|c| c.is_ascii_alphabetic());
        let strange = word.chars().any(styled)
            || latin && word.chars().any(looks_latin)
            || word.chars().any(|c| looks_latin(c) || resembles(c))
                && asked.next().is_some()
                && named(line, start, end);
        if strange {
            found.push(Shown { kind: Trick::Homoglyph, start, end, shown: word.chars().map(marked).collect() });
        }
    }
    signs(text, line, found);
}

/// Signs that look like those of the shell, of paths and of options.
fn signs(text: &str, line: &CommandLine, found: &mut Vec<Shown>) {
    let mut before = ' ';
    let mut asked = 0..PLACES;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if !c.is_ascii() {
            let after = text.get(end..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
            let touching = before.is_ascii_graphic() || after.is_ascii_graphic();
            let strange = match u32::from(c) {
                // Slashes, dots, colons, a semicolon, bars, a tilde and a dollar.
                0x2044 | 0x2215 | 0x29F8 | 0x2571 | 0x2024 | 0xA789 | 0x2236 | 0x037E | 0x01C0 | 0x2223 | 0x2758
                | 0x223C | 0xFE69 | 0x204E | 0x2217 | 0xA4FA | 0x0589 | 0x05C3 => touching,
                0xFF0D if begins_option(text, at, end) => true,
                // Full-width signs beside ASCII: `a｜b`, `＄x`, `ls；rm`.
                0xFF01..=0xFF0F | 0xFF1A..=0xFF20 | 0xFF3B..=0xFF40 | 0xFF5B..=0xFF5E => {
                    before.is_ascii_graphic() && after.is_ascii_graphic()
                        || after.is_ascii_alphabetic() && before == ' '
                        || operator(c) && asked.next().is_some() && operates(text, at, line)
                }
                // Dashes where an option begins, the second of two as well.
                _ if dash(c) => begins_option(text, at, end),
                _ => false,
            };
            if strange {
                found.push(Shown { kind: Trick::Homoglyph, start: at, end, shown: marked(c) });
            }
        }
        before = c;
    }
}

fn dash(c: char) -> bool {
    matches!(u32::from(c), 0x2010..=0x2015 | 0x2212 | 0xFE58 | 0xFE63 | 0xFF0D)
}

/// One of at most three dashes between a blank and the letter of an option:
/// not `a — b`, nor the dash of two that Chinese has.
fn begins_option(text: &str, at: usize, end: usize) -> bool {
    let aside = |c: &char| dash(*c) || *c == '-';
    let before = text.get(..at).and_then(|head| head.chars().rev().take(3).find(|c| !aside(c)));
    let after = text.get(end..).and_then(|tail| tail.chars().take(3).find(|c| !aside(c)));
    before == Some(' ') && after.is_some_and(|c| c.is_ascii_alphabetic())
}

/// Full-width `&`, `;`, `<`, `>` and `|`, and others that look like them.
fn operator(c: char) -> bool {
    matches!(u32::from(c), 0xFF06 | 0xFF1B | 0xFF1C | 0xFF1E | 0xFF5C)
}

/// Whether an operator would stand here: alone between words that are not
/// written wide themselves, and outside of quotes.
fn operates(text: &str, at: usize, line: &CommandLine) -> bool {
    let aside = |c: &char| c.is_whitespace() || operator(*c);
    let before = text.get(..at).and_then(|head| head.chars().rev().take(16).find(|c| !aside(c)));
    let after = text.get(at..).and_then(|tail| tail.chars().take(16).find(|c| !aside(c)));
    let narrow = |c: Option<char>| c.is_some_and(|c| !wide(c) && !joined(c));
    let bare = line.commands.iter().any(|command| {
        let mut words = command.words.iter();
        words.any(|word| word.span.start <= at && at < word.span.end && !word.quoted && word.text.chars().all(operator))
    });
    narrow(before) && narrow(after) && bare
}

/// In the name of a program, or in a host or a path.
fn named(line: &CommandLine, start: usize, end: usize) -> bool {
    line.commands.iter().any(|command| {
        let assigned = command.assignments.iter().any(|a| a.span.start == start);
        assigned
            || command.words.iter().enumerate().any(|(index, word)| {
                let touches = word.span.start <= start && end <= word.span.end;
                touches && (index == 0 || address(&word.text))
            })
    })
}

/// A host in a URL or after `@`: the whole of a name that would be looked up.
fn address(text: &str) -> bool {
    !text.contains(' ') && (text.contains("://") || text.contains('@'))
}

/// Letters of Greek that have a Latin twin, and those of Cyrillic, Armenian, Cherokee, Lisu and Coptic.
fn looks_latin(c: char) -> bool {
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγικνορτυχςϲϳ".contains(c)
        || matches!(u32::from(c), 0x0400..=0x052F | 0x0531..=0x058F | 0x13A0..=0x13FF | 0xA4D0..=0xA4F7 | 0x2C80..=0x2CFF | 0xAB70..=0xABBF)
}

/// Letters that belong to honest words, and not to the name of a program.
fn resembles(c: char) -> bool {
    matches!(u32::from(c), 0x0131 | 0x017F | 0x0180..=0x01BF | 0x0237 | 0x0250..=0x02AF | 0x0370..=0x03FF | 0x2070..=0x209C | 0x2100..=0x214F | 0x2160..=0x2188)
}

/// Full-width, mathematical, circled and raised forms of Latin letters and digits, and small capitals.
fn styled(c: char) -> bool {
    matches!(u32::from(c), 0xFF10..=0xFF19 | 0xFF21..=0xFF3A | 0xFF41..=0xFF5A | 0x1D400..=0x1D7FF | 0x1D00..=0x1D2B | 0x24B6..=0x24E9 | 0x1F130..=0x1F189)
}

/// Marks that cover what they stand on, or more of them than languages use.
pub(super) fn marks(text: &str, line: &CommandLine, found: &mut Vec<Shown>) {
    let mut asked = 0..PLACES;
    let (mut base, mut from, mut count, mut covers) = (' ', 0, 0usize, false);
    let end = text.len();
    for (at, c) in text.char_indices().chain([(end, ' ')]) {
        if combining(c) {
            count += 1;
            covers |= covering(c);
            continue;
        }
        let bare = base.is_ascii() && !base.is_ascii_alphabetic();
        let key = base.is_ascii_digit() || "#*".contains(base);
        let plain = text.get(from..at).is_some_and(|whole| whole.contains('\u{20e3}')) && key;
        let program = count > 0
            && base.is_ascii()
            && asked.next().is_some()
            && line
                .commands
                .iter()
                .any(|command| command.program().is_some_and(|word| word.span.start <= from && at <= word.span.end));
        if count > MARKS || count > 0 && !plain && (covers || bare || program) {
            let shown = text.get(from..at).unwrap_or_default().chars().take(24).map(marked).collect();
            found.push(Shown { kind: Trick::Combining, start: from, end: at, shown });
        }
        if c != '\u{fe0f}' {
            (base, from) = (c, at);
        }
        (count, covers) = (0, false);
    }
}

fn combining(c: char) -> bool {
    matches!(u32::from(c), 0x0300..=0x034E | 0x0350..=0x036F | 0x0483..=0x0489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20F0 | 0xFE20..=0xFE2F)
}

/// Strokes, lines and enclosures.
fn covering(c: char) -> bool {
    matches!(u32::from(c), 0x0332..=0x0338 | 0x0347 | 0x033F | 0x0305 | 0x0488..=0x0489 | 0x20D2..=0x20E6 | 0x20EA..=0x20EB)
}
