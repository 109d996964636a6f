//! Judging what the service answered. The only way to a [`Permit`].

use crate::authority::Document;
use crate::own_rules::Own;
use countersign_api::service::{SignedDecision, SignedReview};
use countersign_core::{Choice, DecidedBy, Digest, HostId, Nonce, Outcome};
use countersign_ledger::{Authority, Namespace, Reviewed, Statement, Value, key_id, review_value, verify_signature};
use std::sync::Arc;

/// What a decision must be about: the submission as the ledger has it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) host: HostId,
    pub(crate) entry: Digest,
    pub(crate) nonce: Nonce,
    pub(crate) submitted_mono_us: u64,
    pub(crate) wait_ms: u64,
    /// Who may approve, where the host does not take the service's word for it.
    pub(crate) authority: Option<Arc<Document>>,
    /// What the rules of that document say of it.
    pub(crate) own: Own,
    /// Only a person may let it run.
    pub(crate) needs_person: bool,
    /// Whether every program it starts is a builtin or root's. No rule speaks for another.
    pub(crate) words_known: bool,
}

impl Asked {
    /// Until when an answer may count at all, CLOCK_BOOTTIME in µs.
    pub(crate) fn deadline_us(&self) -> u64 {
        self.submitted_mono_us.saturating_add(self.wait_ms.saturating_mul(1000))
    }
}

/// A statement that is signed by the pinned key and about this submission.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) by: DecidedBy,
    pub(crate) statement: Value,
    pub(crate) sig: String,
    pub(crate) comment: Option<String>,
    /// The reviewers' own statements with their signatures, as the ledger keeps them.
    pub(crate) reviews: Vec<Value>,
}

/// The permission to run what was asked about, until a deadline. Only
/// [`judge`] makes one; releasing consumes it.
#[must_use]
#[derive(Debug)]
pub(crate) struct Permit {
    pub(crate) said: Said,
    outcome: Outcome,
    deadline_us: u64,
}

impl Permit {
    /// `approved` or `whitelisted`.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Until when it holds, CLOCK_BOOTTIME in µs.
    pub(crate) fn deadline_us(&self) -> u64 {
        self.deadline_us
    }

    /// Uses it up; what is left is who gave it.
    pub(crate) fn used(self) -> DecidedBy {
        self.said.by
    }

    /// Whether it still holds at `now_us`.
    pub(crate) fn holds(&self, now_us: u64) -> bool {
        now_us < self.deadline_us
    }
}

/// What a decision comes to.
#[must_use]
#[derive(Debug)]
pub(crate) enum Ruling {
    /// It may run.
    Run(Box<Permit>),
    /// A valid no.
    No { said: Box<Said>, outcome: Outcome },
    /// A valid yes that came too late.
    Late(Box<Said>),
    /// Not a decision about this submission: a word of `decided.why`.
    Invalid(&'static str),
}

/// The word for a rule that spoke for a line whose programs are not known.
pub(crate) const WORDS_NOT_KNOWN: &str = "words_not_known";

/// Judges a signed decision at `now_us` (CLOCK_BOOTTIME). Anything that is not
/// exactly right is [`Ruling::Invalid`].
pub(crate) fn judge(asked: &Asked, service_key: &Digest, signed: &SignedDecision, now_us: u64) -> Ruling {
    let Ok(statement) = Statement::parse(&signed.statement) else { return Ruling::Invalid("reply_malformed") };
    if verify_signature(Namespace::Decision, service_key, signed.statement.as_bytes(), &signed.sig).is_err() {
        return Ruling::Invalid("reply_unsigned");
    }
    if statement.key != key_id(service_key) {
        return Ruling::Invalid("reply_wrong_key");
    }
    if statement.host != asked.host {
        return Ruling::Invalid("reply_wrong_host");
    }
    if statement.entry != asked.entry || statement.nonce != asked.nonce {
        return Ruling::Invalid("reply_wrong_submission");
    }
    if statement.exp_ms > asked.wait_ms {
        return Ruling::Invalid("reply_malformed");
    }
    let Some(outcome) = statement.by.outcome(statement.decision) else { return Ruling::Invalid("reply_malformed") };
    if outcome == Outcome::Whitelisted && !asked.words_known {
        return Ruling::Invalid(WORDS_NOT_KNOWN);
    }
    let reviews = match &asked.authority {
        // What the document's rules let run; nothing that a service says makes them.
        Some(_) if statement.decision == Choice::Approve && asked.own.lets_run(&statement.by, statement.policy) => {
            Vec::new()
        }
        Some(document) if statement.decision == Choice::Approve => {
            match approved_by_people(asked, &document.authority, &statement.by, &signed.reviews) {
                Ok(reviews) => reviews,
                Err(why) => return Ruling::Invalid(why),
            }
        }
        Some(_) | None => Vec::new(),
    };
    let exp_ms = reviews.iter().map(|(review, _)| review.statement.exp_ms).fold(statement.exp_ms, u64::min);
    let said = Said {
        by: statement.by.clone(),
        statement: statement.to_value(),
        sig: signed.sig.clone(),
        comment: signed.comment.clone().filter(|text| text.len() <= MAX_COMMENT),
        reviews: reviews.iter().map(|(review, sig)| review_value(review, sig)).collect(),
    };
    match statement.decision {
        Choice::Deny => Ruling::No { said: Box::new(said), outcome },
        Choice::Approve if asked.needs_person && !matches!(statement.by, DecidedBy::Person(_)) => {
            Ruling::Invalid("reply_not_a_person")
        }
        Choice::Approve => {
            let deadline_us = asked.submitted_mono_us.saturating_add(exp_ms.saturating_mul(1000));
            let permit = Permit { said, outcome, deadline_us };
            if permit.holds(now_us) { Ruling::Run(Box::new(permit)) } else { Ruling::Late(Box::new(permit.said)) }
        }
    }
}

/// The valid approvals of enough distinct people, of whom `by` is one. A
/// review that does not count, or says no, spoils the decision: an honest
/// service sends none.
fn approved_by_people(
    asked: &Asked,
    authority: &Authority,
    by: &DecidedBy,
    reviews: &[SignedReview],
) -> Result<Vec<(Reviewed, String)>, &'static str> {
    let DecidedBy::Person(name) = by else { return Err("rule_not_in_authority") };
    if reviews.len() > MAX_REVIEWS {
        return Err("review_invalid");
    }
    let mut counted = Vec::new();
    for SignedReview { statement, sig } in reviews {
        let review = authority.review(statement, sig).map_err(|why| {
            tracing::warn!("a review was sent that does not count: {why}");
            "review_invalid"
        })?;
        let said = &review.statement;
        let about = said.host == asked.host && said.entry == asked.entry && said.nonce == asked.nonce;
        if !about || said.exp_ms > asked.wait_ms || said.decision != Choice::Approve {
            return Err("review_invalid");
        }
        counted.push((review, sig.clone()));
    }
    let enough = authority.enough(counted.iter().map(|(review, _)| review));
    if enough && counted.iter().any(|(review, _)| review.by == *name) { Ok(counted) } else { Err("reviewers_missing") }
}

/// Most reviews of one decision.
const MAX_REVIEWS: usize = 8;

/// Longest comment that is kept, in bytes.
const MAX_COMMENT: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::Name;
    use countersign_core::b64_encode;
    use countersign_ledger::{InProcessSigner, Signer as _, sha256};

    fn asked() -> Asked {
        Asked {
            host: HostId::from_random([1; 16]),
            entry: Digest([2; 32]),
            nonce: Nonce([3; 16]),
            submitted_mono_us: 1_000_000,
            wait_ms: 60_000,
            authority: None,
            own: Own::Silent,
            needs_person: false,
            words_known: true,
        }
    }

    fn statement(asked: &Asked, key: &Digest) -> Statement {
        Statement {
            by: DecidedBy::Person("ops-lead".parse::<Name>().unwrap()),
            decision: Choice::Approve,
            entry: asked.entry,
            exp_ms: asked.wait_ms,
            host: asked.host,
            key: key_id(key),
            nonce: asked.nonce,
            policy: Digest([9; 32]),
        }
    }

    fn word(ruling: &Ruling) -> String {
        match ruling {
            Ruling::Run(permit) => format!("run:{}", permit.outcome()),
            Ruling::No { outcome, .. } => format!("no:{outcome}"),
            Ruling::Late(_) => "late".to_owned(),
            Ruling::Invalid(why) => (*why).to_owned(),
        }
    }

    #[test]
    fn only_the_right_statement_lets_run() {
        let mut signer = InProcessSigner::generate().unwrap();
        let mut stranger = InProcessSigner::generate().unwrap();
        let key = signer.public_key();
        let asked = asked();
        let base = statement(&asked, &key);
        let cases: Vec<(&str, Statement, bool, u64)> = vec![
            ("run:approved", base.clone(), true, 2_000_000),
            ("run:whitelisted", Statement { by: DecidedBy::WhitelistRule(4), ..base.clone() }, true, 2_000_000),
            ("no:denied", Statement { decision: Choice::Deny, ..base.clone() }, true, 2_000_000),
            (
                "no:timed_out",
                Statement { by: DecidedBy::Timeout, decision: Choice::Deny, ..base.clone() },
                true,
                2_000_000,
            ),
            ("late", base.clone(), true, 61_000_000),
            ("late", Statement { exp_ms: 1, ..base.clone() }, true, 2_000_000),
            ("reply_unsigned", base.clone(), false, 2_000_000),
            ("reply_wrong_host", Statement { host: HostId::from_random([7; 16]), ..base.clone() }, true, 2_000_000),
            ("reply_wrong_submission", Statement { entry: Digest([7; 32]), ..base.clone() }, true, 2_000_000),
            ("reply_wrong_submission", Statement { nonce: Nonce([7; 16]), ..base.clone() }, true, 2_000_000),
            ("reply_wrong_key", Statement { key: key_id(&stranger.public_key()), ..base.clone() }, true, 2_000_000),
            ("reply_malformed", Statement { by: DecidedBy::Timeout, ..base.clone() }, true, 2_000_000),
            ("reply_malformed", Statement { by: DecidedBy::DenyRule(1), ..base.clone() }, true, 2_000_000),
            ("reply_malformed", Statement { exp_ms: 60_001, ..base.clone() }, true, 2_000_000),
        ];
        for (want, statement, by_service, now_us) in cases {
            let text = statement.encode().unwrap();
            let hand = if by_service { &mut signer } else { &mut stranger };
            let sig = b64_encode(&hand.sign(Namespace::Decision, sha256(text.as_bytes()).0).unwrap());
            let signed = SignedDecision { statement: text, sig, comment: None, reviews: Vec::new() };
            assert_eq!(word(&judge(&asked, &key, &signed, now_us)), want, "{signed:?}");
        }
    }

    #[test]
    fn a_rule_or_grant_never_lets_run_what_needs_a_person() {
        let mut signer = InProcessSigner::generate().unwrap();
        let key = signer.public_key();
        let asked = Asked { needs_person: true, ..asked() };
        for (by, want) in [
            (DecidedBy::WhitelistRule(4), "reply_not_a_person"),
            (DecidedBy::Grant(4), "reply_not_a_person"),
            (DecidedBy::Person("ops-lead".parse::<Name>().unwrap()), "run:approved"),
        ] {
            let (statement, sig) = Statement { by, ..statement(&asked, &key) }.sign(&mut signer).unwrap();
            let signed = SignedDecision { statement, sig, comment: None, reviews: vec![] };
            assert_eq!(word(&judge(&asked, &key, &signed, 2_000_000)), want);
        }
    }

    #[test]
    fn no_rule_speaks_for_words_that_are_not_known() {
        let mut signer = InProcessSigner::generate().unwrap();
        let key = signer.public_key();
        let asked = Asked { words_known: false, ..asked() };
        let base = statement(&asked, &key);
        for (by, want) in [
            (DecidedBy::WhitelistRule(4), WORDS_NOT_KNOWN),
            (DecidedBy::Grant(4), WORDS_NOT_KNOWN),
            (base.by.clone(), "run:approved"),
        ] {
            let (statement, sig) = Statement { by, ..base.clone() }.sign(&mut signer).unwrap();
            let signed = SignedDecision { statement, sig, comment: None, reviews: vec![] };
            assert_eq!(word(&judge(&asked, &key, &signed, 2_000_000)), want);
        }
    }

    #[test]
    fn one_changed_byte_is_no_decision() {
        let mut signer = InProcessSigner::generate().unwrap();
        let key = signer.public_key();
        let asked = asked();
        let (text, sig) = statement(&asked, &key).sign(&mut signer).unwrap();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(statement) = String::from_utf8(bytes) else { continue };
            let signed = SignedDecision { statement, sig: sig.clone(), comment: None, reviews: Vec::new() };
            assert!(matches!(judge(&asked, &key, &signed, 2_000_000), Ruling::Invalid(_)), "byte {at}");
        }
    }
}
