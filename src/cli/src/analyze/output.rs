//! The object that is written for one line.

use countersign_analysis::display::Trick;
use countersign_analysis::facts::{Origin, Runs, SimpleCommand, Span, Word};
use countersign_analysis::risk::Level;
use countersign_analysis::{Analysis, VERSION};
use serde::Serialize;

/// A line that could not be read.
#[derive(Debug, Serialize)]
pub struct Unread<'e> {
    /// Why.
    pub error: &'e str,
}

/// What is known about a line.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    score: u8,
    level: Level,
    category: Option<&'a str>,
    reasons: Vec<Reason<'a>>,
    anomalies: Vec<&'static str>,
    consequences: &'a [String],
    commands: Vec<Command<'a>>,
    opaque: bool,
    opaque_reasons: Vec<Why>,
    redactions: Vec<Redaction>,
    display: Vec<Shown<'a>>,
    version: u32,
}

#[derive(Debug, Serialize)]
struct Reason<'a> {
    id: &'a str,
    weight: u8,
    reason: &'a str,
    technique: &'a str,
    category: &'a str,
    start: usize,
    end: usize,
}

#[derive(Debug, Serialize)]
struct Command<'a> {
    program: Option<&'a str>,
    words: Vec<Part<'a>>,
    run_by: Option<&'static str>,
    parent: Option<usize>,
    start: usize,
    end: usize,
}

#[derive(Debug, Serialize)]
struct Part<'a> {
    text: &'a str,
    exact: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown: Vec<&'static str>,
    start: usize,
    end: usize,
}

#[derive(Debug, Serialize)]
struct Why {
    what: &'static str,
    start: usize,
    end: usize,
}

#[derive(Debug, Serialize)]
struct Redaction {
    start: usize,
    end: usize,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    kind: Trick,
    shown: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Answer<'a> {
    /// The answer to `line`.
    pub fn of(line: &str, analysis: &'a Analysis) -> Self {
        let at = Characters::of(line);
        let risk = &analysis.risk;
        let reasons = risk.reasons.iter().map(|reason| Reason {
            id: &reason.id,
            weight: reason.weight,
            reason: &reason.reason,
            technique: &reason.technique,
            category: &reason.category,
            start: at.of_byte(reason.start),
            end: at.of_byte(reason.end),
        });
        let opaque = analysis.opaque().iter().map(|fact| {
            let (start, end) = at.span(fact.span);
            Why { what: fact.what.code(), start, end }
        });
        let redactions = analysis.redactions.iter().map(|found| Redaction {
            start: at.of_byte(found.start),
            end: at.of_byte(found.end),
            kind: found.kind,
        });
        let display = analysis.display.iter().map(|shown| Shown {
            kind: shown.kind,
            shown: &shown.shown,
            start: at.of_byte(shown.start),
            end: at.of_byte(shown.end),
        });
        Self {
            score: risk.score,
            level: risk.level,
            category: risk.category.as_deref(),
            reasons: reasons.collect(),
            anomalies: analysis.anomalies.iter().map(|flag| flag.code()).collect(),
            consequences: &risk.consequences,
            commands: analysis.facts.commands.iter().map(|command| Command::of(command, &at)).collect(),
            opaque: !analysis.opaque().is_empty(),
            opaque_reasons: opaque.collect(),
            redactions: redactions.collect(),
            display: display.collect(),
            version: VERSION,
        }
    }
}

impl<'a> Command<'a> {
    fn of(command: &'a SimpleCommand, at: &Characters) -> Self {
        let (start, end) = at.span(command.span);
        let (run_by, parent) = match command.origin {
            Origin::Typed => (None, None),
            Origin::Command { parent, by } => (Some(way(by)), Some(parent)),
        };
        let words = command.words.iter().map(|word| Part::of(word, at)).collect();
        Self { program: command.program_name(), words, run_by, parent, start, end }
    }
}

impl<'a> Part<'a> {
    fn of(word: &'a Word, at: &Characters) -> Self {
        let (start, end) = at.span(word.span);
        Self { text: &word.text, exact: word.exact().is_some(), unknown: word.unknown.names().collect(), start, end }
    }
}

fn way(by: Runs) -> &'static str {
    match by {
        Runs::Wrapper => "wrapper",
        Runs::AsUser => "as_user",
        Runs::ShellText => "shell_text",
        Runs::Eval => "eval",
        Runs::Xargs => "xargs",
        Runs::FindExec => "find_exec",
        Runs::Remote => "remote",
        Runs::Contained => "contained",
        Runs::Later => "later",
    }
}

/// Offsets in characters instead of bytes.
struct Characters {
    /// The byte offset of each character; empty: every character is one byte.
    starts: Vec<usize>,
}

impl Characters {
    fn of(line: &str) -> Self {
        let starts = if line.is_ascii() { Vec::new() } else { line.char_indices().map(|(at, _)| at).collect() };
        Self { starts }
    }

    fn of_byte(&self, byte: usize) -> usize {
        if self.starts.is_empty() { byte } else { self.starts.partition_point(|at| *at < byte) }
    }

    fn span(&self, span: Span) -> (usize, usize) {
        (self.of_byte(span.start), self.of_byte(span.end))
    }
}
