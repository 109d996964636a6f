//! Programs that read a secret from their standard input: what `echo` or a
//! here-string hands them.

use super::names::{Says, judge};
use super::shape::{self, Shape};
use super::shell::{Command, Script};
use super::text::Text;
use super::values::{Trust, is_motley, is_random, plausible};
use crate::words::base_name;
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a program makes of its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// The whole of it is a secret.
    Secret(&'static str),
    /// Lines `user:password`.
    UserColon,
}

/// A program and words that must stand in its command.
const READERS: &[(&[&str], &[&str], Reads)] = &[
    (&["sudo"], &["-S"], Reads::Secret("password")),
    (&["sudo"], &["-kS"], Reads::Secret("password")),
    (&["sudo"], &["-Sk"], Reads::Secret("password")),
    (
        &["su", "doas", "kinit", "smbpasswd", "passwd", "ldappasswd", "vncpasswd", "pwconv"],
        &[],
        Reads::Secret("password"),
    ),
    (
        &["gocryptfs", "encfs", "keepassxc-cli", "kpcli", "veracrypt", "securefs", "cryfs"],
        &[],
        Reads::Secret("passphrase"),
    ),
    (&["chpasswd", "newusers"], &[], Reads::UserColon),
    (&["cryptsetup"], &[], Reads::Secret("passphrase")),
    (&["gh", "glab"], &["auth", "login"], Reads::Secret("token")),
    (&["gh"], &["secret", "set"], Reads::Secret("secret")),
    (&["wrangler"], &["secret", "put"], Reads::Secret("secret")),
    (&["vercel"], &["env", "add"], Reads::Secret("secret")),
    (&["vault", "bao"], &["login"], Reads::Secret("vault_token")),
    (&["gpg", "gpg2"], &["--passphrase-fd"], Reads::Secret("passphrase")),
    (&["openssl"], &["stdin"], Reads::Secret("passphrase")),
    (&["openssl"], &["pass:stdin"], Reads::Secret("passphrase")),
    (&["wg"], &["pubkey"], Reads::Secret("private_key")),
    (&["wg"], &["private-key"], Reads::Secret("private_key")),
    (&["wg"], &["preshared-key"], Reads::Secret("private_key")),
    (&["htpasswd"], &["-i"], Reads::Secret("password")),
    (&["npm", "cargo"], &["login"], Reads::Secret("token")),
    (&["docker", "podman"], &["secret", "create"], Reads::Secret("secret")),
    (&["gcloud"], &["secrets"], Reads::Secret("secret")),
    (&["pass"], &["insert"], Reads::Secret("password")),
    (&["rclone"], &["obscure", "-"], Reads::Secret("password")),
    (&["oathtool"], &["-"], Reads::Secret("totp_secret")),
    (&["systemd-creds"], &["encrypt"], Reads::Secret("secret")),
    (&["ansible-vault"], &["encrypt_string"], Reads::Secret("secret")),
    (&["kadmin", "kadmin.local", "ecryptfs-add-passphrase", "systemd-ask-password"], &[], Reads::Secret("password")),
    (&["borg", "restic", "age", "sops"], &["--password-command"], Reads::Secret("password")),
];

/// Words that must stand in a command, and what it reads then.
type Reader = (&'static [&'static str], Reads);

/// By program, in the order of the table.
static BY_PROGRAM: LazyLock<HashMap<&'static str, Vec<Reader>>> = LazyLock::new(|| {
    let mut map: HashMap<&'static str, Vec<Reader>> = HashMap::new();
    for (programs, with, reads) in READERS {
        programs.iter().for_each(|program| map.entry(program).or_default().push((with, *reads)));
    }
    map
});

/// What the command makes of its standard input.
pub(super) fn reads(command: &Command) -> Option<Reads> {
    let words: Vec<&str> = command.words.iter().map(|w| &*w.text.s).collect();
    let from_stdin =
        |w: &&str| w.starts_with("--") && w.ends_with("-stdin") || **w == *"--with-token" || **w == *"--stdin";
    if words.iter().any(from_stdin)
        && words.iter().any(|w| w.contains("pass") || w.contains("token") || *w == "--stdin")
    {
        return Some(Reads::Secret("password"));
    }
    // `read -rs PASSWORD <<< VALUE`, `vault kv put a value=-`.
    if let Some((first, rest)) = words.split_first()
        && (*first == "read" && rest.iter().any(|word| matches!(judge(word), Some(Says::Secret(_))))
            || matches!(base_name(first), "vault" | "bao" | "consul") && rest.iter().any(|word| word.ends_with("=-")))
    {
        return Some(Reads::Secret("secret"));
    }
    for (at, word) in words.iter().enumerate() {
        let name = base_name(word);
        let rest = words.get(at + 1..words.len().min(at + 1 + super::grammar::NEAR)).unwrap_or_default();
        let Some(readers) = BY_PROGRAM.get(name) else { continue };
        if let Some((_, reads)) = readers.iter().find(|(with, _)| with.iter().all(|w| rest.contains(w))) {
            return Some(*reads);
        }
    }
    // Whatever is called after passwords and is in no table: `elasticsearch-reset-password`.
    let first = words.first().map(|word| base_name(word));
    first.filter(|name| name.contains("passw") && name.len() > 8).map(|_| Reads::Secret("password"))
}

/// Calls `found` with each text that goes to the command's standard input.
pub(super) fn of<'s>(script: &'s Script<'_>, command: &'s Command, mut found: impl FnMut(&'s Text<'static>)) {
    command.input.iter().for_each(&mut found);
    if let Some(source) = command.reads.and_then(|i| script.commands.get(i)) {
        said(source).for_each(&mut found);
        source.input.iter().for_each(&mut found);
    }
}

/// What `echo` or `printf` says, word by word.
pub(super) fn said(command: &Command) -> impl Iterator<Item = &Text<'static>> {
    let speaks = command.words.iter().position(|w| matches!(&*w.text.s, "echo" | "printf" | "print"));
    let from = speaks.map_or(command.words.len(), |at| at + 1);
    let format = |s: &str| s.contains('%') && s.len() <= 8 || s.starts_with('-') && s.len() <= 3;
    command.words.iter().skip(from).map(|w| &w.text).filter(move |text| !format(&text.s))
}

/// Where secrets stand in what such a program reads: start and end of each. A
/// password that is asked for again is said twice.
pub(super) fn secrets(text: &str, reads: Reads) -> Vec<(usize, usize)> {
    let start = text.len() - text.trim_start().len();
    let mut end = text.trim_end().len();
    while let Some(cut) = text.get(..end).and_then(|t| t.strip_suffix("\\n")) {
        end = cut.len();
    }
    let start = match reads {
        // The id of the key stands before it.
        Reads::Secret(_) if text.trim_start().starts_with("AKIA") => text.find(':').map_or(start, |colon| colon + 1),
        Reads::Secret(_) => start,
        Reads::UserColon => match text.find(':') {
            Some(colon) => colon + 1,
            // `printf 'user:%s' VALUE`
            None if shape::of(text.trim()).is_some() => start,
            None => return Vec::new(),
        },
    };
    let Some(value) = text.get(start..end) else { return Vec::new() };
    // Several lines: a document, not one secret.
    let fits =
        |value: &str| !value.contains('\n') && plausible(value, Trust::Grammar) && !super::values::is_path(value);
    match value.split_once("\\n").or_else(|| value.split_once('\n')) {
        Some((first, again))
            if (first == again || shape::of(first).is_some() && shape::of(again).is_some())
                && fits(first)
                && fits(again) =>
        {
            vec![(start, start + first.len()), (end - again.len(), end)]
        }
        // A user's name on a line before it.
        Some((first, again)) if !is_motley(first) && is_motley(again) && !first.contains(' ') && fits(again) => {
            vec![(end - again.len(), end)]
        }
        Some(_) | None => fits(value).then_some((start, end)).into_iter().collect(),
    }
}

/// Programs that look at what they read and keep nothing of it.
const FILTERS: &[&str] = &[
    "cat",
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "wc",
    "tr",
    "sed",
    "awk",
    "gawk",
    "cut",
    "sort",
    "uniq",
    "head",
    "tail",
    "base64",
    "base32",
    "xxd",
    "od",
    "hexdump",
    "jq",
    "yq",
    "bc",
    "dc",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "md5sum",
    "b2sum",
    "cksum",
    "shasum",
    "read",
    "mapfile",
    "readarray",
    "while",
    "column",
    "fold",
    "rev",
    "tee",
    "xargs",
    "less",
    "more",
    "gzip",
    "gunzip",
    "zcat",
    "tar",
    "diff",
    "cmp",
    "comm",
    "join",
    "paste",
    "nl",
    "fmt",
    "iconv",
    "numfmt",
    "date",
    "file",
    "python",
    "python3",
    "perl",
    "node",
    "ruby",
    "php",
    "psql",
    "mysql",
    "sqlite3",
    "bash",
    "sh",
    "ssh",
    "curl",
    "nc",
    "openssl",
    "git",
    "qrencode",
    "pbcopy",
    "xclip",
    "wl-copy",
];

/// Words of a command that is given something secret.
const GIVEN: &[&str] = &[
    "login",
    "auth",
    "token",
    "secret",
    "secrets",
    "unlock",
    "authenticate",
    "password",
    "passphrase",
    "credential",
    "credentials",
    "open",
    "context",
    "apikey",
    "api-key",
    "activate",
    "register",
    "unseal",
    "passwd",
    "set-password",
    "signin",
    "join",
];

/// Whether a program that is in no table may read a secret: it is no filter,
/// and its words say so, or it is given a here-string.
pub(super) fn may_read(command: &Command) -> bool {
    let Some(first) = command.words.first() else { return false };
    let name = base_name(&first.text.s);
    let given = |word: &super::shell::Word| GIVEN.contains(&word.text.s.trim_start_matches('-'));
    !FILTERS.contains(&name) && command.words.iter().skip(1).any(given)
}

/// Whether a program that is in no table reads it: no filter, and not one that looks at texts.
pub(super) fn reads_something(command: &Command) -> bool {
    let name = command.words.first().map(|word| base_name(&word.text.s));
    name.is_some_and(|name| !FILTERS.contains(&name) && !super::general::shows_name(name))
}

/// Whether a text is one token that only a generator makes.
pub(super) fn is_generated(text: &str) -> bool {
    shape::of(text.trim()) == Some(Shape::Generated)
}

/// Whether a command encodes what it reads, as for a header of HTTP.
pub(super) fn encodes(command: &Command) -> bool {
    let words = command.words.iter().take(4).map(|word| base_name(&word.text.s));
    words.into_iter().any(|name| matches!(name, "base64" | "basenc" | "enc" | "b64encode"))
}

/// `user:PASSWORD` and nothing else.
pub(super) fn user_and_password(text: &str) -> Option<(usize, usize)> {
    let text = text.trim_end().trim_end_matches("\\n");
    let (user, password) = text.split_once(':')?;
    let name = !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b));
    (name && shape::of(password).is_some() && plausible(password, Trust::Name)).then_some((user.len() + 1, text.len()))
}

/// Whether a text looks like a secret with nothing beside it.
pub(super) fn looks_secret(text: &str) -> bool {
    let value = text.trim();
    (shape::of(value) >= Some(Shape::Motley) || is_motley(value) || is_random(value))
        && !value.contains(char::is_whitespace)
        && !shape::is_encoded_prose(value)
}

/// Whether a command writes a file of passwords, by that file's name.
pub(super) fn writes_passwords(command: &Command) -> bool {
    let ends = [
        "sasl_passwd",
        "chap-secrets",
        "pap-secrets",
        "pgpass",
        "/dovecot/users",
        "passwd.client",
        "pureftpd.passwd",
        "ipsec.secrets",
        "auth.txt",
        "auth-user-pass",
        "login.conf",
        "creds.txt",
        "credentials.txt",
    ];
    let named = |name: &str| ends.iter().any(|end| name.ends_with(end));
    command.targets.iter().any(|target| named(&target.s))
        || command.words.iter().skip(1).any(|word| named(&word.text.s))
}

/// What follows the last colon, or the last blank, of each line.
pub(super) fn last_fields(text: &str) -> Vec<(usize, usize)> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split('\n').take(256) {
        // The addresses behind it in files of PPP, and the quotes around it.
        let bare = line.trim_end().trim_end_matches(" *").trim_end();
        let quoted = bare.strip_suffix(['"', '\'']).unwrap_or(bare);
        let end = at + quoted.len();
        let cut = quoted.rfind([':', ' ', '\t', '"', '\'']).map(|n| at + n + 1);
        // A user's name has a line of its own in some.
        let cut = cut.or_else(|| shape::is_generated(quoted).then_some(at));
        at += line.len() + 1;
        let value = cut.and_then(|start| Some((start, text.get(start..end)?)));
        let secret = |value: &str| value.len() >= 4 && plausible(value, Trust::Name);
        found.extend(value.filter(|(_, value)| !line.starts_with('#') && secret(value)).map(|(start, _)| (start, end)));
    }
    found
}
