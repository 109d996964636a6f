//! What runs something as an account without a login of it: cron, at and their
//! kind, and mail servers.

use super::program::installed;
use super::walk::{names_in, system_file, walk};
use crate::doctor::facts::{Known, Lists, Mail, MailServer, Scheduled, Scheduler};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Schedulers beside cron and at: name, program, allow and deny file.
const SCHEDULERS: &[(&str, &str, [&str; 2])] = &[
    ("incron", "/usr/bin/incrontab", ["/etc/incron.allow", "/etc/incron.deny"]),
    ("fcron", "/usr/bin/fcrontab", ["/etc/fcron.allow", "/etc/fcron.deny"]),
    ("fcron", "/usr/local/bin/fcrontab", ["/usr/local/etc/fcron.allow", "/usr/local/etc/fcron.deny"]),
];
/// Where such tables are, each under its account's name.
const TABLES: &[&str] = &[
    "/var/spool/cron/crontabs",
    "/var/spool/cron",
    "/var/spool/cron/tabs",
    "/etc/crontabs",
    "/var/spool/incron",
    "/var/spool/fcron",
];
/// Mail servers: name, the file of an account by which each runs programs, and
/// whether it asks the system's aliases first.
const MAIL_SERVERS: &[(&str, &str, bool)] = &[
    ("postfix", "~/.forward", true),
    ("exim4", "~/.forward", true),
    ("exim", "~/.forward", true),
    ("smtpd", "~/.forward", true),
    ("sendmail.sendmail", "~/.forward", true),
    ("courier", "~/.courier", false),
    ("qmail-send", "~/.qmail", false),
];
/// Where their programs are.
const PROGRAMS: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/usr/lib/sm.bin", "/var/qmail/bin", "/usr/exim/bin"];
/// Files of an account that mail servers, and what these hand mail to, run programs by.
const MAIL_FILES: &[&str] = &[".forward", ".procmailrc", ".mailfilter", ".courier", ".qmail"];
const ALIASES: &[&str] = &["/etc/aliases", "/etc/mail/aliases", "/etc/postfix/aliases", "/etc/exim/aliases"];

/// Of cron, at and their kind.
pub fn scheduled(name: &str, uid: u32) -> Scheduled {
    let pair = |what: &str| lists([&format!("/etc/{what}.allow"), &format!("/etc/{what}.deny")]);
    let others = SCHEDULERS.iter().filter(|(_, program, _)| installed(Path::new(program)));
    Scheduled {
        cron: installed(Path::new("/usr/bin/crontab")),
        cron_lists: pair("cron"),
        at: installed(Path::new("/usr/bin/at")),
        at_lists: pair("at"),
        others: others.map(|(name, _, files)| Scheduler { name, lists: lists(*files) }).collect(),
        jobs: jobs(name, uid),
    }
}

fn lists([allow, deny]: [&str; 2]) -> Known<Lists> {
    Ok((list(allow)?, list(deny)?))
}

fn list(path: &str) -> Known<Option<Vec<String>>> {
    let lines =
        |text: String| text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    Ok(system_file(Path::new(path))?.map(lines))
}

/// Tables by name, at jobs by owner, and jobs and services of the system that run as the account.
fn jobs(name: &str, uid: u32) -> Known<Vec<PathBuf>> {
    let mut found = Vec::new();
    for dir in TABLES {
        found.extend(walk(&Path::new(dir).join(name))?.target().map(|node| node.path.clone()));
    }
    for dir in ["/var/spool/cron/atjobs", "/var/spool/at", "/var/spool/atjobs"] {
        for entry in names_in(Path::new(dir))? {
            let path = Path::new(dir).join(entry);
            let data =
                std::fs::symlink_metadata(&path).map_err(|e| format!("cannot look at {}: {e}", path.display()))?;
            if data.uid() == uid && data.is_file() {
                found.push(path);
            }
        }
    }
    found.extend(super::jobs::of(name, uid)?);
    Ok(found)
}

/// Of mail that comes for the account.
pub fn mail(name: &str, home: &Path) -> Known<Mail> {
    let there = |server: &str| PROGRAMS.iter().any(|place| installed(&Path::new(place).join(server)));
    let servers = MAIL_SERVERS.iter().filter(|(server, ..)| there(server));
    let mut files = Vec::new();
    for file in MAIL_FILES {
        files.extend(walk(&home.join(file))?.target().map(|_| format!("~/{file}")));
    }
    let mut elsewhere = None;
    for path in ALIASES {
        let text = system_file(Path::new(path))?.unwrap_or_default();
        elsewhere = elsewhere.or_else(|| sent_to(&text, name));
    }
    Ok(Mail {
        servers: servers.map(|(name, file, aliases)| MailServer { name, file, aliases: *aliases }).collect(),
        elsewhere,
        files,
    })
}

/// Where aliases(5) send what comes for a name; `None` where they do not name it, or it may still come to it.
fn sent_to(text: &str, name: &str) -> Option<String> {
    let joined = text.replace("\n ", " ").replace("\n\t", " ");
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with('#'));
    let targets = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(known, _)| known.trim().trim_matches('"').eq_ignore_ascii_case(name));
    let (_, targets) = targets?;
    let own = |target: &str| {
        let local = target.trim_matches(['"', '\\', ' ', '\t']);
        let local = local.split('@').next().unwrap_or_default();
        local.eq_ignore_ascii_case(name) || local.contains(":include:") || local.is_empty()
    };
    (!targets.split(',').any(own)).then(|| targets.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_send_mail_elsewhere_or_do_not() {
        for (text, want) in [
            ("postmaster: root\ndeploy: root\n", Some("root")),
            ("Deploy : root, ops@example.com\n", Some("root, ops@example.com")),
            ("\"deploy\":\n  root\n", Some("root")),
            ("deploy: /dev/null\ndeploy: deploy\n", Some("/dev/null")),
            ("# deploy: root\n", None),
            ("deployer: root\n", None),
            ("deploy: root, \\deploy\n", None),
            ("deploy: deploy@localhost\n", None),
            ("deploy: :include:/home/deploy/list\n", None),
            ("deploy:\n", None),
            ("", None),
        ] {
            assert_eq!(sent_to(text, "deploy").as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        let mail = mail("nobody-of-this-name", Path::new("/nonexistent")).unwrap();
        assert_eq!((mail.elsewhere, mail.files), (None, Vec::new()));
    }
}
