//! A rule's decision, made again from what a record holds of it.
//!
//! Three answers: it holds, it does not, or the record cannot tell. The second
//! is given only where nothing that the record leaves open could make it hold.

use crate::decide::{Asked, Now, Ruling};
use crate::judge::Examined;
use crate::policy::Policy;
use crate::rule::Effect;
use countersign_analysis::anomaly::Flag;
use countersign_analysis::redact::scrub_script;
use countersign_core::{CommandText, DecidedBy, HostId, Outcome, mark};
use std::collections::{BTreeSet, HashMap};

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

/// Whose clock and whose counting a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The service's: its clock may differ, and it counts uses on all hosts.
    Service,
    /// The host's own: what is recorded is all there is. `whole`: from the
    /// first entry on, so that uses can be counted.
    Host {
        /// Whether the record begins with the first entry.
        whole: bool,
    },
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

/// How often rules were used, as far as a record tells.
#[derive(Debug, Default)]
pub struct Uses(HashMap<u64, u64>);

impl Uses {
    /// How many lines a rule has let pass.
    pub fn of(&self, rule: u64) -> u64 {
        self.0.get(&rule).copied().unwrap_or(0)
    }

    /// Counts one more for each of these.
    pub fn count(&mut self, used: &[u64]) {
        for rule in used {
            let uses = self.0.entry(*rule).or_default();
            *uses = uses.saturating_add(1);
        }
    }
}

impl Policy {
    /// Decides again what a record says was decided by a rule of this policy.
    pub fn again(&self, said: &Recorded<'_>, whose: Whose, uses: &mut Uses) -> Again {
        let (Some(agent), Some(cwd)) = (said.agent, said.cwd) else { return Again::Open(CUT) };
        if said.pieces.contains(&Piece::Cut) {
            return Again::Open(CUT);
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
        let line = Examined::of(&shown, said.shell, cwd, &self.known_hosts(said.host));
        Trial { policy: self, said, asked, line }.run(whose, uses)
    }

    /// How many people must approve a recorded command; `None` where the
    /// record does not hold all that this takes.
    pub fn people_again(&self, said: &Recorded<'_>, reviewers: usize) -> Option<u8> {
        let cwd = said.cwd?;
        if said.pieces.iter().any(|piece| !matches!(piece, Piece::Shown(_))) {
            return None;
        }
        let (shown, _) = shown(said.pieces);
        let score = Examined::of(&shown, said.shell, cwd, &self.known_hosts(said.host)).risk().score;
        Some(self.people_for(said.host, score, reviewers))
    }

    fn known_hosts(&self, host: HostId) -> Vec<String> {
        self.settings.known_hosts(self.target(host).0)
    }

    /// How many of so many reviewers must approve a line of this score on a
    /// target: what its class demands, and what the score demands of those there are.
    pub fn people_for(&self, host: HostId, score: u8, reviewers: usize) -> u8 {
        let of_class = self.settings.classes.of(self.target(host).1).people;
        let of_score = if score >= self.settings.critical_at { self.settings.critical_people } else { 1 };
        let there = u8::try_from(reviewers).unwrap_or(u8::MAX);
        of_class.max(of_score.min(there)).max(1)
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
struct Trial<'a> {
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
    /// It is made then, by these rules.
    Sure(Vec<u64>),
    /// It may be.
    Maybe(&'static str),
    /// Nothing makes it.
    No(String),
}

impl Trial<'_> {
    fn run(&self, whose: Whose, uses: &mut Uses) -> Again {
        let (from, until) = (self.said.submitted_ms, self.said.decided_ms);
        let (at_ask, at_answer) = (self.at(from, whose, uses), self.at(until, whose, uses));
        match (at_ask, at_answer) {
            (Found::Sure(used), Found::Sure(_)) => {
                uses.count(&used);
                Again::Holds
            }
            (Found::Maybe(why), _) | (_, Found::Maybe(why)) => Again::Open(why),
            (Found::Sure(_), Found::No(_)) | (Found::No(_), Found::Sure(_)) => Again::Open(CLOCK),
            (Found::No(_), Found::No(why)) => {
                let around = [from.saturating_sub(SKEW_MS), until.saturating_add(SKEW_MS)];
                let never = around.into_iter().all(|at_ms| matches!(self.at(at_ms, whose, uses), Found::No(_)));
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

    fn at(&self, at_ms: i64, whose: Whose, uses: &Uses) -> Found {
        let counted = |id| match whose {
            Whose::Service => 0,
            Whose::Host { .. } => uses.of(id),
        };
        let plain = With { at_ms, session: "", past: &[], uses: &counted };
        match self.made(plain) {
            Ok(used) => match self.doubt(plain, &used, whose) {
                Some(why) => Found::Maybe(why),
                None => Found::Sure(used),
            },
            Err(why) => self.otherwise(plain, whose).map_or(Found::No(why), Found::Maybe),
        }
    }

    /// Why a claim that is made may not have been.
    fn doubt(&self, plain: With<'_>, used: &[u64], whose: Whose) -> Option<&'static str> {
        let limited = |id: &u64| self.policy.rules.get(id).is_some_and(|rule| rule.body().uses.is_some());
        if whose != (Whose::Host { whole: true }) && used.iter().any(limited) {
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
        if let (Whose::Host { whole: false }, true) = (whose, may(With { uses: &|_| 0, ..plain })) {
            return Some(USES);
        }
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
