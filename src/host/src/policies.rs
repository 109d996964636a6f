//! The texts of the service's policies, kept in the ledger.
//!
//! A decision by rule names the policy it was made under by its SHA-256. Before
//! the first one under a policy lets anything run, the text stands in the
//! ledger (`policy_text`), so that whoever verifies it can decide again. A
//! service that does not give the text lets nothing run by rule.

use crate::book::WriteError;
use crate::daemon::Host;
use crate::drafts;
use crate::own_rules::Own;
use crate::ruling::Said;
use countersign_core::{DecidedBy, Digest};
use countersign_ledger::sha256;
use std::collections::HashSet;
use tokio::sync::Mutex;

/// Longest text that is taken, in bytes: as much as a verifier reads.
const MAX_TEXT: usize = 16 * 1024 * 1024;
/// Bytes of one part: what an entry's line holds whatever must be escaped.
const PART: usize = 256 * 1024;
/// Most digests that are remembered; one that was forgotten is written again.
const MAX_KNOWN: usize = 4096;

/// What is in the ledger since the daemon started.
#[derive(Default)]
pub(crate) struct Policies {
    known: Mutex<HashSet<Digest>>,
}

/// Why a policy is not in the ledger.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPolicy {
    /// The service did not give it.
    #[error("{0}")]
    Unknown(String),
    /// It could not be written.
    #[error(transparent)]
    Ledger(#[from] WriteError),
}

impl Policies {
    /// Puts the policy of a decision by rule into the ledger, before it counts.
    pub(crate) async fn keep_of(&self, host: &Host, said: &Said, own: &Own) -> Result<(), NoPolicy> {
        match (&said.by, said.statement.member("policy")) {
            (DecidedBy::Person(_) | DecidedBy::Timeout, _) => Ok(()),
            (_, Some(digest)) => self.keep(host, digest, own.text(digest)).await,
            (_, None) => Err(NoPolicy::Unknown("the decision names no policy".to_owned())),
        }
    }

    /// The same for a refusal, which stands without it: nobody can then say whether it was right.
    pub(crate) async fn keep_of_refusal(&self, host: &Host, said: &Said) -> Result<(), WriteError> {
        match self.keep_of(host, said, &Own::Silent).await {
            Ok(()) => Ok(()),
            Err(NoPolicy::Unknown(why)) => {
                tracing::warn!("the policy of a refusal is not recorded: {why}");
                Ok(())
            }
            Err(NoPolicy::Ledger(why)) => Err(why),
        }
    }

    /// Sees to it that the text of a policy is in the ledger, durably.
    async fn keep(&self, host: &Host, digest: Digest, own: Option<&str>) -> Result<(), NoPolicy> {
        let mut known = self.known.lock().await;
        if known.contains(&digest) {
            return Ok(());
        }
        let text = match own {
            Some(own) => own.to_owned(),
            None => host.shipper.service().policy(digest).await.map_err(|why| NoPolicy::Unknown(why.to_string()))?,
        };
        if sha256(text.as_bytes()) != digest {
            return Err(NoPolicy::Unknown("the service sent another text than the decision names".to_owned()));
        }
        if text.len() > MAX_TEXT {
            return Err(NoPolicy::Unknown("the service's policy is over 16 MiB".to_owned()));
        }
        let parts = parts(&text, PART);
        let count = u64::try_from(parts.len()).unwrap_or(u64::MAX);
        let drafts: Result<Vec<_>, _> =
            (0..).zip(parts).map(|(part, text)| drafts::policy_text(digest, (part, count), text)).collect();
        host.book.write(drafts.map_err(WriteError::from)?).await?;
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(digest);
        Ok(())
    }
}

/// The text in parts of at most so many bytes, at least one, none of which cuts a character.
fn parts(text: &str, most: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let cut = rest.floor_char_boundary(most.max(4));
        let (part, after) = rest.split_at(cut);
        parts.push(part);
        if after.is_empty() {
            return parts;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_text_and_cut_no_character() {
        for text in ["", "a", "abcdefgh", "ééééé", "a\u{10348}\u{10348}b"] {
            let parts = parts(text, 5);
            assert_eq!(parts.concat(), text);
            assert!(!parts.is_empty() && parts.iter().all(|part| part.len() <= 5), "{parts:?}");
        }
    }
}
