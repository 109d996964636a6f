//! The client's standard input: commands, and what commands read.

use crate::complete::{Completeness, is_complete};
use countersign_core::MAX_COMMAND_BYTES;
use countersign_sys::{self as sys, Wanted};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most bytes of one read.
const READ: usize = 16 * 1024;
/// So many lines are looked at for the end of one command; after that what is
/// there counts as one, as anything in doubt does.
const MAX_LINES: usize = 8192;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A complete command, without the newline that ends it.
    Command(Vec<u8>),
    /// Its rest has not come yet.
    More,
    /// Nothing any more.
    End,
}

/// Standard input, and the pipe through which commands read it.
#[derive(Debug)]
pub struct Source {
    from: OwnedFd,
    /// What was read from the client and by no command.
    buffer: Vec<u8>,
    ended: bool,
    /// The ends of the pipe; the writing one until its end was passed on. What
    /// commands read from is theirs, and never read here: it may block.
    pipe: OwnedFd,
    back: OwnedFd,
    feed: Option<OwnedFd>,
}

impl Source {
    /// Reads from `from`; `pipe` is what commands have as standard input, and
    /// `back` what they left there is read from.
    pub fn new(from: OwnedFd, (pipe, back, feed): (OwnedFd, OwnedFd, OwnedFd)) -> io::Result<Self> {
        sys::set_nonblocking(feed.as_fd())?;
        Ok(Self { from, buffer: Vec::new(), ended: false, pipe, back, feed: Some(feed) })
    }

    /// The reading end, for the shell.
    pub fn pipe(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// To wait for more of it.
    pub fn more(&self) -> (BorrowedFd<'_>, Wanted) {
        (self.from.as_fd(), Wanted::Read)
    }

    /// What to wait for while a command may read.
    pub fn wanted(&self) -> Option<(BorrowedFd<'_>, Wanted)> {
        let feed = self.feed.as_ref()?;
        match (self.buffer.is_empty(), self.ended) {
            (false, _) => Some((feed.as_fd(), Wanted::Write)),
            (true, false) => Some(self.more()),
            (true, true) => None,
        }
    }

    /// Whether only the end is left to pass on, which waits until all before
    /// it was read.
    pub fn is_ending(&self) -> bool {
        self.ended && self.buffer.is_empty() && self.feed.is_some()
    }

    /// Reads what is there, for a descriptor that is ready.
    pub fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ];
        match sys::descriptors::read_now(self.from.as_fd(), &mut buffer) {
            Ok(0) => self.ended = true,
            Ok(n) => self.buffer.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A connection that was reset, a descriptor for writing only: no more input.
            Err(_) => self.ended = true,
        }
        Ok(())
    }

    /// Moves input on to the command that runs.
    pub fn feed(&mut self) -> io::Result<()> {
        let Some(feed) = &self.feed else { return Ok(()) };
        while !self.buffer.is_empty() {
            match nix::unistd::write(feed, &self.buffer) {
                Ok(n) => drop(self.buffer.drain(..n)),
                // Nobody reads now; it stays for whoever does.
                Err(Errno::EAGAIN | Errno::EINTR | Errno::EPIPE) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        if self.ended && !self.holds_unread()? {
            self.feed = None;
        }
        Ok(())
    }

    /// Takes back what no command has read.
    pub fn take_back(&mut self) -> io::Result<()> {
        let mut unread = Vec::new();
        let mut buffer = [0; READ];
        loop {
            match nix::unistd::read(&self.back, &mut buffer) {
                Ok(0) | Err(Errno::EAGAIN) => break,
                Ok(n) => unread.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        unread.append(&mut self.buffer);
        self.buffer = unread;
        Ok(())
    }

    /// All that was read and not used, and whether that is its end, for a
    /// program that takes everything.
    pub fn take_all(&mut self) -> (Vec<u8>, bool) {
        (std::mem::take(&mut self.buffer), self.ended)
    }

    /// Everything was taken.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The next command: the fewest lines after which bash would run something.
    pub fn next(&mut self) -> Next {
        take(&mut self.buffer, self.ended)
    }

    fn holds_unread(&self) -> io::Result<bool> {
        let ready = sys::poll(&[(self.back.as_fd(), Wanted::Read)], Some(0))?;
        Ok(ready.first().is_some_and(|pipe| pipe.readable))
    }
}

/// The commands of a script that came in these pieces.
pub fn commands<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for (piece, ended) in pieces.map(|piece| (piece, false)).chain([(&[][..], true)]) {
        buffer.extend_from_slice(piece);
        while let Next::Command(command) = take(&mut buffer, ended) {
            found.push(command);
        }
    }
    found
}

/// Takes the next command out of what was read.
fn take(buffer: &mut Vec<u8>, ended: bool) -> Next {
    loop {
        match next(buffer, ended) {
            Found::More if ended && buffer.is_empty() => return Next::End,
            Found::More => return Next::More,
            Found::Command { length, with_newline } => {
                let command: Vec<u8> = buffer.drain(..with_newline).take(length).collect();
                if !does_nothing(&command) {
                    return Next::Command(command);
                }
            }
        }
    }
}

enum Found {
    More,
    Command { length: usize, with_newline: usize },
}

fn next(buffer: &[u8], ended: bool) -> Found {
    let ends = buffer.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    for (count, end) in ends.enumerate() {
        let text = buffer.get(..end).unwrap_or_default();
        // What is not text runs nowhere: the host refuses it.
        let open = std::str::from_utf8(text).is_ok_and(|text| matches!(is_complete(text), Completeness::NeedsMore(_)));
        if !open || end > MAX_COMMAND_BYTES || count + 1 >= MAX_LINES {
            return Found::Command { length: end, with_newline: end + 1 };
        }
    }
    // Without its last newline, or too long to be one command.
    if (ended && !buffer.is_empty()) || buffer.len() > MAX_COMMAND_BYTES {
        return Found::Command { length: buffer.len(), with_newline: buffer.len() };
    }
    Found::More
}

/// An empty line, or one comment.
fn does_nothing(command: &[u8]) -> bool {
    let text = command.trim_ascii();
    text.is_empty() || (text.starts_with(b"#") && !text.contains(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(bytes: &[u8], ended: bool) -> Source {
        let (from, _) = sys::pipe().unwrap();
        let mut source = Source::new(from, sys::pipe_read_twice().unwrap()).unwrap();
        (source.buffer, source.ended) = (bytes.to_vec(), ended);
        source
    }

    fn commands(text: &str) -> Vec<String> {
        let mut source = source(text.as_bytes(), true);
        let mut found = Vec::new();
        while let Next::Command(command) = source.next() {
            found.push(String::from_utf8(command).unwrap());
        }
        found
    }

    #[test]
    fn commands_are_cut_where_bash_would_run_something() {
        assert_eq!(commands("uptime\ndf -h\n"), ["uptime", "df -h"]);
        assert_eq!(commands("#!/bin/bash\n\n  # note\nuptime"), ["uptime"]);
        assert_eq!(
            commands("if a; then\n  b\nfi\ncat <<E\nx\nE\necho 'two\nlines'\na \\\n  b\nc"),
            ["if a; then\n  b\nfi", "cat <<E\nx\nE", "echo 'two\nlines'", "a \\\n  b", "c"]
        );
        assert_eq!(commands("echo 'open\nrm x\n"), ["echo 'open\nrm x\n"], "the rest as it is");
    }

    #[test]
    fn an_open_command_waits_for_its_rest() {
        let mut source = source(b"cat <<E\nx\n", false);
        assert_eq!(source.next(), Next::More);
        source.buffer.extend_from_slice(b"E\nls");
        assert_eq!(source.next(), Next::Command(b"cat <<E\nx\nE".to_vec()));
        assert_eq!(source.next(), Next::More, "without its newline it may go on");
        source.ended = true;
        assert_eq!((source.next(), source.next()), (Next::Command(b"ls".to_vec()), Next::End));
    }

    #[test]
    fn what_is_not_text_or_too_long_is_cut_off_and_left_to_the_host() {
        let mut bytes = source(b"'\xff\nls\n", false);
        assert_eq!(bytes.next(), Next::Command(b"'\xff".to_vec()));
        let mut long = source(&[b"'".as_slice(), &vec![b'a'; MAX_COMMAND_BYTES]].concat(), false);
        assert!(matches!(long.next(), Next::Command(command) if command.len() == MAX_COMMAND_BYTES + 1));
    }

    #[test]
    fn what_no_command_read_comes_back_in_order() {
        let mut source = source(b"one\ntwo\n", true);
        source.feed().unwrap();
        assert!(source.buffer.is_empty() && source.feed.is_some(), "its end waits until all was read");
        let mut byte = [0; 4];
        assert_eq!(nix::unistd::read(&source.pipe, &mut byte), Ok(4));
        source.take_back().unwrap();
        assert_eq!(source.next(), Next::Command(b"two".to_vec()));
        source.feed().unwrap();
        assert!(source.feed.is_none());
        assert_eq!(source.next(), Next::End);
    }
}
