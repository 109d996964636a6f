//! Wall-clock times as the ledger writes them.

use jiff::Timestamp;

/// Microseconds since 1970 as `2026-11-20T12:34:56.123456Z`; `None` outside
/// the years 0001 to 9999.
pub fn format_utc_micros(micros: i64) -> Option<String> {
    let time = Timestamp::from_microsecond(micros).ok()?;
    let text = time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    (text.len() == 27).then_some(text)
}

/// Reads exactly the form that [`format_utc_micros`] writes.
pub fn parse_utc_micros(text: &str) -> Option<i64> {
    let time: Timestamp = text.parse().ok()?;
    let micros = time.as_microsecond();
    (format_utc_micros(micros)? == text).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form() {
        let text = "2026-11-20T12:34:56.123456Z";
        assert_eq!(parse_utc_micros(text).and_then(format_utc_micros).as_deref(), Some(text));
        for bad in [
            "2026-11-20T12:34:56Z",
            "2026-11-20T12:34:56.123456+00:00",
            "2026-11-20t12:34:56.123456z",
            "2026-13-20T12:34:56.123456Z",
        ] {
            assert_eq!(parse_utc_micros(bad), None, "{bad}");
        }
    }
}
