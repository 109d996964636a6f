//! By the facts of the syntax tree: programs behind others and inside of
//! substitutions, and those whose name the line does not say.

use super::edits::edits;
use super::{Sudo, base_name, opens as named};
use crate::facts::{CommandLine, Origin, Redirect, Runs, SimpleCommand, Unknown};
use crate::line::Line;
use crate::programs::is_input;
use crate::stdin_program::made_of_input;

/// Programs that start a shell where no command is given.
const ELSE_A_SHELL: [&str; 4] = ["chroot", "unshare", "nsenter", "capsh"];
/// Their verbs that open one.
const SHELL_VERBS: [(&str, &[&str]); 8] = [
    ("docker", &["attach"]),
    ("podman", &["attach"]),
    ("nerdctl", &["attach"]),
    ("kubectl", &["attach", "debug"]),
    ("lxc", &["shell", "console"]),
    ("incus", &["shell", "console"]),
    ("machinectl", &["shell", "login"]),
    ("vagrant", &["ssh"]),
];

/// Whether a command of a line on a terminal opens a shell or the like.
pub(super) fn opens(line: &Line<'_>) -> bool {
    let line = line.facts();
    made_of_input(line) || line.commands.iter().enumerate().any(|(at, command)| one(line, at, command))
}

fn one(line: &CommandLine, at: usize, command: &SimpleCommand) -> bool {
    let Some(first) = command.words.first() else { return false };
    if first.exact().is_none() {
        // Words that a program puts in (`find`, `xargs`) are not these.
        let made = first.unknown.contains(Unknown::COMMAND) || first.unknown.contains(Unknown::GLOB);
        return made || first.text.contains("SHELL");
    }
    let words: Vec<String> = command.words.iter().map(|word| word.text.clone()).collect();
    let Some((program, rest)) = words.split_first() else { return false };
    let name = base_name(program);
    let bare = !line.commands.iter().any(|c| matches!(&c.origin, Origin::Command { parent, .. } if *parent == at));
    let says = |known: &str| rest.iter().any(|word| word == known);
    let fed = command.redirections.iter().any(|redirection| {
        let reads = matches!(redirection.kind, Redirect::Read | Redirect::HereDocument | Redirect::HereString);
        reads && redirection.fd.is_none_or(|fd| fd == 0) && !from_here(&redirection.target.text)
    });
    let later = matches!(&command.origin, Origin::Command { by: Runs::Later, .. });
    let container = matches!(name, "docker" | "podman" | "nerdctl") && says("run") && takes_a_terminal(rest);
    (matches!(name, "source" | ".") && rest.iter().any(|word| from_here(word)))
        || edits(name, rest)
        || (bare && (ELSE_A_SHELL.contains(&name) || container))
        || SHELL_VERBS.iter().any(|(known, verbs)| *known == name && verbs.iter().any(|verb| says(verb)))
        || (!fed && !later && named(&words, true, Sudo::No))
}

fn from_here(word: &str) -> bool {
    is_input(word) || word == "/dev/tty"
}

/// `-it`, `-i -t`, `--interactive --tty`.
fn takes_a_terminal(words: &[String]) -> bool {
    let has = |letter: char, long: &str| {
        words.iter().any(|word| {
            word == long || word.strip_prefix('-').is_some_and(|w| !w.starts_with('-') && w.contains(letter))
        })
    };
    has('i', "--interactive") && has('t', "--tty")
}

#[cfg(test)]
mod tests {
    use super::super::opens_a_shell;
    use crate::line::Line;

    fn opens_one(line: &str, terminal: bool) -> bool {
        opens_a_shell(&Line::new(line), terminal)
    }

    #[test]
    fn what_is_behind_or_inside_of_others_is_marked() {
        for line in [
            "eval bash",
            "echo \"$(bash)\"",
            "echo \"`vim x`\"",
            "watch vim x",
            "find . -exec bash \\;",
            "su -c bash",
            "ssh -t host 'sudo bash'",
            "ssh -t host vim x",
            "env -S 'bash'",
            "$SHELL",
            "exec \"${SHELL}\"",
            "$(command -v bash)",
            "/bin/bas?",
            "source /dev/tty",
            ". /dev/stdin",
            "bash <(cat)",
            "read -e x",
            "read -rep 'go on? ' x",
            "builtin read -r -e x",
            "fc",
            "fc -s",
            "vared x",
            "vim.tiny x",
            "git commit",
            "git commit --amend",
            "git rebase -i HEAD~3",
            "git -C /srv commit",
            "git add -p",
            "crontab -e",
            "systemctl edit x",
            "kubectl edit deploy x",
            "docker run -it alpine",
            "docker run --rm -ti alpine",
            "docker attach web",
            "chroot /srv",
            "unshare -r",
            "machinectl shell web",
        ] {
            assert!(opens_one(line, true), "{line}");
            assert!(!opens_one(line, false), "{line}: nobody can type");
        }
        for line in [
            "read -r x",
            "read -p 'press e' x",
            "fc -l",
            "git commit -m x",
            "git commit -am x",
            "git commit --amend --no-edit",
            "git add x",
            "git rebase main",
            "crontab -l",
            "docker run --rm alpine ls",
            "docker run -it alpine ls",
            "chroot /srv ls",
            "find . -exec ls {} +",
            "echo \"$(ls)\"",
            "echo \"$SHELL\"",
            "ssh host uptime",
            "$HOME/bin/run x",
            "source .venv/bin/activate",
            "bash < x.sh",
            "bash <<E\nls\nE",
        ] {
            assert!(!opens_one(line, true), "{line}");
        }
    }
}
