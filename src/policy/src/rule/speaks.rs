//! Whether a rule speaks for a command.

use super::{Effect, Kind, Rule};
use crate::decide::{Asked, Now};
use crate::pattern::{Could, climbs};
use crate::plain::Simple;
use crate::reading::Reading;
use countersign_core::Class;

/// A command of a line with what changes its meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Command<'a> {
    pub(crate) simple: &'a Simple,
}

impl Rule {
    /// Why it has no say on this submission now; `None` where it has.
    pub(crate) fn silent(&self, asked: &Asked<'_>, target: &str, class: Class, now: &Now<'_>) -> Option<String> {
        let body = &self.body;
        let named = |list: &[String], name: &str| list.is_empty() || list.iter().any(|known| name_fits(known, name));
        if !named(&body.agents, asked.agent) {
            return Some("is for other agents".to_owned());
        }
        if !named(&body.targets, target) {
            return Some("is for other targets".to_owned());
        }
        if !body.classes.is_empty() && !body.classes.contains(&class) {
            return Some(format!("is not for class {class}"));
        }
        // Also where the host was enrolled, or became critical, after the grant was given.
        if self.kind == Kind::Grant && class == Class::Critical {
            return Some("is a grant, and this target is critical".to_owned());
        }
        // What one person wrote and nobody else approved is one person's word; here two must agree.
        if body.effect == Effect::Allow && class == Class::Critical && self.author == self.approver {
            return Some("was approved by its author alone, and this target is critical".to_owned());
        }
        if body.session.as_deref().is_some_and(|session| session != asked.session) {
            return Some("is for another session".to_owned());
        }
        if !body.cwd.is_empty() && !body.cwd.iter().any(|dir| is_under(asked.cwd, dir)) {
            return Some("is for other directories".to_owned());
        }
        if self.expires_ms.is_some_and(|end| now.at_ms >= end) {
            return Some("has expired".to_owned());
        }
        if body.schedule.as_ref().is_some_and(|hours| !hours.holds(now.at_ms)) {
            return Some("does not speak at this hour".to_owned());
        }
        if body.uses.is_some_and(|uses| (now.uses)(self.id) >= uses) {
            return Some("is used up".to_owned());
        }
        match body.effect {
            Effect::Allow if body.shell() != asked.shell => Some(format!("is written for {}", body.shell())),
            Effect::Allow if asked.terminal && !body.on_terminal => Some("does not speak on a terminal".to_owned()),
            Effect::Allow | Effect::Deny | Effect::Ask => None,
        }
    }

    /// Whether it lets this command pass.
    pub(crate) fn allows(&self, command: Command<'_>) -> Result<(), &'static str> {
        let simple = command.simple;
        if !self.patterns.iter().any(|pattern| pattern.matches(&simple.words)) {
            return Err("does not match");
        }
        let two = |first: &str, second: &str| [first.to_owned(), second.to_owned()];
        let written =
            |path: &String| !climbs(path) && self.writes.iter().any(|pattern| pattern.matches(&two("write", path)));
        if !simple.writes.iter().all(written) {
            return Err("matches, but does not allow output into this file");
        }
        let set = |(name, value): &(String, String)| {
            self.assignments.iter().any(|(known, pattern)| known == name && pattern.matches(&two("set", value)))
        };
        if !simple.assignments.iter().all(set) {
            return Err("matches, but does not allow this variable to be set");
        }
        Ok(())
    }

    /// Whether a line holds a command that this rule refuses or asks about.
    pub(crate) fn refuses(&self, reading: &Reading) -> Could {
        if self.body.is_for_every_line() {
            return Could::Surely;
        }
        let could = |words: &Vec<Option<String>>| self.patterns.iter().map(|p| p.could_match(words)).max();
        reading.commands.iter().filter_map(could).max().unwrap_or(Could::Not)
    }

    /// For examples: whether the rule speaks for a line, scopes aside.
    pub(crate) fn speaks_for_line(&self, reading: &Reading) -> bool {
        match self.body.effect {
            Effect::Allow => match &self.exact {
                Some(line) => line.as_str() == reading.line,
                None => reading.allowed_by(&mut |command| self.allows(command).is_ok()).is_ok(),
            },
            Effect::Deny | Effect::Ask => self.refuses(reading) != Could::Not,
        }
    }
}

/// `web-*` and the like.
pub(crate) fn name_fits(known: &str, name: &str) -> bool {
    match known.split_once('*') {
        None => known == name,
        Some((begin, end)) => name.len() >= begin.len() + end.len() && name.starts_with(begin) && name.ends_with(end),
    }
}

/// Whether a path is `dir` or under it, as text; `..` is never under anything.
pub(crate) fn is_under(path: &str, dir: &str) -> bool {
    let dir = dir.trim_end_matches('/');
    !climbs(path) && path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
