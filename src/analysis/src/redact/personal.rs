//! Personal data: addresses of mail, numbers of payment cards and of bank
//! accounts.

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Personal {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
}

/// Calls `found` for each.
pub(super) fn scan(text: &str, mut found: impl FnMut(Personal)) {
    emails(text, &mut found);
    numbers(text, &mut found);
}

fn emails(text: &str, found: &mut impl FnMut(Personal)) {
    let bytes = text.as_bytes();
    let local = |b: &u8| b.is_ascii_alphanumeric() || b"._%+-".contains(b);
    let domain = |b: &u8| b.is_ascii_alphanumeric() || b".-".contains(b);
    for at in memchr::memchr_iter(b'@', bytes) {
        let before = bytes.get(..at).unwrap_or_default();
        let length = before.iter().rev().take(64).take_while(|b| local(b)).count();
        let start = at - length;
        let after = bytes.get(at + 1..).unwrap_or_default();
        let mut end = at + 1 + after.iter().take(253).take_while(|b| domain(b)).count();
        while end > at + 1 && matches!(bytes.get(end - 1), Some(b'.' | b'-')) {
            end -= 1;
        }
        let host = text.get(at + 1..end).unwrap_or_default();
        let top = host.rsplit_once('.').map_or("", |(_, top)| top);
        // `git@host:path` and `user@10.0.0.1` are logins, not mail.
        let login = bytes.get(end) == Some(&b':') || bytes.get(start.wrapping_sub(1)) == Some(&b'/');
        if length > 0 && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic()) && !login {
            found(Personal { start, end, kind: "email" });
        }
    }
}

/// Runs of digits, and letters of an IBAN, with single spaces or dashes between.
fn numbers(text: &str, found: &mut impl FnMut(Personal)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(first) = bytes.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)) {
        let start = at + first;
        let (end, digits) = digits(bytes, start);
        at = end.max(start + 1);
        let before = start.checked_sub(1).and_then(|i| bytes.get(i));
        let apart = !before.is_some_and(|b| b.is_ascii_alphanumeric() || b"._-/#".contains(b))
            && !bytes.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || b"_/".contains(b));
        if apart && is_card(&digits) {
            found(Personal { start, end, kind: "card_number" });
        } else if let Some((from, to)) = iban(text, start) {
            at = to;
            found(Personal { start: from, end: to, kind: "iban" });
        }
    }
}

/// Where the first number stands that is long enough for a card.
pub(super) fn first_long_number(bytes: &[u8]) -> Option<usize> {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut from = 0;
    // Such a number has a digit among each two of its bytes, so where two are none, none of its bytes is before them.
    while let Some(probe) = Some(from + SHORTEST_CARD - 2).filter(|probe| *probe < bytes.len()) {
        if !digit(probe) && !digit(probe + 1) {
            from = probe + 1;
            continue;
        }
        match number_from(bytes, from, probe) {
            Ok(start) => return Some(start),
            Err(next) => from = next,
        }
    }
    None
}

/// The beginning of a long number at `from` or later; else where to go on,
/// behind `until`.
fn number_from(bytes: &[u8], from: usize, until: usize) -> Result<usize, usize> {
    let (mut start, mut count, mut between) = (0, 0usize, false);
    for (i, b) in bytes.iter().enumerate().skip(from) {
        match b {
            b'0'..=b'9' => {
                if count == 0 {
                    start = i;
                }
                count += 1;
                between = false;
                if count >= SHORTEST_CARD {
                    return Ok(start);
                }
            }
            b' ' | b'-' if count > 0 && !between => between = true,
            _ => {
                if i > until {
                    return Err(i);
                }
                (count, between) = (0, false);
            }
        }
    }
    Err(bytes.len())
}

/// Digits of the shortest number of a card.
const SHORTEST_CARD: usize = 13;

/// Where a number ends that begins here, and its digits.
fn digits(bytes: &[u8], start: usize) -> (usize, Vec<u8>) {
    let mut digits = Vec::new();
    let mut end = start;
    let mut at = start;
    let mut between = None;
    while let Some(b) = bytes.get(at) {
        match b {
            b'0'..=b'9' => {
                digits.push(b - b'0');
                end = at + 1;
            }
            b' ' | b'-' if at == end && between.is_none_or(|sign| sign == *b) => between = Some(*b),
            _ => break,
        }
        if digits.len() > 19 {
            break;
        }
        at += 1;
    }
    (end, digits)
}

/// A number of a card: the issuer's range, its length, and Luhn's sum.
fn is_card(digits: &[u8]) -> bool {
    let number = |n: usize| digits.iter().take(n).fold(0u32, |sum, d| sum * 10 + u32::from(*d));
    let fits = match digits.len() {
        13 => number(1) == 4,
        14 => matches!(number(2), 36 | 38 | 39) || (300..=305).contains(&number(3)),
        15 => matches!(number(2), 34 | 37),
        16 => {
            number(1) == 4
                || (51..=55).contains(&number(2))
                || (2221..=2720).contains(&number(4))
                || matches!(number(4), 6011 | 3528..=3589)
                || number(2) == 65
                || (644..=649).contains(&number(3))
                || number(2) == 62
        }
        17..=19 => number(2) == 62 || number(1) == 4 && digits.len() == 19,
        _ => false,
    };
    fits && luhn(digits) && digits.iter().any(|d| Some(d) != digits.last())
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(*d) * if i % 2 == 1 { 2 } else { 1 };
            if d > 9 { d - 9 } else { d }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// An IBAN whose check digits begin at `digit`.
fn iban(text: &str, digit: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let start = digit.checked_sub(2)?;
    let country = bytes.get(start..digit)?;
    let before = start.checked_sub(1).and_then(|i| bytes.get(i));
    if !country.iter().all(u8::is_ascii_uppercase) || before.is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let mut kept = Vec::new();
    let mut end = start;
    for (i, b) in bytes.get(start..)?.iter().enumerate().take(48) {
        match b {
            b'0'..=b'9' | b'A'..=b'Z' => {
                kept.push(*b);
                end = start + i + 1;
            }
            b' ' if end == start + i && kept.len().is_multiple_of(4) => {}
            _ => break,
        }
    }
    if !(15..=34).contains(&kept.len()) || bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let turned = kept.iter().skip(4).chain(kept.iter().take(4));
    let rest = turned.fold(0u32, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        _ => (rest * 100 + u32::from(b - b'A') + 10) % 97,
    });
    (rest == 1).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, &'static str)> {
        let mut out = Vec::new();
        scan(text, |p| out.push((text.get(p.start..p.end).unwrap(), p.kind)));
        out
    }

    #[test]
    fn long_numbers_are_found_by_looking_at_every_twelfth_byte() {
        let (mut seed, mut numbers) = (0x9e37_79b9_7f4a_7c15_u64, 0);
        for round in 0..20_000 {
            let bytes: Vec<u8> = (0..60)
                .map(|_| {
                    seed ^= seed << 13;
                    seed ^= seed >> 7;
                    seed ^= seed << 17;
                    let signs: &[u8] = if round % 2 == 0 { b"0123456789 -x" } else { b"0123456789 -xy z" };
                    signs[usize::try_from(seed % u64::try_from(signs.len()).unwrap()).unwrap()]
                })
                .collect();
            let first = number_from(&bytes, 0, usize::MAX).ok();
            assert_eq!(first_long_number(&bytes), first, "{:?}", String::from_utf8_lossy(&bytes));
            numbers += usize::from(first.is_some());
        }
        assert!((2000..19_000).contains(&numbers), "{numbers}");
    }

    #[test]
    fn personal_data() {
        assert_eq!(found("mail to anna.b+x@example.org."), [("anna.b+x@example.org", "email")]);
        assert_eq!(found("card 4111 1111 1111 1111 x"), [("4111 1111 1111 1111", "card_number")]);
        assert_eq!(found("5500-0055-5555-5559"), [("5500-0055-5555-5559", "card_number")]);
        assert_eq!(found("pay GB82 WEST 1234 5698 7654 32 now"), [("GB82 WEST 1234 5698 7654 32", "iban")]);
        assert_eq!(found("DE89370400440532013000"), [("DE89370400440532013000", "iban")]);
    }

    #[test]
    fn what_is_none() {
        for text in [
            "git@github.com:a/b",
            "root@10.0.0.1",
            "4111 1111 1111 1112",
            "1700000000000",
            "arn:aws:iam::123456789012:role",
            "DE00370400440532013000",
            "0000000000000000",
            "npm i @scope/x@1.2.3",
            "v4.1.1.1",
            "4111111111111111abc",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
