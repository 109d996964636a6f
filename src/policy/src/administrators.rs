//! The rules of the administrators' document, which a host applies by itself.
//!
//! They are a file of rules (`cs-rules1`) with `[[target]]` beside it. What a
//! host cannot keep to alone is refused: counting uses over all hosts, letting
//! pass by score what no rule knows, and asking more people than the document.

use crate::again::{Recorded, Trial};
use crate::decide::Ruling;
use crate::document::{BadDocument, Document};
use crate::policy::{BadPolicy, Policy, Target};
use crate::rule::{BadRule, Kind, Rule};
use crate::settings::Settings;
use countersign_core::Name;

/// Settings that a host does not keep to.
const NOT_HERE: [&str; 3] = ["classes", "critical_at", "critical_people"];

/// Rules of a document that cannot be used. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAdministrators {
    /// As a file of rules.
    #[error(transparent)]
    Document(#[from] BadDocument),
    /// As a policy.
    #[error(transparent)]
    Policy(#[from] BadPolicy),
    /// Not TOML, or a target that is not one.
    #[error("{0}")]
    Toml(String),
    /// Two targets with one id.
    #[error("the target {0} stands twice")]
    SameTarget(Name),
    /// A member that has no place here.
    #[error(
        "`settings.{0}` has no place in the administrators' document: `people` of the document says how many must approve, and no line passes there that no rule knows; take it out"
    )]
    Setting(&'static str),
    /// A rule that must be counted.
    #[error("rule {0}: no host counts `uses` by itself; take it out, or let the rule end with `expires`")]
    Uses(u64),
}

impl Policy {
    /// Reads the rules of an administrators' document; `None` where it has
    /// none. A rule's number is its `id`, else its place in the document, from 1.
    pub fn of_administrators(text: &str) -> Result<Option<Self>, BadAdministrators> {
        let toml = |why: String| BadAdministrators::Toml(why.trim_end().to_owned());
        let mut table: toml::Table = toml::from_str(text).map_err(|why| toml(why.to_string()))?;
        let targets = table.remove("target").unwrap_or_else(|| toml::Value::Array(Vec::new()));
        let targets: Vec<Target> = targets.try_into().map_err(|why: toml::de::Error| toml(why.to_string()))?;
        if let Some(settings) = table.get("settings").and_then(toml::Value::as_table)
            && let Some(name) = NOT_HERE.into_iter().find(|name| settings.contains_key(*name))
        {
            return Err(BadAdministrators::Setting(name));
        }
        let document = Document::parse(&toml::to_string(&table).map_err(|why| toml(why.to_string()))?)?;
        let mut settings = document.settings.unwrap_or_default();
        no_thresholds(&mut settings);
        let mut policy = Self::new(settings)?;
        for target in targets {
            if !policy.target(target.host).0.is_empty() {
                return Err(BadAdministrators::SameTarget(target.name));
            }
            policy.set_target(target);
        }
        let bad_name = || BadPolicy::Rule { id: 0, why: BadRule::Nothing };
        let author: Name = "administrators".parse().map_err(|_| bad_name())?;
        for (place, rule) in (1u64..).zip(document.rules) {
            let id = rule.id.unwrap_or(place);
            if rule.body.uses.is_some() {
                return Err(BadAdministrators::Uses(id));
            }
            let rule = Rule::check(id, Kind::Standing, author.clone(), author.clone(), rule.body, None)
                .map_err(|why| BadPolicy::Rule { id, why })?;
            policy.add(rule)?;
        }
        let none = policy.rules().next().is_none();
        Ok(if none { None } else { Some(policy) })
    }

    /// What a host that applies this policy by itself makes of a line at a
    /// moment; `outcome` and `by` of what is recorded are not looked at. `None`
    /// where what it takes is not there: then no rule speaks.
    pub fn by_host(&self, said: &Recorded<'_>, at_ms: i64) -> Option<Ruling> {
        Trial::with(self, said, |trial| trial.verdict_of_host(at_ms).ruling)
    }
}

/// What no rule knows goes to people.
fn no_thresholds(settings: &mut Settings) {
    let classes = &mut settings.classes;
    for class in [&mut classes.critical, &mut classes.high, &mut classes.medium, &mut classes.low] {
        class.pass_below = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_cannot_keep_to_is_refused() {
        const HOST: &str = "00000000000000000000000001";
        let read = |more: &str| Policy::of_administrators(&format!("fmt = \"cs-rules1\"\n{more}"));
        let said = |more: &str| read(more).unwrap_err().to_string();
        assert!(read("").unwrap().is_none());
        assert!(said("[[rule]]\nexact = \"id\"\nuses = 3\n").contains("uses"));
        for settings in ["critical_at = 75", "critical_people = 2", "classes = {}"] {
            assert!(said(&format!("[settings]\n{settings}\n")).contains("take it out"), "{settings}");
        }
        let target = format!("[[target]]\nhost = \"{HOST}\"\nname = \"web-1\"\nclass = \"low\"\n");
        assert!(said(&format!("{target}{target}")).contains("twice"));
        assert!(read(&target.replace("low", "none")).is_err());
        for rule in ["patterns = [\"bash *\"]", "exact = \"id\"\nmatch = [\"ls\"]", "exact = \"id\"\nnew = 1"] {
            assert!(read(&format!("[[rule]]\n{rule}\n")).is_err(), "{rule}");
        }
        assert!(read("[[rule]]\nid = 2\nexact = \"id\"\n[[rule]]\nexact = \"ls\"\n").is_err(), "number 2 twice");
        let policy = read(&format!("[[rule]]\nexact = \"id\"\n{target}")).unwrap().unwrap();
        let settings = policy.settings().classes;
        assert_eq!([settings.low.pass_below, settings.medium.pass_below, settings.low.person_at], [0, 0, 75]);
        let again = Policy::from_canonical(&policy.canonical_text()).unwrap();
        assert_eq!(again.canonical_text(), policy.canonical_text());
    }
}
