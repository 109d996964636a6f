//! `countersign-server forks`: the evidence that a host signed two histories.

use crate::ServerError;
use crate::store::{Fork, Store};
use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Lines that are read at a time.
const LINES: u32 = 1000;

/// One line for each fork: its host, its place, and the file its evidence was
/// written to, where a folder is given.
pub async fn write(store: &Store, folder: Option<&Path>) -> Result<String, ServerError> {
    let mut told = String::new();
    let forks = store.forks().await?;
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|why| failed(folder, why))?;
    }
    for (index, fork) in forks.iter().enumerate() {
        told += &format!("{} seq {}", fork.host, fork.seq);
        if let Some(folder) = folder {
            let file = folder.join(format!("fork-{}-{}-{}.jsonl", fork.host, fork.seq, index + 1));
            evidence(store, fork, &file).await?;
            told += &format!(" {}", file.display());
        }
        told.push('\n');
    }
    Ok(told)
}

/// The history that the service holds, up to and with the place, and then the
/// other line that the host signed for it. All of it is there so that
/// `countersign verify` finds the keys that were in force.
async fn evidence(store: &Store, fork: &Fork, file: &PathBuf) -> Result<(), ServerError> {
    let io = |why| failed(file, why);
    let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(io)?;
    let mut out = BufWriter::new(out);
    let mut from = 0;
    loop {
        let lines = store.held_lines(&fork.host, from, fork.seq, LINES).await?;
        if lines.is_empty() {
            break;
        }
        from += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        for line in lines {
            writeln!(out, "{line}").map_err(io)?;
        }
    }
    writeln!(out, "{}", fork.other).map_err(io)?;
    let out = out.into_inner().map_err(|why| io(why.into_error()))?;
    out.sync_all().map_err(io)
}

fn failed(path: &Path, why: std::io::Error) -> ServerError {
    ServerError::Usage(format!("cannot write {}: {why}", path.display()))
}
