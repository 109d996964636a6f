//! Epochs: keys that sign a range of entries, each certified by the identity
//! key or by the epoch before it. One set of rules for whoever reads lines:
//! the journal when it is opened, the service, and verification.

use crate::sshsig::{Namespace, verify_digest};
use crate::{Kind, Line, Value, body, key_id, sha256};
use countersign_core::{Digest, b64_encode};
use std::collections::HashMap;
use std::fmt;

/// Most entries that one epoch signs, its `key_rotated` included.
pub const EPOCH_ENTRIES: u64 = 4096;
/// Longest time from an epoch's `key_rotated` to its last entry, in µs.
pub const EPOCH_US: u64 = 24 * 60 * 60 * 1_000_000;

/// A new key and the certificate for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The key id of who certifies.
    pub by: String,
    /// The new public key.
    pub key: Digest,
    /// The signature over the certificate's statement.
    pub cert: [u8; 64],
}

impl Rotation {
    /// The body of its `key_rotated`.
    pub fn body(&self) -> Value {
        body([("by", Value::from(self.by.as_str())), ("cert", b64_encode(&self.cert).into()), ("key", self.key.into())])
    }
}

/// What a certificate signs: this key signs the entries of this host from
/// `seq` on, and the entry before has the hash `prev`.
pub(crate) fn statement_digest(host: &str, key: &Digest, prev: &Digest, seq: u64) -> [u8; 32] {
    let text =
        format!("{{\"fmt\":\"cs-epoch1\",\"host\":\"{host}\",\"key\":\"{key}\",\"prev\":\"{prev}\",\"seq\":{seq}}}");
    sha256(text.as_bytes()).0
}

/// An epoch as its `key_rotated` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The `seq` of its `key_rotated`, the first that it signs.
    pub first_seq: u64,
    /// Its public key.
    pub key: Digest,
    /// Certified by the identity key: a start of the signer.
    pub by_identity: bool,
    id: String,
}

impl Epoch {
    /// An epoch that was checked before.
    pub fn known(first_seq: u64, key: Digest, by_identity: bool) -> Self {
        Self { first_seq, key, by_identity, id: key_id(&key) }
    }
}

/// Why a line is not signed as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFault {
    /// The key is none of this host's.
    Unknown {
        /// The key id that the line names.
        named: String,
        /// The one that signs here.
        due: String,
    },
    /// A key of this host that does not sign here: an epoch outside its range,
    /// or the identity key after the first epoch.
    OutOfRange {
        /// The key id that the line names.
        named: String,
        /// The one that signs here.
        due: String,
    },
    /// The certificate of a new key is not good.
    Certificate(&'static str),
    /// The signature does not verify.
    Signature,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { named, due } => write!(f, "names the key {named}; {due} signs here"),
            Self::OutOfRange { named, due } => {
                write!(f, "names the key {named}, which is this host's but does not sign here; {due} does")
            }
            Self::Certificate(why) => write!(f, "the certificate of its key is not good: {why}"),
            Self::Signature => f.write_str("the signature is not valid"),
        }
    }
}

/// The keys of one history: the identity key, and its epochs so far.
#[derive(Debug, Clone)]
pub struct KeyRing {
    identity: Digest,
    identity_id: String,
    epochs: Vec<Epoch>,
    /// Where each begins, by the id of its key: a history may have very many.
    begins: HashMap<String, u64>,
}

impl KeyRing {
    /// A history that begins with its identity key.
    pub fn new(identity: Digest) -> Self {
        Self { identity, identity_id: key_id(&identity), epochs: Vec::new(), begins: HashMap::new() }
    }

    /// The identity key.
    pub fn identity(&self) -> &Digest {
        &self.identity
    }

    /// The epochs so far, in order.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// The epoch that `seq` falls into; `None` where the identity key signs.
    pub fn epoch_at(&self, seq: u64) -> Option<&Epoch> {
        let after = self.epochs.partition_point(|epoch| epoch.first_seq <= seq);
        self.epochs.get(after.checked_sub(1)?)
    }

    /// The key that signs the entry `seq`, as far as is known.
    pub fn key_at(&self, seq: u64) -> &Digest {
        self.epoch_at(seq).map_or(&self.identity, |epoch| &epoch.key)
    }

    fn id_at(&self, seq: u64) -> &str {
        self.epoch_at(seq).map_or(&self.identity_id, |epoch| &epoch.id)
    }

    /// Checks key and signature of a line. Yields the epoch that it begins,
    /// where it is a `key_rotated`; [`KeyRing::adopt`] takes it.
    pub fn check(&self, line: &Line<'_>) -> Result<Option<Epoch>, KeyFault> {
        if line.kind == Kind::KeyRotated.as_str() {
            return self.rotated(line).map(Some);
        }
        signed(line, self.due(line)?)?;
        Ok(None)
    }

    /// The key that must have signed a line that begins no epoch, where that
    /// is the one it names. The signature is not checked.
    pub(crate) fn due(&self, line: &Line<'_>) -> Result<&Digest, KeyFault> {
        let due = self.id_at(line.seq);
        if line.key != due {
            let (named, due) = (line.key.to_owned(), due.to_owned());
            let ours = line.key == self.identity_id || self.begins.contains_key(line.key);
            return Err(if ours { KeyFault::OutOfRange { named, due } } else { KeyFault::Unknown { named, due } });
        }
        Ok(self.key_at(line.seq))
    }

    /// Goes on with an epoch that [`KeyRing::check`] found good. Later ones,
    /// of another history, are forgotten.
    pub fn adopt(&mut self, epoch: Epoch) {
        while let Some(later) = self.epochs.pop_if(|known| known.first_seq >= epoch.first_seq) {
            self.begins.remove(&later.id);
        }
        self.begins.insert(epoch.id.clone(), epoch.first_seq);
        self.epochs.push(epoch);
    }

    fn rotated(&self, line: &Line<'_>) -> Result<Epoch, KeyFault> {
        let bad = |why| Err(KeyFault::Certificate(why));
        let Some(before) = line.seq.checked_sub(1) else { return bad("it stands at seq 0") };
        let said = Said::read(line)?;
        let by_identity = said.by == self.identity_id;
        if !by_identity && said.by != self.id_at(before) {
            return bad("neither the identity key nor the epoch before it gave it");
        }
        let certifier = if by_identity { &self.identity } else { self.key_at(before) };
        let statement = statement_digest(line.host, &said.key, &line.prev, line.seq);
        if verify_digest(Namespace::Epoch, certifier, statement, &said.cert).is_err() {
            return bad("it is not signed by the key that it names, for this host, place and key");
        }
        self.introduced(line, said.key, by_identity)
    }

    /// Checks a `key_rotated` but for its certificate: one given by a key, of
    /// this id, whose own certificate is missing.
    #[cfg(feature = "verify")]
    pub(crate) fn check_uncertified(&self, line: &Line<'_>, by: &str) -> Result<Epoch, KeyFault> {
        let said = Said::read(line)?;
        if line.kind != Kind::KeyRotated.as_str() || said.by != by {
            return Err(KeyFault::Certificate("another key gave it"));
        }
        self.introduced(line, said.key, false)
    }

    /// A new key must sign the entry that introduces it, and be new.
    fn introduced(&self, line: &Line<'_>, key: Digest, by_identity: bool) -> Result<Epoch, KeyFault> {
        let epoch = Epoch::known(line.seq, key, by_identity);
        if epoch.id == self.identity_id || self.begins.get(&epoch.id).is_some_and(|first| *first != line.seq) {
            return Err(KeyFault::Certificate("its key was used before"));
        }
        if line.key != epoch.id {
            return Err(KeyFault::Certificate("the entry is not signed with the key that it introduces"));
        }
        signed(line, &key)?;
        Ok(epoch)
    }
}

/// The members of a `key_rotated`.
struct Said {
    by: String,
    cert: String,
    key: Digest,
}

impl Said {
    fn read(line: &Line<'_>) -> Result<Self, KeyFault> {
        let body = line.body().map_err(|_| KeyFault::Certificate("its body cannot be read"))?;
        let text = |name| body.get(name).and_then(Value::as_text).map(str::to_owned);
        match (text("by"), text("cert"), body.member("key")) {
            (Some(by), Some(cert), Some(key)) => Ok(Self { by, cert, key }),
            _ => Err(KeyFault::Certificate("by, cert or key is missing")),
        }
    }
}

fn signed(line: &Line<'_>, key: &Digest) -> Result<(), KeyFault> {
    verify_digest(Namespace::Entry, key, line.signed_digest(), line.sig).map_err(|_| KeyFault::Signature)
}
