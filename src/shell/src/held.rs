//! A command line that is held. Pure: messages in, what they mean out. The one
//! way to an [`Approved`] leads through the checks in this file.

use countersign_api::front::{HostMessage, NotReleased, Release, ReleasedSegment};
use countersign_core::{DecidedBy, Nonce, Outcome, SubmissionId};
use countersign_ledger::commitment;

/// A command line that waits for its answer.
#[derive(Debug)]
pub struct Held {
    command: Vec<u8>,
    program: Option<Vec<u8>>,
    nonce: Nonce,
    id: Option<SubmissionId>,
    deadline_us: Option<u64>,
}

/// What a message made of a held line.
#[derive(Debug)]
#[must_use]
pub enum Answer {
    /// It still waits.
    Waiting(Held),
    /// The program on its standard input is wanted with it.
    WantsProgram(Held),
    /// It may run, once.
    Approved(Approved),
    /// It was released, but not these bytes, or not this submission.
    Mismatch(SubmissionId),
    /// It must not run.
    Refused(Refusal),
    /// The host ended the login.
    Fatal(String, u8),
    /// A message that has no place here.
    Unexpected,
}

/// Why a line must not run, as the host states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The submission.
    pub id: SubmissionId,
    /// How it ended.
    pub outcome: Outcome,
    /// Who decided.
    pub by: Option<DecidedBy>,
    /// Why.
    pub reason: String,
    /// The exit code that goes with it.
    pub exit: u8,
}

/// A line that was released for exactly these bytes. Made by [`Held::hear`]
/// only, used up by [`Approved::release`].
#[derive(Debug)]
#[must_use]
pub struct Approved {
    command: Vec<u8>,
    program: Option<Vec<u8>>,
    id: SubmissionId,
    by: DecidedBy,
    deadline_us: u64,
}

impl Held {
    /// Holds the exact bytes of a command under a fresh nonce.
    pub fn new(command: Vec<u8>, nonce: Nonce) -> Self {
        Self { command, program: None, nonce, id: None, deadline_us: None }
    }

    /// Holds the program on its standard input with it: these bytes and no
    /// others will be what it reads.
    pub fn with_program(self, program: Vec<u8>) -> Self {
        Self { program: Some(program), ..self }
    }

    /// The nonce.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// Until when an answer counts, CLOCK_BOOTTIME in µs, once that is known.
    pub fn deadline_us(&self) -> Option<u64> {
        self.deadline_us
    }

    /// Hears the host.
    pub fn hear(mut self, message: HostMessage) -> Answer {
        match message {
            HostMessage::Pending { id, nonce, deadline_us, .. } => {
                if nonce != self.nonce || self.id.is_some() {
                    return Answer::Unexpected;
                }
                self.id = Some(id);
                self.deadline_us = Some(deadline_us);
                Answer::Waiting(self)
            }
            HostMessage::WantProgram { nonce } => {
                if nonce != self.nonce || self.id.is_some() || self.program.is_some() {
                    return Answer::Unexpected;
                }
                Answer::WantsProgram(self)
            }
            HostMessage::Released(release) => Approved::check(self, release),
            HostMessage::Refused { id, nonce, outcome, by, reason, exit } => {
                if nonce != self.nonce || self.id.is_some_and(|own| own != id) || outcome.lets_run() {
                    return Answer::Unexpected;
                }
                Answer::Refused(Refusal { id, outcome, by, reason, exit })
            }
            HostMessage::Fatal { reason, exit } => Answer::Fatal(reason, exit),
            HostMessage::Welcome { .. }
            | HostMessage::Resumed { .. }
            | HostMessage::Inspect { .. }
            | HostMessage::Taken { .. }
            | HostMessage::Kept => Answer::Unexpected,
        }
    }
}

impl Approved {
    /// The only constructor: the release names this submission and commits to
    /// the bytes that are held here, all of them, in order.
    fn check(held: Held, release: Release) -> Answer {
        let own = release.nonce == held.nonce && held.id.is_none_or(|id| id == release.id);
        let program = match &held.program {
            Some(bytes) => commits_to("stdin", &release.program, bytes),
            None => release.program.is_empty(),
        };
        if !own || !program || !commits_to("cmd", &release.segments, &held.command) {
            return Answer::Mismatch(held.id.unwrap_or(release.id));
        }
        let deadline_us = held.deadline_us.map_or(release.deadline_us, |first| first.min(release.deadline_us));
        Answer::Approved(Self {
            command: held.command,
            program: held.program,
            id: release.id,
            by: release.by,
            deadline_us,
        })
    }

    /// The submission.
    pub fn id(&self) -> SubmissionId {
        self.id
    }

    /// Who let it run.
    pub fn by(&self) -> &DecidedBy {
        &self.by
    }

    /// Until when it may start, CLOCK_BOOTTIME in µs.
    pub fn deadline_us(&self) -> u64 {
        self.deadline_us
    }

    /// Its bytes, to look at.
    pub fn command(&self) -> &[u8] {
        &self.command
    }

    /// The program on its standard input, where it has one.
    pub fn program(&self) -> Option<&[u8]> {
        self.program.as_deref()
    }

    /// Gives the bytes to run, if the deadline still holds at `now_us`
    /// (CLOCK_BOOTTIME).
    pub fn release(self, now_us: u64) -> Result<Vec<u8>, NotReleased> {
        if now_us < self.deadline_us { Ok(self.command) } else { Err(NotReleased::Late) }
    }
}

fn commits_to(path: &str, segments: &[ReleasedSegment], bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for (i, segment) in segments.iter().enumerate() {
        let Ok(length) = usize::try_from(segment.length) else { return false };
        let Some((value, after)) = rest.split_at_checked(length) else { return false };
        if commitment(&format!("{path}/{i}"), &segment.salt, value) != segment.commitment {
            return false;
        }
        rest = after;
    }
    rest.is_empty() && !segments.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::Salt;

    const NONCE: Nonce = Nonce([7; 16]);

    fn id(n: u8) -> SubmissionId {
        SubmissionId::from_random([n; 16])
    }

    fn release(parts: &[&[u8]]) -> Release {
        let segments = parts.iter().enumerate().map(|(i, part)| {
            let salt = Salt([u8::try_from(i).unwrap(); 32]);
            let length = part.len() as u64;
            ReleasedSegment { length, salt, commitment: commitment(&format!("cmd/{i}"), &salt, part) }
        });
        let by = "ops-lead".parse().unwrap();
        Release { id: id(1), nonce: NONCE, by, deadline_us: 100, segments: segments.collect(), program: vec![] }
    }

    fn segment(path: &str, bytes: &[u8]) -> ReleasedSegment {
        let salt = Salt([9; 32]);
        ReleasedSegment { length: bytes.len() as u64, salt, commitment: commitment(path, &salt, bytes) }
    }

    #[test]
    fn the_program_is_released_with_its_command_or_not_at_all() {
        let wants = || {
            let answer = Held::new(b"echo hi".to_vec(), NONCE).hear(HostMessage::WantProgram { nonce: NONCE });
            let Answer::WantsProgram(held) = answer else { panic!("{answer:?}") };
            held.with_program(b"id".to_vec())
        };
        let with = |program: Vec<ReleasedSegment>| {
            wants().hear(HostMessage::Released(Release { program, ..release(&[b"echo hi"]) }))
        };
        let Answer::Approved(approved) = with(vec![segment("stdin/0", b"id")]) else { panic!("not approved") };
        assert_eq!(approved.program(), Some(&b"id"[..]));
        let empty = Held::new(b"echo hi".to_vec(), NONCE).with_program(vec![]);
        let whole = Release { program: vec![segment("stdin/0", b"")], ..release(&[b"echo hi"]) };
        assert!(matches!(empty.hear(HostMessage::Released(whole)), Answer::Approved(_)));
        for wrong in [
            vec![],
            vec![segment("stdin/0", b"ix")],
            vec![segment("cmd/0", b"id")],
            vec![segment("stdin/0", b"i")],
            vec![segment("stdin/0", b"id"), segment("stdin/1", b"x")],
        ] {
            assert!(matches!(with(wrong.clone()), Answer::Mismatch(_)), "{wrong:?}");
        }
        let unasked = Release { program: vec![segment("stdin/0", b"id")], ..release(&[b"echo hi"]) };
        assert!(matches!(pending().hear(HostMessage::Released(unasked)), Answer::Mismatch(_)));
        assert!(matches!(wants().hear(HostMessage::WantProgram { nonce: NONCE }), Answer::Unexpected), "asked twice");
        assert!(matches!(pending().hear(HostMessage::WantProgram { nonce: NONCE }), Answer::Unexpected), "asked late");
    }

    fn pending() -> Held {
        let message = HostMessage::Pending { id: id(1), nonce: NONCE, asked: vec![], deadline_us: 100 };
        let answer = Held::new(b"echo hi".to_vec(), NONCE).hear(message);
        let Answer::Waiting(held) = answer else { panic!("{answer:?}") };
        held
    }

    #[test]
    fn the_released_bytes_are_the_held_ones() {
        for parts in [&[&b"echo hi"[..]][..], &[b"echo", b" hi"], &[b"", b"echo hi", b""]] {
            let Answer::Approved(approved) = pending().hear(HostMessage::Released(release(parts))) else {
                panic!("{parts:?}");
            };
            assert_eq!(approved.release(99), Ok(b"echo hi".to_vec()));
        }
    }

    #[test]
    fn anything_else_is_not_released() {
        let whole = || release(&[b"echo hi"]);
        for wrong in [
            release(&[b"echo ho"]),
            release(&[b"echo h"]),
            release(&[b"echo hi "]),
            release(&[b"echo hi", b"x"]),
            release(&[]),
            Release { nonce: Nonce([8; 16]), ..whole() },
            Release { id: id(2), ..whole() },
        ] {
            assert!(matches!(pending().hear(HostMessage::Released(wrong.clone())), Answer::Mismatch(_)), "{wrong:?}");
        }
        let mut swapped = release(&[b"echo", b" hi"]);
        swapped.segments.swap(0, 1);
        assert!(matches!(pending().hear(HostMessage::Released(swapped)), Answer::Mismatch(_)));
    }

    #[test]
    fn late_is_not_released() {
        let Answer::Approved(approved) = pending().hear(HostMessage::Released(release(&[b"echo hi"]))) else {
            panic!("not approved");
        };
        assert_eq!(approved.release(100), Err(NotReleased::Late));
        let later = Release { deadline_us: 1000, ..release(&[b"echo hi"]) };
        let Answer::Approved(approved) = pending().hear(HostMessage::Released(later)) else { panic!("not approved") };
        assert_eq!(approved.release(500), Err(NotReleased::Late), "the first deadline stands");
    }

    #[test]
    fn a_message_out_of_place_ends_the_login() {
        assert!(matches!(pending().hear(HostMessage::Kept), Answer::Unexpected));
        let lying = HostMessage::Refused {
            id: id(1),
            nonce: NONCE,
            outcome: Outcome::Approved,
            by: None,
            reason: String::new(),
            exit: 0,
        };
        assert!(matches!(pending().hear(lying), Answer::Unexpected));
    }
}
