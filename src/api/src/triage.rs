//! What people find of a command later, when they look at what was odd about
//! it: a verdict with a note. Each is kept; the last one counts.

use countersign_core::Name;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Longest note, in characters.
pub const MAX_NOTE_CHARS: usize = 2000;

/// What somebody found. The words are those that security tools share: each
/// has its number in OCSF (`verdict_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was odd as the flags say, and right: expected, or agreed on.
    Benign,
    /// It was not odd: flags or score were wrong.
    FalsePositive,
    /// It did no harm, but rules should not have let it run.
    PolicyGap,
    /// Something is wrong; what, is not known yet.
    Suspicious,
    /// An attack, or an agent that did harm.
    Malicious,
    /// Nobody can tell, or the verdict before is taken back.
    Undetermined,
}

/// The text is no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no verdict; there are benign, false_positive, policy_gap, suspicious, malicious and undetermined, and for a filter also none"
)]
pub struct BadVerdict(String);

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 6] =
        [Self::Benign, Self::FalsePositive, Self::PolicyGap, Self::Suspicious, Self::Malicious, Self::Undetermined];

    /// The word in ledger, API and filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::FalsePositive => "false_positive",
            Self::PolicyGap => "policy_gap",
            Self::Suspicious => "suspicious",
            Self::Malicious => "malicious",
            Self::Undetermined => "undetermined",
        }
    }

    /// Whether nothing is left to look at.
    pub fn clears(self) -> bool {
        matches!(self, Self::Benign | Self::FalsePositive)
    }

    /// Whether it should not have run.
    pub fn condemns(self) -> bool {
        matches!(self, Self::PolicyGap | Self::Suspicious | Self::Malicious)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = BadVerdict;
    fn from_str(text: &str) -> Result<Self, BadVerdict> {
        let bad = || BadVerdict(text.chars().take(80).collect());
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text).ok_or_else(bad)
    }
}

/// A filter: a verdict, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TriageFilter(pub Option<Verdict>);

const NONE: &str = "none";

impl TriageFilter {
    /// The word for it: a verdict's, or `none`.
    pub fn as_str(self) -> &'static str {
        self.0.map_or(NONE, Verdict::as_str)
    }
}

impl fmt::Display for TriageFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TriageFilter {
    type Err = BadVerdict;
    fn from_str(text: &str) -> Result<Self, BadVerdict> {
        if text == NONE { Ok(Self(None)) } else { text.parse().map(|verdict| Self(Some(verdict))) }
    }
}

impl Serialize for TriageFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TriageFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A reviewer triages a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageRequest {
    /// What was found.
    pub verdict: Verdict,
    /// Why: 1 to [`MAX_NOTE_CHARS`] characters.
    pub note: String,
}

/// A verdict as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triaged {
    /// What was found.
    pub verdict: Verdict,
    /// Who found it.
    pub by: Name,
    /// When, ms since 1970.
    pub at_ms: i64,
    /// Why, secrets cut out.
    pub note: String,
    /// `seq` of its entry in the service's own ledger.
    pub seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_verdicts() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.as_str().parse(), Ok(verdict));
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
            assert!(!(verdict.clears() && verdict.condemns()));
        }
        assert_eq!("none".parse(), Ok(TriageFilter(None)));
        assert_eq!("policy_gap".parse(), Ok(TriageFilter(Some(Verdict::PolicyGap))));
        for bad in ["", "Benign", "none ", "benign,malicious"] {
            assert!(bad.parse::<TriageFilter>().is_err(), "{bad}");
        }
        assert!("none".parse::<Verdict>().is_err());
    }
}
