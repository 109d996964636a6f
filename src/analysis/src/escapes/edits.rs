//! Programs that open an editor, but only where they are asked to or are told
//! no text.

/// What says where git is to work, with the word after it.
const GIT_PLACES: [&str; 5] = ["-C", "-c", "--git-dir", "--work-tree", "--namespace"];
/// What gives `git commit` its text, or has it ask for none.
const GIT_TEXTS: [&str; 7] =
    ["--message", "--file", "--reuse-message", "--fixup", "--no-edit", "--dry-run", "--squash"];

/// Whether this program opens one with these words.
pub(super) fn edits(name: &str, rest: &[String]) -> bool {
    match name {
        // Its keys expand and run what is typed, and one of them opens an editor.
        "read" => has_letter(rest, "eE", "adinNptu"),
        "vared" => true,
        "fc" => !has_letter(rest, "l", "e"),
        "crontab" => has_letter(rest, "e", "u"),
        "git" => git(rest),
        "systemctl" | "kubectl" | "oc" | "sops" | "pass" | "chezmoi" => verb(rest) == Some("edit"),
        "ansible-vault" => matches!(verb(rest), Some("edit" | "create")),
        _ => false,
    }
}

fn git(rest: &[String]) -> bool {
    let mut words = rest;
    while let [first, _, after @ ..] = words {
        if !GIT_PLACES.contains(&first.as_str()) {
            break;
        }
        words = after;
    }
    let asks = has_letter(words, "pie", "m");
    match verb(words) {
        Some("commit") => {
            !has_letter(words, "mFC", "mFCct")
                && !words.iter().any(|word| GIT_TEXTS.iter().any(|known| word.starts_with(known)))
        }
        Some("rebase") => {
            has_letter(words, "i", "xsX") || words.iter().any(|w| matches!(w.as_str(), "--interactive" | "--edit-todo"))
        }
        Some("add" | "stash" | "checkout" | "reset" | "restore") => {
            asks || words.iter().any(|w| matches!(w.as_str(), "--patch" | "--interactive" | "--edit"))
        }
        Some("config") => has_letter(words, "e", "f") || words.iter().any(|w| matches!(w.as_str(), "--edit" | "edit")),
        Some(_) | None => false,
    }
}

/// The first word that is no option.
fn verb(words: &[String]) -> Option<&str> {
    words.iter().map(String::as_str).find(|word| !word.starts_with('-'))
}

/// Whether one of these letters is an option; `valued`: letters whose value may
/// stand in the rest of the word.
fn has_letter(words: &[String], wanted: &str, valued: &str) -> bool {
    words.iter().filter_map(|word| word.strip_prefix('-')).filter(|letters| !letters.starts_with('-')).any(|letters| {
        let own = letters.split_inclusive(|c| valued.contains(c)).next().unwrap_or_default();
        own.contains(|c| wanted.contains(c))
    })
}
