//! Programs whose arguments name another program: how to find it.

use super::Launch;
use super::table::TABLE;
use super::text::joined;
use crate::facts::{Opaque, Runs, Span, Unknown, Word};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What follows a wrapper's own options and operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A command, word by word.
    Words,
    /// A command; more words come from elsewhere.
    Appended,
    /// Words that are joined to a text for a shell.
    Text,
    /// Nothing: the text is the value of an option.
    Nothing,
}

/// A program whose arguments name another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrapper {
    /// Its names, and after a space the subcommand that runs something.
    pub names: &'static [&'static str],
    pub by: Runs,
    pub style: Style,
    /// Letters without a value.
    pub flags: &'static str,
    /// Letters with one.
    pub valued: &'static str,
    /// Letters whose value is a text for a shell.
    pub text: &'static str,
    /// Letters with which nothing is run.
    pub idle: &'static str,
    pub long_flags: &'static [&'static str],
    pub long_valued: &'static [&'static str],
    pub long_text: &'static [&'static str],
    /// How many operands come before the command.
    pub operands: usize,
    /// Whether `A=1` may come before the command.
    pub assignments: bool,
    /// Whether options that are not listed are taken as having a value, without doubt about the line.
    pub lenient: bool,
}

/// A wrapper and the subcommand that makes it one.
type Named = (Option<&'static str>, &'static Wrapper);

/// The wrapper of this name, given what it is asked to do.
pub(super) fn wrapper(name: &str, arguments: &[Word]) -> Option<&'static Wrapper> {
    static BY_NAME: LazyLock<HashMap<&'static str, Vec<Named>>> = LazyLock::new(|| {
        let mut map: HashMap<_, Vec<_>> = HashMap::new();
        for wrapper in TABLE {
            for known in wrapper.names {
                let (name, subcommand) = known.split_once(' ').map_or((*known, None), |(name, sub)| (name, Some(sub)));
                map.entry(name).or_default().push((subcommand, wrapper));
            }
        }
        map
    });
    let asked = arguments.first().map_or("", |word| word.text.as_str());
    // In the order of the table.
    let known = BY_NAME.get(name)?.iter();
    known.filter(|(subcommand, _)| subcommand.is_none_or(|sub| sub == asked)).map(|(_, wrapper)| *wrapper).next()
}

/// Where in the arguments the search is.
struct Search<'w> {
    words: &'w [Word],
    at: usize,
    found: Vec<Launch>,
    /// An option said that nothing is run.
    pub idle: bool,
    /// What `xargs -I` replaces.
    replaced: Option<&'w str>,
}

impl Wrapper {
    /// Whether its command stands behind an option of which nothing is known, with a word between them.
    pub(super) fn begins_with_a_guess(&self, arguments: &[Word]) -> bool {
        if !self.lenient || !self.flags.is_empty() {
            return false;
        }
        let number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('/');
        let mut rest = arguments.iter().peekable();
        // A subcommand (`perf stat`) stands first.
        let subcommand =
            |word: &Word| self.names.iter().any(|name| name.split_once(' ').is_some_and(|(_, sub)| sub == word.text));
        rest.next_if(|word| subcommand(word));
        while let Some(option) = rest.next_if(|word| word.text.starts_with('-') && word.text != "--") {
            let attached = option.text.contains('=') || option.text.get(2..).is_some_and(number);
            // The word is a value, or what runs.
            let word = rest.next_if(|next| !attached && !next.text.starts_with('-'));
            if option.exact().is_none() || word.is_some_and(|word| !number(&word.text)) {
                return true;
            }
        }
        false
    }

    /// What it runs with these arguments.
    pub(super) fn launches(&self, arguments: &[Word]) -> Vec<Launch> {
        let subcommand = self.names.iter().any(|name| {
            name.split_once(' ').is_some_and(|(_, sub)| arguments.first().is_some_and(|word| word.text == sub))
        });
        let at = usize::from(subcommand);
        let mut search = Search { words: arguments, at, found: Vec::new(), idle: false, replaced: None };
        let mut operands = self.operands;
        while let Some(word) = search.words.get(search.at) {
            if word.exact().is_none() && operands == 0 && !word.text.starts_with('-') {
                break;
            }
            if word.text == "--" {
                search.at += 1;
                search.at += operands;
                break;
            }
            if word.text.starts_with('-') && (word.text.len() > 1 || self.assignments) {
                search.at += 1;
                self.option(word, &mut search);
            } else if self.assignments && word.text.split_once('=').is_some_and(|(name, _)| !name.is_empty()) {
                search.at += 1;
            } else if operands > 0 {
                operands -= 1;
                search.at += 1;
            } else {
                break;
            }
        }
        let rest = search.words.get(search.at..).unwrap_or_default().to_vec();
        if !search.idle && !rest.is_empty() {
            search.found.extend(self.command(rest, search.replaced));
        }
        search.found
    }

    fn command(&self, mut rest: Vec<Word>, replaced: Option<&str>) -> Option<Launch> {
        match self.style {
            Style::Words => Some(Launch::Words(self.by, rest)),
            Style::Appended => {
                match replaced {
                    Some(mark) => rest.iter_mut().filter(|word| word.text.contains(mark)).for_each(|word| {
                        word.unknown.add(Unknown::APPENDED);
                    }),
                    None => rest.push(appended(&rest)),
                }
                Some(Launch::Words(self.by, rest))
            }
            Style::Text => joined(&rest).map(|text| Launch::Text(self.by, text)),
            Style::Nothing => None,
        }
    }

    fn option<'w>(&self, word: &'w Word, search: &mut Search<'w>) {
        if let Some(long) = word.text.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let is_known = self.long_flags.contains(&name) || self.long_valued.contains(&name);
            // getopt takes shortened names.
            if !is_known && !name.is_empty() && self.long_text.iter().any(|known| known.starts_with(name)) {
                self.text_value(word, value.map(|_| name.len() + 3), search);
            } else if value.is_some() || self.long_flags.contains(&name) {
            } else if self.long_valued.contains(&name) || self.lenient {
                search.at += 1;
            } else {
                search.found.push(Launch::Hidden(Opaque::UnknownOption, word.span));
            }
            return;
        }
        let letters = word.text.char_indices().skip(1);
        for (at, letter) in letters {
            let attached = at + letter.len_utf8() < word.text.len();
            if self.text.contains(letter) {
                return self.text_value(word, attached.then_some(at + 1), search);
            } else if self.idle.contains(letter) {
                search.idle = true;
            } else if self.flags.contains(letter) {
            } else if self.valued.contains(letter) || self.lenient {
                if self.by == Runs::Xargs && letter == 'I' {
                    let value = if attached {
                        word.text.get(at + 1..)
                    } else {
                        search.words.get(search.at).map(|w| w.text.as_str())
                    };
                    search.replaced = value;
                }
                if self.by == Runs::Remote && letter == 'o' {
                    proxy(word, at, attached, search);
                }
                search.at += usize::from(!attached);
                return;
            } else {
                search.found.push(Launch::Hidden(Opaque::UnknownOption, word.span));
                return;
            }
        }
    }

    /// The value of an option is a text for a shell, here from `offset` on or the next word.
    fn text_value(&self, word: &Word, offset: Option<usize>, search: &mut Search<'_>) {
        let value = match offset {
            Some(offset) => Some(word.rest(offset)),
            None => {
                search.at += 1;
                search.words.get(search.at - 1).cloned()
            }
        };
        // env reads escapes of its own (`\n`, `\_`, `${NAME}`), and comments.
        let own = |text: &Word| self.names.contains(&"env") && text.text.contains(['\\', '$', '#']);
        search
            .found
            .extend(value.as_ref().filter(|text| own(text)).map(|text| Launch::Hidden(Opaque::UnknownText, text.span)));
        search.found.extend(value.map(|text| Launch::Text(self.by, text)));
    }
}

/// `ssh -o ProxyCommand=…` runs here, not there.
fn proxy(word: &Word, at: usize, attached: bool, search: &mut Search<'_>) {
    let value = if attached { Some(word.rest(at + 1)) } else { search.words.get(search.at).cloned() };
    let Some(value) = value else { return };
    let lower = value.text.to_ascii_lowercase();
    for name in ["proxycommand", "localcommand", "knownhostscommand"] {
        if let Some(rest) = lower.trim_start().strip_prefix(name) {
            let offset = lower.len() - rest.trim_start_matches(['=', ' ']).len();
            search.found.push(Launch::Text(Runs::ShellText, value.rest(offset)));
            return;
        }
    }
}

/// A word that stands for those that come from the input.
fn appended(words: &[Word]) -> Word {
    let end = words.last().map_or(0, |word| word.span.end);
    let mut word = Word { span: Span { start: end, end }, ..Word::default() };
    word.unknown.add(Unknown::APPENDED);
    word
}
