//! From a tape into the ledger: each chunk is durable in the recording, then
//! in the ledger, and only then gone from the spool.

use super::tape::{Chunk, Tape, TapeError};
use crate::book::WriteError;
use crate::daemon::Host;
use crate::drafts;
use crate::room::Full;
use countersign_core::LoginId;
use countersign_ledger::{Draft, Written};

/// Why a piece of a spool is not in the ledger.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The ledger cannot be written.
    #[error(transparent)]
    Ledger(#[from] WriteError),
    /// The spool cannot be turned into a recording.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// There is no room for more of this login.
    #[error(transparent)]
    Full(#[from] Full),
}

/// Keeps the spool up to `upto`, which the front says is written.
pub(crate) async fn spooled(host: &Host, login: LoginId, tape: &mut Tape, upto: u64) -> Result<(), KeepError> {
    while tape.taken() < upto {
        let before = tape.taken();
        match tokio::task::block_in_place(|| tape.turn(upto))? {
            Some(chunk) => write(host, login, tape, Some(chunk), Vec::new()).await.map(drop)?,
            None if tape.taken() == before => return Err(TapeError::Short(before).into()),
            None => {}
        }
    }
    Ok(())
}

/// Keeps everything that the spool holds, which must be `least` bytes, and writes
/// `entries` together with the last chunk. They are given the length of the recording.
pub(crate) async fn all(
    host: &Host,
    login: LoginId,
    tape: &mut Tape,
    least: u64,
    entries: impl FnOnce(u64) -> Vec<Draft>,
) -> Result<Option<Written>, KeepError> {
    let last = loop {
        match tokio::task::block_in_place(|| tape.turn_all())? {
            Some(chunk) if !tape.is_at_end() => write(host, login, tape, Some(chunk), Vec::new()).await.map(drop)?,
            last => break last,
        }
    };
    if tape.taken() < least {
        return Err(TapeError::Short(tape.taken()).into());
    }
    let length = tape.recorded() + last.as_ref().map_or(0, |chunk| chunk.length);
    tape.settle(length)?;
    Ok(write(host, login, tape, last, entries(length)).await?)
}

/// Writes a chunk and what comes after it, all or none.
pub(crate) async fn write(
    host: &Host,
    login: LoginId,
    tape: &mut Tape,
    chunk: Option<Chunk>,
    rest: Vec<Draft>,
) -> Result<Option<Written>, WriteError> {
    let first = chunk.as_ref().map(|chunk| drafts::recording_chunk(login, chunk));
    let written = host.book.write(first.into_iter().chain(rest).collect()).await?;
    if let Some(chunk) = &chunk {
        tape.kept(chunk);
        let seq = written.last().map_or(0, |entry| entry.seq);
        host.shipper.uploads().chunk(login, tape.recorded(), seq);
    }
    Ok(written.into_iter().last())
}
