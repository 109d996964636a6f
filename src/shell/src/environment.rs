//! The environment of a command, built from nothing: a list of what may be
//! kept, never a list of what must go.

use crate::inner::InnerShell;
use crate::settings::Settings;
use crate::start::Start;
use countersign_api::context::{Claim, MAX_CLAIM, MAX_CLAIMS};
use countersign_api::front::MAX_WORD;
use countersign_core::Transfer;
use countersign_sys::Account;
use std::path::Path;

/// Variables whose claimed value is kept, where it is plain text.
const KEPT: [&str; 5] = ["TERM", "LANG", "TZ", "SSH_CONNECTION", "SSH_CLIENT"];
/// Pagers would offer a shell to whoever types at them: a line that shows
/// something shows it, and that is all.
const PAGERS: [(&str, &str); 5] =
    [("PAGER", "cat"), ("GIT_PAGER", "cat"), ("MANPAGER", "cat"), ("SYSTEMD_PAGER", "cat"), ("LESSSECURE", "1")];
/// The agent's own configuration of git can name programs for what a client only
/// reads (`uploadpack.packObjectsHook`); that of a repository cannot.
const NO_GIT_CONFIG: (&str, &str) = ("GIT_CONFIG_GLOBAL", "/dev/null");
/// A wish for a kind of transfer, and no statement.
const WISH: &str = "COUNTERSIGN_SFTP";
/// Longest name of a claim, in bytes.
const MAX_CLAIM_NAME: usize = 64;
/// Most `LC_*` variables that are kept.
const MAX_LOCALES: usize = 16;

/// Builds the environment of a command. `terminal` is the inner terminal.
pub fn build(
    start: &Start,
    settings: &Settings,
    account: &Account,
    terminal: Option<&Path>,
    transfer: Option<Transfer>,
) -> Vec<(String, String)> {
    let mut built = vec![
        ("HOME".to_owned(), account.home.to_string_lossy().into_owned()),
        ("LOGNAME".to_owned(), account.name.clone()),
        ("PATH".to_owned(), settings.path.clone()),
        ("SHELL".to_owned(), shell_path(settings.inner)),
        ("USER".to_owned(), account.name.clone()),
    ];
    built.extend(PAGERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for name in KEPT {
        if let Some(value) = plain(start.claim(name)).filter(|value| is_kept(name, value)) {
            built.push((name.to_owned(), value.to_owned()));
        }
    }
    let claimed = start.claims.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str())));
    let locales = claimed
        .filter(|(name, _)| is_locale(name))
        .filter_map(|(name, value)| Some((name, plain(value).filter(|value| is_kept(name, value))?)));
    built.extend(locales.take(MAX_LOCALES).map(|(name, value)| (name.to_owned(), value.to_owned())));
    if let Some(Transfer::GitFetch | Transfer::GitArchive) = transfer {
        built.push((NO_GIT_CONFIG.0.to_owned(), NO_GIT_CONFIG.1.to_owned()));
    }
    if transfer.is_some_and(Transfer::is_rsync) {
        // The agent's own `~/.popt` can name a program that runs in its place.
        built.retain(|(name, _)| name != "HOME");
    }
    if let Some(path) = terminal {
        built.push(("SSH_TTY".to_owned(), path.to_string_lossy().into_owned()));
    }
    built.sort();
    built.dedup_by(|a, b| a.0 == b.0);
    built
}

/// What the agent states of itself: its `COUNTERSIGN_*` variables, for the
/// record. None of them goes into the environment of a command.
pub fn claims(start: &Start) -> Vec<Claim> {
    let named = start.claims.iter().filter_map(|(name, value)| Some((name.to_str()?, value)));
    let named = named
        .filter(|(name, _)| name.starts_with("COUNTERSIGN_") && name.len() <= MAX_CLAIM_NAME)
        .filter(|(name, _)| *name != WISH);
    let mut left = MAX_CLAIM;
    let claims = named.take(MAX_CLAIMS).map(|(name, value)| {
        let value = value.to_str().filter(|text| text.len() <= left);
        left -= value.map_or(0, str::len);
        Claim { name: name.to_owned(), value: value.map(str::to_owned) }
    });
    claims.collect()
}

/// A claimed value that is short and without control characters.
pub fn plain(value: Option<&str>) -> Option<&str> {
    value.filter(|text| text.len() <= MAX_WORD && !text.chars().any(char::is_control))
}

fn is_locale(name: &str) -> bool {
    name.len() <= 32
        && name.strip_prefix("LC_").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

/// Whether such a variable may have this value. None holds what bash could be brought to run: of `a[$(x)]` it runs `x`
/// where a line says `$((TERM))`.
fn is_kept(name: &str, value: &str) -> bool {
    let only = |more: &[u8]| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte));
    match name {
        "TZ" => is_zone(value),
        "TERM" => only(b"_.@+-"),
        "SSH_CONNECTION" | "SSH_CLIENT" => only(b" .:%_-"),
        _ => reads_utf8(value) && only(b"_.@+-"),
    }
}

/// Whether a shell in this locale reads the letters of a line as whoever
/// decided did: in GBK or Shift JIS a backslash or a `|` may be half a letter.
fn reads_utf8(locale: &str) -> bool {
    let codeset = locale.split('@').next().unwrap_or_default().split_once('.').map_or("", |(_, codeset)| codeset);
    matches!(locale, "" | "C" | "POSIX") || ["UTF-8", "utf8"].iter().any(|known| codeset.eq_ignore_ascii_case(known))
}

/// Whether a time zone is a name or a rule (`Europe/Berlin`, `CET-1CEST`) and no
/// file of anybody's choice (CVE-2014-9680 of sudo).
fn is_zone(value: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-,.<>:".contains(&byte);
    !value.starts_with([':', '/', '.']) && !value.contains("..") && value.bytes().all(letter)
}

fn shell_path(shell: InnerShell) -> String {
    shell.file().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_is_no_file() {
        for zone in ["Europe/Berlin", "UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "<+03>-3", "Etc/GMT+1"] {
            assert!(is_zone(zone), "{zone}");
        }
        for file in [":/etc/shadow", ":x", "/home/a/x", "./x", "../x", "Europe/../../x", "a b", "a\n"] {
            assert!(!is_zone(file), "{file:?}");
        }
    }

    #[test]
    fn no_value_that_is_kept_runs_anything() {
        let names = ["TERM", "LANG", "LC_X", "TZ", "SSH_CONNECTION", "SSH_CLIENT"];
        for hostile in ["a[$(touch made;:.UTF-8@)]", "a[`x`].UTF-8", "$x.UTF-8"] {
            assert!(names.iter().all(|name| !is_kept(name, hostile)), "{hostile}");
        }
        let values =
            ["xterm-256color", "de_DE.UTF-8@euro", "C.UTF-8", "Europe/Berlin", "fe80::1%eth0 5 ::1 22", "::1 5 22"];
        assert!(names.iter().zip(values).all(|(name, value)| is_kept(name, value)));
    }

    #[test]
    fn only_locales_in_which_a_line_means_the_same_are_kept() {
        for kept in ["", "C", "POSIX", "C.UTF-8", "tr_TR.utf8", "de_DE.UTF-8@euro"] {
            assert!(reads_utf8(kept), "{kept}");
        }
        for dropped in ["zh_CN.GBK", "zh_CN", "ja_JP.SJIS", "en_US.UTF-8.GBK", "/tmp/x", "en_US.ISO-8859-1", "UTF-8"] {
            assert!(!reads_utf8(dropped), "{dropped}");
        }
    }
}
