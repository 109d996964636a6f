//! What is named on the command line, found in the ledger.

use super::{Erasure, Ledger, unavailable};
use crate::error::HostError;
use countersign_core::{Digest, LoginId, SubmissionId};
use countersign_ledger::{Entry, Erased, Kind, Removal, Value, for_each_line, may_be_erased};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// An ordered stop makes a checkpoint over all that was sent.
const THEN_STOP: &str = "stop it in order once it has been sent";

/// What is to be taken out, by entry.
#[derive(Default)]
struct Chosen {
    entries: BTreeMap<u64, (Digest, BTreeSet<String>)>,
    recordings: BTreeSet<LoginId>,
}

/// Finds what is named. Whatever cannot be taken out refuses all of it.
pub(super) fn removal(ledger: &Ledger, erasure: &Erasure) -> Result<Removal, HostError> {
    let mut named = BTreeMap::new();
    for text in &erasure.entries {
        let (seq, paths) = parse(text)?;
        named.entry(seq).or_insert_with(Vec::new).push(paths);
    }
    let mut chosen = Chosen::default();
    // Of each login where it ends.
    let (mut commands, mut logins) = (BTreeSet::new(), BTreeMap::new());
    each_entry(ledger, |entry| {
        let login = entry.sess.map(|sess| sess.id).filter(|login| erasure.logins.contains(login));
        let command: Option<SubmissionId> = entry.body.member("id").filter(|id| erasure.commands.contains(id));
        if let Some(sess) = entry.sess {
            let end = logins.entry(sess.id).or_insert(None);
            *end = end.or((entry.kind == Some(Kind::SessionClosed)).then_some(entry.seq));
        }
        commands.extend(command);
        if login.is_some() || command.is_some() {
            chosen.add_all(entry);
        }
        match named.remove(&entry.seq) {
            Some(asked) => asked.iter().try_for_each(|paths| chosen.add(entry, paths)),
            None => Ok(()),
        }
    })?;
    if let Some(seq) = named.keys().next() {
        return Err(refused(&format!("there is no entry {seq} here")));
    }
    if let Some(id) = erasure.commands.iter().find(|id| !commands.contains(id)) {
        return Err(refused(&format!("there is no command {id} here")));
    }
    for login in erasure.logins.iter().chain(&erasure.recordings) {
        let held = ledger.held();
        match logins.get(login) {
            None => return Err(refused(&format!("there is no login {login} here"))),
            Some(None) => {
                return Err(refused(&format!(
                    "the login {login} has not ended: start countersign-hostd, which closes it, and {THEN_STOP}"
                )));
            }
            Some(Some(end)) if *end >= held => {
                return Err(refused(&format!("the end of the login {login}, entry {end}, {}", not_covered(held))));
            }
            Some(Some(_)) => drop(chosen.recordings.insert(*login)),
        }
    }
    chosen.finish(ledger.held())
}

impl Chosen {
    /// All that is private of an entry.
    fn add_all(&mut self, entry: &Entry) {
        let Some(kind) = entry.kind else { return };
        let members = kind.private_members().iter().filter(|path| entry.body.get(path).is_some());
        let paths: Vec<String> =
            members.filter(|path| may_be_erased(kind, path)).map(|path| (*path).to_owned()).collect();
        if !paths.is_empty() {
            self.put(entry, paths);
        }
    }

    /// What is named of an entry; everything private where no path is.
    fn add(&mut self, entry: &Entry, paths: &[String]) -> Result<(), HostError> {
        if paths.is_empty() {
            let before = self.entries.len();
            self.add_all(entry);
            let has_some = self.entries.len() > before || self.entries.contains_key(&entry.seq);
            let text = format!("entry {} ({}) has nothing private that may be taken out", entry.seq, entry.kind_text);
            return if has_some { Ok(()) } else { Err(refused(&text)) };
        }
        for path in paths {
            if !entry.kind.is_some_and(|kind| may_be_erased(kind, path)) || !has(entry, path) {
                let text = format!("entry {} ({}) has no private value {path}", entry.seq, entry.kind_text);
                return Err(refused(&text));
            }
        }
        self.put(entry, paths.to_vec());
        Ok(())
    }

    fn put(&mut self, entry: &Entry, paths: Vec<String>) {
        self.entries.entry(entry.seq).or_insert_with(|| (entry.leaf, BTreeSet::new())).1.extend(paths);
    }

    fn finish(self, held: u64) -> Result<Removal, HostError> {
        if self.entries.is_empty() && self.recordings.is_empty() {
            return Err(refused("name what is to go: --entry, --command, --login or --recording"));
        }
        if let Some((seq, _)) = self.entries.range(held..).next() {
            return Err(refused(&format!("entry {seq} {}", not_covered(held))));
        }
        let entries = self.entries.into_iter();
        let entries = entries.map(|(seq, (of, paths))| Erased { seq, of, paths: paths.into_iter().collect() });
        Ok(Removal { entries: entries.collect(), recordings: self.recordings.into_iter().collect() })
    }
}

/// Whether the body has a commitment at a path.
fn has(entry: &Entry, path: &str) -> bool {
    match path.split_once('/') {
        None => entry.body.get(path).is_some(),
        Some((member, index)) => {
            let items = entry.body.get(member).and_then(Value::as_list).unwrap_or_default();
            // As the ledger counts: no sign, no leading zero.
            index.parse().is_ok_and(|at: usize| at < items.len() && at.to_string() == index)
        }
    }
}

/// `SEQ` or `SEQ:PATH,PATH`.
fn parse(text: &str) -> Result<(u64, Vec<String>), HostError> {
    let (seq, paths) = text.split_once(':').map_or((text, None), |(seq, paths)| (seq, Some(paths)));
    let bad = || refused(&format!("--entry {text}: it is SEQ, or SEQ:PATH,PATH such as 42:cwd,cmd/1"));
    let seq = seq.parse().map_err(|_| bad())?;
    let paths: Vec<String> = paths.iter().flat_map(|paths| paths.split(',')).map(str::to_owned).collect();
    if paths.iter().any(String::is_empty) { Err(bad()) } else { Ok((seq, paths)) }
}

/// Tells of every entry, in order.
pub(super) fn each_entry(
    ledger: &Ledger,
    mut tell: impl FnMut(&Entry) -> Result<(), HostError>,
) -> Result<(), HostError> {
    let mut refused = None;
    let read = for_each_line(&ledger.dir, |line| {
        let entry = Entry::parse(line.as_bytes()).map_err(io::Error::other)?;
        tell(&entry).map_err(|why| {
            let text = why.to_string();
            refused = Some(why);
            io::Error::other(text)
        })
    });
    match refused {
        Some(why) => Err(why),
        None => read.map_err(unavailable),
    }
}

/// What is said of an entry that may not go yet.
fn not_covered(held: u64) -> String {
    format!(
        "is not covered by a checkpoint of the service yet (those below {held} are): start countersign-hostd, and {THEN_STOP}"
    )
}

fn refused(text: &str) -> HostError {
    HostError::Config(format!("nothing was taken out: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_named_by_seq_and_path() {
        assert_eq!(parse("42").ok(), Some((42, vec![])));
        assert_eq!(parse("42:cwd,cmd/1").ok(), Some((42, vec!["cwd".to_owned(), "cmd/1".to_owned()])));
        for bad in ["", "x", "-1", "42:", "42:,cwd", "42:cwd,", "42 "] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
