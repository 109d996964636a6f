//! Rules that history suggests. Nothing here applies one.
//!
//! Lines that people approved are grouped by program, number of words and
//! options. Where words of a group differ, what they have in common up to the
//! last separator stays and the rest becomes `*`. A candidate must be fit as a
//! rule, and is tried on all history: where it would have let a denied line
//! pass, narrower ones are looked for.

use crate::pattern::{Pattern, is_harmless, is_option};
use crate::plain;
use crate::reading::Reading;
use crate::rule::{Body, Kind, Rule};
use countersign_core::Name;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Fewest approvals that make a suggestion.
const ENOUGH: usize = 3;
/// Most words of a pattern that vary.
const MAX_VARYING: usize = 2;
/// Most suggestions.
const MOST: usize = 50;
/// Most lines shown with a suggestion.
const SHOWN: usize = 3;

/// A line of the past and what people said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The whole line.
    pub line: String,
    /// The inner shell.
    pub shell: String,
    /// Whether a person approved it; `false`: denied.
    pub approved: bool,
}

/// A rule that could be written, and how it would have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The rule.
    pub body: Body,
    /// Approved lines that it would have let pass.
    pub passes: u64,
    /// Approved lines in all.
    pub approved: u64,
    /// Different lines among those it would have let pass.
    pub different: u64,
    /// Denied lines in all: none of them would have passed.
    pub denied: u64,
    /// Some of the lines.
    pub lines: Vec<String>,
    /// What its author should know.
    pub advice: Option<String>,
}

/// Suggests rules, those that save most first.
pub fn suggest(history: &[Past]) -> Vec<Suggestion> {
    let read: Vec<(&Past, Reading)> =
        history.iter().map(|past| (past, Reading::of(&past.line, &past.shell, None))).collect();
    let mut suggestions: Vec<Suggestion> = Vec::new();
    for pattern in candidates(&read) {
        let Some(suggestion) = tried(&pattern, &read) else { continue };
        suggestions.push(suggestion);
    }
    suggestions.sort_by(|a, b| b.passes.cmp(&a.passes).then_with(|| a.body.patterns.cmp(&b.body.patterns)));
    suggestions.truncate(MOST);
    suggestions
}

type Words = Vec<String>;

/// Patterns that the approved lines have in common.
fn candidates(history: &[(&Past, Reading)]) -> BTreeSet<String> {
    let mut groups: BTreeMap<Words, Vec<Words>> = BTreeMap::new();
    let known = |past: &Past| past.approved && crate::rule_shells().contains(&past.shell.as_str());
    for (past, _) in history.iter().filter(|(past, _)| known(past)) {
        for simple in plain::read(&past.line).unwrap_or_default() {
            if simple.words.iter().all(|word| is_harmless(word)) {
                groups.entry(shape(&simple.words)).or_default().push(simple.words);
            }
        }
    }
    let mut patterns = BTreeSet::new();
    for members in groups.values().filter(|members| members.len() >= ENOUGH) {
        refine(members, 1, history, &mut patterns);
    }
    patterns
}

/// The program, the number of words, and its options in their places.
fn shape(words: &[String]) -> Words {
    let place = |(index, word): (usize, &String)| {
        if index == 0 || is_option(word) { word.clone() } else { String::new() }
    };
    words.iter().enumerate().map(place).collect()
}

/// One pattern for all, or one for each value of the next word that differs.
fn refine(members: &[Words], from: usize, history: &[(&Past, Reading)], patterns: &mut BTreeSet<String>) {
    if members.len() < ENOUGH {
        return;
    }
    if let Some(pattern) = common(members).filter(|pattern| tried(pattern, history).is_some()) {
        patterns.insert(pattern);
        return;
    }
    let length = members.first().map_or(0, Vec::len);
    let differs = |at: &usize| members.iter().any(|words| words.get(*at) != members.first().and_then(|w| w.get(*at)));
    let Some(at) = (from..length).find(differs) else { return };
    let mut parts: BTreeMap<&String, Vec<Words>> = BTreeMap::new();
    for words in members {
        if let Some(word) = words.get(at) {
            parts.entry(word).or_default().push(words.clone());
        }
    }
    for part in parts.values() {
        refine(part, at + 1, history, patterns);
    }
}

/// The pattern of a group, where it is fit to be a rule.
fn common(members: &[Words]) -> Option<String> {
    let first = members.first()?;
    let mut varying = 0;
    let mut words = Vec::new();
    for (at, word) in first.iter().enumerate() {
        let column: Vec<&str> = members.iter().filter_map(|words| words.get(at)).map(String::as_str).collect();
        if column.iter().all(|other| other == word) {
            words.push(word.clone());
            continue;
        }
        varying += 1;
        words.push(format!("{}*", shared(&column)));
    }
    let pattern = Pattern::parse(&words.join(" ")).ok()?;
    let fit = varying <= MAX_VARYING && crate::fitness::check_pattern(&pattern, false).is_ok();
    // A word that differs without anything in common says too little, unless the program only shows things.
    let open = words.iter().any(|word| word == "*") && crate::fitness::advice(&pattern).is_none();
    let all = members.iter().all(|words| pattern.matches(words));
    (fit && !open && all).then(|| words.join(" "))
}

/// What words have in common, up to the last separator.
fn shared<'a>(words: &[&'a str]) -> &'a str {
    let Some((first, others)) = words.split_first() else { return "" };
    let length = others.iter().fold(first.len(), |length, other| {
        first.bytes().zip(other.bytes()).take(length).take_while(|(a, b)| a == b).count()
    });
    let same = first.get(..length).unwrap_or("");
    same.rfind(['/', ':', '=', '@']).and_then(|at| same.get(..=at)).unwrap_or("")
}

/// Tries a pattern on all history.
fn tried(pattern: &str, history: &[(&Past, Reading)]) -> Option<Suggestion> {
    let body = Body { patterns: vec![pattern.to_owned()], ..Body::default() };
    let nobody: Name = "nobody".parse().ok()?;
    let rule = Rule::check(0, Kind::Standing, nobody.clone(), nobody, body.clone(), None).ok()?;
    let mut lines: BTreeSet<&str> = BTreeSet::new();
    let (mut passes, mut approved, mut denied) = (0u64, 0u64, 0u64);
    for (past, reading) in history {
        let speaks = past.shell == body.shell() && rule.speaks_for_line(reading);
        match (past.approved, speaks) {
            (false, true) => return None,
            (false, false) => denied += 1,
            (true, _) => approved += 1,
        }
        if speaks {
            passes += 1;
            lines.insert(&past.line);
        }
    }
    if passes < u64::try_from(ENOUGH).ok()? {
        return None;
    }
    let advice = Pattern::parse(pattern).ok().and_then(|pattern| crate::fitness::advice(&pattern)).map(str::to_owned);
    let different = u64::try_from(lines.len()).ok()?;
    let lines = lines.into_iter().take(SHOWN).map(str::to_owned).collect();
    Some(Suggestion { body, passes, approved, different, denied, lines, advice })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(line: &str, approved: bool) -> Past {
        Past { line: line.to_owned(), shell: "bash".to_owned(), approved }
    }

    fn patterns(history: &[Past]) -> Vec<String> {
        suggest(history).into_iter().flat_map(|suggestion| suggestion.body.patterns).collect()
    }

    #[test]
    fn words_are_generalised_up_to_what_they_share() {
        let mut history: Vec<Past> =
            ["a1", "b2", "c3", "c4"].map(|tag| past(&format!("docker pull ghcr.io/myorg/api:{tag}"), true)).to_vec();
        history.extend(["git status", "git status", "git status", "git log", "uptime"].map(|line| past(line, true)));
        assert_eq!(patterns(&history), ["docker pull ghcr.io/myorg/api:*", "git status"]);
        let suggestions = suggest(&history);
        let first = suggestions.first().unwrap();
        assert_eq!((first.passes, first.approved, first.different, first.denied), (4, 9, 4, 0));
        // Another registry is not the same thing: nothing is shared, so each stands for itself.
        history.extend(["x:1", "y:2", "z:3"].map(|image| past(&format!("docker pull {image}"), true)));
        assert!(!patterns(&history).contains(&"docker pull *".to_owned()));
    }

    #[test]
    fn what_would_have_passed_a_denied_line_is_dropped() {
        let mut history: Vec<Past> =
            ["a", "b", "c"].map(|name| past(&format!("cat /srv/reports/{name}"), true)).to_vec();
        assert_eq!(patterns(&history), ["cat /srv/reports/*"]);
        history.push(past("cat /srv/reports/salaries", false));
        assert_eq!(patterns(&history), [""; 0]);
        history.push(past("cat /srv/reports/a; id", false));
        history.extend(["a", "a"].map(|name| past(&format!("cat /srv/reports/{name}"), true)));
        assert_eq!(patterns(&history), ["cat /srv/reports/a"], "narrower");
    }

    #[test]
    fn nothing_that_could_run_anything_is_suggested() {
        let history: Vec<Past> = [
            "bash a.sh",
            "bash b.sh",
            "bash c.sh",
            "python3 x.py",
            "python3 y.py",
            "python3 z.py",
            "find . -exec a",
            "find . -exec b",
            "find . -exec c",
            "sudo a",
            "sudo b",
            "sudo c",
            "rm a",
            "rm b",
            "rm c",
            "ssh a id",
            "ssh b id",
            "ssh c id",
        ]
        .map(|line| past(line, true))
        .to_vec();
        assert_eq!(patterns(&history), [""; 0]);
        let few = [past("git status", true), past("git status", true)];
        assert_eq!(patterns(&few), [""; 0]);
    }
}
