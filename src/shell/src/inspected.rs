//! The files that a held line would run, and where it would: looked at before it
//! is asked about, and again before it runs.

use crate::place::Place;
use crate::spawner::orders::{Report, Spawner};
use countersign_api::context::{FileSeen, Unread};
use countersign_api::front::FrontMessage;
use countersign_core::Nonce;
use std::io;
use std::path::PathBuf;

/// Most files that a host may ask for.
const MAX_FILES: usize = 8;

/// What was seen of the files of a held line.
#[derive(Debug, Default)]
pub struct Inspected {
    seen: Option<(Vec<String>, Vec<FileSeen>)>,
    /// Where the only line of its login would run.
    here: Option<PathBuf>,
}

impl Inspected {
    /// Looks at what the host asks for, once for a line. `None` where it asks
    /// out of turn.
    pub fn answer(
        &mut self,
        spawner: &Spawner,
        own: Nonce,
        nonce: Nonce,
        paths: Vec<String>,
    ) -> io::Result<Option<(FrontMessage, Option<Report>)>> {
        if own != nonce || self.seen.is_some() || paths.len() > MAX_FILES {
            return Ok(None);
        }
        let (seen, ended) = spawner.look(false, &paths)?;
        self.seen = Some((paths, seen.files.clone()));
        Ok(Some((FrontMessage::Inspected { nonce, files: seen.files }, ended)))
    }

    /// Where the only line of its login would run.
    pub fn stands(&mut self) -> io::Result<PathBuf> {
        let here = std::env::current_dir()?;
        self.here = Some(here.clone());
        Ok(here)
    }

    /// Whether each file is still what it was, and the only line of its login
    /// would still run where it was submitted: a directory that goes elsewhere
    /// takes the line with it.
    pub fn still_holds(&self, spawner: &Spawner) -> io::Result<bool> {
        if self.here.is_none() || std::env::current_dir().ok() != self.here {
            return Ok(false);
        }
        let Some((paths, before)) = self.files() else { return Ok(true) };
        Ok(are_same(before, &spawner.look(false, paths)?.0.files))
    }

    /// Whether the shell is still in this place, under its limits, and each file what it was.
    pub fn still_holds_in(&self, spawner: &Spawner, place: &Place) -> io::Result<(bool, Option<Report>)> {
        let Some((paths, before)) = self.files() else {
            let (now, ended) = spawner.place()?;
            return Ok((place.is_still(&now), ended));
        };
        let (now, ended) = spawner.look(false, paths)?;
        Ok((place.is_still(&now) && are_same(before, &now.files), ended))
    }

    fn files(&self) -> Option<&(Vec<String>, Vec<FileSeen>)> {
        self.seen.as_ref().filter(|(paths, _)| !paths.is_empty())
    }
}

/// Whether files are shown to be what they were: where there is no answer,
/// nothing is shown.
fn are_same(before: &[FileSeen], now: &[FileSeen]) -> bool {
    let silent = |file: &FileSeen| matches!(file, FileSeen::Unread { why: Unread::NoAnswer, .. });
    before == now && !now.iter().any(silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_answer_twice_is_not_the_same() {
        let unread = |why, stamp: &str| FileSeen::Unread { why, stamp: stamp.to_owned() };
        let (missing, silent) = (unread(Unread::Missing, ""), unread(Unread::NoAnswer, ""));
        let large = |stamp| unread(Unread::TooLarge, stamp);
        assert!(are_same(&[missing.clone(), large("8:1 5")], &[missing.clone(), large("8:1 5")]));
        assert!(!are_same(&[large("8:1 5")], &[large("8:1 6")]));
        assert!(!are_same(std::slice::from_ref(&missing), std::slice::from_ref(&silent)));
        assert!(!are_same(&[missing.clone(), silent.clone()], &[missing, silent]));
    }
}
