//! The table itself. What is not listed is not known.

use super::{Interpreter, Kind};

const NONE: Interpreter = Interpreter {
    names: &[],
    kind: Kind::Interpreter,
    flags: "",
    start_up: "",
    attached: "",
    valued: "",
    input: "",
    program: "",
    long_flags: &[],
    long_program: &[],
    long_info: &["version", "help"],
};
/// A client none of whose operands is a program.
const CLIENT: Interpreter = Interpreter { kind: Kind::Client { program_operand: None }, ..NONE };

const TABLE: &[Interpreter] = &[
    Interpreter {
        names: &["sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "pdksh", "yash"],
        kind: Kind::Shell,
        flags: "abefhkmnptuvxBCEHPT",
        start_up: "il",
        input: "s",
        program: "c",
        long_flags: &["norc", "noprofile", "posix", "restricted", "noediting", "verbose"],
        ..NONE
    },
    Interpreter {
        names: &["fish"],
        kind: Kind::Shell,
        flags: "nPv",
        start_up: "il",
        program: "c",
        long_flags: &["no-config", "private", "no-execute"],
        long_program: &["command"],
        ..NONE
    },
    Interpreter {
        names: &["csh", "tcsh"],
        kind: Kind::Shell,
        flags: "efnvxVX",
        start_up: "il",
        input: "st",
        program: "c",
        ..NONE
    },
    Interpreter { names: &["pwsh", "nu", "xonsh", "elvish"], kind: Kind::Shell, program: "c", ..NONE },
    Interpreter {
        names: &["python", "pypy"],
        flags: "bBdEIOPqRsSuvx",
        valued: "WX",
        input: "i",
        program: "cm",
        long_info: &["version", "help", "V", "h", "VV"],
        ..NONE
    },
    Interpreter {
        names: &["perl"],
        flags: "acnpswWtTuUX",
        attached: "MmFl0iCxD",
        valued: "I",
        program: "eE",
        input: "d",
        long_info: &["version", "help", "v", "V", "h"],
        ..NONE
    },
    Interpreter {
        names: &["ruby"],
        flags: "aclnpswU",
        attached: "WF0i",
        valued: "rI",
        program: "e",
        long_info: &["version", "help", "h"],
        ..NONE
    },
    Interpreter {
        names: &["node", "nodejs"],
        flags: "c",
        input: "i",
        program: "ep",
        long_flags: &["check", "no-warnings", "trace-warnings", "enable-source-maps"],
        long_program: &["eval", "print"],
        long_info: &["version", "help", "v", "h"],
        ..NONE
    },
    Interpreter {
        names: &["php"],
        flags: "nqlwsC",
        valued: "dcz",
        input: "a",
        program: "rfFR",
        long_info: &["version", "help", "v", "h", "i", "m"],
        ..NONE
    },
    Interpreter { names: &["lua", "luajit"], flags: "EWv", input: "i", program: "e", ..NONE },
    Interpreter {
        names: &["Rscript"],
        program: "e",
        long_flags: &["vanilla", "no-save", "no-restore", "verbose"],
        ..NONE
    },
    Interpreter {
        names: &["R"],
        program: "ef",
        long_flags: &["vanilla", "slave", "no-save", "no-restore", "quiet", "no-echo"],
        long_program: &["file"],
        ..CLIENT
    },
    Interpreter { names: &["julia"], program: "eE", input: "i", long_program: &["eval", "print"], ..NONE },
    Interpreter { names: &["groovy", "scala", "elixir"], program: "e", ..NONE },
    Interpreter {
        names: &[
            "deno", "bun", "tclsh", "wish", "expect", "runghc", "guile", "sbcl", "clisp", "racket", "ocaml", "swipl",
            "jshell",
        ],
        ..NONE
    },
    // Nothing but standard input tells these what to do.
    Interpreter { names: &["irb", "ipython", "ghci", "iex", "erl"], ..CLIENT },
    Interpreter {
        names: &["psql"],
        flags: "AabEeHnqSstXxz01",
        valued: "dFhLoPpRTUv",
        input: "W",
        program: "cf",
        long_flags: &["no-psqlrc", "quiet", "tuples-only", "no-align", "single-transaction", "csv", "no-password"],
        long_program: &["command", "file"],
        long_info: &["version", "help", "list", "l", "V", "?"],
        ..CLIENT
    },
    Interpreter {
        names: &["mysql", "mariadb"],
        flags: "ABCEfNnqrstvwX",
        attached: "p",
        valued: "DhPSu",
        program: "e",
        long_flags: &["batch", "silent", "skip-column-names", "raw", "force"],
        long_program: &["execute"],
        long_info: &["version", "help", "V", "?"],
        ..CLIENT
    },
    Interpreter {
        names: &["sqlite"],
        kind: Kind::Client { program_operand: Some(2) },
        long_flags: &[
            "batch", "bail", "csv", "json", "header", "noheader", "line", "list", "column", "html", "readonly", "echo",
            "box", "table", "markdown", "quote", "ascii", "tabs", "safe",
        ],
        ..NONE
    },
    Interpreter {
        names: &["redis-cli", "valkey-cli"],
        kind: Kind::Client { program_operand: Some(1) },
        valued: "hpansu",
        long_flags: &["raw", "no-raw", "csv", "json", "tls", "no-auth-warning"],
        ..NONE
    },
    Interpreter { names: &["mongosh", "mongo", "sqlplus", "isql"], long_program: &["eval", "file"], ..CLIENT },
];

/// The entry of a program, by its file name; a version at its end does not count.
pub fn interpreter(name: &str) -> Option<&'static Interpreter> {
    let stem = without_version(name);
    TABLE.iter().find(|known| known.names.contains(&name) || known.names.contains(&stem))
}

/// The name of a program without a version at its end: `python3.11`, `gcc-12`.
pub(crate) fn without_version(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-')
}
