//! Whether a line hands the login's standard input to an interpreter as a
//! program. That input is captured then and held with the line.
//!
//! This is a scan of words, not a parser. It is not what keeps unseen programs
//! out (any approved program may read and obey its input): it catches the
//! usual ways of sending a script.

use crate::escapes::obeys_input;
use crate::programs::{Source, interpreter, redirections_apart};

/// Words that run the word after them (with flags between, whose values are
/// taken for the program at worst: then the line is not caught here).
const WRAPPERS: [&str; 14] = [
    "sudo", "env", "nohup", "exec", "command", "time", "nice", "setsid", "stdbuf", "doas", "ionice", "busybox", "then",
    "do",
];

/// Whether the first stage of a pipeline in `line` is an interpreter without a
/// program of its own, or a plain `cat` that feeds one; or a program that takes
/// its commands from there.
pub fn reads_program_from_stdin(line: &str) -> bool {
    obeys_input(line) || interprets_input(line)
}

fn interprets_input(line: &str) -> bool {
    redirections_apart(line).split(['\n', ';', '(', ')', '{', '}', '&']).any(|list| {
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
    let Some(known) = interpreter(name) else { return false };
    let arguments: Vec<&str> = rest.map(unquoted).collect();
    // `bash < file`, `bash <<< text`, `bash <(program)`: what it reads is in the line.
    if arguments.iter().any(|word| word.trim_start_matches('0').starts_with('<') && !word.starts_with("<&")) {
        return false;
    }
    known.reading(&arguments).source == Source::Input
}

fn unquoted(word: &str) -> &str {
    word.trim_matches(['\'', '"'])
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
            "bash -o pipefail",
            "bash -O extglob",
            "bash -euo pipefail",
            "bash +O extglob -x",
            "bash --rcfile x",
            "bash > out",
            "bash>out",
            "bash 2> /tmp/e",
            "bash -c",
            "bash -",
            "python3 -W ignore",
            "python3 -X dev",
            "python3.11 -i x.py",
            "perl -I lib",
            "ruby -r json",
            "node --require x",
            "php -d a=b",
            "psql app",
            "psql -U ops app",
            "psql -U -c",
            "sqlite3 app.db",
            "sqlite3 -csv app.db",
            "sqlite3 -separator , app.db",
            "mysql -u root app",
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
            "bash -o pipefail x.sh",
            "bash -o pipefail -c 'ls | cat'",
            "bash -euo pipefail -c 'ls | cat'",
            "bash -lc ls",
            "bash -l x.sh",
            "bash -- x.sh",
            "python3 -W ignore x.py",
            "python3 -Wignore x.py",
            "perl -pi.bak -e s/a/b/ x",
            "perl -MPOSIX=floor -e 1",
            "node --version",
            "psql -U ops -c 'select 1' app",
            "psql -U ops --command='select 1' app",
            "sqlite3 app.db .tables",
            "mysql -u root -e 'select 1' app",
        ] {
            assert!(!reads_program_from_stdin(line), "{line}");
        }
    }
}
