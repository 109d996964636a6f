//! The readers of foreign bytes in this crate, as plain functions: what the
//! fuzz targets of `tests/fuzz` call. The daemon itself does not use this module.

/// Whether this is a configuration file of the daemon.
pub fn is_configuration(text: &str) -> bool {
    crate::config::is_configuration(text)
}
