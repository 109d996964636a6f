//! What the words of well-known programs are: text that nothing happens to, or
//! files that are read, written or removed.

use super::view::Touch;
use crate::facts::{Unknown, Word};
use crate::hosts;

/// Programs all of whose words are text.
const TEXT_ONLY: [&str; 17] = [
    "echo",
    "printf",
    "whatis",
    "apropos",
    "help",
    "type",
    "which",
    "whereis",
    "logger",
    "wall",
    "figlet",
    "cowsay",
    "alias",
    "tldr",
    "notify-send",
    "say",
    "banner",
];
/// Programs whose first operand is a pattern, unless an option gives it.
const PATTERN_FIRST: [&str; 14] = [
    "grep", "egrep", "fgrep", "rg", "ag", "ack", "zgrep", "bzgrep", "xzgrep", "zstdgrep", "ugrep", "pgrep", "jq", "yq",
];
/// Options whose value is a text for people.
const MESSAGES: [&str; 15] = [
    "--message",
    "--body",
    "--title",
    "--description",
    "--comment",
    "--notes",
    "--reason",
    "--summary",
    "--subject",
    "--grep",
    "--author",
    "--annotation",
    "--label",
    "--prompt",
    "--note",
];
/// Programs with `-m TEXT`.
const SHORT_MESSAGE: [&str; 14] =
    ["git", "hg", "svn", "jj", "bzr", "gh", "glab", "alembic", "hub", "tea", "jira", "bd", "br", "linear"];
/// Programs of forges and trackers, with `-t TITLE`, `-b BODY` and `-d DESCRIPTION`.
const TRACKERS: [&str; 8] = ["gh", "glab", "hub", "tea", "jira", "bd", "br", "linear"];
/// What shows history, where `-S` and `-G` come before a text to look for.
const SHOWING_HISTORY: [&str; 6] = ["log", "diff", "show", "blame", "whatchanged", "rev-list"];
/// Programs whose operands are names of pages.
const MANUALS: [&str; 4] = ["man", "info", "pinfo", "cheat"];
/// Programs that look at files from outside.
const LOOKING: [&str; 22] = [
    "ls", "stat", "file", "du", "df", "realpath", "readlink", "basename", "dirname", "cd", "pushd", "test", "[", "exa",
    "eza", "lsd", "tree", "namei", "getfacl", "lsattr", "pwd", "mkdir",
];
const DELETING: [&str; 6] = ["rm", "shred", "unlink", "rmdir", "srm", "wipe"];
/// Programs that change every file they are given.
const WRITING: [&str; 17] = [
    "tee", "touch", "truncate", "chmod", "chown", "chgrp", "chattr", "setfacl", "setfattr", "vim", "vi", "nano", "ed",
    "ex", "emacs", "pico", "sponge",
];
/// Programs whose last operand is written.
const LAST_WRITTEN: [&str; 9] = ["cp", "mv", "install", "ln", "rsync", "scp", "link", "gcp", "ditto"];
/// Options whose value is written, of any program.
const OUTPUT: [&str; 12] = [
    "-o",
    "-O",
    "--output",
    "--output-document",
    "--out",
    "--outfile",
    "--log-file",
    "--outfile",
    "-of",
    "--output-file",
    "--dest",
    "--target-directory",
];

/// Programs of tests, and options that pick tests by a text.
const PICKING_TESTS: [(&[&str], &[&str]); 6] = [
    (
        &["jest", "vitest", "bun", "playwright", "ava", "tap"],
        &["-t", "-g", "--testNamePattern", "--grep", "--match", "--test-name-pattern"],
    ),
    (&["mocha", "cypress", "karma"], &["-g", "-f", "--fgrep"]),
    (&["pytest", "py.test", "tox"], &["-k"]),
    (&["go", "ctest"], &["-run", "-R", "-skip", "-bench"]),
    (&["rspec", "rails", "rake", "minitest"], &["-e", "--example", "-n"]),
    (&["phpunit", "dotnet", "gradle", "gradlew", "mvn"], &["--filter", "--tests"]),
];
/// Programs that give a text to a web service as it is.
const HTTP: [&str; 2] = ["curl", "wget"];
const HTTP_DATA: [&str; 9] =
    ["-d", "--data", "--data-raw", "--data-binary", "--json", "-H", "--header", "--post-data", "--body-data"];

/// Whether `word`, behind `previous`, is text that is sent as it stands: no path in it is opened.
pub fn is_data(name: &str, previous: &str, word: &Word) -> bool {
    let opens = ["@/", "@~", "@.", "@$"].iter().any(|open| word.text.contains(open)) || word.text.starts_with('@');
    HTTP.contains(&name)
        && HTTP_DATA.contains(&previous)
        && !opens
        && !word.unknown.contains(Unknown::COMMAND)
        && !word.unknown.contains(Unknown::PROCESS)
}

/// Whether the program is asked to say only what it would do with its files.
pub fn only_tries(name: &str, words: &[&Word]) -> bool {
    let short = |text: &str| {
        text.strip_prefix('-').is_some_and(|letters| {
            letters.len() <= 12 && letters.contains('n') && letters.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    };
    let long = ["--dry-run", "--just-print", "--recon"];
    matches!(name, "rsync" | "make" | "gmake")
        && words.iter().any(|word| long.contains(&word.text.as_str()) || short(&word.text))
}

/// A word with `*` in the place of what a command in it writes; `None` where there is none.
pub fn without_commands(word: &Word) -> Option<String> {
    if !word.unknown.contains(Unknown::COMMAND) {
        return None;
    }
    let mut plain = String::new();
    let (mut depth, mut quoted) = (0usize, false);
    let mut chars = word.text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '`' if depth == 0 => {
                quoted = !quoted;
                plain.push_str(if quoted { "*" } else { "" });
            }
            _ if quoted => {}
            '$' if chars.peek() == Some(&'(') => {
                plain.push_str(if depth == 0 { "*" } else { "" });
            }
            '(' if depth > 0 || plain.ends_with('*') => depth += 1,
            ')' if depth > 0 => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    Some(plain)
}

/// The words of a command that are more than text.
pub fn arguments<'w>(name: &str, words: &'w [Word]) -> Vec<&'w Word> {
    let sends = |word: &Word| {
        matches!(word.text.as_str(), "-f" | "-n")
            || word.text.starts_with("--file")
            || word.text.starts_with("--server")
    };
    if TEXT_ONLY.contains(&name) && !(name == "logger" && words.iter().any(sends)) {
        return Vec::new();
    }
    let picks =
        PICKING_TESTS.iter().find(|(programs, _)| programs.contains(&name)).map_or(&[][..], |(_, options)| *options);
    let mut kept = Vec::new();
    let git_grep =
        name == "git" && words.iter().find(|word| !word.text.starts_with('-')).is_some_and(|word| word.text == "grep");
    let mut pattern = (PATTERN_FIRST.contains(&name) || git_grep)
        && !words.iter().any(|word| matches!(word.text.as_str(), "-e" | "-f" | "--regexp" | "--file"));
    let history = words.iter().take(4).any(|word| SHOWING_HISTORY.contains(&word.text.as_str()));
    let mut words = words.iter();
    let mut previous = "";
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        // `man -P PAGER`
        let takes_program = matches!(std::mem::replace(&mut previous, text), "-P" | "-H" | "--pager" | "--html");
        let short = text == "-m"
            || (text.starts_with('-') && !text.starts_with("--") && text.ends_with('m') && text.len() <= 4);
        let titled = TRACKERS.contains(&name) && matches!(text, "-t" | "-b" | "-d");
        if MESSAGES.contains(&text) || titled || picks.contains(&text) || (short && SHORT_MESSAGE.contains(&name)) {
            words.next();
        } else if MESSAGES.iter().any(|option| text.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))) {
        } else if PATTERN_FIRST.contains(&name) && matches!(text, "-e" | "--regexp") {
            words.next();
        } else if matches!(name, "jq" | "yq") && matches!(text, "--arg" | "--argjson") {
            words.nth(1);
        } else if name == "git"
            && text.starts_with(['-'])
            && text.get(1..2).is_some_and(|c| c == "S" || c == "G")
            && history
        {
            if text.len() == 2 {
                words.next();
            }
        } else if MANUALS.contains(&name) && !text.starts_with('-') && !text.contains('/') && !takes_program {
        } else if pattern && !text.starts_with('-') && !(git_grep && text == "grep") {
            pattern = false;
        } else {
            kept.push(word);
        }
    }
    kept
}

/// How an argument's paths are touched: `operand` is its number among the
/// operands, from 1, `last` how many there are, `text` all arguments.
pub fn touch(name: &str, previous: &str, argument: &str, operand: usize, last: usize, text: &str) -> Touch {
    let is_option = argument.starts_with('-');
    if OUTPUT.contains(&previous)
        && !matches!(name, "grep" | "ps" | "find" | "ls" | "ssh" | "mount" | "kubectl" | "set" | "sort" | "rg")
        || argument.starts_with("of=")
    {
        return Touch::Write;
    }
    if is_option
        && OUTPUT
            .iter()
            .any(|option| option.len() > 2 && argument.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')))
    {
        return Touch::Write;
    }
    match name {
        _ if LOOKING.contains(&name) => Touch::Look,
        "find" | "fd" if text.contains("-delete") => Touch::Delete,
        "find" | "fd" | "locate" | "mount" | "umount" => Touch::Look,
        _ if DELETING.contains(&name) && !is_option => Touch::Delete,
        "chmod" | "chown" | "chgrp" if operand == 1 => Touch::Look,
        _ if WRITING.contains(&name) && !is_option => Touch::Write,
        _ if LAST_WRITTEN.contains(&name) && !is_option && operand == last && last > 1 => Touch::Write,
        "sed" | "perl" | "ruby" if in_place(text) && operand > 1 && !is_option => Touch::Write,
        "sort" if previous == "-o" => Touch::Write,
        _ => Touch::Read,
    }
}

fn in_place(text: &str) -> bool {
    text.split(' ').any(|word| {
        word == "--in-place"
            || word.starts_with("--in-place=")
            || (word.starts_with('-') && !word.starts_with("--") && word.contains('i') && word.len() <= 8)
    })
}

/// The parts of an argument that could be paths, and where they begin: all of
/// it, and what follows `=`, `@`, a quote, a bracket and the like in it.
pub fn pieces<'t>(name: &str, text: &'t str) -> Vec<(usize, &'t str)> {
    if matches!(name, "test" | "[") {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    let plain = !text.starts_with('-') && !text.contains(char::is_whitespace);
    if plain && !text.contains("://") {
        pieces.push((0, text));
    }
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let begins = matches!(byte, b'/' | b'~')
            || (*byte == b'$' && text.get(at..).is_some_and(|rest| rest.starts_with("$HOME")));
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let fresh = before.is_some_and(|before| b"=@'\"(){}<>|,;: \t\n[`!".contains(before))
            || (at == 2 && bytes.first() == Some(&b'-'));
        let url = text.get(..at).is_some_and(|head| head.ends_with(':') && !head.ends_with("file:"))
            && text.get(at..).is_some_and(|rest| rest.starts_with("//"));
        if !begins || !fresh || url || (at == 0 && plain) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let end = rest.find(|c: char| "'\"(){}<>|,; \t\n[]`!".contains(c)).unwrap_or(rest.len());
        pieces.push((at, rest.get(..end).unwrap_or_default().trim_end_matches([':', '\\'])));
        if pieces.len() > 32 {
            break;
        }
    }
    pieces
}

/// The host that an argument names.
pub fn host<'t>(name: &str, text: &'t str, operand: usize) -> Option<&'t str> {
    let value = text.strip_prefix("--").and_then(|option| option.split_once('=')).map_or(text, |(_, value)| value);
    if value.starts_with('-') {
        return None;
    }
    if let Some(host) = hosts::in_text(value) {
        return Some(host);
    }
    let first = matches!(
        name,
        "ssh"
            | "telnet"
            | "ftp"
            | "sftp"
            | "rlogin"
            | "rsh"
            | "nc"
            | "ncat"
            | "netcat"
            | "ping"
            | "mosh"
            | "socat"
            | "curl"
            | "wget"
            | "nmap"
            | "traceroute"
            | "dig"
            | "nslookup"
            | "host"
            | "whois"
            | "tnftp"
    );
    let named = value.contains('.')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
        && !value.ends_with(".sh");
    if first && operand == 1 && named {
        return Some(value);
    }
    // `curl localhost:8080/x`
    if HTTP.contains(&name)
        && operand > 0
        && value.strip_prefix("localhost").is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    {
        return value.get(.."localhost".len());
    }
    if matches!(name, "scp" | "rsync" | "sftp") {
        let (host, _) = value.split_once(':')?;
        return (!host.contains('/') && !host.is_empty()).then_some(host.rsplit('@').next().unwrap_or(host));
    }
    None
}
