//! What an sftp server says on standard error: which files it opened, changed
//! and closed. Its names and numbers are the agent's own program's words; they
//! are recorded, not believed.
//!
//! A name may hold a line end, and the server writes it as it is. So a message
//! is what it wrote at once, which the pipe keeps apart, and never a line.

use crate::recorder::{Recorder, RecordingFailed};
use countersign_api::front::Files;
use countersign_core::legible;
use countersign_sys as sys;
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

/// Most bytes of one read: more than the kernel keeps together.
const READ: usize = 16 * 1024;
/// From this length on a message may have been cut by the server, whose buffer
/// has 1024 bytes (log.c): less a line end and what did not fit of a character
/// that it spells out.
const MAYBE_CUT: usize = 1018;
/// Characters of a message in one marker; a longer one goes on in the next.
const PIECE: usize = 160;
/// Most messages that are recorded; after these they are only counted.
const MAX_MESSAGES: u64 = 10_000;

/// The reading end of an sftp server's log.
#[derive(Debug)]
pub struct TransferLog {
    fd: Option<OwnedFd>,
    messages: u64,
    sums: Sums,
}

impl TransferLog {
    /// A log, and the end that the server writes to.
    pub fn new() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = sys::descriptors::packets()?;
        sys::set_nonblocking(ours.as_fd())?;
        Ok((Self { fd: Some(ours), messages: 0, sums: Sums::default() }, theirs))
    }

    /// To wait for, until its end.
    pub fn fd(&self) -> Option<&OwnedFd> {
        self.fd.as_ref()
    }

    /// What it has counted; nothing where it did not hear all of it.
    pub fn files(&self) -> Option<Files> {
        (self.fd.is_none() && self.sums.known()).then_some(self.sums.files)
    }

    /// Reads a message, where there is one, and records it. The outer error is
    /// one of reading, the inner one of the recording.
    pub fn read(&mut self, recorder: &mut Recorder) -> io::Result<Result<(), RecordingFailed>> {
        let Some(fd) = &self.fd else { return Ok(Ok(())) };
        let mut buffer = [0; READ];
        match nix::unistd::read(fd, &mut buffer) {
            Ok(0) => {
                self.fd = None;
                Ok(self.end(recorder))
            }
            Ok(n) => Ok(self.message(buffer.get(..n).unwrap_or_default(), recorder)),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Ok(())),
            Err(error) => Err(error.into()),
        }
    }

    fn message(&mut self, message: &[u8], recorder: &mut Recorder) -> Result<(), RecordingFailed> {
        let text = String::from_utf8_lossy(message);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || text.starts_with("session ") || text.starts_with("closedir ") {
            return Ok(());
        }
        self.sums.hear(text);
        self.messages += 1;
        if self.messages > MAX_MESSAGES {
            return Ok(());
        }
        pieces(text).into_iter().try_for_each(|piece| recorder.legible_marker(piece))
    }

    fn end(&self, recorder: &mut Recorder) -> Result<(), RecordingFailed> {
        let left = self.messages.saturating_sub(MAX_MESSAGES);
        if left > 0 {
            recorder.marker(&format!("sftp: {left} further messages were not recorded"))?;
        }
        if self.sums.known() {
            return Ok(());
        }
        recorder
            .marker("sftp: a message was cut, or files were open at the end: what was read and written is not known")
    }
}

/// A message as markers: made legible first, so that none of it is beyond what
/// a marker holds.
fn pieces(text: &str) -> Vec<String> {
    let shown: Vec<char> = legible(text).chars().collect();
    let word = |index| if index == 0 { "sftp" } else { "sftp (goes on)" };
    let pieces = shown.chunks(PIECE).enumerate();
    pieces.map(|(index, piece)| format!("{}: {}", word(index), piece.iter().collect::<String>())).collect()
}

/// What is recorded of these messages, and what they add up to.
pub fn heard(messages: &[String]) -> (Vec<String>, Option<(u64, u64, u64)>) {
    let mut sums = Sums::default();
    messages.iter().for_each(|message| sums.hear(message));
    let Files { opened, read_bytes, written_bytes } = sums.files;
    let known = sums.known().then_some((opened, read_bytes, written_bytes));
    (messages.iter().flat_map(|message| pieces(message)).collect(), known)
}

/// What the messages add up to.
#[derive(Debug, Default)]
struct Sums {
    files: Files,
    /// Files that are open.
    open: u64,
    /// Whether the last message was that a file is opened.
    opening: bool,
    /// Whether a message was cut that may have told of a file.
    cut: bool,
}

impl Sums {
    /// Takes `open "…"`, its failure, and `close "…" bytes read N written M`.
    fn hear(&mut self, text: &str) {
        self.cut |= text.len() >= MAYBE_CUT;
        let opening = text.starts_with("open \"");
        let failed = std::mem::replace(&mut self.opening, opening) && text.starts_with("sent status ");
        if opening {
            self.open = self.open.saturating_add(1);
            self.files.opened = self.files.opened.saturating_add(1);
        }
        if failed {
            self.open = self.open.saturating_sub(1);
            self.files.opened = self.files.opened.saturating_sub(1);
        }
        // What a client that hung up has left open is closed by force.
        if text.strip_prefix("forced ").unwrap_or(text).starts_with("close \"") {
            self.open = self.open.saturating_sub(1);
            let numbers = text.rsplit_once("\" bytes read ").and_then(|(_, rest)| rest.split_once(" written "));
            match numbers.map(|(read, written)| (read.parse::<u64>(), written.parse::<u64>())) {
                Some((Ok(read), Ok(written))) => {
                    self.files.read_bytes = self.files.read_bytes.saturating_add(read);
                    self.files.written_bytes = self.files.written_bytes.saturating_add(written);
                }
                Some(_) | None => self.cut = true,
            }
        }
    }

    fn known(&self) -> bool {
        !self.cut && self.open == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(messages: &[&str]) -> Sums {
        let mut sums = Sums::default();
        messages.iter().for_each(|message| sums.hear(message));
        sums
    }

    #[test]
    fn counts_what_was_opened_read_and_written() {
        let sums = heard(&[
            "session opened for local user a from [x]",
            "open \"/a \\\" bytes read 9 written 9\" flags READ mode 0666",
            "close \"/a\" bytes read 6 written 0",
            "open \"/none\" flags READ mode 0666",
            "sent status No such file",
            "open \"/b\" flags WRITE,CREATE,TRUNCATE mode 0644",
            "close \"/b\" bytes read 0 written 5",
            "sent status Permission denied",
            "open \"/c\nclose \"/c\" bytes read 7 written 7\nx\" flags READ mode 0666",
            "close \"/c\nclose \"/c\" bytes read 7 written 7\nx\" bytes read 2 written 0",
            "opendir \"/tmp\"",
            "open \"/d\" flags WRITE mode 0644",
            "forced close \"/d\" bytes read 1 written 18446744073709551615",
        ]);
        assert_eq!(sums.files, Files { opened: 4, read_bytes: 9, written_bytes: u64::MAX });
        assert!(sums.known());
    }

    #[test]
    fn what_was_not_heard_whole_gives_no_sum() {
        let long = format!("close \"/{}", "x".repeat(MAYBE_CUT));
        for messages in [
            &["open \"/a\" flags READ mode 0666"][..],
            &["open \"/a\" flags READ mode 0666", "close \"/a\" bytes read x written 1"],
            &["open \"/a\" flags READ mode 0666", "close \"/a"],
            &["open \"/a\" flags READ mode 0666", &long],
        ] {
            assert!(!heard(messages).known(), "{messages:?}");
        }
    }

    #[test]
    fn nothing_of_a_name_is_left_out() {
        let name = format!("/a{}/../../etc/passwd", "\r".repeat(60));
        let pieces = pieces(&name);
        assert!(pieces.iter().all(|piece| piece.chars().count() <= 200 && !piece.contains('\r')), "{pieces:?}");
        let all: String = pieces.iter().filter_map(|piece| piece.split_once(": ")).map(|(_, text)| text).collect();
        assert_eq!(all, legible(&name));
    }
}
