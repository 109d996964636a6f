//! Bytes to lines.

use super::Stream;
use super::escape::escape;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::io::Write as _;

/// Most raw bytes in one `o` event, so that no line comes near the limit of a
/// reader: six characters of JSON for each byte at worst, and its base64.
const PIECE: usize = 32 * 1024;

/// Turns output into asciicast lines. Pure: the caller brings the time and
/// writes the lines.
#[derive(Debug)]
pub struct Encoder {
    tty: bool,
    last_us: u64,
    /// Of the last output; `None` where an earlier encoder wrote that.
    stream: Option<Stream>,
    /// Bytes of a character whose rest has not been read yet; at most three.
    held: [Vec<u8>; 2],
}

impl Encoder {
    /// An encoder for a login with or without a terminal.
    pub fn new(tty: bool) -> Self {
        Self { tty, last_us: 0, stream: Some(Stream::Stdout), held: [Vec::new(), Vec::new()] }
    }

    /// An encoder that goes on where another one, which held nothing, ended:
    /// at `last_us`.
    pub fn resume(tty: bool, last_us: u64) -> Self {
        Self { tty, last_us, stream: None, held: [Vec::new(), Vec::new()] }
    }

    /// The time of the last line.
    pub fn last_us(&self) -> u64 {
        self.last_us
    }

    /// Encodes output read at `at_us` microseconds after the start. Returns how
    /// many raw bytes of this stream the new lines stand for: the bytes of a
    /// character that is not yet complete are held until the next call or
    /// [`Encoder::flush`].
    pub fn output(
        &mut self,
        at_us: u64,
        stream: Stream,
        bytes: &[u8],
        lines: &mut Vec<u8>,
    ) -> Result<usize, serde_json::Error> {
        let mut released = 0;
        // What most output takes: its escapes are few.
        lines.reserve(bytes.len() + bytes.len() / 4);
        for piece in bytes.chunks(PIECE) {
            let held = std::mem::take(self.held_mut(stream));
            let whole =
                if held.is_empty() { Cow::Borrowed(piece) } else { Cow::Owned([held.as_slice(), piece].concat()) };
            released += match std::str::from_utf8(&whole) {
                Ok(text) => {
                    self.text(at_us, stream, text, lines)?;
                    whole.len()
                }
                Err(_) => self.partly(at_us, stream, &whole, lines)?,
            };
        }
        Ok(released)
    }

    /// Bytes of which some are not UTF-8, or the last character is not whole.
    fn partly(
        &mut self,
        at_us: u64,
        stream: Stream,
        bytes: &[u8],
        lines: &mut Vec<u8>,
    ) -> Result<usize, serde_json::Error> {
        let (complete, valid) = measure(bytes);
        let (now, later) = bytes.split_at(complete);
        *self.held_mut(stream) = later.to_vec();
        self.emit(at_us, stream, now, valid, lines)?;
        Ok(complete)
    }

    /// How many bytes of an incomplete character of this stream are held.
    pub fn held(&self, stream: Stream) -> usize {
        let [stdout, stderr] = &self.held;
        match stream {
            Stream::Stdout => stdout.len(),
            Stream::Stderr => stderr.len(),
        }
    }

    /// Encodes what is held as bytes that are not UTF-8. Returns how many raw
    /// bytes of (standard output, standard error) that were.
    pub fn flush(&mut self, at_us: u64, lines: &mut Vec<u8>) -> Result<(usize, usize), serde_json::Error> {
        let mut counts = [0, 0];
        for (count, stream) in counts.iter_mut().zip([Stream::Stdout, Stream::Stderr]) {
            let held = std::mem::take(self.held_mut(stream));
            self.emit(at_us, stream, &held, false, lines)?;
            *count = held.len();
        }
        let [stdout, stderr] = counts;
        Ok((stdout, stderr))
    }

    /// Writes a marker.
    pub fn marker(&mut self, at_us: u64, label: &str, lines: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        self.line(at_us, 'm', label, lines)
    }

    /// Writes the terminal's new size.
    pub fn resize(
        &mut self,
        at_us: u64,
        columns: u16,
        rows: u16,
        lines: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        self.line(at_us, 'r', &format!("{columns}x{rows}"), lines)
    }

    fn held_mut(&mut self, stream: Stream) -> &mut Vec<u8> {
        let [stdout, stderr] = &mut self.held;
        match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        }
    }

    fn emit(
        &mut self,
        at_us: u64,
        stream: Stream,
        bytes: &[u8],
        valid: bool,
        lines: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.text(at_us, stream, &String::from_utf8_lossy(bytes), lines)?;
        if !valid {
            self.line(at_us, 'x', &format!("raw:{}", STANDARD.encode(bytes)), lines)?;
        }
        Ok(())
    }

    fn text(&mut self, at_us: u64, stream: Stream, text: &str, lines: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        if text.is_empty() {
            return Ok(());
        }
        if self.stream != Some(stream) {
            self.stream = Some(stream);
            self.line(at_us, 'x', stream.as_str(), lines)?;
        }
        self.event(at_us, 'o', text, !self.tty, lines)
    }

    fn line(&mut self, at_us: u64, code: char, data: &str, lines: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        self.event(at_us, code, data, false, lines)
    }

    fn event(
        &mut self,
        at_us: u64,
        code: char,
        data: &str,
        crlf: bool,
        lines: &mut Vec<u8>,
    ) -> Result<(), serde_json::Error> {
        self.last_us = self.last_us.max(at_us);
        let (seconds, micros) = (self.last_us / 1_000_000, self.last_us % 1_000_000);
        write!(lines, "[{seconds}.{micros:06},\"{code}\",\"").map_err(serde_json::Error::io)?;
        escape(data, crlf, lines);
        lines.extend_from_slice(b"\"]\n");
        Ok(())
    }
}

/// How many bytes stand before an incomplete last character, and whether they
/// are UTF-8.
fn measure(bytes: &[u8]) -> (usize, bool) {
    let (mut at, mut valid) = (0, true);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Err(error) = std::str::from_utf8(rest) else { return (bytes.len(), valid) };
        match error.error_len() {
            None => return (at + error.valid_up_to(), valid),
            Some(bad) => {
                valid = false;
                at += error.valid_up_to() + bad;
            }
        }
    }
}
