//! Whether a `decided` entry holds a decision that lets its command run.

use super::checks::Check;
use super::keys::Key;
use super::time::Boot;
use crate::{Namespace, Statement, Value, sha256, verify_digest};
use countersign_core::{DecidedBy, Digest, HostId, Nonce, Outcome};

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

/// Checks the decision of an outcome that lets run, all but the time. The
/// deadline is `None` where it cannot be known.
pub(super) fn lets_run(body: &Value, asked: &Asked, host: HostId, keys: &[Key]) -> (Option<Deadline>, Faults) {
    let mut faults = Faults::new();
    if !asked.whole {
        faults.push((Check::DecisionCutCommand, "only a part of the command is recorded".to_owned()));
    }
    let (Some(statement), Some(sig)) = (body.get("statement"), body.get("sig").and_then(Value::as_text)) else {
        faults.push((Check::DecisionMissing, "there is no signed statement".to_owned()));
        return (None, faults);
    };
    let Some(statement) = signed(statement, sig, keys, &mut faults) else { return (None, faults) };
    about(&statement, body, asked, host, &mut faults);
    if statement.exp_ms > asked.wait_ms {
        let text = format!("the statement counts for {} ms, the host waited for {}", statement.exp_ms, asked.wait_ms);
        faults.push((Check::DecisionExpiry, text));
    }
    let until = asked.mono.saturating_add(statement.exp_ms.saturating_mul(1000));
    (Some(Deadline(Moment { mono: until, boot: asked.boot })), faults)
}

/// Checks the statement beside a refusal, where there is one.
pub(super) fn refusal(body: &Value, asked: &Asked, host: HostId, keys: &[Key]) -> Faults {
    let mut faults = Faults::new();
    match (body.get("statement"), body.get("sig").and_then(Value::as_text)) {
        (None, None) => {}
        (Some(statement), Some(sig)) => {
            if let Some(statement) = signed(statement, sig, keys, &mut faults) {
                about(&statement, body, asked, host, &mut faults);
            }
        }
        (Some(_), None) | (None, Some(_)) => {
            faults.push((Check::RefusalStatement, "statement and sig must stand together".to_owned()));
        }
    }
    faults.into_iter().map(|(_, text)| (Check::RefusalStatement, text)).collect()
}

/// Reads a statement and checks its signature.
fn signed(value: &Value, sig: &str, keys: &[Key], faults: &mut Faults) -> Option<Statement> {
    let statement = match Statement::from_value(value) {
        Ok(statement) => statement,
        Err(error) => {
            faults.push((Check::DecisionSignature, error.to_string()));
            return None;
        }
    };
    let Some(key) = keys.iter().find(|key| key.id == statement.key) else {
        let text = format!("signed by {}, which is not the trusted service key", statement.key);
        faults.push((Check::DecisionKey, text));
        return Some(statement);
    };
    let valid = value
        .encode()
        .is_ok_and(|text| verify_digest(Namespace::Decision, &key.public, sha256(text.as_bytes()).0, sig).is_ok());
    if !valid {
        faults.push((Check::DecisionSignature, "the statement's signature is not valid".to_owned()));
    }
    Some(statement)
}

/// Checks that a statement is about this submission and says what `decided` claims.
fn about(statement: &Statement, body: &Value, asked: &Asked, host: HostId, faults: &mut Faults) {
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
    let by: Option<DecidedBy> = body.member("by");
    if by.as_ref() != Some(&statement.by) {
        faults.push((Check::DecisionOutcome, format!("decided by {}, which is not body.by", statement.by)));
    }
}
