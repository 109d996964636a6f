//! What an interactive shell tells of itself before each prompt: facts "as the
//! shell reports". Read so that a strange text names too much and never too
//! little.

use countersign_api::context::{MAX_NAMES, ShellReport};
use std::collections::BTreeSet;

/// Longest name that is told, in bytes.
const MAX_NAME: usize = 256;
/// Longest `PATH` that is told, in bytes.
const MAX_PATH: usize = 4096;
/// What every command may change without changing what another one means. Whether `PWD` lies the driver tells.
const RESTLESS: [&str; 3] = ["PWD", "OLDPWD", "_"];
/// The same where it is a number: a program may take it for an expression.
const NUMBERS: [&str; 3] = ["SHLVL", "COLUMNS", "LINES"];

/// Options that change nothing about what a line runs: how it ends where
/// something fails, and what only a shell that reads lines by itself does.
const HARMLESS: [&str; 15] = [
    "checkwinsize",
    "cmdhist",
    "emacs",
    "errexit",
    "histappend",
    "histexpand",
    "history",
    "histverify",
    "ignoreeof",
    "noclobber",
    "notify",
    "nounset",
    "pipefail",
    "verbose",
    "vi",
];

/// The parts that one prompt must have told.
const PARTS: &[u8] = b"PLFHVO";
/// The part that says which jobs are stopped: no rule goes by that.
const JOBS: u8 = b'J';

/// What a shell has set, each as the shell writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    /// Exported variables.
    exported: BTreeSet<String>,
    /// Options, and variables that the shell alone goes by.
    own: BTreeSet<String>,
}

/// What was told since the last prompt but one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    path: String,
    aliases: Vec<String>,
    functions: Vec<String>,
    hashed: Vec<(String, String)>,
    set: Set,
    stopped: bool,
    heard: Vec<u8>,
    cut: bool,
}

impl Told {
    /// Whether a message that begins with this letter is a part of it.
    pub fn is_part(letter: u8) -> bool {
        letter == JOBS || PARTS.contains(&letter)
    }

    /// Takes a part. `PATH` comes first and begins anew.
    pub fn take(&mut self, letter: u8, text: &[u8], cut: bool) {
        if letter == JOBS {
            self.stopped = !text.trim_ascii().is_empty();
            return;
        }
        let text = String::from_utf8_lossy(text);
        match letter {
            b'P' => *self = Self { path: text.into_owned(), ..Self::default() },
            b'L' => self.aliases = text.lines().filter_map(alias).collect(),
            b'F' => self.functions = text.lines().filter_map(function).collect(),
            b'H' => self.hashed = text.lines().filter_map(hashed).collect(),
            b'V' => self.set.exported = text.lines().map(str::to_owned).collect(),
            _ => self.set.own = settings(&text),
        }
        self.cut |= cut;
        self.heard.push(letter);
    }

    /// What is set now.
    pub fn set(&self) -> &Set {
        &self.set
    }

    /// Whether jobs of the shell are stopped.
    pub fn has_stopped_jobs(&self) -> bool {
        self.stopped
    }

    /// Whether this name is an alias or a function.
    pub fn renames(&self, name: &str) -> bool {
        self.aliases.iter().chain(&self.functions).any(|known| known == name)
    }

    /// The report, with what differs from the first prompt.
    pub fn report(&self, first: &Set) -> ShellReport {
        let changed: BTreeSet<String> = self
            .set
            .exported
            .symmetric_difference(&first.exported)
            .filter(|line| !is_restless(line))
            .map(|line| variable(line))
            .filter(|name| name != "PATH")
            .chain(self.hides_path(first).then(|| "PATH".to_owned()))
            .collect();
        let settings: BTreeSet<String> =
            self.set.own.symmetric_difference(&first.own).map(|line| setting(line)).collect();
        let mut report = ShellReport {
            path: self.path.clone(),
            aliases: self.aliases.clone(),
            functions: self.functions.clone(),
            hashed: self.hashed.clone(),
            changed: changed.into_iter().collect(),
            settings: settings.into_iter().collect(),
            complete: !self.cut && self.heard == PARTS && self.path.len() <= MAX_PATH,
        };
        report.complete &= fits(&mut report.aliases, String::len);
        report.complete &= fits(&mut report.functions, String::len);
        report.complete &= fits(&mut report.changed, String::len);
        report.complete &= fits(&mut report.settings, String::len);
        report.complete &= fits(&mut report.hashed, |(name, path)| name.len().max(path.len()));
        if report.path.len() > MAX_PATH {
            report.path = "…".to_owned();
        }
        report
    }
}

impl Told {
    /// Whether programs are not told of `PATH` any more: they then go by one of
    /// their own. What it holds is told elsewhere.
    fn hides_path(&self, first: &Set) -> bool {
        let told = |set: &Set| set.exported.iter().any(|line| variable(line) == "PATH");
        told(first) && !told(&self.set)
    }
}

/// Cuts a list to its limits; false where it was over them.
fn fits<T>(list: &mut Vec<T>, length: impl Fn(&T) -> usize) -> bool {
    let before = list.len();
    list.retain(|one| length(one) <= MAX_NAME);
    list.truncate(MAX_NAMES);
    list.len() == before
}

/// `alias name='text'`; a line of a longer text may look like one.
fn alias(line: &str) -> Option<String> {
    let rest = line.strip_prefix("alias ")?;
    let rest = rest.strip_prefix("-- ").unwrap_or(rest);
    Some(rest.split('=').next().unwrap_or(rest).to_owned())
}

/// `declare -f name`
fn function(line: &str) -> Option<String> {
    let name = line.strip_prefix("declare -")?.split_once(' ')?.1;
    (!name.starts_with("__cs_")).then(|| name.to_owned())
}

/// `builtin hash -p path name`
fn hashed(line: &str) -> Option<(String, String)> {
    let (path, name) = line.strip_prefix("builtin hash -p ")?.rsplit_once(' ')?;
    Some((name.to_owned(), path.to_owned()))
}

/// `SHELLOPTS` and `BASHOPTS`, a line each, then variables, those that cannot be
/// set (`X=1 program` runs it without them) or turn what they are given into something else, how the locale reads some letters,
/// the mask of new files and the limits (`open files   (-n) 1024`).
fn settings(text: &str) -> BTreeSet<String> {
    let mut lines = text.lines();
    let options: Vec<&str> = lines.by_ref().take(2).flat_map(|list| list.split(':')).collect();
    let options = options.into_iter().filter(|name| !name.is_empty() && !HARMLESS.contains(name));
    // It is not listed before it is first used.
    let lines = lines.map(fixed).filter(|line| line != "declare -i SECONDS");
    options.map(str::to_owned).chain(lines).collect()
}

/// A variable that cannot be set, or that makes another value of what it is given
/// (`declare -i`: it runs an expression), without its value: some are the shell's
/// own and change all the time.
fn fixed(line: &str) -> String {
    let flags = line.strip_prefix("declare -").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let named = if flags.contains(['r', 'i', 'u', 'l', 'c', 'n']) { line.split('=').next() } else { None };
    named.unwrap_or(line).to_owned()
}

/// The name of an option, a limit, or of the variable in such a line.
fn setting(line: &str) -> String {
    if line.starts_with("umask ") {
        return "umask".to_owned();
    }
    if line.starts_with("letters ") {
        return "locale".to_owned();
    }
    if let Some((name, _)) = line.split_once(" (").filter(|_| !line.starts_with("declare ")) {
        return format!("limit: {}", name.trim_end());
    }
    let option = line.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if option { line.to_owned() } else { variable(line) }
}

fn is_restless(line: &str) -> bool {
    let (name, value) = (variable(line), line.split_once("=\"").map_or("", |(_, value)| value));
    let digits = value.strip_suffix('"').is_some_and(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
    let is = |list: &[&str]| list.contains(&name.as_str());
    is(&RESTLESS) || is(&NUMBERS) && digits
}

/// The name in `declare -x name="value"`.
fn variable(line: &str) -> String {
    let named = line.strip_prefix("declare -").and_then(|rest| rest.split_once(' ')).map(|(_, rest)| rest);
    named.map_or("?", |rest| rest.split('=').next().unwrap_or("?")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(parts: &[(u8, &str)]) -> Told {
        let mut told = Told::default();
        for (letter, text) in parts {
            told.take(*letter, text.as_bytes(), false);
        }
        told
    }

    const CALM: [(u8, &str); 6] = [
        (b'P', "/usr/bin:/bin"),
        (b'L', ""),
        (b'F', "declare -fr __cs_stop\n"),
        (b'H', "hash: hash table empty\n"),
        (b'V', "declare -x HOME=\"/h\"\ndeclare -x PWD=\"/a\"\n"),
        (b'O', "braceexpand:monitor\nprogcomp:promptvars\ndeclare -- IFS=$' \\t\\n'\n"),
    ];

    #[test]
    fn a_calm_shell_has_changed_nothing() {
        let first = told(&CALM).set().clone();
        let mut later = CALM;
        later[4].1 = "declare -x HOME=\"/h\"\ndeclare -x PWD=\"/b\"\ndeclare -x OLDPWD=\"/a\"\n";
        later[4].1 = "declare -x HOME=\"/h\"\ndeclare -x PWD=\"/b\"\ndeclare -x COLUMNS=\"80\"\n";
        assert!(told(&later).report(&first).changed.is_empty());
        later[4].1 = "declare -x HOME=\"/h\"\ndeclare -x PWD=\"/b\"\ndeclare -x COLUMNS=\"a[\\$(x)]\"\n";
        assert_eq!(told(&later).report(&first).changed, ["COLUMNS"]);
        later[4].1 = "declare -x HOME=\"/h\"\ndeclare -x PWD=\"/b\"\ndeclare -x OLDPWD=\"/a\"\n";
        let report = told(&later).report(&first);
        let want = ShellReport { path: "/usr/bin:/bin".to_owned(), complete: true, ..ShellReport::default() };
        assert_eq!(report, want);
    }

    #[test]
    fn names_are_told() {
        let first = told(&CALM).set().clone();
        let report = told(&[
            (b'P', "/tmp/x:/usr/bin"),
            (b'L', "alias ls='id'\nalias -- -x='y'\nalias a='one\nalias b=two'\n"),
            (b'F', "declare -f ls\ndeclare -fx other\ndeclare -fr __cs_stop\n"),
            (b'H', "builtin hash -p /tmp/evil ls\nbuiltin hash -p /usr/bin/id id\n"),
            (b'V', "declare -x LD_PRELOAD=\"/tmp/x.so\"\ndeclare -x PWD=\"/a\"\n"),
            (b'O', "braceexpand:errexit\nprogcomp:promptvars:globstar\ndeclare -- CDPATH=\"/x\"\n"),
        ])
        .report(&first);
        assert!(report.complete);
        assert_eq!(report.path, "/tmp/x:/usr/bin");
        assert_eq!(report.aliases, ["ls", "-x", "a", "b"]);
        assert_eq!(report.functions, ["ls", "other"]);
        assert_eq!(report.hashed[0], ("ls".to_owned(), "/tmp/evil".to_owned()));
        assert_eq!(report.changed, ["HOME", "LD_PRELOAD"]);
        assert_eq!(report.settings, ["CDPATH", "IFS", "globstar", "monitor"]);
    }

    #[test]
    fn masks_limits_and_a_path_that_is_not_handed_on_are_told() {
        let with = |exported: &str, own: &str| {
            let mut parts = CALM;
            let own = format!("{}{own}", parts[5].1);
            parts[4].1 = exported;
            parts[5].1 = &own;
            told(&parts)
        };
        let own = "umask 0022\nfile size                   (blocks, -f) unlimited\n";
        let path = "declare -x HOME=\"/h\"\ndeclare -x PATH=\"/bin\"\n";
        let first = with(path, own).set().clone();
        let report = with(path, own).report(&first);
        assert!(report.settings.is_empty() && report.changed.is_empty(), "{report:?}");
        let report =
            with("declare -x HOME=\"/h\"\n", &own.replace("0022", "0000").replace("unlimited", "0")).report(&first);
        assert_eq!(
            (report.settings, report.changed),
            (vec!["limit: file size".to_owned(), "umask".to_owned()], vec!["PATH".to_owned()])
        );
        let other_path = path.replace("/bin", "/usr/bin");
        assert!(with(&other_path, own).report(&first).changed.is_empty(), "it is told by itself");
    }

    #[test]
    fn what_cannot_be_set_and_what_a_locale_left_are_told() {
        let with = |own: &str| {
            let mut parts = CALM;
            let own = format!("{}{own}", parts[5].1);
            parts[5].1 = &own;
            told(&parts)
        };
        let own = "declare -r SHELLOPTS=\"a\"\nletters 225: :ab\n";
        let first = with(own).set().clone();
        let settings = |own: &str| with(own).report(&first).settings;
        assert!(settings(&own.replace("\"a\"", "\"b\"")).is_empty(), "the shell's own value");
        assert_eq!(settings(&format!("{own}declare -r MODE\n")), ["MODE"]);
        assert_eq!(settings(&format!("{own}declare -ar MODE=([0]=\"x\")\n")), ["MODE"]);
        for flags in ["i", "ai", "u", "l", "c", "n", "ix"] {
            assert_eq!(settings(&format!("{own}declare -{flags} MODE=\"1\"\n")), ["MODE"], "{flags}");
        }
        assert!(settings(&format!("{own}declare -i SECONDS=\"7\"\n")).is_empty(), "the shell's own");
        assert_eq!(settings(&own.replace("225", "224")), ["locale"]);
        assert_eq!(settings("declare -r SHELLOPTS=\"a\"\n"), ["locale"], "it says nothing of it any more");
    }

    #[test]
    fn stopped_jobs_are_told_and_change_nothing_else() {
        let mut told = told(&CALM);
        assert!(!told.has_stopped_jobs());
        let before = told.report(&Set::default());
        told.take(b'J', b"4711\n", false);
        assert!(told.has_stopped_jobs() && told.report(&Set::default()) == before);
        told.take(b'J', b"\n", false);
        assert!(!told.has_stopped_jobs());
    }

    #[test]
    fn what_was_not_heard_whole_is_not_complete() {
        let first = Set::default();
        assert!(!Told::default().report(&first).complete);
        assert!(!told(&CALM[..5]).report(&first).complete);
        let mut cut = told(&CALM[..5]);
        cut.take(b'O', b"", true);
        assert!(!cut.report(&first).complete);
        let many: String = (0..MAX_NAMES + 1).map(|n| format!("alias a{n}='x'\n")).collect();
        let mut parts = CALM;
        parts[1].1 = &many;
        assert!(!told(&parts).report(&first).complete);
        let long = format!("alias {}='x'\n", "a".repeat(MAX_NAME + 1));
        parts[1].1 = &long;
        assert!(!told(&parts).report(&first).complete);
    }
}
