//! The transparency-log forms against published vectors and other people's
//! implementations of them (dev-dependencies, nothing that ships).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod notes;
mod signatures;
mod stamps;
mod trees;
