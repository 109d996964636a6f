//! Rules as a TOML file: what `countersign rules import`, `export` and `check` take.
//!
//! One thing that is not clear refuses the whole file.

use crate::rule::{BadRule, Body, Kind, Rule};
use crate::settings::{BadSettings, Settings};
use countersign_core::Name;
use serde::{Deserialize, Serialize};

/// What stands in `fmt`.
const FORMAT: &str = "cs-rules1";
/// Longest file, in bytes.
const MAX_FILE: usize = 4 * 1024 * 1024;
/// Most rules of a file.
const MAX_RULES: usize = 2000;

/// A file of rules. The text says what is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDocument {
    /// Not TOML, or a member that is missing, unknown or of another kind.
    #[error("{0}")]
    Toml(String),
    /// Another version.
    #[error("`fmt` must be \"{FORMAT}\"")]
    Format,
    /// Over a limit.
    #[error("the file is over {MAX_FILE} bytes or {MAX_RULES} rules")]
    TooLong,
    /// A rule in it.
    #[error("rule {number} of the file ({what}): {why}")]
    Rule {
        /// Which, from 1.
        number: usize,
        /// What it says it is for.
        what: String,
        /// What is wrong.
        why: BadRule,
    },
    /// Two rules with one number.
    #[error("rule {number} of the file has the id {id} of another one; leave `id` out for a new rule")]
    SameId {
        /// Which, from 1.
        number: usize,
        /// The number.
        id: u64,
    },
    /// Its settings.
    #[error("settings: {0}")]
    Settings(#[from] BadSettings),
}

/// A rule of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imported {
    /// The number of the rule that it replaces; a new one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What it says.
    pub body: Body,
}

/// A checked file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Its settings, where it has any.
    pub settings: Option<Settings>,
    /// Its rules, in order.
    pub rules: Vec<Imported>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fmt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
    #[serde(default, rename = "rule", skip_serializing_if = "Vec::is_empty")]
    rules: Vec<toml::Table>,
}

impl Document {
    /// Reads a file and checks every rule with its examples.
    pub fn parse(text: &str) -> Result<Self, BadDocument> {
        if text.len() > MAX_FILE {
            return Err(BadDocument::TooLong);
        }
        let toml = |error: toml::de::Error| BadDocument::Toml(error.to_string().trim_end().to_owned());
        let written: Written = toml::from_str(text).map_err(toml)?;
        if written.fmt != FORMAT {
            return Err(BadDocument::Format);
        }
        if written.rules.len() > MAX_RULES {
            return Err(BadDocument::TooLong);
        }
        if let Some(settings) = &written.settings {
            settings.check()?;
        }
        let mut rules: Vec<Imported> = Vec::new();
        for (index, mut table) in written.rules.into_iter().enumerate() {
            let number = index + 1;
            let wrong = |why: String| BadDocument::Toml(format!("rule {number} of the file: {why}"));
            let id = match table.remove("id") {
                None => None,
                Some(toml::Value::Integer(id)) if id > 0 => u64::try_from(id).ok(),
                Some(_) => return Err(wrong("`id` must be the number of a rule".to_owned())),
            };
            let body = Body::deserialize(table).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
            check(&body).map_err(|why| BadDocument::Rule { number, what: body.describe(), why })?;
            if let Some(id) = id.filter(|id| rules.iter().any(|known| known.id == Some(*id))) {
                return Err(BadDocument::SameId { number, id });
            }
            rules.push(Imported { id, body });
        }
        Ok(Self { settings: written.settings, rules })
    }

    /// The file that [`Document::parse`] reads as this.
    pub fn to_toml(&self) -> Result<String, BadDocument> {
        let toml = |error: toml::ser::Error| BadDocument::Toml(error.to_string());
        let mut rules = Vec::new();
        for rule in &self.rules {
            let mut table = toml::Table::new();
            if let Some(id) = rule.id.and_then(|id| i64::try_from(id).ok()) {
                table.insert("id".to_owned(), toml::Value::Integer(id));
            }
            table.extend(toml::Table::try_from(&rule.body).map_err(toml)?);
            rules.push(table);
        }
        toml::to_string(&Written { fmt: FORMAT.to_owned(), settings: self.settings.clone(), rules }).map_err(toml)
    }
}

/// Checks a standing rule that has neither number nor author yet.
fn check(body: &Body) -> Result<(), BadRule> {
    // Any name will do: who wrote it changes nothing about what it says.
    let Ok(nobody) = "nobody".parse::<Name>() else { return Err(BadRule::Nothing) };
    Rule::check(0, Kind::Standing, nobody.clone(), nobody, body.clone(), None).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
fmt = "cs-rules1"

[settings]
critical_at = 80
[settings.classes.medium]
pass_below = 20
person_at = 40
people = 1
[[settings.hours]]
agents = ["deploy-*"]
schedule = { days = "mon-fri", from = "08:00", until = "18:00", zone = "Europe/Berlin" }

[[rule]]
patterns = ["docker pull ghcr.io/myorg/api:*", "docker images"]
agents = ["deploy-agent"]
classes = ["low", "medium"]
owner = "platform"
expires = "2027-03-01"
uses = 500
match = ["docker pull ghcr.io/myorg/api:sha-1"]
no_match = ["docker pull ghcr.io/myorg/api:x; id", "docker pull ghcr.io/evil/api:1"]

[[rule]]
id = 17
effect = "deny"
patterns = ["rm **"]
match = ["sudo rm -rf /", "x=$(rm x)"]

[[rule]]
effect = "ask"
secrets = ["*"]
"#;

    #[test]
    fn a_file_is_read_and_written_as_the_same() {
        let document = Document::parse(FILE).unwrap();
        assert_eq!(document.rules.len(), 3);
        assert_eq!(document.rules[1].id, Some(17));
        assert_eq!(document.settings.as_ref().unwrap().classes.medium.pass_below, 20);
        assert_eq!(document.settings.as_ref().unwrap().classes.low.pass_below, 50, "what is not said stays");
        assert_eq!(Document::parse(&document.to_toml().unwrap()), Ok(document));
    }

    #[test]
    fn one_unclear_thing_refuses_the_file() {
        let with = |more: &str| Document::parse(&format!("{FILE}\n{more}"));
        for bad in [
            "x = 1",
            "[[rules]]\nexact = \"true\"",
            "[[rule]]\nexact = \"true\"\nscope = \"all\"",
            "[[rule]]\nid = 17\nexact = \"true\"",
            "[[rule]]\nid = -1\nexact = \"true\"",
            "[[rule]]\nid = \"1\"\nexact = \"true\"",
            "[[rule]]",
            "[[rule]]\nexact = 1",
            "[[rule]]\neffect = \"permit\"\nexact = \"true\"",
            "[[rule]]\npatterns = [\"bash **\"]",
            "[[rule]]\npatterns = [\"sudo *\"]",
            "[[rule]]\npatterns = [\"x re:(\"]",
            "[[rule]]\npatterns = [\"git status\"]\nmatch = [\"git log\"]",
            "[[rule]]\npatterns = [\"ls **\"]\nno_match = [\"ls -l\"]",
            "[[rule]]\nexact = \"true\"\npatterns = [\"true\"]",
            "[[rule]]\nsecrets = [\"*\"]",
            "[[rule]]\neffect = \"deny\"\nexact = \"true\"",
            "[[rule]]\nexact = \"true\"\nexpires = \"soon\"",
            "[[rule]]\nexact = \"true\"\nuses = 0",
            "[[rule]]\nexact = \"true\"\nsession = \"a-1\"",
            "[[rule]]\nexact = \"true\"\nshell = \"sh\"",
            "[[rule]]\npatterns = [\"true\"]\nshell = \"fish\"",
            "[[rule]]\npatterns = [\"make x\"]\nassignments = [\"PATH=*\"]",
            "[[rule]]\npatterns = [\"make x\"]\nassignments = [\"LD_PRELOAD=*\"]",
            "[[rule]]\npatterns = [\"make x\"]\nassignments = [\"GIT_SSH_COMMAND=*\"]",
            "[[rule]]\npatterns = [\"make x\"]\nwrites = [\"/*\"]",
            "[[rule]]\npatterns = [\"make x\"]\nwrites = [\"logs/*\"]",
            "[[rule]]\npatterns = [\"make x\"]\nwrites = [\"/srv/../etc/*\"]",
            "[[rule]]\npatterns = [\"make x\"]\ncwd = [\"srv\"]",
            "[[rule]]\nexact = \"true\"\nschedule = { days = \"x\", from = \"08:00\", until = \"18:00\", zone = \"UTC\" }",
            "[[rule]]\nexact = \"true\"\nclasses = [\"huge\"]",
            "[[rule]]\nexact = \"true\"\nnote = \"a\\u0000b\"",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
        assert!(with("[[rule]]\nexact = \"true\"").is_ok());
        for bad in ["", "fmt = \"cs-rules2\"", "fmt = \"cs-rules1\"\n[settings]\nx = 1", "not toml"] {
            assert!(Document::parse(bad).is_err(), "{bad}");
        }
        let people = "fmt = \"cs-rules1\"\n[settings.classes.critical]\npass_below = 0\nperson_at = 25\npeople = 0";
        assert!(matches!(Document::parse(people), Err(BadDocument::Settings(_))));
    }
}
