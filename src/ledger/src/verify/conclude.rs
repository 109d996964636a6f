//! From findings to the verdict on the three axes.

use super::checks::{Check, Code};
use super::report::{Axis, Counts, Findings, Head, Report, Require, thousands};
use super::tree::Held;
use countersign_core::{HostId, Outcome, format_utc_micros};
use std::collections::BTreeMap;

/// What the run has found out besides findings.
pub(super) struct Facts {
    pub host: Option<HostId>,
    pub head: Option<Head>,
    pub counts: Counts,
    pub same_uid: bool,
    /// What the service cosigned.
    pub held: Option<Held>,
    /// Whether entries that tell something came after that.
    pub uncovered: bool,
    /// Known heads that were found.
    pub known_heads: usize,
    pub epochs: u64,
    /// Only a part of a history was given.
    pub part: bool,
    /// What the verdict does not cover, beside what is said anyway.
    pub notes: Vec<String>,
}

/// The report where there is nothing to verify.
pub(super) fn nothing(findings: Findings, require: Require) -> Report {
    let facts = Facts {
        host: None,
        head: None,
        counts: Counts::default(),
        same_uid: false,
        held: None,
        uncovered: false,
        known_heads: 0,
        epochs: 0,
        part: false,
        notes: Vec::new(),
    };
    conclude(facts, findings, require)
}

/// Makes the report. The exit code is that of the most severe finding; it is 0
/// only where there is none and somebody besides the host vouches for all.
pub(super) fn conclude(facts: Facts, mut findings: Findings, require: Require) -> Report {
    let assurance = assurance(&facts, &mut findings, require);
    let mut report = Report {
        exit_code: 0,
        integrity: integrity(&facts, &findings),
        conformance: conformance(&facts.counts, &findings),
        assurance,
        host: facts.host,
        up_to: None,
        counts: facts.counts,
        findings: Vec::new(),
        totals: Default::default(),
        warnings: Vec::new(),
        warnings_total: 0,
        notes: Vec::new(),
    };
    report.counts.without_decision = findings.count_code(Code::NotDecided);
    if let Some(head) = &facts.head {
        report.notes.push(format!("This verdict is up to seq {}, {}.", head.seq, head.at));
        report.notes.push(match facts.known_heads {
            0 => "Without a known head, entries cut off after that cannot be seen: bring one with --known-head."
                .to_owned(),
            1 => "The head that you know is in it.".to_owned(),
            many => format!("The {many} heads that you know are in it."),
        });
    }
    if !report.counts.not_reevaluable_because.is_empty() {
        let because = &report.counts.not_reevaluable_because;
        let reasons: Vec<String> = because.iter().map(|(why, n)| format!("{} because {why}", thousands(*n))).collect();
        report.notes.push(format!("Decisions by rule that were not evaluated again: {}.", reasons.join("; ")));
    }
    report.notes.extend(facts.notes);
    report.up_to = facts.head;
    findings.into_report(&mut report);
    report
}

fn integrity(Facts { counts, head, epochs, part, .. }: &Facts, findings: &Findings) -> Axis {
    let by_code = [
        (Code::Invalid, "INVALID"),
        (Code::Missing, "MISSING"),
        (Code::Recording, "RECORDING"),
        (Code::Fork, "FORK"),
        (Code::Time, "TIME"),
        (Code::NoTrust, "NOT SHOWN"),
        (Code::Incomplete, "INCOMPLETE"),
    ];
    let verdict = by_code.iter().find(|(code, _)| findings.has(*code)).map_or("SOUND", |(_, word)| *word);
    let Some(head) = head else {
        return Axis { verdict, detail: "nothing to verify".to_owned() };
    };
    let first = counts.first_seq.unwrap_or(0);
    let mut logins = Vec::new();
    for (number, word) in
        [(counts.logins_closed, "closed"), (counts.logins_recovered, "recovered"), (counts.logins_open, "open")]
    {
        if number > 0 {
            logins.push(format!("{} {word}", thousands(number)));
        }
    }
    let logins = if logins.is_empty() { String::new() } else { format!(" ({})", logins.join(", ")) };
    let mut missing = String::new();
    let erased = if counts.erased == 1 { "value erased" } else { "values erased" };
    for (number, word) in [(counts.left_out, "left out"), (counts.erased, erased)] {
        if number > 0 {
            missing.push_str(&format!(", {} {word}", thousands(number)));
        }
    }
    let detail = format!(
        "{}{}  seq {}–{}  1 host, {}, {}{logins}, {}{}",
        if *part { "PART of a history: " } else { "" },
        many(counts.entries, "entry", "entries"),
        thousands(first),
        thousands(head.seq),
        if *epochs == 0 { "1 key".to_owned() } else { many(*epochs, "epoch", "epochs") },
        many(counts.logins, "login", "logins"),
        many(counts.recordings, "recording", "recordings"),
        missing,
    );
    Axis { verdict, detail }
}

fn conformance(counts: &Counts, findings: &Findings) -> Axis {
    // Without a clock that can be believed nobody knows what was in time.
    let doubted = [Code::Invalid, Code::Missing, Code::Fork, Code::Time, Code::NoTrust];
    let unknown = doubted.iter().any(|code| findings.has(*code)) || findings.count(Check::DecisionNotShown) > 0;
    let verdict = match (findings.has(Code::NotDecided), unknown) {
        (true, _) => "DEVIATES",
        (false, true) => "NOT SHOWN",
        (false, false) => "CONFORMS",
    };
    let mut parts = Vec::new();
    for (outcome, number) in &counts.outcomes {
        let word = outcome.as_str().replace('_', " ");
        parts.push(format!("{} {word}{}", thousands(*number), again(*outcome, *number, counts)));
    }
    if counts.undecided > 0 {
        parts.push(format!("{} undecided", thousands(counts.undecided)));
    }
    parts.push(format!("{} without decision", thousands(findings.count_code(Code::NotDecided))));
    Axis { verdict, detail: format!("{}: {}", many(counts.commands, "command", "commands"), parts.join(", ")) }
}

/// How many of these were decided again, and with what result.
fn again(outcome: Outcome, all: u64, counts: &Counts) -> String {
    let of = |map: &BTreeMap<Outcome, u64>| map.get(&outcome).copied().unwrap_or(0);
    let found = [
        (of(&counts.reevaluated), "re-evaluated"),
        (of(&counts.not_reevaluable), "not re-evaluable"),
        (of(&counts.refuted), "refuted"),
    ];
    let words: Vec<String> = found
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| if number == all { word.to_owned() } else { format!("{} {word}", thousands(number)) })
        .collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { more })
}

/// Who vouches, and whether that is enough. The host alone never is.
fn assurance(facts: &Facts, findings: &mut Findings, require: Require) -> Axis {
    let needed = match require {
        Require::SelfAttested => "",
        Require::ServiceHeld => "; service-held is required",
        Require::Witnessed => "; witnessed is required",
    };
    let doubt = match (&facts.held, facts.same_uid, facts.uncovered) {
        (None, true, _) => Some("signer:same_uid, no service checkpoint".to_owned()),
        (None, false, _) => Some("no service checkpoint".to_owned()),
        (Some(held), true, _) => Some(format!("signer:same_uid, although a service cosigned {}", reach(held))),
        (Some(held), false, true) => {
            Some(format!("the service cosigned {}, and entries after that tell more", reach(held)))
        }
        (Some(_), false, false) => None,
    };
    if let Some(why) = &doubt {
        findings.add(Check::AssuranceSelf, None, None, format!("{why}{needed}"));
    } else if require > Require::ServiceHeld {
        findings.add(Check::AssuranceBelow, None, None, "service-held; witnessed is required");
    }
    if findings.has(Code::NoTrust) {
        return Axis { verdict: "NONE", detail: "no trusted key vouches for this history".to_owned() };
    }
    match (doubt, &facts.held) {
        (None, Some(held)) => {
            let below = if require > Require::ServiceHeld { needed } else { "" };
            Axis { verdict: "SERVICE-HELD", detail: format!("cosigned by the service {}{below}", reach(held)) }
        }
        (None, None) => Axis { verdict: "NONE", detail: String::new() },
        (Some(why), _) => Axis { verdict: "SELF-ATTESTED", detail: format!("{why}{needed}") },
    }
}

/// `up to seq N, TIME`.
fn reach(held: &Held) -> String {
    let micros = i64::try_from(held.time).ok().and_then(|time| time.checked_mul(1_000_000));
    let time = micros.and_then(format_utc_micros).unwrap_or_default();
    let time = time.split('.').next().unwrap_or_default();
    format!("up to seq {}, {time}Z", thousands(held.size.saturating_sub(1)))
}
