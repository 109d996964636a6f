//! A rule as it is written, and as it is checked.
//!
//! [`Body`] is the written form: a table of a TOML file, the body of a request,
//! a line of the canonical policy text. [`Rule`] is made from it by one
//! function, [`Rule::check`], and by nothing else: a rule that fails its own
//! examples, or that could let pass what nobody meant, never becomes one.

mod check;
mod speaks;

pub use check::BadRule;
pub(crate) use check::PATTERN_SHELLS;
pub(crate) use speaks::{Command, name_fits};

use crate::pattern::Pattern;
use crate::schedule::Schedule;
use countersign_core::{Class, CommandText, Name};
use serde::{Deserialize, Serialize};

/// What a rule does with the lines it speaks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// They pass, where every command of the line is allowed.
    #[default]
    Allow,
    /// They are refused, where any command of the line is meant.
    Deny,
    /// A person decides, whatever else would let them pass.
    Ask,
}

impl Effect {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Ask => "ask",
        }
    }

    fn is_allow(&self) -> bool {
        *self == Self::Allow
    }
}

/// A rule as it is written. An unknown member is an error. Lists that are
/// empty or absent mean "any" for scopes, and "none" for what is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// What it does.
    #[serde(default, skip_serializing_if = "Effect::is_allow")]
    pub effect: Effect,
    /// One line, byte for byte. Only to allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// Patterns of commands (docs/POLICY.md).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// Kinds of secret or personal data; `*` is any. Only to deny or ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Anomaly flags. Only to deny or ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<String>,
    /// Accounts; `*` may stand for a part of a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// Names of hosts; `*` may stand for a part of a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Classes of hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// Directories: the command must run in one of these or under it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwd: Vec<String>,
    /// One work session. Only of a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The inner shell it is written for; bash where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// Whether it lets pass where the login has a terminal too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_terminal: bool,
    /// Files that output may go to, as patterns of one word: `/srv/logs/*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Variables that may be set for the command: `TZ=*`, `RAILS_ENV=production`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assignments: Vec<String>,
    /// When it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Until when it speaks: `2027-03-01` (UTC) or a UTC time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// How many lines it may let pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// Who answers for it: a person or a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Lines that it must speak for.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<String>,
    /// Lines that it must not speak for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_match: Vec<String>,
}

impl Body {
    /// The one line or the patterns, as one text for people.
    pub fn describe(&self) -> String {
        let mut parts: Vec<String> = self.exact.iter().cloned().collect();
        parts.extend(self.patterns.iter().cloned());
        if !self.secrets.is_empty() {
            parts.push(format!("secrets: {}", self.secrets.join(", ")));
        }
        if !self.anomalies.is_empty() {
            parts.push(format!("anomalies: {}", self.anomalies.join(", ")));
        }
        match self.is_for_every_line() {
            true => format!("every line of {}", self.agents.join(", ")),
            false => parts.join(" | "),
        }
    }

    /// Whether it names no lines, so that it speaks for all in its scope. Only to deny or ask.
    pub(crate) fn is_for_every_line(&self) -> bool {
        self.exact.is_none() && self.patterns.is_empty() && self.secrets.is_empty() && self.anomalies.is_empty()
    }

    /// Whether it decides as another one does. Who answers for it and why, its
    /// examples and the order of its lists change nothing about that.
    pub fn decides_as(&self, other: &Self) -> bool {
        self.deciding() == other.deciding()
    }

    fn deciding(&self) -> Self {
        let mut body = Self {
            shell: Some(self.shell().to_owned()),
            owner: None,
            note: None,
            matches: Vec::new(),
            no_match: Vec::new(),
            ..self.clone()
        };
        for list in [
            &mut body.patterns,
            &mut body.secrets,
            &mut body.anomalies,
            &mut body.agents,
            &mut body.targets,
            &mut body.cwd,
            &mut body.writes,
            &mut body.assignments,
        ] {
            list.sort_unstable();
            list.dedup();
        }
        body.classes.sort_unstable();
        body.classes.dedup();
        body
    }

    /// The inner shell it is written for.
    pub fn shell(&self) -> &str {
        self.shell.as_deref().unwrap_or("bash")
    }
}

/// A standing rule, or a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Stands until it expires.
    Standing,
    /// For an hour, an agent, a target: one person may give it.
    Grant,
}

/// A rule that was checked.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its number, unique for ever.
    pub id: u64,
    /// What it is.
    pub kind: Kind,
    /// Who wrote it.
    pub author: Name,
    /// Who put it in force; the author only where nobody else could.
    pub approver: Name,
    body: Body,
    exact: Option<CommandText>,
    patterns: Vec<Pattern>,
    writes: Vec<Pattern>,
    assignments: Vec<(String, Pattern)>,
    expires_ms: Option<i64>,
}

impl Rule {
    /// As it was written.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Its exact line.
    pub fn exact(&self) -> Option<&CommandText> {
        self.exact.as_ref()
    }

    /// When it ends, ms since 1970.
    pub fn expires_ms(&self) -> Option<i64> {
        self.expires_ms
    }

    /// `rule 17` or `grant 3`.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Standing => format!("rule {}", self.id),
            Kind::Grant => format!("grant {}", self.id),
        }
    }
}
