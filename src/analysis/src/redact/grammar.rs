//! What a simple command says of its words: which of them are secrets, and
//! which are scripts for another shell.

mod owns;
mod reread;
mod table;

pub(super) use self::owns::owns;
use super::names::{Says, judge};
use super::shell::Command;
use super::text::{Text, UNKNOWN};
use super::values::{Trust, is_motley, is_path, is_random, is_reference, is_title, is_uuid, plausible};
use crate::programs::{Kind, interpreter};
use crate::words::base_name;
pub(super) use reread::{Reread, is_shell, reread, runs_code};
use std::collections::HashMap;
use std::sync::LazyLock;
use table::{How, RULES, Rule};

/// A value of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) word: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: &'static str,
}

/// How far from a program its secrets are looked for, in words.
pub(super) const NEAR: usize = 64;
/// The same where the words are so many that programs are named all along.
const NEAR_IN_MANY: usize = 8;
/// So many are many.
const MANY: usize = 1000;

/// The kind of a place that holds a secret only where the word before says so.
const SECRET_NAMED: &str = "secret_named";

/// The kind of a place that holds a password where anything else could stand: it has to look like one.
const SECRET_OPERAND: &str = "secret_operand";

/// The kind of SNMP's communities.
const COMMUNITY: &str = "community";

static BY_PROGRAM: LazyLock<HashMap<&'static str, Vec<&'static Rule>>> = LazyLock::new(|| {
    let mut map: HashMap<&'static str, Vec<&'static Rule>> = HashMap::new();
    for rule in RULES {
        for program in rule.programs {
            map.entry(program).or_default().push(rule);
        }
    }
    map
});

/// A program's name without its directory and version.
fn program(word: &str) -> &str {
    let name = base_name(word);
    name.strip_suffix(".exe").unwrap_or(name)
}

/// Calls `found` for each secret that the words themselves give away, and says
/// whether a program of the command takes it for its own.
pub(super) fn scan(command: &Command, mut tell: impl FnMut(Value, bool)) {
    let words: Vec<&Text<'static>> = command.words.iter().map(|w| &w.text).collect();
    let reach = if words.len() > MANY { NEAR_IN_MANY } else { NEAR };
    let before = super::pasted::before_the_program(&words);
    // What a database's client gets behind its name is its own.
    let client = words.get(before).is_some_and(|word| is_client(program(&word.s)));
    for (i, word) in words.iter().enumerate() {
        if let Some(rules) = BY_PROGRAM.get(program(&word.s)) {
            let near = words.get(..words.len().min(i + reach)).unwrap_or_default();
            for rule in rules {
                apply(rule, near, i + 1, &mut |value| tell(value, owns(&word.s)));
            }
        }
        named(&words, i, before, &mut |value| tell(value, client && i > before && !owns::is_variable(&words, i)));
        let mut part = |at: Option<(usize, usize)>| {
            at.into_iter().for_each(|(start, end)| tell(Value { word: i, start, end, kind: "password" }, false));
        };
        part(super::forms::user_at_host(&word.s));
        part(saying(&words, i));
        part(beside_user(&words, i));
    }
    super::general::scan(&words, |value| tell(value, false));
    oracle(&words, &mut |value| tell(value, true));
    printed(&words, &mut |value| tell(value, false));
}

fn is_client(name: &str) -> bool {
    interpreter(name).is_some_and(|known| matches!(known.kind, Kind::Client { .. }))
}

/// Clients of Oracle, whose first operands are `user/password`.
const ORACLE: &[&str] = &[
    "sqlplus",
    "sqlplus64",
    "sql",
    "sqlcl",
    "exp",
    "imp",
    "expdp",
    "impdp",
    "sqlldr",
    "rman",
    "tkprof",
    "wrap",
    "adrci",
];

fn oracle(words: &[&Text<'static>], found: &mut impl FnMut(Value)) {
    let Some(at) = words.iter().take(4).position(|word| ORACLE.contains(&program(&word.s))) else { return };
    for (word, text) in words.iter().enumerate().skip(at + 1).take(16) {
        if let Some((start, end)) = super::forms::oracle(&text.s) {
            found(Value { word, start, end, kind: "password" });
        }
    }
}

/// `-u USER -p VALUE` of a program that is in no table: a password beside a
/// user, not a port, a process or a place.
fn beside_user(words: &[&Text<'static>], i: usize) -> Option<(usize, usize)> {
    let before = |n: usize| i.checked_sub(n).and_then(|at| words.get(at)).map(|word| &*word.s);
    let user = matches!(before(3)?, "-u" | "-U" | "-user" | "-username" | "--user" | "--username" | "--login" | "-D");
    let asked = matches!(before(1)?, "-p" | "-P" | "-w" | "-pw" | "-password" | "--pw");
    if !user || !asked || before(4).is_some_and(|word| OTHER_USERS.contains(&program(word))) {
        return None;
    }
    let value: &str = &words.get(i)?.s;
    let letters = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let more = value.bytes().any(|byte| !byte.is_ascii_alphabetic());
    let secret = letters && more && !value.starts_with(['-', '/', '.']) && !value.contains([' ', '/']);
    (secret && plausible(value, Trust::Name)).then_some((0, value.len()))
}

/// Programs with other things behind `-u` and `-p`.
const OTHER_USERS: &[&str] = &["sudo", "docker", "podman", "nerdctl", "run", "ps", "ssh", "psql", "install", "mkdir"];

/// `--password-command 'echo PASSWORD'`: an option that names a command that says it.
fn saying(words: &[&Text<'static>], i: usize) -> Option<(usize, usize)> {
    let own: &str = &words.get(i)?.s;
    let (option, from) = match own.split_once('=') {
        Some((option, _)) => (option, option.len() + 1),
        None => (i.checked_sub(1).and_then(|before| words.get(before)).map(|word| &*word.s)?, 0),
    };
    let asks = option.contains("pass") && ["command", "cmd", "eval"].iter().any(|end| option.ends_with(end));
    let asks = asks || option.contains("PASS") && option.ends_with("COMMAND");
    let text = own.get(from..).filter(|_| asks)?;
    let said = ["echo -n ", "echo ", "printf %s ", "printf "].iter().find(|start| text.starts_with(**start))?;
    let value = text.get(said.len()..)?;
    let bare = value.trim_matches(['\'', '"']);
    let start = from + said.len() + value.find(bare)?;
    (!bare.contains(char::is_whitespace) && plausible(bare, Trust::Name)).then(|| (start, start + bare.len()))
}

/// `printf 'TOKEN=%s' VALUE`: the format names its arguments.
fn printed(words: &[&Text<'static>], found: &mut impl FnMut(Value)) {
    let Some(at) = words.iter().take(3).position(|word| &*word.s == "printf") else { return };
    let Some(format) = words.get(at + 1) else { return };
    for (n, name) in super::forms::format_names(&format.s).into_iter().enumerate() {
        let word = at + 2 + n;
        let Some(kind) = words.get(word).and_then(|value| kind_of(name, &value.s)) else { continue };
        let end = words.get(word).map_or(0, |value| value.s.len());
        found(Value { word, start: 0, end, kind });
    }
}

/// `NAME=value`, `--name=value`, `--name value`.
fn named(words: &[&Text<'static>], i: usize, before: usize, found: &mut impl FnMut(Value)) {
    let Some(word) = words.get(i) else { return };
    let s: &str = &word.s;
    let option = s.len() > 2 && s.starts_with('-');
    if s.contains('=') {
        // Elsewhere blanks may part a program from an assignment: `env -S 'TOKEN=x evil'`.
        let whole = option || i <= before;
        pairs(s, |start, end, kind| {
            if whole || !s.get(start..end).is_some_and(|value| value.contains(char::is_whitespace)) {
                found(Value { word: i, start, end, kind });
            }
        });
    } else if option && !s.contains([' ', ':', UNKNOWN]) {
        let name = s.trim_start_matches('-');
        let Some(next) = words.get(i + 1) else { return };
        // A single dash and one word: a cluster of letters more often than a name.
        if let Some(kind) = kind_of(name, &next.s).filter(|_| {
            s.starts_with("--")
                || judge(name).is_some_and(sure) && super::shape::of(name) < Some(super::shape::Shape::Motley)
        }) {
            let bare = next.s.trim_start_matches('-');
            let starts_option = next.s.starts_with('-') && !is_random(bare) && !super::shape::is_generated(bare);
            if next.s.starts_with('{') && named_inside(&next.s) {
                return;
            }
            let bare_secret = name == "secret" && !is_random(&next.s);
            if is_object_key(words, i, name) {
                return;
            }
            if !starts_option && !bare_secret && !next.s.contains('=') && !optional(words, name, &next.s)
                || is_random(&next.s)
            {
                let (start, end) = inner(kind, &next.s);
                found(Value { word: i + 1, start, end, kind });
            }
        }
    } else if s.contains('_') && judge(s).is_some_and(sure) {
        // `secret_access_key VALUE`.
        let Some(next) =
            words.get(i + 1).filter(|next| is_motley(&next.s) && !next.s.contains('=') && !next.s.starts_with('-'))
        else {
            return;
        };
        if let Some(kind) = kind_of(s, &next.s) {
            found(Value { word: i + 1, start: 0, end: next.s.len(), kind });
        }
    }
}

/// `aws s3api … --key PATH`: where an object is.
fn is_object_key(words: &[&Text<'static>], i: usize, name: &str) -> bool {
    let mut before = words.iter().take(i).rev().take(NEAR).map(|word| &*word.s);
    matches!(name, "key" | "cache-key" | "object-key" | "copy-source")
        && before.any(|word| {
            matches!(
                word,
                "s3api" | "s3" | "s3cmd" | "s5cmd" | "gsutil" | "r2" | "object" | "cache" | "b2" | "mc" | "blob"
            )
        })
}

/// `NAME=value`, also behind an option: `--from-literal=NAME=value`.
fn pairs(s: &str, mut found: impl FnMut(usize, usize, &'static str)) {
    let mut from = 0;
    for _ in 0..3 {
        let Some(equals) = s.get(from..).and_then(|rest| rest.find('=')).map(|n| from + n) else { return };
        let name = s.get(from..equals).unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:/+@[]".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return;
        }
        from = equals + 1;
        let value = s.get(from..).unwrap_or_default();
        let end = from + until_next_pair(value);
        let value = s.get(from..end).unwrap_or_default();
        if let Some(kind) = kind_of(name, value).filter(|_| !value.contains('\n') && unquoted(value)) {
            let (start, _) = inner(kind, value);
            // `SCRAM-SHA-512=[password=VALUE]`: the bracket opened before the name.
            let listed = name.starts_with('[') && value.ends_with(']') && !value.contains('[');
            found(from + start, end - usize::from(listed), kind);
            return;
        }
    }
}

/// Whether the option's value can only stand in its own word: what follows is something else.
fn optional(words: &[&Text<'static>], name: &str, value: &str) -> bool {
    // Whoever gives a password so is mistaken, and it is one nevertheless.
    let database = value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    name == "password"
        && database
        && words.iter().take(4).any(|word| {
            let program = program(&word.s);
            program.starts_with("mysql") && program != "mysqlsh" || program.starts_with("mariadb")
        })
}

/// Where the secret stands in the value of an option: behind `pass:`, or
/// behind the user in `user:password`.
fn inner(kind: &str, value: &str) -> (usize, usize) {
    let start = match value.split_once(':') {
        Some(("pass", _)) => 5,
        // virt-customize's `--root-password password:VALUE`, `--password USER:password:VALUE`.
        Some((user, rest)) if rest.starts_with("password:") && rest.len() > 9 => user.len() + 10,
        Some((name @ ("password" | "token"), rest)) if !rest.is_empty() => name.len() + 1,
        Some((user, rest))
            if matches!(kind, "credentials" | "authorization") && !rest.is_empty() && !user.contains(['{', '"']) =>
        {
            user.len() + 1
        }
        _ => 0,
    };
    (start, value.len())
}

fn sure(says: Says) -> bool {
    matches!(says, Says::Secret(_))
}

fn unquoted(value: &str) -> bool {
    !value.starts_with(['"', '\'', '{', '['])
}

/// The kind of secret that a name and a value make.
fn kind_of(name: &str, value: &str) -> Option<&'static str> {
    match judge(name)? {
        Says::Secret("secret" | "credentials") if is_title(value) => None,
        // `--secret UUID` says which one.
        Says::Secret("secret") if name == "secret" && is_uuid(value) => None,
        Says::Secret(kind) => plausible(value, Trust::Name).then_some(kind),
        Says::Perhaps(kind) => {
            let approle = kind == "secret" && is_uuid(value);
            (approle || plausible(value, Trust::Random)).then_some(kind)
        }
        Says::Pin(kind) => (is_pin(value) && value != "123456" || plausible(value, Trust::Random)).then_some(kind),
        Says::Cookie => {
            (!value.contains('=') && is_random(value) && plausible(value, Trust::Name)).then_some("session_cookie")
        }
        Says::Header => None,
    }
}

/// Digits, as people type them on a pad.
fn is_pin(value: &str) -> bool {
    (4..=12).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit())
}

/// Where `,name= or `;name=` or `&name=` begins in a value.
fn until_next_pair(value: &str) -> usize {
    let bytes = value.as_bytes();
    for (i, b) in value.bytes().enumerate() {
        if !b",;& ".contains(&b) {
            continue;
        }
        // `a=VALUE b=c`, `a=VALUE; b=c`.
        let rest = bytes.get(i + 1..).unwrap_or_default();
        let blanks = rest.iter().take_while(|b| **b == b' ').take(4).count();
        let rest = rest.get(if b == b',' || b == b'&' { 0 } else { blanks }..).unwrap_or_default();
        let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"_-.".contains(b)).count();
        let known = matches!(rest.get(..name), Some(b"ro" | b"rw" | b"nofail" | b"_netdev" | b"noauto"));
        if name > 0 && (rest.get(name) == Some(&b'=') || known) {
            return i;
        }
    }
    value.len()
}

fn apply(rule: &Rule, words: &[&Text<'static>], from: usize, found: &mut impl FnMut(Value)) {
    let Some(start) = after_subcommands(rule.after, words, from) else { return };
    for (word, at) in places(rule.how, words, start) {
        let Some(text) = words.get(word) else { continue };
        let comma = text.s.get(at..).and_then(|rest| rest.find(',')).filter(|_| matches!(rule.how, How::Dsn));
        let end = comma.map_or(text.s.len(), |n| at + n);
        if matches!(rule.how, How::Cookie(_)) {
            super::context::pairs(&text.s, at, end, &mut |v| {
                found(Value { word, start: v.start, end: v.end, kind: v.kind });
            });
            continue;
        }
        // `psk '"…"'`: quotes of the program's own.
        let own = at + 2 < end && text.get(at, end).starts_with('"') && text.get(at, end).ends_with('"');
        let (at, end) = if own { (at + 1, end - 1) } else { (at, end) };
        // `-u TOKEN:`, the whole of it in the user's place.
        if at == end {
            let token = text
                .s
                .get(..at.saturating_sub(1))
                .filter(|token| matches!(rule.how, How::Colon(_)) && is_random(token));
            token.into_iter().for_each(|token| found(Value { word, start: 0, end: token.len(), kind: rule.kind }));
            continue;
        }
        let host = text.s.get(at..end).and_then(|rest| rest.rfind('@')).filter(|_| matches!(rule.how, How::Login(_)));
        let end = host.map_or(end, |n| at + n);
        let value = text.get(at, end);
        // What has names of its own is found by these; a URL is no `user:password`.
        if named_inside(value) || matches!(rule.how, How::WordColon(_)) && value.starts_with("//") {
            continue;
        }
        let kind = if rule.kind == SECRET_NAMED {
            let name = word.checked_sub(1).and_then(|i| words.get(i)).map(|w| &*w.s).unwrap_or_default();
            kind_of(name, value)
        } else if rule.kind == COMMUNITY {
            // What a device has that nobody has configured.
            (!matches!(value, "public" | "private") && plausible(value, Trust::Name)).then_some(COMMUNITY)
        } else if rule.kind == SECRET_OPERAND {
            let before = word.checked_sub(1).and_then(|i| words.get(i));
            let operand = !matches!(rule.how, How::Word(_)) || before.is_some_and(|w| !w.s.starts_with('-'));
            (operand && is_motley(value) && plausible(value, Trust::Name)).then_some("password")
        } else {
            // `encrypt_string --name db_password VALUE`
            let optional = word
                .checked_sub(1)
                .and_then(|i| words.get(i))
                .is_some_and(|w| w.s.starts_with("--") && !w.s.contains('='));
            let elsewhere = rule.after == ["encrypt_string"] && optional
                || rule.kind != "password" && (is_path(value) || is_reference(value))
                || rule.programs.contains(&"net") && (value.starts_with('/') || samba(rule, words))
                || rule.kind == "vault_token" && value.contains('=')
                || rule.kind == "token" && value.len() < 8 && value.bytes().all(|b| b.is_ascii_lowercase());
            (plausible(value, Trust::Grammar) && !elsewhere).then_some(rule.kind)
        };
        if let Some(kind) = kind {
            // Pulsar's `token:VALUE`.
            let own = if kind == "credentials" { inner(kind, text.get(at, end)).0 } else { 0 };
            found(Value { word, start: at + own, end, kind });
        }
    }
}

/// Whether `net user` is Samba's `net rpc user …`, where a verb stands between.
fn samba(rule: &Rule, words: &[&Text<'static>]) -> bool {
    rule.after == ["user"] && words.iter().take(4).any(|word| matches!(&*word.s, "rpc" | "ads" | "rap"))
}

/// `{"user": "a", "password": "b"}`, `password=b`.
pub(super) fn named_inside(value: &str) -> bool {
    if value.split_once('=').is_some_and(|(name, rest)| !rest.is_empty() && judge(name).is_some()) {
        return true;
    }
    let mut found = false;
    if value.starts_with('{') {
        super::context::scan(value, super::context::Mode::Written, |_| found = true);
    }
    found
}

/// `User-Name=bob,User-Password=b`.
pub(super) fn names_behind(value: &str) -> bool {
    value.split(',').skip(1).take(16).any(named_inside)
}

/// Where words stand that the rule speaks of, and at which byte the value
/// begins in them.
fn places(how: How, words: &[&Text<'static>], start: usize) -> Vec<(usize, usize)> {
    match how {
        How::Word(n) => nth(words, start, n).map(|i| (i, 0)).into_iter().collect(),
        How::WordColon(n) | How::Login(n) => {
            nth(words, start, n).into_iter().filter_map(|i| behind(words, (i, 0), ':')).collect()
        }
        How::Attached(name) => options(words, start, name, false, true),
        How::Next(name) => options(words, start, name, true, false),
        How::Either(name) | How::Cookie(name) => options(words, start, name, true, true),
        How::Colon(name) => {
            options(words, start, name, true, true).into_iter().filter_map(|place| behind(words, place, ':')).collect()
        }
        How::Comma(name) => {
            options(words, start, name, true, true).into_iter().filter_map(|place| behind(words, place, ',')).collect()
        }
        How::Dsn => dsn(words, start),
        How::Percent(name) => {
            options(words, start, name, true, true).into_iter().filter_map(|place| behind(words, place, '%')).collect()
        }
        How::Pass(name) => {
            options(words, start, name, true, false).into_iter().filter_map(|place| behind_pass(words, place)).collect()
        }
    }
}

/// The word after the subcommands, where they all stand in this order.
fn after_subcommands(after: &[&str], words: &[&Text<'static>], from: usize) -> Option<usize> {
    let mut at = from;
    for wanted in after {
        let fits = |word: &&Text<'static>| match wanted.strip_suffix('*') {
            Some(start) => word.s.starts_with(start),
            None => word.s == **wanted,
        };
        at += words.get(at..)?.iter().position(fits)? + 1;
    }
    Some(at)
}

/// The n-th word that is no option.
fn nth(words: &[&Text<'static>], start: usize, n: usize) -> Option<usize> {
    let plain = |word: &&Text<'static>| !word.s.starts_with('-') || is_random(word.s.trim_start_matches('-'));
    let rest = words.get(start..)?.iter().enumerate();
    rest.filter(|(_, word)| plain(word)).nth(n - 1).map(|(i, _)| start + i)
}

/// The values of an option: as the next word, or in its own.
fn options(words: &[&Text<'static>], start: usize, name: &str, next: bool, attached: bool) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    let rest = words.get(start..).unwrap_or_default();
    for (i, word) in rest.iter().enumerate() {
        let Some(tail) = word.s.strip_prefix(name) else { continue };
        if tail.is_empty() {
            if next && start + i + 1 < words.len() {
                places.push((start + i + 1, 0));
            }
        } else if tail.starts_with('=') && (name.starts_with("--") || next && !attached) {
            places.push((start + i, name.len() + 1));
        } else if attached && !name.starts_with("--") {
            places.push((start + i, name.len()));
        }
    }
    places
}

/// The same place behind a sign.
fn behind(words: &[&Text<'static>], (word, at): (usize, usize), sign: char) -> Option<(usize, usize)> {
    let value = words.get(word)?.s.get(at..)?;
    let found = value.find(sign)?;
    Some((word, at + found + 1))
}

/// `h=host,u=user,p=PASSWORD`.
fn dsn(words: &[&Text<'static>], start: usize) -> Vec<(usize, usize)> {
    let rest = words.iter().enumerate().skip(start);
    rest.filter_map(|(i, word)| word.s.find(",p=").filter(|_| !word.s.starts_with('-')).map(|at| (i, at + 3))).collect()
}

fn behind_pass(words: &[&Text<'static>], (word, at): (usize, usize)) -> Option<(usize, usize)> {
    words.get(word)?.s.get(at..)?.strip_prefix("pass:").map(|_| (word, at + 5))
}
