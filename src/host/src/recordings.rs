//! Recordings. A front appends raw output to a spool ([`countersign_api::spool`])
//! whose descriptor it was passed; here a spool becomes an asciicast, chunk by
//! chunk, and is dropped.
//!
//! What may never happen: that bytes of a front are believed, that the ledger
//! names bytes of a recording that are not on the disk, or that a piece of a
//! spool is dropped before its chunk is in the ledger.
//!
//! [`convert`] turns records into lines (pure), [`redaction`] is the seam where
//! secrets leave, [`spool`] has what waits for the next login, [`tape`] the two
//! files of one, [`keep`] puts chunks into the
//! ledger, [`uploads`] sends recordings to the service.

pub(crate) mod convert;
pub(crate) mod keep;
pub(crate) mod redaction;
pub(crate) mod spool;
pub(crate) mod tape;
pub(crate) mod uploads;
