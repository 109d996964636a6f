//! Everything that decides, as one value with one spelling.

use crate::rule::{BadRule, Body, Kind, Rule};
use crate::settings::{BadSettings, Settings};
use countersign_analysis::VERSION;
use countersign_core::{Class, HostId, Name};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// First line of the canonical text.
const FORMAT: &str = "cs-policy3";
/// Longest canonical text that is read, in bytes.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// A target and its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its id.
    pub host: HostId,
    /// Its name.
    pub name: Name,
    /// Its class.
    pub class: Class,
}

/// A rule in the canonical text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: u64,
    kind: Kind,
    author: Name,
    approver: Name,
    body: Body,
}

/// A policy cannot be used. The text says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// A rule in it.
    #[error("rule {id}: {why}")]
    Rule {
        /// Its number.
        id: u64,
        /// What is wrong.
        why: BadRule,
    },
    /// Settings in it.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// Two rules under one number, or for one line of one shell.
    #[error("rule {first} has this {what} already")]
    Twice {
        /// The one that was there first.
        first: u64,
        /// Number or line.
        what: &'static str,
    },
    /// The text of a service with another analyzer, whose scores and flags may differ.
    #[error("the policy was applied with version {0} of the analyzer, and this is {VERSION}")]
    Analyzer(u32),
    /// Not a canonical policy text.
    #[error("the policy text is not in its one spelling (line {line})")]
    Text {
        /// Which line, from 1.
        line: usize,
    },
}

/// The policy in force.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(crate) settings: Settings,
    targets: BTreeMap<HostId, (Name, Class)>,
    pub(crate) rules: BTreeMap<u64, Rule>,
    /// Shell, line → rule: an exact line has one rule.
    exact: HashMap<(String, String), u64>,
}

impl Policy {
    /// A policy without rules.
    pub fn new(settings: Settings) -> Result<Self, BadPolicy> {
        settings.check()?;
        Ok(Self { settings, ..Self::default() })
    }

    /// Adds a checked rule.
    pub fn add(&mut self, rule: Rule) -> Result<(), BadPolicy> {
        if self.rules.contains_key(&rule.id) {
            return Err(BadPolicy::Twice { first: rule.id, what: "number" });
        }
        if let (Some(line), Kind::Standing) = (rule.exact(), rule.kind) {
            let place = (rule.body().shell().to_owned(), line.as_str().to_owned());
            if let Some(&first) = self.exact.get(&place) {
                return Err(BadPolicy::Twice { first, what: "line" });
            }
            self.exact.insert(place, rule.id);
        }
        self.rules.insert(rule.id, rule);
        Ok(())
    }

    /// Names a target and its class.
    pub fn set_target(&mut self, target: Target) {
        self.targets.insert(target.host, (target.name, target.class));
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rules, by number.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// Name and class of a target; one that is not known counts as high.
    pub fn target(&self, host: HostId) -> (&str, Class) {
        self.targets.get(&host).map_or(("", Class::High), |(name, class)| (name.as_str(), *class))
    }

    /// The policy as text with one spelling: `cs-policy3`, `analyzer` with the
    /// version of the analysis that it is applied with, then a line each of JSON
    /// behind `settings`, `target` (by id) and `rule` (by number). Its SHA-256
    /// is the `policy` of a decision statement.
    pub fn canonical_text(&self) -> String {
        let mut text = format!("{FORMAT}\nanalyzer {VERSION}\n");
        // These types always become JSON; a line that did not would not be read back.
        let mut line = |word: &str, json: Result<String, serde_json::Error>| {
            text.push_str(&format!("{word} {}\n", json.unwrap_or_default()));
        };
        line("settings", serde_json::to_string(&self.settings));
        for (host, (name, class)) in &self.targets {
            line("target", serde_json::to_string(&Target { host: *host, name: name.clone(), class: *class }));
        }
        for rule in self.rules.values() {
            line(
                "rule",
                serde_json::to_string(&Written {
                    id: rule.id,
                    kind: rule.kind,
                    author: rule.author.clone(),
                    approver: rule.approver.clone(),
                    body: rule.body().clone(),
                }),
            );
        }
        text
    }

    /// Reads a canonical text: for whoever checks decisions again. Anything
    /// but its one spelling is refused.
    pub fn from_canonical(text: &str) -> Result<Self, BadPolicy> {
        let mut policy = Self::default();
        let mut lines = text.lines().enumerate();
        if text.len() > MAX_TEXT || lines.next().map(|(_, line)| line) != Some(FORMAT) {
            return Err(BadPolicy::Text { line: 1 });
        }
        for (index, line) in lines {
            let bad = || BadPolicy::Text { line: index + 1 };
            match line.split_once(' ') {
                Some(("analyzer", version)) => {
                    let version: u32 = version.parse().map_err(|_| bad())?;
                    if version != VERSION {
                        return Err(BadPolicy::Analyzer(version));
                    }
                }
                Some(("settings", json)) => {
                    policy.settings = serde_json::from_str(json).map_err(|_| bad())?;
                    policy.settings.check()?;
                }
                Some(("target", json)) => policy.set_target(serde_json::from_str(json).map_err(|_| bad())?),
                Some(("rule", json)) => {
                    let Written { id, kind, author, approver, body } = serde_json::from_str(json).map_err(|_| bad())?;
                    let rule = Rule::check(id, kind, author, approver, body, None);
                    policy.add(rule.map_err(|why| BadPolicy::Rule { id, why })?)?;
                }
                Some(_) | None => return Err(bad()),
            }
        }
        if policy.canonical_text() == text { Ok(policy) } else { Err(BadPolicy::Text { line: 0 }) }
    }
}
