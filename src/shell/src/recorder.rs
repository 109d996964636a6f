//! The recorder: what a command writes goes into the spool first. A failed or
//! short write is final; there is no pause and no skip.
//!
//! The host turns the spool ([`crate::spool`]) into a recording.

use crate::spool::Spool;
use countersign_api::front::FrontMessage;
use countersign_api::recording::Stream;
use countersign_api::spool;
use countersign_core::legible;
use countersign_sys as sys;
use std::io;
use std::os::fd::OwnedFd;

/// The host is told after so many bytes …
const CHUNK_BYTES: u64 = 64 * 1024;
/// … or so many microseconds.
const CHUNK_US: u64 = 5_000_000;
/// While output floods it is told no more often than so many microseconds apart:
/// each time is a chunk, and each chunk a wait for the disk and a statement …
const FLOOD_US: u64 = 100_000;
/// … unless so many bytes, or this part of what may be ahead of it, have come.
const FLOOD_BYTES: u64 = 1024 * 1024;
const FLOOD_PART: u64 = 4;
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
    spool: Spool,
    started_us: u64,
    /// How many bytes of the spool the host was told of.
    told: u64,
    /// When the first byte was written that the host was not told of, and when
    /// it was told last.
    untold_since_us: u64,
    told_us: u64,
    /// When the last record was written, µs since the boot.
    last_us: u64,
    totals: [u64; 2],
    /// What the totals were when the last command began.
    before: [u64; 2],
    failed: bool,
    /// Bytes written since it was last looked whether there is room.
    unlooked: u64,
}

impl Recorder {
    /// Begins a recording.
    pub fn begin(spool: OwnedFd) -> Result<Self, RecordingFailed> {
        let started_us = sys::boottime_us()?;
        Ok(Self {
            spool: Spool::new(spool),
            started_us,
            told: 0,
            untold_since_us: started_us,
            told_us: 0,
            last_us: started_us,
            totals: [0, 0],
            before: [0, 0],
            failed: false,
            unlooked: 0,
        })
    }

    /// Records output; it may be shown now.
    pub fn output(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), RecordingFailed> {
        let at_us = self.at_us()?;
        for data in bytes.chunks(spool::MAX_DATA) {
            let head = spool::output_head(at_us, stream, data.len()).ok_or(io::ErrorKind::InvalidInput);
            self.write(at_us, &head.map_err(io::Error::from)?, data)?;
        }
        let [stdout, stderr] = &mut self.totals;
        let total = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        *total = total.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Records a marker. Text from elsewhere is made safe and short.
    pub fn marker(&mut self, label: &str) -> Result<(), RecordingFailed> {
        self.legible_marker(legible(label))
    }

    /// The same, of text that is legible already.
    pub fn legible_marker(&mut self, mut label: String) -> Result<(), RecordingFailed> {
        if let Some((end, _)) = label.char_indices().nth(MAX_LABEL) {
            label.truncate(end);
            label.push('…');
        }
        let at_us = self.at_us()?;
        self.record(at_us, spool::marker(at_us, &label))
    }

    /// Records the terminal's new size.
    pub fn resize(&mut self, columns: u16, rows: u16) -> Result<(), RecordingFailed> {
        let at_us = self.at_us()?;
        self.record(at_us, spool::resize(at_us, columns, rows))
    }

    /// What the host is to be told now, if enough was written or waited long
    /// enough. `ahead` is how far this may be ahead of it, in bytes.
    pub fn due(&mut self, ahead: u64) -> Option<FrontMessage> {
        let most = FLOOD_BYTES.min(ahead / FLOOD_PART).max(CHUNK_BYTES);
        let due = self.untold() >= most || self.due_ms().is_some_and(|ms| ms == 0);
        if due { self.tell() } else { None }
    }

    /// In how many milliseconds the host is to be told.
    pub fn due_ms(&self) -> Option<u32> {
        if self.untold() == 0 {
            return None;
        }
        let flood = self.untold() >= CHUNK_BYTES;
        let (since_us, wait_us) = if flood { (self.told_us, FLOOD_US) } else { (self.untold_since_us, CHUNK_US) };
        let age_us = sys::boottime_us().map_or(CHUNK_US, |now| now.saturating_sub(since_us));
        u32::try_from(wait_us.saturating_sub(age_us).div_ceil(1000)).ok()
    }

    /// What the host was not told of, if there is anything.
    pub fn tell(&mut self) -> Option<FrontMessage> {
        if self.untold() == 0 {
            return None;
        }
        self.told = self.length();
        // Where the clock cannot be read, the next time is sooner.
        self.told_us = sys::boottime_us().unwrap_or(0);
        Some(FrontMessage::Spooled { bytes: self.length() })
    }

    /// The host takes all that is written, by what it is told beside.
    pub fn told(&mut self) {
        self.told = self.length();
    }

    /// The host that has taken so much was told of nothing beyond that.
    pub fn untell(&mut self, taken: u64) {
        self.told = self.told.min(taken);
    }

    fn untold(&self) -> u64 {
        self.length().saturating_sub(self.told)
    }

    /// Whether more is in the spool than should be for now.
    pub fn is_beyond(&self, reach: u64) -> bool {
        self.length() > reach
    }

    /// When the last record was written, in µs of [`sys::boottime_us`].
    pub fn last_us(&self) -> u64 {
        self.last_us
    }

    /// Bytes in the spool: whole records.
    pub fn length(&self) -> u64 {
        self.spool.length()
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

    fn record(&mut self, at_us: u64, record: Option<Vec<u8>>) -> Result<(), RecordingFailed> {
        let record = record.ok_or(io::ErrorKind::InvalidInput).map_err(io::Error::from)?;
        self.write(at_us, &record, &[])
    }

    fn look_for_room(&mut self, bytes: usize) -> io::Result<()> {
        self.unlooked += u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.unlooked < LOOK_BYTES {
            return Ok(());
        }
        self.unlooked = 0;
        if self.spool.room()? < RESERVE_BYTES { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Writes a whole record of two pieces. After a failure nothing more is written.
    fn write(&mut self, at_us: u64, first: &[u8], rest: &[u8]) -> Result<(), RecordingFailed> {
        if self.failed {
            return Err(io::Error::other("it failed before").into());
        }
        let first_untold = self.untold() == 0;
        let room = self.look_for_room(first.len() + rest.len());
        if let Err(error) = room.and_then(|()| self.spool.append(at_us, first, rest)) {
            self.failed = true;
            return Err(error.into());
        }
        self.last_us = self.started_us.saturating_add(at_us);
        if first_untold {
            self.untold_since_us = self.last_us;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_api::front::SPOOL_AHEAD;

    fn told(due: Option<FrontMessage>) -> Option<u64> {
        due.map(|message| if let FrontMessage::Spooled { bytes } = message { bytes } else { panic!("{message:?}") })
    }

    /// A recorder that wrote so many bytes, and was told of nothing.
    fn after(pieces: u64) -> Recorder {
        let mut recorder = Recorder::begin(tempfile::tempfile().unwrap().into()).unwrap();
        write(&mut recorder, pieces);
        recorder
    }

    fn write(recorder: &mut Recorder, pieces: u64) {
        for _ in 0..pieces {
            recorder.output(Stream::Stdout, &[b'x'; spool::MAX_DATA]).unwrap();
        }
    }

    #[test]
    fn the_host_is_told_at_once_of_what_comes_after_a_pause() {
        let mut recorder = after(0);
        recorder.output(Stream::Stdout, b"little").unwrap();
        assert_eq!(told(recorder.due(SPOOL_AHEAD)), None);
        write(&mut recorder, 1);
        assert_eq!(told(recorder.due(SPOOL_AHEAD)), Some(recorder.length()));
        assert_eq!(recorder.due_ms(), None);
    }

    #[test]
    fn in_a_flood_the_host_is_told_of_larger_pieces() {
        let mut recorder = after(1);
        // It was told a moment ago, however slow this test is.
        recorder.told_us = u64::MAX;
        assert_eq!(told(recorder.due(SPOOL_AHEAD)), None);
        assert_eq!(recorder.due_ms(), Some(u32::try_from(FLOOD_US / 1000).unwrap()));
        write(&mut recorder, FLOOD_BYTES / CHUNK_BYTES - 2);
        assert_eq!(told(recorder.due(SPOOL_AHEAD)), None);
        write(&mut recorder, 1);
        assert_eq!(told(recorder.due(SPOOL_AHEAD)), Some(recorder.length()));
        // Not long after all: the pause is over.
        write(&mut recorder, 1);
        recorder.told_us = 0;
        assert_eq!(told(recorder.due(SPOOL_AHEAD)), Some(recorder.length()));
    }

    /// Else a front would wait for a host that was told of nothing.
    #[test]
    fn a_front_that_may_not_be_far_ahead_tells_sooner() {
        for (ahead, pieces) in [(256 * 1024, 1), (0, 1), (2 * 1024 * 1024, 8)] {
            let mut recorder = after(pieces - 1);
            recorder.told_us = u64::MAX;
            assert_eq!(told(recorder.due(ahead)), None, "{ahead}");
            write(&mut recorder, 1);
            assert_eq!(told(recorder.due(ahead)), Some(recorder.length()), "{ahead}");
        }
    }
}
