//! The rules as data: `rules.toml`, read once.

use super::ready::{Index, Ready};
use crate::paths::Class;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One rule: if any of its conditions holds for a command (or for the line),
/// it adds to the score, once.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, stable.
    pub id: String,
    /// What it adds, 1 to 100.
    pub weight: u8,
    /// What it found, in words.
    pub reason: String,
    /// ATT&CK technique.
    pub technique: String,
    /// What kind of thing it is about.
    pub category: String,
    /// An anomaly flag that goes with it.
    #[serde(default)]
    pub flag: Option<String>,
    /// It counts for each program that it holds for.
    #[serde(default)]
    pub each: bool,
    /// The conditions.
    pub when: Vec<Condition>,
    /// Lines that it must hold for.
    pub r#match: Vec<String>,
    /// Lines that it must not hold for.
    pub no_match: Vec<String>,
}

/// What must hold of one command, all of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// The program is one of these (`@set`: of that set).
    pub program: Vec<String>,
    /// It is none of these.
    pub not_program: Vec<String>,
    /// Its operands begin with these words; `*` stands for any text in a word.
    pub sub: Vec<String>,
    /// And with none of these.
    pub not_sub: Vec<String>,
    /// One of its first five operands is this verb, or begins with it and `-`.
    pub verb: Vec<String>,
    /// One of these options is given.
    pub option: Vec<String>,
    /// And one of these.
    pub option_too: Vec<String>,
    /// None of these options is given.
    pub not_option: Vec<String>,
    /// An argument matches (`*`: any text).
    pub word: Vec<String>,
    /// The arguments, in lower case and joined by spaces, contain one of these.
    pub text: Vec<String>,
    /// And one of these.
    pub text_too: Vec<String>,
    /// And none of these.
    pub not_text: Vec<String>,
    /// A path of one of these classes is touched in any way but from outside.
    pub path: Vec<String>,
    /// … or also from outside.
    pub mention: Vec<String>,
    /// … is read.
    pub reads: Vec<String>,
    /// … is written.
    pub writes: Vec<String>,
    /// … is removed.
    pub deletes: Vec<String>,
    /// A path is removed that is of none of these classes.
    pub deletes_outside: Vec<String>,
    /// A host that is so far away: `external`, `private`, `metadata`, `loopback`.
    pub host: Vec<String>,
    /// A later stage of the pipeline runs one of these.
    pub piped_to: Vec<String>,
    /// An earlier stage runs one of these.
    pub piped_from: Vec<String>,
    /// It runs as root by `sudo` or its like.
    pub root: Option<bool>,
    /// It has no operands.
    pub bare: Option<bool>,
    /// A variable with this name is assigned in front of it.
    pub assigns: Vec<String>,
    /// One of these is said of the line.
    pub opaque: Vec<String>,
    /// A finding that takes more than words to describe: see `detect.rs`.
    pub detect: Vec<String>,
    /// The same, made ready to be looked at.
    #[serde(skip)]
    pub(super) ready: Ready,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    sets: BTreeMap<String, Vec<String>>,
    rule: Vec<Rule>,
}

/// All rules, and which may hold for a program.
#[derive(Debug)]
pub struct Rules {
    /// In the order of the file.
    pub all: Vec<Rule>,
    pub(super) index: Index,
}

/// The rules of the data file, or why it is unfit.
pub static RULES: LazyLock<Result<Rules, String>> = LazyLock::new(|| {
    let sources = [
        include_str!("rules/system.toml"),
        include_str!("rules/attack.toml"),
        include_str!("rules/work.toml"),
        include_str!("rules/services.toml"),
    ];
    Rules::read(&sources)
});

impl Rules {
    /// Reads rules; a set of one source is known to all.
    pub fn read(sources: &[&str]) -> Result<Self, String> {
        let files = sources.iter().map(|text| toml::from_str::<File>(text).map_err(|e| format!("risk rules: {e}")));
        let files: Vec<File> = files.collect::<Result<_, _>>()?;
        let sets: BTreeMap<String, Vec<String>> = files.iter().flat_map(|file| file.sets.clone()).collect();
        let mut rules = Self { all: Vec::new(), index: Index::default() };
        for mut rule in files.into_iter().flat_map(|file| file.rule) {
            for condition in &mut rule.when {
                let lists = [
                    &mut condition.program,
                    &mut condition.not_program,
                    &mut condition.piped_to,
                    &mut condition.piped_from,
                    &mut condition.text,
                    &mut condition.verb,
                ];
                for list in lists {
                    *list = expanded(list, &sets)?;
                }
                check(&rule.id, condition)?;
            }
            if rule.weight == 0
                || rule.weight > 100
                || rule.when.is_empty()
                || rules.all.iter().any(|known| known.id == rule.id)
            {
                return Err(format!(
                    "risk rules: {} has no weight of 1 to 100, no condition, or the name of another",
                    rule.id
                ));
            }
            rules.all.push(rule);
        }
        rules.index = Index::of(&mut rules.all)?;
        Ok(rules)
    }
}

fn expanded(list: &[String], sets: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>, String> {
    let mut whole = Vec::new();
    for entry in list {
        match entry.strip_prefix('@').filter(|name| !name.is_empty()) {
            Some(name) => whole.extend(sets.get(name).ok_or(format!("risk rules: no set @{name}"))?.clone()),
            None => whole.push(entry.clone()),
        }
    }
    Ok(whole)
}

/// Names of classes that no class has would never hold, and nobody would notice.
fn check(id: &str, condition: &Condition) -> Result<(), String> {
    let lists = [
        &condition.path,
        &condition.mention,
        &condition.reads,
        &condition.writes,
        &condition.deletes,
        &condition.deletes_outside,
    ];
    for name in lists.into_iter().flatten() {
        if name != "any" && Class::named(name).is_none() {
            return Err(format!("risk rules: {id}: no class of paths is called {name}"));
        }
    }
    for name in &condition.detect {
        if !super::detect::NAMES.contains(&name.as_str()) {
            return Err(format!("risk rules: {id}: nothing detects {name}"));
        }
    }
    Ok(())
}
