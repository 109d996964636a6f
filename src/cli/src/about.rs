//! What is known around a command, as lines of text: each says whose word it
//! is. Every string comes from somebody else and goes through [`legible`].

use countersign_api::context::{About, FileSeen, Resolution, SCRIPT_EXCERPT, Script, ShellReport, Word};
use countersign_core::legible;

/// Most names of one list that are shown in a line.
const SHOWN_NAMES: usize = 12;
/// Most characters of a statement that are shown where several submissions are.
const SHOWN_CLAIM: usize = 240;

/// One line of text for each fact; with `contents`, scripts are shown too, and
/// what the agent states is shown whole.
pub fn lines(about: &About, contents: bool) -> Vec<String> {
    let context = &about.context;
    let mut lines = Vec::new();
    lines.extend(who(about));
    lines.extend(context.branch.as_ref().map(|branch| format!("git branch {}", legible(branch))));
    lines.extend(programs(context.words.as_deref()));
    lines.extend(context.shell.as_ref().and_then(reported));
    for script in &context.scripts {
        lines.extend(script_lines(script, contents));
    }
    if context.more_scripts {
        lines.push("⚑ it runs more files than are listed here".to_owned());
    }
    for (member, text) in &about.claimed.members {
        let text = if contents { legible(text) } else { beginning(&legible(text)) };
        lines.push(format!("claimed {}: {text}", legible(member)));
    }
    lines.extend(about.claimed_error.as_ref().map(|why| format!("⚑ claimed, and not readable: {}", legible(why))));
    lines
}

/// Nothing rests on a statement, and sixteen of 16 KiB would hide what else waits.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CLAIM) {
        Some((end, _)) => format!("{} … (all of it: countersign show)", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn who(about: &About) -> Option<String> {
    let Some(identity) = &about.identity else { return None };
    let mut text = format!("verified user {}", legible(&identity.user));
    for (name, value) in [("key", &identity.credential), ("certified by", &identity.authority)] {
        if let Some(value) = value.as_ref().filter(|value| **value != identity.user) {
            text.push_str(&format!(" · {name} {}", legible(value)));
        }
    }
    if !identity.principals.is_empty() {
        text.push_str(&format!(" · principals {}", names(&identity.principals)));
    }
    if !identity.source.is_empty() {
        text.push_str(&format!(" · from {}", legible(&identity.source)));
    }
    Some(text)
}

/// What is usual, builtins and programs of root's, is not said.
fn programs(words: Option<&[Word]>) -> Vec<String> {
    let Some(words) = words else {
        return vec!["⚑ which programs it starts cannot be told before it runs".to_owned()];
    };
    let other = words.iter().filter(|word| word.is == Resolution::Other);
    other
        .map(|word| {
            let why = word.why.as_deref().map_or_else(String::new, |why| format!(" ({})", legible(why)));
            format!("⚑ {} is no builtin and no program of root's{why}", legible(&word.word))
        })
        .collect()
}

fn reported(shell: &ShellReport) -> Option<String> {
    if !shell.complete {
        return Some("⚑ the shell did not report what names mean in it".to_owned());
    }
    let mut facts = Vec::new();
    for (name, list) in [
        ("aliases", &shell.aliases),
        ("functions", &shell.functions),
        ("changed variables", &shell.changed),
        ("changed options and variables of the shell alone", &shell.settings),
    ] {
        if !list.is_empty() {
            facts.push(format!("{name} {}", names(list)));
        }
    }
    let path = format!("PATH {}", legible(&shell.path));
    (!facts.is_empty()).then(|| format!("as the shell reports: {} · {path}", facts.join(" · ")))
}

fn names(list: &[String]) -> String {
    let shown: Vec<String> = list.iter().take(SHOWN_NAMES).map(|name| legible(name)).collect();
    let more = list.len().saturating_sub(SHOWN_NAMES);
    if more == 0 { shown.join(", ") } else { format!("{}, and {more} more", shown.join(", ")) }
}

fn script_lines(script: &Script, contents: bool) -> Vec<String> {
    let path = legible(&script.path);
    match &script.file {
        FileSeen::Unread { why, .. } => vec![format!("⚑ script {path}: {}", why.as_words())],
        FileSeen::Read { size, digest, excerpt } => {
            let changed = match script.changed {
                Some(true) => " · ⚑ changed since it was last let run",
                Some(false) => " · as it was last let run",
                None => "",
            };
            let mut lines = vec![format!("script {path} · {size} bytes · sha256 {digest}{changed}")];
            if contents {
                // Not `lines`, to which a carriage return is a part of the line's end: `./x` and `./x\r` are two programs.
                let text = excerpt.strip_suffix('\n').unwrap_or(excerpt);
                lines.extend(text.split('\n').map(|line| format!("  │ {}", legible(line))));
                // Of its bytes: what is not UTF-8, or hidden, has another length here.
                let shown = u64::try_from(SCRIPT_EXCERPT).unwrap_or(u64::MAX);
                if *size > shown {
                    lines.push(format!("  │ … the first {shown} of {size} bytes are shown"));
                }
            }
            lines
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_api::context::{Context, Identity, Unread};
    use countersign_core::Digest;

    fn script(file: FileSeen, changed: Option<bool>) -> Script {
        Script { path: "x\u{1b}[2J.sh".to_owned(), file, changed }
    }

    #[test]
    fn whose_word_it_is_is_said_and_controls_are_seen() {
        let read = FileSeen::Read {
            size: 9000,
            digest: Digest([1; 32]),
            excerpt: "echo \u{202e}hi\nrm\r x\n./x\r\nls\n".into(),
        };
        let unread = FileSeen::Unread { why: Unread::Link, stamp: String::new() };
        let word = Word { word: "./x".into(), is: Resolution::Other, path: None, why: Some("a relative path".into()) };
        let mut about = About {
            context: Context {
                branch: Some("main".into()),
                words: Some(vec![word]),
                scripts: vec![script(read, Some(true)), script(unread, None)],
                more_scripts: false,
                shell: Some(ShellReport { functions: vec!["ls".into()], complete: true, ..ShellReport::default() }),
            },
            claimed_error: Some("not_json".into()),
            identity: Some(Identity { user: "alice\u{7}".into(), ..Identity::default() }),
            ..About::default()
        };
        about.claimed.members.insert("task".into(), "deploy\nnow".into());
        let text = lines(&about, true).join("\n");
        for part in [
            "verified user alice",
            "git branch main",
            "⚑ ./x is no builtin and no program of root's (a relative path)",
            "as the shell reports: functions ls",
            "9000 bytes",
            "│ ./x⟨U+000D⟩\n",
            "⚑ changed since it was last let run",
            "bytes are shown",
            "a symbolic link, not followed",
            "claimed task: deploy",
            "⚑ claimed, and not readable: not_json",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']) && !text.contains("deploy\nnow"), "{text}");
        assert!(!lines(&about, false).join("\n").contains("│"));
    }

    #[test]
    fn a_long_statement_hides_nothing_else() {
        let mut about = About::default();
        about.context.words = Some(Vec::new());
        for (length, whole) in [(SHOWN_CLAIM, true), (SHOWN_CLAIM + 1, false), (16_000, false)] {
            about.claimed.members.insert("task".into(), "é".repeat(length));
            let [short, all] = [false, true].map(|contents| lines(&about, contents).remove(0));
            assert_eq!(all, format!("claimed task: {}", "é".repeat(length)));
            assert_eq!(short == all, whole, "{length}");
            assert!(short.chars().count() < SHOWN_CLAIM + 60 && short.contains(&"é".repeat(SHOWN_CLAIM)), "{short}");
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert_eq!(lines(&About::default(), false), ["⚑ which programs it starts cannot be told before it runs"]);
        let known = Context { words: Some(Vec::new()), ..Context::default() };
        assert!(lines(&About { context: known, ..About::default() }, true).is_empty());
    }
}
