//! What people and agents type, and what the terminal then shows.

mod keys;
mod model;
mod rig;
mod safety;
mod units;
