//! Checks of what others do for an account, or give it: jobs that run its
//! files, groups of PAM, rules of polkit.

use super::account::DANGEROUS;
use super::known;
use crate::doctor::catalogue as c;
use crate::doctor::facts::{Account, Document, Facts, Kind, Walk};
use crate::doctor::finding::Finding;
use crate::doctor::gather::may_name;
use countersign_core::counted;

/// What code asks of who wants something.
const ASKS_WHO: &[&str] = &["subject.user", "subject.groups", "subject.isInGroup", "subject.local"];
/// Ways to ask that are not followed here.
const NOT_FOLLOWED: &[&str] = &["subject.user.", "subject.groups.", "isInNetGroup"];

/// All of them.
pub fn check(facts: &Facts, name: &str, account: &Account) -> Vec<Finding> {
    vec![jobs(facts, name, account), groups(facts, name), subids(account), polkit(facts, name, account)]
}

/// What an account may change on the way to a file. In a sticky directory the files of others stay.
fn changeable(way: &Walk, account: &Account) -> Option<String> {
    let (uid, gids) = (account.uid, account.gids());
    let next = way.nodes.iter().skip(1).map(Some).chain([None]);
    way.nodes.iter().zip(next).find_map(|(node, next)| {
        let stays = node.mode & 0o1000 != 0 && next.is_some_and(|next| next.uid != uid) && node.uid != uid;
        let path = node.path.display();
        if node.kind == Kind::Link {
            return Some(format!("{path} is a link in a directory that is not root's alone"));
        }
        (node.writable_by(uid, &gids) && !stays).then(|| format!("it may write to {path}"))
    })
}

fn jobs(facts: &Facts, name: &str, account: &Account) -> Finding {
    known(&c::OTHERS_JOBS, &facts.host.runs, |runs| {
        let uid = account.uid.to_string();
        // Its own are account.crontab's.
        let others = runs.iter().filter(|run| run.user != name && run.user != uid);
        for run in others {
            if let Some(why) = changeable(&run.way, account) {
                let (by, path) = (run.by.display(), run.path.display());
                return c::OTHERS_JOBS.open(format!("{by} has {path} for {}, and {why}", run.user));
            }
        }
        c::OTHERS_JOBS.ok(format!("none of {}", counted(runs.len(), "file")))
    })
}

fn groups(facts: &Facts, name: &str) -> Finding {
    known(&c::PAM_GROUPS, &facts.logins.pam, |lines| {
        if !lines.iter().any(|line| line.module == "pam_group.so") {
            return c::PAM_GROUPS.ok("no pam_group.so");
        }
        known(&c::PAM_GROUPS, &facts.logins.pam_groups, |lines| {
            let given = lines.iter().filter(|line| may_name(&line.users, name)).flat_map(|line| &line.groups);
            match given.clone().find(|group| DANGEROUS.contains(&group.as_str())) {
                Some(group) => c::PAM_GROUPS.open(format!("it may be given {group}")),
                None => {
                    c::PAM_GROUPS.ok(format!("it is given no group that leads anywhere ({} looked at)", given.count()))
                }
            }
        })
    })
}

fn subids(account: &Account) -> Finding {
    known(&c::SUBIDS, &account.subids, |ranges| match ranges.first() {
        None => c::SUBIDS.ok("none, or nothing that would hand them out"),
        Some(range) => c::SUBIDS
            .open(format!("it may take {}", ranges.join(", ")))
            .mended_by(format!("usermod --del-subuids {range} --del-subgids {range} AGENT")),
    })
}

fn polkit(facts: &Facts, name: &str, account: &Account) -> Finding {
    known(&c::POLKIT, &facts.logins.polkit, |rules| {
        let Some(rules) = rules else { return c::POLKIT.ok("there is no polkit") };
        for rule in rules {
            let shown = rule.walk.nodes.last().map(|node| node.path.display().to_string()).unwrap_or_default();
            if let Some(why) = changeable(&rule.walk, account) {
                return c::POLKIT.open(format!("{shown}: {why}"));
            }
            if let Some(why) = lets(rule, name, account) {
                return c::POLKIT.open(format!("{shown} {why}"));
            }
        }
        c::POLKIT.ok(format!("none of {} lets it do more", counted(rules.len(), "file")))
    })
}

/// Whether a file of rules may let an account do something without asking.
fn lets(rule: &Document, name: &str, account: &Account) -> Option<String> {
    let text = rule.text.as_deref().unwrap_or_default();
    let names = || std::iter::once(name).chain(account.groups.iter().map(|(_, group)| group.as_str()));
    if text.contains("Identity=") {
        let identities =
            text.lines().filter_map(|line| line.trim().strip_prefix("Identity=")).flat_map(|l| l.split(';'));
        let yes = text.lines().any(|line| line.starts_with("Result") && line.trim_end().ends_with("yes"));
        let mut whom = identities.filter_map(|one| one.trim().split_once(':').map(|(_, whom)| whom));
        let whom = whom.find(|whom| *whom == "*" || names().any(|name| name == *whom))?;
        return yes.then(|| format!("names {whom}"));
    }
    let code = without_comments(text);
    if !["Result.YES", "'yes'", "\"yes\""].iter().any(|yes| code.contains(yes)) {
        return None;
    }
    if let Some(named) =
        names().find(|name| code.contains(&format!("'{name}'")) || code.contains(&format!("\"{name}\"")))
    {
        return Some(format!("names {named}"));
    }
    if let Some(asked) = NOT_FOLLOWED.iter().find(|asked| code.contains(*asked)) {
        return Some(format!("goes by {asked}, which doctor does not follow"));
    }
    (!ASKS_WHO.iter().any(|asked| code.contains(asked))).then(|| "does not ask who it is".to_owned())
}

fn without_comments(text: &str) -> String {
    let mut left = text;
    let mut code = String::new();
    while let Some((before, rest)) = left.split_once("/*") {
        code.push_str(before);
        left = rest.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(left);
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
