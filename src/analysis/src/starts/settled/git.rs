//! Which git runs more than itself, and which programs run a file of the working directory for a subcommand.

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
    match *subcommand {
        "filter-branch" | "difftool" | "mergetool" | "send-email" | "merge-index" | "instaweb" => true,
        "daemon" => has("--access"),
        "svn" => has("--authors-prog"),
        "bisect" => has("run"),
        "submodule" => has("foreach"),
        "rebase" => has("-x"),
        "grep" => has("-O"),
        "clone" => has("-u") || has("-c"),
        _ => false,
    }
}
