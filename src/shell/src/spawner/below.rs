//! Where a transfer writes: the place that its line names, with every link on
//! the way to it followed once. The kernel then lets it write there and nowhere
//! else, so that what is recorded of it is so whatever links the agent makes.

use countersign_core::Transfer;
use std::path::{Path, PathBuf};

/// What the kernel takes away of a line that only a client's `scp` or `rsync` sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writes {
    /// It is no such line.
    NoTransfer,
    /// Below the place that this path leads to.
    Below(String),
    /// The line does not say it as it stands: quotes, patterns, `~`, places of other kinds.
    Unsaid,
}

/// Options by which rsync writes to further places.
const FURTHER: [&str; 3] = ["--temp-dir", "--backup-dir", "--partial-dir"];

impl Writes {
    /// Of a line.
    pub fn of(line: &[u8]) -> Self {
        match Transfer::of(line) {
            Some(Transfer::ScpWrite | Transfer::RsyncWrite) => {}
            Some(
                Transfer::ScpRead
                | Transfer::SftpReadOnly
                | Transfer::SftpReadWrite
                | Transfer::RsyncRead
                | Transfer::GitFetch
                | Transfer::GitPush
                | Transfer::GitArchive,
            )
            | None => return Self::NoTransfer,
        }
        let text = String::from_utf8_lossy(line);
        let last = text.split(' ').rfind(|word| !word.is_empty()).unwrap_or_default();
        let unclear = text.contains(['\'', '"', '\\', '*', '?', '[']) || last.starts_with(['~', '-']);
        if unclear || FURTHER.iter().any(|option| text.contains(option)) {
            return Self::Unsaid;
        }
        Self::Below(last.to_owned())
    }
}

/// The directory that a place is or, where it is a file or is still to be made, would be in.
pub fn directory(place: &str) -> Option<PathBuf> {
    let here = Path::new(".");
    let mut at = Path::new(place);
    loop {
        match std::fs::canonicalize(at) {
            Ok(found) if found.is_dir() => return Some(found),
            Ok(_) | Err(_) => {}
        }
        at = match at.parent() {
            Some(above) if above.as_os_str().is_empty() => here,
            Some(above) => above,
            None => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_line_says_where_it_writes_or_does_not() {
        let below = |place: &str| Writes::Below(place.to_owned());
        for (line, want) in [
            ("scp -t kept", below("kept")),
            ("scp -r -p -t /srv/in/", below("/srv/in/")),
            ("rsync --server -logDtpre.iLsfxCIvu --delete . x/", below("x/")),
            ("rsync --server -logDtpre.iLsfxCIvu .", below(".")),
            ("scp -t -- '/a b'", Writes::Unsaid),
            ("scp -t ~/x", Writes::Unsaid),
            ("scp -t /srv/a*", Writes::Unsaid),
            ("rsync --server -ogtre.LsfxCIvu --backup-dir=/srv/b . x", Writes::Unsaid),
            ("scp -f kept", Writes::NoTransfer),
            ("rsync --server --sender -re.L . x", Writes::NoTransfer),
            ("cp a b", Writes::NoTransfer),
        ] {
            assert_eq!(Writes::of(line.as_bytes()), want, "{line}");
        }
    }

    #[test]
    fn links_are_followed_to_a_directory() {
        let place = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(place.path()).unwrap();
        let at = |name: &str| root.join(name).to_str().unwrap().to_owned();
        std::fs::create_dir(at("real")).unwrap();
        std::fs::write(at("real/file"), "").unwrap();
        symlink("real", at("link")).unwrap();
        symlink("/nowhere/x", at("dangling")).unwrap();
        for (name, want) in [
            ("real", "real"),
            ("link", "real"),
            ("link/file", "real"),
            ("link/new/newer", "real"),
            ("dangling", ""),
            ("new", ""),
        ] {
            assert_eq!(directory(&at(name)), Some(root.join(want).components().collect()), "{name}");
        }
        assert!(directory("no-such-name").is_some_and(|found| found == std::env::current_dir().unwrap()));
        assert_eq!(directory("/"), Some("/".into()));
    }
}
