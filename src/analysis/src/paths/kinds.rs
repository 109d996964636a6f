//! Which names and places mean what.

pub(super) fn under(path: &str, directories: &[&str]) -> bool {
    directories.iter().any(|directory| {
        path.strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('*'))
    })
}

/// The part below a home directory.
pub(super) fn home_part(path: &str) -> Option<&str> {
    if let Some(rest) = path.strip_prefix('~').or_else(|| path.strip_prefix("/root")) {
        return match rest.split_once('/') {
            Some((_, rest)) => Some(rest),
            None => Some(""),
        };
    }
    let rest = path.strip_prefix("/home/").or_else(|| path.strip_prefix("/Users/"))?;
    Some(rest.split_once('/').map_or("", |(_, rest)| rest))
}

/// A directory that many things hang on, or all that is in one.
pub(super) fn whole(path: &str, in_home: Option<&str>) -> bool {
    let bare = path.trim_end_matches('*').trim_end_matches('/');
    let top = bare.starts_with('/') && bare.matches('/').count() == 1 && bare != "/tmp";
    bare.is_empty() && path.starts_with('/')
        || top
        || in_home.is_some_and(|rest| rest.trim_end_matches(['*', '.']).is_empty())
        || matches!(
            bare,
            "/usr/bin" | "/usr/lib" | "/usr/sbin" | "/usr/local" | "/usr/share" | "/var/lib" | "/var/log" | "/var/www"
        )
        || matches!(path, "*" | "." | ".." | "./*" | "../*")
}

pub(super) fn harmless_device(path: &str) -> bool {
    matches!(
        path,
        "/dev/null"
            | "/dev/stdin"
            | "/dev/stdout"
            | "/dev/stderr"
            | "/dev/tty"
            | "/dev/zero"
            | "/dev/urandom"
            | "/dev/random"
            | "/dev/full"
    ) || under(path, &["/dev/fd", "/dev/tcp", "/dev/udp", "/proc/self/fd"])
}

const CREDENTIAL_NAMES: [&str; 87] = [
    "credentials.xml",
    "master.key",
    "hudson.util.Secret",
    "initialAdminPassword",
    "gitlab-secrets.json",
    "initial_root_password",
    "secret.key",
    "grafana.db",
    "admin.password",
    "tomcat-users.xml",
    "settings-security.xml",
    "rclone.conf",
    "wp-config.php",
    "LocalSettings.php",
    "debian.cnf",
    "sasl_passwd",
    "chap-secrets",
    "pap-secrets",
    "wpa_supplicant.conf",
    "passdb.tdb",
    "secrets.tdb",
    "rsyncd.secrets",
    "node-token",
    "k3s.yaml",
    "kaggle.json",
    ".vault-pass",
    ".vault_pass",
    ".vault_password",
    "vault_pass.txt",
    ".terraformrc",
    "credentials.tfrc.json",
    "service-account.json",
    "serviceAccountKey.json",
    ".erlang.cookie",
    "shadow",
    "shadow-",
    "gshadow",
    "gshadow-",
    "master.passwd",
    "opasswd",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_ecdsa_sk",
    "id_ed25519_sk",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".my.cnf",
    ".mylogin.cnf",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".dockercfg",
    ".s3cfg",
    ".boto",
    ".vault-token",
    ".env",
    ".envrc",
    ".bash_history",
    ".zsh_history",
    ".mysql_history",
    ".psql_history",
    ".python_history",
    ".rhosts",
    ".shosts",
    "hosts.equiv",
    "credentials",
    "credentials.json",
    "credentials.db",
    "secrets.env",
    "kubeconfig",
    "admin.conf",
    "terraform.tfstate",
    "wallet.dat",
    "logins.json",
    "key4.db",
    "key3.db",
    "cookies.sqlite",
    "Login Data",
    "krb5.keytab",
    "application_default_credentials.json",
    "accessTokens.json",
    ".sudo_as_admin_successful",
    "secring.gpg",
];

pub(super) fn credential(path: &str, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let public = lower.ends_with(".pub")
        || lower.ends_with(".example")
        || lower.ends_with(".sample")
        || lower.ends_with(".template");
    if public {
        return false;
    }
    CREDENTIAL_NAMES.contains(&name)
        || [".kdbx", ".ppk", ".keytab", ".jks", ".keystore", ".p12", ".pfx", ".ovpn"]
            .iter()
            .any(|end| lower.ends_with(end))
        || lower.starts_with(".env.")
        || lower.starts_with("krb5cc_")
        || lower.ends_with("_history") && name.starts_with('.')
        || (lower.ends_with(".key") || lower.ends_with("key.pem"))
            && ["private", "server", "tls", "ssl", "ca", "host"].iter().any(|word| lower.contains(word))
        || lower.ends_with(".key") && (path.starts_with("/etc/") || path.contains("/ssl/"))
        || below_credentials(path)
        || path.ends_with("/.ssh")
        || path.ends_with("/.aws")
        || path.ends_with("/.gnupg")
        || path.starts_with("/etc/ssh/ssh_host_")
        || path.starts_with("/proc/") && of_another_process(path, name)
}

/// What another process has in its memory, its environment or open.
fn of_another_process(path: &str, name: &str) -> bool {
    let own = ["/proc/self/", "/proc/thread-self/", "/proc/$$/"].iter().any(|start| path.starts_with(start));
    matches!(name, "environ" | "mem")
        || name == "maps" && !path.starts_with("/proc/self/")
        || !own && path.contains("/fd/") && !name.is_empty()
}

/// What stands in places for keys, tokens and passwords.
fn below_credentials(path: &str) -> bool {
    // Each of them has one of these, and most paths have none.
    path.contains('/')
        && ["/.", "/etc/", "/run/", "/var/", "/opt/", "jenkins", "ci/"].iter().any(|part| path.contains(part))
        && [
            "/.ssh/",
            "/.aws/",
            "/.gnupg/",
            "/.kube/",
            "/.docker/config.json",
            "/.config/gcloud",
            "/.azure/",
            "/.password-store",
            "/.mozilla/",
            "/.config/google-chrome",
            "/.config/chromium",
            "/.local/share/keyrings",
            "/etc/ssl/private",
            "/etc/pki/tls/private",
            "/etc/letsencrypt",
            "/run/secrets",
            "/var/run/secrets",
            "/etc/security/opasswd",
            "/.config/gh/hosts",
            "/.terraform.d/credentials",
            "/etc/kubernetes/pki",
            "/etc/wireguard",
            "/etc/ipsec.secrets",
            "/.netrc",
            "/jenkins/secrets/",
            "/jenkins_home/secrets/",
            "/gitlab-runner/config.toml",
            "/.gitlab-runner/config.toml",
            "/.BuildServer/config/",
            "/sonatype-work/nexus3/db",
            "/nexus-data/db",
            "/kubelet/pki/",
            "/kubelet/kubeconfig",
            "/etc/rancher/",
            "/.m2/settings.xml",
            "/.cloudflared/",
            "/.config/doctl/",
            "/.fly/config",
            "/.config/rclone/",
            "/.cargo/credentials",
            "/.gem/credentials",
            "/.huggingface/token",
            "/.config/op/",
            "/NetworkManager/system-connections/",
            "/etc/openvpn/",
            "/.drone/",
            "/etc/drone",
            "/.circleci/cli.yml",
            "/buildkite-agent.cfg",
            "/pgbouncer/userlist.txt",
            "/.composer/auth.json",
            "/containers/auth.json",
        ]
        .iter()
        .any(|part| path.contains(part) && !path.ends_with("/known_hosts") && !path.ends_with("/config.d"))
}

pub(super) fn accounts(path: &str) -> bool {
    under(
        path,
        &[
            "/etc/passwd",
            "/etc/group",
            "/etc/shadow",
            "/etc/gshadow",
            "/etc/sudoers",
            "/etc/sudoers.d",
            "/etc/doas.conf",
            "/etc/security",
            "/etc/pam.d",
            "/etc/login.defs",
            "/etc/nsswitch.conf",
            "/etc/polkit-1",
        ],
    )
}

const RUN_COMMANDS: [&str; 31] = [
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".shrc",
    ".zshrc",
    ".zprofile",
    ".zshenv",
    ".zlogin",
    ".kshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".vimrc",
    ".exrc",
    ".inputrc",
    ".xinitrc",
    ".xprofile",
    ".xsession",
    ".forward",
    ".procmailrc",
    ".pam_environment",
    "authorized_keys",
    "authorized_keys2",
    ".gdbinit",
    ".screenrc",
    ".tmux.conf",
    "sitecustomize.py",
    "usercustomize.py",
];

const BELOW_ETC: [&str; 38] = [
    "cron.d",
    "cron.daily",
    "cron.hourly",
    "cron.weekly",
    "cron.monthly",
    "crontab",
    "crontabs",
    "rc.local",
    "rc.d",
    "init.d",
    "profile.d",
    "update-motd.d",
    "udev",
    "ld.so.preload",
    "ld.so.conf",
    "ld.so.conf.d",
    "xinetd.d",
    "inetd.conf",
    "logrotate.d",
    "modprobe.d",
    "modules-load.d",
    "modules",
    "apt.conf.d",
    "environment",
    "profile",
    "bash.bashrc",
    "bashrc",
    "zshrc",
    "rc",
    "inittab",
    "anacrontab",
    "hosts",
    "resolv.conf",
    "motd",
    "aliases",
    "NetworkManager",
    "dnsmasq.conf",
    "default",
];
const ELSEWHERE: [&str; 15] = [
    "/var/spool/cron",
    "/var/spool/at",
    "/etc/systemd",
    "/lib/systemd",
    "/usr/lib/systemd",
    "/run/systemd",
    "/etc/ssh",
    "/etc/xdg/autostart",
    "/lib/udev",
    "/usr/share/dbus-1",
    "/etc/dbus-1",
    "/var/spool/anacron",
    "/Library/LaunchDaemons",
    "/Library/LaunchAgents",
    "/usr/local/etc/rc.d",
];
const IN_HOME: [&str; 9] = [
    ".config/systemd",
    ".config/autostart",
    ".ssh/rc",
    ".ssh/config",
    ".ssh/environment",
    ".local/share/systemd",
    "Library/LaunchAgents",
    ".config/fish",
    ".kde",
];

pub(super) fn persistence(path: &str, name: &str, in_home: Option<&str>) -> bool {
    RUN_COMMANDS.contains(&name)
        || name.ends_with(".pth") && path.contains("site-packages")
        || path.len() > name.len() && path.contains(".git/hooks/")
        || path.strip_prefix("/etc/").is_some_and(|rest| under(rest, &BELOW_ETC))
        || path.starts_with('/') && under(path, &ELSEWHERE)
        || in_home.is_some_and(|rest| IN_HOME.iter().any(|part| rest.starts_with(part)))
        || path.ends_with(".ssh/rc")
}

pub(super) fn log(path: &str, name: &str) -> bool {
    under(path, &["/var/log", "/run/utmp", "/var/run/utmp", "/run/log"])
        || (name.starts_with('.') && name.ends_with("_history"))
        || name == "$HISTFILE"
        || matches!(name, "wtmp" | "btmp" | "utmp" | "lastlog")
}

pub(super) fn device(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/dev/") else { return matches!(path, "/proc/kcore" | "/proc/kmem") };
    ["sd", "hd", "vd", "xvd", "nvme", "mmcblk", "dm-", "md", "mapper/", "disk/", "loop", "sr", "ram", "rdisk", "zvol/"]
        .iter()
        .any(|start| name.strip_prefix(start).is_some_and(|rest| start.ends_with(['/', '-']) || rest.len() <= 6))
        || matches!(name, "mem" | "kmem" | "port" | "sda" | "nbd0")
}

pub(super) fn gate(path: &str) -> bool {
    under(path, &["/etc/countersign", "/var/lib/countersign", "/run/countersign", "/usr/lib/countersign"])
        || path.contains("/countersign-")
            && (path.contains("/bin/")
                || path.contains("systemd")
                || path.contains("/countersign-hostd")
                || path.contains("/countersign-sh"))
}
