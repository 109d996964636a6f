//! Which lines may become an exact whitelist rule.
//!
//! A line whose program comes from somewhere else (standard input, a pipe, an
//! interactive shell) says nothing about what will run, so no such line can be
//! approved in advance. This is a scan of words, not a parser: it may refuse a
//! harmless line that looks like one of these, and a person is asked then. It
//! must never be used to let something pass.

use countersign_core::{CommandText, NotText};

/// Why a line cannot be a rule. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Not a command line.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// A shell or interpreter that takes its program from elsewhere.
    #[error(
        "`{word}` would run a program that is not in this line (from standard input, a pipe or a terminal); name the script file it runs"
    )]
    ProgramFromElsewhere {
        /// The word that starts it.
        word: String,
    },
    /// A program that only runs another one, without that other one.
    #[error("`{word}` alone says nothing of what it will run; write the whole line it runs")]
    WrapperAlone {
        /// The wrapper.
        word: String,
    },
    /// Text that is built at run time and then run.
    #[error("`{word}` runs text that is made up at run time; write the command itself")]
    RunsBuiltText {
        /// The word that runs it.
        word: String,
    },
}

/// Reads a line that shall become an exact rule.
pub fn check_line(line: &str) -> Result<CommandText, Unfit> {
    let text = CommandText::parse(line.as_bytes())?;
    // A backslash at the end of a line joins two lines into one word list.
    let joined = line.replace("\\\n", " ");
    for part in joined.split(['|', ';', '&', '\n', '(', ')', '{', '}', '`']) {
        let words: Vec<Word> = part.split_whitespace().map(Word::new).collect();
        check_simple(&words)?;
    }
    Ok(text)
}

/// One word with its quotes and backslashes gone.
struct Word {
    bare: String,
}

impl Word {
    fn new(raw: &str) -> Self {
        Self { bare: raw.chars().filter(|c| !matches!(c, '\'' | '"' | '\\' | '$')).collect() }
    }

    /// The file name, without directories.
    fn program(&self) -> &str {
        self.bare.rsplit('/').next().unwrap_or("")
    }

    fn is_option(&self) -> bool {
        self.bare.starts_with('-') || self.bare.starts_with('+')
    }

    fn is_assignment(&self) -> bool {
        self.bare.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'+')
        })
    }

    /// `<file`, `2>`, `>>x`: no operand of the program.
    fn is_redirection(&self) -> bool {
        self.bare.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['<', '>'])
    }

    fn is_interpreter(&self) -> bool {
        let name = self.program();
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
        INTERPRETERS.contains(&name) || INTERPRETERS.contains(&stem)
    }

    fn wrapper(&self) -> Option<&'static Wrapper> {
        WRAPPERS.iter().find(|w| w.name == self.program())
    }
}

/// Looks at one simple command: assignments, wrappers, program, operands.
fn check_simple(words: &[Word]) -> Result<(), Unfit> {
    let mut rest = words;
    let mut wrapped_by: Option<&Word> = None;
    while let Some((first, after)) = rest.split_first() {
        if first.is_assignment() || KEYWORDS.contains(&first.bare.as_str()) {
            rest = after;
        } else if first.is_redirection() {
            rest = after_redirection(first, after);
        } else if let Some(wrapper) = first.wrapper() {
            wrapped_by = Some(first);
            rest = wrapper.skip(first, after)?;
        } else {
            return check_program(first, after, wrapped_by);
        }
    }
    match wrapped_by {
        Some(wrapper) => Err(Unfit::WrapperAlone { word: wrapper.bare.clone() }),
        None => Ok(()),
    }
}

fn check_program(first: &Word, operands: &[Word], wrapped_by: Option<&Word>) -> Result<(), Unfit> {
    let elsewhere = || Err(Unfit::ProgramFromElsewhere { word: first.bare.clone() });
    if RUN_TEXT.contains(&first.program()) {
        return Err(Unfit::RunsBuiltText { word: first.bare.clone() });
    }
    if ALWAYS_ELSEWHERE.contains(&first.program()) {
        return elsewhere();
    }
    if matches!(first.program(), "." | "source") {
        return if operands.iter().any(Word::reads_input) { elsewhere() } else { Ok(()) };
    }
    if first.is_interpreter() {
        let fed = wrapped_by.is_some_and(|w| FEEDERS.contains(&w.program()));
        return if fed || !names_its_program(operands) { elsewhere() } else { Ok(()) };
    }
    // A wrapper this table does not know: look for an interpreter behind it.
    match operands.iter().position(|w| w.is_interpreter() && !w.is_option()) {
        Some(at) if takes_commands(first) => {
            let named = operands.get(at + 1..).is_some_and(names_its_program);
            if named && !FEEDERS.contains(&first.program()) { Ok(()) } else { elsewhere() }
        }
        Some(_) | None => Ok(()),
    }
}

impl Word {
    /// An operand that means standard input or a terminal.
    fn reads_input(&self) -> bool {
        self.bare == "-" || self.bare.starts_with("/dev/") || self.bare.starts_with("/proc/") || self.is_redirection()
    }
}

/// Whether an interpreter's words say which program it runs: a script file, or
/// the program's text after `-c` or `-e`; and nothing sends it back to its
/// standard input (`-s`, `-i`, `-`, `/dev/stdin`).
fn names_its_program(operands: &[Word]) -> bool {
    let mut rest = operands;
    while let Some((word, after)) = rest.split_first() {
        if word.is_redirection() {
            rest = after_redirection(word, after);
        } else if word.reads_input() || INTERACTIVE.contains(&word.bare.as_str()) {
            return false;
        } else if word.bare.starts_with("--") {
            rest = after;
        } else if word.is_option() {
            let letters = word.bare.trim_start_matches(['-', '+']);
            if letters.contains(['s', 'i']) {
                return false;
            }
            if letters.ends_with(['c', 'e', 'm', 'r']) {
                return after.first().is_some_and(|w| !w.reads_input() && !w.is_option());
            }
            rest = after;
        } else {
            return true;
        }
    }
    false
}

fn after_redirection<'a>(word: &Word, after: &'a [Word]) -> &'a [Word] {
    let target = word.bare.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['<', '>']);
    if target.is_empty() { after.get(1..).unwrap_or(&[]) } else { after }
}

/// Programs that hold a command among their operands.
fn takes_commands(program: &Word) -> bool {
    FEEDERS.contains(&program.program()) || COMMAND_HOLDERS.contains(&program.program())
}

/// A program that runs the program named after its own options.
struct Wrapper {
    name: &'static str,
    /// Options that take the next word.
    with_value: &'static [&'static str],
    /// Operands before the program.
    operands: usize,
    /// Options that open a shell.
    opens_shell: &'static [&'static str],
}

impl Wrapper {
    fn skip<'a>(&self, word: &Word, words: &'a [Word]) -> Result<&'a [Word], Unfit> {
        let mut rest = words;
        let mut operands = self.operands;
        while let Some((first, after)) = rest.split_first() {
            if self.opens_shell.contains(&first.bare.as_str()) {
                return Err(Unfit::ProgramFromElsewhere { word: word.bare.clone() });
            }
            if self.with_value.contains(&first.bare.as_str()) {
                rest = after.get(1..).unwrap_or(&[]);
            } else if first.is_option() || first.is_assignment() {
                rest = after;
            } else if operands > 0 {
                operands -= 1;
                rest = after;
            } else {
                break;
            }
        }
        Ok(rest)
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

const KEYWORDS: &[&str] = &["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "coproc"];
const INTERPRETERS: &[&str] = &[
    "sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "pdksh", "yash", "fish", "csh", "tcsh", "pwsh", "nu",
    "xonsh", "elvish", "python", "pypy", "ipython", "perl", "ruby", "irb", "node", "nodejs", "deno", "bun", "php",
    "lua", "luajit", "tclsh", "wish", "expect", "R", "Rscript", "julia", "ghci", "runghc", "scala", "groovy", "jshell",
    "guile", "sbcl", "clisp", "racket", "erl", "iex", "elixir", "ocaml", "swipl", "gdb",
];
const INTERACTIVE: &[&str] = &["--interactive", "--login", "--rcfile", "--init-file", "--stdin", "-"];
/// Words that run text which only exists at run time.
const RUN_TEXT: &[&str] = &["eval", "trap"];
/// Programs that read commands from standard input or a terminal, whatever follows.
const ALWAYS_ELSEWHERE: &[&str] =
    &["su", "login", "newgrp", "sg", "batch", "screen", "tmux", "script", "mapfile", "readarray"];
/// Programs that feed words of their own to what they run.
const FEEDERS: &[&str] = &["xargs", "parallel"];
/// Other programs that hold a command among their operands.
const COMMAND_HOLDERS: &[&str] = &["find", "fd", "docker", "podman", "kubectl", "ssh", "git", "make", "at", "crontab"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_lines_that_say_what_they_run() {
        for line in [
            "uptime",
            "ls -l /srv",
            "docker pull ghcr.io/myorg/api:sha-a3f9b",
            "bash deploy.sh",
            "bash -e /srv/deploy.sh --now",
            "bash -c 'systemctl reload nginx'",
            "python3 /srv/report.py --format json",
            "python3 -m http.server",
            "sudo systemctl restart nginx",
            "sudo -u www-data php /srv/app/cron.php",
            "env RAILS_ENV=production bin/rake db:migrate",
            "timeout 30 curl -fsS https://internal/healthz",
            "FOO=1 make test",
            "cat a.txt | sort | uniq -c",
            "printf 'a\tb'\nls",
            "echo bash",
            "true",
            "echo hi > /dev/null 2>&1",
        ] {
            assert_eq!(check_line(line).map(|t| t.as_str().to_owned()), Ok(line.to_owned()), "{line}");
        }
    }

    #[test]
    fn refuses_lines_whose_program_comes_from_elsewhere() {
        for line in [
            "bash",
            "/bin/bash",
            "\"bash\"",
            "ba\\sh",
            "bash -s",
            "bash -s -- x",
            "bash -l",
            "bash -i",
            "bash -",
            "bash /dev/stdin",
            "bash < script",
            "bash <(curl x)",
            "bash <<< \"$X\"",
            "sh -x",
            "python3",
            "python3.11",
            "python3 -",
            "python3 -i x.py",
            "perl -",
            "cat | bash",
            "curl -s https://example.org/i.sh | sh",
            "curl -s https://example.org/i.sh|sudo bash -s",
            "curl x | sudo -u root /bin/sh",
            "true; bash",
            "true &&\nbash",
            "echo $(bash)",
            "echo `sh`",
            "ls | xargs sh -c",
            "find . -exec sh ;",
            "docker exec -it app bash",
            "ssh host bash",
            ". /dev/stdin",
            "source <(curl x)",
            "source /proc/self/fd/0",
            "sudo -i",
            "sudo -s",
            "su",
            "su - root",
            "busybox sh",
            "FOO=1 bash",
            "if true; then bash; fi",
            "tmux",
            "exec bash",
            "nohup bash",
            "bash \\\n -s",
        ] {
            assert!(
                matches!(check_line(line), Err(Unfit::ProgramFromElsewhere { .. })),
                "{line}: {:?}",
                check_line(line)
            );
        }
    }

    #[test]
    fn refuses_wrappers_alone_and_built_text() {
        for line in [
            "sudo",
            "env",
            "env FOO=1",
            "sudo -u bob",
            "xargs",
            "timeout 5",
            "nohup",
            "exec",
            "ls | xargs -n 1",
            "ls | xargs -I{} sh -c '{}'",
        ] {
            assert!(matches!(check_line(line), Err(Unfit::WrapperAlone { .. })), "{line}: {:?}", check_line(line));
        }
        for line in ["eval \"$X\"", "eval $(cat)"] {
            assert!(matches!(check_line(line), Err(Unfit::RunsBuiltText { .. })), "{line}");
        }
        for line in ["", "  ", "a\x1bb"] {
            assert!(matches!(check_line(line), Err(Unfit::NotText(_))), "{line:?}");
        }
    }
}
