//! What front, host, service and CLI say to each other, and the recording
//! format. Types and pure functions only: no sockets, no files, no clock.
#![forbid(unsafe_code)]

pub mod audit;
pub mod context;
mod enrolment;
pub mod frame;
pub mod front;
pub mod ledgers;
#[cfg(feature = "tls")]
pub mod pinned;
pub mod recording;
pub mod rules;
pub mod service;
pub mod spool;
pub mod triage;
