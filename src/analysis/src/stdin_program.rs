//! Whether a line hands the login's standard input to an interpreter as a
//! program. That input arrives after the decision, so nobody would have seen
//! it. Capturing it is a later step; until then such lines are refused.
//!
//! This is a scan of words, not a parser. It is not what keeps unseen programs
//! out (any approved program may read and obey its input): it catches the
//! usual ways of sending a script, so that they get a clear answer.

/// Programs that read a program from standard input when given none.
const INTERPRETERS: [&str; 26] = [
    "sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "ash", "rbash", "python", "python2", "python3",
    "perl", "ruby", "node", "nodejs", "lua", "php", "Rscript", "tclsh", "irb", "psql", "mysql", "sqlite3",
];

/// Words that run the word after them (with flags between, whose values are
/// taken for the program at worst: then the line is not caught here).
const WRAPPERS: [&str; 14] = [
    "sudo", "env", "nohup", "exec", "command", "time", "nice", "setsid", "stdbuf", "doas", "ionice", "busybox", "then",
    "do",
];

/// Whether the first stage of a pipeline in `line` is an interpreter without a
/// program of its own, or a plain `cat` that feeds one.
pub fn reads_program_from_stdin(line: &str) -> bool {
    line.split(['\n', ';', '(', ')', '{', '}', '&']).any(|list| {
        let mut stages = list.split('|').map(words);
        let Some(first) = stages.next() else { return false };
        if bare_interpreter(&first) {
            return true;
        }
        let passes_on = matches!(first.as_slice(), ["cat" | "tee"] | ["cat", "-" | "/dev/stdin"]);
        passes_on && stages.any(|stage| bare_interpreter(&stage))
    })
}

fn words(stage: &str) -> Vec<&str> {
    stage.split_ascii_whitespace().collect()
}

fn bare_interpreter(words: &[&str]) -> bool {
    let mut rest = words.iter().copied().skip_while(|word| {
        let name = base_name(word);
        word.contains('=') || word.starts_with('-') || WRAPPERS.contains(&name)
    });
    let Some(program) = rest.next() else { return false };
    let name = base_name(program);
    if !INTERPRETERS.contains(&name) {
        return false;
    }
    let arguments: Vec<&str> = rest.collect();
    if arguments.iter().any(|word| word.starts_with('<') || word.contains("<<")) {
        return false;
    }
    if arguments.iter().any(|word| matches!(*word, "-s" | "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0")) {
        return true;
    }
    arguments.iter().all(|word| is_bare_flag(word))
}

/// A flag that leaves the program to come from standard input: not `-c`, `-e`,
/// `-m`, `-f`, `-V`, `--version`, `--help` and their kind.
fn is_bare_flag(word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => {
            matches!(long, "login" | "norc" | "noprofile" | "posix" | "no-config" | "noediting" | "restricted")
        }
        None => word.starts_with('-') && !word.chars().any(|c| "cCeEmfFhVv".contains(c)),
    }
}

fn base_name(word: &str) -> &str {
    let plain = word.trim_matches(['\'', '"', '\\']);
    plain.rsplit('/').next().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catches_the_usual_ways_of_sending_a_script() {
        for line in [
            "bash",
            "bash -s",
            "sh -s arg",
            "/bin/bash",
            "python3 -",
            "python3",
            "sudo bash",
            "sudo -n bash -s",
            "env A=1 sh",
            "cat | bash",
            "cat - | sudo sh",
            "exec bash -l",
            "cd /tmp && bash",
            "true; sh",
            "bash --norc",
            "psql",
            "A=1 bash",
        ] {
            assert!(reads_program_from_stdin(line), "{line}");
        }
    }

    #[test]
    fn leaves_lines_whose_program_can_be_read() {
        for line in [
            "bash -c 'ls'",
            "python3 x.py",
            "bash script.sh",
            "curl -s https://x.example | sh",
            "cat x | bash",
            "echo bash",
            "bash --version",
            "sh -c 'exit 7'",
            "python3 -m http.server",
            "bash <<< 'ls'",
            "psql -c 'select 1'",
            "grep bash",
            "cat | wc -c",
            "perl -e 1",
        ] {
            assert!(!reads_program_from_stdin(line), "{line}");
        }
    }
}
