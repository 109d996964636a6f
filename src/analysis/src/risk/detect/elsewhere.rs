//! Things that come from or go to another place than is usual: packages by
//! address, repositories pushed somewhere new, keys of somebody else's agent,
//! services that are opened to everyone.

use super::super::line::Views;
use super::super::view::{Touch, View};
use crate::facts::{Span, Unknown, Word};
use crate::hosts::{self, Reach};

/// Whether an address is not in this machine or network.
fn outside(text: &str) -> bool {
    hosts::in_text(text).is_some_and(|host| hosts::reach(host) == Reach::External)
}

/// A place of a repository that is no path and no name of a remote.
fn is_repository(text: &str) -> bool {
    text.contains("://") || text.split_once('@').is_some_and(|(_, rest)| rest.contains(':'))
}

/// The operands of `git` from its subcommand on: what `-C` and `-c` take is left out.
fn git_words<'v>(view: &'v View<'_>) -> Vec<&'v Word> {
    let mut words = view.arguments.iter();
    let mut left = Vec::new();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "-C" | "-c" | "--git-dir" | "--work-tree" | "--namespace" if left.is_empty() => {
                words.next();
            }
            text if text.starts_with('-') => {}
            _ => left.push(*word),
        }
    }
    left
}

/// `git push` to an address, or to a remote that this line has made.
pub fn push_elsewhere(view: &View<'_>, all: &Views<'_>) -> Option<Span> {
    if view.name != "git" {
        return None;
    }
    let words = git_words(view);
    let (first, rest) = words.split_first()?;
    if first.text != "push" {
        return None;
    }
    let target = rest.first()?;
    if is_repository(&target.text) {
        return outside(&target.text).then_some(target.span);
    }
    let everything = view.arguments.iter().any(|word| matches!(word.text.as_str(), "--all" | "--mirror"));
    let usual = matches!(target.text.as_str(), "origin" | "upstream") && !everything;
    let made = |other: &View<'_>| {
        let words = git_words(other);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        matches!(texts.as_slice(), ["remote", "add" | "set-url", name, url, ..]
            if *name == target.text && outside(url))
    };
    let made = !usual && all.iter().any(|other| other.name == "git" && other.index < view.index && made(other));
    made.then_some(target.span)
}

/// Programs that install packages, and what does so.
const INSTALLERS: [(&[&str], &[&str]); 4] = [
    (&["pip", "pip3", "pipx", "uv", "poetry", "easy_install", "pipenv", "python"], &["install", "add", "inject"]),
    (&["npm", "pnpm", "yarn", "bun", "cnpm", "npx", "pnpx", "bunx"], &["install", "i", "add", "exec", "dlx"]),
    (&["gem", "cargo", "go", "cpanm", "luarocks", "composer"], &["install", "add", "get", "require"]),
    (&["deno"], &["run", "install", "cache", "eval"]),
];
/// Options whose value is an address of something else than a package.
const NOT_PACKAGES: [&str; 13] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--default-index",
    "--index",
    "-f",
    "--find-links",
    "-c",
    "--constraint",
    "-r",
    "--registry",
    "--proxy",
    "--trusted-host",
];
/// Registries that everybody uses.
const REGISTRIES: [&str; 6] =
    ["pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "registry.yarnpkg.com", "rubygems.org", "deno.land"];

/// A package that is named by where it is.
pub fn package_elsewhere(view: &View<'_>) -> Option<Span> {
    let (_, verbs) = INSTALLERS.iter().find(|(programs, _)| programs.contains(&view.name))?;
    if view.name == "go" {
        let direct = |a: &crate::facts::Assignment| {
            matches!(a.name.as_str(), "GOPROXY" | "GOINSECURE" | "GONOSUMDB" | "GONOSUMCHECK" | "GOFLAGS")
        };
        let installs = view.operands.first().is_some_and(|verb| verbs.contains(verb));
        return view.command.assignments.iter().find(|a| installs && direct(a)).map(|a| a.span);
    }
    let mut installs = view.name == "easy_install" || matches!(view.name, "npx" | "pnpx" | "bunx" | "cpanm");
    let (mut previous, mut operands) = ("", 0);
    // `npm hook add URL`: only of these can another word stand before the verb.
    let deep = if matches!(view.name, "uv" | "python" | "pip" | "pip3") { 3 } else { 1 };
    for word in &view.arguments {
        let text = word.text.as_str();
        let before = std::mem::replace(&mut previous, text);
        operands += usize::from(!text.starts_with('-'));
        if !installs {
            installs = verbs.contains(&text) && operands <= deep;
        } else if view.name == "gem" || view.name == "cargo" {
            let option = if view.name == "gem" {
                matches!(before, "-s" | "--source" | "--clear-sources")
            } else {
                before == "--git"
            };
            if option && address(text) {
                return Some(word.span);
            }
        } else if !NOT_PACKAGES.contains(&before) && !text.starts_with('-') && address(text) {
            return Some(word.span);
        }
    }
    None
}

fn address(text: &str) -> bool {
    let text = text.split_once(" @ ").map_or(text, |(_, place)| place).trim();
    let text = text.rsplit_once("@git+").map_or(text, |(_, place)| place);
    let short = ["github:", "gitlab:", "bitbucket:", "gist:"].iter().any(|start| text.starts_with(start));
    let named = ["git+", "http://", "https://", "git://", "ssh://", "svn+", "hg+", "git@"]
        .iter()
        .any(|start| text.starts_with(start));
    let known = hosts::in_text(text).is_some_and(|host| REGISTRIES.contains(&host));
    short || named && !known
}

/// Variables that say where keys or tickets are at hand.
const AT_HAND: [(&str, &str); 2] = [("SSH_AUTH_SOCK", "/tmp/ssh-"), ("KRB5CCNAME", "/tmp/krb5cc")];

/// One of them, pointed at what somebody else keeps.
pub fn others_agent(view: &View<'_>) -> Option<Span> {
    let others = |name: &str, value: &str| AT_HAND.iter().any(|(known, place)| *known == name && value.contains(place));
    let assigned = view.command.assignments.iter();
    let mut assigned = assigned.filter(|a| a.values.iter().any(|value| others(&a.name, &value.text)));
    if let Some(assignment) = assigned.next() {
        return Some(assignment.span);
    }
    let exported = |word: &&&Word| word.text.split_once('=').is_some_and(|(name, value)| others(name, value));
    let known = matches!(view.name, "export" | "env" | "declare" | "sudo" | "typeset");
    if let Some(word) = view.arguments.iter().filter(|_| known).find(exported) {
        return Some(word.span);
    }
    // `for s in /tmp/ssh-*/agent.*; do SSH_AUTH_SOCK=$s …`
    let looped = |a: &&crate::facts::Assignment| {
        a.name == "SSH_AUTH_SOCK"
            && a.values
                .iter()
                .any(|v| v.unknown.contains(Unknown::PARAMETER) && v.text.trim_matches(['{', '}', '$']).len() <= 2)
    };
    view.command.assignments.iter().find(looped).map(|a| a.span)
}

/// Settings with which a database asks for no password.
pub fn opens_service(view: &View<'_>) -> Option<Span> {
    let written = |end: &[&str]| {
        view.touched
            .iter()
            .find(|t| t.touch == Touch::Write && end.iter().any(|end| t.path.ends_with(end)))
            .map(|t| t.span)
    };
    let says = |text: &str| view.command.words.iter().any(|word| word.text.to_ascii_lowercase().contains(text));
    if says("trust")
        && !says("trusted")
        && let Some(span) = written(&["pg_hba.conf"])
    {
        return Some(span);
    }
    let grants = says("skip-grant-tables") || says("skip_grant_tables");
    written(&[".cnf"]).filter(|_| grants)
}
