//! One entry, read whole.

use crate::commit::sha256_of;
use crate::openings::{self, BadOpening, Opened};
use crate::scan::{BadLine, Fault};
use crate::sshsig::{BadSignature, Namespace, verify_digest};
use crate::{Kind, Line, Value};
use countersign_core::{Digest, HostId, LoginId};

/// An entry as its line says it: the grammar is kept, nothing else is checked
/// until asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number on the host.
    pub seq: u64,
    /// What it records; `None` where this version does not know the word.
    pub kind: Option<Kind>,
    /// The word of its kind.
    pub kind_text: String,
    /// The host.
    pub host: HostId,
    /// Wall clock as written.
    pub at: String,
    /// Wall clock in µs since 1970.
    pub at_us: i64,
    /// CLOCK_BOOTTIME in µs.
    pub mono: u64,
    /// Boot id, 32 hex digits.
    pub boot: String,
    /// L of the entry before.
    pub prev: Digest,
    /// Key id of the signer, 16 hex digits.
    pub key: String,
    /// Its place in a login.
    pub sess: Option<Sess>,
    /// What it says.
    pub body: Value,
    /// The signature, base64url.
    pub sig: String,
    /// L: its own hash, computed from the line.
    pub leaf: Digest,
    /// SHA-256 of the signed text T.
    pub signed_digest: Digest,
    /// The openings, unread JSON.
    pub vals_text: String,
}

/// The place of an entry in its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sess {
    /// The login.
    pub id: LoginId,
    /// 0, 1, 2 … within it.
    pub n: u64,
    /// L of the login's entry before.
    pub prev: Digest,
}

impl Entry {
    /// Reads a line without its newline and computes its hash.
    pub fn parse(line: &[u8]) -> Result<Self, BadLine> {
        Self::from_line(&Line::parse(line)?)
    }

    /// Copies a scanned line.
    pub fn from_line(line: &Line<'_>) -> Result<Self, BadLine> {
        // The scanner has checked the form of ids; ids know more only of their type.
        let bad_id = |_| BadLine { at: 0, fault: Fault::Expected("an id") };
        let sess = line.sess.as_ref();
        let sess = sess.map(|s| Ok(Sess { id: s.id.parse().map_err(bad_id)?, n: s.n, prev: s.prev })).transpose()?;
        Ok(Self {
            seq: line.seq,
            kind: line.kind.parse().ok(),
            kind_text: line.kind.to_owned(),
            host: line.host.parse().map_err(bad_id)?,
            at: line.at.to_owned(),
            at_us: line.at_us,
            mono: line.mono,
            boot: line.boot.to_owned(),
            prev: line.prev,
            key: line.key.to_owned(),
            sess,
            body: line.body()?,
            sig: line.sig.to_owned(),
            leaf: line.leaf_hash(),
            signed_digest: Digest(line.signed_digest()),
            vals_text: line.vals.to_owned(),
        })
    }

    /// Checks the signature under an Ed25519 public key. That `key` names this
    /// public key is for the caller to compare.
    pub fn verify_signature(&self, public: &Digest) -> Result<(), BadSignature> {
        verify_digest(Namespace::Entry, public, self.signed_digest.0, &self.sig)
    }

    /// Reads the openings and checks each against its commitment. Of an
    /// unknown kind nobody knows which members are private, so nothing is
    /// reported missing.
    pub fn openings(&self) -> Result<Opened, BadOpening> {
        let private = self.kind.map_or(&[] as &[&str], Kind::private_members);
        openings::open(&self.body, private, &self.vals_text)
    }

    /// The segments of a `command_submitted`, in order, checked; `None` where
    /// a segment has no opening. `None` altogether for other kinds, and where
    /// the openings were cut or do not fit.
    pub fn command(&self) -> Option<Vec<Option<Vec<u8>>>> {
        if self.kind != Some(Kind::CommandSubmitted) {
            return None;
        }
        self.openings().ok()?.many("cmd").map(<[_]>::to_vec)
    }
}

/// SHA-256 of a leaf's signed text, for a writer that has T without its brace.
pub(crate) fn signed_digest(open_text: &str) -> [u8; 32] {
    sha256_of(&[open_text.as_bytes(), b"}"]).0
}
