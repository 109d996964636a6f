//! What a service gives back for a host's checkpoint: its cosignature, and the
//! place of the checkpoint in the service's own log. It stands in the body of
//! the host's `checkpoint` entries.

use super::checkpoint::{Checkpoint, Origin};
use super::note::{KeyKind, NoteKey, cosigned_message, verify_raw};
use super::proof::{verify_consistency, verify_inclusion};
use crate::line::fixed;
use crate::value::{Value, body};
use crate::{key_id, leaf_hash};
use countersign_core::{Digest, HostId, ServiceId, b64_encode};

/// Most hashes of a proof that is read: one for each level of a tree of 2⁶³ leaves, twice.
const MAX_PROOF: usize = 126;

/// The only texts besides SSHSIG digests that a [`crate::Signer`] signs: a
/// checkpoint of a log of Countersign, bare or as the message of a cosignature.
/// Neither can be read as the other or as an SSHSIG preimage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteText(Vec<u8>);

impl NoteText {
    /// The text of a checkpoint; `None` where its origin is none of ours.
    pub fn checkpoint(checkpoint: &Checkpoint) -> Option<Self> {
        Self::parse(checkpoint.text().as_bytes())
    }

    /// The message of a cosignature at `time`, in seconds since 1970.
    pub fn cosignature(checkpoint: &Checkpoint, time: u64) -> Option<Self> {
        Self::parse(&cosigned_message(time, &checkpoint.text()))
    }

    /// Reads exactly such a text: for a signer in another process.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let bare = match text.strip_prefix("cosignature/v1\ntime ") {
            Some(rest) => {
                let (time, bare) = rest.split_once('\n')?;
                let seconds: i64 = time.parse().ok()?;
                if seconds < 0 || seconds.to_string() != time {
                    return None;
                }
                bare
            }
            None => text,
        };
        let checkpoint = Checkpoint::parse(bare).ok()?;
        Origin::parse(&checkpoint.origin)?;
        Some(Self(bytes.to_vec()))
    }

    /// What the signature is over.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What stands in a `checkpoint` entry (`docs/LEDGER.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStamp {
    /// Leaves of the host's tree: `seq` of the last one and 1.
    pub size: u64,
    /// Root of the host's tree.
    pub root: Digest,
    /// Key id of the host key that signed the note.
    pub note_key: String,
    /// The host's signature on the note, 64 bytes.
    pub note_sig: [u8; 64],
    /// Who cosigned.
    pub service: ServiceId,
    /// When, in seconds since 1970, by the service's clock.
    pub time: u64,
    /// The cosignature, 64 bytes.
    pub cosig: [u8; 64],
    /// Leaves of the service's log.
    pub log_size: u64,
    /// Its root.
    pub log_root: Digest,
    /// The service's signature on its log's checkpoint, 64 bytes.
    pub log_sig: [u8; 64],
    /// Where in that log the host's checkpoint is.
    pub log_index: u64,
    /// The proof of it.
    pub log_proof: Vec<Digest>,
    /// The proof that the log the host was shown before begins this one.
    pub log_consistency: Vec<Digest>,
}

/// What is wrong with a [`ServiceStamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStamp {
    /// A member is missing or not of its form.
    #[error("a member is missing or not of its form: {0}")]
    Member(&'static str),
    /// A signature does not verify.
    #[error("{0} does not verify")]
    Signature(&'static str),
    /// The host's checkpoint is not where the service says.
    #[error("the host's checkpoint is not in the service's log where it is said to be")]
    Inclusion,
    /// The service has shown another log before.
    #[error("the service's log does not continue the one it showed before: it keeps two")]
    Fork,
}

impl ServiceStamp {
    /// The checkpoint of the host.
    pub fn checkpoint(&self, host: HostId) -> Checkpoint {
        Checkpoint { origin: Origin::Host(host).to_string(), size: self.size, root: self.root }
    }

    /// The checkpoint of the service's log.
    pub fn log_checkpoint(&self) -> Checkpoint {
        let origin = Origin::Service(self.service).to_string();
        Checkpoint { origin, size: self.log_size, root: self.log_root }
    }

    /// The leaf of the service's log that stands for a host's checkpoint.
    pub fn log_leaf(checkpoint: &Checkpoint) -> Digest {
        leaf_hash(checkpoint.text().as_bytes())
    }

    /// The cosigned note of the host's log, as stock tools read it.
    pub fn note(&self, host: HostId, host_key: Digest, service_key: Digest) -> super::Note {
        let checkpoint = self.checkpoint(host);
        let log = NoteKey { name: checkpoint.origin.clone(), kind: KeyKind::Ed25519, public: host_key };
        let by = cosigner(self.service, service_key);
        let cosig = [self.time.to_be_bytes().as_slice(), &self.cosig].concat();
        let signatures = vec![log.signature(self.note_sig.to_vec()), by.signature(cosig)];
        super::Note { text: checkpoint.text(), signatures }
    }

    /// Checks the host's signature on the note.
    pub fn check_note(&self, host: HostId, host_key: &Digest) -> Result<(), BadStamp> {
        if key_id(host_key) != self.note_key {
            return Err(BadStamp::Member("note_key"));
        }
        verify_raw(host_key, self.checkpoint(host).text().as_bytes(), &self.note_sig)
            .map_err(|_| BadStamp::Signature("the host's signature on the checkpoint"))
    }

    /// Checks everything that the service vouches for. `before` is what it
    /// showed last, where it has.
    pub fn check_service(
        &self,
        host: HostId,
        service_key: &Digest,
        before: Option<(u64, Digest)>,
    ) -> Result<(), BadStamp> {
        let checkpoint = self.checkpoint(host);
        verify_raw(service_key, &cosigned_message(self.time, &checkpoint.text()), &self.cosig)
            .map_err(|_| BadStamp::Signature("the service's cosignature"))?;
        verify_raw(service_key, self.log_checkpoint().text().as_bytes(), &self.log_sig)
            .map_err(|_| BadStamp::Signature("the service's signature on its log"))?;
        let leaf = Self::log_leaf(&checkpoint);
        verify_inclusion(&leaf, self.log_index, self.log_size, &self.log_proof, &self.log_root)
            .map_err(|_| BadStamp::Inclusion)?;
        let (size, root) = before.unwrap_or((0, super::empty_root()));
        verify_consistency(size, &root, self.log_size, &self.log_root, &self.log_consistency)
            .map_err(|_| BadStamp::Fork)
    }

    /// The body of the entry.
    pub fn to_value(&self) -> Value {
        let log = body([
            ("consistency", Value::from(self.log_consistency.clone())),
            ("index", self.log_index.into()),
            ("proof", Value::from(self.log_proof.clone())),
            ("root", self.log_root.into()),
            ("sig", b64_encode(&self.log_sig).into()),
            ("size", self.log_size.into()),
        ]);
        body([
            ("cosig", b64_encode(&self.cosig).into()),
            ("log", log),
            ("note_key", self.note_key.as_str().into()),
            ("note_sig", b64_encode(&self.note_sig).into()),
            ("root", self.root.into()),
            ("service", self.service.into()),
            ("size", self.size.into()),
            ("time", self.time.into()),
        ])
    }

    /// Reads the body of an entry.
    pub fn from_value(value: &Value) -> Result<Self, BadStamp> {
        let log = value.get("log").ok_or(BadStamp::Member("log"))?;
        let note_key = value.get("note_key").and_then(Value::as_text).filter(|key| crate::line::is_hex(key, 16));
        Ok(Self {
            size: int(value, "size")?,
            root: value.member("root").ok_or(BadStamp::Member("root"))?,
            note_key: note_key.ok_or(BadStamp::Member("note_key"))?.to_owned(),
            note_sig: signature(value, "note_sig")?,
            service: value.member("service").ok_or(BadStamp::Member("service"))?,
            time: int(value, "time")?,
            cosig: signature(value, "cosig")?,
            log_size: int(log, "size")?,
            log_root: log.member("root").ok_or(BadStamp::Member("log.root"))?,
            log_sig: signature(log, "sig")?,
            log_index: int(log, "index")?,
            log_proof: hashes(log, "proof")?,
            log_consistency: hashes(log, "consistency")?,
        })
    }
}

/// The key under which a service cosigns.
fn cosigner(service: ServiceId, public: Digest) -> NoteKey {
    NoteKey { name: Origin::Service(service).to_string(), kind: KeyKind::Cosignature, public }
}

fn int(value: &Value, name: &'static str) -> Result<u64, BadStamp> {
    value.get(name).and_then(Value::as_int).ok_or(BadStamp::Member(name))
}

fn signature(value: &Value, name: &'static str) -> Result<[u8; 64], BadStamp> {
    value.get(name).and_then(Value::as_text).and_then(fixed).ok_or(BadStamp::Member(name))
}

fn hashes(value: &Value, name: &'static str) -> Result<Vec<Digest>, BadStamp> {
    let list = value.get(name).and_then(Value::as_list).filter(|list| list.len() <= MAX_PROOF);
    let read = list.and_then(|list| list.iter().map(Value::parse).collect::<Option<Vec<_>>>());
    read.ok_or(BadStamp::Member(name))
}
