//! Completing file and command names without running anything: what the caller
//! should look for, and how what it found is written for bash.

use countersign_core::legible;
use unicode_width::UnicodeWidthStr;

/// Lists so many candidates at most.
const MAX_LISTED: usize = 100;

/// The word before the cursor, as bash would read it. The caller lists the
/// names that begin with `prefix`: in `directory`, or, where that is empty and
/// `command` is set, among the commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialWord {
    /// The word up to and with its last `/`; empty when it has none.
    pub directory: String,
    /// What follows.
    pub prefix: String,
    /// The word stands where a command is named.
    pub command: bool,
    /// Where what stands for `prefix` begins in the text.
    pub(super) start: usize,
    pub(super) quote: Quote,
}

/// A name that would fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The last part of its path.
    pub name: String,
    /// A `/` follows it instead of a space.
    pub directory: bool,
}

/// The quotes a word is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    None,
    Single,
    Double,
}

/// Reads the word that ends at `cursor`; `None` when its value is not known
/// without running something.
pub(super) fn partial_word(text: &str, cursor: usize) -> Option<PartialWord> {
    let before = text.get(..cursor)?;
    let mut word =
        PartialWord { directory: String::new(), prefix: String::new(), command: true, start: 0, quote: Quote::None };
    let mut begun = false;
    let mut known = true;
    let mut chars = before.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        match (word.quote, c) {
            (Quote::None, ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>') => {
                let separates = matches!(c, '\n' | ';' | '&' | '|' | '(');
                let follows_command = begun && !word.command_may_follow();
                word.command = separates || (word.command && !follows_command && !matches!(c, '<' | '>'));
                (word.directory, word.prefix, word.start) = (String::new(), String::new(), end);
                (begun, known) = (false, true);
                continue;
            }
            (Quote::None, '\\') => match chars.next() {
                Some((_, '\n')) => {}
                Some((_, escaped)) => word.prefix.push(escaped),
                None => known = false,
            },
            (Quote::Double, '\\') => match chars.peek().copied() {
                Some((_, escaped @ ('$' | '`' | '"' | '\\'))) => {
                    chars.next();
                    word.prefix.push(escaped);
                }
                Some(_) | None => word.prefix.push(c),
            },
            (Quote::None, '\'') => word.quote = Quote::Single,
            (Quote::None, '"') => word.quote = Quote::Double,
            (Quote::Single, '\'') | (Quote::Double, '"') => word.quote = Quote::None,
            (Quote::None, '*' | '?' | '[' | '{' | '$' | '`') | (Quote::Double, '$' | '`') => known = false,
            (_, '/') => {
                word.prefix.push(c);
                let part = std::mem::take(&mut word.prefix);
                word.directory.push_str(&part);
                word.start = end;
            }
            (_, c) => word.prefix.push(c),
        }
        begun = true;
    }
    // A quote opened within what would be replaced must stay open.
    let raw = text.get(word.start..cursor).unwrap_or_default();
    if word.quote != Quote::None {
        let quote = if word.quote == Quote::Single { '\'' } else { '"' };
        if let Some(at) = raw.rfind(quote) {
            if at == 0 {
                word.start += 1;
            } else {
                known = false;
            }
        }
    }
    known.then_some(word)
}

impl PartialWord {
    /// Whether a command is still to be named after this word.
    fn command_may_follow(&self) -> bool {
        let reserved = ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "sudo", "exec"];
        self.directory.is_empty() && (reserved.contains(&self.prefix.as_str()) || self.prefix.contains('='))
    }

    /// The text that goes in place of `prefix` for these candidates, and
    /// whether it is the only one, as far as it can be written. `None` when
    /// nothing would change.
    pub(super) fn replacement(&self, candidates: &[Candidate]) -> Option<(String, bool)> {
        let fitting = || candidates.iter().filter(|c| c.name.starts_with(&self.prefix));
        let first = fitting().next()?;
        let mut common = first.name.as_str();
        for other in fitting() {
            let same = common.char_indices().zip(other.name.chars()).find(|((_, a), b)| a != b);
            let length = same.map_or(common.len().min(other.name.len()), |((at, _), _)| at);
            common = common.get(..length).unwrap_or_default();
        }
        let writable = common.find(char::is_control).and_then(|at| common.get(..at)).unwrap_or(common);
        let only = fitting().all(|c| c.name == first.name) && writable == first.name;
        if writable.len() < self.prefix.len() || (writable == self.prefix && !only) {
            return None;
        }
        let mut text = self.escaped(writable);
        if only {
            match (first.directory, self.quote) {
                (true, _) => text.push('/'),
                (false, Quote::None) => text.push(' '),
                (false, Quote::Single) => text.push_str("' "),
                (false, Quote::Double) => text.push_str("\" "),
            }
        }
        Some((text, only))
    }

    /// A name written so that bash reads it as that name.
    fn escaped(&self, name: &str) -> String {
        let mut text = String::with_capacity(name.len());
        for (at, c) in name.char_indices() {
            match self.quote {
                Quote::None => {
                    let special = c.is_ascii() && !c.is_ascii_alphanumeric() && !"_-./+,:@%=".contains(c);
                    let tilde_or_comment = at > 0 && matches!(c, '~' | '#');
                    if special && !tilde_or_comment {
                        text.push('\\');
                    }
                    text.push(c);
                }
                Quote::Double => {
                    if matches!(c, '\\' | '"' | '$' | '`') {
                        text.push('\\');
                    }
                    text.push(c);
                }
                Quote::Single if c == '\'' => text.push_str(r"'\''"),
                Quote::Single => text.push(c),
            }
        }
        text
    }
}

/// The candidates in columns for a screen so wide, one string a row.
pub(super) fn columns(candidates: &[Candidate], cols: usize) -> Vec<String> {
    let shown: Vec<String> =
        candidates.iter().take(MAX_LISTED).map(|c| legible(&c.name) + if c.directory { "/" } else { "" }).collect();
    let widest = shown.iter().map(|name| name.width()).max().unwrap_or(0) + 2;
    let across = ((cols + 1) / widest.max(1)).max(1);
    let down = shown.len().div_ceil(across).max(1);
    let mut rows = vec![String::new(); down.min(shown.len())];
    for (index, name) in shown.iter().enumerate() {
        if let Some(row) = rows.get_mut(index % down) {
            row.push_str(name);
            if index + down < shown.len() {
                row.extend(std::iter::repeat_n(' ', widest.saturating_sub(name.width())));
            }
        }
    }
    if candidates.len() > MAX_LISTED {
        rows.push(format!("… and {} more", candidates.len() - MAX_LISTED));
    }
    rows
}
