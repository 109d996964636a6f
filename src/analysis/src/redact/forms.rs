//! Secrets that no name stands beside, in texts whose form says what they are:
//! password files, calls of well-known functions, dialogues of `expect`.

use super::values::{Trust, is_motley, is_path, is_random, plausible};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::sync::LazyLock;

/// Longest line of a password file.
const LINE: usize = 512;
/// Most calls and dialogues that are followed in one text.
const MOST: usize = 64;
/// How far the arguments of a call are read.
const NEAR: usize = 256;

/// Functions that take a password between quotes, and which of their quoted
/// arguments it is, from 1.
const CALLS: &[(&str, usize)] = &[
    ("auth=(", 2),
    ("auth = (", 2),
    ("BasicAuth(", 2),
    ("DigestAuth(", 2),
    (".login(", 2),
    ("PDO(", 3),
    ("mysqli(", 3),
    ("mysqli_connect(", 3),
    ("pg_connect(", 3),
    ("DBI->connect(", 3),
    ("MySQLdb.connect(", 3),
    ("pymysql.connect(", 3),
    ("getConnection(", 3),
    ("ConvertTo-SecureString ", 1),
    ("NetworkCredential(", 2),
    ("basic_auth(", 2),
    ("setBasicAuth(", 2),
    (".auth(", 2),
    ("Credentials(", 4),
    ("create_superuser(", 3),
    ("create_user(", 3),
    ("changeUserPassword(", 2),
    ("hashpw(", 1),
    ("password_hash(", 1),
    ("bcrypt.hash(", 1),
    ("hashSync(", 1),
    (".set_password(", 1),
];

/// Calls `found` with start, end and kind for each.
pub(super) fn scan(text: &str, mut found: impl FnMut(usize, usize, &'static str)) {
    if memchr::memchr(b':', text.as_bytes()).is_some() {
        colon_lines(text, &mut found);
    }
    // Nearly every text holds none of them: one pass says so.
    let there = Signs::of(text);
    if there.calls != 0 {
        calls(text, there.calls, &mut found);
    }
    if there.dialogue {
        dialogue(text, &mut found);
    }
    for (bit, statement) in STATEMENTS.iter().enumerate() {
        if let Some(at) = text.find(statement).filter(|_| there.statements >> bit & 1 == 1) {
            assigned(text, at + statement.len(), &mut found);
        }
    }
}

/// SQL that is followed by `= 'PASSWORD'`.
const STATEMENTS: [&str; 5] = ["set password", "SET PASSWORD", "pragma key", "PRAGMA key", "pragma rekey"];
/// What asks for a password.
const QUESTIONS: [&str; 2] = ["ssword:", "assphrase"];

/// Which of these forms begin somewhere in a text: a bit for each.
#[derive(Default)]
struct Signs {
    calls: u32,
    dialogue: bool,
    statements: u32,
}

impl Signs {
    fn of(text: &str) -> Self {
        static ALL: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
            let signs = CALLS.iter().map(|(call, _)| *call).chain(QUESTIONS).chain(STATEMENTS);
            AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(signs).ok()
        });
        let mut there = Self::default();
        let Some(all) = &*ALL else { return there };
        for hit in all.find_overlapping_iter(text) {
            let number = hit.pattern().as_usize();
            match (number.checked_sub(CALLS.len()), number.checked_sub(CALLS.len() + QUESTIONS.len())) {
                (None, _) => there.calls |= 1 << number,
                (Some(_), None) => there.dialogue = true,
                (Some(_), Some(statement)) => there.statements |= 1 << statement,
            }
        }
        there
    }
}

/// Lines of a file of PostgreSQL's `.pgpass`: `host:port:database:user:PASSWORD`.
fn colon_lines(text: &str, found: &mut impl FnMut(usize, usize, &'static str)) {
    let mut at = 0;
    for line in text.split('\n') {
        let from = at;
        at += line.len() + 1;
        if line.len() > LINE || line.starts_with('#') {
            continue;
        }
        let mut fields = line.trim_end().splitn(5, ':');
        let (Some(host), Some(port), Some(database), Some(user), Some(password)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let name =
            |field: &str| !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b"*._-".contains(&b));
        let ported = port == "*" || (2..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
        let bare = !password.contains([' ', '\t', ':']) && password.len() >= 4;
        if ported && name(host) && name(database) && name(user) && bare && plausible(password, Trust::Name) {
            let start = from + host.len() + port.len() + database.len() + user.len() + 4;
            found(start, start + password.len(), "password");
        }
    }
}

/// `user:PASSWORD@host` where no scheme stands before: the whole of a word.
pub(super) fn user_at_host(word: &str) -> Option<(usize, usize)> {
    let (info, host) = word.rsplit_once('@')?;
    let (user, password) = info.split_once(':')?;
    let name = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
    };
    let hosted = name(host.split([':', '/']).next().unwrap_or(host), b".-_") && !host.starts_with("sha");
    // `domain/user` and `user@domain` are users too.
    let fits = name(user, b"._-/\\@") && hosted && !password.contains(['/', ' ', ':', '@']);
    let capitals = password.bytes().skip(1).filter(u8::is_ascii_uppercase).count();
    let mixed = password.len() >= 10 && capitals >= 3 && password.bytes().any(|b| b.is_ascii_lowercase());
    let secret = (is_motley(password) || is_random(password) || mixed) && plausible(password, Trust::Grammar);
    (fits && secret).then(|| (user.len() + 1, info.len()))
}

fn calls(text: &str, there: u32, found: &mut impl FnMut(usize, usize, &'static str)) {
    let mut budget = MOST;
    for (_, (call, wanted)) in CALLS.iter().enumerate().filter(|(bit, _)| there >> bit & 1 == 1) {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(call)).map(|n| from + n + call.len()) {
            from = at;
            budget = budget.saturating_sub(1);
            if budget == 0 {
                return;
            }
            let Some((start, end)) = quoted(text, at, *wanted) else { continue };
            let value = text.get(start..end).unwrap_or_default();
            if plausible(value, Trust::Name) && !value.contains("://") {
                found(start, end, "password");
            }
        }
    }
}

/// The n-th text between quotes after `at`, before the call ends.
fn quoted(text: &str, at: usize, wanted: usize) -> Option<(usize, usize)> {
    let mut inside = None;
    let mut count = 0;
    for (i, c) in text.get(at..)?.char_indices().take(NEAR) {
        match (inside, c) {
            (None, ')' | '\n' | ';') => return None,
            (None, '\'' | '"') => inside = Some((c, at + i + 1)),
            (Some((quote, start)), c) if c == quote => {
                count += 1;
                if count == wanted {
                    return Some((start, at + i));
                }
                inside = None;
            }
            (None | Some(_), _) => {}
        }
    }
    None
}

/// `expect "assword:"; send "PASSWORD\r"`.
fn dialogue(text: &str, found: &mut impl FnMut(usize, usize, &'static str)) {
    let mut from = 0;
    for _ in 0..MOST {
        let Some(asked) = text.get(from..).and_then(|rest| rest.find("ass")).map(|n| from + n) else { return };
        from = asked + 3;
        let rest = text.get(asked..).unwrap_or_default();
        let near = (0..=rest.len().min(NEAR)).rev().find(|n| rest.is_char_boundary(*n)).unwrap_or(0);
        let Some(rest) = rest.get(..near).filter(|rest| rest.starts_with("assword") || rest.starts_with("assphrase"))
        else {
            continue;
        };
        let Some(sent) = rest.find("send ") else { continue };
        answer(text, asked + sent + 5, found);
        // It is asked for once more.
        let again = ["etype", "again", "gain:", "onfirm", "epeat"].iter().find_map(|ask| rest.get(sent..)?.find(ask));
        let second = again.and_then(|again| Some(sent + again + rest.get(sent + again..)?.find("send ")?));
        if let Some(second) = second {
            answer(text, asked + second + 5, found);
        }
    }
}

/// What is sent, without the return key.
fn answer(text: &str, at: usize, found: &mut impl FnMut(usize, usize, &'static str)) {
    if let Some((start, end)) = quoted(text, at, 1) {
        let value = text.get(start..end).unwrap_or_default();
        let value = value.strip_suffix("\\r").or_else(|| value.strip_suffix("\\n")).unwrap_or(value);
        if plausible(value, Trust::Name) && !value.starts_with('$') {
            found(start, start + value.len(), "password");
        }
    }
}

/// SQL's `… = 'PASSWORD'`.
fn assigned(text: &str, at: usize, found: &mut impl FnMut(usize, usize, &'static str)) {
    let Some(rest) = text.get(at..) else { return };
    let Some(equals) = rest.find('=').filter(|n| *n < 80) else { return };
    let Some((start, end)) = quoted(text, at + equals + 1, 1) else { return };
    let between = text.get(at + equals + 1..start - 1).unwrap_or_default();
    if between.trim().is_empty() && plausible(text.get(start..end).unwrap_or_default(), Trust::Name) {
        found(start, end, "password");
    }
}

/// Oracle's `user/PASSWORD`, `user/PASSWORD@database`, `userid=user/PASSWORD`.
pub(super) fn oracle(word: &str) -> Option<(usize, usize)> {
    let from = ["userid=", "USERID=", "target=", "catalog="]
        .iter()
        .find_map(|name| word.starts_with(name).then_some(name.len()));
    let from = from.unwrap_or(0);
    let (user, rest) = word.get(from..)?.split_once('/')?;
    let named = user.starts_with(|c: char| c.is_ascii_alphabetic())
        && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"_$#".contains(&b));
    // A password that holds an `@` stands between quotes.
    let (open, password) = match rest.strip_prefix('"') {
        Some(inside) => (1, inside.split('"').next()?),
        None => (0, rest.split('@').next()?),
    };
    let file = is_path(&format!("./{password}")) && password.contains('.') && !is_motley(password);
    let start = from + user.len() + 1 + open;
    (named && !file && !password.contains('/') && plausible(password, Trust::Grammar))
        .then_some((start, start + password.len()))
}

/// What follows `%s` formats of `printf` in its arguments: for each argument,
/// the name that the format has before it.
pub(super) fn format_names(format: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('%').filter(|_| names.len() < 16) {
        let before = rest.get(..at).unwrap_or_default();
        let after = rest.get(at + 1..).unwrap_or_default();
        if !after.starts_with('%') {
            let before = before.rsplit("\\n").next().unwrap_or(before);
            let name = before.trim_end_matches(['=', ':', ' ', '"', '\'']);
            let cut = name.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).map_or(0, |n| n + 1);
            names.push(name.get(cut..).unwrap_or_default());
        }
        rest = after.get(1..).unwrap_or_default();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        scan(text, |start, end, _| out.push(text.get(start..end).unwrap()));
        out
    }

    #[test]
    fn forms_with_a_password_in_them() {
        for (text, value) in [
            ("db:5432:shop:app:Xq7vTr2k", "Xq7vTr2k"),
            ("# h\n*:*:*:app:Xq7vTr2k\n", "Xq7vTr2k"),
            ("requests.get(u, auth=('bob', 'Xq7vTr2k'))", "Xq7vTr2k"),
            ("new PDO(\"mysql:host=h\", \"u\", \"Xq7vTr2k\")", "Xq7vTr2k"),
            ("expect \"assword:\"; send \"Xq7vTr2k\\r\"", "Xq7vTr2k"),
            ("set password for root = 'Xq7vTr2k'", "Xq7vTr2k"),
            ("User.objects.create_superuser('a', 'a@b.cc', 'Xq7vTr2k')", "Xq7vTr2k"),
            ("Credentials(\"Nexus\", \"h\", \"ci\", \"Xq7vTr2k\")", "Xq7vTr2k"),
            ("ConvertTo-SecureString 'Xq7vTr2k' -AsPlainText", "Xq7vTr2k"),
        ] {
            assert_eq!(found(text), [value], "{text}");
        }
        for text in [
            "root:x:0:0:root:/root:/bin/bash",
            "h:80:a:b:/data",
            "12:30:05:10:99",
            "auth=('bob', os.environ['P'])",
            "new PDO($dsn, $u, $p)",
            "expect \"assword:\"; send \"$pw\\r\"",
            "set password_policy = 1",
            "a:b",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn there_is_a_bit_for_each_form() {
        assert!(CALLS.len() <= 32 && STATEMENTS.len() <= 32);
    }

    #[test]
    fn words_with_a_password_in_them() {
        let part = |word: &'static str, at: Option<(usize, usize)>| at.and_then(|(from, to)| word.get(from..to));
        for (word, value) in
            [("scott/Xq7vTr2k@orcl", "Xq7vTr2k"), ("userid=a/Xq7v", "Xq7v"), ("a/\"p@w1x\"@db", "p@w1x")]
        {
            assert_eq!(part(word, oracle(word)), Some(value), "{word}");
        }
        for word in ["/", "/nolog", "@up.sql", "sql/up.sql", "a/$P", "dir/sub/x", "\0/\0"] {
            assert_eq!(oracle(word), None, "{word}");
        }
        assert_eq!(part("root:Xq7vTr2kLm@h:3306", user_at_host("root:Xq7vTr2kLm@h:3306")), Some("Xq7vTr2kLm"));
        assert_eq!(part("corp/joe:Xq7vTr2k@10.0.0.5", user_at_host("corp/joe:Xq7vTr2k@10.0.0.5")), Some("Xq7vTr2k"));
        assert_eq!(part("a@b.c:Xq7vTr2k@h", user_at_host("a@b.c:Xq7vTr2k@h")), Some("Xq7vTr2k"));
        for word in ["alpine:3.19@sha256:c5b1261d", "git@h:x", "h:path@2", "a:latest@b"] {
            assert_eq!(user_at_host(word), None, "{word}");
        }
        assert_eq!(format_names("A=%s\\nmachine h password %s\\n"), ["A", "password"]);
    }
}
