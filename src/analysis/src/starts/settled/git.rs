//! Which git runs more than itself.

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
    match *subcommand {
        "filter-branch" | "difftool" | "mergetool" | "send-email" => true,
        "bisect" => has("run"),
        "submodule" => has("foreach"),
        "rebase" => has("-x"),
        "grep" => has("-O"),
        "clone" => has("-u") || has("-c"),
        _ => false,
    }
}
