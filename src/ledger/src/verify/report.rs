//! What verification found: counts, verdicts, findings, and how they are shown.

use super::checks::{Check, Code};
use countersign_core::{Digest, HostId, Outcome, legible};
use serde::Serialize;
use std::collections::BTreeMap;

/// Findings and warnings kept per check; the rest are counted.
const KEPT_PER_CHECK: u64 = 20;
/// Longest text of a finding or warning, in characters.
const MAX_TEXT: usize = 400;

/// What vouches for a history besides the host, weakest first: `--require`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Require {
    /// The host alone.
    SelfAttested,
    /// The service cosigned the host's checkpoints.
    ServiceHeld,
    /// Independent witnesses cosigned them too.
    Witnessed,
}

/// The text names no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown level; want self-attested, service-held or witnessed")]
pub struct BadLevel;

impl std::str::FromStr for Require {
    type Err = BadLevel;
    fn from_str(text: &str) -> Result<Self, BadLevel> {
        match text {
            "self-attested" => Ok(Self::SelfAttested),
            "service-held" => Ok(Self::ServiceHeld),
            "witnessed" => Ok(Self::Witnessed),
            _ => Err(BadLevel),
        }
    }
}

/// One deviation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable id of the check, e.g. `chain.prev`.
    pub check: &'static str,
    /// The exit code it leads to.
    pub exit: u8,
    /// The entry it is about.
    pub seq: Option<u64>,
    /// The file it is about.
    pub file: Option<String>,
    /// What is wrong.
    pub text: String,
    /// What that means.
    pub means: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// How far the verified history reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The last entry.
    pub seq: u64,
    /// Its wall-clock time.
    pub at: String,
    /// Its leaf hash.
    pub leaf: Digest,
    /// Root of the tree over all entries up to it; absent where entries are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Digest>,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Entries read.
    pub entries: u64,
    /// `seq` of the first one.
    pub first_seq: Option<u64>,
    /// Logins that were opened.
    pub logins: u64,
    /// Logins still open.
    pub logins_open: u64,
    /// Logins closed in good order.
    pub logins_closed: u64,
    /// Logins closed on recovery.
    pub logins_recovered: u64,
    /// Command lines submitted.
    pub commands: u64,
    /// How many were decided how; outcomes with none are absent.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Decisions by rule that came out the same when they were made again, by outcome.
    pub reevaluated: BTreeMap<Outcome, u64>,
    /// Those that could not be made again.
    pub not_reevaluable: BTreeMap<Outcome, u64>,
    /// Those that came out otherwise: each is a finding.
    pub refuted: BTreeMap<Outcome, u64>,
    /// Why they could not.
    pub not_reevaluable_because: BTreeMap<String, u64>,
    /// Command lines without `decided`.
    pub undecided: u64,
    /// Command lines started.
    pub started: u64,
    /// Findings that something ran without a valid, timely decision.
    pub without_decision: u64,
    /// Recordings whose bytes were checked.
    pub recordings: u64,
    /// `checkpoint` entries.
    pub checkpoints: u64,
    /// Signatures of entries and decisions that were checked one by one.
    pub signatures: u64,
    /// Signatures that were left out, because a cosigned checkpoint covers what they are about.
    pub signatures_covered: u64,
    /// Private values that were erased or redacted as declared.
    pub erased: u64,
    /// Entries that are left out as declared: pruned, or not of this part.
    pub left_out: u64,
    /// Unknown kinds and members, which were hashed, chained and signed but not understood.
    pub unknown: u64,
}

/// One of the three lines: a verdict and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Axis {
    /// E.g. `SOUND`.
    pub verdict: &'static str,
    /// The rest of the line.
    pub detail: String,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Report {
    /// The exit code of `countersign verify`.
    pub exit_code: u8,
    /// Is this the history the host wrote, whole and unchanged?
    pub integrity: Axis,
    /// Did everything that ran have a valid, timely decision?
    pub conformance: Axis,
    /// Who besides the host vouches for it?
    pub assurance: Axis,
    /// The host.
    pub host: Option<HostId>,
    /// The last entry that was verified.
    pub up_to: Option<Head>,
    /// What was counted.
    pub counts: Counts,
    /// Deviations; at most 20 of each check.
    pub findings: Vec<Finding>,
    /// How many there were of each check.
    pub totals: BTreeMap<&'static str, u64>,
    /// What is unusual without being wrong; at most 20 of each sort.
    pub warnings: Vec<String>,
    /// How many there were.
    pub warnings_total: u64,
    /// What the verdict does not cover.
    pub notes: Vec<String>,
}

impl Report {
    /// The three lines of the verdict, each ended by a newline.
    pub fn three_lines(&self) -> String {
        let line = |name: &str, axis: &Axis| {
            format!("{name:<12} {:<13} {}", axis.verdict, legible(&axis.detail)).trim_end().to_owned()
        };
        format!(
            "{}\n{}\n{}\n",
            line("INTEGRITY", &self.integrity),
            line("CONFORMANCE", &self.conformance),
            line("ASSURANCE", &self.assurance)
        )
    }

    /// The three lines, then deviations, warnings, and how far the verdict reaches.
    pub fn text(&self) -> String {
        let mut text = self.three_lines();
        let mut explained = Vec::new();
        let nothing = |finding: &Finding| [Check::SourceUnknown.id(), Check::SourceEmpty.id()].contains(&finding.check);
        let empty = self.findings.iter().any(nothing);
        for finding in &self.findings {
            // Who vouches for nothing is no question.
            if empty && finding.check == Check::AssuranceSelf.id() {
                continue;
            }
            match finding.check == Check::AssuranceSelf.id() {
                // The third line has said why.
                true => text.push_str(&format!("{} {}\n", finding.exit, finding.check)),
                false => text.push_str(&finding_line(finding)),
            }
            // Once is enough: there may be twenty of each.
            if !explained.contains(&finding.check) {
                explained.push(finding.check);
                text.push_str(&format!("   means: {}\n   next: {}\n", finding.means, finding.next));
            }
        }
        for (check, total) in &self.totals {
            if let Some(more) = total.checked_sub(KEPT_PER_CHECK).filter(|more| *more > 0) {
                text.push_str(&format!("   {check}: {} more\n", thousands(more)));
            }
        }
        for warning in &self.warnings {
            text.push_str(&format!("warning: {}\n", legible(warning)));
        }
        let kept = u64::try_from(self.warnings.len()).unwrap_or(u64::MAX);
        if self.warnings_total > kept {
            text.push_str(&format!("warning: {} more\n", thousands(self.warnings_total - kept)));
        }
        for note in &self.notes {
            text.push_str(&format!("{}\n", legible(note)));
        }
        text
    }
}

fn finding_line(finding: &Finding) -> String {
    let seq = finding.seq.map(|seq| format!(" seq {seq}")).unwrap_or_default();
    let file = finding.file.as_ref().map(|file| format!(" {}", legible(file))).unwrap_or_default();
    format!("{:>2} {}{seq}{file}: {}\n", finding.exit, finding.check, legible(&finding.text))
}

/// At most [`MAX_TEXT`] characters: what is quoted from a journal can be long.
fn short(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// `1234567` as `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Collects findings and warnings while entries pass by.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    totals: BTreeMap<&'static str, u64>,
    worst: Option<Code>,
    codes: Vec<Code>,
    warnings: Vec<String>,
    warnings_by_sort: BTreeMap<&'static str, u64>,
}

impl Findings {
    /// Records a deviation.
    pub fn add(&mut self, check: Check, seq: Option<u64>, file: Option<&str>, text: impl Into<String>) {
        let code = check.code();
        if self.worst.is_none_or(|worst| worst.severity() < code.severity()) {
            self.worst = Some(code);
        }
        if !self.codes.contains(&code) {
            self.codes.push(code);
        }
        let total = self.totals.entry(check.id()).or_default();
        *total = total.saturating_add(1);
        if *total <= KEPT_PER_CHECK {
            let file = file.map(str::to_owned);
            let (means, next) = (check.means(), check.next());
            let text = short(text.into());
            self.list.push(Finding { check: check.id(), exit: code.exit(), seq, file, text, means, next });
        }
    }

    /// Records something unusual; `sort`, one of [`super::WARNINGS`], groups what is said at most 20 times.
    pub fn warn(&mut self, sort: &'static str, text: impl Into<String>) {
        debug_assert!(super::WARNINGS.contains(&sort), "{sort}");
        let total = self.warnings_by_sort.entry(sort).or_default();
        *total = total.saturating_add(1);
        if *total <= KEPT_PER_CHECK {
            self.warnings.push(short(text.into()));
        }
    }

    /// How many findings there are.
    pub fn count_all(&self) -> u64 {
        self.totals.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// How often a check has failed.
    pub fn count(&self, check: Check) -> u64 {
        self.totals.get(check.id()).copied().unwrap_or(0)
    }

    /// Whether anything has led to this code.
    pub fn has(&self, code: Code) -> bool {
        self.codes.contains(&code)
    }

    /// How many findings have led to this code.
    pub fn count_code(&self, code: Code) -> u64 {
        super::checks::CHECKS.iter().filter(|info| info.code == code).map(|info| self.count(info.check)).sum()
    }

    /// The exit code so far; 0 where nothing deviates.
    pub fn exit_code(&self) -> u8 {
        self.worst.map_or(0, Code::exit)
    }

    /// Moves everything into a report, most severe first.
    pub fn into_report(mut self, report: &mut Report) {
        report.exit_code = self.exit_code();
        let rank = |f: &Finding| Code::BY_SEVERITY.iter().position(|c| c.exit() == f.exit);
        self.list.sort_by_key(rank);
        report.findings = self.list;
        report.totals = self.totals;
        report.warnings = self.warnings;
        report.warnings_total = self.warnings_by_sort.values().fold(0, |sum, n| sum.saturating_add(*n));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_wins_and_lists_are_bounded() {
        let mut findings = Findings::default();
        findings.add(Check::SessOpen, None, None, "open");
        assert_eq!(findings.exit_code(), 11);
        for seq in 0..100 {
            findings.add(Check::ChainSeq, Some(seq), None, "gap");
        }
        findings.add(Check::RunTwice, Some(3), None, "twice");
        assert_eq!((findings.exit_code(), findings.count(Check::ChainSeq)), (41, 100));
        assert_eq!(findings.list.len(), 22);
        assert!(findings.has(Code::NotDecided) && !findings.has(Code::Invalid));
    }

    #[test]
    fn what_to_do_next_is_said_once_for_each_check() {
        let mut findings = Findings::default();
        for seq in [4, 9] {
            findings.add(Check::ChainPrev, Some(seq), None, "changed");
        }
        findings.add(Check::SessOpen, None, None, "open");
        findings.add(Check::AssuranceSelf, None, None, "said in the third line");
        let mut report = Report {
            exit_code: 0,
            integrity: Axis { verdict: "INVALID", detail: String::new() },
            conformance: Axis { verdict: "NOT SHOWN", detail: String::new() },
            assurance: Axis { verdict: "SELF-ATTESTED", detail: String::new() },
            host: None,
            up_to: None,
            counts: Counts::default(),
            findings: Vec::new(),
            totals: BTreeMap::new(),
            warnings: Vec::new(),
            warnings_total: 0,
            notes: Vec::new(),
        };
        findings.into_report(&mut report);
        let text = report.text();
        let said = |check: Check| format!("   means: {}\n   next: {}\n", check.means(), check.next());
        assert!(text.contains(&format!("40 chain.prev seq 4: changed\n{}40 chain.prev seq 9", said(Check::ChainPrev))));
        let last = format!("10 assurance.self_attested\n{}", said(Check::AssuranceSelf));
        assert!(text.ends_with(&format!("11 sess.open: open\n{}{last}", said(Check::SessOpen))), "{text}");
        assert_eq!(text.matches("next:").count(), 3);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["findings"][1]["next"], Check::ChainPrev.next());
    }

    #[test]
    fn quoted_text_is_bounded() {
        assert_eq!(short("é".repeat(MAX_TEXT)).chars().count(), MAX_TEXT);
        assert_eq!(short("é".repeat(MAX_TEXT + 1)).chars().count(), MAX_TEXT + 1);
        assert!(short("é".repeat(9 * MAX_TEXT)).ends_with("é…"));
    }

    #[test]
    fn words() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!("witnessed".parse(), Ok(Require::Witnessed));
        assert_eq!("Witnessed".parse::<Require>(), Err(BadLevel));
        assert!(Require::SelfAttested < Require::ServiceHeld);
    }
}
