//! Whether a line opens a program whose later input nobody reviews: a shell,
//! an interpreter, an editor, a pager, a remote login.
//!
//! A scan of words that knows quotes, and on a terminal the facts of the syntax
//! tree too (`parsed.rs`). It marks; it is no reason to let a line pass, and
//! what a program really does is not in its name.

mod edits;
mod parsed;

use crate::line::Line;
use crate::programs::{
    HOLDS_A_PROGRAM, KEEPS_A_SHELL, OBEYS_INPUT, PAGERS, STARTERS, Source, TAKES_COMMANDS, TALKS, interpreter,
};
use crate::words::base_name;

/// How deep `sh -c 'sh -c …'` is followed.
const MAX_DEPTH: usize = 4;
/// Most words of a program that starts one of them. With more it opens a shell,
/// for all that is known.
const MAX_HELD: usize = 512;

/// Whether it opens one. `terminal`: standard input is a terminal; where it is
/// not, nobody can type, and only what stays behind counts.
pub(crate) fn opens_a_shell(line: &Line<'_>, terminal: bool) -> bool {
    any_command(line.text, MAX_DEPTH, &|run| opens(run.words, terminal, run.sudo)) || (terminal && parsed::opens(line))
}

/// Whether, without a terminal, a program in the line takes what comes on
/// standard input for commands, beyond the interpreters of
/// [`crate::reads_program_from_stdin`].
pub(crate) fn obeys_input(line: &str) -> bool {
    any_command(line, MAX_DEPTH, &|run| match run.words.split_first() {
        _ if run.piped => false,
        None => run.sudo == Sudo::Shell,
        Some((first, rest)) => {
            let name = base_name(first);
            // `su -c` and `ssh host command` name what they run.
            let told = (name == "su" && rest.iter().any(|word| is_text_flag(word)))
                || (matches!(name, "sftp" | "gdb" | "lldb") && rest.iter().any(|word| word.starts_with("-b")));
            let obeys = OBEYS_INPUT.contains(&name) && !told;
            (obeys || interprets(name, rest) || (is_ssh(name) && ssh_has_no_command(rest))) && !fed(rest)
        }
    })
}

/// An interpreter without a program of its own.
fn interprets(name: &str, rest: &[String]) -> bool {
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    interpreter(name).is_some_and(|known| known.reading(&words).source == Source::Input)
}

/// Whether a redirection in the line says where its input comes from.
fn fed(words: &[String]) -> bool {
    words.iter().any(|word| word.trim_start_matches('0').starts_with('<') && !word.starts_with("<&"))
}

/// How a command came to be run with `sudo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sudo {
    No,
    Yes,
    /// `sudo -i`, `sudo -s`.
    Shell,
}

/// A program that a line runs, with its words.
struct Run<'a> {
    words: &'a [String],
    sudo: Sudo,
    /// Its input is the output of another one.
    piped: bool,
}

/// Looks at every simple command of a line, also in the text of `sh -c`.
fn any_command(line: &str, depth: usize, found: &dyn Fn(&Run<'_>) -> bool) -> bool {
    commands(line).iter().any(|(words, piped)| {
        let (rest, sudo) = started(words);
        found(&Run { words: rest, sudo, piped: *piped })
            || text_of_shell(rest).is_some_and(|text| depth > 0 && any_command(&text, depth - 1, found))
    })
}

/// Whether a program opens one, or one that may be among its words.
fn opens(words: &[String], terminal: bool, sudo: Sudo) -> bool {
    let holds = terminal && words.first().is_some_and(|first| HOLDS_A_PROGRAM.contains(&base_name(first)));
    // What such a program is given may hold another one, whose words are among these too: each is looked at once.
    let inner = |at| words.get(at..).is_some_and(|inner| is_opener(inner, terminal, sudo));
    is_opener(words, terminal, sudo) || (holds && (words.len() > MAX_HELD || (1..words.len()).any(inner)))
}

/// Whether a program opens one by itself.
fn is_opener(words: &[String], terminal: bool, sudo: Sudo) -> bool {
    let Some((first, rest)) = words.split_first() else { return terminal && sudo == Sudo::Shell };
    let name = base_name(first);
    if KEEPS_A_SHELL.contains(&name) {
        return true;
    }
    if !terminal {
        return false;
    }
    // `vim.tiny`, `vi.nox`: how Debian names its builds.
    let name = name.split_once('.').filter(|(name, _)| matches!(*name, "vi" | "vim" | "ex")).map_or(name, |(n, _)| n);
    let told = matches!(name, "su" | "script") && rest.iter().any(|word| is_text_flag(word));
    let talks = [TAKES_COMMANDS, PAGERS, TALKS].iter().any(|known| known.contains(&name)) && !told;
    // sudo drops the variables that keep these from running a pager.
    let pages = sudo != Sudo::No
        && matches!(name, "git" | "systemctl" | "journalctl" | "loginctl" | "coredumpctl")
        && !rest.iter().any(|word| word == "--no-pager");
    talks
        || pages
        || edits::edits(name, rest)
        || (interprets(name, rest) && !fed(rest))
        || (is_ssh(name) && ssh_has_no_command(rest))
}

/// The words from the program that is really started on, and whether sudo is
/// on the way there.
fn started(words: &[String]) -> (&[String], Sudo) {
    let (mut rest, mut sudo) = (words, Sudo::No);
    while let Some((first, after)) = rest.split_first() {
        let name = base_name(first);
        let assigns = first.split_once('=').is_some_and(|(name, _)| is_name(name));
        if assigns || matches!(name, "if" | "then" | "else" | "elif" | "while" | "until" | "do" | "!" | "coproc") {
            rest = after;
            continue;
        }
        let Some((_, valued, operands)) = STARTERS.iter().find(|(known, ..)| *known == name) else { break };
        let (next, shell) = after_options(after, valued, *operands);
        rest = next;
        if matches!(name, "sudo" | "doas") {
            sudo = if shell { Sudo::Shell } else { Sudo::Yes };
        }
    }
    (rest, sudo)
}

/// Skips options and their values, then so many operands; and whether `-i` or
/// `-s` was among them.
fn after_options<'a>(words: &'a [String], valued: &str, operands: usize) -> (&'a [String], bool) {
    let (mut rest, mut shell) = (words, false);
    while let Some((first, after)) = rest.split_first() {
        let Some(letters) = first.strip_prefix('-').filter(|letters| !letters.is_empty()) else { break };
        rest = after;
        if letters == "-" {
            break;
        }
        if let Some(long) = letters.strip_prefix('-') {
            shell |= matches!(long, "login" | "shell");
            continue;
        }
        let at = letters.find(|letter| valued.contains(letter));
        shell |= letters.get(..at.unwrap_or(letters.len())).is_some_and(|flags| flags.contains(['i', 's']));
        if at.is_some_and(|at| letters.len() == at + 1) {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    (rest.get(operands..).unwrap_or_default(), shell)
}

/// The text of `sh -c TEXT`.
fn text_of_shell(words: &[String]) -> Option<String> {
    let (first, rest) = words.split_first()?;
    interpreter(base_name(first)).filter(|known| known.is_shell())?;
    let at = rest.iter().position(|word| is_text_flag(word))?;
    rest.get(at + 1..)?.iter().find(|word| !word.starts_with('-')).cloned()
}

fn is_text_flag(word: &str) -> bool {
    word == "--command" || (word.starts_with('-') && !word.starts_with("--") && word.contains('c'))
}

fn is_ssh(name: &str) -> bool {
    matches!(name, "ssh" | "slogin" | "rsh")
}

/// `ssh host`, `ssh -t host`: a shell on the other side.
fn ssh_has_no_command(words: &[String]) -> bool {
    const VALUED: &str = "BbcDEeFIiJLlmoOpPQRSwW";
    let (mut rest, mut host) = (words, false);
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let Some(letters) = first.strip_prefix('-') else {
            if host && !first.starts_with(['<', '>']) {
                return false;
            }
            host = true;
            continue;
        };
        // `-N`, `-O`, `-Q`, `-V`, `-W`: no shell.
        if !host && letters.contains(['N', 'O', 'Q', 'V', 'W', 'G']) {
            return false;
        }
        if host {
            return false;
        }
        let at = letters.find(|letter| VALUED.contains(letter));
        if at.is_some_and(|at| letters.len() == at + 1) {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    host
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The simple commands of a line as words without their quotes, and whether
/// each reads from a pipe.
fn commands(line: &str) -> Vec<(Vec<String>, bool)> {
    let mut out = Vec::new();
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = line.chars().peekable();
    let (mut quote, mut piped) = (None, false);
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => match chars.next() {
                Some('\n') | None => {}
                Some(next) => word.get_or_insert_default().push(next),
            },
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '}' | '`') => {
                words.extend(word.take());
                out.push((std::mem::take(&mut words), piped));
                let or = c == '|' && chars.next_if_eq(&'|').is_some();
                piped = c == '|' && !or;
                if piped {
                    chars.next_if_eq(&'&');
                }
            }
            (None, '<' | '>') => {
                // A redirection is a word of its own; its target follows or stands in it.
                let number = word.as_deref().is_some_and(|w| w.bytes().all(|b| b.is_ascii_digit()));
                if !number && !word.as_deref().is_some_and(|w| w.ends_with(['<', '>'])) {
                    words.extend(word.take());
                }
                word.get_or_insert_default().push(c);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.take());
    out.push((words, piped));
    out.retain(|(words, _)| !words.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens_one(line: &str, terminal: bool) -> bool {
        opens_a_shell(&Line::new(line), terminal)
    }

    #[test]
    fn on_a_terminal_what_takes_commands_is_marked() {
        for line in [
            "bash",
            "bash -i",
            "sudo -i",
            "sudo -s",
            "sudo -u root bash",
            "sudo -iu root",
            "sudo su -",
            "su",
            "su - ops",
            "vim /etc/hosts",
            "sudo vim x",
            "/usr/bin/less x",
            "\"less\" x",
            "l\\ess x",
            "python3",
            "python3 -i x.py",
            "ssh host",
            "ssh -p 22 ops@host",
            "screen -r",
            "tmux",
            "cd /tmp && bash",
            "true; vim",
            "A=1 bash",
            "env A=1 zsh",
            "timeout 5 bash",
            "bash -c 'cd /; sudo -i'",
            "sh -c \"bash -c 'vim x'\"",
            "docker exec -it web bash",
            "kubectl exec -it pod -- sh",
            "sudo git log",
            "man ls",
            "psql",
            "if true; then vim; fi",
            "bash > out",
        ] {
            assert!(opens_one(line, true), "{line}");
        }
    }

    #[test]
    fn programs_that_start_one_another_are_looked_at_once() {
        for starter in ["xargs ", "docker exec "] {
            let line = starter.repeat(40);
            assert!(opens_one(&format!("{line}vim"), true), "{starter}");
            assert!(!opens_one(&format!("{line}ls"), true), "{starter}");
        }
        // Where they are too many to be known, they open one too.
        assert!(opens_one(&format!("{}ls", "docker exec ".repeat(20_000)), true));
    }

    #[test]
    fn what_names_its_program_is_not() {
        for line in [
            "ls",
            "bash x.sh",
            "bash -c 'ls; df'",
            "bash < x.sh",
            "python3 x.py",
            "ssh host uptime",
            "ssh -p 22 host ls -l",
            "sudo systemctl --no-pager status nginx",
            "sudo -u root ls",
            "su -c ls ops",
            "git log",
            "git commit -m 'fix; vim config'",
            "echo \"bash; vim\"",
            "echo vim",
            "cp vim x",
            "docker run x ls",
            "which bash",
            "apt-get install vim",
        ] {
            assert!(!opens_one(line, true), "{line}");
        }
    }

    #[test]
    fn without_a_terminal_only_what_stays() {
        assert!(opens_one("tmux new -d bash", false) && opens_one("sudo screen -dm x", false));
        for line in ["bash", "vim x", "less x", "ssh host"] {
            assert!(!opens_one(line, false), "{line}");
        }
        for line in [
            "sudo -i",
            "sudo -u root -s",
            "sudo -u root bash",
            "false || bash",
            "time -p sh",
            "su - ops",
            "ssh host",
            "at now",
            "ed x",
            "true && ssh -T host",
        ] {
            assert!(obeys_input(line), "{line}");
        }
        for line in [
            "su -c id",
            "ssh host id",
            "sudo ls",
            "at now < x",
            "echo su",
            "sftp -b x host",
            "ssh -N host",
            "ls | bash",
            "ls |& sudo -u ops sh",
        ] {
            assert!(!obeys_input(line), "{line}");
        }
    }
}
