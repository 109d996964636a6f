//! A rule's decision, made again from what a record holds of it.
//!
//! Three answers: it holds, it does not, or the record cannot tell. The second
//! is given only where nothing that the record leaves open could make it hold.

use crate::decide::{Asked, Now, Ruling, Verdict};
use crate::judge::Examined;
use crate::policy::Policy;
use crate::rule::Effect;
use countersign_analysis::anomaly::Flag;
use countersign_analysis::redact::scrub_script;
use countersign_core::{CommandText, DecidedBy, HostId, Outcome, mark};
use std::collections::BTreeSet;

/// How far the clocks of host and service may be apart before a rule's hours
/// are held against it.
const SKEW_MS: i64 = 120_000;
/// Most work sessions that grants of one policy are tried with.
const MAX_SESSIONS: usize = 64;
/// Flags that take the agent's past, which a record of one host does not hold whole.
const OF_PAST: [Flag; 5] =
    [Flag::HighVelocity, Flag::OffHours, Flag::RiskSpike, Flag::UnusualProgram, Flag::RetryAfterDenial];

/// A piece of a recorded command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Its bytes.
    Shown(&'a [u8]),
    /// Never stored: what kind of secret it is.
    Hidden(&'a str),
    /// Cut out of the record later.
    Cut,
}

/// What a record says of a decision by rule.
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
    /// The account; `None` where the record does not tell.
    pub agent: Option<&'a str>,
    /// The working directory; `None` where the record does not tell.
    pub cwd: Option<&'a str>,
    /// As [`Asked::words_known`].
    pub words_known: bool,
    /// Whether the host left it to people.
    pub needs_person: bool,
    /// When it was submitted, ms since 1970.
    pub submitted_ms: i64,
    /// When it was decided, ms since 1970.
    pub decided_ms: i64,
    /// What is claimed.
    pub outcome: Outcome,
    /// By whom.
    pub by: &'a DecidedBy,
}

/// Who has applied the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The service: its clock may differ, it counts uses on all hosts, and it
    /// knows the agent's past.
    Service,
    /// The host by itself: what is recorded is all there is.
    Host,
}

/// What comes of deciding again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// The same.
    Holds,
    /// Something else.
    Fails(String),
    /// It cannot be told, and why.
    Open(&'static str),
}

impl Policy {
    /// Decides again what a record says was decided by a rule of this policy.
    pub fn again(&self, said: &Recorded<'_>, whose: Whose) -> Again {
        Trial::with(self, said, |trial| trial.run(whose)).unwrap_or(Again::Open(CUT))
    }
}

const CUT: &str = "a part of what the rule looked at is not in the record";
const PAST: &str = "it takes the agent's past";
const USES: &str = "how often the rule was used is not in the record";
const CLOCK: &str = "its hours began or ended within two minutes of it";

/// The text that was judged, and whether it is all of the command: as
/// `src/server` shows it, one visible segment that redaction leaves alone.
fn shown(pieces: &[Piece<'_>]) -> (String, bool) {
    let text = |bytes: &[u8]| scrub_script(&String::from_utf8_lossy(bytes)).0;
    match pieces {
        [Piece::Shown(only)] => {
            let shown = text(only);
            let whole = shown.as_bytes() == *only && !shown.contains("⟨hidden⟩");
            (shown, whole)
        }
        pieces => {
            let of = |piece: &Piece<'_>| match piece {
                Piece::Shown(bytes) => text(bytes),
                Piece::Hidden(kind) => mark(kind),
                Piece::Cut => String::new(),
            };
            (pieces.iter().map(of).collect(), false)
        }
    }
}

/// One decision that is tried again under whatever the record leaves open.
pub(crate) struct Trial<'a> {
    policy: &'a Policy,
    said: &'a Recorded<'a>,
    asked: Asked<'a>,
    line: Examined,
}

/// What a verdict is made with.
#[derive(Clone, Copy)]
struct With<'a> {
    at_ms: i64,
    session: &'a str,
    past: &'a [Flag],
    uses: &'a dyn Fn(u64) -> u64,
}

/// What a moment says of the claim.
enum Found {
    /// It is made then.
    Sure,
    /// It may be.
    Maybe(&'static str),
    /// Nothing makes it.
    No(String),
}

impl Trial<'_> {
    /// Makes one; `None` where a part of what a rule looks at is not there.
    pub(crate) fn with<T>(policy: &Policy, said: &Recorded<'_>, then: impl FnOnce(&Trial<'_>) -> T) -> Option<T> {
        let (agent, cwd) = (said.agent?, said.cwd?);
        if said.pieces.contains(&Piece::Cut) {
            return None;
        }
        let (shown, whole) = shown(said.pieces);
        let seen = whole && !said.needs_person;
        let whole = CommandText::parse(shown.as_bytes()).ok().filter(|_| seen);
        let asked = Asked {
            whole: whole.as_ref(),
            shell: said.shell,
            terminal: said.terminal,
            agent,
            host: said.host,
            session: "",
            cwd,
            words_known: said.words_known,
        };
        let known_hosts = policy.settings.known_hosts(policy.target(said.host).0);
        let line = Examined::of(&shown, said.shell, cwd, &known_hosts);
        Some(then(&Trial { policy, said, asked, line }))
    }

    /// As a host decides that applies the policy by itself.
    pub(crate) fn verdict_of_host(&self, at_ms: i64) -> Verdict {
        self.policy.judge(&self.asked, &self.line, &[], &Now { at_ms, uses: &|_| 0 })
    }

    fn run(&self, whose: Whose) -> Again {
        let (from, until) = (self.said.submitted_ms, self.said.decided_ms);
        let (at_ask, at_answer) = (self.at(from, whose), self.at(until, whose));
        match (at_ask, at_answer) {
            (Found::Sure, Found::Sure) => Again::Holds,
            (Found::Maybe(why), _) | (_, Found::Maybe(why)) => Again::Open(why),
            (Found::Sure, Found::No(_)) | (Found::No(_), Found::Sure) => Again::Open(CLOCK),
            (Found::No(_), Found::No(why)) => {
                let around = [from.saturating_sub(SKEW_MS), until.saturating_add(SKEW_MS)];
                let never = around.into_iter().all(|at_ms| matches!(self.at(at_ms, whose), Found::No(_)));
                if never { Again::Fails(why) } else { Again::Open(CLOCK) }
            }
        }
    }

    /// The rules that make the claim, where this makes it; else what is said instead.
    fn made(&self, with: With<'_>) -> Result<Vec<u64>, String> {
        let now = Now { at_ms: with.at_ms, uses: with.uses };
        let asked = Asked { session: with.session, ..self.asked };
        let verdict = self.policy.judge(&asked, &self.line, with.past, &now);
        match (&verdict.ruling, self.said.outcome) {
            (Ruling::Pass(passed), Outcome::Whitelisted) if passed.by() == self.said.by => Ok(passed.used().to_vec()),
            (Ruling::Block { rule }, Outcome::Blocked) if *self.said.by == DecidedBy::DenyRule(*rule) => Ok(Vec::new()),
            (Ruling::Pass(passed), _) => Err(format!("{} would let it pass, not {}", passed.by(), self.said.by)),
            (Ruling::Block { rule }, _) => Err(format!("deny_rule:{rule} would refuse it")),
            (Ruling::Ask { .. }, _) => {
                let why = verdict.steps.iter().rev().find(|step| step.step != "people");
                let why = why.map(|step| format!(" ({}: {})", step.step, step.found)).unwrap_or_default();
                Err(format!("a person would be asked{why}"))
            }
        }
    }

    fn at(&self, at_ms: i64, whose: Whose) -> Found {
        let plain = With { at_ms, session: "", past: &[], uses: &|_| 0 };
        match self.made(plain) {
            Ok(used) => match self.doubt(plain, &used, whose) {
                Some(why) => Found::Maybe(why),
                None => Found::Sure,
            },
            Err(why) => self.otherwise(plain, whose).map_or(Found::No(why), Found::Maybe),
        }
    }

    /// Why a claim that is made may not have been.
    fn doubt(&self, plain: With<'_>, used: &[u64], whose: Whose) -> Option<&'static str> {
        let limited = |id: &u64| self.policy.rules.get(id).is_some_and(|rule| rule.body().uses.is_some());
        if used.iter().any(limited) {
            return Some(USES);
        }
        // A host that decides by itself looks at no past.
        let of_past = whose == Whose::Service && self.made(With { past: &OF_PAST, ..plain }).is_err();
        of_past.then_some(PAST)
    }

    /// What of that which the record leaves open could make the claim.
    fn otherwise(&self, plain: With<'_>, whose: Whose) -> Option<&'static str> {
        if self.said.outcome == Outcome::Blocked && self.said.pieces.iter().any(|p| !matches!(p, Piece::Shown(_))) {
            return Some("a part of the command is hidden");
        }
        let may = |with: With<'_>| self.made(with).is_ok();
        if whose != Whose::Service {
            return None;
        }
        let named = match self.said.by {
            DecidedBy::WhitelistRule(id) | DecidedBy::Grant(id) => Some(*id),
            DecidedBy::Person(_) | DecidedBy::DenyRule(_) | DecidedBy::Threshold(_) | DecidedBy::Timeout => None,
        };
        let but_named = |id| if Some(id) == named { 0 } else { u64::MAX };
        if self.policy.rules().any(|rule| rule.body().uses.is_some())
            && (may(With { uses: &but_named, ..plain }) || may(With { uses: &|_| u64::MAX, ..plain }))
        {
            return Some(USES);
        }
        let refused = self.said.outcome == Outcome::Blocked;
        if refused
            && (may(With { past: &OF_PAST, ..plain }) || OF_PAST.iter().any(|f| may(With { past: &[*f], ..plain })))
        {
            return Some(PAST);
        }
        let of_rule = |rule: &crate::Rule| rule.body().session.clone().filter(|_| rule.body().effect == Effect::Allow);
        let sessions: BTreeSet<String> = self.policy.rules().filter_map(of_rule).collect();
        let one = sessions.len() > MAX_SESSIONS || sessions.iter().any(|session| may(With { session, ..plain }));
        one.then_some("which work session it belonged to is not in the record")
    }
}

#[cfg(test)]
mod tests;
