//! Whether a `decided` entry holds a decision that lets its command run.

use super::authority::{Authorities, Said, Under};
use super::checks::Check;
use super::keys::Key;
use super::time::Boot;
use crate::Statement;
use crate::view::{Node as _, View};
use countersign_core::{DecidedBy, Digest, Flag, HostId, Nonce, Outcome, b64_is_fixed};

/// What `hidden_kinds` calls that which follows the excerpt of an over-long command.
const BEYOND: &str = "beyond";

/// What was asked: a `command_submitted`.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its leaf hash.
    pub leaf: Digest,
    pub nonce: Nonce,
    pub wait_ms: u64,
    pub mono: u64,
    pub boot: Boot,
    /// Whether the whole command is recorded.
    pub whole: bool,
    /// Whether it is left to a person, see [`needs_person`].
    pub needs_person: bool,
    /// Whether the host knew every program it starts.
    pub words_known: bool,
    /// Who could let it run, as the administrators say.
    pub under: Under,
}

/// Whether a `command_submitted` leaves it to a person: a mark says so, one that
/// this version does not know may, and nobody's rule has read a program that
/// comes on standard input.
pub(super) fn needs_person(submitted: &View<'_>) -> bool {
    let flags = submitted.get("flags").and_then(View::as_list).unwrap_or_default();
    submitted.get("stdin").is_some() || flags.iter().any(|flag| flag.parse::<Flag>().is_none_or(Flag::needs_person))
}

/// Whether more was sent than is recorded of a command or its program: what
/// follows the excerpt of a long one is hidden as `beyond`.
pub(super) fn is_excerpt(submitted: &View<'_>) -> bool {
    ["hidden_kinds", "stdin_hidden_kinds"].into_iter().any(|name| {
        let kinds = submitted.get(name).and_then(View::as_list).unwrap_or_default();
        kinds.iter().any(|kind| kind.as_text() == Some(BEYOND))
    })
}

/// Whose word counts.
#[derive(Clone, Copy)]
pub(super) struct Vouching<'a> {
    pub host: HostId,
    pub services: &'a [Key],
    pub authorities: &'a Authorities,
}

/// A moment of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub mono: u64,
    pub boot: Boot,
}

/// Until when a decision counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deadline(Moment);

impl Deadline {
    /// Whether a moment is in time.
    pub fn holds(self, moment: Moment) -> bool {
        moment.boot == self.0.boot && moment.mono <= self.0.mono
    }
}

/// What is wrong with a decision.
pub(super) type Faults = Vec<(Check, String)>;

/// What was found out about a decision.
#[derive(Debug, Default)]
pub(super) struct Ruled<'b> {
    pub faults: Faults,
    /// The signature of its statement, which is still to be checked.
    pub unchecked: Option<Unchecked<'b>>,
}

/// A statement's signature.
#[derive(Debug)]
pub(super) struct Unchecked<'b> {
    pub public: Digest,
    pub text: &'b [u8],
    pub sig: &'b str,
}

/// Checks the decision of an outcome that lets run, all but the time. The
/// deadline is `None` where it cannot be known.
pub(super) fn lets_run<'b>(
    body: View<'b>,
    asked: &Asked,
    at_us: i64,
    by: Vouching<'_>,
) -> (Option<Deadline>, Ruled<'b>) {
    let mut ruled = Ruled::default();
    let faults = &mut ruled.faults;
    if !asked.whole {
        faults.push((Check::DecisionCutCommand, "only a part of the command is recorded".to_owned()));
    }
    if body.member("outcome") == Some(Outcome::Whitelisted) && !asked.words_known {
        faults.push((Check::DecisionWords, "no rule can speak for a program that is not known".to_owned()));
    }
    let (Some(statement), Some(sig)) = (body.get("statement"), body.get("sig").and_then(View::as_text)) else {
        faults.push((Check::DecisionMissing, "there is no signed statement".to_owned()));
        return (None, ruled);
    };
    let Some(statement) = signed(statement, sig, by.services, &mut ruled) else { return (None, ruled) };
    let faults = &mut ruled.faults;
    about(&statement, body, asked, by.host, faults);
    if asked.needs_person && !matches!(statement.by, DecidedBy::Person(_)) {
        faults.push((Check::DecisionNeedsPerson, format!("let run by {}", statement.by)));
    }
    if statement.exp_ms > asked.wait_ms {
        let text = format!("the statement counts for {} ms, the host waited for {}", statement.exp_ms, asked.wait_ms);
        faults.push((Check::DecisionExpiry, text));
    }
    let said = Said { body, statement: &statement, asked, host: by.host, at_us };
    let (of_reviews, reviews_ms) = by.authorities.lets_run(&said);
    faults.extend(of_reviews);
    let counts_ms = reviews_ms.map_or(statement.exp_ms, |reviews_ms| reviews_ms.min(statement.exp_ms));
    let until = asked.mono.saturating_add(counts_ms.saturating_mul(1000));
    (Some(Deadline(Moment { mono: until, boot: asked.boot })), ruled)
}

/// Checks the statement beside a refusal, where there is one.
pub(super) fn refusal<'b>(body: View<'b>, asked: &Asked, host: HostId, keys: &[Key]) -> Ruled<'b> {
    let mut ruled = Ruled::default();
    match (body.get("statement"), body.get("sig").and_then(View::as_text)) {
        (None, None) if needs_statement(body) => {
            let text = "a refusal is somebody's, and there is no statement that they made it".to_owned();
            ruled.faults.push((Check::RefusalStatement, text));
        }
        (None, None) => {}
        (Some(statement), Some(sig)) => {
            if let Some(statement) = signed(statement, sig, keys, &mut ruled) {
                about(&statement, body, asked, host, &mut ruled.faults);
            }
        }
        (Some(_), None) | (None, Some(_)) => {
            ruled.faults.push((Check::RefusalStatement, "statement and sig must stand together".to_owned()));
        }
    }
    ruled.faults.iter_mut().for_each(|(check, _)| *check = Check::RefusalStatement);
    ruled
}

/// Whether a refusal must be signed: what hosts refuse by themselves is nobody's,
/// a deadline's or a deny rule's of the administrators.
fn needs_statement(refused: View<'_>) -> bool {
    let by = refused.member::<DecidedBy>("by");
    refused.member("outcome") == Some(Outcome::Denied)
        || by.is_some_and(|by| !matches!(by, DecidedBy::DenyRule(_) | DecidedBy::Timeout))
}

/// Reads a statement; its signature is left to be checked with many others.
fn signed<'b>(value: View<'b>, sig: &'b str, keys: &[Key], ruled: &mut Ruled<'b>) -> Option<Statement> {
    let statement = match Statement::from_node(value) {
        Ok(statement) => statement,
        Err(error) => {
            ruled.faults.push((Check::DecisionSignature, error.to_string()));
            return None;
        }
    };
    let Some(key) = keys.iter().find(|key| key.id == statement.key) else {
        let text = format!("signed by {}, which is not the trusted service key", statement.key);
        ruled.faults.push((Check::DecisionKey, text));
        return Some(statement);
    };
    // The grammar has one spelling: what stands in the entry is what was signed.
    match value.object_bytes().filter(|_| b64_is_fixed::<64>(sig)) {
        Some(text) => ruled.unchecked = Some(Unchecked { public: key.public, text, sig }),
        None => {
            ruled.faults.push((Check::DecisionSignature, "the statement's signature is not 64 bytes".to_owned()));
        }
    }
    Some(statement)
}

/// Checks that a statement is about this submission and says what `decided` claims.
fn about(statement: &Statement, body: View<'_>, asked: &Asked, host: HostId, faults: &mut Faults) {
    if statement.host != host {
        faults.push((Check::DecisionHost, format!("made for the host {}", statement.host)));
    }
    if statement.entry != asked.leaf {
        faults.push((Check::DecisionEntry, format!("made for the entry {}", statement.entry)));
    }
    if statement.nonce != asked.nonce {
        faults.push((Check::DecisionNonce, "the nonce is not the submission's".to_owned()));
    }
    let claimed: Option<Outcome> = body.member("outcome");
    let said = statement.by.outcome(statement.decision);
    // A yes that came too late to be used is kept beside the timeout.
    let unused = claimed == Some(Outcome::TimedOut) && said.is_some_and(Outcome::lets_run);
    if said.is_none() || (said != claimed && !unused) {
        let text = format!("{} by {} is not what decided claims", statement.decision.as_str(), statement.by);
        faults.push((Check::DecisionOutcome, text));
    }
    let by = body.get("by").and_then(View::as_text);
    let said = body.get("statement").and_then(|statement| statement.get("by")?.as_text());
    // The same text is the same name, and needs not be read again.
    if (by.is_none() || by != said) && by.and_then(|by| by.parse().ok()).as_ref() != Some(&statement.by) {
        faults.push((Check::DecisionOutcome, format!("decided by {}, which is not body.by", statement.by)));
    }
}
