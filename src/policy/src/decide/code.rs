//! Programs that run text of theirs in a language that nothing here reads. Its
//! words give a score, but not what it does.

/// Languages whose options hold code.
const LANGUAGES: &[&str] = &[
    "python",
    "pypy",
    "perl",
    "ruby",
    "irb",
    "node",
    "nodejs",
    "deno",
    "bun",
    "php",
    "lua",
    "luajit",
    "tclsh",
    "expect",
    "gdb",
    "lldb",
    "r",
    "rscript",
    "julia",
    "groovy",
    "scala",
    "jshell",
    "erl",
    "elixir",
    "iex",
    "emacs",
    "guile",
    "racket",
    "sbcl",
    "clisp",
    "ghci",
    "ocaml",
    "raku",
    "pwsh",
    "gnuplot",
    "octave",
    "octave-cli",
    "bpftrace",
];
/// Options of theirs that hold none.
const HARMLESS: &[&str] = &["-V", "--version", "-version", "-h", "--help"];
/// Languages whose first word is code, and what such code needs to start a program or to read other code.
const AWKS: &[&str] = &["awk", "gawk", "mawk", "nawk", "original-awk"];
const STARTS: &[&str] = &["|", "system", "getline", "@"];

/// Whether a command holds code. A word that is not known may be any.
pub(super) fn holds_code(words: &[Option<String>]) -> bool {
    let Some((Some(program), arguments)) = words.split_first() else { return false };
    let name = program.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    // A version may follow: `python3.11`.
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    let mut arguments = arguments.iter().map(|word| word.as_deref());
    if AWKS.contains(&name.as_str()) {
        return arguments.any(|word| word.is_none_or(|text| STARTS.iter().any(|starts| text.contains(starts))));
    }
    LANGUAGES.contains(&base) && arguments.any(|word| word.is_none_or(|text| is_code(base, text)))
}

fn is_code(language: &str, word: &str) -> bool {
    let evaluates = matches!((language, word), ("deno" | "bun", "eval") | ("lldb" | "gdb" | "emacs", _));
    evaluates || word.starts_with('-') && word != "-" && !HARMLESS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Reading;

    fn code(line: &str) -> bool {
        let reading = Reading::of(line, "bash", None);
        reading.commands.iter().any(|words| holds_code(words))
    }

    #[test]
    fn code_in_other_languages_is_seen() {
        for line in [
            "perl -e 'open F,q(x|)'",
            "perl -lane '`x`' y",
            "sudo /usr/bin/python3.11 -c 'print(1)'",
            "python3 -Wd -c \"$X\"",
            "env node --eval=1",
            "deno eval 1",
            "awk 'BEGIN{\"x\"|getline}'",
            "gawk \"$P\"",
            "ruby -n -e 1",
            "gdb x",
            "echo $(php -r 1)",
        ] {
            assert!(code(line), "{line}");
        }
        for line in
            ["python3 --version", "python3 x.py", "awk '{print $1}' x", "ls -e", "perl x.pl", "echo -c", "node -h"]
        {
            assert!(!code(line), "{line}");
        }
    }
}
