//! File transfers: which lines are what a client's `scp`, `sftp`, `rsync` or
//! `git` sends, and what they do.
//!
//! Such a line runs on the client's own descriptors, where nothing it writes
//! is recorded. So a line is one only if it is that one simple command and no
//! character in it could start more; anything else is an ordinary command.

use std::fmt;

/// What a transfer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// `scp -O` from this host.
    ScpRead,
    /// `scp -O` to this host.
    ScpWrite,
    /// sftp, and `scp` as it is today: may read.
    SftpReadOnly,
    /// The same: may read and change.
    SftpReadWrite,
    /// `rsync` from this host.
    RsyncRead,
    /// `rsync` to this host.
    RsyncWrite,
    /// `git clone`, `git fetch`.
    GitFetch,
    /// `git push`.
    GitPush,
    /// `git archive --remote`.
    GitArchive,
}

/// Where systems have OpenSSH's `sftp-server`.
pub const SFTP_SERVERS: [&str; 5] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/sftp-server",
];
/// What makes it say on standard error which files it opens.
const SFTP_LOG: &str = "-e -l INFO";

impl Transfer {
    const ALL: [Self; 9] = [
        Self::ScpRead,
        Self::ScpWrite,
        Self::SftpReadOnly,
        Self::SftpReadWrite,
        Self::RsyncRead,
        Self::RsyncWrite,
        Self::GitFetch,
        Self::GitPush,
        Self::GitArchive,
    ];

    /// Whether a line, as it is to run, is a transfer and nothing else.
    pub fn of(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok().filter(|text| text.chars().all(plain))?;
        let words: Vec<String> = text.split(' ').filter(|word| !word.is_empty()).map(unquoted).collect();
        let (program, rest) = words.split_first()?;
        // The program's own word must be spelled as it is.
        if !text.starts_with(program.as_str()) {
            return None;
        }
        match program.as_str() {
            "scp" => scp(rest),
            "rsync" => rsync(rest),
            "git-upload-pack" => git(Self::GitFetch, rest),
            "git-receive-pack" => git(Self::GitPush, rest),
            "git-upload-archive" => git(Self::GitArchive, rest),
            "git" => match rest.split_first() {
                Some((verb, rest)) if verb == "upload-pack" => git(Self::GitFetch, rest),
                Some((verb, rest)) if verb == "receive-pack" => git(Self::GitPush, rest),
                Some((verb, rest)) if verb == "upload-archive" => git(Self::GitArchive, rest),
                Some(_) | None => None,
            },
            server if SFTP_SERVERS.contains(&server) => [Self::SftpReadOnly, Self::SftpReadWrite]
                .into_iter()
                .find(|mode| sftp_line(server, *mode == Self::SftpReadOnly) == text),
            _ => None,
        }
    }

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScpRead => "scp_read",
            Self::ScpWrite => "scp_write",
            Self::SftpReadOnly => "sftp_read_only",
            Self::SftpReadWrite => "sftp_read_write",
            Self::RsyncRead => "rsync_read",
            Self::RsyncWrite => "rsync_write",
            Self::GitFetch => "git_fetch",
            Self::GitPush => "git_push",
            Self::GitArchive => "git_archive",
        }
    }

    /// What whoever decides should know of it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::ScpRead => "scp session: the client reads the files named",
            Self::ScpWrite => "scp session: the client writes to the place named",
            Self::SftpReadOnly => "sftp session, read-only: may read every file that this account can",
            Self::SftpReadWrite => "sftp session, read-write: may read and change every file that this account can",
            Self::RsyncRead => "rsync session: the client reads the places named",
            Self::RsyncWrite => "rsync session: the client writes to the place named",
            Self::GitFetch => "git fetch or clone: the client reads the repository",
            Self::GitPush => "git push: the client changes the repository, and git runs the hooks it holds",
            Self::GitArchive => {
                "git archive: the client reads the repository; filters that its configuration names run"
            }
        }
    }

    /// Whether its line says what the client does: the files of an sftp session, and what a push brings to the
    /// repository's hooks, stand in none. A score of such a line says nothing.
    pub fn is_told_by_its_line(self) -> bool {
        !matches!(self, Self::SftpReadOnly | Self::SftpReadWrite | Self::GitPush)
    }

    /// Whether rsync runs.
    pub fn is_rsync(self) -> bool {
        matches!(self, Self::RsyncRead | Self::RsyncWrite)
    }

    /// Whether its standard error is a log of ours and not the client's.
    pub fn is_sftp(self) -> bool {
        matches!(self, Self::SftpReadOnly | Self::SftpReadWrite)
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no transfer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of transfer")]
pub struct UnknownTransfer;

impl std::str::FromStr for Transfer {
    type Err = UnknownTransfer;
    fn from_str(text: &str) -> Result<Self, UnknownTransfer> {
        Self::ALL.into_iter().find(|known| known.as_str() == text).ok_or(UnknownTransfer)
    }
}

/// The line that runs for an sftp session.
pub fn sftp_line(server: &str, read_only: bool) -> String {
    format!("{server} {SFTP_LOG}{}", if read_only { " -R" } else { "" })
}

/// Whether a line is what sshd asks a login shell for where a client wants sftp, and then whether it says read-only.
/// Options that would matter otherwise make it an ordinary command.
pub fn asks_for_sftp(line: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(line).ok()?;
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let program = words.next()?;
    if program != "internal-sftp" && program != "sftp-server" && !SFTP_SERVERS.contains(&program) {
        return None;
    }
    let mut read_only = false;
    while let Some(word) = words.next() {
        match word {
            "-R" => read_only = true,
            "-e" => {}
            // How it logs: that is ours to say.
            "-l" | "-f" => drop(words.next().filter(|value| value.bytes().all(|b| b.is_ascii_alphanumeric()))?),
            _ => return None,
        }
    }
    Some(read_only)
}

/// No character here means anything to a shell beyond quoting and file names.
fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_control()) || " ./_~:@%+=,-*?[]'\"\\".contains(c)
}

/// A word as a program would see it, as far as options are concerned.
fn unquoted(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect()
}

fn scp(words: &[String]) -> Option<Transfer> {
    let mut mode = None;
    for word in words {
        let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty() && *rest != "-") else { break };
        if !letters.chars().all(|letter| "tfrpdqv".contains(letter)) {
            return None;
        }
        let this = match (letters.contains('t'), letters.contains('f')) {
            (true, true) => return None,
            (true, false) => Some(Transfer::ScpWrite),
            (false, true) => Some(Transfer::ScpRead),
            (false, false) => None,
        };
        if mode.is_some() && this.is_some() && mode != this {
            return None;
        }
        mode = mode.or(this);
    }
    // What a pattern becomes could be an option that turns it round.
    mode.filter(|mode| *mode == Transfer::ScpRead || words.iter().all(|word| !word.starts_with(['*', '?', '['])))
}

/// What a client writes after `--server`, as far as it says nothing of programs
/// and configuration, and of no other side: letters, and options by name.
const RSYNC_LETTERS: &str = "bcdgiklmnopqrtuvxyzACDEHIJKLNORSUWX";
const RSYNC_OPTIONS: [&str; 66] = [
    "append",
    "backup",
    "bwlimit",
    "checksum-choice",
    "checksum-seed",
    "compress-choice",
    "compress-level",
    "copy-devices",
    "copy-unsafe-links",
    "debug",
    "delay-updates",
    "delete",
    "delete-after",
    "delete-before",
    "delete-delay",
    "delete-during",
    "delete-excluded",
    "existing",
    "fake-super",
    "force",
    "from0",
    "fsync",
    "fuzzy",
    "groupmap",
    "iconv",
    "ignore-errors",
    "ignore-existing",
    "ignore-missing-args",
    "info",
    "inplace",
    "log-format",
    "max-alloc",
    "max-delete",
    "max-size",
    "min-size",
    "mkpath",
    "modify-window",
    "msgs2stderr",
    "munge-links",
    "new-compress",
    "no-implied-dirs",
    "no-msgs2stderr",
    "no-r",
    "no-recursive",
    "no-relative",
    "no-specials",
    "no-super",
    "no-whole-file",
    "numeric-ids",
    "old-compress",
    "one-file-system",
    "open-noatime",
    "partial",
    "preallocate",
    "safe-links",
    "size-only",
    "skip-compress",
    "specials",
    "stats",
    "stderr",
    "suffix",
    "super",
    "timeout",
    "trust-sender",
    "use-qsort",
    "usermap",
];
/// The same with a place, in the word itself or in the next one.
const RSYNC_PLACES: [&str; 7] =
    ["backup-dir", "compare-dest", "copy-dest", "files-from", "link-dest", "partial-dir", "temp-dir"];

/// In the order in which a client writes it, and in no other: rsync itself takes options anywhere, `-s` has it read
/// more of them from its input, and a pattern may become one by the name of a file.
fn rsync(words: &[String]) -> Option<Transfer> {
    let mut words = words.iter().map(String::as_str).peekable();
    words.next_if(|word| *word == "--server")?;
    let sends = words.next_if(|word| *word == "--sender").is_some();
    while let Some(word) = words.next_if(|word| word.starts_with('-')) {
        let Some(option) = word.strip_prefix("--") else {
            letters(word).then_some(())?;
            continue;
        };
        let (name, value) = option.split_once('=').unzip();
        match (name.unwrap_or(option), value) {
            (name, _) if RSYNC_OPTIONS.contains(&name) => {}
            (name, Some(_)) if RSYNC_PLACES.contains(&name) => {}
            (name, None) if RSYNC_PLACES.contains(&name) => {
                // More words than one would move those after them.
                words.next().filter(|place| !place.starts_with('-') && !place.contains(['*', '?', '[']))?;
            }
            // The client's side of it is reading, and it deletes.
            ("delete-missing-args" | "remove-source-files" | "remove-sent-files", None) if !sends => {}
            (_, _) => return None,
        }
    }
    words.next_if(|word| *word == ".")?;
    let what = if sends { Transfer::RsyncRead } else { Transfer::RsyncWrite };
    words.all(names_a_place).then_some(what)
}

/// Letters without a value; `e.LsfxC` says what the client can do, and another
/// value would be a command.
fn letters(word: &str) -> bool {
    let letters = word.strip_prefix('-').unwrap_or(word);
    if letters.strip_prefix('B').is_some_and(|size| !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit())) {
        return true;
    }
    let (flags, says) = letters.split_once('e').unwrap_or((letters, "."));
    flags.chars().all(|letter| RSYNC_LETTERS.contains(letter)) && says.starts_with('.') && !letters.is_empty()
}

/// Neither an option nor a pattern that could become one.
fn names_a_place(word: &str) -> bool {
    !word.starts_with(['-', '*', '?', '['])
}

/// Whether an `rsync` somewhere in a line may run what the line does not say: a daemon with a configuration, a remote
/// shell of the sender's choice, a server that is not called as a client calls it.
pub fn is_unclear_rsync(line: &str) -> bool {
    let words: Vec<String> = line.split_ascii_whitespace().map(unquoted).collect();
    let Some(at) = words.iter().position(|word| word.ends_with("rsync")) else { return false };
    let rest = words.get(at + 1..).unwrap_or_default();
    let serves = rest.iter().position(|word| word == "--server");
    serves.is_some_and(|at| rsync(rest.get(at..).unwrap_or_default()).is_none())
        || rest.iter().any(|word| word.contains("--daemon") || word.contains("--rsh"))
}

fn git(what: Transfer, words: &[String]) -> Option<Transfer> {
    // Of a path with blanks there are several here; what git takes for an option is none.
    (!words.is_empty() && words.iter().all(|word| names_a_place(word))).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_clients_send() {
        for (line, what) in [
            ("scp -t /tmp", Transfer::ScpWrite),
            ("scp -r -p -t -- '/a b'", Transfer::ScpWrite),
            ("scp -f *.log", Transfer::ScpRead),
            ("scp -vrpt /srv/é", Transfer::ScpWrite),
            ("rsync --server -logDtpre.iLsfxCIvu . x", Transfer::RsyncWrite),
            (
                "rsync --server -vlogDtpre.iLsfxCIvu --delete --backup-dir bk --timeout=5 -B1000 . x/",
                Transfer::RsyncWrite,
            ),
            ("rsync --server -ogtre.LsfxCIvu --usermap=\\*:a --groupmap=\\*:b . x", Transfer::RsyncWrite),
            ("rsync --server -tre.LsfxCIvu --remove-source-files . x", Transfer::RsyncWrite),
            ("rsync --server --sender -trRe.iLsfxCIvu --files-from=- --from0 . /srv", Transfer::RsyncRead),
            ("rsync --server --sender -tre.iLsfxCIvu . a*.log ~/b 'c d'", Transfer::RsyncRead),
            ("rsync --server --sender -vlogDtpre.iLsfxCIvu . '/srv/a b'", Transfer::RsyncRead),
            ("git-upload-pack '/srv/x.git'", Transfer::GitFetch),
            ("git-receive-pack 'x.git'", Transfer::GitPush),
            ("git upload-archive '/srv/x'", Transfer::GitArchive),
            ("/usr/lib/openssh/sftp-server -e -l INFO", Transfer::SftpReadWrite),
            ("/usr/lib/openssh/sftp-server -e -l INFO -R", Transfer::SftpReadOnly),
        ] {
            assert_eq!(Transfer::of(line.as_bytes()), Some(what), "{line}");
            assert_eq!(what.as_str().parse(), Ok(what));
        }
        for mode in [true, false] {
            let line = sftp_line(SFTP_SERVERS[0], mode);
            assert_eq!(asks_for_sftp(line.as_bytes()), Some(mode), "mapping it again changes nothing");
        }
    }

    #[test]
    fn a_line_that_could_do_more_is_none() {
        for line in [
            "scp -t x; id",
            "scp -t $(id)",
            "scp -t `id`",
            "scp a b",
            "scp -S prog -t x",
            "scp -tf x",
            "scp -t x\nid",
            "scp -t\tx",
            "/usr/bin/scp -t x",
            "'scp' -t x",
            "s\\cp -t x",
            "scp -t x > y",
            "scp -t x & id",
            "scp",
            "scp x -t",
            "rsync a b",
            "rsync --server",
            "rsync --server -re.L",
            "rsync --server -re.L x",
            "rsync --server -re.L x .",
            "rsync --server -se.LsfxCIvu",
            "rsync --server -re.L -s . x",
            "rsync --server --secluded-args -re.L . x",
            "rsync --server --protect-args . x",
            "rsync --server -re.L . x --sender",
            "rsync --server -re.L --sender . x",
            "rsync --server -re.L -- --sender . x",
            "rsync --server --sender -re.L --remove-source-files . x",
            "rsync --server --sender -re.L --delete-missing-args . x",
            "rsync --server -re.L --log-file=x . y",
            "rsync --server -re.L --temp-dir * . y",
            "rsync --server -re.L --temp-dir --daemon . y",
            "rsync --server -re.L -M--daemon . y",
            "rsync --server -re.L - . y",
            "rsync --server -v . *",
            "rsync --server -v . x ?-daemon",
            "rsync --server -v . [-]-daemon",
            "rsync --server -v . '' --daemon",
            "scp -t *",
            "git-upload-pack *",
            "rsync --server --daemon .",
            "rsync --server '--daemon' .",
            "rsync --server --d\\aemon .",
            "rsync --server -e 'sh -c id' . x",
            "rsync --server -vesh . x",
            "rsync --server --rsh=sh . x",
            "rsync --server . x; id",
            "rsync --server . {a,b}",
            "git-upload-pack",
            "git-receive-pack --x y",
            "git-upload-pack x --stateless-rpc",
            "git-upload-archive '' --x",
            "git-upload-pack 'a'; id",
            "git-shell -c x",
            "git status",
            "git -c x upload-pack y",
            "/usr/lib/openssh/sftp-server",
            "/usr/lib/openssh/sftp-server -e -l INFO -R ",
            "/usr/lib/openssh/sftp-server -e -l INFO -d /",
            "/tmp/sftp-server -e -l INFO",
            "internal-sftp",
            "",
        ] {
            assert_eq!(Transfer::of(line.as_bytes()), None, "{line}");
        }
        assert_eq!(Transfer::of(b"scp -t \xff"), None);
        assert_eq!(Transfer::of("scp -t \u{85}".as_bytes()), None);
    }

    #[test]
    fn an_rsync_that_the_line_does_not_explain() {
        for line in [
            "rsync --server --daemon .",
            "/usr/bin/rsync --server --rsh=x . y",
            "rsync --server -se.LsfxCIvu",
            "cd /srv && sudo /usr/bin/rsync --server -s",
            "rsync --serv'er' --d\\aemon .",
            "rsync '--dae'mon",
            "rsync --server -v . *",
        ] {
            assert!(is_unclear_rsync(line), "{line}");
        }
        for line in ["rsync -a x y", "rsync --server -re.L . x", "cd /srv && rsync --server -re.L . x", "ls --server"] {
            assert!(!is_unclear_rsync(line), "{line}");
        }
    }

    #[test]
    fn sftp_is_asked_for_in_few_ways() {
        for (line, read_only) in [
            ("internal-sftp", false),
            ("internal-sftp -R", true),
            ("internal-sftp -l VERBOSE -f AUTH", false),
            ("/usr/lib/openssh/sftp-server -l INFO", false),
            ("sftp-server -e -R", true),
        ] {
            assert_eq!(asks_for_sftp(line.as_bytes()), Some(read_only), "{line}");
        }
        for line in [
            "internal-sftp -R; id",
            "internal-sftp -l $(id)",
            "internal-sftp -l INFO;id",
            "internal-sftp -d /etc",
            "internal-sftp -P write",
            "internal-sftp\n-R",
            "internal-sftp -l",
            "/tmp/sftp-server",
            "./internal-sftp",
            "sftp x",
            "",
        ] {
            assert_eq!(asks_for_sftp(line.as_bytes()), None, "{line}");
        }
    }
}
