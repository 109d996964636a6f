//! Whether a line hands the login's standard input to an interpreter as a
//! program. That input is captured then and held with the line.
//!
//! The facts of the syntax tree say so, and for the programs that obey what
//! they read a look at the words, so that a line that cannot be parsed is not
//! left out. It is not what keeps unseen programs out (any approved program may
//! read and obey its input): it catches the ways of sending a script.

use crate::escapes::obeys_input;
use crate::facts::{CommandLine, Context, Origin, Redirect, Runs, SimpleCommand, Unknown, Word};
use crate::line::Line;
use crate::programs::{Source, interpreter, is_input};

/// Whether the first stage of a pipeline in `line` is an interpreter without a
/// program of its own, or a plain `cat` that feeds one; a program that takes
/// its commands from there; or one whose program is made of what comes there.
pub fn reads_program_from_stdin(line: &str) -> bool {
    reads(&Line::new(line))
}

pub(crate) fn reads(line: &Line<'_>) -> bool {
    obeys_input(line.text) || made_of_input(line.facts())
}

/// Programs that hand on what they read, as it is or decoded.
const PASSING: [&str; 14] =
    ["cat", "tee", "head", "tail", "base64", "base32", "gunzip", "zcat", "xz", "tr", "sed", "rev", "openssl", "xxd"];

/// Programs that make arguments of what they read.
const APPENDING: [&str; 2] = ["xargs", "parallel"];

/// By the facts: an interpreter behind `xargs` or `find -exec`, on another
/// host or in a container, and a text or file that a substitution makes of the input.
pub(crate) fn made_of_input(line: &CommandLine) -> bool {
    let asked = asked_for(line);
    line.commands.iter().any(|command| {
        reads_input(line, command) && obeys(line, command) || !asked.is_empty() && runs_asked(command, &asked)
    })
}

/// The names that `read` and its like give to what they read.
fn asked_for(line: &CommandLine) -> Vec<&str> {
    let asks = |command: &&SimpleCommand| {
        let asks = matches!(command.program_name(), Some("read" | "mapfile" | "readarray"));
        asks && reads_input(line, command) && !fed_around(line, command)
    };
    let names = line.commands.iter().filter(asks).flat_map(|command| {
        let named = command.arguments().iter().filter_map(Word::exact);
        named.filter(|word| !word.starts_with('-')).chain(["REPLY", "MAPFILE"])
    });
    names.collect()
}

/// Whether a compound command around this one is given its input: `while read l; do …; done < list`.
fn fed_around(line: &CommandLine, command: &SimpleCommand) -> bool {
    line.shared_redirections.iter().any(|redirection| {
        let fed = matches!(redirection.kind, Redirect::Read | Redirect::HereDocument | Redirect::HereString);
        fed && redirection.span.start >= command.span.end && !is_input(&redirection.target.text)
    })
}

/// Whether a command runs the value of one of these names: as a program, by
/// `eval`, or as the text of a shell.
fn runs_asked(command: &SimpleCommand, names: &[&str]) -> bool {
    let holds = |word: &Word| {
        let mut parts = word.text.split('$').skip(1).map(|part| part.trim_start_matches(['{', '!']));
        let named = |part: &str| {
            let end = part.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(part.len());
            part.get(..end).is_some_and(|name| names.contains(&name))
        };
        word.unknown.contains(Unknown::PARAMETER) && parts.any(named)
    };
    let Some(name) = command.program_name() else { return command.program().is_some_and(holds) };
    let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
    match interpreter(name) {
        Some(known) => match known.reading(&words).source {
            Source::Word(at) => known.is_text(&words, at) && command.arguments().get(at).is_some_and(holds),
            Source::Input | Source::Nothing => false,
        },
        None => name == "eval" && command.arguments().iter().any(holds),
    }
}

fn obeys(line: &CommandLine, command: &SimpleCommand) -> bool {
    // `xargs -I{} {}`, `parallel {}`: the program itself is what is read.
    let placed = |word: &Word| {
        let xargs = || matches!(command.origin, Origin::Command { by: Runs::Xargs, .. }) || behind_xargs(line, command);
        word.unknown.contains(Unknown::APPENDED) || word.text.contains("{}") && xargs()
    };
    if command.program().is_some_and(placed) {
        return true;
    }
    let Some(name) = command.program_name() else { return false };
    let words: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
    let text = command.arguments().iter().any(|word| made_by_passing(line, word));
    match interpreter(name) {
        Some(known) => {
            let source = known.reading(&words).source;
            let appended = match source {
                Source::Word(at) => command.arguments().get(at).is_some_and(placed),
                Source::Input | Source::Nothing => false,
            };
            source == Source::Input || appended || text
        }
        None if matches!(name, "source" | ".") => text || words.first().is_some_and(|word| is_input(word)),
        // Without a command of its own, each line is one.
        None if name == "parallel" => !own_arguments(command) && words.iter().all(|word| word.starts_with('-')),
        None if name == "crontab" => words.is_empty() || words.contains(&"-"),
        None => name == "eval" && text,
    }
}

fn behind_xargs(line: &CommandLine, command: &SimpleCommand) -> bool {
    let Origin::Command { parent, .. } = command.origin else { return false };
    let Some(Origin::Command { by, parent }) = line.commands.get(parent).map(|outer| &outer.origin) else {
        return false;
    };
    *by == Runs::Xargs || line.commands.get(*parent).is_some_and(|outer| outer.program_name() == Some("parallel"))
}

/// `"$(cat)"`, `<(cat)`: what a command inside of the word reads.
fn made_by_passing(line: &CommandLine, word: &Word) -> bool {
    let inner = |command: &&SimpleCommand| {
        let inside = word.span.start <= command.span.start && command.span.end <= word.span.end;
        let made = command.context.iter().any(|c| matches!(c, Context::Substitution | Context::ProcessSubstitution));
        let bare = command.arguments().iter().all(|word| word.text.starts_with('-') || is_input(&word.text));
        let passes = command.program_name().is_some_and(|name| PASSING.contains(&name));
        // `$(< /dev/stdin)`
        let named = command.words.is_empty()
            && command.redirections.iter().any(|r| r.kind == Redirect::Read && is_input(&r.target.text));
        inside && made && bare && (passes || named)
    };
    (word.unknown.contains(Unknown::COMMAND) || word.unknown.contains(Unknown::PROCESS))
        && line.commands.iter().filter(inner).any(|command| reads_input(line, command))
}

/// Whether what a command reads is the input of the whole line.
fn reads_input(line: &CommandLine, command: &SimpleCommand) -> bool {
    let redirected = command.redirections.iter().any(|redirection| {
        let fed = matches!(redirection.kind, Redirect::Read | Redirect::HereDocument | Redirect::HereString);
        fed && redirection.fd.is_none_or(|fd| fd == 0) && !is_input(&redirection.target.text)
    });
    let piped = command.context.iter().filter_map(Context::pipe).any(|(id, stage)| {
        line.commands.iter().any(|other| {
            let earlier = other.context.iter().filter_map(Context::pipe).any(|(of, at)| of == id && at < stage);
            earlier && !hands_on(other)
        })
    });
    let handed = match &command.origin {
        Origin::Typed => true,
        Origin::Command { parent, by } => line.commands.get(*parent).is_none_or(|outer| match by {
            // Without `-i` a container gets no input.
            Runs::Contained => {
                let engine = matches!(outer.program_name(), Some("docker" | "podman" | "nerdctl" | "kubectl" | "oc"));
                !engine || outer.arguments().iter().any(|word| takes_input(&word.text))
            }
            Runs::Later => false,
            Runs::Xargs => outer.program_name().is_some_and(|name| APPENDING.contains(&name)) && !own_arguments(outer),
            Runs::Wrapper | Runs::AsUser | Runs::ShellText | Runs::Eval | Runs::FindExec | Runs::Remote => true,
        }),
    };
    !redirected && !piped && handed
}

/// A `cat` or `tee` that has no file of its own.
fn hands_on(command: &SimpleCommand) -> bool {
    let bare = command.arguments().iter().all(|word| word.text.starts_with('-') || is_input(&word.text));
    matches!(command.program_name(), Some("cat")) && bare && command.redirections.is_empty()
}

fn takes_input(word: &str) -> bool {
    matches!(word, "--interactive" | "--stdin")
        || word.starts_with('-') && !word.starts_with("--") && word.len() <= 4 && word.contains('i')
}

/// `xargs -a file`, `parallel … ::: a b`.
fn own_arguments(command: &SimpleCommand) -> bool {
    let own = |text: &str| text.starts_with("-a") || text.starts_with("--arg-file") || text.starts_with(":::");
    command.arguments().iter().any(|word| own(&word.text))
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
    fn asks_the_facts() {
        for line in [
            "xargs sh",
            "xargs sh -p",
            "xargs -n1 bash",
            "xargs -I{} bash -c {}",
            "xargs -I{} sh -c 'echo {}'",
            "cat | xargs sh",
            "find . -exec sh \\;",
            "ssh host bash -s",
            "ssh host sh",
            "sudo -s",
            "sudo -u www bash",
            "su -c bash",
            "env -S bash",
            "timeout 5 bash",
            "nice -n 5 python3 -",
            "sh -c bash",
            "bash -c 'sh -s'",
            "eval bash",
            "docker exec -i c sh",
            "kubectl exec -i p -- sh",
            "python3 -",
            "perl -",
            "node -",
            "psql",
            "mysql",
            "cat|bash",
            "cat - | cat | sh",
            "bash <(cat)",
            "source /dev/stdin",
            ". /dev/fd/0",
            "source <(cat)",
            "source <(base64 -d)",
            "eval \"$(cat)\"",
            "eval \"$(base64 -d)\"",
            "bash -c \"$(cat)\"",
            "bash < /dev/stdin",
            "if true; then bash; fi",
            "while read l; do eval \"$l\"; done",
            "while IFS= read -r l; do bash -c \"$l\"; done",
            "while read -r l; do $l; done",
            "read x && eval ${x}",
            "read; $REPLY",
            "mapfile -t a; eval \"${a[@]}\"",
            "for i in 1 2; do read l; sudo sh -c \"$l\"; done",
            "parallel",
            "cat | parallel",
            "parallel -j4",
            "parallel {}",
            "parallel sh -c {}",
            "xargs -I{} {}",
            "watch bash",
            "watch -n1 'sh -s'",
            "eval \"$(</dev/stdin)\"",
            "bash -c \"$(< /dev/stdin)\"",
            "crontab -",
        ] {
            assert!(reads_program_from_stdin(line), "{line}");
        }
        for line in [
            "bash /dev/shm/x.sh",
            "bash < /dev/shm/x.sh",
            "source /proc/self/cwd/x",
            "xargs rm",
            "xargs -n1 echo",
            "xargs -a list sh x.sh",
            "xargs bash -c 'echo \"$@\"' _",
            "find . -exec rm {} \\;",
            "ssh host ls",
            "sudo -u www ls",
            "su -c ls",
            "docker exec c ls",
            "kubectl exec p -- ls",
            "eval \"$(ssh-agent)\"",
            "eval \"$(cat x.sh)\"",
            "source <(kubectl completion bash)",
            "source venv/bin/activate",
            "diff <(sort a) <(sort b)",
            "echo \"$(cat)\"",
            "bash -c \"$(curl -s https://x.example)\"",
            "cat x | bash",
            "echo ls | sh",
            "while read l; do eval \"$l\"; done < list",
            "while read l; do echo \"$l\"; done",
            "while read host; do ssh \"$host\" uptime; done",
            "cat list | while read l; do eval \"$l\"; done",
            "read -p 'Sure? ' a; [ \"$a\" = y ] && rm x",
            "read x; eval \"$y\"",
            "parallel gzip ::: a b",
            "parallel gzip",
            "find . | parallel gzip {}",
            "parallel -a list",
            "watch df -h",
            "crontab -l",
            "echo x | crontab -",
            "awk 'BEGIN {system(\"/bin/sh\")}'",
            "node -e \"require('mysql')\"",
            "php -r 'system(\"sh\");'",
        ] {
            assert!(!reads_program_from_stdin(line), "{line}");
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
