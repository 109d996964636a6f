//! Retention: old entries are dropped whole, and their recordings with them.

use super::choose::each_entry;
use super::{Declared, Ledger, drop_recordings, gone, say, unavailable};
use crate::config::Settings;
use crate::error::HostError;
use crate::identity::Identity;
use crate::recordings::tape::recording_path;
use countersign_core::{LoginId, counted};
use countersign_ledger::{Kind, Pruning, RemoteSigner, body, finish_pruning, plan_pruning};
use std::path::Path;
use std::str::FromStr;

/// What is to be dropped.
pub(crate) struct Retention {
    /// Entries before this.
    pub(crate) before: Before,
    /// Why, and who says so.
    pub(crate) declared: Declared,
}

/// Where what stays begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    /// At this entry.
    Seq(u64),
    /// At the first entry that is not older: `at` begins so, or later.
    Time(String),
}

impl FromStr for Before {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(seq) = text.parse() {
            return Ok(Self::Seq(seq));
        }
        let pattern = if text.len() == 10 { "dddd-dd-dd" } else { "dddd-dd-ddTdd:dd:ddZ" };
        let fits = |(have, want): (u8, u8)| if want == b'd' { have.is_ascii_digit() } else { have == want };
        let is_time = text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits);
        // Times are compared as texts, with those of entries: they go on after the seconds.
        let time = Self::Time(text.trim_end_matches('Z').to_owned());
        if is_time { Ok(time) } else { Err("it is a seq, or a date or time such as 2026-01-31T12:00:00Z") }
    }
}

/// Drops old entries.
pub(crate) fn prune(
    settings: &Settings,
    retention: &Retention,
    ready: (Identity, RemoteSigner),
) -> Result<(), HostError> {
    let ledger = Ledger::open(settings, ready)?;
    let limit = limit(&ledger, &retention.before)?;
    let Some(plan) = plan_pruning(&ledger.dir, limit).map_err(unavailable)? else {
        return say("nothing is older: nothing was dropped\n");
    };
    whole_at_the_service(&settings.state, &plan.logins)?;
    let body = body([
        ("before", plan.before.into()),
        ("head", plan.head.into()),
        ("reason", retention.declared.reason.clone().into()),
        ("root", plan.root.into()),
    ]);
    let Some(written) = retention.declared.write(&ledger, settings, Kind::Pruned, body)? else { return Ok(()) };
    finish(ledger, &settings.state, &plan).map_err(|why| {
        HostError::Unavailable(format!(
            "entry {written} records it and it is not done: {why}; it is done when countersign-hostd starts next"
        ))
    })?;
    say(&format!(
        "pruned in entry {written}: {} below {} and the recordings of {} are gone from this host; the service keeps its own\n",
        counted(plan.entries, "entry"),
        plan.before,
        counted(plan.logins.len(), "login")
    ))
}

fn finish(ledger: Ledger, state: &Path, plan: &Pruning) -> Result<(), HostError> {
    let Ledger { committer, dir, recovered, .. } = ledger;
    // The lock goes with it.
    drop(committer);
    finish_pruning(&dir).map_err(unavailable)?;
    drop_recordings(state, &gone(state, &recovered)?)?;
    drop_recordings(state, &plan.logins)?;
    for login in &plan.logins {
        // Says that a recording is shipped; where it was never made, nothing is lost.
        std::fs::remove_file(state.join("shipped").join(login.to_string())).ok();
    }
    Ok(())
}

/// Entries below this may go: asked for, and cosigned, so that the service
/// holds each of them.
fn limit(ledger: &Ledger, before: &Before) -> Result<u64, HostError> {
    let held = ledger.held();
    match before {
        Before::Seq(seq) if *seq > held => Err(HostError::Config(format!(
            "nothing was dropped: only entries below {held} are covered by a checkpoint of the service"
        ))),
        Before::Seq(seq) => Ok(*seq),
        Before::Time(time) => {
            let mut first = None;
            each_entry(ledger, |entry| {
                first = first.or((entry.at.as_str() >= time.as_str()).then_some(entry.seq));
                Ok(())
            })?;
            Ok(first.unwrap_or(held).min(held))
        }
    }
}

/// A recording that the service lacks is the only one there is.
fn whole_at_the_service(state: &Path, logins: &[LoginId]) -> Result<(), HostError> {
    let lacks = |login: &&LoginId| {
        recording_path(state, **login).exists() && !state.join("shipped").join(login.to_string()).exists()
    };
    match logins.iter().find(lacks) {
        Some(login) => Err(HostError::Config(format!(
            "nothing was dropped: the recording of {login} is not whole at the service; start countersign-hostd until it is sent, or erase it (--recording)"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seq_or_a_time() {
        assert_eq!("42".parse(), Ok(Before::Seq(42)));
        assert_eq!("2026-01-31".parse(), Ok(Before::Time("2026-01-31".to_owned())));
        assert_eq!("2026-01-31T12:00:00Z".parse(), Ok(Before::Time("2026-01-31T12:00:00".to_owned())));
        for bad in ["", "-1", "2026", "2026-1-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "yesterday"] {
            assert_eq!(bad.parse::<Before>().is_ok(), bad == "2026", "{bad}");
        }
    }
}
