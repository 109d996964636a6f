//! Where a held line would run, and under which limits. A place that is not known is never the same as before,
//! so a line runs from a place that is known, or it is `cd /…` and does the
//! same wherever it starts.

use crate::spawner::orders::Seen;
use countersign_api::context::ShellReport;

/// What is said of a line whose place is not known.
pub const NOWHERE: &str = "the working directory of this shell is not known (its path is too long, or its file system was unmounted), so nothing runs here; leave it first, by a line of its own: cd /";

/// The place of a line that the host was asked about.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// The shell's working directory; `None` where it is not known, and the line leaves it.
    path: Option<Vec<u8>>,
    /// The shell's limits, as the kernel writes them.
    limits: String,
}

impl Place {
    /// The place of a line; `None` where it may not be asked about.
    pub fn of(seen: &Seen, line: &[u8], shell: &ShellReport) -> Option<Self> {
        let path = seen.place();
        (path.is_some() || leaves(line, shell)).then(|| Self { path, limits: seen.limits.now.clone() })
    }

    /// What stands in the record; empty where it is not known.
    pub fn path(&self) -> &[u8] {
        self.path.as_deref().unwrap_or_default()
    }

    /// Whether a shell that stands so now is where it was, under the limits that it had.
    pub fn is_still(&self, now: &Seen) -> bool {
        (self.path.is_none() || now.place() == self.path) && now.limits.now == self.limits
    }
}

/// Whether a line is `cd` to an absolute path without anything that the shell
/// would expand, and `cd` means what it always does.
fn leaves(line: &[u8], shell: &ShellReport) -> bool {
    let Some(path) = line.trim_ascii().strip_prefix(b"cd /") else { return false };
    let plain = path.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@%,:=".contains(byte));
    let is_cd = |name: &String| name == "cd";
    plain && shell.complete && !shell.functions.iter().chain(&shell.aliases).any(is_cd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawner::orders::Limits;
    use countersign_core::b64_encode;

    fn report(functions: &[&str], aliases: &[&str]) -> ShellReport {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ShellReport { functions: names(functions), aliases: names(aliases), complete: true, ..ShellReport::default() }
    }

    fn at(path: Option<&str>, limits: &str) -> Seen {
        let limits = Limits { now: limits.to_owned(), changed: Vec::new() };
        Seen { here: path.map(|path| b64_encode(path.as_bytes())).unwrap_or_default(), limits, ..Seen::default() }
    }

    fn place(path: Option<&str>, limits: &str) -> Place {
        Place { path: path.map(|path| path.as_bytes().to_vec()), limits: limits.to_owned() }
    }

    #[test]
    fn a_place_that_is_not_known_is_left_and_nothing_else() {
        let shell = report(&["x"], &["ll"]);
        for line in ["cd /", "cd /srv/app-1.0", " cd /tmp \n"] {
            assert_eq!(Place::of(&at(None, "l"), line.as_bytes(), &shell), Some(place(None, "l")), "{line}");
        }
        for line in [
            "ls",
            "cd",
            "cd ~",
            "cd -",
            "cd ..",
            "cd .",
            "cd  /",
            "cd /$X",
            "cd /*",
            "cd /; ls",
            "cd /\nls",
            "cd / ls",
            "cd /{a,b}",
            "cd /~",
            "cd /`x`",
            "cd /a\\b",
            "cd /'a'",
            "acd /",
            "cd /\u{e9}",
            "",
        ] {
            assert_eq!(Place::of(&at(None, ""), line.as_bytes(), &shell), None, "{line:?}");
        }
        assert_eq!(Place::of(&at(None, ""), b"cd /", &report(&["cd"], &[])), None);
        assert_eq!(Place::of(&at(None, ""), b"cd /", &report(&[], &["cd"])), None);
        assert_eq!(Place::of(&at(None, ""), b"cd /", &ShellReport::default()), None, "nothing was heard");
        assert_eq!(Place::of(&at(Some("/a"), "l"), b"ls", &shell), Some(place(Some("/a"), "l")));
    }

    #[test]
    fn what_is_not_known_is_never_the_same() {
        let known = place(Some("/a"), "l");
        assert!(known.is_still(&at(Some("/a"), "l")));
        for now in [Some("/b"), Some("/a (deleted)"), Some(""), None] {
            assert!(!known.is_still(&at(now, "l")), "{now:?}");
        }
        let left = place(None, "l");
        assert!(left.is_still(&at(None, "l")) && left.is_still(&at(Some("/b"), "l")));
        assert_eq!(left.path(), b"");
    }

    #[test]
    fn other_limits_are_not_the_same() {
        for place in [place(Some("/a"), "l"), place(None, "l")] {
            assert!(!place.is_still(&at(Some("/a"), "other")));
            assert!(!place.is_still(&at(Some("/a"), "")), "not known any more");
        }
    }

    #[test]
    fn limits_that_differ_are_named() {
        let text = |files: &str| {
            format!(
                "{:<26}{:<21}Hard\n{:<26}{files:<21}1\n{:<26}{:<21}1\n",
                "Limit", "Soft", "Max open files", "Max cpu time", "7"
            )
        };
        let changed = |now: String| Limits::compared(&text("5"), now).changed;
        assert!(changed(text("5")).is_empty());
        assert_eq!(changed(text("6")), ["open files"]);
        for unknown in [String::new(), "x".to_owned(), format!("{}more", text("5")), text("5").replace("cpu", "xyz")] {
            assert_eq!(changed(unknown), ["not known"]);
        }
    }
}
