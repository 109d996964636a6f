//! What holds besides rules: thresholds of classes, how many people, hours.

use crate::rule::name_fits;
use crate::schedule::Schedule;
use countersign_analysis::hosts::is_entry;
use countersign_core::Class;
use serde::{Deserialize, Serialize};

/// Most people that one decision may need.
const MAX_PEOPLE: u8 = 5;
/// Most entries of a list.
const MAX_LIST: usize = 64;
/// Most known hosts of an entry.
const MAX_KNOWN: usize = 1000;
/// Longest name of a host.
const MAX_HOST: usize = 255;

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
    /// Targets, likewise. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Their hours.
    pub schedule: Schedule,
}

/// Hosts and networks that targets may talk to: others are `external_network`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownHosts {
    /// Targets; `*` may stand for a part of a name. Empty: all.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Names, `*.names`, addresses and networks (`10.0.0.0/8`).
    pub hosts: Vec<String>,
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
    /// Business hours. An agent on a target that is in several entries may work in the hours of any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<Hours>,
    /// Known hosts. A target that is in several entries may talk to the hosts of all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known_hosts: Vec<KnownHosts>,
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
            known_hosts: Vec::new(),
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
    /// A known host.
    #[error("`known_hosts`: `{0}` is no host; write a name, *.name, an address, or a network like 10.0.0.0/8")]
    KnownHost(String),
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
        if self.hours.len() > MAX_LIST || !self.hours.iter().all(|hours| fits(&hours.agents) && fits(&hours.targets)) {
            return Err(BadSettings::List("hours"));
        }
        if self.known_hosts.len() > MAX_LIST
            || !self.known_hosts.iter().all(|known| fits(&known.targets) && known.hosts.len() <= MAX_KNOWN)
        {
            return Err(BadSettings::List("known_hosts"));
        }
        let mut hosts = self.known_hosts.iter().flat_map(|known| &known.hosts);
        if let Some(bad) = hosts.find(|host| host.len() > MAX_HOST || !is_entry(host)) {
            return Err(BadSettings::KnownHost(bad.chars().take(MAX_HOST).collect()));
        }
        Ok(())
    }

    /// Whether a moment is outside the hours of an agent on a target. Who is in no entry may always work.
    pub fn off_hours(&self, agent: &str, target: &str, at_ms: i64) -> bool {
        let fits = |list: &[String], name: &str| list.is_empty() || list.iter().any(|known| name_fits(known, name));
        let mine = |hours: &&Hours| fits(&hours.agents, agent) && fits(&hours.targets, target);
        let mut hours = self.hours.iter().filter(mine).peekable();
        hours.peek().is_some() && !hours.any(|hours| hours.schedule.holds(at_ms))
    }

    /// The hosts and networks that a target may talk to.
    pub fn known_hosts(&self, target: &str) -> Vec<String> {
        let mine =
            |known: &&KnownHosts| known.targets.is_empty() || known.targets.iter().any(|name| name_fits(name, target));
        self.known_hosts.iter().filter(mine).flat_map(|known| known.hosts.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str) -> Settings {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn hours_are_of_agents_and_targets() {
        const NIGHT: i64 = 3 * 3_600_000; // Thursday, 1 January 1970, 03:00 UTC
        let entry = |who: &str| {
            let hours = r#"schedule = { days = "mon-fri", from = "09:00", until = "17:00", zone = "UTC" }"#;
            settings(&format!("[[hours]]\n{who}\n{hours}\n"))
        };
        let off = |settings: &Settings| settings.off_hours("deploy-agent", "web-1", NIGHT);
        assert!(!off(&Settings::default()), "nobody said when it works");
        for who in [
            "",
            "agents = [\"deploy-*\"]",
            "targets = [\"web-*\"]",
            "agents = [\"deploy-agent\"]\ntargets = [\"web-1\"]",
        ] {
            assert!(off(&entry(who)), "{who}");
            assert!(!entry(who).off_hours("deploy-agent", "web-1", NIGHT + 7 * 3_600_000), "{who}");
        }
        for who in ["agents = [\"data-*\"]", "targets = [\"db-*\"]", "agents = [\"deploy-*\"]\ntargets = [\"db-*\"]"] {
            assert!(!off(&entry(who)), "{who}");
        }
    }

    #[test]
    fn known_hosts_are_of_targets_and_checked() {
        let text = "[[known_hosts]]\ntargets = [\"web-*\"]\nhosts = [\"ghcr.io\"]\n[[known_hosts]]\nhosts = [\"10.0.0.0/8\"]\n";
        let known = settings(text);
        assert_eq!(known.check(), Ok(()));
        assert_eq!(known.known_hosts("web-1"), ["ghcr.io", "10.0.0.0/8"]);
        assert_eq!(known.known_hosts("db-1"), ["10.0.0.0/8"]);
        assert!(Settings::default().known_hosts("web-1").is_empty());
        for bad in ["*", "", "https://a.example", "10.0.0.0/99"] {
            let one = KnownHosts { targets: Vec::new(), hosts: vec![bad.to_owned()] };
            let settings = Settings { known_hosts: vec![one], ..Settings::default() };
            assert_eq!(settings.check(), Err(BadSettings::KnownHost(bad.to_owned())), "{bad}");
        }
    }
}
