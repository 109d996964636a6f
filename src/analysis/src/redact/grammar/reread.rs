//! Which words of a command another shell or an interpreter reads as code.

use super::program;
use crate::redact::shell::Command;

/// Where a program takes code among its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// A shell script after an option that ends in this letter.
    Script(char),
    /// Any of its words may be a shell script.
    Scripts,
    /// Code of another language after such an option.
    Code(&'static [&'static str]),
    /// Any of its words may be code.
    Codes,
}

fn takes(program: &str) -> Option<Takes> {
    Some(match program {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish" | "su" | "runuser" | "script" | "flock" => {
            Takes::Script('c')
        }
        "env" => Takes::Script('S'),
        "lftp" => Takes::Script('e'),
        "cmd" | "eval" | "ssh" | "mosh" | "rsh" | "watch" | "parallel" | "trap" | "tmux" | "screen" | "ansible"
        | "pdsh" | "clush" | "alias" | "entr" | "salt" | "salt-ssh" | "pssh" | "parallel-ssh" => Takes::Scripts,
        "python" | "python2" | "python3" | "perl" | "ruby" | "node" | "nodejs" | "deno" | "bun" | "php" | "lua"
        | "osascript" | "groovy" | "scala" | "Rscript" | "R" | "julia" => Takes::Code(&[
            "-c", "-e", "-E", "-r", "-p", "-pe", "-ne", "-le", "-lne", "--eval", "--print", "eval", "-Mojo",
        ]),
        "awk" | "gawk" | "mawk" | "sed" | "tclsh" | "expect" | "jshell" | "pwsh" | "powershell" | "make" | "gmake"
        | "just" | "source" | "." | "gdb" | "vim" | "nvim" | "vi" | "emacs" | "ex" | "ed" | "irb" | "bc" | "dc"
        | "m4" | "socat" | "complete" | "bind" | "fc" => Takes::Codes,
        _ => return None,
    })
}

/// Whether a program's operand is code, or a file of it.
pub(in crate::redact) fn runs_code(name: &str) -> bool {
    takes(program(name)).is_some_and(|takes| takes != Takes::Script('S'))
}

/// How other shells or interpreters read the words of a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::redact) struct Reread {
    /// Words that are scripts for a shell, in order.
    pub(in crate::redact) scripts: Vec<usize>,
    /// Words that something reads as code once more, in order.
    pub(in crate::redact) code: Vec<usize>,
}

/// Which words are code for something else.
pub(in crate::redact) fn reread(command: &Command) -> Reread {
    let mut reread = Reread::default();
    // A second program that takes code in the same way reads no word that the first does not.
    let mut known: Vec<Takes> = Vec::new();
    for (i, word) in command.words.iter().enumerate() {
        let Some(takes) = takes(program(&word.text.s)).filter(|takes| !known.contains(takes)) else { continue };
        known.push(takes);
        let mut after_option = false;
        for (at, word) in command.words.iter().enumerate().skip(i + 1) {
            let s: &str = &word.text.s;
            let (is_code, is_script) = match takes {
                Takes::Script(_) | Takes::Code(_) => (after_option, after_option),
                Takes::Scripts | Takes::Codes => (true, s.contains(char::is_whitespace)),
            };
            if is_code {
                reread.code.push(at);
            }
            if is_script && matches!(takes, Takes::Script(_) | Takes::Scripts) {
                reread.scripts.push(at);
            }
            after_option = match takes {
                Takes::Script(letter) => {
                    s.starts_with('-') && !s.starts_with("--") && s.ends_with(letter) || s == "--command"
                }
                Takes::Code(options) => options.contains(&s),
                Takes::Scripts | Takes::Codes => false,
            };
        }
    }
    for list in [&mut reread.scripts, &mut reread.code] {
        list.sort_unstable();
        list.dedup();
    }
    reread
}

/// Whether a word names a shell, which reads its standard input as a script.
pub(in crate::redact) fn is_shell(word: &str) -> bool {
    matches!(program(word), "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "ssh" | "at" | "batch" | "crontab")
}
