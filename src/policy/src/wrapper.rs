//! Programs that run the program named after their own options.

use crate::words::Word;

/// A program that runs the program named after its own options.
pub(crate) struct Wrapper {
    pub(crate) name: &'static str,
    /// Options that take the next word.
    with_value: &'static [&'static str],
    /// Operands before the program.
    operands: usize,
    /// Options that open a shell.
    opens_shell: &'static [&'static str],
}

/// What stands after a wrapper and its own words.
pub(crate) struct Wrapped<'a> {
    pub(crate) rest: &'a [Word],
    /// Whether all its options are known: else one of them may have taken the
    /// next word, and the program may be further on.
    pub(crate) sure: bool,
}

impl Wrapper {
    pub(crate) fn of(word: &Word) -> Option<&'static Self> {
        WRAPPERS.iter().find(|known| known.name == word.program())
    }

    /// The words after it; `None` where it opens a shell.
    pub(crate) fn skip<'a>(&self, words: &'a [Word]) -> Option<Wrapped<'a>> {
        let (mut rest, mut operands, mut sure) = (words, self.operands, true);
        while let Some((first, after)) = rest.split_first() {
            if self.opens(&first.bare) {
                return None;
            }
            if self.with_value.contains(&first.bare.as_str()) {
                rest = after.get(1..).unwrap_or(&[]);
            } else if first.is_option() {
                sure = false;
                rest = after;
            } else if first.is_assignment() {
                rest = after;
            } else if operands > 0 {
                operands -= 1;
                rest = after;
            } else {
                break;
            }
        }
        Some(Wrapped { rest, sure })
    }

    /// Whether an option opens a shell or an editor: as such, cut short, or in a bunch (`-ni`).
    fn opens(&self, option: &str) -> bool {
        let name = option.split_once('=').map_or(option, |(name, _)| name);
        self.opens_shell.iter().any(|known| match known.strip_prefix("--") {
            Some(_) => name.len() > 2 && known.starts_with(name),
            None if option.starts_with("--") || *known == "-" => *known == option,
            None => option.starts_with('-') && known.get(1..).is_some_and(|letter| option.contains(letter)),
        })
    }
}

const fn wrapper(name: &'static str, with_value: &'static [&'static str], operands: usize) -> Wrapper {
    Wrapper { name, with_value, operands, opens_shell: &[] }
}

const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        name: "sudo",
        with_value: &["-u", "-g", "-h", "-p", "-C", "-T", "-r", "-t", "-D", "-R", "-U"],
        operands: 0,
        opens_shell: &["-i", "-s", "--login", "--shell", "-e", "--edit"],
    },
    Wrapper { name: "doas", with_value: &["-u", "-C", "-a"], operands: 0, opens_shell: &["-s"] },
    Wrapper { name: "runuser", with_value: &["-u", "-g", "-G"], operands: 0, opens_shell: &["-", "-l", "--login"] },
    Wrapper { name: "env", with_value: &["-u", "-C"], operands: 0, opens_shell: &["-S", "--split-string"] },
    wrapper("xargs", &["-I", "-n", "-P", "-L", "-d", "-E", "-s", "-a"], 0),
    wrapper("parallel", &["-j", "-a", "-I"], 0),
    wrapper("timeout", &["-s", "-k"], 1),
    wrapper("nice", &["-n"], 0),
    wrapper("ionice", &["-c", "-n", "-p"], 0),
    wrapper("chrt", &["-T", "-P", "-D"], 1),
    wrapper("taskset", &[], 1),
    wrapper("stdbuf", &["-i", "-o", "-e"], 0),
    wrapper("chroot", &[], 1),
    wrapper("flock", &["-w", "-E"], 1),
    wrapper("strace", &["-e", "-o", "-p", "-s", "-u"], 0),
    wrapper("ltrace", &["-e", "-o", "-p", "-s", "-u"], 0),
    wrapper("watch", &["-n", "-d"], 0),
    wrapper("unshare", &[], 0),
    wrapper("nsenter", &["-t"], 0),
    wrapper("setpriv", &[], 0),
    wrapper("prlimit", &[], 0),
    wrapper("systemd-run", &["-p", "-u", "-E", "-M", "-H"], 0),
    wrapper("nohup", &[], 0),
    wrapper("setsid", &[], 0),
    wrapper("time", &["-f", "-o"], 0),
    wrapper("exec", &["-a"], 0),
    wrapper("command", &[], 0),
    wrapper("builtin", &[], 0),
    wrapper("busybox", &[], 0),
    wrapper("toybox", &[], 0),
];
