//! Values beside a name that says they are secret, in any text: JSON, YAML,
//! headers, INI, SQL, code, lists of pairs, the output of programs.

use super::names::{LONGEST, Says, judge};
use super::values::{Trust, is_motley, is_random, is_title, plausible};

/// Where a value stands, and of what kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
    /// It stood between quotes, so it may hold anything but that quote.
    pub(super) quoted: bool,
}

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// A word or a document that somebody wrote for a program.
    Written,
    /// What a program printed.
    Printed,
}

/// Most bytes of one value.
const VALUE: usize = 4096;

/// Most headers of one text.
const MOST_HEADERS: usize = 256;

/// Calls `found` for every such value.
pub(super) fn scan(text: &str, mode: Mode, mut found: impl FnMut(Value)) {
    let bytes = text.as_bytes();
    let mut done = 0;
    // Values that are none cost time too: a bounded part of it is spent.
    let (mut headers, mut read) = (0, 0);
    let mut budget = 4 * text.len() + 16 * 1024;
    for at in memchr::memchr2_iter(b'=', b':', bytes) {
        if at < done {
            continue;
        }
        let Some((name, spaced)) = name_before(text, at) else { continue };
        let Some(says) = judge(name).or_else(|| named_before(text, at, name)) else { continue };
        let Some(after) = value_at(bytes, at, spaced) else { continue };
        // `arn:…:secret:name`
        let place = at.checked_sub(name.len() + 1).and_then(|i| bytes.get(i)) == Some(&b':');
        if place && bytes.get(at) == Some(&b':') && after == at + 1 {
            continue;
        }
        let was = done;
        match says {
            Says::Header | Says::Cookie if headers == MOST_HEADERS || read > text.len() + 16 * 1024 => {}
            Says::Header => {
                headers += 1;
                done = header(text, after, &mut found).max(done);
            }
            Says::Cookie => {
                headers += 1;
                read += text.len().saturating_sub(after).min(VALUE);
                done = cookies(text, after, &mut found).max(done);
            }
            Says::Secret(kind) | Says::Perhaps(kind) | Says::Pin(kind) => {
                let colon = bytes.get(at) == Some(&b':');
                let Some((mut start, mut end, mut quoted)) = delimit(text, after, colon) else { continue };
                // `session:1042` is a key of a store.
                let touching = colon && after == at + 1 && !quoted && mode == Mode::Written;
                if touching && !matches!(says, Says::Secret(_)) && !name.contains('-') {
                    continue;
                }
                // `password => bcrypt('VALUE')`; what another call gives is not in the text.
                if !quoted && bytes.get(end) == Some(&b'(') {
                    let call = text.get(start..end).unwrap_or_default();
                    let inside = delimit(text, end + 1, false).filter(|(.., quoted)| *quoted);
                    match inside.filter(|_| HASHING.contains(&call)) {
                        Some(inside) => (start, end, quoted) = inside,
                        None if call.bytes().all(|b| b.is_ascii_alphabetic()) => continue,
                        None => {}
                    }
                }
                // `user:VALUE`
                if kind == "credentials" {
                    let value = text.get(start..end).filter(|value| !value.contains("://"));
                    let user = value.and_then(|value| value.find(':'));
                    start += user.filter(|user| start + user + 1 < end).map_or(0, |user| user + 1);
                }
                // sed's `s/…/NAME=value/`, with any sign between.
                let sign =
                    text.strip_prefix('s').and_then(|rest| rest.chars().next()).filter(|c| "/|#,@!".contains(*c));
                if let Some(sign) = sign.filter(|_| !quoted) {
                    end = text.get(start..end).and_then(|v| v.find(sign)).map_or(end, |n| start + n);
                }
                // `https://token:VALUE@host`: a user's name that says what follows.
                let before = at.saturating_sub(name.len() + 2);
                if text.get(before..).is_some_and(|rest| rest.starts_with("//")) {
                    end = text.get(start..end).and_then(|v| v.rfind('@')).map_or(end, |n| start + n);
                }
                let value = text.get(start..end).unwrap_or_default();
                budget = budget.saturating_sub(value.len());
                if budget == 0 {
                    break;
                }
                let trust = match (says, mode) {
                    (Says::Perhaps(_) | Says::Pin(_), _) => Trust::Random,
                    (_, Mode::Printed) if !quoted => Trust::Prose,
                    (_, Mode::Written) if !quoted && bytes.get(at) == Some(&b':') => Trust::Prose,
                    (_, Mode::Written | Mode::Printed) => Trust::Name,
                };
                let title = matches!(kind, "secret" | "credentials") && is_title(value);
                if plausible(value, trust) && !title && !(trust == Trust::Prose && is_key_of_store(value)) {
                    found(Value { start, end, kind, quoted });
                    done = end;
                }
            }
        }
        debug_assert!(done >= was);
    }
    phrases(text, &mut found);
}

/// Functions whose argument is the password itself.
const HASHING: [&str; 8] = ["bcrypt", "hash", "md5", "sha1", "crypt", "make", "encrypt", "PASSWORD"];
/// How far before its value a name is looked for.
const BEFORE: usize = 160;

/// `"name": "DB_PASSWORD", "value": "…"`, as containers and clouds have their variables.
fn named_before(text: &str, at: usize, value: &str) -> Option<Says> {
    if !value.eq_ignore_ascii_case("value") {
        return None;
    }
    let end = at.checked_sub(value.len())?;
    let from = (end.saturating_sub(BEFORE)..=end).find(|from| text.is_char_boundary(*from))?;
    let before = text.get(from..end)?;
    let key = ["name", "Name", "key", "Key"].iter().filter_map(|key| Some(before.rfind(key)? + key.len())).max()?;
    let rest = before.get(key..)?.trim_start_matches(['"', '\'', '\\', ' ', '=', ':']);
    let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"_-.".contains(b)).count();
    // The next name would be between them.
    let between = rest.get(length..)?;
    (!between.contains(['}', '{'])).then(|| judge(rest.get(..length)?)).flatten()
}

/// `user:1042:cart`: more of a name, as caches have them, and no value.
fn is_key_of_store(value: &str) -> bool {
    value.split_once(':').is_some_and(|(word, _)| word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// The name that ends before a `=` or `:`, and whether a space came between.
fn name_before(text: &str, at: usize) -> Option<(&str, bool)> {
    let bytes = text.as_bytes();
    let mut end = at;
    while end > 0 && at - end < 8 && matches!(bytes.get(end - 1), Some(b' ' | b'\t')) {
        end -= 1;
    }
    let spaced = end < at;
    // `"name":`, `\"name\":`, `['name'] =`, `:=`.
    for sign in [b"]".as_slice(), b"\"'`", b"\\", b":"] {
        if end > 0 && bytes.get(end - 1).is_some_and(|b| sign.contains(b)) {
            end -= 1;
        }
    }
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"_-.".contains(b);
    let mut start = end;
    while start > 0 && end - start <= LONGEST && bytes.get(start - 1).is_some_and(is_name) {
        start -= 1;
    }
    let name = text.get(start..end)?;
    (!name.is_empty()).then_some((name, spaced))
}

/// Where the value begins after a `=` or `:` at `at`.
fn value_at(bytes: &[u8], at: usize, spaced: bool) -> Option<usize> {
    let sign = bytes.get(at).copied()?;
    let mut after = at + 1;
    match (sign, bytes.get(after).copied()) {
        (b':', Some(b'/')) if bytes.get(after + 1) == Some(&b'/') => return None,
        (b'=', Some(b'=' | b'~')) | (b':', Some(b':')) => return None,
        (b'=', Some(b'>')) | (b':', Some(b'=')) => after += 1,
        (_, _) => {}
    }
    let first = after;
    while matches!(bytes.get(after), Some(b' ' | b'\t')) && after - first < 16 {
        after += 1;
    }
    // `NAME= command`: an assignment of nothing.
    (sign == b':' || after == first || spaced).then_some(after)
}

/// Start, end, and whether quotes stood around it.
fn delimit(text: &str, at: usize, colon: bool) -> Option<(usize, usize, bool)> {
    let rest = text.get(at..)?;
    // `N'…'`, `b"…"`, `f'…'`: what a string begins with in SQL and in code.
    let lead =
        usize::from(matches!(rest.as_bytes(), [b'N' | b'b' | b'r' | b'u' | b'f' | b'E' | b'@', b'"' | b'\'', ..]));
    let (at, rest) = (at + lead, rest.get(lead..)?);
    for quote in ["\\\"", "\"", "'", "`"] {
        if let Some(inside) = rest.strip_prefix(quote) {
            let start = at + quote.len();
            let end = closing(inside, quote).unwrap_or_else(|| token(inside, colon));
            return Some((start, start + end, true));
        }
    }
    let end = token(rest, colon);
    (end > 0).then_some((at, at + end, false))
}

/// Where the quote closes, on the same line.
fn closing(inside: &str, quote: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in inside.char_indices().take_while(|(i, c)| *i < VALUE && *c != '\n') {
        if !escaped && inside.get(i..).is_some_and(|rest| rest.starts_with(quote)) {
            return Some(i);
        }
        escaped = c == '\\' && !escaped && quote != "'";
    }
    None
}

/// How long a value without quotes is.
fn token(rest: &str, colon: bool) -> usize {
    let ends = |c: char| c.is_whitespace() || "\"'`,;&|<>(){}[]\\".contains(c) || (colon && c == '}');
    rest.char_indices().find(|(i, c)| *i >= VALUE || ends(*c)).map_or(rest.len(), |(i, _)| i)
}

/// `Bearer …`, `Basic …`, or the bare credentials.
fn header(text: &str, at: usize, found: &mut impl FnMut(Value)) -> usize {
    let (start, end, quoted) = match delimit(text, at, true) {
        Some((start, end, true)) => (start, end, true),
        Some(_) | None => {
            let rest = text.get(at..).unwrap_or_default();
            let end = rest.find(['\n', '\r', '"', '\'', '`']).unwrap_or(rest.len()).min(VALUE);
            (at, at + end, false)
        }
    };
    let line = text.get(start..end).unwrap_or_default();
    let mut from = 0;
    let mut kind = "authorization";
    if let Some((scheme, rest)) = line.split_once(' ') {
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if is_scheme && scheme.len() <= 20 {
            from = line.len() - rest.trim_start().len();
            kind = match scheme.to_ascii_lowercase().as_str() {
                "bearer" => "bearer_token",
                "basic" => "basic_auth",
                "digest" | "negotiate" | "ntlm" => "authorization",
                _ => "token",
            };
        }
    }
    let value = line.get(from..).unwrap_or_default();
    let value = value.get(..value.find([' ', '\t']).unwrap_or(value.len())).unwrap_or_default();
    let pair =
        value.split_once('=').filter(|(name, rest)| name.len() < 20 && !rest.is_empty() && !rest.starts_with('='));
    // `Signature=…`, `username="…"`: the pairs are read one by one.
    let name_only = value.strip_suffix('=').is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase()));
    if pair.is_none() && !name_only && value.len() >= 4 && plausible(value, Trust::Grammar) {
        found(Value { start: start + from, end: start + from + value.len(), kind, quoted });
        return start + from + value.len();
    }
    at
}

/// `a=b; session=…`.
fn cookies(text: &str, at: usize, found: &mut impl FnMut(Value)) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let quote = rest.chars().next().filter(|c| "\"'".contains(*c)).map_or(0, char::len_utf8);
    let begin = at + quote;
    let rest = text.get(begin..).unwrap_or_default();
    let end = rest.find(['\n', '\r', '"', '\'', '`']).unwrap_or(rest.len()).min(VALUE);
    pairs(text, begin, begin + end, found)
}

/// Pairs of a cookie header; returns where the last value that was found ends.
pub(super) fn pairs(text: &str, start: usize, end: usize, found: &mut impl FnMut(Value)) -> usize {
    let mut at = start;
    let mut done = start;
    for pair in text.get(start..end).unwrap_or_default().split(';') {
        if let Some((name, value)) = pair.split_once('=') {
            let from = at + name.len() + 1;
            let named = matches!(judge(name.trim()), Some(Says::Secret(_) | Says::Perhaps(_) | Says::Pin(_)))
                || name.trim().ends_with("sid");
            let value = value.trim();
            if (named && plausible(value, Trust::Name)) || (is_random(value) && plausible(value, Trust::Random)) {
                done = from + value.len();
                found(Value { start: from, end: done, kind: "session_cookie", quoted: false });
            }
        }
        at += pair.len() + 1;
    }
    done
}

/// Words after which a secret stands without `=` or `:`.
const PHRASES: &[(&str, &str, Trust)] = &[
    ("identified by ", "password", Trust::Grammar),
    ("identified with ", "password", Trust::Grammar),
    ("bearer ", "bearer_token", Trust::Random),
    ("basic ", "basic_auth", Trust::Random),
    ("password ", "password", Trust::Prose),
    ("passwd ", "password", Trust::Prose),
    ("passphrase ", "passphrase", Trust::Prose),
    ("password(", "password", Trust::Grammar),
    ("-pw ", "password", Trust::Name),
    ("requirepass ", "password", Trust::Name),
    ("masterauth ", "password", Trust::Name),
    ("account_key ", "secret_key", Trust::Random),
    ("secret_id ", "secret", Trust::Random),
    ("token ", "token", Trust::Random),
    ("private-key ", "private_key", Trust::Random),
    ("_authtoken ", "token", Trust::Name),
    ("secret ", "secret", Trust::Shape),
    ("psk ", "password", Trust::Shape),
    ("eap ", "password", Trust::Shape),
    ("rocommunity ", "community", Trust::Shape),
    ("rwcommunity ", "community", Trust::Shape),
    ("insecure-password ", "password", Trust::Name),
];

fn phrases(text: &str, found: &mut impl FnMut(Value)) {
    let Some(automaton) = phrase_automaton() else { return };
    let bytes = text.as_bytes();
    for hit in automaton.find_iter(text) {
        let Some((phrase, kind, trust)) = PHRASES.get(hit.pattern().as_usize()).copied() else { continue };
        let mut at = hit.end();
        // `IDENTIFIED WITH plugin BY 'PASSWORD'`
        if phrase == "identified with " {
            let Some(by) = text.get(at..).and_then(plugin) else { continue };
            at += by;
        }
        while matches!(bytes.get(at), Some(b' ' | b'\t')) && at < hit.end() + 16 {
            at += 1;
        }
        let before = hit.start().checked_sub(1).and_then(|i| bytes.get(i));
        if before.is_some_and(|b| b.is_ascii_alphanumeric()) {
            continue;
        }
        let Some((start, end, quoted)) = delimit(text, at, false) else { continue };
        let value = text.get(start..end).unwrap_or_default();
        // `Token token=VALUE`: what has a name of its own is found by that.
        if value.split_once('=').is_some_and(|(name, _)| judge(name).is_some()) {
            continue;
        }
        // SQL quotes its strings; without them it is netrc or prose.
        let trust = if quoted && matches!(trust, Trust::Prose | Trust::Shape) { Trust::Name } else { trust };
        let bare = !phrase.ends_with('(') && (!phrase.starts_with("identified ") || is_motley(value));
        if (quoted || bare) && plausible(value, trust) {
            found(Value { start, end, kind, quoted });
        }
    }
}

/// Where ` by ` ends, behind the name of a plugin.
fn plugin(text: &str) -> Option<usize> {
    let name = text.bytes().take(40).take_while(|b| b.is_ascii_alphanumeric() || b"_'\"".contains(b)).count();
    let by = text.get(name..name + 4)?;
    (name > 0 && by.eq_ignore_ascii_case(" by ")).then_some(name + 4)
}

fn phrase_automaton() -> &'static Option<aho_corasick::AhoCorasick> {
    static AUTOMATON: std::sync::LazyLock<Option<aho_corasick::AhoCorasick>> = std::sync::LazyLock::new(|| {
        aho_corasick::AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(aho_corasick::AhoCorasickKind::DFA))
            .build(PHRASES.iter().map(|(phrase, _, _)| phrase))
            .ok()
    });
    &AUTOMATON
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, mode: Mode) -> Vec<&str> {
        let mut out = Vec::new();
        scan(text, mode, |v| out.push(text.get(v.start..v.end).unwrap()));
        out
    }

    #[test]
    fn values_beside_their_names() {
        for (text, value) in [
            ("{\"user\":\"a\",\"password\":\"hunter2 x\"}", "hunter2 x"),
            ("{\\\"password\\\":\\\"hunter2\\\"}", "hunter2"),
            ("username=svc,password=8vOGCSJg,uid=0", "8vOGCSJg"),
            ("Authorization: Bearer abc123def456", "abc123def456"),
            ("Authorization:Basic ZGVwbG95OmY0", "ZGVwbG95OmY0"),
            ("X-Api-Key: abc123def456", "abc123def456"),
            ("ALTER USER 'app' IDENTIFIED BY 'n0tAr3al'", "n0tAr3al"),
            ("alter user system identified by n0tAr3aL", "n0tAr3aL"),
            ("CREATE USER 'a'@'%' IDENTIFIED WITH mysql_native_password BY 'n0tAr3al'", "n0tAr3al"),
            ("Authorization: Token token=u+n0tAr3al9", "u+n0tAr3al9"),
            ("{\"name\":\"DB_PASSWORD\",\"value\":\"n0tAr3al\"}", "n0tAr3al"),
            ("- name: DB_PASSWORD\n  value: n0tAr3al\n", "n0tAr3al"),
            ("['password'=>bcrypt('n0tAr3al')]", "n0tAr3al"),
            ("--dest-creds=ci:n0tAr3al", "n0tAr3al"),
            ("X-ClickHouse-Key: n0tAr3alkY6", "n0tAr3alkY6"),
            ("https://h/x?q=Oslo&appid=0993212d36fe3e6d0125a4bb6a7cad20", "0993212d36fe3e6d0125a4bb6a7cad20"),
            ("CREATE ROLE x WITH PASSWORD 'n0tAr3al'", "n0tAr3al"),
            ("machine h login u password n0tAr3al", "n0tAr3al"),
            ("db.password = \"n0tAr3al\"", "n0tAr3al"),
            ("AccountName=a;AccountKey=N9pHV4LR8Y7h==;EndpointSuffix=c", "N9pHV4LR8Y7h=="),
            ("Cookie: a=b; session=z0g5p4bcumedmke9", "z0g5p4bcumedmke9"),
        ] {
            assert_eq!(found(text, Mode::Written), [value], "{text}");
        }
    }

    #[test]
    fn what_is_no_value() {
        for text in [
            "Authorization: Bearer \0",
            "password: required",
            "token == other",
            "Password:",
            "secretName: my-tls",
            "password=os.environ['X']",
            "if token: x",
            "the password is wrong",
            "a::b",
            "GET token:user:507f1f77bcf86cd799439011",
            "api_key:limits",
            "{\"name\":\"db-password\"},{\"name\":\"x\",\"value\":\"n0tAr3al\"}",
            "password = prompt(\"n0tAr3al\")",
            "IDENTIFIED BY plugin",
            "https://x/y",
        ] {
            assert_eq!(found(text, Mode::Written), [""; 0], "{text}");
            assert_eq!(found(text, Mode::Printed), [""; 0], "{text}");
        }
        // A key of a store where a person wrote it; what a program prints could be anything.
        assert_eq!(found("DEL session:9f86d081884c7d659a2feaa0c55ad015", Mode::Written), [""; 0]);
    }
}
