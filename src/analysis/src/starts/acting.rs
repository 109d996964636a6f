//! Which programs run what their options, operands and variables name.

/// Whether a program shows what it is given and does nothing else, whatever its words are.
pub fn only_shows(program: &str) -> bool {
    SHOWS_ONLY.contains(&program)
}

/// Checked against GNU coreutils, procps, util-linux and grep: none has an
/// option that runs a program or writes a file.
const SHOWS_ONLY: &[&str] = &[
    "ls",
    "cat",
    "head",
    "tail",
    "tac",
    "nl",
    "wc",
    "cut",
    "df",
    "du",
    "stat",
    "echo",
    "true",
    "false",
    "pwd",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "md5sum",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "cksum",
    "seq",
    "uname",
    "nproc",
    "arch",
    "whoami",
    "id",
    "groups",
    "uptime",
    "free",
    "ps",
    "pgrep",
    "lscpu",
    "lsblk",
    "printenv",
    "tty",
    "grep",
    "egrep",
    "fgrep",
    "cmp",
    "comm",
    ":",
];

/// Programs that read or write the files they are given, and run none of them.
pub(super) const READS_ONLY: &[&str] = &[
    "cp",
    "mv",
    "rm",
    "mkdir",
    "rmdir",
    "touch",
    "chmod",
    "chown",
    "chgrp",
    "ln",
    "install",
    "diff",
    "gzip",
    "gunzip",
    "zcat",
    "bzip2",
    "xz",
    "zstd",
    "unzip",
    "tar",
    "bsdtar",
    "zip",
    "split",
    "file",
    "less",
    "more",
    "find",
    "rsync",
    "scp",
    "git",
    "kubectl",
    "docker",
    "podman",
    "terraform",
    "tofu",
    "helm",
    "cd",
    "pushd",
    "test",
    "[",
    "[[",
    "sed",
    "awk",
    "gawk",
    "mawk",
    "nawk",
    "jq",
    "sort",
    "uniq",
    "tee",
    "truncate",
    "shred",
    "curl",
    "wget",
    "gcc",
    "g++",
    "cc",
    "c++",
    "clang",
    "openssl",
    "tree",
    "strings",
    "xxd",
    "od",
    "base64",
    "column",
    "paste",
    "tr",
    "dd",
    "source",
    ".",
];

/// Programs that take `@FILE` for the words in that file: compilers, GNU binutils, Java.
pub(super) const TAKES_RESPONSE_FILES: &[&str] = &[
    "gcc",
    "g++",
    "cc",
    "c++",
    "cpp",
    "clang",
    "clang++",
    "gfortran",
    "rustc",
    "ld",
    "gold",
    "lld",
    "as",
    "ar",
    "nm",
    "objcopy",
    "objdump",
    "ranlib",
    "readelf",
    "size",
    "strip",
    "strings",
    "addr2line",
    "java",
    "javac",
    "javadoc",
    "jar",
];

/// Programs that run their operands, which no table of wrappers follows, or not
/// as files of this host.
pub(super) const HOLDS_COMMANDS: &[&str] = &[
    "chroot",
    "unshare",
    "nsenter",
    "systemd-nspawn",
    "sg",
    "fakechroot",
    "trickle",
    "logsave",
    "choom",
    "chronic",
    "ifne",
    "run-parts",
    "run0",
    "runcon",
    "sem",
    "schedtool",
    "nocache",
    "torify",
    "tsocks",
    "aoss",
    "padsp",
    "optirun",
    "primusrun",
    "gamemoderun",
    "dumb-init",
    "tini",
    "catatonit",
    "softlimit",
    "envdir",
    "envuidgid",
    "setlock",
    "timelimit",
    "authbind",
    "systemd-cat",
    "daemonize",
    "daemon",
    "dbus-launch",
    "gdbserver",
    "rr",
    "heaptrack",
    "perf",
    "mpirun",
    "srun",
    "direnv",
    "dotenv",
    "lxc-execute",
    "lxc-attach",
    "pipexec",
    "pee",
    "s6-setuidgid",
    "uclampset",
    "coresched",
    "landlock",
    "landrun",
    "minijail0",
    "jail",
    "capsh",
    "vfork",
    "apply",
    "run-one",
    "run-this-one",
    "keep-one-running",
    "datefudge",
    "dtach",
    "abduco",
    "gpg-agent",
    "xdg-open",
    "run-mailcap",
    "see",
    "grc",
    "openvt",
    "csvtool",
    "envconsul",
    "consul-template",
    "watchexec",
    "nodemon",
    "cross-env",
    "concurrently",
    "wait-for-it",
    "dockerize",
    "with-contenv",
    "steam-run",
    "nix-shell",
    "flatpak-spawn",
    "prime-run",
    "vglrun",
    "mangohud",
    "gamescope",
    "cage",
    "xinit",
    "startx",
    "memusage",
    "sotruss",
    "mtrace",
    "uftrace",
    "trace-cmd",
    "kcov",
    "zzuf",
    "tsp",
    "nq",
    "qsub",
    "sbatch",
    "bsub",
    "oarsub",
    "condor_run",
    "mosrun",
    "cronic",
    "lckdo",
    "lockrun",
    "with-lock-ex",
    "runlim",
    "retry",
    "immortal",
    "schroot",
    "arch-chroot",
    "pbuilder",
    "cowbuilder",
    "sudo-rs",
    "please",
    "calife",
    "pbrun",
    "dzdo",
    "ksu",
    "sesu",
    "dsh",
    "alacritty",
    "kitty",
    "foot",
    "dpkg-architecture",
    "pseudo",
    "fakeroot-ng",
    "dotenvx",
    "vault-env",
    "toolbox",
    "distrobox",
    "afl-fuzz",
    "honggfuzz",
    "xdg-user-dir",
    "debconf",
    "debconf-apt-progress",
    "fakeroot-sysv",
    "fakeroot-tcp",
    "systemd-socket-activate",
    "gp-collect-app",
    "luit",
    "tlog-rec",
    "tlog-rec-session",
    "ttyrec",
    "python-argcomplete-tcsh",
    "not",
    "xterm",
    "uxterm",
    "x-terminal-emulator",
    "rxvt",
    "urxvt",
    "konsole",
    "gnome-terminal",
    "gtk-launch",
    "exo-open",
    "dex",
    "pg_virtualenv",
];

/// Options that name a program, or a file of code: long ones by name, short ones by letter.
pub(super) struct Names {
    pub(super) long: &'static [&'static str],
    pub(super) short: &'static [char],
}

/// Those of a program.
pub(super) fn names_programs(program: &str) -> Option<&'static Names> {
    NAMES_PROGRAMS.iter().find(|(programs, _)| programs.contains(&program)).map(|(_, names)| names)
}

const NAMES_PROGRAMS: &[(&[&str], Names)] = &[
    (
        &["tar", "bsdtar", "gtar"],
        Names {
            long: &[
                "to-command",
                "use-compress-program",
                "checkpoint-action",
                "info-script",
                "new-volume-script",
                "rsh-command",
                "rmt-command",
                "files-from",
            ],
            short: &['I', 'F', 'T'],
        },
    ),
    (&["split", "gsplit"], Names { long: &["filter"], short: &[] }),
    (&["sort", "gsort"], Names { long: &["compress-program"], short: &[] }),
    (&["install", "ginstall"], Names { long: &["strip-program"], short: &[] }),
    (&["rsync"], Names { long: &["rsh"], short: &['e'] }),
    (&["zip"], Names { long: &["unzip-command", "TT"], short: &[] }),
    (
        &["gcc", "g++", "cc", "c++", "clang", "clang++", "cpp", "gfortran"],
        Names { long: &["wrapper", "specs", "fplugin", "plugin", "load"], short: &['B'] },
    ),
    (&["ld", "gold", "lld"], Names { long: &["plugin"], short: &[] }),
    (&["man"], Names { long: &["pager", "html", "preprocessor"], short: &['P', 'H'] }),
    (&["scp", "sftp"], Names { long: &[], short: &['S', 'F', 'D'] }),
    (&["ssh"], Names { long: &[], short: &['F'] }),
    (&["curl"], Names { long: &["config", "engine"], short: &['K'] }),
    (&["wget"], Names { long: &["use-askpass", "config", "execute"], short: &['e'] }),
    (&["openssl"], Names { long: &["engine", "provider", "provider-path", "config"], short: &[] }),
    (&["nmap"], Names { long: &["script", "datadir"], short: &[] }),
    (&["nc", "ncat", "netcat"], Names { long: &["exec", "sh-exec", "lua-exec"], short: &['e', 'c'] }),
    (&["dpkg"], Names { long: &["pre-invoke", "post-invoke", "status-logger"], short: &[] }),
    (&["apt", "apt-get", "aptitude"], Names { long: &["config-file"], short: &['c'] }),
    (&["rpm", "rpmbuild"], Names { long: &["define", "eval", "pipe", "rcfile", "macros", "load"], short: &['D', 'E'] }),
    (
        &["awk", "gawk", "mawk", "nawk", "original-awk"],
        Names { long: &["file", "exec", "include", "load"], short: &['f', 'E', 'i', 'l'] },
    ),
    (&["sed", "gsed"], Names { long: &["file"], short: &['f'] }),
    (&["make", "gmake"], Names { long: &["file", "makefile", "eval"], short: &['f', 'E'] }),
    (&["savelog"], Names { long: &[], short: &['x'] }),
    (
        &["git"],
        Names {
            long: &[
                "upload-pack",
                "receive-pack",
                "exec",
                "exec-path",
                "extcmd",
                "config-env",
                "open-files-in-pager",
                "tree-filter",
                "env-filter",
                "template",
                "config",
            ],
            short: &[],
        },
    ),
    (&["sqlite3"], Names { long: &["init"], short: &[] }),
    (&["perldoc"], Names { long: &[], short: &['n', 'M', 'w'] }),
    (&["gpgsm", "gpg", "gpg2"], Names { long: &["agent-program", "dirmngr-program", "photo-viewer"], short: &[] }),
    (&["prove"], Names { long: &["exec", "source", "formatter", "harness"], short: &['e'] }),
    (&["tcpdump"], Names { long: &[], short: &['z'] }),
    (&["ip"], Names { long: &["batch"], short: &['b'] }),
    (
        &["ansible", "ansible-playbook"],
        Names { long: &["inventory", "module-path", "vault-password-file"], short: &['i', 'M'] },
    ),
];

/// Whether a variable says which program runs, what it loads, or where its settings are.
pub fn acts(name: &str) -> bool {
    ACTING_VARIABLES.split_ascii_whitespace().any(|known| known == name)
        || ACTING_PREFIXES.split_ascii_whitespace().any(|begin| name.starts_with(begin))
}

/// Whether the name of a variable sounds like one of a file of settings or of a program: a path in it is looked at.
pub(super) fn sounds_like_a_file(name: &str) -> bool {
    SOUNDS.split_ascii_whitespace().any(|end| name.ends_with(end))
}

/// Whether such a variable names a directory, or several.
pub(super) fn names_a_directory(name: &str) -> bool {
    if name.ends_with("_CONFIG_PATH") {
        return false;
    }
    ["TMP", "TEMP", "FPATH", "ZDOTDIR"].contains(&name)
        || ["HOME", "DIR", "DIRS", "PATH", "_LIB", "5LIB", "PREFIX", "_LIBS"].iter().any(|end| name.ends_with(end))
}

/// Names of such variables.
const ACTING_VARIABLES: &str = "\
    PATH IFS ENV BASH_ENV SHELLOPTS BASHOPTS SHELL PS0 PS1 PS2 PS4 CDPATH PROMPT_COMMAND GLOBIGNORE \
    FPATH HOME USER LOGNAME TMPDIR TMP TEMP TERM TERMCAP TERMINFO TERMINFO_DIRS LOCPATH NLSPATH \
    GCONV_PATH MALLOC_CHECK_ RESOLV_HOST_CONF HOSTALIASES PAGER EDITOR VISUAL BROWSER LESS LESSOPEN \
    LESSCLOSE LESSKEY MANPAGER MORE TZDIR KUBECONFIG CLASSPATH GOFLAGS MAKEFLAGS MFLAGS GNUMAKEFLAGS \
    MAKEFILES CC CXX LD AS TAR_OPTIONS GZIP XZ_OPT ZIPOPT RSYNC_RSH CVS_RSH SVN_SSH HISTFILE INPUTRC \
    EXINIT VIMINIT MYVIMRC ANSIBLE_CONFIG PSQLRC PSQL_EDITOR PGSERVICEFILE MYSQL_HOME OPENSSL_CONF \
    OPENSSL_MODULES OPENSSL_ENGINES GNUPGHOME CURL_HOME WGETRC NETRC IPYTHONDIR R_PROFILE WATCHFILE \
    SYSTEMD_PAGER SYSTEMD_EDITOR SUDO_ASKPASS SSH_ASKPASS DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS \
    DBUS_STARTER_ADDRESS ANSIBLE_LIBRARY ANSIBLE_INVENTORY PARALLEL VIM VIMRUNTIME HGMERGE SVN_MERGE CONDARC \
    CONFIG_SITE M4 AUTOM4TE AUTOCONF SCREENRC MAILCAPS MAILRC LYNX_CFG GS_OPTIONS TEXMFCNF MONO_ENV_OPTIONS \
    OCL_ICD_VENDORS VK_ICD_FILENAMES GOENV CMAKE_TOOLCHAIN_FILE GDK_PIXBUF_MODULE_FILE CCACHE_PREFIX VALGRIND_OPTS \
    ERL_FLAGS ERL_AFLAGS ERL_ZFLAGS ELIXIR_ERL_OPTIONS TCL_LIBRARY ODBCINI CLOUDSDK_PYTHON FZF_DEFAULT_OPTS \
    MANROFFSEQ MANOPT XTABLES_LIBDIR IPTABLES_LIB_DIR TC_LIB_DIR LVM_SYSTEM_DIR PYTEST_ADDOPTS PYTEST_PLUGINS";
/// Beginnings of such names.
const ACTING_PREFIXES: &str = "\
    LD_ DYLD_ GIT_ PYTHON PERL RUBY GEM_ BUNDLE_ NODE_ NPM_CONFIG_ npm_config_ PHP LUA_ JAVA_ JDK_ _JAVA \
    MAVEN_ GRADLE_ CARGO_ RUST GLIBC_ XDG_ SSH_ DOCKER_ COMPOSE_ AWS_ AZURE_ GOOGLE_ KRB5 BASH_ ZDOT \
    PIP_ UV_ HELM_ TF_ SYSTEMD_ SUDO_";

/// How such names end.
const SOUNDS: &str = "\
    _CONFIG _CONFIG_PATH _CONFIG_FILE _CONF _RC RC_FILE _RCFILE PAGER EDITOR _COMMAND _CMD ASKPASS _PRELOAD _HOOK \
    _SCRIPT _SHELL _RSH PASSCOMMAND _PROG _EXECUTABLE _COMPILER _LAUNCHER _PLUGINS _MODULES _HOOKS _OPTS _LOADER _WRAPPER _PLUGIN _PROGRAM BROWSER _HELPER _STARTUP _INIT PATH _LIBS _EXEC_PREFIX";

/// Values that such variables may have.
pub(super) const KNOWN_VALUES: &[&str] = &[
    "",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "never",
    "always",
    "auto",
    "plain",
    "cat",
    "noninteractive",
    "prod",
    "production",
    "C",
    "C.UTF-8",
    "dumb",
    "xterm",
    "xterm-256color",
];

/// What a language says where it takes in more code.
pub(super) const CODE_WORDS: &[&str] = &["import", "require", "include", "load", "dofile", "source", "exec", "eval"];
