//! The builtins of the shells that may parse an approved line. Those that run
//! their words, or load code, where bash would not are left out (`repeat`,
//! `hup`, `sched`, `emulate`, `zmodload`): what they start was not looked at.

const POSIX: &[&str] = &[
    ".", ":", "[", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly", "return", "set",
    "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
];
const BASH: &[&str] = &[
    "bind",
    "builtin",
    "caller",
    "compgen",
    "complete",
    "compopt",
    "declare",
    "dirs",
    "disown",
    "enable",
    "fc",
    "help",
    "history",
    "let",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "readarray",
    "shopt",
    "source",
    "suspend",
    "typeset",
];
const ZSH: &[&str] = &[
    "autoload",
    "bindkey",
    "builtin",
    "bye",
    "chdir",
    "compadd",
    "declare",
    "dirs",
    "disable",
    "disown",
    "enable",
    "fc",
    "float",
    "functions",
    "history",
    "integer",
    "let",
    "limit",
    "log",
    "logout",
    "popd",
    "print",
    "pushd",
    "rehash",
    "setopt",
    "source",
    "suspend",
    "typeset",
    "unfunction",
    "unhash",
    "unlimit",
    "unsetopt",
    "vared",
    "whence",
    "where",
    "which",
    "zcompile",
    "zformat",
    "zle",
    "zparseopts",
    "zstyle",
];
const FISH: &[&str] = &[
    ".",
    ":",
    "[",
    "abbr",
    "argparse",
    "bg",
    "bind",
    "block",
    "break",
    "builtin",
    "cd",
    "command",
    "commandline",
    "complete",
    "contains",
    "continue",
    "count",
    "disown",
    "echo",
    "emit",
    "eval",
    "exec",
    "exit",
    "false",
    "fg",
    "functions",
    "history",
    "jobs",
    "math",
    "path",
    "printf",
    "pwd",
    "random",
    "read",
    "realpath",
    "return",
    "set",
    "set_color",
    "source",
    "status",
    "string",
    "test",
    "time",
    "true",
    "type",
    "ulimit",
    "wait",
];
const TCSH: &[&str] = &[
    ":",
    "@",
    "alias",
    "bg",
    "bindkey",
    "break",
    "cd",
    "chdir",
    "complete",
    "continue",
    "dirs",
    "echo",
    "eval",
    "exec",
    "exit",
    "fg",
    "glob",
    "hashstat",
    "history",
    "jobs",
    "kill",
    "limit",
    "log",
    "login",
    "logout",
    "ls-F",
    "nice",
    "nohup",
    "notify",
    "onintr",
    "popd",
    "printenv",
    "pushd",
    "rehash",
    "set",
    "setenv",
    "settc",
    "setty",
    "shift",
    "source",
    "stop",
    "suspend",
    "telltc",
    "time",
    "umask",
    "unalias",
    "uncomplete",
    "unhash",
    "unlimit",
    "unset",
    "unsetenv",
    "wait",
    "where",
    "which",
];

/// Whether a shell, named as in the ledger, does this word itself. `false`
/// for a shell that is not known.
pub fn is_builtin(shell: &str, word: &str) -> bool {
    let lists: &[&[&str]] = match shell {
        "bash" => &[POSIX, BASH],
        "dash" => &[POSIX],
        "zsh" => &[POSIX, ZSH],
        "fish" => &[FISH],
        "tcsh" => &[TCSH],
        _ => &[],
    };
    lists.iter().any(|list| list.contains(&word))
}

/// Builtins of bash, dash and zsh that change what later words mean, or run
/// text that is made up elsewhere.
const CHANGES_MEANING: &[&str] = &[
    ".",
    "alias",
    "autoload",
    "bind",
    "builtin",
    "declare",
    "disable",
    "emulate",
    "enable",
    "eval",
    "exec",
    "export",
    "fc",
    "functions",
    "hash",
    "let",
    "local",
    "mapfile",
    "printf",
    "read",
    "readarray",
    "readonly",
    "set",
    "setopt",
    "shopt",
    "source",
    "trap",
    "typeset",
    "unalias",
    "unfunction",
    "unhash",
    "unset",
    "unsetopt",
    "vared",
    "zcompile",
    "zmodload",
    "zstyle",
];

/// Whether words after this one may mean something else than before.
pub(crate) fn changes_meaning(word: &str, arguments: &[&str]) -> bool {
    match word {
        // It assigns with `-v` only.
        "printf" => arguments.first().is_some_and(|first| first.starts_with("-v") || *first == "?"),
        _ => CHANGES_MEANING.contains(&word),
    }
}

/// Words that put code into the shell itself, or text that nobody has seen.
const REWIRES: &[&str] = &[
    ".",
    "autoload",
    "bind",
    "coproc",
    "emulate",
    "enable",
    "eval",
    "fc",
    "function",
    "functions",
    "mapfile",
    "readarray",
    "source",
    "trap",
    "zle",
    "zmodload",
];

/// Whether the shell may run other code after this word than its own.
pub(crate) fn rewires(word: &str) -> bool {
    REWIRES.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lists against the shells that are installed here.
    #[test]
    fn bash_agrees() {
        let said = std::process::Command::new("bash").args(["--norc", "--noprofile", "-c", "compgen -b"]).output();
        let Ok(said) = said else { return eprintln!("SKIPPED: there is no bash here") };
        let own: Vec<String> = String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect();
        assert!(own.len() > 50);
        for word in &own {
            assert!(is_builtin("bash", word), "{word} is missing");
        }
        for word in POSIX.iter().chain(BASH) {
            assert!(own.iter().any(|known| known == word), "{word} is none of bash");
        }
        assert!(!is_builtin("bash", "ls") && !is_builtin("dash", "source") && !is_builtin("", "cd"));
    }
}
