//! `countersign-hostd`: holds every submitted line, keeps the host's ledger and
//! speaks to the approval service.
//!
//! It must never let a front run something without a durable, signed and
//! timely decision, and never ask before the submission is durable.
//!
//! Reading order: [`listener`] takes a front's connection, [`login`] walks it
//! through its states, [`submission`] holds one line, [`ruling`] judges what
//! the service answered, [`recordings`] keeps what was shown, [`book`] writes
//! the ledger, [`shipper`] sends it upstream.
#![forbid(unsafe_code)]

mod ancestry;
mod approvals;
mod around;
mod authority;
mod book;
mod checkpoints;
mod claims;
mod clock;
mod command_line;
mod config;
mod connection;
mod credential;
mod cut;
mod daemon;
mod drafts;
mod enroll;
mod error;
mod identity;
mod listener;
mod login;
mod lost;
mod no_ruling;
mod opening;
mod own_rules;
mod policies;
mod program;
mod quotas;
#[doc(hidden)]
pub mod readers;
mod recordings;
mod recovery;
mod registry;
mod removals;
mod resolve;
mod returning;
mod room;
mod ruling;
mod secrets;
mod sent;
mod service;
mod shipper;
mod signer;
mod submission;

use std::process::ExitCode;

/// Runs the daemon, the enrolment or what takes something out of the ledger, as the command line says, and returns its
/// exit code: 0, 64 (usage), 69 (unavailable), 70 (defect) or 78 (configuration).
pub fn run() -> ExitCode {
    match command_line::parse().and_then(daemon::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
