//! How a front shows that a login is its own after the daemon was lost: a
//! chain of secrets, each the preimage of the one before.
//!
//! `session_opened.resume` is the end of the chain, which tells nobody
//! anything. `session_resumed.key` is a step back from there that only who
//! made the chain can take; it is then the new end, and worth nothing more.

use crate::commit::{RandomError, random_bytes, sha256_of};
use countersign_core::Digest;

/// Steps of a chain: how often a login may be taken up again at most.
pub const RESUME_STEPS: u32 = 64;

/// The secrets of one login. Not printed.
pub struct ResumeChain {
    seed: Digest,
    left: u32,
}

impl ResumeChain {
    /// A chain that nobody else knows.
    pub fn random() -> Result<Self, RandomError> {
        Ok(Self::from_seed(Digest(random_bytes()?)))
    }

    /// The chain of this seed, which nobody else may know.
    pub fn from_seed(seed: Digest) -> Self {
        Self { seed, left: RESUME_STEPS }
    }

    /// What may be told before: the end of the chain.
    pub fn anchor(&self) -> Digest {
        self.at(RESUME_STEPS)
    }

    /// The next secret, to be told once; `None` when all were told.
    pub fn take(&mut self) -> Option<Digest> {
        self.left = self.left.checked_sub(1)?;
        Some(self.at(self.left))
    }

    fn at(&self, steps: u32) -> Digest {
        (0..steps).fold(self.seed, |at, _| step(&at))
    }
}

impl std::fmt::Debug for ResumeChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResumeChain").field("left", &self.left).finish_non_exhaustive()
    }
}

/// Whether this is a secret of the chain that has this end, at least one step
/// before it. A step whose answer was lost may have been skipped.
pub fn leads_to(key: &Digest, anchor: &Digest) -> bool {
    let mut at = *key;
    (0..RESUME_STEPS).any(|_| {
        at = step(&at);
        at == *anchor
    })
}

fn step(secret: &Digest) -> Digest {
    sha256_of(&[b"cs.resume.v1\0", &secret.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_leads_to_those_told_before_and_to_no_other() {
        let mut chain = ResumeChain::from_seed(Digest([7; 32]));
        let mut told = vec![chain.anchor()];
        while let Some(key) = chain.take() {
            assert!(told.iter().all(|before| leads_to(&key, before)), "all before it");
            assert!(told.iter().all(|before| !leads_to(before, &key)), "not the other way");
            assert!(!leads_to(&key, &key));
            told.push(key);
        }
        assert_eq!(told.len(), 65);
        let other = ResumeChain::from_seed(Digest([8; 32])).take().unwrap();
        assert!(!leads_to(&other, &told[0]));
        assert!(!leads_to(&Digest::ZERO, &told[0]));
        assert!(!format!("{chain:?}").contains(&Digest([7; 32]).to_string()));
    }

    #[test]
    fn a_step_is_as_the_page_says() {
        // printf 'cs.resume.v1\0' and 32 bytes 0x07, through sha256sum.
        let said = step(&Digest([7; 32])).0.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(said, "e3a2849a8ea43317721237d75bd26c0883475b9d2430f36869452b70faa095a4");
    }
}
