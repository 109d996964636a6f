//! The readers of foreign bytes in this crate, as plain functions: what the
//! fuzz targets of `tests/fuzz` call. The daemon itself does not use this module.

use crate::recordings::{convert::Converter, redaction::for_recordings};
use crate::{claims, credential, registry};
use countersign_api::context::Claim;
use countersign_ledger::SpoolPlace;

/// Whether this is a configuration file of the daemon.
pub fn is_configuration(text: &str) -> bool {
    crate::config::is_configuration(text)
}

/// What an agent states of itself in `COUNTERSIGN_CONTEXT` and one variable
/// more, and a word for what was wrong with it.
pub fn claims(context: &str, task: &str) -> (Vec<(String, String)>, Option<&'static str>) {
    let claim = |name: &str, value: &str| Claim { name: name.to_owned(), value: Some(value.to_owned()) };
    let (claimed, wrong) = claims::read(&[claim("COUNTERSIGN_CONTEXT", context), claim("COUNTERSIGN_TASK", task)]);
    (claimed.members.into_iter().collect(), wrong)
}

/// Every text that is kept of `SSH_AUTH_INFO_0` and the address it came from.
pub fn credential(auth_info: &str, source: &str) -> Option<Vec<String>> {
    let read = credential::read(auth_info, source)?;
    let texts = [read.user, read.method, read.source].into_iter().chain(read.principals);
    Some(texts.chain(read.credential).chain(read.authority).collect())
}

/// How many ssh sessions are known once these bytes came over the socket for
/// registrations, one connection for each message.
pub fn registrations(bytes: &[u8]) -> usize {
    registry::take_all(bytes)
}

/// The recording of a spool that comes in pieces of `size` bytes, and whether it
/// could be read to its end.
pub fn recorded(spool: &[u8], size: usize) -> (Vec<u8>, bool) {
    let mut converter = Converter::new(false, for_recordings(), SpoolPlace::default());
    let (mut begins, mut whole) = (0, true);
    for ends in (1..=spool.len()).filter(|end| end % size.max(1) == 0 || *end == spool.len()) {
        match converter.feed(spool.get(begins..ends).unwrap_or_default()) {
            Ok(used) => begins += used,
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    whole &= converter.let_go().is_ok();
    (converter.piece().lines.to_vec(), whole)
}
