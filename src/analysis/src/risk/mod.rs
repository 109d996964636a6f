//! Risk: a score from 0 to 100 with its reasons, by rules over the facts.
//!
//! A rule that holds adds its weight w to what is left to 100: the score is
//! 100 · (1 − Π (1 − w/100)), rounded. So one grave finding is enough, many
//! small ones add up, and no order of rules matters. Only what would run
//! counts: text that a program prints, searches for or stores is not looked at.

mod detect;
mod gate;
mod glob;
mod grammar;
mod holds;
mod inert;
mod line;
mod ready;
mod rules;
mod values;
mod view;

use crate::facts::{self, CommandLine, Place, Span};
use serde::Serialize;

pub(crate) use line::{Piped, Views};
pub use rules::{Condition, RULES, Rule, Rules};
pub(crate) use values::with_values;
pub(crate) use view::View;
pub use view::{Reached, Touch, Touched};

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Below 25.
    Low,
    /// From 25.
    Medium,
    /// From 50.
    High,
    /// From 75.
    Critical,
}

impl Level {
    /// The level of a score.
    pub fn of(score: u8) -> Self {
        match score {
            0..25 => Self::Low,
            25..50 => Self::Medium,
            50..75 => Self::High,
            75.. => Self::Critical,
        }
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Why a line has its score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The rule.
    pub id: String,
    /// What it adds.
    pub weight: u8,
    /// What it found, in words.
    pub reason: String,
    /// ATT&CK technique.
    pub technique: String,
    /// What kind of thing it is about.
    pub category: String,
    /// The anomaly flag that goes with it.
    #[serde(skip)]
    pub flag: Option<String>,
    /// Where: the first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The risk of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// 0 to 100.
    pub score: u8,
    /// Its level.
    pub level: Level,
    /// The kind of its gravest reason.
    pub category: Option<String>,
    /// The reasons, gravest first.
    pub reasons: Vec<Reason>,
    /// What would come of it, in words.
    pub consequences: Vec<String>,
    /// Hosts that it would talk to.
    pub hosts: Vec<Reached>,
    /// Paths that it touches.
    pub paths: Vec<Touched>,
    /// The programs, without directory and version.
    pub programs: Vec<String>,
}

/// The risk of a line. Where the rules themselves are broken, it is 100.
pub fn assess(line: &CommandLine, place: &Place<'_>) -> Risk {
    let spread = with_values(line);
    let line = spread.as_ref().unwrap_or(line);
    let views = Views::of(line, place);
    let mut reasons = match &*RULES {
        Ok(rules) => found(rules, line, &views),
        Err(why) => vec![broken(why)],
    };
    reasons.sort_by(|a, b| b.weight.cmp(&a.weight).then(a.start.cmp(&b.start)).then(a.id.cmp(&b.id)));
    let score = combined(reasons.iter().map(|reason| reason.weight));
    let mut programs: Vec<String> =
        views.iter().map(|view| view.name.to_owned()).filter(|name| !name.is_empty()).collect();
    programs.sort();
    programs.dedup();
    Risk {
        score,
        level: Level::of(score),
        category: reasons.first().map(|reason| reason.category.clone()),
        consequences: crate::consequences::of(&views, &crate::anomaly::New::default()),
        hosts: views.iter().flat_map(|view| view.reached.clone()).collect(),
        paths: views.into_all().into_iter().flat_map(|view| view.touched).collect(),
        reasons,
        programs,
    }
}

/// 100 · (1 − Π (1 − w/100)).
pub fn combined(weights: impl Iterator<Item = u8>) -> u8 {
    let left = weights.fold(1.0, |left, weight| left * (1.0 - f64::from(weight.min(100)) / 100.0));
    let score = (100.0 * (1.0 - left)).round();
    // Between 0 and 100 by what it is.
    (0..=100).find(|n| f64::from(*n) >= score).unwrap_or(100)
}

fn found(rules: &Rules, line: &CommandLine, views: &Views<'_>) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    let about_opaque = rules.index.about_opaque().iter().filter(|_| !line.opaque.is_empty());
    for rule in about_opaque.filter_map(|index| rules.all.get(*index)) {
        let opaque = rule.when.iter().flat_map(|condition| &condition.opaque);
        let told =
            |fact: &&facts::OpaqueFact| !(fact.what == facts::Opaque::InputProgram && only_watched(views, fact.span));
        let fact = opaque.flat_map(|code| line.opaque.iter().filter(told).find(|fact| fact.what.code() == code)).next();
        reasons.extend(fact.map(|fact| reason(rule, fact.span)));
    }
    let mut counted: Vec<(usize, &str)> = Vec::new();
    for view in views.iter().filter(|view| !only_asks(view)) {
        let seen = rules.index.seen(view);
        for gate in rules.index.about(view.name).iter().filter(|gate| seen.has.all(gate.asks)) {
            let Some(rule) = rules.all.get(gate.rule) else { continue };
            if counted.iter().any(|(known, name)| *known == gate.rule && (!rule.each || *name == view.name)) {
                continue;
            }
            let condition = rule.when.get(gate.condition);
            if let Some(span) = condition.and_then(|condition| holds::holds(condition, &seen, view, views)) {
                counted.push((gate.rule, view.name));
                reasons.push(reason(rule, span));
            }
        }
    }
    reasons
}

/// A client that only measures: it reads nothing, whatever is on its input.
fn only_watched(views: &Views<'_>, span: Span) -> bool {
    let watches = |word: &&facts::Word| {
        matches!(word.text.as_str(), "--stat" | "--bigkeys" | "--memkeys" | "--hotkeys" | "--scan")
            || word.text.starts_with("--latency")
            || word.text.starts_with("--intrinsic-latency")
    };
    let reads = |word: &&facts::Word| matches!(word.text.as_str(), "-x" | "-X" | "--pipe" | "--eval" | "--ldb");
    let client = |view: &&View<'_>| matches!(view.name, "redis-cli" | "valkey-cli") && view.command.span == span;
    let mut views = views.iter().filter(client);
    views.any(|view| view.arguments.iter().any(&watches) && !view.arguments.iter().any(&reads))
}

/// Programs whose first operand can be `help`.
const HELPFUL: [&str; 12] =
    ["git", "cargo", "docker", "kubectl", "npm", "go", "gh", "helm", "terraform", "rustup", "aws", "systemctl"];
/// What only lists or shows, of programs that otherwise open a terminal.
const LISTING: [&str; 11] = [
    "ls",
    "-ls",
    "-list",
    "list-sessions",
    "list-windows",
    "list-panes",
    "list-keys",
    "list-commands",
    "info",
    "display-message",
    "has-session",
];

/// Asks a program about itself, or to say only what it would do.
fn only_asks(view: &View<'_>) -> bool {
    let text = |word: &&facts::Word| {
        matches!(
            word.text.as_str(),
            "--help" | "--version" | "-help" | "--usage" | "--dryrun" | "--just-print" | "--noop"
        ) || word.text.starts_with("--dry-run")
    };
    let alone = matches!(view.arguments.as_slice(), [one] if matches!(one.text.as_str(), "-V" | "-version" | "help" | "version"));
    let helpful = HELPFUL.contains(&view.name)
        && (view.operands.first() == Some(&"help") || (view.name == "aws" && view.operands.last() == Some(&"help")));
    // `#(…)` is run.
    let listed = matches!(view.name, "tmux" | "screen")
        && view.arguments.first().is_some_and(|first| LISTING.contains(&first.text.as_str()))
        && !view.text.contains("#(");
    // What ssh would do, and nothing else.
    let asks_ssh = view.name == "ssh" && view.arguments.iter().any(|word| word.text == "-G");
    let tries = asks_ssh || grammar::only_tries(view.name, &view.arguments);
    let asks = view.arguments.iter().any(text) || alone || helpful || listed || tries;
    // A hook is run all the same, and a pager obeys what is typed.
    if view.text.contains("-hook") || detect::escapes_by_input(view) {
        return false;
    }
    // The help of these opens a pager, and a pager of root's a shell of root's.
    let pager = view.root && matches!(view.name, "git" | "man" | "systemctl" | "journalctl");
    asks && !pager && !view.touched.iter().any(|touched| touched.touch == Touch::Write)
}

fn reason(rule: &Rule, span: Span) -> Reason {
    Reason {
        id: rule.id.clone(),
        weight: rule.weight,
        reason: rule.reason.clone(),
        technique: rule.technique.clone(),
        category: rule.category.clone(),
        flag: rule.flag.clone(),
        start: span.start,
        end: span.end,
    }
}

fn broken(why: &str) -> Reason {
    Reason {
        id: "rules-broken".to_owned(),
        weight: 100,
        reason: why.to_owned(),
        technique: String::new(),
        category: "defect".to_owned(),
        flag: None,
        start: 0,
        end: 0,
    }
}
