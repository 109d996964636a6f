//! From a line's text to a verdict: analysis, both readings, and the decision.
//! One way for the service, for a host and for whoever checks them later.

use crate::decide::{Asked, Facts, Now, Verdict};
use crate::policy::Policy;
use crate::reading::{Reading, shell_of};
use countersign_analysis::anomaly::Flag;
use countersign_analysis::facts::Place;
use countersign_analysis::risk::Risk;
use countersign_analysis::{Analysis, analyze};

/// What analysis finds in a line: made once, for as many verdicts as are wanted.
#[derive(Debug)]
pub struct Examined {
    analysis: Analysis,
    reading: Reading,
    secrets: Vec<String>,
}

/// A verdict and what it rests on.
#[derive(Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The score, 0 to 100.
    pub score: u8,
    /// Anomaly flags.
    pub anomalies: Vec<String>,
}

impl Examined {
    /// Analyses `shown`, the text of a line as far as it can be seen.
    pub fn of(shown: &str, shell: &str, cwd: &str) -> Self {
        let place = Place { cwd: Some(cwd).filter(|cwd| cwd.starts_with('/')), home: None, shell: shell_of(shell) };
        let analysis = analyze(shown, &place, &[]);
        let secrets = analysis.redactions.iter().map(|finding| finding.kind.to_string()).collect();
        let reading = Reading::from_tree(shown, shell, &analysis.facts);
        Self { analysis, reading, secrets }
    }

    /// Its risk.
    pub fn risk(&self) -> &Risk {
        &self.analysis.risk
    }
}

impl Policy {
    /// Decides about a line that was analysed. `more`: flags that it earns by
    /// its agent's past.
    pub fn judge(&self, asked: &Asked<'_>, line: &Examined, more: &[Flag], now: &Now<'_>) -> Judged {
        let mut flags = [line.analysis.anomalies.as_slice(), more].concat();
        flags.sort_unstable();
        flags.dedup();
        let anomalies: Vec<String> = flags.into_iter().map(|flag| flag.code().to_owned()).collect();
        let score = line.analysis.risk.score;
        let facts = Facts { reading: &line.reading, score: Some(score), anomalies: &anomalies, secrets: &line.secrets };
        let verdict = self.decide(asked, &facts, now);
        Judged { verdict, score, anomalies }
    }
}
