//! Findings that take more than one command's words to describe. Rules name
//! them (`detect`), and give them weight.

mod elsewhere;
mod fed;
mod shapes;
mod tools;
mod words;

pub(super) use fed::escapes_by_input;

use super::line::{DECODERS, DOWNLOADERS, Makers, Piped, Views};
use super::view::{Touch, View};
use crate::facts::{Context, Redirect, Span};
use crate::paths::{self, Class};
use crate::words::base_name;

/// What can be detected.
pub const NAMES: [&str; 45] = [
    "download_and_run",
    "fetched_file_run",
    "decode_and_run",
    "typed_escape",
    "drops_shell",
    "fork_bomb",
    "runs_from_temporary",
    "hidden_program",
    "kills_in_loop",
    "whole_search",
    "interpreter",
    "encoded_text",
    "reads_then_sends",
    "outside_work",
    "sysrq",
    "set_id",
    "outside_search",
    "secret_pattern",
    "network_change",
    "address",
    "sends_file",
    "to_remote",
    "computed_name",
    "url_of_secret",
    "url_of_program",
    "swept",
    "long",
    "detached",
    "absolute_write",
    "no_remote_command",
    "hidden_target",
    "others_homes",
    "defence_pattern",
    "thrown_output",
    "endless",
    "moved_to_nothing",
    "asks_unseen",
    "plain_index",
    "unfed",
    "not_only_typed",
    "attack_tool",
    "push_elsewhere",
    "package_elsewhere",
    "others_agent",
    "opens_service",
];

const SENDERS: [&str; 14] = [
    "curl", "wget", "nc", "ncat", "netcat", "socat", "ssh", "scp", "rsync", "ftp", "sftp", "mail", "sendmail", "telnet",
];

/// Programs that look at a text and keep nothing of it.
const FILTERS: [&str; 14] = [
    "grep",
    "egrep",
    "rg",
    "wc",
    "head",
    "tail",
    "less",
    "cut",
    "sort",
    "uniq",
    "jq",
    "shellcheck",
    "sha256sum",
    "md5sum",
];

/// Where `name` is found about `view`.
pub fn detect(name: &str, view: &View<'_>, all: &Views<'_>) -> Option<Span> {
    let whole = view.command.span;
    let when = |found: bool| found.then_some(whole);
    match name {
        "download_and_run" => when((runs_text(view) || fed::is_made(view)) && fed_by(view, all, Makers::Downloaders)),
        "decode_and_run" => when(runs_text(view) && fed_by(view, all, Makers::Decoders)),
        "fetched_file_run" => fetched(view, all),
        "typed_escape" => when(typed(view)),
        "drops_shell" => drops_shell(view, all),
        "fork_bomb" => when(calls_itself(view)),
        "runs_from_temporary" => {
            when(program_path(view).is_some_and(|path| paths::class(&path).meets(Class::TEMPORARY)))
        }
        "hidden_program" => when(program_path(view).is_some_and(|path| hidden(&path))),
        "kills_in_loop" => when(view.command.context.iter().any(|c| matches!(c, Context::Loop | Context::Function(_)))),
        "whole_search" => when(view.operands.first().is_some_and(|at| {
            matches!(*at, "/" | "/*" | "/home" | "/etc" | "/etc/" | "/home/" | "/usr" | "/var" | "/opt" | "/root" | "~")
        })),
        "interpreter" => when(crate::programs::interpreter(view.name).is_some()),
        "encoded_text" => view.command.arguments().iter().find(|word| encoded(&word.text)).map(|word| word.span),
        "reads_then_sends" => when(reads_secret(view) && sent(view, all)),
        "unfed" => when(!fed::is_typed(view, all) && !is_fed(view, all)),
        "not_only_typed" => when(!fed::is_typed(view, all)),
        "attack_tool" => tools::attack_tool(view),
        "push_elsewhere" => elsewhere::push_elsewhere(view, all),
        "package_elsewhere" => elsewhere::package_elsewhere(view),
        "others_agent" => elsewhere::others_agent(view),
        "opens_service" => elsewhere::opens_service(view),
        "endless" => when(shapes::endless(view, all)),
        "defence_pattern" => shapes::defence_pattern(view, all),
        "asks_unseen" => when(shapes::asks_unseen(view, all)),
        _ => shapes::detect(name, view).or_else(|| words::detect(name, view)),
    }
}

/// Whether its input comes from a file or a pipe.
fn is_fed(view: &View<'_>, all: &Views<'_>) -> bool {
    view.command.redirections.iter().any(|r| r.kind == Redirect::Read) || all.is_piped_at_all(view, Piped::From)
}

/// A program that runs the text it is given.
pub(super) fn runs_text(view: &View<'_>) -> bool {
    crate::programs::interpreter(view.name).is_some()
        || matches!(view.name, "eval" | "source" | "." | "xargs" | "parallel" | "at" | "batch" | "bash" | "sh")
}

/// Whether one of them writes into its pipe, or into its words.
fn fed_by(view: &View<'_>, all: &Views<'_>, makers: Makers) -> bool {
    let programs: &[&str] = match makers {
        Makers::Downloaders => &DOWNLOADERS,
        Makers::Decoders => &DECODERS,
    };
    all.is_piped(view, Piped::From, programs) || all.is_made_by(view, makers)
}

fn program_path(view: &View<'_>) -> Option<String> {
    let word = view.command.program()?;
    word.text.contains('/').then(|| paths::normal(&word.text, &crate::facts::Place::default())).flatten()
}

fn hidden(path: &str) -> bool {
    path.split('/').any(|part| part.len() > 1 && part.starts_with('.') && part != "..")
        && ![
            "/.local/",
            "/.cargo/",
            "/.venv/",
            "/.nvm/",
            "/.pyenv/",
            "/.rbenv/",
            "/.rustup/",
            "/.npm",
            "/.asdf/",
            "/.config/",
            "/.bun/",
            "/.deno/",
            "/.git/",
            "node_modules/.bin/",
        ]
        .iter()
        .any(|known| format!("/{path}").contains(known))
}

/// A file that this command fetched and a later one runs.
fn fetched(view: &View<'_>, all: &Views<'_>) -> Option<Span> {
    if !DOWNLOADERS.contains(&view.name) {
        return None;
    }
    let mut files: Vec<&str> =
        view.touched.iter().filter(|t| t.touch == Touch::Write).map(|t| base_name(&t.path)).collect();
    files.extend(view.operands.iter().filter(|operand| operand.contains("://")).map(|url| base_name(url)));
    all.runs_later(view, &files)
}

/// `!/bin/sh` or `:!id` as a command: meant for a program that is open.
fn typed(view: &View<'_>) -> bool {
    let Some(word) = view.command.program() else { return false };
    let text = word.text.as_str();
    if fed::escapes_by_input(view) {
        return true;
    }
    (text.starts_with('!')
        || text.starts_with(":!")
        || text.starts_with(":set")
        || text.starts_with(":shell")
        || text.starts_with(":py")
        || text.starts_with('^'))
        && (text.len() > 1 || view.command.words.len() > 1)
}

const SHELLS: [&str; 8] = ["/bin/sh", "/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ksh", "/bin/ash", "bash -i", "sh -i"];

/// Whether a text starts a shell, other than by its first line.
fn starts_shell(text: &str) -> bool {
    let text = text.replace("#!/bin/", "").replace("#! /bin/", "").replace("#!/usr/bin/", "");
    SHELLS.iter().any(|shell| text.contains(shell))
}

/// Writes a text that starts a shell into a file that is no document.
fn drops_shell(view: &View<'_>, all: &Views<'_>) -> Option<Span> {
    let target = view.touched.iter().find(|t| t.touch == Touch::Write && !document(&t.path) && t.path != "/dev/null");
    let noted = fed::goes_to_documents(all);
    let shown = FILTERS.iter().copied().chain(noted.then_some("tee"));
    let piped = !all.is_piped_only(view, Piped::To, &shown.collect::<Vec<_>>());
    let texts = view.command.arguments().iter().filter(|_| matches!(view.name, "echo" | "printf"));
    let here = view.command.redirections.iter().filter(|r| r.kind == Redirect::HereDocument).map(|r| &r.target);
    let span = texts.chain(here).find(|word| starts_shell(&word.text)).map(|word| word.span)?;
    (target.is_some() || piped).then_some(span)
}

pub(super) fn document(path: &str) -> bool {
    [".md", ".txt", ".rst", ".html", ".log", ".adoc", ".csv", ".tex"].iter().any(|end| path.ends_with(end))
}

fn calls_itself(view: &View<'_>) -> bool {
    let name = view.command.program_name().unwrap_or_default();
    let within = view.command.context.iter().any(|c| matches!(c, Context::Function(function) if function == name));
    within && view.command.context.iter().any(|c| matches!(c, Context::Background | Context::Pipe { .. }))
}

/// A long word in base64 or hexadecimal digits.
fn encoded(text: &str) -> bool {
    text.len() >= 120
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=\\x".contains(&b))
        && text.bytes().any(|b| b.is_ascii_uppercase() || b == b'\\')
}

fn reads_secret(view: &View<'_>) -> bool {
    view.touched.iter().any(|t| t.touch == Touch::Read && t.class.meets(Class::CREDENTIAL.or(Class::ACCOUNTS)))
}

/// Where one of them says a host, and all of them say this one, nothing leaves the machine.
fn sent(view: &View<'_>, all: &Views<'_>) -> bool {
    let senders = || all.iter().filter(|other| SENDERS.contains(&other.name));
    let hosts = || senders().flat_map(|other| &other.reached);
    let here = hosts().next().is_some() && hosts().all(|reached| reached.reach == crate::hosts::Reach::Loopback);
    !here && (SENDERS.contains(&view.name) || all.is_piped(view, Piped::To, &SENDERS))
}
