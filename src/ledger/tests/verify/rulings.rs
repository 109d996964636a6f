//! Decisions of the service, as it signs them or as somebody else does.

use crate::build::{POLICY, Who};
use countersign_core::{Choice, DecidedBy, Digest, HostId, Nonce};
use countersign_ledger::{Signer as _, Statement, key_id, sha256};

/// A decision as the service signs it.
#[derive(Debug, Clone)]
pub struct Ruling {
    pub by: String,
    pub choice: Choice,
    /// Label of the submission it is about.
    pub about: String,
    pub exp_ms: u64,
    pub host: HostId,
    pub nonce: Nonce,
    pub signer: Who,
    pub break_sig: bool,
}

impl Ruling {
    /// The statement about the entry with this hash, and its signature.
    pub fn sign(&self, entry: Digest) -> (Statement, String) {
        let mut signer = self.signer.signer();
        let statement = Statement {
            by: self.by.parse::<DecidedBy>().unwrap(),
            decision: self.choice,
            entry,
            exp_ms: self.exp_ms,
            host: self.host,
            key: key_id(&signer.public_key()),
            nonce: self.nonce,
            policy: sha256(POLICY.as_bytes()),
        };
        let (_, mut sig) = statement.sign(&mut signer).unwrap();
        if self.break_sig {
            let other = if sig.starts_with('A') { "B" } else { "A" };
            sig.replace_range(..1, other);
        }
        (statement, sig)
    }
}
