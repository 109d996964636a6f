//! Patterns of a command: words that must be there, and where a word may vary.
//!
//! A pattern is written as words with blanks between them, as in
//! `docker pull ghcr.io/myorg/api:*`. A word in single quotes is taken as it
//! stands. `*` stands for one or more characters of a word, and never for a
//! `/` unless it is a word of its own; a final `**` stands for any number of
//! words, also none; `re:…` is a regular expression for one whole word.
//!
//! What a wildcard takes is narrow on purpose: characters that mean nothing to
//! any shell, no option (a word that begins with `-` or `+`) unless the
//! program is known to do nothing but show with any option, and no `..` that
//! could leave a directory the pattern names.

use regex::{Regex, RegexBuilder};

/// Longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 2048;
/// Most words of a pattern.
pub const MAX_WORDS: usize = 64;
/// Most `*` of one word: trying where each ends must stay cheap.
const MAX_STARS: usize = 3;
/// Longest word that a wildcard takes, in bytes.
const MAX_WILD_BYTES: usize = 1024;
/// Longest word that the regular expression of a rule that refuses is tried on, in bytes.
const MAX_SEARCHED_BYTES: usize = 4096;
/// Longest regular expression, in bytes.
const MAX_REGEX_BYTES: usize = 256;
/// Largest compiled regular expression, in bytes.
const MAX_REGEX_SIZE: usize = 64 * 1024;

/// A pattern cannot be read. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// No word in it.
    #[error("the pattern is empty; write the command, as in `git status`")]
    Empty,
    /// Over the limit.
    #[error("the pattern is over {MAX_PATTERN_BYTES} bytes or {MAX_WORDS} words; shorten it")]
    TooLong,
    /// A quote that does not end.
    #[error("a single quote is not closed")]
    OpenQuote,
    /// Something a pattern does not have.
    #[error("`{0}` has no meaning in a pattern; put the word in single quotes to take it as it stands")]
    Character(char),
    /// `**` elsewhere than alone and last.
    #[error("`**` takes the rest of the words and must be a word of its own, the last")]
    Rest,
    /// More than a few `*` in one word.
    #[error("a word may hold up to {MAX_STARS} `*`; use re:… for more")]
    Stars,
    /// The program varies.
    #[error("the first word is the program and must stand there as it is, without wildcards")]
    Program,
    /// The regular expression is not one.
    #[error("the regular expression `{text}`: {why}")]
    Regex {
        /// As written.
        text: String,
        /// What is wrong.
        why: String,
    },
}

/// One word of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum WordPattern {
    /// This very word.
    Literal(String),
    /// Pieces between `*`; at least two.
    Wild(Vec<String>),
    /// A regular expression for the whole word.
    Regex(Box<Regex>),
}

/// A pattern of one simple command.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    words: Vec<WordPattern>,
    rest: bool,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Reads a pattern as people write it.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(BadPattern::TooLong);
        }
        let mut raw = split(text)?;
        let rest = raw.last().is_some_and(|(word, quoted)| word == "**" && !quoted);
        if rest {
            raw.pop();
        }
        let words: Vec<WordPattern> =
            raw.into_iter().map(|(word, quoted)| WordPattern::parse(word, quoted)).collect::<Result<_, _>>()?;
        match words.first() {
            None => return Err(BadPattern::Empty),
            Some(WordPattern::Literal(program)) if !program.is_empty() => {}
            Some(_) => return Err(BadPattern::Program),
        }
        if words.len() > MAX_WORDS {
            return Err(BadPattern::TooLong);
        }
        Ok(Self { text: text.trim().to_owned(), words, rest })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The program.
    pub fn program(&self) -> &str {
        match self.words.first() {
            Some(WordPattern::Literal(program)) => program,
            Some(WordPattern::Wild(_) | WordPattern::Regex(_)) | None => "",
        }
    }

    pub(crate) fn words(&self) -> &[WordPattern] {
        &self.words
    }

    /// Whether it ends in `**`.
    pub(crate) fn takes_rest(&self) -> bool {
        self.rest
    }

    /// Whether these words, and no others, are what the pattern describes.
    pub fn matches(&self, words: &[String]) -> bool {
        if words.len() < self.words.len() || (words.len() > self.words.len() && !self.rest) {
            return false;
        }
        let options = self.options_only_show();
        let (fixed, rest) = words.split_at(self.words.len());
        fixed.iter().zip(&self.words).all(|(word, pattern)| pattern.matches(word, options))
            && rest.iter().all(|word| is_harmless(word) && (options || !is_option(word)))
    }

    fn options_only_show(&self) -> bool {
        countersign_analysis::only_shows(self.program())
    }

    /// Whether a command may be one of those that the pattern means, read
    /// widely: for rules that refuse. The program counts by its file name,
    /// wildcards take anything, and a word that nobody can know (`None`) may be
    /// anything, several words or none.
    pub fn could_match(&self, words: &[Option<String>]) -> Could {
        // Most rules are about other programs: this is asked of each command of a line for each of hundreds of rules.
        if words.first().is_some_and(|first| first.as_ref().is_some_and(|first| !first.ends_with(self.program()))) {
            return Could::Not;
        }
        let mut sure = true;
        let mut at = 0;
        for (index, pattern) in self.words.iter().enumerate() {
            match words.get(at) {
                None => return Could::Not,
                Some(None) => return Could::Maybe,
                Some(Some(word)) => {
                    let word = if index == 0 && !self.program().contains('/') {
                        word.rsplit('/').next().unwrap_or("")
                    } else {
                        word
                    };
                    // Hundreds of expressions over 64 KB would keep everybody waiting; a person looks instead.
                    if matches!(pattern, WordPattern::Regex(_)) && word.len() > MAX_SEARCHED_BYTES {
                        sure = false;
                    } else if !pattern.matches_widely(word) {
                        return Could::Not;
                    }
                }
            }
            at += 1;
        }
        if words.len() > at && !self.rest {
            // Unknown words may come to nothing.
            sure = false;
            if words.get(at..).is_some_and(|more| more.iter().any(Option::is_some)) {
                return Could::Not;
            }
        }
        if sure { Could::Surely } else { Could::Maybe }
    }
}

/// What a wide reading says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Could {
    /// It is another command.
    Not,
    /// It depends on what the shell makes of it.
    Maybe,
    /// It is meant.
    Surely,
}

impl WordPattern {
    fn parse(word: String, quoted: bool) -> Result<Self, BadPattern> {
        if quoted {
            return Ok(Self::Literal(word));
        }
        if let Some(text) = word.strip_prefix("re:") {
            return regex(text);
        }
        if let Some(bad) = word.chars().find(|c| !c.is_ascii() || "\"\\$`|;&<>(){}[]?~!#".contains(*c)) {
            return Err(BadPattern::Character(bad));
        }
        if word.contains("**") {
            return Err(BadPattern::Rest);
        }
        if word.matches('*').count() > MAX_STARS {
            return Err(BadPattern::Stars);
        }
        if word.contains('*') {
            Ok(Self::Wild(word.split('*').map(str::to_owned).collect()))
        } else {
            Ok(Self::Literal(word))
        }
    }

    /// Whether a wildcard could take the beginning of the word.
    pub(crate) fn open_start(&self) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Wild(pieces) => pieces.first().is_none_or(String::is_empty),
            Self::Regex(_) => true,
        }
    }

    fn matches(&self, word: &str, options: bool) -> bool {
        match self {
            Self::Literal(text) => text == word,
            Self::Wild(pieces) => {
                let alone = pieces.iter().all(String::is_empty);
                is_harmless(word)
                    && (!self.open_start() || options || !is_option(word))
                    && (alone || (wild(pieces, word, true) && !climbs(word)))
            }
            Self::Regex(regex) => {
                is_harmless(word) && (options || !is_option(word)) && !climbs(word) && regex.is_match(word)
            }
        }
    }

    /// For rules that refuse: wildcards take anything.
    fn matches_widely(&self, word: &str) -> bool {
        match self {
            Self::Literal(text) => text == word,
            Self::Wild(pieces) => wild(pieces, word, false),
            Self::Regex(regex) => regex.is_match(word),
        }
    }
}

fn regex(text: &str) -> Result<WordPattern, BadPattern> {
    let bad = |why: String| BadPattern::Regex { text: text.to_owned(), why };
    if text.is_empty() || text.len() > MAX_REGEX_BYTES {
        return Err(bad(format!("must have 1 to {MAX_REGEX_BYTES} bytes")));
    }
    // Alone first: `a)|(b` would get out of the group that anchors it.
    let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_REGEX_SIZE).nest_limit(16).build();
    let built = build(text).and_then(|_| build(&format!("^(?:{text})$")));
    let built = built.map_err(|error| bad(error.to_string().lines().last().unwrap_or("").trim().to_owned()))?;
    if built.is_match("") {
        return Err(bad("matches the empty word; say what must be there".to_owned()));
    }
    Ok(WordPattern::Regex(Box::new(built)))
}

/// Words of a pattern with whether they were quoted.
fn split(text: &str) -> Result<Vec<(String, bool)>, BadPattern> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| *c == ' ').is_some() {}
        let Some(&first) = chars.peek() else { return Ok(words) };
        if first.is_control() {
            return Err(BadPattern::Character(first));
        }
        let quoted = first == '\'';
        let mut word = String::new();
        if quoted {
            chars.next();
            loop {
                match chars.next().ok_or(BadPattern::OpenQuote)? {
                    '\'' => break,
                    c if c.is_control() => return Err(BadPattern::Character(c)),
                    c => word.push(c),
                }
            }
            if chars.peek().is_some_and(|c| *c != ' ') {
                return Err(BadPattern::Character('\''));
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ' ') {
                if c.is_control() || c == '\'' {
                    return Err(BadPattern::Character(c));
                }
                word.push(c);
            }
        }
        words.push((word, quoted));
    }
}

/// Whether `word` is `pieces` with something between each two. `within`: that
/// something is at least one character and holds no `/`.
fn wild(pieces: &[String], word: &str, within: bool) -> bool {
    let Some((first, others)) = pieces.split_first() else { return false };
    let Some(rest) = word.strip_prefix(first.as_str()) else { return false };
    let Some((next, later)) = others.split_first() else { return rest.is_empty() };
    let fits = |gap: &str| !within || (!gap.is_empty() && !gap.contains('/'));
    if later.is_empty() {
        return rest.strip_suffix(next.as_str()).is_some_and(fits);
    }
    if !within {
        // Anything may stand between: the first place is as good as any.
        return rest.split_once(next.as_str()).is_some_and(|(_, tail)| later.is_empty() || wild_after(later, tail));
    }
    // Few stars and short words: trying every place is cheap enough.
    rest.match_indices(next.as_str()).any(|(at, _)| {
        rest.get(..at).is_some_and(fits) && rest.get(at..).is_some_and(|tail| wild(others, tail, within))
    })
}

fn wild_after(pieces: &[String], word: &str) -> bool {
    match pieces {
        [] => word.is_empty(),
        [last] => word.ends_with(last.as_str()),
        [next, later @ ..] => word.split_once(next.as_str()).is_some_and(|(_, tail)| wild_after(later, tail)),
    }
}

/// Characters that mean nothing to any shell, quoted or not.
pub(crate) fn is_harmless(word: &str) -> bool {
    (1..=MAX_WILD_BYTES).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b))
}

pub(crate) fn is_option(word: &str) -> bool {
    word.starts_with(['-', '+'])
}

/// Whether a path in it has a component `..`.
pub(crate) fn climbs(word: &str) -> bool {
    word.split(['/', '=', ':', ',']).any(|part| part == "..")
}

#[cfg(test)]
mod tests;
