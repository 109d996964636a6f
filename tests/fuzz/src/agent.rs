//! Readers of what an agent asks for and what its own programs say.

use super::again;
use countersign_core::{SFTP_SERVERS, Transfer, asks_for_sftp, sftp_line};
use countersign_shell::readers::{self, Look, Names};

pub const TRANSFERS: &[&str] = &[
    "scp -r -t /srv/data",
    "rsync --server --sender -logDtpre.iLsfxCIvu . src/",
    "git-upload-pack '/srv/x.git'",
    "/usr/lib/openssh/sftp-server -l INFO -R",
];

/// What is taken for a transfer means nothing to a shell beyond its words, and goes one way.
pub fn transfer(bytes: &[u8]) {
    if let Some(transfer) = Transfer::of(bytes) {
        let text = std::str::from_utf8(bytes).expect("it was read as text");
        assert!(!text.contains(|c: char| c.is_control() || "$`;&|<>(){}#!^".contains(c)), "{text:?}");
        assert_eq!(transfer.as_str().parse(), Ok(transfer));
        let bare: String = text.chars().filter(|c| !"'\"\\".contains(*c)).collect();
        let sends = bare.contains("--sender");
        match transfer {
            Transfer::RsyncRead => assert!(sends, "{text:?}"),
            Transfer::RsyncWrite => assert!(!bare.starts_with("rsync --server --sender"), "{text:?}"),
            Transfer::SftpReadOnly => assert!(text.ends_with(" -R"), "{text:?}"),
            _ => {}
        }
    }
    if let Some(read_only) = asks_for_sftp(bytes) {
        let says = bytes.split(|byte| *byte == b' ').any(|word| word == b"-R");
        assert_eq!(says, read_only, "{bytes:?}");
        let line = sftp_line(SFTP_SERVERS[0], read_only);
        let want = if read_only { Transfer::SftpReadOnly } else { Transfer::SftpReadWrite };
        assert_eq!(Transfer::of(line.as_bytes()), Some(want));
    }
}

pub const TRANSFER_LOGS: &[&str] = &[
    "open \"/a\" flags READ mode 0666\nclose \"/a\" bytes read 6 written 0\n",
    "forced close \"/d\" bytes read 1 written 18446744073709551615",
];

/// Nothing of a message drives a terminal or is left out, and numbers are in the sum only where they were said.
pub fn transfer_log(bytes: &[u8]) {
    let messages: Vec<String> =
        bytes.split(|byte| *byte == 0).map(|message| String::from_utf8_lossy(message).into_owned()).collect();
    let (markers, files) = readers::transfer_log(&messages);
    for marker in &markers {
        assert!(marker.chars().count() <= 200 && !marker.chars().any(char::is_control), "{marker:?}");
    }
    let said = |digits: u64| digits == 0 || messages.iter().any(|message| message.contains("close \""));
    assert!(files.is_none_or(|(_, read, written)| said(read) && said(written)), "{files:?} of {messages:?}");
}

pub const ANSWERS: &[&str] = &[
    r#"{"branch":"main","files":[]}"#,
    r#"{"branch":null,"files":[{"unread":"missing"}],"here":"L3Nydg","limits":{"now":"","changed":[]}}"#,
    r#"[["a",true],["b",false]]"#,
];

/// What a child says that runs as the agent is taken whole or not at all.
pub fn errand(bytes: &[u8]) {
    again::<Look>(bytes);
    again::<Names>(bytes);
}

pub const HEADS: &[&str] = &["ref: refs/heads/main\n", "0123456789abcdef0123456789abcdef01234567\n"];

/// A branch is short and shows on one line.
pub fn branch(bytes: &[u8]) {
    if let Some(name) = readers::branch(&String::from_utf8_lossy(bytes)) {
        assert!(!name.is_empty() && name.len() <= 255 && !name.chars().any(char::is_control), "{name:?}");
    }
}

pub const MARKED: &[&str] = &["one\x1b]133;D;w\x07two\x1b]133;", "\x1b]133;D;w\x1b]133;D;w\x07\x07"];

/// Of a terminal's output nothing but the driver's mark is taken out, and nothing is put in.
pub fn mark(bytes: &[u8]) {
    const MARK: &[u8] = b"\x1b]133;D;w\x07";
    for size in [bytes.len(), 1, 3] {
        let (shown, seen) = readers::marked("w", bytes, size);
        let taken = bytes.len() - shown.len();
        assert!(taken.is_multiple_of(MARK.len()) && (taken > 0) == seen, "{taken} of {}", bytes.len());
        assert!(seen || shown == bytes);
        assert!(seen || !bytes.windows(MARK.len()).any(|part| part == MARK));
    }
}
