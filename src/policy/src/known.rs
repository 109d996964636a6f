//! Programs that a rule must know about, besides those of
//! [`countersign_analysis::programs`].

/// Words before a command that are none themselves.
pub(crate) const KEYWORDS: &[&str] =
    &["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "coproc"];
/// Words that run text which only exists at run time.
pub(crate) const RUN_TEXT: &[&str] = &["eval", "trap"];
/// Programs told what to do by standard input or a terminal, whatever follows.
pub(crate) const TAKES_COMMANDS: &[&str] = &[
    "su",
    "login",
    "newgrp",
    "sg",
    "at",
    "batch",
    "screen",
    "tmux",
    "zellij",
    "script",
    "expect",
    "mapfile",
    "readarray",
    "vi",
    "vim",
    "nvim",
    "view",
    "rvim",
    "rview",
    "vimdiff",
    "gvim",
    "ex",
    "ed",
    "red",
    "nano",
    "rnano",
    "pico",
    "emacs",
    "emacsclient",
    "micro",
    "joe",
    "jed",
    "mcedit",
    "ne",
    "hx",
    "kak",
    "visudo",
    "vipw",
    "vigr",
    "sudoedit",
    "edit",
    "sensible-editor",
    "mc",
    "ranger",
    "nnn",
    "vifm",
    "tig",
    "lazygit",
    "mutt",
    "neomutt",
    "telnet",
    "ftp",
    "lftp",
    "sftp",
    "mosh",
    "rlogin",
    "minicom",
    "picocom",
    "gdb",
    "lldb",
    "ipdb",
    "pdb",
    "irb",
    "ipython",
    "ghci",
    "iex",
    "erl",
    "jshell",
    "bc",
    "dc",
    "octave",
    "gnuplot",
    "maxima",
    "sage",
    "fdisk",
    "gdisk",
    "parted",
    "cfdisk",
    "virsh",
    "bluetoothctl",
    "wpa_cli",
    "nmtui",
    "rlwrap",
    "socat",
];
/// Programs that show a file, or their standard input where none is named.
pub(crate) const PAGERS: &[&str] = &["less", "more", "most", "pg", "zless", "zmore", "bzless", "bzmore", "xzless"];
/// Programs that read what they do from a file, which `-` makes standard input.
pub(crate) const READS_PROGRAM_FILE: &[&str] =
    &["make", "gmake", "awk", "gawk", "mawk", "nawk", "sed", "crontab", "jq", "ansible-playbook"];
/// Programs that feed words of their own to what they run.
pub(crate) const FEEDERS: &[&str] = &["xargs", "parallel"];
/// Other programs that hold a command among their operands.
pub(crate) const COMMAND_HOLDERS: &[&str] = &["fd", "docker", "podman", "nerdctl", "kubectl", "git", "make"];
/// After these words of `find` comes a command.
pub(crate) const FIND_RUNS: &[&str] = &["-exec", "-execdir", "-ok", "-okdir"];
/// Python modules that talk to whoever sits there.
pub(crate) const PYTHON_TALKS: &[&str] =
    &["code", "pdb", "asyncio", "IPython", "idlelib", "sqlite3", "bpython", "cProfile", "profile", "trace"];

/// On a terminal these offer a shell, run a pager, or take commands.
pub(crate) const TALKS_ON_TERMINAL: &[&str] = &[
    "man",
    "info",
    "pinfo",
    "apropos",
    "top",
    "htop",
    "atop",
    "btop",
    "iotop",
    "iftop",
    "nethogs",
    "ncdu",
    "watch",
    "bat",
    "batcat",
    "delta",
    "fzf",
    "dialog",
    "whiptail",
    "mail",
    "mailx",
    "lynx",
    "w3m",
    "links",
    "elinks",
    "apt",
    "apt-get",
    "aptitude",
    "dpkg",
    "dpkg-reconfigure",
    "dnf",
    "yum",
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "lxc",
    "incus",
    "machinectl",
    "crontab",
    "ssh",
    "slogin",
    "rsh",
    "aws",
    "gh",
    "hg",
    "openssl",
    "gpg",
    "ip-netns",
    "chsh",
    "chfn",
    "passwd",
];
/// On a terminal these run a pager unless `--no-pager` is their first word.
pub(crate) const PAGES_BY_ITSELF: &[&str] = &[
    "systemctl",
    "journalctl",
    "loginctl",
    "timedatectl",
    "hostnamectl",
    "localectl",
    "networkctl",
    "resolvectl",
    "coredumpctl",
    "busctl",
    "bootctl",
    "systemd-analyze",
    "systemd-cgls",
    "git",
];
/// What git does without an editor or questions.
pub(crate) const GIT_READS: &[&str] =
    &["status", "log", "diff", "show", "rev-parse", "describe", "ls-files", "blame", "shortlog", "fetch"];

/// Programs that only show something, whatever their options: a wildcard may
/// take options of these and of no other. Checked against GNU coreutils,
/// procps and grep: none has an option that runs a program or writes a file.
pub(crate) const OPTIONS_ONLY_SHOW: &[&str] = &[
    "ls", "cat", "head", "tail", "tac", "nl", "wc", "cut", "df", "du", "stat", "echo", "true", "false", "pwd",
    "basename", "dirname", "realpath", "readlink", "md5sum", "sha1sum", "sha256sum", "sha512sum", "cksum", "seq",
    "uname", "nproc", "arch", "whoami", "id", "groups", "uptime", "free", "ps", "pgrep", "lscpu", "lsblk", "printenv",
    "tty", "grep", "egrep", "fgrep", "cmp", "comm",
];
/// Programs with an operand, not only an option, that can run a program, read
/// one, or write a file of any name: a wildcard that could begin a word is refused.
pub(crate) const OPERANDS_ACT: &[&str] = &[
    "awk", "gawk", "mawk", "nawk", "sed", "find", "fd", "make", "gmake", "ninja", "cmake", "tar", "bsdtar", "cpio",
    "zip", "7z", "ar", "dd", "scp", "sftp", "rsync", "rclone", "nc", "ncat", "netcat", "socat", "wget", "aria2c",
    "curl", "tee", "cp", "mv", "ln", "install", "rm", "rmdir", "unlink", "shred", "truncate", "touch", "mkdir", "mkfifo",
    "mknod", "chmod", "chown", "chgrp", "chattr", "setfacl", "split", "csplit", "sort", "uniq", "xxd", "od", "openssl",
    "gpg", "gcc", "cc", "g++", "c++", "clang", "ld", "as", "go", "cargo", "rustc", "javac", "java", "mvn", "gradle",
    "ant", "nmap", "tcpdump", "tshark", "mount", "umount", "losetup", "insmod", "modprobe", "rmmod", "sysctl", "kexec",
    "useradd", "usermod", "userdel", "adduser", "passwd", "chpasswd", "groupadd", "update-alternatives", "alternatives",
    "ldconfig", "iptables", "ip6tables", "nft", "ip", "tc", "perf", "bpftrace", "jq", "yq", "xmllint", "patch", "ed",
    "docker-compose", "ansible", "ansible-playbook", "ansible-console", "terraform", "tofu", "pulumi", "helm", "vagrant",
    "composer", "rake", "bundle", "gem", "npx", "pnpx", "bunx", "pipx", "uvx", "tox", "pytest", "cron", "run-parts",
    "start-stop-daemon", "logrotate", "dbus-send", "busctl", "gdbus", "pkexec", "chsh", "chfn", "mkfs", "date",
    "hostname", "kill", "pkill", "killall", "reboot", "shutdown", "halt", "poweroff", "init", "telinit",
];
/// Programs whose words another shell or reader takes apart again, or that run
/// what they are fed: no wildcard anywhere.
pub(crate) const READS_WORDS_AGAIN: &[&str] = &[
    "ssh", "slogin", "rsh", "su", "watch", "xargs", "parallel", "script", "systemd-run", "at", "batch", "flock",
    "entr", "dtach", "screen", "tmux", "expect", "eval", "trap", "source", ".", "exec", "command", "builtin", "env",
    "export", "declare", "typeset", "local", "readonly", "alias", "unalias", "set", "unset", "shopt", "hash", "enable",
    "read", "mapfile", "readarray", "printf", "let", "test", "[", "getopts", "bind", "complete", "compgen", "fc",
    "history", "umask", "ulimit", "chroot", "nsenter", "unshare", "busybox", "toybox", "strace", "ltrace", "gdb",
    "setpriv", "runuser", "ld.so", "ld-linux-x86-64.so.2", "wsl", "pushd", "popd", "dirs", "suspend", "logout", "exit",
];
/// Programs with subcommands, and those that do nothing but show: only after
/// these may a wildcard begin a word, and only after a literal subcommand may it stand at all.
pub(crate) const SUBCOMMANDS: &[(&str, &[&str])] = &[
    ("git", &["status", "log", "diff", "show", "rev-parse", "describe", "ls-files", "blame", "shortlog"]),
    ("hg", &["status", "log", "diff"]),
    ("svn", &["status", "log", "info"]),
    ("docker", &["ps", "images", "logs", "inspect", "version", "info", "pull", "top", "port", "history", "stats"]),
    ("podman", &["ps", "images", "logs", "inspect", "version", "info", "pull", "top", "port", "history", "stats"]),
    ("nerdctl", &["ps", "images", "logs", "inspect", "version", "info", "pull"]),
    ("kubectl", &["get", "describe", "logs", "top", "version", "explain"]),
    ("systemctl", &["status", "is-active", "is-enabled", "is-failed", "show", "cat", "list-units", "list-timers"]),
    ("loginctl", &["list-sessions", "session-status", "show-session"]),
    ("machinectl", &["list", "status", "show"]),
    ("apt", &["list", "show", "policy", "search"]),
    ("apt-get", &[]),
    ("apt-cache", &["show", "policy", "search", "depends", "rdepends"]),
    ("aptitude", &["show", "search"]),
    ("dpkg", &[]),
    ("rpm", &[]),
    ("dnf", &["list", "info", "search"]),
    ("yum", &["list", "info", "search"]),
    ("snap", &["list", "info"]),
    ("flatpak", &["list", "info"]),
    ("brew", &["list", "info"]),
    ("npm", &["ls", "list", "view", "outdated"]),
    ("yarn", &["list", "info"]),
    ("pnpm", &["list"]),
    ("pip", &["list", "show", "freeze", "check"]),
    ("pip3", &["list", "show", "freeze", "check"]),
    ("uv", &[]),
    ("poetry", &[]),
    ("aws", &[]),
    ("gcloud", &[]),
    ("az", &[]),
    ("gh", &[]),
    ("service", &[]),
    ("nmcli", &[]),
    ("lxc", &[]),
    ("incus", &[]),
];
/// Variables that change which program runs, what it loads, or what it takes
/// for its configuration: no rule may allow an assignment to one.
pub(crate) const ACTING_VARIABLES: &[&str] = &[
    "PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASHOPTS", "SHELL", "PS0", "PS1", "PS2", "PS4", "CDPATH",
    "PROMPT_COMMAND", "GLOBIGNORE", "FPATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "TERM", "TERMCAP",
    "TERMINFO", "TERMINFO_DIRS", "LOCPATH", "NLSPATH", "GCONV_PATH", "MALLOC_CHECK_", "RESOLV_HOST_CONF", "HOSTALIASES",
    "PAGER", "EDITOR", "VISUAL", "BROWSER", "LESS", "LESSOPEN", "LESSCLOSE", "LESSKEY", "MANPAGER", "MORE", "TZDIR",
    "KUBECONFIG", "CLASSPATH", "GOFLAGS", "MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS", "MAKEFILES", "CC", "CXX", "LD", "AS",
    "TAR_OPTIONS", "GZIP", "XZ_OPT", "ZIPOPT", "RSYNC_RSH", "CVS_RSH", "SVN_SSH", "HISTFILE", "INPUTRC", "EXINIT",
    "VIMINIT", "MYVIMRC", "ANSIBLE_CONFIG", "PSQLRC", "PSQL_EDITOR", "PGSERVICEFILE", "MYSQL_HOME", "OPENSSL_CONF",
    "OPENSSL_MODULES", "OPENSSL_ENGINES", "GNUPGHOME", "CURL_HOME", "WGETRC", "NETRC", "IPYTHONDIR", "R_PROFILE",
    "WATCHFILE", "SYSTEMD_PAGER", "SYSTEMD_EDITOR", "SUDO_ASKPASS", "SSH_ASKPASS",
];
/// Beginnings of such names.
pub(crate) const ACTING_PREFIXES: &[&str] = &[
    "LD_", "DYLD_", "GIT_", "PYTHON", "PERL", "RUBY", "GEM_", "BUNDLE_", "NODE_", "NPM_CONFIG_", "npm_config_", "PHP",
    "LUA_", "JAVA_", "JDK_", "_JAVA", "MAVEN_", "GRADLE_", "CARGO_", "RUST", "GLIBC_", "XDG_", "SSH_", "DOCKER_",
    "COMPOSE_", "AWS_", "AZURE_", "GOOGLE_", "KRB5", "BASH_", "ZDOT", "PIP_", "UV_", "HELM_", "TF_", "SYSTEMD_", "SUDO_",
];
