//! The administrators' documents of a history, and whether what was let run
//! was approved by the people they name.
//!
//! What counts is the auditor's: the administrators' keys and revocations of
//! the trust file. Without them documents and reviews are checked against each
//! other only, which raises nothing: such a history is worth what the service's
//! own signature is worth, as one without any document is.

use super::checks::Check;
use super::decision::{Asked, Faults};
use super::report::Findings;
use crate::view::{Items, Node as _, View};
use crate::{Admins, Authority, Kind, Line, Statement, TrustFile, Value, openings};
use countersign_core::{Choice, DecidedBy, Digest, HostId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is in force where an entry stands.
#[derive(Debug, Clone, Default)]
pub(super) enum Force {
    /// No document so far.
    #[default]
    Nothing,
    /// One that cannot be read or does not count.
    Unusable,
    /// This one.
    Document(Arc<Authority>),
}

/// What a submission was made under.
#[derive(Debug, Clone, Default)]
pub(super) struct Under {
    force: Force,
    /// `authority` of the entry.
    named: Option<Digest>,
    /// `people` of the entry.
    people: Option<u64>,
}

impl Under {
    /// The document, where there is one that counts.
    pub fn document(&self) -> Option<Arc<Authority>> {
        match &self.force {
            Force::Document(authority) => Some(authority.clone()),
            Force::Nothing | Force::Unusable => None,
        }
    }
}

/// The documents so far.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    /// The trust file names administrators.
    demanded: bool,
    /// Who they are; `None` also where that cannot be read, so that nothing counts.
    admins: Option<Admins>,
    /// Revoked keys by fingerprint, and from when on, µs since 1970.
    revoked: BTreeMap<String, i64>,
    force: Force,
    /// Version and digest of the last document that could be read.
    last: Option<(u64, Digest)>,
    warned: bool,
}

impl Authorities {
    /// Begins with what the auditor brings.
    pub fn new(trust: Option<&TrustFile>) -> Self {
        let Some(trust) = trust else { return Self::default() };
        let revoked = trust.revoked.iter();
        Self {
            demanded: trust.admins.is_some(),
            admins: trust.admins().ok().flatten(),
            // A time that cannot be read is the beginning of time.
            revoked: revoked.map(|one| (one.key.clone(), one.at_us().unwrap_or(i64::MIN))).collect(),
            ..Self::default()
        }
    }

    /// Takes the document of a `policy_changed`.
    pub fn changed(&mut self, line: &Line<'_>, body: &Value, findings: &mut Findings) {
        if !self.demanded && !std::mem::replace(&mut self.warned, true) {
            findings.warn(
                "authority",
                "the trust file names no administrators (`admins`), so who signed the documents about reviewers was not checked: what ran is vouched for by the service alone",
            );
        }
        self.force = match self.read(line, body) {
            Ok(authority) => Force::Document(Arc::new(authority)),
            Err(faults) => {
                for (check, text) in faults {
                    findings.add(check, Some(line.seq), None, text);
                }
                Force::Unusable
            }
        };
    }

    /// A `policy_changed` whose members are not what they must be.
    pub fn unusable(&mut self) {
        self.force = Force::Unusable;
    }

    fn read(&mut self, line: &Line<'_>, body: &Value) -> Result<Authority, Faults> {
        let one = |check, text: &str| Err(vec![(check, text.to_owned())]);
        let opened = openings::open(body, Kind::PolicyChanged.private_members(), line.vals);
        let Ok(opened) = opened else { return one(Check::AuthorityDocument, "its openings do not hold") };
        if !opened.missing.is_empty() {
            // That is a finding of its own, and what cannot be read is not in force.
            return Err(Faults::new());
        }
        let text = |path| opened.one(path).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let (Some(document), Some(signatures)) = (text("authority"), text("signatures")) else {
            return one(Check::AuthorityDocument, "the document or its signatures are not text");
        };
        let authority = match Authority::parse(document) {
            Ok(authority) => authority,
            Err(why) => return Err(vec![(Check::AuthorityDocument, why.to_string())]),
        };
        let mut faults = Faults::new();
        let named = (body.get("version").and_then(Value::as_int), body.member("digest"));
        if named != (Some(authority.version), Some(authority.digest)) {
            faults.push((Check::AuthorityDocument, "digest and version are not those of the document".to_owned()));
        }
        if let Some(admins) = &self.admins {
            if let Err(why) = Authority::signed_by(document, signatures, admins) {
                faults.push((Check::AuthoritySignature, why.to_string()));
            }
        } else if self.demanded {
            faults.push((Check::AuthoritySignature, "the trust file's administrators cannot be read".to_owned()));
        }
        let here = (authority.version, authority.digest);
        match self.last {
            // A crash between the ledger and the host's note of it writes the same again.
            Some(last) if last != here && authority.version <= last.0 => {
                let text = format!("version {} after version {}", authority.version, last.0);
                faults.push((Check::AuthorityVersion, text));
            }
            Some(_) | None => self.last = Some(here),
        }
        if faults.is_empty() { Ok(authority) } else { Err(faults) }
    }

    /// What a `command_submitted` is made under.
    pub fn submitted(&self, body: View<'_>) -> Under {
        let people = body.get("people").and_then(View::as_int);
        Under { force: self.force.clone(), named: body.member("authority"), people }
    }

    /// Checks who let a command run, beside the service's statement. Also how
    /// long the reviews count, in ms, where there are such.
    pub fn lets_run(&self, said: &Said<'_>) -> (Faults, Option<u64>) {
        let one = |check, text: String| (vec![(check, text)], None);
        let under = &said.asked.under;
        let authority = match &under.force {
            Force::Document(authority) => authority,
            Force::Nothing if under.named.is_some() || under.people.is_some() => {
                return one(Check::AuthorityNotInForce, "names a document that is not in the ledger".to_owned());
            }
            Force::Nothing if self.demanded => {
                return one(Check::AuthorityMissing, "no document of the administrators was in force".to_owned());
            }
            Force::Nothing => return (Faults::new(), None),
            Force::Unusable => {
                return one(Check::AuthorityNotInForce, "the document in force cannot be used".to_owned());
            }
        };
        let people = u64::try_from(authority.people).ok();
        if under.named != Some(authority.digest) || under.people != people {
            let text = format!("the submission does not name version {}, or not its `people`", authority.version);
            return one(Check::AuthorityNotInForce, text);
        }
        let name = match &said.statement.by {
            DecidedBy::Person(name) => name,
            // Whether it is one of the document and speaks is seen where decisions by rule are made again.
            DecidedBy::WhitelistRule(_) if authority.has_rules && self.demanded => return (Faults::new(), None),
            DecidedBy::WhitelistRule(_) if authority.has_rules => {
                let text = "a rule of the document let it run, and no administrators are known who could have made it";
                return one(Check::DecisionNotShown, text.to_owned());
            }
            DecidedBy::WhitelistRule(_)
            | DecidedBy::DenyRule(_)
            | DecidedBy::Grant(_)
            | DecidedBy::Threshold(_)
            | DecidedBy::Timeout => {
                return one(Check::ReviewRule, format!("{} let it run", said.statement.by));
            }
        };
        let mut faults = Faults::new();
        let mut counted = Vec::new();
        for review in said.body.get("reviews").and_then(View::as_list).into_iter().flat_map(Items::iter) {
            match self.review(authority, &review.to_value(), said) {
                Ok(reviewed) => counted.push(reviewed),
                Err(fault) => faults.push(fault),
            }
        }
        if !authority.enough(&counted) || !counted.iter().any(|review| review.by == *name) {
            let text = format!("{} must have signed, {name} among them", authority.people);
            faults.push((Check::ReviewMissing, text));
        }
        (faults, counted.iter().map(|review| review.statement.exp_ms).min())
    }

    fn review(
        &self,
        authority: &Authority,
        review: &Value,
        said: &Said<'_>,
    ) -> Result<crate::Reviewed, (Check, String)> {
        let bad = |check, text: &str| Err((check, text.to_owned()));
        let members = review.as_object().is_some_and(|object| object.keys().eq(["sig", "statement"]));
        let text = review.get("statement").and_then(|statement| statement.encode().ok());
        let (Some(text), Some(sig), true) = (text, review.get("sig").and_then(Value::as_text), members) else {
            return bad(Check::ReviewInvalid, "a review has other members than sig and statement");
        };
        let reviewed = authority.review(&text, sig).map_err(|why| (Check::ReviewInvalid, why.to_string()))?;
        let (statement, asked) = (&reviewed.statement, said.asked);
        if statement.host != said.host || statement.entry != asked.leaf || statement.nonce != asked.nonce {
            return bad(Check::ReviewEntry, "a review is about something else");
        }
        if statement.decision != Choice::Approve || statement.exp_ms > asked.wait_ms {
            return bad(Check::ReviewEntry, "a review says no, or counts for longer than the host waited");
        }
        if self.revoked.get(&reviewed.key).is_some_and(|from| said.at_us >= *from) {
            return Err((Check::ReviewRevoked, format!("{} of {} was revoked before", reviewed.key, reviewed.by)));
        }
        Ok(reviewed)
    }
}

/// A decision that lets run.
pub(super) struct Said<'a> {
    pub body: View<'a>,
    pub statement: &'a Statement,
    pub asked: &'a Asked,
    pub host: HostId,
    /// Wall clock of the `decided` entry.
    pub at_us: i64,
}
