//! What a word of a line resolves to, looked up by the host itself. Fails
//! closed: what is not certainly a builtin or root's program is `other`.

use countersign_analysis::is_builtin;
use countersign_api::context::{Resolution, ShellReport, Word};
use countersign_sys as sys;
use std::path::{Path, PathBuf};

/// Longest `PATH` that is followed, in directories.
const MAX_DIRECTORIES: usize = 32;

/// Builtins that run a file, and so what that starts.
const READS_FILES: [&str; 2] = [".", "source"];

/// The shell that would run a line.
pub(crate) struct Shell<'a> {
    /// Its name, as in the ledger.
    pub(crate) name: &'a str,
    /// `PATH` as it is configured.
    pub(crate) path: &'a str,
    /// What it reports, where it is an interactive one.
    pub(crate) report: Option<&'a ShellReport>,
    /// Whether a program of root's may be named that is on no path: the server
    /// of a file transfer is.
    pub(crate) anywhere: bool,
    /// Why nothing it reports can be relied on.
    pub(crate) unreliable: Option<&'static str>,
}

impl Shell<'_> {
    /// What a word is.
    pub(crate) fn resolve(&self, word: &str) -> Word {
        let made = |is, path: Option<PathBuf>, why: Option<&str>| Word {
            word: word.to_owned(),
            is,
            path: path.map(|path| path.to_string_lossy().into_owned()),
            why: why.map(str::to_owned),
        };
        match self.find(word) {
            Ok(None) => made(Resolution::Builtin, None, None),
            Ok(Some(path)) => made(Resolution::System, Some(path), None),
            Err(why) => made(Resolution::Other, None, Some(why)),
        }
    }

    /// Whether nothing of this name is on the path that the shell goes by, so
    /// that a file of the name is the one in the working directory.
    pub(crate) fn has_nothing_named(&self, name: &str) -> bool {
        let told = self.unreliable.is_none()
            && self
                .report
                .is_none_or(|report| report.complete && report.settings.is_empty() && report.path == self.path);
        let absent = |directory: &str| {
            let found = std::fs::symlink_metadata(Path::new(directory).join(name));
            found.is_err_and(|why| why.kind() == std::io::ErrorKind::NotFound)
        };
        told && self.path.split(':').all(|directory| Path::new(directory).is_absolute() && absent(directory))
    }

    /// Whether `cd` and `~` mean in it what they always do: no `CDPATH`, no option
    /// that lets `cd` guess, no word of its own.
    pub(crate) fn goes_where_it_says(&self) -> bool {
        let calm = |report: &ShellReport| report.complete && report.settings.is_empty();
        self.unreliable.is_none() && self.report.is_none_or(calm)
    }

    /// The program file, or nothing for a builtin.
    fn find(&self, word: &str) -> Result<Option<PathBuf>, &'static str> {
        if let Some(why) = self.unreliable {
            return Err(why);
        }
        if let Some(report) = self.report {
            reported(report, word)?;
        }
        let named = word.contains('/');
        let builtin = !named && is_builtin(self.name, word);
        if builtin && !READS_FILES.contains(&word) {
            // It goes there (`cd`), or writes below it (`echo > ~/x`), by the shell's own word.
            let moved = self.report.is_some_and(|report| report.changed.iter().any(|name| name == "HOME"));
            return if moved { Err("the shell was given another home directory") } else { Ok(None) };
        }
        if self.report.is_some_and(|report| !report.changed.is_empty()) {
            return Err("exported variables are not as they were at login");
        }
        // What it starts itself it looks for there, too: a `git-x` for `git x`, a compiler for `make`.
        if self.report.is_some_and(|report| report.path != self.path && !names_roots_only(&report.path)) {
            return Err("PATH was changed in this shell, and names directories that are not root's alone");
        }
        if builtin {
            return Ok(None);
        }
        if named {
            return absolute(self.path, self.anywhere, word).map(Some);
        }
        let configured = on_path(self.path, word)?;
        let Some(report) = self.report else { return Ok(Some(configured)) };
        let same = |found: &Path| found == configured;
        if report.path != self.path && !on_path(&report.path, word).is_ok_and(|found| same(&found)) {
            return Err("PATH was changed in this shell");
        }
        let mut places = report.hashed.iter().filter(|(name, _)| name == word);
        if places.any(|(_, place)| !sys::trusted_target(Path::new(place)).is_ok_and(|found| same(&found))) {
            return Err("the shell remembers another place for it");
        }
        Ok(Some(configured))
    }
}

fn reported(report: &ShellReport, word: &str) -> Result<(), &'static str> {
    if !report.complete {
        return Err("the shell did not say what names mean in it");
    }
    if !report.settings.is_empty() {
        return Err("options, variables, umask or limits of the shell are not as they were at login");
    }
    if report.aliases.iter().any(|name| name == word) {
        return Err("an alias");
    }
    if report.functions.iter().any(|name| name == word) {
        return Err("a function");
    }
    if is_builtin("bash", word) && report.hashed.iter().any(|(name, _)| name == word) {
        return Err("the shell remembers another place for it");
    }
    Ok(())
}

/// A program that is named with its directory, which must be on the path or
/// may be `anywhere`.
fn absolute(path: &str, anywhere: bool, word: &str) -> Result<PathBuf, &'static str> {
    let named = Path::new(word);
    let above = named.parent().filter(|_| named.is_absolute()).ok_or("a relative path")?;
    if !anywhere && !path.split(':').take(MAX_DIRECTORIES).any(|directory| Path::new(directory) == above) {
        return Err("not on the configured PATH");
    }
    program(named)
}

/// What a shell finds first on a path. A directory that others can write
/// could hold anything by the time the line runs.
fn on_path(path: &str, word: &str) -> Result<PathBuf, &'static str> {
    for directory in path.split(':').take(MAX_DIRECTORIES) {
        let directory = Path::new(directory);
        match sys::trusted_directory(directory) {
            Ok(_) => {}
            // Nobody but root could make it.
            Err(sys::Untrusted::Open { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => continue,
            Err(_) => return Err("a directory before it on PATH is not root's alone"),
        }
        let named = directory.join(word);
        match std::fs::symlink_metadata(&named) {
            Ok(_) => return program(&named),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => return Err("cannot be looked up"),
        }
    }
    Err("not found on PATH")
}

/// Whether nobody but root could put a program into any directory of a path.
fn names_roots_only(path: &str) -> bool {
    let fits = path.split(':').count() <= MAX_DIRECTORIES;
    let roots = |directory: &str| {
        let directory = Path::new(directory);
        directory.is_absolute()
            && match sys::trusted_directory(directory) {
                Ok(_) => true,
                Err(sys::Untrusted::Open { source, .. }) => source.kind() == std::io::ErrorKind::NotFound,
                Err(_) => false,
            }
    };
    fits && path.split(':').all(roots)
}

fn program(named: &Path) -> Result<PathBuf, &'static str> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = sys::trusted_target(named).map_err(|_| "not a program that only root can change")?;
    let runs = std::fs::metadata(&found).is_ok_and(|data| data.permissions().mode() & 0o111 != 0);
    runs.then_some(found).ok_or("not a program that can be run")
}

/// Whether a script file is root's, in a place of root's.
pub(crate) fn is_roots(path: &str) -> bool {
    sys::trusted_target(Path::new(path)).is_ok()
}

/// Whether a directory is root's alone, and all on the way to it.
pub(crate) fn is_roots_directory(path: &str) -> bool {
    sys::trusted_directory(Path::new(path)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

    fn exec() -> Shell<'static> {
        Shell { name: "bash", path: PATH, report: None, anywhere: false, unreliable: None }
    }

    fn why(shell: &Shell<'_>, word: &str) -> String {
        let found = shell.resolve(word);
        assert_eq!(found.is, Resolution::Other, "{word}: {found:?}");
        found.why.unwrap()
    }

    #[test]
    fn builtins_and_roots_programs_are_known() {
        assert_eq!(exec().resolve("cd").is, Resolution::Builtin);
        let found = exec().resolve("ls");
        assert_eq!((found.is, found.path.is_some()), (Resolution::System, true), "{found:?}");
        assert_eq!(exec().resolve("/usr/bin/ls").is, Resolution::System);
        // A link of /etc/alternatives or the like.
        assert_eq!(exec().resolve("sh").path.as_deref(), std::fs::canonicalize("/usr/bin/sh").unwrap().to_str());
        let transfer = Shell { anywhere: true, ..exec() };
        assert_eq!(transfer.resolve("/usr/sbin/nologin").is, Resolution::System);
        assert_eq!(exec().resolve("/usr/sbin/nologin").is, Resolution::Other);
        assert_eq!(transfer.resolve("/tmp/nologin").is, Resolution::Other);
        assert_eq!(Shell { name: "dash", ..exec() }.resolve("source").is, Resolution::Other);
        // They run their words, which were read as data.
        for (name, word) in [("tcsh", "repeat"), ("tcsh", "hup"), ("tcsh", "sched"), ("zsh", "emulate")] {
            assert_eq!(Shell { name, ..exec() }.resolve(word).is, Resolution::Other, "{name} {word}");
        }
    }

    #[test]
    fn anything_else_is_other() {
        for word in [
            "./ls",
            "bin/ls",
            "no-such-program",
            "../usr/bin/ls",
            "/usr/bin/../bin/ls",
            "/tmp/ls",
            "/sbin/ls",
            "/usr/bin",
            "",
            "ls\n",
            "~/ls",
            "/usr/bin/no-such-program",
            "*",
        ] {
            assert!(!why(&exec(), word).is_empty());
        }
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("mine");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let path = format!("{}:{PATH}", place.path().display());
        let spoiled = Shell { path: &path, ..exec() };
        assert!(why(&spoiled, "mine").contains("not root's alone"));
        assert!(why(&spoiled, "ls").contains("not root's alone"), "it could be put before it");
        assert!(why(&spoiled, file.to_str().unwrap()).contains("only root"));
        for path in ["", ".", "bin:/usr/bin", ":/usr/bin"] {
            why(&Shell { path, ..exec() }, "ls");
        }
    }

    #[test]
    fn a_file_is_in_the_working_directory_only_where_path_has_none() {
        let calm = ShellReport { path: PATH.to_owned(), complete: true, ..ShellReport::default() };
        let with = |report: &ShellReport| Shell { report: Some(report), ..exec() }.has_nothing_named("x.sh");
        assert!(exec().has_nothing_named("x.sh") && with(&calm));
        assert!(!exec().has_nothing_named("ls"));
        assert!(!with(&ShellReport { path: format!("/tmp:{PATH}"), ..calm.clone() }));
        assert!(!with(&ShellReport { complete: false, ..calm.clone() }));
        assert!(!with(&ShellReport { settings: vec!["CDPATH".to_owned()], ..calm.clone() }));
        assert!(!Shell { unreliable: Some("x"), ..exec() }.has_nothing_named("x.sh"));
        assert!(!Shell { path: "/usr/bin:.", ..exec() }.has_nothing_named("x.sh"));
    }

    #[test]
    fn what_an_interactive_shell_reports_can_only_take_away() {
        let calm = ShellReport { path: PATH.to_owned(), complete: true, ..ShellReport::default() };
        fn shell(report: &ShellReport) -> Shell<'_> {
            Shell { report: Some(report), ..exec() }
        }
        assert_eq!(shell(&calm).resolve("ls").is, Resolution::System);
        assert_eq!(shell(&calm).resolve("cd").is, Resolution::Builtin);
        assert_eq!(shell(&calm).resolve(".").is, Resolution::Builtin);
        let names = vec!["ls".to_owned(), "cd".to_owned()];
        let hashed: Vec<_> = names.iter().map(|name| (name.clone(), "/tmp/evil".to_owned())).collect();
        for spoiled in [
            ShellReport { aliases: names.clone(), ..calm.clone() },
            ShellReport { functions: names.clone(), ..calm.clone() },
            ShellReport { hashed, ..calm.clone() },
            ShellReport { complete: false, ..calm.clone() },
            ShellReport { settings: vec!["CDPATH".to_owned()], ..calm.clone() },
        ] {
            why(&shell(&spoiled), "ls");
            why(&shell(&spoiled), "cd");
        }
        for spoiled in [
            ShellReport { path: "/tmp:/usr/bin".to_owned(), ..calm.clone() },
            ShellReport { path: String::new(), ..calm.clone() },
            ShellReport { changed: vec!["LD_PRELOAD".to_owned()], ..calm.clone() },
        ] {
            why(&shell(&spoiled), "ls");
            assert_eq!(shell(&spoiled).resolve("cd").is, Resolution::Builtin);
            why(&shell(&spoiled), "/usr/bin/ls");
            why(&shell(&spoiled), "source");
        }
        for (more, is) in
            [("/usr/sbin:/usr/none", Resolution::System), ("/tmp", Resolution::Other), ("", Resolution::Other)]
        {
            let longer = ShellReport { path: format!("{PATH}:{more}"), ..calm.clone() };
            assert_eq!((shell(&longer).resolve("ls").is, shell(&longer).resolve("/usr/bin/ls").is), (is, is), "{more}");
        }
        let hashed = vec![("ls".to_owned(), "/usr/bin/ls".to_owned())];
        assert_eq!(shell(&ShellReport { hashed, ..calm.clone() }).resolve("ls").is, Resolution::System);
        let rewired = Shell { unreliable: Some("x"), ..shell(&calm) };
        assert_eq!(why(&rewired, "cd"), "x");
    }
}
