//! A ledger that is kept elsewhere than in a journal's files: whoever keeps it
//! brings the last line, and makes the new ones durable.

use super::chain::Chain;
use super::{Draft, JournalError, Written};
use crate::{Clock, Kind, Line, Signer, key_id};
use countersign_core::HostId;
use std::path::PathBuf;

/// Makes the lines that follow `last`, or the first ones where there is none.
/// Nothing is written: all must be kept in one go, or none. Not for entries of
/// logins, whose chains the last line alone does not tell.
pub fn follow(
    last: Option<&str>,
    host: HostId,
    drafts: &[Draft],
    clock: &mut dyn Clock,
    signer: &mut dyn Signer,
) -> Result<Vec<Written>, JournalError> {
    let mut chain = Chain::new(host, clock.boot());
    if let Some(last) = last {
        let unreadable = |why: String| JournalError::Layout { path: PathBuf::from("the last entry"), why };
        let line = Line::parse(last.as_bytes()).map_err(|bad| unreadable(bad.to_string()))?;
        if line.host != host.to_string() {
            return Err(unreadable(format!("it is of the host {}", line.host)));
        }
        chain.next_seq = line.seq;
        chain.found(Kind::Heartbeat, None, line.leaf_hash());
        if line.boot == chain.boot {
            (chain.mono, chain.at_us) = (line.mono, Some(line.at_us));
        }
    }
    chain.extend(drafts, clock.now(), &key_id(&signer.public_key()))?;
    Ok(chain.sign(signer, &mut String::new())?)
}
