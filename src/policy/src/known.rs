//! Programs that a rule must know about, besides those of
//! [`countersign_analysis::programs`].

pub(crate) mod patterns;

pub(crate) use countersign_analysis::programs::{PAGERS, TAKES_COMMANDS};

/// Words before a command that are none themselves.
pub(crate) const KEYWORDS: &[&str] =
    &["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "coproc"];
/// Words that run text which only exists at run time.
pub(crate) const RUN_TEXT: &[&str] = &["eval", "trap"];
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
