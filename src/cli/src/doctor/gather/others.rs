//! What cron, at and systemd run that is not an agent's own: the files, and
//! those that variables are read from. Whoever can write one of them runs
//! something as somebody else, and unseen.

use super::jobs::{crontabs, units};
use super::walk::{names_in, read, system_file, walk};
use crate::doctor::facts::{Known, Run};
use countersign_analysis::starts;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Directories whose files are run themselves.
const RUN_WHOLE: &[&str] =
    &["/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/etc/init.d"];
/// Crontabs of accounts, each named like its account: Debian's place and others'.
const SPOOLS: &[&str] = &["/var/spool/cron/crontabs", "/var/spool/cron"];
const AT_JOBS: &str = "/var/spool/cron/atjobs";
/// Settings of a unit that start something.
const EXEC: &[&str] =
    &["ExecStart", "ExecStartPre", "ExecStartPost", "ExecCondition", "ExecReload", "ExecStop", "ExecStopPost"];

/// All of it, each file once for each account.
pub fn runs() -> Known<Vec<Run>> {
    let mut named = BTreeSet::<(String, PathBuf, PathBuf)>::new();
    let mut add = |user: &str, by: &Path, paths: Vec<PathBuf>| {
        named.extend(paths.into_iter().map(|path| (user.to_owned(), path, by.to_owned())));
    };
    for path in crontabs()? {
        let text = system_file(&path)?.unwrap_or_default();
        text.lines().filter_map(system_job).for_each(|(user, paths)| add(user, &path, paths));
    }
    for directory in SPOOLS.iter().map(Path::new) {
        for name in names_in(directory)? {
            let path = directory.join(&name);
            let text = read(&path)?.text.unwrap_or_default();
            text.lines().filter_map(own_job).for_each(|paths| add(&name.to_string_lossy(), &path, paths));
        }
    }
    for name in names_in(Path::new(AT_JOBS))? {
        let path = Path::new(AT_JOBS).join(name);
        let job = read(&path)?;
        let user = job.walk.target().map_or_else(String::new, |node| node.uid.to_string());
        // The rest is the environment of whoever gave the job.
        let text = job.text.unwrap_or_default();
        text.lines().filter(|line| !line.contains("; export ")).for_each(|line| add(&user, &path, started_by(line)));
    }
    for path in units()? {
        let text = system_file(&path)?.unwrap_or_default();
        add(user_of_unit(&text), &path, named_by_unit(&text));
    }
    for directory in RUN_WHOLE.iter().map(Path::new) {
        for name in names_in(directory)? {
            add("root", directory, vec![directory.join(name)]);
        }
    }
    add("root", Path::new("/etc"), vec![PathBuf::from("/etc/rc.local")]);
    let walked = |(user, path, by): (String, PathBuf, PathBuf)| Ok(Run { way: walk(&path)?, user, path, by });
    named.into_iter().map(walked).collect()
}

/// A line of /etc/crontab (crontab(5)): its account and what it names. The
/// search path of such a file is root's as well.
fn system_job(line: &str) -> Option<(&str, Vec<PathBuf>)> {
    if let Some(path) = search_path(line) {
        return Some(("root", path));
    }
    let (user, command) = after_times(line)?.split_once(char::is_whitespace)?;
    Some((user, started_by(command)))
}

/// The same of an account's own crontab, which names no account.
fn own_job(line: &str) -> Option<Vec<PathBuf>> {
    search_path(line).or_else(|| after_times(line).map(started_by))
}

/// What follows the times of a job.
fn after_times(line: &str) -> Option<&str> {
    let mut rest = line.trim();
    if rest.starts_with('#') {
        return None;
    }
    for _ in 0..if rest.starts_with('@') { 1 } else { 5 } {
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    Some(rest)
}

/// The directories of a line that sets `PATH`.
fn search_path(line: &str) -> Option<Vec<PathBuf>> {
    let (_, value) = line.split_once('=').filter(|(name, _)| name.trim() == "PATH")?;
    let directories = value.trim().trim_matches(['"', '\'']).split(':');
    Some(directories.filter(|directory| directory.starts_with('/')).map(PathBuf::from).collect())
}

fn user_of_unit(text: &str) -> &str {
    settings(text).filter(|(key, value)| *key == "User" && !value.is_empty()).last().map_or("root", |(_, user)| user)
}

fn named_by_unit(text: &str) -> Vec<PathBuf> {
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for (key, value) in settings(&joined) {
        if EXEC.contains(&key) {
            found.extend(started_by(value.trim_start_matches(['@', '-', ':', '+', '!', '|'])));
        } else if key == "EnvironmentFile" {
            found.push(PathBuf::from(value.trim_start_matches('-')));
        }
    }
    // What systemd puts in is not known here.
    found.retain(|path| path.is_absolute() && !path.to_string_lossy().contains('%'));
    found
}

fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()))
}

/// Programs and scripts of a line that are named by a whole path. Where it is
/// not sure what a line starts, every whole path in it counts.
fn started_by(line: &str) -> Vec<PathBuf> {
    let found = starts(line, "bash");
    let scripts = found.scripts.iter().map(|script| {
        let place = script.after.iter().flatten().rev().find(|place| place.starts_with('/'));
        Path::new(place.map_or("", String::as_str)).join(&script.path)
    });
    let mut paths: Vec<PathBuf> = scripts.collect();
    match found.words {
        Some(words) if !found.more_scripts => paths.extend(words.into_iter().map(PathBuf::from)),
        Some(_) | None => {
            let words = line.split(|c: char| c.is_whitespace() || ";&|()<>'\"=".contains(c));
            paths.extend(words.filter(|word| word.starts_with('/')).map(PathBuf::from));
        }
    }
    paths.retain(|path| path.is_absolute());
    paths.sort();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(of: &[&str]) -> Vec<PathBuf> {
        of.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn what_a_line_starts_by_a_whole_path() {
        for (line, named) in [
            ("/usr/local/bin/backup --to /srv/x", &["/usr/local/bin/backup"][..]),
            ("cd / && run-parts --report /etc/cron.hourly", &[]),
            ("sh /srv/app/job.sh", &["/srv/app/job.sh"]),
            ("cd /srv/app && sh ./job.sh", &["/srv/app/job.sh"]),
            ("test -x /a || { /b; python3 /c.py; }", &["/c.py", "/b"]),
            ("eval \"$X\" /a", &["/a"]),
        ] {
            let found = started_by(line);
            for path in paths(named) {
                assert!(found.contains(&path), "{line}: {found:?}");
            }
        }
        assert_eq!(started_by("cp /srv/a /srv/b"), paths(&[]), "what a program reads and writes is not what runs");
    }

    #[test]
    fn jobs_of_cron() {
        assert_eq!(system_job("17 * * * * root /a/b"), Some(("root", paths(&["/a/b"]))));
        assert_eq!(system_job("@daily www /a/b -x"), Some(("www", paths(&["/a/b"]))));
        assert_eq!(system_job("PATH=/usr/bin:/srv/bin:x"), Some(("root", paths(&["/usr/bin", "/srv/bin"]))));
        assert_eq!(own_job("*/5\t* * * * /a/b"), Some(paths(&["/a/b"])));
        assert_eq!(own_job("@reboot /a/b"), Some(paths(&["/a/b"])));
        for line in ["", "# 1 2 3 4 5 root /x", "MAILTO=root", "@daily"] {
            assert_eq!(system_job(line), None, "{line}");
        }
        assert_eq!(own_job("# /x"), None);
    }

    #[test]
    fn units_of_systemd() {
        let text = "[Service]\nUser=\nUser=www\nExecStart=-/srv/a \\\n  -x\nExecStartPre=+/bin/sh /srv/b.sh\n\
                    EnvironmentFile=-/etc/default/a\nExecStop=/srv/%i/x\n#ExecStart=/no\n";
        assert_eq!(user_of_unit(text), "www");
        assert_eq!(user_of_unit("[Service]\nExecStart=/a\n"), "root");
        let found = named_by_unit(text);
        for path in ["/srv/a", "/bin/sh", "/srv/b.sh", "/etc/default/a"] {
            assert!(found.contains(&path.into()), "{path}: {found:?}");
        }
        assert!(!found.iter().any(|path| path.starts_with("/srv/%i") || path == Path::new("/no")), "{found:?}");
    }

    #[test]
    fn what_this_machine_runs_is_found() {
        assert!(runs().unwrap().iter().any(|run| run.user == "root" && run.way.there));
    }
}
