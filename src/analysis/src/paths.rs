//! Paths: made absolute where that can be known, and what they are.

mod kinds;

use crate::facts::Place;
use kinds::{accounts, credential, device, gate, harmless_device, home_part, log, persistence, under, whole};

/// What a path is: a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Class(u32);

impl Class {
    /// Below a directory for temporary files.
    pub const TEMPORARY: Self = Self(1);
    /// The root directory, a whole file system, a home or a system directory itself.
    pub const WHOLE: Self = Self(1 << 1);
    /// Belongs to the operating system.
    pub const SYSTEM: Self = Self(1 << 2);
    /// In somebody's home.
    pub const HOME: Self = Self(1 << 3);
    /// Holds keys, passwords or tokens.
    pub const CREDENTIAL: Self = Self(1 << 4);
    /// Says who may log in and become whom.
    pub const ACCOUNTS: Self = Self(1 << 5);
    /// Is run or obeyed later by itself.
    pub const PERSISTENCE: Self = Self(1 << 6);
    /// Logs and histories.
    pub const LOG: Self = Self(1 << 7);
    /// A disk or memory.
    pub const DEVICE: Self = Self(1 << 8);
    /// Settings of the kernel.
    pub const KERNEL: Self = Self(1 << 9);
    /// The socket of a container engine.
    pub const SOCKET: Self = Self(1 << 10);
    /// bash's network "files".
    pub const NETWORK: Self = Self(1 << 11);
    /// Countersign's own files.
    pub const GATE: Self = Self(1 << 12);
    /// Databases, backups and served data.
    pub const DATA: Self = Self(1 << 13);
    /// `/etc`.
    pub const CONFIG: Self = Self(1 << 14);
    /// The list of accounts, without passwords.
    pub const PASSWD: Self = Self(1 << 15);
    /// Where programs and libraries are.
    pub const PROGRAMS: Self = Self(1 << 16);

    const NAMES: [(&'static str, Self); 17] = [
        ("temporary", Self::TEMPORARY),
        ("whole", Self::WHOLE),
        ("system", Self::SYSTEM),
        ("home", Self::HOME),
        ("credential", Self::CREDENTIAL),
        ("accounts", Self::ACCOUNTS),
        ("persistence", Self::PERSISTENCE),
        ("log", Self::LOG),
        ("device", Self::DEVICE),
        ("kernel", Self::KERNEL),
        ("socket", Self::SOCKET),
        ("network", Self::NETWORK),
        ("gate", Self::GATE),
        ("data", Self::DATA),
        ("config", Self::CONFIG),
        ("passwd", Self::PASSWD),
        ("programs", Self::PROGRAMS),
    ];

    /// The class of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
    }

    /// Whether the two have one in common.
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn add(&mut self, other: Self, when: bool) {
        self.0 |= if when { other.0 } else { 0 };
    }

    /// Both together.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `text` as an absolute path without `.`, `..` and doubled slashes, where
/// that can be said; `~` stands for a home that is not known. `None`: it is
/// not a path.
pub fn normal(text: &str, place: &Place<'_>) -> Option<String> {
    let home = place.home.unwrap_or("~");
    let rest = |prefix: &str| text.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let whole = if let Some(rest) = ["~", "$HOME", "${HOME}", "${HOME:?}"].iter().find_map(|prefix| rest(prefix)) {
        format!("{home}{rest}")
    } else if text.starts_with('/') || text.starts_with('~') {
        text.to_owned()
    } else if text.is_empty() || text.starts_with('-') {
        return None;
    } else {
        match place.cwd {
            Some(cwd) => format!("{cwd}/{text}"),
            None => text.to_owned(),
        }
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            // Above the root there is only the root.
            ".." if whole.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    Some(if whole.starts_with('/') { format!("/{joined}") } else { joined })
}

/// A path made absolute, and what it is. Where it leaves a directory that it
/// names, that may be a link: what lies beside the place that a link leads to is
/// not known, and no place for temporary files. It is shown as it stands.
pub fn reached(text: &str, place: &Place<'_>) -> Option<(String, Class)> {
    let path = normal(text, place)?;
    let mut class = class(&path);
    let parts = || text.split('/').filter(|part| !matches!(*part, "" | "."));
    if !parts().skip_while(|part| *part == "..").any(|part| part == "..") {
        return Some((path, class));
    }
    class.0 &= !Class::TEMPORARY.0;
    let shown = match place.cwd {
        Some(cwd) if !text.starts_with(['/', '~', '$']) => format!("{cwd}/{text}"),
        Some(_) | None => text.to_owned(),
    };
    Some((shown, class))
}

/// Whether a path lies below a directory that is not the root, and by its words does not leave it again.
pub fn is_below(path: &str, directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    let rest = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/'));
    !directory.is_empty() && rest.is_some_and(|rest| rest.split('/').all(|part| part != ".."))
}

/// What the path `normal` (see [`normal`]) is.
pub fn class(path: &str) -> Class {
    let mut class = Class::default();
    let name = crate::words::base_name(path);
    let in_home = home_part(path);
    // All of these places are absolute, and most words are not.
    let under = |places: &[&str]| path.starts_with('/') && under(path, places);
    class.add(
        Class::TEMPORARY,
        under(&["/tmp", "/var/tmp", "/dev/shm", "/run/user"])
            || path.starts_with("$TMPDIR")
            || path.starts_with("${TMPDIR"),
    );
    class.add(Class::WHOLE, whole(path, in_home));
    class.add(Class::HOME, in_home.is_some());
    class.add(Class::CONFIG, under(&["/etc", "/usr/local/etc"]));
    class.add(
        Class::SYSTEM,
        under(&[
            "/bin", "/sbin", "/lib", "/lib64", "/usr", "/boot", "/etc", "/var", "/root", "/opt", "/proc", "/sys",
            "/dev", "/run",
        ]) && !harmless_device(path)
            && !class.meets(Class::TEMPORARY),
    );
    class.add(
        Class::PROGRAMS,
        under(&[
            "/bin",
            "/sbin",
            "/lib",
            "/lib64",
            "/usr/bin",
            "/usr/sbin",
            "/usr/lib",
            "/usr/local/bin",
            "/usr/local/sbin",
            "/usr/local/lib",
        ]),
    );
    class.add(Class::CREDENTIAL, credential(path, name));
    class.add(Class::PASSWD, under(&["/etc/passwd", "/etc/group"]));
    class.add(Class::ACCOUNTS, accounts(path));
    class.add(Class::PERSISTENCE, persistence(path, name, in_home));
    class.add(Class::LOG, log(path, name));
    class.add(Class::DEVICE, device(path));
    class.add(Class::KERNEL, under(&["/proc/sys", "/proc/sysrq-trigger", "/sys", "/boot", "/lib/modules"]));
    class.add(
        Class::SOCKET,
        name.ends_with(".sock")
            && ["docker", "containerd", "crio", "podman"].iter().any(|engine| path.contains(engine)),
    );
    class.add(Class::NETWORK, under(&["/dev/tcp", "/dev/udp"]));
    class.add(Class::GATE, gate(path));
    class.add(
        Class::DATA,
        under(&["/srv", "/data", "/mnt", "/media", "/backup", "/backups", "/var/lib", "/var/www", "/var/backups"]),
    );
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_where_that_can_be_said() {
        let place = Place { cwd: Some("/srv/app"), home: Some("/home/a"), ..Place::default() };
        for (text, expected) in [
            ("../x//y/./z", "/srv/x/y/z"),
            ("~/.ssh/id_rsa", "/home/a/.ssh/id_rsa"),
            ("$HOME/x", "/home/a/x"),
            ("//etc///passwd", "/etc/passwd"),
            ("/../../etc", "/etc"),
        ] {
            assert_eq!(normal(text, &place).as_deref(), Some(expected));
        }
        assert_eq!(normal("-rf", &place), None);
        assert_eq!(normal("~/x", &Place::default()).as_deref(), Some("~/x"));
        assert_eq!(normal("../x", &Place::default()).as_deref(), Some("../x"));
    }

    #[test]
    fn paths_are_what_they_are() {
        for (path, yes) in [
            ("/etc/shadow", Class::CREDENTIAL),
            ("/etc/shadow", Class::ACCOUNTS),
            ("~/.aws/credentials", Class::CREDENTIAL),
            ("/proc/1/environ", Class::CREDENTIAL),
            ("/root/.ssh/authorized_keys", Class::PERSISTENCE),
            ("/etc/cron.d/x", Class::PERSISTENCE),
            ("/var/log/auth.log", Class::LOG),
            ("/dev/sda1", Class::DEVICE),
            ("/tmp/x", Class::TEMPORARY),
            ("/", Class::WHOLE),
            ("/*", Class::WHOLE),
            ("~", Class::WHOLE),
            ("/home/a", Class::WHOLE),
            ("/var/run/docker.sock", Class::SOCKET),
            ("/etc/countersign/policy.toml", Class::GATE),
        ] {
            assert!(class(path).meets(yes), "{path}");
        }
        for (path, no) in [
            ("/dev/null", Class::DEVICE.or(Class::SYSTEM)),
            ("~/.ssh/id_rsa.pub", Class::CREDENTIAL),
            ("/srv/app/src", Class::WHOLE.or(Class::SYSTEM)),
            ("/tmp", Class::WHOLE),
            ("/tmpx", Class::TEMPORARY),
            (".env.example", Class::CREDENTIAL),
        ] {
            assert!(!class(path).meets(no), "{path}");
        }
    }
}
