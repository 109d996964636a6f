//! What an sftp server says on standard error: which files it opened, changed
//! and closed. Its names and numbers are the agent's own program's words; they
//! are recorded, not believed.

use crate::recorder::{Recorder, RecordingFailed};
use countersign_api::front::Files;
use nix::errno::Errno;
use std::io;
use std::os::fd::OwnedFd;

/// Most bytes of one read.
const READ: usize = 16 * 1024;
/// Longest line that is kept whole, in bytes: two paths of the system's limit.
const MAX_LINE: usize = 16 * 1024;
/// Characters of a line in one marker; a longer one goes on in the next.
const PIECE: usize = 160;
/// Most lines that are recorded; after these they are only counted.
const MAX_LINES: u64 = 10_000;

/// The reading end of an sftp server's log.
#[derive(Debug)]
pub struct TransferLog {
    fd: Option<OwnedFd>,
    rest: Vec<u8>,
    lines: u64,
    files: Files,
}

impl TransferLog {
    /// Reads from a non-blocking descriptor.
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd: Some(fd), rest: Vec::new(), lines: 0, files: Files::default() }
    }

    /// To wait for, until its end.
    pub fn fd(&self) -> Option<&OwnedFd> {
        self.fd.as_ref()
    }

    /// What it has counted.
    pub fn files(&self) -> Files {
        self.files
    }

    /// Reads what is there and records whole lines. The outer error is one of
    /// reading, the inner one of the recording.
    pub fn read(&mut self, recorder: &mut Recorder) -> io::Result<Result<(), RecordingFailed>> {
        let Some(fd) = &self.fd else { return Ok(Ok(())) };
        let mut buffer = [0; READ];
        match nix::unistd::read(fd, &mut buffer) {
            Ok(0) => {
                self.fd = None;
                let last = std::mem::take(&mut self.rest);
                Ok(self.line(&last, recorder).and_then(|()| self.unrecorded(recorder)))
            }
            Ok(n) => {
                self.rest.extend_from_slice(buffer.get(..n).unwrap_or_default());
                Ok(self.whole_lines(recorder))
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Ok(())),
            Err(error) => Err(error.into()),
        }
    }

    fn whole_lines(&mut self, recorder: &mut Recorder) -> Result<(), RecordingFailed> {
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).take(end).collect();
            self.line(&line, recorder)?;
        }
        if self.rest.len() > MAX_LINE {
            let line = std::mem::take(&mut self.rest);
            self.line(&line, recorder)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], recorder: &mut Recorder) -> Result<(), RecordingFailed> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if text.is_empty() || text.starts_with("session ") || text.starts_with("closedir ") {
            return Ok(());
        }
        count(text, &mut self.files);
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Ok(());
        }
        let mut rest = text;
        let mut word = "sftp";
        while !rest.is_empty() {
            let end = rest.char_indices().nth(PIECE).map_or(rest.len(), |(at, _)| at);
            let (piece, after) = rest.split_at(end);
            recorder.marker(&format!("{word}: {piece}"))?;
            (rest, word) = (after, "sftp (goes on)");
        }
        Ok(())
    }

    fn unrecorded(&self, recorder: &mut Recorder) -> Result<(), RecordingFailed> {
        let left = self.lines.saturating_sub(MAX_LINES);
        if left == 0 { Ok(()) } else { recorder.marker(&format!("sftp: {left} further lines were not recorded")) }
    }
}

/// `open "…"` and `close "…" bytes read N written M` into sums.
fn count(text: &str, files: &mut Files) {
    if text.starts_with("open \"") {
        files.opened = files.opened.saturating_add(1);
    }
    if text.starts_with("close \"") {
        let numbers = text.rsplit_once("\" bytes read ").and_then(|(_, rest)| rest.split_once(" written "));
        if let Some((Ok(read), Ok(written))) = numbers.map(|(read, written)| (read.parse(), written.parse())) {
            files.read_bytes = files.read_bytes.saturating_add(read);
            files.written_bytes = files.written_bytes.saturating_add(written);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_was_opened_read_and_written() {
        let mut files = Files::default();
        for line in [
            "session opened for local user a from [x]",
            "open \"/a \\\" bytes read 9 written 9\" flags READ mode 0666",
            "close \"/a\" bytes read 6 written 0",
            "open \"/b\" flags WRITE,CREATE,TRUNCATE mode 0644",
            "close \"/\" bytes read 1 written 2\" bytes read 0 written 18446744073709551615",
            "close \"/b\" bytes read x written 1",
            "close \"/b\" bytes read 0 written 5",
            "opendir \"/tmp\"",
        ] {
            count(line, &mut files);
        }
        assert_eq!(files, Files { opened: 2, read_bytes: 6, written_bytes: u64::MAX });
    }
}
