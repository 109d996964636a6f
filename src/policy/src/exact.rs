//! Exact-line whitelist rules: the whole command, byte for byte, or nothing.

use countersign_core::{CommandText, DecidedBy};
use std::collections::{BTreeMap, HashMap};

/// One rule: its number and the line it lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactRule {
    /// Its number, unique for ever.
    pub id: u64,
    /// The exact line.
    pub line: CommandText,
}

/// What the rules say of a command.
#[must_use = "a verdict that nobody reads is a gate left open"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// This rule lets it pass.
    Whitelisted {
        /// The rule's number.
        rule: u64,
    },
    /// No rule speaks: a person is asked.
    AskPerson,
}

impl Verdict {
    /// Who decided, where a rule did.
    pub fn decided_by(self) -> Option<DecidedBy> {
        match self {
            Self::Whitelisted { rule } => Some(DecidedBy::WhitelistRule(rule)),
            Self::AskPerson => None,
        }
    }
}

/// Two rules for one line: which of them spoke would be a matter of luck.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {first} has this line already")]
pub struct DuplicateLine {
    /// The rule that was there first.
    pub first: u64,
}

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub struct ExactRules {
    by_line: HashMap<String, u64>,
    by_id: BTreeMap<u64, String>,
}

impl ExactRules {
    /// Adds a rule. Refuses a line or number that is there already.
    pub fn add(&mut self, rule: ExactRule) -> Result<(), DuplicateLine> {
        if let Some(&first) = self.by_line.get(rule.line.as_str()) {
            return Err(DuplicateLine { first });
        }
        if self.by_id.contains_key(&rule.id) {
            return Err(DuplicateLine { first: rule.id });
        }
        self.by_line.insert(rule.line.as_str().to_owned(), rule.id);
        self.by_id.insert(rule.id, rule.line.as_str().to_owned());
        Ok(())
    }

    /// The verdict on a command. `whole` is the command's exact text where all
    /// of it can be seen; `None` where a part is hidden or it is not text: no
    /// exact line can match what cannot be read.
    pub fn judge(&self, whole: Option<&CommandText>) -> Verdict {
        match whole.and_then(|text| self.by_line.get(text.as_str())) {
            Some(&rule) => Verdict::Whitelisted { rule },
            None => Verdict::AskPerson,
        }
    }

    /// The rules as text with one spelling, sorted by number; its SHA-256 is
    /// the `policy` of a decision statement. Lengths are in bytes and make the
    /// text unambiguous whatever a line holds:
    ///
    /// ```text
    /// cs-policy1
    /// exact 17 13
    /// docker images
    /// ```
    pub fn canonical_text(&self) -> String {
        self.by_id.iter().fold(String::from("cs-policy1\n"), |mut text, (id, line)| {
            text.push_str(&format!("exact {id} {}\n{line}\n", line.len()));
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &str) -> CommandText {
        CommandText::parse(line.as_bytes()).unwrap()
    }

    fn rules(lines: &[(u64, &str)]) -> ExactRules {
        let mut rules = ExactRules::default();
        for (id, line) in lines {
            rules.add(ExactRule { id: *id, line: text(line) }).unwrap();
        }
        rules
    }

    #[test]
    fn only_the_very_same_bytes_pass() {
        let rules = rules(&[(3, "uptime"), (17, "ls -l /srv")]);
        assert_eq!(rules.judge(Some(&text("ls -l /srv"))), Verdict::Whitelisted { rule: 17 });
        for other in ["ls  -l /srv", "ls -l /srv ", " uptime", "uptime\n", "uptime;id", "Uptime", "uptime #", "ls"] {
            assert_eq!(rules.judge(Some(&text(other))), Verdict::AskPerson, "{other:?}");
        }
        assert_eq!(rules.judge(None), Verdict::AskPerson, "hidden text");
        assert_eq!(Verdict::Whitelisted { rule: 17 }.decided_by(), Some(DecidedBy::WhitelistRule(17)));
        assert_eq!(Verdict::AskPerson.decided_by(), None);
    }

    #[test]
    fn one_rule_per_line_and_number() {
        let mut rules = rules(&[(3, "uptime")]);
        assert_eq!(rules.add(ExactRule { id: 4, line: text("uptime") }), Err(DuplicateLine { first: 3 }));
        assert_eq!(rules.add(ExactRule { id: 3, line: text("id") }), Err(DuplicateLine { first: 3 }));
        assert_eq!(rules.judge(Some(&text("id"))), Verdict::AskPerson);
    }

    #[test]
    fn the_canonical_text_does_not_depend_on_order_and_cannot_be_confused() {
        let a = rules(&[(2, "b"), (1, "a")]).canonical_text();
        assert_eq!(a, "cs-policy1\nexact 1 1\na\nexact 2 1\nb\n");
        assert_eq!(a, rules(&[(1, "a"), (2, "b")]).canonical_text());
        assert_ne!(a, rules(&[(1, "a\nexact 2 1\nb")]).canonical_text());
        assert_eq!(ExactRules::default().canonical_text(), "cs-policy1\n");
    }
}
