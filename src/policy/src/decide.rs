//! The decision: one pure function, whose every branch that is not certain
//! ends with a person.
//!
//! Order: deny rules; what nobody can read; rules that ask for a person,
//! hours, anomalies, risk; the whitelist and grants; the class's threshold;
//! a person. Each step is written down, so that a verdict can be explained.

mod code;

use crate::pattern::Could;
use crate::policy::Policy;
use crate::reading::Reading;
use crate::rule::{Effect, Kind, Rule};
use countersign_core::{Class, CommandText, DecidedBy, HostId, Transfer};
use serde::Serialize;

/// The flag that does not keep a line from passing under a threshold: every
/// agent's first line would wait for a person.
const FIRST_USE: &str = "unusual_program";

/// A command that is asked about, and who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its exact text where all of it can be seen; `None` where a part is
    /// hidden or it is not text.
    pub whole: Option<&'a CommandText>,
    /// The inner shell that would run it.
    pub shell: &'a str,
    /// Whether its login has a terminal, by the host's own entry.
    pub terminal: bool,
    /// The account.
    pub agent: &'a str,
    /// The host.
    pub host: HostId,
    /// The work session.
    pub session: &'a str,
    /// Where it would run.
    pub cwd: &'a str,
    /// Whether the host knew every program that it starts as a builtin of that
    /// shell or as root's: no rule speaks for another, whose file the agent could change.
    pub words_known: bool,
}

/// What was found out about the command.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its two readings; of the part that can be seen.
    pub reading: &'a Reading,
    /// Its score, 0 to 100; `None` where it was not scored.
    pub score: Option<u8>,
    /// Anomaly flags.
    pub anomalies: &'a [String],
    /// Kinds of secrets and personal data in it.
    pub secrets: &'a [String],
}

/// When, and how often rules were used.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// ms since 1970.
    pub at_ms: i64,
    /// How many lines a rule has let pass.
    pub uses: &'a dyn Fn(u64) -> u64,
}

/// A permission by rule. Only [`Policy::decide`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    by: DecidedBy,
    used: Vec<u64>,
}

impl Passed {
    /// Who let it pass.
    pub fn by(&self) -> &DecidedBy {
        &self.by
    }

    /// The rules that were used, each once.
    pub fn used(&self) -> &[u64] {
        &self.used
    }
}

/// What is to happen.
#[must_use = "a ruling that nobody reads is a gate left open"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may run.
    Pass(Passed),
    /// A deny rule refuses it.
    Block {
        /// The rule's number.
        rule: u64,
    },
    /// People decide.
    Ask {
        /// How many different ones must approve.
        people: u8,
    },
}

/// One step on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which: `deny`, `read`, `words`, `ask`, `hours`, `anomaly`, `risk`, `whitelist`, `threshold`, `people`.
    pub step: &'static str,
    /// What was found.
    pub found: String,
}

/// A ruling and how it came about.
#[must_use = "a verdict that nobody reads is a gate left open"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What is to happen.
    pub ruling: Ruling,
    /// Whether something wants a person whatever a whitelist says.
    pub person: bool,
    /// Why, step by step.
    pub steps: Vec<Step>,
}

/// The steps so far.
#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn say(&mut self, step: &'static str, found: impl Into<String>) {
        self.0.push(Step { step, found: found.into() });
    }

    fn verdict(self, ruling: Ruling) -> Verdict {
        Verdict { ruling, person: false, steps: self.0 }
    }
}

impl Policy {
    /// Decides.
    pub fn decide(&self, asked: &Asked<'_>, facts: &Facts<'_>, now: &Now<'_>) -> Verdict {
        let (target, class) = self.target(asked.host);
        let mut steps = Steps::default();
        let spoken = |effect: Effect| {
            self.rules
                .values()
                .filter(move |rule| rule.body().effect == effect && rule.silent(asked, target, class, now).is_none())
        };
        let mut person = false;
        for rule in spoken(Effect::Deny) {
            match says(rule, facts) {
                Could::Surely => {
                    steps.say("deny", format!("{} refuses it: {}", rule.name(), rule.body().describe()));
                    return steps.verdict(Ruling::Block { rule: rule.id });
                }
                Could::Maybe => {
                    steps.say("deny", format!("{} may be meant: a word is not known before it runs", rule.name()));
                    person = true;
                }
                Could::Not => {}
            }
        }
        for rule in spoken(Effect::Ask).filter(|rule| says(rule, facts) != Could::Not) {
            steps.say("ask", format!("{} wants a person: {}", rule.name(), rule.body().describe()));
            person = true;
        }
        person |= self.wants_person(asked, facts, now, class, &mut steps);
        let people = self.people(facts, class, &mut steps);
        if person {
            return Verdict { person, ..steps.verdict(Ruling::Ask { people }) };
        }
        if let Some(passed) = self.whitelisted(asked, facts, now, &mut steps) {
            return steps.verdict(Ruling::Pass(passed));
        }
        if let Some(passed) = self.under_threshold(asked, facts, class, &mut steps) {
            return steps.verdict(Ruling::Pass(passed));
        }
        steps.say("people", format!("{people} must approve"));
        steps.verdict(Ruling::Ask { people })
    }

    /// What brings a line to a person whatever the whitelist says.
    fn wants_person(
        &self,
        asked: &Asked<'_>,
        facts: &Facts<'_>,
        now: &Now<'_>,
        class: Class,
        steps: &mut Steps,
    ) -> bool {
        let mut person = false;
        if asked.whole.is_none() {
            steps.say("read", "a part of it is hidden, or it is not text");
            person = true;
        }
        if !asked.words_known {
            steps.say(
                "words",
                "it starts a program that is no builtin and not root's or that cannot be told, or files, variables or \
                 options of it decide what it runs",
            );
            person = true;
        }
        // No tree of ours exists for other shells; only exact lines pass there, byte for byte.
        if crate::rule_shells().contains(&asked.shell) && !facts.reading.parsed {
            steps.say("read", format!("it cannot be taken apart: {}", facts.reading.opaque.join(", ")));
            person = true;
        }
        if self.settings.off_hours(asked.agent, self.target(asked.host).0, now.at_ms) {
            steps.say("hours", "it is outside the hours of this agent");
            person = true;
        }
        // Without a terminal, and with nothing on its standard input, a program has nobody to obey.
        let moot = |flag: &str| flag == "interactive_escape" && !asked.terminal;
        let grave = |flag: &&String| self.settings.person_anomalies.contains(*flag) && !moot(flag);
        for flag in facts.anomalies.iter().filter(grave) {
            steps.say("anomaly", format!("{flag} wants a person"));
            person = true;
        }
        let limit = self.settings.classes.of(class).person_at;
        match facts.score {
            Some(score) if score >= limit => {
                steps
                    .say("risk", format!("{score}, and {limit} or more goes to a person on a target of class {class}"));
                person = true;
            }
            Some(_) if is_untold(facts) => steps.say("risk", UNTOLD),
            Some(score) => steps.say("risk", format!("{score}, under {limit} of class {class}")),
            None => steps.say("risk", "not scored"),
        }
        person
    }

    fn people(&self, facts: &Facts<'_>, class: Class, steps: &mut Steps) -> u8 {
        let mut people = self.settings.classes.of(class).people;
        if facts.score.is_some_and(|score| score >= self.settings.critical_at) {
            people = people.max(self.settings.critical_people);
        }
        if people > 1 {
            steps.say("people", format!("where people decide, {people} different ones must approve"));
        }
        people
    }

    fn whitelisted(&self, asked: &Asked<'_>, facts: &Facts<'_>, now: &Now<'_>, steps: &mut Steps) -> Option<Passed> {
        let (target, class) = self.target(asked.host);
        let line = asked.whole?;
        let mut speaking: Vec<&Rule> = Vec::new();
        let allow = |rule: &&Rule| rule.body().effect == Effect::Allow;
        let (standing, grants): (Vec<&Rule>, Vec<&Rule>) =
            self.rules.values().filter(allow).partition(|rule| rule.kind == Kind::Standing);
        // What stands anyway is used before what was granted.
        for rule in standing.into_iter().chain(grants) {
            match rule.silent(asked, target, class, now) {
                None if !rule.body().cwd.is_empty() && facts.reading.moves() => {
                    steps.say("whitelist", format!("{} is for directories, and the line leaves its own", rule.name()));
                }
                None => speaking.push(rule),
                Some(why) if names_it(rule, line, facts) => steps.say("whitelist", format!("{} {why}", rule.name())),
                Some(_) => {}
            }
        }
        let by = |rules: &[&Rule]| {
            let grant = rules.iter().find(|rule| rule.kind == Kind::Grant).map(|rule| DecidedBy::Grant(rule.id));
            grant.or_else(|| rules.first().map(|rule| DecidedBy::WhitelistRule(rule.id)))
        };
        if let Some(rule) = speaking.iter().find(|rule| rule.exact() == Some(line)) {
            steps.say("whitelist", format!("{} has this very line", rule.name()));
            return Some(Passed { by: by(&[rule])?, used: vec![rule.id] });
        }
        let mut used: Vec<&Rule> = Vec::new();
        let mut said = Vec::new();
        let found = facts.reading.allowed_by(&mut |command| {
            for rule in &speaking {
                match rule.allows(command) {
                    Ok(()) => {
                        said.push(format!("{} allows `{}`", rule.name(), command.simple.words.join(" ")));
                        if !used.iter().any(|known| known.id == rule.id) {
                            used.push(rule);
                        }
                        return true;
                    }
                    Err("does not match") => {}
                    Err(why) => said.push(format!("{} {why}", rule.name())),
                }
            }
            false
        });
        for found in said {
            steps.say("whitelist", found);
        }
        match found {
            Ok(()) => Some(Passed { by: by(&used)?, used: used.iter().map(|rule| rule.id).collect() }),
            Err(why) => {
                steps.say("whitelist", why.to_string());
                None
            }
        }
    }

    /// Whether the class lets pass what no rule knows.
    fn under_threshold(&self, asked: &Asked<'_>, facts: &Facts<'_>, class: Class, steps: &mut Steps) -> Option<Passed> {
        let below = self.settings.classes.of(class).pass_below;
        let refused = if below == 0 {
            Some(format!("class {class} lets nothing pass that no rule knows"))
        } else if asked.whole.is_none() || !facts.reading.parsed || !facts.reading.opaque.is_empty() {
            Some(format!("not all that it runs can be seen: {}", facts.reading.opaque.join(", ")))
        } else if is_untold(facts) {
            Some(UNTOLD.to_owned())
        } else if facts.reading.commands.iter().any(|words| code::holds_code(words)) {
            Some("it holds code in a language that is not read".to_owned())
        } else if asked.terminal {
            Some("on a terminal only rules let pass".to_owned())
        } else if !crate::rule_shells().contains(&asked.shell) {
            Some("only lines of bash and dash can be scored".to_owned())
        } else if facts.anomalies.iter().any(|flag| flag != FIRST_USE) || !facts.secrets.is_empty() {
            Some("it has anomalies, or holds a secret".to_owned())
        } else {
            match facts.score {
                None => Some("not scored".to_owned()),
                Some(score) if score >= below => Some(format!("risk {score} is not under {below} of class {class}")),
                Some(_) => None,
            }
        };
        match refused {
            Some(why) => {
                steps.say("threshold", why);
                None
            }
            None => {
                steps.say("threshold", format!("no rule, and the risk is under {below} of class {class}"));
                Some(Passed { by: DecidedBy::Threshold(class), used: Vec::new() })
            }
        }
    }
}

/// Said of a transfer whose score says nothing.
const UNTOLD: &str = "not scored: the line does not say what the client does";

/// Whether it is such a transfer.
fn is_untold(facts: &Facts<'_>) -> bool {
    Transfer::of(facts.reading.line.as_bytes()).is_some_and(|transfer| !transfer.is_told_by_its_line())
}

/// Whether a rule that refuses or asks speaks for this.
fn says(rule: &Rule, facts: &Facts<'_>) -> Could {
    let body = rule.body();
    let kind = |wanted: &String| wanted == "*" || facts.secrets.contains(wanted);
    let by_secret = !facts.secrets.is_empty() && body.secrets.iter().any(kind);
    let by_flag = body.anomalies.iter().any(|flag| facts.anomalies.contains(flag));
    if by_secret || by_flag { Could::Surely } else { rule.refuses(facts.reading) }
}

/// Whether a silent rule would be one for this line: only then is its silence worth a word.
fn names_it(rule: &Rule, line: &CommandText, facts: &Facts<'_>) -> bool {
    rule.exact() == Some(line) || (rule.exact().is_none() && rule.speaks_for_line(facts.reading))
}

#[cfg(test)]
mod tests;
