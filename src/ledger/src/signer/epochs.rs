//! The keys of a host that is at work: the identity key certifies the first
//! epoch and is gone; each epoch certifies the next and is gone.

use super::{InProcessSigner, SignError, Signer};
use crate::epoch::{Rotation, statement_digest};
use crate::sshsig::Namespace;
use crate::tlog::NoteText;
use crate::{RandomError, key_id};
use countersign_core::{Digest, HostId};

/// Where new keys come from.
type Fresh = Box<dyn FnMut() -> Result<InProcessSigner, RandomError> + Send>;

/// Signs for one host. Only entries: decisions and enrolments are signed by
/// nobody here, and notes must be checkpoints of this host.
pub struct EpochSigner {
    host: HostId,
    identity: Digest,
    /// The identity key until the first rotation; then the epoch's. In one
    /// place on the heap, so that a new key overwrites the one before.
    current: Box<InProcessSigner>,
    /// The `seq` of the last certificate; none is given for an earlier one.
    last: Option<u64>,
    /// Entries that the identity key may still sign: `host_enrolled`.
    identity_entries: u32,
    fresh: Fresh,
}

impl std::fmt::Debug for EpochSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EpochSigner({}, {:?})", self.host, self.current)
    }
}

impl EpochSigner {
    /// Begins with the identity key of `host`.
    pub fn new(identity: InProcessSigner, host: HostId) -> Self {
        Self::with_keys(identity, host, Box::new(InProcessSigner::generate))
    }

    /// With keys of the caller's: for golden files and tests.
    pub fn with_keys(identity: InProcessSigner, host: HostId, fresh: Fresh) -> Self {
        let public = identity.public_key();
        Self { host, identity: public, current: Box::new(identity), last: None, identity_entries: 1, fresh }
    }
}

impl Signer for EpochSigner {
    fn sign(&mut self, namespace: Namespace, digest: [u8; 32]) -> Result<[u8; 64], SignError> {
        if namespace != Namespace::Entry {
            return Err(SignError::Failed(format!("this key signs no {}", namespace.as_str())));
        }
        if self.last.is_none() {
            let left = self.identity_entries.checked_sub(1);
            self.identity_entries =
                left.ok_or_else(|| SignError::Failed("the identity key signs one entry, host_enrolled".to_owned()))?;
        }
        self.current.sign(namespace, digest)
    }

    fn sign_note(&mut self, text: &NoteText) -> Result<[u8; 64], SignError> {
        let origin = format!("countersign/host/{}\n", self.host);
        if self.last.is_none() || !text.as_bytes().starts_with(origin.as_bytes()) {
            return Err(SignError::Failed("this key signs checkpoints of its own host".to_owned()));
        }
        self.current.sign_note(text)
    }

    fn public_key(&self) -> Digest {
        self.current.public_key()
    }

    fn identity(&self) -> Digest {
        self.identity
    }

    fn rotates(&self) -> bool {
        true
    }

    fn rotate(&mut self, seq: u64, prev: Digest) -> Result<Rotation, SignError> {
        if seq == 0 || self.last.is_some_and(|last| seq <= last) {
            return Err(SignError::Failed(format!("a key from seq {seq} on was certified already, or cannot be")));
        }
        let fresh = (self.fresh)().map_err(|error| SignError::Failed(error.to_string()))?;
        let key = fresh.public_key();
        let by = key_id(&self.current.public_key());
        let statement = statement_digest(&self.host.to_string(), &key, &prev, seq);
        let cert = self.current.sign(Namespace::Epoch, statement)?;
        self.last = Some(seq);
        *self.current = fresh;
        Ok(Rotation { by, key, cert })
    }
}
