//! Programs that read a secret from their standard input: what `echo` or a
//! here-string hands them.

use super::shell::{Command, Script};
use super::text::Text;
use super::values::{Trust, plausible};
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
    for (at, word) in words.iter().enumerate() {
        let name = word.rsplit('/').next().unwrap_or(word);
        let rest = words.get(at + 1..words.len().min(at + 1 + super::grammar::NEAR)).unwrap_or_default();
        let Some(readers) = BY_PROGRAM.get(name) else { continue };
        if let Some((_, reads)) = readers.iter().find(|(with, _)| with.iter().all(|w| rest.contains(w))) {
            return Some(*reads);
        }
    }
    None
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

/// Where the secret stands in what such a program reads: start and end.
pub(super) fn secret(text: &str, reads: Reads) -> Option<(usize, usize)> {
    let start = text.len() - text.trim_start().len();
    let mut end = text.trim_end().len();
    while let Some(cut) = text.get(..end).and_then(|t| t.strip_suffix("\\n")) {
        end = cut.len();
    }
    let start = match reads {
        Reads::Secret(_) => start,
        Reads::UserColon => text.find(':')? + 1,
    };
    let value = text.get(start..end)?;
    // Several lines: a document, not one secret.
    (!value.contains('\n') && plausible(value, Trust::Grammar) && !super::values::is_path(value))
        .then_some((start, end))
}
