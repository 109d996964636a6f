//! The readers of foreign bytes in this crate, as plain functions: what the
//! fuzz targets of `tests/fuzz` call. The daemon itself does not use this module.

use crate::recordings::{convert::Converter, redaction};
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

/// The lines of the recording of a spool, up to where it is none: made in one
/// go; and made by a daemon that has seen `cut` bytes and kept what it could,
/// and by the next one, which goes on from there.
pub fn recordings(tty: bool, spool: &[u8], cut: usize) -> [Vec<u8>; 2] {
    let fed = |place: SpoolPlace, bytes: &[u8]| {
        let mut converter = Converter::new(tty, redaction::for_recordings(), place);
        let from = usize::try_from(place.bytes).unwrap_or(usize::MAX);
        // What is no spool ends a login; what came before is recorded.
        let (Ok(_) | Err(_)) = converter.feed(bytes.get(from..).unwrap_or_default());
        converter
    };
    let rest = |mut converter: Converter| {
        let (Ok(()) | Err(_)) = converter.let_go();
        converter.piece().lines.to_vec()
    };
    let first = fed(SpoolPlace::default(), spool.get(..cut).unwrap_or(spool));
    let kept = first.piece();
    let next = rest(fed(kept.place, spool));
    [rest(fed(SpoolPlace::default(), spool)), [kept.lines, &next].concat()]
}
