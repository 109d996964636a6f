//! Which git runs more than itself, and which programs run a file of the working directory for a subcommand.

use crate::words::has_letter;

/// `git a/b` runs `git-a/b`, `kubectl a/b` runs `kubectl-a/b`: a file below the working directory.
pub(super) fn names_a_file_for_a_subcommand(name: &str, texts: &[&str]) -> bool {
    /// Options with a value of their own, in either program.
    const VALUED: &[&str] = &[
        "-C",
        "-c",
        "--git-dir",
        "--work-tree",
        "--namespace",
        "-n",
        "--context",
        "--kubeconfig",
        "--cluster",
        "--user",
        "-s",
        "--server",
        "--token",
        "--as",
        "--as-group",
        "--request-timeout",
        "--cache-dir",
        "-v",
    ];
    if !matches!(name, "git" | "kubectl") {
        return false;
    }
    let mut rest = texts.iter();
    while let Some(text) = rest.next() {
        if !text.starts_with('-') {
            return text.contains('/');
        }
        if VALUED.contains(text) {
            rest.next();
        }
    }
    false
}

/// Settings that name programs, and subcommands that run one.
pub(super) fn git_runs_more(texts: &[&str]) -> bool {
    let valued = ["-C", "--git-dir", "--work-tree", "--namespace"];
    let mut at = 0;
    while let Some(text) = texts.get(at).filter(|text| text.starts_with('-')) {
        if text.starts_with("-c") {
            return true;
        }
        at += 1 + usize::from(valued.contains(text));
    }
    let Some((subcommand, rest)) = texts.get(at..).and_then(<[&str]>::split_first) else { return false };
    let has = |begin: &str| rest.iter().any(|text| text.starts_with(begin));
    // Also among other letters: `-qu x`.
    let letter = |letters: &[char]| rest.iter().any(|text| has_letter(text, letters));
    match *subcommand {
        "filter-branch" | "difftool" | "mergetool" | "send-email" | "merge-index" | "instaweb" | "remote-ext"
        | "remote-fd" => true,
        "daemon" => has("--access"),
        "svn" => has("--authors-prog"),
        "bisect" => has("run"),
        "submodule" => has("foreach"),
        "rebase" if letter(&['x']) => true,
        "merge" | "pull" | "rebase" | "cherry-pick" | "revert" => names_a_strategy_by_path(rest),
        "grep" => letter(&['O']),
        "clone" => letter(&['u', 'c']),
        _ => false,
    }
}

/// `-s a/b` runs `git-merge-a/b`: a file below the working directory.
fn names_a_strategy_by_path(texts: &[&str]) -> bool {
    /// Letters of options whose value may follow them.
    const VALUED: [char; 5] = ['X', 'm', 'F', 'S', 'C'];
    let strategies = texts.iter().enumerate().filter_map(|(at, text)| {
        let next = || texts.get(at + 1).copied();
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            return (!name.is_empty() && "strategy".starts_with(name)).then(|| value.or_else(next))?;
        }
        let (before, value) = text.strip_prefix('-')?.split_once('s')?;
        (!before.contains(VALUED)).then(|| Some(value).filter(|value| !value.is_empty()).or_else(next))?
    });
    strategies.into_iter().any(|name| name.contains('/'))
}
