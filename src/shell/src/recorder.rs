//! The recorder: what a command writes goes into the file first. A failed or
//! short write is final; there is no pause and no skip.

use countersign_api::front::{Chunk, Hello};
use countersign_api::recording::{Encoder, Header, Origin, PassThrough, Redactor, Stream};
use countersign_core::{HostId, LoginId, visible};
use countersign_ledger::sha256;
use countersign_sys as sys;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

/// A chunk ends at the first line end after so many bytes …
const CHUNK_BYTES: usize = 64 * 1024;
/// … or so many microseconds.
const CHUNK_US: u64 = 5_000_000;
/// Every so many bytes it is looked whether there is room left …
const LOOK_BYTES: u64 = 1024 * 1024;
/// … and below this the recording ends: the ledger must still be able to say
/// how everything ended.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// Longest label of a marker, in characters.
const MAX_LABEL: usize = 200;

/// The recording cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("the recording could not be written: {0}")]
pub struct RecordingFailed(#[from] io::Error);

/// A recording that is being written.
pub struct Recorder {
    file: File,
    encoder: Encoder,
    redactor: Box<dyn Redactor>,
    started_us: u64,
    /// Where the open chunk starts in the file.
    offset: u64,
    /// The bytes of the open chunk; they stand in the file.
    open: Vec<u8>,
    open_since_us: u64,
    open_raw: u64,
    index: u64,
    totals: [u64; 2],
    /// What the totals were when the last command began.
    before: [u64; 2],
    failed: bool,
    /// Bytes written since it was last looked whether there is room.
    unlooked: u64,
}

impl Recorder {
    /// Begins a recording with its header.
    pub fn begin(file: OwnedFd, login: LoginId, host: HostId, hello: &Hello) -> Result<Self, RecordingFailed> {
        let redactor = Box::new(PassThrough);
        let terminal = hello.terminal.as_ref();
        let origin = Origin {
            login,
            host,
            agent: hello.agent.clone(),
            tty: terminal.is_some(),
            redaction: redactor.name().to_owned(),
        };
        let size = terminal.map(|t| (t.columns, t.rows));
        let started_s = sys::realtime_us()? / 1_000_000;
        let header =
            Header::new(origin, started_s, size, terminal.map(|t| t.term.as_str())).map_err(io::Error::from)?;
        let started_us = sys::boottime_us()?;
        let mut recorder = Self {
            file: File::from(file),
            encoder: Encoder::new(terminal.is_some()),
            redactor,
            started_us,
            offset: 0,
            open: Vec::new(),
            open_since_us: started_us,
            open_raw: 0,
            index: 0,
            totals: [0, 0],
            before: [0, 0],
            failed: false,
            unlooked: 0,
        };
        recorder.write(&header.to_line().map_err(io::Error::from)?)?;
        Ok(recorder)
    }

    /// Records output. Returns how many bytes of this stream may be shown now;
    /// the rest of an incomplete character follows later.
    pub fn output(&mut self, stream: Stream, bytes: &[u8]) -> Result<usize, RecordingFailed> {
        let (at_us, mut lines) = (self.at_us()?, Vec::new());
        let kept = self.redactor.push(stream, bytes);
        let released = self.encoder.output(at_us, stream, &kept, &mut lines).map_err(io::Error::from)?;
        self.write(&lines)?;
        self.count(stream, released);
        Ok(released)
    }

    /// Whether bytes wait for the rest of their character.
    pub fn holds(&self) -> bool {
        self.encoder.holds()
    }

    /// Records what is held as it is; how many bytes of each stream may be
    /// shown.
    pub fn flush(&mut self) -> Result<(usize, usize), RecordingFailed> {
        let (at_us, mut lines) = (self.at_us()?, Vec::new());
        let (stdout, stderr) = self.encoder.flush(at_us, &mut lines).map_err(io::Error::from)?;
        self.write(&lines)?;
        self.count(Stream::Stdout, stdout);
        self.count(Stream::Stderr, stderr);
        Ok((stdout, stderr))
    }

    /// Records a marker. Text from elsewhere is made safe and short.
    pub fn marker(&mut self, label: &str) -> Result<(), RecordingFailed> {
        let mut label = visible(label);
        if let Some((end, _)) = label.char_indices().nth(MAX_LABEL) {
            label.truncate(end);
            label.push('…');
        }
        let (at_us, mut lines) = (self.at_us()?, Vec::new());
        self.encoder.marker(at_us, &label, &mut lines).map_err(io::Error::from)?;
        self.write(&lines)
    }

    /// Records the terminal's new size.
    pub fn resize(&mut self, columns: u16, rows: u16) -> Result<(), RecordingFailed> {
        let (at_us, mut lines) = (self.at_us()?, Vec::new());
        self.encoder.resize(at_us, columns, rows, &mut lines).map_err(io::Error::from)?;
        self.write(&lines)
    }

    /// The open chunk, if it is large or old enough to be closed.
    pub fn due_chunk(&mut self) -> Option<Chunk> {
        let old = self.chunk_due_ms().is_some_and(|ms| ms == 0);
        if self.open.len() >= CHUNK_BYTES || old { self.cut() } else { None }
    }

    /// In how many milliseconds the open chunk is old enough.
    pub fn chunk_due_ms(&self) -> Option<u32> {
        if self.open.is_empty() {
            return None;
        }
        let age_us = sys::boottime_us().map_or(CHUNK_US, |now| now.saturating_sub(self.open_since_us));
        u32::try_from(CHUNK_US.saturating_sub(age_us).div_ceil(1000)).ok()
    }

    /// Closes the open chunk, if there is anything in it.
    pub fn cut(&mut self) -> Option<Chunk> {
        if self.open.is_empty() {
            return None;
        }
        let bytes = std::mem::take(&mut self.open);
        let length = u64::try_from(bytes.len()).ok()?;
        let chunk = Chunk {
            index: self.index,
            offset: self.offset,
            length,
            digest: sha256(&bytes),
            raw_bytes: std::mem::take(&mut self.open_raw),
        };
        self.index += 1;
        self.offset += length;
        Some(chunk)
    }

    /// Makes durable what was written, before the end of a command is told.
    pub fn settle(&mut self) -> Result<(), RecordingFailed> {
        if self.failed { Ok(()) } else { Ok(self.file.sync_data()?) }
    }

    /// Bytes in closed chunks.
    pub fn length(&self) -> u64 {
        self.offset
    }

    /// Raw bytes recorded: standard output, standard error.
    pub fn totals(&self) -> (u64, u64) {
        let [stdout, stderr] = self.totals;
        (stdout, stderr)
    }

    /// Counts from here on for the next command.
    pub fn begin_command(&mut self) {
        self.before = self.totals;
    }

    /// Raw bytes recorded since the last command began.
    pub fn since_command(&self) -> (u64, u64) {
        let ([stdout, stderr], [out_before, err_before]) = (self.totals, self.before);
        (stdout.saturating_sub(out_before), stderr.saturating_sub(err_before))
    }

    fn at_us(&self) -> io::Result<u64> {
        Ok(sys::boottime_us()?.saturating_sub(self.started_us))
    }

    fn count(&mut self, stream: Stream, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let [stdout, stderr] = &mut self.totals;
        let total = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        *total = total.saturating_add(bytes);
        self.open_raw = self.open_raw.saturating_add(bytes);
    }

    fn look_for_room(&mut self, bytes: usize) -> io::Result<()> {
        self.unlooked += u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.unlooked < LOOK_BYTES {
            return Ok(());
        }
        self.unlooked = 0;
        let free = sys::files::free_bytes_of(&self.file)?;
        if free < RESERVE_BYTES { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// One write of whole lines. After a failure nothing more is written, and
    /// the file is cut back to its last whole line.
    fn write(&mut self, lines: &[u8]) -> Result<(), RecordingFailed> {
        if self.failed {
            return Err(io::Error::other("it failed before").into());
        }
        if lines.is_empty() {
            return Ok(());
        }
        let error = match self.look_for_room(lines.len()).and_then(|()| self.file.write(lines)) {
            Ok(n) if n == lines.len() => {
                if self.open.is_empty() {
                    self.open_since_us = sys::boottime_us()?;
                }
                self.open.extend_from_slice(lines);
                return Ok(());
            }
            Ok(_) => io::Error::from(io::ErrorKind::StorageFull),
            Err(error) => error,
        };
        self.failed = true;
        let whole = self.offset + u64::try_from(self.open.len()).unwrap_or(0);
        // Where this fails too, readers leave the torn line out by themselves.
        let (Ok(()) | Err(_)) = self.file.set_len(whole);
        Err(error.into())
    }
}
