//! A second, independent reading of a line: the small part of the shell's
//! grammar whose meaning is beyond doubt.
//!
//! Pattern rules let a line pass only where this reading and the syntax tree
//! agree on every word of every command. What is not plainly readable here
//! (expansions, globs, braces, here-documents, substitutions, compound
//! commands, background jobs, comments, history marks, anything outside ASCII)
//! is refused, never guessed: a person is asked then.

use std::iter::Peekable;
use std::str::Chars;

/// One simple command: what the shell would pass to `execve`, and around it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simple {
    /// Program and operands, quotes gone.
    pub words: Vec<String>,
    /// `NAME=value` before it.
    pub assignments: Vec<(String, String)>,
    /// Files that its output goes to, `/dev/null` aside.
    pub writes: Vec<String>,
}

/// What is not plain about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPlain {
    /// Outside printable ASCII, tab and newline.
    #[error("it holds a character outside ASCII")]
    Foreign,
    /// A quote that does not end, or a backslash at the end.
    #[error("a quote or backslash is not closed")]
    Open,
    /// `$`, backquote, `!` or `\` where the shell would act on it.
    #[error("it holds an expansion ($, `, !, ~) that only the shell can resolve")]
    Expansion,
    /// `* ? [ ] { }` outside quotes.
    #[error("it holds a glob or brace expansion outside quotes")]
    Glob,
    /// A comment, a background job, a group, a reserved word.
    #[error("it holds `{0}`, which pattern rules do not look into")]
    Grammar(&'static str),
    /// A redirection other than of output to a file, to /dev/null or between 1 and 2.
    #[error("it holds a redirection other than to a file, to /dev/null, or 2>&1")]
    Redirection,
    /// `a && && b`, a line that ends in an operator.
    #[error("a command is missing beside an operator")]
    Missing,
}

/// Reads a line, or says why it is not plain.
pub fn read(line: &str) -> Result<Vec<Simple>, NotPlain> {
    if line.chars().any(|c| !(matches!(c, ' '..='~') || c == '\n' || c == '\t')) {
        return Err(NotPlain::Foreign);
    }
    let mut reader = Reader { rest: line.chars().peekable(), commands: Vec::new(), open: None };
    reader.line()?;
    Ok(reader.commands)
}

/// Words that begin or belong to compound commands.
const RESERVED: [&str; 22] = [
    "if", "then", "else", "elif", "fi", "case", "esac", "for", "select", "while", "until", "do", "done", "in",
    "function", "time", "coproc", "[[", "]]", "!", "{", "}",
];

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    commands: Vec<Simple>,
    /// The operator after which a command must come.
    open: Option<()>,
}

/// A word as it was read.
struct Word {
    text: String,
    /// Whether no character of it was quoted.
    bare: bool,
    /// Where its first unquoted `=` is, where all before it was unquoted.
    equals: Option<usize>,
}

impl Reader<'_> {
    fn line(&mut self) -> Result<(), NotPlain> {
        let mut command = Simple::default();
        loop {
            while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
            let Some(&c) = self.rest.peek() else { break };
            match c {
                '\n' => {
                    self.rest.next();
                    // After an operator a line may go on; an empty one is nothing.
                    if command != Simple::default() {
                        self.end(&mut command, false)?;
                    }
                }
                ';' => {
                    self.rest.next();
                    self.end(&mut command, false)?;
                    if self.rest.peek() == Some(&';') {
                        return Err(NotPlain::Grammar(";;"));
                    }
                }
                '|' => {
                    self.rest.next();
                    match self.rest.peek() {
                        Some('&') => return Err(NotPlain::Grammar("|&")),
                        Some('|') => {
                            self.rest.next();
                        }
                        Some(_) | None => {}
                    }
                    self.end(&mut command, true)?;
                }
                '&' => {
                    self.rest.next();
                    if self.rest.next_if_eq(&'&').is_none() {
                        return Err(NotPlain::Grammar("&"));
                    }
                    self.end(&mut command, true)?;
                }
                '#' => return Err(NotPlain::Grammar("#")),
                '(' | ')' => return Err(NotPlain::Grammar("(")),
                '<' | '>' => self.redirection(&mut command, None)?,
                _ => self.word_or_number(&mut command)?,
            }
        }
        if command != Simple::default() {
            self.end(&mut command, false)?;
        }
        if self.open.is_some() || self.commands.is_empty() {
            return Err(NotPlain::Missing);
        }
        Ok(())
    }

    /// A command is over. `more`: another one must follow.
    fn end(&mut self, command: &mut Simple, more: bool) -> Result<(), NotPlain> {
        // Assignments or redirections alone change the shell or a file, and run nothing a rule could name.
        if command.words.is_empty() {
            return Err(NotPlain::Missing);
        }
        self.commands.push(std::mem::take(command));
        self.open = more.then_some(());
        Ok(())
    }

    fn word_or_number(&mut self, command: &mut Simple) -> Result<(), NotPlain> {
        let word = self.word()?;
        let number = word.bare && word.text.bytes().all(|b| b.is_ascii_digit());
        if number && matches!(self.rest.peek(), Some('<' | '>')) {
            return self.redirection(command, Some(word.text.as_str()));
        }
        self.open = None;
        if command.words.is_empty() {
            if let Some(at) = word.equals.filter(|at| is_name(word.text.get(..*at).unwrap_or(""))) {
                let (name, value) = word.text.split_at(at);
                let value = value.get(1..).unwrap_or("");
                command.assignments.push((name.to_owned(), value.to_owned()));
                return Ok(());
            }
            // `a+=b` and `a[1]=b` are assignments too; brackets are globs here already.
            if word.equals.is_some_and(|at| word.text.get(..at).is_some_and(|name| name.ends_with('+'))) {
                return Err(NotPlain::Grammar("+="));
            }
            if let Some(known) = RESERVED.into_iter().find(|known| word.text == *known) {
                return Err(NotPlain::Grammar(known));
            }
        }
        command.words.push(word.text);
        Ok(())
    }

    fn word(&mut self) -> Result<Word, NotPlain> {
        let mut word = Word { text: String::new(), bare: true, equals: None };
        let mut begun = false;
        while let Some(&c) = self.rest.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' => break,
                '(' | ')' => return Err(NotPlain::Grammar("(")),
                '*' | '?' | '[' | ']' | '{' | '}' => return Err(NotPlain::Glob),
                '$' | '`' | '!' | '^' => return Err(NotPlain::Expansion),
                '~' if !begun || word.text.ends_with([':', '=']) => return Err(NotPlain::Expansion),
                // zsh: `=ls` is the path of ls.
                '=' if !begun => return Err(NotPlain::Expansion),
                '#' if !begun => return Err(NotPlain::Grammar("#")),
                '\'' => {
                    self.rest.next();
                    word.bare = false;
                    self.single(&mut word.text)?;
                }
                '"' => {
                    self.rest.next();
                    word.bare = false;
                    self.double(&mut word.text)?;
                }
                '\\' => {
                    self.rest.next();
                    word.bare = false;
                    // Backslash and newline join two lines.
                    let escaped = self.rest.next().filter(|c| *c != '\n').ok_or(NotPlain::Open)?;
                    word.text.push(escaped);
                }
                _ => {
                    self.rest.next();
                    if c == '=' && word.bare && word.equals.is_none() {
                        word.equals = Some(word.text.len());
                    }
                    word.text.push(c);
                }
            }
            begun = true;
        }
        Ok(word)
    }

    fn single(&mut self, text: &mut String) -> Result<(), NotPlain> {
        loop {
            match self.rest.next().ok_or(NotPlain::Open)? {
                '\'' => return Ok(()),
                // On a terminal history expansion reads the line before quotes do, in some shells.
                '!' => return Err(NotPlain::Expansion),
                '\n' => return Err(NotPlain::Grammar("newline in quotes")),
                c => text.push(c),
            }
        }
    }

    fn double(&mut self, text: &mut String) -> Result<(), NotPlain> {
        loop {
            match self.rest.next().ok_or(NotPlain::Open)? {
                '"' => return Ok(()),
                '$' | '`' | '\\' | '!' => return Err(NotPlain::Expansion),
                '\n' => return Err(NotPlain::Grammar("newline in quotes")),
                c => text.push(c),
            }
        }
    }

    /// `>file`, `>>file`, `2>/dev/null`, `2>&1`, `</dev/null`.
    fn redirection(&mut self, command: &mut Simple, number: Option<&str>) -> Result<(), NotPlain> {
        if !matches!(number, None | Some("0" | "1" | "2")) {
            return Err(NotPlain::Redirection);
        }
        let reads = self.rest.next() == Some('<');
        if reads == matches!(number, Some("1" | "2")) && number.is_some() {
            return Err(NotPlain::Redirection);
        }
        let appends = !reads && self.rest.next_if_eq(&'>').is_some();
        if matches!(self.rest.peek(), Some('<' | '>' | '|' | '(')) {
            return Err(NotPlain::Redirection);
        }
        if self.rest.next_if_eq(&'&').is_some() {
            let to = self.rest.next().filter(|c| matches!(c, '1' | '2') && !reads && !appends);
            let over = matches!(self.rest.peek(), None | Some(' ' | '\t' | '\n' | ';' | '|'));
            return if to.is_some() && over { Ok(()) } else { Err(NotPlain::Redirection) };
        }
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let target = self.word()?;
        match target.text.as_str() {
            "" => Err(NotPlain::Redirection),
            "/dev/null" => Ok(()),
            _ if reads => Err(NotPlain::Redirection),
            _ => {
                command.writes.push(target.text);
                Ok(())
            }
        }
    }
}

/// Whether it can be the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests;
