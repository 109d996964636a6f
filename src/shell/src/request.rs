//! What a login asks for: a command, a transfer, or something that is not
//! built yet.

use countersign_api::front::{LoginKind, RefusedLogin};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// What a login asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command line to be held; `Exec` or `Transfer`.
    Run(LoginKind, Vec<u8>),
    /// A login without a command, on a terminal: bash, line by line.
    Shell,
    /// Something that is refused and recorded as such.
    Refused(LoginKind, RefusedLogin),
}

impl Request {
    /// Reads it from `-c`, the forced command and the terminal. `-c` wins;
    /// `SSH_ORIGINAL_COMMAND` counts only where `-c` is exactly one of
    /// `own_names`, that is where sshd forces this program.
    pub fn read(command: Option<&OsStr>, original: Option<&OsStr>, own_names: &[OsString], terminal: bool) -> Self {
        let asked = match command {
            Some(line) if own_names.iter().any(|own| own == line) => original,
            other => other,
        };
        match asked {
            Some(line) => Self::line(line.as_bytes()),
            None if terminal => Self::Shell,
            None => Self::Refused(LoginKind::Stdin, RefusedLogin::StdinNotBuilt),
        }
    }

    fn line(line: &[u8]) -> Self {
        let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        let first = words.first().copied().unwrap_or_default();
        let name = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        match (name, words.get(1).copied()) {
            (b"sftp-server" | b"internal-sftp", _) => Self::Refused(LoginKind::Transfer, RefusedLogin::SftpNotBuilt),
            (b"rsync", Some(b"--server")) => Self::Refused(LoginKind::Transfer, RefusedLogin::RsyncNotBuilt),
            (b"git-upload-pack" | b"git-receive-pack" | b"git-upload-archive", _)
            | (b"git", Some(b"upload-pack" | b"receive-pack" | b"upload-archive")) => {
                Self::Refused(LoginKind::Transfer, RefusedLogin::GitNotBuilt)
            }
            _ if is_scp(line, &words) => Self::Run(LoginKind::Transfer, line.to_owned()),
            _ => Self::Run(LoginKind::Exec, line.to_owned()),
        }
    }
}

/// What is said about a login that is refused: what is not built, and what to
/// do instead.
pub fn advice(refused: RefusedLogin) -> &'static str {
    match refused {
        RefusedLogin::InteractiveNotBuilt => {
            "refused: interactive logins are not built yet; send one command: ssh HOST COMMAND"
        }
        RefusedLogin::StdinNotBuilt => {
            "refused: scripts on standard input are not built yet; send one command: ssh HOST COMMAND"
        }
        RefusedLogin::SftpNotBuilt => "refused: sftp is not built yet; use: scp -O",
        RefusedLogin::RsyncNotBuilt => "refused: rsync is not built yet; use: scp -O -r",
        RefusedLogin::GitNotBuilt => "refused: git over ssh is not built yet; use: scp -O, or git bundle",
    }
}

/// Whether a line is what `scp -O` sends and nothing else: the word `scp`,
/// options with `-t` or `-f`, paths. Only such a line runs without its output
/// being copied, so no character may stand in it that could start more.
fn is_scp(line: &[u8], words: &[&[u8]]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80 || b" ./_~:@%+=,-*?[]'\"\\".contains(byte);
    let Some((b"scp", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) else { return false };
    let options = rest.iter().take_while(|word| word.len() > 1 && word.starts_with(b"-") && **word != b"--");
    let mut server = false;
    for option in options {
        let letters = option.get(1..).unwrap_or_default();
        if !letters.iter().all(|letter| b"tfrpdqv".contains(letter)) {
            return false;
        }
        server |= letters.iter().any(|letter| b"tf".contains(letter));
    }
    server && line.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Request {
        Request::read(Some(OsStr::new(line)), None, &[], false)
    }

    #[test]
    fn the_forced_command_counts_only_where_this_program_is_forced() {
        let own = [OsString::from("/usr/bin/countersign-sh")];
        let original = Some(OsStr::new("id"));
        let id = Request::Run(LoginKind::Exec, b"id".to_vec());
        assert_eq!(Request::read(Some(OsStr::new("/usr/bin/countersign-sh")), original, &own, false), id);
        let other = Request::read(Some(OsStr::new("/usr/bin/countersign-sh ")), original, &own, false);
        assert_eq!(other, Request::Run(LoginKind::Exec, b"/usr/bin/countersign-sh ".to_vec()));
        assert_eq!(Request::read(Some(own[0].as_os_str()), None, &own, true), Request::Shell);
        assert_eq!(
            Request::read(None, original, &own, false),
            Request::Refused(LoginKind::Stdin, RefusedLogin::StdinNotBuilt)
        );
    }

    #[test]
    fn only_a_plain_scp_line_is_a_transfer() {
        for line in ["scp -t /tmp", "scp -r -p -t -- '/a b'", "scp -f *.log", "scp -vrpt /srv/é"] {
            assert_eq!(read(line), Request::Run(LoginKind::Transfer, line.into()), "{line}");
        }
        for line in [
            "scp -t x; id",
            "scp -t $(id)",
            "scp -t `id`",
            "scp a b",
            "scp -S prog -t x",
            "scp -t x\nid",
            "/usr/bin/scp -t x",
            "scp -t x > y",
            "scp -t x & id",
            "scp",
            "scp x -t",
        ] {
            assert_eq!(read(line), Request::Run(LoginKind::Exec, line.into()), "{line}");
        }
    }

    #[test]
    fn what_is_not_built_is_refused_by_its_first_word() {
        for (line, why) in [
            ("/usr/lib/openssh/sftp-server -l INFO", RefusedLogin::SftpNotBuilt),
            ("internal-sftp", RefusedLogin::SftpNotBuilt),
            ("rsync --server -logDtpre.iLsfxC . x", RefusedLogin::RsyncNotBuilt),
            ("git-upload-pack 'x.git'", RefusedLogin::GitNotBuilt),
            ("git receive-pack 'x.git'", RefusedLogin::GitNotBuilt),
        ] {
            assert_eq!(read(line), Request::Refused(LoginKind::Transfer, why), "{line}");
        }
        assert_eq!(read("rsync a b"), Request::Run(LoginKind::Exec, b"rsync a b".to_vec()));
    }
}
