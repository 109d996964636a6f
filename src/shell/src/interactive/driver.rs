//! The bash side of an interactive login: how bash is started, what it is told
//! and what it says. See `driver.bash` beside this file.

use super::told::Told;
use countersign_sys as sys;
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

/// Descriptors under which bash finds its start-up file, its terminal and its
/// private socket; `driver.bash` has the same numbers. Below 64 bash looks for room for the pipes of a coprocess.
pub const START_FILE: i32 = 70;
pub const TERMINAL: i32 = 71;
pub const PRIVATE: i32 = 72;

/// Longest word of a line, in bytes.
const MAX_WORD: usize = 64;
/// Longest message that is taken from bash, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// The arguments of bash, name first. In POSIX mode an interactive shell reads
/// the file that [`START`] names and no other: before that of `--rcfile` it
/// would read one of the system, and with `--norc` none.
pub fn arguments() -> Vec<CString> {
    [c"bash", c"--noprofile", c"--noediting", c"--posix", c"-i"].map(CString::from).to_vec()
}

/// The variable that names the start-up file, for [`START_FILE`]. The driver
/// takes it away.
pub const START: (&str, &str) = ("ENV", "/dev/fd/70");

/// The start-up file in sealed memory. `mark` is what bash writes to its
/// terminal before it says that it is ready: letters and digits.
pub fn start_file(mark: &str) -> io::Result<OwnedFd> {
    let text = include_str!("driver.bash").replace("@COMMON@", include_str!("../driver.bash")).replace("@MARK@", mark);
    sys::descriptors::sealed_memory(c"countersign-driver", text.as_bytes())
}

/// A line to run, its letter first, then the word by which the driver says that
/// it took this line, and the status that `$?` has before it.
pub fn run(letter: char, word: &str, status: u8, line: &[u8]) -> Vec<u8> {
    let mut message = format!("{letter}{word}\t{status}\t").into_bytes();
    message.extend_from_slice(line);
    message.push(0);
    message
}

/// That it may run what it took.
pub const GO: &[u8] = b"G\0";

/// The letter of a line to run.
pub const LINE: char = 'E';

/// The order to exit.
pub fn exit(status: u8) -> Vec<u8> {
    format!("X{status}\0").into_bytes()
}

/// What bash says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It took the line of this word, and runs it when it may.
    Taken(String),
    /// It is ready for a line.
    Ready {
        /// The last line's status.
        status: u8,
        /// The prompt, expanded.
        prompt: String,
        /// What it told of itself before.
        told: Box<Told>,
    },
}

/// Bytes that are not a message of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSaid;

/// Collects what bash says.
#[derive(Debug, Default)]
pub struct Listener {
    buffer: Vec<u8>,
    told: Told,
    /// Bytes of the part that is coming were dropped.
    cut: bool,
}

impl Listener {
    /// Adds bytes that were read. A part of its report that is too long is
    /// dropped; anything else that is too long is nothing the driver says.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NotSaid> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() <= MAX_MESSAGE || self.buffer.contains(&0) {
            return Ok(());
        }
        match self.buffer.first() {
            Some(letter) if Told::is_part(*letter) => {
                self.buffer.truncate(1);
                self.cut = true;
                Ok(())
            }
            Some(_) | None => Err(NotSaid),
        }
    }

    /// Takes the next message.
    pub fn next(&mut self) -> Result<Option<Said>, NotSaid> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == 0) {
            let message: Vec<u8> = self.buffer.drain(..=end).take(end).collect();
            match message.split_first() {
                Some((letter, text)) if Told::is_part(*letter) => {
                    self.told.take(*letter, text, std::mem::take(&mut self.cut) || text.len() > MAX_MESSAGE);
                }
                Some(_) | None => return self.parse(&message).map(Some),
            }
        }
        Ok(None)
    }

    fn parse(&mut self, message: &[u8]) -> Result<Said, NotSaid> {
        match message.split_first() {
            Some((b'A', word)) if word.len() <= MAX_WORD && word.iter().all(u8::is_ascii_alphanumeric) => {
                Ok(Said::Taken(String::from_utf8_lossy(word).into_owned()))
            }
            Some((b'R', rest)) if rest.len() <= MAX_MESSAGE => {
                let text = String::from_utf8_lossy(rest);
                let (status, prompt) = text.split_once('\t').ok_or(NotSaid)?;
                Ok(Said::Ready {
                    status: status.parse().map_err(|_| NotSaid)?,
                    prompt: prompt.replace(['\x01', '\x02'], ""),
                    told: Box::new(std::mem::take(&mut self.told)),
                })
            }
            Some(_) | None => Err(NotSaid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hears_what_the_driver_says_in_any_pieces() {
        let stream = b"R130\t\x01\x1b[1m\x02a@b:~$ \0Aw1\0R0\t$ \0";
        for cut in 0..stream.len() {
            let mut listener = Listener::default();
            let mut said = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                listener.push(part).unwrap();
                while let Some(one) = listener.next().unwrap() {
                    said.push(one);
                }
            }
            assert_eq!(said.len(), 3, "{said:?}");
            assert_eq!(said[0], Said::Ready { status: 130, prompt: "\x1b[1ma@b:~$ ".to_owned(), told: Box::default() });
        }
    }

    #[test]
    fn a_report_that_is_too_long_ends_nothing() {
        let mut listener = Listener::default();
        let mut stream = b"P/bin\0L\0F\0H\0V".to_vec();
        stream.resize(5 * MAX_MESSAGE, b'x');
        stream.extend_from_slice(b"\0R0\t$ \0");
        let mut said = None;
        for piece in stream.chunks(4096) {
            listener.push(piece).unwrap();
            while let Some(one) = listener.next().unwrap() {
                said = Some(one);
            }
        }
        let Some(Said::Ready { told, .. }) = said else { panic!("not heard") };
        let report = told.report(told.set());
        assert!(!report.complete && report.path == "/bin");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [&b"\0"[..], b"B\0", b"R\0", b"R256\tx\0", b"Rx\ty\0", b"Aa b\0", b"AE0\tx\0"] {
            let mut listener = Listener::default();
            listener.push(bad).unwrap();
            assert_eq!(listener.next(), Err(NotSaid), "{bad:?}");
        }
        assert_eq!(Listener::default().push(&[1; MAX_MESSAGE + 1]), Err(NotSaid));
    }
}
