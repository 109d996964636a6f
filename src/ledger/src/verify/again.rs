//! Decisions by rule, made again by somebody who knows rules.
//!
//! This crate knows none: the caller brings an [`Evaluator`]. What is kept here
//! is what the record says of each decision and the texts of the policies that
//! decisions name. What cannot be decided again is counted, never left out.

use super::checks::Check;
use super::decision::needs_person;
use super::report::{Counts, Findings};
use crate::openings::Shown;
use crate::view::{Node, View};
use crate::{Authority, Line, sha256};
use countersign_core::{DecidedBy, Digest, HostId, Outcome};
use std::collections::HashMap;
use std::sync::Arc;

/// Longest text of a policy, in bytes, and most parts of one.
const MAX_TEXT: usize = 16 * 1024 * 1024;
const MAX_PARTS: u64 = 128;
/// Most policies that are remembered at a time, and most bytes of their texts.
const MAX_POLICIES: usize = 256;
const MAX_REMEMBERED: usize = 2 * MAX_TEXT;
/// Most different reasons that are counted by themselves.
const MAX_REASONS: usize = 32;

const NO_EVALUATOR: &str = "this verifier evaluates no rules";

/// Somebody who knows rules.
pub trait Evaluator: Sync {
    /// Reads the text of a policy of the service; the error says why no
    /// decision under it can be made again.
    fn policy(&self, text: &str) -> Result<Box<dyn Evaluation>, String>;
    /// The digest of the policy that hosts make of the rules of an
    /// administrators' document ([`crate::Authority::rules`]); `None` where it
    /// has none. The error says why that cannot be told.
    fn administrators(&self, rules: &str) -> Result<Option<Digest>, String>;
}

/// A policy that was read.
pub trait Evaluation: Send {
    /// Decides again what is recorded.
    fn decide(&mut self, said: &Recorded<'_>) -> Evaluated;
}

/// What comes of deciding again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluated {
    /// The same.
    Holds,
    /// Something else.
    Fails(String),
    /// It cannot be told, and why.
    Open(String),
}

/// A piece of a recorded command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Its bytes.
    Shown(&'a [u8]),
    /// Never stored: what kind of secret it is.
    Hidden(&'a str),
    /// Its opening is missing.
    Cut,
}

/// What the record says of a decision by rule.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// The host.
    pub host: HostId,
    /// The command, in order.
    pub pieces: &'a [Piece<'a>],
    /// The inner shell.
    pub shell: &'a str,
    /// Whether its login has a terminal.
    pub terminal: bool,
    /// The account, where its opening is there.
    pub agent: Option<&'a str>,
    /// The working directory, where its opening is there.
    pub cwd: Option<&'a str>,
    /// `words` is `known`.
    pub words_known: bool,
    /// Its flags, or a program on its standard input, leave it to people.
    pub needs_person: bool,
    /// `at` of `command_submitted`, µs since 1970.
    pub submitted_us: i64,
    /// `at` of `decided`, µs since 1970.
    pub decided_us: i64,
    /// What is claimed.
    pub outcome: Outcome,
    /// By whom.
    pub by: &'a DecidedBy,
    /// Whether the host has applied the policy by itself, and not the service.
    pub by_host: bool,
}

/// A command as it is kept until it is decided.
#[derive(Debug)]
pub(super) struct Kept {
    pieces: Vec<Owned>,
    shell: String,
    cwd: Option<String>,
    words_known: bool,
    needs_person: bool,
    submitted_us: i64,
}

#[derive(Debug)]
enum Owned {
    Shown(Vec<u8>),
    Hidden(String),
    Cut,
}

impl Kept {
    /// Of a `command_submitted` at `at_us`.
    pub fn of(body: &View<'_>, opened: Option<&Shown<'_>>, at_us: i64) -> Self {
        let list = |name: &str| body.get(name).and_then(View::as_list).unwrap_or_default();
        let segments = opened.and_then(|opened| opened.many("cmd"));
        let piece = |index: usize| {
            if let Some(Some(Some(bytes))) = segments.map(|all| all.get(index)) {
                return Owned::Shown(bytes.to_vec());
            }
            let is_it = |h: View<'_>| h.as_int().and_then(|h| usize::try_from(h).ok()) == Some(index);
            let kind =
                list("hidden").iter().position(is_it).and_then(|at| list("hidden_kinds").iter().nth(at)?.as_text());
            kind.map_or(Owned::Cut, |kind| Owned::Hidden(kind.to_owned()))
        };
        let word = |name: &str| body.get(name).and_then(View::as_text);
        Self {
            pieces: (0..list("cmd").iter().count()).map(piece).collect(),
            shell: word("shell").unwrap_or_default().to_owned(),
            cwd: opened.and_then(|opened| opened.one("cwd")).map(text),
            words_known: word("words") == Some("known"),
            needs_person: needs_person(body),
            submitted_us: at_us,
        }
    }
}

/// As the service and the host read it.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A decision by rule.
pub(super) struct Claim<'a> {
    pub host: HostId,
    pub kept: Option<&'a Kept>,
    pub terminal: bool,
    pub agent: Option<&'a str>,
    pub decided_us: i64,
    pub outcome: Outcome,
    pub by: &'a DecidedBy,
    /// The `policy` of its statement.
    pub policy: Option<Digest>,
    /// The administrators' document it was made under.
    pub document: Option<Arc<Authority>>,
}

/// The policies so far.
pub(super) struct Rules<'e> {
    evaluator: Option<&'e dyn Evaluator>,
    parts: Option<Parts>,
    known: HashMap<Digest, Result<Box<dyn Evaluation>, String>>,
    /// Bytes of the texts of those.
    remembered: usize,
    /// The document last asked about, and the policy that its rules are.
    document: Option<(Digest, Result<Option<Digest>, String>)>,
}

/// A text that is not whole yet.
struct Parts {
    digest: Digest,
    next: u64,
    of: u64,
    text: Vec<u8>,
}

impl<'e> Rules<'e> {
    pub fn new(evaluator: Option<&'e dyn Evaluator>) -> Self {
        Self { evaluator, parts: None, known: HashMap::new(), remembered: 0, document: None }
    }

    /// Whether commands must be kept until they are decided.
    pub fn wants_commands(&self) -> bool {
        self.evaluator.is_some()
    }

    /// Takes a `policy_text`.
    pub fn text(&mut self, line: &Line<'_>, body: &View<'_>, opened: Option<&Shown<'_>>, findings: &mut Findings) {
        let int = |name| body.get(name).and_then(View::as_int);
        let (Some(digest), Some(part), Some(of)) = (body.member::<Digest>("digest"), int("part"), int("parts")) else {
            return;
        };
        let mut bad = |text: &str| findings.add(Check::PolicyText, Some(line.seq), None, text);
        let begun = match self.parts.take() {
            _ if part == 0 => Parts { digest, next: 0, of, text: Vec::new() },
            Some(begun) if (begun.digest, begun.next, begun.of) == (digest, part, of) => begun,
            Some(_) | None => return bad("it does not go on where the part before ended"),
        };
        if of == 0 || of > MAX_PARTS || part >= of {
            return bad("its number of parts cannot be");
        }
        // Without its opening it is one that is not there, and said to be missing.
        let Some(piece) = opened.and_then(|opened| opened.one("text")) else { return };
        let mut parts = Parts { next: part.saturating_add(1), ..begun };
        parts.text.extend_from_slice(piece);
        if parts.text.len() > MAX_TEXT {
            return bad("it is over 16 MiB");
        }
        if parts.next < of {
            self.parts = Some(parts);
            return;
        }
        if sha256(&parts.text) != digest {
            return bad("its SHA-256 is not its digest");
        }
        let Some(evaluator) = self.evaluator else { return };
        if self.known.contains_key(&digest) {
            return;
        }
        self.remembered = self.remembered.saturating_add(parts.text.len());
        if self.known.len() >= MAX_POLICIES || self.remembered > MAX_REMEMBERED {
            self.known.clear();
            self.remembered = parts.text.len();
        }
        let read = match std::str::from_utf8(&parts.text) {
            Ok(text) => evaluator.policy(text),
            Err(_) => Err("the policy is not text".to_owned()),
        };
        self.known.insert(digest, read);
    }

    /// Decides again; a claim that does not hold is a finding.
    pub fn again(&mut self, claim: &Claim<'_>, counts: &mut Counts) -> Option<(Check, String)> {
        let document = claim.document.as_deref().filter(|_| claim.outcome.lets_run());
        let evaluated = match document.map(|document| self.is_its_own(document, claim.policy)) {
            None | Some(Evaluated::Holds) => self.evaluate(claim),
            Some(otherwise) => otherwise,
        };
        let count = match evaluated {
            Evaluated::Holds => &mut counts.reevaluated,
            Evaluated::Open(_) => &mut counts.not_reevaluable,
            Evaluated::Fails(_) => &mut counts.refuted,
        };
        let number = count.entry(claim.outcome).or_default();
        *number = number.saturating_add(1);
        match evaluated {
            Evaluated::Holds => None,
            Evaluated::Open(why) => {
                let known = &mut counts.not_reevaluable_because;
                let room = known.len() < MAX_REASONS || known.contains_key(&why);
                let number = known.entry(if room { why } else { "other reasons".to_owned() }).or_default();
                *number = number.saturating_add(1);
                document.map(|_| {
                    let text =
                        format!("whether the administrators' document lets it run by {} cannot be told", claim.by);
                    (Check::DecisionNotShown, text)
                })
            }
            Evaluated::Fails(why) => {
                let check = if claim.outcome.lets_run() { Check::DecisionRule } else { Check::RefusalRule };
                Some((check, format!("{} is claimed, and evaluated again {why}", claim.by)))
            }
        }
    }

    /// Whether a policy is the one that a document's rules are.
    fn is_its_own(&mut self, document: &Authority, policy: Option<Digest>) -> Evaluated {
        let none = || Evaluated::Fails("the administrators' document has no such rule".to_owned());
        if !document.has_rules {
            return none();
        }
        let Some(evaluator) = self.evaluator else { return Evaluated::Open(NO_EVALUATOR.to_owned()) };
        let known = self.document.take().filter(|(digest, _)| *digest == document.digest);
        let (_, own) =
            self.document.insert(known.unwrap_or_else(|| (document.digest, evaluator.administrators(&document.rules))));
        match (own, policy) {
            (Err(why), _) => Evaluated::Open(why.clone()),
            (Ok(None), _) => none(),
            (Ok(Some(own)), Some(policy)) if policy == *own => Evaluated::Holds,
            (Ok(Some(_)), policy) => match policy.and_then(|policy| self.known.get(&policy)) {
                // Another version of the analyzer makes another text of the same rules.
                Some(Err(why)) => Evaluated::Open(why.clone()),
                Some(Ok(_)) | None => {
                    Evaluated::Fails("its policy is not the rules of the administrators' document".to_owned())
                }
            },
        }
    }

    fn evaluate(&mut self, claim: &Claim<'_>) -> Evaluated {
        let open = |why: &str| Evaluated::Open(why.to_owned());
        if self.evaluator.is_none() {
            return open(NO_EVALUATOR);
        }
        let Some(policy) = claim.policy else { return open("no policy is named") };
        let Some(kept) = claim.kept else { return open("the command is not in the record") };
        let evaluation = match self.known.get_mut(&policy) {
            Some(Ok(evaluation)) => evaluation,
            Some(Err(why)) => return Evaluated::Open(why.clone()),
            None => return open("the text of the policy is not in the record"),
        };
        let pieces: Vec<Piece<'_>> = kept.pieces.iter().map(Owned::borrow).collect();
        evaluation.decide(&Recorded {
            host: claim.host,
            pieces: &pieces,
            shell: &kept.shell,
            terminal: claim.terminal,
            agent: claim.agent,
            cwd: kept.cwd.as_deref(),
            words_known: kept.words_known,
            needs_person: kept.needs_person,
            submitted_us: kept.submitted_us,
            decided_us: claim.decided_us,
            outcome: claim.outcome,
            by: claim.by,
            by_host: claim.document.is_some() && claim.outcome.lets_run(),
        })
    }
}

impl Owned {
    fn borrow(&self) -> Piece<'_> {
        match self {
            Self::Shown(bytes) => Piece::Shown(bytes),
            Self::Hidden(kind) => Piece::Hidden(kind),
            Self::Cut => Piece::Cut,
        }
    }
}

/// Who decided, where that was a rule: what can be made again.
pub(super) fn by_rule(body: &View<'_>) -> Option<DecidedBy> {
    let by: DecidedBy = body.member("by")?;
    match by {
        DecidedBy::WhitelistRule(_) | DecidedBy::DenyRule(_) | DecidedBy::Grant(_) | DecidedBy::Threshold(_) => {
            Some(by)
        }
        DecidedBy::Person(_) | DecidedBy::Timeout => None,
    }
}
