//! How a submission ended, and who said so.

use crate::{Class, Name};
use std::fmt;
use std::str::FromStr;

/// How a submission ended. Only [`Outcome::lets_run`] outcomes may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A named person approved it.
    Approved,
    /// A named person refused it.
    Denied,
    /// A whitelist rule or grant let it pass.
    Whitelisted,
    /// Nobody answered in time. A denial.
    TimedOut,
    /// A deny rule refused it.
    Blocked,
    /// The agent gave up before an answer came.
    Cancelled,
    /// Service, ledger or input was not fit for a decision. Nothing ran.
    Error,
}

impl Outcome {
    /// Every outcome, for tables and filters.
    pub const ALL: [Self; 7] =
        [Self::Approved, Self::Denied, Self::Whitelisted, Self::TimedOut, Self::Blocked, Self::Cancelled, Self::Error];

    /// Whether a command with this outcome may run.
    pub fn lets_run(self) -> bool {
        matches!(self, Self::Approved | Self::Whitelisted)
    }

    /// The word in the ledger, the API and filters, e.g. `timed_out`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Whitelisted => "whitelisted",
            Self::TimedOut => "timed_out",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }

    /// Symbol and word of an audit row, e.g. `("◷", "TIMED OUT")`.
    pub fn label(self) -> (&'static str, &'static str) {
        match self {
            Self::Approved => ("✔", "APPROVED"),
            Self::Denied => ("✘", "DENIED"),
            Self::Whitelisted => ("●", "WHITELISTED"),
            Self::TimedOut => ("◷", "TIMED OUT"),
            Self::Blocked => ("■", "BLOCKED"),
            Self::Cancelled => ("○", "CANCELLED"),
            Self::Error => ("!", "ERROR"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = BadDecider;
    fn from_str(text: &str) -> Result<Self, BadDecider> {
        Self::ALL.into_iter().find(|o| o.as_str() == text).ok_or(BadDecider)
    }
}

/// What a decision statement says: run it or do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Run it.
    Approve,
    /// Do not run it.
    Deny,
}

impl Choice {
    /// The word in the signed statement.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// Who decided: the `by` of a decision statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DecidedBy {
    /// A named reviewer.
    Person(Name),
    /// `whitelist_rule:<id>`
    WhitelistRule(u64),
    /// `deny_rule:<id>`
    DenyRule(u64),
    /// `grant:<id>`
    Grant(u64),
    /// `threshold:<class>`: no rule spoke, and the risk is under what the target's class lets pass.
    Threshold(Class),
    /// `timeout`: nobody answered.
    Timeout,
}

/// The text names no outcome or decider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown word; want a reviewer's name, whitelist_rule:N, deny_rule:N, grant:N, threshold:CLASS, timeout, or one of the seven outcomes"
)]
pub struct BadDecider;

impl DecidedBy {
    /// The outcome a valid statement of this decider has, or `None` where the
    /// pair makes no sense (a deny rule that approves, a timeout that approves).
    pub fn outcome(&self, choice: Choice) -> Option<Outcome> {
        match (self, choice) {
            (Self::Person(_), Choice::Approve) => Some(Outcome::Approved),
            (Self::Person(_), Choice::Deny) => Some(Outcome::Denied),
            (Self::WhitelistRule(_) | Self::Grant(_) | Self::Threshold(_), Choice::Approve) => {
                Some(Outcome::Whitelisted)
            }
            (Self::DenyRule(_), Choice::Deny) => Some(Outcome::Blocked),
            (Self::Timeout, Choice::Deny) => Some(Outcome::TimedOut),
            (Self::WhitelistRule(_) | Self::Grant(_) | Self::Threshold(_), Choice::Deny)
            | (Self::DenyRule(_) | Self::Timeout, Choice::Approve) => None,
        }
    }
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => f.write_str(name.as_str()),
            Self::WhitelistRule(id) => write!(f, "whitelist_rule:{id}"),
            Self::DenyRule(id) => write!(f, "deny_rule:{id}"),
            Self::Grant(id) => write!(f, "grant:{id}"),
            Self::Threshold(class) => write!(f, "threshold:{class}"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

impl FromStr for DecidedBy {
    type Err = BadDecider;
    fn from_str(text: &str) -> Result<Self, BadDecider> {
        let number = |digits: &str| {
            let plain = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()));
            if plain { digits.parse::<u64>().map_err(|_| BadDecider) } else { Err(BadDecider) }
        };
        match text.split_once(':') {
            Some(("whitelist_rule", id)) => number(id).map(Self::WhitelistRule),
            Some(("deny_rule", id)) => number(id).map(Self::DenyRule),
            Some(("grant", id)) => number(id).map(Self::Grant),
            Some(("threshold", class)) => class.parse().map(Self::Threshold).map_err(|_| BadDecider),
            Some(_) => Err(BadDecider),
            None if text == "timeout" => Ok(Self::Timeout),
            None => text.parse().map(Self::Person).map_err(|_| BadDecider),
        }
    }
}

impl serde::Serialize for DecidedBy {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for DecidedBy {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
        for text in ["ops-lead", "whitelist_rule:17", "deny_rule:0", "grant:3", "threshold:low", "timeout"] {
            assert_eq!(text.parse::<DecidedBy>().map(|d| d.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "",
            "Ops",
            "whitelist_rule:",
            "whitelist_rule:017",
            "whitelist_rule:-1",
            "other:1",
            "a b",
            "threshold:",
            "threshold:Low",
        ] {
            assert_eq!(text.parse::<DecidedBy>(), Err(BadDecider), "{text:?}");
        }
    }

    #[test]
    fn only_people_rules_and_grants_can_let_run() {
        assert_eq!(DecidedBy::Timeout.outcome(Choice::Approve), None);
        assert_eq!(DecidedBy::DenyRule(1).outcome(Choice::Approve), None);
        assert_eq!(DecidedBy::Threshold(Class::Low).outcome(Choice::Deny), None);
        let run: Vec<_> = Outcome::ALL.into_iter().filter(|o| o.lets_run()).collect();
        assert_eq!(run, [Outcome::Approved, Outcome::Whitelisted]);
    }
}
