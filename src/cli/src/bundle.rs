//! `countersign bundle`: what an auditor takes away, from a state directory or
//! from the service.

use crate::args::Bundle;
use crate::client::Client;
use crate::failure::Failure;
use crate::fetch::Fetched;
use crate::link::Link;
use crate::screen::{note, show, show_json};
use crate::words::{moment, now_ms};
use countersign_api::ledgers::{LedgerQuery, PartFrom};
use countersign_core::{counted, legible};
use countersign_ledger::bundle::{BundleError, Selection, Since, Written, part_of, write};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

#[derive(Serialize)]
struct Packed {
    file: String,
    members: usize,
    bytes: u64,
    /// Bytes that came from the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched: Option<u64>,
    left_out: Vec<String>,
}

/// Packs.
pub async fn run(args: &Bundle, json: bool) -> Result<(), Failure> {
    let since = args.since.as_deref().map(|text| beginning(text, now_ms())).transpose()?;
    if std::fs::symlink_metadata(&args.output).is_ok() {
        return Err(exists(&args.output));
    }
    let (written, moved) = match &args.source {
        Some(dir) if dir.is_dir() => {
            let selection = match since {
                Some(since) => Some(Selection::Since(since)),
                None => named(args.logins.iter().copied().collect()),
            };
            (pack(dir, &args.output, selection.as_ref())?, None)
        }
        Some(session) => {
            if since.is_some() || !args.logins.is_empty() {
                let text = format!(
                    "{}: there is no such directory, and --since and --login take a part of one; for a host's ledger at the service use --host",
                    session.display()
                );
                return Err(Failure::Usage(text));
            }
            let session = session.to_string_lossy().into_owned();
            let mut query = LedgerQuery { session: Some(session), ..LedgerQuery::default() };
            let (written, bytes) = fetched(args, &mut query, None).await?;
            (written, Some(bytes))
        }
        None => {
            let mut query = LedgerQuery { host: args.host.clone(), ..LedgerQuery::default() };
            let (written, bytes) = fetched(args, &mut query, since).await?;
            (written, Some(bytes))
        }
    };
    told(args, written, moved, json)
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
    Failure::Usage(format!("{} exists already; name a new file", out.display()))
}

/// Packs what the service holds.
async fn fetched(args: &Bundle, query: &mut LedgerQuery, since: Option<Since>) -> Result<(Written, u64), Failure> {
    let link = Link::open(&args.at).await?;
    let made = fetch_and_pack(args, query, since, link.client()).await;
    link.close().await;
    made
}

async fn fetch_and_pack(
    args: &Bundle,
    query: &mut LedgerQuery,
    since: Option<Since>,
    client: &Client,
) -> Result<(Written, u64), Failure> {
    query.since_us = since.and_then(|since| if let Since::Time(at_us) = since { Some(at_us) } else { None });
    let ledger = client.ledger(query).await?;
    let since = match since {
        Some(Since::Time(_)) => Some(ledger.since),
        Some(Since::Seq(seq)) => Some(Some(seq).filter(|seq| *seq < ledger.entries)),
        None => None,
    };
    let mut fetched = Fetched::begin(&args.output)?;
    let selection = match (&query.session, since) {
        (Some(name), _) => {
            let asked = PartFrom { session: Some(name.clone()), ..PartFrom::default() };
            fetched.part(client, &ledger, asked).await?;
            Some(Selection::Logins { name: name.clone(), logins: ledger.logins.iter().copied().collect() })
        }
        (None, Some(since)) => {
            let since = since.ok_or_else(|| Failure::NotFound("the ledger has no entry since then".to_owned()))?;
            let asked = PartFrom { since: Some(since), ..PartFrom::default() };
            fetched.part(client, &ledger, asked).await?;
            Some(Selection::Since(Since::Seq(since)))
        }
        (None, None) => {
            fetched.whole(client, &ledger).await?;
            None
        }
    };
    Ok((pack(&fetched.dir, &args.output, selection.as_ref())?, fetched.bytes))
}

fn told(args: &Bundle, written: Written, fetched: Option<u64>, json: bool) -> Result<(), Failure> {
    for name in &written.left_out {
        note(&format!("countersign: left out, since it is no part of a ledger: {}", legible(name)));
    }
    let file = args.output.to_string_lossy().into_owned();
    if json {
        let Written { members, bytes, left_out } = written;
        return show_json(&Packed { file, members, bytes, fetched, left_out });
    }
    let shown = legible(&file);
    let came = fetched.map(|bytes| format!(", {} from the service", counted(bytes, "byte"))).unwrap_or_default();
    show(&format!(
        "{shown}: {}, {}{came}\nverify it with, where the keys in FILE came another way than the bundle:\n  countersign verify {shown} --trust FILE\n",
        counted(written.members, "file"),
        counted(written.bytes, "byte")
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
