//! Recordings: chunks without gaps whose digests are those of the file's bytes.

use super::checks::Check;
use super::report::Findings;
use super::source::{Blob, Recordings};
use countersign_core::{Digest, LoginId};
use ring::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// The recording of one open login so far.
#[derive(Debug, Default)]
pub(super) struct Recording {
    next_index: u64,
    length: u64,
    /// A chunk did not follow the one before it; where the next one must begin is not known.
    broken: bool,
    missing: bool,
    /// Bytes below this were hashed: none is a second time, whatever chunks say.
    hashed: u64,
}

/// What a `recording_chunk` says.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkSaid {
    pub index: u64,
    pub offset: u64,
    pub length: u64,
    pub digest: Digest,
}

/// Reads recordings and says what is wrong with them.
pub(super) struct Reader<'a> {
    /// Where they are.
    pub recordings: &'a Recordings,
    /// Whether a chunk could not be looked at because only a journal was given.
    pub skipped: bool,
    /// Recordings of which at least one chunk was looked at.
    pub looked_at: u64,
    /// Those that are not there, and the entry that asks for them first.
    pub absent: BTreeMap<LoginId, u64>,
}

impl Reader<'_> {
    /// Checks a chunk and the bytes it is about.
    pub fn chunk(
        &mut self,
        login: LoginId,
        so_far: &mut Recording,
        said: ChunkSaid,
        seq: u64,
        findings: &mut Findings,
    ) {
        let end = said.offset.saturating_add(said.length);
        let again = said.offset < so_far.hashed;
        if again || !so_far.broken && (said.index != so_far.next_index || said.offset != so_far.length) {
            let text = format!(
                "chunk {} at byte {} does not follow; chunk {} at byte {} is next",
                said.index, said.offset, so_far.next_index, so_far.length
            );
            findings.add(Check::RecordingChunks, Some(seq), None, text);
        }
        so_far.next_index = said.index.saturating_add(1);
        so_far.length = end;
        let Some(blob) = self.find(login, so_far, seq, findings) else { return };
        if said.index == 0 {
            self.looked_at = self.looked_at.saturating_add(1);
        }
        let file = file_name(login);
        if end > blob.length {
            let text = format!("is {} bytes long; the ledger has a chunk up to byte {end}", blob.length);
            findings.add(Check::RecordingLength, Some(seq), Some(&file), text);
            return;
        }
        if again {
            return;
        }
        so_far.hashed = end;
        match digest_of(&blob, said.offset, said.length) {
            Ok(digest) if digest == said.digest => {}
            Ok(_) => {
                let text = format!("bytes {} to {end} are not those in the ledger", said.offset);
                findings.add(Check::RecordingDigest, Some(seq), Some(&file), text);
            }
            Err(error) => {
                findings.add(Check::RecordingDigest, Some(seq), Some(&file), format!("cannot be read: {error}"))
            }
        }
    }

    /// Checks the length that `session_closed` states.
    pub fn closed(&mut self, login: LoginId, so_far: &mut Recording, said: u64, seq: u64, findings: &mut Findings) {
        if !so_far.broken && said != so_far.length {
            let text = format!("recording_bytes is {said}, the chunks add up to {}", so_far.length);
            findings.add(Check::RecordingChunks, Some(seq), None, text);
        }
        if said == 0 && so_far.length == 0 && !self.has(login) {
            return;
        }
        let Some(blob) = self.find(login, so_far, seq, findings) else { return };
        if blob.length != said {
            let text = format!("is {} bytes long; the ledger says {said}", blob.length);
            findings.add(Check::RecordingLength, Some(seq), Some(&file_name(login)), text);
        }
    }

    /// Checks that every recording belongs to a login that is `known`.
    pub fn none_extra(&self, known: &dyn Fn(LoginId) -> bool, findings: &mut Findings) {
        for login in self.recordings.logins().into_iter().filter(|login| !known(*login)) {
            findings.add(Check::RecordingExtra, None, Some(&file_name(login)), "belongs to no login of the ledger");
        }
    }

    fn has(&self, login: LoginId) -> bool {
        // An unreadable one is reported by `find`.
        self.recordings.find(login).map_or(true, |blob| blob.is_some())
    }

    fn find(&mut self, login: LoginId, so_far: &mut Recording, seq: u64, findings: &mut Findings) -> Option<Blob> {
        if matches!(self.recordings, Recordings::NotGiven) {
            self.skipped = true;
            return None;
        }
        match self.recordings.find(login) {
            Ok(Some(blob)) => return Some(blob),
            // An entry that is yet to come may say that it was erased.
            Ok(None) => {
                self.absent.entry(login).or_insert(seq);
            }
            Err(error) if !std::mem::replace(&mut so_far.missing, true) => {
                let text = format!("cannot be read: {error}");
                findings.add(Check::RecordingMissing, Some(seq), Some(&file_name(login)), text);
            }
            Err(_) => {}
        }
        None
    }

    /// Says which recordings are not there, but for those that were erased.
    pub fn none_absent(&self, erased: &dyn Fn(LoginId) -> bool, findings: &mut Findings) {
        for (login, seq) in self.absent.iter().filter(|(login, _)| !erased(**login)) {
            findings.add(Check::RecordingMissing, Some(*seq), Some(&file_name(*login)), "is not there");
        }
    }
}

impl Recording {
    /// Entries of the login are missing: chunks may be among them.
    pub fn lose_track(&mut self) {
        self.broken = true;
    }
}

fn file_name(login: LoginId) -> String {
    format!("recordings/{login}.cast")
}

fn digest_of(blob: &Blob, offset: u64, length: u64) -> io::Result<Digest> {
    let mut reader = blob.range(offset, length)?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(64 * 1024)];
    let mut left = length;
    while left > 0 {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        context.update(buffer.get(..read).unwrap_or_default());
        left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
    }
    let mut digest = Digest::ZERO;
    digest.0.copy_from_slice(context.finish().as_ref());
    Ok(digest)
}
