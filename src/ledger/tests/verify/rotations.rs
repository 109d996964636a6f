//! Epochs of a host in a [`History`]: which key certifies which.

use crate::build::{History, Who, host};
use countersign_core::{Digest, b64_encode};
use countersign_ledger::{Namespace, Signer as _, Value, key_id, sha256};

/// A `key_rotated` to be.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    pub by: Who,
    pub key: Who,
}

impl Rotation {
    /// Its members, in this place.
    pub fn members(self, prev: Digest, seq: usize) -> [(String, Value); 3] {
        let (key, mut by) = (self.key.public(), self.by.signer());
        let text = format!(
            "{{\"fmt\":\"cs-epoch1\",\"host\":\"{}\",\"key\":\"{key}\",\"prev\":\"{prev}\",\"seq\":{seq}}}",
            host()
        );
        let cert = by.sign(Namespace::Epoch, sha256(text.as_bytes()).0).unwrap();
        [
            ("by".to_owned(), key_id(&by.public_key()).into()),
            ("cert".to_owned(), b64_encode(&cert).into()),
            ("key".to_owned(), key.into()),
        ]
    }
}

impl History {
    /// Enrolled with the identity key, and started with a key that it certified.
    pub fn with_epochs() -> Self {
        let mut history = Self::with_signer("own_uid");
        let started = history.plans.pop().unwrap();
        history.rotate(Who::Host, Who::Epoch(1));
        let signer = history.signs;
        history.add("started", started.kind, None, []).body = started.body;
        history.plan("started").signer = signer;
        history
    }

    /// One key certifies the next, which signs from here on.
    pub fn rotate(&mut self, by: Who, key: Who) {
        self.signs = key;
        self.add(&format!("rotated{}", self.plans.len()), "key_rotated", None, []).rotation =
            Some(Rotation { by, key });
    }

    /// Nothing happens for so long.
    pub fn pass(&mut self, us: u64) {
        self.mono += us;
    }
}
