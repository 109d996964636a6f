//! What a login asks for: a command, a transfer, a shell, or a script on
//! standard input.

use countersign_api::front::LoginKind;
use countersign_core::{Transfer, asks_for_sftp};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// What a login asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A command line to be held; `Exec` or `Transfer`.
    Run(LoginKind, Vec<u8>),
    /// sftp, as this host has it set up; whether it was asked for read-only.
    Sftp {
        /// With `-R`.
        read_only: bool,
    },
    /// A login without a command, on a terminal: bash, line by line.
    Shell,
    /// A login without a command, without a terminal: bash, command by command
    /// from standard input.
    Script,
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
            None => Self::Script,
        }
    }

    fn line(line: &[u8]) -> Self {
        if let Some(read_only) = asks_for_sftp(line) {
            return Self::Sftp { read_only };
        }
        let kind = if Transfer::of(line).is_some() { LoginKind::Transfer } else { LoginKind::Exec };
        Self::Run(kind, line.to_owned())
    }

    /// The transfer that its line is.
    pub fn transfer(&self) -> Option<Transfer> {
        match self {
            Self::Run(LoginKind::Transfer, line) => Transfer::of(line),
            Self::Run(..) | Self::Sftp { .. } | Self::Shell | Self::Script => None,
        }
    }

    /// What the ledger calls it.
    pub fn kind(&self) -> LoginKind {
        match self {
            Self::Run(kind, _) => *kind,
            Self::Sftp { .. } => LoginKind::Transfer,
            Self::Shell => LoginKind::Interactive,
            Self::Script => LoginKind::Stdin,
        }
    }
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
        assert_eq!(Request::read(None, original, &own, false), Request::Script);
        let sftp = Some(OsStr::new("internal-sftp"));
        let forced = Request::read(Some(own[0].as_os_str()), sftp, &own, false);
        assert_eq!(forced, Request::Sftp { read_only: false });
    }

    #[test]
    fn only_a_plain_line_is_a_transfer() {
        for line in ["scp -t /tmp", "rsync --server . x", "git-upload-pack 'x.git'"] {
            assert_eq!(read(line), Request::Run(LoginKind::Transfer, line.into()), "{line}");
        }
        for line in ["scp -t x; id", "rsync a b", "git-upload-pack 'x'; id", "internal-sftp -R; id"] {
            assert_eq!(read(line), Request::Run(LoginKind::Exec, line.into()), "{line}");
        }
        assert_eq!(read("/usr/lib/openssh/sftp-server -l INFO -R"), Request::Sftp { read_only: true });
    }
}
