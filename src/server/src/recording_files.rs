//! Files of recordings: bytes come in order, never more than the host has
//! announced in its ledger, and each whole chunk must have the digest that the
//! ledger has for it. Only checked chunks are handed out.

use crate::refusal::Refusal;
use crate::state::{StateDir, StateError, io_error, make_private_dir};
use crate::store::{Appending, Chunk, HostCaller, Recording, Store};
use axum::body::Bytes;
use countersign_api::service::RecordingReply;
use countersign_core::{Digest, LoginId};
use ring::digest::{Context, SHA256};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tokio::sync::Mutex;

/// How much of recordings is kept.
#[derive(Debug, Clone, Copy)]
pub struct Quotas {
    /// Bytes of one login.
    pub per_login: u64,
    /// Bytes of one host.
    pub per_host: u64,
    /// Bytes that stay free on the disk: ledgers and decisions need them.
    pub keep_free: u64,
}

/// The recordings' folder.
#[derive(Debug)]
pub struct RecordingFiles {
    state: StateDir,
    quotas: Quotas,
    /// One append at a time.
    appending: Mutex<()>,
}

const UNKNOWN_LOGIN: Refusal = Refusal::NotFound("no such login on this host");

impl RecordingFiles {
    /// The files of a state directory.
    pub fn new(state: StateDir, quotas: Quotas) -> Self {
        Self { state, quotas, appending: Mutex::new(()) }
    }

    /// The file and length of what may be shown of a recording.
    pub fn shown(&self, recording: &Recording) -> (PathBuf, u64) {
        (self.state.recording(recording.host, recording.login), recording.verified)
    }

    /// Appends bytes, in pieces, at `offset`; durable when this returns.
    pub async fn append(
        &self,
        store: &Store,
        host: &HostCaller,
        login: LoginId,
        offset: u64,
        pieces: Vec<Bytes>,
    ) -> Result<RecordingReply, Refusal> {
        let _one_at_a_time = self.appending.lock().await;
        let end = pieces.iter().fold(offset, |end, piece| end.saturating_add(len(piece)));
        let Some(Appending { recording: known, others, chunks }) = store.appending(login, end).await? else {
            let ours = store.login_host(login).await? == Some(host.id);
            return Err(if ours { not_announced(0) } else { UNKNOWN_LOGIN });
        };
        if known.host != host.id {
            return Err(UNKNOWN_LOGIN);
        }
        if known.erased {
            return Err(Refusal::NotFound("the recording of this login was erased; it is not taken again"));
        }
        if offset != known.held {
            return Err(Refusal::Recording(RecordingReply { held: known.held }));
        }
        if end > known.announced {
            return Err(not_announced(known.announced));
        }
        self.within_quotas(end, others)?;
        self.room_for(end.saturating_sub(offset))?;
        let path = self.state.recording(host.id, login);
        let verified = known.verified;
        let work = tokio::task::spawn_blocking(move || write_and_check(&path, offset, &pieces, &chunks, verified));
        let checked = match work.await {
            Ok(Ok(checked)) => checked,
            Ok(Err(error)) => {
                tracing::error!(%error, "recording");
                return Err(Refusal::Internal);
            }
            Err(error) => {
                tracing::error!(%error, "recording");
                return Err(Refusal::Internal);
            }
        };
        let held = if checked.mismatch { checked.verified } else { end };
        store.set_recording(login, held, checked.verified).await?;
        if checked.mismatch {
            return Err(Refusal::NotAsAnnounced(format!(
                "the bytes from {held} on do not have the digest that the ledger announced; they were not kept"
            )));
        }
        Ok(RecordingReply { held })
    }

    /// Removes what was erased. After a crash the next start does.
    pub async fn drop_erased(&self, store: &Store) -> Result<(), StateError> {
        let _one_at_a_time = self.appending.lock().await;
        let erased = store.erased_recordings().await.map_err(|error| {
            io_error("list the erased recordings in", &self.state.database())(std::io::Error::other(error))
        })?;
        for (host, login) in erased {
            let path = self.state.recording(host, login);
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error("remove", &path)(error)),
            }
        }
        Ok(())
    }

    /// `end`: what would be held of the login; `others`: what is held of the host's other logins.
    fn within_quotas(&self, end: u64, others: u64) -> Result<(), Refusal> {
        let (whose, limit) = if end > self.quotas.per_login {
            ("login", self.quotas.per_login)
        } else if end.saturating_add(others) > self.quotas.per_host {
            ("host", self.quotas.per_host)
        } else {
            return Ok(());
        };
        Err(Refusal::OverQuota(format!(
            "the recordings of this {whose} would be over the {} MiB that this service keeps of one; nothing more of \
             it is kept (the host has its own copy; `countersign-server serve --recording-mib-per-{whose}` sets it)",
            limit / MIB
        )))
    }

    /// Whether the disk has room for so many bytes and what must stay free.
    fn room_for(&self, bytes: u64) -> Result<(), Refusal> {
        let folder = self.state.recordings();
        let free = nix::sys::statvfs::statvfs(&folder)
            .map(|disk| disk.blocks_available().saturating_mul(disk.fragment_size()))
            .map_err(|error| {
                tracing::error!(%error, path = %folder.display(), "look for room");
                Refusal::Internal
            })?;
        if free.saturating_sub(bytes) >= self.quotas.keep_free {
            return Ok(());
        }
        tracing::error!(free, "no room for recordings");
        Err(Refusal::NoRoom(format!(
            "less than {} MiB are free on the service's disk and are kept for ledgers and decisions; make room there, \
             then send it again",
            self.quotas.keep_free / MIB
        )))
    }
}

/// 2²⁰ bytes.
pub const MIB: u64 = 1024 * 1024;

fn not_announced(announced: u64) -> Refusal {
    Refusal::NotAsAnnounced(format!(
        "only {announced} bytes are announced by recording_chunk entries; send the entries first"
    ))
}

struct Checked {
    verified: u64,
    mismatch: bool,
}

/// Writes at `offset`, checks each chunk that is now whole, and cuts the file
/// back to the last good one where a digest differs.
fn write_and_check(
    path: &Path,
    offset: u64,
    pieces: &[Bytes],
    chunks: &[Chunk],
    verified: u64,
) -> Result<Checked, StateError> {
    if let Some(folder) = path.parent() {
        make_private_dir(folder)?;
    }
    let io = |verb| io_error(verb, path);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(path).map_err(io("open"))?;
    // A crash may have left bytes that nobody was told of.
    file.set_len(offset).map_err(io("cut"))?;
    file.seek(SeekFrom::Start(offset)).map_err(io("seek in"))?;
    let mut end = offset;
    for piece in pieces {
        file.write_all(piece).map_err(io("write"))?;
        end = end.saturating_add(len(piece));
    }
    let mut checked = Checked { verified, mismatch: false };
    for chunk in chunks.iter().filter(|c| c.start.saturating_add(c.length) <= end) {
        let digest = digest_of(&file, (offset, pieces), chunk).map_err(io("read"))?;
        if digest != Some(chunk.digest) {
            checked.mismatch = true;
            file.set_len(checked.verified).map_err(io("cut"))?;
            break;
        }
        checked.verified = chunk.start.saturating_add(chunk.length);
    }
    file.sync_data().map_err(io("sync"))?;
    Ok(checked)
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// SHA-256 of a chunk that ends in new bytes, which begin at `at`: what is
/// before them is read back. `None` where the file is too short.
fn digest_of(file: &File, (mut at, new): (u64, &[Bytes]), chunk: &Chunk) -> std::io::Result<Option<Digest>> {
    let end = chunk.start.saturating_add(chunk.length);
    let mut context = Context::new(&SHA256);
    if chunk.start < at && !hash_file(file, chunk.start, at.min(end) - chunk.start, &mut context)? {
        return Ok(None);
    }
    for piece in new {
        let place = |of: u64| usize::try_from(of.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
        context.update(piece.get(place(chunk.start)..place(end)).unwrap_or_default());
        at = at.saturating_add(len(piece));
    }
    Ok(context.finish().as_ref().try_into().ok().map(Digest).filter(|_| at >= end))
}

/// Hashes a piece of a file. `false` where the file is too short.
fn hash_file(mut file: &File, start: u64, length: u64, context: &mut Context) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(start))?;
    let mut piece = file.take(length);
    let mut buffer = vec![0; 64 * 1024];
    let mut seen = 0u64;
    loop {
        let read = piece.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|b| !b.is_empty()) else { break };
        context.update(bytes);
        seen = seen.saturating_add(u64::try_from(read).unwrap_or(0));
    }
    Ok(seen == length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever pieces the bytes come in, and whatever of a chunk was there before.
    #[test]
    fn a_chunk_has_its_digest_however_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording");
        let bytes: Vec<u8> = (0..200u8).cycle().take(100).collect();
        let chunk = |start: usize, end: usize| Chunk {
            start: start as u64,
            length: (end - start) as u64,
            digest: countersign_ledger::sha256(&bytes[start..end]),
        };
        let chunks = [chunk(0, 7), chunk(7, 60), chunk(60, 61), chunk(61, 100)];
        for size in [1, 7, 100] {
            for before in (0..100).step_by(3) {
                let pieces: Vec<Bytes> = bytes[before..].chunks(size).map(Bytes::copy_from_slice).collect();
                std::fs::write(&path, &bytes[..before]).unwrap();
                let verified =
                    chunks.iter().map(|c| c.start + c.length).rfind(|end| *end <= before as u64).unwrap_or(0);
                let unchecked: Vec<Chunk> = chunks.iter().filter(|c| c.start >= verified).cloned().collect();
                let checked = write_and_check(&path, before as u64, &pieces, &unchecked, verified).unwrap();
                assert_eq!((checked.verified, checked.mismatch), (100, false), "{before} {size}");
                assert_eq!(std::fs::read(&path).unwrap(), bytes);

                // A byte that is another, before the new ones or among them.
                std::fs::write(&path, &bytes[..before]).unwrap();
                let mut lie = unchecked.clone();
                lie[0].digest = Digest::ZERO;
                let checked = write_and_check(&path, before as u64, &pieces, &lie, verified).unwrap();
                assert_eq!((checked.verified, checked.mismatch), (verified, true), "{before} {size}");
                assert_eq!(std::fs::read(&path).unwrap(), bytes[..usize::try_from(verified).unwrap()]);
            }
        }
        // What should be there is not.
        std::fs::write(&path, b"").unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(digest_of(&file, (7, &[Bytes::from_static(b"x")]), &chunk(0, 8)).unwrap(), None);
        assert_eq!(digest_of(&file, (7, &[]), &chunk(7, 8)).unwrap(), None);
    }
}
