//! The scan against tables, against `bash -n`, and against time.

mod generate;
mod oracle;
mod scripts;
mod table;
