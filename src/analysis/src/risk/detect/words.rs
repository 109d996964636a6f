//! Findings in the words of one command.

use crate::facts::{Context, Redirect, Span, Unknown, Word};
use crate::hosts::Reach;
use crate::paths::{self, Class};
use crate::risk::view::{Touch, View};
use crate::words::base_name;
use std::net::IpAddr;

/// Where `name` is found about `view`.
pub fn detect(name: &str, view: &View<'_>) -> Option<Span> {
    let whole = view.command.span;
    let when = |found: bool| found.then_some(whole);
    match name {
        "outside_work" => deleted_outside(view),
        "sysrq" => view.touched.iter().find(|t| t.path == "/proc/sysrq-trigger").map(|t| t.span),
        "set_id" => view.arguments.iter().find(|word| set_id(&word.text)).map(|word| word.span),
        "outside_search" => when(
            view.operands
                .first()
                .is_some_and(|first| first.starts_with('/') && !paths::class(first).meets(Class::TEMPORARY)),
        ),
        "secret_pattern" => {
            let outside =
                view.operands.iter().any(|at| at.starts_with('/') || at.starts_with('~') || at.starts_with("$HOME"));
            view.command.arguments().iter().find(|word| outside && secret_word(&word.text)).map(|word| word.span)
        }
        "network_change" => when(network_change(view)),
        "address" => address(view),
        "sends_file" => sends_file(view),
        "to_remote" => when(
            view.operands.len() > 1 && view.operands.last().is_some_and(|to| to.contains(':') && !to.starts_with('/')),
        ),
        "computed_name" => {
            view.arguments.iter().find(|word| word.unknown.contains(Unknown::COMMAND)).map(|word| word.span)
        }
        "url_of_secret" => url_path(view)
            .find(|(_, path)| paths::class(path).meets(Class::CREDENTIAL.or(Class::ACCOUNTS)))
            .map(|(word, _)| word.span),
        "url_of_program" => url_path(view).find(|(_, path)| program_file(path)).map(|(word, _)| word.span),
        "swept" => swept(view),
        "long" => when(long(view)),
        "detached" => when(detached(view)),
        "absolute_write" => {
            view.touched.iter().find(|t| t.touch == Touch::Write && !t.inside && elsewhere(&t.path)).map(|t| t.span)
        }
        "no_remote_command" => when(view.operands.len() == 1),
        _ => None,
    }
}

/// A deleted path that is neither temporary nor what a build makes anew.
fn deleted_outside(view: &View<'_>) -> Option<Span> {
    const MADE: [&str; 26] = [
        "node_modules",
        "dist",
        "build",
        "target",
        "out",
        "coverage",
        "__pycache__",
        "bin",
        "obj",
        "venv",
        ".venv",
        "tmp",
        "temp",
        "logs",
        ".cache",
        "cache",
        ".next",
        ".pytest_cache",
        ".mypy_cache",
        ".tox",
        "vendor",
        "_build",
        "site",
        ".gradle",
        "deps",
        "release",
    ];
    let made = |path: &str| {
        let name = base_name(path.trim_end_matches("/*"));
        !path.starts_with('/')
            && !path.starts_with('~')
            && !path.contains('$')
            && (MADE.contains(&name) || name.ends_with(".egg-info"))
            && !path.starts_with("..")
    };
    view.touched
        .iter()
        .find(|t| t.touch == Touch::Delete && !t.class.meets(Class::TEMPORARY) && !made(&t.path))
        .map(|t| t.span)
}

/// `4755`, `u+s`, `+s`.
fn set_id(mode: &str) -> bool {
    let octal = mode.len() == 4
        && mode.bytes().all(|b| (b'0'..=b'7').contains(&b))
        && matches!(mode.as_bytes().first(), Some(b'2' | b'4'..=b'7'));
    let symbolic = mode.split_once(['+', '=']).is_some_and(|(who, what)| {
        who.chars().all(|c| "ugoa".contains(c))
            && what.contains('s')
            && what.chars().all(|c| "rwxsXt,+-=ugoa".contains(c))
    });
    octal || symbolic
}

fn secret_word(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["password", "passwd", "secret", "api_key", "apikey", "private key", "aws_secret", "token", "credential", "pwd="]
        .iter()
        .any(|word| lower.contains(word))
}

/// Whether `ip`, `nmcli` and their like are asked to change something.
fn network_change(view: &View<'_>) -> bool {
    let action = view.operands.get(1).copied().unwrap_or("");
    match view.name {
        "ip" => match action {
            "s" | "se" | "set" => {
                let link = view.operands.first().is_some_and(|object| "link".starts_with(object));
                action == "set"
                    || action == "se"
                    || (link && view.operands.len() > 3 && view.operands.get(2) != Some(&"group"))
            }
            _ => ["add", "append", "delete", "change", "replace", "flush", "exec"]
                .iter()
                .any(|verb| !action.is_empty() && verb.starts_with(action)),
        },
        _ => !view.operands.iter().any(|word| matches!(*word, "show" | "list" | "status" | "monitor")),
    }
}

fn address(view: &View<'_>) -> Option<Span> {
    view.reached.iter().find(|r| r.reach == Reach::External && r.host.parse::<IpAddr>().is_ok()).map(|r| r.span)
}

/// A file, or the output of a command, as what is sent.
fn sends_file(view: &View<'_>) -> Option<Span> {
    let sent = |word: &&&Word| {
        let text = word.text.as_str();
        text.starts_with('@')
            || text.contains("=@")
            || word.unknown.contains(Unknown::COMMAND)
            || matches!(text, "-T" | "--upload-file" | "-F" | "--form" | "--data-binary")
            || text.starts_with("--upload-file=")
    };
    view.arguments.iter().find(sent).map(|word| word.span)
}

/// The paths of the URLs among the arguments.
fn url_path<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v &'v Word, &'v str)> {
    view.arguments.iter().filter_map(|word| {
        let (_, rest) = word.text.split_once("://")?;
        let at = rest.find('/')?;
        let path = rest.get(at..)?;
        Some((word, path.split(['?', '#']).next().unwrap_or(path)))
    })
}

fn program_file(path: &str) -> bool {
    [
        ".sh", ".py", ".pl", ".rb", ".elf", ".bin", ".so", ".run", ".ko", ".exe", ".bash", ".out", ".php", ".jar",
        ".ps1", ".bat",
    ]
    .iter()
    .any(|end| path.ends_with(end))
}

/// In a loop over hosts or ports.
fn swept(view: &View<'_>) -> Option<Span> {
    if !view.command.context.iter().any(|c| matches!(c, Context::Loop)) {
        return None;
    }
    view.arguments.iter().find(|word| word.unknown.contains(Unknown::PARAMETER)).map(|word| word.span)
}

fn long(view: &View<'_>) -> bool {
    let number = |text: &str| text.trim_end_matches(['s', 'm']).parse::<f64>().unwrap_or(0.0);
    match view.name {
        "ping" => view.arguments.iter().any(|word| number(&word.text) > 60.0 && !word.text.contains('.')),
        _ => view.operands.iter().any(|text| number(text) > 300.0 || text.ends_with(['h', 'd'])),
    }
}

/// Behind `nohup` or `setsid` with its output thrown away.
fn detached(view: &View<'_>) -> bool {
    if !matches!(view.name, "nohup" | "setsid" | "daemonize") {
        return false;
    }
    let thrown = view.command.redirections.iter().any(|r| r.kind == Redirect::Write && r.target.text == "/dev/null");
    let background = view.command.context.iter().any(|c| matches!(c, Context::Background));
    // What it writes can be read where a file of the working directory is named for it.
    let kept = view.touched.iter().any(|t| {
        t.touch == Touch::Write
            && t.class == Class::default()
            && !t.path.starts_with(['/', '.'])
            && !t.path.contains("/.")
    });
    thrown || background && !kept
}

fn elsewhere(path: &str) -> bool {
    (path.starts_with('/') || path.starts_with('~') || path.starts_with(".."))
        && !paths::class(path).meets(Class::TEMPORARY)
        && !path.starts_with("/dev/")
}
