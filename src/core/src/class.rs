//! How much harm a target can come to, and which threshold rule speaks for it.

use std::fmt;
use std::str::FromStr;

/// The class of a target (an enrolled host), as given at enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Two people decide where no rule does.
    Critical,
    /// Every line that no rule knows goes to a person. What is not classed counts as this.
    High,
    /// Lines of low risk may pass without a rule.
    Medium,
    /// Lines of low and medium risk may pass without a rule.
    Low,
}

/// The text names no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a class: use critical, high, medium or low")]
pub struct BadClass;

impl Class {
    /// All of them, the most careful first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Medium, Self::Low];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Class {
    type Err = BadClass;
    fn from_str(text: &str) -> Result<Self, BadClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or(BadClass)
    }
}
