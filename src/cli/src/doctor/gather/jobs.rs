//! Jobs of cron and services of systemd that run as an account, and files of
//! the system that nobody but root may write.

use super::walk::{names_in, system_file, walk};
use crate::doctor::facts::{Known, Walk};
use std::path::{Path, PathBuf};

/// Who somebody is, what a program loads, what a shell reads first, what root runs by itself.
const SYSTEM_FILES: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/nsswitch.conf",
    "/etc/ld.so.preload",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/bash.bashrc",
    "/etc/zsh/zshenv",
    "/etc/zshenv",
    "/etc/environment",
    "/etc/crontab",
    "/etc/cron.d",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/security",
    "/etc/pam.conf",
    "/etc/pam.d",
    "/etc/update-motd.d",
    "/etc/login.defs",
    "/etc/subuid",
    "/etc/subgid",
    "/etc/ssh/sshrc",
    "/etc/gitconfig",
    "/etc/popt",
    "/etc/popt.d",
    "/etc/modprobe.d",
    "/etc/udev/rules.d",
    "/etc/tmpfiles.d",
    "/etc/sysctl.d",
    "/etc/logrotate.d",
    "/etc/apt/apt.conf.d",
    "/etc/dbus-1/system.d",
    "/etc/systemd/system-generators",
    "/run/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/etc/systemd/system.conf",
    "/etc/systemd/system.conf.d",
];
/// Directories among them whose files count, too.
const DIRECTORIES: &[&str] = &[
    "/etc/ld.so.conf.d",
    "/etc/profile.d",
    "/etc/cron.d",
    "/etc/sudoers.d",
    "/etc/security",
    "/etc/pam.d",
    "/etc/update-motd.d",
    "/etc/popt.d",
    "/etc/modprobe.d",
    "/etc/udev/rules.d",
    "/etc/tmpfiles.d",
    "/etc/sysctl.d",
    "/etc/logrotate.d",
    "/etc/apt/apt.conf.d",
    "/etc/dbus-1/system.d",
    "/etc/systemd/system-generators",
    "/run/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/etc/systemd/system.conf.d",
];
/// Where units of systemd are.
const UNITS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The ways to them.
pub fn system_files() -> Known<Vec<Walk>> {
    let mut found = Vec::new();
    for file in SYSTEM_FILES {
        found.push(walk(Path::new(file))?);
    }
    for directory in DIRECTORIES {
        for name in names_in(Path::new(directory))? {
            found.push(walk(&Path::new(directory).join(name))?);
        }
    }
    Ok(found)
}

/// Files of the system that make cron or systemd run something as this account.
pub fn of(name: &str, uid: u32) -> Known<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in crontabs()? {
        let text = system_file(&path)?.unwrap_or_default();
        if text.lines().any(|line| user_of(line) == Some(name)) {
            found.push(path);
        }
    }
    for path in units()? {
        let text = system_file(&path)?.unwrap_or_default();
        if text.lines().any(|line| runs_as(line, name, uid)) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Crontabs of the system, whose lines name an account.
pub fn crontabs() -> Known<Vec<PathBuf>> {
    let directory = Path::new("/etc/cron.d");
    let files = names_in(directory)?.into_iter().map(|file| directory.join(file));
    Ok(std::iter::once(PathBuf::from("/etc/crontab")).chain(files).collect())
}

/// Services and what is added to them; a masked one is a link to /dev/null.
pub fn units() -> Known<Vec<PathBuf>> {
    let mut found = Vec::new();
    for directory in UNITS.iter().map(Path::new) {
        for name in names_in(directory)? {
            let path = directory.join(&name);
            let name = name.to_string_lossy();
            let is_unit = |name: &str| name.ends_with(".service") || name.ends_with(".socket");
            if is_unit(&name) {
                found.push(path);
            } else if name.strip_suffix(".d").is_some_and(is_unit) {
                found.extend(names_in(&path)?.into_iter().map(|file| path.join(file)));
            }
        }
    }
    found.retain(|path| std::fs::read_link(path).map_or(true, |to| to != Path::new("/dev/null")));
    Ok(found)
}

/// The account of a line of /etc/crontab (crontab(5)).
fn user_of(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    if first.starts_with('@') { words.next() } else { words.nth(4) }
}

fn runs_as(line: &str, name: &str, uid: u32) -> bool {
    let user = line.split_once('=').filter(|(key, _)| key.trim() == "User").map(|(_, user)| user.trim());
    user.is_some_and(|user| user == name || user.parse() == Ok(uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_of_a_job() {
        assert_eq!(user_of("17 * * * * root cd / && run-parts /etc/cron.hourly"), Some("root"));
        assert_eq!(user_of("  @reboot deploy /home/deploy/x"), Some("deploy"));
        assert_eq!(user_of("*/5\t*\t*\t*\t*\tdeploy\tx"), Some("deploy"));
        for line in ["", "# 1 2 3 4 5 deploy x", "PATH=/usr/bin", "SHELL = /bin/sh"] {
            assert_eq!(user_of(line), None, "{line}");
        }
    }

    #[test]
    fn the_account_of_a_service() {
        for line in ["User=deploy", "User = deploy ", "User=1001"] {
            assert!(runs_as(line, "deploy", 1001), "{line}");
        }
        for line in ["#User=deploy", "User=deploy2", "Group=deploy", "User=", "User=1002"] {
            assert!(!runs_as(line, "deploy", 1001), "{line}");
        }
    }

    #[test]
    fn the_files_of_this_machine_are_found() {
        assert!(system_files().unwrap().iter().filter(|file| file.there).count() > 3);
        assert_eq!(of("nobody-of-this-name", u32::MAX - 7), Ok(Vec::new()));
    }
}
