//! The audit for other programs: CSV for spreadsheets, OCSF for those that
//! collect events. JSON is the API's own (docs/AUDIT.md).

pub mod csv;
pub mod ocsf;
