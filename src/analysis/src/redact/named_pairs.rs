//! A name and its value side by side in other ways than with `=` or `:`: as
//! arguments of a call, as an element of XML, as what `sed` puts in a
//! placeholder's place. And strings in code that only a generator makes.

use super::names::{Says, judge};
use super::shape::{self, Shape};
use super::values::{Trust, plausible};

/// Most of each form that are looked at in one text.
const MOST: usize = 64;
/// Longest value.
const LONGEST: usize = 512;

/// Calls `found` with start, end and kind for each; `code`: an interpreter reads the text.
pub(super) fn scan(text: &str, code: bool, mut found: impl FnMut(usize, usize, &'static str)) {
    let bytes = text.as_bytes();
    if memchr::memchr(b',', bytes).is_some() {
        arguments(text, &mut found);
    }
    if memchr::memchr(b'<', bytes).is_some() {
        elements(text, &mut found);
    }
    if bytes.first() == Some(&b's') {
        replaced(text, &mut found);
    }
    if code && memchr::memchr2(b'\'', b'"', bytes).is_some() {
        strings(text, &mut found);
    }
}

/// The kind of secret that a name says of a value.
fn kind_of(name: &str, value: &str) -> Option<&'static str> {
    let (kind, trust) = match judge(name)? {
        Says::Secret(kind) => (kind, Trust::Name),
        Says::Perhaps(kind) | Says::Pin(kind) => (kind, Trust::Random),
        Says::Header | Says::Cookie => return None,
    };
    plausible(value, trust).then_some(kind)
}

fn is_quote(byte: u8) -> bool {
    byte == b'\'' || byte == b'"'
}

/// `define('DB_PASSWORD', 'VALUE')`, `setProperty("password", "VALUE")`.
fn arguments(text: &str, found: &mut impl FnMut(usize, usize, &'static str)) {
    let bytes = text.as_bytes();
    let commas = memchr::memchr_iter(b',', bytes)
        .filter(|at| at.checked_sub(1).and_then(|i| bytes.get(i)).is_some_and(|b| is_quote(*b)));
    for comma in commas.take(MOST) {
        let Some(close) = comma.checked_sub(1) else { continue };
        let Some(quote) = bytes.get(close).copied() else { continue };
        let from = close.saturating_sub(super::names::LONGEST);
        let Some(open) = bytes.get(from..close).and_then(|before| memchr::memrchr(quote, before)).map(|n| from + n)
        else {
            continue;
        };
        let Some(name) = text.get(open + 1..close).filter(|name| !name.contains([' ', ':', '='])) else { continue };
        let rest = text.get(comma + 1..).unwrap_or_default();
        let blanks = rest.bytes().take(4).take_while(|b| *b == b' ').count();
        let start = comma + 1 + blanks;
        let Some(opening) = bytes.get(start).copied().filter(|b| is_quote(*b)) else { continue };
        let inside = bytes.get(start + 1..bytes.len().min(start + LONGEST)).unwrap_or_default();
        let Some(length) = memchr::memchr(opening, inside) else { continue };
        let value = text.get(start + 1..start + 1 + length).unwrap_or_default();
        // A list of names, not a name and its value.
        let list = value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if let Some(kind) = kind_of(name, value).filter(|_| !list) {
            found(start + 1, start + 1 + length, kind);
        }
    }
}

/// `<password>VALUE</password>`.
fn elements(text: &str, found: &mut impl FnMut(usize, usize, &'static str)) {
    let mut from = 0;
    for _ in 0..MOST {
        let Some(close) = text.get(from..).and_then(|rest| rest.find("</")).map(|n| from + n) else { return };
        from = close + 2;
        let before = text.get(close.saturating_sub(LONGEST)..close);
        let Some(open) = before.and_then(|before| before.rfind('>')).map(|n| close.saturating_sub(LONGEST) + n + 1)
        else {
            continue;
        };
        let rest = text.get(from..).unwrap_or_default();
        let name = rest.split('>').next().filter(|name| name.len() <= super::names::LONGEST).unwrap_or_default();
        let value = text.get(open..close).unwrap_or_default();
        if let Some(kind) = kind_of(name, value.trim()).filter(|_| !value.contains(['<', '\n', '{'])) {
            let start = open + value.len() - value.trim_start().len();
            found(start, start + value.trim().len(), kind);
        }
    }
}

/// sed's `s/__DB_PASSWORD__/VALUE/`: a placeholder that names a secret.
fn replaced(text: &str, found: &mut impl FnMut(usize, usize, &'static str)) {
    let mut chars = text.chars().skip(1);
    let Some(sign) = chars.next().filter(|sign| "/|#,@!:~%".contains(*sign)) else { return };
    let mut parts = text.splitn(4, sign).skip(1);
    let (Some(pattern), Some(value), Some(flags)) = (parts.next(), parts.next(), parts.next()) else { return };
    let name = pattern.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let whole = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) && flags.len() <= 4;
    let placeholder = name.len() < pattern.len() || name.bytes().all(|b| !b.is_ascii_lowercase());
    let secret = matches!(judge(name), Some(Says::Secret(_))) && whole && placeholder && !pattern.contains(['=', ':']);
    if secret && plausible(value, Trust::Prose) && !value.contains(['\\', '&', ' ', '=']) {
        let start = 3 + pattern.len();
        found(start, start + value.len(), "secret");
    }
}

/// Strings between quotes that look made by a generator.
fn strings(text: &str, found: &mut impl FnMut(usize, usize, &'static str)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    for _ in 0..4 * MOST {
        let Some(open) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'\'', b'"', rest)).map(|n| at + n) else {
            return;
        };
        let Some(quote) = bytes.get(open).copied() else { return };
        let inside = bytes.get(open + 1..bytes.len().min(open + LONGEST)).unwrap_or_default();
        let Some(length) = memchr::memchr(quote, inside) else {
            at = open + 1;
            continue;
        };
        at = open + length + 2;
        let value = text.get(open + 1..open + 1 + length).unwrap_or_default();
        if length >= 10 && shape::of(value) == Some(Shape::Generated) && !value.contains(['.', '/']) {
            found(open + 1, open + 1 + length, "secret");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        scan(text, true, |start, end, _| out.push(text.get(start..end).unwrap()));
        out
    }

    #[test]
    fn names_beside_values() {
        for (text, value) in [
            ("define('DB_PASSWORD', 'hunter2');", "hunter2"),
            ("p.setProperty(\"password\",\"Xq7vTr2k\")", "Xq7vTr2k"),
            ("<server><id>x</id><password>hunter2</password></server>", "hunter2"),
            ("<apiKey> Xq7vTr2k </apiKey>", "Xq7vTr2k"),
            ("s|__DB_SECRET__|Xq7vTr2k|", "Xq7vTr2k"),
            ("s/@PASSWORD@/hunter2/g", "hunter2"),
            ("sign({a: 1}, '5SXZ2jCQeDu1GcjvNH77KdCg')", "5SXZ2jCQeDu1GcjvNH77KdCg"),
        ] {
            assert_eq!(found(text), [value], "{text}");
        }
        for text in [
            "f('user', 'password', 'email')",
            "define('DB_HOST', 'db1.example.org')",
            "<password>${db.password}</password>",
            "<name>hunter2</name>",
            "s/password/passphrase/g",
            "s/PASSWORD_PLACEHOLDER/\0/",
            "ObjectId('507f1f77bcf86cd799439011')",
            "print('Hello2World')",
            "</",
            "','",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
