//! A ledger, or a part of one, fetched from the service: a state directory that
//! a bundle is made of. A page at a time is in memory, and what comes twice or
//! out of order is refused.

use crate::client::Client;
use crate::failure::Failure;
use crate::proof::progress_bar;
use crate::screen::note;
use countersign_api::ledgers::{LedgerOf, PartFrom};
use countersign_core::{LoginId, legible};
use countersign_ledger::{Gaps, Line};
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A state directory with what was fetched; gone when this is dropped.
pub struct Fetched {
    pub dir: PathBuf,
    /// Bytes of entries, hashes and recordings that came.
    pub bytes: u64,
}

/// What is written where.
struct Files {
    kept: File,
    rest: File,
    /// The first entry of `rest`.
    since: u64,
    gaps: Gaps,
    next: u64,
    logins: BTreeSet<LoginId>,
}

impl Fetched {
    /// Makes the directory beside the bundle.
    pub fn begin(out: &Path) -> Result<Self, Failure> {
        let mut name = out.as_os_str().to_owned();
        name.push(".fetched");
        let dir = PathBuf::from(name);
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder.create(&dir).map_err(|error| {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return at(&dir)(error);
            }
            let shown = dir.display();
            Failure::Usage(format!(
                "{shown} exists already: another fetch is at it, or one was killed; remove it when none is"
            ))
        })?;
        let fetched = Self { dir, bytes: 0 };
        for folder in ["journal", "recordings"] {
            let path = fetched.dir.join(folder);
            builder.create(&path).map_err(at(&path))?;
        }
        Ok(fetched)
    }

    fn new_file(&self, name: &str) -> Result<(PathBuf, File), Failure> {
        let path = self.dir.join("journal").join(name);
        let file = File::create_new(&path).map_err(at(&path))?;
        Ok((path, file))
    }

    fn took(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// All lines; the service may get more meanwhile.
    pub async fn whole(&mut self, client: &Client, ledger: &LedgerOf) -> Result<(), Failure> {
        let (path, mut file) = self.new_file(&format!("{:016}.jsonl", 0))?;
        let (bar, mut next) = (progress_bar("{wide_bar} {pos}/{len} entries {eta}"), 0);
        bar.set_length(ledger.entries);
        while next < ledger.entries {
            let lines = client.entries(ledger.host, next).await?;
            let count = lines.iter().filter(|b| **b == b'\n').count();
            if count == 0 || lines.last() != Some(&b'\n') {
                return Err(stopped(ledger, next));
            }
            self.took(&lines);
            file.write_all(&lines).map_err(at(&path))?;
            next = next.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            bar.set_position(next);
        }
        bar.finish_and_clear();
        self.recordings(client, ledger.logins.iter()).await
    }

    /// The part of a session, or since a seq, with its recordings and nothing of others.
    pub async fn part(&mut self, client: &Client, ledger: &LedgerOf, mut asked: PartFrom) -> Result<(), Failure> {
        let since = asked.since.unwrap_or(u64::MAX);
        let (kept_path, kept) = self.new_file("kept")?;
        let (rest_path, rest) = self.new_file(&format!("{:016}.jsonl", asked.since.unwrap_or(0)))?;
        let mut files = Files { kept, rest, since, gaps: Gaps::default(), next: 0, logins: BTreeSet::new() };
        let bar = progress_bar("{wide_bar} {pos}/{len} entries {eta}");
        bar.set_length(ledger.entries);
        while files.next < ledger.entries {
            asked.from = files.next;
            let page = client.part(ledger.host, &asked).await?;
            if page.is_empty() && asked.session.is_some() {
                break;
            }
            self.took(&page);
            let before = files.next;
            for line in page.split_inclusive(|byte| *byte == b'\n') {
                files.take(line, ledger)?;
            }
            if files.next == before {
                return Err(stopped(ledger, before));
            }
            bar.set_position(files.next);
        }
        bar.finish_and_clear();
        if asked.since.is_none() {
            std::fs::remove_file(&rest_path).map_err(at(&rest_path))?;
        }
        if !files.gaps.is_empty() {
            let proof = files.gaps.encode().map_err(|bad| Failure::Internal(bad.to_string()))?;
            let path = self.dir.join("journal").join("proof.json");
            std::fs::write(&path, proof).map_err(at(&path))?;
        }
        if asked.since == Some(0) {
            std::fs::remove_file(&kept_path).map_err(at(&kept_path))?;
        }
        self.recordings(client, files.logins.iter()).await
    }

    async fn recordings(&mut self, client: &Client, logins: impl Iterator<Item = &LoginId>) -> Result<(), Failure> {
        for login in logins {
            let path = self.dir.join("recordings").join(format!("{login}.cast"));
            let mut file = File::create_new(&path).map_err(at(&path))?;
            match client.recording_into(*login, &mut |bytes| file.write_all(bytes).map_err(at(&path))).await {
                Ok(bytes) => self.bytes = self.bytes.saturating_add(bytes),
                // Not every login has one; where one is missing, the verdict says so.
                Err(Failure::NotFound(_)) => std::fs::remove_file(&path).map_err(at(&path))?,
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }
}

impl Files {
    /// Takes an entry, or what stands for some.
    fn take(&mut self, line: &[u8], ledger: &LedgerOf) -> Result<(), Failure> {
        let odd = |what: String| {
            Failure::Unavailable(format!(
                "the service sent for {} {what}; are service and command of the same version?",
                ledger.host_name
            ))
        };
        let Some(text) = line.strip_suffix(b"\n") else { return Err(odd("a line that is cut".to_owned())) };
        if text.starts_with(b"{\"fmt\":") {
            let gaps = Gaps::parse(text).map_err(|bad| odd(bad.to_string()))?;
            let Some((from, to)) = gaps.span().filter(|(from, to)| *from == self.next && *to <= self.since) else {
                return Err(odd(format!("something else than what comes at seq {}", self.next)));
            };
            self.gaps.append(gaps).map_err(|bad| odd(format!("{bad} ({from} to {to})")))?;
            self.next = to;
            return Ok(());
        }
        let entry = Line::parse(text).map_err(|bad| odd(format!("a line that is {bad}")))?;
        if entry.seq != self.next || entry.host != ledger.host.to_string() {
            return Err(odd(format!("seq {} in the place of {}", entry.seq, self.next)));
        }
        self.logins.extend(entry.sess.as_ref().map(|sess| sess.login));
        let file = if entry.seq < self.since { &mut self.kept } else { &mut self.rest };
        file.write_all(line).map_err(|error| Failure::Io(format!("cannot write what was fetched: {error}")))?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }
}

fn stopped(ledger: &LedgerOf, next: u64) -> Failure {
    Failure::Unavailable(format!(
        "the service holds {} entries of {} and sent none after {next}",
        ledger.entries, ledger.host_name
    ))
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            note(&format!("countersign: {} could not be removed: {error}", legible(&self.dir.to_string_lossy())));
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> Failure + use<> {
    let path = path.display().to_string();
    move |error| Failure::Io(format!("cannot write {path}: {error}"))
}
