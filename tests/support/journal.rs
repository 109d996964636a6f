//! A host's journal, read with nothing of ours but its file names.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{LIMIT, eventually};

/// The journal's files, oldest first.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.expect("journal directory").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    files.sort();
    files
}

/// All lines that end in a newline, in order.
pub fn lines(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for file in files(dir) {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        lines.extend(
            text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(|line| line.trim_end().to_owned()),
        );
    }
    lines
}

/// All entries, in order.
pub fn entries(dir: &Path) -> Vec<Value> {
    lines(dir).iter().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The entries of one kind.
pub fn of_kind(dir: &Path, kind: &str) -> Vec<Value> {
    entries(dir).into_iter().filter(|entry| entry["kind"] == kind).collect()
}

/// The last entry of this kind, once there are `count` of them.
#[track_caller]
pub fn wait_for(dir: &Path, kind: &str, count: usize) -> Value {
    eventually(&format!("{count} × {kind}"), LIMIT, || {
        let mut found = of_kind(dir, kind);
        (found.len() >= count).then(|| found.pop().expect("count is not 0"))
    })
}

/// The text of a submission as its openings tell it.
pub fn command(submitted: &Value) -> String {
    let openings = submitted["vals"]["cmd"].as_array().expect("vals.cmd is a list");
    openings.iter().map(|opening| opening[1].as_str().expect("an opening that is text")).collect()
}
