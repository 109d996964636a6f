//! Flags that take the agent's past.

use super::Flag;
use crate::risk::Risk;
use std::collections::BTreeSet;

/// How far back submissions count for their speed.
pub const MINUTE_MS: i64 = 60 * 1000;
/// How long a denial is remembered.
pub const DENIAL_MS: i64 = 15 * 60 * 1000;

/// Submissions a minute above which it is too fast.
const PER_MINUTE: u64 = 10;
/// Scores needed before there is a usual.
const BASELINE: usize = 5;
/// How far above the usual a score is at least, to be a spike.
const SPIKE: f64 = 30.0;
/// How alike a line must be to one that was denied, of 1.
const ALIKE: f64 = 0.7;

/// What is known of an agent before this line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Scores of what this session submitted before: what is usual in it.
    pub scores: Vec<u8>,
    /// How much the agent submitted within [`MINUTE_MS`] before, this line left out.
    pub lately: u64,
    /// Lines of it that a person denied or a rule blocked within [`DENIAL_MS`].
    pub denied: Vec<String>,
    /// What it has run before, of the programs that [`Risk::programs`] names; `None`: not known.
    pub programs: Option<BTreeSet<String>>,
    /// What it has talked to before, of the hosts that [`Risk::hosts`] names; `None`: not known.
    pub hosts: Option<BTreeSet<String>>,
}

/// What an agent has not done before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct New {
    /// Programs.
    pub programs: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
}

impl History {
    /// What of this risk is new.
    pub fn new_in(&self, risk: &Risk) -> New {
        let fresh = |known: &Option<BTreeSet<String>>, name: &str| known.as_ref().is_some_and(|k| !k.contains(name));
        let programs = risk.programs.iter().filter(|program| fresh(&self.programs, program)).cloned().collect();
        let mut hosts: Vec<String> = Vec::new();
        for reached in risk.hosts.iter().filter(|reached| fresh(&self.hosts, &reached.host)) {
            if !hosts.contains(&reached.host) {
                hosts.push(reached.host.clone());
            }
        }
        New { programs, hosts }
    }
}

/// The flags that a line `text` of this risk earns, given the past. `off_hours`
/// is not among them: when an agent works is the policy's to say.
pub fn of_history(text: &str, risk: &Risk, history: &History) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut add = |flag, holds: bool| flags.extend(holds.then_some(flag));
    add(Flag::HighVelocity, history.lately.saturating_add(1) > PER_MINUTE);
    add(Flag::RiskSpike, spike(risk.score, &history.scores));
    add(Flag::UnusualProgram, !history.new_in(risk).programs.is_empty());
    add(Flag::RetryAfterDenial, history.denied.iter().any(|denied| alike(text, denied)));
    flags
}

/// Far above the mean of what was there: by [`SPIKE`] and by two standard deviations.
fn spike(score: u8, before: &[u8]) -> bool {
    if before.len() < BASELINE {
        return false;
    }
    let count = before.iter().map(|_| 1.0).sum::<f64>();
    let mean = before.iter().map(|past| f64::from(*past)).sum::<f64>() / count;
    let variance = before.iter().map(|past| (f64::from(*past) - mean).powi(2)).sum::<f64>() / count;
    f64::from(score) > mean + SPIKE.max(2.0 * variance.sqrt())
}

/// How much of the words two lines share, whatever stands between and around them.
fn alike(one: &str, other: &str) -> bool {
    fn words(text: &str) -> BTreeSet<&str> {
        let plain = text.split(|c: char| c.is_whitespace() || "'\"\\;&|()".contains(c));
        plain
            .filter(|word| !word.is_empty() && !matches!(*word, "sudo" | "env" | "command" | "bash" | "sh" | "-c"))
            .collect()
    }
    if one == other {
        return true;
    }
    let (one, other) = (words(one), words(other));
    let shared = one.intersection(&other).map(|_| 1.0).sum::<f64>();
    let all = one.union(&other).map(|_| 1.0).sum::<f64>();
    all > 0.0 && shared / all >= ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Place;

    fn risk(text: &str) -> Risk {
        let place = Place::default();
        crate::risk::assess(&crate::parse(text, &place), &place)
    }

    fn flags(text: &str, history: &History) -> Vec<Flag> {
        of_history(text, &risk(text), history)
    }

    #[test]
    fn nothing_is_unusual_without_a_past() {
        assert_eq!(flags("rm -rf /", &History::default()), []);
    }

    #[test]
    fn more_than_ten_a_minute_is_fast() {
        let lately = |lately| History { lately, ..History::default() };
        assert_eq!(flags("ls", &lately(10)), [Flag::HighVelocity]);
        assert_eq!(flags("ls", &lately(9)), []);
        assert_eq!(flags("ls", &lately(u64::MAX)), [Flag::HighVelocity]);
    }

    #[test]
    fn a_spike_is_far_above_what_is_usual() {
        let of = |scores: &[u8]| History { scores: scores.to_vec(), ..History::default() };
        assert_eq!(flags("rm -rf /", &of(&[5; 6])), [Flag::RiskSpike]);
        assert_eq!(flags("ls", &of(&[5; 6])), []);
        assert_eq!(flags("rm -rf /", &of(&[90; 6])), []);
        assert_eq!(flags("rm -rf /", &of(&[5; 4])), [], "nothing is usual yet");
    }

    #[test]
    fn first_programs_and_hosts_are_new() {
        let known = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let history = History { programs: known(&["ls"]), hosts: known(&["a.example"]), ..History::default() };
        assert_eq!(flags("ls -l", &history), []);
        assert_eq!(flags("ls | wc", &history), [Flag::UnusualProgram]);
        let new = history.new_in(&risk("ls; curl https://a.example/x https://b.example/ https://b.example/y"));
        assert_eq!((new.programs, new.hosts), (vec!["curl".to_owned()], vec!["b.example".to_owned()]));
    }

    #[test]
    fn a_line_like_one_denied_is_a_retry() {
        let denied = History { denied: vec!["git push origin main".to_owned()], ..History::default() };
        for line in ["git push origin main", "bash -c 'git push origin main'", "sudo git push origin main"] {
            assert_eq!(flags(line, &denied), [Flag::RetryAfterDenial], "{line}");
        }
        assert_eq!(flags("git pull", &denied), []);
        let empty = History { denied: vec![";".to_owned()], ..History::default() };
        assert_eq!(flags(";", &empty), [Flag::RetryAfterDenial], "the same, though it has no words");
        assert_eq!(flags("|", &empty), []);
    }
}
