//! Where a held line would run. What is not known is never the same as before,
//! so a line runs from a place that is known, or it is `cd /…` and does the
//! same wherever it starts.

use countersign_api::context::ShellReport;

/// What is said of a line whose place is not known.
pub const NOWHERE: &str = "the working directory of this shell is not known (its path is too long, or its file system was unmounted), so nothing runs here; leave it first, by a line of its own: cd /";

/// The place of a line that the host was asked about.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// The shell's working directory.
    Known(Vec<u8>),
    /// It is not known, and the line leaves it.
    Left,
}

impl Place {
    /// The place of a line; `None` where it may not be asked about.
    pub fn of(seen: Option<Vec<u8>>, line: &[u8], shell: &ShellReport) -> Option<Self> {
        seen.map(Self::Known).or_else(|| leaves(line, shell).then_some(Self::Left))
    }

    /// What stands in the record; empty where it is not known.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::Known(path) => path,
            Self::Left => &[],
        }
    }

    /// Whether a shell that is here now is where it was.
    pub fn is_still(&self, now: Option<&[u8]>) -> bool {
        match self {
            Self::Known(path) => now == Some(path),
            Self::Left => true,
        }
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

    fn report(functions: &[&str], aliases: &[&str]) -> ShellReport {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ShellReport { functions: names(functions), aliases: names(aliases), complete: true, ..ShellReport::default() }
    }

    #[test]
    fn a_place_that_is_not_known_is_left_and_nothing_else() {
        let shell = report(&["x"], &["ll"]);
        for line in ["cd /", "cd /srv/app-1.0", " cd /tmp \n"] {
            assert_eq!(Place::of(None, line.as_bytes(), &shell), Some(Place::Left), "{line}");
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
            assert_eq!(Place::of(None, line.as_bytes(), &shell), None, "{line:?}");
        }
        assert_eq!(Place::of(None, b"cd /", &report(&["cd"], &[])), None);
        assert_eq!(Place::of(None, b"cd /", &report(&[], &["cd"])), None);
        assert_eq!(Place::of(None, b"cd /", &ShellReport::default()), None, "nothing was heard");
        assert_eq!(Place::of(Some(b"/a".to_vec()), b"ls", &shell), Some(Place::Known(b"/a".to_vec())));
    }

    #[test]
    fn what_is_not_known_is_never_the_same() {
        let known = Place::Known(b"/a".to_vec());
        assert!(known.is_still(Some(b"/a")));
        for now in [Some(b"/b".as_slice()), Some(b"/a (deleted)"), Some(b""), None] {
            assert!(!known.is_still(now), "{now:?}");
        }
        assert!(Place::Left.is_still(None) && Place::Left.is_still(Some(b"/b")));
        assert_eq!(Place::Left.path(), b"");
    }
}
