//! The journal through crashes and faults.

mod append;
mod batches;
mod crash;
mod faults;
mod pruned;
mod recovery;
mod removed;
