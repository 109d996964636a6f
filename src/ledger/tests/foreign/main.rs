//! Vectors that other people published, accepted and refused as they say. Where ours is
//! stricter, the test names the case. The data is in `tests/vectors`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod json;
mod notes;
mod openssh;
mod rfc6962;
