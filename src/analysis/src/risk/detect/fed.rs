//! What stands on the input of a command, and who writes it.

use super::super::line::{Piped, Views};
use super::super::view::{Touch, View};
use super::document;
use crate::facts::{Redirect, Redirection, Unknown};

/// Programs that obey `!` in what they read.
const OBEYING: [&str; 27] = [
    "less",
    "more",
    "most",
    "pg",
    "man",
    "info",
    "git",
    "vi",
    "vim",
    "nvim",
    "view",
    "ex",
    "ed",
    "red",
    "systemctl",
    "journalctl",
    "ftp",
    "lftp",
    "sftp",
    "mail",
    "mailx",
    "gdb",
    "psql",
    "mysql",
    "telnet",
    "tnftp",
    "gnuplot",
];

/// Whether a program that obeys `!` is given it by the line: `git -p help config <<< '!/bin/sh'`.
pub fn escapes_by_input(view: &View<'_>) -> bool {
    let escapes = |r: &Redirection| {
        matches!(r.kind, Redirect::HereDocument | Redirect::HereString)
            && r.target.text.lines().any(|line| {
                let line = line.trim_start_matches([':', ' ']);
                line.starts_with('!') && line.len() > 1 || line.starts_with("\\!")
            })
    };
    OBEYING.contains(&view.name) && view.command.redirections.iter().any(escapes)
}

/// Whether its input is a text that stands in the line, and nothing is attached.
pub fn is_typed(view: &View<'_>, all: &Views<'_>) -> bool {
    let attaches = |word: &crate::facts::Word| {
        word.text.starts_with("-a") || word.text.starts_with("-A") || word.text.starts_with("--att")
    };
    (here(view) || is_fed_text(view, all)) && !view.arguments.iter().any(|word| attaches(word))
}

fn here(view: &View<'_>) -> bool {
    let text =
        |r: &Redirection| matches!(r.kind, Redirect::HereDocument | Redirect::HereString) && r.target.exact().is_some();
    view.command.redirections.iter().any(text)
}

/// Whether all that writes into its pipe says what stands in the line.
fn is_fed_text(view: &View<'_>, all: &Views<'_>) -> bool {
    const SAYING: [&str; 3] = ["echo", "printf", "cat"];
    let says = |other: &View<'_>| match other.name {
        "cat" => here(other) && other.command.arguments().is_empty(),
        _ => other.command.is_exact() && !other.command.redirections.iter().any(|r| r.kind == Redirect::Read),
    };
    all.is_piped_at_all(view, Piped::From)
        && all.is_piped_only(view, Piped::From, &SAYING)
        && all.iter().filter(|other| SAYING.contains(&other.name)).all(says)
}

/// Whether every `tee` of the line writes documents only.
pub fn goes_to_documents(all: &Views<'_>) -> bool {
    let tees = || all.iter().filter(|view| view.name == "tee");
    tees().next().is_some()
        && tees().all(|tee| {
            let mut written = tee.touched.iter().filter(|t| t.touch == Touch::Write);
            written.all(|t| document(&t.path)) && tee.touched.iter().any(|t| t.touch == Touch::Write)
        })
}

/// A program that is put together when it runs, or that may be a shell: `$a$b`, `$(echo hs | rev)`, `${SHELL}`.
pub fn is_made(view: &View<'_>) -> bool {
    let Some(word) = view.command.program() else { return false };
    let made = word.unknown.contains(Unknown::PARAMETER) || word.unknown.contains(Unknown::COMMAND);
    if !made || word.unknown.contains(Unknown::GLOB) {
        return false;
    }
    let lower = word.text.to_ascii_lowercase();
    let shell = ["shell", "bash", "$sh", "{sh", " sh)", " sh`", "zsh", "dash"].iter().any(|name| lower.contains(name));
    let expansions = word.text.matches('$').count() + word.text.matches('`').count() / 2;
    let looked_up = ["which ", "command -v", "type -p", "brew --prefix"].iter().any(|way| lower.contains(way));
    // `${0#-}`, `${a:0:2}`: a part of a value.
    let part = word.text.contains("${") && word.text.contains(['#', '%', '^', ',', ':']) && !word.text.contains(":-");
    shell
        || part
        || !looked_up && (word.unknown.contains(Unknown::COMMAND) || expansions > 1 && !lower.contains(['/', ':']))
}
