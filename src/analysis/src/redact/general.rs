//! Secrets of programs that are in no table: what stands before a word and how
//! the word looks have to say the same. Names of options are read elsewhere.

use super::grammar::Value;
use super::names::{Says, Words, judge, words_of};
use super::shape::{self, Shape};
use super::text::{Text, UNKNOWN};
use super::values::{Trust, is_random, plausible};
use crate::words::base_name;
use std::sync::LazyLock;

/// How far back words are asked, from a value.
const BACK: usize = 8;

/// Calls `found` for each such value.
pub(super) fn scan(words: &[&Text<'static>], mut found: impl FnMut(Value)) {
    if words.len() < 2 || shows_text(words) {
        return;
    }
    for (i, word) in words.iter().enumerate().skip(1) {
        let at = |n: usize| i.checked_sub(n).and_then(|at| words.get(at)).map(|word| &*word.s);
        let Some(before) = at(1) else { continue };
        let value: &str = &word.s;
        if value.len() < 4 || value.len() > 4096 {
            continue;
        }
        let mut whole = |kind: &'static str| found(Value { word: i, start: 0, end: value.len(), kind });
        let shape = shape::of(value);
        let context = Context { words, i };
        if let Some((start, end, kind)) =
            paired(before, value).or_else(|| header(before, value)).or_else(|| keyed(before, value))
        {
            found(Value { word: i, start, end, kind });
        } else if let Some(kind) = assigned(before, at(2), value, i).or_else(|| context.given(before, value)) {
            whole(kind);
        } else if let Some((start, kind)) = context.given_attached(value) {
            found(Value { word: i, start, end: value.len(), kind });
        } else if shape.is_some_and(|shape| context.flagged(before, shape)) {
            whole("password");
        } else if let Some(kind) = context.named_by_noun(value, shape) {
            whole(kind);
        } else if shape.is_some_and(|shape| context.last_of_login(value, shape)) {
            whole("secret");
        } else if let Some(start) = context.attached(value) {
            found(Value { word: i, start, end: value.len(), kind: "password" });
        }
    }
}

/// Programs whose words are texts, patterns and files.
static TEXTS: Words = LazyLock::new(|| {
    words_of(
        "echo printf grep egrep fgrep rg ack ag git find fd ls cat head tail less more vi vim nano sed awk gawk man \
     which type test [ [[ cp mv rm mkdir rmdir touch tar chmod chown ln stat file diff cmp sort uniq cut tr wc \
     kill ps top journalctl cargo pytest go make cmake jest logger wall notify-send install minisign signify gpg \
     gpg2 apt-key age for case cd source xxd strings patch rsync sha256sum sha1sum md5sum sha512sum",
    )
});

/// Whether the program, behind others that run it, is such a one.
fn shows_text(words: &[&Text<'static>]) -> bool {
    const BEFORE: &[&str] = &[
        "sudo", "env", "nohup", "time", "exec", "command", "nice", "doas", "timeout", "xargs", "if", "then", "do", "!",
    ];
    let first = words.iter().take(6).map(|word| &*word.s).filter(|word| !word.contains('='));
    let program = first.map(base_name).find(|word| !BEFORE.contains(word) && !word.starts_with('-'));
    program.is_some_and(|program| TEXTS.contains(program))
}

/// Whether a program is one of these.
pub(super) fn shows_name(program: &str) -> bool {
    TEXTS.contains(program)
}

/// `password = VALUE` and `password= VALUE`, each a word of its own.
fn assigned(before: &str, name: Option<&str>, value: &str, i: usize) -> Option<&'static str> {
    // An option follows an empty value.
    if value.starts_with("--") {
        return None;
    }
    let name = match before {
        "=" | ":=" | "+=" => name?,
        // At the beginning it is an assignment of nothing, and a command follows.
        // `-e PASSWORD= IMAGE` sets it to nothing, too.
        _ if i > 2 && !name.is_some_and(|option| option.starts_with('-')) => before.strip_suffix('=')?,
        _ => return None,
    };
    let name = name.strip_prefix('$').unwrap_or(name);
    let name = name.rsplit(':').next().unwrap_or(name);
    match judge(name)? {
        Says::Secret(kind) => plausible(value, Trust::Name).then_some(kind),
        Says::Perhaps(kind) => plausible(value, Trust::Random).then_some(kind),
        Says::Pin(_) | Says::Header | Says::Cookie => None,
    }
}

/// Words that ask for something that is there, and put nothing in.
static GETS: Words = LazyLock::new(|| {
    words_of(
        "get show list ls describe delete del rm remove lookup read view cat revoke generate gen search find edit \
     inspect help enable disable status info getent logs rollout pull checkout verify download fetch export",
    )
});

/// Words of a command that says who one is, in part or whole.
static LOGINS: Words = LazyLock::new(|| {
    words_of(
        "login logon signin auth authenticate authorize attach unlock adduser useradd enroll register activate join \
     unseal open encrypt_string",
    )
});

/// Words between a noun and its value, as network devices have them.
static BETWEEN: Words = LazyLock::new(|| {
    words_of(
        "0 1 2 5 6 7 8 9 md5 sha sha1 sha256 ascii-text hexadecimal encrypted plain plaintext clear cleartext \
     clear-text is to hmac-sha-256 -v --value string",
    )
});

/// Options that hand over the content of something that was named before.
static CONTENTS: Words = LazyLock::new(|| {
    words_of(
        "--value --body --data --plaintext --text --literal --string --content --payload -v -b -value -data \
     --secret-value --new-value --string-value --secret-data",
    )
});

/// Options of one letter, or few, that many programs have for a password.
fn is_password_flag(option: &str) -> bool {
    matches!(
        option,
        "-p" | "-P" | "-w" | "-W" | "-pw" | "-PW" | "-ap" | "-xp" | "-rp" | "-pp" | "/p" | "/P" | "/rp" | "/RP" | "/pw"
    )
}

/// Options of one letter that name files, texts and places everywhere.
const OTHER_FLAGS: &[u8] = b"oOfFmMnNiIlLCdDeErRqQvVgGj";

struct Context<'w> {
    words: &'w [&'w Text<'static>],
    i: usize,
}

impl<'w> Context<'w> {
    /// The words before the value, the nearest first.
    fn back(&self) -> impl Iterator<Item = (usize, &'w str)> + use<'w> {
        let from = self.i.saturating_sub(BACK);
        let words = self.words.get(from..self.i).unwrap_or_default();
        words.iter().enumerate().rev().map(move |(n, word)| (from + n, &*word.s))
    }

    /// Whether it asks for something that is there.
    fn gets(&self) -> bool {
        self.back().any(|(_, word)| GETS.contains(word))
    }

    /// Whether a user is named, or a verb of logging in.
    fn logs_in(&self) -> bool {
        let user = |word: &str| {
            matches!(word, "-u" | "-U" | "-l" | "-user" | "-username" | "-login" | "/u" | "/user")
                || word.starts_with("--user")
                || word.starts_with("--login")
                || word.starts_with("-u") && word.len() > 2 && !word.starts_with("-un")
        };
        self.back().any(|(_, word)| user(word) || LOGINS.contains(word))
    }

    /// `-p VALUE`.
    fn flagged(&self, before: &str, shape: Shape) -> bool {
        if is_password_flag(before) {
            return shape >= Shape::Motley
                || self.logs_in() && !self.back().any(|(_, word)| matches!(word, "run" | "exec"));
        }
        let letter = match before.as_bytes() {
            [b'-', letter] if letter.is_ascii_alphabetic() => *letter,
            _ => return false,
        };
        if matches!(letter, b't' | b'k' | b's' | b'v') && shape >= Shape::Motley {
            let said = self.back().filter(|(at, word)| *at > 0 && !word.starts_with('-'));
            if said.filter_map(|(_, word)| noun(word)).next().is_some() {
                return !self.gets();
            }
        }
        // Keys that are public and ids have letters of one size.
        let value = self.words.get(self.i).map(|word| &*word.s).unwrap_or_default();
        let both = value.bytes().any(|b| b.is_ascii_lowercase()) && value.bytes().any(|b| b.is_ascii_uppercase());
        shape == Shape::Generated && both && value.len() >= 12 && !OTHER_FLAGS.contains(&letter)
    }

    /// `-pVALUE` of a program that is told a user's name.
    fn attached(&self, word: &str) -> Option<usize> {
        let value = ["-p", "-P", "-w", "-W"].iter().find_map(|flag| word.strip_prefix(flag))?;
        let shape = shape::of(value)?;
        (shape >= Shape::Motley && !value.contains('=') && self.logs_in()).then_some(2)
    }

    /// `secret put NAME --value VALUE`.
    fn given(&self, before: &str, value: &str) -> Option<&'static str> {
        if !CONTENTS.contains(before)
            || value.starts_with(['{', '[', '-', '@', '$', '<', '%'])
            || value.contains(['\n', '='])
        {
            return None;
        }
        let says = self.back().filter(|(at, word)| *at > 0 && !word.starts_with('-')).find_map(|(_, word)| noun(word));
        let short = !(before.len() == 2 && shape::of(value).is_none_or(|shape| shape < Shape::Motley));
        says.filter(|_| short && plausible(value, Trust::Name) && !self.gets())
    }

    /// `config:set dbpassword --value=VALUE`.
    fn given_attached(&self, word: &str) -> Option<(usize, &'static str)> {
        let (option, value) = word.split_once('=').filter(|(option, _)| option.starts_with("--"))?;
        Some((option.len() + 1, self.given(option, value)?))
    }

    /// `set-password USER VALUE`, `db.password VALUE`, `secret 7 VALUE`.
    fn named_by_noun(&self, value: &str, shape: Option<Shape>) -> Option<&'static str> {
        let digits = (4..=12).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
        let mixed = shape.is_some() || value.bytes().skip(1).any(|b| b.is_ascii_uppercase());
        if !mixed && !digits && !is_random(value)
            || value.contains([UNKNOWN, ' ', '@', '"', '\'']) && shape < Some(Shape::Motley)
        {
            return None;
        }
        let mut near = self.back().skip_while(|(_, word)| BETWEEN.contains(word));
        let (at, word) = near.next()?;
        // The program itself is no noun: `pass show x`.
        if at == 0 || value.starts_with('-') || word.starts_with(['-', '/']) || word.contains(['=', ' ', '{', '(']) {
            return None;
        }
        let mut user_between = || {
            let (at, verb) = near.next().filter(|(at, _)| *at > 0)?;
            (at + 2 == self.i && is_deed(verb)).then_some(verb)
        };
        let (name, deed) = match judge(word) {
            Some(_) => (word, is_deed(word)),
            None if DEVICE_NOUNS.contains(&word) => (word, false),
            None => (user_between()?, true),
        };
        if self.gets() {
            return None;
        }
        match judge(name) {
            Some(Says::Pin(kind)) => (digits || shape == Some(Shape::Generated)).then_some(kind),
            Some(Says::Secret(kind @ ("password" | "passphrase"))) => plausible(value, Trust::Prose).then_some(kind),
            Some(Says::Secret(kind)) if deed => shape.map(|_| kind),
            Some(Says::Secret(kind)) => {
                (shape >= Some(Shape::Motley) || is_random(value) && !super::values::is_uuid(value)).then_some(kind)
            }
            Some(Says::Perhaps(kind)) => {
                (shape >= Some(Shape::Motley) && plausible(value, Trust::Name)).then_some(kind)
            }
            Some(Says::Header | Says::Cookie) => None,
            None => shape.map(|_| "secret"),
        }
    }

    /// `login USER VALUE`, `user_create NAME HOST VALUE`, `put NAME VALUE`: the last word, where nothing else could look so.
    fn last_of_login(&self, value: &str, shape: Shape) -> bool {
        let last = self.i + 1 == self.words.len() && !value.starts_with('-');
        let before = self.back().next().map(|(_, word)| word).unwrap_or_default();
        if !last || shape < Shape::Motley || before.starts_with('-') && !before.contains('=') || self.gets() {
            return false;
        }
        let strong = shape == Shape::Generated;
        let option = |at: usize| {
            at.checked_sub(1)
                .and_then(|at| self.words.get(at))
                .is_some_and(|word| word.s.starts_with("--") && !word.s.contains('='))
        };
        let operands = self.back().filter(|(at, word)| *at > 0 && !word.starts_with('-') && !option(*at));
        for (count, (_, word)) in operands.take(5).enumerate() {
            let login = LOGINS.contains(word) || word.split(['-', '_', '.', ':']).any(|part| LOGINS.contains(part));
            if login || is_deed(word) {
                return count < 4 && (strong || count > 0);
            }
            if matches!(word, "put" | "set" | "write" | "create") && count == 1 {
                return strong && value.len() >= 12;
            }
        }
        false
    }
}

/// What devices call their secrets, where other programs mean something else.
const DEVICE_NOUNS: &[&str] =
    &["community", "key-string", "presharedkey", "pre-shared-secret", "md5-key", "wpa-psk", "set-license"];

/// What a word says of a secret, if it is a noun of one.
fn noun(word: &str) -> Option<&'static str> {
    let word = base_name(word);
    match word {
        "secret" | "secrets" | "vault" | "keyvault" | "secretsmanager" => return Some("secret"),
        _ => {}
    }
    if word.contains(['=', ' ']) {
        return None;
    }
    match word.split([':', '.']).find_map(judge)? {
        Says::Secret(kind) => Some(kind),
        Says::Perhaps(_) | Says::Pin(_) | Says::Header | Says::Cookie => None,
    }
}

/// `set-password`, `change_password`, `user:password`, `user_create`: a word that does something to a secret or a user.
fn is_deed(word: &str) -> bool {
    const VERBS: &[&str] = &[
        "set",
        "setpassword",
        "change",
        "reset",
        "update",
        "passwd",
        "hash",
        "encode",
        "create",
        "add",
        "mod",
        "modify",
        "encrypt",
        "obscure",
    ];
    const WHAT: &[&str] = &["password", "passwd", "pass", "pin", "passphrase", "user", "secret", "setpassword", "pw"];
    if word.len() > 40 || word.starts_with('-') || !word.contains(['-', '_', '.', ':']) {
        return false;
    }
    let parts = || word.split(['-', '_', '.', ':']);
    parts().any(|part| VERBS.contains(&part)) && parts().any(|part| WHAT.contains(&part))
        || parts().any(|part| part == "user") && parts().any(|part| part == "password")
}

/// Options whose value is `USER:VALUE`, in many programs.
fn is_login_option(option: &str) -> bool {
    const NAMES: &[&str] = &[
        "auth",
        "user",
        "userpass",
        "credential",
        "credentials",
        "creds",
        "basic-auth",
        "basicauth",
        "login",
        "http-auth",
        "proxy-user",
        "proxy-auth",
        "rpc-auth",
        "account",
        "userpwd",
        "http-user",
        "authentication",
        "basic",
    ];
    matches!(option, "-a" | "-u" | "-U" | "-c" | "-A" | "-l")
        || option.starts_with('-') && NAMES.contains(&option.trim_start_matches('-').to_ascii_lowercase().as_str())
}

/// `--auth USER:VALUE`, `--auth=USER:VALUE`, `-u USER,VALUE`, `-U USER%VALUE`.
fn paired(before: &str, word: &str) -> Option<(usize, usize, &'static str)> {
    let (from, pair) = match word.split_once('=').filter(|(option, _)| is_login_option(option)) {
        Some((option, pair)) => (option.len() + 1, pair),
        None if is_login_option(before) => (0, word),
        None => return None,
    };
    let sign = pair.find([':', ',', '%'])?;
    let (user, value) = (pair.get(..sign)?, pair.get(sign + 1..)?);
    // `user:VALUE@host`
    let host = value.rsplit_once('@').filter(|(_, host)| {
        host.contains('.') && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
    });
    let value = host.map_or(value, |(value, _)| value);
    let name = !user.is_empty()
        && user.len() <= 64
        && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@\\-+/".contains(&b));
    let shape = shape::of(value).is_some()
        || value.len() >= 6 && value.contains(['!', '#', '^']) && !value.contains([' ', '/']);
    // `-u 1000:1000`, `-u unit:…`, images with their versions.
    (name && shape && plausible(value, Trust::Name)).then_some((
        from + sign + 1,
        from + sign + 1 + value.len(),
        "password",
    ))
}

/// `-y hmac-sha256:name:VALUE`, the key of a signature for DNS.
fn keyed(before: &str, word: &str) -> Option<(usize, usize, &'static str)> {
    let (_, value) = word.rsplit_once(':').filter(|_| before == "-y")?;
    let key = is_random(value) && value.len() >= 20;
    key.then_some((word.len() - value.len(), word.len(), "secret_key"))
}

/// `-H 'X-Anything: VALUE'` whose name says nothing; ids, digests and conditions have names that do.
fn header(before: &str, word: &str) -> Option<(usize, usize, &'static str)> {
    let option = matches!(before, "-H" | "--header" | "--headers" | "-header");
    let (name, rest) = word.split_once(':').filter(|_| option)?;
    let value = rest.trim_start();
    let fits = name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && judge(name).is_none();
    let lower = name.to_ascii_lowercase();
    let about = [
        "id",
        "tag",
        "match",
        "hash",
        "digest",
        "md5",
        "sha",
        "checksum",
        "trace",
        "parent",
        "span",
        "agent",
        "host",
        "accept",
        "content",
        "cache",
        "date",
        "range",
        "origin",
        "referer",
        "sec-",
        "idempotency",
        "nonce",
        "version",
        "encoding",
        "language",
        "revision",
        "commit",
        "correlation",
        "public",
    ];
    let secret = fits && shape::is_generated(value) && !about.iter().any(|part| lower.contains(part));
    secret.then_some((word.len() - value.len(), word.len(), "token"))
}
