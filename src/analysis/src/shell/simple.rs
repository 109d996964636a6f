//! Simple commands: assignments, words, redirections.

use super::heredoc::{Pending, Slot};
use super::word::Scanned;
use super::{Parse, Reader};
use crate::facts::{Assignment, Opaque, Origin, Redirect, Redirection, SimpleCommand, Span, Unknown, Word};

/// Builtins whose arguments may be arrays.
const DECLARE: [&str; 6] = ["declare", "typeset", "local", "export", "readonly", "alias"];
/// The operators, longest first.
const OPERATORS: [(&str, Redirect); 12] = [
    ("&>>", Redirect::Append),
    ("&>", Redirect::Write),
    ("<<<", Redirect::HereString),
    ("<<-", Redirect::HereDocument),
    ("<<", Redirect::HereDocument),
    ("<>", Redirect::ReadWrite),
    ("<&", Redirect::Duplicate),
    ("<", Redirect::Read),
    (">>", Redirect::Append),
    (">&", Redirect::Duplicate),
    (">|", Redirect::Write),
    (">", Redirect::Write),
];

/// A redirection, and the delimiter whose body it waits for.
type Redirected = (Redirection, Option<(String, bool, bool)>);

/// A simple command in the making.
#[derive(Default)]
struct Parts {
    words: Vec<Word>,
    assignments: Vec<Assignment>,
    redirected: Vec<Redirected>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.assignments.is_empty() && self.redirected.is_empty()
    }

    fn declares(&self) -> bool {
        self.words.first().and_then(Word::exact).is_some_and(|name| DECLARE.contains(&name))
    }
}

impl Reader<'_> {
    /// Reads a simple command, or the definition of a function.
    pub(super) fn simple(&mut self) -> Parse<()> {
        self.simple_after(None)
    }

    /// The same, with its first word read already.
    pub(super) fn simple_after(&mut self, first: Option<Scanned>) -> Parse<()> {
        let mut start = first.as_ref().map_or(self.at, |first| first.start);
        let mut parts = Parts::default();
        if let Some(first) = first {
            self.part(first, &mut parts)?;
        }
        loop {
            self.blanks();
            if parts.is_empty() {
                start = self.at;
            }
            if let Some(redirected) = self.redirection(None)? {
                parts.redirected.push(redirected);
                continue;
            }
            let Some(scanned) = self.word()? else { break };
            if let Some(redirected) = self.redirection(Some(&scanned))? {
                parts.redirected.push(redirected);
                continue;
            }
            if parts.is_empty() && self.function_follows(&scanned)? {
                return Ok(());
            }
            self.part(scanned, &mut parts)?;
        }
        if parts.is_empty() || self.peek() == Some(b'(') {
            return self.stop();
        }
        self.finish(parts, start)
    }

    fn part(&mut self, scanned: Scanned, parts: &mut Parts) -> Parse<()> {
        let raw = self.text.get(scanned.start..scanned.end).unwrap_or_default();
        let head = Head::of(raw);
        let array = self.peek() == Some(b'(') && head.as_ref().is_some_and(|head| head.length == raw.len());
        if let Some(head) = head.filter(|_| parts.words.is_empty() || (array && parts.declares())) {
            let (start, declared) = (scanned.start, !parts.words.is_empty());
            let assignment = self.assignment(scanned, &head, array)?;
            if declared {
                // An argument of `declare` as well, and no exact one.
                let mut word = self.nothing();
                word.text = self.text.get(start..self.at).unwrap_or_default().to_owned();
                word.span = assignment.span;
                word.unknown.add(Unknown::PARAMETER);
                parts.words.push(word);
            }
            parts.assignments.push(assignment);
        } else {
            parts.words.push(scanned.word);
        }
        Ok(())
    }

    fn assignment(&mut self, scanned: Scanned, head: &Head, array: bool) -> Parse<Assignment> {
        let values = if array {
            self.out.bash_only = true;
            self.at += 1;
            self.elements()?
        } else if head.plain {
            vec![scanned.word.rest(head.length)]
        } else {
            self.out.bash_only = true;
            let text = &scanned.word.text;
            let at = text.find("]=").map(|at| at + 2).or_else(|| text.find('=').map(|at| at + 1)).unwrap_or(0);
            // A subscript is arithmetic.
            if text.contains('[') {
                let span = scanned.word.span;
                self.out.arithmetic_names.get_or_insert(span);
            }
            vec![scanned.word.rest(at)]
        };
        let span = self.span_from(scanned.start);
        Ok(Assignment { name: head.name.clone(), values, plain: head.plain && !array, span })
    }

    /// The elements of an array, up to and with the closing bracket.
    fn elements(&mut self) -> Parse<Vec<Word>> {
        let mut elements = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(b')') => {
                    self.at += 1;
                    return Ok(elements);
                }
                Some(b'\n') if self.pending.is_empty() => self.at += 1,
                Some(_) => elements.push(self.expect_word()?.word),
                None => return self.stop(),
            }
        }
    }

    fn finish(&mut self, parts: Parts, start: usize) -> Parse<()> {
        let end = parts.words.iter().map(|word| word.span.end);
        let end = end.chain(parts.assignments.iter().map(|a| a.span.end));
        let end = end.chain(parts.redirected.iter().map(|(r, _)| r.span.end)).max();
        let from = self.line(start);
        let span = Span { start: from, end: end.unwrap_or(from).max(from) };
        let (redirections, waiting): (Vec<_>, Vec<_>) = parts.redirected.into_iter().unzip();
        // What looks like an assignment and was not taken for one could be one to bash.
        if let Some(program) = parts.words.first().filter(|word| like_assignment(word)) {
            self.note(Opaque::DynamicCommand, program.span);
        }
        let command = SimpleCommand {
            span,
            words: parts.words,
            assignments: parts.assignments,
            redirections,
            context: self.context.clone(),
            origin: Origin::Typed,
        };
        let command = self.push(command)?;
        for (index, delimiter) in waiting.into_iter().enumerate() {
            self.wait(Slot::Command(command, index), delimiter);
        }
        Ok(())
    }

    fn wait(&mut self, slot: Slot, delimiter: Option<(String, bool, bool)>) {
        if let Some((delimiter, quoted, tabs)) = delimiter {
            self.pending.push(Pending { slot, delimiter, quoted, tabs });
        }
    }

    /// Redirections behind a compound command.
    pub(super) fn shared_redirections(&mut self) -> Parse<()> {
        loop {
            self.blanks();
            let before = self.at;
            let redirected = match self.redirection(None)? {
                Some(redirected) => Some(redirected),
                None if self.peek().is_some_and(|c| c.is_ascii_digit() || c == b'{') => match self.word()? {
                    Some(word) => self.redirection(Some(&word))?,
                    None => None,
                },
                None => None,
            };
            let Some((redirection, delimiter)) = redirected else {
                self.at = before;
                return Ok(());
            };
            self.out.shared_redirections.push(redirection);
            self.wait(Slot::Shared(self.out.shared_redirections.len() - 1), delimiter);
        }
    }

    /// Reads a redirection here, where `before` is a descriptor that touches it.
    fn redirection(&mut self, before: Option<&Scanned>) -> Parse<Option<Redirected>> {
        let start = before.map_or(self.at, |word| word.start);
        let mut fd = None;
        if let Some(before) = before {
            match before.bare() {
                Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                    // To dash `10>` is a word and a redirection.
                    self.out.bash_only |= digits.len() > 1;
                    fd = digits.parse().ok();
                }
                Some(name)
                    if name.starts_with('{') && name.ends_with('}') && is_name(name.trim_matches(['{', '}'])) =>
                {
                    self.out.bash_only = true;
                }
                Some(_) | None => return Ok(None),
            }
            if !matches!(self.peek(), Some(b'<' | b'>')) {
                return Ok(None);
            }
        }
        let found = OPERATORS.iter().find(|(operator, _)| self.starts(operator));
        let Some((operator, kind)) = found else { return Ok(None) };
        // `<(` begins a word.
        if operator.len() == 1 && self.peek_at(1) == Some(b'(') {
            return Ok(None);
        }
        self.at += operator.len();
        self.out.bash_only |= operator.starts_with('&') || *operator == "<<<";
        self.blanks_on_line();
        if *kind == Redirect::HereDocument {
            let (delimiter, quoted) = self.delimiter()?;
            let redirection = Redirection { span: self.span_from(start), fd, kind: *kind, target: self.nothing() };
            return Ok(Some((redirection, Some((delimiter, quoted, *operator == "<<-")))));
        }
        let target = self.expect_word()?.word;
        let descriptor = |text: &str| text.trim_end_matches('-').bytes().all(|b| b.is_ascii_digit());
        let to_file = *operator == ">&" && !target.exact().is_some_and(descriptor);
        let kind = if to_file { Redirect::Write } else { *kind };
        Ok(Some((Redirection { span: self.span_from(start), fd, kind, target }, None)))
    }

    fn blanks_on_line(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) || self.starts("\\\n") {
            self.at += if self.peek() == Some(b'\\') { 2 } else { 1 };
        }
    }
}

/// The part of an assignment before its value.
struct Head {
    name: String,
    /// Its length up to and with `=`, in the text as it was written.
    length: usize,
    plain: bool,
}

impl Head {
    fn of(raw: &str) -> Option<Self> {
        let name: String = raw.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if !is_name(&name) {
            return None;
        }
        let rest = raw.get(name.len()..).unwrap_or_default();
        if rest.starts_with('=') {
            let length = name.len() + 1;
            return Some(Self { name, length, plain: true });
        }
        if rest.starts_with("+=") {
            let length = name.len() + 2;
            return Some(Self { name, length, plain: false });
        }
        let close = rest.strip_prefix('[').and_then(|_| matching(rest))?;
        let after = rest.get(close..).unwrap_or_default();
        let sign = if after.starts_with("+=") { 2 } else { usize::from(after.starts_with('=')) };
        (sign > 0).then(|| Self { length: name.len() + close + sign, name, plain: false })
    }
}

/// Where the subscript that `text` begins with ends; none with quotes or expansions in it is followed.
fn matching(text: &str) -> Option<usize> {
    let close = text.find(']')?;
    let inside = text.get(1..close)?;
    let simple = inside.chars().all(|c| c.is_ascii_alphanumeric() || "_$+-*@ ".contains(c));
    (simple && !inside.is_empty()).then_some(close + 1)
}

/// Whether `text` is a name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn like_assignment(word: &Word) -> bool {
    let name: String = word.text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let rest = word.text.get(name.len()..).unwrap_or_default();
    is_name(&name) && (rest.starts_with('=') || rest.starts_with("+=") || rest.starts_with('['))
}
