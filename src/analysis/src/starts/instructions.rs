//! Files that a program takes its instructions or settings from, where its words
//! name them, and those of a home that it reads unasked: each is looked at as a
//! script is.
//!
//! `-C DIR` and its like are not among them: they name the working directory,
//! which decides about what runs there just as `cd DIR` does.

use super::path_of;
use crate::facts::Word;
use crate::programs::is_input;

/// What a program reads.
pub(super) struct Named {
    /// The path as it stands there.
    pub(super) path: String,
    /// Whether it is a directory of such files.
    pub(super) is_directory: bool,
}

/// Which words of a program name such files.
struct Takes {
    programs: &'static [&'static str],
    /// A word that comes first: `compose`. What follows its own options is another command's.
    with: Option<&'static str>,
    /// Options whose value is a file: long ones by name, short ones by letter.
    files: (&'static [&'static str], &'static str),
    /// Options whose value is a directory.
    directories: (&'static [&'static str], &'static str),
    /// Other options with a value, where operands count.
    valued: (&'static [&'static str], &'static str),
    /// Whether a value without a slash is the name of a library, and no file here.
    libraries: bool,
    /// How many operands are such files.
    operands: usize,
    /// Whether an operand is one only where its path begins at the root: another is the name of a package or the like.
    absolute: bool,
    /// A first word after which the options mean something else.
    unless: Option<&'static str>,
}

const NONE: Takes = Takes {
    programs: &[],
    with: None,
    files: (&[], ""),
    directories: (&[], ""),
    valued: (&[], ""),
    libraries: false,
    operands: 0,
    absolute: false,
    unless: None,
};
const ALL: usize = usize::MAX;
/// What stands before a path where a package is named by one.
const LINKS: [&str; 3] = ["file:/", "link:/", "portal:/"];
const COMPOSE: Takes = Takes {
    files: (&["file", "env-file"], "f"),
    directories: (&["project-directory"], ""),
    valued: (&["project-name", "profile", "parallel", "ansi", "progress"], "p"),
    ..NONE
};

const TAKES: &[Takes] = &[
    Takes { programs: &["docker", "podman", "nerdctl"], with: Some("compose"), ..COMPOSE },
    Takes { programs: &["docker-compose", "podman-compose"], with: Some(""), ..COMPOSE },
    Takes {
        programs: &["ansible-playbook"],
        valued: (
            &[
                "limit",
                "extra-vars",
                "tags",
                "skip-tags",
                "user",
                "forks",
                "connection",
                "timeout",
                "start-at-task",
                "become-user",
                "become-method",
                "private-key",
            ],
            "leutfcT",
        ),
        operands: ALL,
        ..NONE
    },
    Takes { programs: &["git"], directories: (&["git-dir"], ""), ..NONE },
    Takes { programs: &["make", "gmake"], directories: (&["include-dir"], "I"), ..NONE },
    Takes { programs: &["cargo"], files: (&["manifest-path", "config"], ""), ..NONE },
    Takes { programs: &["cmake"], files: (&[], "PC"), valued: (&[], "DUGTABS"), ..NONE },
    Takes { programs: &["ctest"], files: (&["script", "script-new-process"], "S"), ..NONE },
    Takes { programs: &["ninja", "samu"], files: (&[], "f"), ..NONE },
    Takes { programs: &["just"], files: (&["justfile"], "f"), ..NONE },
    Takes { programs: &["task", "go-task"], files: (&["taskfile"], "t"), ..NONE },
    Takes { programs: &["rake"], files: (&["rakefile"], "f"), ..NONE },
    Takes { programs: &["scons"], files: (&["file", "makefile", "sconstruct"], "f"), ..NONE },
    Takes {
        programs: &["ant"],
        files: (&["buildfile", "file"], "f"),
        directories: (&["lib"], ""),
        valued: (&[], "D"),
        ..NONE
    },
    Takes { programs: &["mvn"], files: (&["file", "settings", "global-settings"], "fs"), valued: (&[], "DPT"), ..NONE },
    Takes {
        programs: &["gradle"],
        files: (&["build-file", "settings-file", "init-script"], "bcI"),
        valued: (&[], "DPxp"),
        ..NONE
    },
    Takes {
        programs: &["pip", "pip3"],
        files: (&["requirement", "constraint", "find-links", "index-url", "extra-index-url"], "rcfi"),
        valued: (&["target", "prefix", "root", "src", "dest", "log", "cache-dir", "cert"], "td"),
        operands: ALL,
        absolute: true,
        ..NONE
    },
    Takes { programs: &["npm", "npx"], files: (&["userconfig", "globalconfig", "script-shell"], ""), ..NONE },
    Takes { programs: &["kubectl", "helm"], files: (&["kubeconfig", "post-renderer"], ""), ..NONE },
    Takes {
        programs: &["kubectl", "oc"],
        files: (&["filename", "patch-file"], "f"),
        directories: (&["kustomize"], "k"),
        valued: (&["namespace", "context", "cluster", "user", "server", "token"], "ns"),
        unless: Some("logs"),
        ..NONE
    },
    Takes { programs: &["helm"], files: (&["values"], "f"), operands: ALL, absolute: true, ..NONE },
    Takes { programs: &["terraform", "tofu"], directories: (&["plugin-dir", "from-module"], ""), ..NONE },
    Takes { programs: &["dpkg"], files: (&["install", "unpack"], "i"), operands: ALL, absolute: true, ..NONE },
    Takes {
        programs: &["apt", "apt-get", "aptitude", "dnf", "yum", "zypper", "snap", "rpm"],
        operands: ALL,
        absolute: true,
        ..NONE
    },
    Takes {
        programs: &["npm", "pnpm", "yarn", "gem"],
        valued: (&["prefix", "dir", "cwd", "cache", "install-dir", "bindir"], "C"),
        operands: ALL,
        absolute: true,
        ..NONE
    },
    Takes { programs: &["cargo"], directories: (&["path"], ""), ..NONE },
    Takes {
        programs: &["docker", "podman", "nerdctl"],
        with: Some("build"),
        files: (&["file"], "f"),
        operands: ALL,
        absolute: true,
        ..NONE
    },
    Takes {
        programs: &["docker"],
        with: Some("deploy"),
        files: (&["compose-file"], "c"),
        operands: ALL,
        absolute: true,
        ..NONE
    },
    Takes {
        programs: &["docker", "podman", "nerdctl"],
        with: Some("load"),
        files: (&["input"], "i"),
        operands: ALL,
        absolute: true,
        ..NONE
    },
    Takes { programs: &["podman"], with: Some("kube"), operands: ALL, ..NONE },
    Takes { programs: &["systemctl"], operands: ALL, absolute: true, ..NONE },
    Takes { programs: &["crontab"], valued: (&[], "u"), operands: ALL, ..NONE },
    Takes { programs: &["nft"], files: (&["file"], "f"), ..NONE },
    Takes { programs: &["iptables-restore", "ip6tables-restore", "insmod"], operands: 1, ..NONE },
    Takes { programs: &["sysctl"], operands: ALL, absolute: true, ..NONE },
    Takes { programs: &["nginx", "gunicorn", "caddy"], files: (&["config"], "c"), valued: (&[], "pg"), ..NONE },
    Takes { programs: &["rsyslogd", "sshd", "lighttpd", "httpd", "apache2"], files: (&["config"], "f"), ..NONE },
    Takes { programs: &["dnsmasq"], files: (&["conf-file", "conf-script", "dhcp-script"], "C"), ..NONE },
    Takes {
        programs: &["openvpn"],
        files: (&["config", "up", "down", "route-up", "ipchange", "tls-verify", "client-connect", "learn-address"], ""),
        ..NONE
    },
    Takes { programs: &["haproxy"], files: (&[], "f"), ..NONE },
    Takes { programs: &["redis-server"], operands: 1, absolute: true, ..NONE },
    Takes { programs: &["uwsgi"], files: (&["ini", "yaml", "xml", "json"], ""), ..NONE },
    Takes { programs: &["pytest", "py.test"], files: (&["config-file"], "c"), operands: ALL, absolute: true, ..NONE },
    Takes { programs: &["supervisord"], files: (&["configuration"], "c"), ..NONE },
    Takes {
        programs: &["logrotate"],
        files: (&["mail"], "m"),
        valued: (&["state", "log"], "sl"),
        operands: ALL,
        ..NONE
    },
    Takes { programs: &["at", "batch"], files: (&[], "f"), ..NONE },
    Takes { programs: &["tmux"], files: (&[], "f"), ..NONE },
    Takes { programs: &["screen"], files: (&[], "c"), ..NONE },
    Takes {
        programs: &["gdb"],
        files: (&["command", "init-command"], "x"),
        directories: (&["data-directory"], ""),
        valued: (&["ex", "iex", "eval-command", "init-eval-command"], ""),
        ..NONE
    },
    Takes { programs: &["lldb"], files: (&["source", "source-before-file", "source-on-crash"], "sSO"), ..NONE },
    Takes { programs: &["vim", "vi", "nvim", "view", "ex", "vimdiff"], files: (&[], "Sus"), ..NONE },
    Takes { programs: &["emacs"], files: (&["load", "script"], "l"), directories: (&["directory"], "L"), ..NONE },
    Takes { programs: &["less"], files: (&["lesskey-file", "lesskey-src"], "k"), ..NONE },
    Takes { programs: &["man"], files: (&["config-file"], "C"), ..NONE },
    Takes {
        programs: &["mysql", "mariadb", "mysqldump", "mysqladmin"],
        files: (&["defaults-file", "defaults-extra-file"], ""),
        directories: (&["plugin-dir"], ""),
        ..NONE
    },
    Takes {
        programs: &["gpg", "gpg2"],
        files: (&["options", "agent-program", "photo-viewer", "exec-path"], ""),
        directories: (&["homedir"], ""),
        ..NONE
    },
    Takes { programs: &["ssh"], files: (&[], "I"), valued: (&[], "BbcDEeFiJLlmOopQRSWw"), ..NONE },
    Takes { programs: &["ssh-keygen"], files: (&[], "Dw"), ..NONE },
    Takes { programs: &["nm", "ar", "ranlib", "size", "strip", "gcc-nm", "gcc-ar"], files: (&["plugin"], ""), ..NONE },
    Takes { programs: &["perl"], directories: (&[], "I"), ..NONE },
    Takes { programs: &["ruby"], files: (&["require"], "r"), directories: (&[], "I"), libraries: true, ..NONE },
    Takes {
        programs: &["node", "nodejs"],
        files: (&["require", "import", "loader", "experimental-loader"], "r"),
        libraries: true,
        ..NONE
    },
    Takes { programs: &["php"], files: (&["php-ini"], "cz"), valued: (&[], "rdBREF"), ..NONE },
    Takes { programs: &["java"], files: (&["jar", "cp", "classpath", "class-path", "p", "module-path"], ""), ..NONE },
    Takes {
        programs: &["mono", "wine", "ldd", "escript", "raku", "jruby", "kotlin", "tsx", "ts-node"],
        operands: 1,
        ..NONE
    },
    Takes {
        programs: &["prove", "dotnet", "puppet", "uwsgi", "openvpn", "wg-quick", "hostapd", "procmail", "lsyncd"],
        operands: ALL,
        absolute: true,
        ..NONE
    },
    Takes { programs: &["sftp"], files: (&[], "b"), valued: (&[], "BcDFiJlMmoPRSsX"), ..NONE },
    Takes { programs: &["rsync"], files: (&["config"], ""), ..NONE },
    Takes { programs: &["ssh-add"], files: (&[], "s"), valued: (&[], "EehHtT"), ..NONE },
    Takes { programs: &["docker"], directories: (&["config"], ""), ..NONE },
    Takes { programs: &["nginx"], directories: (&[], "p"), valued: (&[], "cge"), ..NONE },
    Takes { programs: &["bc"], operands: ALL, ..NONE },
    Takes { programs: &["dc"], files: (&["file"], "f"), valued: (&["expression"], "e"), operands: ALL, ..NONE },
    Takes {
        programs: &["m4", "gm4"],
        files: (&["reload-state"], "R"),
        directories: (&["include"], "I"),
        valued: (&["define", "undefine", "freeze-state", "trace"], "DUFtlLHNo"),
        operands: ALL,
        ..NONE
    },
    Takes { programs: &["gnuplot"], files: (&[], "c"), valued: (&[], "e"), operands: ALL, ..NONE },
    Takes { programs: &["octave", "octave-cli"], valued: (&["eval"], ""), operands: 1, ..NONE },
];

/// Files of a home that make programs run others, for programs that read them
/// unasked, where an account has mostly none.
const OF_HOME: &[(&[&str], &[&str])] = &[
    (&["rsync"], &[".popt", ".ssh/config"]),
    (&["rpm", "rpmbuild", "rpm2cpio"], &[".popt", ".rpmmacros", ".rpmrc"]),
    (&["ssh", "scp", "sftp"], &[".ssh/config"]),
    (&["curl"], &[".curlrc", ".config/curlrc"]),
    (&["wget"], &[".wgetrc"]),
    (&["aria2c"], &[".aria2/aria2.conf", ".config/aria2/aria2.conf"]),
    (&["psql"], &[".psqlrc"]),
    (&["sqlite3"], &[".sqliterc", ".config/sqlite3/sqliterc"]),
    (&["gdb"], &[".gdbinit", ".gdbearlyinit", ".config/gdb/gdbinit"]),
    (&["less"], &[".less", ".lesskey", ".config/lesskey"]),
    (&["mail", "mailx", "s-nail"], &[".mailrc"]),
    (&["gpg", "gpg2"], &[".gnupg/gpg.conf", ".gnupg/gpg-agent.conf"]),
    (&["docker"], &[".docker/cli-plugins"]),
    (&["pip", "pip3"], &[".pip/pip.conf", ".config/pip/pip.conf"]),
    (&["Rscript", "R"], &[".Rprofile", ".Renviron"]),
    (&["gnuplot"], &[".gnuplot"]),
    (&["octave", "octave-cli"], &[".octaverc"]),
    (&["gnuplot"], &[".config/gnuplot/gnuplotrc"]),
    (&["parallel"], &[".parallel/config"]),
    (&["sshfs", "ssh-copy-id", "mosh", "autossh", "slogin"], &[".ssh/config"]),
    (&["man", "apropos", "whatis", "mandb"], &[".manpath"]),
    (&["mvn"], &[".mavenrc", ".m2/settings.xml"]),
    (&["gradle"], &[".gradle/init.gradle", ".gradle/init.gradle.kts", ".gradle/init.d", ".gradle/gradle.properties"]),
    (&["ant"], &[".antrc", ".ant/ant.conf"]),
    (&["lein"], &[".lein/profiles.clj", ".lein/init.clj"]),
    (&["cargo"], &[".cargo/config.toml", ".cargo/config"]),
    (&["go"], &[".config/go/env"]),
    (&["yarn", "yarnpkg"], &[".yarnrc", ".yarnrc.yml"]),
    (&["pnpm"], &[".config/pnpm/rc"]),
    (&["tmux"], &[".tmux.conf", ".config/tmux/tmux.conf"]),
    (&["screen"], &[".screenrc"]),
    (&["ansible", "ansible-playbook", "ansible-galaxy", "ansible-inventory"], &[".ansible.cfg"]),
    (&["terraform"], &[".terraformrc"]),
    (&["tofu"], &[".tofurc", ".terraformrc"]),
    (&["vagrant"], &[".vagrant.d/Vagrantfile"]),
    (&["podman", "buildah"], &[".config/containers/containers.conf"]),
    (&["dpkg"], &[".dpkg.cfg"]),
    (&["debuild", "debsign", "uscan", "dch", "debchange"], &[".devscripts"]),
    (&["quilt"], &[".quiltrc"]),
    (&["hg"], &[".hgrc", ".config/hg/hgrc"]),
    (&["expect"], &[".expect.rc"]),
    (&["lldb"], &[".lldbinit"]),
    (&["erl"], &[".erlang", ".config/erlang/.erlang"]),
    (&["julia"], &[".julia/config/startup.jl"]),
    (&["sbcl"], &[".sbclrc"]),
    (&["ipython", "ipython3"], &[".ipython/profile_default/ipython_config.py", ".ipython/profile_default/startup"]),
    (&["pylint"], &[".pylintrc", ".config/pylintrc"]),
    (&["mypy"], &[".mypy.ini", ".config/mypy/config"]),
    (&["mongo", "mongosh"], &[".mongorc.js", ".mongoshrc.js"]),
    (&["duckdb"], &[".duckdbrc"]),
    (&["lftp"], &[".lftprc", ".lftp/rc", ".config/lftp/rc"]),
    (&["ftp"], &[".netrc"]),
    (&["mutt", "neomutt"], &[".muttrc", ".mutt/muttrc", ".config/mutt/muttrc"]),
    (&["msmtp", "sendmail"], &[".msmtprc", ".config/msmtp/config"]),
    (&["ack"], &[".ackrc"]),
    (&["bat"], &[".config/bat/config"]),
    (&["nmap"], &[".nmap"]),
    (&["tshark"], &[".config/wireshark/init.lua", ".local/lib/wireshark/plugins"]),
];

/// Files of the home that a program reads its settings from.
pub(super) fn of_home(program: &str) -> impl Iterator<Item = String> {
    let known = OF_HOME.iter().filter(move |(programs, _)| programs.contains(&program));
    known.flat_map(|(_, files)| files.iter()).map(|file| format!("~/{file}"))
}

/// Whether an operand of a program is such a file where it begins at the root.
pub(super) fn takes_paths(program: &str) -> bool {
    TAKES.iter().any(|takes| takes.absolute && takes.programs.contains(&program))
}

/// Whether a program is in this table.
pub(super) fn is_known(program: &str) -> bool {
    TAKES.iter().any(|takes| takes.programs.contains(&program))
}

/// What the words of a program name; `None` where that cannot be told.
pub(super) fn instructions(program: &str, arguments: &[Word]) -> Option<Vec<Named>> {
    let mut found = Vec::new();
    for takes in TAKES.iter().filter(|takes| takes.programs.contains(&program)) {
        takes.read(arguments, &mut found)?;
    }
    Some(found)
}

impl Takes {
    fn read(&self, arguments: &[Word], found: &mut Vec<Named>) -> Option<()> {
        let from = match self.with {
            Some(first) if !first.is_empty() => match arguments.iter().position(|word| word.text == first) {
                Some(at) => at + 1,
                None => return Some(()),
            },
            Some(_) | None => 0,
        };
        if self.unless.is_some_and(|first| self.begins_with(first, arguments)) {
            return Some(());
        }
        let mut rest = arguments.iter().skip(from);
        let (mut options, mut operands) = (true, 0);
        while let Some(word) = rest.next() {
            if options && word.text == "--" {
                options = false;
            } else if options && word.text.len() > 1 && word.text.starts_with('-') {
                let Some((is_directory, value)) = self.option(&word.text) else { continue };
                let path = match value {
                    Some(value) => word.exact().map(|_| value.to_owned()),
                    None => path_of(rest.next()?),
                };
                if let Some(is_directory) = is_directory {
                    let path = path?;
                    if !self.libraries || path.contains('/') {
                        take(&path, is_directory, found)?;
                    }
                }
            } else if operands < self.operands {
                operands += 1;
                let path = path_of(word);
                // `file:/srv/x`, `x@file:/srv/x`, `x @ git+file:///srv/x`, `link:/srv/x`.
                let path = path.map(|path| match LINKS.iter().find_map(|link| path.split_once(link)) {
                    Some((_, place)) if self.absolute => format!("/{}", place.trim_start_matches('/')),
                    Some(_) | None => path,
                });
                if self.absolute && !path.as_ref().is_some_and(|path| path.starts_with(['/', '~'])) {
                    continue;
                }
                take(&path?, false, found)?;
            } else if self.with.is_some() {
                break;
            }
        }
        Some(())
    }

    /// Whether this is the first word, but for options that are known to have a value.
    fn begins_with(&self, first: &str, arguments: &[Word]) -> bool {
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            match self.option(&word.text).filter(|_| word.text.starts_with('-')) {
                Some((None, Some(_))) => {}
                Some((None, None)) => drop(rest.next()),
                Some((Some(_), _)) | None => return word.exact() == Some(first),
            }
        }
        false
    }

    /// Of an option with a value: whether this names a file (or a directory), and
    /// the value, where it stands in the same word.
    fn option<'w>(&self, text: &'w str) -> Option<(Option<bool>, Option<&'w str>)> {
        let kinds = [(&self.files, Some(false)), (&self.directories, Some(true)), (&self.valued, None)];
        let (bare, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let name = bare.trim_start_matches('-');
        for ((long, _), kind) in kinds {
            let shortened = |known: &&str| bare.starts_with("--") && name.len() >= 2 && known.starts_with(name);
            if long.iter().any(|known| *known == name || shortened(known)) {
                return Some((kind, value));
            }
        }
        if text.starts_with("--") {
            return None;
        }
        for (at, letter) in text.char_indices().skip(1) {
            for ((_, short), kind) in kinds {
                if short.contains(letter) {
                    let rest = text.get(at + letter.len_utf8()..).unwrap_or_default();
                    let rest = rest.strip_prefix('=').unwrap_or(rest);
                    return Some((kind, Some(rest).filter(|rest| !rest.is_empty())));
                }
            }
        }
        None
    }
}

/// A file, or a directory from the root: whose that is will be seen before the
/// line runs. Of a home's directory it is known.
fn take(path: &str, is_directory: bool, found: &mut Vec<Named>) -> Option<()> {
    if ["https://", "http://"].iter().any(|scheme| path.starts_with(scheme)) {
        return Some(());
    }
    let paths = path.split(':').filter(|path| !path.is_empty() && !is_input(path));
    for path in paths {
        if is_directory && path.starts_with('~') {
            return None;
        }
        if !is_directory || path.starts_with('/') {
            found.push(Named { path: path.to_owned(), is_directory });
        }
    }
    Some(())
}
