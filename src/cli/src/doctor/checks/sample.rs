//! A host as the documentation wants it, for tests to spoil.

use crate::doctor::facts::*;
use std::path::{Path, PathBuf};

/// Uids and gids of the sample.
pub const FRONT: u32 = 101;
pub const DAEMON: u32 = 102;
pub const AGENT: u32 = 1001;
pub const AGENTS_GID: u32 = 105;

/// A path with everything above it root's; the last entry as given.
pub fn walk(path: &str, kind: Kind, uid: u32, mode: u32) -> Walk {
    let path = Path::new(path);
    let mut above: Vec<PathBuf> = path.ancestors().map(Path::to_owned).collect();
    above.reverse();
    let last = above.len() - 1;
    let node = |(at, path): (usize, PathBuf)| {
        let (kind, uid, mode) = if at == last { (kind, uid, mode) } else { (Kind::Directory, 0, 0o755) };
        let inode = path.as_os_str().len() as u64;
        Node { path, kind, uid, gid: uid, mode, file: (1, inode) }
    };
    Walk { nodes: above.into_iter().enumerate().map(node).collect(), there: true }
}

pub fn file(path: &str) -> Walk {
    walk(path, Kind::File, 0, 0o644)
}

fn settings() -> Settings {
    Settings::parse(
        "usepam yes\nforcecommand /usr/bin/countersign-sh\nsubsystem sftp internal-sftp\ndisableforwarding yes\n\
         allowtcpforwarding no\nallowstreamlocalforwarding no\nallowagentforwarding no\nx11forwarding no\n\
         gatewayports no\npermitlisten none\npermitopen none\npermittunnel no\npermituserrc no\n\
         permituserenvironment no\nacceptenv LANG\nacceptenv LC_*\nacceptenv COUNTERSIGN_*\n\
         passwordauthentication no\nkbdinteractiveauthentication no\nhostbasedauthentication no\nignorerhosts no\nchrootdirectory none\n\
         authorizedkeysfile /etc/ssh/authorized_keys.d/%u\nauthorizedkeyscommand none\n",
    )
}

pub fn shell() -> Walk {
    let mut walk = walk("/usr/bin/countersign-sh", Kind::File, FRONT, 0o4750);
    walk.nodes.last_mut().unwrap().gid = AGENTS_GID;
    walk
}

fn agent() -> Agent {
    let probe = |address| Probe {
        config: "/etc/ssh/sshd_config".to_owned(),
        address,
        settings: Ok(settings()),
        keys: vec![Ok(file("/etc/ssh/authorized_keys.d/deploy"))],
        principals: vec![],
        authorities: vec![],
        keys_command: None,
        principals_command: None,
    };
    let home = walk("/home/deploy", Kind::Directory, AGENT, 0o755);
    let account = Account {
        uid: AGENT,
        home: "/home/deploy".into(),
        shell: "/usr/bin/countersign-sh".into(),
        groups: vec![(1001, "deploy".to_owned()), (AGENTS_GID, "countersign-agents".to_owned())],
        same_uid: Ok(vec![]),
        shell_walk: Ok(shell()),
        password: Ok(Password::Locked),
        expired: Ok(false),
        sudo: Ok(None),
        scheduled: Scheduled {
            cron: true,
            cron_lists: Ok((Some(vec!["root".to_owned()]), None)),
            at: true,
            at_lists: Ok((None, None)),
            others: vec![],
            jobs: Ok(vec![]),
        },
        mail: Ok(Mail { servers: vec![], elsewhere: None, files: vec![] }),
        linger: Ok(false),
        home_walk: Ok(home),
        ssh_dir: Ok(None),
        personal: Ok(vec![]),
        subids: Ok(vec![]),
    };
    Agent {
        name: "deploy".to_owned(),
        account: Ok(Some(account)),
        probes: vec![probe("127.0.0.1"), probe("192.0.2.1")],
    }
}

fn logins() -> Logins {
    let exec = PamLine {
        kind: "session".to_owned(),
        module: "pam_exec.so".to_owned(),
        arguments: vec!["/usr/lib/countersign/register".to_owned()],
    };
    Logins {
        sshd: vec![SshdFiles {
            config: "/etc/ssh/sshd_config".to_owned(),
            files: Ok(vec![Document { walk: file("/etc/ssh/sshd_config"), text: Some(String::new()) }]),
            conditional: vec![],
        }],
        unchecked: Unchecked::default(),
        daemons: vec![],
        pam: Ok(vec![exec]),
        pam_programs: Ok(vec![walk("/usr/lib/countersign/register", Kind::File, 0, 0o755)]),
        pam_groups: Ok(vec![]),
        polkit: Ok(Some(vec![Document {
            walk: file("/usr/share/polkit-1/rules.d/50-default.rules"),
            text: Some("if (subject.isInGroup(\"netdev\")) return polkit.Result.YES;".to_owned()),
        }])),
        system_rc: None,
        nologin: None,
        shells: Ok(vec!["/bin/bash".to_owned()]),
        chsh: Ok(walk("/usr/bin/chsh", Kind::File, 0, 0o4755)),
        doas: None,
        container_sockets: Ok(vec![]),
    }
}

fn host() -> Host {
    let state = "/var/lib/countersign/host";
    let private = |name: &str, kind, mode| walk(&format!("{state}{name}"), kind, DAEMON, mode);
    let user = |name, uid| SystemUser { name, entry: Some((uid, "/usr/sbin/nologin".into(), Ok(Password::Locked))) };
    Host {
        users: [user("countersign", FRONT), user("countersign-hostd", DAEMON)],
        daemon_gids: vec![DAEMON],
        agents_gid: Some(AGENTS_GID),
        config_walk: Ok(file("/etc/countersign/hostd.toml")),
        config: Ok(HostConfig {
            state_dir: state.into(),
            socket: "/run/countersign/hostd.sock".into(),
            front_user: "countersign".to_owned(),
            keep_free_bytes: 1 << 30,
        }),
        socket_walk: Ok(walk("/run/countersign/hostd.sock", Kind::Other, DAEMON, 0o666)),
        listener: Ok(Some(Listener { uid: DAEMON, pid: 7 })),
        program: Ok(walk("/usr/bin/countersign-hostd", Kind::File, 0, 0o755)),
        state: Ok(private("", Kind::Directory, 0o700)),
        key: Ok(private("/identity.key", Kind::File, 0o400)),
        enrolled: Ok((private("/host.json", Kind::File, 0o600), false)),
        lock: Ok(Some(7)),
        system_files: Ok(vec![file("/etc/passwd"), Walk::default()]),
        runs: Ok(vec![Run {
            user: "root".to_owned(),
            path: "/usr/sbin/logrotate".into(),
            by: "/etc/cron.d/logrotate".into(),
            way: walk("/usr/sbin/logrotate", Kind::File, 0, 0o755),
        }]),
        privileged: Ok(vec![
            Privileged { path: "/usr/bin/su".into(), file: (1, 9000), setuid: Some(0), capabilities: 0 },
            // cap_net_raw
            Privileged { path: "/usr/bin/ping".into(), file: (1, 9001), setuid: None, capabilities: 1 << 13 },
            Privileged {
                path: "/usr/bin/countersign-sh".into(),
                file: shell().target().unwrap().file,
                setuid: Some(FRONT),
                capabilities: 0,
            },
        ]),
        free_bytes: Ok(1 << 30),
        service: Ok(Ok("https://countersign.example answers".to_owned())),
    }
}

/// All of it, in order.
pub fn facts() -> Facts {
    let sysctl = |(name, value): (&'static str, &str)| (name, Ok(Some(value.to_owned())));
    Facts {
        agents: vec![agent()],
        logins: logins(),
        program: Program {
            path: "/usr/bin/countersign-sh".into(),
            walk: Ok(shell()),
            mount: Ok(vec![]),
            config_walk: Ok(file("/etc/countersign/countersign-sh.toml")),
            config: Ok(ShellConfig {
                socket: "/run/countersign/hostd.sock".into(),
                path: vec![("/usr/bin".into(), Ok(walk("/usr/bin", Kind::Directory, 0, 0o755)))],
                inner: vec![("bash".to_owned(), Some(Ok(walk("/usr/bin/bash", Kind::File, 0, 0o755))))],
            }),
        },
        host: host(),
        kernel: Kernel {
            sysctl: [
                ("dev.tty.legacy_tiocsti", "0"),
                ("fs.suid_dumpable", "0"),
                ("fs.protected_symlinks", "1"),
                ("fs.protected_hardlinks", "1"),
                ("fs.protected_fifos", "1"),
                ("fs.protected_regular", "2"),
                ("kernel.core_pattern", "core"),
                ("kernel.yama.ptrace_scope", "1"),
                ("kernel.unprivileged_userns_clone", "0"),
                ("user.max_user_namespaces", "0"),
            ]
            .map(sysctl)
            .into(),
            core_program: None,
            sets_apart: true,
            proc_options: Ok(format!("rw,gid={DAEMON},hidepid=2")),
            clock: Ok(true),
        },
    }
}
