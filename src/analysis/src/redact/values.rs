//! Values: what is a placeholder, a path, a reference or an ordinary word, and
//! what looks made by a random generator.

use super::names::{Words, words_of};
use super::text::UNKNOWN;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, StartKind};
use std::sync::LazyLock;

/// How much a value must look like a secret, given what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// The grammar of a program: anything but a placeholder.
    Grammar,
    /// The name of a variable, option or field.
    Name,
    /// A name in running text.
    Prose,
    /// A word that says it in some files: what looks like a password.
    Shape,
    /// A name that says little.
    Random,
}

/// Shortest value taken on a name's word.
const SHORTEST: usize = 4;
/// Shortest value taken because it looks random.
const SHORTEST_RANDOM: usize = 16;

/// Words that stand where a secret would.
fn is_stand_in(word: &str) -> bool {
    static WORDS: Words = LazyLock::new(|| {
        words_of(
            "true false yes no none null nil undefined on off auto default required optional enabled disabled prompt stdin \
     env ask never always string str text number boolean bool int password passwd passphrase pass pwd secret token \
     key apikey api_key api-key changeme change_me change-me changeit todo tbd fixme xxx redacted hidden masked \
     empty value unset missing invalid expired foo bar baz foobar mypassword mysecret mytoken yourpassword \
     your_password dummy sample example placeholder and or is the was has file basic bearer digest negotiate ntlm \
     oauth oauth2 jwt sha-512 sha-256 sha512 sha256 yescrypt bcrypt any all simple plain scram-sha-256 md5 trust peer ident authentication failed for from with \
     not name id",
        )
    });
    WORDS.contains(word)
}

/// What a placeholder has in it.
const MARKS: &[&str] = &[
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "your_",
    "your-",
    "redacted",
    "replace_me",
    "replaceme",
    "replace-me",
    "insert_",
    "insert-",
    "xxxx",
    "****",
    "••••",
    "...",
    "<your",
    "todo_",
    "dummy",
    "notreal",
    "not-real",
];

/// References to where a secret is kept.
const REFERENCES: &[&str] = &[
    "env:",
    "file:",
    "fd:",
    "fd0",
    "vault:",
    "op://",
    "ref+",
    "arn:",
    "ssm:",
    "ssm://",
    "keychain:",
    "secretsmanager:",
    "gcp-sm:",
    "gcpkms://",
    "awskms://",
    "azurekms://",
    "hashivault://",
    "pkcs11:",
    "http://",
    "https://",
    "file://",
    // Keys that are made to be seen in every browser.
    "pk_test_",
    "pk_live_",
    "sb_publishable_",
    "process.env",
    "os.environ",
    "os.getenv",
    "getenv",
    "env.",
    "env[",
    "var.",
    "local.",
    "data.",
    "secrets.",
    "secret/",
    "module.",
    "projects/",
    "ssh-rsa",
    "ssh-ed25519",
    "ecdsa-sha2",
    "sha256:",
    "sha512:",
    "sha1:",
    "sha256-",
    "sha384-",
    "sha512-",
    "sha256//",
    "md5:",
    "@/",
    "@./",
    "@~",
    "@-",
    "urn:",
    "uuid:",
    "config.",
    "self.",
    "this.",
    "settings.",
    "args.",
    "params.",
    "request.",
    "req.",
    "ctx.",
    "input.",
    "github.",
    "inputs.",
    "steps.",
    "values.",
];

/// Whether a value is a secret, as far as its looks can say.
pub(super) fn plausible(value: &str, trust: Trust) -> bool {
    if value.is_empty() {
        return false;
    }
    // Not in the line, but something runs or is looked up to make it.
    if value.chars().all(|c| c == UNKNOWN) {
        return trust <= Trust::Name;
    }
    if is_placeholder(value) {
        return false;
    }
    if trust == Trust::Grammar {
        return !matches!(value, "-" | "--");
    }
    if value.len() < SHORTEST || is_reference(value) || is_path(value) {
        return false;
    }
    match trust {
        Trust::Grammar => true,
        Trust::Name => !is_number(value) || value.len() >= 6,
        Trust::Prose => value.len() >= 6 && is_mixed(value) && !is_identifier_chain(value),
        Trust::Shape => super::shape::of(value) >= Some(super::shape::Shape::Motley),
        Trust::Random => {
            (is_random(value) || value.len() >= 10 && super::shape::is_generated(value)) && !is_uuid(value)
        }
    }
}

/// Whether a value only stands for a secret.
pub(super) fn is_placeholder(value: &str) -> bool {
    let trimmed = value.trim();
    let mut chars = trimmed.chars().filter(|c| *c != UNKNOWN);
    let Some(first) = chars.next() else { return true };
    if chars.all(|c| c == first) || trimmed.chars().all(|c| !c.is_alphanumeric()) {
        return true;
    }
    // What `printf` puts there.
    if matches!(trimmed.trim_end_matches("\\n"), "%s" | "%d" | "%q" | "%b" | "%v") {
        return true;
    }
    let last = trimmed.chars().last().unwrap_or(first);
    if matches!((first, last), ('{', '}')) && !trimmed.contains(',') {
        return true;
    }
    if matches!((first, last), ('<', '>') | ('%', '%') | ('[', ']')) || trimmed.starts_with("{{") {
        return true;
    }
    if trimmed.starts_with("${{") || is_template(trimmed) {
        return true;
    }
    if trimmed.starts_with("$") && trimmed.chars().skip(1).all(|c| c.is_ascii_alphanumeric() || "_{}".contains(c)) {
        return true;
    }
    let lower = trimmed.to_ascii_lowercase();
    if is_stand_in(&lower) || is_marked(&lower) {
        return true;
    }
    is_name_of_secret(trimmed)
}

fn is_marked(lower: &str) -> bool {
    static ALL: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(MARKS).ok());
    ALL.as_ref().is_some_and(|all| all.is_match(lower))
}

/// `@@NAME@@`, `__NAME__`, `@NAME@`, `#{NAME}#`: a name between marks that a template has.
fn is_template(value: &str) -> bool {
    const DOUBLE: [(&str, &str); 5] = [("@@", "@@"), ("__", "__"), ("##", "##"), ("~~", "~~"), ("#{", "}#")];
    const SINGLE: [(&str, &str); 3] = [("@", "@"), ("$", "$"), ("#", "#")];
    let inside = |marks: &[(&str, &str)]| -> Option<&str> {
        marks
            .iter()
            .find_map(|(open, close)| value.strip_prefix(open)?.strip_suffix(close))
            .filter(|name| name.len() > 1)
    };
    let one_case = |name: &str| {
        name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
            || name.bytes().all(|b| b.is_ascii_lowercase() || b"_.-".contains(&b))
    };
    inside(&DOUBLE).is_some_and(one_case)
        || inside(&SINGLE).is_some_and(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

/// `DB_PASSWORD`, `MY_API_KEY`: a name where a value would stand.
fn is_name_of_secret(value: &str) -> bool {
    let shouted = value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let words = ["PASS", "SECRET", "TOKEN", "KEY", "PWD", "CRED"];
    shouted && words.iter().any(|word| value.contains(word))
}

/// Whether a value says where something is.
pub(super) fn is_reference(value: &str) -> bool {
    static STARTS: Starts = LazyLock::new(|| starts(REFERENCES));
    // `NAME:latest`: a version of a secret in a store.
    begins(value, &STARTS) || value.ends_with(":latest")
}

/// Beginnings of words, whatever the size of their letters, all compared in one pass.
pub(super) type Starts = LazyLock<Option<AhoCorasick>>;

/// These beginnings.
pub(super) fn starts(words: &[&str]) -> Option<AhoCorasick> {
    let mut builder = AhoCorasick::builder();
    builder.kind(Some(AhoCorasickKind::DFA)).start_kind(StartKind::Anchored).ascii_case_insensitive(true);
    builder.build(words).ok()
}

/// Whether a word begins with one of them.
pub(super) fn begins(word: &str, starts: &Starts) -> bool {
    let at_start = Input::new(word).anchored(Anchored::Yes);
    starts.as_ref().is_some_and(|starts| starts.is_match(at_start))
}

/// Whether a value is a file's path.
pub(super) fn is_path(value: &str) -> bool {
    if value.starts_with("./") || value.starts_with("../") || value.starts_with("~/") {
        return true;
    }
    // No part of a path that anybody gives beside a name.
    if !value.starts_with(['/', '@', '.']) && value.contains(['!', '#', '^', '&', '*', '@', ';', '?', '|']) {
        return false;
    }
    let parts: Vec<&str> = value.split('/').collect();
    let rooted = value.starts_with('/');
    let tail = parts.last().copied().unwrap_or_default();
    let extension = tail.rsplit_once('.').map_or("", |(_, end)| end);
    let is_extension = (2..=5).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_lowercase());
    let wordy = parts.iter().filter(|p| !p.is_empty()).all(|part| !is_random_part(part));
    if parts.len() > 1 {
        return wordy && (rooted || is_extension || parts.len() > 1);
    }
    is_extension
        && matches!(
            extension,
            "pem"
                | "key"
                | "crt"
                | "cer"
                | "txt"
                | "json"
                | "yaml"
                | "yml"
                | "pub"
                | "env"
                | "conf"
                | "cfg"
                | "toml"
                | "asc"
                | "gpg"
                | "age"
                | "kdbx"
                | "jks"
                | "pfx"
                | "enc"
                | "ini"
                | "csv"
                | "log"
                | "sh"
                | "py"
                | "js"
        )
}

fn is_random_part(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let upper = part.bytes().filter(u8::is_ascii_uppercase).count();
    let lower = part.bytes().filter(u8::is_ascii_lowercase).count();
    part.len() >= 10 && digits >= 1 && upper >= 2 && lower >= 2 || part.len() >= 20 && digits > 3
}

fn is_number(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
}

/// More than a word: a digit, or letters of both sizes, or signs.
fn is_mixed(value: &str) -> bool {
    let digit = value.bytes().any(|b| b.is_ascii_digit());
    let sign = value.chars().any(|c| !c.is_alphanumeric() && !"-_.:,;/".contains(c));
    let inner_upper = value.bytes().skip(1).any(|b| b.is_ascii_uppercase());
    let lower = value.bytes().any(|b| b.is_ascii_lowercase());
    (digit || sign || (inner_upper && lower) || super::shape::is_strange(value)) && !is_number(value)
}

/// `settings.database.password`, `foo_bar`: code, not a value.
fn is_identifier_chain(value: &str) -> bool {
    let words = value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
    let strange = !value.contains(['_', '.']) && super::shape::is_strange(value);
    words && !strange || value.ends_with("()")
}

/// `db-credentials`, `prod/db`: what secrets are called, not what they are.
pub(super) fn is_title(value: &str) -> bool {
    let parts: Vec<&str> = value.split(['-', '/', '.']).collect();
    parts.len() > 1 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
}

/// Letters of both sizes and digits, as generators of passwords make them.
pub(super) fn is_motley(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|b| is(&b));
    value.len() >= 8 && has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
}

/// A UUID.
pub(super) fn is_uuid(value: &str) -> bool {
    let groups: Vec<&str> = value.split('-').collect();
    groups.len() == 5
        && groups.iter().zip([8, 4, 4, 4, 12]).all(|(g, n)| g.len() == n && g.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a random generator would make it: long, of one token, with digits
/// and letters, and few repetitions.
pub(super) fn is_random(value: &str) -> bool {
    let token = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+/=.~:%".contains(&b));
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    value.len() >= SHORTEST_RANDOM && token && digits >= 2 && letters >= 2 && entropy(value) >= 3.0
}

/// Shannon entropy in bits a byte.
pub(super) fn entropy(value: &str) -> f64 {
    let mut counts = [0u32; 256];
    for b in value.bytes() {
        if let Some(count) = counts.get_mut(usize::from(b)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let part = |n: &u32| {
        let p = f64::from(*n) / total;
        -p * p.log2()
    };
    counts.iter().filter(|n| **n > 0).map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_stands_for_a_secret() {
        for value in [
            "********",
            "YOUR_API_KEY",
            "{{ token }}",
            "%PASSWORD%",
            "...",
            "<token>",
            "DB_PASSWORD",
            "changeme",
            "\0",
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxx",
            "$PASSWORD",
            "${TOKEN}",
            "@@DB_PASSWORD@@",
            "__DB_PASSWORD__",
            "__db_password__",
            "@PASSWORD@",
            "#{token}#",
            "##SECRET##",
            "${{ secrets.TOKEN }}",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in [
            "@hunter2@",
            "__Xq7vTr2kLm__",
            "@hunters@",
            "#Hunter2#",
            "hunter2",
            "n0tAr3alkY6",
            "Tr0ub4dor&pcW",
            "correcthorse9batteGVq",
        ] {
            assert!(plausible(value, Trust::Name), "{value}");
        }
        for value in ["/run/secrets/db", "prod/db-credentials", "env:KEYPASS", "server.pem", "./pw.txt", "true"] {
            assert!(!plausible(value, Trust::Name), "{value}");
        }
        assert!(plausible("+sibP1AIVup2o9V2Z/Rx/Aiw/EHx6azqSWxP3xtK", Trust::Name));
        assert!(!plausible("60ccb24e-5fc9-403d-814b-9c6aee69dee0", Trust::Random));
    }
}
