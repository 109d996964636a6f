//! Reading `at` without a time library: a verifier does it a million times.

/// Reads `2026-11-20T12:34:56.123456Z`, years 0001 to 9999, as microseconds
/// since 1970; `None` for any other form or a day that does not exist.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bytes: &[u8; 27] = text.as_bytes().try_into().ok()?;
    // Without a branch, so that the compiler can look at many characters together.
    let odd = bytes
        .iter()
        .zip(b"dddd-dd-ddTdd:dd:dd.ddddddZ")
        .fold(0, |odd, (have, want)| odd | if *want == b'd' { u8::from(!have.is_ascii_digit()) } else { have ^ want });
    if odd != 0 {
        return None;
    }
    let [y0, y1, y2, y3, _, m0, m1, _, d0, d1, _, clock @ ..] = *bytes;
    let [h0, h1, _, i0, i1, _, s0, s1, _, micros @ .., _] = clock;
    let number = |digits: &[u8]| digits.iter().fold(0, |sum, b| sum * 10 + i64::from(*b) - 48);
    let (year, month, day) = (number(&[y0, y1, y2, y3]), number(&[m0, m1]), number(&[d0, d1]));
    let (hour, minute, second) = (number(&[h0, h1]), number(&[i0, i1]), number(&[s0, s1]));
    let exists = year >= 1 && (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
    if !exists || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(seconds * 1_000_000 + number(&micros))
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar; the year begins in March, so that
/// the leap day is its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}
