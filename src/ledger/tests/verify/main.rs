//! Offline verification: what it accepts, and a tamper matrix of what it must not.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod again;
mod build;
mod bundles;
mod chains;
mod clean;
mod committed;
mod dishonest;
mod fixtures;
mod held;
mod histories;
mod hostile;
mod keys;
mod matrix;
mod own;
mod packed;
mod parts;
mod people;
mod recordings;
mod removals;
mod resumed;
mod reviews;
mod rotations;
mod rulings;
mod second;
mod silence;
mod sources;
mod speed;
mod splices;
mod stamps;
mod tamper;
mod unbound;
