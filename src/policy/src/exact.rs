//! Exact-line whitelist rules: the whole command, byte for byte, or nothing.

use countersign_core::{CommandText, DecidedBy};
use std::collections::{BTreeMap, HashMap};

/// One rule: its number, the line it lets pass, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactRule {
    /// Its number, unique for ever.
    pub id: u64,
    /// The exact line.
    pub line: CommandText,
    /// The inner shell that it is written for: the same bytes mean something else to another.
    pub shell: String,
    /// Whether it speaks where the login has a terminal too, at which a
    /// program may hand whoever sits there a shell.
    pub on_terminal: bool,
}

/// A command that rules are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its exact text where all of it can be seen; `None` where a part is
    /// hidden or it is not text.
    pub whole: Option<&'a CommandText>,
    /// The inner shell that would run it.
    pub shell: &'a str,
    /// Whether its login has a terminal, by the host's own entry.
    pub terminal: bool,
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

/// Two rules for one line of one shell: which of them spoke would be a matter of luck.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {first} has this line already")]
pub struct DuplicateLine {
    /// The rule that was there first.
    pub first: u64,
}

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub struct ExactRules {
    /// Shell, then line.
    by_line: HashMap<String, HashMap<String, u64>>,
    by_id: BTreeMap<u64, ExactRule>,
}

impl ExactRules {
    /// Adds a rule. Refuses a line or number that is there already.
    pub fn add(&mut self, rule: ExactRule) -> Result<(), DuplicateLine> {
        if self.by_id.contains_key(&rule.id) {
            return Err(DuplicateLine { first: rule.id });
        }
        let lines = self.by_line.entry(rule.shell.clone()).or_default();
        if let Some(&first) = lines.get(rule.line.as_str()) {
            return Err(DuplicateLine { first });
        }
        lines.insert(rule.line.as_str().to_owned(), rule.id);
        self.by_id.insert(rule.id, rule);
        Ok(())
    }

    /// The verdict on a command. No exact line can match what cannot be read,
    /// none matches under another shell, and on a terminal only those that say so.
    pub fn judge(&self, asked: Asked<'_>) -> Verdict {
        let lines = self.by_line.get(asked.shell);
        let rule = asked
            .whole
            .and_then(|text| lines?.get(text.as_str()))
            .and_then(|id| self.by_id.get(id))
            .filter(|rule| rule.on_terminal || !asked.terminal);
        rule.map_or(Verdict::AskPerson, |rule| Verdict::Whitelisted { rule: rule.id })
    }

    /// The rules as text with one spelling, sorted by number; its SHA-256 is
    /// the `policy` of a decision statement. Lengths are in bytes and make the
    /// text unambiguous whatever a line holds:
    ///
    /// ```text
    /// cs-policy1
    /// exact 17 13 bash no_terminal
    /// docker images
    /// ```
    pub fn canonical_text(&self) -> String {
        self.by_id.values().fold(String::from("cs-policy1\n"), |mut text, rule| {
            let (line, shell) = (rule.line.as_str(), &rule.shell);
            let place = if rule.on_terminal { "terminal" } else { "no_terminal" };
            text.push_str(&format!("exact {} {} {shell} {place}\n{line}\n", rule.id, line.len()));
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

    fn rule(id: u64, line: &str) -> ExactRule {
        ExactRule { id, line: text(line), shell: "bash".to_owned(), on_terminal: false }
    }

    fn rules(lines: &[(u64, &str)]) -> ExactRules {
        let mut rules = ExactRules::default();
        for (id, line) in lines {
            rules.add(rule(*id, line)).unwrap();
        }
        rules
    }

    fn judge(rules: &ExactRules, line: &str) -> Verdict {
        rules.judge(Asked { whole: Some(&text(line)), shell: "bash", terminal: false })
    }

    #[test]
    fn a_rule_is_for_one_shell_and_not_for_a_terminal() {
        let mut rules = rules(&[(1, "systemctl status nginx")]);
        rules.add(ExactRule { on_terminal: true, ..rule(2, "uptime") }).unwrap();
        rules.add(ExactRule { shell: "fish".to_owned(), ..rule(3, "uptime") }).unwrap();
        let verdict = |line: &str, shell: &str, terminal: bool| {
            let whole = text(line);
            rules.judge(Asked { whole: Some(&whole), shell, terminal }).decided_by().map(|by| by.to_string())
        };
        let by = |id: u64| Some(format!("whitelist_rule:{id}"));
        assert_eq!(verdict("systemctl status nginx", "bash", false), by(1));
        assert_eq!(verdict("systemctl status nginx", "bash", true), None, "a pager on a terminal is a shell");
        assert_eq!(verdict("systemctl status nginx", "tcsh", false), None);
        assert_eq!(verdict("systemctl status nginx", "", false), None);
        assert_eq!((verdict("uptime", "bash", true), verdict("uptime", "bash", false)), (by(2), by(2)));
        assert_eq!((verdict("uptime", "fish", true), verdict("uptime", "fish", false)), (None, by(3)));
    }

    #[test]
    fn only_the_very_same_bytes_pass() {
        let rules = rules(&[(3, "uptime"), (17, "ls -l /srv")]);
        assert_eq!(judge(&rules, "ls -l /srv"), Verdict::Whitelisted { rule: 17 });
        for other in ["ls  -l /srv", "ls -l /srv ", " uptime", "uptime\n", "uptime;id", "Uptime", "uptime #", "ls"] {
            assert_eq!(judge(&rules, other), Verdict::AskPerson, "{other:?}");
        }
        assert_eq!(
            rules.judge(Asked { whole: None, shell: "bash", terminal: false }),
            Verdict::AskPerson,
            "hidden text"
        );
        assert_eq!(Verdict::Whitelisted { rule: 17 }.decided_by(), Some(DecidedBy::WhitelistRule(17)));
        assert_eq!(Verdict::AskPerson.decided_by(), None);
    }

    #[test]
    fn one_rule_per_line_and_number() {
        let mut rules = rules(&[(3, "uptime")]);
        assert_eq!(rules.add(rule(4, "uptime")), Err(DuplicateLine { first: 3 }));
        assert_eq!(rules.add(rule(3, "id")), Err(DuplicateLine { first: 3 }));
        assert_eq!(judge(&rules, "id"), Verdict::AskPerson);
    }

    #[test]
    fn the_canonical_text_does_not_depend_on_order_and_cannot_be_confused() {
        let a = rules(&[(2, "b"), (1, "a")]).canonical_text();
        assert_eq!(a, "cs-policy1\nexact 1 1 bash no_terminal\na\nexact 2 1 bash no_terminal\nb\n");
        assert_eq!(a, rules(&[(1, "a"), (2, "b")]).canonical_text());
        assert_ne!(a, rules(&[(1, "a\nexact 2 1 bash no_terminal\nb")]).canonical_text());
        assert_eq!(ExactRules::default().canonical_text(), "cs-policy1\n");
    }
}
