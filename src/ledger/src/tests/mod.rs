//! What must hold of the bytes, from outside.

mod bad_lines;
mod files;
mod golden;
mod page;
mod props;
mod recipe;
pub(crate) mod support;
mod values;
#[cfg(feature = "authority")]
mod wycheproof;
