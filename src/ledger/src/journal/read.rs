//! Reading a journal: its files in order and the lines in them.

use super::JournalError;
use super::disk::{io_error, segment_path};
use crate::line::MAX_LINE_BYTES;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The files of a journal, oldest first: the `seq` each begins with, from its
/// name, and its path. Refuses a `.jsonl` file with any other name.
pub fn segments(dir: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(dir).map_err(|error| io_error("list", dir, error))? {
        let path = item.map_err(|error| io_error("list", dir, error))?.path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            let first = first_seq(&path);
            let why = || "its name is not 16 digits and .jsonl".to_owned();
            found.push((first.ok_or_else(|| JournalError::Layout { path: path.clone(), why: why() })?, path));
        }
    }
    found.sort();
    Ok(found)
}

fn first_seq(path: &Path) -> Option<u64> {
    let digits = path.file_stem()?.to_str()?;
    let number = digits.parse().ok()?;
    (path.file_name()? == segment_path(Path::new(""), number).as_os_str()).then_some(number)
}

/// A line as it stands in a file.
pub(super) enum Raw {
    /// Ended by a newline, which is not in the buffer.
    Whole,
    /// The file ends before a newline.
    Torn,
    /// Longer than a line may be.
    TooLong,
}

/// Reads the next line into `buffer`; `None` at the end of the file.
pub(super) fn next_line(reader: &mut BufReader<File>, buffer: &mut Vec<u8>) -> io::Result<Option<Raw>> {
    buffer.clear();
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    if reader.by_ref().take(limit).read_until(b'\n', buffer)? == 0 {
        return Ok(None);
    }
    if buffer.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(Raw::Whole));
    }
    Ok(Some(if buffer.len() > MAX_LINE_BYTES { Raw::TooLong } else { Raw::Torn }))
}

/// Whole lines from `from_seq` on, without their newlines: at most `max_lines`
/// and `max_bytes`, but one in any case where there is one. The journal must
/// have been opened once, so that its chain is known to be whole. While it is
/// being written to, lines may be returned that are not durable yet:
/// [`super::Committer::read_lines`] stops before those.
pub fn read_lines(dir: &Path, from_seq: u64, max_lines: usize, max_bytes: usize) -> Result<Vec<String>, JournalError> {
    Reader::new(dir.to_owned()).read(from_seq, u64::MAX, max_lines, max_bytes)
}

/// Reads on where it stopped, when asked for the line after.
pub(super) struct Reader {
    dir: PathBuf,
    place: Option<Place>,
}

struct Place {
    seq: u64,
    path: PathBuf,
    reader: BufReader<File>,
}

impl Reader {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, place: None }
    }

    /// Lines `from_seq` up to and without `end_seq`.
    pub(super) fn read(
        &mut self,
        from_seq: u64,
        end_seq: u64,
        max_lines: usize,
        max_bytes: usize,
    ) -> Result<Vec<String>, JournalError> {
        let (mut lines, mut bytes, mut buffer) = (Vec::new(), 0usize, Vec::new());
        let mut seq = from_seq;
        while seq < end_seq && lines.len() < max_lines {
            let Some(place) = self.seek(seq)? else { break };
            let at = place.reader.stream_position().map_err(|error| io_error("read", &place.path, error))?;
            let raw =
                next_line(&mut place.reader, &mut buffer).map_err(|error| io_error("read", &place.path, error))?;
            bytes = bytes.saturating_add(buffer.len());
            let room = lines.is_empty() || bytes <= max_bytes;
            if !room || !matches!(raw, Some(Raw::Whole)) {
                let back = place.reader.seek(SeekFrom::Start(at));
                back.map_err(|error| io_error("read", &place.path, error))?;
                break;
            }
            seq += 1;
            place.seq = seq;
            let text = std::str::from_utf8(&buffer).map_err(|_| not_ascii(&place.path))?;
            lines.push(text.to_owned());
        }
        Ok(lines)
    }

    /// Stands before the line of this `seq`; `None` where it is not there.
    fn seek(&mut self, seq: u64) -> Result<Option<&mut Place>, JournalError> {
        let here = self.place.as_mut().filter(|p| p.seq == seq);
        let at_end = match here {
            Some(place) => place.reader.fill_buf().map_err(|error| io_error("read", &place.path, error))?.is_empty(),
            None => true,
        };
        if at_end {
            self.place = self.find(seq)?;
        }
        Ok(self.place.as_mut())
    }

    fn find(&self, seq: u64) -> Result<Option<Place>, JournalError> {
        let files = segments(&self.dir)?;
        let Some((first, path)) = files.into_iter().rfind(|(first, _)| *first <= seq) else { return Ok(None) };
        let io = |error| io_error("read", &path, error);
        let mut reader = BufReader::new(File::open(&path).map_err(io)?);
        let mut buffer = Vec::new();
        for _ in first..seq {
            if !matches!(next_line(&mut reader, &mut buffer).map_err(io)?, Some(Raw::Whole)) {
                return Ok(None);
            }
        }
        Ok(Some(Place { seq, path, reader }))
    }
}

fn not_ascii(path: &Path) -> JournalError {
    JournalError::Layout { path: path.to_owned(), why: "a line holds bytes that are not text".to_owned() }
}
