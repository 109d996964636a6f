//! What the integration tests and the benchmarks share: finding the programs, running them in every shape they
//! have (a trial, the parts one by one, an installation behind a real sshd), and reading what they leave behind
//! with code that is not the product's own.
//!
//! Everything here panics with the whole story when something is not as it should be.

pub mod cast;
pub mod fake_host;
pub mod fake_service;
pub mod installation;
pub mod interrupting;
pub mod journal;
pub mod namespace;
pub mod parts;
pub mod person;
pub mod port;
pub mod programs;
pub mod reviewer;
pub mod run;
pub mod scratch;
pub mod signing;
pub mod skips;
pub mod terminal;
pub mod tmux;
pub mod trial;
