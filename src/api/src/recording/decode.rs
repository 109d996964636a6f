//! Lines to bytes.

use super::{Header, Stream};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longest line that is read, in bytes.
pub const MAX_LINE: usize = 1024 * 1024;

/// Latest time that is read, in µs: some thirty years.
pub const MAX_AT_US: u64 = 1_000_000_000_000_000;

/// Why bytes are not a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecording {
    /// There is no whole first line.
    #[error("no header line")]
    NoHeader,
    /// Something is wrong in a line.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// One line after the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Microseconds after the start.
    pub at_us: u64,
    /// What it says.
    pub what: What,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `o`: output as a player shows it.
    Output(String),
    /// `x`: the exact bytes of the output before it.
    Raw(Vec<u8>),
    /// `x`: which stream the following output belongs to.
    Stream(Stream),
    /// `m`: a marker.
    Marker(String),
    /// `r`: columns and rows.
    Resize(u16, u16),
    /// A line of a later version.
    Other(String, String),
}

/// Reads events one by one.
#[derive(Debug)]
pub struct Reader<'a> {
    header: Header,
    rest: &'a [u8],
    line: u64,
    last_us: u64,
    after_output: bool,
}

impl<'a> Reader<'a> {
    /// Reads the header of a recording.
    pub fn new(bytes: &'a [u8]) -> Result<Self, BadRecording> {
        let mut rest = bytes;
        let line = take_line(&mut rest).ok_or(BadRecording::NoHeader)?;
        let bad = |what| BadRecording::Line { line: 1, what };
        if line.len() > MAX_LINE {
            return Err(bad("too long"));
        }
        let header: Header = serde_json::from_slice(line).map_err(|_| bad("not the header of a recording"))?;
        if header.cast.version != 2 {
            return Err(bad("not asciicast version 2"));
        }
        Ok(Self { header, rest, line: 1, last_us: 0, after_output: false })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes not read yet; once the events are read, those of a torn last line.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn event(&mut self, line: &[u8]) -> Result<Event, &'static str> {
        if line.len() > MAX_LINE {
            return Err("too long");
        }
        let (seconds, code, data): (f64, String, String) =
            serde_json::from_slice(line).map_err(|_| "not an event: want [seconds, \"code\", \"data\"]")?;
        if !(0.0..=MAX_AT_US as f64 / 1e6).contains(&seconds) {
            return Err("time out of range");
        }
        // In range by the test above, and exact to the microsecond in 53 bits.
        let at_us = (seconds * 1e6).round() as u64;
        if at_us < self.last_us {
            return Err("time falls");
        }
        self.last_us = at_us;
        let after_output = std::mem::replace(&mut self.after_output, code == "o");
        let what = match code.as_str() {
            "o" => What::Output(data),
            "m" => What::Marker(data),
            "r" => resize(&data).ok_or("not a size: want COLUMNSxROWS")?,
            "x" => extension(data, after_output)?,
            _ => What::Other(code, data),
        };
        Ok(Event { at_us, what })
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Event, BadRecording>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = take_line(&mut self.rest)?;
        self.line += 1;
        let number = self.line;
        Some(self.event(line).map_err(|what| BadRecording::Line { line: number, what }))
    }
}

/// A whole recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Its first line.
    pub header: Header,
    /// All whole lines after it.
    pub events: Vec<Event>,
    /// Whether bytes of an unfinished last line were left out.
    pub torn: bool,
}

/// The exact bytes that a command wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Standard output, or everything where there was a terminal.
    pub stdout: Vec<u8>,
    /// Standard error, where it was separate.
    pub stderr: Vec<u8>,
}

impl Recording {
    /// Reads a recording; a torn last line is left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadRecording> {
        let mut reader = Reader::new(bytes)?;
        let mut events = Vec::new();
        for event in reader.by_ref() {
            events.push(event?);
        }
        let torn = !reader.rest().is_empty();
        Ok(Self { header: reader.header, events, torn })
    }

    /// The exact bytes.
    pub fn rebuild(&self) -> Rebuilt {
        let mut builder = Builder::new(self.header.countersign.tty);
        self.events.iter().for_each(|event| builder.add(&event.what));
        builder.done
    }
}

/// Reads a recording and gives the exact bytes it stands for.
pub fn rebuild(bytes: &[u8]) -> Result<Rebuilt, BadRecording> {
    let mut reader = Reader::new(bytes)?;
    let mut builder = Builder::new(reader.header.countersign.tty);
    for event in reader.by_ref() {
        builder.add(&event?.what);
    }
    Ok(builder.done)
}

struct Builder {
    tty: bool,
    stream: Stream,
    /// Length of the last output, which exact bytes may replace.
    last: usize,
    done: Rebuilt,
}

impl Builder {
    fn new(tty: bool) -> Self {
        Self { tty, stream: Stream::Stdout, last: 0, done: Rebuilt::default() }
    }

    fn add(&mut self, what: &What) {
        let bytes = match self.stream {
            Stream::Stdout => &mut self.done.stdout,
            Stream::Stderr => &mut self.done.stderr,
        };
        match what {
            What::Output(text) => {
                let before = bytes.len();
                if self.tty {
                    bytes.extend_from_slice(text.as_bytes());
                } else {
                    bytes.extend_from_slice(text.replace("\r\n", "\n").as_bytes());
                }
                self.last = bytes.len() - before;
            }
            What::Raw(exact) => {
                bytes.truncate(bytes.len().saturating_sub(self.last));
                bytes.extend_from_slice(exact);
                self.last = 0;
            }
            What::Stream(stream) => {
                self.stream = *stream;
                self.last = 0;
            }
            What::Marker(_) | What::Resize(..) | What::Other(..) => self.last = 0,
        }
    }
}

fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at_checked(end)?;
    *rest = after.get(1..).unwrap_or_default();
    Some(line)
}

fn resize(data: &str) -> Option<What> {
    let (columns, rows) = data.split_once('x')?;
    Some(What::Resize(columns.parse().ok()?, rows.parse().ok()?))
}

fn extension(data: String, after_output: bool) -> Result<What, &'static str> {
    if let Some(text) = data.strip_prefix("raw:") {
        if !after_output {
            return Err("exact bytes without an output before them");
        }
        return STANDARD.decode(text).map(What::Raw).map_err(|_| "exact bytes that are not base64");
    }
    Ok([Stream::Stdout, Stream::Stderr]
        .into_iter()
        .find(|stream| stream.as_str() == data)
        .map_or_else(|| What::Other("x".to_owned(), data), What::Stream))
}
