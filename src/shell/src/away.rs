//! While countersign-hostd is away: what a login needs to be taken up again,
//! and the way back, without ever blocking.
//!
//! The front shows that the login is its own with the next secret of a chain
//! whose end the ledger has ([`ResumeChain`]); the host knows its process, too.

use crate::link::{Heard, Link};
use countersign_api::front::{Finished, FrontMessage, HostMessage, MAX_RESUME_LINES, PROTOCOL, Resume};
use countersign_core::{Exit, LoginId, SubmissionId, b64_encode};
use countersign_ledger::ResumeChain;
use std::collections::VecDeque;
use std::path::PathBuf;

/// How often it is tried to reach the host, in µs.
pub const TRY_US: u64 = 250_000;
/// How long the host may take to answer, in µs.
const ANSWER_US: u64 = 15_000_000;

/// The way back to the host of one login.
#[derive(Debug)]
pub struct Return {
    socket: PathBuf,
    host_uid: u32,
    login: LoginId,
    chain: ResumeChain,
    /// How long the host may be away, in µs.
    limit_us: u64,
    lines: VecDeque<Vec<u8>>,
    away: Option<Away>,
    /// The end of a line that the host has not kept.
    untold: Option<Finished>,
}

#[derive(Debug, Clone, Copy)]
struct Away {
    since_us: u64,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Trying { next_us: u64 },
    Asked { until_us: u64 },
}

/// How the way back goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Way {
    /// No further.
    Waiting,
    /// The host has the login again; it says what still runs.
    Back(Option<SubmissionId>),
    /// It will not: why, and the exit code.
    Closed(String, u8),
}

impl Return {
    /// The way back to this listener.
    pub fn new(socket: PathBuf, host_uid: u32, login: LoginId, chain: ResumeChain, limit_us: u64) -> Self {
        Self { socket, host_uid, login, chain, limit_us, lines: VecDeque::new(), away: None, untold: None }
    }

    /// Whether the host is away.
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Whether it has been for longer than a login waits.
    pub fn is_overdue(&self, now_us: u64) -> bool {
        self.away.is_some_and(|away| now_us.saturating_sub(away.since_us) >= self.limit_us)
    }

    /// The host is lost.
    pub fn lost(&mut self, now_us: u64) {
        let step = Step::Trying { next_us: now_us.saturating_add(TRY_US) };
        self.away.get_or_insert(Away { since_us: now_us, step });
    }

    /// Remembers a line that was submitted, for its secrets.
    pub fn submitted(&mut self, line: &[u8]) {
        self.lines.push_back(line.to_vec());
        while self.lines.iter().map(Vec::len).sum::<usize>() > MAX_RESUME_LINES {
            self.lines.pop_front();
        }
    }

    /// Keeps the end of a line until the host is back.
    pub fn keep(&mut self, finished: Finished) {
        self.untold = Some(finished);
    }

    /// Takes the end of a line that the host has not kept.
    pub fn take_untold(&mut self) -> Option<Finished> {
        self.untold.take()
    }

    /// Goes on, after the link was turned. `running`: the line that runs.
    pub fn turn(&mut self, link: &mut Link, running: Option<SubmissionId>, now_us: u64) -> Way {
        let Some(Away { since_us, step }) = self.away else { return Way::Waiting };
        let again = Step::Trying { next_us: now_us.saturating_add(TRY_US) };
        let (step, way) = match step {
            Step::Trying { next_us } if now_us < next_us => return Way::Waiting,
            Step::Trying { .. } => match Link::try_connect(&self.socket, self.host_uid) {
                Ok(found) => match self.resume(running) {
                    Some(resume) => {
                        link.replace(found);
                        link.send(&resume);
                        (Step::Asked { until_us: now_us.saturating_add(ANSWER_US) }, Way::Waiting)
                    }
                    None => (again, closed("countersign-hostd was lost too often in this login")),
                },
                Err(_) => (again, Way::Waiting),
            },
            asked @ Step::Asked { until_us } => match link.hear() {
                Heard::Message(HostMessage::Resumed { taken, running, .. }) => {
                    link.is_at(taken);
                    self.away = None;
                    return Way::Back(running);
                }
                Heard::Message(HostMessage::Fatal { reason, exit }) => (again, Way::Closed(reason, exit)),
                Heard::Message(_) | Heard::Garbage => (again, closed("countersign-hostd answered out of turn")),
                Heard::Nothing if now_us < until_us => (asked, Way::Waiting),
                Heard::Nothing | Heard::Lost => {
                    link.shut();
                    (again, Way::Waiting)
                }
            },
        };
        self.away = Some(Away { since_us, step });
        way
    }

    fn resume(&mut self, running: Option<SubmissionId>) -> Option<FrontMessage> {
        let key = self.chain.take()?;
        let running = self.untold.as_ref().map(|finished| finished.id).or(running);
        let lines = self.lines.iter().map(|line| b64_encode(line)).collect();
        Some(FrontMessage::Resume(Resume { protocol: PROTOCOL, login: self.login, key, running, lines }))
    }
}

fn closed(what: &str) -> Way {
    Way::Closed(format!("{what}; nothing more can run here; log in again"), Exit::Unavailable.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_api::front::CommandEnd;
    use countersign_core::Digest;

    fn way() -> Return {
        let chain = ResumeChain::from_seed(Digest([7; 32]));
        Return::new(PathBuf::from("/nowhere/at/all"), 0, LoginId::from_random([1; 16]), chain, 5_000_000)
    }

    #[test]
    fn a_host_that_is_away_is_overdue_after_the_limit_and_not_before() {
        let mut way = way();
        assert!(!way.is_away() && !way.is_overdue(u64::MAX));
        way.lost(1_000_000);
        way.lost(4_000_000);
        assert!(way.is_away() && !way.is_overdue(5_999_999) && way.is_overdue(6_000_000));
    }

    #[test]
    fn each_try_tells_another_secret_until_there_is_none() {
        let mut way = way();
        let mut told = Vec::new();
        while let Some(FrontMessage::Resume(resume)) = way.resume(None) {
            assert!(!told.contains(&resume.key));
            told.push(resume.key);
        }
        assert_eq!(told.len(), 64);
    }

    #[test]
    fn the_newest_lines_and_what_is_untold_come_along() {
        let mut way = way();
        for n in 0..40u8 {
            way.submitted(&[n; 4096]);
        }
        let (id, other) = (SubmissionId::from_random([3; 16]), SubmissionId::from_random([4; 16]));
        way.keep(Finished { id, end: CommandEnd::Exited(0), stdout_bytes: 0, stderr_bytes: 0, files: None });
        let Some(FrontMessage::Resume(resume)) = way.resume(Some(other)) else { panic!("none") };
        assert_eq!((resume.running, resume.lines.len()), (Some(id), 16));
        assert_eq!(resume.lines.last(), Some(&b64_encode(&[39; 4096])));
        assert_eq!(way.take_untold().map(|finished| finished.id), Some(id));
    }
}
