//! Flags that take the agent's past.

use super::Flag;
use crate::risk::Risk;
use std::collections::BTreeSet;

/// Submissions a minute above which it is too fast.
const PER_MINUTE: usize = 10;
/// How long a denial is remembered.
const DENIAL_MS: i64 = 15 * 60 * 1000;
/// Scores needed before there is a usual.
const BASELINE: usize = 5;
/// How far above the usual a score is at least, to be a spike.
const SPIKE: f64 = 30.0;
/// How alike a line must be to one that was denied, of 1.
const ALIKE: f64 = 0.7;

/// What is known of an agent before this line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Its recent submissions of this session, oldest first, and its recent denials of any.
    pub recent: Vec<Past>,
    /// Programs that it has used before, as [`Risk::programs`] names them; `None`: not known.
    pub programs: Option<BTreeSet<String>>,
    /// When it is supposed to work; `None`: always.
    pub schedule: Option<Schedule>,
}

/// One earlier submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// When, in milliseconds since 1970 in UTC.
    pub at_ms: i64,
    /// Its score.
    pub score: u8,
    /// Whether it was denied or blocked.
    pub denied: bool,
    /// Its text.
    pub text: String,
}

/// Working hours, the same on each of its days. They may pass midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Minutes that local time is ahead of UTC.
    pub offset_minutes: i64,
    /// Days, Monday first, on which they begin.
    pub days: [bool; 7],
    /// First minute of the day.
    pub from: u16,
    /// One past the last minute.
    pub to: u16,
}

impl Schedule {
    /// Whether `at_ms` is within the hours.
    pub fn holds(&self, at_ms: i64) -> bool {
        let minutes = at_ms.div_euclid(60_000) + self.offset_minutes;
        let minute = minutes.rem_euclid(24 * 60);
        // 1 January 1970 was a Thursday.
        let day = minutes.div_euclid(24 * 60) + 3;
        let works = |day: i64| {
            usize::try_from(day.rem_euclid(7)).ok().and_then(|day| self.days.get(day)).copied().unwrap_or(false)
        };
        let (from, to) = (i64::from(self.from), i64::from(self.to));
        if from <= to {
            works(day) && minute >= from && minute < to
        } else {
            (works(day) && minute >= from) || (works(day - 1) && minute < to)
        }
    }
}

/// The flags that a line `text` of this risk earns at `at_ms`, given the past.
pub fn of_history(text: &str, risk: &Risk, at_ms: i64, history: &History) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut add = |flag, holds: bool| flags.extend(holds.then_some(flag));
    let lately = history.recent.iter().filter(|past| past.at_ms > at_ms - 60_000 && past.at_ms <= at_ms).count();
    add(Flag::HighVelocity, lately + 1 > PER_MINUTE);
    add(Flag::OffHours, history.schedule.as_ref().is_some_and(|schedule| !schedule.holds(at_ms)));
    add(Flag::RiskSpike, spike(risk.score, &history.recent));
    let new = |known: &BTreeSet<String>| risk.programs.iter().any(|program| !known.contains(program));
    add(Flag::UnusualProgram, history.programs.as_ref().is_some_and(new));
    let retried =
        |past: &Past| past.denied && past.at_ms > at_ms - DENIAL_MS && past.at_ms <= at_ms && alike(text, &past.text);
    add(Flag::RetryAfterDenial, history.recent.iter().any(retried));
    flags
}

/// Far above the mean of what was there: by [`SPIKE`] and by two standard deviations.
fn spike(score: u8, recent: &[Past]) -> bool {
    if recent.len() < BASELINE {
        return false;
    }
    let count = recent.iter().map(|_| 1.0).sum::<f64>();
    let mean = recent.iter().map(|past| f64::from(past.score)).sum::<f64>() / count;
    let variance = recent.iter().map(|past| (f64::from(past.score) - mean).powi(2)).sum::<f64>() / count;
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
    let (one, other) = (words(one), words(other));
    let shared = one.intersection(&other).map(|_| 1.0).sum::<f64>();
    let all = one.union(&other).map(|_| 1.0).sum::<f64>();
    all > 0.0 && shared / all >= ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Place;

    const NOON: i64 = 1_700_000_000_000; // Tuesday, 14 November 2023, 22:13 UTC

    fn past(ago_ms: i64, score: u8, denied: bool, text: &str) -> Past {
        Past { at_ms: NOON - ago_ms, score, denied, text: text.to_owned() }
    }

    fn flags(text: &str, history: &History) -> Vec<Flag> {
        let place = Place::default();
        of_history(text, &crate::risk::assess(&crate::parse(text, &place), &place), NOON, history)
    }

    #[test]
    fn nothing_is_unusual_without_a_past() {
        assert_eq!(flags("rm -rf /", &History::default()), []);
    }

    #[test]
    fn more_than_ten_a_minute_is_fast() {
        let recent = |n: i64, gap: i64| History {
            recent: (0..n).map(|i| past(i * gap, 0, false, "ls")).collect(),
            ..History::default()
        };
        assert_eq!(flags("ls", &recent(10, 1000)), [Flag::HighVelocity]);
        assert_eq!(flags("ls", &recent(9, 1000)), []);
        assert_eq!(flags("ls", &recent(30, 20_000)), []);
    }

    #[test]
    fn hours_may_pass_midnight() {
        let mut schedule = Schedule {
            offset_minutes: 0,
            days: [true, true, true, true, true, false, false],
            from: 9 * 60,
            to: 17 * 60,
        };
        let off = |schedule: &Schedule| {
            !flags("ls", &History { schedule: Some(schedule.clone()), ..History::default() }).is_empty()
        };
        assert!(off(&schedule));
        (schedule.from, schedule.to) = (20 * 60, 6 * 60);
        assert!(!off(&schedule));
        schedule.days[1] = false;
        assert!(off(&schedule));
        // Early on Tuesday belongs to the hours that began on Monday.
        schedule.offset_minutes = -20 * 60;
        assert!(!off(&schedule));
    }

    #[test]
    fn a_spike_is_far_above_what_is_usual() {
        let calm =
            History { recent: (0..6).map(|i| past(i * 100_000, 5, false, "ls")).collect(), ..History::default() };
        assert_eq!(flags("rm -rf /", &calm), [Flag::RiskSpike]);
        assert_eq!(flags("ls", &calm), []);
        let wild =
            History { recent: (0..6).map(|i| past(i * 100_000, 90, false, "ls")).collect(), ..History::default() };
        assert_eq!(flags("rm -rf /", &wild), []);
    }

    #[test]
    fn a_first_program_is_unusual() {
        let history = History { programs: Some(["ls".to_owned()].into()), ..History::default() };
        assert_eq!(flags("ls -l", &history), []);
        assert_eq!(flags("ls | wc", &history), [Flag::UnusualProgram]);
    }

    #[test]
    fn a_line_like_one_denied_is_a_retry() {
        let denied = |ago| History { recent: vec![past(ago, 5, true, "git push origin main")], ..History::default() };
        assert_eq!(flags("bash -c 'git push origin main'", &denied(1000)), [Flag::RetryAfterDenial]);
        assert_eq!(flags("git push origin main", &denied(DENIAL_MS + 1)), []);
        assert_eq!(flags("git pull", &denied(1000)), []);
        let approved = History { recent: vec![past(1000, 5, false, "git push origin main")], ..History::default() };
        assert_eq!(flags("git push origin main", &approved), []);
    }
}
