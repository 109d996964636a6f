//! Each check beside the host that it is there for: one thing spoiled, one finding.

use super::all;
use super::sample::{AGENT, DAEMON, FRONT, facts, file, walk};
use crate::doctor::catalogue::ALL;
use crate::doctor::facts::*;
use crate::doctor::finding::Finding;
use crate::doctor::finding::State::{self, Hole, Unknown, Warning};

type Case = (&'static str, State, fn(&mut Facts));

fn account(facts: &mut Facts) -> &mut Account {
    facts.agents[0].account.as_mut().unwrap().as_mut().unwrap()
}

/// Sets a keyword at the second address only.
fn sshd(facts: &mut Facts, line: &str) {
    let settings = facts.agents[0].probes[1].settings.as_mut().unwrap();
    let (word, value) = line.split_once(' ').unwrap();
    settings.0.insert(word.to_owned(), vec![value.to_owned()]);
}

fn sysctl(facts: &mut Facts, name: &'static str, value: Option<&str>) {
    facts.kernel.sysctl.insert(name, Ok(value.map(str::to_owned)));
}

fn mode(found: &mut Known<Walk>, mode: u32) {
    found.as_mut().unwrap().nodes.last_mut().unwrap().mode = mode;
}

fn owner(found: &mut Known<Walk>, uid: u32) {
    found.as_mut().unwrap().nodes.last_mut().unwrap().uid = uid;
}

fn above(found: &mut Known<Walk>, mode: u32) {
    let walk = found.as_mut().unwrap();
    let at = walk.nodes.len() - 2;
    walk.nodes[at].mode = mode;
}

fn unread<T>(fact: &mut Known<T>) {
    *fact = Err("run as root".to_owned());
}

/// A finding without words helps nobody.
#[track_caller]
pub fn says_something(finding: &Finding) {
    let words = [finding.check.means, &finding.mend, &finding.found];
    for text in words {
        assert!(text.trim() == text && !text.is_empty() && !text.ends_with([':', ',']), "{finding:?}");
    }
}

#[track_caller]
fn each(cases: &[Case]) {
    for (number, (id, state, spoil)) in cases.iter().enumerate() {
        let mut facts = facts();
        spoil(&mut facts);
        let findings = all(&facts);
        let found: Vec<_> = findings.iter().filter(|finding| finding.check.id == *id).collect();
        assert!(found.iter().any(|finding| finding.state == *state), "{number} {id}: {found:?}");
        assert!(!found[0].mend.contains("AGENT") || found[0].agent.is_none(), "{id}: {}", found[0].mend);
        findings.iter().for_each(says_something);
    }
}

fn schedules(f: &mut Facts, lists: Lists) {
    account(f).scheduled.others = vec![Scheduler { name: "incron", lists: Ok(lists) }];
}

fn mail(f: &mut Facts, aliases: bool, elsewhere: Option<&str>) {
    let server = MailServer { name: "postfix", file: "~/.forward", aliases };
    let (elsewhere, files) = (elsewhere.map(str::to_owned), vec!["~/.forward".to_owned()]);
    account(f).mail = Ok(Mail { servers: vec![server], elsewhere, files });
}

const ACCOUNTS: &[Case] = &[
    ("account.agents", Unknown, |f| f.agents.clear()),
    ("account.exists", Hole, |f| f.agents[0].account = Ok(None)),
    ("account.exists", Unknown, |f| unread(&mut f.agents[0].account)),
    ("account.shell", Hole, |f| account(f).shell_walk = Ok(file("/bin/bash"))),
    ("account.shell", Hole, |f| account(f).shell_walk = Ok(Walk::default())),
    ("account.uid", Hole, |f| account(f).uid = 0),
    ("account.uid", Hole, |f| account(f).uid = DAEMON),
    ("account.uid", Hole, |f| account(f).same_uid = Ok(vec!["other".to_owned()])),
    ("account.uid", Unknown, |f| unread(&mut account(f).same_uid)),
    ("account.member", Hole, |f| account(f).groups.truncate(1)),
    ("account.groups", Hole, |f| account(f).groups.push((999, "docker".to_owned()))),
    ("account.groups", Hole, |f| account(f).groups.push((998, "microk8s".to_owned()))),
    ("account.groups", Hole, |f| account(f).groups.push((997, "stapdev".to_owned()))),
    ("account.groups", Hole, |f| account(f).groups.push((0, "renamed".to_owned()))),
    ("account.container-sockets", Hole, |f| {
        f.logins.container_sockets = Ok(vec![walk("/run/docker.sock", Kind::Other, 0, 0o666).nodes[2].clone()]);
    }),
    ("account.sudo", Hole, |f| account(f).sudo = Ok(Some("(ALL) ALL".to_owned()))),
    ("account.sudo", Unknown, |f| unread(&mut account(f).sudo)),
    ("account.doas", Warning, |f| f.logins.doas = Some("/etc/doas.conf".into())),
    ("account.password", Hole, |f| account(f).password = Ok(Password::Set)),
    ("account.password", Hole, |f| account(f).password = Ok(Password::Empty)),
    ("account.password", Hole, |f| account(f).password = Ok(Password::Missing)),
    ("account.password", Unknown, |f| unread(&mut account(f).password)),
    ("account.expired", Warning, |f| account(f).expired = Ok(true)),
    ("account.chsh", Hole, |f| f.logins.shells = Ok(vec!["/usr/bin/countersign-sh".to_owned()])),
    ("account.cron", Hole, |f| account(f).scheduled.cron_lists = Ok((None, None))),
    ("account.cron", Hole, |f| account(f).scheduled.cron_lists = Ok((None, Some(vec!["other".to_owned()])))),
    ("account.cron", Hole, |f| account(f).scheduled.cron_lists = Ok((Some(vec!["deploy".to_owned()]), None))),
    ("account.crontab", Hole, |f| account(f).scheduled.jobs = Ok(vec!["/var/spool/cron/crontabs/deploy".into()])),
    ("account.at", Hole, |f| account(f).scheduled.at_lists = Ok((None, Some(vec![])))),
    ("account.schedulers", Hole, |f| schedules(f, (None, None))),
    ("account.schedulers", Hole, |f| schedules(f, (Some(vec!["deploy".to_owned()]), None))),
    ("account.schedulers", State::Ok, |f| schedules(f, (Some(vec![]), None))),
    ("account.mail", Hole, |f| mail(f, true, None)),
    ("account.mail", State::Ok, |f| mail(f, true, Some("root"))),
    ("account.mail", Hole, |f| mail(f, false, Some("root"))),
    ("account.mail", Unknown, |f| unread(&mut account(f).mail)),
    ("account.linger", Hole, |f| account(f).linger = Ok(true)),
    ("account.home", Warning, |f| mode(&mut account(f).home_walk, 0o777)),
    ("account.home", Warning, |f| account(f).home_walk = Ok(walk("/home/deploy", Kind::Link, AGENT, 0o777))),
    ("account.ssh-dir", Warning, |f| {
        account(f).ssh_dir = Ok(walk("/home/deploy/.ssh", Kind::Directory, FRONT, 0o700).nodes.pop());
    }),
    ("account.personal-files", Warning, |f| account(f).personal = Ok(vec!["~/.ssh/rc".to_owned()])),
    ("account.path", Hole, |f| mode(&mut f.program.config.as_mut().unwrap().path[0].1, 0o777)),
    ("account.path", Hole, |f| owner(&mut f.program.config.as_mut().unwrap().path[0].1, AGENT)),
];

/// Something that root's job has, at the end of this way.
fn job(f: &mut Facts, way: Walk) {
    let path = way.nodes.last().unwrap().path.clone();
    f.host.runs.as_mut().unwrap().push(Run { user: "root".to_owned(), path, by: "/etc/cron.d/x".into(), way });
}

fn privileged(f: &mut Facts, path: &str, setuid: Option<u32>, capabilities: u64) {
    let program = Privileged { path: path.into(), file: (1, 77), setuid, capabilities };
    f.host.privileged.as_mut().unwrap().push(program);
}

fn rule(f: &mut Facts, text: &str) {
    f.logins.polkit.as_mut().unwrap().as_mut().unwrap()[0].text = Some(text.to_owned());
}

fn pam_group(f: &mut Facts, users: &str, group: &str) {
    let module = PamLine { kind: "auth".to_owned(), module: "pam_group.so".to_owned(), arguments: vec![] };
    f.logins.pam.as_mut().unwrap().push(module);
    f.logins.pam_groups = Ok(vec![GroupLine { users: users.to_owned(), groups: vec![group.to_owned()] }]);
}

const GRANTS: &[Case] = &[
    ("account.others-jobs", Hole, |f| job(f, walk("/srv/app/x", Kind::File, AGENT, 0o755))),
    ("account.others-jobs", Hole, |f| job(f, walk("/srv/app/x", Kind::File, 0, 0o757))),
    ("account.others-jobs", Hole, |f| {
        let mut way = Ok(walk("/srv/app/x", Kind::File, 0, 0o755));
        above(&mut way, 0o777);
        job(f, way.unwrap());
    }),
    // There is no such file yet.
    ("account.others-jobs", Hole, |f| {
        job(f, Walk { there: false, ..walk("/srv/app", Kind::Directory, AGENT, 0o755) });
    }),
    ("account.others-jobs", Hole, |f| job(f, walk("/home/deploy/x", Kind::Link, AGENT, 0o777))),
    ("account.others-jobs", Unknown, |f| unread(&mut f.host.runs)),
    ("account.pam-groups", Hole, |f| pam_group(f, "*", "docker")),
    ("account.pam-groups", Hole, |f| pam_group(f, "x|dep*", "sudo")),
    ("account.pam-groups", State::Ok, |f| pam_group(f, "other", "docker")),
    ("account.pam-groups", State::Ok, |f| pam_group(f, "*", "games")),
    ("account.pam-groups", Unknown, |f| unread(&mut f.logins.pam)),
    ("account.polkit", Hole, |f| rule(f, "if (subject.user == 'deploy') return polkit.Result.YES;")),
    ("account.polkit", Hole, |f| rule(f, "if (subject.isInGroup(\"countersign-agents\")) return \"yes\";")),
    ("account.polkit", Hole, |f| rule(f, "/* subject.user */ if (action.id == 'x') return polkit.Result.YES;")),
    ("account.polkit", Hole, |f| rule(f, "if (subject.user.match(/^de/)) return polkit.Result.YES;")),
    ("account.polkit", Hole, |f| rule(f, "[x]\nIdentity=unix-user:a;unix-group:deploy\nAction=y\nResultAny=yes\n")),
    ("account.polkit", State::Ok, |f| rule(f, "[x]\nIdentity=unix-group:wheel\nAction=y\nResultAny=yes\n")),
    ("account.polkit", State::Ok, |f| rule(f, "if (subject.user == 'deploy') return polkit.Result.NO;")),
    ("account.polkit", Hole, |f| {
        f.logins.polkit.as_mut().unwrap().as_mut().unwrap()[0].walk.nodes.last_mut().unwrap().uid = AGENT;
    }),
    ("account.subids", Hole, |f| account(f).subids = Ok(vec!["100000-165535".to_owned()])),
    ("account.subids", Unknown, |f| unread(&mut account(f).subids)),
    ("host.privileged-programs", Hole, |f| privileged(f, "/usr/bin/countersign-sh.old", Some(FRONT), 0)),
    ("host.privileged-programs", Hole, |f| privileged(f, "/usr/local/bin/x", Some(DAEMON), 0)),
    ("host.privileged-programs", Hole, |f| privileged(f, "/usr/bin/python3.11", Some(0), 0)),
    // cap_setuid
    ("host.privileged-programs", Hole, |f| privileged(f, "/usr/bin/perl", None, 1 << 7)),
    ("host.privileged-programs", State::Ok, |f| privileged(f, "/usr/bin/newuidmap", None, 1 << 7)),
    ("host.privileged-programs", State::Ok, |f| privileged(f, "/usr/bin/sudo", Some(0), 0)),
    ("host.privileged-programs", Unknown, |f| unread(&mut f.host.privileged)),
    ("account.polkit", Unknown, |f| unread(&mut f.logins.polkit)),
    ("pam.exec", Hole, |f| f.logins.pam_programs = Ok(vec![walk("/srv/x", Kind::File, AGENT, 0o755)])),
    ("pam.exec", Hole, |f| f.logins.pam_programs = Ok(vec![walk("/srv/x", Kind::File, 0, 0o775)])),
    ("pam.exec", Unknown, |f| unread(&mut f.logins.pam_programs)),
];

/// In a sticky directory what is somebody else's stays; what is not there yet does not.
#[test]
fn a_sticky_directory_keeps_what_is_there() {
    let sticky = |there: bool| {
        let mut way = Ok(walk("/tmp/x", Kind::File, 0, 0o755));
        above(&mut way, 0o1777);
        let mut way = way.unwrap();
        if !there {
            way.nodes.pop();
        }
        let mut facts = facts();
        job(&mut facts, Walk { there, ..way });
        all(&facts).into_iter().find(|finding| finding.check.id == "account.others-jobs").unwrap().state
    };
    assert_eq!((sticky(true), sticky(false)), (State::Ok, Hole));
}

/// The agent's own jobs are account.crontab's.
#[test]
fn its_own_jobs_are_not_others() {
    let mut facts = facts();
    for user in ["deploy", "1001"] {
        job(&mut facts, walk("/home/deploy/x", Kind::File, AGENT, 0o755));
        facts.host.runs.as_mut().unwrap().last_mut().unwrap().user = user.to_owned();
    }
    let found = all(&facts).into_iter().find(|finding| finding.check.id == "account.others-jobs").unwrap();
    assert_eq!(found.state, State::Ok, "{}", found.found);
}

#[test]
fn grants() {
    each(GRANTS);
}

fn told_of_the_agents_file() -> Vec<Known<Walk>> {
    vec![Ok(file("/bin/cat")), Ok(walk("/home/deploy/keys", Kind::File, AGENT, 0o600))]
}

const SSHD: &[Case] = &[
    ("sshd.config", Unknown, |f| unread(&mut f.agents[0].probes[0].settings)),
    ("sshd.config", Hole, |f| f.logins.sshd[0].files.as_mut().unwrap()[0].walk.nodes[2].mode = 0o777),
    ("sshd.force-command", Unknown, |f| unread(&mut f.agents[0].probes[0].settings)),
    ("sshd.force-command", Hole, |f| sshd(f, "forcecommand none")),
    ("sshd.force-command", Hole, |f| sshd(f, "forcecommand /usr/bin/countersign-sh -x")),
    ("sshd.subsystem", Hole, |f| sshd(f, "forcecommand none")),
    ("sshd.subsystem", Hole, |f| sshd(f, "forcecommand internal-sftp")),
    ("sshd.match", Unknown, |f| {
        let block = Conditional { line: "Match Address 10.0.0.0/8".to_owned(), sets: vec!["forcecommand".to_owned()] };
        f.logins.sshd[0].conditional.push(block);
    }),
    ("sshd.disable-forwarding", Hole, |f| sshd(f, "disableforwarding no")),
    ("sshd.tcp-forwarding", Hole, |f| sshd(f, "allowtcpforwarding local")),
    ("sshd.stream-forwarding", Hole, |f| sshd(f, "allowstreamlocalforwarding yes")),
    ("sshd.agent-forwarding", Hole, |f| sshd(f, "allowagentforwarding yes")),
    ("sshd.x11-forwarding", Hole, |f| sshd(f, "x11forwarding yes")),
    ("sshd.gateway-ports", Hole, |f| sshd(f, "gatewayports clientspecified")),
    ("sshd.permit-listen", Warning, |f| sshd(f, "permitlisten any")),
    ("sshd.permit-open", Warning, |f| sshd(f, "permitopen any")),
    ("sshd.permit-tunnel", Hole, |f| sshd(f, "permittunnel ethernet")),
    ("sshd.user-rc", Hole, |f| sshd(f, "permituserrc yes")),
    ("sshd.user-environment", Hole, |f| sshd(f, "permituserenvironment LANG")),
    ("sshd.accept-env", Hole, |f| sshd(f, "acceptenv LANG *")),
    ("sshd.accept-env", Hole, |f| sshd(f, "acceptenv LD_PRELOAD")),
    ("sshd.authorized-keys", Hole, |f| {
        let keys = walk("/home/deploy/.ssh/authorized_keys", Kind::File, AGENT, 0o600);
        f.agents[0].probes[0].keys = vec![Ok(keys)];
    }),
    ("sshd.authorized-keys", Unknown, |f| unread(&mut f.agents[0].probes[0].keys[0])),
    ("sshd.authorized-keys-command", Hole, |f| f.agents[0].probes[0].keys_command = Some(vec![Ok(Walk::default())])),
    ("sshd.authorized-keys-command", Hole, |f| {
        f.agents[0].probes[1].keys_command = Some(vec![Ok(file("/usr/bin/keys"))]);
        sshd(f, "authorizedkeyscommanduser deploy");
    }),
    ("sshd.authorized-principals", Hole, |f| {
        f.agents[0].probes[0].principals = vec![Ok(walk("/home/deploy/p", Kind::File, AGENT, 0o600))];
    }),
    ("sshd.authentication", Warning, |f| sshd(f, "passwordauthentication yes")),
    ("sshd.authorized-keys-command", Hole, |f| f.agents[0].probes[1].keys_command = Some(told_of_the_agents_file())),
    ("sshd.authorized-principals-command", Hole, |f| {
        f.agents[0].probes[1].principals_command = Some(told_of_the_agents_file());
    }),
    ("sshd.authorized-principals-command", Hole, |f| {
        f.agents[0].probes[1].principals_command = Some(vec![Ok(file("/usr/bin/principals"))]);
        sshd(f, "authorizedprincipalscommanduser deploy");
    }),
    ("sshd.certificate-authorities", Hole, |f| {
        f.agents[0].probes[1].authorities = vec![Ok(walk("/etc/ssh/ca.pub", Kind::File, 0, 0o666))];
    }),
    ("sshd.certificate-authorities", Hole, |f| {
        f.agents[0].probes[1].authorities = vec![Ok(walk("/home/deploy/ca.pub", Kind::File, AGENT, 0o600))];
    }),
    ("sshd.hostbased", Hole, |f| sshd(f, "hostbasedauthentication yes")),
    ("sshd.hostbased", Hole, |f| {
        sshd(f, "hostbasedauthentication yes");
        sshd(f, "ignorerhosts shosts-only");
    }),
    ("sshd.chroot", Hole, |f| sshd(f, "chrootdirectory /srv/home")),
    ("sshd.unchecked", Unknown, |f| f.logins.unchecked.here.push("process 3".to_owned())),
    ("sshd.others", Warning, |f| f.logins.unchecked.elsewhere.push("process 3".to_owned())),
    ("sshd.other-daemons", Warning, |f| f.logins.daemons.push("dropbear".to_owned())),
    ("pam.user-readenv", Hole, |f| pam(f, "pam_env.so", "user_readenv=1")),
    ("pam.user-readenv", Hole, |f| pam(f, "pam_env.so", "user_readenv=2")),
    ("pam.user-readenv", Unknown, |f| unread(&mut f.logins.pam)),
    ("pam.systemd", Warning, |f| pam(f, "pam_systemd.so", "")),
    ("pam.identity", Warning, |f| f.logins.pam = Ok(vec![])),
];

fn pam(facts: &mut Facts, module: &str, argument: &str) {
    let line = PamLine { kind: "session".to_owned(), module: module.to_owned(), arguments: vec![argument.to_owned()] };
    facts.logins.pam.as_mut().unwrap().push(line);
}

const HOST: &[Case] = &[
    ("shell.file", Hole, |f| mode(&mut f.program.walk, 0o4755)),
    ("shell.file", Hole, |f| mode(&mut f.program.walk, 0o750)),
    ("shell.file", Hole, |f| owner(&mut f.program.walk, 0)),
    ("shell.file", Hole, |f| f.program.walk = Ok(Walk::default())),
    ("shell.parents", Hole, |f| above(&mut f.program.walk, 0o777)),
    ("shell.mount", Hole, |f| f.program.mount = Ok(vec!["nosuid"])),
    ("shell.listed", Hole, |f| f.logins.shells = Ok(vec!["/bin/countersign-sh".to_owned()])),
    ("shell.config", Hole, |f| mode(&mut f.program.config_walk, 0o666)),
    ("shell.config", Hole, |f| unread(&mut f.program.config)),
    ("shell.inner", Hole, |f| f.program.config.as_mut().unwrap().inner[0].1 = None),
    ("host.users", Hole, |f| f.host.users[0].entry = None),
    ("host.users", Hole, |f| f.host.users[0].entry.as_mut().unwrap().0 = DAEMON),
    ("host.users", Hole, |f| f.host.users[1].entry.as_mut().unwrap().1 = "/bin/sh".into()),
    ("host.users", Hole, |f| f.host.users[1].entry.as_mut().unwrap().2 = Ok(Password::Set)),
    ("host.config", Hole, |f| unread(&mut f.host.config)),
    ("host.config", Hole, |f| f.host.config.as_mut().unwrap().socket = "/tmp/x".into()),
    ("host.config", Hole, |f| f.host.config.as_mut().unwrap().front_user = "deploy".to_owned()),
    ("host.socket", Hole, |f| f.host.listener = Ok(None)),
    ("host.socket", Hole, |f| f.host.listener = Ok(Some(Listener { uid: AGENT, pid: 7 }))),
    ("host.socket-dir", Hole, |f| above(&mut f.host.socket_walk, 0o777)),
    ("host.program", Hole, |f| owner(&mut f.host.program, AGENT)),
    ("host.state-dir", Hole, |f| mode(&mut f.host.state, 0o755)),
    ("host.key", Hole, |f| mode(&mut f.host.key, 0o440)),
    ("host.key", Unknown, |f| unread(&mut f.host.key)),
    ("host.enrolled", Hole, |f| f.host.enrolled.as_mut().unwrap().1 = true),
    ("host.enrolled", Hole, |f| f.host.enrolled.as_mut().unwrap().0.nodes.last_mut().unwrap().mode = 0o644),
    ("host.journal-lock", Hole, |f| f.host.lock = Ok(None)),
    ("host.journal-lock", Hole, |f| f.host.lock = Ok(Some(8))),
    ("host.system-files", Hole, |f| f.host.system_files.as_mut().unwrap()[0].nodes.last_mut().unwrap().mode = 0o666),
    ("host.system-files", Hole, |f| f.host.system_files.as_mut().unwrap()[0].nodes.last_mut().unwrap().uid = AGENT),
    ("host.system-files", Unknown, |f| unread(&mut f.host.system_files)),
    ("host.space", Hole, |f| f.host.free_bytes = Ok(1 << 20)),
    ("host.scarce", Warning, |f| f.host.free_bytes = Ok(1 << 29)),
    ("host.service", Hole, |f| f.host.service = Ok(Err("no answer".to_owned()))),
    ("sshd.system-rc", Warning, |f| f.logins.system_rc = Some("/etc/ssh/sshrc".into())),
    ("host.nologin", Warning, |f| f.logins.nologin = Some("/etc/nologin".into())),
    ("kernel.tiocsti", Hole, |f| sysctl(f, "dev.tty.legacy_tiocsti", Some("1"))),
    ("kernel.tiocsti", Hole, |f| sysctl(f, "dev.tty.legacy_tiocsti", None)),
    ("kernel.suid-dumpable", Hole, |f| sysctl(f, "fs.suid_dumpable", Some("1"))),
    ("kernel.core-pattern", Hole, |f| f.kernel.core_program = Some(Ok(walk("/home/x", Kind::File, AGENT, 0o755)))),
    ("kernel.protected-links", Warning, |f| sysctl(f, "fs.protected_hardlinks", Some("0"))),
    ("kernel.protected-files", Warning, |f| sysctl(f, "fs.protected_fifos", Some("0"))),
    ("kernel.ptrace", Warning, |f| sysctl(f, "kernel.yama.ptrace_scope", None)),
    ("kernel.landlock", Hole, |f| f.kernel.sets_apart = false),
    ("kernel.user-namespaces", Warning, |f| {
        sysctl(f, "kernel.unprivileged_userns_clone", Some("1"));
        sysctl(f, "user.max_user_namespaces", Some("9"));
    }),
    ("kernel.hidepid", Warning, |f| f.kernel.proc_options = Ok("rw,hidepid=2".to_owned())),
    ("kernel.hidepid", Warning, |f| f.kernel.proc_options = Ok(format!("rw,gid={AGENT},hidepid=ptraceable"))),
    ("kernel.clock", Warning, |f| f.kernel.clock = Ok(false)),
    ("kernel.clock", Unknown, |f| unread(&mut f.kernel.clock)),
];

#[test]
fn accounts() {
    each(ACCOUNTS);
}

#[test]
fn sshd_and_pam() {
    each(SSHD);
}

#[test]
fn host_and_kernel() {
    each(HOST);
}

#[test]
fn of_a_host_that_has_little_each_check_says_something_too() {
    let mut facts = facts();
    facts.logins.pam = Ok(vec![]);
    facts.logins.pam_programs = Ok(vec![]);
    facts.logins.polkit = Ok(None);
    facts.logins.shells = Ok(vec![]);
    facts.host.system_files = Ok(vec![]);
    facts.host.runs = Ok(vec![]);
    facts.host.privileged = Ok(vec![]);
    facts.program.config.as_mut().unwrap().path = vec![];
    facts.program.config.as_mut().unwrap().inner = vec![];
    account(&mut facts).groups = vec![];
    account(&mut facts).scheduled.cron = false;
    for probe in &mut facts.agents[0].probes {
        probe.keys = vec![];
        probe.settings = Ok(Settings::parse(""));
    }
    all(&facts).iter().for_each(says_something);
    facts.agents[0].probes = vec![];
    facts.logins.sshd = vec![];
    all(&facts).iter().for_each(says_something);
    facts.agents[0].account = Ok(None);
    all(&facts).iter().for_each(says_something);
}

#[test]
fn every_check_has_a_case() {
    let cases: Vec<&str> = [ACCOUNTS, SSHD, HOST, GRANTS].concat().iter().map(|case| case.0).collect();
    for check in ALL {
        assert!(cases.contains(&check.id), "{} is never spoiled", check.id);
    }
}

#[test]
fn a_sshd_that_could_not_be_looked_at_fails() {
    let mut facts = facts();
    facts.logins.unchecked.here.push("process 3".to_owned());
    assert!(all(&facts).iter().any(|finding| finding.check.id == "sshd.unchecked" && finding.fails()));
}

#[test]
fn what_cannot_be_shown_closed_fails() {
    let mut facts = facts();
    unread(&mut account(&mut facts).password);
    unread(&mut facts.kernel.clock);
    let failing: Vec<_> = all(&facts).into_iter().filter(|finding| finding.fails()).map(|f| f.check.id).collect();
    assert_eq!(failing, ["account.password"], "a warning that is not known is no hole");
}

#[test]
fn with_the_gate_as_login_shell_a_subsystem_program_is_gated_and_the_built_in_one_is_not() {
    for (line, state) in [("sftp /usr/lib/openssh/sftp-server", State::Ok), ("sftp internal-sftp -l INFO", Hole)] {
        let mut facts = facts();
        sshd(&mut facts, "forcecommand none");
        sshd(&mut facts, &format!("subsystem {line}"));
        let found = all(&facts).into_iter().find(|finding| finding.check.id == "sshd.subsystem").unwrap();
        assert_eq!(found.state, state, "{line}: {}", found.found);
    }
}
