//! Times and durations as people read and write them.

use crate::failure::Failure;
use jiff::Timestamp;

/// `2026-11-20 14:47:23`, UTC, of milliseconds since 1970.
pub fn time(ms: i64) -> String {
    format(ms, "%Y-%m-%d %H:%M:%S")
}

/// `2026-11-20` of milliseconds since 1970.
pub fn date(ms: i64) -> String {
    format(ms, "%Y-%m-%d")
}

/// `14:47:23` of milliseconds since 1970.
pub fn clock(ms: i64) -> String {
    format(ms, "%H:%M:%S")
}

fn format(ms: i64, form: &str) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("({ms} ms)"), |t| t.strftime(form).to_string())
}

/// A span of milliseconds: `840 ms`, `4.2 s`, `60 s`, `3 min 5 s`, `2 h 10 min`.
pub fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..9950 => {
            let tenths = (ms + 50) / 100;
            let (whole, tenth) = (tenths / 10, tenths % 10);
            if tenth == 0 { format!("{whole} s") } else { format!("{whole}.{tenth} s") }
        }
        9950..120_000 => format!("{} s", (ms + 500) / 1000),
        120_000..7_200_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Reads the time that a flag names: an age (`90s`, `15m`, `12h`, `30d`, `4w`) or a UTC date or
/// time (`2026-11-20`, `2026-11-20T14:00:00Z`). Answers ms since 1970.
pub fn moment(flag: &str, text: &str, now_ms: i64) -> Result<i64, Failure> {
    if let Some(ms) = age_ms(text) {
        return Ok(now_ms.saturating_sub(ms));
    }
    let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    full.parse::<Timestamp>().map(|t| t.as_millisecond()).map_err(|_| {
        Failure::Usage(format!(
            "`{flag} {text}` is no time; write an age like 90s, 15m, 12h, 30d or 4w, or a UTC time like 2026-11-20 or 2026-11-20T14:00:00Z"
        ))
    })
}

fn age_ms(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let unit_ms = match unit {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        'w' => 604_800_000,
        _ => return None,
    };
    let digits = text.strip_suffix(unit)?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse::<i64>().ok())?.and_then(|n| n.checked_mul(unit_ms))
}

/// Milliseconds since 1970, now.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let cases = [
            (0, "0 ms"),
            (840, "840 ms"),
            (1000, "1 s"),
            (1099, "1.1 s"),
            (4200, "4.2 s"),
            (9949, "9.9 s"),
            (9950, "10 s"),
            (60_000, "60 s"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
        ];
        for (ms, text) in cases {
            assert_eq!(span(ms), text);
        }
        assert_eq!(span(u64::MAX / 2), "2562047788015 h 12 min");
    }

    #[test]
    fn moments_are_ages_or_times() {
        assert_eq!(moment("--since", "30d", 2_592_000_000), Ok(0));
        assert_eq!(moment("--since", "90s", 100_000), Ok(10_000));
        assert_eq!(moment("--since", "1970-01-02", 0), Ok(86_400_000));
        assert_eq!(moment("--since", "1970-01-01T00:00:01Z", 0), Ok(1000));
        for bad in ["", "d", "30", "-1d", "30x", "99999999999999999d", "yesterday", "+3h", "é"] {
            assert!(matches!(moment("--since", bad, 0), Err(Failure::Usage(_))), "{bad}");
        }
    }

    #[test]
    fn times_outside_the_calendar_are_still_shown() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(i64::MAX), format!("({} ms)", i64::MAX));
    }
}
