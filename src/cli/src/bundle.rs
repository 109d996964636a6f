//! `countersign bundle`: what an auditor takes away, from a state directory or
//! from the service.

use crate::args::Bundle;
use crate::client::Client;
use crate::failure::Failure;
use crate::link::Link;
use crate::proof::progress_bar;
use crate::screen::{note, show, show_json};
use crate::words::{moment, now_ms};
use countersign_api::ledgers::{LedgerOf, LedgerQuery};
use countersign_core::visible;
use countersign_ledger::bundle::{BundleError, Selection, Since, Written, part_of, write};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Packed {
    file: String,
    members: usize,
    bytes: u64,
    left_out: Vec<String>,
}

/// Packs.
pub async fn run(args: &Bundle, json: bool) -> Result<(), Failure> {
    let since = args.since.as_deref().map(|text| beginning(text, now_ms())).transpose()?;
    if std::fs::symlink_metadata(&args.output).is_ok() {
        return Err(exists(&args.output));
    }
    let written = match &args.source {
        Some(dir) if dir.is_dir() => {
            let selection = match since {
                Some(since) => Some(Selection::Since(since)),
                None => named(args.logins.iter().copied().collect()),
            };
            pack(dir, &args.output, selection.as_ref())?
        }
        Some(session) => {
            if since.is_some() || !args.logins.is_empty() {
                let text = format!(
                    "{}: there is no such directory, and --since and --login take a part of one; for a host's ledger at the service use --host",
                    session.display()
                );
                return Err(Failure::Usage(visible(&text)));
            }
            let session = session.to_string_lossy().into_owned();
            fetched(args, &LedgerQuery { session: Some(session), host: None }, None).await?
        }
        None => fetched(args, &LedgerQuery { session: None, host: args.host.clone() }, since).await?,
    };
    told(args, written, json)
}

/// Where a part begins: digits alone are the number of an entry.
fn beginning(text: &str, now_ms: i64) -> Result<Since, Failure> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let seq = text.parse().map_err(|_| Failure::Usage(format!("`--since {text}` is no number of an entry")))?;
        return Ok(Since::Seq(seq));
    }
    moment("--since", text, now_ms).map(|ms| Since::Time(ms.saturating_mul(1000)))
}

fn named(logins: BTreeSet<countersign_core::LoginId>) -> Option<Selection> {
    let name = logins.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    (!logins.is_empty()).then_some(Selection::Logins { name, logins })
}

fn pack(dir: &Path, out: &Path, selection: Option<&Selection>) -> Result<Written, Failure> {
    let written = match selection {
        Some(selection) => part_of(dir, out, selection),
        None => write(dir, out),
    };
    written.map_err(|e| match e {
        BundleError::Io { ref error, .. } if error.kind() == io::ErrorKind::AlreadyExists => exists(out),
        BundleError::Io { .. } => Failure::Io(e.to_string()),
        BundleError::NotAState(_) | BundleError::NotThere(_) => Failure::NotFound(e.to_string()),
        BundleError::Damaged(_) | BundleError::BadLedger { .. } => Failure::BadFile(e.to_string()),
    })
}

fn exists(out: &Path) -> Failure {
    Failure::Usage(format!("{} exists already; name a new file", visible(&out.to_string_lossy())))
}

/// Packs what the service holds.
async fn fetched(args: &Bundle, query: &LedgerQuery, since: Option<Since>) -> Result<Written, Failure> {
    let link = Link::open(&args.at).await?;
    let made = fetch_and_pack(args, query, since, link.client()).await;
    link.close().await;
    made
}

async fn fetch_and_pack(
    args: &Bundle,
    query: &LedgerQuery,
    since: Option<Since>,
    client: &Client,
) -> Result<Written, Failure> {
    let ledger = client.ledger(query).await?;
    let selection = match (&query.session, since) {
        (Some(name), _) => {
            Some(Selection::Logins { name: name.clone(), logins: ledger.logins.iter().copied().collect() })
        }
        (None, since) => since.map(Selection::Since),
    };
    let copy = Copy::begin(&args.output)?;
    copy.entries(client, &ledger).await?;
    copy.recordings(client, &ledger).await?;
    pack(&copy.dir, &args.output, selection.as_ref())
}

/// A state directory with what was fetched; gone when this is dropped.
struct Copy {
    dir: PathBuf,
}

impl Copy {
    fn begin(out: &Path) -> Result<Self, Failure> {
        let mut name = out.as_os_str().to_owned();
        name.push(".fetched");
        let dir = PathBuf::from(name);
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder.create(&dir).map_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return at(&dir)(error);
            }
            let shown = visible(&dir.to_string_lossy());
            Failure::Usage(format!(
                "{shown} exists already: another fetch is at it, or one was killed; remove it when none is"
            ))
        })?;
        let copy = Self { dir };
        for folder in ["journal", "recordings"] {
            let path = copy.dir.join(folder);
            builder.create(&path).map_err(at(&path))?;
        }
        Ok(copy)
    }

    /// All lines; the service may get more meanwhile.
    async fn entries(&self, client: &Client, ledger: &LedgerOf) -> Result<(), Failure> {
        let path = self.dir.join("journal").join(format!("{:016}.jsonl", 0));
        let mut file = File::create_new(&path).map_err(at(&path))?;
        let (bar, mut next) = (progress_bar("{wide_bar} {pos}/{len} entries {eta}"), 0);
        bar.set_length(ledger.entries);
        while next < ledger.entries {
            let lines = client.entries(ledger.host, next).await?;
            let count = lines.iter().filter(|b| **b == b'\n').count();
            if count == 0 || lines.last() != Some(&b'\n') {
                let text = format!(
                    "the service holds {} entries of {} and sent none after {next}",
                    ledger.entries, ledger.host_name
                );
                return Err(Failure::Unavailable(text));
            }
            file.write_all(&lines).map_err(at(&path))?;
            next = next.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            bar.set_position(next);
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn recordings(&self, client: &Client, ledger: &LedgerOf) -> Result<(), Failure> {
        for login in &ledger.logins {
            let recording = match client.recording(*login).await {
                Ok(recording) => recording,
                // Not every login has one; where one is missing, the verdict says so.
                Err(Failure::NotFound(_)) => continue,
                Err(other) => return Err(other),
            };
            let path = self.dir.join("recordings").join(format!("{login}.cast"));
            std::fs::write(&path, recording).map_err(at(&path))?;
        }
        Ok(())
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            note(&format!("countersign: {} could not be removed: {error}", visible(&self.dir.to_string_lossy())));
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> Failure + use<> {
    let path = path.display().to_string();
    move |error| Failure::Io(format!("cannot write {}: {error}", visible(&path)))
}

fn told(args: &Bundle, written: Written, json: bool) -> Result<(), Failure> {
    for name in &written.left_out {
        note(&format!("countersign: left out, since it is no part of a ledger: {}", visible(name)));
    }
    let file = args.output.to_string_lossy().into_owned();
    if json {
        return show_json(&Packed { file, members: written.members, bytes: written.bytes, left_out: written.left_out });
    }
    let shown = visible(&file);
    show(&format!(
        "{shown}: {} files, {} bytes\nverify it with: countersign verify {shown} --trust FILE   (the keys travel apart from the bundle)\n",
        written.members, written.bytes
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_begins_with_an_entry_or_a_time() {
        assert_eq!(beginning("17", 0), Ok(Since::Seq(17)));
        assert_eq!(beginning("30s", 40_000), Ok(Since::Time(10_000_000)));
        assert_eq!(beginning("1970-01-02", 0), Ok(Since::Time(86_400_000_000)));
        for bad in ["", "99999999999999999999999", "-3", "tomorrow"] {
            assert!(matches!(beginning(bad, 0), Err(Failure::Usage(_))), "{bad}");
        }
    }
}
