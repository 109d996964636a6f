//! Hours of the week in a time zone.
//!
//! Zones come from the database compiled into this program, so that a rule
//! means the same on every machine.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Hours of the week: `days`, and from `from` until before `until`, by the clock of `zone`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Schedule {
    written: Written,
    days: Vec<Weekday>,
    from: Time,
    until: Time,
    zone: TimeZone,
}

/// As it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    days: String,
    from: String,
    until: String,
    zone: String,
}

/// A schedule cannot be read. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// Not days.
    #[error("`days = \"{0}\"`: write mon-fri, or mon,wed,sat")]
    Days(String),
    /// Not a time of day.
    #[error("`{0}` is no time of day; write 09:00, up to 24:00")]
    Time(String),
    /// Ends before it begins.
    #[error("the hours end before they begin; for a night write two rules, or hours until 24:00")]
    Empty,
    /// Not a zone.
    #[error("`zone = \"{0}\"` is no time zone; write one like Europe/Berlin or UTC")]
    Zone(String),
}

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl TryFrom<Written> for Schedule {
    type Error = BadSchedule;
    fn try_from(written: Written) -> Result<Self, BadSchedule> {
        let days = days(&written.days).ok_or_else(|| BadSchedule::Days(written.days.clone()))?;
        let from = time(&written.from).ok_or_else(|| BadSchedule::Time(written.from.clone()))?;
        let until = match written.until.as_str() {
            "24:00" => Time::MAX,
            text => time(text).ok_or_else(|| BadSchedule::Time(text.to_owned()))?,
        };
        if until <= from {
            return Err(BadSchedule::Empty);
        }
        let zone = ZONES.get(&written.zone).map_err(|_| BadSchedule::Zone(written.zone.clone()))?;
        Ok(Self { written, days, from, until, zone })
    }
}

impl From<Schedule> for Written {
    fn from(schedule: Schedule) -> Self {
        schedule.written
    }
}

impl Schedule {
    /// Whether a moment, in ms since 1970, is within the hours. A moment outside the calendar is not.
    pub fn holds(&self, at_ms: i64) -> bool {
        let Ok(at) = Timestamp::from_millisecond(at_ms) else { return false };
        let local = at.to_zoned(self.zone.clone()).datetime();
        let before_end = local.time() < self.until || self.until == Time::MAX;
        self.days.contains(&local.date().weekday()) && local.time() >= self.from && before_end
    }

    /// `mon-fri 09:00-17:30 Europe/Berlin`
    pub fn describe(&self) -> String {
        format!("{} {}-{} {}", self.written.days, self.written.from, self.written.until, self.written.zone)
    }
}

fn days(text: &str) -> Option<Vec<Weekday>> {
    let place = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let mut found = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = place(first)?..=place(last)?;
        if range.is_empty() {
            return None;
        }
        found.extend(DAYS.get(range)?.iter().map(|(_, day)| *day));
    }
    Some(found)
}

/// Exactly `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let number =
        |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?;
    Time::new(number(hours)?, number(minutes)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(days: &str, from: &str, until: &str, zone: &str) -> Result<Schedule, BadSchedule> {
        let text = |text: &str| text.to_owned();
        Written { days: text(days), from: text(from), until: text(until), zone: text(zone) }.try_into()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn hours_follow_the_zone_and_its_summer_time() {
        let hours = schedule("mon-fri", "09:00", "17:30", "Europe/Berlin").unwrap();
        for (at, within) in [
            ("2026-11-20T08:00:00Z", true),
            ("2026-11-20T07:59:59Z", false),
            ("2026-11-20T16:29:59Z", true),
            ("2026-11-20T16:30:00Z", false),
            ("2026-11-21T10:00:00Z", false),
            ("2026-07-01T07:00:00Z", true),
            ("2026-07-01T15:30:00Z", false),
        ] {
            assert_eq!(hours.holds(ms(at)), within, "{at}");
        }
        assert!(!hours.holds(i64::MAX));
        assert_eq!(hours.describe(), "mon-fri 09:00-17:30 Europe/Berlin");
        let night = schedule("sat,sun", "22:00", "24:00", "UTC").unwrap();
        assert!(night.holds(ms("2026-11-21T23:59:59.999Z")) && !night.holds(ms("2026-11-22T00:00:00Z")));
    }

    #[test]
    fn what_is_unclear_is_refused() {
        assert_eq!(schedule("fri-mon", "09:00", "17:00", "UTC"), Err(BadSchedule::Days("fri-mon".to_owned())));
        for bad in ["", "monday", "mon,", "mon-", "Mon", "mon fri"] {
            assert!(matches!(schedule(bad, "09:00", "17:00", "UTC"), Err(BadSchedule::Days(_))), "{bad}");
        }
        for bad in ["9:00", "09:60", "25:00", "0900", "+9:00", ""] {
            assert!(matches!(schedule("mon", bad, "17:00", "UTC"), Err(BadSchedule::Time(_))), "{bad}");
        }
        assert_eq!(schedule("mon", "17:00", "09:00", "UTC"), Err(BadSchedule::Empty));
        for bad in ["Berlin", "", "../etc/passwd", "CEST+2"] {
            assert!(matches!(schedule("mon", "09:00", "17:00", bad), Err(BadSchedule::Zone(_))), "{bad}");
        }
    }
}
