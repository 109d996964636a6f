//! What holds besides rules: thresholds of classes, how many people, hours.

use crate::schedule::Schedule;
use countersign_core::Class;
use serde::{Deserialize, Serialize};

/// Most people that one decision may need.
const MAX_PEOPLE: u8 = 5;
/// Most entries of a list.
const MAX_LIST: usize = 64;

/// Thresholds of a class. Scores are 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// A line that no rule knows passes where its score is lower; 0: none does.
    pub pass_below: u8,
    /// A line with this score or more goes to a person, whatever the whitelist says.
    pub person_at: u8,
    /// How many people approve a line that goes to a person.
    pub people: u8,
}

/// Thresholds of all classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// Of critical targets.
    pub critical: Thresholds,
    /// Of high ones, and of those that have no class.
    pub high: Thresholds,
    /// Of medium ones.
    pub medium: Thresholds,
    /// Of low ones.
    pub low: Thresholds,
}

impl Default for Classes {
    fn default() -> Self {
        Self {
            critical: Thresholds { pass_below: 0, person_at: 25, people: 2 },
            high: Thresholds { pass_below: 0, person_at: 50, people: 1 },
            medium: Thresholds { pass_below: 25, person_at: 50, people: 1 },
            low: Thresholds { pass_below: 50, person_at: 75, people: 1 },
        }
    }
}

impl Classes {
    /// Those of a class.
    pub fn of(&self, class: Class) -> Thresholds {
        match class {
            Class::Critical => self.critical,
            Class::High => self.high,
            Class::Medium => self.medium,
            Class::Low => self.low,
        }
    }
}

/// When agents are expected to work: at other hours a person decides, whatever the whitelist says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Accounts; `*` may stand for a part of a name. Empty: all.
    #[serde(default)]
    pub agents: Vec<String>,
    /// Their hours.
    pub schedule: Schedule,
}

/// Settings of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Thresholds.
    pub classes: Classes,
    /// A score that needs more people, on any target.
    pub critical_at: u8,
    /// How many people that is.
    pub critical_people: u8,
    /// Anomaly flags that bring a line to a person, whatever the whitelist says.
    pub person_anomalies: Vec<String>,
    /// Business hours. An agent that is in several entries may work in the hours of any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
}

impl Default for Settings {
    fn default() -> Self {
        let flags = ["gate_tamper", "display_spoof", "opaque_code", "exfiltration", "interactive_escape"];
        Self {
            classes: Classes::default(),
            critical_at: 75,
            critical_people: 2,
            person_anomalies: flags.map(str::to_owned).to_vec(),
            hours: Vec::new(),
        }
    }
}

/// Settings that make no sense. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// Numbers of a class.
    #[error(
        "class {0}: `pass_below` is 0 to 100 and not above `person_at`, which is 1 to 100; `people` is 1 to {MAX_PEOPLE}"
    )]
    Class(Class),
    /// The critical score.
    #[error("`critical_at` is 1 to 100 and `critical_people` is 1 to {MAX_PEOPLE}")]
    Critical,
    /// A list.
    #[error("`{0}` has more than {MAX_LIST} entries, or one that is empty or holds control characters")]
    List(&'static str),
}

impl Settings {
    /// Checks that they make sense.
    pub fn check(&self) -> Result<(), BadSettings> {
        for class in Class::ALL {
            let Thresholds { pass_below, person_at, people } = self.classes.of(class);
            if !(1..=100).contains(&person_at) || pass_below > person_at || !(1..=MAX_PEOPLE).contains(&people) {
                return Err(BadSettings::Class(class));
            }
        }
        if !(1..=100).contains(&self.critical_at) || !(1..=MAX_PEOPLE).contains(&self.critical_people) {
            return Err(BadSettings::Critical);
        }
        let plain = |text: &String| (1..=256).contains(&text.len()) && !text.chars().any(char::is_control);
        let fits = |list: &[String]| list.len() <= MAX_LIST && list.iter().all(plain);
        if !fits(&self.person_anomalies) {
            return Err(BadSettings::List("person_anomalies"));
        }
        if self.hours.len() > MAX_LIST || !self.hours.iter().all(|hours| fits(&hours.agents)) {
            return Err(BadSettings::List("hours"));
        }
        Ok(())
    }
}
