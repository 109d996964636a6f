//! Accounts: what the password database, the shadow file, sudo and the home
//! directory say of one.

use super::program::run;
use super::sshd::{Sshd, probes};
use super::walk::{system_file, walk};
use crate::doctor::facts::{Account, Agent, Known, Node, Password};
use nix::unistd::{Gid, Group, User, getgrouplist};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// The group of gated accounts.
pub const GROUP: &str = "countersign-agents";
const SECONDS_A_DAY: i64 = 86_400;

/// Names of the gated accounts: members of the group, and accounts with the login shell.
pub fn gated(shell: &Path) -> Known<Vec<String>> {
    let wanted = walk(shell)?;
    let group = Group::from_name(GROUP).map_err(|e| format!("cannot look up {GROUP}: {e}"))?;
    let passwd = passwd()?;
    let mut names = group.as_ref().map(|group| group.mem.clone()).unwrap_or_default();
    for entry in &passwd {
        let primary = group.as_ref().is_some_and(|group| group.gid.as_raw() == entry.gid);
        let ours = entry.shell == shell
            || walk(&entry.shell).is_ok_and(|found| crate::doctor::facts::same_file(&found, &wanted));
        if primary || ours {
            names.push(entry.name.clone());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// A line of /etc/passwd.
struct Entry {
    name: String,
    uid: u32,
    gid: u32,
    shell: PathBuf,
}

fn passwd() -> Known<Vec<Entry>> {
    let text = system_file(Path::new("/etc/passwd"))?.ok_or("there is no /etc/passwd")?;
    Ok(text.lines().filter_map(entry).collect())
}

/// The login shells of all accounts of this host.
pub fn login_shells() -> Vec<PathBuf> {
    passwd().map_or_else(|_| Vec::new(), |all| all.into_iter().map(|entry| entry.shell).collect())
}

fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let shell = fields.nth(2)?.into();
    Some(Entry { name, uid, gid, shell })
}

/// Everything about one agent.
pub fn agent(name: &str, sshds: &[Sshd]) -> Agent {
    let account = User::from_name(name).map_err(|e| format!("cannot look up {name}: {e}"));
    let account = account.map(|user| user.map(|user| account_of(&user)));
    let known = account.as_ref().ok().and_then(Option::as_ref);
    let probes = sshds.iter().flat_map(|sshd| probes(sshd, name, known)).collect();
    Agent { name: name.to_owned(), account, probes }
}

fn account_of(user: &User) -> Account {
    let (uid, name) = (user.uid.as_raw(), user.name.as_str());
    let same = |entry: &Entry| entry.uid == uid && entry.name != name;
    let shadow = shadow(name);
    Account {
        uid,
        home: user.dir.clone(),
        shell: user.shell.clone(),
        groups: groups(user),
        same_uid: passwd().map(|all| all.into_iter().filter(same).map(|e| e.name).collect()),
        shell_walk: walk(&user.shell),
        password: shadow.clone().map(|found| found.0),
        expired: shadow.map(|found| found.1),
        sudo: sudo(name),
        scheduled: super::later::scheduled(name, uid),
        mail: super::later::mail(name, &user.dir),
        linger: walk(&Path::new("/var/lib/systemd/linger").join(name)).map(|found| found.there),
        home_walk: walk(&user.dir),
        ssh_dir: walk(&user.dir.join(".ssh")).map(|found| found.target().cloned()),
        personal: personal(&user.dir),
        subids: super::privileged::subids(name, uid),
    }
}

fn groups(user: &User) -> Vec<(u32, String)> {
    let name = |gid: u32| {
        let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
        (gid, group.map_or_else(|| gid.to_string(), |group| group.name))
    };
    gids(user).into_iter().map(name).collect()
}

/// Ids of the groups of an account.
pub fn gids(user: &User) -> Vec<u32> {
    let listed = CString::new(user.name.as_str()).ok().and_then(|name| getgrouplist(&name, user.gid).ok());
    listed.unwrap_or_else(|| vec![user.gid]).into_iter().map(Gid::as_raw).collect()
}

/// Password and expiry of an account, by the shadow file.
pub fn shadow(name: &str) -> Known<(Password, bool)> {
    let text = system_file(Path::new("/etc/shadow"))?.ok_or("there is no /etc/shadow")?;
    let today = jiff::Timestamp::now().as_second() / SECONDS_A_DAY;
    Ok(shadow_line(&text, name, today))
}

fn shadow_line(text: &str, name: &str, today: i64) -> (Password, bool) {
    let Some(line) = text.lines().find(|line| line.split(':').next() == Some(name)) else {
        return (Password::Missing, false);
    };
    let mut fields = line.split(':').skip(1);
    let password = match fields.next().unwrap_or_default() {
        "" => Password::Empty,
        // A hash begins with $, _ or a letter; crypt(3) never makes one that begins with these.
        locked if locked.starts_with(['!', '*']) || locked == "x" => Password::Locked,
        _ => Password::Set,
    };
    let expires: Option<i64> = fields.nth(5).and_then(|day| day.parse().ok());
    (password, expires.is_some_and(|day| day <= today))
}

fn sudo(name: &str) -> Known<Option<String>> {
    let Some(ran) = run(Path::new("/usr/bin/sudo"), &["-n", "-l", "-U", name])? else { return Ok(None) };
    let said = format!("{}{}", ran.out, ran.err);
    if said.contains("is not allowed to run sudo") {
        return Ok(None);
    }
    if said.contains("may run the following commands") {
        let rules = said.lines().skip_while(|line| !line.contains("may run the following")).skip(1);
        return Ok(Some(rules.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")));
    }
    Err(format!("sudo -l -U {name} says neither yes nor no: {}", said.lines().last().unwrap_or_default().trim()))
}

/// Files of the agent that sshd and PAM would read.
fn personal(home: &Path) -> Known<Vec<String>> {
    let mut found = Vec::new();
    for name in [".pam_environment", ".ssh/rc", ".ssh/environment", ".rhosts", ".shosts", ".k5login"] {
        let walk = walk(&home.join(name))?;
        found.extend(walk.target().map(|_| format!("~/{name}")));
    }
    Ok(found)
}

/// Whether a name can stand in a query of sshd and in a path without changing either.
pub fn is_safe_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !name.is_empty() && name.len() <= 64 && !name.starts_with('-') && name.chars().all(plain) && !name.starts_with('.')
}

/// Sockets of container engines, where they are.
pub fn container_sockets() -> Known<Vec<Node>> {
    let places = [
        "/run/docker.sock",
        "/run/podman/podman.sock",
        "/run/containerd/containerd.sock",
        "/run/k3s/containerd/containerd.sock",
        "/run/docker/containerd/containerd.sock",
        "/var/snap/microk8s/common/run/containerd.sock",
        "/run/crio/crio.sock",
        "/run/lxd.socket",
        "/var/lib/lxd/unix.socket",
        "/var/snap/lxd/common/lxd/unix.socket",
        "/var/lib/incus/unix.socket",
        "/run/libvirt/libvirt-sock",
    ];
    let mut found = Vec::new();
    for place in places {
        found.extend(walk(Path::new(place))?.target().cloned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_shadow_file() {
        let text = "a:!:20000::::::\nb:*:20000:0:99999:7::100:\nc:$y$x:1::::::\nd::1::::::\ne:!$y$x:1:::::101:";
        for (name, password, expired) in [
            ("a", Password::Locked, false),
            ("b", Password::Locked, true),
            ("c", Password::Set, false),
            ("d", Password::Empty, false),
            ("e", Password::Locked, false),
            ("f", Password::Missing, false),
        ] {
            assert_eq!(shadow_line(text, name, 100), (password, expired), "{name}");
        }
    }

    #[test]
    fn names_that_could_change_a_query_are_refused() {
        for name in ["", "-U", "a,addr=x", "a b", "../x", "a=b", ".", "ü"] {
            assert!(!is_safe_name(name), "{name}");
        }
        assert!(is_safe_name("deploy-agent_1.x"));
    }
}
