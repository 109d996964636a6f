//! Checks of one agent's account.

use super::known;
use crate::doctor::catalogue::{self as c, Check};
use crate::doctor::facts::{Account, Agent, Facts, Kind, Known, Lists, Mail, Node, Password, Walk, same_file};
use crate::doctor::finding::Finding;

/// Groups whose members can become root, or reach what the gate protects.
pub const DANGEROUS: [&str; 37] = [
    "root",
    "sudo",
    "wheel",
    "admin",
    "adm",
    "docker",
    "podman",
    "lxd",
    "incus",
    "incus-admin",
    "libvirt",
    "libvirt-qemu",
    "kvm",
    "disk",
    "shadow",
    "kmem",
    "tty",
    "staff",
    "systemd-journal",
    "crontab",
    "input",
    "backup",
    "operator",
    "bin",
    "sys",
    // Debian's base-passwd: files of daemons, sources that root builds, login records; cups: its administrators.
    "daemon",
    "src",
    "utmp",
    "lpadmin",
    // Fedora: memory, host keys, an old name of docker's, kernel modules of SystemTap.
    "mem",
    "ssh_keys",
    "dockerroot",
    "stapdev",
    "microk8s",
    "countersign",
    "countersign-hostd",
    "countersign-server",
];
const GROUP: &str = "countersign-agents";

/// Every agent's account.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let mut all = vec![agents(facts)];
    for agent in &facts.agents {
        all.extend(one(facts, agent).into_iter().map(|finding| finding.about(&agent.name)));
    }
    all
}

fn agents(facts: &Facts) -> Finding {
    let names: Vec<&str> = facts.agents.iter().map(|agent| agent.name.as_str()).collect();
    if names.is_empty() {
        return c::AGENTS.undecided("no account is in countersign-agents or has countersign-sh; name one with --agent");
    }
    c::AGENTS.ok(names.join(", "))
}

fn one(facts: &Facts, agent: &Agent) -> Vec<Finding> {
    let account = match &agent.account {
        Err(why) => return vec![c::EXISTS.unknown(why.clone())],
        Ok(None) => return vec![c::EXISTS.open("there is no such account")],
        Ok(Some(account)) => account,
    };
    let mut all = vec![
        c::EXISTS.ok(format!("uid {}", account.uid)),
        login_shell(facts, account),
        uid(facts, account),
        member(account),
        groups(account),
        container_sockets(facts, account),
        known(&c::SUDO, &account.sudo, |rules| match rules {
            None => c::SUDO.ok("no sudo rule"),
            Some(rules) => c::SUDO.open(format!("sudo allows: {rules}")),
        }),
        doas(facts),
        known(&c::PASSWORD, &account.password, |password| {
            c::PASSWORD.judge(*password == Password::Locked, said(*password))
        }),
        known(&c::EXPIRED, &account.expired, |expired| {
            c::EXPIRED.judge(!expired, if *expired { "expired" } else { "not expired" })
        }),
        chsh(facts, account),
    ];
    all.extend(later(&agent.name, account));
    all.extend(home(account));
    all.push(path(facts, account));
    all.extend(super::grants::check(facts, &agent.name, account));
    all
}

/// What the shadow file says, in words.
pub fn said(password: Password) -> &'static str {
    match password {
        Password::Locked => "locked",
        Password::Set => "a password is set",
        Password::Empty => "the password is empty",
        Password::Missing => "the shadow file has no line for it",
    }
}

fn login_shell(facts: &Facts, account: &Account) -> Finding {
    let shell = account.shell.display();
    let finding = match (&account.shell_walk, &facts.program.walk) {
        (Ok(own), Ok(installed)) if same_file(own, installed) => c::LOGIN_SHELL.ok(format!("{shell}")),
        (Ok(_), Ok(_)) => {
            c::LOGIN_SHELL.open(format!("{shell}, which is not the file {}", facts.program.path.display()))
        }
        (Err(why), _) | (_, Err(why)) => c::LOGIN_SHELL.unknown(why.clone()),
    };
    finding.mended_by(format!("usermod -s {} AGENT", facts.program.path.display()))
}

fn uid(facts: &Facts, account: &Account) -> Finding {
    let system = facts.host.users.iter().find(|user| user.entry.as_ref().is_some_and(|entry| entry.0 == account.uid));
    if account.uid == 0 {
        return c::UID.open("it is root");
    }
    if let Some(user) = system {
        return c::UID.open(format!("it has the uid of {}", user.name));
    }
    known(&c::UID, &account.same_uid, |others| match others.first() {
        Some(other) => c::UID.open(format!("{other} has the uid {} as well", account.uid)),
        None => c::UID.ok(format!("{} is this account's alone", account.uid)),
    })
}

fn member(account: &Account) -> Finding {
    let is = account.groups.iter().any(|(_, name)| name == GROUP);
    c::MEMBER.judge(is, if is { "a member" } else { "not in countersign-agents" })
}

fn groups(account: &Account) -> Finding {
    let bad = |(gid, name): &&(u32, String)| *gid == 0 || DANGEROUS.contains(&name.as_str());
    let found: Vec<&str> = account.groups.iter().filter(bad).map(|(_, name)| name.as_str()).collect();
    if found.is_empty() {
        let names: Vec<&str> = account.groups.iter().map(|(_, name)| name.as_str()).collect();
        return c::GROUPS.ok(names.join(", "));
    }
    let mend: Vec<String> = found.iter().map(|group| format!("gpasswd -d AGENT {group}")).collect();
    c::GROUPS.open(format!("in {}", found.join(", "))).mended_by(mend.join("; "))
}

fn container_sockets(facts: &Facts, account: &Account) -> Finding {
    known(&c::CONTAINER_SOCKETS, &facts.logins.container_sockets, |sockets| {
        let writable = sockets.iter().find(|socket| socket.writable_by(account.uid, &account.gids()));
        match writable {
            Some(socket) => c::CONTAINER_SOCKETS.open(format!("it may write to {}", socket.path.display())),
            None => c::CONTAINER_SOCKETS.ok("none that it may write to"),
        }
    })
}

fn doas(facts: &Facts) -> Finding {
    match &facts.logins.doas {
        Some(path) => c::DOAS.open(format!("there is {}", path.display())),
        None => c::DOAS.ok("no doas.conf"),
    }
}

fn chsh(facts: &Facts, account: &Account) -> Finding {
    let chsh = match &facts.logins.chsh {
        Err(why) => return c::CHSH.unknown(why.clone()),
        Ok(walk) => walk.target().is_some_and(|node| node.mode & 0o6000 != 0),
    };
    if !chsh {
        return c::CHSH.ok("chsh is not there, or not setuid");
    }
    known(&c::CHSH, &facts.logins.shells, |shells| {
        let listed = shells.iter().any(|shell| account.shell.as_os_str() == shell.as_str());
        c::CHSH.judge(
            !listed,
            if listed {
                "chsh takes it: its shell is in /etc/shells"
            } else {
                "chsh refuses it: its shell is not in /etc/shells"
            },
        )
    })
}

/// crontab(1) and at(1): the allow list alone counts where there is one; else
/// the deny list; with neither, cron lets everybody in (Debian) and at nobody.
fn scheduler(check: &'static Check, installed: bool, lists: &Known<Lists>, name: &str, open_without: bool) -> Finding {
    known(check, lists, |(allow, deny)| {
        let lists = |list: &Vec<String>| list.iter().any(|line| line == name);
        match (allow, deny) {
            (Some(allow), _) => check
                .judge(!lists(allow), if lists(allow) { "named in the allow file" } else { "not in the allow file" }),
            (None, _) if !installed => check.ok("not installed"),
            (None, Some(deny)) => check.judge(
                lists(deny),
                if lists(deny) { "in the deny file" } else { "not in the deny file, and there is no allow file" },
            ),
            (None, None) => check.judge(
                !open_without,
                if open_without {
                    "there is neither an allow nor a deny file"
                } else {
                    "without lists only root may use it"
                },
            ),
        }
    })
}

/// Ways to run something later.
fn later(name: &str, account: &Account) -> Vec<Finding> {
    let scheduled = &account.scheduled;
    let mut all = vec![
        scheduler(&c::CRON, scheduled.cron, &scheduled.cron_lists, name, true),
        known(&c::CRONTAB, &scheduled.jobs, |jobs| match jobs.first() {
            Some(job) => c::CRONTAB.open(format!("there is {}", job.display())),
            None => c::CRONTAB.ok("none"),
        }),
        scheduler(&c::AT, scheduled.at, &scheduled.at_lists, name, false),
        known(&c::MAIL, &account.mail, mail),
        known(&c::LINGER, &account.linger, |linger| {
            c::LINGER.judge(!linger, if *linger { "its user manager lingers" } else { "no lingering" })
        }),
    ];
    all.extend(scheduled.others.iter().map(|other| scheduler(&c::SCHEDULERS, true, &other.lists, name, true)));
    if scheduled.others.is_empty() {
        all.push(c::SCHEDULERS.ok("none beside cron and at"));
    }
    all
}

fn mail(mail: &Mail) -> Finding {
    let heeds = mail.servers.iter().filter(|server| mail.elsewhere.is_none() || !server.aliases);
    let open: Vec<String> = heeds.map(|server| format!("{} reads {}", server.name, server.file)).collect();
    match (&open[..], &mail.elsewhere) {
        ([], Some(to)) if !mail.servers.is_empty() => c::MAIL.ok(format!("its mail goes to {to}")),
        ([], _) => c::MAIL.ok("no mail server that would run something for it"),
        (open, _) if mail.files.is_empty() => c::MAIL.open(open.join(", ")),
        (open, _) => c::MAIL.open(format!("{}; there is {}", open.join(", "), mail.files.join(", "))),
    }
}

fn home(account: &Account) -> Vec<Finding> {
    let home = account.home.display().to_string();
    let in_home = known(&c::HOME, &account.home_walk, |walk| match walk.target() {
        None => c::HOME.open(format!("{home} does not exist")),
        Some(node) => owned(&c::HOME, node, account.uid, walk),
    });
    let ssh = known(&c::SSH_DIR, &account.ssh_dir, |node| match node {
        None => c::SSH_DIR.ok("there is none"),
        Some(node) => owned(&c::SSH_DIR, node, account.uid, &Walk::default()),
    });
    let personal = known(&c::PERSONAL, &account.personal, |files| {
        c::PERSONAL.judge(files.is_empty(), if files.is_empty() { "none".to_owned() } else { files.join(", ") })
    });
    [in_home, ssh, personal]
        .into_iter()
        .map(|finding| {
            let mend = finding.mend.replace("HOME", &home);
            finding.mended_by(mend)
        })
        .collect()
}

/// A directory of the agent's, or of root's.
fn owned(check: &'static Check, node: &Node, uid: u32, walk: &Walk) -> Finding {
    let path = node.path.display();
    if node.kind != Kind::Directory {
        return check.open(format!("{path} is not a directory"));
    }
    if let Some(why) = crate::doctor::facts::weak(walk.parents(), &[]) {
        return check.open(why);
    }
    if node.uid != uid && node.uid != 0 {
        return check.open(format!("{path} belongs to uid {}", node.uid));
    }
    check.judge(node.mode & 0o022 == 0, format!("{path}, mode {:04o}", node.mode))
}

fn path(facts: &Facts, account: &Account) -> Finding {
    known(&c::PATH, &facts.program.config, |config| {
        for (dir, walk) in &config.path {
            let shown = dir.display();
            let walk = match walk {
                Err(why) => return c::PATH.unknown(why.clone()),
                Ok(walk) => walk,
            };
            let writable = walk.nodes.iter().find(|node| node.writable_by(account.uid, &account.gids()));
            if let Some(node) = writable {
                return c::PATH.open(format!("it may write to {}", node.path.display()));
            }
            if walk.nodes.iter().any(|node| node.kind == Kind::Link) {
                return c::PATH.open(format!("{shown} is behind a link that is not root's alone"));
            }
        }
        c::PATH.ok("it may write to none of its directories")
    })
}
