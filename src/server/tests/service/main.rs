//! The service as its callers meet it: the real program, listening on
//! loopback, spoken to over HTTP with entries that are signed as hosts sign them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy.toml lets the tests themselves unwrap"
)]

mod acts;
mod anomalies;
mod audit;
mod checkpoints;
mod decisions;
mod enrolment;
mod host;
mod ingest;
mod latency;
mod own_ledger;
mod parts;
mod policy;
mod recordings;
mod removals;
mod reviewers;
mod rules;
mod running;
mod starting;
mod triage;
