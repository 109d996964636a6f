//! Words of a line, twice: as a shell quotes them, and as if there were no
//! quotes. A rule must be fit in both readings, so that neither a quote nor
//! the lack of one hides a command.

use countersign_analysis::programs::{self, Interpreter};

/// One word with its quotes and backslashes gone.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) bare: String,
    /// Whether the shell makes it up at run time, or it is empty.
    pub(crate) built: bool,
    /// The text that the shell makes of it, where quotes were heeded.
    pub(crate) text: Option<String>,
}

impl Word {
    fn new(raw: &str) -> Self {
        let bare: String = raw.chars().filter(|c| !matches!(c, '\'' | '"' | '\\' | '$')).collect();
        let literal = raw.starts_with('\'');
        let glob = !matches!(bare.as_str(), "[" | "[[" | "]" | "]]") && raw.contains(['*', '?', '[']);
        let quoted = raw.starts_with('"');
        let built = bare.is_empty() || (!literal && (raw.contains(['$', '`']) || (glob && !quoted)));
        Self { bare, built, text: None }
    }

    pub(crate) fn quoted(raw: &str) -> Self {
        Self { text: Some(unquoted(raw)), ..Self::new(raw) }
    }

    /// The file name, without directories.
    pub(crate) fn program(&self) -> &str {
        self.bare.rsplit('/').next().unwrap_or("")
    }

    pub(crate) fn is_option(&self) -> bool {
        self.bare.starts_with('-') || self.bare.starts_with('+')
    }

    pub(crate) fn is_assignment(&self) -> bool {
        self.bare.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'+')
        })
    }

    /// `<file`, `2>`, `>>x`: no operand of the program.
    pub(crate) fn is_redirection(&self) -> bool {
        self.bare.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['<', '>'])
    }

    pub(crate) fn interpreter(&self) -> Option<&'static Interpreter> {
        programs::interpreter(self.program())
    }

    /// An operand that means standard input or a terminal.
    pub(crate) fn reads_input(&self) -> bool {
        programs::is_input(&self.bare) || self.is_redirection()
    }
}

/// Simple commands as they stand between separators, quotes or not.
pub(crate) fn blind(line: &str) -> Vec<Vec<Word>> {
    let apart = programs::redirections_apart(line);
    let parts = apart.split(SEPARATORS);
    parts.map(|part| part.split_whitespace().map(Word::new).collect()).collect()
}

/// Simple commands with their words as the quotes make them.
pub(crate) fn quoted(line: &str) -> Vec<Vec<Word>> {
    let (mut commands, mut words, mut raw) = (Vec::new(), Vec::new(), String::new());
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for c in line.chars() {
        let plain = quote.is_none() && !escaped;
        if plain && (c.is_whitespace() || SEPARATORS.contains(&c)) {
            if !raw.is_empty() {
                words.push(Word::quoted(&std::mem::take(&mut raw)));
            }
            if SEPARATORS.contains(&c) {
                commands.push(std::mem::take(&mut words));
            }
            continue;
        }
        if plain && matches!(c, '<' | '>') && programs::glued(&raw) {
            words.push(Word::quoted(&std::mem::take(&mut raw)));
        }
        raw.push(c);
        if escaped {
            escaped = false;
        } else if c == '\\' && quote != Some('\'') {
            escaped = true;
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '\'' | '"') {
            quote = Some(c);
        }
    }
    if !raw.is_empty() {
        words.push(Word::quoted(&raw));
    }
    commands.push(words);
    commands
}

/// A word without its outer quotes; what is quoted inside them stays.
fn unquoted(raw: &str) -> String {
    let mut text = String::new();
    let mut quote: Option<char> = None;
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match quote {
            Some(end) if c == end => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None | Some('"') if c == '\\' => text.extend(chars.next()),
            None | Some(_) => text.push(c),
        }
    }
    text
}

const SEPARATORS: [char; 10] = ['|', ';', '&', '\n', '(', ')', '{', '}', '`', '\r'];
